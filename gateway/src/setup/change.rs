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
use takst_plugins::grant::Grant;

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
    /// What is different from `before`: the document, the texts of tariff files, and what plugins have in files of their own: grants, code, manifests.
    /// That a secret is another one is in it, by its name; secrets and personal data are not.
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
            let fields = of_plugin(before.plugins.get(name).map(AsRef::as_ref), file);
            if !fields.is_empty() {
                let what = What::Changed { fields };
                found.push(Change { section: "plugin", id: name.clone(), what });
            }
        }
        // A password in the files is a part of the document; one that stands elsewhere is not.
        let is_told = |found: &[Change], id: &str| {
            found
                .iter()
                .any(|change| change.section == "charger" && change.id == id && change.is_about("security"))
        };
        for charger in &self.setup.document().chargers {
            let id = charger.id.to_string();
            if self.secrets.differs(&before.secrets, &id) && !is_told(&found, &id) {
                let what = What::Changed { fields: vec![secret("security.password", true, true)] };
                found.push(Change { section: "charger", id, what });
            }
        }
        found
    }
}

impl Change {
    // Whether all of the thing, or this key of it, is different.
    fn is_about(&self, key: &str) -> bool {
        match &self.what {
            What::Changed { fields } => fields.iter().any(|field| field.field.starts_with(key)),
            What::Added { .. } | What::Removed { .. } => true,
        }
    }
}

// That there is another secret; never which.
fn secret(name: &str, was: bool, is: bool) -> FieldChange {
    let before = was.then(|| Value::from("a secret"));
    let after = is.then(|| Value::from(if was { "another secret" } else { "a secret" }));
    FieldChange { field: name.to_owned(), before, after }
}

// What of a plugin stands in files of its own: what it may, its code and manifest, its secrets.
fn of_plugin(old: Option<&PluginFile>, file: &PluginFile) -> Vec<FieldChange> {
    let mut found = Vec::new();
    let grant = |file: &PluginFile| serde_json::to_value(&file.grant).unwrap_or_default();
    let Some(old) = old else {
        // That it is new the document says, but not what the file of its grant allows.
        let usual = file.is_shipped() && file.grant == Grant::all(&file.manifest);
        if !usual {
            walk("grant", None, Some(&grant(file)), &mut found);
        }
        return found;
    };
    walk("grant", Some(&grant(old)), Some(&grant(file)), &mut found);
    let code = |file: &PluginFile| Some(Value::from(format!("{} {}", file.manifest.version, file.sha256)));
    if old.sha256 != file.sha256 {
        found.push(FieldChange { field: "code".into(), before: code(old), after: code(file) });
    } else if old.manifest != file.manifest {
        let hash =
            |file: &PluginFile| Some(Value::from(takst_engine::prepared::hash_text(file.text.as_bytes())));
        found.push(FieldChange { field: "manifest".into(), before: hash(old), after: hash(file) });
    }
    let names = old.secrets.keys().chain(file.secrets.keys().filter(|name| !old.secrets.contains_key(*name)));
    for name in names {
        let (was, is) = (old.secrets.get(name), file.secrets.get(name));
        if was != is {
            found.push(secret(&format!("secrets.{name}"), was.is_some(), is.is_some()));
        }
    }
    found
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
