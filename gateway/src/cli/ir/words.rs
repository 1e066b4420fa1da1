//! The compiled form in words.

use super::super::layout::places;
use takst_engine::calendar_time::day_text;
use takst_engine::exact::print_decimal;
use takst_engine::tariff::{
    Contract, DayIs, DayTest, Formula, Mean, Measure, Outcome, Per, Span, Tariff, Test, Time, Who,
};

fn plain(value: i64, decimals: u32) -> String {
    print_decimal(i128::from(value), decimals, true)
}

fn who(who: Who) -> &'static str {
    match who {
        Who::Session => "",
        Who::Driver => " of the driver",
        Who::Site => " of the site",
    }
}

/// A question about a fact.
pub fn test_text(tariff: &Tariff, test: &Test) -> String {
    match test {
        Test::Group(group) => {
            format!("driver in {}", tariff.groups.get(*group as usize).map_or("", String::as_str))
        }
        Test::Place(place) => {
            format!("at {}", tariff.places.get(*place as usize).map_or("", |place| place.name.as_str()))
        }
        Test::Dc => "on DC".into(),
        Test::Connector(kind) => format!("on {kind}"),
        Test::RatedAtLeast(power) => format!("rated {} kW or more", plain(*power, 6)),
        Test::Contract(Contract::Direct) => "with a contract".into(),
        Test::Contract(Contract::Roaming) => "roaming".into(),
        Test::Contract(Contract::AdHoc) => "ad-hoc".into(),
        Test::Issuer(issuer) => format!("token of \"{issuer}\""),
        Test::PaymentBrand(brand) => format!("paid with \"{brand}\""),
        Test::ReservationExpired => "reservation expired".into(),
        Test::Plan(plan) => format!("charger on plan {plan}"),
        Test::WholeMonthAtLeast { who: whose, energy } => {
            format!("{} kWh or more in the whole month{}", plain(*energy, 6), who(*whose))
        }
    }
}

/// What is measured.
pub fn measure_text(measure: Measure) -> String {
    let (what, span, whose) = match measure {
        Measure::Energy { span, who } => ("energy", span, who),
        Measure::Time { time, span, who } => {
            let what = match time {
                Time::Connected => "connected time",
                Time::Charging => "charging time",
                Time::Parking => "parking time",
                Time::Idle => "idle time",
                Time::IdleInARow => "idle time in a row",
                Time::ParkingInARow => "parking time in a row",
            };
            (what, span, who)
        }
        Measure::Power => return "power drawn".into(),
        Measure::Current => return "current drawn".into(),
        Measure::Occupancy => return "share of the site in use".into(),
    };
    let span = match span {
        Span::Session => "",
        Span::Day => " of the day",
        Span::Month => " of the month",
        Span::Bill => " of the bill",
    };
    format!("{what} so far{span}{}", who(whose))
}

/// An amount of a measure.
pub fn quantity(measure: Measure, amount: i64) -> String {
    match measure {
        Measure::Energy { .. } => format!("{} kWh", plain(amount, 6)),
        Measure::Time { .. } => {
            let minutes = rust_decimal::Decimal::from(amount) / rust_decimal::Decimal::from(60_000);
            format!("{} min", places(&minutes.to_string(), 0, 3))
        }
        Measure::Power => format!("{} kW", plain(amount, 6)),
        Measure::Current => format!("{} A", plain(amount, 6)),
        Measure::Occupancy => format!("{} %", plain(amount, 4)),
    }
}

/// A kind of day by what is true on it.
pub fn class_text(tariff: &Tariff, class: usize) -> String {
    let held = tariff.days.classes.get(class).map(Vec::as_slice).unwrap_or_default();
    let tests = held.iter().filter_map(|test| tariff.days.tests.get(usize::from(*test)));
    let words: Vec<String> = tests.map(day_text_of).collect();
    if words.is_empty() { "other days".into() } else { words.join(" and ") }
}

fn day_text_of(test: &DayTest) -> String {
    const WEEKDAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let month = |number: u8| {
        usize::from(number).checked_sub(1).and_then(|index| MONTHS.get(index)).copied().unwrap_or("")
    };
    let day = match &test.is {
        DayIs::Weekdays(bits) => runs(&WEEKDAYS, u32::from(*bits)),
        DayIs::Months(bits) => runs(&MONTHS, u32::from(*bits)),
        DayIs::Between(from, to) => match (from, to) {
            (Some(from), Some(to)) => format!("{} to {}", day_text(*from), day_text(*to)),
            (Some(from), None) => format!("from {}", day_text(*from)),
            (None, Some(to)) => format!("until {}", day_text(*to)),
            (None, None) => "every day".into(),
        },
        DayIs::Yearly((from_month, from), (to_month, to)) => {
            format!("{from} {}-{to} {}", month(*from_month), month(*to_month))
        }
        DayIs::NthWeekday(nth, weekday) => {
            let nth = match nth {
                1 => "first",
                2 => "second",
                3 => "third",
                4 => "fourth",
                _ => "last",
            };
            format!("{nth} {} of month", WEEKDAYS.get(usize::from(*weekday)).copied().unwrap_or(""))
        }
        DayIs::OneOf(days) => match days.as_slice() {
            [] => "never".into(),
            [only] => day_text(*only),
            [first, .., last] => {
                // Public holidays of all years, as a rule.
                let year = |day: takst_engine::units::Day| takst_engine::calendar::civil(day).0;
                format!("{} listed days of {}-{}", days.len(), year(*first), year(*last))
            }
        },
    };
    if test.back == 0 { day } else { format!("the day after {day}") }
}

// `Mon-Fri, Sun` of a set of bits.
fn runs(names: &[&str], bits: u32) -> String {
    let mut text: Vec<String> = Vec::new();
    let mut run: Option<(usize, usize)> = None;
    let close = |run: Option<(usize, usize)>, text: &mut Vec<String>| {
        let Some((from, to)) = run else { return };
        let name = |index: usize| names.get(index).copied().unwrap_or("");
        text.push(if from == to { name(from).to_owned() } else { format!("{}-{}", name(from), name(to)) });
    };
    for index in 0..names.len() {
        let set = bits & (1 << index) != 0;
        run = match (run, set) {
            (Some((from, _)), true) => Some((from, index)),
            (None, true) => Some((index, index)),
            (run, false) => {
                close(run, &mut text);
                None
            }
        };
    }
    close(run, &mut text);
    text.join(", ")
}

/// What a line says; a quantity is one of `measure`.
pub fn outcome_text(tariff: &Tariff, outcome: &Outcome, measure: Option<Measure>) -> String {
    match outcome {
        Outcome::Free => "free".into(),
        Outcome::Applies => "applies".into(),
        Outcome::DoesNotApply => "does not apply".into(),
        Outcome::Quantity(amount) => {
            measure.map_or_else(|| amount.to_string(), |measure| quantity(measure, *amount))
        }
        Outcome::Tax(class) => {
            let Some(class) = tariff.tax_classes.get(*class as usize) else { return String::new() };
            let taxes = class.taxes.iter().map(|tax| format!("{} {} %", tax.label, tax.rate.normalize()));
            match (&class.reason, class.taxes.is_empty()) {
                (Some(reason), _) => format!("no tax: {reason}"),
                (None, true) => "no tax".into(),
                (None, false) => taxes.collect::<Vec<_>>().join(", "),
            }
        }
        Outcome::Price(price) => {
            let per = match price.per {
                Per::Kwh => "/kWh",
                Per::Hour => "/h",
                Per::Minute => "/min",
                Per::Session => "/session",
                Per::Bill => "/bill",
                Per::Charger => "/charger",
                Per::Month => "/month",
                Per::Kw => "/kW",
                Per::One => "",
            };
            let formula = formula_text(tariff, &price.formula, 0, 0);
            match &price.formula {
                _ if per.is_empty() => formula,
                Formula::Const(_) => format!("{formula} {}{per}", tariff.currency.code),
                _ => format!("{formula}, in {}{per}", tariff.currency.code),
            }
        }
    }
}

// `binding` is how tightly the surroundings bind: 0 nothing, 1 sum, 2 product.
fn formula_text(tariff: &Tariff, formula: &Formula, binding: u8, depth: u16) -> String {
    if depth > 100 {
        return "...".into();
    }
    let inner = |formula: &Formula, binding| formula_text(tariff, formula, binding, depth + 1);
    let bracketed = |text: String, own: u8| if own < binding { format!("({text})") } else { text };
    match formula {
        Formula::Const(value) => value.normalize().to_string(),
        Formula::Value(value) => {
            tariff.values.get(*value as usize).map_or_else(String::new, |value| value.name.clone())
        }
        Formula::Feed { feed, mean } => {
            let feed = tariff.feeds.get(*feed as usize).map_or("", |feed| feed.name.as_str());
            match mean {
                Mean::Now => feed.to_owned(),
                Mean::Hour => format!("hourly {feed}"),
                Mean::Month => format!("month mean of {feed}"),
            }
        }
        Formula::EnergyPrice => "energy price".into(),
        Formula::AveragePower => "average-power".into(),
        Formula::CostPrice => "cost price".into(),
        Formula::Add(a, b) => bracketed(format!("{} + {}", inner(a, 1), inner(b, 1)), 1),
        Formula::Sub(a, b) => bracketed(format!("{} - {}", inner(a, 1), inner(b, 2)), 1),
        Formula::Mul(a, b) => bracketed(format!("{} * {}", inner(a, 2), inner(b, 2)), 2),
        Formula::Div(a, b) => bracketed(format!("{} / {}", inner(a, 2), inner(b, 3)), 2),
        Formula::Higher(a, b) => bracketed(format!("higher of {} and {}", inner(a, 1), inner(b, 1)), 0),
        Formula::Lower(a, b) => bracketed(format!("lower of {} and {}", inner(a, 1), inner(b, 1)), 0),
        Formula::Round(a, step) => bracketed(format!("{} rounded to {}", inner(a, 1), step.normalize()), 0),
        Formula::PlusVat(a) => bracketed(format!("{} plus VAT", inner(a, 1)), 0),
        Formula::LessVat(a) => bracketed(format!("{} less VAT", inner(a, 1)), 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_of_days_read_as_runs() {
        assert_eq!(runs(&["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"], 0b101_1111), "Mon-Fri, Sun");
        assert_eq!(runs(&["Jan"], 0), "");
    }
}
