//! The gateway with nothing to set up: example sites, played chargers and cars, and what goes on, in a few lines.

mod cast;
mod files;
mod news;

use crate::gateway::{Gateway, Plan, StartError};
use crate::house::Source;
use crate::ocpp::Dialect;
use crate::simulate::{Address, AddressError, Event, Fleet, Observer};
use crate::{clock, live, serve};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// How fast cars charge when nothing else is said: ten times as fast as real ones.
pub const SPEED: u32 = 10;

/// What is shown.
#[derive(Clone, Debug)]
pub struct Demo {
    /// Where it listens.
    pub listen: SocketAddr,
    /// How many times as fast as a real one a car charges.
    pub speed: u32,
    /// Where set-up, prices and database stand. What is missing there is put there.
    pub data: PathBuf,
    /// What chance depends on.
    pub seed: u64,
}

/// Why there is no demo.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// A file of it cannot be written.
    #[error("the files of the demo cannot be written: {0}")]
    Files(#[from] std::io::Error),
    /// The gateway does not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// Its own chargers do not find it.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// The gateway listens nowhere.
    #[error("the gateway listens nowhere")]
    Nowhere,
}

/// A demo at work.
pub struct Running {
    gateway: Gateway,
    fleet: Fleet,
    played: mpsc::Receiver<String>,
    news: news::News,
    address: SocketAddr,
    chargers: usize,
    demo: Demo,
    prices_until: i64,
}

/// Chargers tell what goes wrong on purpose.
struct Played {
    lines: mpsc::Sender<String>,
}

impl Played {
    // A line that nobody has time to read is left out.
    fn tell(&self, line: String) {
        let _ = self.lines.try_send(line);
    }
}

impl Observer for Played {
    fn connected(&self, _charger: &str, _took: Duration) {}

    fn not_connected(&self, charger: &str, why: &str) {
        self.tell(format!("{charger} cannot connect: {why}"));
    }

    fn disconnected(&self, _charger: &str, _on_purpose: bool) {}

    fn event(&self, charger: &str, _dialect: Dialect, event: Event, _took: Option<Duration>) {
        match event {
            Event::Trouble { what } => self.tell(format!("{charger} {}", news::trouble(what))),
            Event::Refused { action, code, why } => {
                self.tell(format!("{charger}: {action} was refused: {code} {why}"));
            }
            Event::Wrong(what) => self.tell(format!("{charger}: {what}")),
            Event::TokenRefused { connector, token, status } => {
                self.tell(format!(
                    "{charger} connector {connector}: the token {token} was refused: {status}"
                ));
            }
            _ => {}
        }
    }
}

impl Demo {
    /// Starts gateway and chargers.
    ///
    /// # Errors
    /// See [`DemoError`].
    pub async fn start(self) -> Result<Running, DemoError> {
        let now = clock::now();
        files::put_down(&self.data, self.speed)?;
        let prices_until = files::put_down_prices(&self.data, now)?;
        let plan = Plan {
            data: self.data.clone(),
            database: None,
            source: Source::Path(self.data.join(files::SITES)),
            options: serve::Options { listen: vec![self.listen], ..serve::Options::default() },
            open: true,
            // Everything is fast here.
            live: live::Options {
                progress_ms: 1_000,
                display_ms: 5_000,
                tick_ms: 1_000,
                ..live::Options::default()
            },
        };
        let gateway = plan.start().await?;
        let address = *gateway.server.addresses().first().ok_or(DemoError::Nowhere)?;
        let news = news::News::from_now_on(&gateway).await?;
        let members = cast::members(&gateway.house.document(), self.speed);
        let chargers = members.len();
        let (lines, played) = mpsc::channel(100);
        let url = Address::read(&format!("ws://{}/ocpp", reachable(address)))?;
        let fleet = Fleet::start(&url, members, self.seed, None, Arc::new(Played { lines }), None).await?;
        Ok(Running { gateway, fleet, played, news, address, chargers, demo: self, prices_until })
    }
}

// Where an address that means all of them is reached from here.
fn reachable(address: SocketAddr) -> SocketAddr {
    let mut address = address;
    if address.ip().is_unspecified() {
        address.set_ip(match address {
            SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        });
    }
    address
}

impl Running {
    /// Where it is.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        reachable(self.address)
    }

    /// What to know about it, in lines.
    #[must_use]
    pub fn introduction(&self) -> Vec<String> {
        let address = self.address();
        let speed = match self.demo.speed {
            1 => "cars charge as fast as real ones".to_owned(),
            speed => format!("cars charge {speed} times as fast as real ones"),
        };
        vec![
            format!("Takst with three example sites and {} chargers; {speed}.", self.chargers),
            String::new(),
            format!("  the page       http://{address}/"),
            format!(
                "  your charger   ws://{address}/ocpp/NAME  (any name; OCPP 1.6, 2.0.1 or 2.1; the token DEMO may charge)"
            ),
            format!(
                "  the set-up     {}  (change a file: it is in force at once)",
                self.demo.data.join(files::SITES).display()
            ),
            "  the end        Ctrl-C".to_owned(),
            String::new(),
        ]
    }

    /// The next line about what goes on. The connection to the database may fail now and then; that is a line too.
    pub async fn next(&mut self) -> String {
        loop {
            if let Some(line) = self.news.next_line() {
                return line;
            }
            tokio::select! {
                Some(line) = self.played.recv() => return line,
                () = tokio::time::sleep(Duration::from_millis(500)) => {}
            }
            let now = clock::now();
            if now.0 > self.prices_until {
                match files::put_down_prices(&self.demo.data, now) {
                    Ok(until) => self.prices_until = until,
                    Err(error) => {
                        self.prices_until = now.0.saturating_add(60_000);
                        return format!("tomorrow's prices cannot be written: {error}");
                    }
                }
            }
            if let Err(error) = self.news.look(&self.gateway).await {
                return format!("the log of events cannot be read: {error}");
            }
        }
    }

    /// Ends running sessions, then the gateway.
    pub async fn stop(self) {
        let Self { gateway, fleet, .. } = self;
        fleet.finish(Duration::from_secs(5)).await;
        gateway.server.stop().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_addresses_are_reached_at_this_machine() {
        let of = |text: &str| reachable(text.parse().unwrap()).to_string();
        assert_eq!(of("0.0.0.0:80"), "127.0.0.1:80");
        assert_eq!(of("[::]:80"), "[::1]:80");
        assert_eq!(of("10.1.2.3:80"), "10.1.2.3:80");
    }
}
