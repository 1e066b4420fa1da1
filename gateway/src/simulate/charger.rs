//! A charger: its connectors, its connection, what it says and what goes wrong with it.

mod answers;

use super::bay::{Bay, NEVER};
use super::event::Event;
use super::orders;
use super::outbox::{Outbox, Queued};
use super::plan::{Plan, Trouble, TroubleKind};
use super::words::{Boot, Message, Reason, Said, Speaker};
use crate::ocpp::Dialect;
use crate::ocpp::frame::{self, Frame, MessageId};
use fastrand::Rng;
use std::sync::Arc;
use takst_engine::units::Instant;

/// What a model of a charger keeps beside its connectors.
#[derive(Clone, Debug)]
pub(super) struct Body {
    pub id: Box<str>,
    pub dialect: Dialect,
    pub plan: Arc<Plan>,
    pub rng: Rng,
    pub outbox: Outbox,
    /// It is connected, and the gateway has accepted it.
    pub online: bool,
    /// No car comes any more.
    pub finishing: bool,
    /// Between two meter values; the gateway may set it.
    pub meter_every: i64,
    clock_off: i64,
    events: Vec<Event>,
    next_key: u32,
}

/// A charger that is played. Times come from outside; whoever drives it calls [`Charger::step`] when [`Charger::due`] says.
#[derive(Clone, Debug)]
pub struct Charger {
    pub(super) body: Body,
    pub(super) bays: Box<[Bay]>,
    pub(super) heartbeat_every: i64,
    pub(super) list_version: i64,
    pub(super) firmware: u32,
    connected: bool,
    boot: Booting,
    heartbeat_at: Instant,
    /// When each trouble of the plan comes next.
    troubles: Box<[Instant]>,
    away_until: Option<Instant>,
    /// The connection has to be cut, however soon the network is back.
    cut: bool,
    /// Away for want of power: cars cannot charge either.
    off: bool,
    silent_until: Option<Instant>,
    clock_until: Option<Instant>,
    later: Vec<(Instant, Later)>,
    last: Instant,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Booting {
    Needed(Instant, Boot),
    Asked(Boot),
    Done,
}

/// What was ordered and takes its time.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Later {
    Say(Message),
    Restart(Reason),
    /// A new firmware starts.
    Renew,
}

impl Body {
    /// Something to say; what is not about a transaction is not said without a connection.
    pub(super) fn say(&mut self, message: Message) {
        if !self.online && !message.is_kept() {
            return;
        }
        if let Some(forgotten) = self.outbox.push(message).filter(Message::is_kept) {
            let action = forgotten.action(self.dialect);
            self.note(Event::Lost { action });
        }
    }

    pub(super) fn note(&mut self, event: Event) {
        self.events.push(event);
    }

    /// A number and an id for a transaction.
    pub(super) fn new_transaction(&mut self) -> (u32, u128) {
        self.next_key = self.next_key.wrapping_add(1);
        (
            self.next_key,
            uuid::Builder::from_random_bytes(self.rng.u128(..).to_be_bytes()).into_uuid().as_u128(),
        )
    }

    /// What the charger's clock shows.
    pub(super) fn station_time(&self, t: Instant) -> Instant {
        Instant(t.0.saturating_add(self.clock_off))
    }
}

impl Charger {
    /// A charger that has not started yet.
    #[must_use]
    pub fn new(id: &str, dialect: Dialect, plan: Arc<Plan>, seed: u64, now: Instant) -> Self {
        let mut rng = Rng::with_seed(seed);
        let first = |trouble: &Trouble| match (trouble.at, trouble.every) {
            (Some(at), _) => Instant(now.0.saturating_add(at)),
            (None, Some(every)) => Instant(now.0.saturating_add(every.pick(&mut rng))),
            (None, None) => NEVER,
        };
        let troubles = plan.troubles.iter().map(first).collect();
        let mut body = Body {
            id: id.into(),
            dialect,
            rng,
            outbox: Outbox::default(),
            online: false,
            finishing: false,
            meter_every: plan.meter_every,
            clock_off: 0,
            events: Vec::new(),
            next_key: 0,
            plan,
        };
        let bays = (1..=body.plan.connectors).map(|number| Bay::new(number, now, &mut body)).collect();
        Self {
            bays,
            heartbeat_every: body.plan.heartbeat_every.unwrap_or(300_000),
            list_version: 0,
            firmware: 1,
            connected: false,
            boot: Booting::Needed(now, Boot::PowerUp),
            heartbeat_at: NEVER,
            troubles,
            away_until: None,
            cut: false,
            off: false,
            silent_until: None,
            clock_until: None,
            later: Vec::new(),
            last: now,
            body,
        }
    }

    /// Its identity.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.body.id
    }

    /// What it speaks.
    #[must_use]
    pub const fn dialect(&self) -> Dialect {
        self.body.dialect
    }

    /// How it behaves.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.body.plan
    }

    /// Whether it has no network: a connection has to be cut, and none can be made.
    #[must_use]
    pub const fn is_away(&self) -> bool {
        self.cut || self.away_until.is_some()
    }

    /// Whether it neither reads nor writes for now.
    #[must_use]
    pub const fn is_silent(&self) -> bool {
        self.silent_until.is_some()
    }

    /// Whether it has finished: no session runs, and everything is said and acknowledged.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.body.finishing && self.body.outbox.is_empty()
    }

    /// How many messages about transactions are not acknowledged yet.
    #[must_use]
    pub fn unacknowledged(&self) -> usize {
        self.body.outbox.kept()
    }

    /// What happened since this was last asked.
    pub fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.body.events)
    }

    /// A time up to the longest, in milliseconds.
    pub(super) fn some_time(&mut self, longest: i64) -> i64 {
        self.body.rng.i64(0..=longest.max(0))
    }

    /// How long it waits before it connects again.
    pub(super) fn reconnect_after(&mut self) -> i64 {
        let Body { plan, rng, .. } = &mut self.body;
        plan.reconnect_after.pick(rng).max(0)
    }

    /// Sessions end, no car comes any more, nothing goes wrong any more.
    pub fn finish(&mut self, now: Instant) {
        let Self { body, bays, .. } = self;
        body.finishing = true;
        for bay in bays.iter_mut() {
            bay.finish(now, body);
        }
        self.troubles = Box::default();
        self.later.clear();
        (self.away_until, self.silent_until, self.cut, self.off) = (None, None, false, false);
        self.heartbeat_at = NEVER;
    }

    /// When it next does something by itself.
    #[must_use]
    pub fn due(&self) -> Instant {
        let mut due = self.heartbeat_at;
        if !self.off {
            due = self.bays.iter().map(|bay| bay.due(&self.body)).fold(due, Instant::min);
        }
        if let (true, Booting::Needed(at, _)) = (self.connected, self.boot)
            && at > self.last
        {
            due = due.min(at);
        }
        let outbox = &self.body.outbox;
        let times = [self.away_until, self.silent_until, self.clock_until, outbox.held_until];
        let waiting = outbox.waits_since().map(|waiting| waiting.until);
        let later = self.later.iter().map(|(at, _)| *at);
        times
            .into_iter()
            .flatten()
            .chain(waiting)
            .chain(later)
            .chain(self.troubles.iter().copied())
            .fold(due, Instant::min)
    }

    /// Does everything that is due up to now, in its order.
    pub fn step(&mut self, now: Instant) {
        // INVARIANT: whatever happens moves its own time on; the bound is for a machine that slept for days.
        for _ in 0..10_000 {
            let due = self.due();
            if due > now {
                break;
            }
            let t = due.max(self.last);
            self.last = t;
            self.happen(t);
        }
        self.last = self.last.max(now);
    }

    fn happen(&mut self, t: Instant) {
        let over = |until: &mut Option<Instant>| until.take_if(|until| t >= *until).is_some();
        if over(&mut self.away_until) {
            self.off = false;
        }
        over(&mut self.silent_until);
        if over(&mut self.clock_until) {
            self.body.clock_off = 0;
        }
        over(&mut self.body.outbox.held_until);
        if let Some(waiting) = self.body.outbox.overdue(t) {
            self.body.note(Event::Unanswered { action: waiting.said.action });
            self.failed(waiting.queued, t);
        }
        if t >= self.heartbeat_at {
            self.heartbeat_at = Instant(t.0.saturating_add(self.heartbeat_every.max(100)));
            if self.body.online && self.body.outbox.is_empty() {
                self.body.say(Message::Heartbeat);
            }
        }
        if !self.off {
            let Self { body, bays, .. } = self;
            for bay in bays.iter_mut() {
                bay.step(t, body);
            }
        }
        while let Some(place) = self.later.iter().position(|(at, _)| t >= *at) {
            let (_, what) = self.later.remove(place);
            self.act(what, t);
        }
        for place in 0..self.troubles.len() {
            self.trouble(place, t);
        }
    }

    fn act(&mut self, what: Later, t: Instant) {
        match what {
            Later::Say(message) => self.body.say(message),
            Later::Restart(reason) => self.restart(reason, Boot::Ordered, 2_000, t),
            Later::Renew => {
                self.firmware = self.firmware.saturating_add(1);
                self.restart(Reason::SoftReset, Boot::Firmware, 2_000, t);
            }
        }
    }

    fn trouble(&mut self, place: usize, t: Instant) {
        let plan = Arc::clone(&self.body.plan);
        let (Some(at), Some(trouble)) = (self.troubles.get_mut(place), plan.troubles.get(place)) else {
            return;
        };
        if t < *at {
            return;
        }
        let lasts = trouble.lasts.pick(&mut self.body.rng).max(0);
        let pause = trouble.every.map(|every| every.pick(&mut self.body.rng).max(1));
        *at = pause.map_or(NEVER, |pause| Instant(t.0.saturating_add(lasts).saturating_add(pause)));
        let until = Instant(t.0.saturating_add(lasts));
        self.body.note(Event::Trouble { what: trouble.kind.as_str() });
        match trouble.kind {
            TroubleKind::Offline => {
                self.cut = self.connected;
                self.away_until = Some(until);
            }
            TroubleKind::Reboot => self.restart(Reason::PowerLoss, Boot::PowerUp, lasts, t),
            TroubleKind::Silent => self.silent_until = Some(until),
            TroubleKind::Clock(by) => {
                self.body.clock_off = by;
                self.clock_until = Some(until);
            }
            TroubleKind::Fault => {
                let Self { body, bays, .. } = self;
                let chosen = body.rng.choice(0..bays.len());
                if let Some(bay) = chosen.and_then(|place| bays.get_mut(place)) {
                    bay.fault(t, lasts, body);
                }
            }
        }
    }

    fn restart(&mut self, reason: Reason, boot: Boot, lasts: i64, t: Instant) {
        let Self { body, bays, .. } = self;
        // Nobody hears it now; what ended is told after the start.
        body.online = false;
        for bay in bays.iter_mut() {
            bay.stop(reason, t, body);
        }
        self.boot = Booting::Needed(t, boot);
        self.heartbeat_at = NEVER;
        self.off = true;
        self.cut = self.connected;
        self.away_until = Some(Instant(t.0.saturating_add(lasts.max(1))));
    }

    /// The connection is up.
    pub fn connected(&mut self, now: Instant) {
        self.step(now);
        self.connected = true;
        match self.boot {
            // The gateway knows it: it goes on where it was.
            Booting::Done => self.come_online(now),
            Booting::Needed(_, boot) | Booting::Asked(boot) => self.boot = Booting::Needed(now, boot),
        }
    }

    /// The connection is gone.
    pub fn disconnected(&mut self, now: Instant) {
        let Self { body, bays, .. } = self;
        (self.connected, self.cut) = (false, false);
        body.online = false;
        body.outbox.cut();
        if let Booting::Asked(boot) = self.boot {
            self.boot = Booting::Needed(now, boot);
        }
        for bay in bays.iter_mut() {
            bay.authorised(now, None, body);
        }
    }

    fn come_online(&mut self, now: Instant) {
        let Self { body, bays, .. } = self;
        body.online = true;
        for bay in bays.iter_mut() {
            bay.tell_again(now, body);
        }
        self.heartbeat_at =
            if body.finishing { NEVER } else { Instant(now.0.saturating_add(self.heartbeat_every.max(100))) };
    }

    /// The next text to send, if there is one.
    pub fn next_frame(&mut self, now: Instant) -> Option<String> {
        if self.is_silent() || !self.connected {
            return None;
        }
        if let Some(answer) = self.body.outbox.take_answer() {
            return Some(answer);
        }
        let queued = match self.boot {
            Booting::Needed(at, boot) if now >= at && self.body.outbox.waits_since().is_none() => {
                self.boot = Booting::Asked(boot);
                Queued { message: Message::Boot(boot), attempts: 0, again: false }
            }
            Booting::Done if self.body.online => self.body.outbox.take(now)?,
            _ => return None,
        };
        let said = self.put(&queued.message);
        let within = self.body.plan.answer_within.max(100);
        let (action, payload) = (said.action, said.payload.clone());
        let id = self.body.outbox.sent(said, queued, now, within);
        Some(frame::call(&MessageId::new(id), action, &payload))
    }

    /// Whether the last text was a request that has no answer yet, and when it was sent.
    #[must_use]
    pub fn waits_since(&self) -> Option<Instant> {
        self.body.outbox.waits_since().map(|waiting| waiting.sent)
    }

    fn put(&self, message: &Message) -> Said {
        let number = match message {
            Message::Transaction(event) => self.body.outbox.number(event.key),
            _ => None,
        };
        message.say(&Speaker {
            dialect: self.body.dialect,
            id: &self.body.id,
            vendor: &self.body.plan.vendor,
            model: &self.body.plan.model,
            firmware: &format!("{}.0", self.firmware),
            number,
        })
    }

    /// Takes a text from the gateway.
    pub fn received(&mut self, now: Instant, text: &str) {
        self.step(now);
        match frame::read(text).map(|read| read.frame) {
            Ok(Frame::Call { id, action, payload }) => {
                let raw = payload.map_or("{}", serde_json::value::RawValue::get);
                let answer = orders::answer(self, now, &action, raw);
                let text = match &answer {
                    Ok(payload) => frame::result(&id, &payload.to_string()),
                    Err((code, why)) => frame::error(&id, *code, why, self.body.dialect),
                };
                let accepted = answer.as_ref().is_ok_and(orders::is_yes);
                self.body.note(Event::Ordered { action: action.into_owned(), accepted });
                self.body.outbox.answer(text);
            }
            Ok(Frame::Result { id, payload }) => {
                let raw = payload.map_or("{}", serde_json::value::RawValue::get);
                match self.body.outbox.answered(&id.text) {
                    Some(waiting) => self.answered(waiting, raw, now),
                    // It came too late.
                    None if self.body.outbox.was_sent(&id.text) => {}
                    None => {
                        let what = format!("an answer to message {:.50}, which was never sent", id.text);
                        self.body.note(Event::Wrong(what));
                    }
                }
            }
            Ok(Frame::Error { id, error }) => {
                let Some(waiting) = self.body.outbox.answered(&id.text) else { return };
                let action = waiting.said.action;
                self.body.note(Event::Refused { action, code: error.code, why: error.description });
                self.failed(waiting.queued, now);
            }
            Ok(Frame::ResultError { error, .. }) => {
                let what = format!("an answer was not understood: {} {}", error.code, error.description);
                self.body.note(Event::Wrong(what));
            }
            Ok(Frame::Send { .. }) => {}
            Err(broken) => {
                self.body.note(Event::Wrong(format!("a message that cannot be read: {}", broken.why)));
            }
        }
    }

    // A message was refused or not answered: what is about a transaction is said again, a little later.
    fn failed(&mut self, mut queued: Queued, now: Instant) {
        let pause = |attempts: u32| Instant(now.0.saturating_add(i64::from(attempts.min(30)) * 1_000));
        match &queued.message {
            Message::Boot(boot) => self.boot = Booting::Needed(pause(5), *boot),
            Message::Authorize { connector, .. } => {
                let Self { body, bays, .. } = self;
                if let Some(bay) = bays.iter_mut().find(|bay| bay.number() == *connector) {
                    bay.authorised(now, Some("no answer"), body);
                }
            }
            Message::Transaction(_) => {
                queued.attempts = queued.attempts.saturating_add(1);
                let most = self.body.plan.attempts;
                if most > 0 && queued.attempts >= most {
                    let action = queued.message.action(self.body.dialect);
                    self.body.note(Event::Lost { action });
                } else {
                    self.body.outbox.held_until = Some(pause(queued.attempts));
                    self.body.outbox.push_front(queued);
                }
            }
            _ => {}
        }
    }

    /// Something for later.
    pub(super) fn plan_later(&mut self, at: Instant, what: Later) {
        // An order that comes a thousand times is not remembered a thousand times.
        const MOST: usize = 50;
        if self.later.len() < MOST {
            self.later.push((at, what));
        }
    }
}

impl TroubleKind {
    /// Its name in scenario files.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Offline => "offline",
            Self::Reboot => "reboot",
            Self::Fault => "fault",
            Self::Silent => "silent",
            Self::Clock(_) => "clock",
        }
    }
}

#[cfg(test)]
#[path = "charger/tests.rs"]
mod tests;
