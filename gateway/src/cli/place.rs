//! Where the data is: options that all verbs on the database share, and how they wait for it.

use super::failure::Failure;
use super::layout::grouped;
use crate::store::{Contents, Fault, OpenError, OrgId, Store};
use clap::Args;
use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior, interval};

/// Where the gateway keeps its data.
#[derive(Args, Debug)]
pub struct Place {
    /// The folder of the gateway, as in `takst serve --data`
    #[arg(long, value_name = "DIR", default_value = "takst-data", conflicts_with = "database")]
    data: PathBuf,
    /// The PostgreSQL database instead: postgres://USER:PASSWORD@HOST/DATABASE
    #[arg(long, value_name = "URL")]
    database: Option<String>,
}

impl Place {
    /// The address of the database.
    pub fn url(&self) -> Result<String, Failure> {
        match &self.database {
            Some(url) => Ok(url.clone()),
            None => {
                let path = self.data.join("takst.db").into_os_string();
                let path = path.into_string().map_err(|_| {
                    Failure::Usage(format!(
                        "`{}`: the name of the folder must be Unicode",
                        self.data.display()
                    ))
                })?;
                Ok(path)
            }
        }
    }

    /// Makes the folder, where there is to be one.
    pub fn make_folder(&self) -> Result<(), Failure> {
        if self.database.is_some() {
            return Ok(());
        }
        std::fs::create_dir_all(&self.data)
            .map_err(|error| Failure::Io(format!("`{}` cannot be made: {error}", self.data.display())))
    }

    /// Opens the database for looking things up, beside a gateway that works on it.
    pub async fn reader(&self) -> Result<Store, Failure> {
        Store::open_reader(&self.url()?).await.map_err(|error| failure(&error))
    }
}

/// Why the database could not be used, as a failure of the program.
pub fn failure(error: &OpenError) -> Failure {
    match error.fault {
        Fault::Backup => Failure::Input(error.to_string()),
        Fault::Place | Fault::InUse => Failure::Io(error.to_string()),
    }
}

/// What went wrong while looking things up.
pub fn broken(error: &crate::store::Error) -> Failure {
    Failure::Io(error.to_string())
}

/// All organisations in the database.
pub async fn organisations(store: &Store) -> Result<Vec<OrgId>, Failure> {
    let mut reader = store.read().await.map_err(|error| broken(&error))?;
    reader.orgs().await.map_err(|error| broken(&error))
}

/// The organisation of that name; the only one there is, when none is named.
pub async fn organisation(store: &Store, wanted: Option<&str>) -> Result<Option<OrgId>, Failure> {
    let known = organisations(store).await?;
    let names = || known.iter().map(OrgId::as_str).collect::<Vec<_>>().join(", ");
    match (wanted, known.as_slice()) {
        (None, [only]) => Ok(Some(only.clone())),
        (None, []) => Ok(None),
        (None, _) => Err(Failure::Usage(format!(
            "there is more than one organisation; name one with --org: {}",
            names()
        ))),
        (Some(name), _) => Ok(known.iter().find(|org| org.as_str() == name).cloned()),
    }
}

/// What is said when there is no organisation.
pub fn no_organisation(wanted: Option<&str>) -> Failure {
    match wanted {
        Some(name) => Failure::Usage(format!(
            "there is no organisation `{name}`; without --org the only one there is is taken"
        )),
        None => {
            Failure::Io("the database knows no organisation yet; start `takst serve` on it once".to_owned())
        }
    }
}

/// Runs work on the database to its end.
pub fn run<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Runtime::new()
        .map_err(|error| Failure::Io(format!("the program cannot start its threads: {error}")))?;
    runtime.block_on(work)
}

/// Waits for work that takes a while; a terminal sees `line`, which is given the seconds so far, as it goes on.
pub async fn waiting<T>(work: impl Future<Output = T>, line: impl Fn(u64) -> String) -> T {
    let mut work = std::pin::pin!(work);
    let terminal = std::io::stderr().is_terminal();
    let began = Instant::now();
    let mut ticks = interval(Duration::from_millis(500));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks.tick().await;
    let mut shown = false;
    loop {
        tokio::select! {
            done = &mut work => {
                if shown {
                    let _ = write!(std::io::stderr(), "\r\x1b[K");
                }
                return done;
            }
            _ = ticks.tick(), if terminal => {
                // Nobody looks there when this fails.
                let _ = write!(std::io::stderr(), "\r\x1b[K{}", line(began.elapsed().as_secs()));
                shown = true;
            }
        }
    }
}

/// The size of a file, for people.
pub fn size(path: &Path) -> String {
    let bytes = std::fs::metadata(path).map_or(0, |about| about.len());
    let tenths = bytes.saturating_add(50_000) / 100_000;
    format!("{}.{} MB", grouped(tenths / 10), tenths % 10)
}

/// What is in a backup, for people.
pub fn contents(contents: &Contents) -> String {
    let rows = |table: &str| contents.get(table).map_or(0, |sum| sum.rows);
    let all: u64 = contents.values().map(|sum| sum.rows).sum();
    let named = [("session", "sessions"), ("bill", "bills"), ("charger", "chargers")];
    let named: Vec<String> =
        named.iter().map(|(table, name)| format!("{} {name}", grouped(rows(table)))).collect();
    format!("{}; {} rows in all, checked against their hashes", named.join(", "), grouped(all))
}
