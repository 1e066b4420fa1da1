//! `takst diff`.

mod histogram;
mod json;

use super::failure::{Exit, Failure};
use super::layout::{columns, ends, fit, left, right, rule};
use super::out::{Look, Out};
use super::price::{book, count_u64, each_from_zero, pricing, standing};
use super::receipt::basis;
use super::stream::{self, Chunk, Progress};
use super::{files, tariffs};
use clap::Args;
use histogram::{Histogram, Row};
use json::report;
use std::collections::BTreeMap;
use std::path::PathBuf;
use takst_engine::bill::{Bill, Source};
use takst_engine::exact::print_decimal;
use takst_engine::tariff::Tariff;
use takst_engine::{Prepared, Pricer, Pricing, Session, Standing};

/// Show what a price change would have done to real sessions
///
/// Every session is priced under both tariffs: in all, by group, by charge, how many sessions change by how much, and those that
/// change most. Totals are with all taxes; only sessions that have a final bill under both
/// count. The file of sessions is read once, session by session, whatever its size. Where no session could be compared, the program says
/// why and ends with 1.
#[derive(Args, Debug)]
#[command(
    after_help = "Example:\n  takst diff 2024.tariff 2025.tariff --sessions 2024.jsonl --prices spot-fi.json"
)]
pub struct Diff {
    /// The tariff as it is
    #[arg(value_name = "OLD")]
    old: PathBuf,
    /// The tariff as it would be
    #[arg(value_name = "NEW")]
    new: PathBuf,
    /// Sessions as JSON: one per line, in a list, or in the `data` of a response; CDRs of OCPI too. `-` is standard input
    #[arg(long, value_name = "FILE")]
    sessions: PathBuf,
    /// Price feeds; may be given more than once
    #[arg(long, value_name = "FILE", num_args = 1..)]
    prices: Vec<PathBuf>,
    /// Opening counters, for both tariffs. Sessions are then priced one after the other, each opening with the counters the
    /// last one closed with under the same tariff: right for the sessions of one driver at one site. A file with `{}`
    /// starts at zero. Without it each session does
    #[arg(long, value_name = "FILE")]
    standing: Option<PathBuf>,
    /// How many of the sessions that change most are listed, each way
    #[arg(long, value_name = "NUMBER", default_value_t = 5, value_parser = clap::value_parser!(u16).range(..=1000))]
    top: u16,
}

const SHOWN_FAILURES: usize = 20;
const KEPT_FAILURES: usize = 1000;
// A file with a group of its own for every session must not fill the memory.
const MOST_NAMES: usize = 10_000;

// Minor units.
#[derive(Clone, Copy, Debug, Default)]
struct Pair {
    sessions: u64,
    old: i128,
    new: i128,
}

impl Pair {
    fn add(&mut self, other: Self) {
        self.sessions += other.sessions;
        self.old += other.old;
        self.new += other.new;
    }
}

#[derive(Clone, Debug)]
struct Moved {
    line: u64,
    session: String,
    old: i64,
    new: i64,
}

impl Moved {
    fn by(&self) -> i128 {
        i128::from(self.new) - i128::from(self.old)
    }
}

#[derive(Debug, Default)]
struct Sums {
    whole: Pair,
    // Millionths of a kWh.
    energy: i128,
    groups: BTreeMap<String, Pair>,
    charges: BTreeMap<String, Pair>,
    histogram: Histogram,
    // So many of these.
    top: usize,
    cheaper: Vec<Moved>,
    dearer: Vec<Moved>,
    previews: u64,
    // Those of them that wait for prices of a feed.
    waiting: u64,
    failed: u64,
    failures: Vec<(u64, String)>,
}

impl Sums {
    fn new(top: usize) -> Self {
        Self { top, ..Self::default() }
    }

    fn add(&mut self, other: Self) {
        let Self {
            whole,
            energy,
            groups,
            charges,
            histogram,
            top: _,
            cheaper,
            dearer,
            previews,
            waiting,
            failed,
            failures,
        } = other;
        self.histogram.join(histogram);
        self.whole.add(whole);
        self.energy += energy;
        for (known, more) in [(&mut self.groups, groups), (&mut self.charges, charges)] {
            for (name, pair) in more {
                let full = known.len() >= MOST_NAMES && !known.contains_key(&name);
                known.entry(if full { "(others)".into() } else { name }).or_default().add(pair);
            }
        }
        self.cheaper.extend(cheaper);
        self.dearer.extend(dearer);
        self.keep_top();
        self.previews += previews;
        self.waiting += waiting;
        self.failed += failed;
        let room = KEPT_FAILURES.saturating_sub(self.failures.len());
        self.failures.extend(failures.into_iter().take(room));
    }

    // Largest change first; the earlier line on a tie.
    fn keep_top(&mut self) {
        self.cheaper.sort_by_key(|moved| (moved.by(), moved.line));
        self.cheaper.truncate(self.top);
        self.dearer.sort_by_key(|moved| (-moved.by(), moved.line));
        self.dearer.truncate(self.top);
    }
}

impl Diff {
    /// Compares the two.
    pub fn run(&self, out: &mut Out) -> Result<Exit, Failure> {
        let (old, new) = (tariffs::prepared(&self.old, out)?, tariffs::prepared(&self.new, out)?);
        let (before, after) = (&old.tariff().currency, &new.tariff().currency);
        if before != after {
            let message = format!(
                "the tariffs are in {} and {}; only one currency can be compared",
                before.code, after.code
            );
            return Err(Failure::Input(message));
        }
        let book = book(&self.prices, old.tariff())?;
        let (old_pricing, new_pricing) = (pricing(&old, &book)?, pricing(&new, &book)?);
        let standing = self.standing.as_deref().map(standing).transpose()?;
        each_from_zero(out, &[old.tariff(), new.tariff()], standing.as_ref());
        let input = stream::open(&self.sessions)?;
        let mut progress = Progress::new("sessions");
        let top = usize::from(self.top);
        let mut sums = Sums::new(top);
        let work = Work { old: &old_pricing, new: &new_pricing, top };
        let place = input.place();
        stream::in_order(
            input.lines,
            // Counters pass from one session to the next, so then there is only one worker.
            if standing.is_some() { 1 } else { stream::cores() },
            || {
                let mut counters = Counters::new(standing.as_ref());
                move |chunk: &Chunk| work.compare(chunk, &mut counters)
            },
            |batch: Sums| {
                sums.add(batch);
                progress.at(sums.whole.sessions + sums.previews + sums.failed);
                Ok(())
            },
        )?;
        progress.clear();
        if out.json() {
            out.document(&report(&old, &new, &sums))?;
        } else {
            show(&old, &new, &sums, out)?;
            for (line, error) in sums.failures.iter().take(SHOWN_FAILURES) {
                out.at(&place(*line), error);
            }
            let kept = u64::try_from(sums.failures.len().min(SHOWN_FAILURES)).unwrap_or(u64::MAX);
            if sums.failed > kept {
                out.message(&format!("and {} more", count_u64(sums.failed - kept, "line")));
            }
        }
        let compared = self.compared(&sums, out);
        Ok(if sums.failed == 0 && compared { Exit::Fine } else { Exit::Errors })
    }

    // Says what stood in the way of sessions that are none of the compared ones, and whether any was compared.
    fn compared(&self, sums: &Sums, out: &mut Out) -> bool {
        let none = sums.whole.sessions == 0;
        let name = files::shown(&self.sessions);
        if none && sums.previews + sums.failed == 0 {
            out.at(&name, "there is no session in it, so nothing was compared");
        }
        if sums.waiting > 0 {
            let what = count_u64(sums.waiting, "session");
            let prices = if self.prices.is_empty() {
                "give the prices that the tariffs follow with --prices"
            } else {
                "the price files do not cover them"
            };
            let text = format!("{what} could not be priced for want of prices: {prices}");
            match (none, out.json()) {
                (true, _) => out.at(&name, &text),
                (false, false) => out.hint(&text),
                (false, true) => {}
            }
        }
        let running = sums.previews - sums.waiting;
        if none && running > 0 {
            out.at(
                &name,
                &format!("{} still running: what has no final bill is not compared", words(running)),
            );
        }
        !none
    }
}

// `1 session is`, `2 sessions are`.
fn words(sessions: u64) -> String {
    format!("{} {}", count_u64(sessions, "session"), if sessions == 1 { "is" } else { "are" })
}

// What each tariff has counted so far.
struct Counters {
    carried: bool,
    old: Standing,
    new: Standing,
}

impl Counters {
    fn new(opening: Option<&Standing>) -> Self {
        let both = opening.cloned().unwrap_or_default();
        Self { carried: opening.is_some(), old: both.clone(), new: both }
    }
}

#[derive(Clone, Copy)]
struct Work<'a> {
    old: &'a Pricing<'a>,
    new: &'a Pricing<'a>,
    top: usize,
}

impl Work<'_> {
    fn compare(&self, chunk: &Chunk, counters: &mut Counters) -> Sums {
        let mut sums = Sums::new(self.top);
        let mut pricers = (Pricer::new(self.old), Pricer::new(self.new));
        for (number, text) in chunk.lines() {
            let compared =
                text.and_then(|text| self.session(&mut pricers, (number, text), &mut sums, counters));
            if let Err(error) = compared {
                sums.failed += 1;
                sums.failures.push((number, error));
            }
        }
        sums.keep_top();
        sums
    }

    fn session(
        &self,
        (old, new): &mut (Pricer<'_>, Pricer<'_>),
        (line, text): (u64, &str),
        sums: &mut Sums,
        counters: &mut Counters,
    ) -> Result<(), String> {
        let session = stream::session(text, self.old.prepared().tariff())?;
        let failed = |which: &str, error| format!("session {}, {which} tariff: {error}", session.id);
        let old = old.price(&session, &counters.old).map_err(|error| failed("old", error))?;
        let new = new.price(&session, &counters.new).map_err(|error| failed("new", error))?;
        if counters.carried {
            counters.old.clone_from(&old.standing);
            counters.new.clone_from(&new.standing);
        }
        if !old.is_final() || !new.is_final() {
            sums.previews += 1;
            if !old.pending.is_empty() || !new.pending.is_empty() {
                sums.waiting += 1;
            }
            return Ok(());
        }
        let pair = Pair { sessions: 1, old: old.total.into(), new: new.total.into() };
        sums.whole.add(pair);
        sums.energy += i128::from(old.energy.0);
        sums.groups.entry(group(&session, self.new.prepared().tariff())).or_default().add(pair);
        for (name, pair) in charges(old, self.old, new, self.new) {
            sums.charges.entry(name).or_default().add(pair);
        }
        let moved = Moved { line, session: session.id, old: old.total, new: new.total };
        sums.histogram.add(moved.by());
        match moved.by() {
            0 => {}
            by if by < 0 => sums.cheaper.push(moved),
            _ => sums.dearer.push(moved),
        }
        Ok(())
    }
}

// The driver's groups as the new tariff knows them.
fn group(session: &Session, tariff: &Tariff) -> String {
    let known: Vec<&str> = tariff
        .groups
        .iter()
        .filter(|group| session.facts.groups.contains(group))
        .map(String::as_str)
        .collect();
    if !known.is_empty() {
        return known.join(" + ");
    }
    let default = tariff.default_group.and_then(|group| tariff.groups.get(group as usize));
    default.map_or_else(|| "all drivers".to_owned(), Clone::clone)
}

fn charges(
    old: &Bill,
    old_pricing: &Pricing<'_>,
    new: &Bill,
    new_pricing: &Pricing<'_>,
) -> BTreeMap<String, Pair> {
    let mut charges: BTreeMap<String, Pair> = BTreeMap::new();
    for row in &old.rows {
        charges.entry(label(row.source, old_pricing.prepared().tariff())).or_default().old +=
            i128::from(row.amount);
    }
    for row in &new.rows {
        charges.entry(label(row.source, new_pricing.prepared().tariff())).or_default().new +=
            i128::from(row.amount);
    }
    for pair in charges.values_mut() {
        pair.sessions = 1;
    }
    charges
}

fn label(source: Source, tariff: &Tariff) -> String {
    let known = match source {
        Source::Charge(index) | Source::Step(index) | Source::Limit(index, _) => {
            tariff.charges.get(usize::from(index)).map(|charge| charge.label.clone())
        }
        Source::Discount(index) => {
            tariff.discounts.get(usize::from(index)).map(|discount| discount.label.clone())
        }
        Source::Coupon(index) => {
            tariff.coupons.get(usize::from(index)).map(|coupon| format!("Coupon {}", coupon.code))
        }
        Source::TotalLimit(_) => Some("Limit on the total".into()),
    };
    known.unwrap_or_default()
}

fn taxes_in(tariff: &Tariff, text: &str) -> String {
    basis(tariff).map_or_else(|| text.to_owned(), |_| format!("{text}, all taxes in"))
}

fn show(old: &Prepared, new: &Prepared, sums: &Sums, out: &mut Out) -> Result<(), Failure> {
    let width = out.width();
    let currency = &old.tariff().currency;
    let (old, new) = (old.tariff(), new.tariff());
    let print = |amount: i128| print_decimal(amount, u32::from(currency.digits), false);
    let signed = |amount: i128| format!("{}{}", if amount > 0 { "+" } else { "" }, print(amount));
    let share = |pair: &Pair| match pair.old {
        0 => String::new(),
        old => {
            let tenths = (pair.new - pair.old).saturating_mul(1000) / old.abs();
            let sign = if tenths > 0 { "+" } else { "" };
            format!("{sign}{} %", print_decimal(tenths, 1, false))
        }
    };
    let name = width.saturating_sub(14 * 3 + 10);
    let row = |label: &str, pair: &Pair| {
        let label = left(&fit(label, name.saturating_sub(2)), name);
        let figures = [print(pair.old), print(pair.new), signed(pair.new - pair.old)];
        let figures: String = figures.iter().map(|figure| right(figure, 14)).collect();
        format!("{label}{figures}{}", right(&share(pair), 10)).trim_end().to_owned()
    };
    let title = out.paint(
        Look::Strong,
        &ends(&format!("{} → {}", old.name, new.name), &taxes_in(new, &currency.code), width),
    );
    out.line(&title)?;
    let heads: String = ["old", "new", "difference"].iter().map(|head| right(head, 14)).collect();
    let heads = format!("{}{heads}", left("", name));
    let heads = out.paint(Look::Faint, &heads);
    out.line(&heads)?;
    out.line(&rule(width))?;
    let whole = out.paint(Look::Strong, &row(&count_u64(sums.whole.sessions, "session"), &sums.whole));
    out.line(&whole)?;
    if sums.groups.len() > 1 {
        out.line("")?;
        for (label, pair) in &sums.groups {
            out.line(&row(&format!("{label} ({})", super::layout::grouped(pair.sessions)), pair))?;
        }
    }
    if !sums.charges.is_empty() {
        let heading = match (basis(old), basis(new)) {
            (None, None) => "By charge".to_owned(),
            (old, new) if old == new => format!("By charge, {}", old.unwrap_or_default()),
            (old, new) => {
                let word = |basis: Option<&'static str>| basis.unwrap_or("untaxed");
                format!("By charge, old {}, new {}", word(old), word(new))
            }
        };
        out.line("")?;
        let heading = out.paint(Look::Faint, &heading);
        out.line(&heading)?;
        for (label, pair) in &sums.charges {
            out.line(&row(label, pair))?;
        }
    }
    changes(&sums.histogram, currency.digits, out)?;
    for (heading, moved) in [("Cheaper by most", &sums.cheaper), ("Dearer by most", &sums.dearer)] {
        if moved.is_empty() {
            continue;
        }
        out.line("")?;
        let heading = out.paint(Look::Faint, heading);
        out.line(&heading)?;
        for moved in moved {
            let pair = Pair { sessions: 1, old: moved.old.into(), new: moved.new.into() };
            out.line(&row(&moved.session, &pair))?;
        }
    }
    let mut rest = Vec::new();
    if sums.previews > 0 {
        rest.push(format!("{} without a final bill left out", count_u64(sums.previews, "session")));
    }
    if sums.failed > 0 {
        rest.push(format!("{} could not be priced", count_u64(sums.failed, "session")));
    }
    if !rest.is_empty() {
        out.line("")?;
        let text = out.paint(Look::Warn, &rest.join("; "));
        out.line(&text)?;
    }
    Ok(())
}

// How many sessions became cheaper or dearer by how much.
fn changes(histogram: &Histogram, digits: u8, out: &mut Out) -> Result<(), Failure> {
    let rows = histogram.rows();
    let most = rows.iter().map(|row| row.sessions).max().unwrap_or(0);
    if histogram.cheaper() + histogram.dearer() == 0 {
        return Ok(());
    }
    let print = |amount: i128| {
        let text = print_decimal(amount, u32::from(digits), false);
        if amount > 0 { format!("+{text}") } else { text }
    };
    let words = |row: &Row| match (row.from, row.to) {
        (Some(0), _) => "no change".to_owned(),
        (Some(from), Some(to)) if from == to => print(from),
        (Some(from), Some(to)) => format!("{} to {}", print(from), print(to)),
        (None, Some(to)) => format!("{} or less", print(to)),
        (Some(from), None) => format!("{} or more", print(from)),
        (None, None) => String::new(),
    };
    let names: Vec<String> = rows.iter().map(words).collect();
    let name = names.iter().map(|name| columns(name)).max().unwrap_or(0);
    let count = |row: &Row| super::layout::grouped(row.sessions);
    let counts = rows.iter().map(|row| columns(&count(row))).max().unwrap_or(0);
    let heading = format!(
        "Sessions by change: {} cheaper, {} dearer, {} the same",
        super::layout::grouped(histogram.cheaper()),
        super::layout::grouped(histogram.dearer()),
        super::layout::grouped(histogram.unchanged)
    );
    out.line("")?;
    let heading = out.paint(Look::Faint, &heading);
    out.line(&heading)?;
    let room = out.width().saturating_sub(name + counts + 4).min(40);
    for (row, text) in rows.iter().zip(&names) {
        let bar = out.glyphs().bar(row.sessions.into(), (0.into(), most.into()), room);
        let line = format!("{}  {}  {bar}", right(text, name), right(&count(row), counts));
        out.line(line.trim_end())?;
    }
    Ok(())
}
