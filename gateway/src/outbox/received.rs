//! Money that came to the seller's own bank or left it: nobody is asked for it, somebody found it on a statement.

use super::Outbox;
use super::account::{self, Account, Cause};
use super::apply::payment_event;
use super::intent::{self, RefundRequest, Request, Wanted};
use super::owed::Owed;
use super::provider::Money;
use crate::billing::from_json;
use crate::ledger::{self, BANK, debtor};
use crate::store::{
    AuditEntry, Bill, Error, Intent, IntentState, Lane, OrgId, Payment, PaymentFilter, PaymentStatus, Tx,
    new_id,
};
use serde_json::json;
use takst_engine::units::Instant;

/// Money that came.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Received {
    /// Minor units; none: all that is left to pay.
    pub amount: Option<i64>,
    /// The statement's name for it: the same is booked once for a bill.
    pub reference: String,
    /// The day that it is for.
    pub at: Instant,
    /// Who found it.
    pub by: String,
}

impl Outbox {
    /// Books money that came to the bank for a bill: the payment, and whether it is new. What is more than was left to pay is to be given
    /// back, and a payment that is open at a provider is cancelled there when nothing is left.
    ///
    /// # Errors
    /// When no amount is stated and nothing is left to pay, or the storage fails.
    pub async fn received(
        &self,
        org: &OrgId,
        bill: &Bill,
        received: Received,
        now: Instant,
    ) -> Result<(Payment, bool), Error> {
        let (_, document) = from_json(&bill.document).map_err(Error::Corrupt)?;
        let debtor = debtor(&document, &bill.id);
        let (owner, bill) = (org.clone(), bill.clone());
        let lane = Lane::debtor(org, &debtor);
        let unit = async move |tx: &mut Tx| {
            // A correction or another payment that is being written at the same moment is seen, or waits.
            if let Some(session) = &bill.session {
                tx.lock_session(&owner, session).await?;
            }
            let of_bill = PaymentFilter { bill: Some(bill.id.clone()), ..PaymentFilter::default() };
            let before = tx.payments(&owner, &of_bill, None, 1_000).await?;
            let same =
                |one: &Payment| one.plugin == BANK && one.theirs.as_deref() == Some(&received.reference);
            if let Some(known) = before.into_iter().find(same) {
                return Ok((known, false));
            }
            let left = Owed::of(tx, &owner, &bill).await?.left;
            let amount = received.amount.unwrap_or(left);
            if amount <= 0 {
                return Err(Error::refused(
                    "nothing is left to pay; with an `amount` what came is booked all the same, and is to be given back",
                ));
            }
            let payment = Payment {
                id: new_id(),
                bill: bill.id.clone(),
                session: bill.session.clone(),
                seller: bill.seller.clone(),
                debtor: debtor.clone(),
                plugin: BANK.to_owned(),
                currency: bill.currency.clone(),
                amount,
                status: PaymentStatus::Paid,
                captured: amount,
                refunded: 0,
                theirs: Some(received.reference.clone()),
                next: None,
                failure: None,
                created_at: now,
                updated_at: now,
            };
            tx.add_payment(&owner, &payment).await?;
            let posting = ledger::captured(&payment, amount, amount, received.at)
                .map_err(|error| Error::Corrupt(error.to_string()))?;
            ledger::post(tx, &owner, &posting, now).await?;
            // It is the payer's money, whoever paid first; and what is open at a provider is not needed any more when nothing is owed.
            let cause = Cause { just: Some(&payment.id), ..Cause::default() };
            account::count(tx, &owner, (&payment).into(), cause, now).await?;
            tx.log_event(&owner, payment_event(&payment, "payment.paid", now));
            let entry = AuditEntry {
                id: new_id(),
                at: now,
                who: received.by.clone(),
                what: "payment.received".to_owned(),
                subject: payment.id.clone(),
                before_doc: None,
                after_doc: Some(
                    json!({ "bill": payment.bill, "reference": received.reference, "amount_minor": amount })
                        .to_string(),
                ),
            };
            tx.audit(&owner, &entry).await?;
            Ok((payment, true))
        };
        let booked = self.inner.store.write(lane, unit).await?;
        self.wake();
        Ok(booked)
    }

    /// Books money that was given back by bank of a payment that came by bank: the payment, and whether it is new.
    ///
    /// # Errors
    /// When it did not come by bank, less is to be given back, or the storage fails.
    pub async fn returned(
        &self,
        org: &OrgId,
        payment: &str,
        returned: Received,
        now: Instant,
    ) -> Result<(Payment, bool), Error> {
        let missing = |id: &str| Error::Missing { what: "payment", id: id.to_owned() };
        let known = self.inner.store.read().await?.payment(org, payment).await?;
        let known = known.ok_or_else(|| missing(payment))?;
        if known.plugin != BANK {
            return Err(Error::refused(format!(
                "it was paid through `{}`, which gives it back: see `POST /api/v1/sessions/ID/refund`",
                known.plugin
            )));
        }
        let lane = Lane::debtor(org, &known.debtor);
        let owner = org.clone();
        let unit = async move |tx: &mut Tx| {
            // A credit note or another payment that is being written at the same moment is seen, or waits.
            let account = Account::locked(tx, &owner, (&known).into()).await?;
            let account = account.ok_or_else(|| Error::Missing { what: "bill", id: known.bill.clone() })?;
            let before = tx.lock_payment(&owner, &known.id).await?;
            let has = before.captured.saturating_sub(before.refunded).min(account.beyond()).max(0);
            let amount = returned.amount.unwrap_or(has);
            let wanted = Wanted {
                source: format!("returned:{}:{}", before.id, returned.reference),
                debtor: before.debtor.clone(),
                plugin: BANK.to_owned(),
                subject: before.id.clone(),
                theirs: Some(returned.reference.clone()),
                by: returned.by.clone(),
            };
            let money = Money { minor: amount, currency: before.currency.clone() };
            let request =
                Request::Refund(RefundRequest::new(money, format!("by bank: {}", returned.reference)));
            // It is done already; the same line of a statement is booked once.
            let done = Intent {
                state: IntentState::Done,
                called: true,
                next_at: None,
                finished_at: Some(now),
                ..intent::new(wanted, &request, now)
            };
            if !tx.add_intent(&owner, &done).await? {
                return Ok((before, false));
            }
            if amount <= 0 || amount > has {
                return Err(Error::refused(format!(
                    "{amount} minor units are not what is to be given back of this payment: {has}; a credit note comes first"
                )));
            }
            let after = Payment {
                refunded: before.refunded.saturating_add(amount),
                updated_at: now,
                ..before.clone()
            };
            tx.update_payment(&owner, &after).await?;
            let posting = ledger::paid_back(&before, amount, after.refunded, returned.at)
                .map_err(|error| Error::Corrupt(error.to_string()))?;
            ledger::post(tx, &owner, &posting, now).await?;
            account::count(tx, &owner, (&after).into(), Cause::default(), now).await?;
            tx.log_event(&owner, payment_event(&after, "payment.refunded", now));
            let entry = AuditEntry {
                id: new_id(),
                at: now,
                who: returned.by.clone(),
                what: "payment.returned".to_owned(),
                subject: after.id.clone(),
                before_doc: None,
                after_doc: Some(
                    json!({ "reference": returned.reference, "amount_minor": amount }).to_string(),
                ),
            };
            tx.audit(&owner, &entry).await?;
            Ok((after, true))
        };
        self.inner.store.write(lane, unit).await
    }
}
