//! How many messages a charger may send in a while. More are left in its socket.

use std::time::Duration;
use tokio::time::Instant as Moment;

/// What is taken at once, in seconds' worth.
const BURST: u32 = 20;

/// The pace of one charger.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    span: Duration,
    // When all that came until now would have come at the pace.
    even: Moment,
}

impl Pace {
    pub fn new(per_second: u32, now: Moment) -> Self {
        Self { span: Duration::from_secs(1) / per_second.max(1), even: now }
    }

    /// A message came.
    pub fn step(&mut self, now: Moment) {
        self.even = self.even.max(now) + self.span;
    }

    /// Until when nothing more is read; none when it may go on.
    pub fn rest(&self, now: Moment) -> Option<Moment> {
        let ahead = self.even.checked_duration_since(now)?;
        let over = ahead.checked_sub(Duration::from_secs(u64::from(BURST)))?;
        (!over.is_zero()).then(|| now + over)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_taken_and_then_so_many_per_second() {
        let now = Moment::now();
        let mut pace = Pace::new(50, now);
        let taken = (0..5_000).take_while(|_| {
            let free = pace.rest(now).is_none();
            pace.step(now);
            free
        });
        assert_eq!(taken.count(), 1_001);
        let mut pace = Pace::new(50, now);
        for _ in 0..1_001 {
            pace.step(now);
        }
        let rest = pace.rest(now).unwrap();
        assert_eq!(rest, now + Duration::from_millis(20));
        assert_eq!(pace.rest(rest), None);
    }
}
