//! `takst serve`.

use super::diagnostics;
use super::failure::{Exit, Failure};
use super::out::Out;
use crate::gateway::{Gateway, Plan, StartError};
use crate::house::{SetupError, Source};
use crate::serve::traces::{self, Traces};
use crate::serve::{LISTEN, Limits, Options, log};
use crate::store::Fault;
use crate::{live, tls};
use clap::Args;
use serde::Serialize;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

/// Run the gateway: chargers connect, sessions are priced, bills are issued
///
/// The set-up is read again when its files change, or on SIGHUP. SIGTERM and Ctrl-C end the program in order: what chargers have
/// said is kept and answered first.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  takst serve --config takst.toml
  takst serve --listen 127.0.0.1:8080 --listen-tls 0.0.0.0:443 --tls-cert server.pem --tls-key server.key --tls-client-ca pki/ca.pem
  takst serve --database postgres://takst@db/takst --format json

Chargers connect to ws://HOST/ocpp/CHARGER, with TLS to wss://HOST/ocpp/CHARGER.
TAKST_DATABASE stands in for --database, so that its password need not be on the command line.")]
pub struct ServeArguments {
    /// The set-up: a TOML file, or a folder of them
    #[arg(long, value_name = "FILE", default_value = "takst.toml")]
    config: PathBuf,
    /// Where to listen without TLS; may be given more than once
    #[arg(long, value_name = "ADDRESS", default_value = LISTEN)]
    listen: Vec<SocketAddr>,
    /// Where to listen with TLS; may be given more than once
    #[arg(long, value_name = "ADDRESS", requires = "tls_cert")]
    listen_tls: Vec<SocketAddr>,
    /// Listen with TLS only
    #[arg(long, requires = "listen_tls", conflicts_with = "listen")]
    tls_only: bool,
    /// The server's certificate with those between it and the root, PEM
    #[arg(long, value_name = "FILE", requires_all = ["tls_key", "listen_tls"])]
    tls_cert: Option<PathBuf>,
    /// Its private key, PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// The authority of chargers' certificates (security profile 3), PEM; `revoked.pem` beside it is read too
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_client_ca: Option<PathBuf>,
    /// A proxy in front, whose X-Forwarded-For and X-Forwarded-Proto are believed; may be given more than once
    #[arg(long, value_name = "IP")]
    proxy: Vec<IpAddr>,
    /// Connections at the same time, of all kinds
    #[arg(long, value_name = "NUMBER", default_value_t = Limits::default().connections)]
    connections: usize,
    /// The folder where everything is kept
    #[arg(long, value_name = "DIR", default_value = "takst-data")]
    data: PathBuf,
    /// A PostgreSQL database instead of a file in that folder: postgres://USER:PASSWORD@HOST/DATABASE
    #[arg(long, value_name = "URL")]
    database: Option<String>,
    /// What of the log is written to standard error, as in `info` or `warn,takst_gateway=debug`
    #[arg(long, value_name = "FILTER", default_value = "info")]
    log: String,
    /// Send traces to this OpenTelemetry collector (OTLP over HTTP), as in http://127.0.0.1:4318
    #[arg(long, value_name = "ADDRESS", env = "OTEL_EXPORTER_OTLP_ENDPOINT")]
    traces: Option<String>,
    /// Keep one of so many traces
    #[arg(long, value_name = "NUMBER", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    traces_one_in: u32,
}

/// What a program that starts the gateway wants to know.
#[derive(Serialize)]
struct Started<'a> {
    listen: &'a [SocketAddr],
    listen_tls: &'a [SocketAddr],
    database: String,
}

impl ServeArguments {
    /// Serves until a signal.
    pub fn run(&self, out: &mut Out) -> Result<Exit, Failure> {
        let format = if out.json() { log::LogFormat::Json } else { log::LogFormat::Human };
        let traces = self
            .traces
            .clone()
            .filter(|to| !to.is_empty())
            .map(|to| Traces::begin(&traces::Options { to, one_in: self.traces_one_in }))
            .transpose()
            .map_err(Failure::Usage)?;
        log::begin(format, &self.log, traces.as_ref()).map_err(Failure::Usage)?;
        let runtime = tokio::runtime::Runtime::new()
            .map_err(|error| Failure::Io(format!("the program cannot start its threads: {error}")))?;
        let ended = runtime.block_on(self.serve(out));
        if let Some(traces) = traces {
            traces.end();
        }
        ended
    }

    async fn serve(&self, out: &mut Out) -> Result<Exit, Failure> {
        let gateway = match self.plan().start().await {
            Ok(gateway) => gateway,
            Err(error) => return Err(failure(error, out)?),
        };
        let Gateway { server, store, taken, .. } = gateway;
        // Beside a log of JSON lines, a warning is one of them.
        for warning in taken.warnings.lines() {
            match out.json() {
                true => tracing::warn!("{warning}"),
                false => out.message(warning),
            }
        }
        let started = Started {
            listen: server.addresses(),
            listen_tls: server.tls_addresses(),
            database: store.place(),
        };
        if out.json() {
            let line = serde_json::to_string(&started)
                .map_err(|error| Failure::Io(format!("the result cannot be written as JSON: {error}")))?;
            out.line(&line)?;
        } else {
            for address in started.listen {
                out.line(&format!("http://{address}/  chargers: ws://{address}/ocpp/CHARGER"))?;
            }
            for address in started.listen_tls {
                out.line(&format!("https://{address}/  chargers: wss://{address}/ocpp/CHARGER"))?;
            }
        }
        out.flush()?;
        drop(store);
        let ended = server.until_signal().await;
        ended.map_err(|error| Failure::Io(format!("signals of the system cannot be heard: {error}")))?;
        Ok(Exit::Fine)
    }

    fn plan(&self) -> Plan {
        let tls = match (&self.tls_cert, &self.tls_key) {
            (Some(certificate), Some(key)) => Some(tls::Files {
                certificate: certificate.clone(),
                key: key.clone(),
                client_ca: self.tls_client_ca.clone(),
            }),
            _ => None,
        };
        let limits =
            Limits { connections: self.connections, proxies: self.proxy.clone(), ..Limits::default() };
        Plan {
            data: self.data.clone(),
            database: self.database.clone().or_else(|| std::env::var("TAKST_DATABASE").ok()),
            source: Source::Path(self.config.clone()),
            options: Options {
                listen: if self.tls_only { Vec::new() } else { self.listen.clone() },
                listen_tls: self.listen_tls.clone(),
                tls,
                limits,
                ..Options::default()
            },
            open: false,
            live: live::Options::default(),
        }
    }
}

// Mistakes in the set-up are shown where they stand.
fn failure(error: StartError, out: &mut Out) -> Result<Failure, Failure> {
    Ok(match error {
        StartError::Setup(SetupError::Files(problems)) => diagnostics::of_setup(&problems, out)?,
        StartError::Open(error) => match error.fault {
            Fault::Backup => Failure::Input(error.to_string()),
            Fault::Place | Fault::InUse => Failure::Io(error.to_string()),
        },
        other => Failure::Io(other.to_string()),
    })
}
