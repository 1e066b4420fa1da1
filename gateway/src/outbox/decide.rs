//! What people and webhooks do: try again, give up, pay a bill now, cancel, save a card, hint that something happened.

use super::Outbox;
use super::intent::{self, Request, Wanted};
use super::machine::Event;
use super::owed::{Owed, is_open};
use super::plan::{self, New, key_of};
use super::provider::{Money, SaveRequest};
use super::run::missed_no_more;
use crate::billing::from_json;
use crate::ledger::debtor;
use crate::store::{
    AuditEntry, Error, Instrument, InstrumentStatus, Intent, IntentKind, IntentState, Lane, OrgId, Payment,
    Tx, new_id,
};
use serde_json::json;
use takst_engine::units::Instant;

/// Who decided, and why.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Decision {
    /// An API key or another key of a person.
    pub by: String,
    /// In his words.
    pub reason: String,
}

/// Why something cannot be.
pub type Refused = Error;

/// A card to be saved or an agreement to be made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Saving {
    /// Whose, as in `driver:d-17`.
    pub debtor: String,
    /// At which provider.
    pub plugin: String,
    /// Where the payer's browser comes back to.
    pub return_to: String,
    /// What an agreement may take at most.
    pub at_most: Option<Money>,
    /// What the payer reads.
    pub description: String,
}

impl Outbox {
    /// Tries a dead letter again (or what waits, at once). What was asked of a version that is gone is asked of the current one.
    ///
    /// # Errors
    /// When there is none, or nothing is wrong with it.
    pub async fn retry(
        &self,
        org: &OrgId,
        id: &str,
        decision: Decision,
        now: Instant,
    ) -> Result<Intent, Refused> {
        self.decide(org, id, Event::Retry, ("outbox.retry", decision), now).await
    }

    /// Gives a dead letter up, or what waits to be asked.
    ///
    /// # Errors
    /// When there is none, it is on its way or over.
    pub async fn give_up(
        &self,
        org: &OrgId,
        id: &str,
        decision: Decision,
        now: Instant,
    ) -> Result<Intent, Refused> {
        let event = Event::GiveUp { reason: decision.reason.clone() };
        self.decide(org, id, event, ("outbox.give-up", decision), now).await
    }

    async fn decide(
        &self,
        org: &OrgId,
        id: &str,
        event: Event,
        (what, decision): (&'static str, Decision),
        now: Instant,
    ) -> Result<Intent, Refused> {
        let row = self.inner.store.read().await?.intent(org, id).await?;
        let row = row.ok_or_else(|| Error::Missing { what: "intent", id: id.to_owned() })?;
        let free = !self.has(org, &row);
        let (unit, owner) = (self.unit(org, id, now), org.clone());
        let decided = self
            .inner
            .store
            .write(Lane::debtor(org, &row.debtor), async move |tx| {
                let (before, mut after) = unit.person(tx, &event).await?;
                // What is over is bound to no version any more: whoever is there now looks at it.
                if (free && event == Event::Retry) || (after.finished_at.is_some() && after.sha256.is_some())
                {
                    (after.version, after.sha256) = (None, None);
                    tx.update_intent(&owner, &after).await?;
                }
                let short =
                    |row: &Intent| json!({ "state": row.state, "code": row.code, "detail": row.detail });
                let mut doc = short(&after);
                if let Some(fields) = doc.as_object_mut() {
                    fields.insert("reason".to_owned(), decision.reason.clone().into());
                }
                audit(tx, &owner, (what, &after.id, &decision.by), (&short(&before), &doc), now).await?;
                missed_no_more(tx, &owner, &after, now).await?;
                Ok(after)
            })
            .await?;
        self.wake();
        Ok(decided)
    }

    /// Somebody says that something happened to a payment or instrument of this plugin: it is looked at now. A hint only: what is
    /// believed is what the look brings. `theirs` is the provider's name for it; `ours` our reference, for what has no name there yet.
    /// How many intents were woken.
    ///
    /// # Errors
    /// When the storage fails.
    pub async fn hint(
        &self,
        org: &OrgId,
        plugin: &str,
        (theirs, ours): (&str, Option<&str>),
        now: Instant,
    ) -> Result<usize, Error> {
        let mut reader = self.inner.store.read().await?;
        let mut rows = reader.intents_of_theirs(org, plugin, theirs).await?;
        if let Some(ours) = ours.filter(|_| rows.is_empty()) {
            rows = reader.intents_about(org, ours).await?;
            rows.retain(|row| row.plugin == plugin);
        }
        drop(reader);
        let wakes = |row: &&Intent| match row.kind {
            // The one that tells the whole truth, whatever else is open: that may wait for a person, and is about itself.
            IntentKind::Charge | IntentKind::Save => true,
            // It may have been done after all.
            IntentKind::Refund => row.state != IntentState::Done,
            _ => row.finished_at.is_none(),
        };
        let woken: Vec<&Intent> = rows.iter().filter(wakes).collect();
        for row in &woken {
            let (unit, owner) = (self.unit(org, &row.id, now), org.clone());
            let lane = Lane::debtor(org, &row.debtor);
            let hinted = async move |tx: &mut Tx| {
                let row = unit.happened(tx, &Event::Hint).await?;
                // What is over is bound to no version any more: whoever is there now looks at it.
                if row.finished_at.is_some() && row.sha256.is_some() {
                    let free = Intent { version: None, sha256: None, ..row };
                    tx.update_intent(&owner, &free).await?;
                }
                Ok(())
            };
            self.inner.store.write(lane, hinted).await?;
        }
        self.wake();
        Ok(woken.len())
    }

    /// Begins a payment of what is left of a bill, which the payer makes now: its `next` says where, once the provider has
    /// answered.
    ///
    /// # Errors
    /// When there is no such bill, a payment of it is under way, or nothing is left to pay.
    pub async fn pay(
        &self,
        org: &OrgId,
        bill: &str,
        plugin: &str,
        (return_to, by): (Option<String>, &str),
        now: Instant,
    ) -> Result<Payment, Refused> {
        let missing = || Error::Missing { what: "bill", id: bill.to_owned() };
        let row = self.inner.store.read().await?.bill(org, bill).await?.ok_or_else(missing)?;
        let (_, document) = from_json(&row.document).map_err(Error::Corrupt)?;
        let debtor = debtor(&document, &row.id);
        let (owner, plugin, by) = (org.clone(), plugin.to_owned(), by.to_owned());
        let lane = Lane::debtor(org, &debtor);
        let unit = async move |tx: &mut Tx| {
            // A correction or another payment that is being written at the same moment is seen, or waits.
            if let Some(session) = &row.session {
                tx.lock_session(&owner, session).await?;
            }
            let owed = Owed::of(tx, &owner, &row).await?;
            let left = owed.left;
            // Also when a payment is open: it is not needed any more.
            if left <= 0 {
                return Err(Error::refused("nothing is left to pay of this bill"));
            }
            if let Some(open) = owed.open() {
                return Err(Error::refused(format!(
                    "the payment {} of this bill is {}; wait for it, or cancel it",
                    open.id,
                    open.status.as_str()
                )));
            }
            let new = New { plugin: &plugin, instrument: None, return_to: return_to.clone(), by: &by };
            plan::charge(tx, &owner, &row, (&debtor, left), new, now).await
        };
        let payment = self.inner.store.write(lane, unit).await?;
        self.wake();
        Ok(payment)
    }

    /// Gives a payment up before the money is taken: its charge, when that was not asked for yet, else at the provider.
    ///
    /// # Errors
    /// When there is none, or it is over.
    pub async fn cancel(
        &self,
        org: &OrgId,
        payment: &str,
        decision: Decision,
        now: Instant,
    ) -> Result<(), Refused> {
        let missing = || Error::Missing { what: "payment", id: payment.to_owned() };
        let mut reader = self.inner.store.read().await?;
        let row = reader.payment(org, payment).await?.ok_or_else(missing)?;
        let charge = reader.intents_about(org, payment).await?;
        drop(reader);
        let cancels = || charge.iter().filter(|intent| intent.kind == IntentKind::Cancel);
        if cancels().any(|cancel| cancel.finished_at.is_none()) {
            return Err(Error::refused(
                "the payment is being cancelled already; wait for the provider's answer",
            ));
        }
        // One that the provider refused may be asked for again.
        let nth = cancels().count() + 1;
        let charge =
            charge.into_iter().find(|intent| intent.kind == IntentKind::Charge).ok_or_else(missing)?;
        if charge.state == IntentState::Waiting && !charge.called {
            return self.give_up(org, &charge.id, decision, now).await.map(drop);
        }
        if !is_open(row.status) || row.theirs.is_none() {
            return Err(Error::refused(format!("the payment is {}", row.status.as_str())));
        }
        let wanted = Wanted {
            source: if nth == 1 { format!("cancel:{payment}") } else { format!("cancel:{payment}:{nth}") },
            debtor: row.debtor.clone(),
            plugin: row.plugin.clone(),
            subject: row.id.clone(),
            theirs: row.theirs.clone(),
            by: decision.by.clone(),
        };
        let (owner, cancel) = (org.clone(), intent::new(wanted, &Request::Cancel, now));
        let unit = async move |tx: &mut Tx| {
            if tx.add_intent(&owner, &cancel).await? {
                let (before, after) = (json!({ "status": row.status }), json!({ "reason": decision.reason }));
                let what = ("payment.cancel", row.id.as_str(), decision.by.as_str());
                audit(tx, &owner, what, (&before, &after), now).await?;
            }
            Ok(())
        };
        self.inner.store.write(Lane::debtor(org, &charge.debtor), unit).await?;
        self.wake();
        Ok(())
    }

    /// Begins to save a card or make an agreement: its `next` says where the payer goes, once the provider has answered.
    ///
    /// # Errors
    /// When the storage fails.
    pub async fn save(
        &self,
        org: &OrgId,
        saving: Saving,
        by: &str,
        now: Instant,
    ) -> Result<Instrument, Refused> {
        let Saving { debtor, plugin, return_to, at_most, description } = saving;
        let instrument = Instrument {
            id: new_id(),
            debtor: debtor.clone(),
            plugin: plugin.clone(),
            status: InstrumentStatus::Waiting,
            theirs: None,
            label: None,
            next: None,
            failure: None,
            created_at: now,
            updated_at: now,
        };
        let request = Request::Save(SaveRequest {
            payer: key_of(&debtor).to_owned(),
            reference: instrument.id.clone(),
            return_to,
            at_most,
            description,
        });
        let subject = instrument.id.clone();
        let source = format!("save:{subject}");
        // A queue of its own: a card is saved so that what stands still can go on.
        let wanted = Wanted {
            source,
            debtor: format!("save:{subject}"),
            plugin,
            subject,
            theirs: None,
            by: by.to_owned(),
        };
        let (owner, row, saved) = (org.clone(), intent::new(wanted, &request, now), instrument.clone());
        let unit = async move |tx: &mut Tx| {
            tx.put_instrument(&owner, &saved).await?;
            tx.add_intent(&owner, &row).await.map(drop)
        };
        self.inner.store.write(Lane::debtor(org, &debtor), unit).await?;
        self.wake();
        Ok(instrument)
    }
}

async fn audit(
    tx: &mut Tx,
    org: &OrgId,
    (what, subject, by): (&str, &str, &str),
    (before, after): (&serde_json::Value, &serde_json::Value),
    now: Instant,
) -> Result<(), Error> {
    let entry = AuditEntry {
        id: new_id(),
        at: now,
        who: by.to_owned(),
        what: what.to_owned(),
        subject: subject.to_owned(),
        before_doc: Some(before.to_string()),
        after_doc: Some(after.to_string()),
    };
    tx.audit(org, &entry).await
}
