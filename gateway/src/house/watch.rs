//! How the chargers of the set-up are watched.

use super::House;
use crate::monitor::{Thresholds, Watch};
use crate::setup;
use crate::store::OrgId;

impl Watch for House {
    fn thresholds(&self, org: &OrgId, charger: &str) -> Option<Thresholds> {
        if *org != self.org {
            return None;
        }
        let state = self.state();
        let set_up = &state.loaded.setup;
        let settings = match Self::named(&state, charger) {
            Some(charger) => set_up.settings(&charger),
            // Not in the files, but let in by a person.
            None => match set_up.unknown(charger) {
                setup::Unknown::Hold(site) => set_up.site_settings(site),
                setup::Unknown::Refuse | setup::Unknown::Accept(_) => return None,
            },
        };
        Some(Thresholds::from(&settings))
    }
}
