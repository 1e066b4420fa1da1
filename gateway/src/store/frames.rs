//! Raw frames: the last so many of each charger, word for word, for looking into what went wrong.

use super::ahead::parts;
use super::error::Error;
use super::record::{OrgId, key, words};
use super::sql::{Reader, Row, args, places, storable};
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

/// One frame on the wire.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Frame {
    /// Its place among the frames of the charger; 0 in one that is yet to be kept.
    pub seq: i64,
    /// When it was sent or received.
    pub at: Instant,
    /// By whom.
    pub direction: Direction,
    /// On which connection.
    pub connection: Option<String>,
    /// The text.
    pub body: String,
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

/// So many frames of a charger at most are in one row: what is old goes by the row.
pub const RUN: usize = 16;
const AT_ONCE: i64 = 16;
/// Nor more bytes, but for a frame that is larger by itself: who looks for a frame reads whole rows.
const RUN_BYTES: usize = 256 << 10;

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
            let before = last - count(frames);
            let mut last_seq = before;
            for run in runs(frames) {
                last_seq += count(run);
                let times = || run.iter().map(|frame| frame.at);
                let lines = storable(lines(run));
                rows.push(args![charger.clone(), last_seq, count(run), times().min(), times().max(), lines]);
            }
            if last > keep && last / AT_ONCE > before / AT_ONCE {
                gone.push((charger, last - keep));
            }
        }
        let head = "INSERT INTO frame_run (org, charger, last_seq, frames, from_at, to_at, lines)";
        self.insert_rows(org, head, rows, "").await?;
        for (charger, until) in gone {
            let sql = "DELETE FROM frame_run WHERE org = $1 AND charger = $2 AND last_seq <= $3";
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

/// Frames cut into rows.
fn runs(frames: &[Frame]) -> Vec<&[Frame]> {
    let mut runs = Vec::new();
    let mut rest = frames;
    while !rest.is_empty() {
        let mut bytes = 0_usize;
        let fits = |frame: &&Frame| {
            bytes = bytes.saturating_add(frame.body.len());
            bytes <= RUN_BYTES
        };
        let many = rest.iter().take(RUN).take_while(fits).count().max(1);
        let (run, others) = rest.split_at(many.min(rest.len()));
        runs.push(run);
        rest = others;
    }
    runs
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
        let FrameSearch { from, until, contains, before } = search;
        let wanted = Wanted {
            from: from.map_or(i64::MIN, |at| at.0),
            until: until.map_or(i64::MAX, |at| at.0),
            contains: contains.as_ref().map(|text| text.to_ascii_lowercase()),
            before: before.unwrap_or(i64::MAX),
        };
        let sql = "SELECT last_seq, frames, lines FROM frame_run
            WHERE org = $1 AND charger = $2 AND last_seq < $3 AND from_at < $4 AND to_at >= $5 ORDER BY last_seq DESC LIMIT $6";
        let limit = usize::try_from(limit.max(0)).unwrap_or(usize::MAX);
        let mut found = Vec::new();
        // The run that `before` is in has its last frame behind it.
        let mut next = wanted.before.saturating_add(AT_ONCE);
        while found.len() < limit {
            let rows = i64::try_from(limit).unwrap_or(RUNS).clamp(8, RUNS);
            let values = args![key(charger), next, wanted.until, wanted.from, rows];
            let runs = self.rows(org, sql, values).await?;
            let Some(oldest) = runs.last() else { break };
            next = oldest.get(0)?;
            for run in &runs {
                let frames = frames_of(run)?.into_iter().rev();
                found.extend(frames.filter(|frame| wanted.is(frame)).take(limit - found.len()));
            }
        }
        Ok(found)
    }
}

/// Rows that are read at once when frames are looked for.
const RUNS: i64 = 64;

/// What a frame must be to be found; `contains` in lower case.
struct Wanted {
    from: i64,
    until: i64,
    contains: Option<String>,
    before: i64,
}

impl Wanted {
    fn is(&self, frame: &Frame) -> bool {
        frame.seq < self.before
            && (self.from..self.until).contains(&frame.at.0)
            && self.contains.as_ref().is_none_or(|text| frame.body.to_ascii_lowercase().contains(text))
    }
}

/// The text of a row: a line for each frame (the migration `0010_runs.sql` says how).
fn lines(frames: &[Frame]) -> String {
    let mut text = String::with_capacity(frames.iter().map(|frame| frame.body.len() + 64).sum());
    for (index, Frame { seq: _, at, direction, connection, body }) in frames.iter().enumerate() {
        let end = if index == 0 { "" } else { "\n" };
        let connection = connection.as_deref().unwrap_or_default();
        text.push_str(&format!("{end}{}\t{}\t{connection}\t", at.0, direction.as_str()));
        for character in body.chars() {
            match character {
                '\\' => text.push_str("\\\\"),
                '\n' => text.push_str("\\n"),
                other => text.push(other),
            }
        }
    }
    text
}

/// The frames of a row, in their order.
fn frames_of(row: &Row) -> Result<Vec<Frame>, Error> {
    let (last_seq, frames, lines): (i64, i64, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
    let broken = || Error::Corrupt(format!("the raw frames up to number {last_seq} cannot be read"));
    let first = last_seq - frames + 1;
    (first..).zip(lines.split('\n')).map(|(seq, line)| frame_of(seq, line).ok_or_else(broken)).collect()
}

fn frame_of(seq: i64, line: &str) -> Option<Frame> {
    let mut parts = line.splitn(4, '\t');
    let at = Instant(parts.next()?.parse().ok()?);
    let direction = Direction::from_word(parts.next()?)?;
    let connection = Some(parts.next()?.to_owned()).filter(|text| !text.is_empty());
    let mut body = String::with_capacity(line.len());
    let mut characters = parts.next()?.chars();
    while let Some(character) = characters.next() {
        body.push(match character {
            '\\' if characters.next()? == 'n' => '\n',
            // It was the second of two.
            other => other,
        });
    }
    Some(Frame { seq, at, direction, connection, body })
}
