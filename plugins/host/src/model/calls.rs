//! Calls from outside to a plugin's address at the gateway: interface `calls`.

use super::Options;
use super::weigh::weigh;
use serde::{Deserialize, Serialize};
use wasmtime::component::{ComponentType, Lift, Lower};

/// A call that came in.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(record)]
#[serde(rename_all = "kebab-case")]
pub struct Call {
    /// "POST".
    pub method: String,
    /// The part after the plugin's address, "/events".
    pub path: String,
    /// Without `?`.
    pub query: String,
    /// Names in lower case.
    pub headers: Options,
    /// What it carried.
    #[serde(with = "super::bytes")]
    pub body: Vec<u8>,
}

/// Something that happened: a hint, to be asked for before it is believed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(record)]
#[serde(rename_all = "kebab-case")]
pub struct Event {
    /// "payment", "instrument", "invoice", "message-in".
    pub kind: String,
    /// What it is about: the provider's reference, the sender's number.
    pub subject: String,
    /// The other side's name of this event: one that came before is dropped.
    pub id: String,
    /// What else it says.
    pub more: Options,
}

/// What the caller gets, and what happened.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(record)]
#[serde(rename_all = "kebab-case")]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// Names and values.
    pub headers: Options,
    /// What it carries.
    #[serde(with = "super::bytes")]
    pub body: Vec<u8>,
    /// Kept before the answer goes out.
    pub events: Vec<Event>,
}

weigh! {
    Call: method path query headers body;
    Event: kind subject id more;
    Answer: status headers body events;
}
