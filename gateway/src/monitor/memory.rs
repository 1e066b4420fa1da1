//! What must be remembered of a charger from one look to the next, because no row tells it: since when it is away, its last boots, since
//! when a connector shows what it shows (chargers report the same again with a new time), when a meter value last came by our clock.

use super::look::{BOOTS, Connector, Running};
use crate::store::{WatchedCharger, WatchedConnector, WatchedSession};
use takst_engine::units::Instant;

#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Memory {
    pub away_since: Option<Instant>,
    pub boots: Vec<Instant>,
    pub connectors: Vec<Connector>,
    fed: Vec<Fed>,
    pub sessions: Vec<Running>,
    /// No restart before then.
    pub not_before: Option<Instant>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
struct Fed {
    session: String,
    reading: Option<Instant>,
    at: Instant,
}

impl Memory {
    /// Takes in what the rows say now.
    pub fn take_in(
        &mut self,
        charger: &WatchedCharger,
        connectors: &[WatchedConnector],
        sessions: &[WatchedSession],
        now: Instant,
    ) {
        self.away_since = match charger.connected_at {
            Some(_) => None,
            // After a restart of ours, chargers have the usual time to come back.
            None => Some(self.away_since.unwrap_or(now)),
        };
        if let Some(boot) = charger.last_boot.filter(|boot| self.boots.last().is_none_or(|last| last < boot))
        {
            if self.boots.len() >= BOOTS {
                self.boots.remove(0);
            }
            self.boots.push(boot);
        }
        let before = std::mem::take(&mut self.connectors);
        self.connectors = connectors.iter().map(|row| connector(row, &before, now)).collect();
        let before = std::mem::take(&mut self.fed);
        self.fed = sessions.iter().map(|row| fed(row, &before, now)).collect();
        let back = charger.connected_at.unwrap_or(Instant(i64::MIN));
        self.sessions =
            sessions.iter().zip(&self.fed).map(|(row, fed)| running(row, fed.at.max(back))).collect();
    }
}

fn connector(row: &WatchedConnector, before: &[Connector], now: Instant) -> Connector {
    let WatchedConnector { charger: _, evse, connector, status, error, received_at } = row.clone();
    let same =
        |known: &&Connector| known.evse == evse && known.connector == connector && known.status == status;
    let since = before.iter().find(same).map_or(received_at.min(now), |known| known.since);
    Connector { evse, connector, status, since, error }
}

fn fed(row: &WatchedSession, before: &[Fed], now: Instant) -> Fed {
    let same = |known: &&Fed| known.session == row.id && known.reading == row.last_reading_at;
    // With a new reading the row has changed just now.
    let at = before.iter().find(same).map_or(row.updated_at.min(now), |known| known.at);
    Fed { session: row.id.clone(), reading: row.last_reading_at, at }
}

fn running(row: &WatchedSession, fed_at: Instant) -> Running {
    Running {
        id: row.id.clone(),
        evse: row.evse,
        started: row.started_at.is_some(),
        charged: row.charging_started.is_some(),
        resting: row.charging_ended.is_some() || row.stopped_at.is_some(),
        read: row.last_reading_at.is_some(),
        fed_at,
    }
}
