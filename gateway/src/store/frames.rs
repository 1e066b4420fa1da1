//! Raw frames: the last so many of each charger, word for word, for looking into what went wrong.

use super::error::Error;
use super::record::{OrgId, Record as _, all, key, record, words};
use super::sql::{Reader, args};
use super::tx::Tx;
use takst_engine::units::Instant;

words! {
    /// Who sent a frame.
    Direction {
        /// The charger.
        In = "in",
        /// We.
        Out = "out",
    }
}

record! {
    /// One frame on the wire.
    Frame {
        /// Its place among the frames of the charger; 0 in one that is yet to be kept.
        seq: i64,
        /// When it was sent or received.
        at: Instant,
        /// By whom.
        direction: Direction,
        /// On which connection.
        connection: Option<String>,
        /// The text.
        body: String,
    }
}

/// Which frames to look for. All that is stated must hold.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct FrameSearch {
    /// From this time on.
    pub from: Option<Instant>,
    /// Before this time.
    pub until: Option<Instant>,
    /// With this text in them; ASCII letters in either case.
    pub contains: Option<String>,
    /// Before the frame with this number: the next page.
    pub before: Option<i64>,
}

impl Tx {
    /// Keeps frames of a charger and lets go of all but the newest `keep`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn append_frames(
        &mut self,
        org: &OrgId,
        charger: &str,
        frames: &[Frame],
        keep: i64,
    ) -> Result<(), Error> {
        // Of a burst that is longer than the ring only the end can stay.
        let start = usize::try_from(keep).map_or(0, |keep| frames.len().saturating_sub(keep));
        let frames = frames.get(start..).unwrap_or_default();
        if frames.is_empty() {
            return Ok(());
        }
        let charger = key(charger);
        let count = i64::try_from(frames.len()).unwrap_or(i64::MAX);
        let sql = "INSERT INTO frame_ring (org, charger, last) VALUES ($1, $2, $3)
                   ON CONFLICT (org, charger) DO UPDATE SET last = frame_ring.last + excluded.last RETURNING last";
        let row = self.returning(org, sql, args![charger.clone(), count]).await?;
        let last: i64 =
            row.ok_or_else(|| Error::Corrupt("the ring of frames gave no number".to_owned()))?.get(0)?;
        let rows = (last - count + 1..).zip(frames).map(|(seq, frame)| {
            let Frame { seq: _, at, direction, connection, body } = frame.clone();
            args![charger.clone(), seq, at, direction, connection, body]
        });
        let head = "INSERT INTO frame (org, charger, seq, at, direction, connection, body)";
        let rows = rows.collect();
        self.insert_rows(org, head, rows, "").await?;
        let sql = "DELETE FROM frame WHERE org = $1 AND charger = $2 AND seq <= $3";
        self.run(org, sql, args![charger, last - keep.max(0)]).await.map(drop)
    }
}

impl Reader {
    /// Up to `limit` frames of a charger, newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn frames(
        &mut self,
        org: &OrgId,
        charger: &str,
        search: &FrameSearch,
        limit: i64,
    ) -> Result<Vec<Frame>, Error> {
        let FrameSearch { from, until, contains, before } = search.clone();
        let mut sql = format!(
            "SELECT {} FROM frame WHERE org = $1 AND charger = $2 AND seq < $3 AND at >= $4 AND at < $5",
            Frame::COLUMNS
        );
        let from = from.map_or(i64::MIN, |at| at.0);
        let until = until.map_or(i64::MAX, |at| at.0);
        let mut values = args![key(charger), before.unwrap_or(i64::MAX), from, until, limit];
        if let Some(text) = contains {
            sql.push_str(r" AND lower(body) LIKE lower($7) ESCAPE '\'");
            values.extend(args![pattern(&text)]);
        }
        sql.push_str(" ORDER BY seq DESC LIMIT $6");
        all(&self.rows(org, &sql, values).await?)
    }
}

/// `text` anywhere, for LIKE. Long texts are cut: SQLite takes no pattern over 50,000 bytes.
fn pattern(text: &str) -> String {
    const LONGEST: usize = 1000;
    let mut pattern = String::from("%");
    for character in text.chars().take(LONGEST) {
        if matches!(character, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    pattern.push('%');
    pattern
}
