//! Bills: written once, numbered without holes, together with the counters they moved.

use super::error::Error;
use super::events::NewEvent;
use super::record::{OrgId, Record as _, all, key, one, record, words};
use super::sessions::Billing;
use super::sql::{Reader, args, places};
use super::tx::Tx;
use takst_engine::units::Instant;

words! {
    /// What a bill is.
    BillKind {
        /// The first of its session.
        Bill = "bill",
        /// What a later look changes in it.
        Correction = "correction",
        /// Money back.
        Refund = "refund",
    }
}

record! {
    /// A bill, as it was issued. It is never changed.
    Bill {
        /// [`super::new_id`].
        id: String,
        /// The session it is for.
        session: Option<String>,
        /// Who issued it.
        seller: String,
        /// The seller's series of numbers.
        series: String,
        /// 1, 2, 3, ... within the series.
        number: i64,
        /// What it is.
        kind: BillKind,
        /// 1 is the first one of a session.
        revision: i64,
        /// The bill that a correction or refund belongs to.
        corrects: Option<String>,
        /// When.
        issued_at: Instant,
        /// As in the document: `final`.
        status: String,
        /// ISO 4217.
        currency: String,
        /// Minor units; negative when the driver gets money.
        total: i64,
        /// JSON: the hashes of all it was made from.
        hashes: String,
        /// JSON: the bill, word for word.
        document: String,
    }
}

/// A bill that is yet to be numbered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewBill {
    /// [`super::new_id`].
    pub id: String,
    /// The session it is for.
    pub session: Option<String>,
    /// Who issues it.
    pub seller: String,
    /// The seller's series of numbers.
    pub series: String,
    /// What it is.
    pub kind: BillKind,
    /// 1 is the first one of a session.
    pub revision: i64,
    /// The bill that a correction or refund belongs to.
    pub corrects: Option<String>,
    /// When.
    pub issued_at: Instant,
    /// `final`.
    pub status: String,
    /// ISO 4217.
    pub currency: String,
    /// Minor units.
    pub total: i64,
    /// JSON.
    pub hashes: String,
}

/// What a bill does to a standing counter.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StandingChange {
    /// Whose counter.
    pub scope: String,
    /// JSON of the counter the bill was worked out with, as [`Tx::lock_standing`] gave it.
    pub opening: Standing,
    /// JSON of the counter after it.
    pub closing: String,
}

/// A counter that runs over sessions: what is left of an allowance, how much of a cap is used.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Standing {
    /// How many bills have moved it.
    pub posting: i64,
    /// JSON; `{}` before the first.
    pub document: String,
}

record! {
    /// One move of a counter.
    StandingPosting {
        /// Whose counter.
        scope: String,
        /// Its place in the order of posting: 1, 2, 3, ...
        posting: i64,
        /// The bill that moved it.
        bill: String,
        /// JSON before.
        opening: String,
        /// JSON after.
        closing: String,
        /// When.
        at: Instant,
    }
}

/// A scope of counters as it is stored: what is too long for an index is shortened.
#[must_use]
pub fn scope_key(scope: &str) -> String {
    key(scope)
}

/// Which bills to list. All that is stated must hold.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct BillFilter {
    /// Of this session.
    pub session: Option<String>,
    /// Of this seller.
    pub seller: Option<String>,
    /// Issued at this time or later.
    pub from: Option<Instant>,
    /// Issued before this time.
    pub until: Option<Instant>,
}

impl Tx {
    /// A counter, locked until the commit: nobody else posts to it in between. Lock several in the order of
    /// their names.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn lock_standing(&mut self, org: &OrgId, scope: &str, at: Instant) -> Result<Standing, Error> {
        // An update, even of nothing, is the lock that both databases have.
        let sql = "INSERT INTO standing (org, scope, posting, document, updated_at) VALUES ($1, $2, 0, '{}', $3)
                   ON CONFLICT (org, scope) DO UPDATE SET posting = standing.posting RETURNING posting, document";
        let row = self.returning(org, sql, args![key(scope), at]).await?;
        let row = row.ok_or_else(|| Error::Corrupt("a counter gave nothing".to_owned()))?;
        Ok(Standing { posting: row.get(0)?, document: row.get(1)? })
    }

    /// Issues a bill: takes its number, keeps it, moves the counters, drops the preview, marks the session as
    /// billed, logs the event. All of it or nothing. `document` is given the number and makes the JSON of the
    /// bill.
    ///
    /// # Errors
    /// [`Error::Conflict`] when that revision of the session's bill is there; [`Error::Refused`] when a
    /// counter has moved since it was locked, or whatever `document` fails with.
    pub async fn issue_bill(
        &mut self,
        org: &OrgId,
        bill: &NewBill,
        standing: &[StandingChange],
        event: NewEvent,
        document: impl FnOnce(i64) -> Result<String, Error>,
    ) -> Result<Bill, Error> {
        let number = self.next_bill_number(org, &bill.seller, &bill.series).await?;
        let bill = bill.clone().numbered(number, document(number)?);
        let sql = format!("INSERT INTO bill (org, {}) VALUES ($1, {})", Bill::COLUMNS, places(2, 14));
        self.run(org, &sql, bill.values()).await?;
        for change in standing {
            self.post(org, change, &bill).await?;
        }
        if let Some(session) = &bill.session {
            self.set_billing(org, session, Billing::Billed).await?;
            self.drop_preview(org, session).await?;
        }
        self.log_event(org, event);
        Ok(bill)
    }

    async fn next_bill_number(&mut self, org: &OrgId, seller: &str, series: &str) -> Result<i64, Error> {
        let sql = "INSERT INTO bill_series (org, seller, series, last) VALUES ($1, $2, $3, 1)
                   ON CONFLICT (org, seller, series) DO UPDATE SET last = bill_series.last + 1 RETURNING last";
        let row = self.returning(org, sql, args![seller, series]).await?;
        row.ok_or_else(|| Error::Corrupt("a bill series gave no number".to_owned()))?.get(0)
    }

    async fn post(&mut self, org: &OrgId, change: &StandingChange, bill: &Bill) -> Result<(), Error> {
        let StandingChange { scope, opening, closing } = change;
        let posting = opening.posting + 1;
        let sql = "UPDATE standing SET posting = $3, document = $4, updated_at = $5
                   WHERE org = $1 AND scope = $2 AND posting = $6";
        let values = args![key(scope), posting, closing.as_str(), bill.issued_at, opening.posting];
        if self.run(org, sql, values).await? == 0 {
            return Err(Error::refused(format!(
                "the counter `{scope}` has moved since the bill was worked out"
            )));
        }
        let sql = "INSERT INTO standing_posting (org, scope, posting, bill, opening, closing, at) VALUES ($1, $2, $3, $4, $5, $6, $7)";
        let values = args![
            key(scope),
            posting,
            bill.id.as_str(),
            opening.document.as_str(),
            closing.as_str(),
            bill.issued_at
        ];
        self.run(org, sql, values).await.map(drop)
    }
}

impl NewBill {
    fn numbered(self, number: i64, document: String) -> Bill {
        let Self {
            id,
            session,
            seller,
            series,
            kind,
            revision,
            corrects,
            issued_at,
            status,
            currency,
            total,
            hashes,
        } = self;
        Bill {
            id,
            session,
            seller,
            series,
            number,
            kind,
            revision,
            corrects,
            issued_at,
            status,
            currency,
            total,
            hashes,
            document,
        }
    }
}

impl Reader {
    /// A bill.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn bill(&mut self, org: &OrgId, id: &str) -> Result<Option<Bill>, Error> {
        let sql = format!("SELECT {} FROM bill WHERE org = $1 AND id = $2", Bill::COLUMNS);
        one(self.row(org, &sql, args![id]).await?.as_ref())
    }

    /// A bill by its number.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn bill_by_number(
        &mut self,
        org: &OrgId,
        seller: &str,
        series: &str,
        number: i64,
    ) -> Result<Option<Bill>, Error> {
        let sql = format!(
            "SELECT {} FROM bill WHERE org = $1 AND seller = $2 AND series = $3 AND number = $4",
            Bill::COLUMNS
        );
        one(self.row(org, &sql, args![seller, series, number]).await?.as_ref())
    }

    /// The bills of a session, the first one first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn session_bills(&mut self, org: &OrgId, session: &str) -> Result<Vec<Bill>, Error> {
        let sql =
            format!("SELECT {} FROM bill WHERE org = $1 AND session = $2 ORDER BY revision", Bill::COLUMNS);
        all(&self.rows(org, &sql, args![session]).await?)
    }

    /// Up to `limit` bills behind `after` (time of issue and id of the last one seen), newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn bills(
        &mut self,
        org: &OrgId,
        filter: &BillFilter,
        after: Option<(Instant, &str)>,
        limit: i64,
    ) -> Result<Vec<Bill>, Error> {
        let BillFilter { session, seller, from, until } = filter.clone();
        let mut sql = format!("SELECT {} FROM bill WHERE org = $1", Bill::COLUMNS);
        let mut values = Vec::new();
        for (condition, value) in [
            (" AND session = ", session.map(|text| args![text])),
            (" AND seller = ", seller.map(|text| args![text])),
            (" AND issued_at >= ", from.map(|at| args![at])),
            (" AND issued_at < ", until.map(|at| args![at])),
        ] {
            if let Some(value) = value {
                values.extend(value);
                sql.push_str(&format!("{condition}${}", values.len() + 1));
            }
        }
        if let Some((at, id)) = after {
            sql.push_str(&format!(" AND (issued_at, id) < (${}, ${})", values.len() + 2, values.len() + 3));
            values.extend(args![at, id]);
        }
        sql.push_str(&format!(" ORDER BY issued_at DESC, id DESC LIMIT ${}", values.len() + 2));
        values.extend(args![limit]);
        all(&self.rows(org, &sql, values).await?)
    }

    /// The last number of a series; 0 before the first bill.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn last_bill_number(&mut self, org: &OrgId, seller: &str, series: &str) -> Result<i64, Error> {
        let sql = "SELECT last FROM bill_series WHERE org = $1 AND seller = $2 AND series = $3";
        self.row(org, sql, args![seller, series]).await?.map_or(Ok(0), |row| row.get(0))
    }

    /// A counter as it stands; nothing is locked.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn standing(&mut self, org: &OrgId, scope: &str) -> Result<Option<Standing>, Error> {
        let sql = "SELECT posting, document FROM standing WHERE org = $1 AND scope = $2";
        let row = self.row(org, sql, args![key(scope)]).await?;
        row.map(|row| Ok(Standing { posting: row.get(0)?, document: row.get(1)? })).transpose()
    }

    /// What a bill moved.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn bill_postings(&mut self, org: &OrgId, bill: &str) -> Result<Vec<StandingPosting>, Error> {
        let sql = format!(
            "SELECT {} FROM standing_posting WHERE org = $1 AND bill = $2 ORDER BY scope, posting",
            StandingPosting::COLUMNS
        );
        all(&self.rows(org, &sql, args![bill]).await?)
    }

    /// Up to `limit` moves of a counter after the one numbered `after`, in the order of posting.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn postings(
        &mut self,
        org: &OrgId,
        scope: &str,
        after: i64,
        limit: i64,
    ) -> Result<Vec<StandingPosting>, Error> {
        let sql = format!(
            "SELECT {} FROM standing_posting WHERE org = $1 AND scope = $2 AND posting > $3 ORDER BY posting LIMIT $4",
            StandingPosting::COLUMNS
        );
        all(&self.rows(org, &sql, args![key(scope), after, limit]).await?)
    }
}
