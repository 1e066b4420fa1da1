//! What the page asks and sends back: a session in the fields of a form.

use rust_decimal::Decimal;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use takst_engine::Standing;
use takst_engine::calendar_time::{
    INSTANTS, LocalTime, instant_of_local, local_text, month_text, start_of_day,
};
use takst_engine::tariff::{ChargeKind, Measure, Tariff, Test, Zone};
use takst_engine::units::{DAY_MS, Day, HOUR_MS, Instant, MINUTE_MS};

/// Fields by name.
pub(super) type Fields = BTreeMap<String, String>;

/// A session lasts no longer.
const LONGEST: i64 = 7 * DAY_MS;
/// Charging that was drawn lasts as long at least.
const LEAST: i64 = 5 * MINUTE_MS;
const MOST_KW: i64 = 1000;
const MOST_KWH: i64 = 10_000;

/// A session as it is drawn.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Plan {
    pub(super) plugged_in: Instant,
    pub(super) full: Instant,
    pub(super) unplugged: Instant,
    pub(super) kw: Decimal,
    pub(super) kwh: Decimal,
}

/// Where the picture begins and ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Window {
    pub(super) from: Instant,
    pub(super) to: Instant,
}

fn field<'f>(fields: &'f Fields, name: &str) -> Option<&'f str> {
    fields.get(name).map(|value| value.trim()).filter(|value| !value.is_empty())
}

impl Plan {
    /// An evening on that day.
    pub(super) fn usual(zone: &Zone, day: Day) -> Self {
        let (year, month, of_month) = takst_engine::calendar::civil(day);
        let at = |minute| instant_of_local(zone, year, month, of_month, minute);
        Self {
            plugged_in: at(16 * 60 + 30),
            full: at(19 * 60 + 30),
            unplugged: at(21 * 60),
            kw: Decimal::from(11),
            kwh: Decimal::from(33),
        }
    }

    /// What the fields say; `usual` where they say nothing.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub(super) fn read(zone: &Zone, fields: &Fields, usual: Self) -> Result<Self, String> {
        let time = |name: &str, what: &str, usual: Instant| match field(fields, name) {
            None => Ok(usual),
            Some(text) => moment(zone, text, field(fields, &format!("{name}_at"))).ok_or_else(|| {
                format!(
                    "{what}: `{}` is no date and time, as in 2025-03-10 17:00",
                    crate::cli::layout::fit(text, 40)
                )
            }),
        };
        let number = |name: &str, what: &str, usual: Decimal, most: i64| match field(fields, name) {
            None => Ok(usual),
            Some(text) => match takst_engine::input::decimal(text) {
                Ok(value) if value >= Decimal::ZERO && value <= Decimal::from(most) && value.scale() <= 6 => {
                    Ok(value)
                }
                _ => Err(format!(
                    "{what}: a number from 0 to {most}, with a point and at most six decimals, as in 7.4"
                )),
            },
        };
        let mut plan = Self {
            plugged_in: time("in", "plugged in", usual.plugged_in)?,
            full: time("full", "charging ends", usual.full)?,
            unplugged: time("out", "unplugged", usual.unplugged)?,
            kw: number("kw", "power", usual.kw, MOST_KW)?,
            kwh: number("kwh", "energy", usual.kwh, MOST_KWH)?,
        };
        plan.checked()?;
        let was = field(fields, "was").unwrap_or_default().to_owned();
        if let Some(drag) = field(fields, "drag") {
            plan.drag(drag, window(fields));
        }
        plan.settle(&was);
        plan.checked()?;
        Ok(plan)
    }

    /// What a later reading needs to see what has changed.
    pub(super) fn state(&self) -> String {
        let Self { plugged_in, full, unplugged: _, kw, kwh } = self;
        format!("{} {} {} {}", plugged_in.0, full.0, kw.normalize(), kwh.normalize())
    }

    // Of power and energy the one follows from the other: energy leads when it was the one that was changed.
    fn settle(&mut self, was: &str) {
        if self.state() == was {
            return;
        }
        let before: Option<Decimal> = was.split(' ').nth(3).and_then(|kwh| kwh.parse().ok());
        let hours = Decimal::from(self.full.0 - self.plugged_in.0).checked_div(Decimal::from(HOUR_MS));
        let hours = hours.unwrap_or_default();
        if before.is_some_and(|before| before != self.kwh) && !hours.is_zero() {
            self.kw = self.kwh.checked_div(hours).unwrap_or_default().round_dp(3).normalize();
        } else if !was.is_empty() || hours.is_zero() {
            self.kwh = (self.kw * hours).round_dp(2).normalize();
        }
    }

    fn checked(&self) -> Result<(), String> {
        let Self { plugged_in, full, unplugged, kw: _, kwh } = *self;
        if !INSTANTS.contains(&plugged_in.0) || !INSTANTS.contains(&unplugged.0) {
            return Err("the session lies outside the years 2000 to 2099".into());
        }
        if full < plugged_in {
            return Err("charging ends before the car is plugged in".into());
        }
        if unplugged < full {
            return Err("the car is unplugged before charging ends".into());
        }
        if unplugged.0 <= plugged_in.0 || unplugged.0 - plugged_in.0 > LONGEST {
            return Err("a session that is tried out lasts between a minute and 7 days".into());
        }
        if full == plugged_in && !kwh.is_zero() {
            return Err("charging takes no time, so there can be no energy".into());
        }
        Ok(())
    }

    // A part was dragged; it stops at its neighbours and at the edges of the picture.
    fn drag(&mut self, drag: &str, window: Option<Window>) {
        let Some((part, value)) = drag.split_once(':') else { return };
        if part == "kw" {
            if let Ok(kw) = takst_engine::input::decimal(value) {
                self.kw = kw.clamp(Decimal::ZERO, Decimal::from(MOST_KW)).round_dp(1).normalize();
            }
            return;
        }
        let Some(at) = value.parse::<i64>().ok().filter(|at| INSTANTS.contains(at)) else { return };
        let edges = window.unwrap_or(Window {
            from: Instant(self.plugged_in.0.saturating_sub(DAY_MS)),
            to: Instant(self.unplugged.0.saturating_add(DAY_MS)),
        });
        let (from, to) = (edges.from.0, edges.to.0);
        let (plugged_in, full, unplugged) = (self.plugged_in.0, self.full.0, self.unplugged.0);
        // INVARIANT: lower bounds first, so that bounds that cross do no harm.
        let between = |at: i64, low: i64, high: i64| at.min(high).max(low);
        match part {
            "in" => {
                self.plugged_in = Instant(between(at, from.min(plugged_in), (full - LEAST).max(plugged_in)));
            }
            "full" => self.full = Instant(between(at, (plugged_in + LEAST).min(unplugged), unplugged)),
            "out" => self.unplugged = Instant(between(at, full, to.max(full)).max(plugged_in + MINUTE_MS)),
            "all" => {
                let lasted = unplugged - plugged_in;
                let by = between(at, from, (to - lasted).max(from)) - plugged_in;
                let moved = |at: Instant| Instant(at.0 + by);
                (self.plugged_in, self.full, self.unplugged) =
                    (moved(self.plugged_in), moved(self.full), moved(self.unplugged));
            }
            _ => {}
        }
    }

    /// The days around the session, with room at the end to drag it on. While something is dragged they stay what they were.
    pub(super) fn window(&self, zone: &Zone, fields: &Fields) -> Window {
        if let Some(window) = window(fields).filter(|_| field(fields, "drag").is_some()) {
            return window;
        }
        let day = |at: i64| LocalTime::at(zone, at).day;
        let from = start_of_day(zone, day(self.plugged_in.0));
        let to = start_of_day(zone, day(self.unplugged.0.saturating_add(HOUR_MS)).saturating_add(1));
        Window { from: Instant(from), to: Instant(to) }
    }
}

fn window(fields: &Fields) -> Option<Window> {
    let at = |name| field(fields, name)?.parse::<i64>().ok().filter(|at| INSTANTS.contains(at)).map(Instant);
    let (from, to) = (at("axis_from")?, at("axis_to")?);
    (from < to && to.0 - from.0 <= LONGEST + 3 * DAY_MS).then_some(Window { from, to })
}

/// The value of a field for times.
pub(super) fn time_text(zone: &Zone, at: Instant) -> String {
    local_text(zone, at).get(..16).unwrap_or_default().to_owned()
}

// `2025-03-10T17:00`. Which one is meant of a time that comes twice, the instant says that belonged to the text.
fn moment(zone: &Zone, text: &str, meant: Option<&str>) -> Option<Instant> {
    let meant = meant.and_then(|at| at.parse::<i64>().ok()).filter(|at| INSTANTS.contains(at)).map(Instant);
    if let Some(at) = meant.filter(|at| time_text(zone, *at) == text) {
        return Some(at);
    }
    let (day, clock) = text.split_once(['T', ' '])?;
    let (hour, minute) = clock.get(..5)?.split_once(':')?;
    let mut parts = day.splitn(3, '-');
    let (year, month, of_month) = (parts.next()?, parts.next()?, parts.next()?);
    let (year, month, of_month) = (year.parse().ok()?, month.parse().ok()?, of_month.parse().ok()?);
    let (hour, minute): (u16, u16) = (hour.parse().ok()?, minute.parse().ok()?);
    takst_engine::calendar::date(year, month, of_month)?;
    (hour < 24 && minute < 60).then(|| instant_of_local(zone, year, month, of_month, hour * 60 + minute))
}

/// A question that the tariff asks about a session.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) name: &'static str,
    pub(super) label: &'static str,
    pub(super) kind: Kind,
    pub(super) value: String,
}

/// How it is answered.
#[derive(Debug)]
pub(super) enum Kind {
    /// One of these: value and text.
    Choice(Vec<(String, String)>),
    /// A number.
    Number,
}

/// All questions that the tariff asks, answered by the fields, or else as usual.
pub(super) fn questions(tariff: &Tariff, fields: &Fields) -> Vec<Question> {
    let mut all = Vec::new();
    let mut choice = |name, label, options: Vec<(String, String)>| {
        let Some((usual, _)) = options.first() else { return };
        let value = fields
            .get(name)
            .filter(|value| options.iter().any(|(known, _)| known == *value))
            .unwrap_or(usual)
            .clone();
        all.push(Question { name, label, kind: Kind::Choice(options), value });
    };
    let same = |text: &str| (text.to_owned(), text.to_owned());
    let other = |text: &str| (String::new(), text.to_owned());
    let asks = |which: &dyn Fn(&Test) -> bool| tariff.tests.iter().any(which);
    let named = |which: &dyn Fn(&Test) -> Option<String>, rest: &str| {
        let mut known: Vec<(String, String)> =
            tariff.tests.iter().filter_map(which).map(|name| same(&name)).collect();
        known.dedup();
        if known.is_empty() { known } else { [vec![other(rest)], known].concat() }
    };
    if !tariff.groups.is_empty() {
        let default = tariff.default_group.and_then(|group| tariff.groups.get(usize::try_from(group).ok()?));
        let others = tariff.groups.iter().filter(|group| Some(*group) != default).map(|group| same(group));
        let none = default.map_or("in no group", String::as_str);
        choice("group", "Driver", std::iter::once(other(none)).chain(others).collect());
    }
    let ids = |which: &dyn Fn(&takst_engine::tariff::Place) -> Vec<String>| {
        let asked = tariff.tests.iter().filter_map(|test| match test {
            Test::Place(place) => tariff.places.get(usize::try_from(*place).ok()?),
            _ => None,
        });
        let mut ids: Vec<String> = asked.flat_map(which).collect();
        ids.sort();
        ids.dedup();
        ids.truncate(500);
        let ids: Vec<_> = ids.iter().map(|id| same(id)).collect();
        if ids.is_empty() { ids } else { [vec![other("another one")], ids].concat() }
    };
    choice("charger", "Charger", ids(&|place| place.chargers.clone()));
    choice("site", "Site", ids(&|place| place.sites.clone()));
    if asks(&|test| matches!(test, Test::Dc)) {
        choice("plug", "Plug", vec![same("AC"), same("DC")]);
    }
    let kind = |test: &Test| if let Test::Connector(kind) = test { Some(kind.clone()) } else { None };
    choice("connector", "Connector", named(&kind, "another type"));
    if asks(&|test| matches!(test, Test::Contract(_))) {
        let ways = [("direct", "by contract"), ("roaming", "by roaming"), ("ad-hoc", "ad hoc")];
        choice("contract", "Came", ways.map(|(value, text)| (value.to_owned(), text.to_owned())).to_vec());
    }
    let issuer = |test: &Test| if let Test::Issuer(issuer) = test { Some(issuer.clone()) } else { None };
    choice("issuer", "Card of", named(&issuer, "somebody else"));
    let brand = |test: &Test| if let Test::PaymentBrand(brand) = test { Some(brand.clone()) } else { None };
    choice("brand", "Paid with", named(&brand, "another card"));
    if !tariff.coupons.is_empty() {
        let codes = tariff.coupons.iter().map(|coupon| same(&coupon.code));
        choice("coupon", "Coupon", std::iter::once(other("none")).chain(codes).collect());
    }
    if tariff.charges.iter().any(|charge| charge.kind == ChargeKind::ReservationFee) {
        let ways = [("", "none"), ("used", "30 min before"), ("expired", "30 min, expired an hour before")];
        choice(
            "reserved",
            "Reserved",
            ways.map(|(value, text)| (value.to_owned(), text.to_owned())).to_vec(),
        );
    }
    let mut number = |name, label, usual: &str| {
        let value = field(fields, name).map_or_else(|| usual.to_owned(), str::to_owned);
        all.push(Question { name, label, kind: Kind::Number, value });
    };
    if asks(&|test| matches!(test, Test::RatedAtLeast(_))) {
        number("rated", "Rated power, kW", "22");
    }
    let measures = |which: fn(&Measure) -> bool| tariff.measures.iter().any(which);
    if measures(|measure| matches!(measure, Measure::Current)) {
        number("amperes", "Current, A", "16");
    }
    if measures(|measure| matches!(measure, Measure::Occupancy)) {
        number("occupied", "Site in use, %", "50");
    }
    if crate::cli::price::counts_over_sessions(tariff) {
        number("used", "Used before this month, kWh", "0");
    }
    all
}

/// The session as a document, as `takst price` reads it, and the counters it opens with.
///
/// # Errors
/// Says which answer is no number.
pub(super) fn session(tariff: &Tariff, plan: &Plan, asked: &[Question]) -> Result<(Value, Standing), String> {
    let zone = &tariff.zone;
    let answer = |name: &str| {
        asked.iter().find(|question| question.name == name).map(|question| question.value.as_str())
    };
    let chosen = |name: &str| answer(name).filter(|value| !value.is_empty()).map(str::to_owned);
    let number = |name: &str, most: i64| match asked.iter().find(|question| question.name == name) {
        None => Ok(None),
        Some(question) => match takst_engine::input::decimal(&question.value) {
            Ok(value) if value >= Decimal::ZERO && value <= Decimal::from(most) && value.scale() <= 6 => {
                Ok(Some(value))
            }
            _ => Err(format!("{}: a number from 0 to {most}, as in 7.4", question.label)),
        },
    };
    let time = |at: Instant| json!(local_text(zone, at));
    let mut readings = vec![json!({"at": time(plan.plugged_in), "import_kwh": "0"})];
    let kwh = plan.kwh.normalize().to_string();
    for at in [plan.full, plan.unplugged] {
        if readings.last().is_none_or(|last| last.get("at") != Some(&time(at))) {
            readings.push(json!({"at": time(at), "import_kwh": kwh}));
        }
    }
    let mut session = Map::new();
    let mut put = |name: &str, value: Value| {
        session.insert(name.to_owned(), value);
    };
    put("id", json!("tried out"));
    for name in ["charger", "site"] {
        if answer(name).is_some() {
            put(name, json!(chosen(name).unwrap_or_else(|| "another".to_owned())));
        }
    }
    if let Some(group) = chosen("group") {
        put("groups", json!([group]));
    }
    let mut connector = Map::new();
    if let Some(plug) = chosen("plug") {
        connector.insert("plug".into(), json!(plug));
    }
    if answer("connector").is_some() {
        connector.insert("type".into(), json!(chosen("connector").unwrap_or_else(|| "another".to_owned())));
    }
    if let Some(rated) = number("rated", MOST_KW)? {
        connector.insert("max_power_kw".into(), json!(rated.normalize().to_string()));
    }
    if !connector.is_empty() {
        put("connector", Value::Object(connector));
    }
    if let Some(contract) = chosen("contract") {
        put("contract", json!(contract));
    }
    if let Some(issuer) = chosen("issuer") {
        put("token", json!({"issuer": issuer}));
    }
    if let Some(brand) = chosen("brand") {
        put("payment_brand", json!(brand));
    }
    if let Some(coupon) = chosen("coupon") {
        put("coupons", json!([coupon]));
    }
    let before = |minutes: i64| time(Instant(plan.plugged_in.0 - minutes * MINUTE_MS));
    match chosen("reserved").as_deref() {
        Some("used") => put("reservation", json!({"from": before(30), "until": time(plan.plugged_in)})),
        Some("expired") => {
            put("reservation", json!({"from": before(90), "until": before(60), "expired": true}));
        }
        _ => {}
    }
    put("plugged_in", time(plan.plugged_in));
    put("unplugged", time(plan.unplugged));
    put("readings", Value::Array(readings));
    if let Some(amperes) = number("amperes", 10_000)? {
        let (kw, amperes) = (plan.kw.normalize().to_string(), amperes.normalize().to_string());
        let mut power = vec![json!({"from": time(plan.plugged_in), "kw": kw, "a": amperes})];
        if plan.full < plan.unplugged && plan.full > plan.plugged_in {
            power.push(json!({"from": time(plan.full), "kw": "0", "a": "0"}));
        }
        put("power", Value::Array(power));
    }
    if let Some(occupied) = number("occupied", 100)? {
        let of_thousand = (occupied * Decimal::TEN).round().normalize();
        let occupied: u32 = of_thousand.to_string().parse().unwrap_or(0);
        put("occupancy", json!([{"from": time(plan.plugged_in), "occupied": occupied, "of": 1000}]));
    }
    let mut standing = Standing::default();
    if let Some(used) = number("used", 1_000_000)? {
        let month = month_text(LocalTime::at(zone, plan.plugged_in.0).day);
        for who in ["driver", "site"] {
            standing.set(format!("{who} energy {month}"), used);
            standing.set(format!("{who} whole month energy {month}"), used);
        }
    }
    Ok((Value::Object(session), standing))
}
