//! Entries into the database, in the commit of what they record.

use super::book;
use super::posting::Posting;
use crate::billing::from_json;
use crate::store::{Bill, Error, Lane, LedgerLine, OrgId, Store, Tx};
use takst_engine::document::Document;
use takst_engine::units::Instant;

/// Writes an entry in this unit of work. Whether it is new.
///
/// # Errors
/// [`Error::Refused`] when what it records is booked already with other lines; or the database fails.
pub async fn post(tx: &mut Tx, org: &OrgId, posting: &Posting, now: Instant) -> Result<bool, Error> {
    let (entry, lines) = posting.rows(now);
    if tx.add_ledger_entry(org, &entry, &lines).await? {
        return Ok(true);
    }
    let differs = || Error::refused(format!("`{}` is booked already, and with other lines", entry.source));
    let there = tx.ledger_entry_of(org, &entry.source).await?.ok_or_else(differs)?;
    let plain = |line: LedgerLine| LedgerLine { entry: String::new(), ..line };
    let booked = tx.ledger_lines(org, &there.id).await?;
    if booked.into_iter().map(plain).eq(lines.into_iter().map(plain)) { Ok(false) } else { Err(differs()) }
}

/// Books a bill in the unit of work that issues it. Whether it is new.
///
/// # Errors
/// When its figures do not add up (a fault in the program), or the database fails.
pub async fn book_bill(
    tx: &mut Tx,
    org: &OrgId,
    bill: &Bill,
    document: &Document,
    now: Instant,
) -> Result<bool, Error> {
    let posting = book::bill(bill, document).map_err(|error| Error::Corrupt(error.to_string()))?;
    post(tx, org, &posting, now).await
}

/// Writes an entry of its own. Whether it is new. One that was taken back can be booked again: it gets the next free name.
///
/// # Errors
/// As [`post`].
pub async fn record(store: &Store, org: &OrgId, posting: Posting, now: Instant) -> Result<bool, Error> {
    let owner = org.clone();
    let unit = async move |tx: &mut Tx| {
        let mut posting = posting.clone();
        let first = posting.head().source.clone();
        for nth in 2.. {
            let Some(there) = tx.ledger_entry_of(&owner, &posting.head().source).await? else { break };
            if tx.ledger_entry_of(&owner, &book::source_of_reversal(&there.id)).await?.is_none() {
                break;
            }
            posting = posting.under(format!("{first}#{nth}"));
        }
        post(tx, &owner, &posting, now).await
    };
    store.write(Lane::org(org), unit).await
}

/// Takes an entry back by its counter-entry. Whether that is new.
///
/// # Errors
/// When there is no such entry, it is a counter-entry itself, or the database fails.
pub async fn reverse(
    store: &Store,
    org: &OrgId,
    id: &str,
    (reason, by): (&str, &str),
    now: Instant,
) -> Result<bool, Error> {
    let (owner, id, reason, by) = (org.clone(), id.to_owned(), reason.to_owned(), by.to_owned());
    store
        .write(Lane::org(org), async move |tx| {
            let entry = tx.ledger_entry(&owner, &id).await?;
            let entry = entry.ok_or_else(|| Error::Missing { what: "entry", id: id.clone() })?;
            if !matches!(
                entry.kind,
                crate::store::EntryKind::Settlement | crate::store::EntryKind::Payout
            ) {
                return Err(Error::refused(
                    "only settlements and payouts are taken back by hand; bills and payments are corrected by bills and payments",
                ));
            }
            let lines = tx.ledger_lines(&owner, &id).await?;
            let posting = book::reversal(&entry, &lines, &reason, &by, now)
                .map_err(|error| Error::Corrupt(error.to_string()))?;
            post(tx, &owner, &posting, now).await
        })
        .await
}

/// Books the bills that are older than the ledger; how many.
///
/// # Errors
/// When the storage fails, or a bill cannot be booked; those before it are.
pub async fn back_fill(store: &Store, org: &OrgId, now: Instant) -> Result<u64, Error> {
    const AT_ONCE: i64 = 200;
    let mut booked = 0;
    loop {
        let bills = store.read().await?.unbooked_bills(org, AT_ONCE).await?;
        if bills.is_empty() {
            return Ok(booked);
        }
        let owner = org.clone();
        booked += store
            .write(Lane::org(org), async move |tx| {
                let mut new = 0;
                for bill in &bills {
                    let (_, document) = from_json(&bill.document)
                        .map_err(|why| Error::Corrupt(format!("bill {}: {why}", bill.id)))?;
                    new += u64::from(book_bill(tx, &owner, bill, &document, now).await?);
                }
                Ok(new)
            })
            .await?;
    }
}
