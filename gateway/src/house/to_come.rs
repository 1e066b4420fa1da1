//! Which lists come into force for a session that runs.

use super::House;
use crate::billing::NextList;
use crate::setup::At;
use crate::store::Session;
use std::sync::Arc;
use takst_engine::units::Instant;

impl House {
    /// The lists that come into force where and for whom a session charges, after its plug-in and until `until`, and that running
    /// sessions go over to.
    pub(super) fn lists_to_come(&self, session: &Session, until: Instant) -> Vec<NextList> {
        let state = self.state();
        let set_up = &state.loaded.setup;
        let Some(charger) = Self::there(&state, &session.charger) else { return Vec::new() };
        let Some(site) = set_up.site(&charger.site) else { return Vec::new() };
        let groups: Vec<String> = serde_json::from_str(&session.groups_doc).unwrap_or_default();
        let evse = u32::try_from(session.evse).ok();
        let place = At { charger: &charger, evse, connector: None, groups: &groups };
        let own = session.tariff_version.as_deref().unwrap_or_default();
        let found = set_up.changes_of_session(&state.catalogue, place, own, (session.plugged_in, until));
        let next = found.into_iter().map(|(from, found)| NextList {
            from,
            name: found.version.name.clone(),
            prepared: Arc::clone(&found.version.prepared),
            seller: site.seller.to_string(),
        });
        next.collect()
    }
}
