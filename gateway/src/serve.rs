//! `takst serve`: listeners, pages, background work, and an end that loses nothing.
//!
//! [`Serve`] is what a server is made of; [`Serve::start`] gives a [`Running`] one.

mod accept;
pub(crate) mod limits;
pub mod log;
mod pages;
mod tasks;
pub mod traces;

pub use crate::ocpp::station::Settings;
pub use limits::Limits;
pub use tasks::{Stop, Task};

use crate::hub::{Hub, Tape};
use crate::link::Desk;
use crate::ocpp::socket::Door;
use crate::store::{OpenError, Store};
use crate::tls::{self, Tls};
use accept::House;
use axum::Router;
use limits::{Attempts, Seats};
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant as Moment, sleep, timeout_at};

/// Where the program listens when nothing else is said.
pub const LISTEN: &str = "127.0.0.1:8080";
/// Connections that wait in the operating system.
const BACKLOG: u32 = 4_096;
/// Open files for the database, logs, tariffs and the like.
const OTHER_FILES: usize = 256;

/// Of a request: whether it came over TLS, to this program or to a trusted proxy before it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Encrypted(pub bool);

/// How a server listens.
#[derive(Clone, Debug)]
pub struct Options {
    /// Addresses for plain connections. Port 0: any free one.
    pub listen: Vec<SocketAddr>,
    /// Addresses for TLS; they need [`Self::tls`].
    pub listen_tls: Vec<SocketAddr>,
    /// The certificates.
    pub tls: Option<tls::Files>,
    /// How often the certificates' files are looked at.
    pub tls_check: Duration,
    /// Limits.
    pub limits: Limits,
    /// How connections of chargers are kept.
    pub stations: Settings,
    /// How long an orderly end may take.
    pub patience: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: Vec::new(),
            listen_tls: Vec::new(),
            tls: None,
            tls_check: Duration::from_secs(60),
            limits: Limits::default(),
            stations: Settings::default(),
            patience: Duration::from_secs(20),
        }
    }
}

/// What is done on SIGHUP, after the certificates were read again: a line for the log, or what is wrong.
pub type Reload = Box<dyn Fn() -> Pin<Box<dyn Future<Output = Result<String, String>> + Send>> + Send + Sync>;

/// What a server is made of.
pub struct Serve<D> {
    /// How it listens.
    pub options: Options,
    /// Its memory. It is closed when the server has stopped.
    pub store: Store,
    /// The connections; whoever sends commands has a copy.
    pub hub: Hub,
    /// Who answers chargers.
    pub desk: Arc<D>,
    /// The pages and the API of others.
    pub router: Router,
    /// Work in the background. It is told to stop when the last charger is gone.
    pub tasks: Vec<Task>,
    /// See [`Reload`].
    pub reload: Option<Reload>,
}

/// Why a server did not start.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ServeError {
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {why}")]
    Listen {
        /// Which.
        address: SocketAddr,
        /// Why.
        why: String,
    },
    /// The certificates cannot be used.
    #[error(transparent)]
    Tls(#[from] tls::TlsError),
    /// Options that do not go together.
    #[error("{0}")]
    Options(&'static str),
}

/// A server at work. Dropping it stops it at once; [`Running::stop`] does so in order.
pub struct Running {
    addresses: Vec<SocketAddr>,
    tls_addresses: Vec<SocketAddr>,
    hub: Hub,
    store: Store,
    seats: Arc<Seats>,
    tls: Option<Arc<Tls>>,
    reload: Option<Reload>,
    patience: Duration,
    doors: watch::Sender<bool>,
    rest: watch::Sender<bool>,
    listeners: JoinSet<()>,
    tasks: JoinSet<()>,
}

/// The database a server keeps everything in: `database` when stated, otherwise a file in the folder `data`.
///
/// # Errors
/// As [`Store::open`].
pub async fn open_store(data: &Path, database: Option<&str>) -> Result<Store, OpenError> {
    match database {
        Some(url) => Store::open(url).await,
        None => Store::open(&data.join("takst.db").to_string_lossy()).await,
    }
}

impl<D: Desk> Serve<D> {
    /// Begins to listen.
    ///
    /// # Errors
    /// When an address is taken, or the certificates cannot be used. Nothing is left running then.
    pub async fn start(self) -> Result<Running, ServeError> {
        let Self { options, store, hub, desk, router, tasks: work, reload } = self;
        let Options { listen, listen_tls, tls, tls_check, mut limits, stations, patience } = options;
        if listen.is_empty() && listen_tls.is_empty() {
            return Err(ServeError::Options("there is no address to listen on"));
        }
        if !listen_tls.is_empty() && tls.is_none() {
            return Err(ServeError::Options("an address for TLS needs a certificate and its key"));
        }
        let tls = tls.map(Tls::open).transpose()?.map(Arc::new);
        limits.connections = affordable(limits.connections);
        let plain = listen.into_iter().map(bind).collect::<Result<Vec<_>, _>>()?;
        let secure = listen_tls.into_iter().map(bind).collect::<Result<Vec<_>, _>>()?;
        let (doors, stop) = Stop::pair();
        let (rest, end) = Stop::pair();
        let mut tasks = JoinSet::new();
        let (tape, writer) = Tape::new(store.clone(), hub.clone(), end.clone());
        tasks.spawn(writer);
        if let Some(tls) = &tls {
            tasks.spawn(watch_files(Arc::clone(tls), tls_check, end.clone()));
        }
        if let Some(recorder) = pages::recorder() {
            tasks.spawn(keep_up(recorder, end.clone()));
        }
        for task in work {
            spawn(&mut tasks, task, end.clone());
        }
        let seats = Seats::new(limits.clone());
        let told = pages::Told {
            hub: hub.clone(),
            store: store.clone(),
            seats: Arc::clone(&seats),
            stop: stop.clone(),
        };
        let door = Arc::new(Door {
            desk,
            hub: hub.clone(),
            tape,
            settings: Arc::new(stations),
            attempts: Attempts::new(&limits),
            turns: Semaphore::new(limits.admissions.max(1)),
            turn: limits.turn,
            stop: stop.clone(),
        });
        let pages = pages::router(told).merge(router);
        let house = Arc::new(House::new(door, pages, Arc::clone(&seats), limits, hub.clone(), stop));
        let (addresses, tls_addresses) = (addresses(&plain), addresses(&secure));
        let mut listeners = JoinSet::new();
        for listener in plain {
            listeners.spawn(Arc::clone(&house).listen(listener, None));
        }
        for listener in secure {
            listeners.spawn(Arc::clone(&house).listen(listener, tls.clone()));
        }
        for address in addresses.iter().filter(|address| !address.ip().is_loopback()) {
            tracing::warn!(%address, "this address is served without encryption; others can read and change what is sent");
        }
        tracing::info!(?addresses, ?tls_addresses, database = store.place(), "takst serves");
        Ok(Running {
            addresses,
            tls_addresses,
            hub,
            store,
            seats,
            tls,
            reload,
            patience,
            doors,
            rest,
            listeners,
            tasks,
        })
    }
}

impl Running {
    /// Where it listens, plain.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Where it listens with TLS.
    #[must_use]
    pub fn tls_addresses(&self) -> &[SocketAddr] {
        &self.tls_addresses
    }

    /// The connections of chargers.
    #[must_use]
    pub fn hub(&self) -> &Hub {
        &self.hub
    }

    /// Its memory.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Connections of all kinds that are open.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.seats.taken()
    }

    /// Reads certificates again and runs the hook; what came of it goes to the log.
    pub async fn reload(&self) {
        if let Some(tls) = &self.tls {
            reload_tls(tls);
        }
        if let Some(reload) = &self.reload {
            match reload().await {
                Ok(done) => tracing::info!(done, "reloaded"),
                Err(why) => tracing::error!(why, "not reloaded; what was in force stays in force"),
            }
        }
    }

    /// Ends in order: no new connections, what chargers have sent is kept and answered, then they are sent away, the rest of the
    /// work ends, the database is closed.
    pub async fn stop(mut self) {
        let deadline = Moment::now() + self.patience;
        // Those who listen may have ended already.
        let _ = self.doors.send(true);
        while self.listeners.join_next().await.is_some() {}
        // Nobody comes in any more but those who were at the door.
        if !self.hub.close_all("the gateway restarts", self.patience.mul_f32(0.6)).await {
            tracing::warn!(
                chargers = self.hub.connected(),
                "some connections did not come to their end in time"
            );
        }
        let _ = self.rest.send(true);
        while let Ok(Some(ended)) = timeout_at(deadline, self.tasks.join_next()).await {
            if let Err(error) = ended {
                tracing::error!(%error, "work in the background ended badly");
            }
        }
        self.tasks.abort_all();
        while self.seats.taken() > 0 && Moment::now() < deadline {
            sleep(Duration::from_millis(20)).await;
        }
        self.store.close().await;
        tracing::info!("takst has stopped");
    }

    /// Serves until SIGTERM or SIGINT (Ctrl-C), reloading on SIGHUP; then stops in order. A second signal ends it at once.
    ///
    /// # Errors
    /// When the operating system does not deliver signals.
    pub async fn until_signal(self) -> io::Result<()> {
        let mut signals = Signals::new()?;
        while let Signal::Reload = signals.next().await {
            self.reload().await;
        }
        tracing::info!("stopping");
        let ended = async {
            loop {
                if let Signal::End = signals.next().await {
                    return;
                }
            }
        };
        tokio::select! {
            () = self.stop() => {}
            () = ended => tracing::warn!("stopped at once"),
        }
        Ok(())
    }
}

enum Signal {
    Reload,
    End,
}

#[cfg(unix)]
struct Signals {
    hangup: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            hangup: signal(SignalKind::hangup())?,
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.hangup.recv() => Signal::Reload,
            _ = self.interrupt.recv() => Signal::End,
            _ = self.terminate.recv() => Signal::End,
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) -> Signal {
        // Without this signal there is no other way to end than being killed.
        let _ = tokio::signal::ctrl_c().await;
        Signal::End
    }
}

fn bind(address: SocketAddr) -> Result<TcpListener, ServeError> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() };
    let listener = socket.and_then(|socket| {
        // A restart need not wait for the connections of before to be forgotten.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)
    });
    listener.map_err(|error| {
        let why = match error.kind() {
            io::ErrorKind::AddrInUse => {
                "another program listens there; stop it, or choose another address with --listen".to_owned()
            }
            _ => error.to_string(),
        };
        ServeError::Listen { address, why }
    })
}

fn addresses(listeners: &[TcpListener]) -> Vec<SocketAddr> {
    listeners.iter().filter_map(|listener| listener.local_addr().ok()).collect()
}

// As many connections as there can be open files; the soft limit is raised to the hard one.
fn affordable(wanted: usize) -> usize {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let limit = getrlimit(Resource::Nofile);
        let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
        // What cannot be raised stays as it is.
        let _ = setrlimit(Resource::Nofile, raised);
        if let Some(files) = getrlimit(Resource::Nofile).current {
            let files = usize::try_from(files).unwrap_or(usize::MAX);
            let room = files.saturating_sub(OTHER_FILES).max(OTHER_FILES / 4);
            if room < wanted {
                tracing::info!(
                    files,
                    connections = room,
                    "the limit of open files limits the connections (ulimit -n)"
                );
                return room;
            }
        }
    }
    wanted
}

fn spawn(tasks: &mut JoinSet<()>, task: Task, stop: Stop) {
    let Task { name, run } = task;
    let ended = stop.clone();
    let work = run(stop);
    tasks.spawn(async move {
        let result = futures_util::FutureExt::catch_unwind(std::panic::AssertUnwindSafe(work)).await;
        if result.is_err() || !ended.is_stopping() {
            tracing::error!(name, panicked = result.is_err(), "work in the background ended early");
        }
    });
}

async fn watch_files(tls: Arc<Tls>, every: Duration, mut stop: Stop) {
    loop {
        tokio::select! {
            () = stop.stopped() => return,
            () = sleep(every) => reload_tls(&tls),
        }
    }
}

fn reload_tls(tls: &Tls) {
    match tls.reload() {
        Ok(true) => tracing::info!("the certificates have changed; new connections use them"),
        Ok(false) => {}
        Err(error) => tracing::error!(%error, "the certificates were not read; those of before stay in use"),
    }
}

async fn keep_up(recorder: &'static metrics_exporter_prometheus::PrometheusHandle, mut stop: Stop) {
    const EVERY: Duration = Duration::from_secs(5);
    loop {
        tokio::select! {
            () = stop.stopped() => return,
            () = sleep(EVERY) => recorder.run_upkeep(),
        }
    }
}
