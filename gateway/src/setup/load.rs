//! From texts to a set-up that can be used: merged, checked, tariffs compiled, secrets looked up.

use super::catalogue::ChangesFrom;
use super::files::{self, Files};
use super::mail;
use super::merge::{Raw, merge};
use super::model::{Document, Person};
use super::node::{Node, Value, json, toml};
use super::plugins::{self, Judge, PluginFile};
use super::report::{More as _, Problems, Report};
use super::resolve::Setup;
use super::secret::{Password, Secrets};
use super::tariffs::{self, TariffFile};
use super::{check, read};
use crate::mail::Server;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use takst_dsl::compile::SourceFile;

/// What a set-up takes from around it, beside its files.
#[derive(Clone, Copy)]
pub struct Environment<'a> {
    /// The value of an environment variable.
    pub variable: &'a dyn Fn(&str) -> Option<Vec<u8>>,
    /// The set-up as it was: tariffs whose texts have not changed are taken from it and not compiled again.
    pub before: Option<&'a Loaded>,
    /// Who loads plugins and asks them about their settings; without one, what only they know is not checked.
    pub judge: Option<&'a dyn Judge>,
}

impl std::fmt::Debug for Environment<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Environment").field("before", &self.before.is_some()).finish_non_exhaustive()
    }
}

/// The variables of this process.
fn process(name: &str) -> Option<Vec<u8>> {
    std::env::var_os(name).map(std::ffi::OsString::into_encoded_bytes)
}

impl Default for Environment<'_> {
    fn default() -> Self {
        Self { variable: &process, before: None, judge: None }
    }
}

/// A set-up without errors.
#[derive(Clone)]
pub struct Loaded {
    /// What is set up.
    pub setup: Setup,
    /// Who drivers are. Not part of the document: it can be erased.
    pub people: Vec<Person>,
    /// Passwords of chargers, for checking.
    pub secrets: Secrets,
    /// The tariff files that are assigned somewhere, by path relative to the set-up's folder.
    pub tariffs: BTreeMap<String, Arc<TariffFile>>,
    /// The plugins, by their names here.
    pub plugins: Arc<BTreeMap<String, Arc<PluginFile>>>,
    /// The mail server, with its password.
    pub mail: Option<Arc<Server>>,
    /// What is odd; also what the compiler says about the tariffs.
    pub warnings: Problems,
    pub(crate) changes: Vec<ChangesFrom>,
    // The texts, for messages that come later.
    pub(crate) sources: Vec<SourceFile>,
}

/// Without the texts of the files, which may hold hashes of passwords.
impl std::fmt::Debug for Loaded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let tariffs: Vec<&String> = self.tariffs.keys().collect();
        f.debug_struct("Loaded")
            .field("setup", &self.setup)
            .field("tariffs", &tariffs)
            .finish_non_exhaustive()
    }
}

impl Loaded {
    /// The set-up as JSON, without personal data. Passwords are hashes or say where they are.
    #[must_use]
    pub fn document(&self) -> String {
        self.setup.document().to_json()
    }

    /// SHA-256 of the document and the versions of its tariffs: what is the same need not be put in force again.
    #[must_use]
    pub fn hash(&self) -> String {
        let mut text = self.document();
        for (name, file) in &self.tariffs {
            text.push('\n');
            text.push_str(name);
            text.push(' ');
            text.push_str(file.prepared.version());
        }
        for (name, file) in self.plugins.iter() {
            text.push('\n');
            text.push_str(name);
            text.push(' ');
            text.push_str(&file.sha256);
            text.push_str(&file.grant.to_toml());
        }
        takst_engine::prepared::hash_text(text.as_bytes())
    }
}

impl Loaded {
    /// Whether a tariff file on the disk says something else than the one that was taken in, or a file of a plugin is another one.
    #[must_use]
    pub fn lists_differ(&self, files: &Files) -> bool {
        self.plugins.values().any(|plugin| !plugin.is_current())
            || self.tariffs.values().any(|file| !tariffs::is_current(files, &file.bundle))
    }
}

impl Setup {
    /// Reads the set-up at `path` (a file, or a folder of `*.toml`) and checks all of it.
    ///
    /// # Errors
    /// All mistakes of all its files, those of tariffs included.
    pub fn load(path: &Path) -> Result<Loaded, Problems> {
        Files::read(path)?.load(&Environment::default())
    }
}

impl Files {
    /// Checks the texts and all they refer to.
    ///
    /// # Errors
    /// All mistakes of all files, those of tariffs included.
    pub fn load(&self, environment: &Environment<'_>) -> Result<Loaded, Problems> {
        let mut report = Report::default();
        let mut nodes = Vec::new();
        for (name, text) in self.texts() {
            let shown = files::plain(&self.folder().join(name));
            let source = report.source(shown, text.to_owned());
            report.stands_in(source, name.rsplit_once('/').map_or("", |(folder, _)| folder));
            nodes.push(toml(text, source, &mut report));
        }
        finish(nodes, self, environment, report)
    }
}

fn finish(
    nodes: Vec<Node>,
    files: &Files,
    environment: &Environment<'_>,
    mut report: Report,
) -> Result<Loaded, Problems> {
    let raw = merge(nodes, &mut report);
    check::all(&raw, &mut report);
    let secrets = secrets(&raw, files.folder(), environment, &mut report);
    let plugins = plugins::load(&raw, files.folder(), environment, &mut report);
    let mail = mail::load(&raw, files.folder(), environment, &mut report);
    let tariffs = compile(&raw, files, environment, &mut report);
    check::tariffs(&raw, &tariffs, &mut report);
    let changes = check::changes_from(&raw, &mut report);
    // Warnings of tariffs come behind the files of the set-up itself.
    for file in tariffs.values() {
        report.embed(&file.warnings);
    }
    if report.has_errors() {
        return Err(report.finish());
    }
    let (document, people) = raw.document();
    let sources = report.sources.clone();
    Ok(Loaded {
        setup: Setup::new(document),
        people,
        secrets,
        tariffs,
        plugins: Arc::new(plugins),
        mail,
        warnings: report.finish(),
        changes,
        sources,
    })
}

fn compile(
    raw: &Raw,
    files: &Files,
    environment: &Environment<'_>,
    report: &mut Report,
) -> BTreeMap<String, Arc<TariffFile>> {
    let mut tariffs = BTreeMap::new();
    let mut failed = std::collections::BTreeSet::new();
    for item in &raw.tariffs.items {
        let name = item.it.file.as_str();
        if tariffs.contains_key(name) || failed.contains(name) {
            continue;
        }
        let known = environment.before.and_then(|before| before.tariffs.get(name));
        match tariffs::load(files, name, known) {
            Ok(file) => {
                tariffs.insert(name.to_owned(), file);
            }
            Err(stop) => {
                failed.insert(name);
                report
                    .error(stop.code, item.at(&["file"]), format!("`{}` {}", read::shown(name), stop.why))
                    .advise(stop.help);
                report.embed(&stop.problems);
            }
        }
    }
    tariffs
}

// Looks up what passwords refer to. The secrets themselves are never in a message.
fn secrets(raw: &Raw, folder: &Path, environment: &Environment<'_>, report: &mut Report) -> Secrets {
    let mut secrets = Secrets::default();
    for item in &raw.chargers.items {
        let Some(password) = &item.it.security.password else { continue };
        let at = item.at(&["security", "password"]);
        let found = match password {
            Password::Hash(hash) => Ok(hash.as_bytes().to_vec()),
            Password::Env(name) => (environment.variable)(name).ok_or_else(|| {
                (
                    format!("the environment variable `{}` is not set", read::shown(name)),
                    "set it where `takst serve` is started",
                )
            }),
            Password::File(name) => files::read(&folder.join(name), 1_024).map_err(|error| {
                (
                    format!("`{}` cannot be read: {}", read::shown(name), files::why(&error)),
                    "check its name; it is relative to this file",
                )
            }),
        };
        let kept = found.and_then(|secret| {
            secrets.keep(&item.it.id, &secret).map_err(|why| {
                (
                    format!("the password of charger `{}` cannot be used: {why}", item.it.id),
                    "put the secret alone into it",
                )
            })
        });
        if let Err((message, help)) = kept {
            report.error("S043", at, message).advise(help);
        }
    }
    secrets
}

impl Document {
    /// The document as JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        // Maps with text keys, texts and numbers: nothing in it can fail to be written.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads a document from JSON, with the checks of a file; tariffs are not compiled, and secrets not looked up.
    ///
    /// # Errors
    /// All mistakes, with their places in `text`.
    pub fn from_json(text: &str) -> Result<Self, Problems> {
        let mut report = Report::default();
        let source = report.source("setup.json".to_owned(), text.to_owned());
        let node = json(text, source, &mut report);
        if let Some(node) = node.as_ref().filter(|node| !matches!(node.it, Value::Table(_))) {
            read::wrong_kind::<()>(node, "an object with the sections of a set-up", &mut report);
        }
        let raw = merge(node.into_iter().collect(), &mut report);
        check::all(&raw, &mut report);
        if report.has_errors() { Err(report.finish()) } else { Ok(raw.document().0) }
    }
}
