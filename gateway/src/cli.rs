//! The command line: one verb, one file. What is read and worked out lives in the other crates.

mod backup;
mod chart;
mod check;
mod completions;
mod demo;
mod diagnostics;
mod diff;
mod explain;
mod export;
mod failure;
mod files;
mod fmt;
mod hash_password;
mod import;
mod ir;
mod key;
pub(crate) mod layout;
mod lint;
mod lsp;
mod month;
mod out;
mod pki;
mod place;
mod play;
mod plugin;
pub(crate) mod price;
pub(crate) mod receipt;
mod restore;
mod serve;
mod simulate;
mod stream;
mod table;
pub(crate) mod tariffs;
mod test;
mod whom;

use clap::{CommandFactory as _, Parser, Subcommand, ValueEnum};
use failure::{Exit, Failure};
use out::Out;
use std::process::ExitCode;

/// Prices for charging electric cars: tariff files in, bills out.
///
/// Exit codes: 0 all fine, 1 the input has errors, 2 wrong use, 3 could not do it (a file cannot be read or written).
#[derive(Parser, Debug)]
#[command(
    name = "takst",
    version,
    max_term_width = 100,
    subcommand_required = true,
    arg_required_else_help = true
)]
#[command(after_help = "Example:\n  takst check prices.tariff")]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
    /// What to write: text for people, or JSON for programs
    #[arg(long, global = true, value_enum, default_value_t = Format::Human, value_name = "human|json", hide_possible_values = true, hide_default_value = true)]
    format: Format,
    /// When to use colour; `auto` is on a terminal, unless NO_COLOR is set
    #[arg(long, global = true, value_enum, default_value_t = Colour::Auto, value_name = "auto|always|never", hide_possible_values = true, hide_default_value = true)]
    color: Colour,
}

/// How results are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Format {
    /// Text for people.
    Human,
    /// JSON for programs.
    Json,
    /// A JSON document on each line: only for what is exported.
    #[value(skip)]
    Jsonl,
    /// A table: only for what is exported.
    #[value(skip)]
    Csv,
    /// The same: only for what is exported.
    #[value(skip)]
    Parquet,
}

/// When colour is used.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Colour {
    /// On a terminal.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

#[derive(Subcommand, Debug)]
enum Verb {
    Demo(demo::DemoArguments),
    Serve(serve::ServeArguments),
    Check(check::Check),
    Fmt(fmt::Fmt),
    Test(test::Test),
    Lint(lint::Lint),
    Play(play::Play),
    Price(price::Price),
    Explain(explain::Explain),
    Table(table::Table),
    Diff(diff::Diff),
    Month(month::Month),
    Ir(ir::Ir),
    Lsp(lsp::Lsp),
    Simulate(simulate::Simulate),
    Backup(backup::Backup),
    Restore(restore::Restore),
    Export(export::Export),
    Import(import::Import),
    Key(key::Key),
    Pki(pki::Pki),
    Plugin(plugin::Plugin),
    HashPassword(hash_password::HashPassword),
    Completions(completions::Completions),
}

/// Runs the program with the arguments of this process.
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version come this way too, with code 0.
            let code = u8::try_from(error.exit_code()).unwrap_or(2);
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    let mut out = Out::new(arguments.format, arguments.color);
    let ended = run(&arguments.verb, &mut out).and_then(|exit| out.flush().map(|()| exit));
    let exit = ended.unwrap_or_else(|failure| {
        // What was written before the failure stands before it.
        let _ = out.flush();
        out.failure(&failure);
        failure.exit()
    });
    ExitCode::from(exit as u8)
}

fn run(verb: &Verb, out: &mut Out) -> Result<Exit, Failure> {
    match verb {
        Verb::Demo(demo) => demo.run(out),
        Verb::Serve(serve) => serve.run(out),
        Verb::Check(check) => check.run(out),
        Verb::Fmt(fmt) => fmt.run(out),
        Verb::Test(test) => test.run(out),
        Verb::Lint(lint) => lint.run(out),
        Verb::Play(play) => play.run(out),
        Verb::Price(price) => price.run(out),
        Verb::Explain(explain) => explain.run(out),
        Verb::Table(table) => table.run(out),
        Verb::Diff(diff) => diff.run(out),
        Verb::Month(month) => month.run(out),
        Verb::Ir(ir) => ir.run(out),
        Verb::Lsp(lsp) => lsp.run(out),
        Verb::Simulate(simulate) => simulate.run(out),
        Verb::Backup(backup) => backup.run(out),
        Verb::Restore(restore) => restore.run(out),
        Verb::Export(export) => export.run(out),
        Verb::Import(import) => import.run(out),
        Verb::Key(key) => key.run(out),
        Verb::Pki(pki) => pki.run(out),
        Verb::Plugin(plugin) => plugin.run(out),
        Verb::HashPassword(hash) => hash.run(out),
        Verb::Completions(completions) => completions.run(&mut Arguments::command(), out),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound_and_every_verb_has_an_example() {
        let mut command = Arguments::command();
        command.clone().debug_assert();
        command.build();
        for verb in command.get_subcommands().filter(|verb| verb.get_name() != "help") {
            let help = verb.clone().render_long_help().to_string();
            assert!(help.contains("Example"), "takst {} --help has no example:\n{help}", verb.get_name());
        }
    }
}
