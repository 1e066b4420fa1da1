//! What chargers reported, as received. Everything else about sessions can be worked out again from here.

use super::about::About;
use super::error::{Error, Trouble};
use super::record::{OrgId, Record as _, all, key, key_of, one, record};
use super::sql::{Reader, Value, args};
use super::tx::Tx;
use takst_engine::units::Instant;

record! {
    /// Something a charger reported.
    Fact {
        /// [`super::new_id`]: sorts in the order of receipt.
        id: String,
        /// `start`, `stop`, `meter`, `status`, ...
        kind: String,
        /// When it happened by the charger's clock.
        station_at: Option<Instant>,
        /// When it arrived.
        received_at: Instant,
        /// What makes two reports the same; none when every report is its own.
        dedupe: Option<String>,
        /// JSON.
        document: String,
        /// The session it belongs to.
        session: Option<String>,
        /// JSON of what the charger was answered: the same report again gets the same answer.
        answer: Option<String>,
    }
}

/// What became of a fact.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Appended {
    /// It is new and kept.
    New,
    /// It was there. This is how it was kept then, with its answer.
    Known(Box<Fact>),
}

pub(super) const FACT_HEAD: &str = "INSERT INTO station_fact (org, charger, id, kind, station_at, received_at, dedupe, document, session, answer)";

fn row_of(charger: &str, fact: &Fact) -> Vec<Value> {
    let Fact { id, kind, station_at, received_at, dedupe, document, session, answer } = fact.clone();
    let dedupe = key_of(dedupe.as_deref());
    args![key(charger), id, kind, station_at, received_at, dedupe, document, session, answer]
}

// One fact of a charger, by something that no other of its facts has.
fn sql_of(by: &str) -> String {
    format!("SELECT {} FROM station_fact WHERE org = $1 AND charger = $2 AND {by} = $3", Fact::COLUMNS)
}

impl Tx {
    /// Keeps a fact, unless one of this charger with the same `dedupe` is there.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn append_fact(&mut self, org: &OrgId, charger: &str, fact: &Fact) -> Result<Appended, Error> {
        let sql =
            format!("{FACT_HEAD} VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING");
        let met = self.run_about(org, About::Charger(charger), &sql, row_of(charger, fact)).await?;
        self.reader.charger_changed(org, charger);
        if met == 1 {
            return Ok(Appended::New);
        }
        // One after the other: asked for either at once, SQLite looks through all facts of the organisation.
        let known = match key_of(fact.dedupe.as_deref()) {
            Some(dedupe) => {
                one(self.row(org, &sql_of("dedupe"), args![key(charger), dedupe]).await?.as_ref())?
            }
            None => None,
        };
        let known = match known {
            Some(known) => Some(known),
            None => one(self.row(org, &sql_of("id"), args![key(charger), fact.id.as_str()]).await?.as_ref())?,
        };
        known
            .map(|fact| Appended::Known(Box::new(fact)))
            .ok_or_else(|| Error::Corrupt("a fact was kept and is gone".to_owned()))
    }

    /// Keeps a fact of which this unit has found out that it is not there ([`Reader::find_fact`]), or that is like no other. It may be
    /// written together with those of other units.
    ///
    /// # Errors
    /// When the database fails; when another program has kept it meanwhile, and then the unit is run again.
    pub async fn keep_fact(&mut self, org: &OrgId, charger: &str, fact: &Fact) -> Result<(), Error> {
        if self.reader.puts_off() {
            // Two of one charger might be the same one.
            self.reader.catch_up(org, About::Charger(charger), FACT_HEAD).await?;
            self.put_off();
            self.reader.put_off_fact(org, charger, row_of(charger, fact));
            return Ok(());
        }
        match self.append_fact(org, charger, fact).await? {
            Appended::New => Ok(()),
            Appended::Known(_) => {
                self.reader.trouble = Some(Trouble::Passing);
                Err(Error::Conflict(format!("the fact `{}` was kept by another program", fact.id)))
            }
        }
    }

    /// Notes what a charger was answered to a fact, and the session it belongs to; `None` leaves what is
    /// there.
    ///
    /// # Errors
    /// [`Error::Missing`].
    pub async fn settle_fact(
        &mut self,
        org: &OrgId,
        charger: &str,
        fact: &str,
        session: Option<&str>,
        answer: Option<&str>,
    ) -> Result<(), Error> {
        let sql = "UPDATE station_fact SET session = COALESCE($4, session), answer = COALESCE($5, answer)
                   WHERE org = $1 AND charger = $2 AND id = $3";
        let values = args![key(charger), fact, session, answer];
        let met = self.run_about(org, About::Charger(charger), sql, values).await?;
        self.reader.charger_changed(org, charger);
        match met {
            0 => Err(Error::Missing { what: "fact", id: fact.to_owned() }),
            _ => Ok(()),
        }
    }
}

impl Reader {
    /// The fact of a charger with this `dedupe`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn find_fact(
        &mut self,
        org: &OrgId,
        charger: &str,
        dedupe: &str,
    ) -> Result<Option<Fact>, Error> {
        if let Some(known) = self.fact_ahead(org, charger, dedupe) {
            return Ok(known);
        }
        let values = args![key(charger), key(dedupe)];
        one(self.row_about(org, About::Charger(charger), &sql_of("dedupe"), values).await?.as_ref())
    }

    /// Up to `limit` facts of a charger after the fact `after`, in the order of receipt.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn facts(
        &mut self,
        org: &OrgId,
        charger: &str,
        after: Option<&str>,
        limit: i64,
    ) -> Result<Vec<Fact>, Error> {
        let sql = format!(
            "SELECT {} FROM station_fact WHERE org = $1 AND charger = $2 AND id > $3 ORDER BY id LIMIT $4",
            Fact::COLUMNS
        );
        let values = args![key(charger), after.unwrap_or_default(), limit];
        all(&self.rows_about(org, About::Charger(charger), &sql, values).await?)
    }

    /// Up to `limit` facts of a session after the fact `after`, in the order of receipt.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn session_facts(
        &mut self,
        org: &OrgId,
        session: &str,
        after: Option<&str>,
        limit: i64,
    ) -> Result<Vec<Fact>, Error> {
        let sql = format!(
            "SELECT {} FROM station_fact WHERE org = $1 AND session = $2 AND id > $3 ORDER BY id LIMIT $4",
            Fact::COLUMNS
        );
        all(&self.rows(org, &sql, args![session, after.unwrap_or_default(), limit]).await?)
    }
}
