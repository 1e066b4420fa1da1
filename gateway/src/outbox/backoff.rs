//! How long to wait before the next try: longer each time, never longer than a bound, and not the same for all.

use takst_engine::units::{DAY_MS, HOUR_MS};

/// What the other side may ask us to wait at the most.
const LONGEST_ASKED_MS: i64 = DAY_MS;

/// How waits grow.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Backoff {
    /// The first wait, in milliseconds.
    pub first_ms: i64,
    /// No wait is longer, in milliseconds.
    pub longest_ms: i64,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { first_ms: 5_000, longest_ms: HOUR_MS }
    }
}

impl Backoff {
    /// The wait after so many failures in a row (1 or more), in milliseconds: doubled each time, then between its half and its
    /// whole as `dice` falls, so that those who failed together do not come back together.
    #[must_use]
    pub fn wait_ms(self, failures: i64, dice: u64) -> i64 {
        let doublings = u32::try_from(failures.clamp(1, 40) - 1).unwrap_or(0);
        let whole = 1_i64
            .checked_shl(doublings)
            .and_then(|times| self.first_ms.max(1).checked_mul(times))
            .unwrap_or(i64::MAX)
            .min(self.longest_ms.max(1));
        let half = whole / 2;
        let spread = u64::try_from(whole - half).unwrap_or(0).saturating_add(1);
        half + i64::try_from(dice % spread).unwrap_or(0)
    }

    /// The same, but not before the other side said so (Retry-After, in seconds; at most a day of it is believed).
    #[must_use]
    pub fn wait_asked_ms(self, failures: i64, dice: u64, retry_after: Option<u32>) -> i64 {
        let asked = retry_after.map_or(0, |seconds| i64::from(seconds).saturating_mul(1_000));
        self.wait_ms(failures, dice).max(asked.min(LONGEST_ASKED_MS))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn waits_double_up_to_the_bound() {
        let backoff = Backoff { first_ms: 1_000, longest_ms: 10_000 };
        let longest = |failures| (0..100).map(|dice| backoff.wait_ms(failures, dice * 997)).max().unwrap();
        assert!(longest(1) <= 1_000 && longest(2) <= 2_000 && longest(3) <= 4_000);
        assert!(longest(3) > 3_000 && longest(60) > 9_000);
        assert_eq!(backoff.wait_asked_ms(1, 0, Some(90)), 90_000);
        assert_eq!(backoff.wait_asked_ms(1, 0, Some(u32::MAX)), DAY_MS);
    }

    proptest! {
        #[test]
        fn a_wait_is_never_longer_than_the_bound(first in 1_i64..HOUR_MS, longest in 1_i64..DAY_MS, failures in 0_i64..1_000, dice: u64) {
            let wait = Backoff { first_ms: first, longest_ms: longest }.wait_ms(failures, dice);
            prop_assert!((0..=longest).contains(&wait));
            prop_assert!(wait >= first.min(longest) / 2);
        }
    }
}
