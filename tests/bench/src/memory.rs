//! How much memory `takst price` takes for a long stream of sessions.

use crate::scenario::{Cut, session_json, tariff_text};
use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Peak memory in KiB and the seconds it took to price `sessions` sessions that come in as lines. Linux only: the peak is
/// what the kernel says. Says what went wrong otherwise.
pub fn peak(takst: &Path, sessions: u32) -> Result<(u64, f64), String> {
    let list = std::env::temp_dir().join(format!("takst-bench-{}.tariff", std::process::id()));
    std::fs::write(&list, tariff_text(Cut::Hour)).map_err(|error| error.to_string())?;
    let mut priced = Command::new(takst);
    priced.arg("price").arg(&list).args(["--session", "-", "--lines", "--format", "json"]);
    let child = priced.stdin(Stdio::piped()).stdout(Stdio::null()).spawn();
    let measured = child.map_err(|error| format!("{}: {error}", takst.display())).and_then(|mut child| {
        let result = feed(&mut child, sessions);
        if result.is_err() {
            // The reason is already known; a child that has gone cannot be stopped.
            let _ = child.kill();
            let _ = child.wait();
        }
        result
    });
    // A list left behind in the temporary folder does no harm.
    let _ = std::fs::remove_file(&list);
    measured
}

fn feed(child: &mut Child, sessions: u32) -> Result<(u64, f64), String> {
    let start = Instant::now();
    let text = session_json(Cut::Hour);
    let mut input = std::io::BufWriter::new(child.stdin.take().ok_or("no input")?);
    let mut highest = 0;
    for number in 0..sessions {
        let line = text.replacen("bench-1", &format!("bench-{number}"), 1);
        writeln!(input, "{line}").map_err(|error| format!("takst takes no more sessions: {error}"))?;
        if number % 10_000 == 0 {
            highest = highest.max(high_water(child)?);
        }
    }
    highest = highest.max(high_water(child)?);
    drop(input);
    loop {
        if let Some(status) = child.try_wait().map_err(|error| error.to_string())? {
            let took = start.elapsed().as_secs_f64();
            return if status.success() { Ok((highest, took)) } else { Err(format!("takst: {status}")) };
        }
        // Between its last line and its end the program has no status any more.
        highest = highest.max(high_water(child).unwrap_or(0));
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn high_water(child: &Child) -> Result<u64, String> {
    let status =
        std::fs::read_to_string(format!("/proc/{}/status", child.id())).map_err(|e| e.to_string())?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).ok_or_else(|| "no VmHWM".into())
}
