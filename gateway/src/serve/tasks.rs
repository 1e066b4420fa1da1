//! Work in the background of a server, and how it is told to end.

use std::pin::Pin;
use tokio::sync::watch;

/// Tells that the server stops. Copies tell the same.
#[derive(Clone, Debug)]
pub struct Stop(watch::Receiver<bool>);

type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Work that goes on as long as the server runs.
pub struct Task {
    pub(super) name: &'static str,
    pub(super) run: Box<dyn FnOnce(Stop) -> Work + Send>,
}

impl Task {
    /// Work under a name for the log. It must end soon after `Stop` says so; ending earlier, or a panic, is logged as an error.
    pub fn new<F>(name: &'static str, run: impl FnOnce(Stop) -> F + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        Self { name, run: Box::new(move |stop| Box::pin(run(stop))) }
    }
}

impl Stop {
    /// One who tells, and one who is told.
    pub(crate) fn pair() -> (watch::Sender<bool>, Self) {
        let (sender, receiver) = watch::channel(false);
        (sender, Self(receiver))
    }

    /// Whether the server stops.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until the server stops.
    pub async fn stopped(&mut self) {
        // A server that is gone has stopped too.
        let _ = self.0.wait_for(|stop| *stop).await;
    }
}
