//! Passwords of chargers: hashes in files, secrets by reference, nothing ever printed.

use super::node::{Node, Value};
use super::read::{Field, wrong_kind};
use super::report::{More as _, Report};
use argon2::password_hash::rand_core::OsRng;
use argon2::password_hash::{PasswordHash, SaltString};
use argon2::{Algorithm, Argon2, Params, PasswordHasher as _, PasswordVerifier as _, Version};
use serde::{Serialize, Serializer};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::fmt;

/// Bounds on what a hash in a file may ask of us: kibibytes and rounds.
const MOST_MEMORY: u32 = 65_536;
const MOST_ROUNDS: u32 = 8;
/// OCPP's longest Basic password is 40 bytes of hex or 64 characters.
const LONGEST: usize = 256;

/// Where a charger's password is.
#[derive(Clone, PartialEq, Eq)]
pub enum Password {
    /// Its argon2 hash.
    Hash(String),
    /// In this environment variable.
    Env(String),
    /// In this file.
    File(String),
}

/// Says where, never what.
impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hash(_) => f.write_str("Hash(...)"),
            Self::Env(name) => write!(f, "Env({name:?})"),
            Self::File(name) => write!(f, "File({name:?})"),
        }
    }
}

/// As it stands in the files: a hash, or where the secret is.
impl Serialize for Password {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Hash(hash) => serializer.serialize_str(hash),
            Self::Env(name) => serializer.collect_map([("env", name)]),
            Self::File(name) => serializer.collect_map([("file", name)]),
        }
    }
}

impl Field for Password {
    const WANTED: &'static str = "`{ env = \"NAME\" }`, `{ file = \"...\" }` or an argon2 hash in quotes";

    fn read(node: &Node, report: &mut Report) -> Option<Self> {
        if matches!(node.it, Value::Text(_)) {
            report.hide(node.at);
        }
        match &node.it {
            Value::Text(text) if text.starts_with("$argon2") => {
                if let Err(why) = parse(text) {
                    report.error("S042", node.at, why).advise("make one with `takst hash-password`");
                    return None;
                }
                Some(Self::Hash(text.clone()))
            }
            Value::Text(_) => {
                report.error("S041", node.at, "a password stands here in the clear").advise(
                    "write its hash (`takst hash-password`), or say where it is: `password = { env = \"NAME\" }` or \
                     `{ file = \"...\" }`",
                );
                None
            }
            Value::Table(entries) => match entries.as_slice() {
                [entry] if entry.key == "env" => String::read(&entry.node, report).map(Self::Env),
                [entry] if entry.key == "file" => String::read(&entry.node, report)
                    .map(|path| Self::File(report.beside(entry.node.at.source, &path))),
                _ => {
                    report
                        .error("S013", node.at, "this does not say where the password is")
                        .advise(format!("write {}", Self::WANTED));
                    None
                }
            },
            _ => wrong_kind(node, Self::WANTED, report),
        }
    }
}

/// Where a secret of a plugin is. It never stands in the files itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SecretPlace {
    /// In this environment variable.
    Env(String),
    /// In this file.
    File(String),
}

impl Serialize for SecretPlace {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Env(name) => serializer.collect_map([("env", name)]),
            Self::File(name) => serializer.collect_map([("file", name)]),
        }
    }
}

impl Field for SecretPlace {
    const WANTED: &'static str = "`{ env = \"NAME\" }` or `{ file = \"...\" }`";

    fn read(node: &Node, report: &mut Report) -> Option<Self> {
        match &node.it {
            Value::Text(_) => {
                report.hide(node.at);
                report
                    .error("S041", node.at, "a secret stands here in the clear")
                    .advise(format!("say where it is: {}", Self::WANTED));
                None
            }
            Value::Table(entries) => match entries.as_slice() {
                [entry] if entry.key == "env" => String::read(&entry.node, report).map(Self::Env),
                [entry] if entry.key == "file" => String::read(&entry.node, report)
                    .map(|path| Self::File(report.beside(entry.node.at.source, &path))),
                _ => {
                    report.hide(node.at);
                    report
                        .error("S013", node.at, "this does not say where the secret is")
                        .advise(format!("write {}", Self::WANTED));
                    None
                }
            },
            _ => {
                report.hide(node.at);
                wrong_kind(node, Self::WANTED, report)
            }
        }
    }
}

// A hash that can be checked at a bounded price.
fn parse(text: &str) -> Result<PasswordHash<'_>, &'static str> {
    let hash = PasswordHash::new(text).map_err(|_| "this is no argon2 hash")?;
    let params = Params::try_from(&hash).map_err(|_| "this is no argon2 hash")?;
    if params.m_cost() > MOST_MEMORY || params.t_cost() > MOST_ROUNDS || hash.hash.is_none() {
        return Err("this hash costs more than 64 MiB or 8 rounds to check");
    }
    Ok(hash)
}

/// Hashes a secret for a file.
///
/// # Errors
/// When the machine has no randomness, or the secret is longer than argon2 takes.
pub fn hash_password(secret: &[u8]) -> Result<String, String> {
    let salt = SaltString::generate(&mut OsRng);
    // A charger's key is random and not guessed from a list, and 15,000 may come back at once: 4 MiB and 2 rounds.
    let params = Params::new(4_096, 2, 1, None).map_err(|error| error.to_string())?;
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    argon2.hash_password(secret, &salt).map(|hash| hash.to_string()).map_err(|error| error.to_string())
}

/// What a password is checked against.
#[derive(Clone, PartialEq, Eq)]
enum Check {
    Hash(String),
    Plain(Vec<u8>),
}

/// The passwords of all chargers, for checking only. Kept apart from the set-up so that no document contains them.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Secrets {
    by_charger: BTreeMap<String, Check>,
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secrets({})", self.by_charger.len())
    }
}

impl Secrets {
    /// Keeps the secret that a charger's password refers to.
    ///
    /// # Errors
    /// What is wrong with it, in words that do not contain it.
    pub(crate) fn keep(&mut self, charger: &str, secret: &[u8]) -> Result<(), &'static str> {
        let end = secret.iter().rposition(|byte| !matches!(byte, b'\n' | b'\r')).map_or(0, |at| at + 1);
        let secret = secret.get(..end).unwrap_or_default();
        let check = match std::str::from_utf8(secret) {
            Ok(text) if text.starts_with("$argon2") => {
                parse(text)?;
                Check::Hash(text.to_owned())
            }
            _ if secret.is_empty() => return Err("it is empty"),
            _ if secret.len() > LONGEST => return Err("it is longer than 256 bytes"),
            _ => Check::Plain(secret.to_vec()),
        };
        self.by_charger.insert(charger.to_lowercase(), check);
        Ok(())
    }

    /// Whether a charger has another password than in `before`.
    pub(crate) fn differs(&self, before: &Self, charger: &str) -> bool {
        let key = charger.to_lowercase();
        self.by_charger.get(&key) != before.by_charger.get(&key)
    }

    /// Whether a charger has a password.
    #[must_use]
    pub fn has(&self, charger: &str) -> bool {
        self.by_charger.contains_key(&charger.to_lowercase())
    }

    /// Whether `given` is the charger's password: the bytes of the secret, or what its hexadecimal form stands for, or the other
    /// way round, as chargers differ in what they make of an AuthorizationKey. A hash costs some milliseconds each time: keep
    /// the answer for a connection.
    #[must_use]
    pub fn check(&self, charger: &str, given: &[u8]) -> bool {
        if given.is_empty() || given.len() > LONGEST * 2 {
            return false;
        }
        let Some(check) = self.by_charger.get(&charger.to_lowercase()) else { return false };
        let forms =
            [Some(given.to_vec()), unhex(given), Some(hex(given)), Some(hex(given).to_ascii_uppercase())];
        forms.into_iter().flatten().any(|form| check.matches(&form))
    }
}

impl Check {
    fn matches(&self, given: &[u8]) -> bool {
        match self {
            Self::Hash(hash) => {
                parse(hash).is_ok_and(|hash| Argon2::default().verify_password(given, &hash).is_ok())
            }
            // Hashes are compared, so that the time it takes says nothing about the secret.
            Self::Plain(secret) => Sha256::digest(secret) == Sha256::digest(given),
        }
    }
}

fn hex(bytes: &[u8]) -> Vec<u8> {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| DIGITS.get(usize::from(nibble)).copied().unwrap_or_default();
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

fn unhex(text: &[u8]) -> Option<Vec<u8>> {
    let nibble = |digit: u8| char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
    let (pairs, rest) = text.as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    pairs.iter().map(|[high, low]| Some(nibble(*high)? << 4 | nibble(*low)?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_taken_plain_and_as_hex_both_ways() {
        let mut secrets = Secrets::default();
        secrets.keep("Plain", b"0123456789abcdef0123\n").unwrap();
        secrets.keep("hash", hash_password(b"correct horse battery").unwrap().as_bytes()).unwrap();
        // The key that a charger decodes before it sends it.
        secrets.keep("key", b"00FFa1b2c3d4e5f60718293a4b5c6d7e").unwrap();
        let raw = unhex(b"00ffa1b2c3d4e5f60718293a4b5c6d7e").unwrap();
        assert!(secrets.check("plain", b"0123456789abcdef0123"));
        assert!(secrets.check("PLAIN", &hex(b"0123456789abcdef0123")));
        assert!(secrets.check("hash", b"correct horse battery"));
        assert!(secrets.check("hash", &hex(b"correct horse battery")));
        assert!(secrets.check("key", b"00FFa1b2c3d4e5f60718293a4b5c6d7e"));
        for (charger, wrong) in
            [("plain", &b"0123456789abcdef012"[..]), ("hash", b"wrong"), ("key", b""), ("nobody", b"x")]
        {
            assert!(!secrets.check(charger, wrong), "{charger}");
        }
        secrets.keep("upper", b"00FFA1B2C3D4E5F60718293A4B5C6D7E").unwrap();
        assert!(secrets.check("upper", &raw));
    }

    #[test]
    fn nothing_is_printed() {
        let hash = hash_password(b"secret").unwrap();
        let mut secrets = Secrets::default();
        secrets.keep("a", b"secret").unwrap();
        let shown = format!("{:?} {secrets:?}", Password::Hash(hash.clone()));
        assert!(!shown.contains("secret") && !shown.contains(&hash), "{shown}");
    }

    #[test]
    fn a_hash_that_would_cost_a_gigabyte_is_refused() {
        let dear = "$argon2id$v=19$m=1048576,t=3,p=1$c29tZXNhbHRzb21lc2FsdA$RdescudvJCsgt3ub+b4dWRWJTmaaJObG";
        assert!(parse(dear).is_err());
        assert!(Secrets::default().keep("a", dear.as_bytes()).is_err());
        assert!(parse(&dear.replace("m=1048576", "m=4096")).is_ok());
    }
}
