//! Exact numbers: unit prices as decimals of up to 28 places, amounts as fractions of one fixed denominator.
//!
//! An amount is price x quantity. Quantities are whole millionths of a kWh or whole milliseconds, so with a price of at
//! most 12 decimals every amount is a whole multiple of 1 / 432,000,000,000,000,000,000 (10^18 x 432: energy needs
//! 10^18, an hour's milliseconds bring 3.6 million, a day's 86.4 million). That is what [`Exact`] counts in. Products inside
//! a formula may have more decimals: they go to a fraction of that unit with 16 decimals more. Nothing is ever truncated on
//! the way.

use ethnum::I256;
use rust_decimal::Decimal;
use std::cmp::Ordering;
use std::num::NonZeroU32;

/// A result too large to be money. Shown to people as an error, never wrapped or saturated.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a figure is too large to be counted exactly")]
pub struct Overflow;

/// Decimals to which a quotient is rounded.
pub const QUOTIENT_PLACES: u32 = 12;
/// Decimals to which a product is exact.
pub const PRODUCT_PLACES: u32 = 28;

#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
const POW10: [i128; 39] = {
    let mut table = [1_i128; 39];
    let mut i = 1;
    while i < 39 {
        table[i] = table[i - 1] * 10;
        i += 1;
    }
    table
};

fn pow10(places: u32) -> Result<i128, Overflow> {
    POW10.get(places as usize).copied().ok_or(Overflow)
}

/// `numerator / denominator` rounded half away from zero. The denominator is positive.
pub(crate) fn div_half_away(numerator: i128, denominator: i128) -> i128 {
    // The usual case divides 64-bit numbers.
    if let (Ok(numerator), Ok(denominator)) = (i64::try_from(numerator), i64::try_from(denominator)) {
        let (quotient, rest) = (numerator / denominator, numerator % denominator);
        let up = rest.unsigned_abs() >= denominator.unsigned_abs() - rest.unsigned_abs();
        return i128::from(quotient) + if up { i128::from(numerator.signum()) } else { 0 };
    }
    let quotient = numerator / denominator;
    // Below the denominator, so nothing is lost.
    let rest = numerator.wrapping_sub(quotient.wrapping_mul(denominator)).unsigned_abs();
    if rest >= denominator.unsigned_abs() - rest {
        quotient + if numerator < 0 { -1 } else { 1 }
    } else {
        quotient
    }
}

/// A decimal number in a formula: `mantissa / 10^places`.
#[derive(Clone, Copy, Debug)]
pub struct Num {
    mantissa: i128,
    // One more than there are, so that `Option<Num>` needs no room of its own.
    places: NonZeroU32,
}

#[expect(clippy::should_implement_trait, reason = "these can fail: an overflow is an error, not a panic")]
impl Num {
    /// Zero.
    pub const ZERO: Num = Num::new(0, 0);
    /// One.
    pub const ONE: Num = Num::new(1, 0);

    /// `mantissa / 10^places`; `places` is at most [`PRODUCT_PLACES`].
    #[must_use]
    pub const fn new(mantissa: i128, places: u32) -> Self {
        Self { mantissa, places: NonZeroU32::MIN.saturating_add(places) }
    }

    #[inline]
    const fn places(self) -> u32 {
        self.places.get() - 1
    }

    /// The same number.
    #[must_use]
    pub fn from_decimal(value: Decimal) -> Self {
        Self::new(value.mantissa(), value.scale())
    }

    /// The same number, without trailing zeros, for people.
    #[must_use]
    pub fn to_plain(self) -> String {
        print_decimal(self.mantissa, self.places(), true)
    }

    /// Whether it is zero.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.mantissa == 0
    }

    /// Whether it is below zero.
    #[must_use]
    pub const fn is_negative(self) -> bool {
        self.mantissa < 0
    }

    fn aligned(self, other: Self) -> Result<(i128, i128, u32), Overflow> {
        if self.places == other.places {
            return Ok((self.mantissa, other.mantissa, self.places()));
        }
        let places = self.places().max(other.places());
        let left = self.mantissa.checked_mul(pow10(places - self.places())?).ok_or(Overflow)?;
        let right = other.mantissa.checked_mul(pow10(places - other.places())?).ok_or(Overflow)?;
        Ok((left, right, places))
    }

    /// Exact sum.
    pub fn add(self, other: Self) -> Result<Self, Overflow> {
        let (left, right, places) = self.aligned(other)?;
        Ok(Self::new(left.checked_add(right).ok_or(Overflow)?, places))
    }

    /// Exact difference.
    pub fn sub(self, other: Self) -> Result<Self, Overflow> {
        self.add(other.negated()?)
    }

    /// The number with its sign changed.
    pub fn negated(self) -> Result<Self, Overflow> {
        Ok(Self { mantissa: self.mantissa.checked_neg().ok_or(Overflow)?, places: self.places })
    }

    fn trimmed(self) -> Self {
        let (mut mantissa, mut places) = (self.mantissa, self.places());
        while places > 0 && mantissa % 10 == 0 {
            mantissa /= 10;
            places -= 1;
        }
        Self::new(mantissa, places)
    }

    /// Product: exact as long as it needs no more than [`PRODUCT_PLACES`] decimals, else rounded there, half away from zero.
    pub fn mul(self, other: Self) -> Result<Self, Overflow> {
        if let Some(mantissa) = self.mantissa.checked_mul(other.mantissa) {
            let places = self.places() + other.places();
            if places <= PRODUCT_PLACES {
                return Ok(Self::new(mantissa, places));
            }
        }
        let (left, right) = (self.trimmed(), other.trimmed());
        let mut wide = I256::from(left.mantissa).checked_mul(I256::from(right.mantissa)).ok_or(Overflow)?;
        let mut places = left.places() + right.places();
        if places > PRODUCT_PLACES {
            wide = div_half_away_wide(wide, I256::from(pow10(places - PRODUCT_PLACES)?));
            places = PRODUCT_PLACES;
        }
        Ok(Self::new(i128::try_from(wide).map_err(|_| Overflow)?, places))
    }

    /// Quotient rounded half away from zero at [`QUOTIENT_PLACES`] decimals. `None` when the divisor is zero.
    pub fn div(self, other: Self) -> Option<Result<Self, Overflow>> {
        (other.mantissa != 0).then(|| {
            let (left, right) = (self.trimmed(), other.trimmed());
            let up = QUOTIENT_PLACES + right.places();
            let mut numerator = I256::from(left.mantissa);
            let mut denominator = I256::from(right.mantissa);
            // value = mantissa / 10^places * 10^other.places / other.mantissa, wanted at 12 decimals
            if up >= left.places() {
                numerator = numerator.checked_mul(I256::from(pow10(up - left.places())?)).ok_or(Overflow)?;
            } else {
                denominator =
                    denominator.checked_mul(I256::from(pow10(left.places() - up)?)).ok_or(Overflow)?;
            }
            if denominator < I256::ZERO {
                (numerator, denominator) = (-numerator, -denominator);
            }
            let quotient = div_half_away_wide(numerator, denominator);
            let mantissa = i128::try_from(quotient).map_err(|_| Overflow)?;
            Ok(Self::new(mantissa, QUOTIENT_PLACES))
        })
    }

    /// Rounded half away from zero to a multiple of `step`, which is positive.
    pub fn round_to(self, step: Self) -> Result<Self, Overflow> {
        let (value, step_value, places) = self.aligned(step)?;
        if step_value <= 0 {
            return Err(Overflow);
        }
        let mantissa = div_half_away(value, step_value).checked_mul(step_value).ok_or(Overflow)?;
        Ok(Self::new(mantissa, places))
    }

    /// `whole / self`, rounded half away from zero to a whole number. The number is above zero.
    pub fn divides_whole(self, whole: i64) -> Result<i64, Overflow> {
        if self.mantissa <= 0 {
            return Err(Overflow);
        }
        let numerator = i128::from(whole).checked_mul(pow10(self.places())?).ok_or(Overflow)?;
        i64::try_from(div_half_away(numerator, self.mantissa)).map_err(|_| Overflow)
    }

    /// `whole x self`, rounded half away from zero to a whole number.
    pub fn of_whole(self, whole: i64) -> Result<i64, Overflow> {
        let product = self.mantissa.checked_mul(i128::from(whole)).ok_or(Overflow)?;
        i64::try_from(div_half_away(product, pow10(self.places())?)).map_err(|_| Overflow)
    }

    /// The price of one unit of quantity as a whole number of [`Exact`]'s small units, where it is one and fits.
    #[must_use]
    pub fn per_unit(self, counted: Counted) -> Option<i64> {
        let up = POW10.get(QUOTIENT_PLACES.checked_sub(self.places())? as usize)?;
        i64::try_from(self.mantissa.checked_mul(*up)?.checked_mul(counted.factor())?).ok()
    }

    /// Order by value.
    pub fn compare(self, other: Self) -> Result<Ordering, Overflow> {
        let (left, right, _) = self.aligned(other)?;
        Ok(left.cmp(&right))
    }
}

impl PartialEq for Num {
    fn eq(&self, other: &Self) -> bool {
        matches!(self.compare(*other), Ok(Ordering::Equal))
    }
}

fn div_half_away_wide(numerator: I256, denominator: I256) -> I256 {
    let quotient = numerator / denominator;
    let rest = (numerator % denominator).abs();
    if rest >= denominator - rest {
        quotient + if numerator < I256::ZERO { I256::MINUS_ONE } else { I256::ONE }
    } else {
        quotient
    }
}

/// What a quantity is counted in, and so how price x quantity becomes an [`Exact`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Counted {
    /// Millionths of a kWh at a price per kWh.
    Energy,
    /// Milliseconds at a price per hour.
    Hours,
    /// Milliseconds at a price per minute.
    Minutes,
    /// Whole things: sessions, bills, chargers.
    Pieces,
}

impl Counted {
    // Multiples of 1/(432 x 10^18) in one unit of quantity at a price of 10^-12.
    const fn factor(self) -> i128 {
        match self {
            Counted::Energy => 432,
            Counted::Hours => 120,
            Counted::Minutes => 7_200,
            Counted::Pieces => 432_000_000,
        }
    }
}

const NARROW_ONE: i128 = 432_000_000_000_000_000_000;
// NARROW_ONE / 10^places for places up to 12.
#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
const UNITS: [i128; 13] = {
    let mut table = [0_i128; 13];
    let mut places = 0;
    while places < 13 {
        table[places] = NARROW_ONE / POW10[places];
        assert!(table[places] * POW10[places] == NARROW_ONE);
        places += 1;
    }
    table
};
// Parts of the small unit that are counted.
const FINE: u64 = 10_000_000_000_000_000;

/// An exact amount of money, up to some 10^17 either way.
// Ordered as written: by the whole units, then by the fraction.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Exact {
    // Multiples of 1/(432 x 10^18), rounded down.
    narrow: i128,
    // What that leaves, in multiples of 1/(432 x 10^34); below FINE.
    fine: u64,
}

impl Default for Exact {
    fn default() -> Self {
        Self::ZERO
    }
}

#[expect(clippy::should_implement_trait, reason = "these can fail: an overflow is an error, not a panic")]
impl Exact {
    /// Nothing.
    pub const ZERO: Exact = Exact { narrow: 0, fine: 0 };

    /// `per_unit` (see [`Num::per_unit`]) x `quantity`, exactly.
    #[inline]
    #[must_use]
    pub fn whole(per_unit: i64, quantity: i64) -> Self {
        // Two 64-bit factors always fit into 128 bits.
        Self { narrow: i128::from(per_unit) * i128::from(quantity), fine: 0 }
    }

    /// `price` x `quantity`, exactly.
    #[inline]
    pub fn product(price: Num, quantity: i64, counted: Counted) -> Result<Self, Overflow> {
        if let Some(missing) = QUOTIENT_PLACES.checked_sub(price.places())
            && let Some(up) = POW10.get(missing as usize)
            && let Some(narrow) = price
                .mantissa
                .checked_mul(i128::from(quantity))
                .and_then(|product| product.checked_mul(up * counted.factor()))
        {
            return Ok(Self { narrow, fine: 0 });
        }
        Self::product_wide(price, quantity, counted)
    }

    #[cold]
    fn product_wide(price: Num, quantity: i64, counted: Counted) -> Result<Self, Overflow> {
        let up = I256::from(pow10(PRODUCT_PLACES.checked_sub(price.places()).ok_or(Overflow)?)?);
        let wide = I256::from(price.mantissa)
            .checked_mul(up)
            .and_then(|value| value.checked_mul(I256::from(i128::from(quantity) * counted.factor())))
            .ok_or(Overflow)?;
        Self::from_wide(wide)
    }

    // A multiple of 1/(432 x 10^34).
    fn from_wide(wide: I256) -> Result<Self, Overflow> {
        let fine = I256::from(FINE);
        let narrow = i128::try_from(wide.div_euclid(fine)).map_err(|_| Overflow)?;
        Ok(Self { narrow, fine: u64::try_from(wide.rem_euclid(fine)).map_err(|_| Overflow)? })
    }

    /// A plain decimal of up to 12 places.
    pub fn from_num(value: Num) -> Result<Self, Overflow> {
        Self::product(value, 1, Counted::Pieces)
    }

    /// `minor` units of a currency with `digits` decimals.
    pub fn from_minor(minor: i64, digits: u8) -> Result<Self, Overflow> {
        Self::from_num(Num::new(i128::from(minor), u32::from(digits)))
    }

    /// Exact sum.
    #[inline]
    pub fn add(self, other: Self) -> Result<Self, Overflow> {
        let mut narrow = self.narrow.checked_add(other.narrow).ok_or(Overflow)?;
        let mut fine = self.fine + other.fine;
        if fine >= FINE {
            fine -= FINE;
            narrow = narrow.checked_add(1).ok_or(Overflow)?;
        }
        Ok(Self { narrow, fine })
    }

    /// Exact difference.
    pub fn sub(self, other: Self) -> Result<Self, Overflow> {
        self.add(other.negated()?)
    }

    /// With its sign changed.
    pub fn negated(self) -> Result<Self, Overflow> {
        let narrow = self.narrow.checked_neg().ok_or(Overflow)?;
        if self.fine == 0 {
            return Ok(Self { narrow, fine: 0 });
        }
        Ok(Self { narrow: narrow.checked_sub(1).ok_or(Overflow)?, fine: FINE - self.fine })
    }

    fn wide(self) -> I256 {
        // 128 bits times 54 bits always fit.
        I256::from(self.narrow) * I256::from(FINE) + I256::from(self.fine)
    }

    /// Whether it is exactly zero.
    #[must_use]
    pub fn is_zero(self) -> bool {
        self == Self::ZERO
    }

    /// Rounded half away from zero to `places` decimals, as whole units of the last place.
    pub fn rounded(self, places: u32) -> Result<i128, Overflow> {
        if self.fine == 0
            && let Some(unit) = UNITS.get(places as usize)
        {
            return Ok(div_half_away(self.narrow, *unit));
        }
        let one = pow10(places)?;
        let unit = I256::from(NARROW_ONE) * I256::from(FINE) / I256::from(one);
        i128::try_from(div_half_away_wide(self.wide(), unit)).map_err(|_| Overflow)
    }

    /// Rounded half away from zero to minor units.
    #[inline]
    pub fn to_minor(self, digits: u8) -> Result<i64, Overflow> {
        // The usual: whole small units, and no more than 64 bits of minor units.
        if self.fine == 0
            && let Some(unit) = UNITS.get(usize::from(digits))
        {
            let (magnitude, unit) = (self.narrow.unsigned_abs(), unit.unsigned_abs());
            let quotient = magnitude / unit;
            // Below the unit, so nothing is lost.
            let rest = magnitude.wrapping_sub(quotient.wrapping_mul(unit));
            let minor = i64::try_from(quotient).map_err(|_| Overflow)?;
            let minor = minor.checked_add(i64::from(rest >= unit - rest)).ok_or(Overflow)?;
            return Ok(if self.narrow < 0 { -minor } else { minor });
        }
        i64::try_from(self.rounded(u32::from(digits))?).map_err(|_| Overflow)
    }

    /// Whole minor units below the value, and what is left in a fixed tiny unit (for sharing by largest remainder).
    pub fn floor_minor(self, digits: u8) -> Result<(i64, i128), Overflow> {
        let unit = I256::from(NARROW_ONE) * I256::from(FINE) / I256::from(pow10(u32::from(digits))?);
        let value = self.wide();
        let floor = value.div_euclid(unit);
        let rest = value.rem_euclid(unit);
        Ok((i64::try_from(floor).map_err(|_| Overflow)?, i128::try_from(rest).map_err(|_| Overflow)?))
    }

    /// `self x part / whole`, rounded down to the tiny unit; for shares in proportion. `None` when `whole` is zero.
    pub fn share(self, part: Self, whole: Self) -> Option<Result<Self, Overflow>> {
        let calculate = || {
            // 512-bit products would be needed for the exact share; 10^-34 is far below any remainder that decides.
            let quotient = mul_div_floor(self.wide(), part.wide(), whole.wide()).ok_or(Overflow)?;
            Self::from_wide(quotient)
        };
        (!whole.is_zero()).then(calculate)
    }

    /// The value to 12 places, rounded half away from zero, always with all 12.
    #[must_use]
    pub fn print12(self) -> String {
        self.rounded(12).map_or_else(|_| "overflow".into(), |value| print_decimal(value, 12, false))
    }
}

// value x part / whole by long multiplication in halves; None when the result does not fit.
fn mul_div_floor(value: I256, part: I256, whole: I256) -> Option<I256> {
    if let Some(product) = value.checked_mul(part) {
        return Some(product.div_euclid(whole));
    }
    // value = q * whole + r: value*part/whole = q*part + r*part/whole
    let quotient = value.div_euclid(whole);
    let rest = value.rem_euclid(whole);
    let head = quotient.checked_mul(part)?;
    // Binary long multiplication of rest x part modulo whole.
    let negative = part < I256::ZERO;
    let mut factor = part.checked_abs()?;
    let divisor = whole.checked_abs()?;
    let mut tail = I256::ZERO;
    let mut carry = rest.checked_abs()?;
    let mut carry_whole = I256::ZERO;
    let mut sum_rest = I256::ZERO;
    while factor > I256::ZERO {
        if factor & I256::ONE == I256::ONE {
            tail = tail.checked_add(carry_whole)?;
            sum_rest = sum_rest.checked_add(carry)?;
            if sum_rest >= divisor {
                sum_rest -= divisor;
                tail = tail.checked_add(I256::ONE)?;
            }
        }
        factor >>= 1;
        if factor > I256::ZERO {
            carry_whole = carry_whole.checked_mul(I256::from(2))?;
            carry = carry.checked_mul(I256::from(2))?;
            if carry >= divisor {
                carry -= divisor;
                carry_whole = carry_whole.checked_add(I256::ONE)?;
            }
        }
    }
    let tail = if negative != (whole < I256::ZERO) { -tail } else { tail };
    head.checked_add(tail)
}

/// `value / 10^places` as a plain decimal; `trim` drops trailing zeros.
#[must_use]
pub fn print_decimal(value: i128, places: u32, trim: bool) -> String {
    let sign = if value < 0 { "-" } else { "" };
    let magnitude = value.unsigned_abs();
    let one = 10_u128.checked_pow(places).unwrap_or(u128::MAX);
    let (whole, rest) = (magnitude / one, magnitude % one);
    if places == 0 {
        return format!("{sign}{whole}");
    }
    let mut text = format!("{sign}{whole}.{rest:0width$}", width = places as usize);
    if trim {
        while text.ends_with('0') {
            text.pop();
        }
        if text.ends_with('.') {
            text.pop();
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::str::FromStr;

    fn num(text: &str) -> Num {
        Num::from_decimal(Decimal::from_str(text).unwrap())
    }

    #[test]
    fn a_third_of_an_hour_stays_exact() {
        let amount = Exact::product(num("0.10"), 20 * 60_000, Counted::Hours).unwrap();
        let three = amount.add(amount).unwrap().add(amount).unwrap();
        assert_eq!(three, Exact::from_num(num("0.1")).unwrap());
        assert_eq!(amount.print12(), "0.033333333333");
    }

    #[test]
    fn more_than_twelve_decimals_are_exact_too() {
        let price = num("0.123456789012").mul(num("0.123456789012")).unwrap();
        assert_eq!(price.to_plain(), "0.015241578753153483936144");
        let amount = Exact::product(price, 1_000_000, Counted::Energy).unwrap();
        assert_eq!(amount.print12(), "0.015241578753");
        let narrow = Exact::product(num("1"), 1_000_000, Counted::Energy).unwrap();
        assert_eq!(amount.add(narrow).unwrap().rounded(24).unwrap(), 1_015_241_578_753_153_483_936_144);
    }

    #[test]
    fn half_is_away_from_zero() {
        for (value, places, expected) in
            [("0.605", 2, 61), ("-0.605", 2, -61), ("0.604999", 2, 60), ("0.5", 0, 1)]
        {
            assert_eq!(Exact::from_num(num(value)).unwrap().rounded(places).unwrap(), expected, "{value}");
        }
    }

    #[test]
    fn a_quotient_has_twelve_decimals() {
        assert_eq!(num("1").div(num("3")).unwrap().unwrap().to_plain(), "0.333333333333");
        assert_eq!(num("-2").div(num("3")).unwrap().unwrap().to_plain(), "-0.666666666667");
        assert_eq!(num("2").div(num("-3")).unwrap().unwrap().to_plain(), "-0.666666666667");
        assert!(num("1").div(Num::ZERO).is_none());
    }

    #[test]
    fn too_large_is_an_error() {
        let large = Num::new(i128::MAX / 2, 0);
        assert_eq!(large.mul(large).unwrap_err(), Overflow);
        assert_eq!(large.add(large).and_then(|x| x.add(large)).unwrap_err(), Overflow);
        assert_eq!(Exact::product(Num::new(10_i128.pow(30), 0), i64::MAX, Counted::Pieces), Err(Overflow));
        assert_eq!(Exact::product(Num::new(10_i128.pow(20), 0), i64::MAX, Counted::Pieces), Err(Overflow));
        let much = Exact::product(Num::new(3 * 10_i128.pow(17), 0), 1, Counted::Pieces).unwrap();
        assert_eq!(much.to_minor(2), Err(Overflow));
        assert_eq!(much.add(much), Err(Overflow));
    }

    #[test]
    fn a_share_is_taken_in_proportion() {
        let ten = Exact::from_num(num("10")).unwrap();
        let three = Exact::from_num(num("3")).unwrap();
        let share = Exact::from_num(num("1")).unwrap().share(three, ten).unwrap().unwrap();
        assert_eq!(share.print12(), "0.300000000000");
        let large = Exact::from_num(num("123456789012.123456789012")).unwrap();
        assert_eq!(large.share(large, large).unwrap().unwrap().print12(), "123456789012.123456789012");
    }
}
