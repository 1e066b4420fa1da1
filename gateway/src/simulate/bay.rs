//! A connector and the cars that come to it.

use super::car::{Car, WH};
use super::charger::Body;
use super::event::Event;
use super::words::{Kind, Message, Meter, Reason, Shown, Status, TransactionEvent};
use std::sync::Arc;
use takst_engine::units::Instant;

/// Never.
pub(super) const NEVER: Instant = Instant(i64::MAX);
/// How long a driver waits for an answer to his token.
const PATIENCE: i64 = 60_000;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Free,
    Plugged,
    Asking,
    Charging,
    Full,
    Stopped,
    Faulted,
}

/// A connector.
#[derive(Clone, Debug)]
pub(super) struct Bay {
    number: u32,
    /// Its meter, in W·ms.
    register: i64,
    counted: Instant,
    state: State,
    /// When the state ends by itself.
    next: Instant,
    visit: Option<Box<Visit>>,
    transaction: Option<Box<Transaction>>,
    operative: bool,
    reserved: Option<Box<Reserved>>,
    told: Option<Shown>,
}

#[derive(Clone, Debug)]
struct Visit {
    car: Car,
    token: Arc<str>,
    stays: i64,
    remote: Option<i64>,
    ordered: bool,
}

#[derive(Clone, Debug)]
struct Transaction {
    key: u32,
    id: u128,
    seq: u32,
    began_at: i64,
    next_sample: Instant,
    token: Arc<str>,
    remote: Option<i64>,
}

/// A place that is kept for somebody.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Reserved {
    pub id: i64,
    pub token: Arc<str>,
    pub until: Instant,
}

fn after(t: Instant, ms: i64) -> Instant {
    Instant(t.0.saturating_add(ms))
}

impl Bay {
    /// A free connector; the first car comes in time.
    pub(super) fn new(number: u32, t: Instant, body: &mut Body) -> Self {
        let register = body.rng.i64(10_000..5_000_000) * WH;
        let next = body.plan.cars.as_ref().map_or(NEVER, |cars| after(t, cars.free_for.pick(&mut body.rng)));
        Self {
            number,
            register,
            counted: t,
            state: State::Free,
            next,
            visit: None,
            transaction: None,
            operative: true,
            reserved: None,
            told: None,
        }
    }

    pub(super) const fn number(&self) -> u32 {
        self.number
    }

    /// When it next does something by itself.
    pub(super) fn due(&self, body: &Body) -> Instant {
        let mut due = self.next;
        if let Some(transaction) = &self.transaction {
            due = due.min(transaction.next_sample);
        }
        if let (State::Charging, Some(visit)) = (self.state, &self.visit) {
            due = due.min(after(self.counted, visit.car.full_in(body.plan.power_of(self.number))));
        }
        if let Some(reserved) = &self.reserved {
            due = due.min(reserved.until);
        }
        due
    }

    /// Does what is due.
    pub(super) fn step(&mut self, t: Instant, body: &mut Body) {
        self.count(t, body);
        if self.reserved.as_ref().is_some_and(|reserved| t >= reserved.until) {
            self.reserved = None;
            self.tell(t, body);
        }
        let full = self.visit.as_ref().is_some_and(|visit| visit.car.is_full());
        if self.state == State::Charging && full {
            self.next = after(t, self.visit.as_ref().map_or(0, |visit| visit.stays));
            self.state = State::Full;
            self.event(Kind::Turned, t, body);
            self.tell(t, body);
        }
        if self.transaction.as_ref().is_some_and(|transaction| t >= transaction.next_sample) {
            self.event(Kind::Sample, t, body);
            let every = body.meter_every.max(10);
            if let Some(transaction) = &mut self.transaction {
                let next = after(transaction.next_sample, every);
                transaction.next_sample = if next > t { next } else { after(t, every) };
            }
        }
        if t >= self.next {
            self.turn(t, body);
        }
    }

    fn turn(&mut self, t: Instant, body: &mut Body) {
        match self.state {
            State::Free => self.arrive(t, body),
            State::Plugged => self.identify(t, body),
            // The driver has waited long enough.
            State::Asking => self.leave(t, body),
            State::Charging => self.next = NEVER,
            State::Full | State::Stopped | State::Faulted => self.leave(t, body),
        }
    }

    // The next car of the plan.
    fn arrive(&mut self, t: Instant, body: &mut Body) {
        self.next = NEVER;
        let Body { plan, rng, finishing, .. } = body;
        let Some(cars) = plan.cars.as_ref().filter(|_| !*finishing) else { return };
        if !self.operative {
            self.next = after(t, cars.free_for.pick(rng).max(1_000));
            return;
        }
        let car = Car::new(cars.energy.pick(rng), cars.power.pick(rng));
        let kept = self.reserved.as_ref().map(|reserved| Arc::clone(&reserved.token));
        let Some(token) = kept.or_else(|| rng.choice(cars.tokens.iter()).cloned()) else { return };
        let stays = cars.stays.pick(rng);
        self.visit = Some(Box::new(Visit { car, token, stays, remote: None, ordered: false }));
        self.plug(t, 800, body);
    }

    fn plug(&mut self, t: Instant, then: i64, body: &mut Body) {
        self.state = State::Plugged;
        self.next = after(t, then);
        self.tell(t, body);
    }

    fn identify(&mut self, t: Instant, body: &mut Body) {
        let Some(visit) = &self.visit else { return self.leave(t, body) };
        // Whoever was ordered to start need not ask; who cannot ask lets people charge and tells later.
        if visit.ordered || !body.online {
            return self.begin(t, body);
        }
        let token = Arc::clone(&visit.token);
        self.state = State::Asking;
        self.next = after(t, PATIENCE);
        body.say(Message::Authorize { connector: self.number, token });
    }

    /// The gateway's word about the token, or none: the connection is gone, and nobody can be asked.
    pub(super) fn authorised(&mut self, t: Instant, status: Option<&str>, body: &mut Body) {
        if self.state != State::Asking {
            return;
        }
        if let Some(status) = status.filter(|status| !status.eq_ignore_ascii_case("Accepted")) {
            let token = self.visit.as_ref().map(|visit| visit.token.to_string()).unwrap_or_default();
            body.note(Event::TokenRefused { connector: self.number, token, status: status.to_owned() });
            self.state = State::Stopped;
            self.next = after(t, 2_000);
            self.tell(t, body);
            return;
        }
        self.begin(t, body);
    }

    fn begin(&mut self, t: Instant, body: &mut Body) {
        let Some(visit) = &self.visit else { return };
        let token = Arc::clone(&visit.token);
        let (key, id) = body.new_transaction();
        self.transaction = Some(Box::new(Transaction {
            key,
            id,
            seq: 0,
            began_at: self.register,
            next_sample: after(t, body.meter_every.max(10)),
            token: Arc::clone(&token),
            remote: visit.remote,
        }));
        self.counted = t;
        let reservation = self.reserved.take().map(|reserved| reserved.id);
        self.event(Kind::Began { reservation }, t, body);
        self.state = State::Charging;
        self.next = NEVER;
        self.event(Kind::Turned, t, body);
        self.tell(t, body);
        body.note(Event::Began { connector: self.number, token: Some(token.to_string()) });
    }

    fn end(&mut self, reason: Reason, t: Instant, body: &mut Body) {
        self.count(t, body);
        let dialect = body.dialect;
        self.event(Kind::Ended(reason), t, body);
        if let Some(transaction) = self.transaction.take() {
            let energy_wh = (self.register - transaction.began_at) / WH;
            body.note(Event::Ended { connector: self.number, energy_wh, reason: reason.as_str(dialect) });
        }
    }

    // The car goes, whatever it did here.
    fn leave(&mut self, t: Instant, body: &mut Body) {
        self.end(Reason::Unplugged, t, body);
        if self.state != State::Faulted {
            // Between the end and the empty place.
            self.state = State::Stopped;
            self.tell(t, body);
        }
        self.visit = None;
        self.state = State::Free;
        let Body { plan, rng, .. } = body;
        self.next = plan.cars.as_ref().map_or(NEVER, |cars| after(t, cars.free_for.pick(rng).max(100)));
        self.tell(t, body);
    }

    /// Ends the session; the car stays for a while.
    pub(super) fn stop(&mut self, reason: Reason, t: Instant, body: &mut Body) {
        if self.transaction.is_none() {
            return;
        }
        self.end(reason, t, body);
        self.state = State::Stopped;
        let stays = self.visit.as_ref().map_or(0, |visit| visit.stays);
        self.next = after(t, stays.clamp(500, 10_000));
        self.tell(t, body);
    }

    /// It breaks, for so long.
    pub(super) fn fault(&mut self, t: Instant, lasts: i64, body: &mut Body) {
        self.end(Reason::Fault, t, body);
        self.state = State::Faulted;
        self.next = after(t, lasts);
        self.tell(t, body);
    }

    /// The last car goes, and none comes any more.
    pub(super) fn finish(&mut self, t: Instant, body: &mut Body) {
        self.end(Reason::Driver, t, body);
        self.visit = None;
        self.reserved = None;
        self.state = State::Free;
        self.next = NEVER;
        self.tell(t, body);
    }

    /// A driver starts from afar. Whether that is possible here.
    pub(super) fn order(
        &mut self,
        token: &Arc<str>,
        remote: Option<i64>,
        t: Instant,
        body: &mut Body,
    ) -> bool {
        let for_him =
            self.reserved.as_ref().is_none_or(|reserved| reserved.token.eq_ignore_ascii_case(token));
        if !self.operative || !for_him || self.transaction.is_some() {
            return false;
        }
        match self.state {
            State::Free => {
                let Body { plan, rng, .. } = body;
                let (car, stays) = plan.cars.as_ref().map_or_else(
                    || (Car::new(10_000, plan.power_of(self.number)), 5_000),
                    |cars| (Car::new(cars.energy.pick(rng), cars.power.pick(rng)), cars.stays.pick(rng)),
                );
                let visit = Visit { car, token: Arc::clone(token), stays, remote, ordered: true };
                self.visit = Some(Box::new(visit));
                self.plug(t, 500, body);
                true
            }
            State::Plugged | State::Asking | State::Stopped => {
                let Some(visit) = &mut self.visit else { return false };
                if visit.car.is_full() {
                    return false;
                }
                visit.token = Arc::clone(token);
                visit.remote = remote;
                visit.ordered = true;
                self.state = State::Plugged;
                self.next = after(t, 500);
                true
            }
            State::Charging | State::Full | State::Faulted => false,
        }
    }

    /// The gateway's word about the token of a session that runs: it may not.
    pub(super) fn deauthorised(&mut self, key: u32, status: &str, t: Instant, body: &mut Body) {
        let Some(transaction) = self.transaction.as_ref().filter(|transaction| transaction.key == key) else {
            return;
        };
        let token = transaction.token.to_string();
        body.note(Event::TokenRefused { connector: self.number, token, status: status.to_owned() });
        self.stop(Reason::Deauthorised, t, body);
    }

    /// Whether the session with the charger's own number runs here.
    pub(super) fn has(&self, key: u32) -> bool {
        self.transaction.as_ref().is_some_and(|transaction| transaction.key == key)
    }

    /// The id of the session that runs here, and its number of the charger's own.
    pub(super) fn session(&self) -> Option<(u128, u32)> {
        self.transaction.as_ref().map(|transaction| (transaction.id, transaction.key))
    }

    /// In or out of operation. Whether it has to wait for the end of a session.
    pub(super) fn operate(&mut self, operative: bool, t: Instant, body: &mut Body) -> bool {
        self.operative = operative;
        self.tell(t, body);
        !operative && self.transaction.is_some()
    }

    /// Keeps the place. Why it cannot, in OCPP's words.
    pub(super) fn reserve(
        &mut self,
        reserved: Reserved,
        t: Instant,
        body: &mut Body,
    ) -> Result<(), &'static str> {
        match self.state {
            _ if !self.operative => Err("Unavailable"),
            State::Faulted => Err("Faulted"),
            State::Free => {
                self.reserved = Some(Box::new(reserved));
                self.tell(t, body);
                Ok(())
            }
            _ => Err("Occupied"),
        }
    }

    /// Gives up a reservation. Whether there was one.
    pub(super) fn release(&mut self, id: i64, t: Instant, body: &mut Body) -> bool {
        let there = self.reserved.take_if(|reserved| reserved.id == id).is_some();
        if there {
            self.tell(t, body);
        }
        there
    }

    // Energy up to now.
    fn count(&mut self, t: Instant, body: &Body) {
        let ms = t.0.saturating_sub(self.counted.0).max(0);
        self.counted = t;
        if let (State::Charging, Some(visit)) = (self.state, &mut self.visit) {
            self.register += visit.car.charge(body.plan.power, ms);
        }
    }

    /// A look at the meter.
    pub(super) fn meter(&mut self, t: Instant, body: &Body) -> Meter {
        self.count(t, body);
        let car = self.visit.as_ref().map(|visit| &visit.car);
        let power = match (self.state, car) {
            (State::Charging, Some(car)) => car.draws(body.plan.power_of(self.number)),
            _ => 0,
        };
        let soc = car.filter(|_| !body.plan.ac).map(|car| car.soc_permille() / 10);
        Meter { connector: self.number, at: body.station_time(t), register: self.register / WH, power, soc }
    }

    fn event(&mut self, kind: Kind, t: Instant, body: &mut Body) {
        let meter = self.meter(t, body);
        let charging = self.shown();
        let Some(transaction) = &mut self.transaction else { return };
        // 1.6 has the status for it.
        if kind == Kind::Turned && body.dialect == crate::ocpp::Dialect::V16 {
            return;
        }
        let seq = transaction.seq;
        transaction.seq += 1;
        let charging = match kind {
            Kind::Began { .. } => Shown::Preparing,
            Kind::Ended(Reason::Unplugged) => Shown::Available,
            Kind::Ended(_) => Shown::Finishing,
            Kind::Turned | Kind::Sample => charging,
        };
        body.say(Message::Transaction(Box::new(TransactionEvent {
            key: transaction.key,
            id: transaction.id,
            seq,
            connector: self.number,
            kind,
            meter,
            offline: !body.online,
            token: Some(Arc::clone(&transaction.token)),
            remote: transaction.remote,
            charging,
        })));
    }

    /// Takes a sample of the running session out of turn. Whether there is one.
    pub(super) fn sample(&mut self, t: Instant, body: &mut Body) -> bool {
        self.event(Kind::Sample, t, body);
        self.transaction.is_some()
    }

    fn shown(&self) -> Shown {
        match self.state {
            State::Free if !self.operative => Shown::Unavailable,
            State::Free if self.reserved.is_some() => Shown::Reserved,
            State::Free => Shown::Available,
            State::Plugged | State::Asking => Shown::Preparing,
            State::Charging => Shown::Charging,
            State::Full => Shown::SuspendedEv,
            State::Stopped => Shown::Finishing,
            State::Faulted => Shown::Faulted,
        }
    }

    /// Says how it is, if that is news.
    pub(super) fn tell(&mut self, t: Instant, body: &mut Body) {
        let state = self.shown().told_in(body.dialect);
        if self.told == Some(state) {
            return;
        }
        self.told = Some(state).filter(|_| body.online);
        if body.online {
            body.say(Message::Status(Status { connector: self.number, state, at: body.station_time(t) }));
        }
    }

    /// Says how it is, news or not.
    pub(super) fn tell_again(&mut self, t: Instant, body: &mut Body) {
        self.told = None;
        self.tell(t, body);
    }
}
