//! What goes on, as lines for a terminal: bills as they are issued, and sessions that are held back.

use crate::billing::printed_number;
use crate::gateway::Gateway;
use crate::store::{Bill, Error, Event, Session};
use serde::Deserialize;
use std::collections::VecDeque;
use takst_engine::units::Instant;

/// Most events that are looked at in one go.
const MOST: i64 = 100;

/// Reads on in the log of events.
#[derive(Debug)]
pub(super) struct News {
    seen: i64,
    lines: VecDeque<String>,
}

/// What an event about a bill says.
#[derive(Deserialize)]
struct Told {
    session: String,
    bill: String,
    total: String,
    currency: String,
    energy_kwh: Option<String>,
}

/// What an event about an incident says.
#[derive(Deserialize)]
struct Incident {
    charger: Option<String>,
    text: Option<String>,
}

/// What a trouble looks like.
pub(super) fn trouble(what: &str) -> &'static str {
    match what {
        "offline" => "loses its network for a while (played)",
        "reboot" => "loses its power and starts again (played)",
        "fault" => "has a fault at a connector (played)",
        _ => "is in trouble (played)",
    }
}

impl News {
    /// What was logged before is not told.
    pub(super) async fn from_now_on(gateway: &Gateway) -> Result<Self, crate::gateway::StartError> {
        let seen = gateway.store.read().await?.last_event(gateway.house.org()).await?;
        Ok(Self { seen, lines: VecDeque::new() })
    }

    /// The next line.
    pub(super) fn next_line(&mut self) -> Option<String> {
        self.lines.pop_front()
    }

    /// Reads on.
    pub(super) async fn look(&mut self, gateway: &Gateway) -> Result<(), Error> {
        let org = gateway.house.org();
        let mut reader = gateway.store.read().await?;
        for event in reader.events_after(org, self.seen, MOST).await? {
            self.seen = event.seq;
            let line = match event.kind.as_str() {
                "bill.issued" => {
                    let Ok(told) = serde_json::from_str::<Told>(&event.document) else { continue };
                    let session = reader.session(org, &told.session).await?;
                    let bill = reader.bill(org, &told.bill).await?;
                    issued(&told, session.as_ref(), bill.as_ref())
                }
                "session.suspect" => match reader.session(org, &event.subject).await? {
                    Some(session) => held(&session),
                    None => continue,
                },
                _ => match other(&event) {
                    Some(line) => line,
                    None => continue,
                },
            };
            self.lines.push_back(line);
        }
        Ok(())
    }
}

fn place(session: &Session) -> String {
    format!("{} connector {}", session.charger, session.evse)
}

fn issued(told: &Told, session: Option<&Session>, bill: Option<&Bill>) -> String {
    let mut line = String::new();
    if let Some(session) = session {
        let until = session.unplugged.or(session.stopped_at);
        let took =
            until.map(|until| format!(" in {}", lasted(session.plugged_in, until))).unwrap_or_default();
        let kwh = told.energy_kwh.as_deref().unwrap_or("no");
        let token = session.token.as_deref().unwrap_or("without a token");
        line = format!("{}: {token}, {kwh} kWh{took}: ", place(session));
    }
    line.push_str(&format!("{} {}", told.total, told.currency));
    if let Some(bill) = bill {
        line.push_str(&format!(", bill {}", printed_number(&bill.series, bill.number)));
    }
    line
}

fn held(session: &Session) -> String {
    let why = session.hold_reason.as_deref().unwrap_or("it looks odd");
    format!("{}: a session is held back until somebody decides: {why}", place(session))
}

fn other(event: &Event) -> Option<String> {
    match event.kind.as_str() {
        // What has no text is told by an event of its own.
        "incident.opened" => {
            let incident: Incident = serde_json::from_str(&event.document).ok()?;
            Some(format!("{}: {}", incident.charger?, incident.text?))
        }
        "feed.late" => Some(format!("prices are late: {}", event.subject)),
        _ => None,
    }
}

fn lasted(from: Instant, until: Instant) -> String {
    let seconds = until.0.saturating_sub(from.0).max(0) / 1_000;
    if seconds < 60 { format!("{seconds} s") } else { format!("{} min {} s", seconds / 60, seconds % 60) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_short() {
        assert_eq!(lasted(Instant(0), Instant(59_999)), "59 s");
        assert_eq!(lasted(Instant(0), Instant(130_000)), "2 min 10 s");
        assert_eq!(lasted(Instant(5), Instant(0)), "0 s");
    }
}
