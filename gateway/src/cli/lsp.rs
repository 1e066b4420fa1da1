//! `takst lsp`.

use super::failure::{Exit, Failure};
use super::out::Out;
use clap::Args;

/// Answer an editor: a language server on standard input and output
///
/// Editors start it themselves; `dsl/editors` says how. Options come from the editor: `prices` (price files for what an hour
/// costs) and `today` (a date, for trying).
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  takst lsp")]
pub struct Lsp {
    /// For editors that name the way they talk; there is no other
    #[arg(long, hide = true)]
    stdio: bool,
}

impl Lsp {
    /// Answers until the editor says goodbye.
    pub fn run(&self, out: &mut Out) -> Result<Exit, Failure> {
        out.flush()?;
        crate::lsp::run().map_err(|error| Failure::Io(format!("the server cannot start: {error}")))?;
        Ok(Exit::Fine)
    }
}
