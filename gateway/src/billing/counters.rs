//! Counters that run over sessions: whose, which of them a session can read, and what a bill makes of them.

use crate::store::scope_key;
use rust_decimal::Decimal;
use std::collections::{BTreeMap, BTreeSet};
use takst_engine::Standing;
use takst_engine::calendar::{civil, date, day_number};
use takst_engine::calendar_time::{LocalTime, day_text, month_text};
use takst_engine::tariff::{Limit, Measure, Tariff, Test, Who, Zone};
use takst_engine::units::{Day, Instant};

/// Days after which a day's or month's counter is let go: longer than any session lasts or any bill waits.
const KEPT_DAYS: Day = 800;

/// Whose counters a tariff reads or moves.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counted {
    /// The driver's.
    pub driver: bool,
    /// The site's.
    pub site: bool,
}

impl Counted {
    /// What a tariff counts over sessions.
    #[must_use]
    pub fn by(tariff: &Tariff) -> Self {
        let measures = tariff.measures.iter().filter_map(|measure| match measure {
            Measure::Energy { who, .. } | Measure::Time { who, .. } => Some(*who),
            Measure::Power | Measure::Current | Measure::Occupancy => None,
        });
        let tests = tariff.tests.iter().filter_map(|test| match test {
            Test::WholeMonthAtLeast { who, .. } => Some(*who),
            _ => None,
        });
        let limits = tariff.charges.iter().flat_map(|charge| &charge.limits).chain(&tariff.total_limits);
        let limits = limits.map(|limit: &Limit| limit.who);
        let coupons = tariff.coupons.iter().any(|coupon| coupon.times_per_driver.is_some());
        let mut counted = Self { driver: coupons, site: false };
        for who in measures.chain(tests).chain(limits) {
            match who {
                Who::Session => {}
                Who::Driver => counted.driver = true,
                Who::Site => counted.site = true,
            }
        }
        counted
    }

    /// What two tariffs count together.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self { driver: self.driver || other.driver, site: self.site || other.site }
    }

    /// The scopes under which the counters of this session stand, in the order in which they are locked. Sellers and
    /// currencies do not count together. Where the driver or site is not known, nothing is counted.
    #[must_use]
    pub fn scopes(
        self,
        seller: &str,
        currency: &str,
        driver: Option<&str>,
        site: Option<&str>,
    ) -> Vec<(Scope, String)> {
        let driver = driver.filter(|_| self.driver).map(|id| (Scope::Driver, id));
        let site = site.filter(|_| self.site).map(|id| (Scope::Site, id));
        let name = |(scope, id): (Scope, &str)| {
            // As it is stored, so that it is found again among postings.
            (scope, scope_key(&format!("{}:{seller}:{currency}:{id}", scope.word())))
        };
        driver.into_iter().chain(site).map(name).collect()
    }
}

/// Whose counter.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scope {
    /// A driver's.
    Driver,
    /// A site's.
    Site,
}

impl Scope {
    const fn word(self) -> &'static str {
        match self {
            Self::Driver => "driver",
            Self::Site => "site",
        }
    }

    /// Whose counters stand under a name that [`Counted::scopes`] gave.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        let is = |scope: &Self| name.strip_prefix(scope.word()).is_some_and(|rest| rest.starts_with(':'));
        [Self::Driver, Self::Site].into_iter().find(is)
    }

    /// Whether a counter of the engine's is of this kind.
    #[must_use]
    pub fn has(self, counter: &str) -> bool {
        counter.strip_prefix(self.word()).is_some_and(|rest| rest.starts_with(' '))
    }
}

/// The local days of a session.
#[derive(Clone, Copy, Debug)]
pub struct Days {
    first: Day,
    last: Day,
}

impl Days {
    /// From the first to the last instant, both inside the calendar.
    #[must_use]
    pub fn of(zone: &Zone, (from, until): (Instant, Instant)) -> Self {
        Self { first: LocalTime::at(zone, from.0).day, last: LocalTime::at(zone, until.0).day }
    }

    /// Whether a counter with this name can be read or moved on these days.
    #[must_use]
    pub fn touch(&self, counter: &str) -> bool {
        match dated(counter) {
            Some(Dated::Day(day)) => (self.first - 1..=self.last + 1).contains(&day),
            Some(Dated::Month(month)) => {
                let text = |day: Day| month_text(day);
                let (first, last) = (text(self.first - 1), text(self.last + 1));
                (first.as_str()..=last.as_str()).contains(&month)
            }
            None => true,
        }
    }

    fn let_go(&self, counter: &str) -> bool {
        let limit = self.first - KEPT_DAYS;
        match dated(counter) {
            Some(Dated::Day(day)) => day < limit,
            Some(Dated::Month(month)) => month < month_text(limit).as_str(),
            None => false,
        }
    }
}

enum Dated<'a> {
    Day(Day),
    Month(&'a str),
}

// The day or month at the end of a counter's name. A coupon can be called anything.
fn dated(counter: &str) -> Option<Dated<'_>> {
    if counter.starts_with("driver coupon ") {
        return None;
    }
    let (_, end) = counter.rsplit_once(' ')?;
    let number = |range: std::ops::Range<usize>| end.get(range)?.parse::<i32>().ok();
    let (year, month) = (number(0..4)?, u8::try_from(number(5..7)?).ok()?);
    if end.len() == 7 && (1..=12).contains(&month) {
        let text = month_text(day_number(year, month, 1));
        return (text == end).then_some(Dated::Month(end));
    }
    let day = date(year, month, u8::try_from(number(8..10)?).ok()?)?;
    (day_text(day) == end && civil(day).0 == year).then_some(Dated::Day(day))
}

/// The counters that a session opens with: those of its days and months and those of no time.
#[must_use]
pub fn opening(all: &[(Scope, Standing)], days: Days) -> Standing {
    let mut opening = Standing::default();
    for (scope, standing) in all {
        for (name, value) in standing.iter().filter(|(name, _)| scope.has(name) && days.touch(name)) {
            opening.set(name.to_owned(), value);
        }
    }
    opening
}

/// By how much counters move, by name; none by nothing.
pub type Move = BTreeMap<String, Decimal>;

/// What lies between two states of counters.
#[must_use]
pub fn moved(opening: &Standing, closing: &Standing) -> Move {
    let names: BTreeSet<&str> = closing.iter().chain(opening.iter()).map(|(name, _)| name).collect();
    let by = |name: &str| closing.get(name).saturating_sub(opening.get(name));
    names.into_iter().map(|name| (name.to_owned(), by(name))).filter(|(_, by)| !by.is_zero()).collect()
}

/// What stands in a scope once its counters have moved. What is older than any bill of these days asks for is let go.
#[must_use]
pub fn after(stands: &Standing, by: &Move, days: Days) -> Standing {
    let mut result = Standing::default();
    for (name, value) in stands.iter().filter(|(name, _)| !days.let_go(name)) {
        result.set(name.to_owned(), value);
    }
    for (name, by) in by {
        result.set(name.clone(), stands.get(name).saturating_add(*by));
    }
    result
}

/// What stands in a scope once a session that opened with `opening` has closed with `closing`. Works too when others have
/// moved the scope in between: each counter moves by what the session added to it.
#[must_use]
pub fn closed(
    scope: Scope,
    stands: &Standing,
    opening: &Standing,
    closing: &Standing,
    days: Days,
) -> Standing {
    let mut by = moved(opening, closing);
    by.retain(|name, _| scope.has(name));
    after(stands, &by, days)
}

#[cfg(test)]
mod tests {
    use super::*;
    use takst_engine::calendar::day_number;

    fn standing(text: &str) -> Standing {
        Standing::from_json(text).unwrap()
    }

    const MARCH: Days = Days { first: 20_148, last: 20_149 };

    #[test]
    fn a_session_opens_with_what_it_can_read() {
        assert_eq!((day_number(2025, 3, 1), day_number(2025, 3, 2)), (20_148, 20_149));
        let driver = standing(
            r#"{"driver energy 2025-03": "7", "driver energy 2025-02": "5", "driver energy 2025-01": "3",
                "driver energy ever": "40", "driver coupon 2019-01": "1", "driver idle time 2025-02-28": "60",
                "driver idle time 2025-02-26": "61", "site energy 2025-03": "999"}"#,
        );
        let names: Vec<String> =
            opening(&[(Scope::Driver, driver)], MARCH).iter().map(|(name, _)| name.to_owned()).collect();
        assert_eq!(
            names,
            [
                "driver coupon 2019-01",
                "driver energy 2025-02",
                "driver energy 2025-03",
                "driver energy ever",
                "driver idle time 2025-02-28"
            ]
        );
    }

    #[test]
    fn each_counter_moves_by_what_the_session_added() {
        let stands = standing(
            r#"{"driver energy 2025-03": "12", "driver energy 2022-11": "3", "driver energy 2023-03": "4"}"#,
        );
        let (before, after) = (
            standing(r#"{"driver energy 2025-03": "7"}"#),
            r#"{"driver energy 2025-03": "9.5", "site energy 2025-03": "2"}"#,
        );
        let result = closed(Scope::Driver, &stands, &before, &standing(after), MARCH);
        assert_eq!(result, standing(r#"{"driver energy 2025-03": "14.5", "driver energy 2023-03": "4"}"#));
        assert_eq!(
            closed(Scope::Site, &Standing::default(), &before, &standing(after), MARCH),
            standing(r#"{"site energy 2025-03": "2"}"#)
        );
    }
}
