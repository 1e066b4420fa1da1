//! What the gateway answers to a charger, and what the charger makes of it.

use super::{Booting, Charger};
use crate::ocpp::Dialect;
use crate::simulate::event::Event;
use crate::simulate::outbox::{Queued, Waiting};
use crate::simulate::words::{Kind, Message, Shown, Status, TransactionEvent};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;
use takst_engine::units::Instant;

/// What counts of all answers.
#[derive(Deserialize, Default, Debug)]
#[serde(rename_all = "camelCase", default)]
struct Answer<'a> {
    #[serde(borrow)]
    status: Option<Cow<'a, str>>,
    interval: Option<i64>,
    transaction_id: Option<i64>,
    #[serde(borrow)]
    id_tag_info: Option<Info<'a>>,
    #[serde(borrow)]
    id_token_info: Option<Info<'a>>,
    #[serde(borrow)]
    total_cost: Option<&'a RawValue>,
    #[serde(borrow)]
    updated_personal_message: Option<Text<'a>>,
}

#[derive(Deserialize, Debug)]
#[serde(rename_all = "camelCase")]
struct Info<'a> {
    #[serde(borrow)]
    status: Cow<'a, str>,
    #[serde(borrow, default)]
    personal_message: Option<Text<'a>>,
}

#[derive(Deserialize, Debug)]
struct Text<'a> {
    #[serde(borrow)]
    content: Cow<'a, str>,
}

impl Charger {
    /// Takes the answer to a message.
    pub(super) fn answered(&mut self, waiting: Waiting, raw: &str, now: Instant) {
        let Waiting { said, queued, sent, .. } = waiting;
        let kept = queued.message.is_kept();
        self.body.note(Event::Answered {
            action: said.action,
            message: kept.then_some(said.payload),
            answer: kept.then(|| raw.to_owned()),
            sent,
        });
        let answer = match serde_json::from_str::<Answer<'_>>(raw) {
            Ok(answer) => answer,
            Err(error) => {
                let what = format!("an answer to {} that cannot be read ({error}): {raw:.200}", said.action);
                self.body.note(Event::Wrong(what));
                Answer::default()
            }
        };
        match &queued.message {
            Message::Boot(boot) => {
                let accepted = answer.status.as_deref() == Some("Accepted");
                let interval = answer.interval.unwrap_or_default();
                if accepted {
                    if self.body.plan.heartbeat_every.is_none() && interval > 0 {
                        self.heartbeat_every = interval.saturating_mul(1_000);
                    }
                    self.boot = Booting::Done;
                    if self.body.dialect == Dialect::V16 {
                        self.body.online = true;
                        let (at, state) = (self.body.station_time(now), Shown::Available);
                        self.body.say(Message::Status(Status { connector: 0, state, at }));
                    }
                    self.come_online(now);
                } else {
                    let pause = if interval > 0 { interval.saturating_mul(1_000) } else { 10_000 };
                    self.boot = Booting::Needed(Instant(now.0.saturating_add(pause)), *boot);
                }
            }
            Message::Authorize { connector, .. } => {
                let info = answer.id_tag_info.or(answer.id_token_info);
                self.show_message(info.as_ref().and_then(|info| info.personal_message.as_ref()));
                let status =
                    info.map_or_else(|| "without a status".to_owned(), |info| info.status.into_owned());
                let Self { body, bays, .. } = self;
                if let Some(bay) = bays.iter_mut().find(|bay| bay.number() == *connector) {
                    bay.authorised(now, Some(&status), body);
                }
            }
            Message::Transaction(event) => {
                self.transaction_answered(event, &answer, now);
                self.repeat(&queued, event);
            }
            _ => {}
        }
    }

    fn transaction_answered(&mut self, event: &TransactionEvent, answer: &Answer<'_>, now: Instant) {
        let began = matches!(event.kind, Kind::Began { .. });
        if began && self.body.dialect == Dialect::V16 {
            match (answer.transaction_id, self.body.outbox.number(event.key)) {
                (None, _) => {
                    self.body.note(Event::Wrong("StartTransaction was answered without a number".to_owned()));
                }
                (Some(number), None) => self.body.outbox.number_is(event.key, number),
                (Some(number), Some(first)) if number != first => {
                    let what = format!("the same StartTransaction got the numbers {first} and {number}");
                    self.body.note(Event::Wrong(what));
                }
                (Some(_), Some(_)) => {}
            }
        }
        if let Some(cost) = answer.total_cost {
            self.body.note(Event::Shown { text: format!("cost {}", cost.get()) });
        }
        self.show_message(answer.updated_personal_message.as_ref());
        let info = answer.id_tag_info.as_ref().or(answer.id_token_info.as_ref());
        if let Some(info) = info.filter(|info| began && info.status != "Accepted") {
            let Self { body, bays, .. } = self;
            for bay in bays.iter_mut() {
                bay.deauthorised(event.key, &info.status, now, body);
            }
        }
    }

    // Now and then the charger takes an answer for lost and says the same again.
    fn repeat(&mut self, queued: &Queued, event: &TransactionEvent) {
        let chance = self.body.plan.repeated_permille;
        let again = !queued.again && chance > 0 && self.body.rng.i64(0..1_000) < chance;
        if again {
            self.body.outbox.push_front(Queued { message: queued.message.clone(), attempts: 0, again: true });
        } else if matches!(event.kind, Kind::Ended(_)) {
            self.body.outbox.forget_number(event.key);
        }
    }

    fn show_message(&mut self, text: Option<&Text<'_>>) {
        if let Some(text) = text {
            self.body.note(Event::Shown { text: text.content.to_string() });
        }
    }
}
