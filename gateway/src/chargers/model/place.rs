//! Where at a charger.

use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

/// An EVSE of a charger and one of its connectors. An EVSE serves one car at a time. OCPP 1.6 knows connectors only: its
/// connector N is EVSE N, with no connector said; its connector 0 is EVSE 0, the charger itself.
#[skip_serializing_none]
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
pub struct Place {
    /// The EVSE, from 1; 0 is the charger itself; none when it was not said.
    pub evse: Option<i64>,
    /// The connector of that EVSE, from 1; none when it was not said.
    pub connector: Option<i64>,
}

impl Place {
    /// Nothing said.
    pub const UNSAID: Self = Self { evse: None, connector: None };
    /// The charger itself.
    pub const CHARGER: Self = Self { evse: Some(0), connector: None };

    /// An EVSE.
    #[must_use]
    pub const fn evse(evse: i64) -> Self {
        Self { evse: Some(evse), connector: None }
    }

    /// A connector of an EVSE.
    #[must_use]
    pub const fn connector(evse: i64, connector: i64) -> Self {
        Self { evse: Some(evse), connector: Some(connector) }
    }

    /// Whether it is the charger as a whole, or nothing was said.
    #[must_use]
    pub const fn is_whole(&self) -> bool {
        matches!(self.evse, None | Some(0))
    }
}

/// A text for a driver.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Message {
    /// How it is written.
    pub format: MessageFormat,
    /// RFC 5646 tag, such as `nb`.
    pub language: Option<String>,
    /// The text, or the address of it.
    pub content: String,
}

words! {
    /// How a message is written.
    MessageFormat {
        Ascii = "ASCII",
        Html = "HTML",
        Uri = "URI",
        Utf8 = "UTF8",
        QrCode = "QRCODE",
    }
}

impl Message {
    /// A plain text.
    #[must_use]
    pub fn plain(content: impl Into<String>) -> Self {
        Self { format: MessageFormat::Utf8, language: None, content: content.into() }
    }
}

/// Why an answer is what it is.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct StatusInfo {
    /// A code, at most 20 characters.
    pub code: String,
    /// More about it.
    pub text: Option<String>,
}

/// A JSON document that is kept as it came.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Json(pub String);
