//! Exact numbers: fractions of any size, and decimals as people write them.

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::{Signed, ToPrimitive, Zero};
use std::fmt;

/// An exact fraction.
pub type Q = BigRational;

/// Millionths in a whole.
pub const MICRO: i128 = 1_000_000;

/// A whole number as a fraction.
#[must_use]
pub fn whole(n: i128) -> Q {
    Q::from_integer(BigInt::from(n))
}

/// `n / d`.
#[must_use]
pub fn fraction(n: i128, d: i128) -> Q {
    Q::new(BigInt::from(n), BigInt::from(d))
}

/// 10 to the power of `digits`.
#[must_use]
pub fn power_of_ten(digits: u32) -> Q {
    Q::from_integer(BigInt::from(10).pow(digits))
}

/// The nearest whole number; halves go away from zero.
#[must_use]
pub fn nearest(x: &Q) -> BigInt {
    let half_up = (x.abs() + fraction(1, 2)).floor().to_integer();
    if x.is_negative() { -half_up } else { half_up }
}

/// Rounded to so many decimals; halves go away from zero.
#[must_use]
pub fn round(x: &Q, digits: u32) -> Q {
    let scale = power_of_ten(digits);
    Q::from_integer(nearest(&(x * &scale))) / scale
}

/// Rounded to a multiple of `step`; halves go away from zero.
#[must_use]
pub fn round_to(x: &Q, step: &Q) -> Q {
    Q::from_integer(nearest(&(x / step))) * step
}

/// In whole minor units of the currency.
#[must_use]
pub fn minor_units(x: &Q, digits: u32) -> i128 {
    nearest(&(x * power_of_ten(digits))).to_i128().expect("an amount of money fits")
}

/// `total` whole units in shares as near to `exact` as can be: every share is first rounded down, what is missing goes
/// one unit each to the largest remainders, earlier ones first.
#[must_use]
pub fn largest_remainder(total: i128, exact: &[Q]) -> Vec<i128> {
    let mut shares: Vec<i128> =
        exact.iter().map(|x| x.floor().to_integer().to_i128().expect("an amount of money fits")).collect();
    let mut order: Vec<usize> = (0..exact.len()).collect();
    // A stable sort keeps the earlier entry first among equal remainders.
    order.sort_by(|&a, &b| (&exact[b] - exact[b].floor()).cmp(&(&exact[a] - exact[a].floor())));
    let missing = total - shares.iter().sum::<i128>();
    assert!((0..=exact.len() as i128).contains(&missing), "shares {exact:?} do not add up to {total}");
    for &i in order.iter().take(usize::try_from(missing).unwrap()) {
        shares[i] += 1;
    }
    shares
}

/// `total` whole units shared in proportion to `weights`, which must not add up to zero.
#[must_use]
pub fn share(total: i128, weights: &[Q]) -> Vec<i128> {
    let sum: Q = weights.iter().sum();
    let exact: Vec<Q> = weights.iter().map(|w| whole(total) * w / &sum).collect();
    largest_remainder(total, &exact)
}

/// Printed with exactly so many decimals, rounded half away from zero.
#[must_use]
pub fn print(x: &Q, digits: u32) -> String {
    let n = nearest(&(x * power_of_ten(digits)));
    let sign = if n.is_negative() { "-" } else { "" };
    let width = digits as usize + 1;
    let text = format!("{:0>width$}", n.abs().to_string());
    let (left, right) = text.split_at(text.len() - digits as usize);
    if digits == 0 { format!("{sign}{left}") } else { format!("{sign}{left}.{right}") }
}

/// Reads a plain decimal. `None` if it is not one.
#[must_use]
pub fn read(text: &str) -> Option<Q> {
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    let (left, right) = digits.split_once('.').unwrap_or((digits, ""));
    if left.is_empty() || !left.chars().chain(right.chars()).all(|c| c.is_ascii_digit()) {
        return None;
    }
    let n: BigInt = format!("{left}{right}").parse().ok()?;
    Some(Q::new(n * sign, BigInt::from(10).pow(u32::try_from(right.len()).ok()?)))
}

/// A decimal as it is written: `units` × 10^-`scale`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Dec {
    /// All digits.
    pub units: i128,
    /// How many of them stand behind the point.
    pub scale: u32,
}

impl Dec {
    /// `units` × 10^-`scale`.
    #[must_use]
    pub const fn new(units: i128, scale: u32) -> Self {
        Self { units, scale }
    }

    /// Reads `0.50`; panics on anything else.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let scale = text.split_once('.').map_or(0, |(_, right)| right.len());
        let units = text.replace('.', "").parse().expect("a decimal");
        Self { units, scale: u32::try_from(scale).unwrap() }
    }

    /// Its value.
    #[must_use]
    pub fn value(self) -> Q {
        whole(self.units) / power_of_ten(self.scale)
    }

    /// A hundred times as much, without superfluous digits behind the point.
    #[must_use]
    pub fn hundredfold(self) -> Self {
        if self.scale >= 2 {
            Self { units: self.units, scale: self.scale - 2 }
        } else {
            Self { units: self.units * 10_i128.pow(2 - self.scale), scale: 0 }
        }
    }
}

impl fmt::Display for Dec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&print(&self.value(), self.scale))
    }
}

/// Millionths as a decimal without trailing zeros.
#[must_use]
pub fn print_micro(micro: i128) -> String {
    trim(&print(&fraction(micro, MICRO), 6))
}

/// Without trailing zeros behind the point.
#[must_use]
pub fn trim(text: &str) -> String {
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text.to_owned()
    }
}

/// Zero.
#[must_use]
pub fn zero() -> Q {
    Q::zero()
}
