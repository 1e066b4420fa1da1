//! The ledger's rows: written once, never changed. What makes an entry a right one is the ledger's business.

use super::error::Error;
use super::record::{OrgId, Record as _, all, one, record, words};
use super::sql::{Reader, args, places};
use super::tx::Tx;
use takst_engine::units::Instant;

words! {
    /// What an account holds. Debit is positive.
    AccountKind {
        /// What a debtor owes (the owner: the debtor).
        Receivable = "receivable",
        /// What was sold, without VAT.
        Revenue = "revenue",
        /// What was taken back of it by credit notes, without VAT.
        Refunds = "refunds",
        /// VAT and other taxes to be handed on (the owner: the tax and its rate).
        Vat = "vat",
        /// Money that a payment provider holds for the seller (the owner: the plugin).
        Clearing = "clearing",
        /// What a payment provider kept for its work (the owner: the plugin).
        Fees = "fees",
        /// What is owed to the property (the owner: the site).
        Payable = "payable",
        /// What the property's share costs the seller (the owner: the site).
        SiteShare = "site-share",
        /// The seller's account at his bank.
        Bank = "bank",
    }
}

words! {
    /// What an entry records.
    EntryKind {
        /// The first bill of a session.
        Bill = "bill",
        /// What a later look changes in it.
        Correction = "correction",
        /// A credit note.
        Refund = "refund",
        /// Money that came from a debtor.
        Payment = "payment",
        /// Money that went back to him.
        PaidBack = "paid-back",
        /// Money that a provider handed over to the bank, and the fee it kept.
        Settlement = "settlement",
        /// Money that went to the property.
        Payout = "payout",
        /// The counter-entry of another entry.
        Reversal = "reversal",
    }
}

record! {
    /// The head of an entry.
    LedgerEntry {
        /// [`super::new_id`].
        id: String,
        /// What it records, as in `bill:ID`: booked once.
        source: String,
        /// What that is.
        kind: EntryKind,
        /// In whose books.
        seller: String,
        /// Who owes or paid.
        debtor: Option<String>,
        /// The bill it is about.
        bill: Option<String>,
        /// The payment it is about.
        payment: Option<String>,
        /// The entry that it takes back.
        reverses: Option<String>,
        /// The time that it is for.
        at: Instant,
        /// When it was written.
        booked_at: Instant,
        /// JSON: what else is known of it.
        document: String,
        /// SHA-256 of all of the above but `id` and `booked_at`, and of the lines.
        hash: String,
    }
}

record! {
    /// A line of an entry.
    LedgerLine {
        /// Its entry.
        entry: String,
        /// 1, 2, 3, ...
        line: i64,
        /// In whose books.
        seller: String,
        /// The account.
        account: AccountKind,
        /// Whose or which one; empty where there is one only.
        owner: String,
        /// ISO 4217.
        currency: String,
        /// Minor units, debit positive.
        amount: i64,
    }
}

/// What stands on an account.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Balance {
    /// In whose books.
    pub seller: String,
    /// The account.
    pub account: AccountKind,
    /// Whose or which one.
    pub owner: String,
    /// ISO 4217.
    pub currency: String,
    /// Minor units, debit positive.
    pub amount: i64,
    /// How many lines.
    pub lines: i64,
}

/// Which accounts or entries. All that is stated must hold.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct LedgerFilter {
    /// In the books of this seller.
    pub seller: Option<String>,
    /// Of this kind of account.
    pub account: Option<AccountKind>,
    /// Of this owner.
    pub owner: Option<String>,
    /// About this bill (entries only).
    pub bill: Option<String>,
}

impl Tx {
    /// Writes an entry. Whether it is new: a source that is there already writes nothing.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn add_ledger_entry(
        &mut self,
        org: &OrgId,
        entry: &LedgerEntry,
        lines: &[LedgerLine],
    ) -> Result<bool, Error> {
        let sql = format!(
            "INSERT INTO ledger_entry (org, {}) VALUES ($1, {}) ON CONFLICT (org, source) DO NOTHING",
            LedgerEntry::COLUMNS,
            places(2, 12)
        );
        if self.run(org, &sql, entry.values()).await? == 0 {
            return Ok(false);
        }
        let head = format!("INSERT INTO ledger_line (org, {})", LedgerLine::COLUMNS);
        self.insert_rows(org, &head, lines.iter().map(LedgerLine::values).collect(), "").await?;
        Ok(true)
    }
}

impl Reader {
    /// An entry.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn ledger_entry(&mut self, org: &OrgId, id: &str) -> Result<Option<LedgerEntry>, Error> {
        let sql = format!("SELECT {} FROM ledger_entry WHERE org = $1 AND id = $2", LedgerEntry::COLUMNS);
        one(self.row(org, &sql, args![id]).await?.as_ref())
    }

    /// The entry that records this.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn ledger_entry_of(&mut self, org: &OrgId, source: &str) -> Result<Option<LedgerEntry>, Error> {
        let sql = format!("SELECT {} FROM ledger_entry WHERE org = $1 AND source = $2", LedgerEntry::COLUMNS);
        one(self.row(org, &sql, args![source]).await?.as_ref())
    }

    /// The lines of an entry, in order.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn ledger_lines(&mut self, org: &OrgId, entry: &str) -> Result<Vec<LedgerLine>, Error> {
        let sql = format!(
            "SELECT {} FROM ledger_line WHERE org = $1 AND entry = $2 ORDER BY line",
            LedgerLine::COLUMNS
        );
        all(&self.rows(org, &sql, args![entry]).await?)
    }

    /// Up to `limit` entries behind `after` (time and id of the last one seen), newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn ledger_entries(
        &mut self,
        org: &OrgId,
        filter: &LedgerFilter,
        after: Option<(Instant, &str)>,
        limit: i64,
    ) -> Result<Vec<LedgerEntry>, Error> {
        let LedgerFilter { seller, account, owner, bill } = filter.clone();
        let mut sql = format!("SELECT {} FROM ledger_entry WHERE org = $1", LedgerEntry::COLUMNS);
        let mut values = Vec::new();
        for (condition, value) in [
            (" AND seller = ", seller.map(|text| args![text])),
            (" AND bill = ", bill.map(|text| args![text])),
        ] {
            if let Some(value) = value {
                values.extend(value);
                sql.push_str(&format!("{condition}${}", values.len() + 1));
            }
        }
        if account.is_some() || owner.is_some() {
            sql.push_str(" AND id IN (SELECT entry FROM ledger_line WHERE org = $1");
            if let Some(account) = account {
                values.extend(args![account]);
                sql.push_str(&format!(" AND account = ${}", values.len() + 1));
            }
            if let Some(owner) = owner {
                values.extend(args![owner]);
                sql.push_str(&format!(" AND owner = ${}", values.len() + 1));
            }
            sql.push(')');
        }
        if let Some((at, id)) = after {
            sql.push_str(&format!(" AND (at, id) < (${}, ${})", values.len() + 2, values.len() + 3));
            values.extend(args![at, id]);
        }
        sql.push_str(&format!(" ORDER BY at DESC, id DESC LIMIT ${}", values.len() + 2));
        values.extend(args![limit]);
        all(&self.rows(org, &sql, values).await?)
    }

    /// What stands on up to `limit` accounts behind `after` (of the last one seen), in the order of their names.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn balances(
        &mut self,
        org: &OrgId,
        filter: &LedgerFilter,
        after: Option<&Balance>,
        limit: i64,
    ) -> Result<Vec<Balance>, Error> {
        let LedgerFilter { seller, account, owner, bill: _ } = filter.clone();
        let mut sql = "SELECT seller, account, owner, currency, CAST(SUM(amount) AS BIGINT), COUNT(*)
                       FROM ledger_line WHERE org = $1"
            .to_owned();
        let mut values = Vec::new();
        for (condition, value) in [
            (" AND seller = ", seller.map(|text| args![text])),
            (" AND account = ", account.map(|kind| args![kind])),
            (" AND owner = ", owner.map(|text| args![text])),
        ] {
            if let Some(value) = value {
                values.extend(value);
                sql.push_str(&format!("{condition}${}", values.len() + 1));
            }
        }
        if let Some(Balance { seller, account, owner, currency, .. }) = after {
            let first = values.len() + 2;
            sql.push_str(&format!(" AND (seller, account, owner, currency) > ({})", places(first, 4)));
            values.extend(args![seller.as_str(), *account, owner.as_str(), currency.as_str()]);
        }
        sql.push_str(&format!(
            " GROUP BY seller, account, owner, currency ORDER BY seller, account, owner, currency LIMIT ${}",
            values.len() + 2
        ));
        values.extend(args![limit]);
        let rows = self.rows(org, &sql, values).await?;
        rows.iter()
            .map(|row| {
                Ok(Balance {
                    seller: row.get(0)?,
                    account: row.get(1)?,
                    owner: row.get(2)?,
                    currency: row.get(3)?,
                    amount: row.get(4)?,
                    lines: row.get(5)?,
                })
            })
            .collect()
    }

    /// What all lines come to, by currency: zero, or something is badly wrong.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn ledger_sums(&mut self, org: &OrgId) -> Result<Vec<(String, i64)>, Error> {
        let sql = "SELECT currency, CAST(SUM(amount) AS BIGINT) FROM ledger_line WHERE org = $1 GROUP BY currency ORDER BY currency";
        let rows = self.rows(org, sql, args![]).await?;
        rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect()
    }

    /// Up to `limit` entries, written at `since` or later, whose lines do not add up to zero in some currency.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn unbalanced_entries(
        &mut self,
        org: &OrgId,
        since: Instant,
        limit: i64,
    ) -> Result<Vec<(String, String, i64)>, Error> {
        let sql = "SELECT entry, currency, CAST(SUM(amount) AS BIGINT) FROM ledger_line
                   WHERE org = $1 AND entry IN (SELECT id FROM ledger_entry WHERE org = $1 AND booked_at >= $2)
                   GROUP BY entry, currency HAVING SUM(amount) <> 0 ORDER BY entry, currency LIMIT $3";
        let rows = self.rows(org, sql, args![since, limit]).await?;
        rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).collect()
    }

    /// Up to `limit` lines whose entry is not there.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn loose_ledger_lines(&mut self, org: &OrgId, limit: i64) -> Result<Vec<String>, Error> {
        let sql = "SELECT DISTINCT entry FROM ledger_line WHERE org = $1
                   AND entry NOT IN (SELECT id FROM ledger_entry WHERE org = $1) ORDER BY entry LIMIT $2";
        let rows = self.rows(org, sql, args![limit]).await?;
        rows.iter().map(|row| row.get(0)).collect()
    }

    /// Up to `limit` entries written at `since` or later, behind `after` (writing time and id), oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn ledger_since(
        &mut self,
        org: &OrgId,
        since: Instant,
        after: Option<(Instant, &str)>,
        limit: i64,
    ) -> Result<Vec<LedgerEntry>, Error> {
        let (at, id) = after.unwrap_or((since, ""));
        let sql = format!(
            "SELECT {} FROM ledger_entry WHERE org = $1 AND (booked_at, id) > ($2, $3) ORDER BY booked_at, id LIMIT $4",
            LedgerEntry::COLUMNS
        );
        all(&self.rows(org, &sql, args![at, id, limit]).await?)
    }

    /// Up to `limit` bills that the ledger does not know, oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn unbooked_bills(&mut self, org: &OrgId, limit: i64) -> Result<Vec<super::Bill>, Error> {
        let sql = format!(
            "SELECT {} FROM bill WHERE org = $1 AND NOT EXISTS
             (SELECT 1 FROM ledger_entry WHERE ledger_entry.org = $1 AND ledger_entry.source = 'bill:' || bill.id)
             ORDER BY issued_at, id LIMIT $2",
            super::Bill::COLUMNS
        );
        all(&self.rows(org, &sql, args![limit]).await?)
    }
}
