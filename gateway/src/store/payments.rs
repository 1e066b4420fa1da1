//! Payments of bills, and the cards and agreements that debtors pay with.

use super::error::Error;
use super::record::{OrgId, Record as _, all, one, record, words};
use super::sql::{Reader, args, places};
use super::tx::Tx;
use takst_engine::units::Instant;

words! {
    /// How a payment stands.
    PaymentStatus {
        /// Written down; the provider was not asked yet, or what came of it is not known.
        Waiting = "waiting",
        /// On its way.
        Pending = "pending",
        /// The payer must do something.
        ActionNeeded = "action-needed",
        /// The money is set aside.
        Authorized = "authorized",
        /// The money is taken.
        Paid = "paid",
        /// Nothing was taken and nothing will be.
        Failed = "failed",
        /// Given up before anything was taken.
        Cancelled = "cancelled",
        /// The payer did not act in time.
        Expired = "expired",
        /// A person gave it up here.
        GivenUp = "given-up",
    }
}

words! {
    /// How a saved card or agreement stands.
    InstrumentStatus {
        /// Written down; the provider was not asked yet.
        Waiting = "waiting",
        /// The debtor must do something.
        ActionNeeded = "action-needed",
        /// It can be charged.
        Ready = "ready",
        /// It did not come about.
        Failed = "failed",
    }
}

record! {
    /// A payment of a bill.
    Payment {
        /// [`super::new_id`]; also our reference at the provider.
        id: String,
        /// The bill.
        bill: String,
        /// The session of the bill.
        session: Option<String>,
        /// Who gets the money.
        seller: String,
        /// Who pays.
        debtor: String,
        /// Through which provider.
        plugin: String,
        /// ISO 4217.
        currency: String,
        /// What was asked for, in minor units.
        amount: i64,
        /// How it stands.
        status: PaymentStatus,
        /// What was taken, as booked.
        captured: i64,
        /// What was given back of it, as booked.
        refunded: i64,
        /// The provider's name for it.
        theirs: Option<String>,
        /// Where the payer goes next.
        next: Option<String>,
        /// Why it failed, for people.
        failure: Option<String>,
        /// When it was written down.
        created_at: Instant,
        /// When it last changed.
        updated_at: Instant,
    }
}

record! {
    /// A saved card or agreement.
    Instrument {
        /// [`super::new_id`]; also our reference at the provider.
        id: String,
        /// Whose.
        debtor: String,
        /// At which provider.
        plugin: String,
        /// How it stands.
        status: InstrumentStatus,
        /// The provider's name for it.
        theirs: Option<String>,
        /// "Visa 4242": for people.
        label: Option<String>,
        /// Where the debtor goes to finish.
        next: Option<String>,
        /// Why it did not come about, for people.
        failure: Option<String>,
        /// When it was written down.
        created_at: Instant,
        /// When it last changed.
        updated_at: Instant,
    }
}

/// Which payments. All that is stated must hold.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PaymentFilter {
    /// Of this bill.
    pub bill: Option<String>,
    /// Of the bills of this session.
    pub session: Option<String>,
    /// Of this debtor.
    pub debtor: Option<String>,
    /// That stand so.
    pub status: Option<PaymentStatus>,
}

impl Tx {
    /// Writes a payment down.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn add_payment(&mut self, org: &OrgId, payment: &Payment) -> Result<(), Error> {
        let sql = format!("INSERT INTO payment (org, {}) VALUES ($1, {})", Payment::COLUMNS, places(2, 16));
        self.run(org, &sql, payment.values()).await.map(drop)
    }

    /// A payment, locked until the commit.
    ///
    /// # Errors
    /// When there is none, or the database fails.
    pub async fn lock_payment(&mut self, org: &OrgId, id: &str) -> Result<Payment, Error> {
        let sql = format!(
            "UPDATE payment SET updated_at = updated_at WHERE org = $1 AND id = $2 RETURNING {}",
            Payment::COLUMNS
        );
        let row = self.returning(org, &sql, args![id]).await?;
        one(row.as_ref())?.ok_or_else(|| Error::Missing { what: "payment", id: id.to_owned() })
    }

    /// Writes how a payment stands.
    ///
    /// # Errors
    /// When there is none, or the database fails.
    pub async fn update_payment(&mut self, org: &OrgId, payment: &Payment) -> Result<(), Error> {
        let Payment { id, status, captured, refunded, theirs, next, failure, updated_at, .. } =
            payment.clone();
        let sql = "UPDATE payment SET status = $3, captured = $4, refunded = $5, theirs = $6, next = $7, failure = $8, updated_at = $9
                   WHERE org = $1 AND id = $2";
        let values = args![id.as_str(), status, captured, refunded, theirs, next, failure, updated_at];
        self.must(org, ("payment", &id), sql, values).await
    }

    /// Writes an instrument down, or how it stands.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn put_instrument(&mut self, org: &OrgId, instrument: &Instrument) -> Result<(), Error> {
        let sql = format!(
            "INSERT INTO instrument (org, {}) VALUES ($1, {})
             ON CONFLICT (org, id) DO UPDATE SET status = excluded.status, theirs = excluded.theirs, label = excluded.label,
             next = excluded.next, failure = excluded.failure, updated_at = excluded.updated_at",
            Instrument::COLUMNS,
            places(2, 10)
        );
        self.run(org, &sql, instrument.values()).await.map(drop)
    }
}

impl Reader {
    /// A payment.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn payment(&mut self, org: &OrgId, id: &str) -> Result<Option<Payment>, Error> {
        let sql = format!("SELECT {} FROM payment WHERE org = $1 AND id = $2", Payment::COLUMNS);
        one(self.row(org, &sql, args![id]).await?.as_ref())
    }

    /// Up to `limit` payments behind `after` (time and id of the last one seen), newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn payments(
        &mut self,
        org: &OrgId,
        filter: &PaymentFilter,
        after: Option<(Instant, &str)>,
        limit: i64,
    ) -> Result<Vec<Payment>, Error> {
        let PaymentFilter { bill, session, debtor, status } = filter.clone();
        let mut sql = format!("SELECT {} FROM payment WHERE org = $1", Payment::COLUMNS);
        let mut values = Vec::new();
        for (condition, value) in [
            (" AND bill = ", bill.map(|text| args![text])),
            (" AND session = ", session.map(|text| args![text])),
            (" AND debtor = ", debtor.map(|text| args![text])),
            (" AND status = ", status.map(|word| args![word])),
        ] {
            if let Some(value) = value {
                values.extend(value);
                sql.push_str(&format!("{condition}${}", values.len() + 1));
            }
        }
        if let Some((at, id)) = after {
            sql.push_str(&format!(" AND (created_at, id) < (${}, ${})", values.len() + 2, values.len() + 3));
            values.extend(args![at, id]);
        }
        sql.push_str(&format!(" ORDER BY created_at DESC, id DESC LIMIT ${}", values.len() + 2));
        values.extend(args![limit]);
        all(&self.rows(org, &sql, values).await?)
    }

    /// An instrument.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn instrument(&mut self, org: &OrgId, id: &str) -> Result<Option<Instrument>, Error> {
        let sql = format!("SELECT {} FROM instrument WHERE org = $1 AND id = $2", Instrument::COLUMNS);
        one(self.row(org, &sql, args![id]).await?.as_ref())
    }

    /// All instruments of a debtor, newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn instruments(&mut self, org: &OrgId, debtor: &str) -> Result<Vec<Instrument>, Error> {
        let sql = format!(
            "SELECT {} FROM instrument WHERE org = $1 AND debtor = $2 ORDER BY created_at DESC, id DESC",
            Instrument::COLUMNS
        );
        all(&self.rows(org, &sql, args![debtor]).await?)
    }
}
