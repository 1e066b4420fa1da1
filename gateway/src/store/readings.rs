//! What a session is made of: register readings, states, power, occupancy, signed values. Each list is
//! numbered by the caller; writing a number again replaces what stood there, so that a view can be worked out
//! anew from the facts.

use super::about::About;
use super::ahead::Table;
use super::error::Error;
use super::record::{OrgId, Record as _, all, record};
use super::sql::{Reader, args};
use super::tx::Tx;
use std::collections::BTreeMap;
use takst_engine::units::{Energy, Instant};

record! {
    /// A reading of the register.
    Reading {
        /// Its place in the list.
        seq: i64,
        /// Station time.
        at: Instant,
        /// Receipt.
        received_at: Instant,
        /// Import register.
        imported: Energy,
        /// Export register, of chargers that feed back.
        exported: Option<Energy>,
        /// A new one begins when the register is replaced or falls.
        segment: i64,
        /// Why it was read, as the charger said.
        context: Option<String>,
    }
}

record! {
    /// What the session does from a time on.
    StateChange {
        /// Its place in the list.
        seq: i64,
        /// Station time.
        from_at: Instant,
        /// Receipt.
        received_at: Instant,
        /// `waiting`, `charging`, `idle`, `paused`, `feeding`.
        state: String,
    }
}

record! {
    /// The power, and where a tariff asks for it the current, from a time on.
    PowerChange {
        /// Its place in the list.
        seq: i64,
        /// Station time.
        from_at: Instant,
        /// Receipt.
        received_at: Instant,
        /// Millionths of a kW; [`Self::UNKNOWN`] where only the current is measured.
        power: i64,
        /// Millionths of an A, all phases together; none where nobody asks for it.
        amps: Option<i64>,
    }
}

impl PowerChange {
    /// What stands for a power that is not measured.
    pub const UNKNOWN: i64 = -1;

    /// The power, millionths of a kW; none where only the current is measured.
    #[must_use]
    pub fn measured(&self) -> Option<i64> {
        (self.power != Self::UNKNOWN).then_some(self.power)
    }
}

record! {
    /// How many places of the site are taken from a time on.
    OccupancyChange {
        /// Its place in the list.
        seq: i64,
        /// When.
        from_at: Instant,
        /// Taken.
        occupied: i64,
        /// There are.
        of_all: i64,
    }
}

record! {
    /// A signed meter value, kept as it came: the proof of a bill.
    SignedValue {
        /// Its place in the list.
        seq: i64,
        /// Station time.
        at: Instant,
        /// Receipt.
        received_at: Instant,
        /// `OCMF`, `ALFEN`, ...
        format: String,
        /// Why it was read: `Transaction.Begin`, ...
        context: Option<String>,
        /// The public key, when the charger sent it.
        public_key: Option<String>,
        /// The signed text, word for word.
        body: String,
    }
}

/// All that belongs to a session.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SessionParts {
    /// Readings of the register.
    pub readings: Vec<Reading>,
    /// States.
    pub states: Vec<StateChange>,
    /// Power.
    pub power: Vec<PowerChange>,
    /// Occupancy of the site.
    pub occupancy: Vec<OccupancyChange>,
    /// Signed values.
    pub signed: Vec<SignedValue>,
}

/// The lists of a session that follow from its facts alone. Each number replaces what stood there.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SessionRows {
    /// Readings of the register.
    pub readings: Vec<Reading>,
    /// States.
    pub states: Vec<StateChange>,
    /// Power.
    pub power: Vec<PowerChange>,
}

macro_rules! put {
    ($(#[$meta:meta])* $name:ident, $type:ty, $head:literal, $($column:ident)+) => {
        $(#[$meta])*
        ///
        /// # Errors
        /// When the database fails.
        pub async fn $name(&mut self, org: &OrgId, session: &str, rows: &[$type]) -> Result<(), Error> {
            // One statement may not meet a row twice: the last of each number counts.
            let rows: BTreeMap<i64, &$type> = rows.iter().map(|row| (row.seq, row)).collect();
            let rows = rows.into_iter().map(|(seq, row)| {
                let mut values = args![session];
                values.extend(row.values());
                (seq, values)
            });
            let tail = concat!(
                "ON CONFLICT (org, session, seq) DO UPDATE SET seq = excluded.seq"
                $(, ", ", stringify!($column), " = excluded.", stringify!($column))+
            );
            if self.reader.puts_off_for(org, session) {
                self.put_off();
                self.reader.put_off_rows(org, session, Table { head: $head, tail }, rows);
                return Ok(());
            }
            let rows = rows.map(|(_, values)| values).collect();
            self.insert_rows_about(org, About::Session(session), $head, rows, tail).await.map(drop)
        }
    };
}

impl Tx {
    put!(
        /// Writes readings.
        put_readings, Reading,
        "INSERT INTO session_reading (org, session, seq, at, received_at, imported, exported, segment, context)",
        at received_at imported exported segment context
    );
    put!(
        /// Writes states.
        put_states, StateChange,
        "INSERT INTO session_state (org, session, seq, from_at, received_at, state)",
        from_at received_at state
    );
    put!(
        /// Writes power.
        put_power, PowerChange,
        "INSERT INTO session_power (org, session, seq, from_at, received_at, power, amps)",
        from_at received_at power amps
    );
    put!(
        /// Writes occupancy.
        put_occupancy, OccupancyChange,
        "INSERT INTO session_occupancy (org, session, seq, from_at, occupied, of_all)",
        from_at occupied of_all
    );
    put!(
        /// Writes signed values.
        put_signed_values, SignedValue,
        "INSERT INTO signed_value (org, session, seq, at, received_at, format, context, public_key, body)",
        at received_at format context public_key body
    );

    /// Takes away what stands behind the ends of these lists, and the occupancy; of the rows, those that are still to be written. When a
    /// session is worked out anew nearly all of its rows are as they were.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn only_news(
        &mut self,
        org: &OrgId,
        session: &str,
        rows: SessionRows,
    ) -> Result<SessionRows, Error> {
        let there = self.lists(org, session).await?;
        let ends = |rows: &SessionRows| {
            let SessionRows { readings, states, power } = rows;
            [end(readings, |row| row.seq), end(states, |row| row.seq), end(power, |row| row.seq)]
        };
        let goes = [
            "DELETE FROM session_reading WHERE org = $1 AND session = $2 AND seq >= $3",
            "DELETE FROM session_state WHERE org = $1 AND session = $2 AND seq >= $3",
            "DELETE FROM session_power WHERE org = $1 AND session = $2 AND seq >= $3",
        ];
        for ((sql, kept), there) in goes.into_iter().zip(ends(&rows)).zip(ends(&there)) {
            if there > kept {
                self.run_about(org, About::Session(session), sql, args![session, kept]).await?;
            }
        }
        let sql = "DELETE FROM session_occupancy WHERE org = $1 AND session = $2";
        self.run_about(org, About::Session(session), sql, args![session]).await?;
        Ok(SessionRows {
            readings: news(&there.readings, rows.readings, |row| row.seq),
            states: news(&there.states, rows.states, |row| row.seq),
            power: news(&there.power, rows.power, |row| row.seq),
        })
    }
}

/// Of rows as they are to be, those that are not there yet or say something else.
fn news<T: PartialEq>(there: &[T], rows: Vec<T>, seq: impl Fn(&T) -> i64) -> Vec<T> {
    let there: BTreeMap<i64, &T> = there.iter().map(|row| (seq(row), row)).collect();
    rows.into_iter().filter(|row| there.get(&seq(row)) != Some(&row)).collect()
}

/// The number behind the last one.
fn end<T>(rows: &[T], seq: impl Fn(&T) -> i64) -> i64 {
    rows.iter().map(|row| seq(row).saturating_add(1)).max().unwrap_or(0)
}

/// The next free number of each list of a session.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SessionCounts {
    /// Of the readings.
    pub readings: i64,
    /// Of the states.
    pub states: i64,
    /// Of the power.
    pub power: i64,
    /// Of the occupancy.
    pub occupancy: i64,
    /// Of the signed values.
    pub signed: i64,
}

impl Reader {
    /// Where each list of a session goes on.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn session_counts(&mut self, org: &OrgId, session: &str) -> Result<SessionCounts, Error> {
        let sql = "SELECT
            (SELECT COALESCE(MAX(seq) + 1, 0) FROM session_reading WHERE org = $1 AND session = $2),
            (SELECT COALESCE(MAX(seq) + 1, 0) FROM session_state WHERE org = $1 AND session = $2),
            (SELECT COALESCE(MAX(seq) + 1, 0) FROM session_power WHERE org = $1 AND session = $2),
            (SELECT COALESCE(MAX(seq) + 1, 0) FROM session_occupancy WHERE org = $1 AND session = $2),
            (SELECT COALESCE(MAX(seq) + 1, 0) FROM signed_value WHERE org = $1 AND session = $2)";
        let row = self.row_about(org, About::Session(session), sql, args![session]).await?;
        let row = row.ok_or_else(|| Error::Corrupt("a count gave nothing".to_owned()))?;
        Ok(SessionCounts {
            readings: row.get(0)?,
            states: row.get(1)?,
            power: row.get(2)?,
            occupancy: row.get(3)?,
            signed: row.get(4)?,
        })
    }

    /// Up to `limit` readings of a session from the number `from` on.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn readings(
        &mut self,
        org: &OrgId,
        session: &str,
        from: i64,
        limit: i64,
    ) -> Result<Vec<Reading>, Error> {
        let sql = format!(
            "SELECT {} FROM session_reading WHERE org = $1 AND session = $2 AND seq >= $3 ORDER BY seq LIMIT $4",
            Reading::COLUMNS
        );
        all(&self.rows_about(org, About::Session(session), &sql, args![session, from, limit]).await?)
    }

    /// All that belongs to a session, each list by its numbers.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn session_parts(&mut self, org: &OrgId, session: &str) -> Result<SessionParts, Error> {
        let SessionRows { readings, states, power } = self.lists(org, session).await?;
        let occupancy = format!(
            "SELECT {} FROM session_occupancy WHERE org = $1 AND session = $2 ORDER BY seq",
            OccupancyChange::COLUMNS
        );
        let about = About::Session(session);
        let occupancy = all(&self.rows_about(org, about, &occupancy, args![session]).await?)?;
        let signed = self.signed_values(org, session).await?;
        Ok(SessionParts { readings, states, power, occupancy, signed })
    }

    async fn lists(&mut self, org: &OrgId, session: &str) -> Result<SessionRows, Error> {
        let states = format!(
            "SELECT {} FROM session_state WHERE org = $1 AND session = $2 ORDER BY seq",
            StateChange::COLUMNS
        );
        let power = format!(
            "SELECT {} FROM session_power WHERE org = $1 AND session = $2 ORDER BY seq",
            PowerChange::COLUMNS
        );
        let about = About::Session(session);
        Ok(SessionRows {
            readings: self.readings(org, session, i64::MIN, i64::MAX).await?,
            states: all(&self.rows_about(org, about, &states, args![session]).await?)?,
            power: all(&self.rows_about(org, about, &power, args![session]).await?)?,
        })
    }

    /// The signed values of a session, in the order in which they came.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn signed_values(&mut self, org: &OrgId, session: &str) -> Result<Vec<SignedValue>, Error> {
        let sql = format!(
            "SELECT {} FROM signed_value WHERE org = $1 AND session = $2 ORDER BY seq",
            SignedValue::COLUMNS
        );
        all(&self.rows_about(org, About::Session(session), &sql, args![session]).await?)
    }
}
