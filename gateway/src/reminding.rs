//! Reminders: the link to a page where a debtor pays, the message that brings it, and those that go out by themselves when a bill is long due. Absent: the
//! page (`pay`), and how messages are sent (`outbox`, `plugins`).

use crate::billing::from_json;
use crate::house::House;
use crate::ledger::debtor;
use crate::outbox::provider::MessageRequest;
use crate::outbox::{Owed, message};
use crate::pay::words;
use crate::plugins::Plugins;
use crate::serve::Stop;
use crate::store::{
    AuditEntry, Bill, BillFilter, Error, InvoiceFilter, InvoiceStatus, Lane, OrgId, Person, Reminder, Store,
    Tx, new_id,
};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use chrono::{DateTime, Days, NaiveDate, Timelike as _};
use chrono_tz::Tz;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use takst_engine::units::{DAY_MS, Instant};
use takst_plugins::manifest::Capability;

/// Between two looks.
const EVERY: Duration = Duration::from_secs(600);
/// Nobody's telephone rings at night: hours of the site's clock.
const HOURS: Range<u32> = 9..18;
/// A bill that is overdue for longer was not reminded of in its time, because nothing was set up or nothing ran: a person decides.
const LATEST_DAYS: u64 = 14;
/// A later look goes back so far: a payment that was under way may have failed, or was given up after a week since its payer never finished it.
const BACK_MS: i64 = 10 * DAY_MS;
/// Of an invoice that goes out more than so many days after its bill a person reminds.
const LATE_DAYS: i64 = 60;
/// An invoice that stands so has reached its payer, or is on its way to him.
const ARRIVED: [InvoiceStatus; 3] = [InvoiceStatus::Sent, InvoiceStatus::Delivered, InvoiceStatus::Printed];
/// Bills that one reminder may be about.
pub const MOST_BILLS: usize = 50;
/// Bills that are read at once.
const PAGE: i64 = 200;
const BY: &str = "gateway";

/// A new reminder; nobody can guess its link.
#[must_use]
pub fn reminder(debtor: &str, bills: &[String], language: &str, by: &str, at: Instant) -> Reminder {
    Reminder {
        id: new_id(),
        token: BASE64_URL_SAFE_NO_PAD.encode(uuid::Uuid::new_v4().as_bytes()),
        debtor: debtor.to_owned(),
        bills: serde_json::to_string(bills).unwrap_or_default(),
        language: language.to_owned(),
        created_at: at,
        created_by: by.to_owned(),
        cancelled_at: None,
    }
}

/// The message that brings a reminder's link. `first`: one of its bills; `left`: what is left to pay, in minor units; `address`: how drivers reach this gateway.
#[must_use]
pub fn request(reminder: &Reminder, first: &Bill, left: i64, address: &str, driver: &str) -> MessageRequest {
    let words = words::of(&reminder.language);
    let link = format!("{address}/pay/{}", reminder.token);
    let amount = format!("{} {}", crate::api::money(left, &first.currency), first.currency);
    let seller = from_json(&first.document).map(|(head, _)| head.issued_by.name).unwrap_or_default();
    let text = words.message.replace("SELLER", &seller).replace("AMOUNT", &amount).replace("LINK", &link);
    let language = reminder.language.clone();
    MessageRequest { kind: "sms".to_owned(), driver: driver.to_owned(), text, language }
}

/// The language that a person is written to in.
#[must_use]
pub fn language(person: Option<&Person>) -> Option<String> {
    let document: Value = serde_json::from_str(&person?.document).ok()?;
    document.get("language")?.as_str().map(str::to_owned)
}

/// When a seller's drivers are reminded without anybody asking for it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Terms {
    /// The seller.
    pub seller: String,
    /// Days from a bill to the day that it is to be paid by.
    pub due_days: u32,
    /// Days from then to the reminder.
    pub after_days: u32,
}

/// Reminds by itself.
pub struct Reminding {
    store: Store,
    house: Arc<House>,
    plugins: Arc<Plugins>,
    // Up to when bills were looked at.
    looked: Mutex<Option<Instant>>,
}

// A bill that is overdue, and whose it is.
struct Due {
    bill: Bill,
    debtor: String,
}

impl Reminding {
    /// By this set-up, through these plugins.
    #[must_use]
    pub fn new(store: Store, house: Arc<House>, plugins: Arc<Plugins>) -> Self {
        Self { store, house, plugins, looked: Mutex::default() }
    }

    /// Looks until the server stops.
    pub async fn run(self, mut stop: Stop) {
        loop {
            match self.look(crate::clock::now()).await {
                Ok(0) => {}
                Ok(reminded) => tracing::info!(reminded, "debtors were reminded of bills that are overdue"),
                Err(error) => {
                    tracing::warn!(%error, "overdue bills could not be looked at; the next look is soon");
                }
            }
            if tokio::time::timeout(EVERY, stop.stopped()).await.is_ok() {
                return;
            }
        }
    }

    /// Reminds of what is overdue now; how many debtors.
    ///
    /// # Errors
    /// When the storage fails.
    pub async fn look(&self, now: Instant) -> Result<usize, Error> {
        let terms = self.house.reminding();
        let messenger = self.plugins.able(Capability::Notifier).into_iter().next();
        let payable = !self.plugins.able(Capability::PaymentProvider).is_empty();
        let (Some(address), Some((messenger, _)), true) = (self.house.web_address(), messenger, payable)
        else {
            return Ok(0);
        };
        let since = *self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        let mut debtors: BTreeMap<(String, String), Vec<Bill>> = BTreeMap::new();
        let mut at_night = false;
        for terms in &terms {
            at_night |= self.overdue(terms, (since, now), &mut debtors).await?;
        }
        if !terms.is_empty() {
            at_night |= self.late(&terms, (since, now), &mut debtors).await?;
        }
        let mut reminded = 0;
        for ((debtor, _), bills) in debtors {
            for bills in bills.chunks(MOST_BILLS) {
                reminded +=
                    usize::from(self.remind((&debtor, bills), &terms, (&messenger, &address), now).await?);
            }
        }
        // What is due at night is looked at again in the morning.
        if !at_night {
            *self.looked.lock().unwrap_or_else(PoisonError::into_inner) = Some(now);
        }
        Ok(reminded)
    }

    // Adds the overdue bills of a seller, by debtor and currency. Whether some wait for the morning.
    async fn overdue(
        &self,
        terms: &Terms,
        (since, now): (Option<Instant>, Instant),
        debtors: &mut BTreeMap<(String, String), Vec<Bill>>,
    ) -> Result<bool, Error> {
        let org = self.house.org();
        let days = i64::from(terms.due_days.saturating_add(terms.after_days));
        let from = earliest(terms, since, now);
        // A day has up to 25 hours, and zones differ.
        let until = Instant(now.0.saturating_sub(days.saturating_sub(2).saturating_mul(DAY_MS)));
        let filter = BillFilter {
            seller: Some(terms.seller.clone()),
            from: Some(from),
            until: Some(until),
            session: None,
        };
        let mut at_night = false;
        let mut last: Option<(Instant, String)> = None;
        loop {
            let after = last.as_ref().map(|(at, id)| (*at, id.as_str()));
            let bills = self.store.read().await?.bills(org, &filter, after, PAGE).await?;
            last = bills.last().map(|bill| (bill.issued_at, bill.id.clone()));
            for bill in bills.into_iter().filter(|bill| bill.total > 0) {
                at_night |= self.sort(terms, bill, now, debtors).await?;
            }
            if last.is_none() {
                return Ok(at_night);
            }
        }
    }

    // Adds what is overdue by an invoice that went out late: its bill is older than those that are looked through.
    async fn late(
        &self,
        all: &[Terms],
        (since, now): (Option<Instant>, Instant),
        debtors: &mut BTreeMap<(String, String), Vec<Bill>>,
    ) -> Result<bool, Error> {
        let org = self.house.org();
        let back = |days: i64| Instant(now.0.saturating_sub(days.saturating_mul(DAY_MS)));
        let latest = i64::try_from(LATEST_DAYS + 2).unwrap_or(0);
        let longest = all.iter().map(|terms| i64::from(terms.after_days)).max().unwrap_or(0);
        let begin = back(longest.saturating_add(latest).saturating_add(LATE_DAYS));
        let mut at_night = false;
        for status in ARRIVED {
            let filter = InvoiceFilter { status: Some(status), ..InvoiceFilter::default() };
            let mut last: Option<(Instant, String)> = None;
            loop {
                let after = last.as_ref().map(|(at, id)| (*at, id.as_str()));
                let page = self.store.read().await?.invoices(org, &filter, after, PAGE).await?;
                last = page.last().map(|one| (one.created_at, one.id.clone()));
                for invoice in page.iter().filter(|one| one.created_at >= begin) {
                    let Some(terms) = all.iter().find(|terms| terms.seller == invoice.seller) else {
                        continue;
                    };
                    let went_out = back(i64::from(terms.after_days).saturating_add(latest));
                    if invoice.amount <= 0 || invoice.updated_at < went_out {
                        continue;
                    }
                    let bill = self.store.read().await?.bill(org, &invoice.bill).await?;
                    let older = |bill: &Bill| bill.total > 0 && bill.issued_at < earliest(terms, since, now);
                    if let Some(bill) = bill.filter(older) {
                        at_night |= self.sort(terms, bill, now, debtors).await?;
                    }
                }
                if last.as_ref().is_none_or(|(at, _)| *at < begin) {
                    break;
                }
            }
        }
        Ok(at_night)
    }

    // Adds a bill that is overdue. Whether it waits for the morning.
    async fn sort(
        &self,
        terms: &Terms,
        bill: Bill,
        now: Instant,
        debtors: &mut BTreeMap<(String, String), Vec<Bill>>,
    ) -> Result<bool, Error> {
        match self.is_due(terms, bill, now).await? {
            When::Now(due) => {
                let Due { bill, debtor } = *due;
                debtors.entry((debtor, bill.currency.clone())).or_default().push(bill);
                Ok(false)
            }
            When::Morning => Ok(true),
            When::Past | When::Not => Ok(false),
        }
    }

    async fn is_due(&self, terms: &Terms, bill: Bill, now: Instant) -> Result<When, Error> {
        let org = self.house.org();
        let (head, document) = from_json(&bill.document).map_err(Error::Corrupt)?;
        let issued = head.issued.split_once('T').and_then(|(day, _)| day.parse::<NaiveDate>().ok());
        let filter = InvoiceFilter { bill: Some(bill.id.clone()), ..InvoiceFilter::default() };
        let invoice = self.store.read().await?.invoices(org, &filter, None, 1).await?.pop();
        // An invoice that has not reached its payer is not overdue, whatever it says.
        if invoice.as_ref().is_some_and(|invoice| !ARRIVED.contains(&invoice.status)) {
            return Ok(When::Not);
        }
        let zone = document.site.as_deref().and_then(|site| self.house.zone(site)).unwrap_or(Tz::UTC);
        let local = |at: Instant| DateTime::from_timestamp_millis(at.0).map(|at| at.with_timezone(&zone));
        // When it last changed is near enough to when it went out: it is sent, then at most delivered.
        let went_out =
            invoice.as_ref().and_then(|invoice| local(invoice.updated_at)).map(|at| at.date_naive());
        let stated = invoice.and_then(|invoice| invoice.due?.parse::<NaiveDate>().ok());
        let due = stated.or_else(|| issued?.checked_add_days(Days::new(u64::from(terms.due_days))));
        // Whoever has had it for a day is not late, whatever day is printed on it.
        let due = due.map(|due| went_out.map_or(due, |day| due.max(day)));
        let first = due.and_then(|due| due.checked_add_days(Days::new(u64::from(terms.after_days))));
        let last = first.and_then(|first| first.checked_add_days(Days::new(LATEST_DAYS)));
        let (Some(first), Some(last)) = (first, last) else { return Ok(When::Not) };
        let Some(local) = local(now) else { return Ok(When::Not) };
        if local.date_naive() < first {
            return Ok(When::Not);
        }
        if local.date_naive() > last {
            return Ok(When::Past);
        }
        let debtor = debtor(&document, &bill.id);
        Ok(if HOURS.contains(&local.hour()) {
            When::Now(Box::new(Due { bill, debtor }))
        } else {
            When::Morning
        })
    }

    // Of the sessions of these bills: the bills that are overdue, for however long. One that is written meanwhile is not.
    async fn ripe(&self, all: &[Terms], bills: &[Bill], now: Instant) -> Result<BTreeSet<String>, Error> {
        let sessions: BTreeSet<&String> = bills.iter().filter_map(|bill| bill.session.as_ref()).collect();
        let mut ripe: BTreeSet<String> = bills.iter().map(|bill| bill.id.clone()).collect();
        for session in sessions {
            let others = self.store.read().await?.session_bills(self.house.org(), session).await?;
            for bill in others.into_iter().filter(|bill| bill.total > 0) {
                let Some(terms) = all.iter().find(|terms| terms.seller == bill.seller) else { continue };
                let id = bill.id.clone();
                if !ripe.contains(&id) && !matches!(self.is_due(terms, bill, now).await?, When::Not) {
                    ripe.insert(id);
                }
            }
        }
        Ok(ripe)
    }

    // Whether a reminder was written down.
    async fn remind(
        &self,
        (debtor, bills): (&str, &[Bill]),
        terms: &[Terms],
        (messenger, address): (&str, &str),
        now: Instant,
    ) -> Result<bool, Error> {
        let org = self.house.org();
        let key = debtor.split_once(':').map_or("", |(_, key)| key);
        let person = self.store.read().await?.person(org, key).await?;
        let Some(person) = person.filter(|person| person.phone.is_some()) else { return Ok(false) };
        let language = language(Some(&person)).unwrap_or_else(|| "en".to_owned());
        let ripe = self.ripe(terms, bills, now).await?;
        let (owner, debtor, bills) = (org.clone(), debtor.to_owned(), Owed::together(bills));
        let (messenger, address) = (messenger.to_owned(), address.to_owned());
        let lane = Lane::debtor(org, &debtor);
        let unit = async move |tx: &mut Tx| {
            let mut left = 0_i64;
            let mut open = Vec::new();
            for group in &bills {
                let (owed, fresh) = open_amount(tx, &owner, &debtor, (group, &ripe)).await?;
                if owed > 0 {
                    left = left.saturating_add(owed);
                    open.extend(fresh);
                }
            }
            let Some(first) = open.first() else { return Ok(false) };
            let mut ids: Vec<String> = open.iter().map(|bill| bill.id.clone()).collect();
            ids.sort();
            let row = reminder(&debtor, &ids, &language, BY, now);
            tx.add_reminder(&owner, &row).await?;
            let request = request(&row, first, left, &address, &person.driver);
            let source = (format!("remind:{}", row.id), row.id.as_str(), messenger.as_str());
            message(tx, &owner, source, request, BY, now).await?;
            let document = json!({ "debtor": debtor, "bills": ids, "message": true });
            let entry = AuditEntry {
                id: new_id(),
                at: now,
                who: BY.to_owned(),
                what: "reminder.create".to_owned(),
                subject: row.id,
                before_doc: None,
                after_doc: Some(document.to_string()),
            };
            tx.audit(&owner, &entry).await?;
            Ok(true)
        };
        self.store.write(lane, unit).await
    }
}

enum When {
    Now(Box<Due>),
    Morning,
    // For so long that a person decides.
    Past,
    Not,
}

// A bill that was issued before this was looked at before, or is too old.
fn earliest(terms: &Terms, since: Option<Instant>, now: Instant) -> Instant {
    let days = i64::from(terms.due_days.saturating_add(terms.after_days));
    let all = i64::try_from(LATEST_DAYS + 2).unwrap_or(0).saturating_add(days).saturating_mul(DAY_MS);
    let all = Instant(now.0.saturating_sub(all));
    let since = since.map(|since| Instant(since.0.saturating_sub(days * DAY_MS + BACK_MS)));
    since.map_or(all, |since| since.max(all))
}

// What is left to pay of bills that stand together, and those of them that nobody was reminded of yet; nothing while a payment is under way.
async fn open_amount<'a>(
    tx: &mut Tx,
    org: &OrgId,
    debtor: &str,
    (group, ripe): (&'a [Bill], &BTreeSet<String>),
) -> Result<(i64, Vec<&'a Bill>), Error> {
    let Some(one) = group.first() else { return Ok((0, Vec::new())) };
    // A payment or a credit note that is being written at the same moment is seen, or waits.
    if let Some(session) = &one.session {
        tx.lock_session(org, session).await?;
    }
    let owed = Owed::of(tx, org, one).await?;
    if owed.open().is_some() {
        return Ok((0, Vec::new()));
    }
    // By whomever, and also when it was taken back since.
    let mut known = BTreeSet::new();
    for reminder in tx.reminders(org, Some(debtor), None, 1_000).await? {
        known.extend(reminder.bill_ids()?);
    }
    let fresh: Vec<&Bill> = group.iter().filter(|bill| !known.contains(&bill.id)).collect();
    let Some(newest) = fresh.last().map(|bill| bill.revision) else { return Ok((0, fresh)) };
    let all = match &one.session {
        Some(session) => tx.session_bills(org, session).await?,
        None => Vec::new(),
    };
    // What is not due yet is not missing, and of what came later and was reminded of nobody hears again.
    let of_others = all.iter().filter(|bill| bill.total > 0).filter(|bill| {
        let again = known.contains(&bill.id) && bill.revision > newest;
        again || !ripe.contains(&bill.id)
    });
    let others: i64 = of_others.map(|bill| owed.unpaid(bill)).sum();
    let most: i64 = fresh.iter().map(|bill| bill.total).sum();
    Ok((owed.left.saturating_sub(others).clamp(0, most.max(0)), fresh))
}
