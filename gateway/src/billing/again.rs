//! A session that has a bill is worked out again: what the bills so far leave to say is a correction beside them.

use super::counters::{Days, Scope, closed, opening};
use super::first::{Locked, Revision, lock, parse, pending, put, seller, unchanged};
use super::issued::from_json;
use super::lists::Followed;
use super::work::{Hashes, Subject, Trouble, Worked};
use super::{Job, Outcome};
use crate::store::{self, Bill, BillKind, Billing, StandingChange, Tx};
use std::collections::BTreeSet;
use takst_engine::Standing;
use takst_engine::correction::{CorrectionError, correct};
use takst_engine::document::Document;
use takst_engine::input::instant;

/// The bills of a session with what they say.
pub(super) struct Given {
    /// The first one first.
    pub bills: Vec<Bill>,
    pub documents: Vec<Document>,
    pub hashes: Vec<Hashes>,
}

impl Given {
    pub fn read(bills: Vec<Bill>) -> Result<Self, store::Error> {
        let corrupt = |bill: &Bill, error: &dyn std::fmt::Display| {
            store::Error::Corrupt(format!("bill {}: {error}", bill.id))
        };
        let mut documents = Vec::with_capacity(bills.len());
        let mut hashes = Vec::with_capacity(bills.len());
        for bill in &bills {
            let (_, document) = from_json(&bill.document).map_err(|error| corrupt(bill, &error))?;
            documents.push(document);
            hashes.push(serde_json::from_str(&bill.hashes).map_err(|error| corrupt(bill, &error))?);
        }
        Ok(Self { bills, documents, hashes })
    }

    pub fn first(&self) -> Option<(&Bill, &Document)> {
        self.bills.first().zip(self.documents.first())
    }

    pub fn earlier(&self) -> &[Document] {
        self.documents.get(1..).unwrap_or_default()
    }

    pub fn last_revision(&self) -> i64 {
        self.bills.iter().map(|bill| bill.revision).max().unwrap_or_default()
    }

    pub fn is_refunded(&self) -> bool {
        self.bills.iter().any(|bill| bill.kind == BillKind::Refund)
    }

    /// The lists that the last bill was made with; the session's own, when that of plug-in is another one than at the first bill.
    pub fn followed(&self, stored: &store::Session) -> Option<Followed> {
        let first = self.hashes.first().map(|hashes| &hashes.tariff);
        match &stored.tariff_version {
            Some(own) if Some(own) != first => Followed::of(stored),
            _ => self.hashes.last().map(Hashes::followed).or_else(|| Followed::of(stored)),
        }
    }
}

/// What the counters stood at when the first bill was made, by scope; those that it did not move stand as they do now.
pub(super) struct Opened {
    pub stands: Vec<Standing>,
    // Whether the first bill moved them.
    moved: Vec<bool>,
}

impl Opened {
    pub async fn read(
        tx: &mut store::Reader,
        org: &store::OrgId,
        bill: &str,
        now: &[(String, Standing)],
    ) -> Result<Self, Trouble> {
        let postings = tx.bill_postings(org, bill).await?;
        let mut opened = Self { stands: Vec::new(), moved: Vec::new() };
        for (name, stands) in now {
            let posting = postings.iter().find(|posting| posting.scope == *name);
            opened.moved.push(posting.is_some());
            opened.stands.push(match posting {
                Some(posting) => parse(&posting.opening)?,
                None => stands.clone(),
            });
        }
        Ok(opened)
    }
}

/// A due session with bills: the session has changed since, or only its row was written again.
pub(super) async fn by_itself(
    tx: &mut Tx,
    job: &Job,
    stored: store::Session,
    bills: Vec<Bill>,
) -> Result<Outcome, Trouble> {
    let given = Given::read(bills)?;
    let followed = given.followed(&stored);
    let as_read = stored.updated_at;
    let again = Again::work_out(tx, job, stored, &given, followed).await?;
    if !again.worked.bill.is_final() {
        return pending(tx, job, &again.subject, &again.worked).await;
    }
    let correction = match again.correction(&given) {
        Ok(correction) => correction,
        Err(CorrectionError::Nothing) => {
            unchanged(tx, job, as_read).await?;
            tx.drop_preview(&job.org, &job.session).await?;
            tx.set_billing(&job.org, &job.session, Billing::Billed).await?;
            return Ok(Outcome::Unchanged);
        }
        Err(error) => {
            unchanged(tx, job, as_read).await?;
            return Ok(job.undecided(tx, &error.to_string()).await?);
        }
    };
    if given.is_refunded() {
        unchanged(tx, job, as_read).await?;
        let why = "its figures have changed, and money was given back: a correction would charge it again";
        return Ok(job.undecided(tx, why).await?);
    }
    if !job.options.correct_automatically {
        unchanged(tx, job, as_read).await?;
        let why = format!("its figures have changed: the bill would change by {}", correction.total);
        return Ok(job.undecided(tx, &why).await?);
    }
    let hashes = again.worked.hashes();
    Ok(Outcome::Corrected(Box::new(again.issue(tx, job, &given, correction, hashes).await?)))
}

/// A session worked out again.
pub(super) struct Again {
    pub subject: Subject,
    pub worked: Worked,
    locked: Vec<Locked>,
    opened: Opened,
}

impl Again {
    /// With the counters as they stood at the first bill.
    pub async fn work_out(
        tx: &mut Tx,
        job: &Job,
        stored: store::Session,
        given: &Given,
        followed: Option<Followed>,
    ) -> Result<Self, Trouble> {
        let Some((first, _)) = given.first() else {
            return Err(Trouble::Store(store::Error::refused("there is no bill to correct")));
        };
        let subject = Subject::read(tx, &job.org, &job.setup, stored, followed).await?;
        let locked = lock(tx, job, &subject).await?;
        let now: Vec<_> = locked.iter().map(|scope| (scope.name.clone(), scope.stands.clone())).collect();
        let opened = Opened::read(tx, &job.org, &first.id, &now).await?;
        let opening = subject.opening(&opened.stands);
        let worked = subject.price(tx, &job.org, &opening, None).await?;
        Ok(Self { subject, worked, locked, opened })
    }

    /// What the bills so far leave to say.
    pub fn correction(&self, given: &Given) -> Result<Document, CorrectionError> {
        match given.first() {
            Some((_, first)) => correct(first, given.earlier(), &self.worked.document),
            None => Err(CorrectionError::Nothing),
        }
    }

    /// Issues it. The counters move by what changes in the session's part of them.
    pub async fn issue(
        self,
        tx: &mut Tx,
        job: &Job,
        given: &Given,
        correction: Document,
        hashes: Hashes,
    ) -> Result<Bill, Trouble> {
        let as_read = self.subject.stored.updated_at;
        let seller = seller(job, &self.subject.stored)?;
        let moves = self.moves(given);
        let revision = Revision {
            kind: BillKind::Correction,
            number: given.last_revision() + 1,
            corrects: given.first().map(|(first, _)| first.id.clone()),
            event: "bill.corrected",
        };
        let zone = self.subject.course.zone();
        let issued = put(tx, job, &seller, zone, revision, &correction, &hashes, &moves).await?;
        self.subject.keep(tx, &job.org).await?;
        unchanged(tx, job, as_read).await?;
        Ok(issued)
    }

    fn moves(&self, given: &Given) -> Vec<StandingChange> {
        let days = self.subject.days;
        let before = given.documents.last();
        let mut moves = Vec::with_capacity(self.locked.len());
        for ((scope, stood), moved) in self.locked.iter().zip(&self.opened.stands).zip(&self.opened.moved) {
            let (now, was) = (&self.worked.document.standing, before.map(|document| &document.standing));
            let after = filled(scope.scope, now, days, stood);
            // What the last bill left of the counters of its own days; of all others nothing of it is in them.
            let zone = self.subject.course.zone();
            let was_days = before.and_then(|document| days_of(zone, document)).unwrap_or(days);
            let was = match was {
                Some(was) if *moved => filled(scope.scope, was, was_days, stood),
                _ => stood.clone(),
            };
            let closing = closed(scope.scope, &scope.stands, &was, &after, days);
            let (name, row) = (scope.name.clone(), scope.row.clone());
            let closing = serde_json::to_string(&closing).unwrap_or_default();
            moves.push(StandingChange { scope: name, opening: row, closing });
        }
        moves
    }
}

// All counters of a scope as a bill left them: those it could touch from its document, the others as they stood.
fn filled(scope: Scope, closing: &Standing, days: Days, stood: &Standing) -> Standing {
    let touched = opening(&[(scope, stood.clone())], days);
    let mut all = stood.clone();
    let names: BTreeSet<String> =
        touched.iter().chain(closing.iter()).map(|(name, _)| name.to_owned()).collect();
    for name in names.into_iter().filter(|name| scope.has(name)) {
        let value = closing.get(&name);
        all.set(name, value);
    }
    all
}

fn days_of(zone: &takst_engine::tariff::Zone, document: &Document) -> Option<Days> {
    let from = instant(&document.from).ok()?;
    let to = document.to.as_deref().and_then(|to| instant(to).ok()).unwrap_or(from);
    Some(Days::of(zone, (from, to)))
}
