//! `takst completions`.

use super::failure::{Exit, Failure};
use super::out::Out;
use clap::Args;
use clap_complete::Shell;

/// Write a completion script for a shell
#[derive(Args, Debug)]
#[command(
    after_help = "Example:\n  takst completions bash > ~/.local/share/bash-completion/completions/takst"
)]
pub struct Completions {
    /// The shell
    shell: Shell,
}

impl Completions {
    /// Writes the script.
    pub fn run(&self, command: &mut clap::Command, out: &mut Out) -> Result<Exit, Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, command, "takst", &mut script);
        out.put(&String::from_utf8_lossy(&script))?;
        Ok(Exit::Fine)
    }
}
