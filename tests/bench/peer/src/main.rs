//! The peer beside `takst-bench`: `list`, `count CASE N`, `total hourly|quarter-hourly`.

use std::process::ExitCode;
use takst_bench_peer::{CASES, harness, scenario::Cut, totals};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments.as_slice() {
        ["total"] => Ok([("hourly", Cut::Hour), ("quarter-hourly", Cut::Quarter)]
            .map(|(name, cut)| {
                let (net, gross, slices) = totals(cut);
                format!("{name} {slices} slices net {net} total {gross}\n")
            })
            .concat()),
        other => harness::run(CASES, other),
    };
    match done {
        Ok(text) => {
            print!("{text}");
            ExitCode::SUCCESS
        }
        Err(text) => {
            eprintln!("{text}");
            ExitCode::from(2)
        }
    }
}
