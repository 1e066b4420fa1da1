//! What cars certainly took at a site in a month, held against what its meters saw: no more can be charged there. Absent: any guess of what
//! was taken on which side of an edge.

use super::costs;
use crate::sessions::to_engine;
use crate::store::{self, OrgId, PlantMonth, Reader, Session, Tx};
use takst_engine::session::Reading;
use takst_engine::units::{Energy, Instant};

/// The kind of incident: the sessions of a month took more than its meters saw.
pub(super) const EXCEEDED: &str = "meters.exceeded";

/// The energy that cars certainly took at a site between two instants: all of the sessions that lie in that time, and of the others what was
/// counted between readings in it. What is held back or never billed does not count.
pub(super) async fn drawn(
    reader: &mut Reader,
    org: &OrgId,
    site: &str,
    span: (Instant, Instant),
) -> Result<Energy, store::Error> {
    let Energy(mut sum) = reader.energy_within(org, site, span).await?;
    for stored in reader.sessions_across(org, site, span).await? {
        let parts = reader.session_parts(org, &stored.id).await?;
        // What cannot be read cannot be billed either.
        if let Ok(session) = to_engine(&stored, &parts) {
            sum = sum.saturating_add(certain(&session.readings, span));
        }
    }
    Ok(Energy(sum))
}

fn certain(readings: &[Reading], (from, until): (Instant, Instant)) -> i64 {
    let pairs = readings.array_windows::<2>();
    let within =
        pairs.filter(|[one, other]| one.segment == other.segment && one.at >= from && other.at <= until);
    within.map(|[one, other]| other.import.0.saturating_sub(one.import.0).max(0)).fold(0, i64::saturating_add)
}

/// Whether a session can be billed with the cost price at that instant: together with all others it took no more than the meters saw. If it
/// cannot, the cost price is taken back, and an incident says why.
///
/// # Errors
/// When the storage fails.
pub async fn fits(
    tx: &mut Tx,
    org: &OrgId,
    stored: &Session,
    at: Instant,
    now: Instant,
) -> Result<bool, store::Error> {
    let Some(site) = stored.site.as_deref() else { return Ok(true) };
    let Some(month) = tx.plant_month_at(org, site, at).await? else { return Ok(true) };
    // It was counted when the price was worked out.
    let changed = stored.hold_at.map_or(stored.updated_at, |held| held.max(stored.updated_at));
    if changed < month.settled_at {
        return Ok(true);
    }
    let PlantMonth { from_at, to_at, metered, .. } = month;
    let sessions = drawn(tx, org, site, (from_at, to_at)).await?;
    if sessions <= metered {
        return Ok(true);
    }
    let span = (from_at, to_at);
    costs::take_back(tx, org, (site, &month.month), span, &costs::Why::Exceeded { sessions, metered }, now)
        .await?;
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_lies_between_readings_in_the_time_is_certain() {
        let reading = |at: i64, kwh: i64, segment: u32| Reading {
            at: Instant(at),
            import: Energy(kwh),
            export: Energy(0),
            segment,
        };
        let readings = [
            reading(0, 100, 0),
            reading(10, 107, 0),
            reading(20, 120, 0),
            // Another meter.
            reading(20, 5, 1),
            reading(30, 8, 1),
            reading(40, 9, 1),
        ];
        let of = |from, until| certain(&readings, (Instant(from), Instant(until)));
        assert_eq!((of(0, 40), of(0, 20), of(10, 30), of(1, 39)), (24, 20, 16, 16));
        assert_eq!((of(11, 19), of(40, 50)), (0, 0));
    }
}
