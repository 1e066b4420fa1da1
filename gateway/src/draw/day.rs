//! A day's prices: a bar for each slice, the clock, now, the cheapest stretch, and the hours in which time costs something.

use super::axis::{PriceScale, Px, TimeAxis};
use super::cheapest::Cheapest;
use super::{Step, short};
use crate::cli::layout::places;
use crate::cli::receipt::clock;
use maud::{Markup, html};
use takst_engine::calendar_time::local_text;
use takst_engine::tariff::Zone;
use takst_engine::units::Instant;

/// Pixels across.
pub const WIDTH: i64 = 760;

const LEFT: Px = Px::whole(58);
const RIGHT: Px = Px::whole(14);
const TOP: Px = Px::whole(86);
const HEIGHT: Px = Px::whole(220);
const BAND: i64 = 24;

/// What is drawn.
#[derive(Debug)]
pub struct Day<'a> {
    /// The tariff.
    pub title: &'a str,
    /// The day.
    pub date: String,
    /// For whom and where.
    pub whom: String,
    /// What the prices are, as in `EUR per kWh, all taxes in`.
    pub unit: String,
    /// The clock.
    pub zone: &'a Zone,
    /// First instant.
    pub from: Instant,
    /// Last instant.
    pub to: Instant,
    /// The price of energy, without gaps.
    pub prices: Vec<Step>,
    /// Fees that count time.
    pub bands: Vec<Band>,
    /// The time now, if it is on that day.
    pub now: Option<Instant>,
    /// When charging costs least.
    pub cheapest: Option<Cheapest>,
}

/// A fee that counts time, and when it costs something.
#[derive(Debug)]
pub struct Band {
    /// As in `Idle fee after 30 min`.
    pub label: String,
    /// From, to, and the price in words.
    pub stretches: Vec<(Instant, Instant, String)>,
}

impl Day<'_> {
    /// The picture as a file.
    pub fn file(&self) -> String {
        let title = format!("{}, {}", self.title, self.date);
        super::file(&self.draw(), &title, (WIDTH, self.height()))
    }

    fn bands_top(&self) -> i64 {
        86 + 220 + 52
    }

    fn height(&self) -> i64 {
        let bands = i64::try_from(self.bands.len()).unwrap_or(0) * (BAND + 18);
        self.bands_top() + bands + 34
    }

    fn draw(&self) -> Markup {
        let axis = TimeAxis {
            zone: self.zone,
            from: self.from,
            to: self.to,
            left: LEFT,
            width: Px::whole(WIDTH) - LEFT - RIGHT,
        };
        let known = self.prices.iter().filter_map(|step| step.price);
        let scale = PriceScale::new(known, TOP, HEIGHT, 5);
        let right = Px::whole(WIDTH) - RIGHT;
        html! {
            text class="heading" x="16" y="28" { (short(self.title, 62)) }
            text class="heading end" x=(right) y="28" { (self.date) }
            text class="quiet" x="16" y="48" { (short(&self.whom, 70)) }
            text class="quiet end" x=(right) y="48" { (short(&self.unit, 46)) }
            @if let Some(cheapest) = &self.cheapest { (self.cheapest(&axis, cheapest)) }
            @for (y, label) in scale.marks() {
                line class="grid" x1=(LEFT) x2=(right) y1=(y) y2=(y) {}
                text class="quiet end" x=(LEFT - Px::whole(8)) y=(y + Px::whole(4)) { (label) }
            }
            @for step in &self.prices { (bar(&axis, &scale, step)) }
            line class="axis" x1=(LEFT) x2=(right) y1=(scale.zero()) y2=(scale.zero()) {}
            (clock_marks(&axis, TOP + HEIGHT))
            @for (index, band) in self.bands.iter().enumerate() { (self.band(&axis, index, band)) }
            @if let Some(now) = self.now {
                line class="now" x1=(axis.x(now)) x2=(axis.x(now)) y1=(TOP - Px::whole(6)) y2=(TOP + HEIGHT) {}
                (label_at(&axis, now, &format!("now {}", clock(&local_text(self.zone, now))), TOP - Px::whole(10), "now"))
            }
            text class="quiet" x="16" y=(Px::whole(self.height() - 14)) { (self.words()) }
        }
    }

    fn cheapest(&self, axis: &TimeAxis<'_>, cheapest: &Cheapest) -> Markup {
        let (x, end) = (axis.x(cheapest.from), axis.x(cheapest.to));
        html! {
            rect class="cheapest" x=(x) width=(end - x) y=(TOP) height=(HEIGHT) {
                title { (self.words()) }
            }
            rect class="cheapest-mark" x=(x) width=(end - x) y=(TOP + HEIGHT) height="4" {}
        }
    }

    // What the marked stretch is.
    fn words(&self) -> String {
        match &self.cheapest {
            Some(cheapest) => {
                let at = |at| local_text(self.zone, at);
                let span = crate::cli::receipt::span(&at(cheapest.from), &at(cheapest.to));
                let hours = places(&hours(cheapest).to_string(), 0, 2);
                format!("cheapest {hours} h: {span}, {} on average", places(&cheapest.mean.to_string(), 4, 4))
            }
            None => String::new(),
        }
    }

    fn band(&self, axis: &TimeAxis<'_>, index: usize, band: &Band) -> Markup {
        let y = self.bands_top() + i64::try_from(index).unwrap_or(0) * (BAND + 18);
        let (top, height) = (Px::whole(y + 6), Px::whole(BAND - 8));
        let width = Px::whole(WIDTH) - RIGHT - LEFT;
        html! {
            text class="label" x=(LEFT) y=(Px::whole(y)) { (short(&band.label, 100)) }
            rect class="free" x=(LEFT) width=(width) y=(top) height=(height) {}
            @for (from, to, price) in &band.stretches {
                @let (x, end) = (axis.x(*from), axis.x(*to));
                @let span = crate::cli::receipt::span(&local_text(self.zone, *from), &local_text(self.zone, *to));
                rect class="fee" x=(x) width=(end - x) y=(top) height=(height) { title { (span) ": " (price) } }
                @if end - x > Px::whole(i64::try_from(price.chars().count()).unwrap_or(99) * 7 + 8) {
                    text class="on-fee middle" x=(x + (end - x).half()) y=(top + Px::whole(12)) { (price) }
                }
            }
        }
    }
}

fn hours(cheapest: &Cheapest) -> rust_decimal::Decimal {
    rust_decimal::Decimal::from(cheapest.to.0 - cheapest.from.0) / rust_decimal::Decimal::from(3_600_000)
}

fn bar(axis: &TimeAxis<'_>, scale: &PriceScale, step: &Step) -> Markup {
    let (x, end) = (axis.x(step.from), axis.x(step.to));
    // A gap between bars, where they are wide enough for one.
    let gap = if end - x > Px::whole(6) { Px::whole(1) } else { Px::whole(0) };
    let width = end - x - gap;
    let Some(price) = step.price else {
        return html! {
            rect class="unknown" x=(x) width=(width) y=(TOP) height=(HEIGHT) { title { (step.tip) } }
        };
    };
    let (y, zero) = (scale.y(price), scale.zero());
    let (top, bottom) = (y.min(zero), y.max(zero));
    let class = if price.is_sign_negative() { "credit" } else { "energy" };
    html! {
        rect class=(class) x=(x) width=(width) y=(top) height=((bottom - top).max(Px::whole(1))) { title { (step.tip) } }
    }
}

/// The clock below a picture, and where it is put on or back.
pub(super) fn clock_marks(axis: &TimeAxis<'_>, y: Px) -> Markup {
    let ticks = axis.ticks(Px::whole(26));
    let days = ticks.iter().filter(|tick| tick.day.is_some()).count();
    html! {
        @for tick in &ticks {
            line class="axis" x1=(axis.x(tick.at)) x2=(axis.x(tick.at)) y1=(y) y2=(y + Px::whole(5)) {}
            text class="quiet middle" x=(axis.x(tick.at)) y=(y + Px::whole(18)) { (tick.label) }
            @if let Some(day) = tick.day.as_ref().filter(|_| days > 1) {
                text class="quiet" x=(axis.x(tick.at)) y=(y + Px::whole(33)) { (day) }
            }
        }
        @for (at, by) in axis.changes() {
            @let minutes = by.abs();
            @let length = if minutes % 60 == 0 { format!("{} h", minutes / 60) } else { format!("{minutes} min") };
            @let words = format!("the clock is put {} {length}", if by > 0 { "on" } else { "back" });
            line class="change" x1=(axis.x(at)) x2=(axis.x(at)) y1=(y - Px::whole(40)) y2=(y + Px::whole(5)) {}
            (label_at(axis, at, &words, y + Px::whole(33), "quiet"))
        }
    }
}

// A label at a time, kept inside the picture.
fn label_at(axis: &TimeAxis<'_>, at: Instant, text: &str, y: Px, class: &str) -> Markup {
    let half = Px::whole(i64::try_from(text.chars().count()).unwrap_or(0) * 3 + 4);
    let x = axis.x(at).max(axis.left + half).min(axis.left + axis.width - half);
    html! { text class={ (class) " middle" } x=(x) y=(y) { (text) } }
}
