//! Invoices to payers: interface `invoices`.

use super::weigh::weigh;
use super::{Money, Options};
use serde::{Deserialize, Serialize};
use wasmtime::component::{ComponentType, Lift, Lower};

/// Whether a payer can be reached this way.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(enum)]
#[serde(rename_all = "kebab-case")]
#[repr(u8)]
pub enum Consent {
    /// Takes invoices this way.
    #[component(name = "accepts")]
    Accepts,
    /// Not known there, or has not agreed.
    #[component(name = "none")]
    None,
    /// Does not want invoices of this issuer.
    #[component(name = "blocked")]
    Blocked,
}

/// What the channel says of a payer.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(record)]
#[serde(rename_all = "kebab-case")]
pub struct Reachability {
    /// Whether the payer takes invoices this way.
    pub consent: Consent,
    /// The channel's address for the payer, to be given back in `send`.
    pub address: String,
    /// For people.
    pub detail: String,
}

/// An invoice or a credit note to be sent.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(record)]
#[serde(rename_all = "kebab-case")]
pub struct Invoice {
    /// Its number.
    pub number: String,
    /// The payer's reference on the payment: KID in Norway.
    #[component(name = "payment-reference")]
    pub payment_reference: String,
    /// What is to be paid.
    pub amount: Money,
    /// The day it was written, "2026-03-29".
    pub issued: String,
    /// The day it is due.
    pub due: String,
    /// From `reach`.
    pub address: String,
    /// UBL 2.1 (Peppol BIS Billing 3.0): Invoice or CreditNote.
    #[serde(with = "super::bytes")]
    pub document: Vec<u8>,
    /// For people: PDF, if there is one.
    #[serde(with = "super::bytes")]
    pub attachment: Vec<u8>,
    /// Whatever a later version may add.
    pub more: Options,
}

/// How it stands with an invoice.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(enum)]
#[serde(rename_all = "kebab-case")]
#[repr(u8)]
pub enum State {
    /// Taken over by the channel.
    #[component(name = "accepted")]
    Accepted,
    /// With the payer.
    #[component(name = "delivered")]
    Delivered,
    /// Not taken; another way must be found.
    #[component(name = "rejected")]
    Rejected,
    /// Taken back.
    #[component(name = "cancelled")]
    Cancelled,
}

/// An invoice as the channel knows it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(record)]
#[serde(rename_all = "kebab-case")]
pub struct Delivery {
    /// The channel's name for it.
    pub reference: String,
    /// How it stands.
    pub state: State,
    /// For people.
    pub detail: String,
}

weigh! {
    Reachability: consent address detail;
    Invoice: number payment_reference amount issued due address document attachment more;
    Delivery: reference state detail;
}
weigh!(flat Consent, State);
