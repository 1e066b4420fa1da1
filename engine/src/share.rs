//! Sharing a printed amount so that the parts add up to it: largest remainder, earlier entries first on a tie.

use crate::exact::{Exact, Overflow};
use ethnum::I256;
use std::cmp::Reverse;

/// `total` minor units over exact weights that add up to about `total`.
pub(crate) fn by_exact(total: i64, weights: &[Exact], digits: u8) -> Result<Vec<i64>, Overflow> {
    if let [_] = weights {
        return Ok(vec![total]);
    }
    let mut floors = Vec::with_capacity(weights.len());
    let mut rests = Vec::with_capacity(weights.len());
    for weight in weights {
        let (floor, rest) = weight.floor_minor(digits)?;
        floors.push(floor);
        rests.push(rest);
    }
    settle(total, floors, &rests)
}

/// `total` over exact parts `numerator / denominator` that add up to about `total`. The denominator is above zero.
pub(crate) fn by_fraction(total: i64, numerators: &[I256], denominator: I256) -> Result<Vec<i64>, Overflow> {
    if denominator <= I256::ZERO {
        return Err(Overflow);
    }
    let mut floors = Vec::with_capacity(numerators.len());
    let mut rests = Vec::with_capacity(numerators.len());
    for numerator in numerators {
        floors.push(i64::try_from(numerator.div_euclid(denominator)).map_err(|_| Overflow)?);
        rests.push(i128::try_from(numerator.rem_euclid(denominator)).map_err(|_| Overflow)?);
    }
    settle(total, floors, &rests)
}

/// `total` in proportion to whole weights of one sign; all to the first when the weights add up to nothing.
pub(crate) fn in_proportion(total: i64, weights: &[i64]) -> Result<Vec<i64>, Overflow> {
    let whole: i128 = weights.iter().map(|weight| i128::from(*weight)).sum();
    if whole == 0 {
        let mut shares = vec![0; weights.len()];
        if let Some(first) = shares.first_mut() {
            *first = total;
        }
        return Ok(shares);
    }
    let mut floors = Vec::with_capacity(weights.len());
    let mut rests = Vec::with_capacity(weights.len());
    for weight in weights {
        let product = i128::from(total) * i128::from(*weight);
        let (product, divisor) = if whole < 0 { (-product, -whole) } else { (product, whole) };
        floors.push(i64::try_from(product.div_euclid(divisor)).map_err(|_| Overflow)?);
        rests.push(product.rem_euclid(divisor));
    }
    settle(total, floors, &rests)
}

fn settle(total: i64, mut shares: Vec<i64>, rests: &[i128]) -> Result<Vec<i64>, Overflow> {
    let given: i128 = shares.iter().map(|share| i128::from(*share)).sum();
    let missing = i128::from(total) - given;
    let mut order: Vec<usize> = (0..shares.len()).collect();
    let (step, rounds) = if missing < 0 { (-1, -missing) } else { (1, missing) };
    if step > 0 {
        order.sort_by_key(|index| Reverse(rests.get(*index).copied().unwrap_or_default()));
    } else {
        order.sort_by_key(|index| rests.get(*index).copied().unwrap_or_default());
    }
    let count = i128::try_from(order.len()).map_err(|_| Overflow)?;
    if count == 0 {
        return Ok(shares);
    }
    let (all, some) = (rounds / count, rounds % count);
    for (place, index) in (0_i128..).zip(order) {
        let extra = i64::try_from(all).map_err(|_| Overflow)? + i64::from(place < some);
        if let Some(share) = shares.get_mut(index) {
            *share = share.checked_add(step * extra).ok_or(Overflow)?;
        }
    }
    Ok(shares)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exact::Num;

    #[test]
    fn parts_add_up_to_the_whole() {
        let thirds = [Exact::from_num(Num::new(333_333, 5)).unwrap(); 3];
        assert_eq!(by_exact(1000, &thirds, 2).unwrap(), [334, 333, 333]);
        assert_eq!(in_proportion(100, &[1, 1, 1]).unwrap(), [34, 33, 33]);
        assert_eq!(in_proportion(-100, &[1, 1, 1]).unwrap(), [-33, -33, -34]);
        assert_eq!(in_proportion(5, &[0, 0]).unwrap(), [5, 0]);
        assert_eq!(in_proportion(7, &[-3, -4]).unwrap(), [3, 4]);
    }

    #[test]
    fn the_odd_unit_goes_to_the_largest_remainder() {
        let thirds = |numerators: [i64; 3]| numerators.map(I256::from);
        assert_eq!(by_fraction(7, &thirds([7, 8, 6]), I256::from(3)).unwrap(), [2, 3, 2]);
        assert_eq!(by_fraction(-7, &thirds([-7, -8, -6]), I256::from(3)).unwrap(), [-2, -3, -2]);
        assert_eq!(by_fraction(4, &thirds([4, 4, 4]), I256::from(3)).unwrap(), [2, 1, 1]);
        assert_eq!(by_fraction(1, &thirds([1, 1, 1]), I256::ZERO), Err(Overflow));
    }

    #[test]
    fn a_difference_larger_than_the_number_of_parts_is_spread() {
        let ones = [Exact::from_num(Num::new(1, 0)).unwrap(); 2];
        assert_eq!(by_exact(205, &ones, 2).unwrap(), [103, 102]);
        assert_eq!(by_exact(195, &ones, 2).unwrap(), [97, 98]);
    }
}
