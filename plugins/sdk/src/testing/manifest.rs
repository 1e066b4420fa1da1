//! The part of `plugin.toml` that says who may be called and who gets which secret.

use serde::Deserialize;
use std::collections::BTreeMap;

/// The rules of a manifest, with the settings in place.
#[derive(Deserialize)]
pub struct Manifest {
    #[serde(default)]
    http: Vec<Rule>,
    #[serde(default)]
    secrets: BTreeMap<String, Secret>,
}

#[derive(Deserialize)]
struct Rule {
    host: String,
    port: Option<u16>,
    methods: Vec<String>,
    paths: Vec<String>,
    idempotency: Option<String>,
    #[serde(skip)]
    base: String,
}

#[derive(Deserialize)]
struct Secret {
    #[serde(default)]
    hosts: Vec<String>,
    places: Option<Vec<String>>,
}

impl Manifest {
    /// Reads it. The settings say which host `{{setting:NAME}}` is.
    pub fn read(text: &str, settings: &[(&str, &str)]) -> Result<Self, String> {
        let mut manifest: Self = toml::from_str(text).map_err(|e| e.to_string())?;
        for rule in &mut manifest.http {
            if let Some((host, port, base)) = of_setting(&rule.host, settings) {
                (rule.host, rule.port, rule.base) = (host, rule.port.or(port), base);
            }
        }
        for secret in manifest.secrets.values_mut() {
            for host in &mut secret.hosts {
                if let Some((name, _, _)) = of_setting(host, settings) {
                    *host = name;
                }
            }
        }
        Ok(manifest)
    }

    /// Whether a rule has the request in it, and its idempotency header. Fails with the rule that is missing.
    pub fn allows(&self, method: &str, url: &str) -> Result<Option<String>, String> {
        let (scheme, host, port, path) = parts(url).ok_or_else(|| format!("`{url}` is no address"))?;
        let default = if scheme == "http" { 80 } else { 443 };
        let rule = self.http.iter().find(|rule| {
            let path = path.strip_prefix(rule.base.as_str());
            rule.host == host
                && rule.port.unwrap_or(443) == port.unwrap_or(default)
                && rule.methods.iter().any(|m| m == method)
                && path.is_some_and(|path| rule.paths.iter().any(|prefix| below(prefix, path)))
        });
        rule.map(|rule| rule.idempotency.clone()).ok_or_else(|| {
            format!(
                "{method} {host}{path} is not in plugin.toml; it would need:\n[[http]]\nhost = \"{host}\"\nmethods = [\"{method}\"]\npaths = [\"{path}\"]"
            )
        })
    }

    /// Whether the secret may go to the host of this address, in this place.
    pub fn binds(&self, name: &str, url: &str, place: &str) -> Result<(), String> {
        let secret = self.secrets.get(name).ok_or_else(|| format!("plugin.toml has no [secrets.{name}]"))?;
        let host = parts(url).map(|(_, host, _, _)| host).unwrap_or_default();
        if !secret.hosts.iter().any(|bound| bound == host) {
            return Err(format!(
                "the secret `{name}` is not bound to {host}: [secrets.{name}] needs hosts = [\"{host}\"]"
            ));
        }
        match &secret.places {
            Some(places) if !places.iter().any(|p| p == place) => Err(format!(
                "the secret `{name}` is not meant for the {place}: [secrets.{name}] needs it in `places`"
            )),
            None if place == "body" => Err(format!(
                "the secret `{name}` is not meant for the body: [secrets.{name}] needs places = [\"body\"]"
            )),
            _ => Ok(()),
        }
    }
}

/// Scheme, host, port, path.
fn parts(url: &str) -> Option<(&str, &str, Option<u16>, &str)> {
    let (scheme, rest) = url.split_once("://")?;
    let rest = rest.split(['?', '#']).next()?;
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let path = if path.is_empty() { "/" } else { path };
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => {
            Some((scheme, host, Some(port.parse().ok()?), path))
        }
        _ => Some((scheme, authority, None, path)),
    }
}

fn of_setting(host: &str, settings: &[(&str, &str)]) -> Option<(String, Option<u16>, String)> {
    let name = host.strip_prefix("{{setting:")?.strip_suffix("}}")?;
    let (_, value) = settings.iter().find(|(key, _)| *key == name)?;
    let (scheme, host, port, path) = parts(value)?;
    let port = port.or((scheme == "http").then_some(80));
    Some((host.to_owned(), port, path.trim_end_matches('/').to_owned()))
}

/// "/v1" has "/v1" and "/v1/x" in it, not "/v10".
fn below(prefix: &str, path: &str) -> bool {
    path.strip_prefix(prefix)
        .is_some_and(|rest| rest.is_empty() || prefix.ends_with('/') || rest.starts_with('/'))
}
