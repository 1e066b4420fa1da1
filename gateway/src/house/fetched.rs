//! The plugins of the set-up, the feeds that they fetch, and which feeds are asked for at all.

use super::House;
use crate::feeds::{Currencies, Holds, clock_of, needs};
use crate::setup::{Feed, MeterTimes, Often, PluginFile, TimeOfDay};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A feed that a plugin fetches.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fetched {
    /// `spot`, ...
    pub feed: String,
    /// Its area.
    pub area: String,
    /// The currency to ask for.
    pub currency: String,
    /// The clock of its days.
    pub zone: chrono_tz::Tz,
    /// Who fetches it.
    pub plugin: String,
    /// Who is asked when the first is late or fails.
    pub second: Option<String>,
    /// The set-up says itself by when prices are due.
    pub has_alert: bool,
}

/// A metering point for which a plugin is asked by itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ScheduledPoint {
    /// Who is asked.
    pub plugin: String,
    /// Its number.
    pub point: String,
    /// A site whose electricity comes through it.
    pub site: String,
    /// The site's clock.
    pub zone: chrono_tz::Tz,
    /// How often.
    pub often: Often,
    /// From this time of the day on.
    pub at: TimeOfDay,
    /// What is missing so long after that is late, in milliseconds.
    pub late_ms: i64,
}

impl House {
    /// The metering points whose values plugins fetch by themselves; each once for a plugin.
    #[must_use]
    pub fn fetched_points(&self) -> Vec<ScheduledPoint> {
        let mut all = self.scheduled(|times| times.fetch);
        all.dedup_by(|next, one| (&next.plugin, &next.point) == (&one.plugin, &one.point));
        all
    }

    /// The metering points for which plugins are sent what cars took, by themselves; once for each site.
    #[must_use]
    pub fn sent_points(&self) -> Vec<ScheduledPoint> {
        self.scheduled(|times| times.send)
    }

    // By plugin and point.
    fn scheduled(&self, which: impl Fn(&MeterTimes) -> Option<Often>) -> Vec<ScheduledPoint> {
        let plants = self.plants();
        let state = self.state();
        let mut all = Vec::new();
        for plugin in &state.loaded.setup.document().plugins {
            let Some(times) = &plugin.meters else { continue };
            let Some(often) = which(times) else { continue };
            let wanted =
                |site: &str| times.sites.is_empty() || times.sites.iter().any(|one| one.as_str() == site);
            for (site, plant) in plants.iter().filter(|(site, _)| wanted(site)) {
                all.extend(plant.points.iter().map(|point| ScheduledPoint {
                    plugin: plugin.id.to_string(),
                    point: point.clone(),
                    site: site.clone(),
                    zone: plant.zone,
                    often,
                    at: times.at,
                    late_ms: times.late_after.ms(),
                }));
            }
        }
        all.sort_by(|one, other| (&one.plugin, &one.point).cmp(&(&other.plugin, &other.point)));
        all
    }

    /// Whether what is charged at a connector comes through a metering point of the site: one in front of the whole site has all of it.
    #[must_use]
    pub fn is_behind(
        &self,
        site: &str,
        point: &str,
        (charger, evse, connector): (&str, i64, Option<i64>),
    ) -> bool {
        let state = self.state();
        let setup = &state.loaded.setup;
        if let Some(own) = setup.site(site).and_then(|site| site.metering_point.as_ref()) {
            return own == point;
        }
        let number = |number: i64| u32::try_from(number).ok();
        let charger = setup.charger(charger);
        let of = charger.and_then(|one| setup.metering_point(one, number(evse), connector.and_then(number)));
        of.is_some_and(|of| of == point)
    }

    /// The plugins of the set-up by their names here. The same until the set-up changes.
    #[must_use]
    pub fn plugins(&self) -> Arc<BTreeMap<String, Arc<PluginFile>>> {
        Arc::clone(&self.state().loaded.plugins)
    }

    /// The address under which drivers reach the gateway.
    #[must_use]
    pub fn web_address(&self) -> Option<String> {
        self.state().loaded.setup.document().organisation.web_address.clone()
    }

    /// The feeds that plugins fetch.
    #[must_use]
    pub fn fetched_feeds(&self) -> Vec<Fetched> {
        let state = self.state();
        let document = state.loaded.setup.document();
        let fetched = |feed: &Feed| {
            let area = feed.area.clone()?;
            let of_area = || clock_of(&area).unwrap_or(document.organisation.time_zone.0);
            Some(Fetched {
                plugin: feed.plugin.as_ref()?.to_string(),
                second: feed.second.as_ref().map(ToString::to_string),
                zone: feed.time_zone.map_or_else(of_area, |zone| zone.0),
                currency: feed.currency.clone().unwrap_or_else(|| self.currency()),
                has_alert: feed.expected_by.is_some(),
                feed: feed.name.to_string(),
                area,
            })
        };
        document.feeds.iter().filter_map(fetched).collect()
    }

    /// In which currencies feeds are asked for, by the set-up that is in force when somebody wants to know.
    #[must_use]
    pub fn currencies_asked(self: &Arc<Self>) -> Currencies {
        let house = Arc::clone(self);
        Arc::new(move |feed, area| house.currencies_of(feed, area))
    }

    /// Of which feeds a value counts until the next one, by the tariffs that are known when somebody wants to know.
    #[must_use]
    pub fn feeds_held(self: &Arc<Self>) -> Holds {
        let house = Arc::clone(self);
        Arc::new(move |feed| house.holds_feed(feed))
    }

    // Also by tariffs of earlier: bills were made with them.
    pub(super) fn holds_feed(&self, feed: &str) -> bool {
        let state = self.state();
        let catalogue = &state.catalogue;
        let mut all = catalogue.names().flat_map(|name| catalogue.versions(name));
        all.any(|version| needs(version.prepared.tariff()).iter().any(|need| need.holds && need.feed == feed))
    }

    // Those of the set-up and of all tariffs that ask for this feed and area.
    fn currencies_of(&self, feed: &str, area: &str) -> Vec<String> {
        let state = self.state();
        let is = |name: &str, of: Option<&str>| name == feed && of.is_none_or(|of| of == area);
        let said = (state.loaded.setup.document().feeds.iter())
            .filter(|known| is(known.name.as_str(), known.area.as_deref()))
            .filter_map(|known| known.currency.clone());
        let tariffs = state.loaded.tariffs.values().map(|file| file.prepared.tariff());
        let asked = tariffs.flat_map(|tariff| {
            let used = takst_engine::feeds::used(tariff);
            let feeds = (0..).zip(&tariff.feeds).filter(move |(nth, _)| used.contains_key(nth));
            feeds
                .filter(|(_, known)| is(&known.name, known.area.as_deref()))
                .map(|(_, known)| known.unit.split('/').next().unwrap_or_default().to_owned())
        });
        let codes: BTreeSet<String> = said.chain(asked).collect();
        codes.into_iter().collect()
    }

    /// Whether the set-up or a tariff names this feed and area.
    #[must_use]
    pub fn names_feed(&self, feed: &str, area: &str) -> bool {
        let state = self.state();
        let is = |name: &str, of: Option<&str>| {
            name == feed && (area.is_empty() || of.is_none_or(|of| of == area))
        };
        let set_up = &state.loaded.setup.document().feeds;
        let mut tariffs = state.loaded.tariffs.values().map(|file| file.prepared.tariff());
        // Every tariff knows the spot price; not every one asks for it.
        set_up.iter().any(|known| is(known.name.as_str(), known.area.as_deref()))
            || tariffs.any(|tariff| needs(tariff).iter().any(|known| is(&known.feed, known.area.as_deref())))
    }
}
