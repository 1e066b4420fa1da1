//! `takst plugin install`.

use super::super::failure::{Exit, Failure};
use super::super::out::Out;
use super::home::{self, Answer, Home};
use super::load;
use clap::Args;
use serde::Serialize;
use serde_json::{Value, json};
use std::path::PathBuf;
use takst_plugins::manifest::{Capability, Manifest};
use takst_plugins::package::Package;

/// Put a package into the set-up of a gateway
///
/// The package must be signed by somebody whose key the set-up trusts (`--trust` adds one), and what it asks for is granted with `--grant`.
/// Package and grant are copied to `plugins/` beside the set-up; a package that is there already with other content stays, and this one gets
/// a name with its hash. All of it is checked before anything is changed; a gateway that runs takes the
/// plugin into use by itself.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  takst plugin install my-sms-1.0.0.plugin --trust author.pub --grant all --set address=https://sms.example.com --secret password=env:SMS_PASSWORD
  takst plugin install my-prices-2.1.0.plugin --config /etc/takst --grant small.grant")]
pub struct Install {
    /// The package
    #[arg(value_name = "FILE")]
    package: PathBuf,
    #[command(flatten)]
    place: home::Where,
    /// Its name in the set-up, if not its own
    #[arg(long, value_name = "ID")]
    id: Option<String>,
    /// What it may: `all` that it asks for, `none` of it, or a file (TOML)
    #[arg(long, value_name = "all|none|FILE", value_parser = Answer::read)]
    grant: Option<Answer>,
    /// A setting; may be given more than once
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = load::pair)]
    settings: Vec<(String, String)>,
    /// Where a secret is; may be given more than once
    #[arg(long = "secret", value_name = "NAME=env:VARIABLE|file:PATH", value_parser = home::secret)]
    secrets: Vec<(String, Value)>,
    /// Trust the author with this public key from now on
    #[arg(long, value_name = "FILE")]
    trust: Option<PathBuf>,
    /// Take a package that nobody has signed, in a set-up that trusts no keys
    #[arg(long, conflicts_with = "trust")]
    unsigned: bool,
}

#[derive(Serialize)]
struct Installed<'a> {
    id: &'a str,
    plugin: &'a str,
    version: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    signed_by: Option<String>,
    asks_for: Vec<home::Wish>,
    written: Vec<PathBuf>,
}

impl Install {
    /// Does it.
    pub fn run(&self, out: &mut Out) -> Result<Exit, Failure> {
        let package = load::package(&self.package)?;
        let manifest = &package.manifest;
        let mut home = self.place.open(out)?;
        let id = self.id.clone().unwrap_or_else(|| manifest.id.clone());
        if home.loaded.plugins.contains_key(&id) {
            return Err(Failure::Input(format!(
                "there is a plugin `{id}` already: `takst plugin upgrade {id} {}` changes its version, `--id` installs it beside that one",
                self.package.display()
            )));
        }
        let (signed_by, keys) = self.vouched(&package, &home)?;
        self.fits(manifest)?;
        let Some(answer) = &self.grant else { return self.asked(&package, out) };
        let grant = answer.grant(manifest)?;
        let bytes = package.write().map_err(|error| load::wrong(&self.package, &error))?;
        let (file, granted) = (home.package_file(&package, &bytes, out)?, home.own_grant(&id)?);
        let settings: serde_json::Map<String, Value> =
            self.settings.iter().map(|(name, value)| (name.clone(), Value::from(value.clone()))).collect();
        let secrets: serde_json::Map<String, Value> = self.secrets.iter().cloned().collect();
        let fields = home::fields([
            ("package", json!(file)),
            ("grant", json!(granted)),
            ("settings", if settings.is_empty() { Value::Null } else { settings.into() }),
            ("secrets", if secrets.is_empty() { Value::Null } else { secrets.into() }),
        ]);
        let new = [(file, bytes), (granted, grant.to_toml().into_bytes())];
        let edit = |files: &mut crate::setup::Files| {
            if let Some(keys) = keys {
                files.set("organisation", "", &home::fields([("plugin_keys", json!(keys))]))?;
            }
            files.set("plugin", &id, &fields)
        };
        let written = home.change(&new, edit, out)?;
        let asks_for = home::wishes(manifest, &grant);
        if out.json() {
            out.document(&Installed {
                id: &id,
                plugin: &manifest.id,
                version: manifest.version.to_string(),
                signed_by,
                asks_for,
                written,
            })?;
            return Ok(Exit::Fine);
        }
        out.line(&format!("{id}: {} {}, {}", manifest.id, manifest.version, manifest.description))?;
        if let Some(key) = signed_by {
            out.line(&format!("signed by {key}"))?;
        }
        super::grant::show(&asks_for, out)?;
        for path in written {
            out.line(&format!("wrote {}", path.display()))?;
        }
        if let Some(next) = next(manifest.capabilities.first().copied(), &id) {
            out.hint(&next);
        }
        Ok(Exit::Fine)
    }

    // What was said on the command line is held against the manifest here: the line of the set-up that it would stand in is not written yet.
    fn fits(&self, manifest: &Manifest) -> Result<(), Failure> {
        let secrets = self.secrets.iter().map(|(name, _)| name.as_str());
        let (mut wrong, missing) = load::unfit(manifest, &self.settings, secrets);
        wrong.extend(missing);
        if wrong.is_empty() {
            return Ok(());
        }
        wrong.push("nothing was changed".to_owned());
        Err(Failure::Input(wrong.join("\n")))
    }

    // Who has signed it; and the keys that are trusted from now on, if there is a new one.
    fn vouched(
        &self,
        package: &Package,
        home: &Home,
    ) -> Result<(Option<String>, Option<Vec<String>>), Failure> {
        let mut keys = home.keys()?;
        let mut new = None;
        if let Some(path) = &self.trust {
            let key = home::public_key(path)?;
            if !keys.iter().any(|(text, _)| *text == key.0) {
                keys.push(key);
                new = Some(keys.iter().map(|(text, _)| text.clone()).collect());
            }
        }
        if keys.is_empty() {
            return match (self.unsigned, &package.signature) {
                (true, _) => Ok((None, None)),
                (false, Some(_)) => Err(Failure::Input(
                    "this set-up trusts nobody yet: give the author's public key with --trust".to_owned(),
                )),
                (false, None) => Err(Failure::Input(
                    "nobody has signed this package; if you know where it is from, write --unsigned"
                        .to_owned(),
                )),
            };
        }
        match home::signed_by(package, &keys) {
            Ok(key) => Ok((Some(key.to_owned()), new)),
            Err(error) => Err(Failure::Input(error.to_string())),
        }
    }

    // Nobody has said what it may: that is shown, and nothing is changed.
    fn asked(&self, package: &Package, out: &mut Out) -> Result<Exit, Failure> {
        let manifest = &package.manifest;
        let all = takst_plugins::grant::Grant::all(manifest);
        out.message(&format!("{} {}: {}", manifest.id, manifest.version, manifest.description));
        out.message("It asks for:");
        for wish in home::wishes(manifest, &all) {
            out.message(&format!("  {}", wish.what));
        }
        Err(Failure::Usage(
            "say what it may: `--grant all`, `--grant none`, or a file with less; nothing was changed"
                .to_owned(),
        ))
    }
}

// Where it is used is said elsewhere in the set-up.
fn next(capability: Option<Capability>, id: &str) -> Option<String> {
    Some(match capability? {
        Capability::PriceSource => {
            format!("it fetches prices for a feed with `source = \"plugin\"` and `plugin = \"{id}\"`")
        }
        Capability::PaymentProvider => {
            format!("bills are paid through it when their seller has `payments = \"{id}\"`")
        }
        _ => return None,
    })
}
