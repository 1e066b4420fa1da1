//! JSON as partners send it: digits are kept, comment lines skipped, and what nobody asked for is reported.

use super::Problem;
use chrono::{DateTime, NaiveDateTime, Utc};
use rust_decimal::Decimal;
use serde::Deserialize;
use serde::de::{MapAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;

/// Documents are not nested deeper.
const DEEPEST: usize = 24;

/// A value; numbers as they were written.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Node {
    Null,
    Bool(bool),
    Number(String),
    Text(String),
    List(Vec<Node>),
    Object(Vec<(String, Node)>),
}

// The fields of an object in their order.
struct Raw<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Raw<'de> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = Raw<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Raw<'de>, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry::<String, &'de RawValue>()? {
                    fields.push(field);
                }
                Ok(Raw(fields))
            }
        }
        deserializer.deserialize_map(Fields)
    }
}

/// Reads a document. Lines that begin with `//` are skipped.
///
/// # Errors
/// What is no JSON, or nested too deeply.
pub(super) fn read(text: &str) -> Result<Node, Problem> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let comment = |line: &&str| line.trim_start().starts_with("//");
    let kept: String;
    let text = if text.lines().any(|line| comment(&line)) {
        // Empty lines in their place, so that a message counts lines as the file does.
        let blank = |line: &str| if comment(&line) { "\n".to_owned() } else { format!("{line}\n") };
        kept = text.lines().map(blank).collect();
        kept.as_str()
    } else {
        text
    };
    let raw: &RawValue =
        serde_json::from_str(text).map_err(|error| Problem::new("", format!("this is no JSON: {error}")))?;
    node(raw.get(), 0)
}

fn node(text: &str, depth: usize) -> Result<Node, Problem> {
    let text = text.trim();
    let broken = |error: serde_json::Error| Problem::new("", format!("this is no JSON: {error}"));
    if depth > DEEPEST {
        return Err(Problem::new("", format!("it is nested more than {DEEPEST} levels deep")));
    }
    Ok(match text.as_bytes().first() {
        Some(b'{') => {
            let Raw(fields) = serde_json::from_str(text).map_err(broken)?;
            let read = |(name, value): (String, &RawValue)| Ok((name, node(value.get(), depth + 1)?));
            Node::Object(fields.into_iter().map(read).collect::<Result<_, Problem>>()?)
        }
        Some(b'[') => {
            let list: Vec<&RawValue> = serde_json::from_str(text).map_err(broken)?;
            Node::List(list.into_iter().map(|value| node(value.get(), depth + 1)).collect::<Result<_, _>>()?)
        }
        Some(b'"') => Node::Text(serde_json::from_str(text).map_err(broken)?),
        Some(b't') => Node::Bool(true),
        Some(b'f') => Node::Bool(false),
        Some(b'n') | None => Node::Null,
        Some(_) => Node::Number(text.to_owned()),
    })
}

impl Node {
    const fn what(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "true or false",
            Self::Number(_) => "a number",
            Self::Text(_) => "a text",
            Self::List(_) => "a list",
            Self::Object(_) => "an object",
        }
    }

    /// The value of a field, where this is an object that has it.
    pub fn get(&self, name: &str) -> Option<&Self> {
        let Self::Object(fields) = self else { return None };
        let found = fields.iter().find(|(known, _)| known == name).map(|(_, value)| value);
        found.filter(|value| **value != Self::Null)
    }

    /// Whether this is an object with such a field.
    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }
}

/// A field's value and where it stands.
#[derive(Clone, Debug)]
pub(super) struct At<'a> {
    pub node: &'a Node,
    pub place: String,
}

impl<'a> At<'a> {
    pub fn new(node: &'a Node, place: impl Into<String>) -> Self {
        Self { node, place: place.into() }
    }

    pub fn wrong(&self, message: impl Into<String>) -> Problem {
        Problem::new(self.place.clone(), message)
    }

    fn not(&self, wanted: &str) -> Problem {
        self.wrong(format!("this is {}; {wanted} belongs here", self.node.what()))
    }

    pub fn text(&self) -> Result<&'a str, Problem> {
        match self.node {
            Node::Text(text) => Ok(text.trim()),
            Node::Number(text) => Ok(text),
            _ => Err(self.not("a text")),
        }
    }

    /// A number; some systems write it as a text.
    pub fn decimal(&self) -> Result<Decimal, Problem> {
        let (Node::Number(text) | Node::Text(text)) = self.node else { return Err(self.not("a number")) };
        let text = text.trim();
        let read = if text.contains(['e', 'E']) {
            Decimal::from_scientific(text).ok()
        } else {
            Decimal::from_str_exact(text).ok()
        };
        match read {
            Some(number) => Ok(number.normalize()),
            None => Err(self.wrong(format!("`{}` is no number that can be read exactly", short(text)))),
        }
    }

    pub fn whole(&self) -> Result<i64, Problem> {
        let number = self.decimal()?;
        i64::try_from(number)
            .ok()
            .filter(|whole| Decimal::from(*whole) == number)
            .ok_or_else(|| self.wrong(format!("`{number}` is no whole number")))
    }

    /// A time; without an offset it is UTC, as the standard has it.
    pub fn time(&self) -> Result<DateTime<Utc>, Problem> {
        let text = self.text()?;
        if let Ok(time) = DateTime::parse_from_rfc3339(text) {
            return Ok(time.with_timezone(&Utc));
        }
        for form in ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M"] {
            if let Ok(time) = NaiveDateTime::parse_from_str(text, form) {
                return Ok(time.and_utc());
            }
        }
        Err(self.wrong(format!("`{}` is no time such as 2025-03-10T12:00:00Z", short(text))))
    }

    pub fn list(&self) -> Result<Vec<At<'a>>, Problem> {
        let list = match self.node {
            Node::List(list) => list.as_slice(),
            // What some languages make of an empty list.
            Node::Object(fields) if fields.is_empty() => &[],
            _ => return Err(self.not("a list")),
        };
        let at = |(index, node)| At::new(node, format!("{}[{index}]", self.place));
        Ok(list.iter().enumerate().map(at).collect())
    }

    pub fn object(&self) -> Result<Fields<'a>, Problem> {
        let fields = match self.node {
            Node::Object(fields) => fields.as_slice(),
            // What some languages make of an object without fields.
            Node::List(list) if list.is_empty() => &[],
            _ => return Err(self.not("an object")),
        };
        Ok(Fields { place: self.place.clone(), fields, seen: vec![false; fields.len()] })
    }
}

fn short(text: &str) -> String {
    text.chars().take(40).collect()
}

/// An object whose fields are read one by one.
pub(super) struct Fields<'a> {
    pub place: String,
    fields: &'a [(String, Node)],
    seen: Vec<bool>,
}

impl<'a> Fields<'a> {
    /// A field that is there and not null.
    pub fn take(&mut self, name: &str) -> Option<At<'a>> {
        let mut found = None;
        for ((known, node), seen) in self.fields.iter().zip(&mut self.seen) {
            if known == name {
                *seen = true;
                // A field that is there twice: the later one, as most readers have it.
                found = Some(node);
            }
        }
        let place = if self.place.is_empty() { name.to_owned() } else { format!("{}.{name}", self.place) };
        // Some systems write an empty text for nothing.
        let said =
            |node: &Node| *node != Node::Null && !matches!(node, Node::Text(text) if text.trim().is_empty());
        found.filter(|node| said(node)).map(|node| At { node, place })
    }

    pub fn need(&mut self, name: &str) -> Result<At<'a>, Problem> {
        let place = self.place.clone();
        self.take(name).ok_or_else(|| Problem::new(place, format!("`{name}` is missing")))
    }

    /// Known, and of no consequence.
    pub fn ignore(&mut self, names: &[&str]) {
        for name in names {
            self.take(name);
        }
    }

    /// Reports what was not asked for.
    pub fn rest(&self, notes: &mut Vec<Problem>) {
        for ((name, node), seen) in self.fields.iter().zip(&self.seen) {
            if !seen && *node != Node::Null {
                let place =
                    if self.place.is_empty() { name.clone() } else { format!("{}.{name}", self.place) };
                notes.push(Problem::new(place, "this field is not known, and was not looked at"));
            }
        }
    }
}
