//! What is left to pay of a bill, as its payments stand. For people and pages; nothing is decided here.

use super::Outbox;
use super::intent::{self, Request, Wanted};
use super::provider::MessageRequest;
use crate::store::{Bill, Error, OrgId, Payment, PaymentFilter, PaymentStatus, Reader, Tx};
use std::time::Duration;
use takst_engine::units::Instant;

/// How it stands with what a bill asks for. Bills of one session stand together: a credit note counts against its bill.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Owed {
    /// Minor units that are left to pay; 0 when nothing is, and less when there is a credit.
    pub left: i64,
    /// The payments, the newest first.
    pub payments: Vec<Payment>,
}

impl Owed {
    /// What is left to pay of this bill.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn of(reader: &mut Reader, org: &OrgId, bill: &Bill) -> Result<Self, Error> {
        let filter = match &bill.session {
            Some(session) => PaymentFilter { session: Some(session.clone()), ..PaymentFilter::default() },
            None => PaymentFilter { bill: Some(bill.id.clone()), ..PaymentFilter::default() },
        };
        let payments = reader.payments(org, &filter, None, 1_000).await?;
        let owed = match &bill.session {
            Some(session) => reader.session_bills(org, session).await?.iter().map(|bill| bill.total).sum(),
            None => bill.total,
        };
        let owed = Self { left: owed, payments };
        Ok(Self { left: owed.left.saturating_sub(owed.kept()), ..owed })
    }

    /// What was paid and not given back, in minor units.
    #[must_use]
    pub fn kept(&self) -> i64 {
        self.payments.iter().map(|payment| payment.captured.saturating_sub(payment.refunded)).sum()
    }

    /// What is left to pay of several bills together, in minor units: bills of one session count once, and a credit pays no other bill.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn left_of(reader: &mut Reader, org: &OrgId, bills: &[Bill]) -> Result<i64, Error> {
        let mut left = 0_i64;
        for first in Self::together(bills).iter().filter_map(|group| group.first()) {
            left = left.saturating_add(Self::of(reader, org, first).await?.left.max(0));
        }
        Ok(left)
    }

    /// The bills by what stands together: those of one session, the oldest first; every other bill alone.
    #[must_use]
    pub fn together(bills: &[Bill]) -> Vec<Vec<Bill>> {
        let mut groups: Vec<Vec<Bill>> = Vec::new();
        for bill in bills {
            let same = |group: &&mut Vec<Bill>| {
                bill.session.is_some() && group.first().is_some_and(|first| first.session == bill.session)
            };
            match groups.iter_mut().find(same) {
                Some(group) => group.push(bill.clone()),
                None => groups.push(vec![bill.clone()]),
            }
        }
        for group in &mut groups {
            group.sort_by_key(|bill| bill.revision);
        }
        groups
    }

    /// What is left to pay of this bill by itself, in minor units: only payments that name it count.
    #[must_use]
    pub fn unpaid(&self, bill: &Bill) -> i64 {
        let of_bill = self.payments.iter().filter(|payment| payment.bill == bill.id);
        let paid: i64 = of_bill.map(|payment| payment.captured.saturating_sub(payment.refunded)).sum();
        bill.total.saturating_sub(paid).max(0)
    }

    /// The payment that may still take money by itself.
    #[must_use]
    pub fn open(&self) -> Option<&Payment> {
        self.payments.iter().find(|payment| is_open(payment.status))
    }
}

/// Whether a payment may still take money by itself.
#[must_use]
pub fn is_open(status: PaymentStatus) -> bool {
    matches!(
        status,
        PaymentStatus::Waiting
            | PaymentStatus::Pending
            | PaymentStatus::ActionNeeded
            | PaymentStatus::Authorized
    )
}

/// Between two looks at what became of a question.
const GLANCE: Duration = Duration::from_millis(100);

impl Outbox {
    /// Has a provider asked now how a payment stands, and waits for the answer so long: the payment as it is then.
    ///
    /// # Errors
    /// When there is none, or the storage fails.
    pub async fn ask(
        &self,
        org: &OrgId,
        payment: &Payment,
        patience: Duration,
        now: Instant,
    ) -> Result<Payment, Error> {
        let theirs = payment.theirs.as_deref().unwrap_or_default();
        self.hint(org, &payment.plugin, (theirs, Some(&payment.id)), now).await?;
        // What is due is being asked; what comes of it is due later, or over.
        self.wait(org, &payment.id, patience, |payment, due| {
            !is_open(payment.status) || due.is_none_or(|due| due > now)
        })
        .await
    }

    /// Waits until a payment that was begun has somewhere to go to, or is over: the payment as it is then.
    ///
    /// # Errors
    /// As [`Self::ask`].
    pub async fn begun(&self, org: &OrgId, payment: &str, patience: Duration) -> Result<Payment, Error> {
        self.wait(org, payment, patience, |payment, _| payment.next.is_some() || !is_open(payment.status))
            .await
    }

    async fn wait(
        &self,
        org: &OrgId,
        id: &str,
        patience: Duration,
        enough: impl Fn(&Payment, Option<Instant>) -> bool,
    ) -> Result<Payment, Error> {
        let end = tokio::time::Instant::now() + patience;
        loop {
            let mut reader = self.inner.store.read().await?;
            let missing = || Error::Missing { what: "payment", id: id.to_owned() };
            let payment = reader.payment(org, id).await?.ok_or_else(missing)?;
            let rows = reader.intents_about(org, id).await?;
            drop(reader);
            let due = rows.iter().filter_map(|row| row.next_at).min();
            if enough(&payment, due) || tokio::time::Instant::now() >= end {
                return Ok(payment);
            }
            tokio::time::sleep(GLANCE).await;
        }
    }
}

/// Writes down a message that is to be sent once, in the unit of work that causes it. Whether it is new: `source` names what causes it.
///
/// # Errors
/// When the database fails.
pub async fn message(
    tx: &mut Tx,
    org: &OrgId,
    (source, subject, plugin): (String, &str, &str),
    message: MessageRequest,
    by: &str,
    now: Instant,
) -> Result<bool, Error> {
    // A queue of its own: no payment waits for a message.
    let wanted = Wanted {
        debtor: source.clone(),
        source,
        plugin: plugin.to_owned(),
        subject: subject.to_owned(),
        theirs: None,
        by: by.to_owned(),
    };
    tx.add_intent(org, &intent::new(wanted, &Request::Message(message), now)).await
}
