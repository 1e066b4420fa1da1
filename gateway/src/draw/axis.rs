//! Where things stand in a picture: time from left to right, prices from the bottom up.

use crate::cli::receipt::{clock, long_date};
use maud::Render;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive as _;
use std::fmt::{self, Write as _};
use std::ops::{Add, Sub};
use takst_engine::calendar_time::{LocalTime, local_text};
use takst_engine::tariff::Zone;
use takst_engine::units::{Instant, MINUTE_MS};

/// A length, in hundredths of a pixel.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Px(i64);

impl Px {
    pub(super) const fn whole(pixels: i64) -> Self {
        Self(pixels * 100)
    }

    pub(super) fn half(self) -> Self {
        Self(self.0 / 2)
    }
}

impl Add for Px {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl Sub for Px {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0 - other.0)
    }
}

impl fmt::Display for Px {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&takst_engine::exact::print_decimal(i128::from(self.0), 2, true))
    }
}

impl Render for Px {
    fn render_to(&self, buffer: &mut String) {
        // Writing to a text cannot fail.
        let _ = write!(buffer, "{self}");
    }
}

/// Time from left to right. Equal times are equally long, also on a day on which the clock changes.
#[derive(Clone, Copy, Debug)]
pub(super) struct TimeAxis<'a> {
    pub(super) zone: &'a Zone,
    pub(super) from: Instant,
    pub(super) to: Instant,
    pub(super) left: Px,
    pub(super) width: Px,
}

/// A mark on the clock.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Tick {
    pub(super) at: Instant,
    pub(super) label: String,
    /// The day, where it begins.
    pub(super) day: Option<String>,
}

// Minutes between two marks.
const STEPS: [i64; 11] = [15, 30, 60, 120, 180, 240, 360, 720, 1440, 2880, 10_080];
const QUARTER_MS: i64 = 15 * MINUTE_MS;

impl TimeAxis<'_> {
    pub(super) fn x(&self, at: Instant) -> Px {
        let (from, to) = (self.from.0, self.to.0.max(self.from.0 + 1));
        let along = i128::from(at.0.clamp(from, to) - from) * i128::from(self.width.0);
        Px(self.left.0 + i64::try_from(along / i128::from(to - from)).unwrap_or(0))
    }

    /// As many marks as there is room for labels of that width, at full local hours.
    pub(super) fn ticks(&self, label: Px) -> Vec<Tick> {
        let minutes = (self.to.0 - self.from.0) / MINUTE_MS;
        let fits = |step: &i64| (minutes / step + 1) * label.0 <= self.width.0;
        let step = STEPS.iter().copied().find(fits).unwrap_or(10_080);
        let mut ticks = Vec::new();
        let mut at = self.from.0.div_euclid(QUARTER_MS) * QUARTER_MS;
        while at <= self.to.0 {
            let local = LocalTime::at(self.zone, at);
            let minute = i64::from(local.minute);
            let falls = if step < 1440 {
                minute % step == 0
            } else {
                minute == 0 && i64::from(local.day) % (step / 1440) == 0
            };
            if at >= self.from.0 && falls {
                let text = local_text(self.zone, Instant(at));
                let label = match clock(&text) {
                    "00:00" if at == self.to.0 => "24".to_owned(),
                    time if step < 60 => time.to_owned(),
                    time => time.get(..2).unwrap_or(time).to_owned(),
                };
                let begins = (minute == 0 && at < self.to.0) || ticks.is_empty();
                let day = begins.then(|| long_date(&text));
                let day = day.map(|day| day.rsplit_once(' ').map_or(day.clone(), |(day, _)| day.to_owned()));
                ticks.push(Tick { at: Instant(at), label, day });
            }
            at += QUARTER_MS;
        }
        ticks
    }

    /// When the clock changes, and by how many minutes it is then put on.
    pub(super) fn changes(&self) -> Vec<(Instant, i64)> {
        let offset = |at: i64| LocalTime::at(self.zone, at).offset_ms;
        let inside = self.zone.changes.iter().map(|(at, _)| *at);
        inside
            .filter(|at| self.from < *at && *at < self.to)
            .map(|at| (at, (offset(at.0) - offset(at.0 - 1)) / MINUTE_MS))
            .filter(|(_, by)| *by != 0)
            .collect()
    }
}

/// Prices from the bottom up; zero is always there.
#[derive(Clone, Copy, Debug)]
pub(super) struct PriceScale {
    lo: Decimal,
    hi: Decimal,
    step: Decimal,
    top: Px,
    height: Px,
}

impl PriceScale {
    /// For these prices, with about so many lines across.
    pub(super) fn new(prices: impl Iterator<Item = Decimal>, top: Px, height: Px, lines: i64) -> Self {
        let (lo, hi) =
            prices.fold((Decimal::ZERO, Decimal::ZERO), |(lo, hi), price| (lo.min(price), hi.max(price)));
        let hi = if lo == hi { Decimal::ONE } else { hi };
        let wanted = (hi - lo) / Decimal::from(lines.max(1));
        let step = nice(wanted);
        let whole = |value: Decimal| value.checked_div(step).unwrap_or_default();
        Self { lo: whole(lo).floor() * step, hi: whole(hi).ceil() * step, step, top, height }
    }

    /// For these prices, from edge to edge.
    pub(super) fn tight(prices: impl Iterator<Item = Decimal>, top: Px, height: Px) -> Self {
        let (lo, hi) =
            prices.fold((Decimal::ZERO, Decimal::ZERO), |(lo, hi), price| (lo.min(price), hi.max(price)));
        let hi = if lo == hi { Decimal::ONE } else { hi };
        Self { lo, hi, step: hi - lo, top, height }
    }

    pub(super) fn y(&self, price: Decimal) -> Px {
        let down = (self.hi - price.clamp(self.lo, self.hi)) * Decimal::from(self.height.0);
        let down = down.checked_div(self.hi - self.lo).unwrap_or_default();
        Px(self.top.0 + down.round().to_i64().unwrap_or(0))
    }

    pub(super) fn zero(&self) -> Px {
        self.y(Decimal::ZERO)
    }

    /// Lines across, from the lowest, with their labels.
    pub(super) fn marks(&self) -> Vec<(Px, String)> {
        let digits = usize::try_from(self.step.normalize().scale()).unwrap_or(0);
        let values = (0..64).map(|n| self.lo + self.step * Decimal::from(n));
        values
            .take_while(|value| *value <= self.hi)
            .map(|value| (self.y(value), format!("{value:.digits$}")))
            .collect()
    }
}

// The next 1, 2 or 5 times a power of ten.
fn nice(wanted: Decimal) -> Decimal {
    let small = (0..=12).rev().flat_map(|scale| [1, 2, 5].map(|digit| Decimal::new(digit, scale)));
    let large = (1..=13).flat_map(|zeros| [1, 2, 5].map(|digit| Decimal::from(digit * 10_i64.pow(zeros))));
    small.chain(large).find(|step| *step >= wanted).unwrap_or(Decimal::from(50_000_000_000_000_i64))
}

/// The decimal of a text, where it is one that can be drawn: prices beyond a billion are no prices.
pub fn drawable(text: &str) -> Option<Decimal> {
    let value: Decimal = crate::cli::layout::places(text, 0, 12).parse().ok()?;
    (value.abs() < Decimal::from(1_000_000_000_i64)).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use takst_engine::units::HOUR_MS;

    fn oslo() -> Zone {
        // 2026-03-29 01:00 UTC: +1 h to +2 h.
        Zone {
            name: "Europe/Oslo".into(),
            first_offset_s: 3600,
            changes: vec![(Instant(1_774_746_000_000), 7200), (Instant(1_792_890_000_000), 3600)],
        }
    }

    #[test]
    fn the_day_of_a_clock_change_has_its_own_hours() {
        let zone = oslo();
        // 2026-03-29 00:00 to 24:00 in Oslo.
        let (from, to) = (Instant(1_774_738_800_000), Instant(1_774_738_800_000 + 23 * HOUR_MS));
        let axis = TimeAxis { zone: &zone, from, to, left: Px::whole(0), width: Px::whole(2300) };
        let labels: Vec<String> = axis.ticks(Px::whole(80)).into_iter().map(|tick| tick.label).collect();
        assert_eq!(labels.len(), 24);
        assert_eq!(labels[..4], ["00", "01", "03", "04"]);
        assert_eq!(labels[23], "24");
        assert_eq!(axis.changes(), [(Instant(1_774_746_000_000), 60)]);
        assert_eq!(axis.x(Instant(from.0 + HOUR_MS)), Px::whole(100));
    }

    #[test]
    fn scales_have_round_marks_and_zero() {
        let prices = ["-0.013", "0.31"].map(|price| price.parse::<Decimal>().unwrap());
        let scale = PriceScale::new(prices.into_iter(), Px::whole(0), Px::whole(100), 4);
        let labels: Vec<String> = scale.marks().into_iter().map(|(_, label)| label).collect();
        assert_eq!(labels, ["-0.1", "0.0", "0.1", "0.2", "0.3", "0.4"]);
        assert_eq!(scale.y(prices[1].max(Decimal::new(4, 1))), Px::whole(0));
        assert_eq!(scale.zero(), Px::whole(80));
        let flat = PriceScale::new(std::iter::empty(), Px::whole(0), Px::whole(100), 4);
        assert_eq!(flat.zero(), Px::whole(100));
        let large =
            PriceScale::new([Decimal::from(999_999_999)].into_iter(), Px::whole(0), Px::whole(100), 4);
        assert_eq!(large.marks().len(), 3, "0, 500000000, 1000000000");
        assert!(drawable("1e9").is_none() && drawable("1000000000").is_none());
    }
}
