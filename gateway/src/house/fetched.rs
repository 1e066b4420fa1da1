//! The plugins of the set-up, and the feeds that they fetch.

use super::House;
use crate::feeds::clock_of;
use crate::setup::{Feed, PluginFile};
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

impl House {
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
