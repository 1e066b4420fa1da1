//! `messages`: messages to people.

use super::capability;
use crate::model::messages::{Message, Receipt};

capability! {
    /// A plugin as a sender of messages.
    Messages "messages" {
        /// Sends a message.
        once fn send "send" (message: Message) -> Receipt;
        /// Whether `send` with this key was done.
        ask fn lookup "lookup" (key: String) -> Option<Receipt>;
    }
}
