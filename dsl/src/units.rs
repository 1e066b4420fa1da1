//! Unit algebra: what a number counts, with or without VAT, and arithmetic that is exact or does not happen.

use crate::ast::{Quantity, Unit};
use rust_decimal::Decimal;
use std::collections::BTreeMap;

/// Codes of this stage.
pub const CODES: &[(&str, &str)] = &[
    ("E201", "unlike units added or compared"),
    ("E202", "the result has the wrong unit"),
    ("E203", "prices with and without VAT mixed"),
    ("E204", "the result has the other VAT basis than the list"),
    ("E205", "percent of nothing"),
    ("E206", "another currency than the list's"),
    ("E207", "the money word does not fit the currency"),
    ("E208", "division by zero"),
    ("E209", "a number that is too long or too large"),
    ("E210", "a quantity with the wrong unit or out of range"),
    ("E211", "an amount with the wrong unit"),
    ("E212", "a formula that is too deep"),
    ("E213", "a figure that does not exist here"),
];

/// Exponents of everything that a number can count. Power is energy per time: kW = kWh/h.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Dim {
    /// Per currency code; never zero.
    pub money: BTreeMap<String, i16>,
    /// kWh.
    pub kwh: i16,
    /// Hours.
    pub hour: i16,
    /// Sessions.
    pub session: i16,
    /// Bills.
    pub bill: i16,
    /// Chargers.
    pub charger: i16,
    /// Months.
    pub month: i16,
}

impl Dim {
    /// One of `currency`.
    #[must_use]
    pub fn money(currency: &str) -> Self {
        Self { money: BTreeMap::from([(currency.to_owned(), 1)]), ..Self::default() }
    }

    /// kW.
    #[must_use]
    pub fn power() -> Self {
        Self { kwh: 1, hour: -1, ..Self::default() }
    }

    /// The unit of a product.
    #[must_use]
    pub fn times(&self, other: &Self) -> Self {
        self.combine(other, 1)
    }

    /// The unit of a quotient.
    #[must_use]
    pub fn over(&self, other: &Self) -> Self {
        self.combine(other, -1)
    }

    fn combine(&self, other: &Self, sign: i16) -> Self {
        let sum = |a: i16, b: i16| a.saturating_add(b.saturating_mul(sign));
        let mut money = self.money.clone();
        for (code, exponent) in &other.money {
            let entry = money.entry(code.clone()).or_insert(0);
            *entry = sum(*entry, *exponent);
        }
        money.retain(|_, exponent| *exponent != 0);
        Self {
            money,
            kwh: sum(self.kwh, other.kwh),
            hour: sum(self.hour, other.hour),
            session: sum(self.session, other.session),
            bill: sum(self.bill, other.bill),
            charger: sum(self.charger, other.charger),
            month: sum(self.month, other.month),
        }
    }

    /// Whether any money is in it.
    #[must_use]
    pub fn has_money(&self) -> bool {
        !self.money.is_empty()
    }

    /// Whether it counts nothing: a plain number.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        *self == Self::default()
    }

    /// In words, as in `EUR per kWh`.
    #[must_use]
    pub fn words(&self) -> String {
        self.render(" per ", " times ")
    }

    /// As it is written behind a number, as in `EUR/kWh`; nothing for a plain number.
    #[must_use]
    pub fn written(&self) -> String {
        if self.is_plain() { String::new() } else { self.render("/", "*") }
    }

    fn render(&self, per: &str, times: &str) -> String {
        if self.is_plain() {
            return "a plain number".into();
        }
        // kWh and hours of opposite sign read as power.
        let power = if self.kwh > 0 && self.hour < 0 {
            self.kwh.min(self.hour.saturating_neg())
        } else if self.kwh < 0 && self.hour > 0 {
            self.kwh.max(self.hour.saturating_neg())
        } else {
            0
        };
        let units = self.money.iter().map(|(code, exponent)| (code.as_str(), *exponent)).chain([
            ("kW", power),
            ("kWh", self.kwh.saturating_sub(power)),
            ("hour", self.hour.saturating_add(power)),
            ("session", self.session),
            ("bill", self.bill),
            ("charger", self.charger),
            ("month", self.month),
        ]);
        let (mut above, mut below) = (Vec::new(), Vec::new());
        for (name, exponent) in units {
            let name =
                if exponent.abs() > 1 { format!("{name}^{}", exponent.abs()) } else { name.to_owned() };
            match exponent {
                1.. => above.push(name),
                0 => {}
                _ => below.push(name),
            }
        }
        let above = if above.is_empty() { "1".to_owned() } else { above.join(times) };
        below.into_iter().fold(above, |text, unit| format!("{text}{per}{unit}"))
    }
}

/// Whether money includes VAT.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Basis {
    /// No money, zero, or a list without VAT: fits both.
    Any,
    /// Excluding VAT.
    Net,
    /// Including VAT.
    Gross,
}

impl Basis {
    /// The common basis of two; `None` when one is net and the other gross.
    #[must_use]
    pub fn with(self, other: Self) -> Option<Self> {
        match (self, other) {
            (Self::Any, basis) | (basis, Self::Any) => Some(basis),
            (a, b) if a == b => Some(a),
            _ => None,
        }
    }

    /// In words.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Any => "without money",
            Self::Net => "excluding VAT",
            Self::Gross => "including VAT",
        }
    }
}

/// The dimension of a unit word and how many base units (kWh, hour, ...) one of it is, as a quotient.
/// `None` for words that are no part of a price (Wh, s, A, day).
#[must_use]
pub fn unit(word: Unit) -> Option<(Dim, (u32, u32))> {
    let none = Dim::default;
    Some(match word {
        Unit::KWh => (Dim { kwh: 1, ..none() }, (1, 1)),
        Unit::MWh => (Dim { kwh: 1, ..none() }, (1000, 1)),
        Unit::Kw => (Dim::power(), (1, 1)),
        Unit::Min => (Dim { hour: 1, ..none() }, (1, 60)),
        Unit::H => (Dim { hour: 1, ..none() }, (1, 1)),
        Unit::Session => (Dim { session: 1, ..none() }, (1, 1)),
        Unit::Bill => (Dim { bill: 1, ..none() }, (1, 1)),
        Unit::Charger => (Dim { charger: 1, ..none() }, (1, 1)),
        Unit::Month => (Dim { month: 1, ..none() }, (1, 1)),
        Unit::Wh | Unit::Second | Unit::Ampere | Unit::Day => return None,
    })
}

/// The word as it is written.
#[must_use]
pub fn word(unit: Unit) -> &'static str {
    match unit {
        Unit::Wh => "Wh",
        Unit::KWh => "kWh",
        Unit::MWh => "MWh",
        Unit::Kw => "kW",
        Unit::Ampere => "A",
        Unit::Second => "s",
        Unit::Min => "min",
        Unit::H => "h",
        Unit::Day => "day",
        Unit::Session => "session",
        Unit::Bill => "bill",
        Unit::Charger => "charger",
        Unit::Month => "month",
    }
}

/// What a counted quantity is a quantity of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Counted {
    /// Millionths of a kWh.
    Energy,
    /// Milliseconds.
    Time,
    /// Millionths of a kW.
    Power,
    /// Millionths of an A.
    Current,
}

/// A quantity in whole base units (see [`Counted`]). `Err(true)`: the unit counts nothing of the kind;
/// `Err(false)`: not positive, too fine or too large.
///
/// # Errors
/// See above.
pub fn count(quantity: &Quantity) -> Result<(Counted, i64), bool> {
    let (what, per_unit) = match quantity.unit {
        Unit::Wh => (Counted::Energy, 1_000),
        Unit::KWh => (Counted::Energy, 1_000_000),
        Unit::MWh => (Counted::Energy, 1_000_000_000),
        Unit::Second => (Counted::Time, 1_000),
        Unit::Min => (Counted::Time, 60_000),
        Unit::H => (Counted::Time, 3_600_000),
        Unit::Kw => (Counted::Power, 1_000_000),
        Unit::Ampere => (Counted::Current, 1_000_000),
        Unit::Day | Unit::Session | Unit::Bill | Unit::Charger | Unit::Month => return Err(true),
    };
    let whole = mul(quantity.number, Decimal::from(per_unit)).ok_or(false)?.normalize();
    if whole.scale() != 0 || whole <= Decimal::ZERO {
        return Err(false);
    }
    // A year of milliseconds is 3e10; the bound leaves room for sums of any length.
    i64::try_from(whole.mantissa())
        .ok()
        .filter(|n| *n <= 1_000_000_000_000_000)
        .map(|n| (what, n))
        .ok_or(false)
}

fn decimal(mut mantissa: i128, mut scale: u32) -> Option<Decimal> {
    while scale > 0 && mantissa % 10 == 0 {
        mantissa /= 10;
        scale -= 1;
    }
    if scale > 28 {
        return None;
    }
    Decimal::try_from_i128_with_scale(mantissa, scale).ok()
}

/// The exact sum, if it has at most 28 digits.
#[must_use]
pub fn add(a: Decimal, b: Decimal) -> Option<Decimal> {
    let (a, b) = (a.normalize(), b.normalize());
    let scale = a.scale().max(b.scale());
    let up = |x: Decimal| x.mantissa().checked_mul(10_i128.checked_pow(scale - x.scale())?);
    decimal(up(a)?.checked_add(up(b)?)?, scale)
}

/// The exact product, if it has at most 28 digits.
#[must_use]
pub fn mul(a: Decimal, b: Decimal) -> Option<Decimal> {
    let (a, b) = (a.normalize(), b.normalize());
    decimal(a.mantissa().checked_mul(b.mantissa())?, a.scale() + b.scale())
}

/// The quotient, if it is exact with at most 12 decimals.
#[must_use]
pub fn div(a: Decimal, b: Decimal) -> Option<Decimal> {
    let (a, b) = (a.normalize(), b.normalize());
    // a / b in units of 10^-12; both scales are at most 28, so one of the powers is 10^0.
    let up = 10_i128.checked_pow((12 + b.scale()).checked_sub(a.scale())?)?;
    let above = a.mantissa().checked_mul(up)?;
    let exact = above.checked_rem(b.mantissa())? == 0;
    if exact { decimal(above.checked_div(b.mantissa())?, 12) } else { None }
}

/// Whether a price may have this many digits: at most 12 decimals and at most 10^15.
#[must_use]
pub fn fits(number: Decimal) -> bool {
    number.normalize().scale() <= 12 && number.abs() <= Decimal::from(1_000_000_000_000_000_i64)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn d(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    #[test]
    fn power_reads_as_power() {
        let per_kwh = Dim::money("EUR").over(&Dim { kwh: 1, ..Dim::default() });
        assert_eq!(per_kwh.words(), "EUR per kWh");
        let hourly = per_kwh.times(&Dim::power());
        assert_eq!(hourly, Dim::money("EUR").over(&Dim { hour: 1, ..Dim::default() }));
        assert_eq!(hourly.written(), "EUR/hour");
        assert_eq!(Dim::money("EUR").over(&Dim::power()).words(), "EUR per kW");
        assert_eq!(Dim::power().words(), "kW");
        assert_eq!(Dim::default().words(), "a plain number");
        assert_eq!(per_kwh.times(&per_kwh).words(), "EUR^2 per kWh^2");
    }

    #[test]
    fn arithmetic_is_exact_or_absent() {
        assert_eq!(mul(d("0.5"), d("0.2")), Some(d("0.1")));
        assert_eq!(add(d("0.1"), d("-0.10")), Some(d("0")));
        assert_eq!(div(d("1"), d("8")), Some(d("0.125")));
        assert_eq!(div(d("1"), d("3")), None);
        assert_eq!(div(d("1"), d("0")), None);
        assert_eq!(mul(Decimal::MAX, d("10")), None);
        assert_eq!(mul(Decimal::MAX, d("0.1")), Some(d("7922816251426433759354395033.5")));
        assert_eq!(mul(d("0.0000000000000000000000000001"), d("0.1")), None);
    }

    #[test]
    fn quantities_are_whole_and_positive() {
        let q = |number: &str, unit| count(&Quantity { number: d(number), unit });
        assert_eq!(q("1.5", Unit::Min), Ok((Counted::Time, 90_000)));
        assert_eq!(q("2", Unit::MWh), Ok((Counted::Energy, 2_000_000_000)));
        assert_eq!(q("0.0000001", Unit::KWh), Err(false));
        assert_eq!(q("0", Unit::KWh), Err(false));
        assert_eq!(q("-1", Unit::Kw), Err(false));
        assert_eq!(q("1", Unit::Day), Err(true));
    }
}
