//! Messages to people: interface `messages`.

use super::Options;
use super::weigh::weigh;
use serde::{Deserialize, Serialize};
use wasmtime::component::{ComponentType, Lift, Lower};

/// A message to be sent.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(record)]
#[serde(rename_all = "kebab-case")]
pub struct Message {
    /// "sms", "email", "push".
    pub kind: String,
    /// A phone number ("+4791234567"), an e-mail address, a device.
    pub to: String,
    /// Of an e-mail.
    pub subject: String,
    /// What it says.
    pub text: String,
    /// "nb", "en", "fi".
    pub language: String,
    /// Whatever a later version may add.
    pub more: Options,
}

/// A message that was taken over.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(record)]
#[serde(rename_all = "kebab-case")]
pub struct Receipt {
    /// The sender's name for it.
    pub reference: String,
    /// How many messages were paid for.
    pub parts: u32,
}

weigh! {
    Message: kind to subject text language more;
    Receipt: reference parts;
}
