//! Reports on transactions: each is one unit, and none is ever refused.

use super::Clerk;
use super::begin::{self, New};
use super::dedupe;
use super::rules::{ChargerRules, House};
use super::terms::Terms;
use super::tokens::Spot;
use super::work::{self, Changed, Document, Scene, to_json};
use crate::chargers::model::{
    Answer, Report, Token, TokenInfo, TokenStatus, TransactionAnswer, TransactionPhase, TransactionReport,
    Trigger, fold,
};
use crate::link::{Link, Received};
use crate::ocpp::Dialect;
use crate::sessions::Kept;
use crate::store::{Ahead, Error, Fact, Lane, OrgId, Session, SessionStatus, Tx, new_id};
use std::sync::Arc;
use takst_engine::units::Instant;

/// A report with all that was looked up for it.
struct Job {
    org: OrgId,
    charger: String,
    received: Instant,
    fact: Fact,
    kept: Kept,
    // The id that a new session would get.
    session: String,
    dialect: Dialect,
    info: Option<TokenInfo>,
    terms: Option<Terms>,
}

#[expect(clippy::large_enum_variant, reason = "there is one at a time")]
enum Ended {
    /// What the driver or place has to say is needed first: from then, there, with this token.
    Needs {
        at: Instant,
        evse: i64,
        token: Option<Token>,
    },
    Answered {
        answer: TransactionAnswer,
        session: Option<String>,
        changed: Vec<Changed>,
    },
}

impl Clerk {
    pub(super) async fn transaction(&self, link: &Link, received: Received) -> Result<Answer, Error> {
        let Received { report, action, at: received, deviations } = received;
        let Report::Transaction(report) = report else { return Ok(Answer::Done) };
        let rules = self.rules(&link.org, &link.charger);
        let house = self.people.rules.house(&link.org, &link.charger);
        let (info, same_group) = self.about_token(link, &report, &rules, &house).await?;
        let times = report.readings.iter().map(|reading| &reading.at);
        self.note_skew(link, times.chain([&report.at]), received).await?;
        let mut terms = None;
        if report.phase == TransactionPhase::Started {
            let mut reader = self.store.read().await?;
            let of = (&link.org, link.charger.as_str());
            let (plugged, _) = begin::hints(&mut reader, of, &report, house.waits.unplug_ms).await?;
            drop(reader);
            let spot = Spot {
                org: &link.org,
                charger: &link.charger,
                evse: Some(report.place.evse.unwrap_or_default()),
                at: report.at.at,
                plugged,
            };
            let reserved = self.reserved(spot, report.reservation).await?;
            terms = Some(self.terms(spot, report.token.as_ref(), &rules, &house).await?.reserved(reserved));
        }
        let kept = Kept {
            report: Some(Report::Transaction(report.clone())),
            action,
            deviations,
            same_group,
            ..Kept::default()
        };
        let fact = Fact {
            id: new_id(),
            kind: kind(&report, link.dialect).to_owned(),
            station_at: Some(report.at.at),
            received_at: received,
            dedupe: Some(dedupe::transaction(&report)),
            document: to_json(&kept)?,
            session: None,
            answer: None,
        };
        let session = new_id();
        // The second look comes when the unit finds that it needs terms; a third when another report changed things in between.
        for _ in 0..4 {
            let job = Arc::new(Job {
                org: link.org.clone(),
                charger: link.charger.clone(),
                received,
                fact: fact.clone(),
                kept: kept.clone(),
                session: session.clone(),
                dialect: link.dialect,
                info: info.clone(),
                terms: terms.clone(),
            });
            let unit = async move |tx: &mut Tx| work_on(tx, &job).await;
            let lane = Lane::charger(&link.org, &link.charger);
            match self.store.write_ahead(lane, ahead(link, &report), unit).await? {
                Ended::Needs { at, evse, token } => {
                    let spot =
                        Spot { org: &link.org, charger: &link.charger, evse: Some(evse), at, plugged: None };
                    let reserved = self.reserved(spot, report.reservation).await?;
                    terms = Some(self.terms(spot, token.as_ref(), &rules, &house).await?.reserved(reserved));
                }
                Ended::Answered { answer, session, changed } => {
                    self.tell(&link.org, changed).await;
                    return Ok(self.with_cost(link, answer, session.as_deref()));
                }
            }
        }
        Err(Error::Conflict("a report could not be placed".to_owned()))
    }

    /// After the commit: what was touched is watched on, and live prices are told.
    pub(super) async fn tell(&self, org: &OrgId, changed: Vec<Changed>) {
        for Changed { session, touched, open } in changed {
            self.watch().put(org, &session, open);
            self.people.sink.touched(org, &session, touched).await;
        }
    }

    // What we know of the token in a report, and whether one that stops belongs to the one that began.
    async fn about_token(
        &self,
        link: &Link,
        report: &TransactionReport,
        rules: &ChargerRules,
        house: &House,
    ) -> Result<(Option<TokenInfo>, bool), Error> {
        let Some(token) = &report.token else {
            // 1.6 has to be told something of a start without a token.
            let starts = report.phase == TransactionPhase::Started && link.dialect == Dialect::V16;
            if !starts {
                return Ok((None, false));
            }
            let spot =
                Spot { org: &link.org, charger: &link.charger, evse: None, at: report.at.at, plugged: None };
            return Ok((Some(self.who(spot, None, rules, house).await?.info), false));
        };
        let stops =
            report.phase == TransactionPhase::Ended || report.trigger == Some(Trigger::StopAuthorized);
        let evse = report.place.evse.filter(|evse| *evse > 0 && !stops);
        let spot = Spot { org: &link.org, charger: &link.charger, evse, at: report.at.at, plugged: None };
        let who = self.who(spot, Some(token), rules, house).await?;
        let mut info = TokenInfo { languages: house.languages.clone(), ..who.info };
        if who.master && !stops {
            info.status = TokenStatus::Invalid;
        }
        let mut same_group = false;
        if let Some(reference) = dedupe::reference(report).filter(|_| stops) {
            let session =
                self.store.read().await?.session_by_transaction(&link.org, &link.charger, &reference).await?;
            if let Some(began) =
                session.and_then(|session| session.token).filter(|began| fold(began) != fold(&token.id))
            {
                same_group = self.same_group(&link.org, &link.charger, &began, &token.id).await?;
            }
        }
        Ok((Some(info), same_group))
    }

    // Costs are not kept with the answer: said again they are those of the moment.
    fn with_cost(&self, link: &Link, mut answer: TransactionAnswer, session: Option<&str>) -> Answer {
        if link.dialect != Dialect::V16
            && let Some(cost) = session.and_then(|session| self.people.costs.cost(&link.org, session))
        {
            answer.total_cost = Some(cost.total);
            answer.message = cost.message;
            answer.more = cost.more;
        }
        Answer::Transaction(Box::new(answer))
    }
}

fn kind(report: &TransactionReport, dialect: Dialect) -> &'static str {
    match (dialect, report.phase) {
        (Dialect::V16, TransactionPhase::Started) => "start",
        (Dialect::V16, TransactionPhase::Updated) => "meter",
        (Dialect::V16, TransactionPhase::Ended) => "stop",
        _ => "event",
    }
}

// What the unit is going to look up.
fn ahead(link: &Link, report: &TransactionReport) -> Vec<Ahead> {
    let (org, charger) = (&link.org, &link.charger);
    let session =
        begin::reference(report).map(|session| Ahead::Transaction(org.clone(), charger.clone(), session));
    let fact = Ahead::Fact(org.clone(), charger.clone(), dedupe::transaction(report));
    std::iter::once(fact).chain(session).collect()
}

async fn work_on(tx: &mut Tx, job: &Job) -> Result<Ended, Error> {
    let scene = Scene { org: &job.org, charger: &job.charger, now: job.received };
    let Some(Report::Transaction(report)) = &job.kept.report else {
        return Err(Error::refused("this is no report on a transaction"));
    };
    let mut fact = job.fact.clone();
    if let Some(known) = known(tx, scene, report, &mut fact, &job.session).await? {
        let answer = known.answer.as_deref().and_then(|answer| serde_json::from_str(answer).ok());
        return Ok(Ended::Answered {
            answer: answer.unwrap_or_default(),
            session: known.session,
            changed: Vec::new(),
        });
    }
    let found = find(tx, scene, report).await?;
    if let Some(session) = &found
        && let Some(needs) = needs(session, report, job)?
    {
        return Ok(needs);
    }
    let loose = found.is_none() && is_loose(tx, scene, report, job.dialect).await?;
    if found.is_none() && !loose && job.terms.is_none() {
        let (at, evse) = (report.at.at, report.place.evse.unwrap_or_default());
        return Ok(Ended::Needs { at, evse, token: report.token.clone().filter(|_| !stops(report)) });
    }
    let starts_here = report.phase == TransactionPhase::Started && report.reference.is_none();
    let mut reference = begin::reference(report);
    let mut answer = TransactionAnswer { token: job.info.clone(), ..TransactionAnswer::default() };
    if starts_here && job.dialect == Dialect::V16 {
        let number = begin::number(tx, scene).await?;
        answer.id = Some(number);
        reference = Some(number.to_string());
    }
    let session =
        found.as_ref().map(|session| session.id.clone()).or_else(|| (!loose).then(|| job.session.clone()));
    fact.session.clone_from(&session);
    fact.answer = Some(to_json(&answer)?);
    tx.keep_fact(scene.org, scene.charger, &fact).await?;
    let changed = match (found, &job.terms) {
        (Some(session), terms) => {
            let starts = report.phase == TransactionPhase::Started;
            let terms = terms.as_ref().filter(|_| takes_terms(&session, report));
            let id = session.id.clone();
            let mut changed =
                vec![work::take_in(tx, scene, session, (job.received, &job.kept), terms).await?];
            if starts {
                changed.extend(begin::succeed(tx, scene, &id, report.place.evse.unwrap_or_default()).await?);
            }
            changed
        }
        (None, Some(terms)) if !loose => {
            let new = New { id: &job.session, reference, report, terms };
            begin::begin(tx, scene, new, &job.kept).await?
        }
        _ => Vec::new(),
    };
    Ok(Ended::Answered { answer, session, changed })
}

// The same report, kept before. One that only looks the same gets a key of its own. `session` is what it would begin.
async fn known(
    tx: &mut Tx,
    scene: Scene<'_>,
    report: &TransactionReport,
    fact: &mut Fact,
    session: &str,
) -> Result<Option<Fact>, Error> {
    let Some(dedupe) = fact.dedupe.clone() else { return Ok(None) };
    let Some(known) = tx.find_fact(scene.org, scene.charger, &dedupe).await? else { return Ok(None) };
    let Ok(Kept { report: Some(Report::Transaction(before)), .. }) =
        serde_json::from_str::<Kept>(&known.document)
    else {
        return Ok(Some(known));
    };
    if report.seq.is_some() {
        // Two reports with one number: a charger that counts wrongly.
        if dedupe::content(&before) == dedupe::content(report) {
            return Ok(Some(known));
        }
        let own = format!("{dedupe}#{}", dedupe::content(report));
        let again = tx.find_fact(scene.org, scene.charger, &own).await?;
        fact.dedupe = Some(own);
        return Ok(again);
    }
    if report.phase == TransactionPhase::Started
        && report.at.flaw.is_some_and(crate::chargers::time::TimeFlaw::substituted)
    {
        // A clock that begins in 1970 with every boot gives many starts one time. It is the same as long as that session runs.
        let ended = match known.session.as_deref() {
            Some(session) => {
                tx.session(scene.org, session).await?.is_none_or(|session| session.stopped_at.is_some())
            }
            None => true,
        };
        if ended {
            let of = |session: &str| format!("{dedupe}#{session}");
            fact.dedupe = Some(of(session));
            let Some(open) = open_at(tx, scene, report.place.evse).await? else { return Ok(None) };
            return tx.find_fact(scene.org, scene.charger, &of(&open.id)).await;
        }
    }
    Ok(Some(known))
}

// The session that a report is about, if there is one.
async fn find(tx: &mut Tx, scene: Scene<'_>, report: &TransactionReport) -> Result<Option<Session>, Error> {
    if let Some(reference) = begin::reference(report) {
        return tx.session_by_transaction(scene.org, scene.charger, &reference).await;
    }
    match report.phase {
        TransactionPhase::Started => Ok(None),
        // The main meter of a charger (0) measures more than any session.
        TransactionPhase::Updated if report.place.evse == Some(0) => Ok(None),
        TransactionPhase::Updated => open_at(tx, scene, report.place.evse).await,
        TransactionPhase::Ended => the_only_one(tx, scene, report).await,
    }
}

/// The session whose transaction goes on at an EVSE; where none is said, the only one of the charger.
pub(super) async fn open_at(
    tx: &mut Tx,
    scene: Scene<'_>,
    evse: Option<i64>,
) -> Result<Option<Session>, Error> {
    let evse = evse.filter(|evse| *evse > 0);
    let running = tx.running_sessions(scene.org, scene.charger, evse).await?;
    let mut open = running.into_iter().filter(|session| session.stopped_at.is_none());
    let found = open.next_back();
    let only = open.next().is_none();
    Ok(found.filter(|_| evse.is_some() || only))
}

// A stop that names nobody's transaction (case 5): the only one that it can be.
async fn the_only_one(
    tx: &mut Tx,
    scene: Scene<'_>,
    report: &TransactionReport,
) -> Result<Option<Session>, Error> {
    let evse = report.place.evse.filter(|evse| *evse > 0);
    let running = tx.running_sessions(scene.org, scene.charger, evse).await?;
    let fits = |session: &Session| {
        let began = session.started_at.is_some_and(|began| began <= report.at.at);
        let token = report.token.as_ref().zip(session.token.as_ref());
        session.stopped_at.is_none() && began && token.is_none_or(|(token, began)| token.is(began))
    };
    let mut fitting = running.into_iter().filter(fits);
    let found = fitting.next();
    Ok(found.filter(|_| fitting.next().is_none()))
}

fn stops(report: &TransactionReport) -> bool {
    report.phase == TransactionPhase::Ended || report.trigger == Some(Trigger::StopAuthorized)
}

// Whether the report says who charges, or since when, for the first time.
fn takes_terms(session: &Session, report: &TransactionReport) -> bool {
    let who = report.token.is_some() && !stops(report);
    let since = report.phase == TransactionPhase::Started;
    // Most reports say neither: what is known need not be read for them.
    if !who && !since {
        return false;
    }
    let Ok(Document { track, .. }) = work::document(session) else { return false };
    who && track.token().is_none() || since && !track.has_start()
}

fn needs(session: &Session, report: &TransactionReport, job: &Job) -> Result<Option<Ended>, Error> {
    if !takes_terms(session, report) {
        return Ok(None);
    }
    let starts = report.phase == TransactionPhase::Started;
    let at = if starts { report.at.at } else { session.started_at.unwrap_or(report.at.at) };
    let evse = report.place.evse.filter(|evse| *evse > 0).unwrap_or(session.evse);
    let began = session.token.as_deref().map(Token::plain);
    let token = report.token.clone().filter(|_| !stops(report)).or(began);
    let same_token = |terms: &Terms| {
        let told = token.as_ref().map(|token| fold(&token.id));
        told == terms.who.uid.as_deref().map(fold) || told.is_none()
    };
    let fits = job.terms.as_ref().is_some_and(same_token);
    Ok((!fits).then_some(Ended::Needs { at, evse, token }))
}

// Meter values of a transaction that nobody knows, while another one goes on there (1.6): they are kept, and belong to the connector.
async fn is_loose(
    tx: &mut Tx,
    scene: Scene<'_>,
    report: &TransactionReport,
    dialect: Dialect,
) -> Result<bool, Error> {
    if report.phase != TransactionPhase::Updated {
        return Ok(false);
    }
    if report.reference.is_none() {
        return Ok(true);
    }
    if dialect != Dialect::V16 {
        return Ok(false);
    }
    let running = tx.running_sessions(scene.org, scene.charger, report.place.evse).await?;
    Ok(running.iter().any(|session| session.status == SessionStatus::Running))
}
