//! What one set-up has that another one has not, as data for the audit log and as a line for people.

use super::load::Loaded;
use super::merge::Section;
use super::model::Document;
use super::plugins::PluginFile;
use super::read::shown;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;

/// One thing that is new, gone or different.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Change {
    /// As in the files: `charger`, `tariff`, ...; `tariff file` for the text of one.
    pub section: &'static str,
    /// Which one; empty for sections that stand once.
    pub id: String,
    /// What happened to it.
    #[serde(flatten)]
    pub what: What,
}

/// What happened to a thing.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum What {
    /// It is new.
    Added {
        /// What it is.
        after: Value,
    },
    /// It is gone.
    Removed {
        /// What it was.
        before: Value,
    },
    /// Some of its keys differ.
    Changed {
        /// Which.
        fields: Vec<FieldChange>,
    },
}

/// A key that differs.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct FieldChange {
    /// The key; of a key in a table in it `settings.restart_after`.
    pub field: String,
    /// What it was; none: it was left out.
    pub before: Option<Value>,
    /// What it is; none: it is left out.
    pub after: Option<Value>,
}

/// `charger OT-5: site otakaari-5 -> otakaari-7, name added`.
impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.section)?;
        if !self.id.is_empty() {
            write!(f, " {}", self.id)?;
        }
        match &self.what {
            What::Added { .. } => f.write_str(": new"),
            What::Removed { .. } => f.write_str(": gone"),
            What::Changed { fields } => {
                for (nth, field) in fields.iter().enumerate() {
                    write!(f, "{} {field}", if nth == 0 { ":" } else { "," })?;
                }
                Ok(())
            }
        }
    }
}

impl fmt::Display for FieldChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |value: &Value| match value {
            Value::String(text) => shown(text),
            other => shown(&other.to_string()),
        };
        match (&self.before, &self.after) {
            (Some(before), Some(after)) => write!(f, "{} {} -> {}", self.field, text(before), text(after)),
            (None, Some(after)) => write!(f, "{} {}", self.field, text(after)),
            (Some(_), None) | (None, None) => write!(f, "{} no longer stated", self.field),
        }
    }
}

impl Loaded {
    /// What is different from `before`: the document, and the texts of tariff files. Secrets and personal data are not in it.
    #[must_use]
    pub fn changes_since(&self, before: &Self) -> Vec<Change> {
        let mut found = changes(before.setup.document(), self.setup.document());
        for (name, file) in &self.tariffs {
            let (Some(old), new) = (before.tariffs.get(name), file.prepared.version()) else { continue };
            if old.prepared.version() != new {
                let version = |version: &str| Some(Value::from(version));
                let field = FieldChange {
                    field: "version".into(),
                    before: version(old.prepared.version()),
                    after: version(new),
                };
                let what = What::Changed { fields: vec![field] };
                found.push(Change { section: "tariff file", id: name.clone(), what });
            }
        }
        for (name, file) in self.plugins.iter() {
            let Some(old) = before.plugins.get(name).filter(|old| old.sha256 != file.sha256) else {
                continue;
            };
            let shown =
                |file: &PluginFile| Some(Value::from(format!("{} {}", file.manifest.version, file.sha256)));
            let field = FieldChange { field: "code".into(), before: shown(old), after: shown(file) };
            let what = What::Changed { fields: vec![field] };
            found.push(Change { section: "plugin", id: name.clone(), what });
        }
        found
    }
}

/// What is different between two documents, section by section.
#[must_use]
pub fn changes(before: &Document, after: &Document) -> Vec<Change> {
    let mut found = Vec::new();
    let Document {
        organisation,
        settings,
        limits,
        mail,
        sellers,
        sites,
        chargers,
        models,
        groups,
        plans,
        drivers,
        tokens,
        tariffs,
        feeds,
        plugins,
    } = before;
    single(&mut found, "organisation", organisation, &after.organisation);
    single(&mut found, "settings", settings, &after.settings);
    single(&mut found, "limits", limits, &after.limits);
    single(&mut found, "mail", mail, &after.mail);
    many(&mut found, sellers, &after.sellers);
    many(&mut found, sites, &after.sites);
    many(&mut found, chargers, &after.chargers);
    many(&mut found, models, &after.models);
    many(&mut found, groups, &after.groups);
    many(&mut found, plans, &after.plans);
    many(&mut found, drivers, &after.drivers);
    many(&mut found, tokens, &after.tokens);
    many(&mut found, tariffs, &after.tariffs);
    many(&mut found, feeds, &after.feeds);
    many(&mut found, plugins, &after.plugins);
    found
}

// The thing as JSON, without what opens a door.
fn value(thing: &impl Serialize) -> Value {
    let mut value = serde_json::to_value(thing).unwrap_or_default();
    if let Some(password) = value.get_mut("security").and_then(|security| security.get_mut("password"))
        && password.is_string()
    {
        // Another hash must show as a change all the same.
        let hash = takst_engine::prepared::hash_text(password.to_string().as_bytes());
        *password = Value::from(format!("a hash ({})", hash.chars().take(15).collect::<String>()));
    }
    value
}

fn single<T: Serialize + PartialEq>(found: &mut Vec<Change>, section: &'static str, before: &T, after: &T) {
    if before != after {
        let fields = fields(&value(before), &value(after));
        found.push(Change { section, id: String::new(), what: What::Changed { fields } });
    }
}

fn many<T: Section>(found: &mut Vec<Change>, before: &[T], after: &[T]) {
    let section = T::NAME;
    let old: BTreeMap<String, &T> = before.iter().map(|thing| (thing.id(), thing)).collect();
    let new: BTreeMap<String, &T> = after.iter().map(|thing| (thing.id(), thing)).collect();
    for thing in before.iter().filter(|thing| !new.contains_key(&thing.id())) {
        found.push(Change { section, id: thing.id(), what: What::Removed { before: value(thing) } });
    }
    for thing in after {
        let id = thing.id();
        let what = match old.get(&id) {
            None => What::Added { after: value(thing) },
            Some(before) if *before != thing => {
                What::Changed { fields: fields(&value(before), &value(thing)) }
            }
            Some(_) => continue,
        };
        found.push(Change { section, id, what });
    }
}

// The keys that differ; of tables in it those that differ in them.
fn fields(before: &Value, after: &Value) -> Vec<FieldChange> {
    let mut found = Vec::new();
    walk("", Some(before), Some(after), &mut found);
    found
}

fn walk(path: &str, before: Option<&Value>, after: Option<&Value>, found: &mut Vec<FieldChange>) {
    if before == after {
        return;
    }
    let empty = serde_json::Map::new();
    let table = |value: Option<&Value>| value.is_none_or(Value::is_object);
    if table(before) && table(after) {
        let map = |value: Option<&'_ Value>| {
            value.and_then(Value::as_object).cloned().unwrap_or_else(|| empty.clone())
        };
        let (old, new) = (map(before), map(after));
        let mut keys: Vec<&String> =
            old.keys().chain(new.keys().filter(|key| !old.contains_key(*key))).collect();
        keys.sort();
        for key in keys {
            let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            walk(&path, old.get(key), new.get(key), found);
        }
    } else {
        found.push(FieldChange { field: path.to_owned(), before: before.cloned(), after: after.cloned() });
    }
}
