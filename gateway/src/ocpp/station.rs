//! One connection of a charger: one task that hears, lets the desk decide, and says, in the charger's order.
//!
//! Both directions are independent: while a report is being kept, answers to our own requests are still heard. What cannot be
//! dealt with at once waits in a bounded inbox; when that is full, nothing more is read from the socket.

mod calls;
mod inbox;
mod life;
mod pace;
mod settings;
mod wire;

pub use settings::Settings;
pub(crate) use wire::Socket;

use crate::chargers::model::{Answer, Report, Status};
use crate::clock::now;
use crate::hub::{Count, Hub, Line, Tape, Unsent};
use crate::link::{Desk, Make, Received, Reply, Ways, Welcome};
use crate::ocpp::frame::{self, Broken, ErrorCode, Frame, MessageId};
use crate::ocpp::{schema, secrets};
use crate::serve::traces::TARGET as TRACE;
use crate::store::{Direction, new_id};
use calls::{Asked, Calls, Phase};
use futures_util::FutureExt as _;
use inbox::{Inbox, Item, Mark, Seen};
use life::Life;
use pace::Pace;
use serde_json::value::RawValue;
use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use takst_engine::units::Instant;
use tokio::time::{Instant as Moment, Sleep, timeout};
use tracing::Instrument as _;
use wire::{End, Heard, Wire};

/// Different deviations that are logged per connection; all are counted.
const MOST_NOTED: usize = 64;

/// What a connection is made of, besides its socket.
pub(crate) struct Guest<D> {
    pub desk: Arc<D>,
    pub hub: Hub,
    pub tape: Tape,
    pub line: Arc<Line>,
    pub welcome: Welcome,
    pub settings: Arc<Settings>,
}

/// Serves a connection until it ends.
pub(crate) fn attend<D: Desk>(socket: Socket, guest: Guest<D>) -> impl Future<Output = ()> + Send {
    // Most connections are silent most of the time: what they keep is made as small as it can be. In the future itself a station would
    // have its place, and socket and guest would keep theirs.
    serve(Box::new(Station::new(socket, guest)))
}

async fn serve<D: Desk>(mut station: Box<Station<D>>) {
    let line = Arc::clone(&station.line);
    let desk = Arc::clone(&station.desk);
    let older = station.hub.enter(Arc::clone(&line));
    let leaving = Leaving { hub: station.hub.clone(), line: Arc::clone(&line) };
    if let Some(older) = older {
        // Reports of one charger come one after the other, over connections too.
        let patience = station.settings.finish.saturating_mul(2);
        if Box::pin(timeout(patience, older.finished())).await.is_err() {
            tracing::warn!(charger = line.link.charger, "the older connection does not come to its end");
        }
    }
    let link = &line.link;
    tracing::info!(org = link.org.as_str(), charger = link.charger, connection = link.connection, dialect = %link.dialect, "connected");
    Box::pin(desk.connected(link)).await;
    station.start(Moment::now());
    let end = station.talk().await;
    tracing::info!(org = link.org.as_str(), charger = link.charger, connection = link.connection, %end, "disconnected");
    line.shut();
    Box::pin(station.finish()).await;
    let wire = Box::new(station.into_wire());
    Box::pin(desk.disconnected(link)).await;
    drop(leaving);
    Box::pin(wire.close(end)).await;
}

// Whatever happens to the task, the hub does not keep a connection that is gone.
struct Leaving {
    hub: Hub,
    line: Arc<Line>,
}

impl Drop for Leaving {
    fn drop(&mut self) {
        self.line.shut();
        self.line.finish();
        self.hub.leave(&self.line);
    }
}

type Work = Pin<Box<dyn Future<Output = Reply> + Send>>;

struct Station<D> {
    desk: Arc<D>,
    hub: Hub,
    tape: Tape,
    line: Arc<Line>,
    welcome: Welcome,
    settings: Arc<Settings>,
    wire: Wire,
    inbox: Inbox,
    calls: Calls,
    life: Life,
    pace: Pace,
    timer: Pin<Box<Sleep>>,
    work: Option<(Work, About)>,
    noted: HashSet<u64>,
}

// What must be known of a request when its answer comes.
struct About {
    id: MessageId,
    call: bool,
    action: String,
    boot: bool,
}

enum Event {
    Heard(Heard),
    Decided(Reply),
    Called,
    Due,
}

impl<D: Desk> Station<D> {
    fn new(socket: Socket, guest: Guest<D>) -> Self {
        let Guest { desk, hub, tape, line, welcome, settings } = guest;
        let at = Moment::now();
        let ping = welcome.ping_s.map(Duration::from_secs);
        Self {
            desk,
            hub,
            tape,
            line,
            wire: Wire::new(socket),
            inbox: Inbox::default(),
            calls: Calls::new(Phase::at_first(welcome.booted, at, settings.settle)),
            life: Life::new(ping, (settings.silence, settings.silence_unknown), at),
            pace: Pace::new(settings.messages, at),
            timer: Box::pin(tokio::time::sleep_until(at)),
            work: None,
            noted: HashSet::new(),
            welcome,
            settings,
        }
    }

    // The conversation begins: what is counted from its beginning is counted from now.
    fn start(&mut self, at: Moment) {
        self.life.sign(false, at);
        self.calls.phase = Phase::at_first(self.welcome.booted, at, self.settings.settle);
    }

    async fn talk(&mut self) -> End {
        loop {
            self.begin();
            self.ask();
            let due = self.due();
            self.timer.as_mut().reset(due);
            match std::future::poll_fn(|context| self.poll(context)).await {
                Event::Heard(Heard::Text(text)) => {
                    let at = Moment::now();
                    self.life.sign(false, at);
                    self.pace.step(at);
                    self.hear(&text);
                }
                Event::Heard(Heard::Sign { pong }) => {
                    let at = Moment::now();
                    self.life.sign(pong, at);
                    self.pace.step(at);
                }
                Event::Heard(Heard::End(end)) => {
                    if matches!(&end, End::Ours(_)) {
                        self.hub.count(Count::Malformed);
                    }
                    return end;
                }
                Event::Decided(reply) => self.answer(&reply),
                Event::Called => {
                    if let Some(closing) = self.line.tray().closing.take() {
                        return End::Ours(closing);
                    }
                }
                Event::Due => {
                    if let Some(end) = self.time() {
                        return end;
                    }
                }
            }
        }
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Event> {
        if self.line.changed(context.waker()) {
            return Poll::Ready(Event::Called);
        }
        if let Some((work, _)) = &mut self.work
            && let Poll::Ready(reply) = work.as_mut().poll(context)
        {
            return Poll::Ready(Event::Decided(reply));
        }
        // Before the socket: one that never falls silent must not stop the clock.
        if self.timer.as_mut().poll(context).is_ready() {
            return Poll::Ready(Event::Due);
        }
        let listen = self.inbox.has_room() && self.pace.rest(Moment::now()).is_none();
        self.wire.poll(listen, context).map(Event::Heard)
    }

    // The next moment at which something is to be done unasked.
    fn due(&self) -> Moment {
        let at = Moment::now();
        let mut due = self.life.gone_at();
        let mut by = |moment: Option<Moment>| due = moment.map_or(due, |moment| due.min(moment));
        by(self.life.ping_at());
        by(self.calls.asked().map(|asked| asked.deadline));
        by(self.pace.rest(at));
        by(self.wire.stuck().map(|since| since + self.settings.write_patience));
        let tray = self.line.tray();
        if !tray.orders.is_empty() {
            by(self.calls.phase.opens(at));
            by(tray.orders.iter().map(|order| order.deadline).min());
        }
        due
    }

    fn time(&mut self) -> Option<End> {
        let at = Moment::now();
        if self.life.gone_at() <= at {
            if self.inbox.has_room() {
                self.hub.count(Count::Silent);
                return Some(End::Lost("nothing was heard for too long".to_owned()));
            }
            // It is we who do not listen.
            self.life.sign(false, at);
        }
        if self.wire.stuck().is_some_and(|since| since + self.settings.write_patience <= at) {
            self.hub.count(Count::Silent);
            return Some(End::Lost("it takes nothing of what is said to it".to_owned()));
        }
        if let Some(asked) = self.calls.overdue(at) {
            self.hub.count(Count::CommandsTimedOut);
            asked.tell(Err(Unsent::TimedOut { sent: true }));
        }
        let mut late = Vec::new();
        self.line.tray().orders.retain_mut(|order| {
            let waits = order.deadline > at && !order.reply.is_closed();
            if !waits {
                late.push(std::mem::replace(&mut order.reply, tokio::sync::oneshot::channel().0));
            }
            waits
        });
        for reply in late {
            self.hub.count(Count::CommandsTimedOut);
            // He may have given up.
            let _ = reply.send(Err(Unsent::TimedOut { sent: false }));
        }
        if self.life.ping_at().is_some_and(|ping| ping <= at) {
            self.life.pinged(at);
            self.wire.ping();
        }
        None
    }

    // Our own request, when one may go out.
    fn ask(&mut self) {
        if !self.calls.is_free() {
            return;
        }
        let at = Moment::now();
        let order = {
            let mut tray = self.line.tray();
            let may = |order: &crate::hub::Order| {
                self.calls.may(order, at) && order.deadline > at && !order.reply.is_closed()
            };
            let place = tray.orders.iter().position(may);
            place.and_then(|place| tray.orders.remove(place))
        };
        let Some(order) = order else { return };
        let id = new_id();
        let (action, payload) = self.calls.ask(id.clone(), order);
        self.hub.count(Count::Commands);
        self.say(frame::call(&MessageId::new(id), action, &payload));
    }

    fn say(&mut self, text: String) {
        self.hub.count(Count::FramesOut);
        self.tape.keep(&self.line, Direction::Out, now(), &text, self.welcome.frames_kept);
        self.wire.say(text);
    }

    fn hear(&mut self, text: &str) {
        let at = now();
        self.hub.count(Count::FramesIn);
        self.tape.keep(&self.line, Direction::In, at, text, self.welcome.frames_kept);
        let broken = match frame::read(text) {
            Ok(received) => return self.take(received, at, Vec::new()),
            Err(broken) => broken,
        };
        self.hub.count(Count::Broken);
        if self.welcome.habits.repair
            && let Some(mended) = frame::repair(text)
            && let Ok(received) = frame::read(&mended)
        {
            self.hub.count(Count::Mended);
            return self.take(received, at, vec![format!("mended: {}", broken.why)]);
        }
        self.complain(&broken);
    }

    fn complain(&mut self, broken: &Broken) {
        let why = broken.why.to_string();
        self.note(broken.action.as_deref().unwrap_or("?"), std::slice::from_ref(&why));
        if !broken.call
            && let Some(asked) = broken.id.as_ref().and_then(|id| self.calls.answered(id))
        {
            asked.tell(Ok(calls::failed(Status::Failed, "Unreadable", &why)));
            return;
        }
        if let Some(refusal) = broken.refusal(self.welcome.dialect) {
            self.hub.count(Count::Refused);
            self.say(refusal);
        }
    }

    fn take(&mut self, received: frame::Received<'_>, at: Instant, mut deviations: Vec<String>) {
        deviations.extend(received.deviations.iter().map(ToString::to_string));
        match received.frame {
            Frame::Call { id, action, payload } => self.asked(&id, &action, payload, true, at, deviations),
            Frame::Send { id, action, payload } => self.asked(&id, &action, payload, false, at, deviations),
            Frame::Result { id, payload } => match self.calls.answered(&id) {
                Some(asked) => self.outcome(asked, payload, at, deviations),
                None => self.late(&id),
            },
            Frame::Error { id, error } => match self.calls.answered(&id) {
                Some(asked) => {
                    self.note(asked.action, &deviations);
                    asked.tell(Ok(calls::refused(&error)));
                }
                None => self.late(&id),
            },
            Frame::ResultError { id, error } => {
                let what = format!(
                    "the charger did not understand our answer to {}: {} {}",
                    id.text, error.code, error.description
                );
                self.note("CALLRESULTERROR", &[what]);
            }
        }
    }

    fn late(&self, id: &MessageId) {
        self.hub.count(Count::LateResults);
        tracing::debug!(charger = self.line.link.charger, id = id.text, "an answer that nobody waits for");
    }

    fn outcome(
        &mut self,
        asked: Asked,
        payload: Option<&RawValue>,
        at: Instant,
        mut deviations: Vec<String>,
    ) {
        let dialect = self.welcome.dialect;
        let (outcome, odd) = dialect.read_outcome(asked.action, payload, at, &self.welcome.habits);
        deviations.extend(odd.iter().map(ToString::to_string));
        if self.settings.check_schema {
            let against = schema::violations_of_answer(dialect, asked.action, payload);
            self.hub.count_many(Count::Violations, against.len());
            deviations.extend(
                against.iter().map(|found| format!("schema of the answer: {}", told(found, payload))),
            );
        }
        self.note(asked.action, &deviations);
        asked.tell(Ok(outcome));
    }

    // The charger asks, or tells (`call`: it waits for an answer).
    fn asked(
        &mut self,
        id: &MessageId,
        action: &str,
        payload: Option<&RawValue>,
        call: bool,
        at: Instant,
        mut deviations: Vec<String>,
    ) {
        let raw = payload.map_or("", RawValue::get);
        let mark = Mark::new(id.clone(), action, raw);
        match self.inbox.seen(&mark, Moment::now()) {
            Seen::New => {}
            Seen::Waiting => return self.hub.count(Count::Replayed),
            Seen::Answered(answer) => {
                self.hub.count(Count::Replayed);
                return self.say(answer);
            }
        }
        let dialect = self.welcome.dialect;
        let inbound = match dialect.read_call(action, payload, at, &self.welcome.habits) {
            Ok(inbound) => inbound,
            Err(refusal) => {
                self.note(action, std::slice::from_ref(&refusal.why));
                if call {
                    self.hub.count(Count::Refused);
                    self.say(frame::error(id, refusal.code, &refusal.why, dialect));
                }
                return;
            }
        };
        deviations.extend(inbound.deviations.iter().map(ToString::to_string));
        if self.settings.check_schema {
            let against = schema::violations(dialect, action, payload);
            self.hub.count_many(Count::Violations, against.len());
            deviations.extend(against.iter().map(|found| format!("schema: {}", told(found, payload))));
        }
        self.note(action, &deviations);
        if let Report::Boot(boot) = &inbound.report {
            self.calls.phase = Phase::Asking;
            let make = Make::of(boot.vendor.as_deref(), boot.model.as_deref());
            // What it says next may be heard before the desk has dealt with this.
            if let Some(Ways { habits, ping_s }) = self.desk.ways(&self.line.link, &make) {
                self.life.pings(ping_s.map(Duration::from_secs));
                (self.welcome.habits, self.welcome.ping_s) = (habits, ping_s);
            }
        }
        let received = Received { report: inbound.report, action: action.to_owned(), at, deviations };
        self.inbox.put(Item { mark, call, received, bytes: raw.len() });
    }

    // All deviations are counted; of each kind one is logged.
    fn note(&mut self, action: &str, deviations: &[String]) {
        if deviations.is_empty() {
            return;
        }
        self.hub.count_many(Count::Deviations, deviations.len());
        for deviation in deviations {
            if self.noted.len() >= MOST_NOTED {
                return;
            }
            let mut hasher = DefaultHasher::new();
            (action, deviation).hash(&mut hasher);
            if self.noted.insert(hasher.finish()) {
                let deviation: String = deviation.chars().take(300).collect();
                tracing::info!(
                    charger = self.line.link.charger,
                    action,
                    deviation,
                    "not as the standard has it"
                );
            }
        }
    }

    // The desk decides about the next request, one at a time.
    fn begin(&mut self) {
        if self.work.is_some() {
            return;
        }
        let Some(Item { mark, call, received, .. }) = self.inbox.next() else { return };
        let about = About {
            id: mark.id,
            call,
            action: received.action.clone(),
            boot: matches!(received.report, Report::Boot(_)),
        };
        let desk = Arc::clone(&self.desk);
        let line = Arc::clone(&self.line);
        let decision = async move {
            // A mistake of ours in one message does not cost the charger its connection.
            let decision = AssertUnwindSafe(desk.report(&line.link, received)).catch_unwind();
            decision.await.unwrap_or_else(|_| {
                tracing::error!(charger = line.link.charger, "a report made the program panic; see above");
                Reply::Failed
            })
        };
        let span = tracing::info_span!(
            target: TRACE,
            "report",
            otel.kind = "server",
            charger = self.line.link.charger,
            dialect = %self.line.link.dialect,
            action = about.action,
            message = about.id.text,
        );
        self.work = Some((Box::pin(decision.instrument(span)), about));
    }

    fn answer(&mut self, reply: &Reply) {
        let Some((_, about)) = self.work.take() else { return };
        let About { id, call, action, boot } = about;
        let dialect = self.welcome.dialect;
        if boot {
            self.calls.phase = match reply {
                Reply::Answer(Answer::Boot { status, interval_s, .. }) => {
                    self.life.beats(*interval_s);
                    (*status).into()
                }
                // It will boot again.
                _ => Phase::Rejected,
            };
        }
        let error = match reply {
            // A SEND (2.1) waits for no answer, and some of them have none.
            Reply::Answer(_) if !call => return self.inbox.done(None),
            Reply::Answer(answer) => match dialect.write_answer(&action, answer) {
                Ok(payload) => {
                    let text = frame::result(&id, &payload);
                    // What is true of this moment only is worked out anew when it is asked again.
                    let momentary =
                        matches!(answer, Answer::Boot { .. } | Answer::Time(_) | Answer::Authorize(_));
                    self.inbox.done(Some(text.as_str()).filter(|_| !momentary));
                    self.say(text);
                    return;
                }
                Err(error) => {
                    tracing::error!(charger = self.line.link.charger, action, %error, "the answer cannot be said");
                    (ErrorCode::Internal, "this cannot be dealt with")
                }
            },
            Reply::NotYet => (ErrorCode::Security, "the charger is not accepted yet"),
            Reply::Failed => (ErrorCode::Internal, "this cannot be dealt with now; try again later"),
        };
        self.inbox.done(None);
        if dialect.is_transaction(&action) {
            // The charger keeps it and says it again.
            self.hub.count(Count::Unanswered);
        } else if call {
            self.hub.count(Count::Refused);
            let (code, why) = error;
            self.say(frame::error(&id, code, why, dialect));
        }
    }

    // The connection is over; what was received is still kept.
    async fn finish(&mut self) {
        if let Some(asked) = self.calls.abandon() {
            asked.tell(Err(Unsent::Gone { sent: true }));
        }
        let patience = self.settings.finish;
        let rest = async {
            loop {
                self.begin();
                let Some((work, _)) = &mut self.work else { return };
                let reply = work.await;
                let failed = matches!(reply, Reply::Failed);
                self.answer(&reply);
                if failed {
                    return;
                }
            }
        };
        // What is not kept by then was not answered either: the charger says it again.
        let _ = timeout(patience, rest).await;
    }

    fn into_wire(self) -> Wire {
        self.wire
    }
}

// What does not fit the schema is told with what stands there: not where that may be a secret.
fn told<'a>(found: &'a str, payload: Option<&RawValue>) -> &'a str {
    let secret = payload.is_some_and(|payload| secrets::holds(payload.get()));
    if secret { "it does not fit; a secret stands in it, so it is not said where" } else { found }
}
