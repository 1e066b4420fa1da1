//! Reads the fields of a message the way chargers write them, and notes what is not as the standard has it.
//!
//! Nothing here fails: a value that is of no use is none, and the note says why. Numbers are read from their literal text.

use super::Habits;
use crate::chargers::model::{Json, Word, number, scaled};
use crate::chargers::time::{self, StationTime};
use rust_decimal::Decimal;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::fmt;
use takst_engine::units::Instant;

/// Something that is not as the standard has it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Deviation {
    /// Where: `meterValue[0].timestamp`.
    pub path: String,
    /// What.
    pub what: String,
}

impl fmt::Display for Deviation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() { f.write_str(&self.what) } else { write!(f, "{}: {}", self.path, self.what) }
    }
}

/// Most deviations that are listed of one message.
const MOST_DEVIATIONS: usize = 100;
/// Most entries of one list or object that are read.
const MOST_ENTRIES: usize = 20_000;

/// What is needed to read a message, and what was odd about it.
pub(crate) struct Notes<'h> {
    pub received: Instant,
    pub habits: &'h Habits,
    list: RefCell<Vec<Deviation>>,
}

impl<'h> Notes<'h> {
    pub fn new(received: Instant, habits: &'h Habits) -> Self {
        Self { received, habits, list: RefCell::default() }
    }

    pub fn add(&self, path: &str, what: impl Into<String>) {
        let mut list = self.list.borrow_mut();
        if list.len() < MOST_DEVIATIONS {
            list.push(Deviation { path: path.to_owned(), what: what.into() });
        }
    }

    pub fn finish(self) -> Vec<Deviation> {
        self.list.into_inner()
    }
}

/// Whether a field must be there.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    Must,
    May,
}

pub(crate) use Need::{May, Must};

/// A text of JSON, borrowed where it has no escapes.
pub(crate) struct Text<'a>(pub Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Of;
        impl<'de> Visitor<'de> for Of {
            type Value = Text<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }
            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Borrowed(text)))
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(Of)
    }
}

struct Entries<'a>(Vec<Entry<'a>>);

struct Entry<'a> {
    name: Cow<'a, str>,
    value: &'a RawValue,
    read: Cell<bool>,
}

impl<'de: 'a, 'a> Deserialize<'de> for Entries<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Of;
        impl<'de> Visitor<'de> for Of {
            type Value = Entries<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries<'de>, A::Error> {
                let mut entries = Vec::new();
                while let Some((Text(name), value)) = map.next_entry::<Text<'de>, &'de RawValue>()? {
                    if entries.len() < MOST_ENTRIES {
                        entries.push(Entry { name, value, read: Cell::new(false) });
                    }
                }
                Ok(Entries(entries))
            }
        }
        deserializer.deserialize_map(Of)
    }
}

/// The fields of an object.
pub(crate) struct Fields<'a> {
    notes: &'a Notes<'a>,
    path: String,
    entries: Vec<Entry<'a>>,
}

impl<'a> Fields<'a> {
    /// The fields of `raw`; none, with a note, when it is no object.
    pub fn of(notes: &'a Notes<'a>, path: String, raw: &'a RawValue) -> Option<Self> {
        match serde_json::from_str::<Entries<'a>>(raw.get()) {
            Ok(Entries(entries)) => Some(Self { notes, path, entries }),
            Err(_) => {
                notes.add(&path, "no object");
                None
            }
        }
    }

    /// No fields at all.
    pub const fn none(notes: &'a Notes<'a>) -> Self {
        Self { notes, path: String::new(), entries: Vec::new() }
    }

    pub const fn notes(&self) -> &'a Notes<'a> {
        self.notes
    }

    pub fn path(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    pub fn note(&self, name: &str, what: impl Into<String>) {
        self.notes.add(&self.path(name), what);
    }

    fn entry(&self, name: &str) -> Option<&Entry<'a>> {
        // The last of two fields of one name counts, as everywhere.
        let exact = self.entries.iter().rev().find(|entry| entry.name == name);
        exact.or_else(|| {
            let near = self.entries.iter().find(|entry| entry.name.eq_ignore_ascii_case(name))?;
            self.note(name, format!("written `{}`", near.name));
            Some(near)
        })
    }

    /// The value as it stands there; none when it is missing or null.
    pub fn raw(&self, name: &str, need: Need) -> Option<&'a RawValue> {
        let entry = self.entry(name);
        if let Some(entry) = entry {
            entry.read.set(true);
        }
        let value = entry.map(|entry| entry.value);
        match value {
            Some(value) if value.get() == "null" => {
                self.note(name, "null where it should be left out");
                None
            }
            None if need == Must => {
                self.note(name, "required, but missing");
                None
            }
            value => value,
        }
    }

    /// The value as a document.
    pub fn json(&self, name: &str) -> Option<Json> {
        self.raw(name, May).map(|raw| Json(raw.get().to_owned()))
    }

    // The text of a value that should be a text, and whether it is one.
    fn literal(&self, name: &str, raw: &'a RawValue) -> Option<(Cow<'a, str>, bool)> {
        let text = raw.get();
        match text.as_bytes().first() {
            Some(b'"') => match serde_json::from_str::<Text<'a>>(text) {
                Ok(Text(text)) => Some((text, true)),
                Err(_) => {
                    self.note(name, "a text with broken characters");
                    Some((Cow::Borrowed(text.trim_matches('"')), true))
                }
            },
            Some(b'{' | b'[') | None => None,
            Some(_) => Some((Cow::Borrowed(text), false)),
        }
    }

    /// A text of at most `longest` characters; a longer one is taken, with a note.
    pub fn text(&self, name: &str, need: Need, longest: usize) -> Option<String> {
        let raw = self.raw(name, need)?;
        let Some((text, is_text)) = self.literal(name, raw) else {
            self.note(name, "no text");
            return None;
        };
        if !is_text {
            self.note(name, "a number where a text belongs");
        }
        if text.len() > longest && text.chars().count() > longest {
            self.note(name, format!("longer than {longest} characters"));
        }
        Some(text.into_owned())
    }

    /// A text that means something: an empty one is none.
    pub fn word_text(&self, name: &str, need: Need, longest: usize) -> Option<String> {
        self.text(name, need, longest).filter(|text| {
            let filled = !text.trim().is_empty();
            if !filled && need == Must {
                self.note(name, "empty");
            }
            filled
        })
    }

    /// A word; an unknown one is taken, with a note.
    pub fn word<W: Word>(&self, name: &str, need: Need) -> Option<W> {
        let text = self.word_text(name, need, usize::MAX)?;
        let word = W::read(text.trim());
        if !word.is_known() {
            let shown: String = text.chars().take(60).collect();
            self.note(name, format!("`{shown}` is no word of the standard"));
        }
        Some(word)
    }

    /// A number with all its digits.
    pub fn decimal(&self, name: &str, need: Need) -> Option<Decimal> {
        let raw = self.raw(name, need)?;
        let value = self.literal(name, raw).and_then(|(text, is_text)| {
            if is_text {
                self.note(name, "a text where a number belongs");
            }
            number(&text)
        });
        if value.is_none() {
            self.note(name, "no number");
        }
        value
    }

    /// The text of a number with all its digits.
    pub fn digits(&self, name: &str, need: Need) -> Option<String> {
        let raw = self.raw(name, need)?;
        let Some((text, is_text)) = self.literal(name, raw) else {
            self.note(name, "no number");
            return None;
        };
        if is_text {
            self.note(name, "a text where a number belongs");
        }
        Some(text.into_owned())
    }

    /// A whole number; decimals are rounded, with a note.
    pub fn int(&self, name: &str, need: Need) -> Option<i64> {
        let value = self.decimal(name, need)?;
        if !value.fract().is_zero() {
            self.note(name, "decimals where a whole number belongs");
        }
        let whole = scaled(value, 0);
        if whole.is_none() {
            self.note(name, "a number too large");
        }
        whole
    }

    /// Yes or no.
    pub fn flag(&self, name: &str, need: Need) -> Option<bool> {
        let raw = self.raw(name, need)?;
        match raw.get() {
            "true" => return Some(true),
            "false" => return Some(false),
            _ => {}
        }
        self.note(name, "neither true nor false");
        let (text, _) = self.literal(name, raw)?;
        match text.trim() {
            "1" => Some(true),
            "0" => Some(false),
            text if text.eq_ignore_ascii_case("true") => Some(true),
            text if text.eq_ignore_ascii_case("false") => Some(false),
            _ => None,
        }
    }

    /// When something happened at the charger.
    pub fn station_time(&self, name: &str, need: Need) -> StationTime {
        let received = self.notes.received;
        let Some(raw) = self.raw(name, need) else { return StationTime::missing(received) };
        let (text, _) = self.literal(name, raw).unwrap_or((Cow::Borrowed(raw.get()), false));
        // What is kept of a text that is no time.
        let text: String = text.chars().take(64).collect();
        let time = StationTime::take(&text, received, &self.notes.habits.time);
        match time.flaw {
            Some(time::TimeFlaw::NoZone) => self.note(name, "a time without a zone"),
            Some(time::TimeFlaw::TooOld) => self.note(name, "a time too long ago"),
            Some(time::TimeFlaw::Future) => self.note(name, "a time in the future"),
            Some(time::TimeFlaw::Unreadable) => self.note(name, "no time"),
            Some(time::TimeFlaw::Missing) | None => {}
        }
        time
    }

    /// A time that need not be now.
    pub fn instant(&self, name: &str, need: Need) -> Option<Instant> {
        let text = self.text(name, need, 64)?;
        match time::read(&text, self.notes.habits.time.offset_min) {
            Some((at, zoned)) => {
                if !zoned {
                    self.note(name, "a time without a zone");
                }
                Some(at)
            }
            None => {
                self.note(name, "no time");
                None
            }
        }
    }

    /// An object.
    pub fn object(&self, name: &str, need: Need) -> Option<Fields<'a>> {
        let raw = self.raw(name, need)?;
        // A list of one where an object belongs.
        if raw.get().starts_with('[') {
            self.note(name, "a list where an object belongs");
            let first = serde_json::from_str::<Vec<&'a RawValue>>(raw.get()).ok()?.into_iter().next()?;
            return Fields::of(self.notes, self.path(name), first);
        }
        Fields::of(self.notes, self.path(name), raw)
    }

    fn entries(&self, name: &str, need: Need) -> Vec<&'a RawValue> {
        let Some(raw) = self.raw(name, need) else { return Vec::new() };
        if !raw.get().starts_with('[') {
            self.note(name, "no list");
            return vec![raw];
        }
        let mut entries = serde_json::from_str::<Vec<&'a RawValue>>(raw.get()).unwrap_or_default();
        if entries.len() > MOST_ENTRIES {
            self.note(name, format!("more than {MOST_ENTRIES} entries; the others are left out"));
            entries.truncate(MOST_ENTRIES);
        }
        if entries.is_empty() && need == Must {
            self.note(name, "an empty list");
        }
        entries
    }

    /// A list of objects; a single object is a list of one.
    pub fn objects(&self, name: &str, need: Need) -> Vec<Fields<'a>> {
        let path = self.path(name);
        self.entries(name, need)
            .into_iter()
            .enumerate()
            .filter_map(|(place, raw)| Fields::of(self.notes, format!("{path}[{place}]"), raw))
            .collect()
    }

    /// A list of texts.
    pub fn texts(&self, name: &str, need: Need, longest: usize) -> Vec<String> {
        let entries = self.entries(name, need);
        let mut texts = Vec::with_capacity(entries.len());
        for raw in entries {
            match self.literal(name, raw) {
                Some((text, _)) => {
                    if text.chars().count() > longest {
                        self.note(name, format!("longer than {longest} characters"));
                    }
                    texts.push(text.into_owned());
                }
                None => self.note(name, "no text"),
            }
        }
        texts
    }

    /// A list of whole numbers.
    pub fn ints(&self, name: &str, need: Need) -> Vec<i64> {
        self.texts(name, need, 64)
            .into_iter()
            .filter_map(|text| {
                let whole = number(&text).and_then(|value| scaled(value, 0));
                if whole.is_none() {
                    self.note(name, "no number");
                }
                whole
            })
            .collect()
    }

    /// Notes every field that nobody asked for, except `customData`, which is everyone's own.
    pub fn done(&self) {
        for entry in &self.entries {
            if !entry.read.get() && entry.name != "customData" {
                let name: String = entry.name.chars().take(60).collect();
                self.note(&name, "not in the standard");
            }
        }
    }
}
