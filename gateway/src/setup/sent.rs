//! Things of a set-up as they go out and come in: without secrets, each by its id, paths only into the set-up's own folder.

use super::edit::{EditError, KEPT, is_single, paths_of};
use super::files::{Files, is_inside, join};
use super::load::Loaded;
use super::merge::{MANY, Section};
use super::plugins::PluginFile;
use super::report::Problems;
use super::tariffs;
use serde::Serialize;
use serde_json::{Map, Value, json};
use takst_plugins::manifest::HostName;

/// A change of one thing, as somebody sends it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Edit {
    /// Sets keys; one that is `null` is taken out.
    Merge(Thing, Map<String, Value>),
    /// Sets all keys, of a thing that is there or a new one.
    Replace(Thing, Map<String, Value>),
    /// Takes it out.
    Remove(Thing),
    /// Puts the text of a tariff file beside the set-up.
    List(String, String),
}

/// Which thing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Thing {
    /// As in the files: `charger`, `settings`, ...
    pub section: String,
    /// What tells it apart; empty for a section that stands once.
    pub id: String,
}

/// Why an edit cannot be made.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Refusal {
    /// The edit itself.
    #[error(transparent)]
    Edit(#[from] EditError),
    /// A tariff that is no tariff.
    #[error("the tariff has errors:\n{0}")]
    List(Problems),
}

impl Loaded {
    /// The things of a section with their ids, or the one thing of a section that stands once, without secrets; none: there is no such
    /// section. A password that is a hash is shown as `{"kept": "hash"}`, which leaves it as it is when it is sent back.
    #[must_use]
    pub fn section(&self, section: &str) -> Option<Vec<(String, Value)>> {
        let document = self.setup.document();
        Some(match section {
            "organisation" => single(&document.organisation),
            "settings" => single(&document.settings),
            "limits" => single(&document.limits),
            "mail" => single(&document.mail),
            "seller" => many(&document.sellers),
            "site" => many(&document.sites),
            "charger" => many(&document.chargers),
            "model" => many(&document.models),
            "group" => many(&document.groups),
            "plan" => many(&document.plans),
            "driver" => many(&document.drivers),
            "token" => many(&document.tokens),
            "tariff" => many(&document.tariffs),
            "feed" => many(&document.feeds),
            "plugin" => many(&document.plugins),
            "person" => many(&self.people),
            _ => return None,
        })
    }

    /// One thing of a section, as [`Self::section`] shows it.
    ///
    /// # Errors
    /// When there is no such section or thing.
    pub fn thing(&self, thing: &Thing) -> Result<Value, EditError> {
        let Thing { section, id } = thing;
        let things = self.section(section).ok_or_else(|| EditError::NoSection(section.clone()))?;
        let fold = |id: &str| match section.as_str() {
            "charger" | "token" | "model" => id.to_lowercase(),
            _ => id.to_owned(),
        };
        let wanted = fold(id);
        let found = things.into_iter().find(|(known, _)| is_single(section) || fold(known) == wanted);
        found.map(|(_, value)| value).ok_or_else(|| EditError::NoThing(section.clone(), id.clone()))
    }

    /// The whole set-up as JSON, without personal data and without secrets.
    #[must_use]
    pub fn shown(&self) -> Value {
        let mut whole = serde_json::to_value(self.setup.document()).unwrap_or_default();
        for charger in whole.get_mut("charger").and_then(Value::as_array_mut).into_iter().flatten() {
            veil(charger);
        }
        whole
    }

    /// Whether there is anything else in it than in `before`, for those who use it: what counts, who drivers are, secrets.
    #[must_use]
    pub fn is_same(&self, before: &Self) -> bool {
        self.hash() == before.hash()
            && self.people == before.people
            && self.secrets == before.secrets
            && self.plugins == before.plugins
    }
}

fn single(thing: &impl Serialize) -> Vec<(String, Value)> {
    vec![(String::new(), serde_json::to_value(thing).unwrap_or_default())]
}

fn many<T: Section>(things: &[T]) -> Vec<(String, Value)> {
    let shown = |thing: &T| {
        let mut value = serde_json::to_value(thing).unwrap_or_default();
        veil(&mut value);
        if T::NAME == "tariff"
            && let Some(fields) = value.as_object_mut()
        {
            fields.insert(LABEL.to_owned(), Value::from(thing.id()));
        }
        (thing.id(), value)
    };
    things.iter().map(shown).collect()
}

/// What an assignment of a tariff is called in answers, also one without an id. Not a key of the files.
const LABEL: &str = "label";

// In the place of a hash.
fn veil(thing: &mut Value) {
    if let Some(password) = thing.get_mut("security").and_then(|security| security.get_mut("password"))
        && password.is_string()
    {
        *password = json!({ KEPT: "hash" });
    }
}

impl Files {
    /// Makes an edit in the texts; `now` is what they say. Nothing is checked as a whole and nothing written yet: see [`Files::load`] and
    /// [`Files::save`].
    ///
    /// # Errors
    /// See [`Refusal`].
    pub fn apply(&mut self, edit: &Edit, now: &Loaded) -> Result<(), Refusal> {
        match edit {
            Edit::Merge(thing, fields) => {
                let mut whole = now.thing(thing)?;
                merge(&mut whole, fields);
                self.set(&thing.section, &thing.id, &incoming(thing, fields, &whole, now)?)?;
            }
            Edit::Replace(thing, fields) => {
                known(thing)?;
                let whole = Value::Object(fields.clone());
                self.replace(&thing.section, &thing.id, &incoming(thing, fields, &whole, now)?)?;
            }
            Edit::Remove(thing) => {
                known(thing)?;
                self.remove(&thing.section, &thing.id)?;
            }
            Edit::List(name, text) => {
                let name = list_name(name)?;
                let unreadable = |_| EditError::Unreadable(name.clone());
                self.put_list(&name, text.clone()).map_err(unreadable)?;
                // One that is assigned nowhere yet is checked all the same.
                tariffs::check(self, &name).map_err(Refusal::List)?;
            }
        }
        Ok(())
    }
}

fn known(thing: &Thing) -> Result<(), EditError> {
    let Thing { section, id } = thing;
    if !is_single(section) && !MANY.contains(&section.as_str()) {
        return Err(EditError::NoSection(section.clone()));
    }
    if is_single(section) != id.is_empty() {
        return Err(EditError::NoThing(section.clone(), id.clone()));
    }
    Ok(())
}

/// The name of a tariff file in the set-up's folder.
pub(crate) fn list_name(name: &str) -> Result<String, EditError> {
    let path = join("", name);
    if !is_inside(name) || path.split('/').any(|part| part.starts_with('.')) {
        return Err(EditError::Outside(name.to_owned()));
    }
    if !path.ends_with(".tariff") || path.len() > 200 || path.chars().any(char::is_control) {
        return Err(EditError::Value(
            super::read::shown(name),
            "the name of a tariff file ends in `.tariff` and has at most 200 characters",
        ));
    }
    Ok(path)
}

// What may be written: a path that was not there before does not lead out of the set-up's folder. Whoever writes to the API may
// not be somebody who may read this machine's files. `whole` is the thing as it would be.
fn incoming(
    thing: &Thing,
    fields: &Map<String, Value>,
    whole: &Value,
    now: &Loaded,
) -> Result<Map<String, Value>, EditError> {
    // Whoever names the server is given its password.
    if thing.section == "mail" {
        return Err(EditError::Value("mail".to_owned(), "the mail server can be set in the files only"));
    }
    let mut fields = fields.clone();
    if thing.section == "tariff" {
        fields.remove(LABEL);
    }
    let mut value = Value::Object(std::mem::take(&mut fields));
    let mut before = now.thing(thing).unwrap_or_default();
    let known: Vec<String> = texts(paths_of(&thing.section, &mut before));
    for path in texts(paths_of(&thing.section, &mut value)) {
        if !is_inside(&path) && !known.contains(&path) {
            return Err(EditError::Outside(super::read::shown(&path)));
        }
    }
    if thing.section == "plugin" {
        trusted(&before, whole, now.plugins.get(&thing.id).map(AsRef::as_ref))?;
    }
    if let Value::Object(whole) = value {
        fields = whole;
    }
    Ok(fields)
}

// What a plugin may, which secrets it has, and whom they can come to, is said by whoever writes the files: a secret is not known to
// everybody who may change the set-up, and through a plugin it could be sent to a host of one's own.
fn trusted(before: &Value, after: &Value, file: Option<&PluginFile>) -> Result<(), EditError> {
    let refused = |key: &str, why| Err(EditError::Value(key.to_owned(), why));
    let is_changed = |key: &str| stated(before, key) != stated(after, key);
    if is_changed("grant") {
        return refused("grant", "what a plugin may can be said in the files only");
    }
    let secrets =
        |thing: &Value| thing.get("secrets").and_then(Value::as_object).cloned().unwrap_or_default();
    let (old, new) = (secrets(before), secrets(after));
    let new: Vec<_> = new.iter().filter(|(_, place)| !place.is_null()).collect();
    if new.iter().any(|(name, place)| old.get(*name) != Some(*place)) {
        return refused("secrets", "where a plugin's secrets are can be said in the files only");
    }
    // One without secrets has none to give away.
    if new.is_empty() {
        return Ok(());
    }
    for key in ["use", "folder", "package"] {
        if is_changed(key) {
            return refused(
                key,
                "which code is trusted with a plugin's secrets can be said in the files only",
            );
        }
    }
    let manifest = file.map(|file| &file.manifest);
    let setting = |thing: &Value, name: &str| {
        let given = thing.get("settings").and_then(|settings| stated(settings, name)).cloned();
        let usual = || Some(Value::from(manifest?.settings.get(name)?.default.clone()?));
        given.or_else(usual)
    };
    for rule in manifest.iter().flat_map(|manifest| &manifest.http) {
        if let HostName::Setting(name) = &rule.host
            && setting(before, name) != setting(after, name)
        {
            return refused(
                &format!("settings.{name}"),
                "whom a plugin with secrets calls can be said in the files only",
            );
        }
    }
    Ok(())
}

// A key with a value: one that is `null` is left out.
fn stated<'a>(thing: &'a Value, key: &str) -> Option<&'a Value> {
    thing.get(key).filter(|value| !value.is_null())
}

// RFC 7396, as the files are changed by it.
fn merge(thing: &mut Value, fields: &Map<String, Value>) {
    if !thing.is_object() {
        *thing = Value::Object(Map::new());
    }
    let Some(keys) = thing.as_object_mut() else { return };
    for (key, value) in fields {
        match value {
            Value::Null => drop(keys.remove(key)),
            Value::Object(inner) => merge(keys.entry(key).or_insert(Value::Null), inner),
            other => drop(keys.insert(key.clone(), other.clone())),
        }
    }
}

fn texts(values: Vec<&mut Value>) -> Vec<String> {
    values.into_iter().filter_map(|value| value.as_str().map(str::to_owned)).collect()
}
