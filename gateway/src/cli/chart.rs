//! Prices and sessions drawn in a terminal with block characters, or with plain ones where the terminal has no others.

use super::layout::{columns, fit, left, places, right};
use crate::draw::session::{Lane, word};
use crate::draw::{Step, cheapest::Cheapest, day::Band};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive as _;
use takst_engine::calendar_time::LocalTime;
use takst_engine::explain::StateSpan;
use takst_engine::session::State;
use takst_engine::tariff::Zone;
use takst_engine::units::{Instant, MINUTE_MS};

/// The characters that a terminal can show.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Glyphs {
    /// Block characters.
    Blocks,
    /// ASCII only.
    Plain,
}

const EIGHTHS_UP: [&str; 9] = [" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];
const EIGHTHS_ACROSS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
const PLAIN_UP: [&str; 9] = [" ", ".", ".", ":", ":", "-", "=", "+", "#"];
/// Rows of a day's chart above zero, and at the most below.
const ROWS: i64 = 6;
const MOST_BELOW: i64 = 3;

// So many of `whole` as the value is of `most`, to the nearest.
fn share(value: Decimal, most: Decimal, whole: i64) -> i64 {
    let share = value.checked_mul(Decimal::from(whole)).and_then(|value| value.checked_div(most));
    share.and_then(|share| share.round().to_i64()).unwrap_or(0).clamp(0, whole)
}

fn times(text: &str, count: i64) -> String {
    text.repeat(usize::try_from(count).unwrap_or(0))
}

fn size(columns: usize) -> i64 {
    i64::try_from(columns).unwrap_or(0)
}

impl Glyphs {
    const fn pick(self, block: &'static str, plain: &'static str) -> &'static str {
        match self {
            Glyphs::Blocks => block,
            Glyphs::Plain => plain,
        }
    }

    // A cell filled from below, by eighths.
    fn up(self, eighths: i64) -> &'static str {
        let table = if self == Glyphs::Blocks { EIGHTHS_UP } else { PLAIN_UP };
        table.get(usize::try_from(eighths.clamp(0, 8)).unwrap_or(0)).copied().unwrap_or(" ")
    }

    // A cell filled from above, by eighths: there are only halves.
    const fn down(self, eighths: i64) -> &'static str {
        match eighths {
            i64::MIN..=1 => " ",
            2..=5 => self.pick("▀", "'"),
            6.. => self.pick("█", "#"),
        }
    }

    const fn state(self, state: State) -> &'static str {
        match state {
            State::Charging => self.pick("█", "#"),
            State::Feeding => self.pick("▓", "%"),
            State::Idle => self.pick("▒", "="),
            State::Paused => self.pick("░", "-"),
            State::Waiting => self.pick("·", "."),
        }
    }

    /// A price as a bar in `room` columns, where prices go from `lo` to `hi`: below zero it goes to the left.
    pub fn bar(self, price: Decimal, (lo, hi): (Decimal, Decimal), room: usize) -> String {
        let (lo, hi, room) = (lo.min(Decimal::ZERO), hi.max(Decimal::ZERO), size(room));
        if lo == hi {
            return String::new();
        }
        let below = if lo.is_zero() { 0 } else { share(-lo, hi - lo, room).max(1) };
        if price.is_sign_negative() && !price.is_zero() {
            let length = share(-price, -lo, below).max(1);
            return times(" ", below - length) + &times(self.pick("▒", "-"), length);
        }
        if hi.is_zero() {
            return String::new();
        }
        let eighths = share(price, hi, (room - below) * 8);
        let rest = match self {
            Glyphs::Blocks => usize::try_from(eighths % 8)
                .ok()
                .and_then(|part| EIGHTHS_ACROSS.get(part))
                .copied()
                .unwrap_or(""),
            Glyphs::Plain if eighths % 8 >= 4 => "#",
            Glyphs::Plain => "",
        };
        times(" ", below) + &times(self.pick("█", "#"), eighths / 8) + rest
    }
}

/// A stretch of time in so many columns of equal length.
#[derive(Clone, Copy, Debug)]
struct Clock<'a> {
    zone: &'a Zone,
    from: i64,
    to: i64,
    columns: usize,
}

impl Clock<'_> {
    // The middle of each column.
    fn middles(&self) -> Vec<i64> {
        let (span, columns) = (self.to - self.from, size(self.columns).max(1));
        (0..columns).map(|n| self.from + (span * (2 * n + 1)) / (2 * columns)).collect()
    }

    fn column(&self, at: i64) -> usize {
        let along = i128::from(at - self.from) * i128::from(size(self.columns));
        let column = along / i128::from((self.to - self.from).max(1));
        usize::try_from(column).unwrap_or(0).min(self.columns.saturating_sub(1))
    }

    // Local hours below a chart, as many as are easy to read.
    fn labels(&self) -> String {
        let minutes = (self.to - self.from) / MINUTE_MS;
        let fits = |step: &i64| (minutes / step + 1) * 6 <= size(self.columns);
        let step = [15, 30, 60, 120, 180, 360, 720, 1440, 2880].into_iter().find(fits).unwrap_or(10_080);
        let mut line = String::new();
        let quarter = 15 * MINUTE_MS;
        let mut at = self.from.div_euclid(quarter) * quarter;
        while at < self.to {
            let local = LocalTime::at(self.zone, at);
            let minute = i64::from(local.minute);
            let falls = if step < 1440 {
                minute % step == 0
            } else {
                minute == 0 && i64::from(local.day) % (step / 1440) == 0
            };
            if at >= self.from && falls {
                let label = match step {
                    ..60 => format!("{:02}:{:02}", minute / 60, minute % 60),
                    60..1440 => format!("{:02}", minute / 60),
                    _ => takst_engine::calendar_time::day_text(local.day)
                        .get(5..)
                        .unwrap_or_default()
                        .to_owned(),
                };
                let column = self.column(at);
                // Two hours of one name stand side by side; what does not fit is left out.
                if line.is_empty() && column == 0 || columns(&line) < column {
                    line = left(&line, column) + &label;
                }
            }
            at += quarter;
        }
        line
    }
}

/// A day as a terminal shows it.
#[derive(Debug)]
pub struct DayChart<'a> {
    /// The clock.
    pub zone: &'a Zone,
    /// First and last instant.
    pub day: (Instant, Instant),
    /// The price of energy, without gaps.
    pub prices: &'a [Step],
    /// Fees that count time.
    pub bands: &'a [Band],
    /// When charging costs least.
    pub cheapest: Option<Cheapest>,
}

/// A line, and how it looks: the price's own, or less important.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Drawn {
    /// The text.
    pub text: String,
    /// Whether it is less important.
    pub faint: bool,
}

impl DayChart<'_> {
    /// The lines of the chart; none where there is nothing to see, since one price holds all day.
    pub fn draw(&self, glyphs: Glyphs, width: usize) -> Vec<Drawn> {
        let changing = self.prices.windows(2).any(|pair| match pair {
            [one, other] => one.price != other.price,
            _ => false,
        });
        let known: Vec<Decimal> = self.prices.iter().filter_map(|step| step.price).collect();
        let (Some(lowest), Some(highest), true) = (known.iter().min(), known.iter().max(), changing) else {
            return Vec::new();
        };
        let text = |price: &Decimal| places(&price.to_string(), 2, 4);
        let gutter = columns(&text(lowest)).max(columns(&text(highest))).max(4) + 1;
        let room = width.saturating_sub(gutter + 2 + if self.bands.is_empty() { 0 } else { 18 });
        let clock = self.clock(room);
        let (lo, hi) = (*lowest.min(&Decimal::ZERO), *highest.max(&Decimal::ZERO));
        let cells: Vec<Option<Decimal>> = clock.middles().into_iter().map(|at| self.price(at)).collect();
        let mut lines = Vec::new();
        let mut put = |label: &str, axis: &str, cells: &str, faint: bool| {
            let text = format!("{} {axis}{cells}", right(label, gutter - 1));
            lines.push(Drawn { text: fit(text.trim_end(), width), faint });
        };
        let side = glyphs.pick("│", "|");
        for row in (0..ROWS).rev().filter(|_| !hi.is_zero()) {
            let cell = |price: &Option<Decimal>| match price {
                Some(price) => glyphs.up(share((*price).max(Decimal::ZERO), hi, ROWS * 8) - row * 8),
                None => {
                    if row == 0 {
                        "?"
                    } else {
                        " "
                    }
                }
            };
            let label = if row == ROWS - 1 { text(highest) } else { String::new() };
            put(&label, side, &cells.iter().map(cell).collect::<String>(), false);
        }
        put("0", glyphs.pick("┼", "+"), &times(glyphs.pick("─", "-"), size(cells.len())), true);
        let below = if hi.is_zero() { ROWS } else { share(-lo, hi, ROWS).clamp(1, MOST_BELOW) };
        for row in (0..below).filter(|_| !lo.is_zero()) {
            let cell = |price: &Option<Decimal>| {
                let eighths = share(-price.unwrap_or_default().min(Decimal::ZERO), -lo, below * 8);
                // Never lost, however little it is.
                let eighths = if row == 0 && price.is_some_and(|price| price < Decimal::ZERO) {
                    eighths.max(2)
                } else {
                    eighths
                };
                glyphs.down(eighths - row * 8)
            };
            let label = if row == below - 1 { text(lowest) } else { String::new() };
            put(&label, side, &cells.iter().map(cell).collect::<String>(), false);
        }
        put("", " ", &clock.labels(), true);
        if let Some(cheapest) = &self.cheapest {
            let cell = |at: &i64| {
                if (cheapest.from.0..cheapest.to.0).contains(at) { glyphs.pick("▀", "^") } else { " " }
            };
            let marks: String = clock.middles().iter().map(cell).collect();
            put("", " ", &marks, false);
        }
        for band in self.bands {
            let costs = |at: &i64| band.stretches.iter().any(|(from, to, _)| (from.0..to.0).contains(at));
            let cell = |at: &i64| if costs(at) { glyphs.pick("▓", "=") } else { glyphs.pick("·", ".") };
            let cells: String = clock.middles().iter().map(cell).collect();
            put("", " ", &format!("{cells} {}", band.label), false);
        }
        lines
    }

    // Columns of a whole number of minutes.
    fn clock(&self, room: usize) -> Clock<'_> {
        let (from, to) = (self.day.0.0, self.day.1.0);
        let minutes = (to - from) / MINUTE_MS;
        let count = |step: i64| usize::try_from(minutes / step).unwrap_or(1).max(1);
        let columns = [15, 20, 30, 60, 120].map(count).into_iter().find(|columns| *columns <= room);
        Clock { zone: self.zone, from, to, columns: columns.unwrap_or(12) }
    }

    fn price(&self, at: i64) -> Option<Decimal> {
        self.prices.iter().find(|step| step.from.0 <= at && at < step.to.0)?.price
    }
}

/// A session as a terminal shows it: what the car did, and when each charge was how high.
pub fn session(
    glyphs: Glyphs,
    width: usize,
    zone: &Zone,
    states: &[StateSpan],
    lanes: &[Lane],
) -> Vec<Drawn> {
    let (Some(first), Some(last)) = (states.first(), states.last()) else { return Vec::new() };
    let names =
        states.iter().map(|span| word(span.state)).chain(lanes.iter().map(|lane| lane.label.as_str()));
    let gutter = names.map(columns).max().unwrap_or(0).clamp(8, 18) + 1;
    let sums = lanes.iter().map(|lane| columns(&lane.amount)).max().unwrap_or(0) + 2;
    let room = width.saturating_sub(gutter + sums);
    if room < 12 || first.from >= last.to {
        return Vec::new();
    }
    let clock = Clock { zone, from: first.from.0, to: last.to.0, columns: room };
    let mut lines = vec![Drawn {
        text: format!("{}{}", left("", gutter), clock.labels()).trim_end().to_owned(),
        faint: true,
    }];
    let mut put = |label: &str, cells: &str, sum: &str| {
        let label = left(&fit(label, gutter - 1), gutter);
        let text = format!("{label}{}{}", left(cells, room), right(sum, sums));
        lines.push(Drawn { text: text.trim_end().to_owned(), faint: false });
    };
    let mut seen: Vec<State> = Vec::new();
    for span in states {
        if seen.contains(&span.state) {
            continue;
        }
        seen.push(span.state);
        let of: Vec<&StateSpan> = states.iter().filter(|other| other.state == span.state).collect();
        // A short stretch still has a column.
        let mut cells = vec![" "; room];
        for span in of {
            let (from, to) = (clock.column(span.from.0), clock.column(span.to.0 - 1));
            cells.iter_mut().take(to + 1).skip(from).for_each(|cell| *cell = glyphs.state(span.state));
        }
        put(word(span.state), &cells.concat(), "");
    }
    for lane in lanes {
        let prices = || lane.blocks.iter().filter_map(|block| block.price);
        let highest = prices().map(|price| price.abs()).max().unwrap_or_default();
        let mut cells = vec![" "; room];
        for block in &lane.blocks {
            let (from, to) = (clock.column(block.from.0), clock.column((block.to.0 - 1).max(block.from.0)));
            let glyph = match block.price {
                _ if block.from == block.to => glyphs.pick("◆", "*"),
                Some(price) if price.is_zero() => glyphs.pick("·", "."),
                Some(price) if price.is_sign_negative() => glyphs.pick("▔", "_"),
                Some(price) => glyphs.up(share(price, highest, 8).max(1)),
                None => "?",
            };
            cells.iter_mut().take(to + 1).skip(from).for_each(|cell| *cell = glyph);
        }
        put(&lane.label, &cells.concat(), &lane.amount);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use takst_engine::units::HOUR_MS;

    fn price(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    #[test]
    fn bars_have_eighths_and_go_left_below_zero() {
        let bounds = (price("0"), price("2"));
        assert_eq!(Glyphs::Blocks.bar(price("2"), bounds, 10), "██████████");
        assert_eq!(Glyphs::Blocks.bar(price("0.25"), bounds, 10), "█▎");
        assert_eq!(Glyphs::Plain.bar(price("1"), bounds, 10), "#####");
        assert_eq!(Glyphs::Blocks.bar(price("0"), bounds, 10), "");
        let bounds = (price("-1"), price("4"));
        assert_eq!(Glyphs::Plain.bar(price("-1"), bounds, 10), "--");
        assert_eq!(Glyphs::Plain.bar(price("-0.1"), bounds, 10), " -");
        assert_eq!(Glyphs::Plain.bar(price("4"), bounds, 10), "  ########");
        assert_eq!(Glyphs::Plain.bar(price("-1"), (price("-1"), price("-1")), 4), "----");
        assert_eq!(Glyphs::Blocks.bar(price("0"), (price("0"), price("0")), 4), "");
    }

    fn zone() -> Zone {
        Zone { name: "Etc/UTC".into(), first_offset_s: 0, changes: Vec::new() }
    }

    fn day(prices: &[Option<&str>]) -> Vec<Step> {
        let step = |(n, price_text): (usize, &Option<&str>)| Step {
            from: Instant(size(n) * HOUR_MS),
            to: Instant((size(n) + 1) * HOUR_MS),
            price: price_text.map(price),
            tip: String::new(),
        };
        prices.iter().enumerate().map(step).collect()
    }

    fn chart(prices: &[Option<&str>], glyphs: Glyphs) -> Vec<String> {
        let (zone, steps) = (zone(), day(prices));
        let end = Instant(size(prices.len()) * HOUR_MS);
        let day =
            DayChart { zone: &zone, day: (Instant(0), end), prices: &steps, bands: &[], cheapest: None };
        day.draw(glyphs, 40).into_iter().map(|drawn| drawn.text).collect()
    }

    #[test]
    fn a_day_stands_on_zero_and_hangs_below_it() {
        let drawn = chart(&[Some("0.40"), Some("-0.10"), None, Some("0.20")], Glyphs::Plain);
        assert_eq!(
            drawn,
            [
                " 0.40 |####",
                "      |####",
                "      |####",
                "      |####        ####",
                "      |####        ####",
                "      |####    ????####",
                "    0 +----------------",
                "      |    ####",
                "-0.10 |    ####",
                "       00          03",
            ]
        );
        let blocks = chart(&[Some("0.40"), Some("0.01")], Glyphs::Blocks);
        // Two hours in columns of a quarter; a hundredth is an eighth of a row.
        assert_eq!(blocks[5], "     │████▁▁▁▁");
        assert!(chart(&[Some("0.40"), Some("0.40")], Glyphs::Blocks).is_empty());
        assert!(chart(&[None, None], Glyphs::Blocks).is_empty());
    }
}
