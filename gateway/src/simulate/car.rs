//! A car's battery while it charges.

/// One Wh, in W·ms.
pub(super) const WH: i64 = 3_600_000;
/// Up to this many thousandths a battery takes all the power that its car can.
const BEND: i64 = 600;
/// What is left of the power when it is full, in thousandths.
const TAIL: i64 = 200;
/// What a car wants is full after so much of its battery; the rest was in it.
const WANTED_PERMILLE: i64 = 450;

/// A car.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Car {
    // All in W·ms.
    capacity: i64,
    stored: i64,
    limit: i64,
    // In W.
    power: i64,
}

impl Car {
    /// A car that takes so many Wh, at most at so many W.
    pub(super) fn new(wanted_wh: i64, power: i64) -> Self {
        let wanted = wanted_wh.clamp(1, 1_000_000) * WH;
        let capacity = wanted / WANTED_PERMILLE * 1_000;
        let limit = capacity / 10 * 9;
        Self { capacity, stored: limit - wanted, limit, power: power.clamp(1, 10_000_000) }
    }

    /// How full it is, in thousandths.
    pub(super) const fn soc_permille(&self) -> i64 {
        self.stored / (self.capacity / 1_000)
    }

    /// Whether it takes no more.
    pub(super) const fn is_full(&self) -> bool {
        self.stored >= self.limit
    }

    /// What it draws of the offered power, in W.
    pub(super) fn draws(&self, offered: i64) -> i64 {
        if self.is_full() {
            return 0;
        }
        let beyond = (self.soc_permille() - BEND).max(0);
        let part = 1_000 - beyond * (1_000 - TAIL) / (1_000 - BEND);
        (self.power * part / 1_000).min(offered).max(1)
    }

    /// Charges it for so many milliseconds. What it took, in W·ms.
    pub(super) fn charge(&mut self, offered: i64, ms: i64) -> i64 {
        let before = self.stored;
        // Seconds are fine enough for the curve; a long time is not counted in more than 600 pieces.
        let piece = 1_000.max(ms / 600);
        let mut left = ms;
        while left > 0 && !self.is_full() {
            let now = piece.min(left);
            self.stored = self.stored.saturating_add(self.draws(offered).saturating_mul(now)).min(self.limit);
            left -= now;
        }
        self.stored - before
    }

    /// Milliseconds after which it can be full at the earliest; it draws less and less.
    pub(super) fn full_in(&self, offered: i64) -> i64 {
        let draws = self.draws(offered).max(1);
        (self.limit - self.stored).max(0) / draws + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_car_takes_what_it_wants_and_slows_down_towards_the_end() {
        let mut car = Car::new(10_000, 150_000);
        assert_eq!(car.draws(50_000), 50_000);
        assert_eq!(car.draws(400_000), 150_000);
        let mut taken = 0;
        let mut seconds = 0;
        while !car.is_full() {
            taken += car.charge(150_000, 1_000);
            seconds += 1;
        }
        assert_eq!(taken, 10_000 * WH);
        // At full power it would be 240 s.
        assert!((240..600).contains(&seconds), "{seconds} s");
        assert_eq!((car.soc_permille(), car.draws(150_000), car.charge(150_000, 1_000)), (900, 0, 0));
    }

    #[test]
    fn it_is_never_full_before_it_says_and_pieces_do_not_matter_much() {
        let mut car = Car::new(5_000, 11_000);
        let mut at_once = car.clone();
        let mut ms = 0;
        while !car.is_full() {
            let wait = car.full_in(22_000);
            let mut almost = car.clone();
            almost.charge(22_000, wait - 2);
            assert!(!almost.is_full());
            car.charge(22_000, wait.max(1_000));
            ms += wait.max(1_000);
        }
        at_once.charge(22_000, ms + 60_000);
        assert!(at_once.is_full());
        let mut long = Car::new(1_000_000, 1);
        assert!(long.charge(1, i64::MAX / 20_000_000) > 0);
    }
}
