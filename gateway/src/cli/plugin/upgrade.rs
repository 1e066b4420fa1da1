//! `takst plugin upgrade`.

use super::super::failure::{Exit, Failure};
use super::super::layout::count;
use super::super::out::Out;
use super::home::{self, Answer};
use super::load;
use super::test;
use clap::Args;
use serde::Serialize;
use serde_json::json;
use std::path::PathBuf;
use takst_plugins::package::SignError;

/// Put another version of a plugin in the place of the one that runs
///
/// First the new version replays tapes of the old one (`takst plugin run --record` makes them): it must ask for the same things and come to the
/// same results. They are looked for in `plugins/ID.tapes` beside the set-up. What it asks for beyond the old version needs `--grant`. Nothing is
/// changed unless all of it is right. The old package stays where it is, for what was begun with it.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  takst plugin upgrade my-sms my-sms-1.1.0.plugin
  takst plugin upgrade my-sms my-sms-1.1.0.plugin --tapes tapes --grant all")]
pub struct Upgrade {
    /// The plugin's name in the set-up
    #[arg(value_name = "ID")]
    id: String,
    /// The package
    #[arg(value_name = "FILE")]
    package: PathBuf,
    #[command(flatten)]
    place: home::Where,
    /// The folder of tapes to replay
    #[arg(long, value_name = "DIR")]
    tapes: Option<PathBuf>,
    /// Replay nothing
    #[arg(long, conflicts_with = "tapes")]
    no_tapes: bool,
    /// Take it although tapes have other results now
    #[arg(long)]
    accept: bool,
    /// Take an older version, or the same one made anew
    #[arg(long)]
    back: bool,
    /// What it may from now on: `all` that it asks for, `none` of it, or a file (TOML); else what it may already
    #[arg(long, value_name = "all|none|FILE", value_parser = Answer::read)]
    grant: Option<Answer>,
}

#[derive(Serialize)]
struct Upgraded<'a> {
    id: &'a str,
    from: String,
    to: String,
    done: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    tapes: Vec<test::Row>,
    asks_for: Vec<home::Wish>,
    written: Vec<PathBuf>,
}

impl Upgrade {
    /// Does it.
    pub fn run(&self, out: &mut Out) -> Result<Exit, Failure> {
        let package = load::package(&self.package)?;
        let manifest = &package.manifest;
        let mut home = self.place.open(out)?;
        let (said, file) = home.find(&self.id)?;
        let id = &self.id;
        if said.package.is_none() && said.folder.is_none() {
            return Err(Failure::Input(format!(
                "`{id}` is in the program: it comes with a newer `takst`, or install the package under a name of its own"
            )));
        }
        let before = file.manifest.clone();
        if before.id != manifest.id {
            return Err(Failure::Input(format!(
                "`{id}` is {}, and this package is {}: install that under a name of its own",
                before.id, manifest.id
            )));
        }
        if manifest.version <= before.version && !self.back {
            return Err(Failure::Input(format!(
                "`{id}` is {} already, and this package is {}: `--back` takes it all the same",
                before.version, manifest.version
            )));
        }
        let keys = home.keys()?;
        let signed = home::signed_by(&package, &keys).map(drop);
        if !keys.is_empty() {
            signed.map_err(|error: SignError| Failure::Input(error.to_string()))?;
        }
        let grant = match &self.grant {
            Some(answer) => answer.grant(manifest)?,
            None => file.grant.clone(),
        };
        // What the old version had been denied is no news.
        let denied: Vec<String> = home::wishes(&before, &file.grant)
            .into_iter()
            .filter(|wish| !wish.granted)
            .map(|wish| wish.what)
            .collect();
        let asks_for = home::wishes(manifest, &grant);
        let new: Vec<&str> = asks_for
            .iter()
            .filter(|wish| !wish.granted && !denied.contains(&wish.what))
            .map(|wish| wish.what.as_str())
            .collect();
        let mut reason = None;
        if !new.is_empty() && self.grant.is_none() {
            reason = Some(format!(
                "it asks for more than before ({}): say with --grant what it may",
                new.join("; ")
            ));
        }
        let compile = || load::compiled(&self.package, manifest, &package.wasm);
        let tapes = match &self.tapes {
            _ if self.no_tapes => Vec::new(),
            Some(folder) => test::replayed(folder, compile)?,
            None => {
                let folder = home.path(&format!("plugins/{id}.tapes"));
                if !folder.is_dir() {
                    return Err(Failure::Usage(format!(
                        "there are no tapes in {}: name their folder with --tapes, or replay nothing with --no-tapes",
                        folder.display()
                    )));
                }
                test::replayed(&folder, compile)?
            }
        };
        let failed = test::failed(&tapes);
        if failed > 0 && !self.accept && reason.is_none() {
            reason = Some(format!(
                "{} another result than with {}: look at them, and take it with --accept if they are right",
                if failed == 1 { "a tape has".to_owned() } else { format!("{} have", count(failed, "tape")) },
                before.version
            ));
        }
        let mut written = Vec::new();
        if reason.is_none() {
            let bytes = package.write().map_err(|error| load::wrong(&self.package, &error))?;
            let path = home.package_file(&package, &bytes, out)?;
            let mut new = vec![(path.clone(), bytes)];
            let mut fields = home::fields([("package", json!(path))]);
            // `null` takes a key out.
            fields.insert("folder".to_owned(), serde_json::Value::Null);
            if self.grant.is_some() {
                let name = home.own_grant(id)?;
                fields.insert("grant".to_owned(), json!(name));
                new.push((name, grant.to_toml().into_bytes()));
            }
            written = home.change(&new, |files| files.set("plugin", id, &fields), out)?;
        }
        self.show(
            Upgraded {
                id,
                from: before.version.to_string(),
                to: manifest.version.to_string(),
                done: reason.is_none(),
                reason,
                tapes,
                asks_for,
                written,
            },
            out,
        )
    }

    fn show(&self, upgraded: Upgraded<'_>, out: &mut Out) -> Result<Exit, Failure> {
        let exit = if upgraded.done { Exit::Fine } else { Exit::Errors };
        if out.json() {
            out.document(&upgraded)?;
            return Ok(exit);
        }
        let Upgraded { id, from, to, reason, tapes, asks_for, written, .. } = upgraded;
        if !tapes.is_empty() {
            test::show(&tapes, out)?;
        }
        super::grant::show(&asks_for, out)?;
        if let Some(reason) = reason {
            return Err(Failure::Input(format!("{reason}; `{id}` stays at {from}")));
        }
        for path in written {
            out.line(&format!("wrote {}", path.display()))?;
        }
        out.line(&format!("{id}: {from} -> {to}"))?;
        Ok(exit)
    }
}
