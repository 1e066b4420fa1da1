//! Values of metering points, and what a site's electricity cost. Nothing is overwritten: a later receipt covers earlier values, which stay
//! for whoever asks what a price was made from.

use super::error::Error;
use super::record::{OrgId, Record as _, all, one, record, words};
use super::sql::{Reader, args, places};
use super::tx::{SIZES, Tx};
use takst_engine::units::{DAY_MS, Instant};

words! {
    /// Which way energy went.
    MeterDirection {
        /// From the grid.
        Consumption = "consumption",
        /// To the grid.
        Production = "production",
    }
}

words! {
    /// How a value came about.
    MeterQuality {
        /// Read from the meter.
        Measured = "measured",
        /// Worked out by somebody.
        Estimated = "estimated",
    }
}

record! {
    /// A file or an answer that brought values.
    MeterReceipt {
        /// [`super::new_id`].
        id: String,
        /// When it arrived.
        received_at: Instant,
        /// Who brought it.
        received_by: String,
        /// The plugin that read it, by its name here.
        plugin: String,
        /// The plugin's version.
        version: String,
        /// The file's name, or `fetch`.
        source: String,
    }
}

record! {
    /// The energy of one interval.
    MeterValue {
        /// The metering point's number.
        point: String,
        /// Which way.
        direction: MeterDirection,
        /// Start.
        from_at: Instant,
        /// End.
        until_at: Instant,
        /// kWh, a plain decimal of at most six places.
        kwh: String,
        /// How it came about.
        quality: MeterQuality,
        /// Which receipt brought it.
        receipt: String,
        /// Which receipt replaced it; none: it counts.
        replaced_by: Option<String>,
    }
}

record! {
    /// What the electricity of a site cost in a month, as somebody said once.
    PlantCost {
        /// The site.
        site: String,
        /// As in `2026-10`.
        month: String,
        /// 1, 2, ...: the last one counts.
        revision: i64,
        /// ISO 4217.
        currency: String,
        /// JSON: a list of costs.
        document: String,
        /// When it was said.
        entered_at: Instant,
        /// By whom.
        entered_by: String,
        /// Why, in words.
        reason: String,
    }
}

/// No value is of a longer time: a search backwards ends there.
pub const LONGEST_VALUE_MS: i64 = 62 * DAY_MS;

/// What is known of a metering point in one direction.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MeterPoint {
    /// Its number.
    pub point: String,
    /// Which way.
    pub direction: MeterDirection,
    /// The first instant with a value.
    pub from: Instant,
    /// The end of the last value.
    pub until: Instant,
    /// Values that count.
    pub values: i64,
}

impl Tx {
    /// Lets no other program write meter values or costs of the organisation before the commit.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn lock_meters(&mut self, org: &OrgId) -> Result<(), Error> {
        self.advance(org, "meters", 0).await.map(drop)
    }

    /// Notes that something brought values.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn add_meter_receipt(&mut self, org: &OrgId, receipt: &MeterReceipt) -> Result<(), Error> {
        let columns = MeterReceipt::COLUMNS;
        let sql = format!("INSERT INTO meter_receipt (org, {columns}) VALUES ($1, {})", places(2, 6));
        self.run(org, &sql, receipt.values()).await.map(drop)
    }

    /// Marks the values of a point that count and touch the time from `from` to `until` as replaced; how many.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn replace_meter_values(
        &mut self,
        org: &OrgId,
        (point, direction): (&str, MeterDirection),
        (from, until): (Instant, Instant),
        receipt: &str,
    ) -> Result<u64, Error> {
        let sql = "UPDATE meter_value SET replaced_by = $7 WHERE org = $1 AND point = $2 AND direction = $3
                   AND from_at < $5 AND from_at > $6 AND until_at > $4 AND replaced_by IS NULL";
        let earliest = from.0.saturating_sub(LONGEST_VALUE_MS).saturating_sub(1);
        self.run(org, sql, args![point, direction, from, until, earliest, receipt]).await
    }

    /// Adds values. None of them may touch one that counts: [`Self::replace_meter_values`] comes first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn add_meter_values(&mut self, org: &OrgId, values: &[MeterValue]) -> Result<(), Error> {
        const COLUMNS: usize = 8;
        let mut rest = values;
        for size in SIZES {
            while let Some((chunk, others)) =
                rest.split_at_checked(size).filter(|(chunk, _)| !chunk.is_empty())
            {
                let rows: Vec<String> =
                    (0..size).map(|row| format!("($1, {})", places(2 + row * COLUMNS, COLUMNS))).collect();
                let columns = MeterValue::COLUMNS;
                let sql = format!("INSERT INTO meter_value (org, {columns}) VALUES {}", rows.join(", "));
                self.run(org, &sql, chunk.iter().flat_map(MeterValue::values).collect()).await?;
                rest = others;
            }
        }
        Ok(())
    }

    /// Writes down what a site's electricity cost in a month: what was said before stays, and does not count any more.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn add_plant_cost(&mut self, org: &OrgId, cost: &PlantCost) -> Result<(), Error> {
        let sql =
            format!("INSERT INTO plant_cost (org, {}) VALUES ($1, {})", PlantCost::COLUMNS, places(2, 8));
        self.run(org, &sql, cost.values()).await.map(drop)
    }
}

impl Reader {
    /// Values of a metering point that touch the time from `from` to `until`, by time; of one time the last one to come at the end. Without
    /// `history` only those that count.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn meter_values(
        &mut self,
        org: &OrgId,
        (point, direction): (&str, MeterDirection),
        (from, until): (Instant, Instant),
        history: bool,
    ) -> Result<Vec<MeterValue>, Error> {
        let which = if history { "" } else { " AND replaced_by IS NULL" };
        let sql = format!(
            "SELECT {} FROM meter_value WHERE org = $1 AND point = $2 AND direction = $3
             AND from_at < $5 AND from_at > $6 AND until_at > $4{which} ORDER BY from_at, receipt",
            MeterValue::COLUMNS
        );
        let earliest = from.0.saturating_sub(LONGEST_VALUE_MS).saturating_sub(1);
        all(&self.rows(org, &sql, args![point, direction, from, until, earliest]).await?)
    }

    /// The metering points there are values of.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn meter_points(&mut self, org: &OrgId) -> Result<Vec<MeterPoint>, Error> {
        let sql = "SELECT point, direction, MIN(from_at), MAX(until_at), COUNT(*) FROM meter_value
                   WHERE org = $1 AND replaced_by IS NULL GROUP BY point, direction ORDER BY point, direction";
        let rows = self.rows(org, sql, args![]).await?;
        let read = |row: &super::sql::Row| {
            Ok(MeterPoint {
                point: row.get(0)?,
                direction: row.get(1)?,
                from: row.get(2)?,
                until: row.get(3)?,
                values: row.get(4)?,
            })
        };
        rows.iter().map(read).collect()
    }

    /// What brought values, by its id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn meter_receipt(&mut self, org: &OrgId, id: &str) -> Result<Option<MeterReceipt>, Error> {
        let sql = format!("SELECT {} FROM meter_receipt WHERE org = $1 AND id = $2", MeterReceipt::COLUMNS);
        one(self.row(org, &sql, args![id]).await?.as_ref())
    }

    /// Up to `limit` receipts, newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn meter_receipts(&mut self, org: &OrgId, limit: i64) -> Result<Vec<MeterReceipt>, Error> {
        let sql = format!(
            "SELECT {} FROM meter_receipt WHERE org = $1 ORDER BY id DESC LIMIT $2",
            MeterReceipt::COLUMNS
        );
        all(&self.rows(org, &sql, args![limit]).await?)
    }

    /// What a site's electricity cost in a month, every time it was said; the last one counts.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn plant_costs(
        &mut self,
        org: &OrgId,
        site: &str,
        month: &str,
    ) -> Result<Vec<PlantCost>, Error> {
        let sql = format!(
            "SELECT {} FROM plant_cost WHERE org = $1 AND site = $2 AND month = $3 ORDER BY revision",
            PlantCost::COLUMNS
        );
        all(&self.rows(org, &sql, args![site, month]).await?)
    }

    /// The sites and months of which somebody has said what the electricity cost, from this month (`2026-10`) on.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn plant_cost_months(
        &mut self,
        org: &OrgId,
        from: &str,
    ) -> Result<Vec<(String, String)>, Error> {
        let sql =
            "SELECT DISTINCT site, month FROM plant_cost WHERE org = $1 AND month >= $2 ORDER BY site, month";
        let rows = self.rows(org, sql, args![from]).await?;
        rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect()
    }
}
