//! `takst price`.

use super::failure::{Exit, Failure};
use super::layout::{count, left, right, rule};
use super::out::{Look, Out};
use super::stream::{self, Chunk, Progress};
use super::{files, receipt, tariffs};
use crate::exchange::ocpi;
use crate::prices;
use clap::Args;
use std::path::{Path, PathBuf};
use takst_engine::calendar_time::LocalTime;
use takst_engine::document::{Document, inputs, money};
use takst_engine::input::InputError;
use takst_engine::prices::FeedFile;
use takst_engine::tariff::{Measure, Tariff, Test, Who};
use takst_engine::units::{Day, Instant};
use takst_engine::{Bill, PriceBook, Pricer, Pricing, Session, Standing, price};

/// Work out the bill of a session, or of every session in a .jsonl file
///
/// The session is a JSON document: one of ours, an OCPI CDR, or a plain run with `start`, `end`, `kwh` and perhaps `power`. A file that ends in .jsonl (or any input with --lines) holds one session per line: bills
/// come out in the same order while the file is read, in the same small memory however long it is. A line that cannot be
/// priced is named, and the rest goes on. A session that still runs, or whose prices are not all known, gives a preview.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  takst price spot.tariff --session 210.json --prices spot-fi.json
  takst price partner.tariff --session cdr.json
  takst price spot.tariff --session 2025-03.jsonl --prices spot-fi.json --format json > bills.jsonl")]
pub struct Price {
    /// The tariff file
    #[arg(value_name = "TARIFF")]
    tariff: PathBuf,
    #[command(flatten)]
    inputs: SessionInputs,
    /// Opening counters; the closing ones come back as `standing`. Sessions of a .jsonl file are then priced one after the
    /// other, each opening with the counters the last one closed with: right for the sessions of one driver at one site. A
    /// file with `{}` starts at zero. Without it each session does
    #[arg(long, value_name = "FILE")]
    standing: Option<PathBuf>,
}

/// The session and what it is priced with.
#[derive(Args, Debug)]
pub struct SessionInputs {
    /// The session: .json for one, .jsonl for one per line, `-` for standard input
    #[arg(long, value_name = "FILE")]
    session: PathBuf,
    /// Price feeds, as in spot prices: JSON, or files of ENTSO-E, Nord Pool or hvakosterstrommen.no as they come
    #[arg(long, value_name = "FILE", num_args = 1..)]
    prices: Vec<PathBuf>,
    /// One session per line, whatever the file is called
    #[arg(long)]
    lines: bool,
}

impl SessionInputs {
    /// The file of sessions.
    pub fn path(&self) -> &Path {
        &self.session
    }

    /// Whether it holds one session per line.
    pub fn many(&self) -> bool {
        self.lines || stream::by_name(&self.session)
    }

    /// The price feeds, for a tariff.
    pub fn book(&self, tariff: &Tariff) -> Result<PriceBook, Failure> {
        book(&self.prices, tariff)
    }

    /// The one session, and its text. What a person should know of how a partner's document was read is said.
    pub fn one(&self, tariff: &Tariff, out: &mut Out) -> Result<(Session, String), Failure> {
        let text = files::text(&self.session)?;
        let wrong = |what: String| Failure::Input(format!("{}: {what}", files::shown(&self.session)));
        let session = match Session::from_json(&text) {
            Ok(session) => session,
            Err(error) => match ocpi::session(&text, &tariff.currency.code) {
                None => return Err(wrong(error.to_string())),
                Some(Err(problem)) => return Err(wrong(problem.to_string())),
                Some(Ok((session, notes))) => {
                    if !out.json() {
                        notes.iter().for_each(|note| out.hint(&note.to_string()));
                    }
                    session
                }
            },
        };
        Ok((session, text))
    }
}

/// The local days on which price feeds have a price; the first thousand of them.
///
/// # Errors
/// As [`book`].
pub fn days(paths: &[PathBuf], tariff: &Tariff) -> Result<std::ops::Range<Day>, Failure> {
    let day = |at: Instant| LocalTime::at(&tariff.zone, at.0).day;
    let mut days: Option<(Day, Day)> = None;
    for feed in feeds(paths, tariff)? {
        for step in feed.prices {
            let (from, to) = (day(step.from), day(Instant(step.to.0 - 1)));
            days = Some(days.map_or((from, to), |(first, last)| (first.min(from), last.max(to))));
        }
    }
    let (first, last) = days.unwrap_or((0, -1));
    Ok(first..last.saturating_add(1).min(first.saturating_add(1_000)))
}

/// Reads price feeds, in the currency in which the tariff wants its spot prices where a file has several.
///
/// # Errors
/// A file that cannot be read or is no price feed.
pub fn book(paths: &[PathBuf], tariff: &Tariff) -> Result<PriceBook, Failure> {
    let mut book = PriceBook::default();
    for path in paths {
        for feed in feeds(std::slice::from_ref(path), tariff)? {
            book.add(feed).map_err(|error| Failure::Input(format!("{}: {error}", files::shown(path))))?;
        }
    }
    Ok(book)
}

fn feeds(paths: &[PathBuf], tariff: &Tariff) -> Result<Vec<FeedFile>, Failure> {
    let spot = tariff.feeds.iter().find(|feed| feed.name == "spot").map(|feed| feed.unit.as_str());
    let currency = spot.and_then(|unit| unit.split('/').next()).unwrap_or(&tariff.currency.code);
    let mut all = Vec::new();
    for path in paths {
        let refused = |error: InputError| Failure::Input(format!("{}: {error}", files::shown(path)));
        all.extend(prices::read(&files::text(path)?, path, currency).map_err(refused)?);
    }
    Ok(all)
}

/// Reads a file of opening counters.
///
/// # Errors
/// A file that cannot be read or holds something else.
pub fn standing(path: &Path) -> Result<Standing, Failure> {
    let text = files::text(path)?;
    Standing::from_json(&text).map_err(|error| Failure::Input(format!("{}: {error}", files::shown(path))))
}

/// Whether prices depend on what a driver or a site had in other sessions.
pub fn counts_over_sessions(tariff: &Tariff) -> bool {
    let over = |who: Who| who != Who::Session;
    let measures = tariff.measures.iter().any(|measure| match measure {
        Measure::Energy { who, .. } | Measure::Time { who, .. } => over(*who),
        Measure::Power | Measure::Current | Measure::Occupancy => false,
    });
    let whole = tariff.tests.iter().any(|test| matches!(test, Test::WholeMonthAtLeast { .. }));
    let charges = tariff.charges.iter().flat_map(|charge| &charge.limits);
    let limits = charges.chain(&tariff.total_limits).any(|limit| over(limit.who));
    let coupons = tariff.coupons.iter().any(|coupon| coupon.times_per_driver.is_some());
    measures || whole || limits || coupons
}

/// Says, for people, that sessions are priced as if each were the first.
pub fn each_from_zero(out: &mut Out, tariffs: &[&Tariff], standing: Option<&Standing>) {
    if standing.is_none() && !out.json() && tariffs.iter().any(|tariff| counts_over_sessions(tariff)) {
        out.hint(
            "the tariff counts over several sessions of a driver or site, and here each session starts at zero; \
             `takst month` counts for each driver, and --standing FILE carries one driver's counters from line to line",
        );
    }
}

/// A tariff joined with prices.
///
/// # Errors
/// A feed in another unit than the tariff needs.
pub fn pricing<'a>(
    prepared: &'a takst_engine::Prepared,
    book: &'a PriceBook,
) -> Result<Pricing<'a>, Failure> {
    Pricing::new(prepared, book).map_err(|error| Failure::Input(error.to_string()))
}

impl Price {
    /// Prices one session or all lines.
    pub fn run(&self, out: &mut Out) -> Result<Exit, Failure> {
        let prepared = tariffs::prepared(&self.tariff, out)?;
        let book = self.inputs.book(prepared.tariff())?;
        let pricing = pricing(&prepared, &book)?;
        let standing = self.standing.as_deref().map(standing).transpose()?;
        if self.inputs.many() {
            self.all(&pricing, standing.as_ref(), out)
        } else {
            self.one(&pricing, standing, out)
        }
    }

    fn one(&self, pricing: &Pricing<'_>, standing: Option<Standing>, out: &mut Out) -> Result<Exit, Failure> {
        let (session, text) = self.inputs.one(pricing.prepared().tariff(), out)?;
        let counted = standing.is_some();
        let standing = standing.unwrap_or_default();
        let bill = match price(pricing, &session, &standing) {
            Ok(bill) => bill,
            Err(error) => {
                if out.json() {
                    out.document(&serde_json::json!({ "error": error.to_string(), "session": session.id }))?;
                }
                return Err(Failure::Input(format!("session {}: {error}", session.id)));
            }
        };
        let document = bill.document(pricing, &session, inputs(pricing, text.trim().as_bytes(), &standing));
        if out.json() {
            out.document(&document)?;
        } else {
            let look = receipt::Sheet { width: out.width(), colour: out.colour(), exact: false };
            out.put(&look.receipt(&document, plug(&session), pricing))?;
            if counted {
                out.put(&look.standing(&document.standing))?;
            }
        }
        Ok(Exit::Fine)
    }

    fn all(
        &self,
        pricing: &Pricing<'_>,
        standing: Option<&Standing>,
        out: &mut Out,
    ) -> Result<Exit, Failure> {
        each_from_zero(out, &[pricing.prepared().tariff()], standing);
        let input = stream::open(self.inputs.path())?;
        // Counters pass from one session to the next, so then there is only one worker.
        let workers = if standing.is_some() { 1 } else { stream::cores() };
        let work = Lines { pricing, json: out.json(), width: out.width() };
        let digits = pricing.prepared().tariff().currency.digits;
        let mut progress = Progress::new("sessions");
        let mut sums = Sums::default();
        if !out.json() {
            out.put(&work.heading())?;
        }
        let make = || {
            let carried = standing.is_some();
            let mut standing = standing.cloned().unwrap_or_default();
            move |chunk: &Chunk| work.price(chunk, &mut standing, carried)
        };
        let place = input.place();
        stream::in_order(input.lines, workers, make, |batch: Batch| {
            if !batch.errors.is_empty() {
                progress.clear();
            }
            for (number, error) in &batch.errors {
                out.at(&place(*number), error);
            }
            out.put(&batch.text)?;
            sums.add(&batch.sums);
            progress.at(sums.priced + sums.failed);
            Ok(())
        })?;
        progress.clear();
        if !out.json() {
            let text = work.total(&sums, digits);
            out.line(&rule(out.width()))?;
            let text = out.paint(Look::Strong, &text);
            out.line(&text)?;
            if sums.failed > 0 {
                out.line(&format!("{} could not be priced", count_u64(sums.failed, "session")))?;
            }
            if sums.previews > 0 {
                out.line(&format!(
                    "{} with a preview only, not in the total",
                    count_u64(sums.previews, "session")
                ))?;
            }
        }
        Ok(if sums.failed > 0 { Exit::Errors } else { Exit::Fine })
    }
}

/// The plug of a session, where it is known.
pub fn plug(session: &Session) -> Option<takst_engine::session::Plug> {
    session.facts.connector.as_ref().and_then(|connector| connector.plug)
}

/// [`count`] for line counters.
pub fn count_u64(how_many: u64, what: &str) -> String {
    count(usize::try_from(how_many).unwrap_or(usize::MAX), what)
}

/// What a stretch of lines came to.
#[derive(Debug, Default)]
struct Sums {
    priced: u64,
    previews: u64,
    failed: u64,
    // Minor units and millionths of a kWh, of final bills.
    total: i128,
    energy: i128,
}

impl Sums {
    fn add(&mut self, other: &Self) {
        let Self { priced, previews, failed, total, energy } = other;
        self.priced += priced;
        self.previews += previews;
        self.failed += failed;
        self.total += total;
        self.energy += energy;
    }
}

#[derive(Debug, Default)]
struct Batch {
    text: String,
    errors: Vec<(u64, String)>,
    sums: Sums,
}

#[derive(Clone, Copy)]
struct Lines<'a> {
    pricing: &'a Pricing<'a>,
    json: bool,
    width: usize,
}

impl Lines<'_> {
    fn price(&self, chunk: &Chunk, standing: &mut Standing, carried: bool) -> Batch {
        let mut batch = Batch::default();
        let mut pricer = Pricer::new(self.pricing);
        for (number, text) in chunk.lines() {
            let done = text.and_then(|text| self.session(&mut pricer, text, standing));
            match done {
                Ok((bill, document)) => {
                    batch.sums.priced += 1;
                    if bill.is_final() {
                        batch.sums.total += i128::from(bill.total);
                        batch.sums.energy += i128::from(bill.energy.0);
                    } else {
                        batch.sums.previews += 1;
                    }
                    if self.json {
                        batch.text.push_str(&serde_json::to_string(&document).unwrap_or_default());
                        batch.text.push('\n');
                    } else {
                        batch.text.push_str(&self.row(&document));
                    }
                    if carried {
                        standing.clone_from(&bill.standing);
                    }
                }
                Err(error) => {
                    batch.sums.failed += 1;
                    if self.json {
                        let line = serde_json::json!({ "error": error, "line": number });
                        batch.text.push_str(&line.to_string());
                        batch.text.push('\n');
                    }
                    batch.errors.push((number, error));
                }
            }
        }
        batch
    }

    fn session<'b>(
        &self,
        pricer: &'b mut Pricer<'_>,
        text: &str,
        standing: &Standing,
    ) -> Result<(&'b Bill, Document), String> {
        let session = stream::session(text, self.pricing.prepared().tariff())?;
        let bill =
            pricer.price(&session, standing).map_err(|error| format!("session {}: {error}", session.id))?;
        let inputs = inputs(self.pricing, text.trim().as_bytes(), standing);
        let document = bill.document(self.pricing, &session, inputs);
        Ok((bill, document))
    }

    fn columns(&self) -> (usize, usize, usize, usize) {
        // Start, energy, minutes, total; the id takes the rest.
        (16, 13, 10, 12)
    }

    fn id_width(&self) -> usize {
        let (start, energy, time, total) = self.columns();
        self.width.saturating_sub(start + energy + time + total + 2)
    }

    fn heading(&self) -> String {
        let (start, energy, time, total) = self.columns();
        let currency = &self.pricing.prepared().tariff().currency.code;
        format!(
            "{}  {}{}{}{}\n{}\n",
            left("Session", self.id_width()),
            left("Plugged in", start),
            right("kWh", energy),
            right("h:min", time),
            right(currency, total),
            rule(self.width)
        )
    }

    fn row(&self, document: &Document) -> String {
        let (start, energy, time, total) = self.columns();
        let id = super::layout::fit(&document.session, self.id_width());
        let from = receipt::date_minute(&document.from);
        let lasted =
            document.to.as_deref().map_or_else(|| "running".into(), |to| receipt::lasted(&document.from, to));
        let sum = match document.status {
            "pending" => "pending".to_owned(),
            "running" => format!("{} so far", document.total),
            _ => document.total.clone(),
        };
        format!(
            "{}  {}{}{}{}\n",
            left(&id, self.id_width()),
            left(&from, start),
            right(&super::layout::places(&document.energy_kwh, 3, 3), energy),
            right(&lasted, time),
            right(&sum, total),
        )
    }

    fn total(&self, sums: &Sums, digits: u8) -> String {
        let (start, energy, time, total) = self.columns();
        let kwh = super::layout::places(&takst_engine::exact::print_decimal(sums.energy, 6, false), 3, 3);
        let amount =
            i64::try_from(sums.total).map_or_else(|_| "too large".into(), |total| money(total, digits));
        format!(
            "{}  {}{}{}{}",
            left(&count_u64(sums.priced - sums.previews, "session"), self.id_width()),
            left("", start),
            right(&kwh, energy),
            right("", time),
            right(&amount, total)
        )
    }
}
