//! The plugins of the set-up, and the feeds that they fetch.

use super::House;
use crate::feeds::clock_of;
use crate::setup::{Feed, Often, PluginFile, TimeOfDay};
use std::collections::BTreeMap;
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

/// A metering point whose values a plugin fetches by itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FetchedPoint {
    /// Who fetches them.
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
    pub fn fetched_points(&self) -> Vec<FetchedPoint> {
        let plants = self.plants();
        let state = self.state();
        let mut all: BTreeMap<(String, String), FetchedPoint> = BTreeMap::new();
        for plugin in &state.loaded.setup.document().plugins {
            let Some(times) = &plugin.meters else { continue };
            let Some(often) = times.fetch else { continue };
            let wanted =
                |site: &str| times.sites.is_empty() || times.sites.iter().any(|one| one.as_str() == site);
            for (site, plant) in plants.iter().filter(|(site, _)| wanted(site)) {
                for point in &plant.points {
                    all.entry((plugin.id.to_string(), point.clone())).or_insert_with(|| FetchedPoint {
                        plugin: plugin.id.to_string(),
                        point: point.clone(),
                        site: site.clone(),
                        zone: plant.zone,
                        often,
                        at: times.at,
                        late_ms: times.late_after.ms(),
                    });
                }
            }
        }
        all.into_values().collect()
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
}
