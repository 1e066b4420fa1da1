//! How full a site was while a session stood there: counted from the sessions of the site. Absent: cars without a session, of which nobody
//! knows.
//!
//! It is worked out when it is asked for, so that it does not matter in which order chargers report, and kept with the bill, so that the
//! bill can be worked out again.

use super::Tariffs;
use crate::store::{self, OccupancyChange, OrgId, Reader, Session, SessionParts, Stay};
use std::collections::BTreeMap;
use takst_engine::tariff::{Measure, Tariff};
use takst_engine::units::Instant;

/// Whether a tariff asks how full the site is.
pub(crate) fn asks(tariff: &Tariff) -> bool {
    tariff.measures.contains(&Measure::Occupancy)
}

/// Adds how full the site was to the parts of a session whose tariff asks for it, unless a bill has kept it; whether it did. Where no site
/// or no place of it is known there is nothing to add.
///
/// # Errors
/// When the storage fails.
pub(crate) async fn add(
    reader: &mut Reader,
    org: &OrgId,
    (tariffs, tariff): (&dyn Tariffs, &Tariff),
    session: &Session,
    parts: &mut SessionParts,
) -> Result<bool, store::Error> {
    if !asks(tariff) || !parts.occupancy.is_empty() {
        return Ok(false);
    }
    let Some(site) = session.site.as_deref() else { return Ok(false) };
    let Some(places) = tariffs.places(org, site).filter(|places| *places > 0) else { return Ok(false) };
    let span = (session.plugged_in, session.unplugged.unwrap_or(Instant(i64::MAX)));
    let stays = reader.stays(org, site, span).await?;
    parts.occupancy = rows(&stays, span, i64::from(places));
    Ok(true)
}

// The taken places from `from` on, a row whenever their number changes. A session's own place is always taken.
fn rows(stays: &[Stay], (from, until): (Instant, Instant), places: i64) -> Vec<OccupancyChange> {
    let mut edges: BTreeMap<Instant, Vec<(&Stay, i64)>> = BTreeMap::new();
    edges.entry(from).or_default();
    for stay in stays {
        let end = stay.unplugged.unwrap_or(Instant(i64::MAX));
        let begin = stay.plugged_in.max(from);
        // What ends as this begins has made room.
        if end <= begin || begin > until {
            continue;
        }
        edges.entry(begin).or_default().push((stay, 1));
        if end <= until {
            edges.entry(end).or_default().push((stay, -1));
        }
    }
    let mut taken: BTreeMap<(&str, i64), i64> = BTreeMap::new();
    let mut rows: Vec<OccupancyChange> = Vec::new();
    for (at, changes) in edges {
        if at >= until && !rows.is_empty() {
            break;
        }
        for (stay, change) in changes {
            // Two sessions that overlap at one EVSE take one place.
            *taken.entry((&stay.charger, stay.evse)).or_default() += change;
        }
        let now = taken.values().filter(|sessions| **sessions > 0).count();
        let occupied = i64::try_from(now).unwrap_or(i64::MAX).clamp(1, places);
        if rows.last().is_none_or(|last| last.occupied != occupied) {
            let seq = i64::try_from(rows.len()).unwrap_or(i64::MAX);
            rows.push(OccupancyChange { seq, from_at: at, occupied, of_all: places });
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(stays: &[(&str, i64, i64, Option<i64>)], until: i64, places: i64) -> Vec<(i64, i64)> {
        let stays: Vec<Stay> = (stays.iter())
            .map(|(charger, evse, from, to)| Stay {
                charger: (*charger).to_owned(),
                evse: *evse,
                plugged_in: Instant(*from),
                unplugged: to.map(Instant),
            })
            .collect();
        let rows = rows(&stays, (Instant(100), Instant(until)), places);
        assert!(rows.iter().all(|row| row.of_all == places));
        rows.iter().map(|row| (row.from_at.0, row.occupied)).collect()
    }

    #[test]
    fn places_are_counted_as_cars_come_and_go() {
        let own = ("a", 1, 100, Some(200));
        assert_eq!(counted(&[own], 200, 4), [(100, 1)]);
        // Somebody stood there already, another comes, the first leaves; what begins with the end is no matter.
        let others = [own, ("b", 1, 50, Some(150)), ("b", 2, 120, None), ("c", 1, 200, None)];
        assert_eq!(counted(&others, 200, 4), [(100, 2), (120, 3), (150, 2)]);
        // One leaves as the next one comes.
        let turns = [own, ("b", 1, 50, Some(120)), ("c", 1, 120, Some(130))];
        assert_eq!(counted(&turns, 200, 4), [(100, 2), (130, 1)]);
        // The session before at the same EVSE, and one that seems to overlap.
        let same = [own, ("a", 1, 50, Some(100)), ("a", 1, 90, Some(110))];
        assert_eq!(counted(&same, 200, 4), [(100, 1)]);
        // More cars than the set-up knows places.
        assert_eq!(counted(&others, 200, 2), [(100, 2)]);
        // It still runs, and one that took no time.
        assert_eq!(
            counted(&[("a", 1, 100, None), ("b", 1, 300, Some(400))], i64::MAX, 2),
            [(100, 1), (300, 2), (400, 1)]
        );
        assert_eq!(counted(&[("a", 1, 100, Some(100))], 100, 2), [(100, 1)]);
    }
}
