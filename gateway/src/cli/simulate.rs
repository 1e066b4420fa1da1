//! `takst simulate`.

use super::failure::{Exit, Failure};
use super::files;
use super::layout::count;
use super::out::{Look, Out};
use crate::ocpp::Dialect;
use crate::simulate::{Address, Fleet, Latency, Recorder, Report, Scenario, Stats};
use clap::{Args, ValueEnum};
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, interval, sleep_until};

/// Scenarios that can be named without a file.
const SHIPPED: [(&str, &str); 5] = [
    ("ramp", include_str!("../../../examples/scenarios/ramp.toml")),
    ("reconnect-storm", include_str!("../../../examples/scenarios/reconnect-storm.toml")),
    ("offline-replay", include_str!("../../../examples/scenarios/offline-replay.toml")),
    ("faults", include_str!("../../../examples/scenarios/faults.toml")),
    ("load", include_str!("../../../examples/scenarios/load.toml")),
];

/// Play chargers against a gateway, and measure it
///
/// Chargers of OCPP 1.6, 2.0.1 and 2.1 connect by WebSocket; cars come and go; things go wrong as the scenario says. At the end
/// all sessions are ended and told. Exit code 1 when an expectation of the scenario does not come true.
///
/// The gateway has to know the chargers (SIM-00001, SIM-00002, ...) or let in unknown ones, and the scenario's tokens.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  takst simulate --url ws://127.0.0.1:8080/ocpp --scenario ramp
  takst simulate --url ws://127.0.0.1:8080/ocpp --scenario my.toml --chargers 500 --format json
  takst simulate --url ws://127.0.0.1:8080/ocpp --scenario load --record acknowledged.jsonl")]
pub struct Simulate {
    /// Where chargers connect to, without their identity
    #[arg(long, value_name = "ADDRESS")]
    url: String,
    /// What to play: a TOML file, or one of ramp, reconnect-storm, offline-replay, faults, load
    #[arg(long, value_name = "FILE", default_value = "ramp")]
    scenario: PathBuf,
    /// How many chargers, instead of the scenario's number; so many more or fewer sessions are expected
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    chargers: Option<u32>,
    /// What they speak, instead of what the scenario says; `mix` is all, in turn
    #[arg(long, value_enum, value_name = "1.6|2.0.1|2.1|mix", hide_possible_values = true)]
    protocol: Option<Protocol>,
    /// For how long, instead of the scenario's time, as in 60s or 5m; what is expected follows it
    #[arg(long, value_name = "TIME", value_parser = duration)]
    duration: Option<Duration>,
    /// What chance depends on: the same seed, the same cars
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,
    /// What the identities of the chargers begin with
    #[arg(long, value_name = "TEXT", default_value = "SIM-")]
    prefix: String,
    /// The password of all chargers, for HTTP Basic
    #[arg(long, value_name = "TEXT")]
    password: Option<String>,
    /// Certificates (PEM) that are trusted over TLS, instead of the system's
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Write every acknowledged transaction message to this file, as JSON lines
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Protocol {
    #[value(name = "1.6")]
    V16,
    #[value(name = "2.0.1")]
    V201,
    #[value(name = "2.1")]
    V21,
    Mix,
}

/// The result as JSON.
#[derive(Serialize)]
struct Document<'a> {
    title: &'a str,
    seed: u64,
    #[serde(flatten)]
    report: &'a Report,
    missed: &'a [String],
}

fn duration(text: &str) -> Result<Duration, String> {
    crate::simulate::read_duration(text)
}

impl Simulate {
    /// Plays, and says how it went.
    pub fn run(&self, out: &mut Out) -> Result<Exit, Failure> {
        let scenario = self.scenario()?;
        let address = Address::read(&self.url).map_err(|error| Failure::Usage(error.to_string()))?;
        let trusted = self.ca.as_deref().map(trusted).transpose()?;
        let runtime = tokio::runtime::Runtime::new()
            .map_err(|error| Failure::Io(format!("the program cannot start its threads: {error}")))?;
        let report = runtime.block_on(self.play(&scenario, &address, trusted, out))?;
        let missed = scenario.expect.missed(&report);
        if out.json() {
            out.document(&Document {
                title: &scenario.title,
                seed: self.seed,
                report: &report,
                missed: &missed,
            })?;
        } else {
            show(&report, &missed, out)?;
        }
        Ok(if missed.is_empty() { Exit::Fine } else { Exit::Errors })
    }

    fn scenario(&self) -> Result<Scenario, Failure> {
        let shipped = SHIPPED.iter().find(|(name, _)| self.scenario.as_os_str() == *name);
        let text = match shipped {
            Some((_, text)) if !self.scenario.exists() => (*text).to_owned(),
            _ => files::text(&self.scenario)?,
        };
        let mut scenario = Scenario::read(&text)
            .map_err(|error| Failure::Input(format!("{}: {error}", self.scenario.display())))?;
        scenario = scenario.resized(self.chargers, self.duration);
        match self.protocol {
            None => {}
            Some(Protocol::V16) => scenario.dialects = vec![Dialect::V16],
            Some(Protocol::V201) => scenario.dialects = vec![Dialect::V201],
            Some(Protocol::V21) => scenario.dialects = vec![Dialect::V21],
            Some(Protocol::Mix) => scenario.dialects = Dialect::ALL.to_vec(),
        }
        Ok(scenario)
    }

    async fn play(
        &self,
        scenario: &Scenario,
        address: &Address,
        trusted: Option<Arc<rustls::ClientConfig>>,
        out: &mut Out,
    ) -> Result<Report, Failure> {
        let stats = Arc::new(Stats::new(u64::from(scenario.chargers)));
        let recorder = match &self.record {
            None => None,
            Some(path) => Some(Recorder::create(path).map_err(|error| cannot_write(path, &error))?),
        };
        let (recorder, written) = recorder.unzip();
        let members = scenario.members(&self.prefix, self.password.as_deref());
        let observer = Arc::<Stats>::clone(&stats);
        let fleet = Fleet::start(address, members, self.seed, trusted, observer, recorder)
            .await
            .map_err(|error| Failure::Io(error.to_string()))?;
        let until = Instant::now() + scenario.duration;
        let mut progress = interval(Duration::from_secs(5));
        progress.tick().await;
        loop {
            tokio::select! {
                () = sleep_until(until) => break,
                // Enough: what has begun is ended properly.
                _ = tokio::signal::ctrl_c() => break,
                _ = progress.tick() => if !out.json() {
                    let (connected, sessions, answers) = stats.so_far();
                    out.message(&format!("{connected} connected, {sessions} sessions ended, {answers} answers"));
                },
            }
        }
        let played = stats.stop_the_clock();
        let unacknowledged = fleet.finish(scenario.finish_within).await;
        if let (Some(written), Some(path)) = (written, &self.record) {
            let ended = written.await.unwrap_or_else(|error| Err(std::io::Error::other(error)));
            ended.map_err(|error| cannot_write(path, &error))?;
        }
        Ok(stats.report(played, unacknowledged))
    }
}

fn cannot_write(path: &Path, error: &std::io::Error) -> Failure {
    Failure::Io(format!("{} cannot be written: {error}", path.display()))
}

fn trusted(path: &Path) -> Result<Arc<rustls::ClientConfig>, Failure> {
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject as _;
    let wrong = |why: String| Failure::Input(format!("{}: {why}", path.display()));
    let pem = files::text(path)?;
    let mut roots = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        let certificate = certificate.map_err(|error| wrong(format!("no certificate in PEM: {error}")))?;
        roots
            .add(certificate)
            .map_err(|error| wrong(format!("a certificate that cannot be used: {error}")))?;
    }
    if roots.is_empty() {
        return Err(wrong("there is no certificate in it".to_owned()));
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| wrong(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

// Milliseconds with one decimal.
fn ms(us: u64) -> String {
    format!("{}.{}", us / 1_000, us % 1_000 / 100)
}

fn row(name: &str, of: Latency, rest: &str) -> String {
    format!("{name:<32} {:>9} {:>9} {:>9} {:>9}{rest}", of.count, ms(of.p50_us), ms(of.p99_us), ms(of.max_us))
}

fn show(report: &Report, missed: &[String], out: &mut Out) -> Result<(), Failure> {
    let connected = match report.all_connected_after_ms {
        Some(after) => format!(
            "all {} chargers connected after {}.{:03} s",
            report.chargers,
            after / 1_000,
            after % 1_000
        ),
        None => format!("{} of {} chargers connected at once", report.most_connected, report.chargers),
    };
    out.line(&connected)?;
    let kwh = format!("{}.{:03} kWh", report.energy_wh / 1_000, report.energy_wh % 1_000);
    let sessions = usize::try_from(report.sessions_ended).unwrap_or(usize::MAX);
    out.line(&format!(
        "{}, {kwh}; {} answers a second",
        count(sessions, "session"),
        report.answers_per_second
    ))?;
    out.line("")?;
    let heading = format!("{:<32} {:>9} {:>9} {:>9} {:>9}", "milliseconds", "count", "p50", "p99", "max");
    let heading = out.paint(Look::Strong, &heading);
    out.line(&heading)?;
    out.line(&row("WebSocket handshake", report.handshakes, ""))?;
    for messages in &report.messages {
        let mut rest = String::new();
        for (number, what) in [(messages.refused, "refused"), (messages.unanswered, "not answered")] {
            if number > 0 {
                rest.push_str(&format!("  {number} {what}"));
            }
        }
        out.line(&row(messages.action, messages.answered, &rest))?;
    }
    out.line(&row("all messages", report.all, ""))?;
    out.line(&row("before all sessions were ended", report.in_time, ""))?;
    let mut lines = Vec::new();
    let number = |what: &str, number: u64| (number > 0).then(|| format!("{what}: {number}"));
    lines.extend(number("connections lost", report.disconnected));
    lines.extend(number("tokens refused", report.tokens_refused));
    lines.extend(number("displays written to", report.shown));
    lines.extend(number("transaction messages given up", report.lost));
    lines.extend(number("transaction messages not acknowledged", report.unacknowledged));
    lines.extend(report.troubles.iter().map(|(what, number)| format!("played trouble, {what}: {number}")));
    let ordered = |(action, ordered): (&String, &crate::simulate::Ordered)| {
        format!("ordered by the gateway, {action}: {} ({} accepted)", ordered.all, ordered.accepted)
    };
    lines.extend(report.ordered.iter().map(ordered));
    let texts = [
        ("not connected", &report.not_connected),
        ("refused", &report.refusals),
        ("contradiction", &report.wrong),
    ];
    for (what, texts) in texts {
        lines.extend(texts.iter().map(|(text, number)| format!("{what}, {number} times: {text}")));
    }
    if !lines.is_empty() {
        out.line("")?;
    }
    for line in lines {
        out.line(&line)?;
    }
    out.line("")?;
    if missed.is_empty() {
        let text = out.paint(Look::Good, "as expected");
        return out.line(&text);
    }
    for missed in missed {
        let text = out.paint(Look::Bad, "not as expected:");
        out.line(&format!("{text} {missed}"))?;
    }
    Ok(())
}
