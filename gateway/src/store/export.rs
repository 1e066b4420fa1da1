//! Sessions for export: oldest first, page by page, with the bills that belong to them.

use super::error::Error;
use super::record::{OrgId, Record as _, all, key, record};
use super::sessions::{Session, SessionCursor};
use super::sql::{Reader, Value, args, places};
use takst_engine::units::Instant;

record! {
    /// A bill without its document.
    BillHead {
        /// The session it is for.
        session: String,
        /// The seller's series of numbers.
        series: String,
        /// Its number in the series.
        number: i64,
        /// 1 is the first one of a session.
        revision: i64,
        /// ISO 4217.
        currency: String,
        /// Minor units; of a correction what it changes.
        total: i64,
    }
}

/// Which sessions to export. All that is stated must hold.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ExportFilter {
    /// Plugged in at this time or later.
    pub from: Option<Instant>,
    /// Plugged in before this time.
    pub until: Option<Instant>,
    /// Of this site.
    pub site: Option<String>,
    /// Of this charger.
    pub charger: Option<String>,
}

impl Reader {
    /// Up to `limit` sessions behind `after`, oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn sessions_from(
        &mut self,
        org: &OrgId,
        filter: &ExportFilter,
        after: Option<&SessionCursor>,
        limit: i64,
    ) -> Result<Vec<Session>, Error> {
        let ExportFilter { from, until, site, charger } = filter;
        let mut sql = format!("SELECT {} FROM session_now WHERE org = $1", Session::COLUMNS);
        let mut values = args![limit];
        let mut add = |condition: &str, more: Vec<Value>| {
            let first = values.len() + 2;
            values.extend(more);
            sql.push_str(
                &condition.replace("?1", &format!("${first}")).replace("?2", &format!("${}", first + 1)),
            );
        };
        if let Some(site) = site {
            add(" AND site = ?1", args![key(site)]);
        }
        if let Some(charger) = charger {
            add(" AND charger = ?1", args![key(charger)]);
        }
        if let Some(until) = until {
            add(" AND plugged_in < ?1", args![*until]);
        }
        // Where the page begins is enough: all behind it is later than `from`.
        match (after, from) {
            (Some(SessionCursor { plugged_in, id }), _) => {
                add(" AND (plugged_in, id) > (?1, ?2)", args![*plugged_in, id.as_str()]);
            }
            (None, Some(from)) => add(" AND plugged_in >= ?1", args![*from]),
            (None, None) => {}
        }
        sql.push_str(" ORDER BY plugged_in, id LIMIT $2");
        all(&self.rows(org, &sql, values).await?)
    }

    /// The bills of these sessions, those of a session in the order of issue.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn bill_heads(&mut self, org: &OrgId, sessions: &[Session]) -> Result<Vec<BillHead>, Error> {
        if sessions.is_empty() {
            return Ok(Vec::new());
        }
        let sql = format!(
            "SELECT {} FROM bill WHERE org = $1 AND session IN ({}) ORDER BY session, revision",
            BillHead::COLUMNS,
            places(2, sessions.len())
        );
        let values = sessions.iter().flat_map(|session| args![session.id.as_str()]).collect();
        all(&self.rows(org, &sql, values).await?)
    }
}
