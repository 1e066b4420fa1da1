//! What people decide about bills: release, never, another tariff, money back. Who did it and why is in the audit log.

use super::again::{Again, Given};
use super::first::{Revision, can_be_billed, put};
use super::lists::Followed;
use super::work::{RefundTerms, Trouble};
use super::{Billing, CHANGED, Job, Outcome};
use crate::store::{self, AuditEntry, BillKind, Lane, OrgId, SessionStatus, Tx, new_id};
use serde_json::{Value, json};
use takst_engine::correction::{CorrectionError, refund};
use takst_engine::units::Instant;

/// Why the bill of a session is not corrected any more.
pub const REFUNDED: &str = "money was given back for this session, and a correction would charge it again; what is still too much can be given back with a refund";

/// Who decided, and why.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Decision {
    /// An API key or another key of a person.
    pub by: String,
    /// In his words.
    pub reason: String,
}

impl Billing {
    /// Lets a held session go to be billed.
    ///
    /// # Errors
    /// When there is no such session, it is not over, or it cannot be priced: then it stays held.
    pub async fn release(
        &self,
        org: &OrgId,
        session: &str,
        decision: Decision,
        now: Instant,
    ) -> Result<(), store::Error> {
        self.decide(org, session, now, async move |tx, job, stored| {
            if stored.status == SessionStatus::Running {
                return Err(store::Error::refused("the session still runs; it is billed when it is over"));
            }
            let Decision { by, reason } = &decision;
            tx.set_hold(&job.org, &job.session, false, (reason, by), job.now).await?;
            let was = before(&stored);
            if !matches!(stored.billing, store::Billing::Billed) {
                tx.set_billing(&job.org, &job.session, store::Billing::Due).await?;
                // What cannot be priced would be held back again at once, and who released it would not hear of it.
                if tx.session_bills(&job.org, &job.session).await?.is_empty() {
                    can_be_billed(tx, job, stored).await.map_err(not_by_release)?;
                }
            }
            let after = json!({ "hold": false });
            audit(tx, job, &decision, "session.release", &was, &after).await?;
            tx.log_event(
                &job.org,
                job.event("session.released", &json!({ "session": job.session, "by": by })),
            );
            Ok(())
        })
        .await
    }

    /// Decides that a session gets no bill.
    ///
    /// # Errors
    /// When there is no such session, it still runs, or it has a bill: then a refund is what is wanted.
    pub async fn never(
        &self,
        org: &OrgId,
        session: &str,
        decision: Decision,
        now: Instant,
    ) -> Result<(), store::Error> {
        self.decide(org, session, now, async move |tx, job, stored| {
            if stored.status == SessionStatus::Running {
                return Err(store::Error::refused("the session still runs"));
            }
            if !tx.session_bills(&job.org, &job.session).await?.is_empty() {
                return Err(store::Error::refused("the session has a bill; give the money back instead"));
            }
            tx.drop_preview(&job.org, &job.session).await?;
            tx.set_billing(&job.org, &job.session, store::Billing::Never).await?;
            tx.set_hold(&job.org, &job.session, false, (&decision.reason, &decision.by), job.now).await?;
            let after = json!({ "billing": "never" });
            audit(tx, job, &decision, "session.never", &before(&stored), &after).await?;
            let told = json!({ "session": job.session, "by": decision.by, "reason": decision.reason });
            tx.log_event(&job.org, job.event("bill.never", &told));
            Ok(())
        })
        .await
    }

    /// Works a billed session out again, with today's prices and facts and, when stated, another tariff (by version), and
    /// issues what changes as a correction.
    ///
    /// # Errors
    /// When there is no bill yet, money was given back, a price is missing, or the session cannot be priced so.
    pub async fn reprice(
        &self,
        org: &OrgId,
        session: &str,
        tariff: Option<String>,
        decision: Decision,
        now: Instant,
    ) -> Result<Outcome, store::Error> {
        self.decide(org, session, now, async move |tx, job, stored| {
            let bills = tx.session_bills(&job.org, &job.session).await?;
            let given = Given::read(bills)?;
            if given.is_refunded() {
                return Err(store::Error::refused(REFUNDED));
            }
            let was = before(&stored);
            let followed = tariff.clone().map(Followed::one).or_else(|| given.followed(&stored));
            let version = followed.as_ref().map(|followed| followed.first.clone());
            let again = Again::work_out(tx, job, stored, &given, followed).await;
            let again = again.map_err(refused)?;
            if !again.worked.bill.is_final() {
                return Err(store::Error::refused(
                    "a price is missing; wait for the feed, or name another tariff",
                ));
            }
            let correction = match again.correction(&given) {
                Err(CorrectionError::Nothing) => {
                    tx.drop_preview(&job.org, &job.session).await?;
                    close(tx, job).await?;
                    return Ok(Outcome::Unchanged);
                }
                correction => correction.map_err(|error| store::Error::refused(error.to_string()))?,
            };
            let mut hashes = again.worked.hashes();
            hashes.named = tariff.is_some();
            hashes.by = Some(decision.by.clone());
            hashes.reason = Some(decision.reason.clone());
            let bill = again.issue(tx, job, &given, correction, hashes).await.map_err(refused)?;
            let after = json!({ "bill": bill.id, "total": bill.total, "tariff": version });
            audit(tx, job, &decision, "bill.correct", &was, &after).await?;
            close(tx, job).await?;
            Ok(Outcome::Corrected(Box::new(bill)))
        })
        .await
    }

    /// Leaves a bill as it is although it would be another one now, and ends the wait for a decision.
    ///
    /// # Errors
    /// When there is no such session, or nobody is waited for.
    pub async fn dismiss(
        &self,
        org: &OrgId,
        session: &str,
        decision: Decision,
        now: Instant,
    ) -> Result<(), store::Error> {
        self.decide(org, session, now, async move |tx, job, stored| {
            if !close(tx, job).await? {
                return Err(store::Error::refused("nothing about this bill waits for a decision"));
            }
            tx.drop_preview(&job.org, &job.session).await?;
            let after = json!({ "bill": "left as it is" });
            audit(tx, job, &decision, "bill.dismiss", &before(&stored), &after).await
        })
        .await
    }

    /// Gives money back: charges by kind or label, or all of the bill. A credit note of the same series.
    ///
    /// # Errors
    /// When there is no bill, no such charge, or nothing left to give back.
    pub async fn refund(
        &self,
        org: &OrgId,
        session: &str,
        charges: Option<Vec<String>>,
        decision: Decision,
        now: Instant,
    ) -> Result<store::Bill, store::Error> {
        self.decide(org, session, now, async move |tx, job, stored| {
            let given = Given::read(tx.session_bills(&job.org, &job.session).await?)?;
            let Some((first, document)) = given.first() else {
                return Err(store::Error::refused(
                    "the session has no bill; decide that it gets none instead",
                ));
            };
            let terms = RefundTerms { charges: charges.clone(), reason: decision.reason.clone() };
            let names =
                charges.as_ref().map(|charges| charges.iter().map(String::as_str).collect::<Vec<_>>());
            let credit = refund(document, given.earlier(), names.as_deref(), &terms.reason);
            let credit = credit.map_err(|error| match error {
                CorrectionError::Nothing if given.is_refunded() => store::Error::refused(
                    "all that was billed for this session was given back already; nothing is left to give back",
                ),
                CorrectionError::Nothing => {
                    store::Error::refused("the session's bills come to nothing; there is nothing to give back")
                }
                error => store::Error::refused(error.to_string()),
            })?;
            let seller = super::first::seller(job, &stored).map_err(refused)?;
            let mut hashes = given.hashes.last().cloned().unwrap_or_default();
            hashes.refund = Some(terms);
            hashes.by = Some(decision.by.clone());
            hashes.reason = Some(decision.reason.clone());
            let ready = job.setup.ready(&hashes.tariff).ok_or_else(|| {
                store::Error::refused(format!("the tariff {} is not known any more", hashes.tariff))
            })?;
            let revision = Revision {
                kind: BillKind::Refund,
                number: given.last_revision() + 1,
                corrects: Some(first.id.clone()),
                event: "bill.corrected",
            };
            let bill = put(tx, job, &seller, ready.zone(), revision, &credit, &hashes, &[]).await;
            let bill = bill.map_err(refused)?;
            // What came since the last bill is still to be looked at: money that is given back answers no other question.
            match stored.billing {
                store::Billing::Billed | store::Billing::Never => {}
                store::Billing::Open => tx.set_billing(&job.org, &job.session, store::Billing::Open).await?,
                // Its preview went with the bill.
                store::Billing::Due | store::Billing::Pending => {
                    tx.set_billing(&job.org, &job.session, store::Billing::Due).await?;
                }
            }
            let after = json!({ "bill": bill.id, "total": bill.total, "charges": charges });
            audit(tx, job, &decision, "bill.refund", &before(&stored), &after).await?;
            Ok(bill)
        })
        .await
    }

    // One unit about one session.
    async fn decide<T, F>(&self, org: &OrgId, session: &str, now: Instant, what: F) -> Result<T, store::Error>
    where
        T: Send + 'static,
        F: AsyncFn(&mut Tx, &Job, store::Session) -> Result<T, store::Error> + Send + 'static,
    {
        let stored = self.inner.store.read().await?.session(org, session).await?;
        let missing = || store::Error::Missing { what: "session", id: session.to_owned() };
        let lane = Lane::charger(org, &stored.ok_or_else(missing)?.charger);
        let job = self.job(org, session, now);
        let unit = async move |tx: &mut Tx| {
            let stored = tx.session(&job.org, &job.session).await?;
            let stored =
                stored.ok_or_else(|| store::Error::Missing { what: "session", id: job.session.clone() })?;
            what(tx, &job, stored).await
        };
        let result = self.inner.store.write(lane, unit).await;
        self.inner.wake.notify_one();
        match result {
            Err(store::Error::Refused(reason)) if reason == CHANGED => {
                Err(store::Error::Unavailable("the session was changed at the same time".to_owned()))
            }
            result => result,
        }
    }
}

fn refused(trouble: Trouble) -> store::Error {
    match trouble {
        Trouble::Hold(reason) => store::Error::Refused(reason),
        Trouble::Store(error) => error,
    }
}

fn not_by_release(trouble: Trouble) -> store::Error {
    match trouble {
        Trouble::Hold(reason) => store::Error::Refused(format!(
            "the session cannot be billed as it is, and stays held: {reason}; put that right and release it again, or decide that it is never billed"
        )),
        Trouble::Store(error) => error,
    }
}

fn before(stored: &store::Session) -> Value {
    json!({ "billing": stored.billing.as_str(), "hold": stored.hold, "hold_reason": stored.hold_reason })
}

// What stood open about this bill is settled; whether anything did.
async fn close(tx: &mut Tx, job: &Job) -> Result<bool, store::Error> {
    tx.settle(&job.org, job.differs(), &json!({ "session": job.session }), job.now).await
}

async fn audit(
    tx: &mut Tx,
    job: &Job,
    decision: &Decision,
    what: &str,
    before: &Value,
    after: &Value,
) -> Result<(), store::Error> {
    let mut after = after.clone();
    if let Some(after) = after.as_object_mut() {
        after.insert("reason".to_owned(), decision.reason.clone().into());
    }
    let entry = AuditEntry {
        id: new_id(),
        at: job.now,
        who: decision.by.clone(),
        what: what.to_owned(),
        subject: job.session.clone(),
        before_doc: Some(before.to_string()),
        after_doc: Some(after.to_string()),
    };
    tx.audit(&job.org, &entry).await
}
