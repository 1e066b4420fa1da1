//! `takst-bench`: the cases of this crate for a counter of instructions, and the same session for the eye.

use std::process::ExitCode;
use takst_bench::scenario::{Cut, cdr_json, session_json, tariff_text};
use takst_bench::{CASES, bill, harness, long_list, memory};

const CUTS: [(&str, Cut); 2] = [("hourly", Cut::Hour), ("quarter-hourly", Cut::Quarter)];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match run(&arguments) {
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

fn run(arguments: &[&str]) -> Result<String, String> {
    match arguments {
        ["total"] => Ok(CUTS
            .map(|(name, cut)| {
                let bill = bill(cut);
                let cents = |amount: i64| format!("{}.{:02}", amount / 100, amount % 100);
                format!(
                    "{name} {} slices net {} total {}\n",
                    cut.slices(),
                    cents(bill.net),
                    cents(bill.total)
                )
            })
            .concat()),
        ["print", "long-list"] => Ok(long_list::long_list()),
        ["print", what, cut] => {
            let cut = CUTS.iter().find(|(name, _)| name == cut).ok_or(format!("no `{cut}`"))?.1;
            match *what {
                "session" => Ok(session_json(cut)),
                "tariff" => Ok(tariff_text(cut)),
                "cdr" => Ok(cdr_json(cut)),
                what => Err(format!("no `{what}`")),
            }
        }
        ["memory", takst, sessions] => {
            let sessions = sessions.parse().map_err(|_| format!("`{sessions}` is not a number"))?;
            let (kib, seconds) = memory::peak(takst.as_ref(), sessions)?;
            Ok(format!("{kib} KiB {seconds:.2} s\n"))
        }
        other => harness::run(CASES, other),
    }
}
