//! The first bill of a session, in one unit of work.

use super::counters::{Scope, closed};
use super::issued::{Head, to_json};
use super::lists::{news, note, noted};
use super::session::span;
use super::work::{Hashes, Subject, Trouble, Worked};
use super::{CHANGED, Job, Outcome, Seller, again};
use crate::feeds::cost;
use crate::store::{self, Bill, BillKind, Billing, NewBill, Preview, StandingChange, Tx, WaitingFor};
use crate::{invoicing, ledger, mail, meters, outbox};
use serde_json::json;
use takst_engine::Standing;
use takst_engine::calendar_time::utc_text;
use takst_engine::document::Document;
use takst_engine::tariff::Zone;
use takst_engine::units::Instant;

/// Bills a session that is due.
pub(super) async fn bill(tx: &mut Tx, job: &Job) -> Result<Outcome, store::Error> {
    // All of its row may be written again: what another program writes meanwhile waits.
    tx.lock_session(&job.org, &job.session).await?;
    let Some(stored) = tx.session(&job.org, &job.session).await? else { return Ok(Outcome::NotDue) };
    if stored.billing != Billing::Due || stored.hold {
        return Ok(Outcome::NotDue);
    }
    let bills = tx.session_bills(&job.org, &job.session).await?;
    let result = if bills.is_empty() {
        issue(tx, job, stored).await
    } else {
        again::by_itself(tx, job, stored, bills).await
    };
    match result {
        Ok(outcome) => Ok(outcome),
        Err(Trouble::Hold(reason)) => put_aside(tx, job, &reason).await,
        Err(Trouble::Store(error)) => Err(error),
    }
}

/// Leaves a session that cannot be worked out to a person, and says why: it is held back, or its bill stays as it is until somebody has
/// decided.
pub(super) async fn put_aside(tx: &mut Tx, job: &Job, reason: &str) -> Result<Outcome, store::Error> {
    if !tx.session_bills(&job.org, &job.session).await?.is_empty() {
        let why = format!("it was to be worked out again, and cannot be: {reason}");
        return job.undecided(tx, &why).await;
    }
    tx.set_hold(&job.org, &job.session, true, (reason, "gateway"), job.now).await?;
    let document = json!({ "session": job.session, "by": "billing", "reason": reason });
    tx.log_event(&job.org, job.event("session.suspect", &document));
    Ok(Outcome::Held(reason.to_owned()))
}

/// Notes what came into force while a session ran and was not known of it then: it may have been told of late.
pub(super) async fn note_late(
    tx: &mut Tx,
    job: &Job,
    stored: &mut store::Session,
    unplugged: Instant,
) -> Result<(), store::Error> {
    let news = news(&*job.setup.tariffs, &job.org, stored, unplugged).into_iter();
    let news = news.map(|(next, kept)| noted(&next, kept, None)).collect();
    note(tx, &job.org, stored, (news, false), job.now).await.map(drop)
}

/// A session without a bill, and what it comes to.
struct First {
    seller: Seller,
    subject: Subject,
    scopes: Vec<Locked>,
    opening: Standing,
    worked: Worked,
    /// When its row was last written.
    as_read: Instant,
}

async fn work_out(tx: &mut Tx, job: &Job, mut stored: store::Session) -> Result<First, Trouble> {
    let seller = seller(job, &stored)?;
    let Some(unplugged) = stored.unplugged else {
        return Err(Trouble::Hold("nobody knows when it ended".to_owned()));
    };
    note_late(tx, job, &mut stored, unplugged).await?;
    let as_read = stored.updated_at;
    let subject = Subject::read(tx, &job.org, &job.setup, stored, None).await?;
    let own = subject.scopes.iter().map(|(scope, name)| (*scope, name.as_str()));
    let scopes = lock(tx, job, own).await?;
    let opening = subject.opening(&scopes.iter().map(|scope| scope.stands.clone()).collect::<Vec<_>>());
    let mut worked = subject.price(tx, &job.org, &opening, None).await?;
    if subject.cost().is_some() && !worked.lacks_cost {
        let at = cost::asked_at(span(&subject.session));
        if !meters::fits(tx, &job.org, &subject.stored, at, job.now).await? {
            // With it the sessions of the month took more than the meters saw: the price has been taken back.
            worked = subject.price(tx, &job.org, &opening, None).await?;
        }
    }
    Ok(First { seller, subject, scopes, opening, worked, as_read })
}

/// Whether a session without a bill can get one, now or when prices come.
pub(super) async fn can_be_billed(tx: &mut Tx, job: &Job, stored: store::Session) -> Result<(), Trouble> {
    work_out(tx, job, stored).await.map(drop)
}

async fn issue(tx: &mut Tx, job: &Job, stored: store::Session) -> Result<Outcome, Trouble> {
    let First { seller, subject, scopes, opening, worked, as_read } = work_out(tx, job, stored).await?;
    if !worked.bill.is_final() {
        return pending(tx, job, &subject, &opening, &worked).await;
    }
    let moves = scopes
        .into_iter()
        .map(|scope| {
            let closing =
                closed(scope.scope, &scope.stands, &opening, &worked.document.standing, subject.days);
            scope.change(&closing)
        })
        .collect::<Vec<_>>();
    let revision = Revision { kind: BillKind::Bill, number: 1, corrects: None, event: "bill.issued" };
    let zone = subject.course.zone();
    let issued = put(tx, job, &seller, zone, revision, &worked.document, &worked.hashes(), &moves).await?;
    subject.keep(tx, &job.org).await?;
    unchanged(tx, job, as_read).await?;
    Ok(Outcome::Billed(Box::new(issued)))
}

/// Who issues the bill.
pub(super) fn seller(job: &Job, stored: &store::Session) -> Result<Seller, Trouble> {
    let seller = stored.seller.as_deref().ok_or_else(|| {
        Trouble::Hold("nobody is named who issues its bill; give its site a `seller`".to_owned())
    })?;
    job.setup
        .sellers
        .seller(&job.org, seller)
        .ok_or_else(|| Trouble::Hold(format!("its seller `{seller}` is not set up")))
}

/// A scope of counters, locked.
pub(super) struct Locked {
    pub scope: Scope,
    pub name: String,
    pub row: store::Standing,
    pub stands: Standing,
}

impl Locked {
    pub fn change(self, closing: &Standing) -> StandingChange {
        let closing = serde_json::to_string(closing).unwrap_or_default();
        StandingChange { scope: self.name, opening: self.row, closing }
    }
}

/// Locks scopes, given in the order of their names, so that nobody waits in a circle.
pub(super) async fn lock<'a>(
    tx: &mut Tx,
    job: &Job,
    scopes: impl Iterator<Item = (Scope, &'a str)>,
) -> Result<Vec<Locked>, Trouble> {
    let mut locked = Vec::new();
    for (scope, name) in scopes {
        let row = tx.lock_standing(&job.org, name, job.now).await?;
        let stands = parse(&row.document)?;
        locked.push(Locked { scope, name: name.to_owned(), row, stands });
    }
    Ok(locked)
}

/// Counters as they are stored.
pub(super) fn parse(document: &str) -> Result<Standing, Trouble> {
    Standing::from_json(document)
        .map_err(|error| Trouble::Store(store::Error::Corrupt(format!("counters: {error}"))))
}

/// Keeps what can be said so far, and what is waited for.
pub(super) async fn pending(
    tx: &mut Tx,
    job: &Job,
    subject: &Subject,
    opening: &Standing,
    worked: &Worked,
) -> Result<Outcome, Trouble> {
    // A price that came while this was worked out would wake nobody: it could not know that somebody waits. Whoever brings one from here on
    // has to wait for the commit, and finds the session waiting.
    let again = match tx.lock_prices(&job.org).await? {
        true => Some(subject.price(tx, &job.org, opening, None).await?),
        false => None,
    };
    if again.as_ref().is_some_and(|again| again.bill.is_final()) {
        return Err(Trouble::Store(store::Error::refused(CHANGED)));
    }
    let worked = again.as_ref().unwrap_or(worked);
    let waiting = subject.missing(tx, &job.org, worked).await?;
    let before = tx.preview_waits(&job.org, &job.session).await?;
    let document = serde_json::to_string(&worked.document).unwrap_or_default();
    let preview = Preview { session: job.session.clone(), document, updated_at: job.now };
    tx.put_preview(&job.org, &preview, &waiting).await?;
    if before != waiting {
        let wait = |wait: &WaitingFor| json!({ "feed": wait.feed, "area": wait.area, "until": utc_text(wait.until) });
        let document =
            json!({ "session": job.session, "waits_for": waiting.iter().map(wait).collect::<Vec<_>>() });
        tx.log_event(&job.org, job.event("bill.pending", &document));
    }
    Ok(Outcome::Pending(waiting))
}

/// Which bill of a session.
pub(super) struct Revision {
    pub kind: BillKind,
    pub number: i64,
    pub corrects: Option<String>,
    pub event: &'static str,
}

/// Gives a document its number and keeps it, with all that goes with it.
#[expect(clippy::too_many_arguments, reason = "everything that stands or falls with a bill")]
pub(super) async fn put(
    tx: &mut Tx,
    job: &Job,
    seller: &Seller,
    zone: &Zone,
    revision: Revision,
    document: &Document,
    hashes: &Hashes,
    moves: &[StandingChange],
) -> Result<Bill, Trouble> {
    let Revision { kind, number, corrects, event } = revision;
    let total = super::issued::minor(&document.total)
        .ok_or_else(|| Trouble::Hold(format!("its total `{}` is no amount", document.total)))?;
    let new = NewBill {
        id: job.bill.clone(),
        session: Some(job.session.clone()),
        seller: seller.id.clone(),
        series: seller.series.clone(),
        kind,
        revision: number,
        corrects: corrects.clone(),
        issued_at: job.now,
        status: document.status.to_owned(),
        currency: document.currency.clone(),
        total,
        hashes: serde_json::to_string(hashes).unwrap_or_default(),
    };
    let document =
        Document { corrects, revision: u32::try_from(number).unwrap_or(u32::MAX), ..document.clone() };
    let told = json!({
        "session": job.session, "bill": job.bill, "seller": seller.id, "kind": kind.as_str(),
        "total": document.total, "currency": document.currency, "energy_kwh": document.energy_kwh,
    });
    let event = job.event(event, &told);
    let make = |number: i64| {
        let head = Head::new((&seller.series, number), (&seller.id, seller.into()), job.now, zone);
        to_json(&head, &job.bill, &document).map_err(store::Error::Corrupt)
    };
    let bill = tx.issue_bill(&job.org, &new, moves, event, make).await?;
    // The ledger and what is to be asked of others stand or fall with the bill.
    ledger::book_bill(tx, &job.org, &bill, &document, job.now).await?;
    let driver = document.payer.as_deref().or(document.driver.as_deref());
    let invoicing = driver.and_then(|driver| job.setup.sellers.invoicing(&job.org, &seller.id, driver));
    let goes = (invoicing.as_ref(), zone);
    let by_invoice = invoicing::issued(tx, &job.org, &bill, &document, goes, job.now).await?;
    // An invoice is the bill: it needs no receipt besides.
    if let Some(driver) = driver.filter(|_| !by_invoice && job.setup.sellers.mails_receipts(&job.org)) {
        mail::receipt(tx, &job.org, &bill, driver, job.now).await?;
    }
    // What is paid by invoice is not taken from a card besides. What was paid before goes back the way it came.
    let charged = seller.payments.clone().filter(|_| !by_invoice);
    let terms = charged.map(|plugin| {
        let instrument = driver.and_then(|driver| job.setup.sellers.instrument(&job.org, driver));
        outbox::Terms { plugin, instrument }
    });
    outbox::issued(tx, &job.org, &bill, &document, terms.as_ref(), job.now).await?;
    Ok(bill)
}

/// Refuses when the session was changed since it was read: possible where several programs share a database. From here to
/// the commit its row is locked.
pub(super) async fn unchanged(
    tx: &mut Tx,
    job: &Job,
    as_read: takst_engine::units::Instant,
) -> Result<(), Trouble> {
    let now = tx.session(&job.org, &job.session).await?;
    if now.is_some_and(|now| now.updated_at == as_read) {
        Ok(())
    } else {
        Err(Trouble::Store(store::Error::refused(CHANGED)))
    }
}
