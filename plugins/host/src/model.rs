//! The records that go between the gateway and a plugin: those of `plugins/wit/takst-plugin.wit`, as plain Rust types.
//! Their JSON has the names of the WIT; it is what `takst plugin run` reads and what stands on a tape.

pub(crate) mod bytes;
pub mod calls;
pub mod crypto;
pub mod http;
pub mod invoices;
pub mod messages;
pub mod meters;
pub mod payments;
pub mod prices;
mod weigh;

pub use weigh::Weigh;

use serde::{Deserialize, Serialize};
use wasmtime::component::{ComponentType, Lift, Lower};
use weigh::weigh;

/// Names and values: the operator's settings, and whatever a later version may add.
pub type Options = Vec<(String, String)>;

/// An amount of money.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(record)]
#[serde(rename_all = "kebab-case")]
pub struct Money {
    /// The currency's minor units: 345 of "EUR" is 3.45 EUR.
    pub minor: i64,
    /// ISO 4217: "EUR", "NOK".
    pub currency: String,
}

/// What is known of the thing that was asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(enum)]
#[serde(rename_all = "kebab-case")]
#[repr(u8)]
pub enum Outcome {
    /// Not done, and asking again would not help.
    #[component(name = "refused")]
    Refused,
    /// Certainly not done; asking again later may help.
    #[component(name = "not-done")]
    NotDone,
    /// It may have been done: ask with `lookup` before anything else.
    #[component(name = "unknown")]
    Unknown,
}

/// Why something did not work, in the plugin's words.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(record)]
#[serde(rename_all = "kebab-case")]
pub struct Error {
    /// A short word that stays the same: "card-declined".
    pub code: String,
    /// What is known of the thing that was asked for.
    pub outcome: Outcome,
    /// For people: what happened and what to do.
    pub detail: String,
    /// Not before so many seconds.
    #[component(name = "retry-after")]
    pub retry_after: Option<u32>,
}

/// Something about the settings that the operator should know.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(record)]
#[serde(rename_all = "kebab-case")]
pub struct Finding {
    /// The setting's name.
    pub setting: String,
    /// What is wrong with it and what to write instead.
    pub text: String,
    /// With an error the plugin is not started; else it is a warning.
    pub error: bool,
}

weigh! {
    Money: minor currency;
    Error: code outcome detail retry_after;
    Finding: setting text error;
}
weigh!(flat Outcome);
