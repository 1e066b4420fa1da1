//! What stands together is counted together: the bills of a session, what was paid of them, what is on its way back. Absent: what providers are asked
//! (see `apply`), and what people and pages are told of it (see `owed`).
//!
//! - **Owed** is what the bills, corrections and credit notes of a session come to; never less than nothing.
//! - **Paid** is what was taken and not given back. What is open at a provider is not paid.
//! - What is paid beyond what is owed goes back, once: through the provider that took it, or by bank, by a person. First of the money that came last. What a
//!   refund that failed or was given up left undone is a person's.
//! - When nothing is owed any more, what is open at a provider is cancelled there. What it takes all the same goes back, and a person is told.
//! - The incident `payment.return` says of a payment how much of it is to be given back. It is counted anew with every change, and ends at nothing.

use super::intent::{self, RefundRequest, Request, Wanted};
use super::owed::is_open;
use super::provider::Money;
use super::returns::{OnItsWay, Returns};
use crate::ledger::BANK;
use crate::store::{
    Alert, Bill, Error, Incident, Intent, IntentKind, IntentState, OrgId, Payment, PaymentFilter,
    PaymentStatus, Reader, Tx,
};
use serde_json::{Value, json};
use takst_engine::units::Instant;

/// By whom it is cancelled and given back, when nobody asked for it.
pub(super) const BY: &str = "outbox";

/// Which bills and payments.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Which<'a> {
    pub session: Option<&'a str>,
    /// Without a session: this bill alone.
    pub bill: &'a str,
    pub currency: &'a str,
}

impl<'a> From<&'a Payment> for Which<'a> {
    fn from(payment: &'a Payment) -> Self {
        Self { session: payment.session.as_deref(), bill: &payment.bill, currency: &payment.currency }
    }
}

impl<'a> From<&'a Bill> for Which<'a> {
    fn from(bill: &'a Bill) -> Self {
        Self { session: bill.session.as_deref(), bill: &bill.id, currency: &bill.currency }
    }
}

/// How it stands with what stands together.
pub(super) struct Account {
    owed: i64,
    /// The newest first.
    shares: Vec<Share>,
}

// A payment with what is asked about it.
struct Share {
    payment: Payment,
    intents: Vec<Intent>,
    returns: Returns,
    // What a person has to see to, and was told of: what was taken unasked, and what refunds left undone that failed or were given up. What came back since is done.
    undone: i64,
}

impl Share {
    fn of(payment: Payment, intents: Vec<Intent>) -> Result<Self, Error> {
        let returns = Returns::of(&payment, &intents)?;
        // What a provider took beyond what it was asked for, a person puts right with it.
        let excess = payment.captured.saturating_sub(payment.amount).saturating_sub(returns.apart).max(0);
        let undone = excess.saturating_add(returns.undone);
        Ok(Self { payment, intents, returns, undone })
    }

    fn kept(&self) -> i64 {
        self.payment.captured.saturating_sub(self.payment.refunded)
    }

    fn coming_back(&self) -> i64 {
        self.returns.coming()
    }

    // What of it nobody has been asked for yet.
    fn room(&self) -> i64 {
        self.kept().saturating_sub(self.coming_back()).saturating_sub(self.undone).max(0)
    }
}

impl Account {
    /// As it stands; none when its bills are not known here.
    ///
    /// # Errors
    /// When the database fails, or a row cannot be read.
    pub async fn of(reader: &mut Reader, org: &OrgId, which: Which<'_>) -> Result<Option<Self>, Error> {
        let bills = match which.session {
            Some(session) => reader.session_bills(org, session).await?,
            None => reader.bill(org, which.bill).await?.into_iter().collect(),
        };
        if bills.is_empty() {
            return Ok(None);
        }
        let filter = match which.session {
            Some(session) => PaymentFilter { session: Some(session.to_owned()), ..PaymentFilter::default() },
            None => PaymentFilter { bill: Some(which.bill.to_owned()), ..PaymentFilter::default() },
        };
        let mut shares = Vec::new();
        for payment in reader.payments(org, &filter, None, 1_000).await? {
            if payment.currency == which.currency {
                let intents = reader.intents_about(org, &payment.id).await?;
                shares.push(Share::of(payment, intents)?);
            }
        }
        let owed = bills.iter().fold(0_i64, |sum, bill| sum.saturating_add(bill.total)).max(0);
        Ok(Some(Self { owed, shares }))
    }

    /// The same; another change of it that is being written at the same moment is seen, or waits.
    ///
    /// # Errors
    /// As [`Self::of`].
    pub async fn locked(tx: &mut Tx, org: &OrgId, which: Which<'_>) -> Result<Option<Self>, Error> {
        if let Some(session) = which.session {
            // Of a session that was erased the bills stay.
            tx.lock_session(org, session).await?;
        }
        Self::of(tx, org, which).await
    }

    fn sum(&self, of: impl Fn(&Share) -> i64) -> i64 {
        self.shares.iter().fold(0, |sum, share| sum.saturating_add(of(share)))
    }

    /// What is still to be paid when all has gone back that is on its way, in minor units; 0 or less: nothing.
    pub fn left(&self) -> i64 {
        let paid = self.sum(Share::kept).saturating_sub(self.sum(Share::coming_back));
        self.owed.saturating_sub(paid)
    }

    /// What was paid beyond what is owed and no provider is asked to give back, in minor units.
    pub fn beyond(&self) -> i64 {
        self.left().saturating_neg().saturating_sub(self.sum(|share| share.undone)).max(0)
    }

    /// What a refund that was not asked for yet is still to give back, in minor units.
    pub fn beyond_for(&self, refund: &str) -> i64 {
        let asked = |share: &Share| {
            let others = share.returns.open.iter().filter(|back| back.called && back.intent != refund);
            others.fold(share.undone, |sum, back| sum.saturating_add(back.amount))
        };
        self.sum(Share::kept).saturating_sub(self.owed).saturating_sub(self.sum(asked)).max(0)
    }
}

/// What an account is counted anew for.
#[derive(Clone, Copy, Default)]
pub(super) struct Cause<'a> {
    /// The payment that has just taken money: it gives back first.
    pub just: Option<&'a str>,
    /// What the payer reads of what he gets back.
    pub reason: Option<&'a str>,
    /// By whom.
    pub by: Option<&'a str>,
}

/// Counts an account anew, in the unit of work that has changed it: what was paid beyond what is owed is given back, what is open is cancelled when
/// nothing is owed, and incidents say what is to be given back now.
///
/// # Errors
/// When the database fails.
pub(super) async fn count(
    tx: &mut Tx,
    org: &OrgId,
    which: Which<'_>,
    cause: Cause<'_>,
    now: Instant,
) -> Result<(), Error> {
    let Some(mut account) = Account::locked(tx, org, which).await? else { return Ok(()) };
    let mut free = account.beyond();
    let quiet = |share: &Share| {
        share.payment.plugin != BANK && share.intents.iter().all(|row| row.kind != IntentKind::Refund)
    };
    // The usual case: nothing goes back or did, and no incident can be open.
    let told = match free == 0 && account.shares.iter().all(quiet) {
        true => Vec::new(),
        false => tx.open_incidents(org).await?,
    };
    let told = |payment: &Payment| told_of(&told, payment);
    // What a person was told stays as it is for as long as it is true.
    let mut by_bank: Vec<i64> = Vec::with_capacity(account.shares.len());
    for share in &account.shares {
        let stays = match share.payment.plugin == BANK {
            true => told(&share.payment).unwrap_or(0).min(share.room()).min(free),
            false => 0,
        };
        free = free.saturating_sub(stays);
        by_bank.push(stays);
    }
    let mut shares: Vec<(Share, i64)> = account.shares.drain(..).zip(by_bank).collect();
    shares.sort_by_key(|(share, _)| cause.just != Some(share.payment.id.as_str()));
    for (share, by_bank) in &mut shares {
        let more = share.room().saturating_sub(*by_bank).min(free).max(0);
        free = free.saturating_sub(more);
        let before = told(&share.payment);
        if share.payment.plugin == BANK {
            *by_bank = by_bank.saturating_add(more);
            tell(tx, org, &share.payment, (before, *by_bank), now).await?;
            continue;
        }
        if more > 0 {
            let refund = refund(tx, org, share, (more, cause), now).await?;
            share.returns.open.push(OnItsWay { intent: refund, called: false, amount: more });
        }
        // What a credit note gives back is no news; what should not have been taken is.
        let is_news = more > 0 && cause.just == Some(share.payment.id.as_str());
        if is_news || before.is_some() {
            tell(tx, org, &share.payment, (before, share.coming_back()), now).await?;
        }
    }
    account.shares = shares.into_iter().map(|(share, _)| share).collect();
    if account.left() <= 0 {
        for share in &account.shares {
            cancel(tx, org, share, now).await?;
        }
    }
    Ok(())
}

// Writes a refund down; its id.
async fn refund(
    tx: &mut Tx,
    org: &OrgId,
    share: &Share,
    (amount, cause): (i64, Cause<'_>),
    now: Instant,
) -> Result<String, Error> {
    let payment = &share.payment;
    let nth = share.intents.iter().filter(|row| row.kind == IntentKind::Refund).count() + 1;
    let wanted = Wanted {
        source: format!("refund:{}:{nth}", payment.id),
        debtor: payment.debtor.clone(),
        plugin: payment.plugin.clone(),
        subject: payment.id.clone(),
        theirs: payment.theirs.clone(),
        by: cause.by.unwrap_or(BY).to_owned(),
    };
    let request = Request::Refund(RefundRequest::new(
        Money { minor: amount, currency: payment.currency.clone() },
        cause.reason.unwrap_or("More was paid than was owed").to_owned(),
    ));
    let row = intent::new(wanted, &request, now);
    if !tx.add_intent(org, &row).await? {
        return Err(Error::Conflict(format!("the payment {} is being given back already", payment.id)));
    }
    Ok(row.id)
}

// Cancels a payment that is open at its provider. One that nobody was asked for yet is not asked for (see `apply`); one whose outcome is not known is looked at
// again when it is.
async fn cancel(tx: &mut Tx, org: &OrgId, share: &Share, now: Instant) -> Result<(), Error> {
    let Share { payment, intents, .. } = share;
    if !is_open(payment.status) {
        return Ok(());
    }
    // Once while the payer may still act, and once when the money is set aside: a provider may refuse the one and do the other.
    let word = if payment.status == PaymentStatus::Authorized { "authorized" } else { "open" };
    let_go(tx, org, (payment, intents), word, now).await
}

/// Has a payment cancelled that its provider has and that took nothing, once for each `word`; unless it is being cancelled.
///
/// # Errors
/// When the database fails.
pub(super) async fn let_go(
    tx: &mut Tx,
    org: &OrgId,
    (payment, intents): (&Payment, &[Intent]),
    word: &str,
    now: Instant,
) -> Result<(), Error> {
    if payment.captured > 0 || payment.theirs.is_none() {
        return Ok(());
    }
    let is_asked = |row: &Intent| match row.kind {
        IntentKind::Cancel => row.finished_at.is_none() || row.state == IntentState::Done,
        // It is not asked for, or its answer says what became of it.
        IntentKind::Capture => row.finished_at.is_none(),
        _ => false,
    };
    let charge = intents.iter().find(|row| row.kind == IntentKind::Charge);
    let Some(charge) = charge.filter(|_| !intents.iter().any(is_asked)) else { return Ok(()) };
    let wanted = Wanted {
        source: format!("cancel:{}:{word}", payment.id),
        debtor: payment.debtor.clone(),
        plugin: payment.plugin.clone(),
        subject: payment.id.clone(),
        theirs: payment.theirs.clone(),
        by: BY.to_owned(),
    };
    let cancel = intent::new(wanted, &Request::Cancel, now);
    // In the place of its charge: what this debtor is to pay besides does not hold it up.
    tx.add_intent(org, &Intent { place: charge.place, ..cancel }).await.map(drop)
}

fn alert(payment: &Payment) -> Alert<'_> {
    Alert { subject: &payment.id, kind: "payment.return", severity: "warning" }
}

// What the open incident says is to be given back of a payment, in minor units; none when there is none.
fn told_of(open: &[Incident], payment: &Payment) -> Option<i64> {
    let alert = alert(payment);
    let open = open.iter().find(|one| one.kind == alert.kind && one.subject == alert.subject)?;
    let document: Value = serde_json::from_str(&open.document).unwrap_or_default();
    Some(document.get("amount_minor").and_then(Value::as_i64).unwrap_or_default())
}

// One incident with the last amount; nothing ends it.
async fn tell(
    tx: &mut Tx,
    org: &OrgId,
    payment: &Payment,
    (before, amount): (Option<i64>, i64),
    now: Instant,
) -> Result<(), Error> {
    if before.unwrap_or(0) == amount && before != Some(0) {
        return Ok(());
    }
    let reason = match payment.plugin.as_str() {
        BANK => "this came by bank and is to be given back by bank".to_owned(),
        plugin => format!("this was taken when less was owed; `{plugin}` is asked to give it back"),
    };
    let document = json!({
        "payment": payment.id, "bill": payment.bill, "debtor": payment.debtor, "amount_minor": amount, "currency": payment.currency,
        "reason": reason,
    });
    tx.settle(org, alert(payment), &document, now).await?;
    if amount > 0 {
        tx.raise(org, alert(payment), &document, now).await?;
    }
    Ok(())
}
