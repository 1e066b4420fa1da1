//! Real runs of the binary on the files in `tests/files`.

#![allow(dead_code, unreachable_pub, reason = "not every test uses everything")]

use serde_json::Value;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

pub fn here() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests")
}

pub fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_takst"));
    command
        .args(arguments)
        .current_dir(here().join("files"))
        .env_remove("NO_COLOR")
        .env_remove("CLICOLOR_FORCE");
    command
}

#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Ran {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}:\n{}\n{}", self.out, self.err))
    }
}

pub fn finish(mut command: Command, input: &[u8]) -> Ran {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let writer = std::thread::spawn(move || {
        let _ = stdin.write_all(&input);
    });
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    Ran {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

pub fn takst(arguments: &[&str]) -> Ran {
    finish(command(arguments), b"")
}

pub fn with_input(arguments: &[&str], input: &[u8]) -> Ran {
    finish(command(arguments), input)
}

#[track_caller]
pub fn snapshot(name: &str, text: &str) {
    assert!(!text.contains('\u{1b}'), "{name}: colour in piped output");
    let widest = text.lines().map(|line| line.chars().count()).max().unwrap_or(0);
    assert!(widest <= 80 || name.starts_with("check"), "{name}: a line of {widest} columns\n{text}");
    assert!(text.lines().all(|line| line.trim_end() == line), "{name}: spaces at the end of a line");
    let path = here().join("snapshots").join(format!("{name}.txt"));
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let known = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(text, known, "{name}: see {}", path.display());
}
