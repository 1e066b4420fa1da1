//! `takst pki`.

use super::failure::{Exit, Failure};
use super::files;
use super::layout::{columns, left};
use super::out::{Look, Out};
use crate::clock::now;
use crate::pki::{Authority, Issued, Kind, Made, PkiError};
use clap::{Args, Subcommand};
use serde::Serialize;
use std::path::{Path, PathBuf};
use takst_engine::calendar_time::utc_text;
use takst_engine::units::Instant;

/// Make certificates for the server and for chargers (OCPP security profiles 2 and 3)
///
/// An authority of your own stands in one folder. Chargers are given its certificate to trust, and with profile 3 a certificate of
/// their own, which the gateway checks against the same authority. Whoever has the folder can make certificates: keep it safe, and
/// a copy of it in another safe place.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  takst pki init --name \"Charging of Otakaari 5\"
  takst pki server charge.example.org
  takst pki charger CP-5
  takst pki revoke CP-5")]
pub struct Pki {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand, Debug)]
enum What {
    Init(Init),
    Server(Server),
    Charger(Charger),
    List(List),
    Revoke(Revoke),
}

/// Where the authority is.
#[derive(Args, Debug)]
struct Home {
    /// The authority's folder
    #[arg(long, value_name = "DIR", default_value = "takst-data/pki")]
    folder: PathBuf,
}

/// Make an authority
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  takst pki init --folder pki --name \"Charging of Otakaari 5\"")]
struct Init {
    #[command(flatten)]
    home: Home,
    /// Its name, as it stands in all certificates
    #[arg(long, value_name = "NAME", default_value = "Takst charging")]
    name: String,
}

/// Make the server's certificate
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  takst pki server charge.example.org 192.0.2.7")]
struct Server {
    #[command(flatten)]
    home: Home,
    /// The names and addresses by which chargers reach it
    #[arg(value_name = "NAME", required = true)]
    names: Vec<String>,
    /// How long it is good for
    #[arg(long, value_name = "DAYS", default_value_t = 825, value_parser = clap::value_parser!(u32).range(1..=7_300))]
    days: u32,
}

/// Make a charger's certificate, or sign the one that it asks for
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  takst pki charger CP-5
  takst pki charger CP-5 --csr cp-5.csr")]
struct Charger {
    #[command(flatten)]
    home: Home,
    /// The charger's id, as it stands in its address
    #[arg(value_name = "CHARGER")]
    id: String,
    /// The charger's signing request, PEM; its key stays its own secret then. `-` is standard input
    #[arg(long, value_name = "FILE")]
    csr: Option<PathBuf>,
    /// How long it is good for
    #[arg(long, value_name = "DAYS", default_value_t = 1_825, value_parser = clap::value_parser!(u32).range(1..=7_300))]
    days: u32,
}

/// List the certificates that were made
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  takst pki list --format json")]
struct List {
    #[command(flatten)]
    home: Home,
}

/// Make certificates worthless
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  takst pki revoke CP-5
  takst pki revoke 0199c0ffee0000000000000000000000")]
struct Revoke {
    #[command(flatten)]
    home: Home,
    /// A number as `takst pki list` shows it, or a name: all of its certificates
    #[arg(value_name = "NUMBER|NAME")]
    which: String,
}

/// A certificate for programs.
#[derive(Serialize)]
struct Row<'a> {
    serial: &'a str,
    kind: Kind,
    name: &'a str,
    issued: String,
    until: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate: Option<&'a Path>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a Path>,
}

impl<'a> From<&'a Issued> for Row<'a> {
    fn from(issued: &'a Issued) -> Self {
        let Issued { serial, kind, name, issued_ms, until_ms, revoked_ms } = issued;
        Self {
            serial,
            kind: *kind,
            name,
            issued: utc_text(Instant(*issued_ms)),
            until: utc_text(Instant(*until_ms)),
            revoked: revoked_ms.map(|at| utc_text(Instant(at))),
            certificate: None,
            key: None,
        }
    }
}

impl From<PkiError> for Failure {
    fn from(error: PkiError) -> Self {
        match error {
            PkiError::Input(why) => Self::Input(why),
            PkiError::Io(why) => Self::Io(why),
        }
    }
}

impl Pki {
    /// Does what is wanted.
    pub fn run(&self, out: &mut Out) -> Result<Exit, Failure> {
        match &self.what {
            What::Init(init) => init.run(out),
            What::Server(server) => server.run(out),
            What::Charger(charger) => charger.run(out),
            What::List(list) => list.run(out),
            What::Revoke(revoke) => revoke.run(out),
        }
    }
}

impl Init {
    fn run(&self, out: &mut Out) -> Result<Exit, Failure> {
        let authority = Authority::init(&self.home.folder, &self.name, now())?;
        let path = authority.certificate_path();
        if out.json() {
            out.document(&serde_json::json!({ "certificate": path }))?;
            return Ok(Exit::Fine);
        }
        out.line(&path.display().to_string())?;
        out.hint(
            "put this certificate into every charger as the root of its central system; it is no secret. `ca.key` beside it is: keep a \
             copy of the whole folder in a safe place, for without it every charger must be visited again",
        );
        Ok(Exit::Fine)
    }
}

impl Server {
    fn run(&self, out: &mut Out) -> Result<Exit, Failure> {
        let made = Authority::open(&self.home.folder)?.server(&self.names, self.days, now())?;
        shown(&made, out)?;
        if !out.json() {
            let certificate = made.certificate.display();
            let key = made.key.as_deref().unwrap_or(Path::new("KEY")).display();
            out.hint(&format!(
                "start the gateway with `--listen-tls 0.0.0.0:8443 --tls-cert {certificate} --tls-key {key}`; with `--tls-client-ca {}` \
                 chargers can show certificates of their own. A running gateway takes a new certificate within a minute",
                self.home.folder.join("ca.pem").display()
            ));
        }
        Ok(Exit::Fine)
    }
}

impl Charger {
    fn run(&self, out: &mut Out) -> Result<Exit, Failure> {
        let authority = Authority::open(&self.home.folder)?;
        let made = match &self.csr {
            Some(csr) => authority.sign(&files::text(csr)?, &self.id, self.days, now())?,
            None => authority.charger(&self.id, self.days, now())?,
        };
        shown(&made, out)?;
        if !out.json() {
            out.hint(match made.key {
                Some(_) => {
                    "put both files into the charger and delete the key here afterwards: it belongs to the charger alone"
                }
                None => "put this file into the charger that asked for it; no other one has the key to it",
            });
        }
        Ok(Exit::Fine)
    }
}

impl List {
    fn run(&self, out: &mut Out) -> Result<Exit, Failure> {
        let list = Authority::open(&self.home.folder)?.list()?;
        if out.json() {
            out.document(&list.iter().map(Row::from).collect::<Vec<_>>())?;
            return Ok(Exit::Fine);
        }
        let width = list.iter().map(|issued| columns(&issued.name)).max().unwrap_or_default();
        let at = now();
        for issued in &list {
            let row = Row::from(issued);
            let kind = match issued.kind {
                Kind::Server => "server ",
                Kind::Charger => "charger",
            };
            let (look, state) = match &row.revoked {
                Some(revoked) => (Look::Faint, format!("revoked {revoked}")),
                None if issued.until_ms <= at.0 => (Look::Bad, format!("ended {}", row.until)),
                None => (Look::Good, format!("until {}", row.until)),
            };
            let state = out.paint(look, &state);
            out.line(&format!("{}  {kind}  {}  {state}", issued.serial, left(&issued.name, width)))?;
        }
        Ok(Exit::Fine)
    }
}

impl Revoke {
    fn run(&self, out: &mut Out) -> Result<Exit, Failure> {
        let revoked = Authority::open(&self.home.folder)?.revoke(&self.which, now())?;
        if out.json() {
            out.document(&revoked.iter().map(Row::from).collect::<Vec<_>>())?;
            return Ok(Exit::Fine);
        }
        for issued in &revoked {
            out.line(&format!("{}  {}", issued.serial, issued.name))?;
        }
        out.hint(if revoked.is_empty() {
            "nothing was good any more: all of them were revoked before"
        } else {
            "a running gateway that reads this folder refuses them within a minute; connections that are open now go on until they end"
        });
        Ok(Exit::Fine)
    }
}

// What was made and where it is.
fn shown(made: &Made, out: &mut Out) -> Result<(), Failure> {
    if out.json() {
        let certificate = Some(made.certificate.as_path());
        return out.document(&Row { certificate, key: made.key.as_deref(), ..Row::from(&made.issued) });
    }
    out.line(&made.certificate.display().to_string())?;
    match &made.key {
        Some(key) => out.line(&key.display().to_string()),
        None => Ok(()),
    }
}
