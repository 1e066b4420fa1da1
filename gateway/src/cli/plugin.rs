//! `takst plugin`: for those who write plugins, and those who run them.

mod build;
mod call;
mod check;
mod grant;
mod home;
mod install;
mod list;
mod load;
mod new;
mod sign;
mod sources;
mod test;
mod upgrade;

use super::failure::{Exit, Failure};
use super::out::Out;
use clap::{Args, Subcommand};

/// Make, check, try, sign and install plugins
///
/// A plugin is a folder with `plugin.toml` and its source in Rust, JavaScript, Python or C, or a built one with `plugin.toml` and
/// `plugin.wasm`; or a package, one file. The guide is plugins/GUIDE.md.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  takst plugin new --lang js my-sms
  takst plugin build my-sms
  takst plugin check my-sms
  takst plugin run my-prices prices.fetch --input day.json --set address=https://example.org/{day}.csv
  takst plugin test my-sms
  takst plugin sign my-sms --key author.key
  takst plugin install my-sms-1.0.0.plugin --trust author.pub --grant all --set address=https://sms.example.com")]
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
    Sign(sign::Sign),
    Install(install::Install),
    List(list::List),
    Grant(grant::Grant),
    Upgrade(upgrade::Upgrade),
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
            What::Sign(sign) => sign.run(out),
            What::Install(install) => install.run(out),
            What::List(list) => list.run(out),
            What::Grant(grant) => grant.run(out),
            What::Upgrade(upgrade) => upgrade.run(out),
        }
    }
}
