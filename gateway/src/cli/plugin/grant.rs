//! `takst plugin grant`.

use super::super::failure::{Exit, Failure};
use super::super::out::{Look, Out};
use super::home::{self, Answer, Wish};
use clap::Args;
use serde::Serialize;
use serde_json::json;
use std::path::PathBuf;

/// Show what a plugin asks for and may, or change what it may
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  takst plugin grant my-sms
  takst plugin grant my-sms --give all
  takst plugin grant my-sms --give small.grant")]
pub struct Grant {
    /// The plugin's name in the set-up
    #[arg(value_name = "ID")]
    id: String,
    #[command(flatten)]
    place: home::Where,
    /// Give it `all` that it asks for, `none` of it, or what a file (TOML) says
    #[arg(long, value_name = "all|none|FILE", value_parser = Answer::read)]
    give: Option<Answer>,
}

#[derive(Serialize)]
struct Granted<'a> {
    id: &'a str,
    asks_for: Vec<Wish>,
    grant: &'a takst_plugins::grant::Grant,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    written: Vec<PathBuf>,
}

impl Grant {
    /// Does it.
    pub fn run(&self, out: &mut Out) -> Result<Exit, Failure> {
        let mut home = self.place.open(out)?;
        let mut written = Vec::new();
        if let Some(answer) = &self.give {
            let (_, file) = home.find(&self.id)?;
            let grant = answer.grant(&file.manifest)?;
            let name = home.own_grant(&self.id)?;
            let fields = home::fields([("grant", json!(name))]);
            let new = [(name, grant.to_toml().into_bytes())];
            written = home.change(&new, |files| files.set("plugin", &self.id, &fields), out)?;
        }
        let (_, file) = home.find(&self.id)?;
        let asks_for = home::wishes(&file.manifest, &file.grant);
        if out.json() {
            out.document(&Granted { id: &self.id, asks_for, grant: &file.grant, written })?;
            return Ok(Exit::Fine);
        }
        show(&asks_for, out)?;
        for path in written {
            out.line(&format!("wrote {}", path.display()))?;
        }
        Ok(Exit::Fine)
    }
}

/// What it asks for, and whether it may.
pub(super) fn show(wishes: &[Wish], out: &mut Out) -> Result<(), Failure> {
    for Wish { what, granted } in wishes {
        let word = if *granted { out.paint(Look::Good, "may    ") } else { out.paint(Look::Bad, "may not") };
        out.line(&format!("{word}  {what}"))?;
    }
    Ok(())
}
