//! `takst hash-password`.

use super::failure::{Exit, Failure};
use super::out::Out;
use crate::setup;
use clap::Args;
use serde::Serialize;
use std::io::{BufRead as _, IsTerminal as _};

/// What chargers are given as a key: 16 to 40 characters in OCPP 1.6, at most 64 in OCPP 2.1. Longer lines are a mistake.
const LONGEST: usize = 256;

/// Hash a charger's password, so that the set-up need not hold it
///
/// It is asked for on a terminal, and is otherwise the first line of the input: it never stands on the command line.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  takst hash-password
  takst hash-password < password.txt

The result goes into the set-up: security = { password = \"$argon2id$...\" }.")]
pub struct HashPassword {}

#[derive(Serialize)]
struct Hashed<'a> {
    hash: &'a str,
}

impl HashPassword {
    /// Reads, hashes, writes.
    #[expect(clippy::unused_self, reason = "as every verb is run")]
    pub fn run(&self, out: &mut Out) -> Result<Exit, Failure> {
        let secret = secret()?;
        if secret.is_empty() {
            return Err(Failure::Input(
                "no password was given: write it as the first line of the input".to_owned(),
            ));
        }
        if secret.len() > LONGEST {
            return Err(Failure::Input(format!("the password is longer than {LONGEST} bytes")));
        }
        let hash = setup::hash_password(&secret)
            .map_err(|why| Failure::Io(format!("the password cannot be hashed: {why}")))?;
        if out.json() {
            out.document(&Hashed { hash: &hash })?;
        } else {
            out.line(&hash)?;
        }
        Ok(Exit::Fine)
    }
}

fn secret() -> Result<Vec<u8>, Failure> {
    let stdin = std::io::stdin();
    if stdin.is_terminal() {
        let typed = rpassword::prompt_password("Password: ");
        let typed = typed.map_err(|error| Failure::Io(format!("the terminal cannot be read: {error}")))?;
        return Ok(typed.into_bytes());
    }
    let mut line = Vec::new();
    let mut input = std::io::Read::take(stdin.lock(), LONGEST as u64 + 3);
    input
        .read_until(b'\n', &mut line)
        .map_err(|error| Failure::Io(format!("the input cannot be read: {error}")))?;
    while line.last().is_some_and(|byte| matches!(byte, b'\n' | b'\r')) {
        line.pop();
    }
    Ok(line)
}
