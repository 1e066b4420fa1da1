//! Bytes in JSON: text where they are text, else `{"base64": "…"}`.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Deserializer, Serialize as _, Serializer, de};

#[derive(serde::Serialize, Deserialize)]
#[serde(untagged)]
enum Shape<'a> {
    Text(std::borrow::Cow<'a, str>),
    Coded { base64: String },
}

/// As a string or as an object.
pub(super) fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
    match std::str::from_utf8(bytes) {
        Ok(text) => to.serialize_str(text),
        Err(_) => Shape::Coded { base64: BASE64_STANDARD.encode(bytes) }.serialize(to),
    }
}

/// Either form.
pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
    match Shape::deserialize(from)? {
        Shape::Text(text) => Ok(text.into_owned().into_bytes()),
        Shape::Coded { base64 } => BASE64_STANDARD
            .decode(base64)
            .map_err(|error| de::Error::custom(format!("`base64` is not base64: {error}"))),
    }
}

/// Bytes by themselves, in the same form.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Bytes(pub Vec<u8>);

impl serde::Serialize for Bytes {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        serialize(&self.0, to)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        deserialize(from).map(Self)
    }
}
