//! What a charger says of itself and its connectors.

use super::admit::forget_tariffs;
use super::transactions::open_at;
use super::work::{self, Changed, Scene, to_json};
use super::{Clerk, dedupe};
use crate::chargers::model::{
    Answer, Attribute, ConnectorStatus, DeviceReport, Mutability, Place, Reference, Registration as Told,
    Report, Unplugged,
};
use crate::chargers::time::StationTime;
use crate::link::{Link, Received};
use crate::ocpp::{Dialect, secrets};
use crate::sessions::{Kept, Said};
use crate::store::{
    Ahead, Boot, ConnectorState, Error, Fact, Lane, NewEvent, Registration, Session, StationVariable, Tx,
    new_id,
};
use serde_json::{Value, json};
use takst_engine::units::Instant;

impl Clerk {
    pub(super) async fn came(&self, link: &Link) -> Result<(), Error> {
        // So long without a connection, and nobody can tell what happened meanwhile.
        const AWAY_MS: i64 = 60_000;
        let (org, node) = (link.org.clone(), self.node.clone());
        let lane = Lane::charger(&link.org, &link.charger);
        let ear = self.ear(&link.org, &link.charger);
        let gone = self.watch().came(&link.org, &link.charger).filter(|gone| *gone <= link.since);
        let link = link.clone();
        let unit = async move |tx: &mut Tx| {
            let known = tx.add_charger(&link.org, &link.charger, Registration::Accepted, link.since).await?;
            let protocol = link.dialect.subprotocol();
            tx.charger_connected(&link.org, &link.charger, (&node, &link.connection), protocol, link.since)
                .await?;
            log(tx, &link, link.since, "charger.connected", json!({ "protocol": protocol }));
            let since = |at: Instant| link.since.0.saturating_sub(at.0);
            let away = known.last_seen.max(ear.heard).filter(|heard| match gone {
                Some(gone) => since(gone) > AWAY_MS,
                None => since(*heard) > ear.quiet_ms,
            });
            let mut changed = Vec::new();
            let Some(heard) = away else { return Ok(changed) };
            // As the charger's own clock has it.
            let by_its_clock = |at: Instant| Instant(at.0.saturating_add(known.skew_ms.unwrap_or(0)));
            let scene = Scene { org: &link.org, charger: &link.charger, now: link.since };
            for session in work::readable(tx.running_sessions(&link.org, &link.charger, None).await?) {
                let document = work::document(&session)?;
                // Where nothing is charged after the stop it does not matter.
                if document.begin.after_stop {
                    // What came last was heard, whatever the clocks say.
                    let from = by_its_clock(heard).max(document.track.last_at().unwrap_or(heard));
                    let said = Said::Away(from, by_its_clock(link.since).max(from));
                    let dedupe = format!("away/{}/{}", session.id, link.since.0);
                    changed.extend(work::say(tx, scene, session, said, dedupe).await?);
                }
            }
            Ok(changed)
        };
        let changed = self.store.write(lane, unit).await?;
        self.tell(&org, changed).await;
        Ok(())
    }

    pub(super) async fn left(&self, link: &Link) -> Result<(), Error> {
        let (org, charger, link) = (link.org.clone(), link.charger.clone(), link.clone());
        let lane = Lane::charger(&link.org, &link.charger);
        let at = crate::clock::now();
        let unit = async move |tx: &mut Tx| {
            let was_there = tx.charger_disconnected(&link.org, &link.charger, &link.connection).await?;
            if was_there {
                log(tx, &link, at, "charger.disconnected", json!({}));
            }
            Ok(was_there)
        };
        if self.store.write(lane, unit).await? {
            self.watch().left(&org, &charger, at);
        }
        Ok(())
    }

    /// Whether a charger may say this. Before it is accepted, 2.x allows it to say who it is, and to tell of what has happened.
    pub(super) async fn may_speak(&self, link: &Link, report: &Report) -> Result<bool, Error> {
        if link.dialect == Dialect::V16 || report.is_transaction() || matches!(report, Report::Boot(_)) {
            return Ok(true);
        }
        // What it was asked for while it waits.
        if matches!(report, Report::Device(_)) {
            return Ok(true);
        }
        self.is_accepted(link).await
    }

    async fn is_accepted(&self, link: &Link) -> Result<bool, Error> {
        let stored = self.store.read().await?.charger(&link.org, &link.charger).await?;
        let rejected = self.rules(&link.org, &link.charger).rejected;
        Ok(!rejected && stored.is_none_or(|charger| charger.registration == Registration::Accepted))
    }

    pub(super) async fn boot(&self, link: &Link, received: Received) -> Result<Answer, Error> {
        let house = self.people.rules.house(&link.org, &link.charger);
        let rejected = self.rules(&link.org, &link.charger).rejected;
        let at = received.at;
        let fact = fact("boot", &received, None, None)?;
        let Report::Boot(boot) = received.report else { return Ok(Answer::Done) };
        let job = (link.clone(), boot, fact);
        let unit = async move |tx: &mut Tx| {
            let (link, boot, fact) = &job;
            let charger = tx.add_charger(&link.org, &link.charger, Registration::Accepted, at).await?;
            let told = Boot {
                vendor: boot.vendor.clone(),
                model: boot.model.clone(),
                serial: boot.serial.clone().or_else(|| boot.box_serial.clone()),
                firmware: boot.firmware.clone(),
                at,
            };
            tx.charger_booted(&link.org, &link.charger, &told).await?;
            tx.forget_told(&link.org, &link.charger).await?;
            forget_tariffs(tx, &link.org, &charger).await?;
            tx.append_fact(&link.org, &link.charger, fact).await?;
            let reason = boot.reason.as_ref().map(|reason| reason.as_str().to_owned());
            let document = json!({ "vendor": boot.vendor, "model": boot.model, "firmware": boot.firmware, "reason": reason });
            log(tx, link, at, "charger.booted", document);
            let scene = Scene { org: &link.org, charger: &link.charger, now: at };
            let mut changed = Vec::new();
            for session in work::readable(tx.running_sessions(&link.org, &link.charger, None).await?) {
                let dedupe = format!("boot/{}/{}", fact.id, session.id);
                changed.extend(work::say(tx, scene, session, Said::Booted(at), dedupe).await?);
            }
            Ok((charger.registration, changed))
        };
        let (registration, changed): (Registration, Vec<Changed>) =
            self.store.write(Lane::charger(&link.org, &link.charger), unit).await?;
        self.watch().forget_skew(&link.org, &link.charger);
        self.tell(&link.org, changed).await;
        let status = match registration {
            _ if rejected => Told::Rejected,
            Registration::Accepted => Told::Accepted,
            Registration::Pending => Told::Pending,
            Registration::Rejected => Told::Rejected,
        };
        let interval_s =
            if status == Told::Accepted { spread(house.heartbeat_s, &link.charger) } else { house.retry_s };
        Ok(Answer::Boot { status, now: at, interval_s, info: None })
    }

    /// Status, meter values without a transaction, unplugging.
    pub(super) async fn about_place(&self, link: &Link, received: Received) -> Result<Answer, Error> {
        let (kind, dedupe, at) = match &received.report {
            Report::Status(status) => {
                self.note_skew(link, [&status.at], received.at).await?;
                ("status", None, Some(status.at.at))
            }
            Report::Meter(meter) => {
                self.note_skew(link, meter.readings.iter().map(|reading| &reading.at), received.at).await?;
                ("meter", Some(dedupe::meter(meter)), meter.readings.first().map(|reading| reading.at.at))
            }
            Report::Unplugged(unplugged) => ("unplugged", None, Some(unplugged.at.at)),
            _ => return Ok(Answer::Done),
        };
        let known = |dedupe: &String| Ahead::Fact(link.org.clone(), link.charger.clone(), dedupe.clone());
        let ahead = dedupe.iter().map(known).collect();
        let fact = fact(kind, &received, dedupe, at)?;
        let job = (link.clone(), received, fact);
        let unit = async move |tx: &mut Tx| {
            let (link, received, fact) = &job;
            let scene = Scene { org: &link.org, charger: &link.charger, now: received.at };
            if let Some(dedupe) = &fact.dedupe
                && tx.find_fact(scene.org, scene.charger, dedupe).await?.is_some()
            {
                return Ok(None);
            }
            let session = match &received.report {
                Report::Status(status) => {
                    put_status(tx, link, status, received.at).await?;
                    watching(tx, scene, status).await?
                }
                // 0 is the charger as a whole: its main meter measures more than any session.
                Report::Meter(meter) if meter.place.evse == Some(0) => None,
                Report::Meter(meter) => open_at(tx, scene, meter.place.evse).await?,
                Report::Unplugged(unplugged) => left_by(tx, scene, unplugged).await?,
                _ => None,
            };
            let fact = Fact { session: session.as_ref().map(|session| session.id.clone()), ..fact.clone() };
            tx.keep_fact(scene.org, scene.charger, &fact).await?;
            let Some(session) = session else { return Ok(None) };
            let kept = Kept {
                report: Some(received.report.clone()),
                action: received.action.clone(),
                deviations: received.deviations.clone(),
                ..Kept::default()
            };
            work::take_in(tx, scene, session, (received.at, &kept), None).await.map(Some)
        };
        let lane = Lane::charger(&link.org, &link.charger);
        let changed = self.store.write_ahead(lane, ahead, unit).await?;
        self.tell(&link.org, changed.into_iter().collect()).await;
        Ok(Answer::Done)
    }

    /// Everything else is kept and answered as the standard has it.
    pub(super) async fn other(&self, link: &Link, received: Received) -> Result<Answer, Error> {
        let (kind, event) = match &received.report {
            Report::Firmware(_) => ("firmware", Some("charger.firmware")),
            Report::Log(_) => ("log", Some("charger.log")),
            Report::Security(_) => ("security", Some("charger.security")),
            Report::Reservation(_) => ("reservation", Some("charger.reservation")),
            Report::Device(_) => ("device", None),
            Report::Events(_) => ("events", None),
            Report::Data(_) => ("data", None),
            Report::Settlement(_) => ("settlement", None),
            Report::Document(_) => ("document", None),
            // Questions: nothing has happened.
            _ => return Ok(received.report.default_answer(received.at).unwrap_or(Answer::Done)),
        };
        let answer = received.report.default_answer(received.at).unwrap_or(Answer::Done);
        let mut fact = fact(kind, &received, None, None)?;
        // No session is built from these: they may be without the passwords in them.
        fact.document = secrets::blanked(&fact.document).into_owned();
        let job = (link.clone(), received, fact);
        let unit = async move |tx: &mut Tx| {
            let (link, received, fact) = &job;
            tx.keep_fact(&link.org, &link.charger, fact).await?;
            if let Report::Device(report) = &received.report {
                let variables = variables(report, received.at);
                tx.put_variables(&link.org, &link.charger, &variables).await?;
            }
            if let Some(event) = event {
                log(tx, link, received.at, event, event_document(&received.report));
            }
            Ok(())
        };
        self.store.write(Lane::charger(&link.org, &link.charger), unit).await?;
        Ok(answer)
    }

    /// Notes how far the clock of a charger is ahead of ours, where the times of a report can tell: the newest of them is that of its
    /// sending, if any is.
    pub(super) async fn note_skew<'a>(
        &self,
        link: &Link,
        times: impl IntoIterator<Item = &'a StationTime>,
        received: Instant,
    ) -> Result<(), Error> {
        let told = times.into_iter().filter(|time| time.sent.is_some() && time.flaw.is_none());
        let Some(newest) = told.map(|time| time.at).max() else { return Ok(()) };
        let skew = newest.0.saturating_sub(received.0);
        let Some(skew) = self.watch().skew(&link.org, &link.charger, skew, received) else { return Ok(()) };
        let (org, charger) = (link.org.clone(), link.charger.clone());
        let unit = async move |tx: &mut Tx| {
            // Of a charger that nobody knows there is nothing to note.
            match tx.charger(&org, &charger).await? {
                Some(_) => tx.set_skew(&org, &charger, skew).await,
                None => Ok(()),
            }
        };
        self.store.write(Lane::charger(&link.org, &link.charger), unit).await
    }
}

// Seconds between heartbeats, a tenth more or less: chargers that start together do not report together for ever.
fn spread(seconds: i64, charger: &str) -> i64 {
    let byte = a_byte(charger);
    let tenth = seconds / 10;
    (seconds - tenth + 2 * tenth * i64::from(byte) / 255).max(1)
}

fn a_byte(charger: &str) -> u8 {
    let digest = super::admit::digest(charger.as_bytes());
    digest.get(..2).and_then(|hex| u8::from_str_radix(hex, 16).ok()).unwrap_or_default()
}

pub(super) fn fact(
    kind: &str,
    received: &Received,
    dedupe: Option<String>,
    station_at: Option<Instant>,
) -> Result<Fact, Error> {
    let kept = Kept {
        report: Some(received.report.clone()),
        action: received.action.clone(),
        deviations: received.deviations.clone(),
        ..Kept::default()
    };
    Ok(Fact {
        id: new_id(),
        kind: kind.to_owned(),
        station_at,
        received_at: received.at,
        dedupe,
        document: to_json(&kept)?,
        session: None,
        answer: None,
    })
}

async fn put_status(
    tx: &mut Tx,
    link: &Link,
    status: &ConnectorStatus,
    received: Instant,
) -> Result<(), Error> {
    let Place { evse, connector } = status.place;
    let (Some(word), evse) = (&status.status, evse.unwrap_or_default()) else { return Ok(()) };
    let fault = status.fault.as_ref().map(to_json).transpose()?;
    let before = tx.connectors(&link.org, &link.charger).await?;
    let state = ConnectorState {
        evse,
        connector: connector.unwrap_or_default(),
        status: word.as_str().to_owned(),
        error: fault,
        since: status.at.at,
        received_at: received,
    };
    let before =
        before.into_iter().find(|known| known.evse == state.evse && known.connector == state.connector);
    // Said again it is still since then.
    let same =
        before.as_ref().is_some_and(|before| before.status == state.status && before.error == state.error);
    if same || !tx.put_connector(&link.org, &link.charger, &state).await? {
        return Ok(());
    }
    let document = json!({
        "evse": state.evse, "connector": state.connector, "status": state.status,
        "before": before.map(|before| before.status), "fault": status.fault,
    });
    log(tx, link, status.at.at, "charger.status", document);
    Ok(())
}

// The session that a connector's state tells something about.
async fn watching(tx: &mut Tx, scene: Scene<'_>, status: &ConnectorStatus) -> Result<Option<Session>, Error> {
    let Some(evse) = status.place.evse.filter(|evse| *evse > 0) else { return Ok(None) };
    let running = tx.running_sessions(scene.org, scene.charger, Some(evse)).await?;
    let other_connector = |session: &Session| {
        session.connector.zip(status.place.connector).is_some_and(|(own, told)| own != told)
    };
    Ok(running.into_iter().next_back().filter(|session| !other_connector(session)))
}

async fn left_by(tx: &mut Tx, scene: Scene<'_>, unplugged: &Unplugged) -> Result<Option<Session>, Error> {
    let reference = unplugged.reference.as_ref().map(|reference| match reference {
        Reference::Ours(id) => id.to_string(),
        Reference::Theirs(id) => id.clone(),
    });
    match reference {
        Some(reference) => tx.session_by_transaction(scene.org, scene.charger, &reference).await,
        None => {
            let running = tx.running_sessions(scene.org, scene.charger, None).await?;
            let mut stopped = running.into_iter().filter(|session| session.stopped_at.is_some());
            let found = stopped.next();
            Ok(found.filter(|_| stopped.next().is_none()))
        }
    }
}

fn variables(report: &DeviceReport, reported_at: Instant) -> Vec<StationVariable> {
    let named = |name: &str, instance: &Option<String>| match instance {
        Some(instance) => format!("{name}[{instance}]"),
        None => name.to_owned(),
    };
    let mut rows = Vec::new();
    for reported in &report.variables {
        let mut component = named(&reported.component.name, &reported.component.instance);
        let Place { evse, connector } = reported.component.place;
        for number in [evse, connector].into_iter().flatten() {
            component = format!("{component}/{number}");
        }
        let names = [&reported.component.name, &reported.variable.name];
        let instances = [&reported.component.instance, &reported.variable.instance];
        let secret =
            names.into_iter().chain(instances.into_iter().flatten()).any(|name| secrets::is_secret(name));
        for attribute in &reported.attributes {
            let secret = secret || attribute.mutability == Some(Mutability::WriteOnly);
            let mut attribute = attribute.clone();
            attribute.value = attribute.value.map(|value| match secret {
                true if !value.is_empty() => secrets::HIDDEN.to_owned(),
                _ => value,
            });
            let document = json!({ "attribute": attribute, "characteristics": reported.characteristics });
            rows.push(StationVariable {
                component: component.clone(),
                variable: named(&reported.variable.name, &reported.variable.instance),
                attribute: attribute.attribute.as_ref().map_or("Actual", Attribute::as_str).to_owned(),
                value: attribute.value,
                document: Some(document.to_string()),
                reported_at,
            });
        }
    }
    rows
}

fn event_document(report: &Report) -> Value {
    match report {
        Report::Firmware(report) => json!({ "status": report.status, "request": report.request }),
        Report::Log(report) => json!({ "status": report.status, "request": report.request }),
        Report::Security(event) => json!({ "kind": event.kind, "info": event.tech_info }),
        Report::Reservation(report) => json!({ "id": report.id, "end": report.end }),
        _ => Value::Null,
    }
}

#[expect(clippy::needless_pass_by_value, reason = "whoever calls makes it on the spot")]
pub(super) fn log(tx: &mut Tx, link: &Link, at: Instant, kind: &str, document: Value) {
    // What a charger writes in its own words may repeat an address with its password.
    let document = secrets::blanked(&document.to_string()).into_owned();
    tx.log_event(&link.org, NewEvent { at, kind: kind.to_owned(), subject: link.charger.clone(), document });
}
