//! `calls`: calls from outside to a plugin's address at the gateway.

use super::capability;
use crate::model::calls::{Answer, Call};

capability! {
    /// A plugin as somebody who understands calls from outside.
    Calls "calls" {
        /// Checks the signature and says what happened.
        ask fn receive "receive" (call: Call) -> Answer;
    }
}
