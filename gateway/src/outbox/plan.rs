//! What a bill causes: a charge for what is owed, refunds for what is credited. Written in the bill's own commit.

use super::account::{self, Cause};
use super::intent::{self, Request, Wanted};
use super::provider::{ChargeRequest, Money};
use crate::billing::printed_number;
use crate::ledger::debtor;
use crate::store::{Bill, Error, InstrumentStatus, OrgId, Payment, PaymentFilter, PaymentStatus, Tx, new_id};
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
    if let Some(terms) = terms.filter(|_| bill.total > 0)
        && let Some(instrument) = instrument(tx, org, &debtor, terms).await?
    {
        let asked =
            New { plugin: &terms.plugin, instrument: Some(instrument), return_to: None, by: "billing" };
        charge(tx, org, bill, (&debtor, bill.total), asked, now).await?;
    }
    let number = || format!("Correction {}", printed_number(&bill.series, bill.number));
    let reason = document.notes.first().cloned().unwrap_or_else(number);
    let cause = Cause { just: None, reason: Some(&reason), by: Some("billing") };
    account::count(tx, org, bill.into(), cause, now).await
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
