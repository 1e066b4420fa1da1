//! Money from drivers, and back: interface `payments`.

use super::weigh::weigh;
use super::{Error, Money, Options};
use serde::{Deserialize, Serialize};
use wasmtime::component::{ComponentType, Lift, Lower};

/// How it stands with a payment.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(enum)]
#[serde(rename_all = "kebab-case")]
#[repr(u8)]
pub enum PaymentState {
    /// On its way; ask again.
    #[component(name = "pending")]
    Pending,
    /// The payer must do something, at `next`.
    #[component(name = "action-needed")]
    ActionNeeded,
    /// Set aside, to be captured.
    #[component(name = "authorized")]
    Authorized,
    /// The money is taken.
    #[component(name = "paid")]
    Paid,
    /// Nothing was taken and nothing will be.
    #[component(name = "failed")]
    Failed,
    /// Given up before anything was taken.
    #[component(name = "cancelled")]
    Cancelled,
    /// The payer did not act in time.
    #[component(name = "expired")]
    Expired,
}

/// A payment as the provider knows it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(record)]
#[serde(rename_all = "kebab-case")]
pub struct Payment {
    /// The provider's name for it.
    pub reference: String,
    /// How it stands.
    pub state: PaymentState,
    /// What was taken.
    pub captured: Money,
    /// What was given back.
    pub refunded: Money,
    /// Where the payer goes next (an address), for `action-needed`.
    pub next: Option<String>,
    /// Why it failed.
    pub failure: Option<Error>,
    /// What else the plugin says.
    pub more: Options,
}

/// A saved card or an agreement.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(record)]
#[serde(rename_all = "kebab-case")]
pub struct Instrument {
    /// The provider's name for it; empty while `next` is still to be done.
    pub reference: String,
    /// Whether it can be charged.
    pub ready: bool,
    /// "Visa 4242", "Vipps": for people.
    pub label: String,
    /// Where the payer goes to finish (an address).
    pub next: Option<String>,
    /// Why it cannot be used.
    pub failure: Option<Error>,
    /// What else the plugin says.
    pub more: Options,
}

/// A payment that is asked for.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(record)]
#[serde(rename_all = "kebab-case")]
pub struct ChargeRequest {
    /// How much.
    pub amount: Money,
    /// A saved instrument, or nothing for a payment that the payer makes now.
    pub instrument: Option<String>,
    /// The driver's key: never a name.
    pub payer: String,
    /// What the payer reads: "Charging, bill A-0031".
    pub description: String,
    /// Our name for what is paid: letters, digits and `-`, 8 to 50 of them.
    pub reference: String,
    /// Where the payer's browser comes back to.
    #[component(name = "return-to")]
    pub return_to: Option<String>,
    /// Take the money at once, or only set it aside.
    pub capture: bool,
    /// Whatever a later version may add.
    pub more: Options,
}

/// An instrument that is to be saved.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(record)]
#[serde(rename_all = "kebab-case")]
pub struct SaveRequest {
    /// The driver's key: never a name.
    pub payer: String,
    /// Our name for it.
    pub reference: String,
    /// Where the payer's browser comes back to.
    #[component(name = "return-to")]
    pub return_to: String,
    /// What an agreement may take at most, where the provider asks.
    #[component(name = "at-most")]
    pub at_most: Option<Money>,
    /// What the payer reads.
    pub description: String,
    /// Whatever a later version may add.
    pub more: Options,
}

/// One of the things that can be asked for: what `lookup` looks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(enum)]
#[serde(rename_all = "kebab-case")]
#[repr(u8)]
pub enum Operation {
    /// To save an instrument.
    #[component(name = "save")]
    Save,
    /// A payment.
    #[component(name = "charge")]
    Charge,
    /// To take what was set aside.
    #[component(name = "capture")]
    Capture,
    /// To give back.
    #[component(name = "refund")]
    Refund,
    /// To give up.
    #[component(name = "cancel")]
    Cancel,
}

weigh! {
    Payment: reference state captured refunded next failure more;
    Instrument: reference ready label next failure more;
    ChargeRequest: amount instrument payer description reference return_to capture more;
    SaveRequest: payer reference return_to at_most description more;
}
weigh!(flat PaymentState, Operation);
