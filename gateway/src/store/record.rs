//! Rows as Rust types: ids, words, records, and how they pass to and from columns.

use super::error::Error;
use super::sql::{Row, Value};
use sha2::{Digest as _, Sha256};
use takst_engine::units::{Energy, Instant};

/// The organisation that owns a row.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct OrgId(String);

impl OrgId {
    /// The organisation with this id.
    pub fn new(id: impl Into<String>) -> Self {
        Self(id.into())
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A new id: unlike any other, and later ones sort behind earlier ones of the same process.
#[must_use]
pub fn new_id() -> String {
    uuid::Uuid::now_v7().simple().to_string()
}

/// `text` as it stands in an indexed column. A charger can send a megabyte where an id belongs, and
/// PostgreSQL indexes no more than 2.7 kB: what is longer than 200 bytes, or holds a NUL, keeps its beginning
/// and gets its hash.
pub(super) fn key(text: &str) -> String {
    const WHOLE: usize = 200;
    const KEPT: usize = 100;
    if text.len() <= WHOLE && !text.contains('\0') {
        return text.to_owned();
    }
    let end = (0..=KEPT).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    let kept = text.get(..end).unwrap_or_default();
    format!("{kept}~{}", hex(&Sha256::digest(text.as_bytes())))
}

pub(super) fn key_of(text: Option<&str>) -> Option<String> {
    text.map(key)
}

pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// A type that a column can hold.
pub(super) trait Field: Sized {
    fn into_value(self) -> Value;
    fn from_column(row: &Row, index: usize) -> Result<Self, Error>;
}

fn empty(index: usize) -> Error {
    Error::Corrupt(format!("column {index} is empty"))
}

macro_rules! whole_numbers {
    ($($type:ty, $into:expr, $from:expr;)*) => { $(
        impl Field for $type {
            fn into_value(self) -> Value { Value::Int(Some($into(self))) }
            fn from_column(row: &Row, index: usize) -> Result<Self, Error> {
                row.int(index)?.map($from).ok_or_else(|| empty(index))
            }
        }
        impl Field for Option<$type> {
            fn into_value(self) -> Value { Value::Int(self.map($into)) }
            fn from_column(row: &Row, index: usize) -> Result<Self, Error> { Ok(row.int(index)?.map($from)) }
        }
    )* };
}

whole_numbers! {
    i64, |int: i64| int, |int: i64| int;
    Instant, |at: Instant| at.0, Instant;
    Energy, |energy: Energy| energy.0, Energy;
    bool, i64::from, |int: i64| int != 0;
}

impl Field for String {
    fn into_value(self) -> Value {
        Value::Text(Some(self))
    }
    fn from_column(row: &Row, index: usize) -> Result<Self, Error> {
        row.text(index)?.ok_or_else(|| empty(index))
    }
}

impl Field for Option<String> {
    fn into_value(self) -> Value {
        Value::Text(self)
    }
    fn from_column(row: &Row, index: usize) -> Result<Self, Error> {
        row.text(index)
    }
}

/// Only for binding.
impl Field for &str {
    fn into_value(self) -> Value {
        Value::Text(Some(self.to_owned()))
    }
    fn from_column(_: &Row, index: usize) -> Result<Self, Error> {
        Err(empty(index))
    }
}

/// Only for binding.
impl Field for Option<&str> {
    fn into_value(self) -> Value {
        Value::Text(self.map(str::to_owned))
    }
    fn from_column(_: &Row, index: usize) -> Result<Self, Error> {
        Err(empty(index))
    }
}

/// An enum whose cases stand in the database as words.
macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[$case_meta:meta])* $case:ident = $word:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, serde::Serialize, serde::Deserialize)]
        pub enum $name { $($(#[$case_meta])* #[serde(rename = $word)] $case,)+ }

        impl $name {
            /// The word that stands in the database and in JSON.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$case => $word,)+ }
            }

            /// The case of that word.
            #[must_use]
            pub fn from_word(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$case),)+ _ => None }
            }
        }

        impl $crate::store::record::Field for $name {
            fn into_value(self) -> $crate::store::sql::Value {
                $crate::store::sql::Value::Text(Some(self.as_str().to_owned()))
            }
            fn from_column(row: &$crate::store::sql::Row, index: usize) -> Result<Self, $crate::store::Error> {
                let word = row.get::<String>(index)?;
                Self::from_word(&word).ok_or_else(|| {
                    $crate::store::Error::Corrupt(format!("`{word}` is no {}", stringify!($name)))
                })
            }
        }
    };
}
pub(super) use words;

/// A struct whose fields are the columns of a table, in order, without the organisation.
macro_rules! record {
    ($(#[$meta:meta])* $name:ident { $(#[$first_meta:meta])* $first:ident: $first_type:ty, $($(#[$field_meta:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$meta])*
        #[derive(Clone, PartialEq, Eq, Debug)]
        pub struct $name {
            $(#[$first_meta])* pub $first: $first_type,
            $($(#[$field_meta])* pub $field: $type,)*
        }

        impl $crate::store::record::Record for $name {
            const COLUMNS: &'static str = concat!(stringify!($first) $(, ", ", stringify!($field))*);

            fn from_row(row: &$crate::store::sql::Row) -> Result<Self, $crate::store::Error> {
                let mut columns = 0..;
                let mut next = || columns.next().unwrap_or_default();
                Ok(Self { $first: row.get(next())?, $($field: row.get(next())?,)* })
            }

            fn values(&self) -> Vec<$crate::store::sql::Value> {
                let Self { $first, $($field,)* } = self;
                $crate::store::sql::args![$first.clone(), $($field.clone(),)*]
            }
        }
    };
}
pub(super) use record;

/// What [`record!`] makes: the columns of a table, without the organisation.
pub(super) trait Record: Sized {
    /// The columns as SQL names them.
    const COLUMNS: &'static str;
    /// From a row whose first columns are these.
    fn from_row(row: &Row) -> Result<Self, Error>;
    /// What stands in them.
    fn values(&self) -> Vec<Value>;
}

/// Rows as records.
pub(super) fn all<T: Record>(rows: &[Row]) -> Result<Vec<T>, Error> {
    rows.iter().map(T::from_row).collect()
}

/// The row as a record, if there is one.
pub(super) fn one<T: Record>(row: Option<&Row>) -> Result<Option<T>, Error> {
    row.map(T::from_row).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_key_is_cut_at_a_character_and_stays_its_own() {
        let short = "x".repeat(200);
        assert_eq!(key(&short), short);
        let long = format!("{}ø{}", "x".repeat(99), "y".repeat(1_000_000));
        let other = format!("{long}z");
        assert!(key(&long).len() < 200);
        assert_eq!(key(&long), key(&long));
        assert_ne!(key(&long), key(&other));
        assert_ne!(key("a\0"), key("a\u{fffd}"));
    }

    #[test]
    fn ids_sort_in_the_order_they_were_made() {
        let ids: Vec<String> = (0..10_000).map(|_| new_id()).collect();
        assert!(ids.is_sorted());
        assert_eq!(ids.iter().collect::<std::collections::BTreeSet<_>>().len(), ids.len());
    }
}
