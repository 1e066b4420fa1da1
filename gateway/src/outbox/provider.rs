//! What the outbox asks of a payment provider: the interface `payments` of `plugins/wit` in the gateway's own words. Absent:
//! how a provider is reached; the plugin host implements this.

use crate::store::OrgId;
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;

/// An amount of money.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Money {
    /// Minor units.
    pub minor: i64,
    /// ISO 4217.
    pub currency: String,
}

/// What is known of the thing that was asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// It was not done, and asking again would not help.
    Refused,
    /// It was certainly not done; asking again later may help.
    NotDone,
    /// It may have been done.
    Unknown,
}

/// Why something did not work.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fault {
    /// A short word that stays the same, as in `card-declined`.
    pub code: String,
    /// Whether it was done.
    pub outcome: Outcome,
    /// For people.
    pub detail: String,
    /// Not before so many seconds.
    pub retry_after: Option<u32>,
}

impl Fault {
    /// A fault without a time to wait.
    pub fn new(outcome: Outcome, code: &str, detail: impl Into<String>) -> Self {
        Self { code: code.to_owned(), outcome, detail: detail.into(), retry_after: None }
    }
}

/// How a payment stands at the provider.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Status {
    /// On its way; ask again.
    Pending,
    /// The payer must do something, at `next`.
    ActionNeeded,
    /// Set aside, to be captured.
    Authorized,
    /// The money is taken.
    Paid,
    /// Nothing was taken and nothing will be.
    Failed,
    /// Given up before anything was taken.
    Cancelled,
    /// The payer did not act in time.
    Expired,
}

/// A payment as the provider knows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProviderPayment {
    /// The provider's name for it.
    pub reference: String,
    /// How it stands.
    pub status: Status,
    /// What was taken.
    pub captured: Money,
    /// What was given back.
    pub refunded: Money,
    /// Where the payer goes next.
    pub next: Option<String>,
    /// Why it failed.
    pub failure: Option<Fault>,
}

/// A saved card or agreement as the provider knows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProviderInstrument {
    /// The provider's name for it; empty while `next` is still to be done.
    pub reference: String,
    /// It can be charged.
    pub ready: bool,
    /// For people.
    pub label: String,
    /// Where the payer goes to finish.
    pub next: Option<String>,
    /// Why it did not come about.
    pub failure: Option<Fault>,
}

/// Take money.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ChargeRequest {
    /// How much.
    pub amount: Money,
    /// A saved instrument, or nothing for a payment that the payer makes now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instrument: Option<String>,
    /// A key: never a name.
    pub payer: String,
    /// What the payer reads.
    pub description: String,
    /// Our name for what is paid.
    pub reference: String,
    /// Where the payer's browser comes back to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub return_to: Option<String>,
    /// Take the money at once, or only set it aside.
    pub capture: bool,
}

/// Save a card or make an agreement.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SaveRequest {
    /// A key: never a name.
    pub payer: String,
    /// Our name for it.
    pub reference: String,
    /// Where the payer's browser comes back to.
    pub return_to: String,
    /// What an agreement may take at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_most: Option<Money>,
    /// What the payer reads.
    pub description: String,
}

/// A message to a driver. Where it goes to is looked up when it is sent: it stands in one place only.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct MessageRequest {
    /// `sms`.
    pub kind: String,
    /// The driver's key.
    pub driver: String,
    /// What it says.
    pub text: String,
    /// Its language, as in `nb`.
    pub language: String,
}

/// Send values of a metering point to another system. They stand in the row: every attempt sends the same.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ValuesRequest {
    /// The metering point's number.
    pub point: String,
    /// In order, without overlaps; at least one.
    pub values: Vec<SentValue>,
}

/// The energy of an interval.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SentValue {
    /// Start, ms UTC.
    pub from: i64,
    /// End, ms UTC.
    pub until: i64,
    /// A plain decimal.
    pub kwh: String,
}

/// What an e-mail brings.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MailKind {
    /// The receipt of a bill.
    Receipt,
    /// An invoice or a credit note.
    Invoice,
}

/// Send an e-mail. What it says and where it goes to is looked up when it is sent: both stand in one place only.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct MailRequest {
    /// What it brings.
    pub kind: MailKind,
    /// The id of the bill or invoice.
    pub about: String,
    /// The key of the driver who gets it.
    pub driver: String,
}

/// Send an invoice or a credit note. The document is made when it is sent: who the payer is stands in one place only.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct InvoiceRequest {
    /// Its id here.
    pub invoice: String,
    /// Its number, which the channel knows it by.
    pub number: String,
}

/// How it stands with an invoice at its channel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DeliveryState {
    /// The payer cannot be reached there, and nothing was sent.
    Elsewhere,
    /// Taken over by the channel.
    Accepted,
    /// With the payer.
    Delivered,
    /// Not taken; another way must be found.
    Rejected,
    /// Taken back.
    Cancelled,
}

/// An invoice as its channel knows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InvoiceDelivery {
    /// The channel's name for it; empty where it has none.
    pub reference: String,
    /// How it stands.
    pub state: DeliveryState,
    /// A short word that stays the same, as in `no-consent`; for a state that another way follows from.
    pub code: String,
    /// For people.
    pub detail: String,
}

/// One of the things that can be asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Operation {
    /// [`PaymentProvider::save`].
    Save,
    /// [`PaymentProvider::charge`].
    Charge,
    /// [`PaymentProvider::capture`].
    Capture,
    /// [`PaymentProvider::refund`].
    Refund,
    /// [`PaymentProvider::cancel`].
    Cancel,
}

/// Exactly which plugin.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct Pin {
    /// The plugin's id.
    pub plugin: String,
    /// Its version.
    pub version: String,
    /// SHA-256 of its code.
    pub sha256: String,
}

/// What comes of a call.
pub type Answer<'a, T> = BoxFuture<'a, Result<T, Fault>>;

/// A payment provider, or whoever sends messages or invoices. `key` is the same for every attempt at one thing: the provider does it once. A call that panics or
/// is not answered in time counts as [`Outcome::Unknown`].
pub trait PaymentProvider: Send + Sync + 'static {
    /// How long one call of it may take, where it says so: it is ended by then.
    fn lasts(&self) -> Duration {
        Duration::ZERO
    }
    /// Saves a card or makes an agreement.
    fn save<'a>(&'a self, key: &'a str, request: &'a SaveRequest) -> Answer<'a, ProviderInstrument>;
    /// How it stands with a saved instrument.
    fn saved<'a>(&'a self, reference: &'a str) -> Answer<'a, ProviderInstrument>;
    /// Takes money.
    fn charge<'a>(&'a self, key: &'a str, request: &'a ChargeRequest) -> Answer<'a, ProviderPayment>;
    /// Takes what was set aside.
    fn capture<'a>(
        &'a self,
        key: &'a str,
        reference: &'a str,
        amount: &'a Money,
    ) -> Answer<'a, ProviderPayment>;
    /// Gives money back.
    fn refund<'a>(
        &'a self,
        key: &'a str,
        reference: &'a str,
        amount: &'a Money,
        reason: &'a str,
    ) -> Answer<'a, ProviderPayment>;
    /// Gives a payment up before it is taken.
    fn cancel<'a>(&'a self, key: &'a str, reference: &'a str) -> Answer<'a, ProviderPayment>;
    /// How it stands with a payment.
    fn status<'a>(&'a self, reference: &'a str) -> Answer<'a, ProviderPayment>;
    /// Whether what was asked under this key was done: the payment after it, or nothing if the provider knows nothing of it.
    /// `ours` is our own reference, `theirs` the payment's where one was known.
    fn lookup<'a>(
        &'a self,
        key: &'a str,
        operation: Operation,
        ours: &'a str,
        theirs: Option<&'a str>,
    ) -> Answer<'a, Option<ProviderPayment>>;
    /// Sends a message; the sender's name for it.
    fn send<'a>(&'a self, _key: &'a str, _message: &'a MessageRequest) -> Answer<'a, String> {
        Box::pin(async { Err(no_messages()) })
    }
    /// Whether the message of this key was sent: the sender's name for it.
    fn sent<'a>(&'a self, _key: &'a str) -> Answer<'a, Option<String>> {
        Box::pin(async { Err(no_messages()) })
    }
    /// Sends an e-mail; its `Message-ID`, which is the same for every attempt.
    fn mail<'a>(&'a self, _key: &'a str, _mail: &'a MailRequest) -> Answer<'a, String> {
        Box::pin(async { Err(Fault::new(Outcome::Refused, "no-mail", "this plugin sends no e-mail")) })
    }
    /// Sends an invoice, if its payer can be reached this way.
    fn invoice<'a>(&'a self, _key: &'a str, _invoice: &'a InvoiceRequest) -> Answer<'a, InvoiceDelivery> {
        Box::pin(async { Err(no_invoices()) })
    }
    /// Whether the invoice of this key was sent.
    fn invoiced<'a>(
        &'a self,
        _key: &'a str,
        _invoice: &'a InvoiceRequest,
    ) -> Answer<'a, Option<InvoiceDelivery>> {
        Box::pin(async { Err(no_invoices()) })
    }
    /// Sends values of a metering point; the other system's name for what it was sent.
    fn values<'a>(&'a self, _key: &'a str, _values: &'a ValuesRequest) -> Answer<'a, String> {
        Box::pin(async { Err(no_values()) })
    }
    /// Whether these values are there: found with the name that is known for them, or nothing of that time is.
    fn values_there<'a>(&'a self, _values: &'a ValuesRequest) -> Answer<'a, Option<String>> {
        Box::pin(async { Err(no_values()) })
    }
    /// How it stands with an invoice.
    fn delivery<'a>(&'a self, _reference: &'a str) -> Answer<'a, InvoiceDelivery> {
        Box::pin(async { Err(no_invoices()) })
    }
    /// Takes an invoice back.
    fn recall<'a>(&'a self, _key: &'a str, _reference: &'a str) -> Answer<'a, InvoiceDelivery> {
        Box::pin(async { Err(no_invoices()) })
    }
}

fn no_invoices() -> Fault {
    Fault::new(Outcome::Refused, "no-invoices", "this plugin sends no invoices")
}

fn no_values() -> Fault {
    Fault::new(Outcome::Refused, "no-meter-values", "this plugin takes no meter values")
}

fn no_messages() -> Fault {
    Fault::new(Outcome::Refused, "no-messages", "this plugin sends no messages")
}

/// The installed providers.
pub trait Providers: Send + Sync + 'static {
    /// The version that new work is given to.
    fn current(&self, org: &OrgId, plugin: &str) -> Option<(Pin, Arc<dyn PaymentProvider>)>;

    /// Exactly this version, as long as work is pinned to it.
    fn pinned(&self, org: &OrgId, pin: &Pin) -> Option<Arc<dyn PaymentProvider>>;
}

/// No provider at all: nothing is charged.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoProviders;

impl Providers for NoProviders {
    fn current(&self, _: &OrgId, _: &str) -> Option<(Pin, Arc<dyn PaymentProvider>)> {
        None
    }

    fn pinned(&self, _: &OrgId, _: &Pin) -> Option<Arc<dyn PaymentProvider>> {
        None
    }
}
