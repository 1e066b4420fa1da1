//! `takst plugin`: for those who write plugins.

mod build;
mod call;
mod check;
mod load;
mod new;
mod test;

use super::failure::{Exit, Failure};
use super::out::Out;
use clap::{Args, Subcommand};

/// Make, check and try plugins
///
/// A plugin is a folder with `plugin.toml` and its source in Rust, JavaScript, Python or C, or a built one with `plugin.toml` and
/// `plugin.wasm`. The guide is plugins/GUIDE.md.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  takst plugin new --lang js my-sms
  takst plugin build my-sms
  takst plugin check my-sms
  takst plugin run my-prices prices.fetch --input day.json --set address=https://example.org/{day}.csv
  takst plugin test my-sms")]
pub struct Plugin {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand, Debug)]
enum What {
    New(new::New),
    Build(build::Build),
    Check(check::Check),
    Run(call::Run),
    Test(test::Test),
}

impl Plugin {
    /// Does it.
    pub fn run(&self, out: &mut Out) -> Result<Exit, Failure> {
        match &self.what {
            What::New(new) => new.run(out),
            What::Build(build) => build.run(out),
            What::Check(check) => check.run(out),
            What::Run(run) => run.run(out),
            What::Test(test) => test.run(out),
        }
    }
}
