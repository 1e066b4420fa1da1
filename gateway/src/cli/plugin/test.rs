//! `takst plugin test`.

use super::super::failure::{Exit, Failure};
use super::super::layout::count;
use super::super::out::{Look, Out};
use super::load;
use clap::Args;
use serde::Serialize;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use takst_plugins::grant::Grant;
use takst_plugins::kv;
use takst_plugins::load::Code;
use takst_plugins::secrets;
use takst_plugins::tape::Tape;
use takst_plugins::{Context, Failed, Host, Installation, Kind};

/// Replay the tapes of a plugin: it must ask for the same things in the same order and come to the same results
///
/// Tapes are the files `tapes/*.json` in the plugin's folder, made by `takst plugin run --record`. Nothing is sent.
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  takst plugin test my-prices")]
pub struct Test {
    /// The plugin's folder
    #[arg(value_name = "DIR", default_value = ".")]
    folder: PathBuf,
}

/// What came of one tape.
#[derive(Serialize)]
pub(super) struct Row {
    tape: PathBuf,
    function: String,
    ok: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    difference: Option<String>,
}

impl Test {
    /// Does it.
    pub fn run(&self, out: &mut Out) -> Result<Exit, Failure> {
        let rows = replayed(&self.folder.join("tapes"), || load::code(&self.folder, out))?;
        if out.json() {
            out.document(&rows)?;
        } else {
            show(&rows, out)?;
        }
        Ok(if failed(&rows) == 0 { Exit::Fine } else { Exit::Errors })
    }
}

/// How many tapes had another result.
pub(super) fn failed(rows: &[Row]) -> usize {
    rows.iter().filter(|row| !row.ok).count()
}

/// What came of each, for people.
pub(super) fn show(rows: &[Row], out: &mut Out) -> Result<(), Failure> {
    for row in rows {
        let word = if row.ok { out.paint(Look::Good, "ok") } else { out.paint(Look::Bad, "FAILED") };
        out.line(&format!("{word} {} ({})", row.tape.display(), row.function))?;
        for line in row.difference.iter().flat_map(|text| text.lines()) {
            out.line(&format!("  {line}"))?;
        }
    }
    out.line(&format!("{}, {} failed", count(rows.len(), "tape"), failed(rows)))
}

/// Replays all tapes of a folder. They are looked for before anything is compiled.
pub(super) fn replayed(
    folder: &Path,
    code: impl FnOnce() -> Result<(Host, Arc<Code>), Failure>,
) -> Result<Vec<Row>, Failure> {
    let tapes = tapes(folder)?;
    let (host, code) = code()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::Io(format!("the program cannot start its threads: {error}")))?;
    let mut rows = Vec::new();
    for (path, tape) in tapes {
        let function = tape.function.clone();
        let difference = runtime.block_on(replay(&host, &code, tape));
        rows.push(Row { tape: path, function, ok: difference.is_none(), difference });
    }
    Ok(rows)
}

/// The tapes of a folder, by name.
fn tapes(folder: &Path) -> Result<Vec<(PathBuf, Tape)>, Failure> {
    let io = |path: &Path, error: std::io::Error| Failure::Io(format!("{}: {error}", path.display()));
    let none = || {
        Failure::Input(format!(
            "{}: there are no tapes; `takst plugin run … --record {}` makes one",
            folder.display(),
            folder.join("NAME.json").display()
        ))
    };
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err(none()),
        Err(error) => return Err(io(folder, error)),
    };
    let mut paths: Vec<PathBuf> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "json"))
        .collect();
    paths.sort();
    if paths.is_empty() {
        return Err(none());
    }
    paths
        .into_iter()
        .map(|path| {
            let text = std::fs::read_to_string(&path).map_err(|error| io(&path, error))?;
            let tape =
                Tape::read(&text).map_err(|error| Failure::Input(format!("{}: {error}", path.display())))?;
            Ok((path, tape))
        })
        .collect()
}

/// What is different now, if anything.
async fn replay(host: &Host, code: &Arc<Code>, tape: Tape) -> Option<String> {
    let installation = Installation {
        name: code.manifest.id.clone(),
        grant: Grant::all(&code.manifest),
        settings: tape.settings.clone(),
        kv: Arc::new(kv::Memory::default()),
        secrets: Arc::new(secrets::Memory::default()),
    };
    let plugin = host.plugin(code, installation);
    let (function, arguments, wanted) = (tape.function.clone(), tape.arguments.clone(), tape.result.clone());
    let context = Context::replayed(Arc::new(tape));
    let done = match plugin.invoke(&context, &function, arguments).await {
        Ok(done) => done,
        Err(error) => return Some(error.to_string()),
    };
    // In the form that a tape has it.
    let got = match &done.result {
        Ok(value) => json!({ "ok": value }),
        Err(Failed::Said(error)) => json!({ "error": error }),
        // The plugin asked for something else than on the tape.
        Err(Failed::Stopped(stop)) if stop.kind == Kind::Tape => return Some(stop.detail.clone()),
        Err(Failed::Stopped(stop)) => json!({ "stopped": stop.kind }),
    };
    (got != wanted).then(|| format!("the result is another\ntape: {wanted}\nnow:  {got}"))
}
