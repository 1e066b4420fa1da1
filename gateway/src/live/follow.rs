//! The running price of one session, fed with the rows the desk writes.

use super::{Live, Now};
use crate::billing::{Counted, Course, Days, Followed, NextList, Ready, news, occupancy, opening, span};
use crate::chargers::model::Reference;
use crate::ocpp::Dialect;
use crate::sessions::{Doing, Touched, to_engine};
use crate::store::{self, OrgId, PowerChange, Reading, Session, SessionParts, StateChange};
use std::collections::VecDeque;
use std::sync::{Arc, PoisonError};
use takst_engine::calendar_time::INSTANTS;
use takst_engine::lists::{Lists, RunningLists};
use takst_engine::running::LONGEST_SESSION_DAYS;
use takst_engine::session as engine;
use takst_engine::table::DayTable;
use takst_engine::tariff::{ChargeKind, Measure};
use takst_engine::units::{DAY_MS, Day, Energy, HOUR_MS, Instant};
use takst_engine::{Begin, PriceBook, PriceError, SoFar, Standing};

/// So many reports tell how far the clock of a charger is from ours.
const LAGS: usize = 8;

/// A session that is followed.
pub(super) struct Held {
    pub session: Session,
    pub facts: engine::Facts,
    pub course: Arc<Course>,
    /// The turn of the set-up that its lists are of.
    pub turn: u64,
    /// What comes into force for it and is not noted yet; and why it keeps its list, where it does.
    pub upcoming: Vec<(NextList, Option<String>)>,
    pub book: Arc<PriceBook>,
    pub running: RunningLists,
    explicit_states: bool,
    explicit_power: bool,
    uses_power: bool,
    // The last row of each list; what follows has the next number.
    reading: Option<Reading>,
    state: Option<StateChange>,
    power: Option<PowerChange>,
    // Drawn between the last two readings, millionths of a kW.
    drawn: Option<i64>,
    /// The station time of the last report.
    heard: Instant,
    // How long the last reports were on their way, by both clocks.
    lags: VecDeque<i64>,
    /// The transaction has stopped.
    pub stopped: bool,
    pub dialect: Option<Dialect>,
    pub look: Looked,
}

/// What came of earlier looks.
#[derive(Default)]
pub(super) struct Looked {
    pub state: Option<engine::State>,
    pub fee_from: Option<Instant>,
    pub told_ended: bool,
    pub told_soon: bool,
    pub told_fee: bool,
    pub progress: Option<(Instant, i64, engine::State)>,
    pub displayed: Option<(Instant, i64, engine::State)>,
    /// A report has come since the display was last told something.
    pub heard: bool,
    pub stopped: Option<Instant>,
    /// When the next notice is due, by our clock.
    pub next: Option<Instant>,
    /// By the day and the version of the list.
    pub tables: Vec<(Day, String, Arc<DayTable>)>,
}

// The lists of a session, also those that it will go over to.
struct Lined {
    course: Course,
    upcoming: Vec<(NextList, Option<String>)>,
    turn: u64,
}

/// What the rows did not fit: the session has to be read anew.
pub(super) struct Anew;

impl From<PriceError> for Anew {
    fn from(_: PriceError) -> Self {
        Self
    }
}

impl Live {
    /// Brings a session up to what was written; its sums, or those of its end. None when it is not to be followed.
    pub(super) async fn follow(
        &self,
        org: &OrgId,
        session: &str,
        held: &mut Option<Held>,
        touched: Touched,
    ) -> Result<Option<SoFar>, store::Error> {
        if touched.ended {
            return self.finish(org, session, held).await;
        }
        let went = match held.as_mut() {
            Some(held) if !touched.rebuilt && held.turn == self.inner.tariffs.turn() => {
                held.take(&touched).is_ok()
            }
            _ => false,
        };
        if let Some(held) = held.as_mut() {
            held.stopped |= touched.stopped;
        }
        if !went {
            let looked = held.take().map(|held| held.look);
            *held = self.read(org, session).await?;
            if let (Some(held), Some(looked)) = (held.as_mut(), looked) {
                held.look = Looked { fee_from: None, tables: Vec::new(), ..looked };
            }
        }
        Ok(held.as_ref().and_then(|held| held.so_far().ok()))
    }

    fn ready(&self, version: &str) -> Option<Arc<Ready>> {
        let mut known = self.inner.ready.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(ready) = known.get(version) {
            return Some(Arc::clone(ready));
        }
        let ready = Arc::new(Ready::of(self.inner.tariffs.prepared(version)?));
        if known.len() >= 1000 {
            known.clear();
        }
        known.insert(version.to_owned(), Arc::clone(&ready));
        Some(ready)
    }

    // The lists that a session follows, also those that it will go over to as far as they are known, and those that are not noted yet.
    fn course(&self, org: &OrgId, stored: &Session) -> Option<Lined> {
        // Before the lists are asked for: a set-up that comes meanwhile is looked at again.
        let turn = self.inner.tariffs.turn();
        let followed = Followed::of(stored)?;
        let Ok(course) = Course::of(&followed, |version| self.ready(version)) else { return None };
        let until = stored.plugged_in.0.saturating_add(LONGEST_SESSION_DAYS * DAY_MS);
        let upcoming = news(&*self.inner.tariffs, org, stored, Instant(until));
        let mut later = course.later().to_vec();
        for (next, _) in upcoming.iter().filter(|(_, kept)| kept.is_none()) {
            later.push((next.from, self.ready(next.prepared.version())?));
        }
        Some(Lined { course: Course::new(Arc::clone(course.first()), later), upcoming, turn })
    }

    // A running session from the storage. None when it is over or cannot be priced.
    async fn read(&self, org: &OrgId, session: &str) -> Result<Option<Held>, store::Error> {
        let mut reader = self.inner.store.read().await?;
        let Some(stored) = reader.session(org, session).await? else { return Ok(None) };
        if stored.billing != store::Billing::Open {
            return Ok(None);
        }
        let mut parts = reader.session_parts(org, session).await?;
        let Some(lined) = self.course(org, &stored) else { return Ok(None) };
        self.count_places(&mut reader, org, &lined.course, &stored, &mut parts).await?;
        let standing = standing(&mut reader, org, &lined.course, &stored, &parts).await?;
        let protocol = reader.charger(org, &stored.charger).await?.and_then(|charger| charger.protocol);
        let dialect = self
            .inner
            .chargers
            .dialect(org, &stored.charger)
            .or_else(|| protocol.as_deref().and_then(Dialect::of_subprotocol));
        drop(reader);
        let book = self.inner.books.of(org);
        match Held::new(stored, &parts, lined, book, &standing, dialect) {
            Ok(held) => Ok(Some(held)),
            Err(why) => {
                tracing::info!(session, why, "a running session has no price");
                Ok(None)
            }
        }
    }

    // What it came to, worked out from all that is stored: as the bill will be.
    async fn finish(
        &self,
        org: &OrgId,
        session: &str,
        held: &mut Option<Held>,
    ) -> Result<Option<SoFar>, store::Error> {
        let mut reader = self.inner.store.read().await?;
        let Some(stored) = reader.session(org, session).await? else { return Ok(None) };
        let mut parts = reader.session_parts(org, session).await?;
        let Some(unplugged) = stored.unplugged else { return Ok(None) };
        let Some(lined) = self.course(org, &stored) else { return Ok(None) };
        self.count_places(&mut reader, org, &lined.course, &stored, &mut parts).await?;
        let standing = standing(&mut reader, org, &lined.course, &stored, &parts).await?;
        drop(reader);
        let dialect = self.inner.chargers.dialect(org, &stored.charger);
        let book = self.inner.books.of(org);
        let Ok(mut last) = Held::new(stored, &parts, lined, book, &standing, dialect) else {
            return Ok(None);
        };
        let sums = last.end(unplugged).ok();
        if let Some(before) = held.take() {
            last.look = before.look;
        }
        *held = Some(last);
        Ok(sums)
    }
}

impl Live {
    // How full the site is, where the tariff asks for it; from then on it is looked at again whenever somebody comes or goes there.
    async fn count_places(
        &self,
        reader: &mut store::Reader,
        org: &OrgId,
        course: &Course,
        stored: &Session,
        parts: &mut SessionParts,
    ) -> Result<(), store::Error> {
        let asks = course.each().map(|ready| ready.prepared.tariff()).find(|tariff| occupancy::asks(tariff));
        let Some(tariff) = asks else { return Ok(()) };
        if let Some(site) = &stored.site {
            let mut asking = self.inner.asking.lock().unwrap_or_else(PoisonError::into_inner);
            let sessions = asking.entry((org.clone(), site.clone())).or_default();
            sessions.insert(stored.id.clone());
        }
        occupancy::add(reader, org, (self.inner.tariffs.as_ref(), tariff), stored, parts).await.map(drop)
    }
}

async fn standing(
    reader: &mut store::Reader,
    org: &OrgId,
    course: &Course,
    stored: &Session,
    parts: &SessionParts,
) -> Result<Standing, store::Error> {
    let currency = course.first().prepared.tariff().currency.code.as_str();
    let seller = stored.seller.as_deref().unwrap_or_default();
    let counted = course.each().fold(Counted::default(), |all, ready| all.and(ready.counted));
    let scopes = counted.scopes(seller, currency, stored.driver.as_deref(), stored.site.as_deref());
    if scopes.is_empty() {
        return Ok(Standing::default());
    }
    let mut all = Vec::with_capacity(scopes.len());
    for (scope, name) in scopes {
        let row = reader.standing(org, &name).await?;
        let stands = row.and_then(|row| Standing::from_json(&row.document).ok()).unwrap_or_default();
        all.push((scope, stands));
    }
    // Of the session's days; a running one can go on into the next.
    let Ok(session) = to_engine(stored, parts) else { return Ok(Standing::default()) };
    let (from, until) = span(&session);
    if !INSTANTS.contains(&from.0) || !INSTANTS.contains(&until.0) {
        return Ok(Standing::default());
    }
    Ok(opening(&all, Days::of(course.zone(), (from, until))))
}

impl Held {
    fn new(
        stored: Session,
        parts: &SessionParts,
        Lined { course, upcoming, turn }: Lined,
        book: Arc<PriceBook>,
        standing: &Standing,
        dialect: Option<Dialect>,
    ) -> Result<Self, String> {
        let session = to_engine(&stored, parts)?;
        let begin = Begin {
            plugged_in: session.plugged_in,
            explicit_states: !session.states.is_empty(),
            explicit_power: !session.power.is_empty(),
        };
        let running = course.with(&book, None, |lists| {
            let mut running = RunningLists::begin(lists, &session.facts, &begin, standing)?;
            for state in &session.states {
                running.state(lists, *state)?;
            }
            for power in &session.power {
                running.power(lists, *power)?;
            }
            for occupancy in &session.occupancy {
                running.occupancy(lists, *occupancy)?;
            }
            // What is known after the last reading waits for the next one: the register rises on a straight line up to it.
            running.readings(lists, &session.readings)?;
            Ok(running)
        });
        let running = running.map_err(|error| error.to_string())?;
        let measures = |ready: &Arc<Ready>| {
            let mut measures = ready.prepared.tariff().measures.iter();
            measures.any(|measure| matches!(measure, Measure::Power | Measure::Current))
        };
        let uses_power = course.each().any(measures);
        let read = parts.readings.iter().rev().take(LAGS).map(|reading| (reading.at, reading.received_at));
        let stated = parts.states.iter().rev().take(LAGS).map(|state| (state.from_at, state.received_at));
        let mut reports: Vec<(Instant, Instant)> = read.chain(stated).collect();
        reports.sort_unstable();
        if reports.is_empty() {
            reports.push((stored.plugged_in, stored.created_at));
        }
        let heard = reports.last().map_or(stored.plugged_in, |(at, _)| *at);
        let lags =
            reports.iter().rev().take(LAGS).rev().map(|(at, received)| received.0.saturating_sub(at.0));
        let drawn = match parts.readings.as_slice() {
            [.., one, other] => drawn(one, other),
            _ => None,
        };
        Ok(Self {
            facts: session.facts,
            explicit_states: begin.explicit_states,
            explicit_power: begin.explicit_power,
            uses_power,
            reading: parts.readings.last().cloned(),
            state: parts.states.last().cloned(),
            power: parts.power.last().cloned(),
            drawn,
            heard,
            lags: lags.collect(),
            stopped: stored.stopped_at.is_some(),
            session: stored,
            course: Arc::new(course),
            upcoming,
            turn,
            book,
            running,
            dialect,
            look: Looked::default(),
        })
    }

    // Goes on with the rows that were written.
    fn take(&mut self, touched: &Touched) -> Result<(), Anew> {
        // The lists with their prices are borrowed while the rest changes.
        let (course, book) = (Arc::clone(&self.course), Arc::clone(&self.book));
        course.with(&book, None, |lists| Ok(self.take_by(lists, touched)))?
    }

    fn take_by(&mut self, lists: &Lists<'_>, touched: &Touched) -> Result<(), Anew> {
        let plugged_in = self.session.plugged_in;
        let inside = |at: Instant| at.max(plugged_in);
        for row in &touched.states {
            if !is_next(self.state.as_ref(), row, |row| row.seq)? {
                continue;
            }
            let state = Doing::read(&row.state).ok_or(Anew)?.state();
            if !self.explicit_states {
                return Err(Anew);
            }
            self.running.state(lists, engine::StateFrom { from: inside(row.from_at), state })?;
            self.state = Some(row.clone());
            self.hear(row.from_at, row.received_at);
        }
        for row in &touched.power {
            if !is_next(self.power.as_ref(), row, |row| row.seq)? {
                continue;
            }
            let first = self.power.is_none();
            self.power = Some(row.clone());
            if self.explicit_power {
                let from = inside(row.from_at);
                let power =
                    engine::PowerFrom { from, power: row.measured().unwrap_or_default(), current: row.amps };
                self.running.power(lists, power)?;
            } else if first && self.uses_power {
                // Whether the session tells its power from now on is judged from all of it.
                return Err(Anew);
            }
        }
        for row in &touched.readings {
            if !is_next(self.reading.as_ref(), row, |row| row.seq)? {
                continue;
            }
            let segment = u32::try_from(row.segment).map_err(|_| Anew)?;
            let last = self.reading.as_ref().filter(|last| last.segment == row.segment);
            if row.exported.is_some() && last.is_some_and(|last| last.exported.is_none()) {
                // What the register of export shows now it showed before too.
                return Err(Anew);
            }
            let (import, export) = (row.imported, row.exported.unwrap_or_default());
            let reading = engine::Reading { at: inside(row.at), import, export, segment };
            self.running.readings(lists, &[reading])?;
            self.drawn = self.reading.as_ref().map_or(self.drawn, |last| drawn(last, row).or(self.drawn));
            self.reading = Some(row.clone());
            self.hear(row.at, row.received_at);
        }
        Ok(())
    }

    // The running price with the lists and their prices.
    fn priced<T>(
        &self,
        what: impl FnOnce(&RunningLists, &Lists<'_>) -> Result<T, PriceError>,
    ) -> Result<T, PriceError> {
        self.course.with(&self.book, None, |lists| what(&self.running, lists))
    }

    fn end(&mut self, unplugged: Instant) -> Result<SoFar, PriceError> {
        let (course, book) = (Arc::clone(&self.course), Arc::clone(&self.book));
        course.with(&book, None, |lists| {
            if unplugged > self.running.now() {
                self.running.until(lists, unplugged)?;
            }
            self.running.so_far(lists)
        })
    }

    pub fn so_far(&self) -> Result<SoFar, PriceError> {
        self.priced(RunningLists::so_far)
    }

    /// The lists that have come into force for it by now and are not noted yet, taken out.
    pub fn take_due(&mut self, now: Instant) -> Vec<(NextList, Option<String>)> {
        let at = self.station_time(now);
        let due = self.upcoming.iter().take_while(|(next, _)| next.from <= at).count();
        self.upcoming.drain(..due).collect()
    }

    /// Whether a list has come into force for it that is not noted yet.
    pub fn goes_over(&self, now: Instant) -> bool {
        self.upcoming.first().is_some_and(|(next, _)| next.from <= self.station_time(now))
    }

    /// What the car does, as far as it is known; a state that came after the last reading counts already.
    pub fn doing(&self) -> engine::State {
        let stated = self.state.as_ref().filter(|_| self.explicit_states);
        match stated.and_then(|row| Doing::read(&row.state)).map(Doing::state) {
            // A car is idle after it has charged.
            Some(engine::State::Idle) if self.running.energy() == Energy(0) => engine::State::Waiting,
            Some(state) => state,
            None => self.running.state_now(),
        }
    }

    /// What it comes to at a later instant, if it goes on as now.
    pub fn ahead(&self, at: Instant) -> Result<SoFar, PriceError> {
        let passed = at.0.saturating_sub(self.running.now().0).max(0);
        let more = match self.doing() {
            engine::State::Charging => self.power_now().map_or(0, |power| {
                let energy = i128::from(power) * i128::from(passed) / i128::from(HOUR_MS);
                i64::try_from(energy).unwrap_or(i64::MAX / 4)
            }),
            _ => 0,
        };
        self.priced(|running, lists| running.ahead(lists, at, Energy(more)))
    }

    /// What it comes to at a later instant while nothing is heard: time passes as the state has it, energy stays as it was read.
    pub fn meanwhile(&self, at: Instant) -> Result<SoFar, PriceError> {
        // Where the states follow from the registers, a register that stands still would be a car that does not charge.
        let charges = matches!(self.doing(), engine::State::Charging | engine::State::Feeding);
        let more = Energy(i64::from(charges && !self.explicit_states));
        let sums = self.priced(|running, lists| running.ahead(lists, at, more))?;
        Ok(SoFar { energy: self.running.energy(), ..sums })
    }

    /// Whether time that passes while the car charges costs something.
    pub fn charges_by_time(&self) -> bool {
        let mut charges = self.course.each().flat_map(|ready| &ready.prepared.tariff().charges);
        charges.any(|charge| matches!(charge.kind, ChargeKind::ChargingTime | ChargeKind::ConnectedTime))
    }

    /// When standing begins to cost something, at the soonest in the next two days.
    pub fn first_fee(&self) -> Option<Instant> {
        let until = Instant(self.running.now().0.saturating_add(48 * HOUR_MS));
        self.priced(|running, lists| running.first_fee(lists, until)).ok().flatten()
    }

    /// The time at the charger, by its own clock. A report can be late, never early: the quickest of the last ones tells how far the
    /// clocks are apart.
    pub fn station_time(&self, now: Instant) -> Instant {
        let lag = self.lags.iter().min().copied().unwrap_or(0);
        Instant(now.0.saturating_sub(lag)).max(self.heard)
    }

    /// When it is that time at the charger, by our clock.
    pub fn by_our_clock(&self, at: Instant) -> Instant {
        Instant(at.0.saturating_add(self.lags.iter().min().copied().unwrap_or(0)))
    }

    fn hear(&mut self, at: Instant, received: Instant) {
        self.heard = self.heard.max(at);
        if self.lags.len() >= LAGS {
            self.lags.pop_front();
        }
        self.lags.push_back(received.0.saturating_sub(at.0));
    }

    /// Power drawn now, millionths of a kW: as measured, or between the last two readings.
    pub fn power_now(&self) -> Option<i64> {
        match (&self.power, self.doing()) {
            (_, engine::State::Waiting | engine::State::Idle | engine::State::Paused) => Some(0),
            (Some(power), _)
                if power.measured().is_some()
                    && self.reading.as_ref().is_none_or(|reading| power.from_at >= reading.at) =>
            {
                power.measured()
            }
            (power, _) => self.drawn.or(power.as_ref().and_then(PowerChange::measured)),
        }
    }

    /// The register at the last reading.
    pub fn register(&self) -> Option<Energy> {
        self.reading.as_ref().map(|reading| reading.imported)
    }

    /// The transaction as the charger knows it.
    pub fn reference(&self) -> Option<Reference> {
        let text = self.session.transaction_ref.as_deref()?;
        match self.dialect? {
            Dialect::V16 => text.parse().ok().map(Reference::Ours),
            Dialect::V201 | Dialect::V21 => Some(Reference::Theirs(text.to_owned())),
        }
    }

    pub fn snapshot(&self, sums: &SoFar, ended: bool) -> Now {
        let currency = &self.course.first().prepared.tariff().currency;
        Now {
            session: self.session.id.clone(),
            charger: self.session.charger.clone(),
            at: sums.at,
            // What was said after the last reading is not in the sums yet.
            state: if ended { sums.state } else { self.doing() },
            energy: sums.energy,
            power: self.power_now(),
            currency: currency.code.clone(),
            digits: currency.digits,
            net: sums.net,
            tax: sums.tax,
            total: sums.total,
            pending: !sums.pending.is_empty(),
            fee_from: self.look.fee_from,
            ceiling: self.session.ceiling_minor,
            ended,
        }
    }
}

// Whether a row is the one after the last; false for the last one again.
fn is_next<R: PartialEq>(last: Option<&R>, row: &R, seq: impl Fn(&R) -> i64) -> Result<bool, Anew> {
    match last {
        Some(last) if last == row => Ok(false),
        Some(last) if seq(row) == seq(last) + 1 => Ok(true),
        None if seq(row) == 0 => Ok(true),
        _ => Err(Anew),
    }
}

fn drawn(one: &Reading, other: &Reading) -> Option<i64> {
    let time = other.at.0.checked_sub(one.at.0).filter(|time| *time > 0 && one.segment == other.segment)?;
    let energy = i128::from(other.imported.0.checked_sub(one.imported.0)?) * i128::from(HOUR_MS);
    i64::try_from(energy / i128::from(time)).ok()
}
