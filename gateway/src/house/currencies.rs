//! Which money a site counts in.

use super::House;
use crate::setup::{Assignment, Id};
use std::collections::BTreeSet;
use std::sync::Arc;
use takst_engine::month::uses_cost_price;

impl House {
    /// The currencies of the tariffs at a site, the first of them in order that have any: its own and those of its chargers, those of everywhere, those
    /// at the other sites of its seller. Of tariffs that pass a cost price on only theirs. None where there is no tariff at all.
    #[must_use]
    pub fn currencies_at(&self, site: &str) -> Vec<String> {
        let state = self.state();
        let setup = &state.loaded.setup;
        let document = setup.document();
        let site_of = |charger: &Id| setup.charger(charger).map(|charger| charger.site.to_string());
        let seller = setup.site(site).map(|site| &site.seller);
        let of_seller = |id: &str| setup.site(id).map(|site| &site.seller) == seller;
        // 0: at the site; 1: everywhere; 2: at another site of its seller; 3: not its business.
        let how_near = |assignment: &Assignment| {
            let place = match (&assignment.charger, &assignment.site) {
                (Some(charger), _) => site_of(charger),
                (None, Some(site)) => Some(site.to_string()),
                (None, None) => return 1,
            };
            match place {
                Some(place) if place == site => 0,
                Some(place) if of_seller(&place) => 2,
                _ => 3,
            }
        };
        let prepared = |assignment: &Assignment| {
            state.loaded.tariffs.get(assignment.file.as_str()).map(|file| Arc::clone(&file.prepared))
        };
        for near in 0..3 {
            let tariffs: Vec<_> =
                document.tariffs.iter().filter(|one| how_near(one) == near).filter_map(prepared).collect();
            let at_cost: Vec<_> = tariffs.iter().filter(|one| uses_cost_price(one.tariff())).collect();
            let count = if at_cost.is_empty() { tariffs.iter().collect() } else { at_cost };
            let codes: BTreeSet<String> =
                count.into_iter().map(|one| one.tariff().currency.code.as_str().to_owned()).collect();
            if !codes.is_empty() {
                return codes.into_iter().collect();
            }
        }
        Vec::new()
    }
}
