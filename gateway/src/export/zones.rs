//! The clocks of the sites, from the set-up that is kept in the database.

use crate::store::{Error, OrgId, Store};
use chrono_tz::Tz;
use serde_json::Value;
use std::collections::HashMap;

/// The clocks of the sites of an organisation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Zones {
    sites: HashMap<String, Tz>,
    rest: Tz,
}

impl Default for Zones {
    fn default() -> Self {
        Self { sites: HashMap::new(), rest: Tz::UTC }
    }
}

impl Zones {
    /// The clocks that the set-up in force names; what it does not name, and all without a set-up, runs on UTC.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn read(store: &Store, org: &OrgId) -> Result<Self, Error> {
        let set_up = store.read().await?.current_setup(org).await?;
        Ok(set_up.map(|set_up| Self::of_document(&set_up.document)).unwrap_or_default())
    }

    // Only these fields matter here, whatever else an older or newer program has written.
    fn of_document(text: &str) -> Self {
        let document: Value = serde_json::from_str(text).unwrap_or_default();
        let zone = |place: &Value| place.get("time_zone")?.as_str()?.parse::<Tz>().ok();
        let rest = document.get("organisation").and_then(zone).unwrap_or(Tz::UTC);
        let sites = document.get("sites").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let named = |site: &Value| Some((site.get("id")?.as_str()?.to_owned(), zone(site)?));
        Self { sites: sites.iter().filter_map(named).collect(), rest }
    }

    /// The clock of a site.
    #[must_use]
    pub fn of(&self, site: Option<&str>) -> Tz {
        site.and_then(|site| self.sites.get(site)).copied().unwrap_or(self.rest)
    }

    /// The clock of what belongs to no site.
    #[must_use]
    pub fn organisation(&self) -> Tz {
        self.rest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_named_runs_on_the_clock_of_the_organisation() {
        let document = r#"{"organisation":{"id":"main","time_zone":"Europe/Oslo"},"sites":[{"id":"a","time_zone":"Europe/Helsinki"},{"id":"b"}]}"#;
        let zones = Zones::of_document(document);
        let of = [Some("a"), Some("b"), Some("c"), None].map(|site| zones.of(site));
        assert_eq!(of, [Tz::Europe__Helsinki, Tz::Europe__Oslo, Tz::Europe__Oslo, Tz::Europe__Oslo]);
        assert_eq!(Zones::of_document("no JSON"), Zones::default());
    }
}
