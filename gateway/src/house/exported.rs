//! Tariffs of the set-up in the words of OCPP 2.1, for chargers that reckon themselves.

use super::House;
use crate::chargers::model::TariffDocument;
use crate::desk::rules::{Asker, ChargerRules, EvseRules, Rules as _};
use crate::exchange::ocpp21::{Wanted, export};
use crate::store::OrgId;
use crate::teach::ByEvse;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use takst_engine::Prepared;
use takst_engine::calendar::weekday;
use takst_engine::calendar_time::LocalTime;
use takst_engine::session::{Connector, Facts, Token};
use takst_engine::tariff::{Contract, Tariff};
use takst_engine::units::{Day, Instant};

/// A tariff with public holidays and the like is told for so many days, from Monday on; it is told anew each week.
const DAYS_TOLD: Day = 21;
/// Of how many tariffs, places and drivers what was worked out is kept.
const MOST_KEPT: usize = 2_000;

/// What was worked out: it is asked for every few seconds. None: it cannot be said.
#[derive(Default)]
pub(super) struct Kept(Mutex<HashMap<Key, Option<Arc<TariffDocument>>>>);

// Version of the tariff, first day, and what is known of place and driver.
type Key = (String, Day, String);

impl House {
    /// What a charger should hold for drivers without a tariff of their own.
    pub(super) fn default_tariffs(&self, org: &OrgId, charger: &str, at: Instant) -> Option<ByEvse> {
        // One that nobody named is told nothing, and neither is one that shows no prices.
        let rules = self.charger(org, charger).filter(|rules| rules.tells_price)?;
        // Whoever comes without a contract.
        let asked = Asker {
            site: rules.site.as_deref(),
            charger: &rules.id,
            evse: 0,
            groups: &[],
            contract: Contract::AdHoc,
        };
        Some(one_for_all(self.said(org, &rules, &asked, None, at)))
    }

    /// A driver's tariff, where it is one for all EVSEs and not that of everybody.
    pub(super) fn own_tariff(
        &self,
        org: &OrgId,
        asked: &Asker<'_>,
        issuer: Option<&str>,
        at: Instant,
    ) -> Option<Arc<TariffDocument>> {
        let rules = self.charger(org, asked.charger)?;
        let own = one_for_all(self.said(org, &rules, asked, issuer, at)).remove(&0)?;
        let everybody = self.default_tariffs(org, asked.charger, at)?;
        (everybody.get(&0).is_none_or(|usual| usual.id != own.id)).then_some(own)
    }

    // The tariff at each EVSE; none where it cannot be said.
    fn said(
        &self,
        org: &OrgId,
        rules: &ChargerRules,
        asked: &Asker<'_>,
        issuer: Option<&str>,
        at: Instant,
    ) -> Vec<(i64, Option<Arc<TariffDocument>>)> {
        let mut evses: Vec<&EvseRules> = rules.evses.iter().collect();
        evses.dedup_by_key(|evse| evse.evse);
        let said = |evse: &EvseRules| {
            let asked = Asker { evse: evse.evse, ..*asked };
            let tariff = self.tariff_at(org, &asked, at)?;
            self.exported(&tariff.prepared, &facts(tariff.prepared.tariff(), &asked, evse, issuer), at)
        };
        evses.into_iter().map(|evse| (evse.evse, said(evse))).collect()
    }

    fn exported(&self, prepared: &Arc<Prepared>, facts: &Facts, at: Instant) -> Option<Arc<TariffDocument>> {
        let tariff = prepared.tariff();
        let today =
            LocalTime::at(&tariff.zone, at.0.max(tariff.valid_from.map_or(i64::MIN, |from| from.0))).day;
        let key = (prepared.version().to_owned(), today, format!("{facts:?}"));
        let mut kept = self.exported.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = kept.get(&key) {
            return known.clone();
        }
        let monday = today.saturating_sub(Day::from(weekday(today)));
        let until = Some(monday.saturating_add(DAYS_TOLD));
        let for_ever = Wanted { facts, from: today, until: None, id: None, feeds: None };
        let weeks = Wanted { facts, from: monday, until, id: None, feeds: None };
        let said = export(prepared, &for_ever).or_else(|_| export(prepared, &weeks));
        let said = match said {
            Ok(document) => Some(Arc::new(document)),
            Err(wrong) => {
                let why = wrong.first().map(ToString::to_string).unwrap_or_default();
                tracing::info!(
                    tariff = tariff.name,
                    why,
                    "chargers are not told a tariff that OCPP 2.1 cannot say"
                );
                None
            }
        };
        if kept.len() >= MOST_KEPT {
            kept.clear();
        }
        kept.insert(key, said.clone());
        said
    }
}

// Where all EVSEs have the same tariff it is told once. An id is used once only.
fn one_for_all(said: Vec<(i64, Option<Arc<TariffDocument>>)>) -> ByEvse {
    let mut tariffs = said.iter().map(|(_, tariff)| tariff.as_ref());
    if let Some(Some(first)) = tariffs.next()
        && tariffs.all(|other| other.is_some_and(|other| other.id == first.id))
    {
        return ByEvse::from([(0, Arc::clone(first))]);
    }
    let each = said.into_iter().filter_map(|(evse, tariff)| {
        let tariff = tariff?;
        let id = format!("{}-{evse}", tariff.id);
        Some((evse, Arc::new(TariffDocument { id, ..(*tariff).clone() })))
    });
    each.collect()
}

fn facts(tariff: &Tariff, asked: &Asker<'_>, evse: &EvseRules, issuer: Option<&str>) -> Facts {
    let places = !tariff.places.is_empty();
    // What no tariff asks for is left out: what was worked out serves all places that are alike.
    let connector = Connector {
        plug: evse.plug,
        kind: evse.kind.clone(),
        max_power: evse.max_power,
        ..Connector::default()
    };
    let token = issuer.map(|issuer| Token { issuer: Some(issuer.to_owned()), ..Token::default() });
    Facts {
        site: asked.site.filter(|_| places).map(str::to_owned),
        charger: places.then(|| asked.charger.to_owned()),
        groups: asked.groups.to_vec(),
        connector: Some(connector),
        token,
        contract: Some(asked.contract),
        ..Facts::default()
    }
}
