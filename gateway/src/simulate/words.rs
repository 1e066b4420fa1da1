//! What a charger says, before and after it is put into the words of a dialect.

mod v16;
mod v2;

use crate::ocpp::Dialect;
use std::sync::Arc;
use takst_engine::units::Instant;

/// What a charger says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Message {
    /// It has started.
    Boot(Boot),
    /// It is there.
    Heartbeat,
    /// How a connector is; connector 0 is the charger.
    Status(Status),
    /// May this driver charge?
    Authorize { connector: u32, token: Arc<str> },
    /// Something about a transaction.
    Transaction(Box<TransactionEvent>),
    /// A meter value outside of a transaction.
    Meter(Meter),
    /// How an update of the firmware goes.
    Firmware { status: &'static str, request: Option<i64>, signed: bool },
    /// How an upload of a log goes.
    Log { status: &'static str, request: Option<i64> },
    /// The device model (2.x).
    Report { request: i64, at: Instant },
}

/// Why it started.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Boot {
    PowerUp,
    Ordered,
    Firmware,
    Triggered,
}

/// How a connector is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Status {
    pub connector: u32,
    pub state: Shown,
    pub at: Instant,
}

/// What a connector can be, in the terms of 1.6; 2.x has fewer words.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Shown {
    Available,
    Preparing,
    Charging,
    SuspendedEv,
    Finishing,
    Reserved,
    Unavailable,
    Faulted,
}

/// Something about a transaction.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct TransactionEvent {
    /// The charger's own number of the transaction.
    pub key: u32,
    /// Its id in 2.x.
    pub id: u128,
    pub seq: u32,
    pub connector: u32,
    pub kind: Kind,
    pub meter: Meter,
    /// It happened without a connection.
    pub offline: bool,
    pub token: Option<Arc<str>>,
    /// The gateway's number of its order to start (2.x).
    pub remote: Option<i64>,
    pub charging: Shown,
}

/// What about a transaction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    Began {
        reservation: Option<i64>,
    },
    /// Charging began or stopped; 1.6 has a status for it instead.
    Turned,
    Sample,
    Ended(Reason),
}

/// Why a transaction ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Reason {
    Unplugged,
    Driver,
    Remote,
    Deauthorised,
    PowerLoss,
    SoftReset,
    HardReset,
    Unlocked,
    Fault,
}

/// A look at the meter.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Meter {
    pub connector: u32,
    pub at: Instant,
    /// Its register, in Wh.
    pub register: i64,
    /// In W.
    pub power: i64,
    /// How full the car is; only direct current tells.
    pub soc: Option<i64>,
}

/// A message in the words of a dialect.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Said {
    pub action: &'static str,
    pub payload: String,
}

/// Who speaks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Speaker<'a> {
    pub dialect: Dialect,
    pub id: &'a str,
    pub vendor: &'a str,
    pub model: &'a str,
    pub firmware: &'a str,
    /// The gateway's number of the transaction that the message is about (1.6).
    pub number: Option<i64>,
}

impl Shown {
    /// What the dialect has words for: in 2.x a car is there, or it is not.
    pub(super) const fn told_in(self, dialect: Dialect) -> Self {
        match (dialect, self) {
            (Dialect::V16, state) => state,
            (_, Self::Preparing | Self::Charging | Self::SuspendedEv | Self::Finishing) => Self::Preparing,
            (_, state) => state,
        }
    }
}

impl Message {
    /// Whether it outlives a lost connection.
    pub(super) const fn is_kept(&self) -> bool {
        matches!(self, Self::Transaction(_))
    }

    /// In the words of the speaker's dialect.
    pub(super) fn say(&self, speaker: &Speaker<'_>) -> Said {
        let (action, payload) = match speaker.dialect {
            Dialect::V16 => v16::say(self, speaker),
            Dialect::V201 | Dialect::V21 => v2::say(self, speaker),
        };
        Said { action, payload: payload.to_string() }
    }

    /// The action alone.
    pub(super) const fn action(&self, dialect: Dialect) -> &'static str {
        let old = matches!(dialect, Dialect::V16);
        match self {
            Self::Boot(_) => "BootNotification",
            Self::Heartbeat => "Heartbeat",
            Self::Status(_) => "StatusNotification",
            Self::Authorize { .. } => "Authorize",
            Self::Transaction(event) if old => match event.kind {
                Kind::Began { .. } => "StartTransaction",
                Kind::Turned | Kind::Sample => "MeterValues",
                Kind::Ended(_) => "StopTransaction",
            },
            Self::Transaction(_) => "TransactionEvent",
            Self::Meter(_) => "MeterValues",
            Self::Firmware { signed: true, .. } if old => "SignedFirmwareStatusNotification",
            Self::Firmware { .. } => "FirmwareStatusNotification",
            Self::Log { request: None, .. } if old => "DiagnosticsStatusNotification",
            Self::Log { .. } => "LogStatusNotification",
            Self::Report { .. } => "NotifyReport",
        }
    }
}

impl Reason {
    /// As OCPP has it.
    pub(super) const fn as_str(self, dialect: Dialect) -> &'static str {
        let old = matches!(dialect, Dialect::V16);
        match self {
            Self::Unplugged => "EVDisconnected",
            Self::Driver => "Local",
            Self::Remote => "Remote",
            Self::Deauthorised => "DeAuthorized",
            Self::PowerLoss => "PowerLoss",
            Self::SoftReset if old => "SoftReset",
            Self::HardReset if old => "HardReset",
            Self::SoftReset => "Reboot",
            Self::HardReset => "ImmediateReset",
            Self::Unlocked if old => "UnlockCommand",
            Self::Unlocked | Self::Fault => "Other",
        }
    }
}

/// A transaction's id as 2.x writes it.
pub(super) fn id_text(id: u128) -> String {
    uuid::Uuid::from_u128(id).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ocpp::schema::violations;

    #[test]
    fn everything_a_charger_says_is_as_the_schemas_have_it() {
        let at = Instant(1_790_000_000_000);
        let meter = Meter { connector: 1, at, register: 1_234_567, power: 149_900, soc: Some(61) };
        let event = |kind, charging| {
            Message::Transaction(Box::new(TransactionEvent {
                key: 1,
                id: 7,
                seq: 3,
                connector: 1,
                kind,
                meter,
                offline: true,
                token: Some("DEMO".into()),
                remote: Some(4),
                charging,
            }))
        };
        let mut all = vec![Message::Heartbeat, Message::Meter(meter), Message::Report { request: 5, at }];
        all.push(Message::Authorize { connector: 1, token: "DEMO".into() });
        for boot in [Boot::PowerUp, Boot::Ordered, Boot::Firmware, Boot::Triggered] {
            all.push(Message::Boot(boot));
        }
        for state in [
            Shown::Available,
            Shown::Preparing,
            Shown::Charging,
            Shown::SuspendedEv,
            Shown::Finishing,
            Shown::Reserved,
            Shown::Unavailable,
            Shown::Faulted,
        ] {
            all.push(Message::Status(Status { connector: 1, state, at }));
            all.push(event(Kind::Turned, state));
        }
        for reason in [
            Reason::Unplugged,
            Reason::Driver,
            Reason::Remote,
            Reason::Deauthorised,
            Reason::PowerLoss,
            Reason::SoftReset,
            Reason::HardReset,
            Reason::Unlocked,
            Reason::Fault,
        ] {
            all.push(event(Kind::Ended(reason), Shown::Finishing));
        }
        all.push(event(Kind::Began { reservation: None }, Shown::Preparing));
        all.push(event(Kind::Began { reservation: Some(9) }, Shown::Preparing));
        all.push(event(Kind::Sample, Shown::Charging));
        for request in [None, Some(2)] {
            all.push(Message::Firmware { status: "Installing", request, signed: request.is_some() });
            all.push(Message::Log { status: "Uploaded", request });
        }
        for dialect in Dialect::ALL {
            let speaker = Speaker {
                dialect,
                id: "SIM-1",
                vendor: "Takst",
                model: "M",
                firmware: "1.0",
                number: Some(12),
            };
            for message in &all {
                let old = dialect == Dialect::V16;
                if old && matches!(message, Message::Report { .. }) {
                    continue;
                }
                let said = message.say(&speaker);
                assert_eq!(said.action, message.action(dialect));
                let raw: Box<serde_json::value::RawValue> = serde_json::from_str(&said.payload).unwrap();
                let found = violations(dialect, said.action, Some(&raw));
                assert!(found.is_empty(), "{dialect} {} {}: {found:?}", said.action, said.payload);
                let read =
                    dialect.read_call(said.action, Some(&raw), at, &crate::ocpp::Habits::default()).unwrap();
                assert!(read.deviations.is_empty(), "{dialect} {}: {:?}", said.payload, read.deviations);
            }
        }
    }
}
