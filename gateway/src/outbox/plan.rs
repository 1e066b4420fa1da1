//! What a bill causes: a charge for what is owed, refunds for what is credited. Written in the bill's own commit.

use super::intent::{self, RefundRequest, Request, Wanted};
use super::provider::{ChargeRequest, Money};
use crate::billing::printed_number;
use crate::ledger::{BANK, debtor};
use crate::store::{
    Alert, Bill, BillKind, Error, InstrumentStatus, Intent, IntentKind, IntentState, OrgId, Payment,
    PaymentFilter, PaymentStatus, Tx, new_id,
};
use serde_json::{Value, json};
use takst_engine::document::Document;
use takst_engine::units::Instant;

/// How the seller of a bill is paid.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Terms {
    /// Through this provider.
    pub plugin: String,
    /// The debtor's instrument of the set-up, where none was saved here.
    pub instrument: Option<String>,
}

/// Writes down what a bill causes, in the unit of work that issues it. Without `terms` nothing is charged; credits are given
/// back through whoever took the money.
///
/// # Errors
/// When the database fails.
pub async fn issued(
    tx: &mut Tx,
    org: &OrgId,
    bill: &Bill,
    document: &Document,
    terms: Option<&Terms>,
    now: Instant,
) -> Result<(), Error> {
    let debtor = debtor(document, &bill.id);
    if bill.total > 0 {
        let Some(terms) = terms else { return Ok(()) };
        if let Some(instrument) = instrument(tx, org, &debtor, terms).await? {
            let asked =
                New { plugin: &terms.plugin, instrument: Some(instrument), return_to: None, by: "billing" };
            charge(tx, org, bill, (&debtor, bill.total), asked, now).await?;
        }
    } else if bill.total < 0 && bill.kind != BillKind::Bill {
        credit(tx, org, bill, document, now).await?;
    }
    Ok(())
}

// What the debtor pays with: what was last saved and is ready, else what the set-up names.
async fn instrument(tx: &mut Tx, org: &OrgId, debtor: &str, terms: &Terms) -> Result<Option<String>, Error> {
    let saved = tx.instruments(org, debtor).await?;
    let ready = saved
        .into_iter()
        .find(|saved| saved.plugin == terms.plugin && saved.status == InstrumentStatus::Ready)
        .and_then(|saved| saved.theirs);
    Ok(ready.or_else(|| terms.instrument.clone()))
}

/// A charge that is yet to be written down.
pub(super) struct New<'a> {
    pub plugin: &'a str,
    pub instrument: Option<String>,
    pub return_to: Option<String>,
    pub by: &'a str,
}

/// Writes a payment of a bill and its charge down.
pub(super) async fn charge(
    tx: &mut Tx,
    org: &OrgId,
    bill: &Bill,
    (debtor, amount): (&str, i64),
    new: New<'_>,
    now: Instant,
) -> Result<Payment, Error> {
    let before = PaymentFilter { bill: Some(bill.id.clone()), ..PaymentFilter::default() };
    let nth = tx.payments(org, &before, None, 1_000).await?.len() + 1;
    let payment = Payment {
        id: new_id(),
        bill: bill.id.clone(),
        session: bill.session.clone(),
        seller: bill.seller.clone(),
        debtor: debtor.to_owned(),
        plugin: new.plugin.to_owned(),
        currency: bill.currency.clone(),
        amount,
        status: PaymentStatus::Waiting,
        captured: 0,
        refunded: 0,
        theirs: None,
        next: None,
        failure: None,
        created_at: now,
        updated_at: now,
    };
    let request = Request::Charge(ChargeRequest {
        amount: Money { minor: amount, currency: bill.currency.clone() },
        instrument: new.instrument,
        payer: key_of(debtor).to_owned(),
        description: format!("Charging, bill {}", printed_number(&bill.series, bill.number)),
        reference: payment.id.clone(),
        return_to: new.return_to,
        capture: true,
    });
    let wanted = Wanted {
        source: format!("charge:{}:{nth}", bill.id),
        debtor: debtor.to_owned(),
        plugin: new.plugin.to_owned(),
        subject: payment.id.clone(),
        theirs: None,
        by: new.by.to_owned(),
    };
    tx.add_payment(org, &payment).await?;
    if !tx.add_intent(org, &intent::new(wanted, &request, now)).await? {
        return Err(Error::Conflict(format!("the bill {} is being paid already", bill.id)));
    }
    Ok(payment)
}

/// The key of a debtor, without the word that says what it is a key of.
pub(super) fn key_of(debtor: &str) -> &str {
    debtor.split_once(':').map_or(debtor, |(_, key)| key)
}

/// What was written down to be given back, and what no payment is left for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Credited {
    /// Minor units that were asked back.
    pub asked: i64,
    /// Minor units that stay as a credit of the debtor.
    pub left: i64,
}

async fn credit(
    tx: &mut Tx,
    org: &OrgId,
    bill: &Bill,
    document: &Document,
    now: Instant,
) -> Result<Credited, Error> {
    let mut credited = Credited { asked: 0, left: bill.total.saturating_neg() };
    let Some(session) = bill.session.clone() else { return Ok(credited) };
    let owed: i64 = tx.session_bills(org, &session).await?.iter().map(|bill| bill.total).sum();
    let of_session = PaymentFilter { session: Some(session), ..PaymentFilter::default() };
    // What each payment still has, or will have once it is through; the newest first.
    let mut kept = Vec::new();
    for payment in tx.payments(org, &of_session, None, 1_000).await? {
        let never = matches!(
            payment.status,
            PaymentStatus::Failed
                | PaymentStatus::Cancelled
                | PaymentStatus::Expired
                | PaymentStatus::GivenUp
        );
        if (never && payment.captured == 0) || payment.currency != bill.currency {
            continue;
        }
        let mut planned = planned(&tx.intents_about(org, &payment.id).await?)?.max(payment.refunded);
        if payment.plugin == BANK {
            planned = planned.saturating_add(to_be_returned(tx, org, &payment).await?);
        }
        // What a payment still under way will have taken is not known; the refund waits for it and gives back no more.
        let expected = if payment.captured > 0 { payment.captured } else { payment.amount };
        kept.push((expected.saturating_sub(planned).max(0), payment));
    }
    // Only what was paid beyond what is owed goes back: the bill that is credited may never have been paid.
    let paid = kept.iter().fold(0_i64, |sum, (has, _)| sum.saturating_add(*has));
    let mut beyond = paid.saturating_sub(owed.max(0)).clamp(0, credited.left);
    for (has, payment) in kept {
        let amount = has.min(beyond);
        beyond = beyond.saturating_sub(amount);
        // What came by bank goes back by bank, which no plugin does: it stays as a credit of the debtor, and a person is told.
        if amount > 0 && payment.plugin == BANK {
            let in_all = to_be_returned(tx, org, &payment).await?.saturating_add(amount);
            ask_return(tx, org, &payment, in_all, now).await?;
            continue;
        }
        if amount <= 0 {
            continue;
        }
        let wanted = Wanted {
            source: format!("refund:{}:{}", bill.id, payment.id),
            debtor: payment.debtor.clone(),
            plugin: payment.plugin.clone(),
            subject: payment.id.clone(),
            theirs: payment.theirs.clone(),
            by: "billing".to_owned(),
        };
        let reason = document.notes.first().cloned();
        let request = Request::Refund(RefundRequest {
            amount: Money { minor: amount, currency: bill.currency.clone() },
            reason: reason
                .unwrap_or_else(|| format!("Correction {}", printed_number(&bill.series, bill.number))),
            target: None,
        });
        if tx.add_intent(org, &intent::new(wanted, &request, now)).await? {
            credited.asked = credited.asked.saturating_add(amount);
            credited.left = credited.left.saturating_sub(amount);
        }
    }
    Ok(credited)
}

// Money that came by bank is to be given back by bank, by a person.
fn return_of(payment: &Payment) -> Alert<'_> {
    Alert { subject: &payment.id, kind: "payment.return", severity: "warning" }
}

// What the open incident says is to be given back by bank of a payment, in minor units.
async fn to_be_returned(tx: &mut Tx, org: &OrgId, payment: &Payment) -> Result<i64, Error> {
    let alert = return_of(payment);
    let open = tx.open_incidents(org).await?;
    let open = open.into_iter().find(|one| one.kind == alert.kind && one.subject == alert.subject);
    let document = open.and_then(|open| serde_json::from_str::<Value>(&open.document).ok());
    Ok(document.and_then(|document| document.get("amount_minor")?.as_i64()).unwrap_or_default())
}

/// Has a person told how much of a payment is to be given back by bank, altogether: one incident, with the last amount. Nothing ends it.
pub(super) async fn ask_return(
    tx: &mut Tx,
    org: &OrgId,
    payment: &Payment,
    amount: i64,
    now: Instant,
) -> Result<(), Error> {
    let document = json!({
        "payment": payment.id, "bill": payment.bill, "debtor": payment.debtor, "amount_minor": amount, "currency": payment.currency,
        "reason": "this came by bank and is to be given back by bank",
    });
    tx.settle(org, return_of(payment), &document, now).await?;
    if amount > 0 {
        tx.raise(org, return_of(payment), &document, now).await?;
    }
    Ok(())
}

// What is being given back or was, in minor units.
fn planned(intents: &[Intent]) -> Result<i64, Error> {
    let mut sum = 0_i64;
    for intent in intents.iter().filter(|intent| intent.kind == IntentKind::Refund) {
        if matches!(intent.state, IntentState::Failed | IntentState::GivenUp) {
            continue;
        }
        if let Request::Refund(refund) = Request::of(intent)? {
            sum = sum.saturating_add(refund.amount.minor);
        }
    }
    Ok(sum)
}
