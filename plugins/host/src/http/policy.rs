//! Whether a request is within the manifest and the grant, before anything is resolved or sent.

use super::transport::Reach;
use crate::grant::{Grant, HttpGrant};
use crate::manifest::{HttpRule, METHODS, Manifest, Target};
use std::sync::Arc;
use url::Url;

/// Manifest and grant of one plugin, with its settings in place.
#[derive(Debug)]
pub struct Policy {
    plugin: String,
    asked: Vec<(Target, HttpRule)>,
    granted: Vec<(Target, HttpGrant)>,
}

/// A request that is allowed.
#[derive(Clone, Debug)]
pub struct Allowed {
    /// As it will be sent, still with placeholders in the query.
    pub url: Url,
    /// The host as rules write it.
    pub host: String,
    /// The port.
    pub port: u16,
    /// How it may be reached.
    pub reach: Reach,
    /// The header that makes the host do a thing once only.
    pub idempotency: Option<String>,
}

impl Policy {
    /// For one plugin. Rules whose setting is missing allow nothing.
    #[must_use]
    pub fn new(manifest: &Manifest, grant: &Grant, settings: &[(String, String)]) -> Self {
        let asked = manifest
            .http
            .iter()
            .filter_map(|rule| Some((rule.host.resolve(rule.port, settings)?, rule.clone())));
        let granted = grant
            .http
            .iter()
            .filter_map(|rule| Some((rule.host.resolve(rule.port, settings)?, rule.clone())));
        Self { plugin: manifest.id.clone(), asked: asked.collect(), granted: granted.collect() }
    }

    /// Looks at method and address.
    ///
    /// # Errors
    /// What is not allowed, and the lines to add where that would allow it.
    pub fn check(&self, method: &str, address: &str) -> Result<Allowed, String> {
        if !METHODS.contains(&method) {
            return Err(format!(
                "the method `{}`: plugins use {}",
                method.escape_debug(),
                METHODS.join(", ")
            ));
        }
        let url = parse(address)?;
        let host = url.host_str().unwrap_or_default().to_owned();
        let port = url.port_or_known_default().unwrap_or_default();
        let path = url.path();
        let here = |target: &Target| target.host == host && target.port == port;
        let mut asked =
            self.asked.iter().filter(|(target, rule)| here(target) && rule.covers(target, method, path));
        let Some((_, rule)) = asked.next() else {
            return Err(format!(
                "{method} {host}:{port}{path} is not in the manifest of {}; for plugin.toml:\n{}",
                self.plugin,
                lines(&host, port, method, path)
            ));
        };
        let granted = self.granted.iter().filter(|(target, _)| here(target)).find(|(target, grant)| {
            let rule = HttpRule {
                host: grant.host.clone(),
                port: grant.port,
                methods: grant.methods.clone().unwrap_or_else(|| rule.methods.clone()),
                paths: grant.paths.clone().unwrap_or_else(|| rule.paths.clone()),
                idempotency: None,
            };
            rule.covers(target, method, path)
        });
        let Some((_, grant)) = granted else {
            return Err(format!(
                "{method} {host}:{port}{path} is not granted to {}; for its grant:\n{}",
                self.plugin,
                lines(&host, port, method, path)
            ));
        };
        if url.scheme() != "https" && !grant.plain {
            return Err(format!(
                "{host}:{port} without TLS is not granted to {}: write https, or `plain = true` under its host in the grant",
                self.plugin
            ));
        }
        let reach = Reach { addresses: grant.addresses.clone(), root: grant.root.as_deref().map(Arc::from) };
        // A wide rule beside the one that names the header does not take it away.
        let idempotency =
            rule.idempotency.clone().or_else(|| asked.find_map(|(_, rule)| rule.idempotency.clone()));
        Ok(Allowed { host, port, reach, idempotency, url })
    }
}

// What would allow it, as it stands in a manifest or grant.
fn lines(host: &str, port: u16, method: &str, path: &str) -> String {
    let port = if port == 443 { String::new() } else { format!("port = {port}\n") };
    format!("[[http]]\nhost = \"{host}\"\n{port}methods = [\"{method}\"]\npaths = [\"{path}\"]")
}

// Only what every reader of addresses reads alike: what one skips or unfolds, another may not.
fn parse(address: &str) -> Result<Url, String> {
    let shown = || address.chars().take(200).collect::<String>().escape_debug().to_string();
    if address.chars().any(|c| c.is_control() || c.is_whitespace() || c == '\\') {
        return Err(format!("the address `{}` has spaces, control characters or `\\` in it", shown()));
    }
    let (before, _) = address.split_once(['?', '#']).unwrap_or((address, ""));
    let Some((_, rest)) = before.split_once("://") else {
        return Err(format!("`{}` is not an address as in https://api.example.com/v1", shown()));
    };
    let (authority, path) = rest.split_at_checked(rest.find('/').unwrap_or(rest.len())).unwrap_or((rest, ""));
    if authority.contains('@') {
        return Err(format!("the address `{}` has a user in it: send credentials in a header", shown()));
    }
    if authority.contains('%') {
        return Err(format!("the host of `{}` has `%` in it: write it plainly", shown()));
    }
    if before.contains("{{") {
        return Err(format!(
            "the address `{}`: a secret can stand in the query, in a header's value or in the body, not in host or path",
            shown()
        ));
    }
    let lower = path.to_ascii_lowercase();
    let climbs = path.split('/').any(|part| matches!(part, "." | ".."));
    if climbs || ["%2e", "%2f", "%5c", "%00"].iter().any(|trick| lower.contains(trick)) {
        return Err(format!(
            "the path of `{}` has `..`, `.` or one of them as `%2e` in it: write the path itself",
            shown()
        ));
    }
    let url = Url::parse(address).map_err(|error| format!("`{}` is not an address: {error}", shown()))?;
    if !matches!(url.scheme(), "https" | "http") {
        return Err(format!("`{}`: plugins call https only", shown()));
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err(format!("the address `{}` has no host", shown()));
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy() -> Policy {
        let manifest = Manifest::read(
            "plugin.toml",
            r#"
                id = "shop"
                version = "1.0.0"
                interface = "1.0.0"
                description = "x"
                author = "x"
                capabilities = ["notifier"]
                [[http]]
                host = "api.example.com"
                methods = ["GET", "POST"]
                paths = ["/v1/"]
                [[http]]
                host = "{{setting:gateway}}"
                methods = ["POST"]
                paths = ["/send"]
                [settings.gateway]
                type = "address"
                help = "x"
            "#,
        )
        .unwrap();
        let mut grant = Grant::all(&manifest);
        grant.http[0].methods = Some(vec!["GET".to_owned()]);
        Policy::new(
            &manifest,
            &grant,
            &[("gateway".to_owned(), "https://sms.example.net:8443/api/".to_owned())],
        )
    }

    #[test]
    fn what_is_asked_for_and_granted_is_allowed() {
        for (method, address) in [
            ("GET", "https://api.example.com/v1/x?y={{secret:key}}"),
            ("GET", "https://API.Example.com:443/v1/"),
            ("POST", "https://sms.example.net:8443/api/send"),
        ] {
            policy().check(method, address).unwrap();
        }
    }

    #[test]
    fn the_header_that_makes_it_once_is_found_in_any_rule() {
        let wide = "[[http]]\nhost = \"a.example\"\nmethods = [\"GET\", \"POST\"]\npaths = [\"/\"]\n";
        let narrow = "[[http]]\nhost = \"a.example\"\nmethods = [\"POST\"]\npaths = [\"/pay\"]\nidempotency = \"Once\"\n";
        let head = "id = \"shop\"\nversion = \"1.0.0\"\ninterface = \"1.0.0\"\ndescription = \"x\"\nauthor = \"x\"\n\
                    capabilities = [\"notifier\"]\n";
        for rules in [[wide, narrow], [narrow, wide]] {
            let manifest = Manifest::read("plugin.toml", &format!("{head}{}", rules.concat())).unwrap();
            let policy = Policy::new(&manifest, &Grant::all(&manifest), &[]);
            let header = |address: &str| policy.check("POST", address).unwrap().idempotency;
            assert_eq!(header("https://a.example/pay").as_deref(), Some("Once"), "{rules:?}");
            assert_eq!(header("https://a.example/other"), None, "{rules:?}");
        }
    }

    #[test]
    fn all_else_is_denied_with_the_line_that_is_missing() {
        let denied = |method: &str, address: &str| policy().check(method, address).unwrap_err();
        let text = denied("DELETE", "https://api.example.com/v1/x");
        assert!(text.contains("not in the manifest") && text.contains("methods = [\"DELETE\"]"), "{text}");
        let text = denied("POST", "https://api.example.com/v1/x");
        assert!(text.contains("not granted") && text.contains("host = \"api.example.com\""), "{text}");
        for address in [
            "https://evil.example.com/v1/",
            "https://api.example.com@evil.com/v1/",
            "https://evil.com\\@api.example.com/v1/",
            "https://api.example.com:444/v1/",
            "http://api.example.com/v1/",
            "https://api.example.com./v1/",
            "https://api.example.com.evil.com/v1/",
            "https://api.example.com/v2/",
            "https://api.example.com/v1",
            "https://api.example.com/v1/../admin",
            "https://api.example.com/v1/%2e%2e/admin",
            "https://api.example.com/v1/%2E%2E%2fadmin",
            "https://api.example.com/v1/..;/admin",
            "https://api%2eexample.com/v1/",
            "https://api.exa\tmple.com/v1/",
            "https://api.example.com/v1/{{secret:key}}",
            "https://{{secret:key}}/v1/",
            "https:/api.example.com/v1/",
            "//api.example.com/v1/",
            "ftp://api.example.com/v1/",
            "file:///etc/passwd",
            "https://2130706433/v1/",
            "https://0177.0.0.1/v1/",
            "https://0x7f.1/v1/",
            "https://[::1]/v1/",
            "https://[::ffff:127.0.0.1]/v1/",
            "https://sms.example.net/api/send",
            "https://sms.example.net:8443/send",
            "https://sms.example.net:8443/api/sender",
            "",
        ] {
            let result = policy().check("GET", address);
            // `..;` is a name like any other; what is below it is still below /v1/.
            if address.contains("..;") {
                result.unwrap();
            } else {
                assert!(result.is_err(), "{address}");
            }
        }
        for method in ["CONNECT", "TRACE", "get", "GET /x", ""] {
            denied(method, "https://api.example.com/v1/");
        }
    }
}
