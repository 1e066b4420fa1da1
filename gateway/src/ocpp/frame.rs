//! The envelope around every message: CALL, CALLRESULT, CALLERROR, and 2.1's CALLRESULTERROR and SEND.
//!
//! Reading is tolerant: what can be understood is, and what was odd about it is noted. What cannot be understood is described
//! with as much of it as could be recovered.

use super::Dialect;
use super::lenient::Deviation;
use serde_json::value::RawValue;
use std::borrow::Cow;

mod broken;
mod repair;

pub use broken::{Broken, Why};
pub use repair::repair;

/// Longest text that is read as a message.
pub const MAX_BYTES: usize = 1 << 20;
/// Most places of an envelope; the standards have at most five.
const MAX_PARTS: usize = 16;

/// A message as it came in.
#[derive(Clone, Debug)]
pub struct Received<'a> {
    /// The message.
    pub frame: Frame<'a>,
    /// What was odd about its envelope.
    pub deviations: Vec<Deviation>,
}

/// A message.
#[derive(Clone, Debug)]
pub enum Frame<'a> {
    /// A request.
    Call {
        /// Its id; the answer repeats it.
        id: MessageId,
        /// What is asked.
        action: Cow<'a, str>,
        /// With what; none when it was left out.
        payload: Option<&'a RawValue>,
    },
    /// A request that wants no answer (2.1).
    Send {
        /// Its id.
        id: MessageId,
        /// What is told.
        action: Cow<'a, str>,
        /// With what; none when it was left out.
        payload: Option<&'a RawValue>,
    },
    /// The answer to a request of ours.
    Result {
        /// The request's id.
        id: MessageId,
        /// The answer; none when it was left out.
        payload: Option<&'a RawValue>,
    },
    /// A request of ours was refused.
    Error {
        /// The request's id.
        id: MessageId,
        /// The refusal.
        error: CallError,
    },
    /// An answer of ours was not understood (2.1).
    ResultError {
        /// The id of the request that we answered.
        id: MessageId,
        /// The refusal.
        error: CallError,
    },
}

/// The id of a message. Some chargers send a number where a text belongs; they get a number back.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct MessageId {
    /// Its text.
    pub text: String,
    /// It came as a number.
    pub number: bool,
}

/// A refusal.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CallError {
    /// The code as it came.
    pub code: String,
    /// In words.
    pub description: String,
    /// The details as they came.
    pub details: String,
}

/// Why a request is refused.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ErrorCode {
    /// The payload is no message of that kind.
    Format,
    /// None of the others.
    Generic,
    /// Something of ours failed.
    Internal,
    /// There is no such kind of envelope.
    MessageTypeNotSupported,
    /// Nobody knows this action.
    NotImplemented,
    /// The action is known, but not done here.
    NotSupported,
    /// Something required is missing.
    Occurrence,
    /// A value is not allowed.
    Property,
    /// The message does not fit the state of things.
    Protocol,
    /// The envelope is broken.
    Framework,
    /// Not allowed.
    Security,
    /// A value is of a wrong type.
    Type,
}

impl ErrorCode {
    /// The code as the dialect spells it.
    #[must_use]
    pub const fn as_str(self, dialect: Dialect) -> &'static str {
        let old = matches!(dialect, Dialect::V16);
        match self {
            // The spelling of 1.6.
            Self::Format if old => "FormationViolation",
            Self::Occurrence if old => "OccurenceConstraintViolation",
            Self::MessageTypeNotSupported if old => "NotSupported",
            Self::Framework if old => "ProtocolError",
            Self::Format => "FormatViolation",
            Self::Generic => "GenericError",
            Self::Internal => "InternalError",
            Self::MessageTypeNotSupported => "MessageTypeNotSupported",
            Self::NotImplemented => "NotImplemented",
            Self::NotSupported => "NotSupported",
            Self::Occurrence => "OccurrenceConstraintViolation",
            Self::Property => "PropertyConstraintViolation",
            Self::Protocol => "ProtocolError",
            Self::Framework => "RpcFrameworkError",
            Self::Security => "SecurityError",
            Self::Type => "TypeConstraintViolation",
        }
    }
}

/// Reads a message.
///
/// # Errors
/// What is wrong, with the message's id and action where they could be recovered.
pub fn read(text: &str) -> Result<Received<'_>, Broken> {
    if text.len() > MAX_BYTES {
        return Err(Broken::new(Why::TooLong(text.len())));
    }
    let parts: Vec<&RawValue> = match serde_json::from_str(text.trim_start_matches('\u{feff}')) {
        Ok(parts) => parts,
        Err(error) if error.is_data() => return Err(Broken::new(Why::NotAList)),
        Err(error) => return Err(Broken::recovered(text, Why::NotJson(error.to_string()))),
    };
    Envelope { parts: parts.get(..MAX_PARTS.min(parts.len())).unwrap_or_default(), deviations: Vec::new() }
        .read()
}

struct Envelope<'p, 'a> {
    parts: &'p [&'a RawValue],
    deviations: Vec<Deviation>,
}

impl<'a> Envelope<'_, 'a> {
    fn note(&mut self, path: &str, what: impl Into<String>) {
        self.deviations.push(Deviation { path: path.into(), what: what.into() });
    }

    fn part(&self, place: usize) -> Option<&'a RawValue> {
        self.parts.get(place).copied()
    }

    fn read(mut self) -> Result<Received<'a>, Broken> {
        let kind = self.kind()?;
        let id = self.id(kind)?;
        let frame = match kind {
            2 | 6 => {
                let action = self.text(2).filter(|action| !action.is_empty());
                let Some(action) = action else {
                    return Err(Broken { id: Some(id), call: true, ..Broken::new(Why::NoAction) });
                };
                let payload = self.payload(3);
                self.surplus(4);
                if kind == 2 {
                    Frame::Call { id, action, payload }
                } else {
                    Frame::Send { id, action, payload }
                }
            }
            3 => {
                let payload = self.payload(2);
                self.surplus(3);
                Frame::Result { id, payload }
            }
            4 | 5 => {
                let code = self.text(2).map(Cow::into_owned).unwrap_or_default();
                let description = self.text(3).map(Cow::into_owned).unwrap_or_default();
                let details = self.part(4).map_or("{}", RawValue::get).to_owned();
                self.surplus(5);
                let error = CallError { code, description, details };
                if kind == 4 { Frame::Error { id, error } } else { Frame::ResultError { id, error } }
            }
            other => {
                return Err(Broken { id: Some(id), ..Broken::new(Why::UnknownKind(other.to_string())) });
            }
        };
        Ok(Received { frame, deviations: self.deviations })
    }

    fn kind(&mut self) -> Result<i64, Broken> {
        let Some(raw) = self.part(0) else { return Err(Broken::new(Why::Empty)) };
        let text = raw.get();
        if let Ok(kind) = text.parse() {
            return Ok(kind);
        }
        let bare = text.trim_matches('"').trim();
        match bare.parse() {
            Ok(kind) => {
                self.note("[0]", "a text where a number belongs");
                Ok(kind)
            }
            Err(_) => Err(Broken::new(Why::UnknownKind(text.chars().take(40).collect()))),
        }
    }

    fn id(&mut self, kind: i64) -> Result<MessageId, Broken> {
        let call = kind == 2;
        let Some(raw) = self.part(1) else { return Err(Broken { call, ..Broken::new(Why::NoId) }) };
        let id = MessageId::read(raw).ok_or_else(|| Broken { call, ..Broken::new(Why::NoId) })?;
        if id.number {
            self.note("[1]", "a number where a text belongs");
        } else if id.text.is_empty() {
            self.note("[1]", "the message id is empty");
        } else if id.text.chars().count() > 36 {
            self.note("[1]", "the message id is longer than 36 characters");
        }
        Ok(id)
    }

    fn text(&self, place: usize) -> Option<Cow<'a, str>> {
        let raw = self.part(place)?.get();
        serde_json::from_str::<super::lenient::Text<'a>>(raw).ok().map(|text| text.0)
    }

    fn payload(&mut self, place: usize) -> Option<&'a RawValue> {
        let payload = self.part(place);
        if payload.is_none() {
            self.note(&format!("[{place}]"), "the payload is missing");
        }
        payload
    }

    fn surplus(&mut self, wanted: usize) {
        if self.parts.len() > wanted {
            self.note(&format!("[{wanted}]"), "nothing belongs here");
        }
    }
}

impl MessageId {
    /// An id of ours.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), number: false }
    }

    fn read(raw: &RawValue) -> Option<Self> {
        const LONGEST: usize = 1_024;
        let text = raw.get();
        if text.len() > LONGEST {
            return None;
        }
        match text.as_bytes().first()? {
            b'"' => serde_json::from_str::<String>(text).ok().map(Self::new),
            b'-' | b'0'..=b'9' => Some(Self { text: text.to_owned(), number: true }),
            _ => None,
        }
    }

    fn json(&self) -> String {
        if self.number { self.text.clone() } else { quoted(&self.text) }
    }
}

/// A text as JSON.
#[must_use]
pub(crate) fn quoted(text: &str) -> String {
    // Writing a text to memory cannot fail.
    serde_json::to_string(text).unwrap_or_else(|_| "\"\"".to_owned())
}

/// A request of ours. `payload` is a JSON object.
#[must_use]
pub fn call(id: &MessageId, action: &str, payload: &str) -> String {
    format!("[2,{},{},{payload}]", id.json(), quoted(action))
}

/// An answer of ours. `payload` is a JSON object.
#[must_use]
pub fn result(id: &MessageId, payload: &str) -> String {
    format!("[3,{},{payload}]", id.json())
}

/// A refusal of ours. The description is cut to the 255 characters that the standards allow.
#[must_use]
pub fn error(id: &MessageId, code: ErrorCode, description: &str, dialect: Dialect) -> String {
    refusal(4, id, code, description, dialect)
}

/// An answer of the charger's was not understood: CALLRESULTERROR. None where the dialect has none.
#[must_use]
pub fn result_error(id: &MessageId, code: ErrorCode, description: &str, dialect: Dialect) -> Option<String> {
    (dialect == Dialect::V21).then(|| refusal(5, id, code, description, dialect))
}

fn refusal(kind: u8, id: &MessageId, code: ErrorCode, description: &str, dialect: Dialect) -> String {
    let description: String = description.chars().take(255).collect();
    format!("[{kind},{},{},{},{{}}]", id.json(), quoted(code.as_str(dialect)), quoted(&description))
}

#[cfg(test)]
#[path = "frame/tests.rs"]
mod tests;
