//! A session on the clock: the price, what the car did, what each charge took when.

use super::axis::{PriceScale, Px, TimeAxis, drawable};
use super::day::clock_marks;
use super::{Step, short};
use crate::cli::layout::places;
use crate::cli::receipt::{belongs, clock, quantity_places, span};
use maud::{Markup, html};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive as _;
use takst_engine::calendar_time::local_text;
use takst_engine::document::{ChargeDoc, Document, LineDoc};
use takst_engine::explain::StateSpan;
use takst_engine::session::State;
use takst_engine::tariff::Zone;
use takst_engine::units::{Instant, MINUTE_MS};

const SIDE: Px = Px::whole(20);

/// What is drawn.
#[derive(Debug)]
pub struct Picture<'a> {
    /// Heading and what stands below it; none inside a page.
    pub heading: Option<(String, String)>,
    /// Pixels across.
    pub width: i64,
    /// The clock.
    pub zone: &'a Zone,
    /// First instant.
    pub from: Instant,
    /// Last instant.
    pub to: Instant,
    /// The price of energy while the picture lasts, where it is to be seen also outside the session; and its unit.
    pub prices: Vec<Step>,
    /// What these prices are, as in `EUR per kWh, all taxes in`.
    pub price_unit: String,
    /// What the car did.
    pub states: &'a [StateSpan],
    /// What charges took.
    pub lanes: Vec<Lane>,
    /// Where it can be taken hold of.
    pub handles: Option<Handles>,
}

/// The parts of a session that can be dragged.
#[derive(Clone, Copy, Debug)]
pub struct Handles {
    /// Plugged in.
    pub plugged_in: Instant,
    /// Charging ended.
    pub full: Instant,
    /// Unplugged.
    pub unplugged: Instant,
    /// kW while charging.
    pub power: Decimal,
}

/// A charge on the clock.
#[derive(Debug)]
pub struct Lane {
    /// Its label.
    pub label: String,
    /// What it came to, with the currency.
    pub amount: String,
    /// Energy has more room.
    pub energy: bool,
    /// What it is made of.
    pub blocks: Vec<Block>,
}

/// A line of a bill on the clock.
#[derive(Debug)]
pub struct Block {
    /// Start.
    pub from: Instant,
    /// End; the start, where it happened at once.
    pub to: Instant,
    /// Per unit.
    pub price: Option<Decimal>,
    /// What a person reads who points at it.
    pub tip: String,
    /// The line of the tariff's own file that decided.
    pub line: Option<String>,
}

/// The charges of a bill on the clock. `file` is the tariff's own: lines of it can be lit up.
pub fn lanes(document: &Document, file: &str) -> Vec<Lane> {
    let lane = |charge: &ChargeDoc| Lane {
        label: charge.label.clone(),
        amount: format!("{} {}", charge.amount, document.currency),
        energy: charge.charge == "energy",
        blocks: document
            .lines
            .iter()
            .filter(|line| belongs(line, charge))
            .filter_map(|line| block(line, &document.currency, file))
            .collect(),
    };
    let mut lanes: Vec<Lane> = document.charges.iter().map(lane).collect();
    for pending in &document.pending {
        let (from, to) =
            (takst_engine::input::instant(&pending.from), takst_engine::input::instant(&pending.to));
        let (Ok(from), Ok(to)) = (from, to) else { continue };
        let tip = format!("{}: no price yet", span(&pending.from, &pending.to));
        let block = Block { from, to, price: None, tip, line: None };
        match lanes.iter_mut().find(|lane| lane.label == pending.label) {
            Some(lane) => lane.blocks.push(block),
            None => lanes.push(Lane {
                label: pending.label.clone(),
                amount: "not known yet".into(),
                energy: pending.charge == "energy",
                blocks: vec![block],
            }),
        }
    }
    lanes.retain(|lane| !lane.blocks.is_empty());
    lanes
}

// What a line has a price for; what was added or taken off afterwards is not on the clock.
fn block(line: &LineDoc, currency: &str, file: &str) -> Option<Block> {
    let price = line.unit_price.as_deref()?;
    let (from, to) =
        takst_engine::input::instant(&line.from).ok().zip(takst_engine::input::instant(&line.to).ok())?;
    let amount = places(&line.amount, 2, 4);
    let made = match (&line.quantity, line.unit) {
        (Some(quantity), Some(unit)) => {
            let quantity = places(quantity, 0, quantity_places(line.unit).max(2));
            format!("{quantity} {unit} × {} {currency}/{unit} = {amount}", places(price, 2, 6))
        }
        _ => format!("{amount} {currency}"),
    };
    let own = line.rule.rsplit_once(':').filter(|(name, _)| *name == file);
    Some(Block {
        from,
        to,
        price: drawable(price),
        tip: format!("{}: {made}, {}", span(&line.from, &line.to), line.rule),
        line: own.map(|(_, number)| number.to_owned()),
    })
}

impl Picture<'_> {
    /// The picture as a file.
    pub fn file(&self) -> String {
        let title = self.heading.as_ref().map_or("a session", |(title, _)| title.as_str());
        super::file(&self.draw(), title, (self.width, self.height()))
    }

    /// The picture as a part of a page that has [`super::STYLE`].
    pub fn part(&self, label: &str) -> Markup {
        let (width, height) = (self.width, self.height());
        html! {
            svg class="chart" width=(width) height=(height) viewBox=(format!("0 0 {width} {height}")) role="group" aria-label=(label)
                data-from=(self.from.0) data-to=(self.to.0) data-left=(SIDE) data-width=(self.axis().width) {
                (self.draw())
            }
        }
    }

    fn axis(&self) -> TimeAxis<'_> {
        let width = Px::whole(self.width) - SIDE - SIDE;
        TimeAxis { zone: self.zone, from: self.from, to: self.to, left: SIDE, width }
    }

    fn prices_top(&self) -> i64 {
        if self.heading.is_some() { 66 } else { 6 }
    }

    fn states_top(&self) -> i64 {
        self.prices_top() + if self.prices.is_empty() { 0 } else { 92 }
    }

    // Room for what the colours mean, and for the time above a handle.
    const fn head(&self) -> i64 {
        if self.handles.is_some() { 40 } else { 22 }
    }

    const fn states_height(&self) -> i64 {
        if self.handles.is_some() { 92 } else { 20 }
    }

    fn lanes_top(&self) -> i64 {
        self.states_top() + self.head() + self.states_height() + if self.handles.is_some() { 42 } else { 14 }
    }

    fn clock_top(&self) -> i64 {
        self.lanes_top() + self.lanes.iter().map(Lane::height).sum::<i64>()
    }

    /// Pixels down.
    pub fn height(&self) -> i64 {
        self.clock_top() + 46
    }

    fn draw(&self) -> Markup {
        let axis = self.axis();
        let right = Px::whole(self.width) - SIDE;
        let bottom = Px::whole(self.clock_top());
        let columns = usize::try_from(self.width / 8).unwrap_or(40);
        let mut tops = self.lanes.iter().scan(self.lanes_top(), |top, lane| {
            let here = *top;
            *top += lane.height();
            Some(here)
        });
        html! {
            @if let Some((title, about)) = &self.heading {
                text class="heading" x=(SIDE) y="26" { (short(title, columns)) }
                text class="quiet" x=(SIDE) y="46" { (short(about, columns)) }
            }
            @for tick in axis.ticks(Px::whole(26)) {
                line class="grid" x1=(axis.x(tick.at)) x2=(axis.x(tick.at)) y1=(Px::whole(self.prices_top())) y2=(bottom) {}
            }
            @if !self.prices.is_empty() { (self.price_lane(&axis)) }
            (self.states(&axis))
            @for lane in &self.lanes { (lane.draw(&axis, tops.next().unwrap_or(0), right)) }
            line class="axis" x1=(SIDE) x2=(right) y1=(bottom) y2=(bottom) {}
            (clock_marks(&axis, bottom))
            @if let Some(handles) = &self.handles { (self.handles(&axis, handles)) }
        }
    }

    fn price_lane(&self, axis: &TimeAxis<'_>) -> Markup {
        let top = self.prices_top();
        let (y, height) = (Px::whole(top + 20), Px::whole(58));
        let scale = PriceScale::tight(self.prices.iter().filter_map(|step| step.price), y, height);
        let lowest = self.prices.iter().filter_map(|step| step.price).min();
        let highest = self.prices.iter().filter_map(|step| step.price).max();
        let range = lowest.zip(highest).map(|(low, high)| {
            let text = |price: Decimal| places(&price.to_string(), 2, 4);
            if low == high { text(low) } else { format!("{} – {}", text(low), text(high)) }
        });
        html! {
            text class="label" x=(SIDE) y=(Px::whole(top + 12)) { "Price now" }
            text class="quiet end" x=(axis.left + axis.width) y=(Px::whole(top + 12)) {
                (range.unwrap_or_default()) " " (self.price_unit)
            }
            @for step in self.prices.iter().filter(|step| step.to > self.from && step.from < self.to) {
                (bar(axis, &scale, step, y, height, ("energy", None)))
            }
            line class="axis" x1=(axis.left) x2=(axis.left + axis.width) y1=(scale.zero()) y2=(scale.zero()) {}
        }
    }

    fn states(&self, axis: &TimeAxis<'_>) -> Markup {
        let top = self.states_top();
        let bottom = Px::whole(top + self.head() + self.states_height());
        let power = self.handles.map(|handles| handles.power);
        let mut legend: Vec<(State, i64)> = Vec::new();
        for state in self.states {
            let lasted = state.to.0 - state.from.0;
            match legend.iter_mut().find(|(known, _)| *known == state.state) {
                Some((_, sum)) => *sum += lasted,
                None => legend.push((state.state, lasted)),
            }
        }
        let mut x = Px::whole(0);
        let legend = legend.into_iter().map(|(state, lasted)| {
            let text = format!("{} {}", word(state), long(lasted));
            let at = SIDE + x;
            x = x + Px::whole(i64::try_from(text.chars().count()).unwrap_or(0) * 7 + 30);
            (state, text, at)
        });
        html! {
            @for (state, text, at) in legend {
                rect class=(word(state)) x=(at) y=(Px::whole(top + 3)) width="10" height="10" rx="2" {}
                text class="label" x=(at + Px::whole(15)) y=(Px::whole(top + 12)) { (text) }
            }
            @for state in self.states {
                @let (x, end) = (axis.x(state.from), axis.x(state.to));
                @let high = self.state_height(state.state, power);
                @let (from, to) = (local_text(self.zone, state.from), local_text(self.zone, state.to));
                rect class=(word(state.state)) x=(x) width=((end - x).max(Px::whole(1))) y=(bottom - high) height=(high) rx="2" {
                    title { (word(state.state)) ", " (span(&from, &to)) }
                }
            }
            line class="axis" x1=(axis.left) x2=(axis.left + axis.width) y1=(bottom) y2=(bottom) {}
        }
    }

    // Where power is to be seen, charging is as high as it is strong.
    fn state_height(&self, state: State, power: Option<Decimal>) -> Px {
        let whole = Px::whole(self.states_height());
        match (power, state) {
            (None, _) => whole,
            (Some(power), State::Charging | State::Feeding) => {
                let share = power.checked_div(full_power(power)).unwrap_or_default();
                let pixels = (share * Decimal::from(self.states_height())).round().to_i64().unwrap_or(0);
                Px::whole(pixels.max(4)).min(whole)
            }
            (Some(_), _) => Px::whole(12),
        }
    }

    fn handles(&self, axis: &TimeAxis<'_>, handles: &Handles) -> Markup {
        let top = self.states_top() + self.head();
        let bottom = top + self.states_height();
        let Handles { plugged_in, full, unplugged, power } = *handles;
        let high = self.state_height(State::Charging, Some(power));
        let (start, end) = (axis.x(plugged_in), axis.x(unplugged));
        let middle = start + (axis.x(full) - start).half();
        let level = Px::whole(bottom) - high;
        let power_text = places(&power.to_string(), 0, 2);
        html! {
            rect.grab data-handle="all" tabindex="0" role="slider" aria-label="the whole session" aria-valuenow=(plugged_in.0)
                aria-valuemin=(self.from.0) aria-valuemax=(self.to.0) aria-valuetext=(self.clock(plugged_in))
                x=(start) width=((end - start).max(Px::whole(2))) y=(Px::whole(top)) height=(Px::whole(bottom - top)) {
                title { "drag to move the whole session" }
            }
            (self.grip(axis, "in", "plugged in", plugged_in, Px::whole(bottom + 14)))
            (self.grip(axis, "full", "charging ends", full, Px::whole(top - 2)))
            (self.grip(axis, "out", "unplugged", unplugged, Px::whole(bottom + 14)))
            g.handle.power data-handle="kw" data-top=(Px::whole(top)) data-bottom=(Px::whole(bottom)) data-most=(full_power(power))
                tabindex="0" role="slider" aria-orientation="vertical" aria-label="power in kW" aria-valuenow=(power_text) aria-valuemin="0"
                aria-valuemax=(full_power(power)) aria-valuetext={ (power_text) " kW" } {
                rect.reach x=(middle - Px::whole(22)) width="44" y=(level - Px::whole(14)) height="28" {}
                rect.knob x=(middle - Px::whole(13)) width="26" y=(level - Px::whole(4)) height="8" rx="4" {}
                @if axis.x(full) - start < Px::whole(40) || high < Px::whole(26) {
                    text.label x=(middle + Px::whole(18)) y=(level + Px::whole(4)) { (power_text) " kW" }
                } @else {
                    text.on-bar.middle x=(middle) y=(level + Px::whole(19)) { (power_text) " kW" }
                }
            }
        }
    }

    fn clock(&self, at: Instant) -> String {
        clock(&local_text(self.zone, at)).to_owned()
    }

    fn grip(&self, axis: &TimeAxis<'_>, name: &str, label: &str, at: Instant, y: Px) -> Markup {
        let x = axis.x(at);
        let top = Px::whole(self.states_top() + self.head() - 2);
        let bottom = Px::whole(self.states_top() + self.head() + self.states_height());
        let clock = self.clock(at);
        let edge = Px::whole(26);
        let text = x.max(SIDE + edge).min(Px::whole(self.width) - SIDE - edge);
        let above = name == "full";
        html! {
            g.handle data-handle=(name) tabindex="0" role="slider" aria-label=(label) aria-valuenow=(at.0) aria-valuemin=(self.from.0)
                aria-valuemax=(self.to.0) aria-valuetext=(clock) {
                rect.reach x=(x - Px::whole(14)) width="28" y=(y - Px::whole(14)) height="28" {}
                line.stem x1=(x) x2=(x) y1=(if above { y } else { top }) y2=(if above { bottom } else { y }) {}
                circle.knob cx=(x) cy=(y) r="7" {}
                text.label.middle x=(text) y=(if above { y - Px::whole(10) } else { y + Px::whole(19) }) { (clock) }
                title { (label) }
            }
        }
    }
}

impl Lane {
    const fn height(&self) -> i64 {
        if self.energy { 74 } else { 48 }
    }

    // Energy, a credit, or a fee.
    fn class(&self) -> &'static str {
        match (self.energy, self.amount.starts_with('-')) {
            (_, true) => "credit",
            (true, false) => "energy",
            (false, false) => "fee",
        }
    }

    fn draw(&self, axis: &TimeAxis<'_>, top: i64, right: Px) -> Markup {
        let (y, height) = (Px::whole(top + 20), Px::whole(self.height() - 32));
        let scale = PriceScale::tight(self.blocks.iter().filter_map(|block| block.price), y, height);
        html! {
            text class="label" x=(SIDE) y=(Px::whole(top + 13)) { (short(&self.label, 40)) }
            text class="label end" x=(right) y=(Px::whole(top + 13)) { (self.amount) }
            @for block in &self.blocks {
                @let step = Step { from: block.from, to: block.to, price: block.price, tip: block.tip.clone() };
                @if block.from == block.to {
                    circle class="once" cx=(axis.x(block.from)) cy=(y + height.half()) r="5" data-lines=[&block.line] { title { (block.tip) } }
                } @else {
                    (bar(axis, &scale, &step, y, height, (self.class(), block.line.as_deref())))
                }
            }
            line class="axis" x1=(axis.left) x2=(right) y1=(scale.zero()) y2=(scale.zero()) {}
        }
    }
}

fn bar(
    axis: &TimeAxis<'_>,
    scale: &PriceScale,
    step: &Step,
    y: Px,
    height: Px,
    (class, line): (&'static str, Option<&str>),
) -> Markup {
    let (x, end) = (axis.x(step.from), axis.x(step.to));
    let width = if end - x > Px::whole(5) { end - x - Px::whole(1) } else { end - x };
    let (class, top, bottom) = match step.price {
        None => ("unknown", y, y + height),
        Some(price) => {
            let (at, zero) = (scale.y(price), scale.zero());
            (if price.is_sign_negative() { "credit" } else { class }, at.min(zero), at.max(zero))
        }
    };
    html! {
        rect class=(class) x=(x) width=(width) y=(top) height=((bottom - top).max(Px::whole(1))) data-lines=[line] { title { (step.tip) } }
    }
}

// The power at which the picture is full.
fn full_power(power: Decimal) -> Decimal {
    const FULL: [i64; 9] = [4, 8, 15, 30, 60, 120, 240, 480, 1200];
    // Not quite full, so that there is room to drag it up.
    let roomy = |full: &Decimal| power * Decimal::from(10) <= *full * Decimal::from(9);
    FULL.into_iter().map(Decimal::from).find(roomy).unwrap_or(Decimal::from(1200))
}

/// What a state is called.
pub fn word(state: State) -> &'static str {
    match state {
        State::Waiting => "waiting",
        State::Charging => "charging",
        State::Idle => "idle",
        State::Paused => "paused",
        State::Feeding => "feeding",
    }
}

/// `6 h 47 min`.
pub fn long(ms: i64) -> String {
    let minutes = ms / MINUTE_MS;
    match (minutes / 60, minutes % 60) {
        (0, 0) => format!("{} s", ms / 1000),
        (0, minutes) => format!("{minutes} min"),
        (hours, 0) => format!("{hours} h"),
        (hours, minutes) => format!("{hours} h {minutes} min"),
    }
}
