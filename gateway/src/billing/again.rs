//! A session that has a bill is worked out again: what the bills so far leave to say is a correction beside them.

use super::counters::{Days, Move, Scope, after, moved};
use super::first::{Locked, Revision, lock, note_late, parse, pending, put, seller, unchanged};
use super::issued::from_json;
use super::lists::Followed;
use super::work::{Hashes, Subject, Trouble, Worked};
use super::{Job, Outcome};
use crate::store::{self, Bill, BillKind, Billing, StandingChange, Tx};
use rust_decimal::Decimal;
use std::collections::BTreeMap;
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

    // Whether the list of plug-in is another one than at the first bill: a beginning that was told of late. Lists that a person
    // has named since stay all the same.
    fn begins_anew(&self, stored: &store::Session) -> bool {
        let first = self.hashes.first().map(|hashes| &hashes.tariff);
        let named = self.hashes.iter().any(|hashes| hashes.named);
        !named && stored.tariff_version.as_ref().is_some_and(|own| Some(own) != first)
    }

    /// The lists that the last bill was made with; the session's own, when that of plug-in is another one than at the first bill and
    /// nobody has named others.
    pub fn followed(&self, stored: &store::Session) -> Option<Followed> {
        let made_with = self.hashes.last().filter(|_| !self.begins_anew(stored)).map(Hashes::followed);
        made_with.or_else(|| Followed::of(stored))
    }
}

/// What the bills of a session have done to counters, as a later one finds it.
pub(super) struct Moved {
    // By scope: what it stood at before and after each bill that moved it, the first one first.
    by_scope: BTreeMap<String, Vec<(Standing, Standing)>>,
}

impl Moved {
    pub async fn by(reader: &mut store::Reader, org: &store::OrgId, bills: &[Bill]) -> Result<Self, Trouble> {
        let mut by_scope: BTreeMap<String, Vec<(Standing, Standing)>> = BTreeMap::new();
        for bill in bills {
            for posting in reader.bill_postings(org, &bill.id).await? {
                let moves = by_scope.entry(posting.scope).or_default();
                moves.push((parse(&posting.opening)?, parse(&posting.closing)?));
            }
        }
        Ok(Self { by_scope })
    }

    /// What a scope stood at when the first of these bills moved it: there the session has its place among all others.
    pub fn opening(&self, scope: &str) -> Option<&Standing> {
        self.by_scope.get(scope)?.first().map(|(opening, _)| opening)
    }

    /// The scopes that they have moved.
    pub fn scopes(&self) -> impl Iterator<Item = (Scope, &str)> {
        self.by_scope.keys().filter_map(|name| Some((Scope::of(name)?, name.as_str())))
    }

    // What of a scope's counters is theirs, as far as `days` could touch them: what was let go by the way is not.
    fn of(&self, scope: &str, days: &[Days]) -> Move {
        let mut all = Move::default();
        for (opening, closing) in self.by_scope.get(scope).into_iter().flatten() {
            for (name, by) in moved(opening, closing) {
                if days.iter().any(|days| days.touch(&name)) {
                    let sum: &mut Decimal = all.entry(name).or_default();
                    *sum = sum.saturating_add(by);
                }
            }
        }
        all
    }
}

/// A due session with bills: the session has changed since, or only its row was written again.
pub(super) async fn by_itself(
    tx: &mut Tx,
    job: &Job,
    mut stored: store::Session,
    bills: Vec<Bill>,
) -> Result<Outcome, Trouble> {
    let given = Given::read(bills)?;
    if let Some(unplugged) = stored.unplugged.filter(|_| given.begins_anew(&stored)) {
        note_late(tx, job, &mut stored, unplugged).await?;
    }
    let followed = given.followed(&stored);
    let as_read = stored.updated_at;
    let again = Again::work_out(tx, job, stored, &given, followed).await?;
    if !again.worked.bill.is_final() {
        return pending(tx, job, &again.subject, &again.opening, &again.worked).await;
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
    // Also those that only earlier bills have moved.
    locked: Vec<Locked>,
    opening: Standing,
    moved: Moved,
}

impl Again {
    /// With the counters as the session found them: its first bill, or the first one that moved them.
    pub async fn work_out(
        tx: &mut Tx,
        job: &Job,
        stored: store::Session,
        given: &Given,
        followed: Option<Followed>,
    ) -> Result<Self, Trouble> {
        if given.bills.is_empty() {
            return Err(Trouble::Store(store::Error::refused("there is no bill to correct")));
        }
        let subject = Subject::read(tx, &job.org, &job.setup, stored, followed).await?;
        let moved = Moved::by(tx, &job.org, &given.bills).await?;
        let own = subject.scopes.iter().map(|(scope, name)| (name.as_str(), *scope));
        let scopes: BTreeMap<&str, Scope> =
            own.chain(moved.scopes().map(|(scope, name)| (name, scope))).collect();
        let locked = lock(tx, job, scopes.into_iter().map(|(name, scope)| (scope, name))).await?;
        let mut stands = Vec::with_capacity(subject.scopes.len());
        for (_, name) in &subject.scopes {
            let now = locked.iter().find(|scope| scope.name == *name).map(|scope| &scope.stands);
            stands.push(moved.opening(name).or(now).cloned().unwrap_or_default());
        }
        let opening = subject.opening(&stands);
        let worked = subject.price(tx, &job.org, &opening, None).await?;
        Ok(Self { subject, worked, locked, opening, moved })
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

    // Whatever the lists before counted, and for whom: what is the session's in a counter becomes what it is by this bill.
    fn moves(&self, given: &Given) -> Vec<StandingChange> {
        let zone = self.subject.course.zone();
        let mut days = vec![self.subject.days];
        days.extend(given.documents.iter().filter_map(|document| days_of(zone, document)));
        let mut moves = Vec::with_capacity(self.locked.len());
        for Locked { scope, name, row, stands } in &self.locked {
            let counts = self.subject.scopes.iter().any(|(_, own)| own == name);
            let mut by = Move::default();
            if counts {
                by.extend(moved(&self.opening, &self.worked.document.standing));
                by.retain(|counter, _| scope.has(counter));
            }
            for (counter, before) in self.moved.of(name, &days) {
                let now: &mut Decimal = by.entry(counter).or_default();
                *now = now.saturating_sub(before);
            }
            by.retain(|_, by| !by.is_zero());
            // A scope that is counted by is noted though nothing moves: where the session stands in it does not change any more.
            if counts || !by.is_empty() {
                let closing = after(stands, &by, self.subject.days);
                let closing = serde_json::to_string(&closing).unwrap_or_default();
                moves.push(StandingChange { scope: name.clone(), opening: row.clone(), closing });
            }
        }
        moves
    }
}

fn days_of(zone: &takst_engine::tariff::Zone, document: &Document) -> Option<Days> {
    let from = instant(&document.from).ok()?;
    let to = document.to.as_deref().and_then(|to| instant(to).ok()).unwrap_or(from);
    Some(Days::of(zone, (from, to)))
}
