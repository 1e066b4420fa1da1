//! `takst play`.

use super::failure::{Exit, Failure};
use super::files;
use super::out::Out;
use super::whom::date;
use crate::play::{Draft, Room, router};
use clap::Args;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use takst_dsl::parse;
use takst_engine::units::Day;
use tokio::net::TcpListener;

/// Try a tariff out on a page: change it, drag a session, see the bill and which line made each amount
///
/// Serves one page on this machine until Ctrl-C. Mistakes are underlined while you type; the session is a timeline that can be
/// dragged; the bill is the one that `takst price` gives. Spot prices come from --prices, or else an example day stands for
/// every day. The file is only written with --write.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  takst play
  takst play prices.tariff --write --open
  takst play spot.tariff --prices spot-fi.json --date 2025-03-10")]
pub struct Play {
    /// The tariff file; without it a small example
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// Where to listen; port 0 is any free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8181")]
    listen: SocketAddr,
    /// Open the page in the browser
    #[arg(long)]
    open: bool,
    /// Let the page save to the file
    #[arg(long, requires = "file")]
    write: bool,
    /// Price feeds; may be given more than once
    #[arg(long, value_name = "FILE", num_args = 1..)]
    prices: Vec<PathBuf>,
    /// The day of the session at first, as in 2025-03-10
    #[arg(long, value_parser = date)]
    date: Option<Day>,
}

impl Play {
    /// Serves until a signal.
    pub fn run(&self, out: &mut Out) -> Result<Exit, Failure> {
        if self.write && !self.listen.ip().is_loopback() {
            return Err(Failure::Usage(
                "--write goes with an address of this machine only, such as 127.0.0.1: others could write your file".into(),
            ));
        }
        let draft = self.file.as_ref().map(|path| self.draft(path)).transpose()?;
        let prices = self.prices.iter().map(|path| Ok((path.clone(), files::text(path)?)));
        let prices = prices.collect::<Result<Vec<_>, Failure>>()?;
        for (path, text) in &prices {
            crate::prices::read(text, path, "EUR")
                .map_err(|error| Failure::Input(format!("{}: {error}", files::shown(path))))?;
        }
        let room = Arc::new(Room::new(draft, prices, self.date));
        super::place::run(self.serve(room, out))
    }

    fn draft(&self, path: &Path) -> Result<Draft, Failure> {
        if files::is_stdin(path) {
            return Err(Failure::Usage("name a file; standard input cannot be tried out on a page".into()));
        }
        let bytes = files::bytes(path, parse::MAX_FILE)?;
        let text = parse::decode(&bytes)
            .map_err(|found| Failure::Input(format!("`{}`: {}", path.display(), found.message)))?;
        let place = path.canonicalize().map_err(|error| files::unreadable(path, &error))?;
        Ok(Draft { path: place, text: text.to_owned(), write: self.write })
    }

    async fn serve(&self, room: Arc<Room>, out: &mut Out) -> Result<Exit, Failure> {
        let refused = |error: std::io::Error| {
            Failure::Io(format!("cannot listen on {}: {error}; --listen names another address", self.listen))
        };
        let listener = TcpListener::bind(self.listen).await.map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        let page = format!("http://{address}/");
        if out.json() {
            out.line(&serde_json::json!({ "listen": address, "page": page }).to_string())?;
        } else {
            out.line(&page)?;
        }
        out.flush()?;
        if !self.listen.ip().is_loopback() {
            out.hint("everybody who reaches this address can try the tariff out and read it");
        }
        if self.open && !open(&page) {
            out.hint("no browser could be opened; open the address above");
        }
        let served = axum::serve(listener, router(room)).with_graceful_shutdown(stopped());
        served.await.map_err(|error| Failure::Io(format!("the page cannot be served any more: {error}")))?;
        Ok(Exit::Fine)
    }
}

// Ctrl-C or SIGTERM.
async fn stopped() {
    let interrupted = async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    #[cfg(unix)]
    let ended = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => {
                signal.recv().await;
            }
            Err(_) => std::future::pending::<()>().await,
        }
    };
    #[cfg(not(unix))]
    let ended = std::future::pending::<()>();
    tokio::select! {
        () = interrupted => {}
        () = ended => {}
    }
}

// By the system's own word for it; the browser goes on by itself.
fn open(page: &str) -> bool {
    let (program, before): (&str, &[&str]) = match std::env::consts::OS {
        "macos" => ("open", &[]),
        "windows" => ("cmd", &["/c", "start"]),
        _ => ("xdg-open", &[]),
    };
    let mut command = Command::new(program);
    command.args(before).arg(page).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().is_ok()
}
