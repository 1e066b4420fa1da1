//! Writes JSON objects with their fields in the order of the schema, and refuses what a dialect has no words for.

use super::Dialect;
use super::frame::quoted;
use crate::chargers::model::Json;
use crate::chargers::time;
use rust_decimal::Decimal;
use serde_json::value::RawValue;
use std::fmt;
use takst_engine::units::Instant;

/// A dialect has no words for something.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unsayable {
    /// Which dialect.
    pub dialect: Dialect,
    /// What it cannot say, and what to do.
    pub what: String,
}

impl fmt::Display for Unsayable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.dialect, self.what)
    }
}

impl std::error::Error for Unsayable {}

/// An object on its way out. The first thing that cannot be said is kept and comes out of [`Object::finish`].
pub(crate) struct Object {
    dialect: Dialect,
    fields: Vec<(&'static str, String)>,
    problem: Option<Unsayable>,
}

impl Object {
    pub const fn new(dialect: Dialect) -> Self {
        Self { dialect, fields: Vec::new(), problem: None }
    }

    /// Notes what cannot be said.
    pub fn refuse(mut self, what: impl Into<String>) -> Self {
        if self.problem.is_none() {
            self.problem = Some(Unsayable { dialect: self.dialect, what: what.into() });
        }
        self
    }

    /// Refuses when `said` holds: the dialect has no field for `what`.
    pub fn without(self, said: bool, what: &str) -> Self {
        if said { self.refuse(format!("there are no words for {what}")) } else { self }
    }

    fn put(mut self, name: &'static str, value: String) -> Self {
        self.fields.push((name, value));
        self
    }

    /// A text of at most `longest` characters.
    pub fn text(self, name: &'static str, text: &str, longest: usize) -> Self {
        if text.len() > longest && text.chars().count() > longest {
            return self.refuse(format!("`{name}` is longer than {longest} characters"));
        }
        self.put(name, quoted(text))
    }

    pub fn some_text(self, name: &'static str, text: Option<&str>, longest: usize) -> Self {
        match text {
            Some(text) => self.text(name, text, longest),
            None => self,
        }
    }

    /// A text for people: cut where the schema ends.
    pub fn prose(self, name: &'static str, text: &str, longest: usize) -> Self {
        let text: String = text.chars().take(longest).collect();
        self.put(name, quoted(&text))
    }

    pub fn word(self, name: &'static str, word: &str) -> Self {
        self.put(name, quoted(word))
    }

    pub fn some_word(self, name: &'static str, word: Option<&str>) -> Self {
        match word {
            Some(word) => self.word(name, word),
            None => self,
        }
    }

    pub fn int(self, name: &'static str, value: i64) -> Self {
        self.put(name, value.to_string())
    }

    pub fn some_int(self, name: &'static str, value: Option<i64>) -> Self {
        match value {
            Some(value) => self.int(name, value),
            None => self,
        }
    }

    /// A whole number that may not be below zero.
    pub fn count(self, name: &'static str, value: i64) -> Self {
        if value < 0 { self.refuse(format!("`{name}` is below zero")) } else { self.int(name, value) }
    }

    pub fn some_count(self, name: &'static str, value: Option<i64>) -> Self {
        match value {
            Some(value) => self.count(name, value),
            None => self,
        }
    }

    pub fn number(self, name: &'static str, value: Decimal) -> Self {
        self.put(name, value.normalize().to_string())
    }

    pub fn some_number(self, name: &'static str, value: Option<Decimal>) -> Self {
        match value {
            Some(value) => self.number(name, value),
            None => self,
        }
    }

    pub fn flag(self, name: &'static str, value: bool) -> Self {
        self.put(name, value.to_string())
    }

    pub fn some_flag(self, name: &'static str, value: Option<bool>) -> Self {
        match value {
            Some(value) => self.flag(name, value),
            None => self,
        }
    }

    pub fn time(self, name: &'static str, at: Instant) -> Self {
        self.put(name, quoted(&time::write(at)))
    }

    pub fn some_time(self, name: &'static str, at: Option<Instant>) -> Self {
        match at {
            Some(at) => self.time(name, at),
            None => self,
        }
    }

    /// A document as it is; refused when it is no JSON.
    pub fn document(self, name: &'static str, json: &Json) -> Self {
        match serde_json::from_str::<&RawValue>(&json.0) {
            Ok(raw) => self.put(name, raw.get().to_owned()),
            Err(_) => self.refuse(format!("`{name}` is no JSON")),
        }
    }

    pub fn some_document(self, name: &'static str, json: Option<&Json>) -> Self {
        match json {
            Some(json) => self.document(name, json),
            None => self,
        }
    }

    pub fn object(mut self, name: &'static str, object: Object) -> Self {
        let text = object.text_of();
        self.problem = self.problem.or(object.problem);
        self.put(name, text)
    }

    pub fn some_object(self, name: &'static str, object: Option<Object>) -> Self {
        match object {
            Some(object) => self.object(name, object),
            None => self,
        }
    }

    /// A list of `least` to `most` objects; without any it is left out when `least` is 0.
    pub fn objects(
        mut self,
        name: &'static str,
        objects: impl IntoIterator<Item = Object>,
        least: usize,
        most: usize,
    ) -> Self {
        let mut texts = Vec::new();
        for object in objects {
            texts.push(object.text_of());
            self.problem = self.problem.or(object.problem);
        }
        self.list(name, &texts, least, most)
    }

    /// A list of words or texts.
    pub fn texts<'t>(
        self,
        name: &'static str,
        texts: impl IntoIterator<Item = &'t str>,
        longest: usize,
        least: usize,
        most: usize,
    ) -> Self {
        let mut too_long = false;
        let quoted: Vec<String> = texts
            .into_iter()
            .map(|text| {
                too_long |= text.chars().count() > longest;
                quoted(text)
            })
            .collect();
        let out = self.list(name, &quoted, least, most);
        if too_long {
            out.refuse(format!("an entry of `{name}` is longer than {longest} characters"))
        } else {
            out
        }
    }

    /// A list of whole numbers.
    pub fn ints(self, name: &'static str, values: &[i64], least: usize, most: usize) -> Self {
        let texts: Vec<String> = values.iter().map(i64::to_string).collect();
        self.list(name, &texts, least, most)
    }

    fn list(self, name: &'static str, texts: &[String], least: usize, most: usize) -> Self {
        if texts.len() < least {
            return self.refuse(format!("`{name}` needs at least {least}"));
        }
        if texts.len() > most {
            return self.refuse(format!("`{name}` has more than {most} entries"));
        }
        if texts.is_empty() && least == 0 {
            return self;
        }
        self.put(name, format!("[{}]", texts.join(",")))
    }

    /// Puts fields into another order: those named first, in that order, then the others.
    pub fn arrange(mut self, order: &[&str]) -> Self {
        self.fields
            .sort_by_key(|(name, _)| order.iter().position(|other| other == name).unwrap_or(order.len()));
        self
    }

    fn text_of(&self) -> String {
        let mut text = String::from("{");
        for (name, value) in &self.fields {
            if text.len() > 1 {
                text.push(',');
            }
            text.push('"');
            text.push_str(name);
            text.push_str("\":");
            text.push_str(value);
        }
        text.push('}');
        text
    }

    /// The object's text.
    ///
    /// # Errors
    /// The first thing that could not be said.
    pub fn finish(self) -> Result<String, Unsayable> {
        match &self.problem {
            Some(problem) => Err(problem.clone()),
            None => Ok(self.text_of()),
        }
    }
}
