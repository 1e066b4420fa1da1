//! What we ask of a charger: one thing at a time, and nothing before it may be asked.

use crate::chargers::model::{Outcome, Registration, Status, StatusInfo};
use crate::hub::{Early, Order, Unsent};
use crate::ocpp::frame::{CallError, MessageId};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::Instant as Moment;

/// How far a charger is allowed to work with us, on this connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Phase {
    /// It was accepted on an earlier connection; it has until then to boot again.
    Settling(Moment),
    /// It has never booted; from then on it can be asked to.
    Unbooted(Moment),
    /// It has booted and is not answered yet.
    Asking,
    /// It may work.
    Accepted,
    /// It is being looked into.
    Pending,
    /// It may not work.
    Rejected,
}

/// A request of ours that is with the charger.
pub(super) struct Asked {
    pub id: String,
    pub action: &'static str,
    pub deadline: Moment,
    reply: oneshot::Sender<Result<Outcome, Unsent>>,
}

/// Our side of the talk.
pub(super) struct Calls {
    pub phase: Phase,
    asked: Option<Asked>,
}

impl Phase {
    pub fn at_first(booted: bool, now: Moment, settle: Duration) -> Self {
        if booted { Self::Settling(now + settle) } else { Self::Unbooted(now + settle) }
    }

    fn allows(self, early: Early, now: Moment) -> bool {
        match self {
            Self::Settling(until) => now >= until,
            Self::Unbooted(until) => now >= until && early == Early::Unbooted,
            Self::Asking | Self::Rejected => false,
            Self::Accepted => true,
            Self::Pending => early != Early::No,
        }
    }

    /// When more is allowed, without the charger's doing.
    pub fn opens(self, now: Moment) -> Option<Moment> {
        match self {
            Self::Settling(until) | Self::Unbooted(until) if now < until => Some(until),
            _ => None,
        }
    }
}

impl From<Registration> for Phase {
    fn from(registration: Registration) -> Self {
        match registration {
            Registration::Accepted => Self::Accepted,
            Registration::Pending => Self::Pending,
            Registration::Rejected => Self::Rejected,
        }
    }
}

impl Calls {
    pub fn new(phase: Phase) -> Self {
        Self { phase, asked: None }
    }

    pub fn asked(&self) -> Option<&Asked> {
        self.asked.as_ref()
    }

    pub fn is_free(&self) -> bool {
        self.asked.is_none()
    }

    /// Whether an order may go out now.
    pub fn may(&self, order: &Order, now: Moment) -> bool {
        self.phase.allows(order.when, now)
    }

    /// The order goes out under this id; its payload.
    pub fn ask(&mut self, id: String, order: Order) -> (&'static str, String) {
        let Order { call, when: _, deadline, topic: _, reply } = order;
        self.asked = Some(Asked { id, action: call.action, deadline, reply });
        (call.action, call.payload)
    }

    /// Takes the request that an answer with this id belongs to.
    pub fn answered(&mut self, id: &MessageId) -> Option<Asked> {
        self.asked.take_if(|asked| asked.id == id.text)
    }

    /// Takes the request when its time is up.
    pub fn overdue(&mut self, now: Moment) -> Option<Asked> {
        self.asked.take_if(|asked| asked.deadline <= now)
    }

    /// Takes the request, whatever it is.
    pub fn abandon(&mut self) -> Option<Asked> {
        self.asked.take()
    }
}

impl Asked {
    /// Tells whoever asked.
    pub fn tell(self, ended: Result<Outcome, Unsent>) {
        // He may have given up.
        let _ = self.reply.send(ended);
    }
}

/// A charger's refusal, as an outcome.
pub(super) fn refused(error: &CallError) -> Outcome {
    let status = match error.code.as_str() {
        "NotImplemented" => Status::NotImplemented,
        "NotSupported" => Status::NotSupported,
        _ => Status::Failed,
    };
    failed(status, &error.code, &error.description)
}

/// An outcome that came to nothing, and why.
pub(super) fn failed(status: Status, code: &str, text: &str) -> Outcome {
    let text = Some(text).filter(|text| !text.is_empty()).map(|text| text.chars().take(500).collect());
    let code = code.chars().take(60).collect();
    Outcome { info: Some(StatusInfo { code, text }), ..Outcome::of(status) }
}
