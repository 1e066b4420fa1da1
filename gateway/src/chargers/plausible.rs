//! Whether meter registers can be true: what follows from two of them, whatever the session.

use takst_engine::units::{Energy, HOUR_MS, Instant};

/// A register at an instant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Point {
    /// When.
    pub at: Instant,
    /// The register.
    pub register: Energy,
}

/// What a register says about the one before it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Step {
    /// It went on, or stood still.
    Fine,
    /// It is lower: the meter was reset or replaced. What was counted before stays; from here on a new segment counts.
    Reset,
    /// It grew by more than the connector could have given.
    Jump,
    /// A first value of zero is followed by a lifetime register: the first one was none.
    FalseZero,
    /// It is exactly a thousandth or a thousandfold of what fits: the unit is wrong.
    WrongUnit,
}

/// Above this a register that should start at zero is taken for a lifetime one: 1 MWh.
const LIFETIME: i64 = 1_000_000_000;
/// What is allowed beyond the connector's power, in hundredths: clocks and rounding.
const SLACK_PERCENT: i64 = 20;
/// Always allowed: 100 Wh.
const SLACK: i64 = 100_000;

/// What `next` says about `previous`. `max_power` is what the connector can give, in millionths of a kW.
#[must_use]
pub fn step(previous: Point, next: Point, max_power: i64) -> Step {
    let (from, to) = (previous.register.0, next.register.0);
    if to < from {
        return Step::Reset;
    }
    let possible = possible(previous.at, next.at, max_power);
    let grown = to.saturating_sub(from);
    if grown <= possible {
        return Step::Fine;
    }
    // A value said to be in kWh that is in Wh is a thousandfold; the other way round it is a thousandth and goes backwards,
    // unless it is the first of its kind.
    if from > 0 && (from..=from.saturating_add(possible)).contains(&(to / 1_000)) {
        return Step::WrongUnit;
    }
    if from == 0 { Step::FalseZero } else { Step::Jump }
}

/// Energy that a connector of `max_power` (millionths of a kW) can have given between two instants, with some slack, in
/// millionths of a kWh.
#[must_use]
pub fn possible(from: Instant, to: Instant, max_power: i64) -> i64 {
    let ms = i128::from(to.0.saturating_sub(from.0).max(0));
    let power = i128::from(max_power.max(0)) * i128::from(100 + SLACK_PERCENT) / 100;
    i64::try_from(ms * power / i128::from(HOUR_MS)).unwrap_or(i64::MAX).saturating_add(SLACK)
}

/// Whether energy that is said to be in Wh is in kWh: what was counted (millionths of a kWh, read as Wh) fits the power drawn
/// meanwhile (millionths of a kW) only when it is a thousandfold. None when it fits neither way or too little was drawn to tell.
#[must_use]
pub fn wh_is_kwh(from: Instant, to: Instant, counted: Energy, power: i64) -> Option<bool> {
    // What to tell from: 1 kWh.
    const ENOUGH: i128 = 1_000_000;
    let ms = i128::from(to.0.saturating_sub(from.0).max(0));
    let drawn = ms * i128::from(power.max(0)) / i128::from(HOUR_MS);
    if drawn < ENOUGH {
        return None;
    }
    let fits = |counted: i128| counted >= drawn / 2 && counted <= drawn * 2;
    let counted = i128::from(counted.0);
    if fits(counted) {
        Some(false)
    } else if fits(counted * 1_000) {
        Some(true)
    } else {
        None
    }
}

/// What a connector's register counts.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Register {
    /// The session: it starts at zero.
    Session,
    /// The meter's life.
    Lifetime,
    /// Start and meter values count differently: neither can be taken as the other's start.
    Mixed,
}

/// What a register counts, from the value at the start and the first one measured after it.
#[must_use]
pub fn register(start: Energy, first: Energy) -> Register {
    match (start.0 == 0, first.0 >= LIFETIME) {
        (true, false) => Register::Session,
        (true, true) => Register::Mixed,
        (false, _) if first.0 < start.0 && start.0 >= LIFETIME => Register::Mixed,
        (false, _) => Register::Lifetime,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KW22: i64 = 22_000_000;

    fn after(minutes: i64, from: i64, to: i64) -> Step {
        let previous = Point { at: Instant(0), register: Energy(from) };
        let next = Point { at: Instant(minutes * 60_000), register: Energy(to) };
        step(previous, next, KW22)
    }

    #[test]
    fn case_08_zero_followed_by_a_lifetime_register_is_no_energy() {
        assert_eq!(after(15, 0, 909_948_000), Step::FalseZero);
        assert_eq!(after(15, 0, 5_500_000), Step::Fine);
    }

    #[test]
    fn case_09_and_10_a_lower_register_is_a_reset_never_negative_energy() {
        assert_eq!(after(15, 909_948_000, 0), Step::Reset);
        assert_eq!(after(15, 909_948_000, 909_947_999), Step::Reset);
    }

    #[test]
    fn case_11_start_and_meter_values_that_count_differently_are_told() {
        assert_eq!(register(Energy(0), Energy(1_200_000)), Register::Session);
        assert_eq!(register(Energy(0), Energy(9_099_480_000)), Register::Mixed);
        assert_eq!(register(Energy(9_099_480_000), Energy(1_200_000)), Register::Mixed);
        assert_eq!(register(Energy(9_099_480_000), Energy(9_099_490_000)), Register::Lifetime);
    }

    #[test]
    fn case_12_a_wrong_unit_and_a_jump_are_told_apart() {
        assert_eq!(after(15, 5_000_000, 8_000_000_000), Step::WrongUnit);
        assert_eq!(after(15, 5_000_000, 800_000_000_000), Step::Jump);
        assert_eq!(after(15, 5_000_000, 11_000_000), Step::Fine);
    }

    #[test]
    fn case_12_wh_that_are_kwh_show_beside_the_power() {
        let hour = |counted| wh_is_kwh(Instant(0), Instant(HOUR_MS), Energy(counted), 11_000_000);
        assert_eq!(hour(10_900_000), Some(false));
        assert_eq!(hour(10_900), Some(true));
        assert_eq!(hour(500_000), None);
        assert_eq!(wh_is_kwh(Instant(0), Instant(60_000), Energy(180), 11_000_000), None);
        assert_eq!(wh_is_kwh(Instant(i64::MIN), Instant(i64::MAX), Energy(i64::MAX), i64::MAX), None);
    }

    #[test]
    fn nothing_overflows() {
        for (from, to) in [(i64::MIN, i64::MAX), (i64::MAX, i64::MIN), (0, i64::MAX)] {
            let point = |register| Point { at: Instant(register), register: Energy(register) };
            let _ = step(point(from), point(to), i64::MAX);
        }
        assert_eq!(possible(Instant(i64::MIN), Instant(i64::MAX), i64::MAX), i64::MAX);
    }
}
