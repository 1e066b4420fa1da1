//! `takst demo`.

use super::failure::{Exit, Failure};
use super::out::Out;
use crate::demo::{Demo, DemoError, SPEED};
use crate::serve::{LISTEN, log};
use clap::Args;
use std::net::SocketAddr;
use std::path::PathBuf;

/// See it run: three example sites with chargers and cars that are played
///
/// The gateway runs on an empty database in a folder of its own, which is gone afterwards. Chargers of OCPP 1.6, 2.0.1 and 2.1
/// connect to it by WebSocket, cars come and go, things go wrong now and then, and bills are issued. Any other charger may
/// connect too.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  takst demo
  takst demo --listen 0.0.0.0:9000 --speed 1
  takst demo --data my-demo")]
pub struct DemoArguments {
    /// Where to listen
    #[arg(long, value_name = "ADDRESS", default_value = LISTEN)]
    listen: SocketAddr,
    /// How many times as fast as a real car the played ones charge, from 1 to 100
    #[arg(long, value_name = "TIMES", default_value_t = SPEED, value_parser = clap::value_parser!(u32).range(1..=100))]
    speed: u32,
    /// Keep set-up, prices and database in this folder, and go on with what is there
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// What chance depends on: the same seed, the same cars
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,
    /// What of the program's log is written to standard error, as in `info`
    #[arg(long, value_name = "FILTER", default_value = "error")]
    log: String,
}

impl DemoArguments {
    /// Runs until Ctrl-C.
    pub fn run(&self, out: &mut Out) -> Result<Exit, Failure> {
        log::begin(log::LogFormat::Human, &self.log, None).map_err(Failure::Usage)?;
        // INVARIANT: kept to the end of the run; the folder goes with it.
        let mut folder = None;
        let data = match &self.data {
            Some(data) => data.clone(),
            None => {
                let made = tempfile::Builder::new().prefix("takst-demo-").tempdir();
                let made = made.map_err(|error| Failure::Io(format!("no folder for the demo: {error}")))?;
                folder.insert(made).path().to_owned()
            }
        };
        let demo = Demo { listen: self.listen, speed: self.speed, data, seed: self.seed };
        let runtime = tokio::runtime::Runtime::new()
            .map_err(|error| Failure::Io(format!("the program cannot start its threads: {error}")))?;
        runtime.block_on(show(demo, out))?;
        drop(folder);
        Ok(Exit::Fine)
    }
}

async fn show(demo: Demo, out: &mut Out) -> Result<(), Failure> {
    let mut running = demo.start().await.map_err(|error| failure(&error))?;
    for line in running.introduction() {
        out.line(&line)?;
    }
    out.flush()?;
    loop {
        tokio::select! {
            line = running.next() => {
                out.line(&line)?;
                out.flush()?;
            }
            _ = tokio::signal::ctrl_c() => break,
        }
    }
    out.line("")?;
    out.line("the cars leave")?;
    out.flush()?;
    running.stop().await;
    Ok(())
}

fn failure(error: &DemoError) -> Failure {
    Failure::Io(error.to_string())
}
