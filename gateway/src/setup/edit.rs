//! Changing one thing in the files where it stands, comments and layout kept.

use super::files::{API_FILE, Files, PEOPLE_FILE};
use super::merge::Section;
use super::model::{Assignment, Charger, Driver, Feed, Group, Model, Person, Plan, Seller, Site, Token};
use super::node::{Node, Value as Tree, json, too_deep};
use super::report::Report;
use serde_json::Value;
use toml_edit::{Array, ArrayOfTables, DocumentMut, InlineTable, Item, Table, TableLike};

/// Why a change cannot be made.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum EditError {
    /// There is no such section.
    #[error("there is no section `{0}`")]
    NoSection(String),
    /// There is no such thing.
    #[error("there is no {0} `{1}`")]
    NoThing(String, String),
    /// The text of a file is not TOML: somebody is editing it.
    #[error("`{0}` cannot be read as TOML; mend it first")]
    Unreadable(String),
    /// A value cannot be said in TOML.
    #[error("`{0}`: {1}")]
    Value(String, &'static str),
}

/// How the things of a section are told apart: the key that names them, and what identifies one.
struct Kind {
    name: &'static str,
    id: &'static str,
    key: fn(&Node) -> Option<String>,
    fold: fn(&str) -> String,
}

fn kind<T: Section>() -> Kind {
    Kind { name: T::NAME, id: T::ID, key: T::key, fold: T::fold }
}

fn kinds() -> [Kind; 11] {
    [
        kind::<Seller>(),
        kind::<Site>(),
        kind::<Charger>(),
        kind::<Model>(),
        kind::<Group>(),
        kind::<Plan>(),
        kind::<Driver>(),
        kind::<Token>(),
        kind::<Assignment>(),
        kind::<Feed>(),
        kind::<Person>(),
    ]
}

fn is_single(section: &str) -> bool {
    matches!(section, "organisation" | "settings" | "limits")
}

impl Files {
    /// Sets keys of a thing where it stands, or adds it to `api.toml` (a person to `people.toml`). A key that is `null` is taken
    /// out; other keys and all comments stay. `id` is what tells the thing apart: of a token its uid, of a person the driver, of a
    /// feed its name and area (`spot FI`), of a model vendor and model; of `settings`, `limits` and `organisation` empty. Nothing is
    /// checked and nothing written yet: see [`Files::load`] and [`Files::save`].
    ///
    /// # Errors
    /// An unknown section, or a file that is not TOML.
    pub fn set(
        &mut self,
        section: &str,
        id: &str,
        fields: &serde_json::Map<String, Value>,
    ) -> Result<(), EditError> {
        self.change(section, id, fields, false)
    }

    /// As [`Self::set`], but keys that are not in `fields` are taken out.
    ///
    /// # Errors
    /// As [`Self::set`].
    pub fn replace(
        &mut self,
        section: &str,
        id: &str,
        fields: &serde_json::Map<String, Value>,
    ) -> Result<(), EditError> {
        self.change(section, id, fields, true)
    }

    /// Takes a thing out of the file where it stands.
    ///
    /// # Errors
    /// When it is not there.
    pub fn remove(&mut self, section: &str, id: &str) -> Result<(), EditError> {
        let Some((name, mut document, place)) = self.find(section, id)? else {
            return Err(EditError::NoThing(section.to_owned(), id.to_owned()));
        };
        match (document.get_mut(section), place) {
            (Some(Item::ArrayOfTables(tables)), Some(at)) => drop(tables.remove(at)),
            (Some(Item::Value(toml_edit::Value::Array(array))), Some(at)) => drop(array.remove(at)),
            _ => drop(document.remove(section)),
        }
        self.put(&name, document.to_string());
        Ok(())
    }

    fn change(
        &mut self,
        section: &str,
        id: &str,
        fields: &serde_json::Map<String, Value>,
        whole: bool,
    ) -> Result<(), EditError> {
        let found = self.find(section, id)?;
        let (name, mut document, place) = match found {
            Some(found) => found,
            None => {
                let name = if section == "person" { PEOPLE_FILE } else { API_FILE };
                (name.to_owned(), self.document(name)?.unwrap_or_default(), None)
            }
        };
        if is_single(section) {
            let item = document.entry(section).or_insert_with(|| Item::Table(Table::new()));
            let table = item.as_table_like_mut().ok_or_else(|| EditError::Unreadable(name.clone()))?;
            write(table, fields, whole, &[])?;
        } else {
            let kind = known(section)?;
            let item = document.entry(section).or_insert_with(|| Item::ArrayOfTables(ArrayOfTables::new()));
            match (item, place) {
                (Item::ArrayOfTables(tables), Some(at)) => {
                    let table = tables.get_mut(at).ok_or_else(|| EditError::Unreadable(name.clone()))?;
                    write(table, fields, whole, &identity(&kind))?;
                }
                (Item::ArrayOfTables(tables), None) => {
                    let mut table = Table::new();
                    named(&mut table, &kind, id);
                    write(&mut table, fields, false, &[])?;
                    tables.push(table);
                }
                (Item::Value(toml_edit::Value::Array(array)), at) => {
                    let table =
                        at.and_then(|at| array.get_mut(at)).and_then(toml_edit::Value::as_inline_table_mut);
                    match table {
                        Some(table) => write(table, fields, whole, &identity(&kind))?,
                        None => {
                            let mut table = InlineTable::new();
                            named(&mut table, &kind, id);
                            write(&mut table, fields, false, &[])?;
                            array.push(table);
                        }
                    }
                }
                _ => return Err(EditError::Unreadable(name)),
            }
        }
        self.put(&name, document.to_string());
        Ok(())
    }

    // The file that a thing stands in, and its place in the list; a new section of one goes where it stands already.
    fn find(
        &self,
        section: &str,
        id: &str,
    ) -> Result<Option<(String, DocumentMut, Option<usize>)>, EditError> {
        let kind = if is_single(section) { None } else { Some(known(section)?) };
        let names: Vec<String> = self.texts().map(|(name, _)| name.to_owned()).collect();
        for name in names {
            // What is not about this section need not be read.
            if !self.text(&name).is_some_and(|text| text.contains(section)) {
                continue;
            }
            let Some(document) = self.document(&name)? else { continue };
            let Some(item) = document.get(section) else { continue };
            let Some(kind) = &kind else { return Ok(Some((name, document, None))) };
            let folded = (kind.fold)(id);
            let is_it = |table: &dyn TableLike| {
                let key = (kind.key)(&tree(table)).map(|key| (kind.fold)(&key));
                key.as_deref() == Some(folded.as_str())
            };
            let at = match item {
                Item::ArrayOfTables(tables) => tables.iter().position(|table| is_it(table)),
                Item::Value(toml_edit::Value::Array(array)) => {
                    array.iter().position(|value| value.as_inline_table().is_some_and(|table| is_it(table)))
                }
                _ => None,
            };
            if at.is_some() {
                return Ok(Some((name, document, at)));
            }
        }
        Ok(None)
    }

    fn document(&self, name: &str) -> Result<Option<DocumentMut>, EditError> {
        let Some(text) = self.text(name) else { return Ok(None) };
        let unreadable = || EditError::Unreadable(name.to_owned());
        if too_deep(text).is_some() {
            return Err(unreadable());
        }
        text.parse().map(Some).map_err(|_| unreadable())
    }
}

fn known(section: &str) -> Result<Kind, EditError> {
    let kind = kinds().into_iter().find(|kind| kind.name == section);
    kind.ok_or_else(|| EditError::NoSection(section.to_owned()))
}

// The keys that say which thing it is, and that a replacement must not lose.
fn identity(kind: &Kind) -> Vec<&'static str> {
    match kind.name {
        "feed" => vec!["name", "area"],
        "model" => vec!["vendor", "model"],
        _ => vec![kind.id],
    }
}

fn named(table: &mut dyn TableLike, kind: &Kind, id: &str) {
    let (first, second) = match id.split_once(' ') {
        Some((first, second)) if matches!(kind.name, "feed" | "model") => (first, Some(second)),
        _ => (id, None),
    };
    table.insert(kind.id, toml_edit::value(first));
    if let (Some(second), Some(key)) = (second, identity(kind).get(1)) {
        table.insert(key, toml_edit::value(second));
    }
}

// The texts of a table, as the sections' own rules want to see them.
fn tree(table: &dyn TableLike) -> Node {
    let texts: serde_json::Map<String, Value> =
        table.iter().filter_map(|(key, item)| Some((key.to_owned(), Value::from(item.as_str()?)))).collect();
    let text = Value::from(texts).to_string();
    json(&text, 0, &mut Report::default()).unwrap_or(Node { at: Default::default(), it: Tree::Null })
}

fn write(
    table: &mut dyn TableLike,
    fields: &serde_json::Map<String, Value>,
    whole: bool,
    keep: &[&str],
) -> Result<(), EditError> {
    if whole {
        let gone: Vec<String> = table.iter().map(|(key, _)| key.to_owned()).collect();
        for key in gone.iter().filter(|key| !fields.contains_key(*key) && !keep.contains(&key.as_str())) {
            table.remove(key);
        }
    }
    for (key, value) in fields {
        if value.is_null() {
            table.remove(key);
            continue;
        }
        let mut new = toml(key, value)?;
        match table.get_mut(key) {
            // What stands behind the old value, a comment perhaps, stays.
            Some(Item::Value(old)) => {
                *new.decor_mut() = old.decor().clone();
                *old = new;
            }
            Some(old) => *old = Item::Value(new),
            None => drop(table.insert(key, Item::Value(new))),
        }
    }
    Ok(())
}

fn toml(key: &str, value: &Value) -> Result<toml_edit::Value, EditError> {
    Ok(match value {
        Value::Null => {
            return Err(EditError::Value(
                key.to_owned(),
                "leave out what is not known, inside lists and tables too",
            ));
        }
        Value::Bool(yes) => (*yes).into(),
        Value::Number(number) => match number.as_i64() {
            Some(number) => number.into(),
            None => {
                return Err(EditError::Value(
                    key.to_owned(),
                    "write a number with decimals as a text, as in \"7.4\"",
                ));
            }
        },
        Value::String(text) => text.as_str().into(),
        Value::Array(values) => {
            let values: Result<Vec<_>, _> = values.iter().map(|value| toml(key, value)).collect();
            Array::from_iter(values?).into()
        }
        Value::Object(fields) => {
            let mut table = InlineTable::new();
            for (key, value) in fields {
                table.insert(key, toml(key, value)?);
            }
            table.into()
        }
    })
}
