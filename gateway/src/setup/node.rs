//! TOML and JSON as one tree of values that know where they stand.

use super::report::{More as _, Place, Report};
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;
use takst_dsl::ast::Span;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub at: Place,
    pub it: Value,
}

/// What stands there.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    Text(String),
    /// Digits as they were written, in base 10.
    Number(String),
    Bool(bool),
    /// A TOML date, time or both, as text.
    Time(String),
    List(Vec<Node>),
    Table(Vec<Entry>),
    /// JSON only.
    Null,
    /// The parser gave up here and has said so.
    Broken,
}

/// A key with its value.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub key: String,
    pub at: Place,
    pub node: Node,
}

impl Node {
    /// What kind of value it is, for messages.
    pub const fn kind(&self) -> &'static str {
        match self.it {
            Value::Text(_) => "a text",
            Value::Number(_) => "a number",
            Value::Bool(_) => "`true` or `false`",
            Value::Time(_) => "a date or time",
            Value::List(_) => "a list",
            Value::Table(_) => "a table",
            Value::Null => "`null`",
            Value::Broken => "nothing",
        }
    }

    /// The entry of a key, when this is a table that has it.
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        match &self.it {
            Value::Table(entries) => entries.iter().find(|entry| entry.key == key),
            _ => None,
        }
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.entry(key).map(|entry| &entry.node)
    }

    /// The values of a list; a single value is a list of one.
    pub fn list(&self) -> &[Self] {
        match &self.it {
            Value::List(nodes) => nodes,
            _ => std::slice::from_ref(self),
        }
    }

    /// The text, when it is one.
    pub fn text(&self) -> Option<&str> {
        match &self.it {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Where the value of a path of keys stands; the nearest table around it where it is left out.
    pub fn place(&self, path: &[&str]) -> Place {
        let mut node = self;
        for key in path {
            match node.get(key) {
                Some(inner) => node = inner,
                None => break,
            }
        }
        node.at
    }
}

/// How deep JSON may be nested: a set-up needs six.
const MOST_DEPTH: usize = 64;

/// Most dots of one line outside quotes. `a.b.c = 1` is a table in a table, and the parser sets no bound.
const MOST_DOTS: usize = 100;

// Where a line begins that has more.
pub(crate) fn too_deep(text: &str) -> Option<usize> {
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let (mut dots, mut quote) = (0, None);
        for byte in line.bytes() {
            match (byte, quote) {
                (b'#', None) => break,
                (b'"' | b'\'', None) => quote = Some(byte),
                (_, Some(open)) if byte == open => quote = None,
                (b'.', None) => dots += 1,
                _ => {}
            }
        }
        if dots > MOST_DOTS {
            return Some(start);
        }
        start += line.len();
    }
    None
}

/// Reads a TOML text; what cannot be read is reported and left out.
pub(crate) fn toml(text: &str, source: u32, report: &mut Report) -> Node {
    if let Some(start) = too_deep(text) {
        let at = Place { source, span: span_of(&(start..start)) };
        report.error("S004", at, "tables are nested too deep").advise("a key has at most 100 parts");
        return Node { at, it: Value::Broken };
    }
    let (table, errors) = DeTable::parse_recoverable(text);
    // One line that cannot be read can give several errors: the first one is the cause.
    let mut line = None;
    for error in errors {
        let span = error.span().unwrap_or_default();
        let this = text.get(..span.start.min(text.len())).map(|before| before.matches('\n').count());
        if line.is_some() && line == this {
            continue;
        }
        line = this;
        let at = Place { source, span: span_of(&span) };
        let (message, help) = say(error.message());
        let found = report.error("S004", at, message);
        if let Some(help) = help {
            found.help = Some(help.to_owned());
        }
    }
    let at = Place { source, span: Span::default() };
    Node { at, it: Value::Table(entries(table.into_inner(), source)) }
}

// The parser's words in ours, with what to write.
fn say(message: &str) -> (String, Option<&'static str>) {
    let has = |part: &str| message.contains(part);
    if has("duplicate key") {
        return ("this key stands here already".into(), Some("keep one of the two"));
    }
    if has("string values must be quoted") {
        return (
            "a value is missing or has no quotes".into(),
            Some("put texts in quotes: `name = \"Otakaari 5\"`"),
        );
    }
    if has("recursion limit") {
        return ("tables are nested too deep".into(), None);
    }
    (format!("this is not TOML: {message}"), None)
}

fn span_of(range: &std::ops::Range<usize>) -> Span {
    let byte = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
    Span { start: byte(range.start), end: byte(range.end) }
}

fn entries(table: DeTable<'_>, source: u32) -> Vec<Entry> {
    let mut entries: Vec<Entry> = table
        .into_iter()
        .map(|(key, value)| Entry {
            at: Place { source, span: span_of(&key.span()) },
            key: key.into_inner().into_owned(),
            node: node(value, source),
        })
        .collect();
    entries.sort_by_key(|entry| entry.at);
    entries
}

fn node(value: Spanned<DeValue<'_>>, source: u32) -> Node {
    let span = value.span();
    let at = Place { source, span: span_of(&span) };
    let it = match value.into_inner() {
        // What the parser put in the place of something unreadable.
        DeValue::String(text) if span.is_empty() && text.is_empty() => Value::Broken,
        DeValue::String(text) => Value::Text(text.into_owned()),
        DeValue::Integer(int) if int.radix() == 10 => Value::Number(int.as_str().replace('_', "")),
        DeValue::Integer(int) => i64::from_str_radix(int.as_str(), int.radix())
            .map_or(Value::Broken, |int| Value::Number(int.to_string())),
        DeValue::Float(float) => Value::Number(float.as_str().replace('_', "")),
        DeValue::Boolean(yes) => Value::Bool(yes),
        DeValue::Datetime(time) => Value::Time(time.to_string()),
        DeValue::Array(array) => Value::List(array.into_iter().map(|value| node(value, source)).collect()),
        DeValue::Table(table) => Value::Table(entries(table, source)),
    };
    Node { at, it }
}

/// Reads a JSON text; one that cannot be read is reported, and nothing comes out.
pub(crate) fn json(text: &str, source: u32, report: &mut Report) -> Option<Node> {
    match serde_json::from_str::<&RawValue>(text) {
        Ok(raw) => {
            let json = Json { text, source };
            let node = json.node(raw, MOST_DEPTH);
            if node.is_none() {
                report.error("S004", json.place(raw.get()), "lists and objects are nested too deep");
            }
            node
        }
        Err(error) => {
            let start = offset(text, error.line(), error.column());
            let at = Place { source, span: Span { start, end: start } };
            let full = error.to_string();
            let words = full.split(" at line ").next().unwrap_or(&full);
            report.error("S004", at, format!("this is not JSON: {words}"));
            None
        }
    }
}

fn offset(text: &str, line: usize, column: usize) -> u32 {
    let start: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    u32::try_from((start + column.saturating_sub(1)).min(text.len())).unwrap_or(u32::MAX)
}

struct Json<'t> {
    text: &'t str,
    source: u32,
}

impl Json<'_> {
    // Where a part of the text stands in it.
    fn place(&self, part: &str) -> Place {
        let start = (part.as_ptr() as usize).saturating_sub(self.text.as_ptr() as usize);
        Place { source: self.source, span: span_of(&(start..start + part.len())) }
    }

    // None: it goes deeper than `depth`.
    fn node(&self, raw: &RawValue, depth: usize) -> Option<Node> {
        let depth = depth.checked_sub(1)?;
        let text = raw.get();
        let at = self.place(text);
        let it = match text.as_bytes().first() {
            Some(b'{') => {
                let Ok(members) = serde_json::from_str::<Members<'_>>(text) else { return None };
                let entry = |(key, value): (Key<'_>, &RawValue)| {
                    let at = match &key.0 {
                        Cow::Borrowed(key) => self.place(key),
                        Cow::Owned(_) => self.place(value.get()),
                    };
                    Some(Entry { key: key.0.into_owned(), at, node: self.node(value, depth)? })
                };
                Value::Table(members.0.into_iter().map(entry).collect::<Option<_>>()?)
            }
            Some(b'[') => {
                let Ok(values) = serde_json::from_str::<Vec<&RawValue>>(text) else { return None };
                Value::List(values.into_iter().map(|value| self.node(value, depth)).collect::<Option<_>>()?)
            }
            Some(b'"') => serde_json::from_str(text).map_or(Value::Broken, Value::Text),
            Some(b't') => Value::Bool(true),
            Some(b'f') => Value::Bool(false),
            Some(b'n') => Value::Null,
            _ => Value::Number(text.to_owned()),
        };
        Some(Node { at, it })
    }
}

struct Key<'t>(Cow<'t, str>);

impl<'t> serde::Deserialize<'t> for Key<'t> {
    fn deserialize<D: Deserializer<'t>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl<'t> Visitor<'t> for Text {
            type Value = Key<'t>;
            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a key")
            }
            fn visit_borrowed_str<E>(self, text: &'t str) -> Result<Key<'t>, E> {
                Ok(Key(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Key<'t>, E> {
                Ok(Key(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(Text)
    }
}

// All members of an object, also those that stand twice.
struct Members<'t>(Vec<(Key<'t>, &'t RawValue)>);

impl<'t> serde::Deserialize<'t> for Members<'t> {
    fn deserialize<D: Deserializer<'t>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'t> Visitor<'t> for Object {
            type Value = Members<'t>;
            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }
            fn visit_map<A: MapAccess<'t>>(self, mut map: A) -> Result<Members<'t>, A::Error> {
                let mut members = Vec::new();
                while let Some(key) = map.next_key()? {
                    members.push((key, map.next_value()?));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Object)
    }
}
