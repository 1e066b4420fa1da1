//! Secrets in what is said to chargers and by them: found by what names them, and blanked before anything is written down.
//!
//! OCPP never says of a value that it is secret. What says so is a name: that of a configuration key or a variable (1.6 J security
//! white paper, `AuthorizationKey`; 2.x appendices, `BasicAuthPassword`, ...), that of a field (`apnPassword`, the `key` of a VPN), or
//! `WriteOnly`; and the password in an address (RFC 3986, 3.2.1). Makers have names of their own, so it is words that are looked for,
//! however they are written. One value too many that is blanked costs a look into the charger; one too few costs its password.

use super::frame;
use serde::Deserialize;
use serde::de::{MapAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// What stands in place of a secret.
pub(crate) const HIDDEN: &str = "(not kept)";

/// No name is longer, where it is not said what is a name.
const LONGEST: usize = 60;
/// What is nested deeper is blanked as a whole.
const DEEPEST: usize = 64;

/// A text of the wire, or any other JSON, without the secrets in it; where it holds none, letter by letter as it was.
pub(crate) fn blanked(text: &str) -> Cow<'_, str> {
    if !hinted(text) {
        return Cow::Borrowed(text);
    }
    match serde_json::from_str::<&RawValue>(text) {
        Ok(raw) => json(raw, 0).map_or(Cow::Borrowed(text), Cow::Owned),
        Err(_) => match frame::repair(text) {
            Some(mended) if serde_json::from_str::<&RawValue>(&mended).is_ok() => {
                let hidden = blanked(&mended);
                if hidden == mended { Cow::Borrowed(text) } else { Cow::Owned(hidden.into_owned()) }
            }
            _ => unreadable(text),
        },
    }
}

/// Whether a text of the wire holds a secret.
pub(crate) fn holds(text: &str) -> bool {
    matches!(blanked(text), Cow::Owned(_))
}

/// Whether something of this name is secret: `AuthorizationKey`, `ftp_pass`, `SIM-PIN`, ...
pub(crate) fn is_secret(name: &str) -> bool {
    // Anywhere in the name, when all that is no letter or digit is taken out of it.
    const WITHIN: [&str; 18] = [
        "password",
        "passwd",
        "passphrase",
        "passcode",
        "passwort",
        "passord",
        "secret",
        "credential",
        "authorizationkey",
        "authkey",
        "authenticationkey",
        "sharedkey",
        "privatekey",
        "apikey",
        "accesskey",
        "encryptionkey",
        "simpin",
        "pincode",
    ];
    // Before a `key`.
    const OF_KEYS: [&str; 18] = [
        "authorization",
        "auth",
        "authentication",
        "shared",
        "private",
        "api",
        "access",
        "encryption",
        "wifi",
        "wlan",
        "wpa",
        "wep",
        "security",
        "vpn",
        "admin",
        "network",
        "hmac",
        "aes",
    ];
    const WORDS: [&str; 5] = ["pwd", "pw", "psk", "pin", "puk"];
    let words = words(name);
    let joined = words.concat();
    if WITHIN.iter().any(|word| joined.contains(word)) || words.iter().any(|word| WORDS.contains(&&**word)) {
        return true;
    }
    // The group of passes that stop everything is none: `MasterPassGroupId`.
    if words.last().is_some_and(|word| word == "pass") {
        return words.iter().all(|word| word != "master");
    }
    joined.strip_suffix("key").is_some_and(|of| OF_KEYS.iter().any(|word| of.ends_with(word)))
}

// The words of a name, in small letters: `SIM-PIN`, `simPin` and `sim_pin` are all sim, pin.
fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut before = ' ';
    for (place, letter) in name.char_indices() {
        let after = name.get(place + letter.len_utf8()..).and_then(|rest| rest.chars().next());
        // `FTPPassword` is FTP, Password.
        let begins = letter.is_uppercase()
            && (before.is_lowercase() || before.is_uppercase() && after.is_some_and(char::is_lowercase));
        if letter.is_alphanumeric() {
            if begins || !before.is_alphanumeric() {
                words.push(String::new());
            }
            if let Some(word) = words.last_mut() {
                word.extend(letter.to_lowercase());
            }
        }
        before = letter;
    }
    words
}

// Whether there is anything that a secret could be found by. Most of what is said has nothing of the kind, and is not read again.
fn hinted(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.iter().enumerate().any(|(place, byte)| {
        let follow: &[&[u8]] = match byte.to_ascii_lowercase() {
            b'p' => &[b"ass", b"w", b"sk", b"in", b"uk"],
            b's' => &[b"ecret", b"impin"],
            b'k' => &[b"ey"],
            b'c' => &[b"redential"],
            b'v' => &[b"pn"],
            b'w' => &[b"riteonly"],
            b':' => &[b"//"],
            // Letters may be written as their numbers, and slashes with a backslash.
            b'\\' => &[b"u", b"/"],
            _ => return false,
        };
        let rest = bytes.get(place + 1..).unwrap_or_default();
        follow.iter().any(|more| rest.get(..more.len()).is_some_and(|start| start.eq_ignore_ascii_case(more)))
    })
}

// What is no JSON, and cannot be made any: nothing of it is kept where a secret is named in it.
fn unreadable(text: &str) -> Cow<'_, str> {
    let plain = unescaped(text);
    let apart = |letter: char| !(letter.is_alphanumeric() || matches!(letter, '_' | '-' | '.'));
    if plain.split(apart).any(|word| word.len() <= LONGEST && is_secret(word)) {
        return Cow::Owned(format!(
            "(not kept: {} bytes that are no JSON, in which something secret is named)",
            text.len()
        ));
    }
    let slashes = plain.replace("\\/", "/");
    match prose(&slashes) {
        Some(hidden) => Cow::Owned(hidden),
        None => Cow::Borrowed(text),
    }
}

// With letters instead of their numbers.
fn unescaped(text: &str) -> String {
    let mut parts = text.split("\\u");
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let letter =
            part.get(..4).and_then(|digits| u32::from_str_radix(digits, 16).ok()).and_then(char::from_u32);
        match letter {
            Some(letter) => {
                plain.push(letter);
                plain.push_str(part.get(4..).unwrap_or_default());
            }
            None => {
                plain.push_str("\\u");
                plain.push_str(part);
            }
        }
    }
    plain
}

// JSON, read one level at a time. Members keep their order, and those that stand twice stand twice.
enum Node<'a> {
    Object(Vec<(String, Node<'a>)>),
    List(Vec<Node<'a>>),
    Text(String),
    Other(&'a str),
}

// What is known of a value from where it stands.
#[derive(Clone, Copy, Default)]
struct Around {
    // What it belongs to is called something secret.
    secret: bool,
    // It belongs to a virtual private network.
    network: bool,
}

// None: there is nothing to hide.
fn json(raw: &RawValue, depth: usize) -> Option<String> {
    let mut node = read(raw, depth);
    hide(&mut node, Around::default(), depth).then(|| {
        let mut text = String::with_capacity(raw.get().len());
        write(&node, &mut text);
        text
    })
}

struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Each;
        impl<'de> Visitor<'de> for Each {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Each)
    }
}

fn read(raw: &RawValue, depth: usize) -> Node<'_> {
    let text = raw.get();
    // What the reader does not take, though it is JSON, is not looked into: letters that are none, or too many levels.
    let closed = || Node::Text(HIDDEN.to_owned());
    if depth > DEEPEST {
        return closed();
    }
    match text.as_bytes().first() {
        Some(b'{') => serde_json::from_str::<Members<'_>>(text).map_or_else(
            |_| closed(),
            |members| {
                let each = members.0.into_iter();
                Node::Object(each.map(|(name, value)| (name, read(value, depth + 1))).collect())
            },
        ),
        Some(b'[') => serde_json::from_str::<Vec<&RawValue>>(text).map_or_else(
            |_| closed(),
            |values| Node::List(values.into_iter().map(|value| read(value, depth + 1)).collect()),
        ),
        Some(b'"') => serde_json::from_str(text).map_or_else(|_| closed(), Node::Text),
        _ => Node::Other(text),
    }
}

fn write(node: &Node<'_>, out: &mut String) {
    let between = |out: &mut String, first: bool| {
        if !first {
            out.push(',');
        }
    };
    match node {
        Node::Object(members) => {
            out.push('{');
            for (place, (name, value)) in members.iter().enumerate() {
                between(out, place == 0);
                out.push_str(&frame::quoted(name));
                out.push(':');
                write(value, out);
            }
            out.push('}');
        }
        Node::List(values) => {
            out.push('[');
            for (place, value) in values.iter().enumerate() {
                between(out, place == 0);
                write(value, out);
            }
            out.push(']');
        }
        Node::Text(text) => out.push_str(&frame::quoted(text)),
        Node::Other(text) => out.push_str(text),
    }
}

// Blanks what is secret; whether anything was.
fn hide(node: &mut Node<'_>, around: Around, depth: usize) -> bool {
    match node {
        Node::Object(members) => object(members, around, depth),
        // All that is hidden has to be: no `any`.
        Node::List(values) => {
            values.iter_mut().fold(false, |hidden, value| hide(value, around, depth + 1) | hidden)
        }
        Node::Text(text) if text == HIDDEN => true,
        Node::Text(text) => match hidden_in(text, depth) {
            Some(hidden) => {
                *text = hidden;
                true
            }
            None => false,
        },
        Node::Other(_) => false,
    }
}

fn object(members: &mut [(String, Node<'_>)], around: Around, depth: usize) -> bool {
    let is =
        |node: &Node<'_>, word: &str| matches!(node, Node::Text(text) if text.eq_ignore_ascii_case(word));
    let secret = around.secret
        || members.iter().any(|(name, value)| {
            let name = words(name).concat();
            match &*name {
                // What something is called, in OCPP and as makers write it.
                "key" | "name" | "variable" | "variablename" | "component" | "parameter" | "setting"
                | "messageid" => names_secret(value),
                "mutability" => is(value, "WriteOnly"),
                _ => false,
            }
        });
    let mut hidden = false;
    for (name, value) in members {
        let folded = words(name).concat();
        hidden |= match &*folded {
            "key" if around.network => whole(value),
            "value" | "attributevalue" | "actualvalue" | "newvalue" | "data" if secret => whole(value),
            "variableattribute" | "variableattributes" | "attributes" => {
                hide(value, Around { secret, ..Around::default() }, depth + 1)
            }
            // Said of it, not it itself: `PasswordLength` in a set of limits.
            _ if is_secret(name) => whole(value),
            _ => hide(value, Around { secret: false, network: folded == "vpn" }, depth + 1),
        };
    }
    hidden
}

fn names_secret(node: &Node<'_>) -> bool {
    match node {
        Node::Text(text) => is_secret(text),
        Node::Object(members) => members.iter().any(|(name, value)| {
            ["name", "instance"].iter().any(|word| name.eq_ignore_ascii_case(word)) && names_secret(value)
        }),
        _ => false,
    }
}

// All of a value that is secret. Yes, no and nothing tell nothing.
fn whole(node: &mut Node<'_>) -> bool {
    match node {
        Node::Object(members) => members.iter_mut().fold(false, |hidden, (_, value)| whole(value) | hidden),
        Node::List(values) => values.iter_mut().fold(false, |hidden, value| whole(value) | hidden),
        Node::Text(text) if text.is_empty() => false,
        Node::Other("true" | "false" | "null") => false,
        Node::Text(_) | Node::Other(_) => {
            *node = Node::Text(HIDDEN.to_owned());
            true
        }
    }
}

// A text may itself be JSON (DataTransfer of 1.6, configuration keys of makers), or hold an address.
fn hidden_in(text: &str, depth: usize) -> Option<String> {
    if !hinted(text) {
        return None;
    }
    let inner = text.trim();
    if inner.starts_with(['{', '[', '"'])
        && let Ok(raw) = serde_json::from_str::<&RawValue>(inner)
    {
        return json(raw, depth + 1);
    }
    prose(text)
}

// Passwords in addresses, and what follows the name of a secret: `password=...`, `pin: ...`.
fn prose(text: &str) -> Option<String> {
    let addresses = addresses(text);
    let named = named(addresses.as_deref().unwrap_or(text));
    named.or(addresses)
}

fn addresses(text: &str) -> Option<String> {
    const END: [char; 4] = ['"', '\'', '<', '>'];
    let mut out = String::new();
    let mut rest = text;
    let mut changed = false;
    while let Some(place) = rest.find("://") {
        let (before, after) = rest.split_at(place + 3);
        out.push_str(before);
        let end = after.find(|letter: char| letter.is_whitespace() || END.contains(&letter));
        let (address, behind) = after.split_at(end.unwrap_or(after.len()));
        let authority = address.find(['/', '?', '#']).map_or(address, |end| address.split_at(end).0);
        // Some passwords are written with a slash that should be %2F: then what follows the colon is no port.
        let odd = authority.split_once(':').is_some_and(|(host, port)| {
            !host.starts_with('[') && !port.bytes().all(|byte| byte.is_ascii_digit())
        });
        let who = match authority.rfind('@') {
            Some(at) => Some(at),
            None if odd => address.rfind('@'),
            None => None,
        };
        let mut shown = address;
        if let Some(at) = who {
            let (who, host) = address.split_at(at);
            let scheme = before.to_ascii_lowercase();
            let ftp = scheme.ends_with("ftp://") || scheme.ends_with("ftps://");
            match who.split_once(':') {
                Some((_, "")) => {}
                Some((user, _)) => {
                    out.push_str(user);
                    out.push(':');
                    out.push_str(HIDDEN);
                    changed = true;
                    shown = host;
                }
                // In FTP a name alone is a name; elsewhere it is a key.
                None if ftp || who.is_empty() => {}
                None => {
                    out.push_str(HIDDEN);
                    changed = true;
                    shown = host;
                }
            }
        }
        out.push_str(shown);
        rest = behind;
    }
    out.push_str(rest);
    changed.then_some(out)
}

fn named(text: &str) -> Option<String> {
    // Keys in the queries of addresses that let somebody fetch or put a file.
    const OF_ADDRESSES: [&str; 9] = [
        "sig",
        "signature",
        "xamzsignature",
        "xamzcredential",
        "xamzsecuritytoken",
        "token",
        "accesstoken",
        "key",
        "hmac",
    ];
    let address = text.contains("://");
    let mut out = String::new();
    let mut rest = text;
    let mut changed = false;
    while let Some(place) = rest.find(['=', ':']) {
        let (before, after) = rest.split_at(place + 1);
        out.push_str(before);
        rest = after;
        let name = before.trim_end_matches(['=', ':']).trim_end();
        let start = name
            .char_indices()
            .rev()
            .take_while(|(_, letter)| letter.is_alphanumeric() || matches!(letter, '_' | '-' | '.'))
            .last()
            .map_or(name.len(), |(start, _)| start);
        let name = name.get(start..).unwrap_or_default();
        let is_query = address && before.ends_with('=') && OF_ADDRESSES.contains(&&*words(name).concat());
        let is_named = name.len() <= LONGEST && is_secret(name);
        if !(is_named || is_query) || rest.starts_with("//") {
            continue;
        }
        let value = rest.trim_start_matches([' ', '"', '\'']);
        let from = rest.len() - value.len();
        let end = value.find(|letter: char| letter.is_whitespace() || "&;,\"'<>|".contains(letter));
        let value = end.map_or(value, |end| value.split_at(end).0);
        // Signatures in base64 end in `==`, and may have anything before that.
        if value.trim_matches('=').is_empty() || HIDDEN.starts_with(value) {
            continue;
        }
        out.push_str(rest.get(..from).unwrap_or_default());
        out.push_str(HIDDEN);
        rest = rest.get(from + value.len()..).unwrap_or_default();
        changed = true;
    }
    out.push_str(rest);
    changed.then_some(out)
}

#[cfg(test)]
#[path = "secrets_tests.rs"]
mod tests;
