//! The ways that an invoice goes, one after the other: what begins each, what its end leads to.

use super::{CANCELLED, PRINT, Terms};
use crate::mail;
use crate::outbox::machine::NO_MORE;
use crate::outbox::provider::{
    DeliveryState, Fault, InvoiceDelivery, InvoiceRequest, MailKind, MailRequest, Outcome,
};
use crate::outbox::{Request, Wanted, new};
use crate::store::{
    Alert, Error, Intent, IntentKind, IntentState, Invoice, InvoiceKind, InvoiceStatus, InvoiceWay, NewEvent,
    OrgId, Tx,
};
use serde_json::json;
use takst_engine::units::Instant;

/// Whose order an invoice keeps: no payment waits for one, and none for a payment.
pub(super) fn queue(invoice: &Invoice) -> String {
    format!("invoice:{}", invoice.debtor)
}

fn to_print(invoice: &Invoice) -> Alert<'_> {
    Alert { subject: &invoice.id, kind: PRINT, severity: "warning" }
}

/// Begins the way that an invoice is to go.
pub(super) async fn begin(tx: &mut Tx, org: &OrgId, invoice: Invoice, now: Instant) -> Result<(), Error> {
    let terms = Terms::of(&invoice)?;
    match (invoice.way, terms.channel) {
        (InvoiceWay::Channel, Some(plugin)) => {
            let nth = 1 + tx
                .intents_about(org, &invoice.id)
                .await?
                .iter()
                .filter(|intent| intent.kind == IntentKind::Invoice)
                .count();
            let wanted = Wanted {
                source: format!("invoice:{}:{nth}", invoice.id),
                debtor: queue(&invoice),
                plugin,
                subject: invoice.id.clone(),
                theirs: None,
                by: "billing".to_owned(),
            };
            let (id, number) = (invoice.id.clone(), invoice.number.clone());
            let request = Request::Invoice(InvoiceRequest { invoice: id, number });
            if !tx.add_intent(org, &new(wanted, &request, now)).await? {
                return Err(Error::Conflict(format!("the invoice {} is being sent already", invoice.id)));
            }
            stands(tx, org, invoice, InvoiceStatus::Waiting, now).await
        }
        (InvoiceWay::Channel | InvoiceWay::Email, _) if terms.mail => email(tx, org, invoice, now).await,
        _ => paper(tx, org, invoice, now).await,
    }
}

// The next way after a channel: to whoever has an e-mail address.
async fn next(tx: &mut Tx, org: &OrgId, invoice: Invoice, now: Instant) -> Result<(), Error> {
    match invoice.way {
        InvoiceWay::Channel if Terms::of(&invoice)?.mail => email(tx, org, invoice, now).await,
        _ => paper(tx, org, invoice, now).await,
    }
}

async fn email(tx: &mut Tx, org: &OrgId, invoice: Invoice, now: Instant) -> Result<(), Error> {
    let Some(driver) = super::driver(&invoice.debtor).map(str::to_owned) else {
        return paper(tx, org, invoice, now).await;
    };
    let person = tx.person(org, &driver).await?;
    if person.is_none_or(|person| person.email.is_none()) {
        return paper(tx, org, invoice, now).await;
    }
    let before = tx.intents_about(org, &invoice.id).await?;
    let nth = 1 + before.iter().filter(|intent| intent.kind == IntentKind::Mail).count();
    let about = (format!("mail:{}:{nth}", invoice.id), invoice.id.as_str());
    let request = MailRequest { kind: MailKind::Invoice, about: invoice.id.clone(), driver };
    mail::write_down(tx, org, about, request, now).await?;
    stands(tx, org, Invoice { way: InvoiceWay::Email, ..invoice }, InvoiceStatus::Waiting, now).await
}

// Somebody has to print it.
async fn paper(tx: &mut Tx, org: &OrgId, invoice: Invoice, now: Instant) -> Result<(), Error> {
    let invoice = Invoice { way: InvoiceWay::Paper, ..invoice };
    let document = json!({
        "invoice": invoice.id, "number": invoice.number, "kind": invoice.kind, "debtor": invoice.debtor,
        "reason": invoice.reason,
    });
    tx.raise(org, to_print(&invoice), &document, now).await?;
    stands(tx, org, invoice, InvoiceStatus::ToPrint, now).await
}

// Writes how it stands, and an event.
async fn stands(
    tx: &mut Tx,
    org: &OrgId,
    invoice: Invoice,
    status: InvoiceStatus,
    now: Instant,
) -> Result<(), Error> {
    let invoice = Invoice { status, updated_at: now, ..invoice };
    tx.update_invoice(org, &invoice).await?;
    let document = json!({
        "invoice": invoice.id, "bill": invoice.bill, "number": invoice.number, "kind": invoice.kind,
        "status": status, "way": invoice.way, "reason": invoice.reason,
    });
    let (kind, subject) = (format!("invoice.{}", status.as_str()), invoice.session.unwrap_or(invoice.bill));
    tx.log_event(org, NewEvent { at: now, kind, subject, document: document.to_string() });
    Ok(())
}

/// Why an invoice need not be sent or taken back any more, before that is first asked for; else what taking back must know is filled in.
///
/// # Errors
/// When the database fails.
pub async fn ready(tx: &mut Tx, org: &OrgId, row: &mut Intent) -> Result<Option<&'static str>, Error> {
    if row.kind == IntentKind::Invoice {
        let invoice = tx.lock_invoice(org, &row.subject).await?;
        let over = matches!(invoice.status, InvoiceStatus::Cancelled | InvoiceStatus::Settled);
        return Ok(over.then_some("it was taken back before it was sent"));
    }
    let sent = tx.intents_about(org, &row.subject).await?;
    let with_name =
        sent.into_iter().rev().find(|one| one.kind == IntentKind::Invoice && one.theirs.is_some());
    match with_name {
        Some(one) if !matches!(one.state, IntentState::Failed | IntentState::GivenUp) => {
            row.theirs = one.theirs;
            Ok(None)
        }
        _ => Ok(Some("the invoice did not go through this channel")),
    }
}

/// Why what a look-up by number has found may be another attempt at the same invoice: an earlier one came to nothing, and what was found did
/// too. What lives is the payer's whichever attempt it was.
///
/// # Errors
/// When the database fails.
pub async fn of_another_attempt(
    tx: &mut Tx,
    org: &OrgId,
    row: &Intent,
    found: &InvoiceDelivery,
) -> Result<Option<Fault>, Error> {
    let lives = matches!(found.state, DeliveryState::Accepted | DeliveryState::Delivered);
    if row.kind != IntentKind::Invoice || row.theirs.is_some() || lives {
        return Ok(None);
    }
    let all = tx.intents_about(org, &row.subject).await?;
    let mut others = all.iter().filter(|one| one.kind == row.kind && one.id != row.id && one.called);
    let is_known_otherwise = |one: &Intent| {
        !found.reference.is_empty() && one.theirs.as_ref().is_some_and(|theirs| *theirs != found.reference)
    };
    if others.all(is_known_otherwise) {
        return Ok(None);
    }
    let detail = format!(
        "the channel knows `{}` under this number, which may be an earlier attempt; whether this one came there nobody can say: look at the channel's pages",
        found.reference
    );
    Ok(Some(Fault::new(Outcome::Unknown, "which-attempt", detail)))
}

/// What follows when the asking about an invoice has come to another state.
///
/// # Errors
/// When the database fails.
pub async fn moved(tx: &mut Tx, org: &OrgId, row: &Intent, now: Instant) -> Result<(), Error> {
    let invoice = tx.lock_invoice(org, &row.subject).await?;
    let over = matches!(
        invoice.status,
        InvoiceStatus::Cancelled | InvoiceStatus::Settled | InvoiceStatus::Printed | InvoiceStatus::ToPrint
    );
    match (row.kind, row.state) {
        (IntentKind::Invoice, IntentState::Following | IntentState::Done) if over => {
            // It was given up and goes another way, and the channel has it after all.
            if invoice.way == InvoiceWay::Paper && invoice.status == InvoiceStatus::ToPrint {
                let way = InvoiceWay::Channel;
                tx.settle(org, to_print(&invoice), &json!({ "by": "channel" }), now).await?;
                let status = if row.state == IntentState::Done {
                    InvoiceStatus::Delivered
                } else {
                    InvoiceStatus::Sent
                };
                stands(tx, org, Invoice { way, reason: None, ..invoice }, status, now).await?;
            }
            Ok(())
        }
        (IntentKind::Invoice, IntentState::Following) => {
            stands(tx, org, invoice, InvoiceStatus::Sent, now).await
        }
        // The channel has it; that the payer has it nobody said.
        (IntentKind::Invoice, IntentState::Done) if row.code.as_deref() == Some(NO_MORE) => Ok(()),
        // What was not needed was taken back before.
        (IntentKind::Invoice, IntentState::Done) if row.code.as_deref() != Some("not-needed") => {
            stands(tx, org, invoice, InvoiceStatus::Delivered, now).await
        }
        (IntentKind::Mail, IntentState::Done) if !over => {
            stands(tx, org, invoice, InvoiceStatus::Sent, now).await
        }
        (IntentKind::Invoice | IntentKind::Mail, IntentState::Failed | IntentState::GivenUp) if !over => {
            if row.code.as_deref() == Some(CANCELLED) {
                return Ok(());
            }
            let code = row.code.as_deref().unwrap_or("refused");
            let reason = format!("{code}: {}", row.detail.as_deref().unwrap_or_default());
            next(tx, org, Invoice { reason: Some(reason), ..invoice }, now).await
        }
        (IntentKind::Recall, IntentState::Done) => {
            let note = note(tx, org, row).await?;
            match row.code.as_deref() {
                // It went another way by then.
                Some("not-needed") if invoice.status != InvoiceStatus::ToPrint => {
                    begin(tx, org, Invoice { way: invoice.way, ..note }, now).await
                }
                _ => take_back(tx, org, invoice, &note, now).await,
            }
        }
        (IntentKind::Recall, IntentState::Failed | IntentState::GivenUp) => {
            let detail = row.detail.clone().unwrap_or_default();
            let reason = Some(format!("the invoice could not be taken back: {detail}"));
            let note = Invoice { reason, ..note(tx, org, row).await? };
            begin(tx, org, note, now).await
        }
        _ => Ok(()),
    }
}

// The credit note that a taking back is for.
async fn note(tx: &mut Tx, org: &OrgId, row: &Intent) -> Result<Invoice, Error> {
    match Request::of(row)? {
        Request::Recall(recall) => tx.lock_invoice(org, &recall.credit).await,
        _ => Err(Error::Corrupt(format!("the intent {} takes nothing back", row.id))),
    }
}

/// An invoice that nobody is to pay any more, and its credit note that nobody needs.
pub(super) async fn take_back(
    tx: &mut Tx,
    org: &OrgId,
    invoice: Invoice,
    note: &Invoice,
    now: Instant,
) -> Result<(), Error> {
    if invoice.status == InvoiceStatus::ToPrint {
        tx.settle(org, to_print(&invoice), &json!({ "credited": note.number }), now).await?;
    }
    let reason = Some(format!("credited by {}", note.number));
    let settled = Some(format!("{} was taken back", invoice.number));
    stands(tx, org, Invoice { reason, ..invoice }, InvoiceStatus::Cancelled, now).await?;
    stands(tx, org, Invoice { reason: settled, ..note.clone() }, InvoiceStatus::Settled, now).await
}

/// A person has printed it. The invoice as it was before.
///
/// # Errors
/// When there is none, or it is not to be printed.
pub async fn printed(tx: &mut Tx, org: &OrgId, id: &str, by: &str, now: Instant) -> Result<Invoice, Error> {
    let invoice = tx.lock_invoice(org, id).await?;
    if invoice.status != InvoiceStatus::ToPrint {
        return Err(Error::refused(format!("it is not to be printed: it is {}", invoice.status.as_str())));
    }
    tx.settle(org, to_print(&invoice), &json!({ "by": by }), now).await?;
    stands(tx, org, invoice.clone(), InvoiceStatus::Printed, now).await?;
    Ok(invoice)
}

/// Sends an invoice through its channel once more, after what it fell back for was put right. The invoice as it was before.
///
/// # Errors
/// When there is none, it has no channel, is not to be printed, or nobody knows for certain that the channel does not have it.
pub async fn again(tx: &mut Tx, org: &OrgId, id: &str, by: &str, now: Instant) -> Result<Invoice, Error> {
    let invoice = tx.lock_invoice(org, id).await?;
    if invoice.status != InvoiceStatus::ToPrint {
        return Err(Error::refused(format!(
            "it did not fall back to paper: it is {}",
            invoice.status.as_str()
        )));
    }
    if Terms::of(&invoice)?.channel.is_none() {
        return Err(Error::refused("its seller had no channel for invoices on the day of the bill"));
    }
    let sent = tx.intents_about(org, id).await?;
    let certainly_not = |row: &Intent| match row.state {
        IntentState::Failed => true,
        IntentState::GivenUp => !row.called,
        _ => false,
    };
    if sent.iter().any(|row| row.kind == IntentKind::Invoice && !certainly_not(row)) {
        return Err(Error::refused("the channel may have it: it was given up without an outcome; print it"));
    }
    tx.settle(org, to_print(&invoice), &json!({ "again": by }), now).await?;
    let fresh = Invoice { way: InvoiceWay::Channel, reason: None, ..invoice.clone() };
    begin(tx, org, fresh, now).await?;
    Ok(invoice)
}

impl Invoice {
    /// Whether it gives money back.
    #[must_use]
    pub fn is_credit_note(&self) -> bool {
        self.kind == InvoiceKind::CreditNote
    }
}
