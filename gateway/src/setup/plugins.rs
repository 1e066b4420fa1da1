//! Plugins of a set-up: manifest, code, grant, settings and secrets of each, read and checked.

use super::files;
use super::load::Environment;
use super::merge::{Item, Raw};
use super::model::{Feed, Plugin};
use super::read::shown;
use super::report::{More as _, Place, Report};
use super::secret::SecretPlace;
use crate::plugins::shipped::{self, Shipped};
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;
use takst_plugins::grant::Grant;
use takst_plugins::load::{LARGEST, sha256};
use takst_plugins::manifest::{Capability, FILE, Manifest};
use takst_plugins::model::{Finding, Options};
use takst_plugins::package::{Package, SignError, Trusted, WASM};
use takst_plugins::secrets::{SHORTEST, Secret};

/// Of `plugin.toml` and of a grant.
const LARGEST_TEXT: usize = 256 * 1024;
/// Of a secret: a private key is one too.
const LARGEST_SECRET: usize = 16 * 1024;

/// Who can load a plugin and ask it about its settings.
pub trait Judge: Send + Sync {
    /// What the plugin says of its settings.
    ///
    /// # Errors
    /// Why it cannot be loaded, in the integrator's words.
    fn judge(&self, plugin: &PluginFile) -> Result<Vec<Finding>, String>;
}

/// Where a plugin's code is.
#[derive(Clone)]
pub enum Wasm {
    /// In the program.
    Shipped(&'static Shipped),
    /// The component as it was read.
    Own(Arc<[u8]>),
}

/// A plugin of the set-up, with all that it is made of.
#[derive(Clone)]
pub struct PluginFile {
    /// Its name here.
    pub name: String,
    /// Its manifest.
    pub manifest: Manifest,
    /// The text of its manifest.
    pub text: Arc<str>,
    /// Its code.
    pub wasm: Wasm,
    /// What tells its code from another, in hex.
    pub sha256: String,
    /// What it may.
    pub grant: Grant,
    /// Its settings, as the operator gave them.
    pub settings: Options,
    /// Its secrets.
    pub secrets: BTreeMap<String, Secret>,
    // The files that it was read from, as they were.
    stamps: Vec<Stamp>,
}

/// Without code and secrets.
impl fmt::Debug for PluginFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PluginFile")
            .field("name", &self.name)
            .field("id", &self.manifest.id)
            .field("version", &self.manifest.version)
            .finish_non_exhaustive()
    }
}

/// Plugins are the same when they do the same: when files were written again does not count.
impl PartialEq for PluginFile {
    fn eq(&self, other: &Self) -> bool {
        let Self { name, manifest, text: _, wasm: _, sha256, grant, settings, secrets, stamps: _ } = self;
        (name, manifest, sha256) == (&other.name, &other.manifest, &other.sha256)
            && (grant, settings, secrets) == (&other.grant, &other.settings, &other.secrets)
    }
}

impl PluginFile {
    /// Whether the files that it was read from are as they were.
    pub(crate) fn is_current(&self) -> bool {
        self.stamps.iter().all(|stamp| Stamp::of(stamp.path.clone()) == *stamp)
    }

    /// Whether it is one of those in the program.
    #[must_use]
    pub fn is_shipped(&self) -> bool {
        matches!(self.wasm, Wasm::Shipped(_))
    }

    /// With another version of its code: its settings and secrets, and what it may. One that is in the program and has no
    /// grant of its own may what its manifest asks for.
    ///
    /// # Errors
    /// When the code is another plugin's, and the name has changed hands: what was given to the one is not the other's.
    pub fn with_code(&self, package: Package) -> Result<Self, String> {
        let Package { text, manifest, wasm, signature: _ } = package;
        if manifest.id != self.manifest.id {
            return Err(format!(
                "`{}` is {} now, and this is code of {}, which gets nothing of what is given to it",
                self.name, self.manifest.id, manifest.id
            ));
        }
        let all = self.is_shipped() && self.grant == Grant::all(&self.manifest);
        let grant = if all { Grant::all(&manifest) } else { self.grant.clone() };
        let sha256 = sha256(&wasm);
        let wasm = Wasm::Own(wasm.into());
        Ok(Self { manifest, text: text.into(), wasm, sha256, grant, ..self.clone() })
    }
}

/// Size and time of change tell a file from the one before it.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Stamp {
    path: PathBuf,
    was: Option<(u64, Option<SystemTime>)>,
}

impl Stamp {
    fn of(path: PathBuf) -> Self {
        let was = std::fs::metadata(&path).ok().map(|about| (about.len(), about.modified().ok()));
        Self { path, was }
    }
}

// Why a plugin, or a part of it, cannot be read: message and help.
type Wrong = (String, String);

/// Reads and checks all plugins, and whether they can do what feeds want of them.
pub(crate) fn load(
    raw: &Raw,
    folder: &Path,
    environment: &Environment<'_>,
    report: &mut Report,
) -> BTreeMap<String, Arc<PluginFile>> {
    let mut all = BTreeMap::new();
    let keys = keys(raw, report);
    for item in &raw.plugins.items {
        let errors = report.errors();
        let Some(file) = one(item, folder, &keys, environment, report) else { continue };
        // What cannot work is not asked besides.
        if report.errors() == errors
            && let Some(judge) = environment.judge
        {
            let before = environment.before.and_then(|before| before.plugins.get(&file.name));
            // It has been asked before.
            if before.is_none_or(|before| **before != file) {
                asked(item, judge.judge(&file), report);
            }
        }
        all.insert(file.name.clone(), Arc::new(file));
    }
    for item in &raw.sellers.items {
        let channel = item.it.invoices.as_ref().and_then(|invoices| invoices.channel.as_ref());
        for (name, capability, path, does, waits) in [
            (
                item.it.payments.as_ref(),
                Capability::PaymentProvider,
                &["payments"][..],
                "to be paid through",
                "its bills wait",
            ),
            (
                channel,
                Capability::InvoiceChannel,
                &["invoices", "channel"][..],
                "to send invoices through",
                "its invoices wait",
            ),
        ] {
            let Some(name) = name else { continue };
            match all.get(name.as_str()) {
                Some(file) => able(file, capability, item.at(path), report),
                // One that cannot be loaded has been told of.
                None if raw.plugins.has(name) => {}
                None => {
                    report
                        .warning("S083", item.at(path), format!("there is no plugin `{name}` {does}"))
                        .advise(format!("add it: `[[plugin]]` with `id = \"{name}\"`; until then {waits}"));
                }
            }
        }
    }
    let brings = all.values().any(|file| file.manifest.capabilities.contains(&Capability::Notifier));
    // One that cannot be loaded has been told of.
    let all_read = all.len() == raw.plugins.items.len();
    for item in raw.sellers.items.iter().filter(|item| item.it.remind_after_days.is_some()) {
        if !brings && all_read {
            report
                .error(
                    "S077",
                    item.at(&["remind_after_days"]),
                    "drivers are to be reminded, and no plugin sends messages",
                )
                .advise("add one, as in `[[plugin]]` with `id = \"sms\"`, or leave `remind_after_days` out");
        }
    }
    for item in raw.plugins.items.iter().filter(|item| item.it.meters.is_some()) {
        if let Some(file) = all.get(item.it.id.as_str()) {
            able(file, Capability::MeterExport, item.at(&["meters"]), report);
        }
    }
    for item in &raw.feeds.items {
        let Feed { plugin, second, .. } = &item.it;
        for (name, key) in [(plugin, "plugin"), (second, "second")] {
            let file = name.as_ref().and_then(|name| all.get(name.as_str()));
            if let Some(file) = file {
                able(file, Capability::PriceSource, item.at(&[key]), report);
            }
        }
    }
    all
}

// Those whose packages may run. None: nobody is asked who signed one.
fn keys(raw: &Raw, report: &mut Report) -> Vec<Trusted> {
    let mut keys = Vec::new();
    let Some(item) = &raw.organisation else { return keys };
    for text in &item.it.plugin_keys {
        match Trusted::read(text) {
            Ok(key) => keys.push(key),
            Err(error) => {
                report
                    .error("S085", item.at(&["plugin_keys"]), error.to_string())
                    .advise("write the second line of the author's public key file: it begins with `RW`");
            }
        }
    }
    keys
}

fn one(
    item: &Item<Plugin>,
    folder: &Path,
    keys: &[Trusted],
    environment: &Environment<'_>,
    report: &mut Report,
) -> Option<PluginFile> {
    let Plugin { id, shipped: used, folder: own, package, settings, secrets, grant, meters: _ } = &item.it;
    let mut stamps = Vec::new();
    let ways: Vec<&str> =
        [("use", used.is_some()), ("folder", own.is_some()), ("package", package.is_some())]
            .into_iter()
            .filter_map(|(key, there)| there.then_some(key))
            .collect();
    if let [first, second, ..] = ways.as_slice() {
        report
            .error(
                "S080",
                item.at(&[*second]),
                format!("`{first}` and `{second}` both say which plugin this is"),
            )
            .also(item.at(&[*first]), "here")
            .advise("leave one of the two out");
        return None;
    }
    let read = match (own, package) {
        (Some(path), _) => of_folder(&folder.join(path.as_str()), &mut stamps),
        (None, Some(path)) => {
            let path = folder.join(path.as_str());
            let read = of_package(&path, &mut stamps);
            if let Ok(package) = &read
                && !keys.is_empty()
                && let Err(error) = package.verify(keys)
            {
                let message = format!("`{}`: {error}", files::plain(&path));
                report.error("S085", item.at(&["package"]), message).advise(trust(&error));
                return None;
            }
            read.map(|Package { text, manifest, wasm, .. }| {
                let sha256 = sha256(&wasm);
                (manifest, text.into(), Wasm::Own(wasm.into()), sha256)
            })
        }
        (None, None) => in_the_program(used.as_deref().unwrap_or(id), used.is_none(), report),
    };
    let (manifest, text, wasm, sha256) = match read {
        Ok(read) => read,
        Err((message, help)) => {
            let key = ways.first().copied().unwrap_or("id");
            report.error("S080", item.at(&[key]), message).advise(help);
            return None;
        }
    };
    let is_shipped = matches!(wasm, Wasm::Shipped(_));
    let granted = match grant {
        Some(path) => of_file(&folder.join(path.as_str()), &mut stamps, report, item.at(&["grant"]))?,
        None if is_shipped => Grant::all(&manifest),
        None => Grant::default(),
    };
    may(item, &manifest, &granted, grant.is_some() || is_shipped, report);
    check_settings(item, &manifest, report);
    let secrets = looked_up(item, secrets, &manifest, (folder, environment), &mut stamps, report);
    let settings = settings.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    let name = id.to_string();
    Some(PluginFile { name, manifest, text, wasm, sha256, grant: granted, settings, secrets, stamps })
}

// Manifest and its text, code, and its hash.
type Read = (Manifest, Arc<str>, Wasm, String);

fn in_the_program(id: &str, by_name: bool, report: &mut Report) -> Result<Read, Wrong> {
    let Some(found) = shipped::find(id) else {
        let near = report.nearest(id, shipped::all().iter().map(Shipped::id));
        let all: Vec<&str> = shipped::all().iter().map(Shipped::id).collect();
        let all = super::read::list(&all);
        let help = match near {
            Some(near) if by_name => {
                format!("did you mean `{near}`? Under a name of its own: `use = \"{near}\"`")
            }
            Some(near) => format!("did you mean `{near}`?"),
            None => {
                format!("there are {all}: `use = \"...\"`; for one of your own write `folder` or `package`")
            }
        };
        return Err((format!("there is no plugin `{}` in the program", shown(id)), help));
    };
    let manifest =
        found.manifest().map_err(|error| (error.to_string(), "build the program anew".to_owned()))?;
    Ok((manifest, found.text().into(), Wasm::Shipped(found), found.sha256()))
}

// The bytes of a file of a plugin.
fn bytes(path: &Path, most: usize, stamps: &mut Vec<Stamp>) -> Result<Vec<u8>, Wrong> {
    let read = files::read(path, most);
    stamps.push(Stamp::of(path.to_path_buf()));
    let name = files::plain(path);
    let help = "check its name; it is relative to this file".to_owned();
    let bytes = read.map_err(|error| (format!("`{name}` cannot be read: {}", files::why(&error)), help))?;
    if bytes.len() > most {
        return Err((format!("`{name}` has more than {most} bytes"), "name the right file".to_owned()));
    }
    Ok(bytes)
}

fn text(path: &Path, stamps: &mut Vec<Stamp>) -> Result<(String, String), Wrong> {
    let name = files::plain(path);
    let text = String::from_utf8(bytes(path, LARGEST_TEXT, stamps)?);
    let text = text.map_err(|_| (format!("`{name}` is not UTF-8 text"), "save it as UTF-8".to_owned()))?;
    Ok((name, text))
}

fn of_folder(folder: &Path, stamps: &mut Vec<Stamp>) -> Result<Read, Wrong> {
    let (name, about) = text(&folder.join(FILE), stamps)?;
    let manifest = Manifest::read(&name, &about).map_err(|error| {
        (format!("the manifest has errors:\n{error}"), "mend it, or ask who made the plugin".to_owned())
    })?;
    let wasm = bytes(&folder.join(WASM), LARGEST, stamps)?;
    let sha256 = sha256(&wasm);
    Ok((manifest, about.into(), Wasm::Own(wasm.into()), sha256))
}

fn of_package(path: &Path, stamps: &mut Vec<Stamp>) -> Result<Package, Wrong> {
    let whole = bytes(path, LARGEST + LARGEST_TEXT * 4, stamps)?;
    Package::read(&whole)
        .map_err(|error| (format!("`{}`: {error}", files::plain(path)), "get the package again".to_owned()))
}

// What to do about a package that nobody trusted has signed.
fn trust(error: &SignError) -> &'static str {
    match error {
        SignError::Unsigned(_) | SignError::Stranger(..) => {
            "get a signed one; or, if you trust its author, add his public key to `plugin_keys` of [organisation]"
        }
        SignError::Wrong(_) | SignError::Broken(..) | SignError::Key(_) => "get the package again",
    }
}

fn of_file(path: &Path, stamps: &mut Vec<Stamp>, report: &mut Report, at: Place) -> Option<Grant> {
    let read = text(path, stamps).and_then(|(name, text)| {
        let help = "write it as the plugin's manual says";
        Grant::read(&name, &text)
            .map_err(|error| (format!("the grant has errors:\n{error}"), help.to_owned()))
    });
    read.map_err(|(message, help)| {
        report.error("S080", at, message).advise(help);
    })
    .ok()
}

// What it asks for and does not get is told once, with the lines that would give it.
fn may(item: &Item<Plugin>, manifest: &Manifest, grant: &Grant, has_grant: bool, report: &mut Report) {
    let id = &item.it.id;
    let (_, missing) = takst_plugins::limits::Limits::effective(&manifest.limits, &grant.limits);
    if !has_grant && (!manifest.http.is_empty() || !missing.is_empty()) {
        let all = Grant::all(manifest).to_toml();
        report
            .warning("S084", item.at(&["id"]), format!("plugin `{id}` has no grant: it may call nobody"))
            .advise(format!(
                "look at what it asks for, and write what it may have into a file that `grant` names:\n{all}"
            ));
        return;
    }
    if !missing.is_empty() {
        report
            .warning("S084", item.at(&["grant"]), format!("plugin `{id}` asks for more than its grant gives"))
            .advise(format!("to give it, write into [limits] of the grant:\n{}", missing.join("\n")));
    }
}

fn check_settings(item: &Item<Plugin>, manifest: &Manifest, report: &mut Report) {
    let given = &item.it.settings;
    let plugin = &manifest.id;
    for name in given.keys() {
        if manifest.settings.contains_key(name) {
            continue;
        }
        let at = item.at(&["settings", name]);
        if manifest.secrets.contains_key(name) {
            report.hide(at);
            report
                .error("S082", at, format!("`{name}` of {plugin} is a secret, and stands among the settings"))
                .advise(format!("write `secrets = {{ {name} = {{ env = \"NAME\" }} }}`"));
            continue;
        }
        // It may be a secret under a wrong name.
        report.hide(at);
        let near =
            report.nearest(name, manifest.settings.keys().chain(manifest.secrets.keys()).map(String::as_str));
        let help = match near {
            Some(near) => format!("did you mean `{near}`?"),
            None if manifest.settings.is_empty() => "leave it out: this plugin has no settings".to_owned(),
            None => {
                let all: Vec<&str> = manifest.settings.keys().map(String::as_str).collect();
                format!("its settings are {}", super::read::list(&all))
            }
        };
        report.error("S081", at, format!("{plugin} has no setting `{}`", shown(name))).advise(help);
    }
    let known = given.iter().filter(|(name, _)| manifest.settings.contains_key(*name));
    let known: Options = known.map(|(name, value)| (name.clone(), value.clone())).collect();
    for Finding { setting, text, .. } in manifest.check_settings(&known) {
        let help = manifest.settings.get(&setting).map(|spec| spec.help.clone()).unwrap_or_default();
        let (message, help) = match given.contains_key(&setting) {
            true => (format!("setting `{setting}` of {plugin}: {text}"), help),
            false => (
                format!("{plugin} needs the setting `{setting}`"),
                format!("add `settings = {{ {setting} = \"...\" }}`: {help}"),
            ),
        };
        report.error("S081", item.at(&["settings", &setting]), message).advise(help);
    }
}

fn looked_up(
    item: &Item<Plugin>,
    given: &BTreeMap<String, SecretPlace>,
    manifest: &Manifest,
    (folder, environment): (&Path, &Environment<'_>),
    stamps: &mut Vec<Stamp>,
    report: &mut Report,
) -> BTreeMap<String, Secret> {
    let plugin = &manifest.id;
    let mut all = BTreeMap::new();
    for (name, spec) in
        manifest.secrets.iter().filter(|(name, spec)| spec.required && !given.contains_key(*name))
    {
        report
            .error("S082", item.at(&["secrets"]), format!("{plugin} needs the secret `{name}`"))
            .advise(format!("add `secrets = {{ {name} = {{ env = \"NAME\" }} }}` with {}", spec.help));
    }
    for (name, place) in given {
        let at = item.at(&["secrets", name]);
        if !manifest.secrets.contains_key(name) {
            let near = report.nearest(name, manifest.secrets.keys().map(String::as_str));
            let names: Vec<&str> = manifest.secrets.keys().map(String::as_str).collect();
            let help = match near {
                Some(near) => format!("did you mean `{near}`?"),
                None if names.is_empty() => "leave it out: this plugin has no secrets".to_owned(),
                None => format!("its secrets are {}", super::read::list(&names)),
            };
            report.error("S082", at, format!("{plugin} has no secret `{}`", shown(name))).advise(help);
            continue;
        }
        let found = match place {
            SecretPlace::Env(name) => (environment.variable)(name).ok_or_else(|| {
                (
                    format!("the environment variable `{}` is not set", shown(name)),
                    "set it where `takst serve` is started".to_owned(),
                )
            }),
            SecretPlace::File(path) => bytes(&folder.join(path), LARGEST_SECRET, stamps),
        };
        let secret = found.and_then(|bytes| {
            let secret = Secret::new(&bytes);
            if secret.expose().len() < SHORTEST {
                let message = format!("the secret `{name}` of {plugin} has less than {SHORTEST} bytes");
                return Err((message, "put the secret alone into it, as its provider gave it".to_owned()));
            }
            Ok(secret)
        });
        match secret {
            Ok(secret) => drop(all.insert(name.clone(), secret)),
            Err((message, help)) => {
                report.error("S043", at, message).advise(help);
            }
        }
    }
    all
}

// What it says of its settings itself.
fn asked(item: &Item<Plugin>, answer: Result<Vec<Finding>, String>, report: &mut Report) {
    let findings = match answer {
        Ok(findings) => findings,
        Err(why) => {
            report
                .error("S080", item.at(&["id"]), format!("plugin `{}` cannot be loaded: {why}", item.it.id))
                .advise("mend it, or ask who made the plugin");
            return;
        }
    };
    for Finding { setting, text, error } in findings {
        let at = item.at(&["settings", &setting]);
        let message = match setting.is_empty() {
            true => format!("plugin `{}` says: {}", item.it.id, shown_whole(&text)),
            false => format!(
                "plugin `{}` says of its setting `{}`: {}",
                item.it.id,
                shown(&setting),
                shown_whole(&text)
            ),
        };
        let found =
            if error { report.error("S081", at, message) } else { report.warning("S081", at, message) };
        found.advise("the plugin's own page says more of its settings");
    }
}

// A plugin's words: in one line, and not without end.
fn shown_whole(text: &str) -> String {
    text.chars().take(500).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn able(file: &PluginFile, capability: Capability, at: Place, report: &mut Report) {
    let (manifest, name) = (&file.manifest, &file.name);
    if !manifest.capabilities.contains(&capability) {
        let can: Vec<&str> = manifest.capabilities.iter().map(|one| one.name()).collect();
        report
            .error("S083", at, format!("plugin `{name}` ({}) is no {capability}", manifest.id))
            .advise(format!("it is a {}: name another plugin", can.join(", ")));
    } else if !file.grant.allows(capability) {
        report
            .error("S083", at, format!("plugin `{name}` may not be used as {capability}"))
            .advise(format!("add \"{capability}\" to `capabilities` of its grant"));
    }
}
