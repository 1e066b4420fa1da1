//! Which tariff is in force at a place, and which ones a session follows.

use super::Setup;
use crate::setup::catalogue::{Catalogue, Version};
use crate::setup::model::{Assignment, Charger, RunningSessions};
use crate::setup::values::Zone;
use std::collections::BTreeSet;
use takst_engine::units::Instant;

/// How specific an assignment is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Level {
    /// Everywhere.
    Organisation,
    /// At a site.
    Site,
    /// At a charger.
    Charger,
    /// At an EVSE.
    Evse,
    /// At a connector.
    Connector,
}

/// Where, and for whom, a tariff is asked for.
#[derive(Clone, Copy, Debug)]
pub struct At<'a> {
    /// The charger.
    pub charger: &'a Charger,
    /// Its EVSE, when it is known.
    pub evse: Option<u32>,
    /// The connector of the EVSE, when it is known.
    pub connector: Option<u32>,
    /// The driver's groups.
    pub groups: &'a [String],
}

/// A tariff in force, and why it is this one.
#[derive(Clone, Copy, Debug)]
pub struct InForce<'a> {
    /// The assignment that won.
    pub assignment: &'a Assignment,
    /// The version of its file.
    pub version: &'a Version,
    /// How specific it is.
    pub level: Level,
    /// In force since then.
    pub since: Instant,
    /// Whether running sessions go over to it.
    pub running_sessions: RunningSessions,
}

impl InForce<'_> {
    /// Why this one: `it is assigned to charger OT-5 for group VIP`.
    #[must_use]
    pub fn reason(&self) -> String {
        let Assignment { site, charger, evse, connector, group, .. } = self.assignment;
        let mut text = String::from("it is assigned to ");
        match (charger, site, connector, evse) {
            (Some(charger), _, Some(connector), Some(evse)) => {
                text.push_str(&format!("connector {connector} of EVSE {evse} of charger {charger}"));
            }
            (Some(charger), _, _, Some(evse)) => text.push_str(&format!("EVSE {evse} of charger {charger}")),
            (Some(charger), ..) => text.push_str(&format!("charger {charger}")),
            (None, Some(site), ..) => text.push_str(&format!("site {site}")),
            _ => text.push_str("all sites"),
        }
        if let Some(group) = group {
            text.push_str(&format!(" for group {group}"));
        }
        text
    }
}

impl Setup {
    /// The tariff in force at a place for a driver at `at`, and why; none when none is assigned, or none is in force.
    #[must_use]
    pub fn tariff_at<'a>(
        &'a self,
        catalogue: &'a Catalogue,
        place: At<'_>,
        at: Instant,
    ) -> Option<InForce<'a>> {
        let zone = self.zone(place.charger);
        // Of one level: the assignment to the group that is declared first, then the one to nobody in particular.
        let rank = |assignment: &Assignment| match &assignment.group {
            Some(group) => {
                self.document.groups.iter().position(|known| known.id == *group).unwrap_or(usize::MAX - 1)
            }
            None => usize::MAX,
        };
        self.assignments(place)
            .filter_map(|(level, assignment)| in_force(catalogue, zone, level, assignment, at))
            .max_by_key(|found| (found.level, std::cmp::Reverse(rank(found.assignment)), found.since))
    }

    /// The tariffs that a session follows: the one at plug-in, then each one that came into force until `until` and that running
    /// sessions go over to, with the time of the change. Empty when there is no tariff at plug-in.
    #[must_use]
    pub fn tariffs_of_session<'a>(
        &'a self,
        catalogue: &'a Catalogue,
        place: At<'_>,
        plugged_in: Instant,
        until: Instant,
    ) -> Vec<(Instant, InForce<'a>)> {
        let Some(first) = self.tariff_at(catalogue, place, plugged_in) else { return Vec::new() };
        let own = first.version.version.as_str();
        let changes = self.changes_of_session(catalogue, place, own, (plugged_in, until));
        std::iter::once((plugged_in, first)).chain(changes).collect()
    }

    /// The tariffs that come into force after plug-in until `until` and that running sessions go over to, with the time of the
    /// change. `own`: the version of plug-in, for where the set-up of today has none for that time.
    #[must_use]
    pub fn changes_of_session<'a>(
        &'a self,
        catalogue: &'a Catalogue,
        place: At<'_>,
        own: &str,
        (plugged_in, until): (Instant, Instant),
    ) -> Vec<(Instant, InForce<'a>)> {
        let zone = self.zone(place.charger);
        let mut times = BTreeSet::new();
        for (_, assignment) in self.assignments(place) {
            times.extend(assignment.from.map(|from| zone.instant(from)));
            let versions = catalogue.versions(assignment.file.as_str());
            times.extend(versions.iter().map(|version| version.from));
            // Where a list ends, the one that it stood before counts again.
            times.extend(versions.iter().filter_map(|version| version.prepared.tariff().valid_until));
        }
        let first = self.tariff_at(catalogue, place, plugged_in);
        let mut known = first.map_or(own, |first| first.version.version.as_str()).to_owned();
        let (mut followed, mut changes) = (own.to_owned(), Vec::new());
        for at in times.into_iter().filter(|at| *at > plugged_in && *at <= until) {
            let Some(next) = self.tariff_at(catalogue, place, at) else { continue };
            let same = next.version.version == known;
            known.clone_from(&next.version.version);
            let switches = next.running_sessions == RunningSessions::Switch;
            if !same && switches && next.version.version != followed {
                followed.clone_from(&next.version.version);
                changes.push((at, next));
            }
        }
        changes
    }

    // All assignments that can be meant at a place.
    fn assignments<'a>(&'a self, place: At<'_>) -> impl Iterator<Item = (Level, &'a Assignment)> {
        let of = |list: Option<&'a Vec<usize>>| list.map_or(&[][..], Vec::as_slice);
        let charger = of(self.by_charger.get(&place.charger.id.to_lowercase()));
        let site = of(self.by_site.get(place.charger.site.as_str()));
        let found: Vec<(Level, &Assignment)> = charger
            .iter()
            .chain(site)
            .chain(&self.everywhere)
            .filter_map(|at| self.document.tariffs.get(*at))
            .filter_map(|assignment| Some((level(assignment, place)?, assignment)))
            .collect();
        found.into_iter()
    }
}

// How specific an assignment is at a place; none when it is not about this place or driver.
fn level(assignment: &Assignment, place: At<'_>) -> Option<Level> {
    let group = assignment.group.as_ref();
    if group.is_some_and(|group| !place.groups.iter().any(|known| *group == known.as_str())) {
        return None;
    }
    match (&assignment.charger, &assignment.site, assignment.evse, assignment.connector) {
        (None, None, ..) => Some(Level::Organisation),
        (None, Some(_), ..) => Some(Level::Site),
        (Some(_), _, None, _) => Some(Level::Charger),
        (Some(_), _, evse, None) => (evse == place.evse).then_some(Level::Evse),
        // OCPP 1.6 knows connectors only, each an EVSE of its own.
        (Some(_), _, evse, connector) => {
            let same = evse == place.evse && connector == Some(place.connector.unwrap_or(1));
            same.then_some(Level::Connector)
        }
    }
}

fn in_force<'a>(
    catalogue: &'a Catalogue,
    zone: Zone,
    level: Level,
    assignment: &'a Assignment,
    at: Instant,
) -> Option<InForce<'a>> {
    let from = assignment.from.map(|from| zone.instant(from));
    let version = catalogue.at(assignment.file.as_str(), at)?;
    let first = catalogue.versions(assignment.file.as_str()).iter().map(|version| version.from).min();
    let since = from.unwrap_or(Instant(i64::MIN)).max(first?);
    let running_sessions = assignment.running_sessions.unwrap_or_else(|| version.running_sessions());
    (since <= at).then_some(InForce { assignment, version, level, since, running_sessions })
}
