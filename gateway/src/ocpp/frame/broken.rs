//! What could not be understood, and what to say to that.

use super::{ErrorCode, MessageId, error};
use crate::ocpp::Dialect;
use std::fmt;

/// A text that is no message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Broken {
    /// What is wrong.
    pub why: Why,
    /// The message's id, where it could be recovered.
    pub id: Option<MessageId>,
    /// The action, where it could be recovered.
    pub action: Option<String>,
    /// It looks like a request, so someone waits for an answer.
    pub call: bool,
}

/// What is wrong with a text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Why {
    /// So many bytes are more than a message may have.
    TooLong(usize),
    /// It is no JSON; in the parser's words.
    NotJson(String),
    /// It is JSON, but no list.
    NotAList,
    /// The list is empty.
    Empty,
    /// There is no such kind of message.
    UnknownKind(String),
    /// There is no message id.
    NoId,
    /// There is no action.
    NoAction,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong(bytes) => write!(f, "a message of {bytes} bytes is too long"),
            Self::NotJson(why) => write!(f, "this is no JSON: {why}"),
            Self::NotAList => f.write_str("a message is a JSON list"),
            Self::Empty => f.write_str("the message is empty"),
            Self::UnknownKind(kind) => write!(f, "there is no message type {kind}"),
            Self::NoId => f.write_str("the message id is missing or is no text"),
            Self::NoAction => f.write_str("the action is missing or is no text"),
        }
    }
}

impl Broken {
    pub(super) const fn new(why: Why) -> Self {
        Self { why, id: None, action: None, call: false }
    }

    // The head of a message can stand before what is broken: `[2,"id","Action",{...`.
    pub(super) fn recovered(text: &str, why: Why) -> Self {
        let mut broken = Self::new(why);
        let Some(rest) = text.trim_start().strip_prefix('[') else { return broken };
        let Some((kind, rest)) = rest.split_once(',') else { return broken };
        broken.call = kind.trim().trim_matches('"') == "2";
        let Some((id, rest)) = value(rest) else { return broken };
        broken.id = Some(id);
        if broken.call {
            let action = rest.trim_start().strip_prefix(',').and_then(value);
            broken.action = action.filter(|(action, _)| !action.number).map(|(action, _)| action.text);
        }
        broken
    }

    /// The refusal to send back. None where nobody waits for one, and for messages of transactions: what has happened has
    /// happened, and a refusal makes chargers stall.
    #[must_use]
    pub fn refusal(&self, dialect: Dialect) -> Option<String> {
        if self.action.as_deref().is_some_and(|action| dialect.is_transaction(action)) {
            return None;
        }
        let code = match self.why {
            Why::UnknownKind(_) => ErrorCode::MessageTypeNotSupported,
            Why::NotJson(_) | Why::NoAction if self.call => ErrorCode::Format,
            _ => ErrorCode::Framework,
        };
        match (&self.id, dialect) {
            (Some(id), _) if self.call || code == ErrorCode::MessageTypeNotSupported => {
                Some(error(id, code, &self.why.to_string(), dialect))
            }
            (Some(_), _) | (None, Dialect::V16) => None,
            // 2.x: a message whose id cannot be read is answered with the id "-1".
            (None, _) => {
                Some(error(&MessageId::new("-1"), ErrorCode::Framework, &self.why.to_string(), dialect))
            }
        }
    }
}

// The text or number at the head of `text`, and what follows it.
fn value(text: &str) -> Option<(MessageId, &str)> {
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<serde_json::Value>();
    let value = match values.next()?.ok()? {
        serde_json::Value::String(text) if text.len() <= 1_024 => MessageId::new(text),
        serde_json::Value::Number(number) => MessageId { text: number.to_string(), number: true },
        _ => return None,
    };
    text.get(values.byte_offset()..).map(|rest| (value, rest))
}
