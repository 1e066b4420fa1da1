//! One call of a provider, whatever becomes of it: an answer, a fault, no answer in time, a panic.

use super::intent::Request;
use super::provider::{
    DeliveryState, Fault, InvoiceDelivery, Operation, Outcome, PaymentProvider, ProviderInstrument,
    ProviderPayment,
};
use crate::store::Intent;
use futures_util::FutureExt as _;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

/// What to do at the provider.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Errand {
    /// Ask for it.
    Call,
    /// Look up whether it was done.
    LookUp,
    /// Look how it stands.
    Look,
}

/// What came back.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Heard {
    /// How the payment stands.
    Payment(ProviderPayment),
    /// How the instrument stands.
    Instrument(ProviderInstrument),
    /// The message was taken over, and is called so.
    Message(String),
    /// How the invoice stands.
    Delivery(InvoiceDelivery),
    /// The provider knows nothing of it.
    Nothing,
    /// It did not work.
    Fault(Fault),
}

/// Goes and asks. Never fails and never lasts longer than `patience`.
pub(super) async fn call(
    provider: &dyn PaymentProvider,
    errand: Errand,
    intent: &Intent,
    request: &Request,
    patience: Duration,
) -> Heard {
    let asked = AssertUnwindSafe(ask(provider, errand, intent, request)).catch_unwind();
    let unknown = |code, text: &str| Heard::Fault(Fault::new(Outcome::Unknown, code, text));
    match tokio::time::timeout(patience, asked).await {
        Ok(Ok(Ok(heard))) => heard,
        Ok(Ok(Err(fault))) => Heard::Fault(fault),
        Ok(Err(_)) => unknown("trap", "the plugin broke off"),
        Err(_) => unknown("time-out", "no answer came in time"),
    }
}

async fn ask(
    provider: &dyn PaymentProvider,
    errand: Errand,
    intent: &Intent,
    request: &Request,
) -> Result<Heard, Fault> {
    let key = intent.idempotency.as_str();
    let theirs = intent.theirs.as_deref();
    let needed = || {
        let words = "it has no name at the provider yet";
        theirs.ok_or_else(|| Fault::new(Outcome::NotDone, "no-reference", words))
    };
    let lookup = async |operation| {
        let found = provider.lookup(key, operation, &intent.subject, theirs).await?;
        Ok::<Heard, Fault>(found.map_or(Heard::Nothing, Heard::Payment))
    };
    Ok(match (errand, request) {
        (Errand::Call, Request::Charge(charge)) => Heard::Payment(provider.charge(key, charge).await?),
        (Errand::Call, Request::Capture(amount)) => {
            Heard::Payment(provider.capture(key, needed()?, amount).await?)
        }
        (Errand::Call, Request::Refund(refund)) => {
            Heard::Payment(provider.refund(key, needed()?, &refund.amount, &refund.reason).await?)
        }
        (Errand::Call, Request::Cancel) => Heard::Payment(provider.cancel(key, needed()?).await?),
        (Errand::Call, Request::Save(save)) => Heard::Instrument(provider.save(key, save).await?),
        (Errand::Call, Request::Message(message)) => Heard::Message(provider.send(key, message).await?),
        (Errand::LookUp | Errand::Look, Request::Message(_)) => {
            provider.sent(key).await?.map_or(Heard::Nothing, Heard::Message)
        }
        (Errand::Call, Request::Mail(mail)) => Heard::Message(provider.mail(key, mail).await?),
        // Nobody can be asked what became of an e-mail: it goes out again, and is the same one by its `Message-ID`.
        (Errand::LookUp | Errand::Look, Request::Mail(_)) => Heard::Nothing,
        (Errand::Call, Request::Values(values)) => Heard::Message(provider.values(key, values).await?),
        (Errand::LookUp | Errand::Look, Request::Values(values)) => {
            provider.values_there(values).await?.map_or(Heard::Nothing, Heard::Message)
        }
        (Errand::Call, Request::Invoice(invoice)) => Heard::Delivery(provider.invoice(key, invoice).await?),
        (Errand::Look, Request::Invoice(_)) if theirs.is_some() => {
            Heard::Delivery(provider.delivery(needed()?).await?)
        }
        (Errand::LookUp | Errand::Look, Request::Invoice(invoice)) => {
            provider.invoiced(key, invoice).await?.map_or(Heard::Nothing, Heard::Delivery)
        }
        (Errand::Call, Request::Recall(_)) => Heard::Delivery(provider.recall(key, needed()?).await?),
        // Taking back is looked up at the invoice itself: while it stands, it was not taken back.
        (Errand::LookUp | Errand::Look, Request::Recall(_)) => {
            let found = provider.delivery(needed()?).await?;
            match found.state {
                DeliveryState::Accepted | DeliveryState::Delivered => Heard::Nothing,
                _ => Heard::Delivery(found),
            }
        }
        (Errand::Look, Request::Save(_)) if theirs.is_some() => {
            Heard::Instrument(provider.saved(needed()?).await?)
        }
        // An instrument without a name is looked up by its key for as long as it has none.
        (Errand::LookUp | Errand::Look, Request::Save(_)) => {
            match provider.lookup(key, Operation::Save, &intent.subject, theirs).await? {
                Some(found) if !found.reference.is_empty() => {
                    Heard::Instrument(provider.saved(&found.reference).await?)
                }
                Some(found) => Heard::Instrument(ProviderInstrument {
                    reference: String::new(),
                    ready: false,
                    label: String::new(),
                    next: found.next,
                    failure: found.failure,
                }),
                None => Heard::Nothing,
            }
        }
        (Errand::Look, _) => Heard::Payment(provider.status(needed()?).await?),
        (Errand::LookUp, Request::Charge(_)) => lookup(Operation::Charge).await?,
        (Errand::LookUp, Request::Capture(_)) => lookup(Operation::Capture).await?,
        (Errand::LookUp, Request::Refund(_)) => lookup(Operation::Refund).await?,
        (Errand::LookUp, Request::Cancel) => lookup(Operation::Cancel).await?,
    })
}
