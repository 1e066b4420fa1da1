//! The time of this machine. Absent from everything that decides: times come in there.

use std::time::{SystemTime, UNIX_EPOCH};
use takst_engine::units::Instant;

/// The time now, in UTC; the epoch on a machine whose clock stands before it.
#[must_use]
pub fn now() -> Instant {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Instant(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
