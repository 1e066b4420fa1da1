//! An intent with what it asks for, and its state for the machine.

use super::machine::State;
use super::provider::{
    ChargeRequest, InvoiceRequest, MailRequest, MessageRequest, Money, SaveRequest, ValuesRequest,
};
use crate::store::{Error, Intent, IntentKind, IntentState, new_id};
use serde::{Deserialize, Serialize};
use takst_engine::units::Instant;

/// What is asked for, as it is written down.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Request {
    /// Take money.
    Charge(ChargeRequest),
    /// Take what was set aside.
    Capture(Money),
    /// Give money back.
    Refund(RefundRequest),
    /// Give up before anything is taken.
    Cancel,
    /// Save a card.
    Save(SaveRequest),
    /// Send a message.
    Message(MessageRequest),
    /// Send an invoice or a credit note.
    Invoice(InvoiceRequest),
    /// Take an invoice back at its channel.
    Recall(RecallRequest),
    /// Send an e-mail.
    Mail(MailRequest),
    /// Send values of a metering point.
    Values(ValuesRequest),
}

/// Take an invoice back at its channel, which makes a credit note for all of it needless.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RecallRequest {
    /// The credit note, which follows where the invoice cannot be taken back.
    pub credit: String,
}

/// Give money back.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RefundRequest {
    /// How much; before it is first asked for, at the most.
    pub amount: Money,
    /// For the payer.
    pub reason: String,
    /// What is given back of the payment in all once it is done; known when it is first asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<i64>,
    /// Of one that failed or was given up: what came back of it all the same, in minor units.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub settled: i64,
    /// It went back without the provider counting it as given back, and was booked by hand: a chargeback. Negative: it came again.
    #[serde(default, skip_serializing_if = "is_false")]
    pub outside: bool,
}

impl RefundRequest {
    /// One that is yet to be asked for.
    #[must_use]
    pub fn new(amount: Money, reason: String) -> Self {
        Self { amount, reason, target: None, settled: 0, outside: false }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
fn is_zero(amount: &i64) -> bool {
    *amount == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
fn is_false(word: &bool) -> bool {
    !*word
}

impl Request {
    /// Reads what is written down in a row.
    ///
    /// # Errors
    /// When it is not what the row's kind asks for.
    pub fn of(intent: &Intent) -> Result<Self, Error> {
        fn read<'a, T: Deserialize<'a>>(intent: &'a Intent) -> Result<T, Error> {
            serde_json::from_str(&intent.request)
                .map_err(|error| Error::Corrupt(format!("the request of the intent {}: {error}", intent.id)))
        }
        Ok(match intent.kind {
            IntentKind::Charge => Self::Charge(read(intent)?),
            IntentKind::Capture => Self::Capture(read(intent)?),
            IntentKind::Refund => Self::Refund(read(intent)?),
            IntentKind::Cancel => Self::Cancel,
            IntentKind::Save => Self::Save(read(intent)?),
            IntentKind::Message => Self::Message(read(intent)?),
            IntentKind::Invoice => Self::Invoice(read(intent)?),
            IntentKind::Recall => Self::Recall(read(intent)?),
            IntentKind::Mail => Self::Mail(read(intent)?),
            IntentKind::Values => Self::Values(read(intent)?),
        })
    }

    /// The kind of its row.
    #[must_use]
    pub fn kind(&self) -> IntentKind {
        match self {
            Self::Charge(_) => IntentKind::Charge,
            Self::Capture(_) => IntentKind::Capture,
            Self::Refund(_) => IntentKind::Refund,
            Self::Cancel => IntentKind::Cancel,
            Self::Save(_) => IntentKind::Save,
            Self::Message(_) => IntentKind::Message,
            Self::Invoice(_) => IntentKind::Invoice,
            Self::Recall(_) => IntentKind::Recall,
            Self::Mail(_) => IntentKind::Mail,
            Self::Values(_) => IntentKind::Values,
        }
    }

    /// As it is written down.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::Charge(request) => serde_json::to_string(request),
            Self::Capture(amount) => serde_json::to_string(amount),
            Self::Refund(request) => serde_json::to_string(request),
            Self::Cancel => return "{}".to_owned(),
            Self::Save(request) => serde_json::to_string(request),
            Self::Message(request) => serde_json::to_string(request),
            Self::Invoice(request) => serde_json::to_string(request),
            Self::Recall(request) => serde_json::to_string(request),
            Self::Mail(request) => serde_json::to_string(request),
            Self::Values(request) => serde_json::to_string(request),
        }
        // Plain records always become JSON.
        .unwrap_or_default()
    }
}

/// What an intent begins with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Wanted {
    /// What causes it: written once.
    pub source: String,
    /// Whose order it keeps.
    pub debtor: String,
    /// Who is asked.
    pub plugin: String,
    /// The payment or instrument.
    pub subject: String,
    /// The provider's name for that, if it has one already.
    pub theirs: Option<String>,
    /// By whom.
    pub by: String,
}

/// A new row; its place is given when it is written.
#[must_use]
pub fn new(wanted: Wanted, request: &Request, now: Instant) -> Intent {
    let Wanted { source, debtor, plugin, subject, theirs, by } = wanted;
    let id = new_id();
    let row = Intent {
        idempotency: format!("takst-{id}"),
        id,
        source,
        kind: request.kind(),
        debtor,
        place: 0,
        plugin,
        version: None,
        sha256: None,
        subject,
        request: request.text(),
        state: IntentState::Waiting,
        attempt: 0,
        failures: 0,
        called: false,
        taken: false,
        theirs,
        next_at: None,
        since: now,
        code: None,
        detail: None,
        created_at: now,
        created_by: by,
        updated_at: now,
        finished_at: None,
    };
    put(row, &State::new(now), now)
}

/// The machine's state of a row.
#[must_use]
pub fn state(intent: &Intent) -> State {
    State {
        phase: intent.state,
        attempt: intent.attempt,
        failures: intent.failures,
        // Not whether its payment has a name there: that of a refund has one before the refund is asked for.
        known: intent.taken,
        next: intent.next_at,
        since: intent.since,
        // Many channels never say that an invoice came; what they took over they deliver.
        enough: intent.kind == IntentKind::Invoice,
    }
}

/// A row with the machine's state in it.
#[must_use]
pub fn put(intent: Intent, state: &State, now: Instant) -> Intent {
    let finished_at = if state.is_over() { intent.finished_at.or(Some(now)) } else { None };
    Intent {
        state: state.phase,
        attempt: state.attempt,
        failures: state.failures,
        called: intent.called || state.attempt > 0,
        taken: state.known,
        next_at: state.next,
        since: state.since,
        finished_at,
        updated_at: now,
        ..intent
    }
}
