//! From the tree of values to the model: one table at a time, every mistake in it reported.

use super::node::{Entry, Node, Value};
use super::report::{More as _, Report};

/// A type that a value of a file can be read as.
pub(crate) trait Field: Sized {
    /// What is wanted, with an example: `a text in quotes`.
    const WANTED: &'static str;

    /// Reads it. None: it was reported.
    fn read(node: &Node, report: &mut Report) -> Option<Self>;

    /// What it is when it is left out; none when it must be said.
    fn left_out() -> Option<Self> {
        None
    }
}

/// Reports a value of the wrong kind.
pub(crate) fn wrong_kind<T>(node: &Node, wanted: &str, report: &mut Report) -> Option<T> {
    // The parser has said what is wrong there.
    if !matches!(node.it, Value::Broken) {
        let found = report.error("S013", node.at, format!("{} stands here", node.kind()));
        found.advise(format!("write {wanted}"));
        if matches!(node.it, Value::Null) {
            found.advise("leave out what is not known");
        }
    }
    None
}

/// Reads a key of a table. `default` stands in when it is left out.
pub(crate) fn field<T: Field>(table: &Node, key: &str, default: Option<T>, report: &mut Report) -> Option<T> {
    match table.get(key) {
        Some(node) => T::read(node, report),
        None => match default.or_else(T::left_out) {
            Some(value) => Some(value),
            None => {
                report
                    .error("S012", table.at, format!("`{key}` is missing"))
                    .advise(format!("add `{key} = ...`: {}", T::WANTED));
                None
            }
        },
    }
}

/// Whether `node` is a table; reports it when not, and every key that is not known or stands twice. `hints` says what to write
/// for keys that one may expect.
pub(crate) fn table(node: &Node, keys: &[&str], hints: &[(&str, &str)], report: &mut Report) -> Option<()> {
    let Value::Table(entries) = &node.it else {
        return wrong_kind(node, "a table: `{ key = \"value\" }`, or a section of its own", report);
    };
    let mut seen: std::collections::HashMap<&str, &Entry> = std::collections::HashMap::new();
    for entry in entries {
        if let Some(before) = seen.insert(&entry.key, entry) {
            // TOML's parser says this itself, and so this is JSON.
            report
                .error("S004", entry.at, format!("`{}` stands here already", entry.key))
                .also(before.at, "here");
        }
        if keys.contains(&entry.key.as_str()) {
            continue;
        }
        // A secret under a name that is not known must not be shown all the same.
        let lower = entry.key.to_lowercase();
        if ["pass", "pasw", "secret", "key", "auth"].iter().any(|part| lower.contains(part)) {
            report.hide(entry.node.at);
        }
        let hint = hints.iter().find(|(key, _)| *key == entry.key).map(|(_, hint)| (*hint).to_owned());
        let near =
            report.nearest(&entry.key, keys.iter().copied()).map(|near| format!("did you mean `{near}`?"));
        let all = || format!("the keys are {}", list(keys));
        let found = report.error("S011", entry.at, format!("`{}` is not known here", shown(&entry.key)));
        found.advise(hint.or(near).unwrap_or_else(all));
    }
    Some(())
}

/// `` `a`, `b`, `c` ``.
pub(crate) fn list(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

/// A text of a file for a message: its first 60 characters, in one line.
pub(crate) fn shown(text: &str) -> String {
    let mut short: String =
        text.chars().take(60).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    if short.len() < text.len() {
        short.push_str("...");
    }
    short
}

impl<T: Field> Field for Option<T> {
    const WANTED: &'static str = T::WANTED;

    fn read(node: &Node, report: &mut Report) -> Option<Self> {
        T::read(node, report).map(Some)
    }

    fn left_out() -> Option<Self> {
        Some(None)
    }
}

impl<T: Field> Field for Vec<T> {
    const WANTED: &'static str = "a list in square brackets";

    fn read(node: &Node, report: &mut Report) -> Option<Self> {
        // One value may stand for a list of one.
        let read: Vec<Option<T>> = node.list().iter().map(|node| T::read(node, report)).collect();
        read.into_iter().collect()
    }

    fn left_out() -> Option<Self> {
        Some(Vec::new())
    }
}

impl<T: Field> Field for std::collections::BTreeMap<String, T> {
    const WANTED: &'static str = "a table: `{ name = ... }`, or a section of its own";

    fn read(node: &Node, report: &mut Report) -> Option<Self> {
        let Value::Table(entries) = &node.it else { return wrong_kind(node, Self::WANTED, report) };
        let mut read = Some(Self::new());
        for entry in entries {
            let value = T::read(&entry.node, report);
            let key = entry.key.clone();
            if entries.iter().take_while(|before| before.at != entry.at).any(|before| before.key == key) {
                report.error("S004", entry.at, format!("`{}` stands here already", shown(&key)));
                read = None;
            }
            match (&mut read, value) {
                (Some(all), Some(value)) => drop(all.insert(key, value)),
                (_, None) => read = None,
                (None, Some(_)) => {}
            }
        }
        read
    }

    fn left_out() -> Option<Self> {
        Some(Self::new())
    }
}

impl Field for bool {
    const WANTED: &'static str = "`true` or `false`";

    fn read(node: &Node, report: &mut Report) -> Option<Self> {
        match node.it {
            Value::Bool(yes) => Some(yes),
            _ => wrong_kind(node, Self::WANTED, report),
        }
    }
}

impl Field for u32 {
    const WANTED: &'static str = "a whole number";

    fn read(node: &Node, report: &mut Report) -> Option<Self> {
        match &node.it {
            Value::Number(digits) => {
                let number = digits.parse().ok();
                if number.is_none() {
                    report.error(
                        "S015",
                        node.at,
                        format!("{} is not a whole number from 0 to {}", shown(digits), u32::MAX),
                    );
                }
                number
            }
            _ => wrong_kind(node, Self::WANTED, report),
        }
    }
}

impl Field for String {
    const WANTED: &'static str = "a text in quotes";

    fn read(node: &Node, report: &mut Report) -> Option<Self> {
        let Value::Text(text) = &node.it else { return wrong_kind(node, Self::WANTED, report) };
        if text.trim().is_empty() {
            report.error("S019", node.at, "this text is empty").advise("leave out what is not known");
            return None;
        }
        if text.chars().any(|c| c.is_control() && c != '\n') || text.len() > 4_000 {
            report
                .error("S019", node.at, "this text has characters that cannot be printed, or is very long")
                .advise("at most 4,000 bytes, without tabs and control characters");
            return None;
        }
        Some(text.clone())
    }
}

/// An enumeration whose cases are words in a file.
macro_rules! choice {
    ($(#[$meta:meta])* $name:ident { $($(#[$case_meta:meta])* $case:ident = $word:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, serde::Serialize)]
        pub enum $name { $($(#[$case_meta])* #[serde(rename = $word)] $case,)+ }

        impl $name {
            /// All words, as files and JSON have them.
            pub const WORDS: &'static [&'static str] = &[$($word),+];

            /// The word.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$case => $word,)+ }
            }
        }

        impl $crate::setup::read::Field for $name {
            const WANTED: &'static str = concat!("one of", $(" \"", $word, "\"",)+);

            fn read(
                node: &$crate::setup::node::Node,
                report: &mut $crate::setup::report::Report,
            ) -> Option<Self> {
                let Some(text) = node.text() else {
                    return $crate::setup::read::wrong_kind(node, Self::WANTED, report);
                };
                match text {
                    $($word => Some(Self::$case),)+
                    _ => {
                        $crate::setup::read::unknown_word(node, text, Self::WORDS, report);
                        None
                    }
                }
            }
        }
    };
}
pub(crate) use choice;

/// Reports a word that is none of those that can stand here.
pub(crate) fn unknown_word(node: &Node, text: &str, words: &[&str], report: &mut Report) {
    let near = report.nearest(text, words.iter().copied()).map(|near| format!("did you mean \"{near}\"? "));
    let all = words.iter().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(", ");
    report
        .error("S014", node.at, format!("\"{}\" cannot stand here", shown(text)))
        .advise(format!("{}it is one of {all}", near.unwrap_or_default()));
}

/// A table of a file as a struct. `name as "key": Type = default`: the key in files where it differs, and what stands in when it
/// is left out. What is left out and has no default is left out in JSON too.
macro_rules! section {
    (
        $(#[$meta:meta])*
        pub struct $name:ident {
            $($(#[$field_meta:meta])* $field:ident $(as $key:literal)? : $type:ty $(= $default:expr)?,)*
        }
        $(hints { $($hint_key:literal => $hint:literal,)* })?
    ) => {
        $(#[$meta])*
        #[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
        pub struct $name {
            $(
                $(#[$field_meta])*
                #[serde(skip_serializing_if = "crate::setup::read::is_left_out")]
                $(#[serde(rename = $key)])?
                pub $field: $type,
            )*
        }

        impl $name {
            /// Its keys in files and JSON.
            pub const KEYS: &'static [&'static str] = &[$($crate::setup::read::key!($field $($key)?)),*];
            const HINTS: &'static [(&'static str, &'static str)] = &[$($(($hint_key, $hint)),*)?];
        }

        impl $crate::setup::read::Field for $name {
            const WANTED: &'static str = "a table";

            fn read(
                node: &$crate::setup::node::Node,
                report: &mut $crate::setup::report::Report,
            ) -> Option<Self> {
                $crate::setup::read::table(node, Self::KEYS, Self::HINTS, report)?;
                // All are read before the first that failed ends it: every mistake is reported.
                $(
                    let $field: Option<$type> = {
                        let default: Option<$type> = $crate::setup::read::default!($($default)?);
                        $crate::setup::read::field(node, $crate::setup::read::key!($field $($key)?), default, report)
                    };
                )*
                Some(Self { $($field: $field?,)* })
            }

            $crate::setup::read::left_out!($name $(, $field ; $($default)?)*);
        }
    };
}
pub(crate) use section;

macro_rules! key {
    ($field:ident) => {
        stringify!($field)
    };
    ($field:ident $key:literal) => {
        $key
    };
}
pub(crate) use key;

macro_rules! default {
    () => {
        None
    };
    ($default:expr) => {
        Some($default)
    };
}
pub(crate) use default;

/// A table that is left out is one in which every key is left out, when that is allowed.
macro_rules! left_out {
    ($name:ident $(, $field:ident ; $($default:expr)?)*) => {
        fn left_out() -> Option<Self> {
            Some(Self { $($field: $crate::setup::read::default!($($default)?).or_else($crate::setup::read::Field::left_out)?,)* })
        }
    };
}
pub(crate) use left_out;

/// A [`section!`] in which every key has a default, and so the whole.
macro_rules! defaulted {
    (
        $(#[$meta:meta])*
        pub struct $name:ident {
            $($(#[$field_meta:meta])* $field:ident : $type:ty = $default:expr,)*
        }
    ) => {
        $crate::setup::read::section! {
            $(#[$meta])*
            pub struct $name { $($(#[$field_meta])* $field: $type = $default,)* }
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $($field: $default,)* }
            }
        }
    };
}
pub(crate) use defaulted;

/// Whether a value is what stands in when it is left out.
pub(crate) fn is_left_out<T: Field + PartialEq>(value: &T) -> bool {
    T::left_out().is_some_and(|left_out| left_out == *value)
}
