//! A feed has changed prices that bills were made with: which bills, and by how much.

use super::again::{Given, Moved};
use super::session::span;
use super::work::{Subject, Trouble, Worked};
use super::{Billing, Decision, Outcome, from_json};
use crate::feeds::cost;
use crate::store::{self, Alert, Incident, Lane, OrgId, Reader, SessionFilter};
use futures_util::StreamExt as _;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::pin::pin;
use takst_engine::Standing;
use takst_engine::correction::{CorrectionError, correct};
use takst_engine::running::LONGEST_SESSION_DAYS;
use takst_engine::units::{DAY_MS, Instant};

/// What is written into an alert: the bills that it concerns.
const BILLS: &str = "bills";
/// And that they were corrected.
const CORRECTED: &str = "corrected";

/// A bill that would be another one now.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Affected {
    /// The session.
    pub session: String,
    /// Its first bill.
    pub bill: String,
    /// As printed on it.
    pub number: String,
    /// ISO 4217.
    pub currency: String,
    /// By how much the driver's total changes.
    pub difference: String,
    /// Money was given back: it is not corrected by itself.
    #[serde(default)]
    pub refunded: bool,
    /// Why it cannot be worked out, where it cannot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
}

#[derive(Deserialize)]
struct Changed {
    feed: String,
    area: String,
    changed: Vec<(Instant, Instant)>,
}

impl Billing {
    /// The kind of what stands in an alert once nothing is to be done about it without a person.
    pub(super) fn looked_up(&self) -> &'static str {
        if self.inner.options.correct_automatically { CORRECTED } else { BILLS }
    }

    /// The bills that an alert about changed prices (`feed.changed`) concerns, at most as many as a list has; writes them into the alert. With
    /// corrections that are made automatically they are made now, all of them. The alert is closed when there is nothing left to decide.
    ///
    /// # Errors
    /// When there is no such alert, or the storage fails.
    pub async fn affected_by(
        &self,
        org: &OrgId,
        incident: &str,
        now: Instant,
    ) -> Result<Vec<Affected>, store::Error> {
        let (incident, changed) = self.alert(org, incident).await?;
        let automatic = self.inner.options.correct_automatically;
        let reason = format!("prices of {} have changed", changed.feed);
        let decision = Decision { by: "gateway".to_owned(), reason };
        let (mut found, mut failed, mut left) = (Vec::new(), Vec::new(), false);
        let earliest = changed.changed.iter().map(|span| span.0).min();
        let latest = changed.changed.iter().map(|span| span.1).max();
        if let Some((earliest, latest)) = earliest.zip(latest) {
            let series = (changed.feed.as_str(), changed.area.as_str());
            let next = self.inner.store.read().await?.next_price(org, series, latest).await?;
            // A month's mean changes sessions of the whole month, and a value that holds all of them up to the next one.
            let until = next.unwrap_or(now).max(Instant(latest.0.saturating_add(31 * DAY_MS)));
            let filter = SessionFilter {
                billing: Some(store::Billing::Billed),
                from: Some(Instant(earliest.0.saturating_sub((LONGEST_SESSION_DAYS + 31) * DAY_MS))),
                until: Some(until),
                ..SessionFilter::default()
            };
            let mut sessions = pin!(self.inner.store.stream_sessions(org, filter));
            while let Some(stored) = sessions.next().await {
                let Some(bill) = self.affected(org, stored?, &changed).await? else { continue };
                left |= !automatic || bill.refunded || bill.trouble.is_some();
                found.push(bill);
                if found.len() < self.inner.options.most_listed {
                    continue;
                }
                if !automatic {
                    break;
                }
                // Nobody is waited for: one list after the other.
                self.note(org, &incident, BILLS, &json!(found), now).await?;
                failed.extend(self.correct_all(org, &found, &decision, now).await?);
                found.clear();
            }
        }
        self.note(org, &incident, BILLS, &json!(found), now).await?;
        if automatic {
            failed.extend(self.correct_all(org, &found, &decision, now).await?);
            let told = json!({ "by": decision.by, "reason": decision.reason, "failed": failed });
            self.note(org, &incident, CORRECTED, &told, now).await?;
        }
        if !left && failed.is_empty() {
            self.settle(org, &incident, now).await?;
        }
        Ok(found)
    }

    /// Corrects the bills that an alert lists, and closes it; those that could not be corrected, with why. Where the list was as long as a
    /// list can be, the alert stays open with those that are left.
    ///
    /// # Errors
    /// When there is no such alert, or the storage fails.
    pub async fn correct_affected(
        &self,
        org: &OrgId,
        incident: &str,
        decision: Decision,
        now: Instant,
    ) -> Result<Vec<(String, String)>, store::Error> {
        let (incident, _) = self.alert(org, incident).await?;
        let events = self.inner.store.read().await?.incident_events(org, &incident.id).await?;
        let list = events.iter().rev().find(|event| event.kind == BILLS);
        let bills: Vec<Affected> = match list {
            Some(list) => serde_json::from_str(&list.document)
                .map_err(|error| store::Error::Corrupt(format!("incident {}: {error}", incident.id)))?,
            None => self.affected_by(org, &incident.id, now).await?,
        };
        let failed = self.correct_all(org, &bills, &decision, now).await?;
        let told = json!({ "by": decision.by, "reason": decision.reason, "failed": failed });
        self.note(org, &incident, CORRECTED, &told, now).await?;
        if bills.len() >= self.inner.options.most_listed {
            self.affected_by(org, &incident.id, now).await?;
        } else {
            self.settle(org, &incident, now).await?;
        }
        Ok(failed)
    }

    /// Leaves the bills that an alert lists as they are, and closes it.
    ///
    /// # Errors
    /// When there is no such alert, it is over, or the storage fails.
    pub async fn dismiss_affected(
        &self,
        org: &OrgId,
        incident: &str,
        decision: Decision,
        now: Instant,
    ) -> Result<(), store::Error> {
        let (incident, _) = self.alert(org, incident).await?;
        if incident.closed_at.is_some() {
            return Err(store::Error::refused("the alert is over"));
        }
        let told = json!({ "by": decision.by, "reason": decision.reason });
        self.note(org, &incident, "dismissed", &told, now).await?;
        self.settle(org, &incident, now).await
    }

    async fn correct_all(
        &self,
        org: &OrgId,
        bills: &[Affected],
        decision: &Decision,
        now: Instant,
    ) -> Result<Vec<(String, String)>, store::Error> {
        let mut failed = Vec::new();
        for bill in bills.iter().filter(|bill| !bill.refunded && bill.trouble.is_none()) {
            match self.reprice(org, &bill.session, None, decision.clone(), now).await {
                Ok(Outcome::Corrected(_) | Outcome::Unchanged) => {}
                Ok(other) => failed.push((bill.session.clone(), format!("{other:?}"))),
                Err(store::Error::Refused(reason)) => failed.push((bill.session.clone(), reason)),
                Err(error) => return Err(error),
            }
        }
        Ok(failed)
    }

    async fn alert(&self, org: &OrgId, incident: &str) -> Result<(Incident, Changed), store::Error> {
        let found = self.inner.store.read().await?.incident(org, incident).await?;
        let found = found.filter(|found| found.kind == "feed.changed");
        let missing = || store::Error::Missing { what: "alert about prices", id: incident.to_owned() };
        let found = found.ok_or_else(missing)?;
        let changed = serde_json::from_str(&found.document)
            .map_err(|error| store::Error::Corrupt(format!("incident {}: {error}", found.id)))?;
        Ok((found, changed))
    }

    // Whether a billed session would have another bill with the prices of today.
    async fn affected(
        &self,
        org: &OrgId,
        stored: store::Session,
        changed: &Changed,
    ) -> Result<Option<Affected>, store::Error> {
        let mut reader = self.inner.store.read().await?;
        let bills = reader.session_bills(org, &stored.id).await?;
        let Some(first) = bills.first().cloned() else { return Ok(None) };
        let given = Given::read(bills)?;
        let (followed, id) = (given.followed(&stored), stored.id.clone());
        let (head, _) = from_json(&first.document).map_err(store::Error::Corrupt)?;
        let mut affected = Affected {
            session: id,
            bill: first.id.clone(),
            number: head.number,
            currency: first.currency.clone(),
            difference: "0".to_owned(),
            refunded: given.is_refunded(),
            trouble: None,
        };
        let subject = Subject::read(&mut reader, org, &self.inner.setup, stored, followed).await;
        let worked = match subject {
            Ok(subject) if !concerns(&subject, changed) => return Ok(None),
            Ok(subject) => priced(&mut reader, org, &given, &subject).await,
            Err(trouble) => Err(trouble),
        };
        let worked = match worked {
            Ok(worked) => worked,
            Err(Trouble::Store(error)) => return Err(error),
            Err(Trouble::Hold(reason)) => {
                affected.trouble = Some(reason);
                return Ok(Some(affected));
            }
        };
        let Some((_, document)) = given.first() else { return Ok(None) };
        match correct(document, given.earlier(), &worked.document) {
            Ok(correction) => affected.difference = correction.total,
            Err(CorrectionError::Nothing) => return Ok(None),
            Err(error) => affected.trouble = Some(error.to_string()),
        }
        Ok(Some(affected))
    }

    async fn note(
        &self,
        org: &OrgId,
        incident: &Incident,
        kind: &str,
        document: &serde_json::Value,
        now: Instant,
    ) -> Result<(), store::Error> {
        let (org, incident, kind) = (org.clone(), incident.id.clone(), kind.to_owned());
        let (lane, document) = (Lane::org(&org), document.to_string());
        let unit = async move |tx: &mut store::Tx| {
            tx.add_incident_event(&org, &incident, now, &kind, &document).await.map(drop)
        };
        self.inner.store.write(lane, unit).await
    }

    async fn settle(&self, org: &OrgId, incident: &Incident, now: Instant) -> Result<(), store::Error> {
        let (org, incident) = (org.clone(), incident.clone());
        let lane = Lane::org(&org);
        let unit = async move |tx: &mut store::Tx| {
            let Incident { subject, kind, severity, document, .. } = &incident;
            let document = serde_json::from_str(document).unwrap_or_default();
            tx.settle(&org, Alert { subject, kind, severity }, &document, now).await.map(drop)
        };
        self.inner.store.write(lane, unit).await
    }
}

/// A billed session with the prices of today, and the counters as it found them; nothing is locked.
pub(super) async fn priced(
    reader: &mut Reader,
    org: &OrgId,
    given: &Given,
    subject: &Subject,
) -> Result<Worked, Trouble> {
    let moved = Moved::by(reader, org, &given.bills).await?;
    let mut stands = Vec::with_capacity(subject.scopes.len());
    for (_, name) in &subject.scopes {
        stands.push(match moved.opening(name) {
            Some(opening) => opening.clone(),
            None => {
                let row = reader.standing(org, name).await?;
                row.and_then(|row| Standing::from_json(&row.document).ok()).unwrap_or_default()
            }
        });
    }
    subject.price(reader, org, &subject.opening(&stands), None).await
}

fn concerns(subject: &Subject, changed: &Changed) -> bool {
    let (from, until) = span(&subject.session);
    let asked = cost::asked_at((from, until));
    if subject.cost() == Some(changed.feed.as_str()) {
        let of_site = subject.stored.site.as_ref() == Some(&changed.area);
        return of_site && changed.changed.iter().any(|span| span.0 <= asked && asked < span.1);
    }
    subject.needs().iter().any(|need| {
        let (from, until) = need.range(subject.course.zone(), from, until);
        let area = need.area.as_deref();
        let same_area = changed.area.is_empty() || area.is_none_or(|area| area == changed.area);
        // A value that holds reaches from before the session into it.
        let touches = |span: &(Instant, Instant)| span.0 < until && (need.holds || span.1 > from);
        need.feed == changed.feed && same_area && changed.changed.iter().any(touches)
    })
}
