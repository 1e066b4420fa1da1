//! Bills on their way to those who pay by invoice.

use super::error::Error;
use super::record::{OrgId, Record as _, all, one, record, words};
use super::sql::{Reader, args, places};
use super::tx::Tx;
use takst_engine::units::Instant;

words! {
    /// Which of the two documents.
    InvoiceKind {
        /// The payer owes money.
        Invoice = "invoice",
        /// The payer gets money, or owes less.
        CreditNote = "credit-note",
    }
}

words! {
    /// How it goes to the payer.
    InvoiceWay {
        /// Through a plugin, as an electronic invoice.
        Channel = "channel",
        /// By e-mail.
        Email = "email",
        /// On paper: somebody prints it.
        Paper = "paper",
    }
}

words! {
    /// How far it has come.
    InvoiceStatus {
        /// To be sent; the outbox says how that goes.
        Waiting = "waiting",
        /// On its way: the channel or the mail server has taken it over.
        Sent = "sent",
        /// With the payer.
        Delivered = "delivered",
        /// To be printed by a person.
        ToPrint = "to-print",
        /// A person has printed it.
        Printed = "printed",
        /// Taken back before it was paid.
        Cancelled = "cancelled",
        /// A credit note that nobody needs: the invoice was taken back.
        Settled = "settled",
    }
}

record! {
    /// A bill that is paid by invoice, or a credit note for one.
    Invoice {
        /// [`super::new_id`].
        id: String,
        /// The bill that it is.
        bill: String,
        /// The session of the bill.
        session: Option<String>,
        /// Who issued it.
        seller: String,
        /// Who owes it.
        debtor: String,
        /// The number of the bill, as printed.
        number: String,
        /// Invoice or credit note.
        kind: InvoiceKind,
        /// The invoice that a credit note belongs to.
        corrects: Option<String>,
        /// ISO 4217.
        currency: String,
        /// Minor units, with the sign of the bill.
        amount: i64,
        /// The day of the bill, "2026-03-29".
        issued: String,
        /// The day that it is to be paid by.
        due: Option<String>,
        /// What the payer writes on the payment: KID in Norway.
        reference: Option<String>,
        /// JSON: what the set-up said on the day of the bill (`invoicing::Terms`).
        terms: String,
        /// How far it has come.
        status: InvoiceStatus,
        /// How it goes, or went.
        way: InvoiceWay,
        /// Why it goes another way than the first, or was taken back.
        reason: Option<String>,
        /// When it was written down.
        created_at: Instant,
        /// When it last changed.
        updated_at: Instant,
    }
}

/// Which invoices to list. All that is stated must hold.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct InvoiceFilter {
    /// That stand so.
    pub status: Option<InvoiceStatus>,
    /// Of this debtor.
    pub debtor: Option<String>,
    /// Of this bill.
    pub bill: Option<String>,
}

impl Tx {
    /// Writes an invoice down.
    ///
    /// # Errors
    /// [`Error::Conflict`] when its bill has one already; when the database fails.
    pub async fn add_invoice(&mut self, org: &OrgId, invoice: &Invoice) -> Result<(), Error> {
        let sql = format!("INSERT INTO invoice (org, {}) VALUES ($1, {})", Invoice::COLUMNS, places(2, 19));
        self.run(org, &sql, invoice.values()).await.map(drop)
    }

    /// An invoice, locked until the commit.
    ///
    /// # Errors
    /// When there is none, or the database fails.
    pub async fn lock_invoice(&mut self, org: &OrgId, id: &str) -> Result<Invoice, Error> {
        let sql = format!(
            "UPDATE invoice SET updated_at = updated_at WHERE org = $1 AND id = $2 RETURNING {}",
            Invoice::COLUMNS
        );
        let row = self.returning(org, &sql, args![id]).await?;
        one(row.as_ref())?.ok_or_else(|| Error::Missing { what: "invoice", id: id.to_owned() })
    }

    /// Writes how an invoice stands: status, way, reason.
    ///
    /// # Errors
    /// When there is none, or the database fails.
    pub async fn update_invoice(&mut self, org: &OrgId, invoice: &Invoice) -> Result<(), Error> {
        let Invoice { id, status, way, reason, updated_at, .. } = invoice.clone();
        let sql = "UPDATE invoice SET status = $3, way = $4, reason = $5, updated_at = $6 WHERE org = $1 AND id = $2";
        let values = args![id.as_str(), status, way, reason, updated_at];
        self.must(org, ("invoice", &id), sql, values).await
    }

    /// The next number for a payment reference of this account: 1, 2, 3, ...
    ///
    /// # Errors
    /// When the database fails.
    pub async fn next_invoice_reference(&mut self, org: &OrgId, account: &str) -> Result<i64, Error> {
        let sql = "INSERT INTO invoice_reference (org, account, last) VALUES ($1, $2, 1)
                   ON CONFLICT (org, account) DO UPDATE SET last = invoice_reference.last + 1 RETURNING last";
        let row = self.returning(org, sql, args![account]).await?;
        row.ok_or_else(|| Error::Corrupt("an account gave no reference".to_owned()))?.get(0)
    }
}

impl Reader {
    /// An invoice.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn invoice(&mut self, org: &OrgId, id: &str) -> Result<Option<Invoice>, Error> {
        let sql = format!("SELECT {} FROM invoice WHERE org = $1 AND id = $2", Invoice::COLUMNS);
        one(self.row(org, &sql, args![id]).await?.as_ref())
    }

    /// The invoices and credit notes of a session, the first one first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn session_invoices(&mut self, org: &OrgId, session: &str) -> Result<Vec<Invoice>, Error> {
        let sql = format!(
            "SELECT {} FROM invoice WHERE org = $1 AND session = $2 ORDER BY +created_at, id",
            Invoice::COLUMNS
        );
        all(&self.rows(org, &sql, args![session]).await?)
    }

    /// Up to `limit` invoices behind `after` (time and id of the last one seen), newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn invoices(
        &mut self,
        org: &OrgId,
        filter: &InvoiceFilter,
        after: Option<(Instant, &str)>,
        limit: i64,
    ) -> Result<Vec<Invoice>, Error> {
        let InvoiceFilter { status, debtor, bill } = filter.clone();
        let mut sql = format!("SELECT {} FROM invoice WHERE org = $1", Invoice::COLUMNS);
        let mut values = args![limit];
        for (column, value) in [
            ("status", status.map(|status| args![status])),
            ("debtor", debtor.map(|text| args![text])),
            ("bill", bill.map(|text| args![text])),
        ] {
            if let Some(value) = value {
                values.extend(value);
                sql.push_str(&format!(" AND {column} = ${}", values.len() + 1));
            }
        }
        if let Some((at, id)) = after {
            sql.push_str(&format!(" AND (created_at, id) < (${}, ${})", values.len() + 2, values.len() + 3));
            values.extend(args![at, id]);
        }
        sql.push_str(" ORDER BY created_at DESC, id DESC LIMIT $2");
        all(&self.rows(org, &sql, values).await?)
    }
}
