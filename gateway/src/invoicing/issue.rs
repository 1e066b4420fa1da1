//! A bill becomes an invoice, a negative one a credit note: in the bill's own commit.

use super::{CANCELLED, Kid, Terms, way};
use crate::billing::printed_number;
use crate::invoices::kid;
use crate::ledger::debtor;
use crate::outbox::{RecallRequest, Request, Wanted, new};
use crate::store::{
    Bill, BillKind, Error, Intent, IntentKind, IntentState, Invoice, InvoiceKind, InvoiceStatus, InvoiceWay,
    OrgId, Tx, new_id,
};
use chrono::{Days, NaiveDate};
use takst_engine::calendar_time::local_text;
use takst_engine::document::Document;
use takst_engine::tariff::Zone;
use takst_engine::units::Instant;

/// Writes down that a bill goes by invoice, in the unit of work that issues it. `terms`: how its payer's invoices are sent, where he pays so. A negative
/// bill follows the invoices of its session, whatever the set-up says now. Whether it goes by invoice; if so nothing is charged.
///
/// # Errors
/// When the database fails.
pub async fn issued(
    tx: &mut Tx,
    org: &OrgId,
    bill: &Bill,
    document: &Document,
    (terms, zone): (Option<&Terms>, &Zone),
    now: Instant,
) -> Result<bool, Error> {
    let day = local_text(zone, bill.issued_at);
    let day = day.split_once('T').map_or("", |(day, _)| day).to_owned();
    if bill.total > 0 {
        let Some(terms) = terms else { return Ok(false) };
        let due = day
            .parse::<NaiveDate>()
            .ok()
            .and_then(|day| day.checked_add_days(Days::new(u64::from(terms.due_days))));
        let reference = match terms.kid {
            Some(kid) => Some(next_kid(tx, org, terms, kid).await?),
            None => None,
        };
        let first = if terms.channel.is_some() { InvoiceWay::Channel } else { InvoiceWay::Email };
        let made = Invoice {
            id: new_id(),
            bill: bill.id.clone(),
            session: bill.session.clone(),
            seller: bill.seller.clone(),
            debtor: debtor(document, &bill.id),
            number: printed_number(&bill.series, bill.number),
            kind: InvoiceKind::Invoice,
            corrects: None,
            currency: bill.currency.clone(),
            amount: bill.total,
            issued: day,
            due: due.map(|due| due.to_string()),
            reference,
            terms: serde_json::to_string(terms).unwrap_or_default(),
            status: InvoiceStatus::Waiting,
            way: first,
            reason: None,
            created_at: now,
            updated_at: now,
        };
        tx.add_invoice(org, &made).await?;
        way::begin(tx, org, made, now).await?;
        return Ok(true);
    }
    if bill.total < 0 && bill.kind != BillKind::Bill {
        return credited(tx, org, bill, day, now).await;
    }
    Ok(false)
}

// The next payment reference of the account that is paid to.
async fn next_kid(tx: &mut Tx, org: &OrgId, terms: &Terms, kid: Kid) -> Result<String, Error> {
    let account = one_spelling(&terms.account);
    loop {
        let number = u64::try_from(tx.next_invoice_reference(org, &account).await?).unwrap_or_default();
        let made = kid::Kid::of_parts(&[(number, kid.length.saturating_sub(1))], kid.method());
        let made = made.map_err(|error| {
            Error::refused(format!("no payment reference of {} places is left: {error}", kid.length))
        })?;
        // Not every bank's form takes the check digit `-`.
        if !made.as_str().ends_with('-') {
            return Ok(made.as_str().to_owned());
        }
    }
}

// However an account is written, it is one account.
fn one_spelling(account: &str) -> String {
    account.chars().filter(|c| c.is_alphanumeric()).collect()
}

// A credit note takes the invoice back where it settles all of it, else it follows by the same way.
async fn credited(tx: &mut Tx, org: &OrgId, bill: &Bill, day: String, now: Instant) -> Result<bool, Error> {
    let Some(session) = &bill.session else { return Ok(false) };
    let all = tx.session_invoices(org, session).await?;
    let good = |one: &&Invoice| one.kind == InvoiceKind::Invoice && one.status != InvoiceStatus::Cancelled;
    // The one that it names; a bill before it may have gone another way.
    let named = all.iter().filter(good).find(|one| Some(&one.bill) == bill.corrects.as_ref());
    let Some(invoice) = named.or_else(|| all.iter().rfind(good)) else { return Ok(false) };
    let invoice = tx.lock_invoice(org, &invoice.id).await?;
    let note = Invoice {
        id: new_id(),
        bill: bill.id.clone(),
        number: printed_number(&bill.series, bill.number),
        kind: InvoiceKind::CreditNote,
        corrects: Some(invoice.id.clone()),
        amount: bill.total,
        issued: day,
        due: None,
        status: InvoiceStatus::Waiting,
        reason: None,
        created_at: now,
        updated_at: now,
        ..invoice.clone()
    };
    tx.add_invoice(org, &note).await?;
    // Several invoices of a session are not taken back by one note.
    let alone = all.iter().filter(good).count() == 1;
    let owed: i64 = tx.session_bills(org, session).await?.iter().map(|bill| bill.total).sum();
    // A note for a part stands, so the one for the rest follows too.
    let whole = alone && owed <= 0 && bill.total.saturating_neg() == invoice.amount;
    match invoice.way {
        InvoiceWay::Channel if whole => {
            let sent = tx.intents_about(org, &invoice.id).await?;
            let waits =
                sent.iter().find(|one| one.kind == IntentKind::Invoice && one.state == IntentState::Waiting);
            let given_up = match waits {
                Some(intent) => give_up(tx, org, intent, now).await?,
                None => false,
            };
            if given_up {
                way::take_back(tx, org, invoice, &note, now).await?;
            } else {
                recall(tx, org, &invoice, &note, now).await?;
            }
        }
        _ if whole && invoice.status == InvoiceStatus::ToPrint => {
            way::take_back(tx, org, invoice, &note, now).await?;
        }
        _ => way::begin(tx, org, note, now).await?,
    }
    Ok(true)
}

// What waits is certainly not done, and is not asked for any more. False: it is being asked for by now.
async fn give_up(tx: &mut Tx, org: &OrgId, intent: &Intent, now: Instant) -> Result<bool, Error> {
    let locked = tx.lock_intent(org, &intent.id).await?;
    if locked.state != IntentState::Waiting {
        return Ok(false);
    }
    let over = Intent {
        state: IntentState::GivenUp,
        next_at: None,
        since: now,
        code: Some(CANCELLED.to_owned()),
        detail: Some("its bill was credited before it was sent".to_owned()),
        updated_at: now,
        finished_at: Some(now),
        ..locked
    };
    tx.update_intent(org, &over).await?;
    Ok(true)
}

async fn recall(
    tx: &mut Tx,
    org: &OrgId,
    invoice: &Invoice,
    note: &Invoice,
    now: Instant,
) -> Result<(), Error> {
    let Some(plugin) = Terms::of(invoice)?.channel else {
        return way::begin(tx, org, note.clone(), now).await;
    };
    let wanted = Wanted {
        // One for each credit note: an earlier one may have been refused.
        source: format!("recall:{}:{}", invoice.id, note.id),
        debtor: way::queue(invoice),
        plugin,
        subject: invoice.id.clone(),
        theirs: None,
        by: "billing".to_owned(),
    };
    let request = Request::Recall(RecallRequest { credit: note.id.clone() });
    if !tx.add_intent(org, &new(wanted, &request, now)).await? {
        return Err(Error::Conflict(format!("the invoice {} is being taken back for this note", invoice.id)));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::one_spelling;

    #[test]
    fn an_account_counts_its_references_once_however_it_is_written() {
        for spelling in ["86011117947", "8601 11 17947", "8601.11.17947", "8601\u{a0}11\u{a0}17947"] {
            assert_eq!(one_spelling(spelling), "86011117947", "{spelling}");
        }
        assert_eq!(one_spelling("NO93 8601 1117 947"), "NO9386011117947");
    }
}
