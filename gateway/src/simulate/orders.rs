//! What the gateway tells a charger to do, and what the charger answers.

mod v16;
mod v2;

use super::bay::Reserved;
use super::charger::{Charger, Later};
use super::event::Event;
use super::words::{Boot, Message, Reason};
use crate::chargers::time::read;
use crate::ocpp::Dialect;
use crate::ocpp::frame::ErrorCode;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::sync::Arc;
use takst_engine::units::Instant;

/// The payload of an answer, or a refusal.
pub(super) type Answered = Result<Value, (ErrorCode, &'static str)>;

const ACCEPTED: &str = "Accepted";
const REJECTED: &str = "Rejected";

/// Does what is ordered, or begins to. The payload of the answer, or why there is none.
pub(super) fn answer(charger: &mut Charger, now: Instant, action: &str, payload: &str) -> Answered {
    match charger.dialect() {
        Dialect::V16 => v16::answer(charger, now, action, payload),
        Dialect::V201 | Dialect::V21 => v2::answer(charger, now, action, payload),
    }
}

/// Whether an answer is a yes; one without a status is.
pub(super) fn is_yes(payload: &Value) -> bool {
    let yes = |status: &str| matches!(status, "Accepted" | "Scheduled" | "Unlocked" | "RebootRequired");
    payload.get("status").and_then(Value::as_str).is_none_or(yes)
}

fn malformed<E>(_: E) -> (ErrorCode, &'static str) {
    (ErrorCode::Format, "the payload is not as the schema has it")
}

fn unknown() -> (ErrorCode, &'static str) {
    (ErrorCode::NotImplemented, "this charger does not know the action")
}

fn soon(now: Instant, ms: i64) -> Instant {
    Instant(now.0.saturating_add(ms))
}

const fn yes_no(yes: bool) -> &'static str {
    if yes { ACCEPTED } else { REJECTED }
}

/// Content of the cost messages that is shown.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Shown<'a> {
    #[serde(borrow, default)]
    cost: Option<&'a RawValue>,
    #[serde(borrow, default)]
    price_text: Option<Cow<'a, str>>,
}

impl Charger {
    /// A session is to begin at a connector, or at any.
    fn remote_start(
        &mut self,
        now: Instant,
        connector: Option<u32>,
        token: &str,
        remote: Option<i64>,
    ) -> bool {
        let Self { body, bays, .. } = self;
        let token: Arc<str> = token.into();
        bays.iter_mut()
            .filter(|bay| connector.is_none_or(|wanted| wanted == bay.number()))
            .any(|bay| bay.order(&token, remote, now, body))
    }

    fn remote_stop(&mut self, now: Instant, key: Option<u32>) -> bool {
        let Self { body, bays, .. } = self;
        let Some(bay) = bays.iter_mut().find(|bay| key.is_some_and(|key| bay.has(key))) else { return false };
        bay.stop(Reason::Remote, now, body);
        true
    }

    fn reset(&mut self, now: Instant, reason: Reason) -> bool {
        self.plan_later(soon(now, 300), Later::Restart(reason));
        true
    }

    /// None when there is no such connector.
    fn unlock(&mut self, now: Instant, connector: u32) -> Option<()> {
        let Self { body, bays, .. } = self;
        let bay = bays.iter_mut().find(|bay| bay.number() == connector)?;
        bay.stop(Reason::Unlocked, now, body);
        Some(())
    }

    fn operate(&mut self, now: Instant, connector: Option<u32>, operative: bool) -> &'static str {
        let Self { body, bays, .. } = self;
        let mut answer = REJECTED;
        for bay in bays.iter_mut().filter(|bay| connector.is_none_or(|wanted| wanted == bay.number())) {
            let waits = bay.operate(operative, now, body);
            if waits || answer == REJECTED {
                answer = if waits { "Scheduled" } else { ACCEPTED };
            }
        }
        answer
    }

    fn reserve(
        &mut self,
        now: Instant,
        connector: Option<u32>,
        id: i64,
        token: &str,
        until: &str,
    ) -> &'static str {
        let Some((until, _)) = read(until, 0) else { return REJECTED };
        let Self { body, bays, .. } = self;
        let mut answer = REJECTED;
        for bay in bays.iter_mut().filter(|bay| connector.is_none_or(|wanted| wanted == bay.number())) {
            match bay.reserve(Reserved { id, token: token.into(), until }, now, body) {
                Ok(()) => return ACCEPTED,
                Err(why) => answer = why,
            }
        }
        answer
    }

    fn release(&mut self, now: Instant, id: i64) -> bool {
        let Self { body, bays, .. } = self;
        bays.iter_mut().any(|bay| bay.release(id, now, body))
    }

    /// Says what is asked for. Whether it knows that.
    fn trigger(&mut self, now: Instant, what: &str, connector: Option<u32>) -> bool {
        let Self { body, bays, .. } = self;
        let at = bays.iter_mut().filter(|bay| connector.is_none_or(|wanted| wanted == bay.number()));
        match what {
            "BootNotification" => body.say(Message::Boot(Boot::Triggered)),
            "Heartbeat" => body.say(Message::Heartbeat),
            "StatusNotification" => at.for_each(|bay| bay.tell_again(now, body)),
            "TransactionEvent" => at.for_each(|bay| {
                bay.sample(now, body);
            }),
            "MeterValues" => at.for_each(|bay| {
                if !bay.sample(now, body) {
                    let meter = bay.meter(now, body);
                    body.say(Message::Meter(meter));
                }
            }),
            "FirmwareStatusNotification" => {
                body.say(Message::Firmware { status: "Idle", request: None, signed: false });
            }
            "DiagnosticsStatusNotification" | "LogStatusNotification" => {
                let old = body.dialect == Dialect::V16;
                let request = (old && what == "LogStatusNotification").then_some(0);
                body.say(Message::Log { status: "Idle", request });
            }
            _ => return false,
        }
        true
    }

    fn update_firmware(&mut self, now: Instant, request: Option<i64>, signed: bool) {
        let stages =
            [(500, "Downloading"), (1_500, "Downloaded"), (2_500, "Installing"), (9_000, "Installed")];
        for (ms, status) in stages {
            self.plan_later(soon(now, ms), Later::Say(Message::Firmware { status, request, signed }));
        }
        self.plan_later(soon(now, 4_000), Later::Renew);
    }

    fn upload_log(&mut self, now: Instant, request: Option<i64>) -> String {
        for (ms, status) in [(500, "Uploading"), (1_500, "Uploaded")] {
            self.plan_later(soon(now, ms), Later::Say(Message::Log { status, request }));
        }
        format!("{}.log", self.id())
    }

    fn show(&mut self, text: String) {
        self.body.note(Event::Shown { text });
    }

    /// A cost message of 1.6. Whether it is one.
    fn cost_message(&mut self, kind: &str, data: &str) -> bool {
        let Ok(shown) = serde_json::from_str::<Shown<'_>>(data) else { return false };
        let mut text = kind.to_owned();
        for part in [shown.cost.map(RawValue::get), shown.price_text.as_deref()].into_iter().flatten() {
            text.push(' ');
            text.push_str(part);
        }
        self.show(text);
        true
    }
}
