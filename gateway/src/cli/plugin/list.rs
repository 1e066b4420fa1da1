//! `takst plugin list`.

use super::super::failure::{Exit, Failure};
use super::super::layout::{columns, left};
use super::super::out::{Look, Out};
use super::home::{self, Home};
use super::load;
use crate::setup::{Plugin, PluginFile};
use clap::Args;
use serde::Serialize;

/// List the plugins of a set-up, and those in the program
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  takst plugin list --config /etc/takst")]
pub struct List {
    #[command(flatten)]
    place: home::Where,
}

#[derive(Serialize)]
struct Listed {
    plugins: Vec<Row>,
    /// In the program, and not set up.
    others: Vec<&'static str>,
}

#[derive(Serialize)]
struct Row {
    id: String,
    plugin: String,
    version: String,
    sha256: String,
    capabilities: Vec<&'static str>,
    /// `ready`, or `limited`: something that it asks for is not granted. One that cannot be loaded is an error of the set-up, and how calls
    /// go is told by the gateway that makes them (`GET /api/v1/plugins`).
    state: &'static str,
    /// `program`, `package` or `folder`.
    from: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    /// The trusted key that has signed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    signed_by: Option<String>,
    asks_for: Vec<home::Wish>,
}

fn row(home: &Home, said: &Plugin, file: &PluginFile) -> Result<Row, Failure> {
    let manifest = &file.manifest;
    let (from, path) = match (&said.package, &said.folder) {
        (Some(path), _) => ("package", Some(path.to_string())),
        (None, Some(path)) => ("folder", Some(path.to_string())),
        (None, None) => ("program", None),
    };
    let signed_by = match &said.package {
        Some(path) => {
            let package = load::package(&home.path(path.as_str()))?;
            home::signed_by(&package, &home.keys()?).ok().map(str::to_owned)
        }
        None => None,
    };
    let asks_for = home::wishes(manifest, &file.grant);
    Ok(Row {
        id: file.name.clone(),
        plugin: manifest.id.clone(),
        version: manifest.version.to_string(),
        sha256: file.sha256.clone(),
        capabilities: manifest.capabilities.iter().map(|capability| capability.name()).collect(),
        state: if asks_for.iter().all(|wish| wish.granted) { "ready" } else { "limited" },
        from,
        path,
        signed_by,
        asks_for,
    })
}

impl List {
    /// Does it.
    pub fn run(&self, out: &mut Out) -> Result<Exit, Failure> {
        let home = self.place.open(out)?;
        let mut plugins = Vec::new();
        for id in home.loaded.plugins.keys() {
            let (said, file) = home.find(id)?;
            plugins.push(row(&home, said, file)?);
        }
        let others = home.others().into_iter().map(|one| one.id()).collect();
        let listed = Listed { plugins, others };
        if out.json() {
            out.document(&listed)?;
            return Ok(Exit::Fine);
        }
        show(&listed, out)?;
        Ok(Exit::Fine)
    }
}

fn show(listed: &Listed, out: &mut Out) -> Result<(), Failure> {
    let rows: Vec<[String; 5]> = listed
        .plugins
        .iter()
        .map(|row| {
            let denied = row.asks_for.iter().filter(|wish| !wish.granted).count();
            let from = match (&row.path, &row.signed_by) {
                (None, _) => "in the program".to_owned(),
                (Some(path), Some(_)) => format!("{path}, signed"),
                (Some(path), None) => path.clone(),
            };
            let what = match denied {
                0 => "all that it asks for".to_owned(),
                _ => format!("{denied} of {} not granted", row.asks_for.len()),
            };
            [
                row.id.clone(),
                format!("{} {}", row.plugin, row.version),
                row.capabilities.join(", "),
                from,
                what,
            ]
        })
        .collect();
    let widths: Vec<usize> = (0..4)
        .map(|at| rows.iter().filter_map(|row| row.get(at)).map(|text| columns(text)).max().unwrap_or(0))
        .collect();
    for row in &rows {
        let [id, plugin, can, from, what] = row;
        let cells = [id, plugin, can, from];
        let mut line = String::new();
        for (nth, (text, width)) in cells.into_iter().zip(&widths).enumerate() {
            let cell = left(text, *width);
            line.push_str(&if nth == 0 { out.paint(Look::Strong, &cell) } else { cell });
            line.push_str("  ");
        }
        line.push_str(what);
        out.line(&line)?;
    }
    if rows.is_empty() {
        out.line("this set-up has no plugins")?;
    }
    if !listed.others.is_empty() {
        let text = format!("also in the program: {}", listed.others.join(", "));
        let line = out.paint(Look::Faint, &text);
        out.line(&line)?;
    }
    Ok(())
}
