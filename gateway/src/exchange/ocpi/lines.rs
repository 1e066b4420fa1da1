//! Elements to charges: for each dimension the elements that price it, in their order.

use super::Problem;
use super::tariff::{Component, Dimension, EVERY_DAY, Element, Reserved, Restrictions, Tariff};
use super::words;
use chrono::{Datelike as _, NaiveDate};
use rust_decimal::Decimal;

/// What a charge is in a tariff file.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Kind {
    Energy,
    ChargingTime,
    ParkingTime,
    /// Once, whatever happens.
    StartFee,
    /// Once, as soon as it applies.
    FlatFee,
    ReservationTime,
    ReservationFlat,
}

impl Kind {
    pub const fn word(self) -> &'static str {
        match self {
            Self::Energy => "energy",
            Self::ChargingTime => "charging time",
            Self::ParkingTime => "parking time",
            Self::StartFee => "start fee",
            Self::FlatFee => "flat fee",
            Self::ReservationTime | Self::ReservationFlat => "reservation fee",
        }
    }

    /// What its prices are per.
    pub const fn per(self) -> &'static str {
        match self {
            Self::Energy => "kWh",
            Self::ChargingTime | Self::ParkingTime | Self::ReservationTime => "h",
            Self::StartFee | Self::FlatFee | Self::ReservationFlat => "session",
        }
    }
}

/// Days (bit 0 Monday) and hours.
pub(super) type Window = (u8, Option<(u16, u16)>);

/// A price and when it holds.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Line {
    /// None: nothing is charged here by this charge, for another one charges it.
    pub price: Option<Decimal>,
    pub step: i64,
    /// Any of them; none: at all times.
    pub windows: Vec<Window>,
    pub conditions: Vec<String>,
    /// Its first day, and the first one that is out.
    pub dates: (Option<NaiveDate>, Option<NaiveDate>),
    pub vat: Option<Decimal>,
    pub place: String,
}

impl Line {
    pub fn is_always(&self) -> bool {
        self.windows.is_empty() && self.conditions.is_empty()
    }
}

/// A charge of the list to come.
#[derive(Clone, Debug)]
pub(super) struct Charge {
    pub kind: Kind,
    pub label: Option<String>,
    pub lines: Vec<Line>,
    /// Its VAT: rates one after the other, each with the first day that is out.
    pub vat: Vec<(Option<Decimal>, Option<NaiveDate>)>,
    /// Its lines answer every case, so that none is needed for the rest.
    pub closed: bool,
}

/// The charges of a tariff.
pub(super) fn charges(tariff: &Tariff, notes: &mut Vec<Problem>, wrong: &mut Vec<Problem>) -> Vec<Charge> {
    let mut charges: Vec<Charge> = Vec::new();
    let expires =
        tariff.elements.iter().any(|element| element.restrictions.reserved == Some(Reserved::Expired));
    for element in &tariff.elements {
        let mut seen: Vec<Dimension> = Vec::new();
        for component in &element.components {
            if seen.contains(&component.dimension) {
                let message = "its element has a component of this type already; the first one counts";
                notes.push(Problem::new(component.place.clone(), message));
                continue;
            }
            seen.push(component.dimension);
            let reserved = element.restrictions.reserved;
            let kind = match (component.dimension, reserved) {
                (Dimension::Energy, None) => Kind::Energy,
                (Dimension::Time, None) => Kind::ChargingTime,
                (Dimension::ParkingTime, None) => Kind::ParkingTime,
                (Dimension::Flat, None) => Kind::FlatFee,
                (Dimension::Time, Some(_)) => Kind::ReservationTime,
                (Dimension::Flat, Some(_)) => Kind::ReservationFlat,
                (Dimension::Energy | Dimension::ParkingTime, Some(_)) => {
                    let message = "a reservation can only have FLAT and TIME components; take this one out";
                    wrong.push(Problem::new(component.place.clone(), message));
                    continue;
                }
            };
            let Some(line) = line(element, component, kind, notes, wrong) else { continue };
            match charges.iter_mut().find(|charge| charge.kind == kind) {
                Some(charge) => charge.lines.push(line),
                None => {
                    charges.push(Charge {
                        kind,
                        label: None,
                        lines: vec![line],
                        vat: Vec::new(),
                        closed: false,
                    });
                }
            }
        }
    }
    for charge in &mut charges {
        if matches!(charge.kind, Kind::ReservationFlat | Kind::ReservationTime) {
            // What is said of expired reservations counts for them, wherever it stands.
            charge.lines.sort_by_key(|line| !line.conditions.iter().any(|said| said == EXPIRED));
        }
        merge(&mut charge.lines);
        // What always holds answers before all that stands below it.
        if let Some(always) = charge.lines.iter().position(Line::is_always) {
            for line in charge.lines.drain(always + 1..) {
                let message = "an earlier element answers first in every case, so this price never counts; it is left out";
                notes.push(Problem::new(line.place, message));
            }
        }
        // Who says the same right above it, says nothing.
        if let [.., last] = charge.lines.as_slice()
            && last.is_always()
        {
            let same = |line: &Line| (line.price, line.step, line.vat) == (last.price, last.step, last.vat);
            let keep = charge.lines.iter().rposition(|line| !same(line)).map_or(0, |other| other + 1);
            let end = charge.lines.len().saturating_sub(1);
            charge.lines.drain(keep..end);
        }
        // A reservation that expires is no session, and pays nothing that a session pays at its start.
        if charge.kind == Kind::FlatFee && !expires && charge.lines.first().is_some_and(Line::is_always) {
            charge.kind = Kind::StartFee;
        }
    }
    // What never costs anything says nothing, where something else is charged. Energy that is free says so to drivers.
    let costs = |charge: &Charge| {
        let free = |line: &Line| line.price.is_none_or(|price| price.is_zero()) && line.step == 0;
        charge.kind == Kind::Energy || !charge.lines.iter().all(free)
    };
    if charges.iter().any(costs) {
        charges.retain(costs);
    }
    charges.sort_by_key(|charge| charge.kind);
    if charges.iter().filter(|charge| charge.kind.word() == "reservation fee").count() > 1 {
        for charge in &mut charges {
            match charge.kind {
                Kind::ReservationTime => charge.label = Some("Reservation time".to_owned()),
                Kind::ReservationFlat => charge.label = Some("Reservation".to_owned()),
                _ => {}
            }
        }
    }
    charges
}

const EXPIRED: &str = "when expired";

fn line(
    element: &Element,
    component: &Component,
    kind: Kind,
    notes: &mut Vec<Problem>,
    wrong: &mut Vec<Problem>,
) -> Option<Line> {
    let Restrictions { hours, from, until, kwh, amperes, kw, seconds, days, reserved } =
        &element.restrictions;
    let mut conditions = Vec::new();
    let mut refused = Vec::new();
    let timed = *days != EVERY_DAY || hours.is_some() || from.is_some() || until.is_some();
    if reserved.is_some() {
        let measured = [
            (*kwh != (None, None), "min_kwh or max_kwh"),
            (*amperes != (None, None), "min_current or max_current"),
            (*kw != (None, None), "min_power or max_power"),
            (*seconds != (None, None), "min_duration or max_duration"),
        ];
        for (_, name) in measured.iter().filter(|(is, _)| *is) {
            refused.push(format!(
                "a reservation is over before charging begins, so {name} cannot be said of it in a tariff file; take it out"
            ));
        }
        if kind == Kind::ReservationFlat && timed {
            refused.push(
                "a fee per reservation is judged when the car is plugged in, and not by the clock of the reservation; take the times and \
                 dates out, or charge it by TIME"
                    .to_owned(),
            );
        }
    }
    let from = from.filter(|from| from.year() >= 2000);
    if let Some(from) = from {
        conditions.push(format!("from {from}"));
    }
    let until = until.filter(|until| until.year() < 2100);
    if let Some(last) = until.and_then(|until| until.pred_opt()) {
        if last.year() < 2000 {
            let message = "its dates are over since before the year 2000; it is left out";
            notes.push(Problem::new(element.place.clone(), message));
            return None;
        }
        conditions.push(format!("until {last}"));
    }
    let range = |(least, most): &(Option<Decimal>, Option<Decimal>), unit: &str| {
        let least = least.map(|least| format!("beyond {least} {unit}"));
        let most = most.map(|most| format!("up to {most} {unit}"));
        least.into_iter().chain(most).collect::<Vec<_>>()
    };
    conditions.extend(range(kwh, "kWh of energy"));
    conditions.extend(seconds.0.map(|least| format!("beyond {} of connected time", words::time(least))));
    conditions.extend(seconds.1.map(|most| format!("up to {} of connected time", words::time(most))));
    for ((least, most), unit) in [(kw, "kW"), (amperes, "A")] {
        conditions.extend(least.map(|least| format!("{least} {unit} or more")));
        conditions.extend(most.map(|most| format!("below {most} {unit}")));
    }
    if *reserved == Some(Reserved::Expired) {
        conditions.push(EXPIRED.to_owned());
    }
    if *days != EVERY_DAY && hours.is_some_and(|(from, until)| from > until) {
        notes.push(Problem::new(
            format!("{}.restrictions.day_of_week", element.place),
            "with hours over midnight the standard leaves open which day counts; each instant's own day does here",
        ));
    }
    if !refused.is_empty() {
        let place = format!("{}.restrictions", element.place);
        wrong.extend(refused.into_iter().map(|message| Problem::new(place.clone(), message)));
        return None;
    }
    let windows = if *days == EVERY_DAY && hours.is_none() { Vec::new() } else { vec![(*days, *hours)] };
    // OCPI's own times are whole seconds: a step of one rounds nothing.
    let step = match kind {
        Kind::Energy => component.step,
        Kind::ChargingTime | Kind::ParkingTime | Kind::ReservationTime if component.step > 1 => {
            component.step
        }
        _ => 0,
    };
    Some(Line {
        price: Some(component.price),
        step,
        windows,
        conditions,
        dates: (from, until),
        vat: component.vat,
        place: component.place.clone(),
    })
}

// Neighbours that differ in their windows only are one line with several windows.
fn merge(lines: &mut Vec<Line>) {
    let mut merged: Vec<Line> = Vec::with_capacity(lines.len());
    for line in lines.drain(..) {
        match merged.last_mut() {
            Some(last)
                if (last.price, last.step, last.vat) == (line.price, line.step, line.vat)
                    && last.conditions == line.conditions
                    && !last.windows.is_empty()
                    && !line.windows.is_empty() =>
            {
                for window in line.windows {
                    add(&mut last.windows, window);
                }
            }
            _ => merged.push(line),
        }
    }
    for line in &mut merged {
        for (_, hours) in &mut line.windows {
            *hours = hours.filter(|hours| *hours != (0, 1440));
        }
        if cover_the_week(&line.windows) {
            line.windows.clear();
        }
    }
    *lines = merged;
}

// Whether every minute of a week is in one of the windows, each instant by its own day: then it holds always.
fn cover_the_week(windows: &[Window]) -> bool {
    let within = |minute: u16, hours: Option<(u16, u16)>| match hours {
        None => true,
        Some((from, until)) if from < until => (from..until).contains(&minute),
        Some((from, until)) => minute >= from || minute < until,
    };
    let covered = |day: u8, minute: u16| {
        windows.iter().any(|(days, hours)| days >> day & 1 == 1 && within(minute, *hours))
    };
    // Nothing changes but where a window begins or ends.
    let edges = windows.iter().filter_map(|(_, hours)| *hours).flat_map(|(from, until)| [from, until % 1440]);
    let edges: Vec<u16> = edges.chain([0]).collect();
    !windows.is_empty() && (0..7).all(|day| edges.iter().all(|minute| covered(day, *minute)))
}

// Hours that follow one another on the same days are one stretch.
fn add(windows: &mut Vec<Window>, (days, hours): Window) {
    if windows.contains(&(days, hours)) {
        return;
    }
    let last = windows.last_mut().filter(|(known, _)| *known == days);
    match (last, hours) {
        (Some((_, Some((_, end)))), Some((from, until))) if *end == from && from < until => *end = until,
        _ => windows.push((days, hours)),
    }
}
