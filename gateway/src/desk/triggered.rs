//! About which places a charger is asked for a message. In 2.x the state is that of one connector, and a charger refuses to be asked for it
//! without one (2.0.1 part 2, F06.FR.12): each is asked for by itself.

use super::{Clerk, NoCommand};
use crate::chargers::model::{Place, TriggeredMessage};
use crate::store::{self, OrgId};
use std::collections::BTreeSet;

impl Clerk {
    /// The places that a charger is asked about, each by a message of its own.
    pub(super) async fn triggered(
        &self,
        org: &OrgId,
        charger: &str,
        known: &store::Charger,
        (message, evse, connector): (&TriggeredMessage, Option<i64>, Option<i64>),
    ) -> Result<Vec<Place>, NoCommand> {
        if known.protocol.as_deref() == Some("ocpp1.6") {
            // There a connector is what elsewhere is an EVSE.
            let (evse, connector) = if evse.is_some() { (evse, connector) } else { (connector, None) };
            return Ok(vec![Place { evse, connector }]);
        }
        let evse = evse.filter(|evse| *evse > 0);
        match (evse, connector) {
            (None, Some(connector)) => return Err(NoCommand::Evse(connector)),
            (evse, None) if *message == TriggeredMessage::Status => {
                let told = self.store.read().await?.connectors(org, charger).await?;
                let told = told.into_iter().map(|state| (state.evse, state.connector));
                let set_up: Vec<i64> =
                    self.rules(org, charger).evses.iter().map(|rules| rules.evse).collect();
                let mut places: BTreeSet<(i64, i64)> =
                    told.filter(|(evse, connector)| *evse > 0 && *connector > 0).collect();
                for evse in set_up.into_iter().chain(evse) {
                    // One that has said nothing yet: its first connector.
                    if !places.iter().any(|(known, _)| *known == evse) {
                        places.insert((evse, 1));
                    }
                }
                places.retain(|(known, _)| evse.is_none_or(|evse| evse == *known));
                if places.is_empty() {
                    places.insert((1, 1));
                }
                return Ok(places
                    .into_iter()
                    .map(|(evse, connector)| Place::connector(evse, connector))
                    .collect());
            }
            _ => {}
        }
        Ok(vec![Place { evse, connector }])
    }
}
