//! CPU time of one call: that of the thread while the guest runs or the host works for it, without what others do between.

use rustix::time::{ClockId, clock_gettime};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// Counts while it runs. A call moves between threads only while the meter is stopped, so that a span begins and ends on one thread.
#[derive(Debug, Default)]
pub struct Meter {
    // Nanoseconds of the spans that are over.
    used: AtomicU64,
    // The thread's clock when the running span began.
    since: AtomicU64,
    running: AtomicBool,
}

fn thread_time() -> u64 {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    let nanos = i128::from(now.tv_sec) * 1_000_000_000 + i128::from(now.tv_nsec);
    u64::try_from(nanos).unwrap_or(0)
}

impl Meter {
    /// Counts from here on.
    pub fn start(&self) {
        self.since.store(thread_time(), Ordering::Relaxed);
        self.running.store(true, Ordering::Relaxed);
    }

    /// Counts no more: before any wait.
    pub fn stop(&self) {
        if self.running.swap(false, Ordering::Relaxed) {
            let span = thread_time().saturating_sub(self.since.load(Ordering::Relaxed));
            self.used.fetch_add(span, Ordering::Relaxed);
        }
    }

    /// The spans so far, the running one too.
    #[must_use]
    pub fn used(&self) -> Duration {
        let running = if self.running.load(Ordering::Relaxed) {
            thread_time().saturating_sub(self.since.load(Ordering::Relaxed))
        } else {
            0
        };
        Duration::from_nanos(self.used.load(Ordering::Relaxed).saturating_add(running))
    }

    /// Waits for something outside without counting it.
    pub async fn outside<T>(&self, wait: impl Future<Output = T>) -> T {
        self.stop();
        let answer = wait.await;
        self.start();
        answer
    }
}
