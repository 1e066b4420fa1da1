//! `takst plugin run`.

use super::super::failure::{Exit, Failure};
use super::super::files;
use super::super::out::{Look, Out};
use super::load;
use clap::Args;
use serde_json::Value;
use std::path::PathBuf;
use takst_plugins::capability::functions;
use takst_plugins::{Context, Done};

/// Call one function of a plugin, and see what it used of its limits
///
/// The call is real: what the plugin asks of the outside is sent. `--record` keeps all of it as a tape, which `takst plugin test`
/// replays for ever. Secrets never stand on a tape.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  takst plugin run my-prices prices.fetch --input day.json --set 'address=https://example.org/{day}.csv' --record my-prices/tapes/day.json
  takst plugin run my-sms messages.send --input - --secret api_key=key.txt
  takst plugin run my-sms --functions")]
pub struct Run {
    /// The plugin's folder
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// The function, as in prices.fetch
    #[arg(value_name = "FUNCTION", required_unless_present = "functions")]
    function: Option<String>,
    /// Its arguments by name, a JSON object; `-` is standard input
    #[arg(long, value_name = "FILE")]
    input: Option<PathBuf>,
    /// Keep the call as a tape
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
    /// List all functions and their arguments
    #[arg(long)]
    functions: bool,
    #[command(flatten)]
    said: load::Said,
}

impl Run {
    /// Does it.
    pub fn run(&self, out: &mut Out) -> Result<Exit, Failure> {
        let Some(function) = self.function.as_ref().filter(|_| !self.functions) else {
            for (name, takes) in functions() {
                out.line(&format!("{name} {{{takes}}}"))?;
            }
            return Ok(Exit::Fine);
        };
        let arguments = match &self.input {
            Some(path) => {
                let text = files::text(path)?;
                serde_json::from_str(&text)
                    .map_err(|error| Failure::Input(format!("{}: {error}", path.display())))?
            }
            None => Value::Object(serde_json::Map::new()),
        };
        let (host, code) = load::code(&self.folder, out)?;
        let plugin = self.said.plugin(&host, &code)?;
        let context = if self.record.is_some() { Context::recorded() } else { Context::default() };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Failure::Io(format!("the program cannot start its threads: {error}")))?;
        let done = runtime
            .block_on(plugin.invoke(&context, function, arguments))
            .map_err(|error| Failure::Input(error.to_string()))?;
        if let (Some(path), Some(tape)) = (&self.record, &done.tape) {
            let place = path.parent().filter(|place| !place.as_os_str().is_empty());
            place
                .map_or(Ok(()), std::fs::create_dir_all)
                .and_then(|()| std::fs::write(path, tape.write()))
                .map_err(|error| Failure::Io(format!("{}: {error}", path.display())))?;
        }
        show(&done, out)?;
        Ok(if done.result.is_ok() { Exit::Fine } else { Exit::Errors })
    }
}

/// The result, what was logged, and usage against limits.
fn show(done: &Done<Value>, out: &mut Out) -> Result<(), Failure> {
    if out.json() {
        return out.document(done);
    }
    match &done.result {
        Ok(value) => {
            let text = serde_json::to_string_pretty(value)
                .map_err(|error| Failure::Io(format!("the result cannot be written: {error}")))?;
            out.line(&text)?;
        }
        Err(failed) => {
            let word = out.paint(Look::Bad, failed.code());
            out.line(&format!("{word}: {failed}"))?;
        }
    }
    for line in &done.log {
        out.line(&format!("log: {:?} {}", line.level, line.text))?;
    }
    for warning in &done.warnings {
        out.line(&format!("warning: {warning}"))?;
    }
    for (what, used, of, percent) in done.usage.against(&done.limits) {
        let line = format!("{what:<9} {used:>10} of {of} ({percent} %)");
        out.line(&out.paint(Look::Faint, &line))?;
    }
    Ok(())
}
