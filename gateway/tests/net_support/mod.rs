//! A server with a desk that keeps what it hears in memory, and chargers that connect to it.

#![allow(dead_code, reason = "each test file uses a part")]

mod desk;
mod plug;

pub use desk::*;
pub use plug::*;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use takst_gateway::chargers::model::{Command, Outcome};
use takst_gateway::hub::{Hub, Unsent};
use takst_gateway::serve::{Options, Running, Serve, open_store};
use takst_gateway::store::{OrgId, Store};

/// A running server.
pub struct Bench {
    pub running: Option<Running>,
    pub hub: Hub,
    pub desk: Arc<Memory>,
    pub store: Store,
    pub address: SocketAddr,
    pub dir: tempfile::TempDir,
}

pub fn org() -> OrgId {
    OrgId::new("city")
}

/// A server on this machine as it is by default.
pub async fn bench() -> Bench {
    bench_with(|_| {}).await
}

/// A server with other options.
pub async fn bench_with(change: impl FnOnce(&mut Options)) -> Bench {
    bench_of(change, |serve| serve).await
}

/// A server that is made of something else.
pub async fn bench_of(
    change: impl FnOnce(&mut Options),
    make: impl FnOnce(Serve<Memory>) -> Serve<Memory>,
) -> Bench {
    let dir = tempfile::tempdir().unwrap();
    let store = open_store(dir.path(), None).await.unwrap();
    let hub = Hub::new();
    let desk = Arc::new(Memory::default());
    let mut options = Options { listen: vec!["127.0.0.1:0".parse().unwrap()], ..Options::default() };
    options.stations.settle = Duration::from_millis(300);
    change(&mut options);
    let serve = Serve {
        options,
        store: store.clone(),
        hub: hub.clone(),
        desk: Arc::clone(&desk),
        router: axum::Router::new(),
        tasks: Vec::new(),
        reload: None,
    };
    let running = make(serve).start().await.unwrap();
    let address = *running.addresses().first().or(running.tls_addresses().first()).unwrap();
    Bench { running: Some(running), hub, desk, store, address, dir }
}

impl Bench {
    /// Lets a charger in, and how.
    pub fn allow(&self, charger: &str, change: impl FnOnce(&mut Rule)) -> &Self {
        let mut rule = Rule::default();
        change(&mut rule);
        self.desk.rules.lock().unwrap().insert(charger.to_owned(), rule);
        self
    }

    /// A charger's connection.
    pub async fn plug(&self, charger: &str, protocol: &str) -> Plug {
        Plug::connect(self.address, &format!("/ocpp/{charger}"), &[protocol], None).await.unwrap()
    }

    /// A 1.6 charger that has booted.
    pub async fn booted(&self, charger: &str) -> Plug {
        self.allow(charger, |_| {});
        let mut plug = self.plug(charger, "ocpp1.6").await;
        plug.boot().await;
        plug
    }

    pub async fn command(&self, charger: &str, command: Command, within_ms: u64) -> Result<Outcome, Unsent> {
        self.hub.command(&org(), charger, command, Duration::from_millis(within_ms)).await
    }

    /// The same, in the background.
    pub fn order(
        &self,
        charger: &str,
        command: Command,
        within_ms: u64,
    ) -> tokio::task::JoinHandle<Result<Outcome, Unsent>> {
        let (hub, charger) = (self.hub.clone(), charger.to_owned());
        tokio::spawn(
            async move { hub.command(&org(), &charger, command, Duration::from_millis(within_ms)).await },
        )
    }

    /// The same, and it is certainly in the queue.
    pub async fn ordered(
        &self,
        charger: &str,
        command: Command,
        within_ms: u64,
    ) -> tokio::task::JoinHandle<Result<Outcome, Unsent>> {
        let order = self.order(charger, command, within_ms);
        tokio::time::sleep(Duration::from_millis(30)).await;
        order
    }

    pub fn count(&self, name: &str) -> u64 {
        self.hub.counters().get(name).unwrap_or_else(|| panic!("there is no counter {name}"))
    }

    pub async fn stop(&mut self) {
        self.running.take().unwrap().stop().await;
    }
}

/// Waits until something is so.
pub async fn until(what: &str, mut so: impl FnMut() -> bool) {
    for _ in 0..1_000 {
        if so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("not within 10 s: {what}");
}

pub fn run<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap().block_on(test)
}
