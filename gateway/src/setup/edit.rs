//! Changing one thing in the files where it stands, comments and layout kept.

mod write;

pub(crate) use write::KEPT;

use super::files::{API_FILE, Files, PEOPLE_FILE, folder_of, relative};
use super::merge::{MANY, SINGLE, Section};
use super::model::{
    Assignment, Charger, Driver, Feed, Group, Model, Person, Plan, Plugin, Seller, Site, Token,
};
use super::node::{Node, Value as Tree, json, too_deep};
use super::read::{Field as _, list};
use super::report::Report;
use serde_json::Value;
use toml_edit::{ArrayOfTables, DocumentMut, InlineTable, Item, Table, TableLike};
use write::write;

/// Why a change cannot be made.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum EditError {
    /// There is no such section.
    #[error("there is no section `{0}`")]
    NoSection(String),
    /// There is no such thing.
    #[error("there is no {0} `{1}`")]
    NoThing(String, String),
    /// What was sent would make another thing of it.
    #[error("what was sent is not {0} `{1}`: its own keys name another one")]
    OtherThing(String, String),
    /// A path that leads out of the set-up's folder.
    #[error("`{0}` is not in the folder of the set-up")]
    Outside(String),
    /// The text of a file is not TOML: somebody is editing it.
    #[error("`{0}` cannot be read as TOML; mend it first")]
    Unreadable(String),
    /// A value cannot be said in TOML.
    #[error("`{0}`: {1}")]
    Value(String, &'static str),
}

impl EditError {
    /// What to do.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        Some(match self {
            Self::NoSection(_) => {
                let all: Vec<&str> = SINGLE.into_iter().chain(MANY).collect();
                format!("the sections are {}", list(&all))
            }
            Self::OtherThing(..) => {
                "a thing keeps its name: add one under the new name, and take the old one out".to_owned()
            }
            Self::Outside(_) => "name a file in the folder of the set-up, without `..`".to_owned(),
            Self::NoThing(..) | Self::Unreadable(_) | Self::Value(..) => return None,
        })
    }
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

fn kinds() -> [Kind; 12] {
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
        kind::<Plugin>(),
        kind::<Person>(),
    ]
}

pub(crate) fn is_single(section: &str) -> bool {
    SINGLE.contains(&section)
}

/// The paths that a thing of a section may name; `*` is any key.
const PATHS: [(&str, &[&str]); 7] = [
    ("tariff", &["file"]),
    ("feed", &["files"]),
    ("charger", &["security", "password", "file"]),
    ("plugin", &["folder"]),
    ("plugin", &["package"]),
    ("plugin", &["grant"]),
    ("plugin", &["secrets", "*", "file"]),
];

/// The values of a thing that are paths.
pub(crate) fn paths_of<'a>(section: &str, thing: &'a mut Value) -> Vec<&'a mut Value> {
    fn walk<'a>(value: &'a mut Value, ways: &[&[&'static str]], found: &mut Vec<&'a mut Value>) {
        if ways.iter().any(|way| way.is_empty()) {
            found.push(value);
            return;
        }
        let Some(fields) = value.as_object_mut() else { return };
        for (key, value) in fields {
            let rest = ways.iter().filter_map(|way| {
                let (first, rest) = way.split_first()?;
                (*first == "*" || *first == key.as_str()).then_some(rest)
            });
            let rest: Vec<_> = rest.collect();
            if !rest.is_empty() {
                walk(value, &rest, found);
            }
        }
    }
    let ways: Vec<_> = PATHS.iter().filter(|(known, _)| *known == section).map(|(_, way)| *way).collect();
    let mut found = Vec::new();
    if !ways.is_empty() {
        walk(thing, &ways, &mut found);
    }
    found
}

impl Files {
    /// Sets keys of a thing where it stands, or adds it to `api.toml` (a person to `people.toml`). A key that is `null` is taken
    /// out; other keys and all comments stay. `id` is what tells the thing apart: of a token its uid, of a person the driver, of a
    /// feed its name and area (`spot FI`), of a model vendor and model; of a tariff that has no id its label; of `settings`, `limits`
    /// and `organisation` empty. Paths in `fields` are relative to the set-up's folder, wherever the thing stands. Nothing is
    /// checked and nothing written yet: see [`Files::load`] and [`Files::save`].
    ///
    /// # Errors
    /// An unknown section, a file that is not TOML, or fields that would make another thing of it.
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
        let is_new = found.is_none();
        let (name, mut document, place) = match found {
            Some(found) => found,
            None => {
                let name = if section == "person" { PEOPLE_FILE } else { API_FILE };
                (name.to_owned(), self.document(name)?.unwrap_or_default(), None)
            }
        };
        let fields = &beside(section, folder_of(&name), fields);
        let mut unnamed = false;
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
                    unnamed = !table.contains_key(kind.id);
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
                        Some(table) => {
                            unnamed = !table.contains_key(kind.id);
                            write(table, fields, whole, &identity(&kind))?;
                        }
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
        let before = self.text(&name).map(str::to_owned);
        self.put(&name, document.to_string());
        // What had no name of its own may be called something else from now on.
        if (is_new || !unnamed || section == "feed")
            && !is_single(section)
            && self.find(section, id)?.is_none()
        {
            self.put_or_forget(&name, before);
            return Err(EditError::OtherThing(section.to_owned(), id.to_owned()));
        }
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
            let within = folder_of(&name);
            let is_it = |table: &dyn TableLike| {
                let node = tree(table);
                let key = (kind.key)(&node).or_else(|| label(kind, &node, within));
                key.is_some_and(|key| (kind.fold)(&key) == folded)
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

// What an assignment of a tariff without an id is called.
fn label(kind: &Kind, node: &Node, within: &str) -> Option<String> {
    if kind.name != Assignment::NAME {
        return None;
    }
    let mut report = Report::default();
    report.stands_in(0, within);
    Assignment::read(node, &mut report).map(|assignment| assignment.label())
}

// The fields with their paths as they are written in a file of a folder.
fn beside(
    section: &str,
    folder: &str,
    fields: &serde_json::Map<String, Value>,
) -> serde_json::Map<String, Value> {
    let mut thing = Value::Object(fields.clone());
    for path in paths_of(section, &mut thing) {
        if let Some(text) = path.as_str() {
            *path = Value::from(relative(folder, text));
        }
    }
    match thing {
        Value::Object(fields) => fields,
        _ => fields.clone(),
    }
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

// A table, as the sections' own rules want to see it.
fn tree(table: &dyn TableLike) -> Node {
    let text = write::table_json(table).to_string();
    json(&text, 0, &mut Report::default()).unwrap_or(Node { at: Default::default(), it: Tree::Null })
}
