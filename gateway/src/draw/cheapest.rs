//! The cheapest stretch of a day.

use super::Step;
use rust_decimal::Decimal;
use takst_engine::units::Instant;

/// When charging costs least.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cheapest {
    /// Start.
    pub from: Instant,
    /// End.
    pub to: Instant,
    /// Mean price, at the same power all the while.
    pub mean: Decimal,
}

/// The stretch of `length` milliseconds in which a kWh costs least on average, the earliest one where several do. None where the
/// day has one price only, or no such stretch whose prices are all known.
///
/// The mean of a stretch changes evenly while neither end passes a change of price, so one of the best begins or ends at such a
/// change.
pub fn cheapest(steps: &[Step], length: i64) -> Option<Cheapest> {
    let first = steps.first()?.price;
    if length <= 0 || steps.iter().all(|step| step.price == first) {
        return None;
    }
    let starts = steps.iter().flat_map(|step| [step.from.0, step.to.0 - length]);
    let sums = starts.filter_map(|from| Some((sum(steps, from, from.checked_add(length)?)?, from)));
    let (sum, from) = sums.min()?;
    let mean = sum.checked_div(Decimal::from(length))?;
    Some(Cheapest { from: Instant(from), to: Instant(from + length), mean })
}

// Price times milliseconds; none where something is not known.
fn sum(steps: &[Step], from: i64, to: i64) -> Option<Decimal> {
    let mut covered = 0;
    let mut sum = Decimal::ZERO;
    for step in steps {
        let inside = step.to.0.min(to) - step.from.0.max(from);
        if inside > 0 {
            covered += inside;
            sum = sum.checked_add(step.price?.checked_mul(Decimal::from(inside))?)?;
        }
    }
    (covered == to - from).then_some(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(prices: &[Option<i64>]) -> Vec<Step> {
        let at = |n: usize| Instant(i64::try_from(n).unwrap() * 100);
        let step = |(n, price): (usize, &Option<i64>)| Step {
            from: at(n),
            to: at(n + 1),
            price: price.map(Decimal::from),
            tip: String::new(),
        };
        prices.iter().enumerate().map(step).collect()
    }

    fn found(prices: &[Option<i64>], length: i64) -> Option<(i64, i64, String)> {
        cheapest(&steps(prices), length)
            .map(|found| (found.from.0, found.to.0, found.mean.normalize().to_string()))
    }

    #[test]
    fn it_may_begin_or_end_at_a_change_and_prices_may_be_negative() {
        assert_eq!(found(&[Some(3), Some(1), Some(2), Some(5)], 100), Some((100, 200, "1".into())));
        assert_eq!(
            found(&[Some(3), Some(1), Some(2), Some(5)], 150),
            Some((100, 250, "1.3333333333333333333333333333".into()))
        );
        assert_eq!(
            found(&[Some(2), Some(1), Some(9)], 150),
            Some((50, 200, "1.3333333333333333333333333333".into()))
        );
        assert_eq!(found(&[Some(2), Some(-4), Some(9)], 100), Some((100, 200, "-4".into())));
        assert_eq!(found(&[Some(1), Some(2), Some(1)], 100), Some((0, 100, "1".into())));
    }

    #[test]
    fn nothing_is_said_of_a_flat_day_or_where_a_price_is_missing() {
        assert_eq!(found(&[Some(3), Some(3)], 100), None);
        assert_eq!(found(&[None, Some(3), None], 200), None);
        assert_eq!(found(&[None, Some(3), Some(4)], 100), Some((100, 200, "3".into())));
        assert_eq!(found(&[Some(3), Some(4)], 300), None);
        assert_eq!(found(&[], 100), None);
    }
}
