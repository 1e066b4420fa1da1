//! Money that came to the seller's own bank: nobody is asked for it, somebody found it on a statement.

use super::Outbox;
use super::owed::Owed;
use crate::billing::from_json;
use crate::ledger::{self, BANK, debtor};
use crate::store::{
    AuditEntry, Bill, Error, Lane, NewEvent, OrgId, Payment, PaymentFilter, PaymentStatus, Tx, new_id,
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
    /// Books money that came to the bank for a bill: the payment, and whether it is new.
    ///
    /// # Errors
    /// When less is left to pay, or the storage fails.
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
            if left <= 0 || amount > left {
                return Err(Error::refused(format!(
                    "{amount} minor units are more than the {} that are left to pay; book what belongs to this bill only",
                    left.max(0)
                )));
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
            let document = json!({
                "payment": payment.id, "bill": payment.bill, "session": payment.session, "status": payment.status,
                "amount_minor": amount, "captured_minor": amount, "refunded_minor": 0, "currency": payment.currency,
            });
            let subject = payment.session.clone().unwrap_or_else(|| payment.bill.clone());
            let kind = "payment.paid".to_owned();
            tx.log_event(&owner, NewEvent { at: now, kind, subject, document: document.to_string() });
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
        self.inner.store.write(lane, unit).await
    }
}
