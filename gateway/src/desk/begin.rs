//! The beginning of a session: its row, what the connector showed before, and what ends with it.

use super::dedupe;
use super::terms::Terms;
use super::work::{self, Changed, Scene};
use crate::chargers::model::TransactionReport;
use crate::sessions::{Begin, Kept, Said};
use crate::store::{Error, OrgId, Reader, Session, SessionFilter, Tx};
use takst_engine::units::Instant;

/// A session that begins.
pub(super) struct New<'a> {
    pub id: &'a str,
    pub reference: Option<String>,
    pub report: &'a TransactionReport,
    pub terms: &'a Terms,
}

/// Begins a session with a report that is kept already. Others of its EVSE end with it.
pub(super) async fn begin(
    tx: &mut Tx,
    scene: Scene<'_>,
    new: New<'_>,
    kept: &Kept,
) -> Result<Vec<Changed>, Error> {
    let New { id, reference, report, terms } = new;
    let evse = report.place.evse.unwrap_or_default();
    let at = report.at.at;
    let hints = hints(tx, (scene.org, scene.charger), report, terms.begin.waits.unplug_ms).await?;
    let begin = Begin { plugged: hints.0, occupied: hints.1, ..terms.begin.clone() };
    let session = Session {
        connector: report.place.connector,
        transaction_ref: reference,
        ..Session::begun(id, (scene.charger, evse), at, scene.now)
    };
    let mut changed = vec![work::begin(tx, scene, session, begin, (scene.now, kept), terms).await?];
    changed.extend(succeed(tx, scene, id, evse).await?);
    Ok(changed)
}

/// Of two sessions of one EVSE the later one ends the earlier one.
pub(super) async fn succeed(
    tx: &mut Tx,
    scene: Scene<'_>,
    id: &str,
    evse: i64,
) -> Result<Vec<Changed>, Error> {
    let mut changed = Vec::new();
    if evse <= 0 {
        return Ok(changed);
    }
    let began = |session: &Session| session.started_at.unwrap_or(session.plugged_in);
    let running: Vec<Session> =
        work::readable(tx.running_sessions(scene.org, scene.charger, Some(evse)).await?).collect();
    let Some(this) = running.iter().find(|session| session.id == id) else { return Ok(changed) };
    let at = began(this);
    let mut next: Option<(Instant, String)> = None;
    for other in running.iter().filter(|other| other.id != id) {
        if began(other) <= at {
            let dedupe = format!("next/{}/{id}", other.id);
            changed.extend(work::say(tx, scene, other.clone(), Said::Next(at), dedupe).await?);
        } else if next.as_ref().is_none_or(|(since, _)| began(other) < *since) {
            next = Some((began(other), other.id.clone()));
        }
    }
    // It is the earlier one itself: a charger tells of it afterwards.
    if let Some((since, other)) = next
        && let Some(this) = tx.session(scene.org, id).await?
    {
        changed.extend(work::say(tx, scene, this, Said::Next(since), format!("next/{id}/{other}")).await?);
    }
    Ok(changed)
}

/// Since when the connector showed a car before the start, and whether it goes on to do so without saying it again.
pub(super) async fn hints(
    reader: &mut Reader,
    (org, charger): (&OrgId, &str),
    report: &TransactionReport,
    longest_ms: i64,
) -> Result<(Option<Instant>, bool), Error> {
    let at = report.at.at;
    let Some(evse) = report.place.evse.filter(|evse| *evse > 0) else { return Ok((None, false)) };
    let states = reader.connectors(org, charger).await?;
    let state = states.iter().find(|state| {
        let connector = report.place.connector;
        state.evse == evse
            && connector.is_none_or(|connector| state.connector == 0 || state.connector == connector)
    });
    let Some(state) =
        state.filter(|state| state.since <= at && at.0.saturating_sub(state.since.0) <= longest_ms)
    else {
        return Ok((None, false));
    };
    match state.status.as_str() {
        "Preparing" => Ok((Some(state.since), false)),
        "Occupied" => {
            // The same word also covers the session before: the car may have stood there since.
            let filter = SessionFilter {
                charger: Some(charger.to_owned()),
                evse: Some(evse),
                ..SessionFilter::default()
            };
            let earlier = reader.sessions(org, &filter, None, 8).await?;
            let taken = earlier.iter().any(|session| {
                session.stopped_at.or(session.started_at).is_some_and(|until| until >= state.since)
            });
            Ok(((!taken).then_some(state.since), true))
        }
        _ => Ok((None, false)),
    }
}

/// The number of a new 1.6 transaction: none that the charger has used.
pub(super) async fn number(tx: &mut Tx, scene: Scene<'_>) -> Result<i64, Error> {
    loop {
        let number = tx.next_transaction_id(scene.org).await?;
        let taken = tx.session_by_transaction(scene.org, scene.charger, &number.to_string()).await?;
        if taken.is_none() {
            return Ok(i64::from(number));
        }
    }
}

/// The transaction of a report as it is stored.
pub(super) fn reference(report: &TransactionReport) -> Option<String> {
    dedupe::reference(report)
}
