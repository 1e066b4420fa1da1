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
use std::collections::BTreeMap;
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
/// A later look goes back so far: a payment that was under way may have failed.
const BACK_MS: i64 = 3 * DAY_MS;
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
        let mut reminded = 0;
        for ((debtor, _), bills) in debtors {
            for bills in bills.chunks(MOST_BILLS) {
                reminded += usize::from(self.remind(&debtor, bills, (&messenger, &address), now).await?);
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
        let back = |ms: i64| Instant(now.0.saturating_sub(ms));
        let earliest =
            i64::try_from(LATEST_DAYS + 2).unwrap_or(0).saturating_add(days).saturating_mul(DAY_MS);
        let since = since.map(|since| Instant(since.0.saturating_sub(days * DAY_MS + BACK_MS)));
        let from = since.map_or(back(earliest), |since| since.max(back(earliest)));
        // A day has up to 25 hours, and zones differ.
        let until = back(days.saturating_sub(2).saturating_mul(DAY_MS));
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
                match self.is_due(terms, bill, now).await? {
                    When::Now(due) => {
                        let Due { bill, debtor } = *due;
                        debtors.entry((debtor, bill.currency.clone())).or_default().push(bill);
                    }
                    When::Morning => at_night = true,
                    When::Not => {}
                }
            }
            if last.is_none() {
                return Ok(at_night);
            }
        }
    }

    async fn is_due(&self, terms: &Terms, bill: Bill, now: Instant) -> Result<When, Error> {
        let org = self.house.org();
        let (head, document) = from_json(&bill.document).map_err(Error::Corrupt)?;
        let issued = head.issued.split_once('T').and_then(|(day, _)| day.parse::<NaiveDate>().ok());
        let filter = InvoiceFilter { bill: Some(bill.id.clone()), ..InvoiceFilter::default() };
        let invoice = self.store.read().await?.invoices(org, &filter, None, 1).await?.pop();
        // An invoice that has not reached its payer is not overdue, whatever it says.
        let arrived = |status| {
            matches!(status, InvoiceStatus::Sent | InvoiceStatus::Delivered | InvoiceStatus::Printed)
        };
        if invoice.as_ref().is_some_and(|invoice| !arrived(invoice.status)) {
            return Ok(When::Not);
        }
        let stated = invoice.and_then(|invoice| invoice.due?.parse::<NaiveDate>().ok());
        let due = stated.or_else(|| issued?.checked_add_days(Days::new(u64::from(terms.due_days))));
        let first = due.and_then(|due| due.checked_add_days(Days::new(u64::from(terms.after_days))));
        let last = first.and_then(|first| first.checked_add_days(Days::new(LATEST_DAYS)));
        let (Some(first), Some(last)) = (first, last) else { return Ok(When::Not) };
        let zone = document.site.as_deref().and_then(|site| self.house.zone(site)).unwrap_or(Tz::UTC);
        let Some(local) = DateTime::from_timestamp_millis(now.0).map(|at| at.with_timezone(&zone)) else {
            return Ok(When::Not);
        };
        if !(first..=last).contains(&local.date_naive()) {
            return Ok(When::Not);
        }
        let debtor = debtor(&document, &bill.id);
        Ok(if HOURS.contains(&local.hour()) {
            When::Now(Box::new(Due { bill, debtor }))
        } else {
            When::Morning
        })
    }

    // Whether a reminder was written down.
    async fn remind(
        &self,
        debtor: &str,
        bills: &[Bill],
        (messenger, address): (&str, &str),
        now: Instant,
    ) -> Result<bool, Error> {
        let org = self.house.org();
        let key = debtor.split_once(':').map_or("", |(_, key)| key);
        let person = self.store.read().await?.person(org, key).await?;
        let Some(person) = person.filter(|person| person.phone.is_some()) else { return Ok(false) };
        let language = language(Some(&person)).unwrap_or_else(|| "en".to_owned());
        let (owner, debtor, bills) = (org.clone(), debtor.to_owned(), bills.to_vec());
        let (messenger, address) = (messenger.to_owned(), address.to_owned());
        let lane = Lane::debtor(org, &debtor);
        let unit = async move |tx: &mut Tx| {
            let mut left = 0_i64;
            let mut open = Vec::new();
            for bill in &bills {
                let owed = open_amount(tx, &owner, &debtor, bill).await?;
                if owed > 0 {
                    left = left.saturating_add(owed);
                    open.push(bill);
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
    Not,
}

// What is left to pay of a bill that nobody was reminded of yet; nothing while a payment of it is under way.
async fn open_amount(tx: &mut Tx, org: &OrgId, debtor: &str, bill: &Bill) -> Result<i64, Error> {
    // A payment or a credit note that is being written at the same moment is seen, or waits.
    if let Some(session) = &bill.session {
        tx.lock_session(org, session).await?;
    }
    let owed = Owed::of(tx, org, bill).await?;
    if owed.open().is_some() {
        return Ok(0);
    }
    // By whomever, and also when it was taken back since.
    let reminders = tx.reminders(org, Some(debtor), None, 1_000).await?;
    let mut known = false;
    for reminder in &reminders {
        known |= reminder.bill_ids()?.contains(&bill.id);
    }
    Ok(if known { 0 } else { owed.left.clamp(0, bill.total) })
}
