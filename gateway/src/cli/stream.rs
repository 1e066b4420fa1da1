//! Lines of a large file over all cores, in bounded memory, with the results in the order of the lines.
//!
//! Chunk i goes to worker i mod n and its result is fetched from there: order needs no sorting, and every queue is bounded,
//! so neither a slow line nor a slow reader of the results makes memory grow.

mod documents;

use super::failure::Failure;
use super::files;
use super::layout::grouped;
use crate::exchange::ocpi;
use documents::{Documents, Shape};
use std::io::{BufRead, BufReader, IsTerminal as _, Read, Write as _};
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};
use takst_engine::Session;
use takst_engine::tariff::Tariff;

/// Longest line, bytes.
pub const MAX_LINE: usize = 16 << 20;
const CHUNK_LINES: usize = 32;
const CHUNK_BYTES: usize = 128 << 10;
const WAITING_CHUNKS: usize = 1;

/// Some lines in a row.
#[derive(Debug, Default)]
pub struct Chunk {
    lines: Vec<(u64, Line)>,
    bytes: usize,
}

#[derive(Debug)]
enum Line {
    Text(Vec<u8>),
    TooLong,
    Unreadable(String),
}

impl Chunk {
    /// The lines that are not blank: number (from 1) and text, or why there is none.
    pub fn lines(&self) -> impl Iterator<Item = (u64, Result<&str, String>)> {
        self.lines.iter().map(|(number, line)| {
            let text = match line {
                Line::Text(bytes) => {
                    std::str::from_utf8(bytes).map_err(|_| "the line is not UTF-8 text".to_owned())
                }
                Line::TooLong => Err(format!("the line is longer than {} MiB", MAX_LINE >> 20)),
                Line::Unreadable(error) => Err(format!("the file cannot be read further: {error}")),
            };
            (*number, text)
        })
    }
}

/// How many workers this machine carries.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from).min(64)
}

/// A file of many documents, made into lines.
pub struct Input {
    /// One document on each line.
    pub lines: Box<dyn BufRead + Send>,
    name: String,
    counts_documents: bool,
}

impl Input {
    /// Says where a line comes from: `FILE:3`, or `FILE, number 3` where documents are not lines.
    pub fn place(&self) -> impl Fn(u64) -> String + use<> {
        let start = format!("{}{}", self.name, if self.counts_documents { ", number " } else { ":" });
        move |number| format!("{start}{number}")
    }
}

/// How much of a file is looked at to see how it holds its documents.
const LOOKED_AT: usize = 1 << 16;

/// Opens a file of many documents: one on each line, in a list, or in the `data` of a response.
///
/// # Errors
/// As [`files::open`].
pub fn open(path: &Path) -> Result<Input, Failure> {
    let unreadable = |error: std::io::Error| files::unreadable(path, &error);
    let mut from = BufReader::with_capacity(1 << 18, files::open(path)?);
    // As a rule the first piece tells, and nothing of it is taken away. What came before it otherwise.
    let mut before = Vec::new();
    let shape = loop {
        let piece = from.fill_buf().map_err(unreadable)?;
        let (count, end) = (piece.len(), piece.is_empty());
        let seen = match before.as_slice() {
            [] => documents::shape(piece),
            _ => documents::shape(&[&before, piece].concat()),
        };
        if let Some(shape) = seen {
            break shape;
        }
        before.extend_from_slice(piece);
        from.consume(count);
        // A document that is longer than that, or cut off, over several lines or not.
        if end || before.len() > LOOKED_AT {
            let spread = before.trim_ascii().contains(&b'\n');
            break if spread { Shape::Spread } else { Shape::Lines };
        }
    };
    let name = files::shown(path);
    let mut whole = std::io::Cursor::new(before).chain(from);
    let begin = whole.fill_buf().map_err(unreadable)?;
    // Some programs write a byte order mark.
    if begin.starts_with(b"\xef\xbb\xbf") {
        whole.consume(3);
    }
    let begin = whole.fill_buf().map_err(unreadable)?;
    if begin.trim_ascii_start().first().is_some_and(|first| !matches!(first, b'{' | b'[')) {
        return Err(Failure::Input(format!(
            "{name}: this is no JSON; sessions are JSON documents, one on each line or all of them in a list"
        )));
    }
    let counts_documents = shape != Shape::Lines;
    let lines: Box<dyn BufRead + Send> = if counts_documents {
        Box::new(BufReader::with_capacity(1 << 18, Documents::new(whole, shape)))
    } else {
        Box::new(whole)
    };
    Ok(Input { lines, name, counts_documents })
}

/// Whether a file holds many JSON documents, one per line, going by its name.
pub fn by_name(path: &Path) -> bool {
    let ending = path.extension().map(|ending| ending.to_ascii_lowercase());
    ending.is_some_and(|ending| ending == "jsonl" || ending == "ndjson")
}

/// Gives every chunk of lines to a worker and the results, in order, to `take`. `make` makes one worker; with one worker it
/// sees all lines in order.
///
/// # Errors
/// The first one of `take`.
pub fn in_order<R: Send, W: FnMut(&Chunk) -> R>(
    mut input: impl BufRead + Send,
    workers: usize,
    make: impl Fn() -> W + Sync,
    mut take: impl FnMut(R) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let workers = workers.max(1);
    std::thread::scope(|scope| {
        let mut to_workers: Vec<SyncSender<Chunk>> = Vec::with_capacity(workers);
        let mut results: Vec<Receiver<R>> = Vec::with_capacity(workers);
        for _ in 0..workers {
            let (chunk_in, chunks) = sync_channel::<Chunk>(WAITING_CHUNKS);
            let (result_in, result) = sync_channel::<R>(WAITING_CHUNKS);
            to_workers.push(chunk_in);
            results.push(result);
            let make = &make;
            scope.spawn(move || {
                let mut work = make();
                for chunk in chunks {
                    if result_in.send(work(&chunk)).is_err() {
                        return;
                    }
                }
            });
        }
        scope.spawn(move || {
            let mut number = 0;
            for to_worker in to_workers.iter().cycle() {
                let chunk = read_chunk(&mut input, &mut number);
                // A worker that is gone means that nobody takes results any more.
                if chunk.lines.is_empty() || to_worker.send(chunk).is_err() {
                    return;
                }
            }
        });
        for result in results.iter().cycle() {
            match result.recv() {
                Ok(result) => take(result)?,
                Err(_) => return Ok(()),
            }
        }
        Ok(())
    })
}

fn read_chunk(input: &mut impl BufRead, number: &mut u64) -> Chunk {
    let mut chunk = Chunk::default();
    while chunk.lines.len() < CHUNK_LINES && chunk.bytes < CHUNK_BYTES {
        *number += 1;
        match read_line(input) {
            Ok(None) => break,
            Ok(Some(Line::Text(text))) if text.iter().all(u8::is_ascii_whitespace) => {}
            Ok(Some(line)) => {
                if let Line::Text(text) = &line {
                    chunk.bytes += text.len();
                }
                chunk.lines.push((*number, line));
            }
            Err(error) => {
                chunk.lines.push((*number, Line::Unreadable(error.to_string())));
                // The next read finds the end.
                break;
            }
        }
    }
    chunk
}

fn read_line(input: &mut impl BufRead) -> std::io::Result<Option<Line>> {
    let mut text = Vec::new();
    let limit = u64::try_from(MAX_LINE).unwrap_or(u64::MAX) + 1;
    if input.by_ref().take(limit).read_until(b'\n', &mut text)? == 0 {
        return Ok(None);
    }
    if text.last() == Some(&b'\n') || text.len() <= MAX_LINE {
        return Ok(Some(Line::Text(text)));
    }
    // The rest of the line is passed over without being kept.
    drop(text);
    loop {
        let ready = input.fill_buf()?;
        let (used, done) = match ready.iter().position(|byte| *byte == b'\n') {
            Some(at) => (at + 1, true),
            None => (ready.len(), ready.is_empty()),
        };
        input.consume(used);
        if done {
            return Ok(Some(Line::TooLong));
        }
    }
}

/// The session on a line, to be priced by a tariff. The message names the column only: the line is the caller's.
///
/// # Errors
/// Says what is wrong with it.
pub fn session(text: &str, tariff: &Tariff) -> Result<Session, String> {
    Session::from_json(text).or_else(|error| match ocpi::session(text, &tariff.currency.code) {
        Some(taken) => taken.map(|(session, _)| session).map_err(|problem| problem.to_string()),
        None => Err(error.to_string().replacen("line 1, column", "column", 1)),
    })
}

/// Says on a terminal how far a long run is.
#[derive(Debug)]
pub struct Progress {
    shown: bool,
    wanted: bool,
    what: &'static str,
    started: Instant,
    last: Instant,
}

impl Progress {
    /// Counts `what`, as in `sessions`.
    pub fn new(what: &'static str) -> Self {
        let wanted = std::io::stderr().is_terminal() && !std::io::stdout().is_terminal();
        Self { shown: false, wanted, what, started: Instant::now(), last: Instant::now() }
    }

    /// So many are done.
    pub fn at(&mut self, done: u64) {
        if !self.wanted || self.last.elapsed() < Duration::from_millis(200) {
            return;
        }
        self.last = Instant::now();
        self.shown = true;
        let ms = self.started.elapsed().as_millis().max(1);
        let rate = u128::from(done) * 1000 / ms;
        let line = format!("{} {}, {}/s", grouped(done), self.what, grouped(rate));
        let _ = write!(std::io::stderr(), "\r\x1b[K{line}");
    }

    /// Takes the line away, for a message or at the end.
    pub fn clear(&mut self) {
        if std::mem::take(&mut self.shown) {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn echo(input: &str, workers: usize) -> Vec<String> {
        let mut seen = Vec::new();
        let show = |chunk: &Chunk| -> Vec<String> {
            chunk
                .lines()
                .map(|(number, text)| {
                    format!("{number} {}", text.map_or_else(|e| e, str::to_owned).trim_end())
                })
                .collect()
        };
        let take = |lines: Vec<String>| {
            seen.extend(lines);
            Ok(())
        };
        assert!(in_order(input.as_bytes(), workers, || show, take).is_ok());
        seen
    }

    #[test]
    fn order_is_kept_by_any_number_of_workers() {
        let input: String = (1..=1000).map(|i| format!("line {i}\n")).collect();
        let expected: Vec<String> = (1..=1000).map(|i| format!("{i} line {i}")).collect();
        for workers in [1, 2, 7] {
            assert_eq!(echo(&input, workers), expected);
        }
    }

    #[test]
    fn blank_lines_are_passed_over_and_still_counted() {
        assert_eq!(echo("a\n\n  \nb", 2), ["1 a", "4 b"]);
        assert!(echo("", 2).is_empty());
    }

    #[test]
    fn a_line_that_is_too_long_does_not_end_the_run() {
        let input = format!("a\n{}\nb\n", "x".repeat(MAX_LINE + 1));
        assert_eq!(echo(&input, 2), ["1 a", "2 the line is longer than 16 MiB", "3 b"]);
    }

    #[test]
    fn a_failing_reader_of_results_ends_the_run() {
        let input = "x\n".repeat(100_000);
        let ended = in_order(input.as_bytes(), 3, || |_: &Chunk| (), |()| Err(Failure::Io("full".into())));
        assert!(matches!(ended, Err(Failure::Io(_))));
    }
}
