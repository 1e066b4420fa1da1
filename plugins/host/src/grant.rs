//! What an operator lets a plugin do. What it may is the manifest's wish and the grant together: neither is enough alone.

use crate::limits::Wishes;
use crate::manifest::diagnostic::Findings;
use crate::manifest::{Capability, Diagnostics, HostName, HttpRule, Manifest};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use toml::Spanned;

/// A range of addresses: "10.0.0.0/8", "::1/128", or one address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Range {
    address: IpAddr,
    bits: u8,
}

impl Range {
    /// From its text.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let (address, bits) =
            text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
        let address: IpAddr = address.parse().ok()?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Some(most), |bits| bits.parse().ok())?;
        (bits <= most).then_some(Self { address, bits })
    }

    /// Whether the address is in it.
    #[must_use]
    pub fn has(&self, other: IpAddr) -> bool {
        let (one, two, width) = match (self.address, other) {
            (IpAddr::V4(one), IpAddr::V4(two)) => (u128::from(one.to_bits()), u128::from(two.to_bits()), 32),
            (IpAddr::V6(one), IpAddr::V6(two)) => (one.to_bits(), two.to_bits(), 128),
            _ => return false,
        };
        let rest = width - u32::from(self.bits);
        one.checked_shr(rest).unwrap_or(0) == two.checked_shr(rest).unwrap_or(0)
    }
}

impl<'de> Deserialize<'de> for Range {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        Self::read(&text).ok_or_else(|| {
            serde::de::Error::custom(format!(
                "`{text}` is not a range of addresses: write \"10.0.0.0/8\" or \"::1/128\""
            ))
        })
    }
}

impl Serialize for Range {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&format_args!("{}/{}", self.address, self.bits))
    }
}

/// What may be called at one host.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct HttpGrant {
    /// The host, or `{{setting:NAME}}`.
    pub host: HostName,
    /// Its port; 443 if nothing is said, and the setting's for a host from a setting.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// Without them, those of the manifest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub methods: Option<Vec<String>>,
    /// Without them, those of the manifest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paths: Option<Vec<String>>,
    /// Without TLS: for a machine of one's own.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub plain: bool,
    /// Addresses inside a network, which are else never called.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<Range>,
    /// A certificate (PEM) that vouches for the host's own, beside those that the machine trusts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root: Option<String>,
}

/// A grant that was read and checked.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Grant {
    /// What it may be used for; without them, all that the manifest names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capabilities: Option<Vec<Capability>>,
    /// How far limits may go beyond the usual.
    pub limits: Wishes,
    /// Whom it may call.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub http: Vec<HttpGrant>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Raw {
    #[serde(default)]
    capabilities: Option<Vec<Capability>>,
    #[serde(default)]
    limits: Wishes,
    #[serde(default)]
    http: Vec<Spanned<HttpGrant>>,
}

impl Grant {
    /// Reads a grant. `file` is its name in messages.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn read(file: &str, text: &str) -> Result<Self, Diagnostics> {
        let mut findings = Findings::new(file, text);
        let raw: Raw = match toml::from_str(text) {
            Ok(raw) => raw,
            Err(error) => {
                findings.toml(&error);
                return findings.finish(None);
            }
        };
        for rule in &raw.http {
            let at = Some(rule.span().start);
            let rule = rule.get_ref();
            let as_rule = HttpRule {
                host: rule.host.clone(),
                port: rule.port,
                methods: rule.methods.clone().unwrap_or_else(|| vec!["GET".to_owned()]),
                paths: rule.paths.clone().unwrap_or_else(|| vec!["/".to_owned()]),
                idempotency: None,
            };
            for (message, help) in crate::manifest::rule_errors(&as_rule) {
                findings.add(at, message, help);
            }
            if let Some(pem) = &rule.root
                && let Err(reason) = crate::http::tls::roots(pem)
            {
                findings.add(at, format!("the root of `{}`: {reason}", rule.host), "");
            }
        }
        let http = raw.http.into_iter().map(Spanned::into_inner).collect();
        findings.finish(Some(Self { capabilities: raw.capabilities, limits: raw.limits, http }))
    }

    /// All that a manifest asks for: what an operator is shown before it is installed.
    #[must_use]
    pub fn all(manifest: &Manifest) -> Self {
        let http = manifest.http.iter().map(|rule| HttpGrant {
            host: rule.host.clone(),
            port: rule.port,
            methods: Some(rule.methods.clone()),
            paths: Some(rule.paths.clone()),
            plain: false,
            addresses: Vec::new(),
            root: None,
        });
        Self { capabilities: None, limits: manifest.limits, http: http.collect() }
    }

    /// As it stands in a file.
    #[must_use]
    pub fn to_toml(&self) -> String {
        toml::to_string(self).unwrap_or_default()
    }

    /// Whether a capability may be used.
    #[must_use]
    pub fn allows(&self, capability: Capability) -> bool {
        self.capabilities.as_ref().is_none_or(|all| all.contains(&capability))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_hold_what_they_say() {
        let private = Range::read("10.0.0.0/8").unwrap();
        assert!(private.has("10.255.1.2".parse().unwrap()));
        assert!(!private.has("11.0.0.1".parse().unwrap()));
        assert!(!private.has("::ffff:10.0.0.1".parse().unwrap()));
        let one = Range::read("::1").unwrap();
        assert!(one.has("::1".parse().unwrap()) && !one.has("::2".parse().unwrap()));
        assert!(Range::read("0.0.0.0/0").unwrap().has("8.8.8.8".parse().unwrap()));
        for wrong in ["10.0.0.0/33", "10.0.0/8", "x", "::/129", "10.0.0.0/-1"] {
            assert!(Range::read(wrong).is_none(), "{wrong}");
        }
    }
}
