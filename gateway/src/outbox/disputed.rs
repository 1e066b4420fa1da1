//! Chargebacks: a payer's bank takes back what was paid. A provider says that there is a dispute, which is an incident and moves nothing; what became of it a person
//! books, since no provider counts it as given back.

use super::Outbox;
use super::account::{self, Cause};
use super::apply::payment_event;
use super::intent::{self, RefundRequest, Request, Wanted};
use super::provider::Money;
use super::received::Received;
use super::returns::settled_by;
use crate::ledger::{self, BANK};
use crate::store::{Alert, AuditEntry, Error, Intent, IntentState, Lane, OrgId, Payment, Tx, new_id};
use serde_json::json;
use takst_engine::units::Instant;

/// What a provider says of a dispute.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Dispute {
    /// The provider's name for it.
    pub name: String,
    /// How much of the payment, in minor units, where it says so.
    pub amount: Option<i64>,
    /// ISO 4217.
    pub currency: String,
    /// As the provider names it: `fraudulent`.
    pub reason: String,
    /// As the provider names it: `needs_response`.
    pub status: String,
    /// It is over, and the seller keeps the money.
    pub won: bool,
}

/// What became of a dispute.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// The money is gone.
    Lost,
    /// What was booked as gone has come again.
    Won,
}

impl Outbox {
    /// Somebody says that a payment of this plugin is disputed: a person is told, until it is won or booked. `theirs` and `ours` are its names there and here.
    /// Whether such a payment is known.
    ///
    /// # Errors
    /// When the storage fails.
    pub async fn disputed(
        &self,
        org: &OrgId,
        plugin: &str,
        (theirs, ours): (&str, Option<&str>),
        dispute: Dispute,
        now: Instant,
    ) -> Result<bool, Error> {
        let mut reader = self.inner.store.read().await?;
        let rows = reader.intents_of_theirs(org, plugin, theirs).await?;
        let subject = rows.first().map(|row| row.subject.as_str()).or(ours).unwrap_or_default();
        let payment = reader.payment(org, subject).await?.filter(|payment| payment.plugin == plugin);
        drop(reader);
        let Some(payment) = payment else { return Ok(false) };
        let owner = org.clone();
        let unit = async move |tx: &mut Tx| {
            let Dispute { name, amount, currency, reason, status, won } = &dispute;
            let about = json!({
                "payment": payment.id, "bill": payment.bill, "debtor": payment.debtor, "plugin": payment.plugin, "dispute": name,
                "amount_minor": amount, "currency": currency, "reason": reason, "status": status,
            });
            let booked = tx.intents_about(&owner, &payment.id).await?;
            let booked = booked.iter().any(|row| row.source == source(&payment.id, name, Outcome::Lost));
            // Won, and nothing was booked: nothing is to be done. Booked: a person is to book that it came again.
            if *won && !booked {
                tx.settle(&owner, alert(name), &about, now).await?;
                return Ok(true);
            }
            if booked && !*won {
                return Ok(true);
            }
            if !tx.raise(&owner, alert(name), &about, now).await? {
                tx.renew_incident(&owner, alert(name), &about).await?;
            }
            Ok(true)
        };
        self.inner.store.write(Lane::org(org), unit).await
    }

    /// Books what became of a dispute: the payment, and whether it is new. The dispute is named by `reference`, and its incident is over.
    ///
    /// # Errors
    /// When it came by bank, more is stated than is left of the payment, what was never booked is to come again, or the storage fails.
    pub async fn charged_back(
        &self,
        org: &OrgId,
        payment: &str,
        (outcome, told): (Outcome, Received),
        now: Instant,
    ) -> Result<(Payment, bool), Error> {
        let missing = || Error::Missing { what: "payment", id: payment.to_owned() };
        let known = self.inner.store.read().await?.payment(org, payment).await?.ok_or_else(missing)?;
        if known.plugin == BANK {
            return Err(Error::refused(
                "it came by bank, and nobody charges that back: see `POST /api/v1/payments/ID/returned`",
            ));
        }
        let owner = org.clone();
        let lane = Lane::debtor(org, &known.debtor);
        let unit = async move |tx: &mut Tx| {
            // What else changes its account at the same moment is seen, or waits.
            account::Account::locked(tx, &owner, (&known).into()).await?;
            let before = tx.lock_payment(&owner, &known.id).await?;
            let about = tx.intents_about(&owner, &known.id).await?;
            let name = |outcome| source(&before.id, &told.reference, outcome);
            if about.iter().any(|row| row.source == name(outcome)) {
                return Ok((before, false));
            }
            let amount = match outcome {
                Outcome::Lost => lost(&before, told.amount)?,
                Outcome::Won => won(&about, &name(Outcome::Lost), told.amount)?,
            };
            let done = done(&before, (name(outcome), &told), amount, now);
            tx.add_intent(&owner, &done).await?;
            // A refund that failed is settled by it, too.
            for row in settled_by(&about, amount.max(0))? {
                tx.update_intent(&owner, &row).await?;
            }
            let after = Payment {
                refunded: before.refunded.saturating_add(amount),
                updated_at: now,
                ..before.clone()
            };
            tx.update_payment(&owner, &after).await?;
            let posting = ledger::charged_back(&before, amount, &told.reference, told.at)
                .map_err(|error| Error::Corrupt(error.to_string()))?;
            ledger::post(tx, &owner, &posting, now).await?;
            account::count(tx, &owner, (&after).into(), Cause::default(), now).await?;
            tx.settle(&owner, alert(&told.reference), &json!({ "payment": after.id }), now).await?;
            tx.log_event(&owner, payment_event(&after, "payment.charged-back", now));
            let document = json!({ "reference": told.reference, "amount_minor": amount });
            let entry = AuditEntry {
                id: new_id(),
                at: now,
                who: told.by.clone(),
                what: "payment.charged-back".to_owned(),
                subject: after.id.clone(),
                before_doc: None,
                after_doc: Some(document.to_string()),
            };
            tx.audit(&owner, &entry).await?;
            Ok((after, true))
        };
        let booked = self.inner.store.write(lane, unit).await?;
        self.wake();
        Ok(booked)
    }
}

fn source(payment: &str, reference: &str, outcome: Outcome) -> String {
    let word = if outcome == Outcome::Lost { "charged-back" } else { "charged-back-won" };
    format!("{word}:{payment}:{reference}")
}

fn alert(dispute: &str) -> Alert<'_> {
    Alert { subject: dispute, kind: "payment.disputed", severity: "error" }
}

// What is gone.
fn lost(payment: &Payment, stated: Option<i64>) -> Result<i64, Error> {
    let has = payment.captured.saturating_sub(payment.refunded);
    let amount = stated.unwrap_or(has);
    match amount > 0 && amount <= has {
        true => Ok(amount),
        false => Err(Error::refused(format!(
            "{amount} minor units cannot be charged back: {has} of the payment were taken and not given back"
        ))),
    }
}

// What came again: what was booked as gone.
fn won(about: &[Intent], lost: &str, stated: Option<i64>) -> Result<i64, Error> {
    let row = about.iter().find(|row| row.source == lost);
    let row = row.ok_or_else(|| {
        Error::refused("nothing of this dispute was booked as gone, so nothing of it can come again")
    })?;
    let gone = match Request::of(row)? {
        Request::Refund(refund) => refund.amount.minor,
        _ => 0,
    };
    match stated.unwrap_or(gone) == gone {
        true => Ok(gone.saturating_neg()),
        false => Err(Error::refused(format!(
            "{gone} minor units of this dispute were booked as gone, and come again"
        ))),
    }
}

// It is done already: nobody is asked for it.
fn done(payment: &Payment, (source, told): (String, &Received), amount: i64, now: Instant) -> Intent {
    let wanted = Wanted {
        source,
        debtor: payment.debtor.clone(),
        plugin: payment.plugin.clone(),
        subject: payment.id.clone(),
        theirs: payment.theirs.clone(),
        by: told.by.clone(),
    };
    let money = Money { minor: amount, currency: payment.currency.clone() };
    let reason = format!("charged back: {}", told.reference);
    let request = Request::Refund(RefundRequest { outside: true, ..RefundRequest::new(money, reason) });
    Intent {
        state: IntentState::Done,
        called: true,
        next_at: None,
        finished_at: Some(now),
        ..intent::new(wanted, &request, now)
    }
}
