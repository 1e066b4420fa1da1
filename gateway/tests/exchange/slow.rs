//! What a session costs by a tariff of OCPI, second by second: an evaluator that shares no code with the program, in whole numbers.

use chrono::{DateTime, Datelike as _, NaiveDate, TimeDelta, Timelike as _, Utc};
use chrono_tz::Tz;
use std::collections::BTreeMap;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Dimension {
    Energy,
    Time,
    Parking,
    Flat,
}

pub const DIMENSIONS: [Dimension; 4] =
    [Dimension::Energy, Dimension::Time, Dimension::Parking, Dimension::Flat];

#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Component {
    pub dimension: Dimension,
    /// Ten-thousandths of a euro per kWh, hour or session.
    pub price: i128,
    /// Tenths of a percent.
    pub vat: Option<i128>,
    /// Wh or seconds.
    pub step: i128,
}

/// All of them hold together.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Restrictions {
    /// Minutes of the day; the end 0 is midnight.
    pub hours: (Option<u32>, Option<u32>),
    pub dates: (Option<NaiveDate>, Option<NaiveDate>),
    /// Days from Monday, 0.
    pub days: Vec<u32>,
    pub kwh: (Option<i128>, Option<i128>),
    pub seconds: (Option<i128>, Option<i128>),
    /// Tenths of a kW.
    pub power: (Option<i128>, Option<i128>),
    pub amperes: (Option<i128>, Option<i128>),
    pub reservation: Option<&'static str>,
}

#[derive(Clone, PartialEq, Debug)]
pub struct Element {
    pub components: Vec<Component>,
    pub restrictions: Restrictions,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tax {
    Excluded,
    Included,
    None,
}

/// Charging at an even power, or standing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Period {
    pub seconds: i128,
    /// Millionths of a kWh in a second; none: parking.
    pub flow: Option<i128>,
    pub amperes: i128,
}

#[derive(Clone, Debug)]
pub struct Case {
    pub zone: Tz,
    pub tax: Tax,
    pub elements: Vec<Element>,
    /// Cents; in the sense of the prices.
    pub bounds: (Option<i128>, Option<i128>),
    pub start: DateTime<Utc>,
    pub periods: Vec<Period>,
}

// What is so at an instant.
struct Now {
    minute: u32,
    date: NaiveDate,
    second: i128,
    // Millionths of a kWh so far, and in the next second.
    energy: i128,
    flow: i128,
    amperes: i128,
}

fn holds(restrictions: &Restrictions, now: &Now) -> bool {
    let Restrictions { hours, dates, days, kwh, seconds, power, amperes, reservation } = restrictions;
    let between = |(least, most): (Option<i128>, Option<i128>), value: i128, unit: i128| {
        least.is_none_or(|least| value >= least * unit) && most.is_none_or(|most| value < most * unit)
    };
    let clock = match *hours {
        (None, None) => true,
        (from, until) => {
            let (from, until) = (from.unwrap_or(0), until.unwrap_or(0));
            let until = if until == 0 { 1440 } else { until };
            match from.cmp(&until) {
                std::cmp::Ordering::Less => (from..until).contains(&now.minute),
                std::cmp::Ordering::Equal => true,
                std::cmp::Ordering::Greater => now.minute >= from || now.minute < until,
            }
        }
    };
    clock
        && dates.0.is_none_or(|from| now.date >= from)
        && dates.1.is_none_or(|out| now.date < out)
        && (days.is_empty() || days.contains(&now.date.weekday().num_days_from_monday()))
        && between(*kwh, now.energy, 1_000_000)
        && between(*seconds, now.second, 1)
        // A kW is 1,000,000/3600 millionths of a kWh a second.
        && between(*power, now.flow * 3600, 100_000)
        && between(*amperes, now.amperes, 1)
        && reservation.is_none()
}

// Amounts are ten-thousandths of a euro, times this.
const UNIT: i128 = 3600 * 1_000_000;

/// Net and total in cents.
pub fn cost(case: &Case) -> (i128, i128) {
    // By dimension and VAT.
    let mut amounts: BTreeMap<(Dimension, Option<i128>), i128> = BTreeMap::new();
    // What was paid for, in millionths of a kWh or seconds, and the last component that it was paid by.
    let mut paid: BTreeMap<Dimension, (i128, Component)> = BTreeMap::new();
    let (mut second, mut energy) = (0, 0);
    for period in &case.periods {
        for _ in 0..period.seconds {
            let local =
                (case.start + TimeDelta::seconds(i64::try_from(second).unwrap())).with_timezone(&case.zone);
            let flow = period.flow.unwrap_or(0);
            let now = Now {
                minute: local.hour() * 60 + local.minute(),
                date: local.date_naive(),
                second,
                energy,
                flow,
                amperes: period.amperes,
            };
            for dimension in DIMENSIONS {
                let goes_by = match dimension {
                    Dimension::Energy => flow > 0,
                    Dimension::Time => period.flow.is_some(),
                    Dimension::Parking => period.flow.is_none(),
                    Dimension::Flat => !paid.contains_key(&Dimension::Flat),
                };
                let of = |element: &Element| {
                    element.components.iter().find(|component| component.dimension == dimension).copied()
                };
                let mut answers = case.elements.iter().filter(|element| holds(&element.restrictions, &now));
                let Some(component) = answers.find_map(of).filter(|_| goes_by) else { continue };
                let (quantity, amount) = match dimension {
                    Dimension::Energy => (flow, flow * 3600),
                    Dimension::Time | Dimension::Parking => (1, 1_000_000),
                    Dimension::Flat => (1, UNIT),
                };
                *amounts.entry((dimension, component.vat)).or_default() += amount * component.price;
                let known = paid.entry(dimension).or_insert((0, component));
                *known = (known.0 + quantity, component);
            }
            second += 1;
            energy += flow;
        }
    }
    let parked = paid.contains_key(&Dimension::Parking);
    for (dimension, (quantity, last)) in paid {
        let rates = case.elements.iter().flat_map(|element| &element.components);
        let mut rates =
            rates.filter(|component| component.dimension == dimension).map(|component| component.vat);
        let several = rates.next().is_some_and(|first| rates.any(|rate| rate != first));
        let unit = match dimension {
            Dimension::Energy if !several => 1000,
            Dimension::Time if !parked && last.step > 1 => 1,
            Dimension::Parking if last.step > 1 => 1,
            _ => continue,
        };
        if last.step == 0 {
            continue;
        }
        let step = last.step * unit;
        let more = (quantity + step - 1) / step * step - quantity;
        let amount = if dimension == Dimension::Energy { more * 3600 } else { more * 1_000_000 };
        *amounts.entry((dimension, last.vat)).or_default() += amount * last.price;
    }
    // Each charge to the cent, the bounds, VAT once for each rate.
    let cents = |amount: i128| (amount * 2 + UNIT * 100) / (UNIT * 200);
    let mut of_rate: BTreeMap<i128, i128> = BTreeMap::new();
    for ((_, vat), amount) in amounts {
        *of_rate.entry(vat.unwrap_or(0)).or_default() += cents(amount);
    }
    let sum: i128 = of_rate.values().sum();
    let bound = case.bounds.0.map_or(sum, |least| sum.max(least));
    let bound = case.bounds.1.map_or(bound, |most| bound.min(most));
    if bound != sum {
        // Cases with bounds have one rate.
        let rate = case.elements[0].components[0].vat.unwrap_or(0);
        of_rate = BTreeMap::from([(rate, bound)]);
    }
    let vat = |(rate, sum): (i128, i128)| match case.tax {
        Tax::Excluded => (sum * rate * 2 + 1000) / 2000,
        Tax::Included => (sum * rate * 2 + 1000 + rate) / (2000 + 2 * rate),
        Tax::None => 0,
    };
    let taxes: i128 = of_rate.into_iter().map(vat).sum();
    match case.tax {
        Tax::Included => (bound - taxes, bound),
        _ => (bound, bound + taxes),
    }
}
