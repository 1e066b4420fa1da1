//! Who a plugin may call: host, port, methods, paths.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;
use url::Url;

/// The methods that a rule may name.
pub const METHODS: [&str; 6] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];

/// A host in a rule: a name, or whatever the operator wrote into a setting.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum HostName {
    /// As the address parser writes it: small letters, no dot at the end.
    Exact(String),
    /// The host (and port) of the address in this setting: `{{setting:NAME}}`.
    Setting(String),
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(name) => f.write_str(name),
            Self::Setting(name) => write!(f, "{{{{setting:{name}}}}}"),
        }
    }
}

impl Serialize for HostName {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for HostName {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        Self::read(&text).map_err(de::Error::custom)
    }
}

impl HostName {
    // As written in a manifest or grant.
    fn read(text: &str) -> Result<Self, String> {
        if let Some(name) = text.strip_prefix("{{setting:").and_then(|rest| rest.strip_suffix("}}")) {
            return Ok(Self::Setting(name.to_owned()));
        }
        if text.contains('*') {
            return Err(format!(
                "`{text}`: each host is named by itself; for a host that the operator chooses write `{{{{setting:NAME}}}}`"
            ));
        }
        if text.contains("://") || text.contains('/') {
            return Err(format!("`{text}` is an address: write the host alone, and its path in `paths`"));
        }
        let wrong = || format!("`{text}` is not a host name as in `api.example.com`");
        let host = url::Host::parse(text).map_err(|_| wrong())?.to_string();
        if host.ends_with('.') || host != text.to_ascii_lowercase() {
            return Err(wrong());
        }
        Ok(Self::Exact(host))
    }
}

/// What may be called at one host. In a manifest it is asked for, in a grant it is given.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct HttpRule {
    /// The host.
    pub host: HostName,
    /// Its port; 443 if nothing is said, and the setting's for a host from a setting.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// "GET", "POST".
    pub methods: Vec<String>,
    /// Beginnings of paths: "/v1/" allows all below it, "/v1/charges" itself and all below it.
    pub paths: Vec<String>,
    /// The header that makes the host do a thing once only: the gateway adds it to calls with a key that are not GET or HEAD.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency: Option<String>,
}

/// A rule's host, once the settings are known.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Target {
    /// As the address parser writes it.
    pub host: String,
    /// The port.
    pub port: u16,
    /// What stands before the paths of the rule: the path of the setting's address, without `/` at its end. In an address with blanks to
    /// fill (`{day}`), the folders before the first one.
    pub base: String,
}

impl HostName {
    /// Which host it is. Nothing while the setting is missing or no address.
    #[must_use]
    pub fn resolve(&self, port: Option<u16>, settings: &[(String, String)]) -> Option<Target> {
        match self {
            Self::Exact(host) => {
                Some(Target { host: host.clone(), port: port.unwrap_or(443), base: String::new() })
            }
            Self::Setting(name) => {
                let (_, value) = settings.iter().find(|(key, _)| key == name)?;
                let url = Url::parse(value).ok()?;
                Some(Target {
                    host: url.host_str()?.to_owned(),
                    port: port.or(url.port_or_known_default())?,
                    base: base(url.path()),
                })
            }
        }
    }
}

impl HttpRule {
    /// Whether method and path (as the address parser writes it) are in the rule.
    #[must_use]
    pub fn covers(&self, target: &Target, method: &str, path: &str) -> bool {
        let Some(path) = path.strip_prefix(target.base.as_str()) else { return false };
        // The address that the operator wrote is one of its own paths.
        let path = if path.is_empty() { "/" } else { path };
        self.methods.iter().any(|one| one == method) && self.paths.iter().any(|prefix| below(prefix, path))
    }
}

// The parser writes `{` as `%7B`.
fn base(path: &str) -> String {
    let fixed =
        path.split_once("%7B").and_then(|(before, _)| before.rsplit_once('/')).map(|(folders, _)| folders);
    fixed.unwrap_or(path).trim_end_matches('/').to_owned()
}

// "/v1" covers "/v1" and "/v1/x", not "/v10".
fn below(prefix: &str, path: &str) -> bool {
    path.strip_prefix(prefix)
        .is_some_and(|rest| rest.is_empty() || prefix.ends_with('/') || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_ends_at_a_slash() {
        assert!(below("/v1", "/v1"));
        assert!(below("/v1", "/v1/charges"));
        assert!(!below("/v1", "/v10"));
        assert!(below("/v1/", "/v1/charges"));
        assert!(!below("/v1/", "/v1"));
        assert!(below("/", "/anything"));
    }

    #[test]
    fn the_address_of_a_setting_is_covered_as_it_was_written() {
        let rule = HttpRule {
            host: HostName::Setting("address".to_owned()),
            port: None,
            methods: vec!["GET".to_owned()],
            paths: vec!["/".to_owned()],
            idempotency: None,
        };
        for (address, path, fine) in [
            ("https://a.example/{day}.csv", "/2026-03-29.csv", true),
            ("https://a.example/prices/{area}/{day}.csv", "/prices/FI/2026-03-29.csv", true),
            ("https://a.example/prices/{day}.csv", "/secret/2026-03-29.csv", false),
            ("https://a.example/hooks/abc", "/hooks/abc", true),
            ("https://a.example/hooks/abc", "/hooks/abc/d", true),
            ("https://a.example/hooks/abc", "/hooks/abcd", false),
            ("https://a.example/hooks/abc", "/hooks", false),
            ("https://a.example", "/anything", true),
        ] {
            let target = rule.host.resolve(None, &[("address".to_owned(), address.to_owned())]).unwrap();
            assert_eq!(rule.covers(&target, "GET", path), fine, "{address} {path}");
        }
    }

    #[test]
    fn hosts_are_written_plainly() {
        assert_eq!(HostName::read("API.example.com"), Ok(HostName::Exact("api.example.com".to_owned())));
        assert_eq!(HostName::read("{{setting:gateway}}"), Ok(HostName::Setting("gateway".to_owned())));
        assert_eq!(HostName::read("127.0.0.1"), Ok(HostName::Exact("127.0.0.1".to_owned())));
        assert_eq!(HostName::read("[::1]"), Ok(HostName::Exact("[::1]".to_owned())));
        for wrong in [
            "*.example.com",
            "https://a.b",
            "a.b/c",
            "a b",
            "a@b",
            "a.b.",
            "2130706433",
            "0x7f.1",
            "a%2eb",
            "",
        ] {
            assert!(HostName::read(wrong).is_err(), "{wrong}");
        }
    }
}
