//! A fact is taken into its session, inside the unit that keeps it.

use super::terms::Terms;
use super::watch::Open;
use crate::billing::PriceChange;
use crate::chargers::model::{Reading, Report, TransactionPhase};
use crate::sessions::{
    Act, Begin, Builder, Flag, Kept, Next, OutOfOrder, Rows, Said, Suspect, Touched, Tracked,
};
use crate::store::{
    Appended, Billing, Error, Fact, NewEvent, OrgId, Progress, Session, SessionStatus, SignedValue, Tx,
    new_id,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use takst_engine::units::Instant;

/// Reports in between that are followed when a session is worked out anew: eleven days with one every ten seconds. All of them are
/// in memory then.
const MOST_REPORTS: usize = 100_000;
/// How often a session is worked out anew for reports that are out of order.
const MOST_REBUILDS: u32 = 500;
/// Who holds sessions back that look wrong.
pub(super) const GATEWAY: &str = "gateway";

/// The document of a session's row, and how it stands: that is in a column of its own, for every report changes it.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Document {
    pub facts: Value,
    pub begin: Begin,
    #[serde(skip)]
    pub track: Tracked,
    pub rebuilds: u32,
    /// The lists that came into force while it ran; live pricing and billing write them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub price_changes: Vec<PriceChange>,
}

#[derive(Deserialize)]
struct Stored {
    #[serde(default)]
    facts: Value,
    begin: Begin,
    // Of rows from before the column.
    track: Option<Tracked>,
    #[serde(default)]
    rebuilds: u32,
    #[serde(default)]
    price_changes: Vec<PriceChange>,
}

/// Where and when a unit works.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scene<'a> {
    pub org: &'a OrgId,
    pub charger: &'a str,
    /// Receipt.
    pub now: Instant,
}

/// What a unit did to a session.
#[derive(Clone, Debug)]
pub(super) struct Changed {
    pub session: String,
    pub touched: Touched,
    /// How the desk goes on watching it; none: it is over.
    pub open: Option<Open>,
}

/// The document of a fact.
///
/// # Errors
/// Never, for what a charger can say.
pub(super) fn to_json(value: &impl Serialize) -> Result<String, Error> {
    serde_json::to_string(value).map_err(|error| Error::refused(format!("this cannot be kept: {error}")))
}

/// The document of a session.
///
/// # Errors
/// When somebody else wrote it.
pub(super) fn document(session: &Session) -> Result<Document, Error> {
    let corrupt = |error: &dyn std::fmt::Display| Error::Corrupt(format!("session {}: {error}", session.id));
    let Stored { facts, begin, track, rebuilds, price_changes } =
        serde_json::from_str(&session.document).map_err(|error| corrupt(&error))?;
    let track = match &session.track {
        Some(track) => serde_json::from_str(track).map_err(|error| corrupt(&error))?,
        None => track.ok_or_else(|| corrupt(&"nothing says how it stands"))?,
    };
    Ok(Document { facts, begin, track, rebuilds, price_changes })
}

/// The sessions that can be gone on with: one that cannot be read does not keep the others of its charger from what concerns all.
pub(super) fn readable(sessions: Vec<Session>) -> impl Iterator<Item = Session> {
    sessions.into_iter().filter(|session| match document(session) {
        Ok(_) => true,
        Err(error) => {
            tracing::error!(%error, "a session cannot be gone on with");
            false
        }
    })
}

/// Takes a kept fact into its session. With `terms` the session begins on new ones.
pub(super) async fn take_in(
    tx: &mut Tx,
    scene: Scene<'_>,
    mut session: Session,
    (received, kept): (Instant, &Kept),
    terms: Option<&Terms>,
) -> Result<Changed, Error> {
    let mut document = document(&session)?;
    // It is written anew: what it was need not be kept.
    session.track = None;
    let before = session.clone();
    if let Some(terms) = terms {
        set_terms(&mut session, &mut document, terms);
    }
    let counts = document.track.rows();
    let followed =
        if terms.is_some() { Err(OutOfOrder) } else { document.track.take(&document.begin, received, kept) };
    let (rows, mut rebuilt) = match followed {
        Ok(rows) => (rows, false),
        Err(OutOfOrder) if document.rebuilds >= MOST_REBUILDS && is_passing(kept) => {
            let reason = "more reports came out of order than are followed".to_owned();
            if !document.begin.flags.iter().any(|(flag, _)| *flag == Flag::TooManyReports) {
                document.begin.flags.push((Flag::TooManyReports, reason));
            }
            (Rows::default(), false)
        }
        Err(OutOfOrder) => {
            let rows = rebuild(tx, scene, &session.id, &mut document).await?;
            (tx.only_news(scene.org, &session.id, rows).await?, true)
        }
    };
    // A row that was written before is written again: it says something else now.
    rebuilt |= rows.readings.iter().any(|row| row.seq < counts.0)
        || rows.states.iter().any(|row| row.seq < counts.1)
        || rows.power.iter().any(|row| row.seq < counts.2);
    write(tx, scene, Some(before), session, document, Heard { kept, received, rows, rebuilt }).await
}

/// Begins a session with a kept fact.
pub(super) async fn begin(
    tx: &mut Tx,
    scene: Scene<'_>,
    mut session: Session,
    begin: Begin,
    (received, kept): (Instant, &Kept),
    terms: &Terms,
) -> Result<Changed, Error> {
    let (facts, track, price_changes) = (Value::Null, Tracked::default(), Vec::new());
    let mut document = Document { facts, begin, track, rebuilds: 0, price_changes };
    set_terms(&mut session, &mut document, terms);
    let Ok(rows) = document.track.take(&document.begin, received, kept) else {
        return Err(Error::refused("a session cannot begin with this report"));
    };
    write(tx, scene, None, session, document, Heard { kept, received, rows, rebuilt: false }).await
}

/// Notes something that the gateway found out itself, and takes it into the session.
pub(super) async fn say(
    tx: &mut Tx,
    scene: Scene<'_>,
    session: Session,
    said: Said,
    dedupe: String,
) -> Result<Option<Changed>, Error> {
    let kept = Kept { said: Some(said), ..Kept::default() };
    let fact = Fact {
        id: new_id(),
        kind: "gateway".to_owned(),
        station_at: None,
        received_at: scene.now,
        dedupe: Some(dedupe),
        document: to_json(&kept)?,
        session: Some(session.id.clone()),
        answer: None,
    };
    match tx.append_fact(scene.org, scene.charger, &fact).await? {
        Appended::Known(_) => Ok(None),
        Appended::New => take_in(tx, scene, session, (scene.now, &kept), None).await.map(Some),
    }
}

/// Ends the wait for reports that are missing.
pub(super) async fn settle(
    tx: &mut Tx,
    scene: Scene<'_>,
    session: Session,
    document: Document,
) -> Result<Changed, Error> {
    let kept = Kept::default();
    let heard = Heard { kept: &kept, received: scene.now, rows: Rows::default(), rebuilt: false };
    write(tx, scene, Some(session.clone()), session, document, heard).await
}

fn set_terms(session: &mut Session, document: &mut Document, terms: &Terms) {
    let Terms { who, site, tariff, shown, ceiling, facts, begin } = terms;
    let old = std::mem::take(&mut document.begin);
    document.begin = Begin { plugged: old.plugged, occupied: old.occupied, ..begin.clone() };
    document.facts = facts.clone();
    // They came after another list than that of the new terms, maybe.
    document.price_changes.clear();
    session.site = site.clone();
    session.driver = who.driver.clone();
    session.token.clone_from(&who.uid);
    session.groups_doc = serde_json::to_string(&who.groups).unwrap_or_else(|_| "[]".to_owned());
    session.contract = Some(contract_word(who.contract).to_owned());
    session.seller = tariff.as_ref().map(|tariff| tariff.seller.clone());
    session.tariff_name = tariff.as_ref().map(|tariff| tariff.prepared.tariff().name.clone());
    session.tariff_version = tariff.as_ref().map(|tariff| tariff.prepared.version().to_owned());
    session.currency = tariff.as_ref().map(|tariff| tariff.prepared.tariff().currency.code.clone());
    session.shown.clone_from(shown);
    session.ceiling_minor = *ceiling;
}

const fn contract_word(contract: takst_engine::tariff::Contract) -> &'static str {
    match contract {
        takst_engine::tariff::Contract::Direct => "direct",
        takst_engine::tariff::Contract::Roaming => "roaming",
        takst_engine::tariff::Contract::AdHoc => "ad-hoc",
    }
}

// Whether a report may be left out of a session that has had too many: its beginning and end are always followed.
fn is_passing(kept: &Kept) -> bool {
    match &kept.report {
        Some(Report::Transaction(report)) => report.phase == TransactionPhase::Updated,
        Some(_) => true,
        None => false,
    }
}

async fn rebuild(
    tx: &mut Tx,
    scene: Scene<'_>,
    session: &str,
    document: &mut Document,
) -> Result<Rows, Error> {
    const PAGE: i64 = 1000;
    document.rebuilds = document.rebuilds.saturating_add(1);
    let mut builder = Builder::new(&document.begin, MOST_REPORTS);
    let mut after: Option<String> = None;
    loop {
        let page = tx.session_facts(scene.org, session, after.as_deref(), PAGE).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.id.clone());
        for fact in &page {
            // Others keep notes with the session too: only what can be read as a report or a finding is one.
            if let Ok(kept) = serde_json::from_str(&fact.document) {
                builder.add(fact.received_at, &kept);
            }
        }
    }
    let built = builder.finish().ok_or_else(|| {
        Error::Corrupt(format!("session {session}: none of its facts tells of a transaction"))
    })?;
    document.track = built.tracked;
    Ok(built.rows)
}

struct Heard<'k> {
    kept: &'k Kept,
    received: Instant,
    rows: Rows,
    rebuilt: bool,
}

async fn write(
    tx: &mut Tx,
    scene: Scene<'_>,
    mut before: Option<Session>,
    mut session: Session,
    document: Document,
    heard: Heard<'_>,
) -> Result<Changed, Error> {
    let Heard { kept, received, rows, rebuilt } = heard;
    let summary = document.track.summary(&document.begin);
    let next = document.track.next(&document.begin);
    let ready = next == Next::Ready;
    session.evse = summary.evse.unwrap_or(session.evse);
    session.connector = summary.connector.or(session.connector);
    // Where everybody may charge, a token stands for everybody.
    session.token = summary.token.or(session.token);
    session.plugged_in = summary.plugged_in;
    session.started_at = summary.started_at;
    session.charging_started = summary.charging_started;
    session.charging_ended = summary.charging_ended;
    session.stopped_at = summary.stopped_at;
    session.unplugged = summary.unplugged;
    // Until nothing more is waited for it counts as running: so a gateway that starts anew finds it.
    session.status = if ready { summary.status } else { SessionStatus::Running };
    session.energy = summary.energy;
    session.last_reading_at = summary.last_reading_at;
    session.flags = to_json(&summary.flags)?;
    session.document = to_json(&document)?;
    session.track = Some(to_json(&document.track)?);
    session.updated_at = scene.now;
    let stay = |session: &Session| (session.evse, session.plugged_in, session.unplugged);
    let moved = before.as_ref().is_none_or(|before| stay(before) != stay(&session));
    let places = session.site.clone().filter(|_| moved);
    let changed = rebuilt || !rows.readings.is_empty() || !rows.states.is_empty() || !rows.power.is_empty();
    session.billing = match session.billing {
        Billing::Never => Billing::Never,
        // A bill stays as it is; one that is based on something else is looked at again, once nothing more is waited for.
        Billing::Billed if !changed => Billing::Billed,
        _ if ready => Billing::Due,
        _ => Billing::Open,
    };
    let passing = before.as_mut().is_some_and(|before| only_progress(before, &mut session));
    match before {
        None => tx.add_session(scene.org, &session).await?,
        Some(_) if passing => {
            let progress = progress(&mut session);
            tx.session_progress(scene.org, &session.id, &progress).await?;
            go_on(&mut session, progress);
        }
        Some(_) => tx.update_session(scene.org, &session).await?,
    }
    if !rows.readings.is_empty() {
        tx.put_readings(scene.org, &session.id, &rows.readings).await?;
    }
    if !rows.states.is_empty() {
        tx.put_states(scene.org, &session.id, &rows.states).await?;
    }
    if !rows.power.is_empty() {
        tx.put_power(scene.org, &session.id, &rows.power).await?;
    }
    signed_values(tx, scene, &session.id, kept, received).await?;
    hold(tx, scene, &session, summary.hold.as_deref()).await?;
    events(tx, scene, before.as_ref(), &session, &summary.flags);
    let late = matches!(&kept.report, Some(Report::Transaction(report))
        if received.0.saturating_sub(report.at.at.0) > document.begin.waits.late_ms);
    let open = match next {
        Next::Ready => None,
        Next::At(due, act) => Some(Open {
            charger: session.charger.clone(),
            evse: session.evse,
            token: charging_token(&session),
            in_use: !document.track.has_stopped() && !matches!(act, Act::Settle),
            due: Some(due),
        }),
    };
    let touched = Touched {
        readings: rows.readings,
        states: rows.states,
        power: rows.power,
        places,
        rebuilt,
        stopped: document.track.has_stopped(),
        ended: ready,
        late,
    };
    Ok(Changed { session: session.id, touched, open })
}

/// The token that charges. Whoever was refused does not stand in his own way elsewhere.
pub(super) fn charging_token(session: &Session) -> Option<String> {
    session.token.clone().filter(|_| !session.flags.contains(Flag::TokenRefused.as_str()))
}

// Whether it runs on, and nothing changed but what every report changes.
fn only_progress(before: &mut Session, after: &mut Session) -> bool {
    let (was, is) = (progress(before), progress(after));
    before.updated_at = after.updated_at;
    let same = before == after && after.status == SessionStatus::Running;
    go_on(before, was);
    go_on(after, is);
    same
}

// How far a session has come, taken out of it.
fn progress(session: &mut Session) -> Progress {
    Progress {
        energy: session.energy.take(),
        last_reading_at: session.last_reading_at.take(),
        flags: std::mem::take(&mut session.flags),
        track: session.track.take().unwrap_or_default(),
        at: session.updated_at,
    }
}

// Puts it back.
fn go_on(session: &mut Session, progress: Progress) {
    let Progress { energy, last_reading_at, flags, track, at } = progress;
    (session.energy, session.last_reading_at, session.updated_at) = (energy, last_reading_at, at);
    (session.flags, session.track) = (flags, Some(track));
}

async fn signed_values(
    tx: &mut Tx,
    scene: Scene<'_>,
    session: &str,
    kept: &Kept,
    received: Instant,
) -> Result<(), Error> {
    let readings: &[Reading] = match &kept.report {
        Some(Report::Transaction(report)) => &report.readings,
        Some(Report::Meter(report)) => &report.readings,
        _ => return Ok(()),
    };
    if readings.iter().all(|reading| reading.signed.is_empty()) {
        return Ok(());
    }
    let first = tx.session_counts(scene.org, session).await?.signed;
    let signed =
        readings.iter().flat_map(|reading| reading.signed.iter().map(move |signed| (reading, signed)));
    let rows: Vec<SignedValue> = (first..)
        .zip(signed)
        .map(|(seq, (reading, signed))| SignedValue {
            seq,
            at: reading.at.at,
            received_at: received,
            format: signed.encoding.clone().unwrap_or_else(|| "unknown".to_owned()),
            context: Some(signed.context.as_str().to_owned()),
            public_key: signed.public_key.clone(),
            body: signed.data.clone(),
        })
        .collect();
    tx.put_signed_values(scene.org, session, &rows).await
}

// What a person has decided stays decided.
async fn hold(tx: &mut Tx, scene: Scene<'_>, session: &Session, reason: Option<&str>) -> Result<(), Error> {
    if session.hold_by.as_deref().is_some_and(|by| by != GATEWAY) {
        return Ok(());
    }
    match reason {
        Some(reason) if !session.hold || session.hold_reason.as_deref() != Some(reason) => {
            tx.set_hold(scene.org, &session.id, true, (reason, GATEWAY), scene.now).await
        }
        None if session.hold => {
            let reason = "what held it back has been cleared up by later reports";
            tx.set_hold(scene.org, &session.id, false, (reason, GATEWAY), scene.now).await
        }
        _ => Ok(()),
    }
}

fn events(tx: &mut Tx, scene: Scene<'_>, before: Option<&Session>, session: &Session, flags: &[Suspect]) {
    let mut log = |kind: &str, at: Instant, document: Value| {
        let event = NewEvent {
            at,
            kind: kind.to_owned(),
            subject: session.id.clone(),
            document: document.to_string(),
        };
        tx.log_event(scene.org, event);
    };
    let place = json!({ "charger": session.charger, "evse": session.evse });
    if before.is_none() {
        log("session.started", session.plugged_in, place.clone());
    }
    let known: Vec<Suspect> =
        before.and_then(|before| serde_json::from_str(&before.flags).ok()).unwrap_or_default();
    let news: Vec<&Suspect> =
        flags.iter().filter(|suspect| known.iter().all(|known| known.flag != suspect.flag)).collect();
    if !news.is_empty() {
        let mut document = place.clone();
        if let Some(object) = document.as_object_mut() {
            object.insert("flags".to_owned(), json!(news));
        }
        log("session.suspect", scene.now, document);
    }
    let was_running = before.is_none_or(|before| before.status == SessionStatus::Running);
    if was_running && session.status != SessionStatus::Running {
        let mut document = place;
        if let Some(object) = document.as_object_mut() {
            object.insert("status".to_owned(), session.status.as_str().into());
            object.insert(
                "energy_kwh".to_owned(),
                json!(session.energy.map(|energy| energy.kwh().to_string())),
            );
        }
        log("session.ended", session.unplugged.unwrap_or(scene.now), document);
    }
}
