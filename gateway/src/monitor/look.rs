//! What is wrong with a charger: a pure function of what is known of it.

use takst_engine::calendar_time::utc_text;
use takst_engine::units::{Instant, MINUTE_MS};

/// So many boots within [`BOOT_LOOP_MS`] are a loop.
pub(super) const BOOTS: usize = 5;
/// See [`BOOTS`].
const BOOT_LOOP_MS: i64 = 10 * MINUTE_MS;

/// What counts as trouble, in milliseconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// A charger without a connection for so long is offline.
    pub offline_after_ms: i64,
    /// A running session without a meter value for so long.
    pub no_meter_values_after_ms: i64,
    /// A car that was plugged in and does not get going for so long.
    pub preparing_after_ms: i64,
    /// A clock that is wrong by so much.
    pub clock_skew_ms: i64,
}

/// What is known of a charger that may work with us. Times are ours, not the charger's.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Seen<'a> {
    /// Its identity.
    pub charger: &'a str,
    /// It has been heard of: one that was never installed is not offline.
    pub heard: bool,
    /// Since when it is without a connection; none when it has one.
    pub away_since: Option<Instant>,
    /// Its clock minus ours, in milliseconds.
    pub skew_ms: Option<i64>,
    /// Kinds of its open incidents.
    pub open: &'a [Kind],
    /// Its last boots, the newest last.
    pub boots: &'a [Instant],
    /// Its connectors that are faulted, or taken by a car that may not have begun to charge.
    pub connectors: &'a [Connector],
    /// Its running sessions.
    pub sessions: &'a [Running],
}

/// What a connector shows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Connector {
    /// EVSE number; connector number in OCPP 1.6. 0 is the charger as a whole.
    pub evse: i64,
    /// Connector of the EVSE.
    pub connector: i64,
    /// As the domain names it: `Faulted`, `Preparing`, `Occupied`. Others mean nothing here.
    pub status: String,
    /// Since when it shows that.
    pub since: Instant,
    /// JSON: code, info and vendor code of a fault.
    pub error: Option<String>,
}

/// A running session.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Running {
    /// Its id.
    pub id: String,
    /// Where.
    pub evse: i64,
    /// Its transaction has begun.
    pub started: bool,
    /// Energy has flowed.
    pub charged: bool,
    /// Energy flows no more, or the transaction is over: no meter values are due.
    pub resting: bool,
    /// There was a meter value.
    pub read: bool,
    /// When the last meter value came, the transaction began, or the charger came back, whatever was last.
    pub fed_at: Instant,
}

/// Kinds of trouble.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Kind {
    /// Without a connection.
    Offline,
    /// Reports a fault.
    Faulted,
    /// A car is plugged in and does not get going.
    StuckPreparing,
    /// A session gets no meter values.
    NoMeterValues,
    /// The clock is wrong.
    ClockSkew,
    /// Boots again and again.
    BootLoop,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Offline,
        Self::Faulted,
        Self::StuckPreparing,
        Self::NoMeterValues,
        Self::ClockSkew,
        Self::BootLoop,
    ];

    /// As incidents name it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Offline => "offline",
            Self::Faulted => "faulted",
            Self::StuckPreparing => "stuck-preparing",
            Self::NoMeterValues => "no-meter-values",
            Self::ClockSkew => "clock-skew",
            Self::BootLoop => "boot-loop",
        }
    }

    /// The kind of an incident; none when somebody else looks after it.
    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }

    /// How bad it is: `error` when nobody can charge, otherwise `warning`.
    #[must_use]
    pub const fn severity(self) -> &'static str {
        match self {
            Self::Offline | Self::Faulted | Self::BootLoop => "error",
            Self::StuckPreparing | Self::NoMeterValues | Self::ClockSkew => "warning",
        }
    }

    /// While the charger is away nothing new is known about it: such an incident stays as it is.
    #[must_use]
    pub const fn needs_connection(self) -> bool {
        matches!(self, Self::StuckPreparing | Self::NoMeterValues)
    }
}

/// Something that is wrong.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// What.
    pub kind: Kind,
    /// With what: the charger, or one of its connectors as `CHARGER/EVSE` or `CHARGER/EVSE/CONNECTOR`.
    pub subject: String,
    /// The EVSE; none: the charger as a whole.
    pub evse: Option<i64>,
    /// The session it is about.
    pub session: Option<String>,
    /// Since when.
    pub since: Instant,
    /// For people.
    pub text: String,
    /// A restart may help.
    pub curable: bool,
}

/// What is wrong with a charger now; at most one finding of a kind for each subject.
#[must_use]
pub fn look(seen: &Seen<'_>, limits: &Limits, now: Instant) -> Vec<Finding> {
    let mut findings = Vec::new();
    let whole = |kind, since, text| Finding {
        kind,
        subject: seen.charger.to_owned(),
        evse: None,
        session: None,
        since,
        text,
        curable: false,
    };
    if let Some(since) = seen.away_since {
        // After a restart of ours we do not know since when it is away, but it is what it was.
        let is_long = age(since, now) >= limits.offline_after_ms || seen.open.contains(&Kind::Offline);
        if seen.heard && is_long {
            findings.push(whole(
                Kind::Offline,
                since,
                format!("without a connection since {}", utc_text(since)),
            ));
        }
    }
    findings.extend(faults(seen));
    if seen.away_since.is_none() {
        findings.extend(stuck(seen, limits, now));
        findings.extend(silent(seen, limits, now));
    }
    if let Some(skew) = seen.skew_ms {
        // Once it is told, it is over only when the clock is right by a margin: no coming and going at the limit.
        let is_open = seen.open.contains(&Kind::ClockSkew);
        let limit = if is_open { limits.clock_skew_ms / 2 } else { limits.clock_skew_ms };
        if skew.saturating_abs() >= limit.max(1) {
            let way = if skew > 0 { "ahead" } else { "behind" };
            let text = format!("its clock is {} s {way}", skew.saturating_abs() / 1_000);
            findings.push(whole(Kind::ClockSkew, now, text));
        }
    }
    if let Some(first) = seen.boots.len().checked_sub(BOOTS).and_then(|first| seen.boots.get(first))
        && let Some(last) = seen.boots.last()
        && age(*first, *last) <= BOOT_LOOP_MS
        && age(*last, now) < BOOT_LOOP_MS
    {
        let text = format!("{BOOTS} boots within {} min", age(*first, *last) / MINUTE_MS + 1);
        findings.push(whole(Kind::BootLoop, *first, text));
    }
    let mut told = Vec::with_capacity(findings.len());
    findings.retain(|finding| {
        let key = (finding.kind, finding.subject.clone());
        let new = !told.contains(&key);
        told.push(key);
        new
    });
    findings
}

/// How long ago; 0 for what is still to come.
pub(super) const fn age(since: Instant, now: Instant) -> i64 {
    let age = now.0.saturating_sub(since.0);
    if age < 0 { 0 } else { age }
}

fn subject(charger: &str, evse: i64, connector: i64) -> String {
    match (evse, connector) {
        (0, _) => charger.to_owned(),
        (evse, 0) => format!("{charger}/{evse}"),
        (evse, connector) => format!("{charger}/{evse}/{connector}"),
    }
}

fn on(place: i64) -> String {
    if place == 0 { String::new() } else { format!("EVSE {place}: ") }
}

fn faults(seen: &Seen<'_>) -> impl Iterator<Item = Finding> {
    let faulted = |connector: &&Connector| connector.status == "Faulted";
    // What all have in common is told once.
    let all = seen.connectors.iter().find(|connector| connector.evse == 0 && connector.status == "Faulted");
    let each = seen.connectors.iter().filter(faulted).filter(move |_| all.is_none());
    all.into_iter().chain(each).map(|connector| Finding {
        kind: Kind::Faulted,
        subject: subject(seen.charger, connector.evse, connector.connector),
        evse: (connector.evse != 0).then_some(connector.evse),
        session: None,
        since: connector.since,
        text: match connector.error.as_deref().and_then(fault) {
            Some(fault) => format!("{}reports a fault: {fault}", on(connector.evse)),
            None => format!("{}reports a fault", on(connector.evse)),
        },
        curable: true,
    })
}

/// What a fault says of itself, shortened.
fn fault(document: &str) -> Option<String> {
    let document: serde_json::Value = serde_json::from_str(document).ok()?;
    let mut words = Vec::new();
    for name in ["code", "info", "vendor_code", "vendor_error"] {
        let word = document.get(name).and_then(serde_json::Value::as_str).map(str::trim).unwrap_or_default();
        if !word.is_empty() && word != "NoError" {
            words.push(word.chars().take(100).collect::<String>());
        }
    }
    (!words.is_empty()).then(|| words.join(", "))
}

fn stuck(seen: &Seen<'_>, limits: &Limits, now: Instant) -> Vec<Finding> {
    let mut findings = Vec::new();
    for connector in seen.connectors {
        let mut there = seen.sessions.iter().filter(|session| session.evse == connector.evse);
        let going = match connector.status.as_str() {
            "Preparing" => there.clone().any(|session| session.charged),
            // In 2.x a car that charges shows the same.
            "Occupied" => there.clone().any(|session| session.started),
            _ => continue,
        };
        if going || age(connector.since, now) < limits.preparing_after_ms {
            continue;
        }
        let session = there.find(|session| session.started && !session.resting);
        let why = if session.is_some() {
            "its transaction has begun, but no energy flows"
        } else {
            "no transaction"
        };
        findings.push(Finding {
            kind: Kind::StuckPreparing,
            subject: subject(seen.charger, connector.evse, connector.connector),
            evse: Some(connector.evse),
            session: session.map(|session| session.id.clone()),
            since: connector.since,
            text: format!(
                "{}a car is plugged in since {}: {why}",
                on(connector.evse),
                utc_text(connector.since)
            ),
            // Without a transaction it is the driver who has not begun.
            curable: session.is_some(),
        });
    }
    findings
}

fn silent(seen: &Seen<'_>, limits: &Limits, now: Instant) -> Vec<Finding> {
    let due = |session: &&Running| {
        session.started && !session.resting && age(session.fed_at, now) >= limits.no_meter_values_after_ms
    };
    let finding = |session: &Running| Finding {
        kind: Kind::NoMeterValues,
        subject: subject(seen.charger, session.evse, 0),
        evse: Some(session.evse),
        session: Some(session.id.clone()),
        since: session.fed_at,
        text: format!("{}no meter value since {}", on(session.evse), utc_text(session.fed_at)),
        // One that never sent any is not broken, it is set up that way.
        curable: session.read,
    };
    seen.sessions.iter().filter(due).map(finding).collect()
}

#[cfg(test)]
mod tests;
