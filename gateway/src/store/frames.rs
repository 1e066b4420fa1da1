//! Raw frames: the last so many of each charger, word for word, for looking into what went wrong.

use super::ahead::parts;
use super::error::Error;
use super::record::{OrgId, Record as _, all, key, record, words};
use super::sql::{Reader, args, places, storable};
use super::tx::Tx;
use std::collections::BTreeMap;
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

/// Old frames of a charger go so many at once.
const AT_ONCE: i64 = 16;

/// Frames of one charger that are to be kept.
#[derive(Clone, Copy, Debug)]
pub struct FramesOf<'a> {
    /// Whose.
    pub charger: &'a str,
    /// In the order in which they came.
    pub frames: &'a [Frame],
    /// How many of the newest stay.
    pub keep: i64,
}

impl Tx {
    /// Keeps frames of a charger and lets go of all but the newest `keep`; a few that are older may stay for a while.
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
        self.append_frames_of(org, &[FramesOf { charger, frames, keep }]).await
    }

    /// Keeps frames of many chargers, each of them once in the list. Most chargers say little at a time: a statement is for many of
    /// them.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn append_frames_of(&mut self, org: &OrgId, chargers: &[FramesOf<'_>]) -> Result<(), Error> {
        let mut kept: BTreeMap<String, (&[Frame], i64)> = BTreeMap::new();
        for FramesOf { charger, frames, keep } in chargers {
            // Of a burst that is longer than the ring only the end can stay.
            let start = usize::try_from(*keep).map_or(0, |keep| frames.len().saturating_sub(keep));
            let frames = frames.get(start..).unwrap_or_default();
            if !frames.is_empty() {
                // As the database gives it back.
                kept.insert(storable(key(charger)), (frames, (*keep).max(0)));
            }
        }
        let last = self.advance_rings(org, &kept).await?;
        let mut rows = Vec::new();
        let mut gone = Vec::new();
        for (charger, (frames, keep)) in &kept {
            let Some(last) = last.get(charger) else {
                return Err(Error::Corrupt("the ring of frames gave no number".to_owned()));
            };
            let first = last - count(frames) + 1;
            rows.extend((first..).zip(frames.iter()).map(|(seq, frame)| {
                let Frame { seq: _, at, direction, connection, body } = frame.clone();
                args![charger.clone(), seq, at, direction, connection, body]
            }));
            let before = last - count(frames);
            if last > keep && last / AT_ONCE > before / AT_ONCE {
                gone.push((charger, last - keep));
            }
        }
        let head = "INSERT INTO frame (org, charger, seq, at, direction, connection, body)";
        self.insert_rows(org, head, rows, "").await?;
        for (charger, until) in gone {
            let sql = "DELETE FROM frame WHERE org = $1 AND charger = $2 AND seq <= $3";
            self.run(org, sql, args![charger.clone(), until]).await?;
        }
        Ok(())
    }

    // The number of the last frame of each charger, after these.
    async fn advance_rings(
        &mut self,
        org: &OrgId,
        kept: &BTreeMap<String, (&[Frame], i64)>,
    ) -> Result<BTreeMap<String, i64>, Error> {
        let mut numbers = BTreeMap::new();
        for part in parts(kept.iter().collect()) {
            let mut sql = "INSERT INTO frame_ring (org, charger, last) VALUES".to_owned();
            let mut values = Vec::new();
            for (charger, (frames, _)) in part {
                let comma = if values.is_empty() { "" } else { "," };
                sql.push_str(&format!("{comma} ($1, {})", places(values.len() + 2, 2)));
                values.extend(args![charger.clone(), count(frames)]);
            }
            sql.push_str(
                " ON CONFLICT (org, charger) DO UPDATE SET last = frame_ring.last + excluded.last RETURNING charger, last",
            );
            for row in self.returning_all(org, &sql, values).await? {
                numbers.insert(row.get(0)?, row.get(1)?);
            }
        }
        Ok(numbers)
    }
}

fn count(frames: &[Frame]) -> i64 {
    i64::try_from(frames.len()).unwrap_or(i64::MAX)
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
