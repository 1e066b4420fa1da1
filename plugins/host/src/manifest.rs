//! `plugin.toml`: what a plugin is, what it can, and what it asks for. It asks only: what it gets is in the operator's grant.

mod check;
pub(crate) use check::rule_errors;
pub mod diagnostic;
mod rule;

pub use diagnostic::{Diagnostic, Diagnostics};
pub use rule::{HostName, HttpRule, METHODS, Target};

use crate::limits::Wishes;
use crate::limits::units::Span;
use semver::Version;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// The file's name in a package.
pub const FILE: &str = "plugin.toml";

/// Something that a plugin can do for the gateway: a world of the interface.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Capability {
    /// Brings price files.
    PriceSource,
    /// Saves instruments, charges, refunds.
    PaymentProvider,
    /// Sends invoices.
    InvoiceChannel,
    /// Reads, writes, fetches and sends meter values.
    MeterExport,
    /// Sends messages.
    Notifier,
    /// Understands calls from outside.
    Webhook,
}

impl Capability {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::PriceSource,
        Self::PaymentProvider,
        Self::InvoiceChannel,
        Self::MeterExport,
        Self::Notifier,
        Self::Webhook,
    ];

    /// The world's name, as in manifests: "payment-provider".
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::PriceSource => "price-source",
            Self::PaymentProvider => "payment-provider",
            Self::InvoiceChannel => "invoice-channel",
            Self::MeterExport => "meter-export",
            Self::Notifier => "notifier",
            Self::Webhook => "webhook",
        }
    }

    /// The interface that a plugin with it exports: "payments".
    #[must_use]
    pub fn interface(self) -> &'static str {
        match self {
            Self::PriceSource => "prices",
            Self::PaymentProvider => "payments",
            Self::InvoiceChannel => "invoices",
            Self::MeterExport => "meters",
            Self::Notifier => "messages",
            Self::Webhook => "calls",
        }
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Where in a request a secret may stand.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// A header's value.
    Header,
    /// The query of the address.
    Query,
    /// The body. Not by itself: a text of a person in the same body could hold the placeholder too.
    Body,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Header => "header",
            Self::Query => "query",
            Self::Body => "body",
        })
    }
}

/// What the operator has to give besides settings, and to whom it may be sent.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct SecretSpec {
    /// For the operator: what it is and where to get it.
    pub help: String,
    /// The only hosts that it is ever sent to. Empty for a secret that only signs (`host-crypto`).
    pub hosts: Vec<HostName>,
    /// Where in a request it may stand: header and query if nothing is said.
    pub places: Vec<Place>,
    /// Whether the plugin is of no use without it.
    pub required: bool,
}

/// The form of a setting's value.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SettingType {
    /// Anything.
    #[default]
    Text,
    /// A decimal: "12", "0.5".
    Number,
    /// "yes" or "no".
    YesNo,
    /// One of `choices`.
    Choice,
    /// An http address: "<https://sms.example.com/api>".
    Address,
}

/// A setting that the operator may or must give.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct SettingSpec {
    /// The form of its value.
    #[serde(rename = "type", default)]
    pub kind: SettingType,
    /// For the operator.
    pub help: String,
    /// Whether the plugin is of no use without it.
    #[serde(default)]
    pub required: bool,
    /// What it is if the operator says nothing.
    #[serde(default)]
    pub default: Option<String>,
    /// For [`SettingType::Choice`].
    #[serde(default)]
    pub choices: Vec<String>,
}

/// When a price source is asked for the next day.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Schedule {
    /// The time of day from which on the prices of the next day may be there, "13:05".
    pub at: String,
    /// The clock of `at`; without it, that of the area.
    #[serde(default)]
    pub time_zone: Option<String>,
    /// Asked again after so long while they are not there.
    pub retry: Span,
    /// The time of day after which an operator is told that they are late, "16:00".
    pub late: String,
}

/// A manifest that was read and checked.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Manifest {
    /// "stripe": small letters, digits and `-`.
    pub id: String,
    /// Its own version.
    pub version: Version,
    /// The version of `takst:plugin` that it was written for.
    pub interface: Version,
    /// One line for people.
    pub description: String,
    /// Who made it.
    pub author: String,
    /// What it can.
    pub capabilities: BTreeSet<Capability>,
    /// What it asks to call.
    pub http: Vec<HttpRule>,
    /// What it needs to be trusted with.
    pub secrets: BTreeMap<String, SecretSpec>,
    /// What the operator can set.
    pub settings: BTreeMap<String, SettingSpec>,
    /// Where it needs more than the usual.
    pub limits: Wishes,
    /// For price sources.
    pub schedule: Option<Schedule>,
    /// The sha256 of `plugin.wasm` in hex. Packing writes it; a source folder has none.
    pub sha256: Option<String>,
}

impl Manifest {
    /// Reads a manifest. `file` is its name in messages.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn read(file: &str, text: &str) -> Result<Self, Diagnostics> {
        check::read(file, text)
    }

    /// What is wrong with an operator's settings as far as the manifest can tell: unknown, missing, or not of their type.
    #[must_use]
    pub fn check_settings(&self, settings: &[(String, String)]) -> Vec<crate::model::Finding> {
        check::settings(self, settings)
    }

    /// The operator's settings with the defaults of those that were not given, in order of their names.
    #[must_use]
    pub fn complete(&self, settings: &[(String, String)]) -> crate::model::Options {
        let mut all: BTreeMap<&str, &str> = BTreeMap::new();
        for (name, spec) in &self.settings {
            if let Some(value) = &spec.default {
                all.insert(name, value);
            }
        }
        all.extend(settings.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        all.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }
}
