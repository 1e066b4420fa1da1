//! Secrets into requests, and out of answers. A plugin writes `{{secret:NAME}}`, or `{{basic:USER:NAME}}` for the base64 of `USER:value`;
//! the value goes in behind its back, only for hosts that the secret is bound to, and is taken out of whatever comes back.

use super::headers;
use super::policy::Allowed;
use crate::manifest::{HostName, Manifest, Place, SecretSpec};
use crate::model::Options;
use crate::model::http::Request;
use crate::secrets::{SHORTEST, Secret, Secrets};
use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD};
use memchr::memmem;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use std::collections::BTreeMap;
use url::Url;

/// What stays as it is in a query and in forms (RFC 3986, unreserved).
const CODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The request with its secrets.
pub struct Filled {
    /// The address.
    pub url: Url,
    /// The headers.
    pub headers: Options,
    /// The body.
    pub body: Vec<u8>,
}

/// The secrets that may go to one host, and all that must not come back from it; read for one call.
#[derive(Default)]
pub struct Bound {
    // None: bound to this host, but the operator has not given it.
    values: BTreeMap<String, Option<(Secret, Vec<Place>)>>,
    // What is taken out of answers: the bytes, and the name that stands there instead. The longest first.
    needles: Vec<(Vec<u8>, String)>,
}

impl Bound {
    /// Reads those secrets of the manifest that are bound to the host of the request.
    ///
    /// # Errors
    /// They could not be read.
    pub async fn read(
        manifest: &Manifest,
        settings: &[(String, String)],
        secrets: &dyn Secrets,
        allowed: &Allowed,
    ) -> Result<Self, String> {
        let mut bound = Self::default();
        let here = |spec: &SecretSpec| {
            spec.hosts.iter().any(|host| match host {
                HostName::Exact(name) => *name == allowed.host,
                // At the port of a rule that names it: a rule may have a port of its own.
                HostName::Setting(_) => {
                    let rules = manifest.http.iter().filter(|rule| rule.host == *host);
                    rules.filter_map(|rule| rule.host.resolve(rule.port, settings)).any(|target| {
                        (target.host.as_str(), target.port) == (allowed.host.as_str(), allowed.port)
                    })
                }
            })
        };
        for (name, spec) in &manifest.secrets {
            let secret = secrets.get(name).await?;
            // Two hosts of one provider may know the same things: no secret comes back from any.
            if let Some(secret) = &secret {
                bound.hide(name, secret.expose());
            }
            if !here(spec) {
                continue;
            }
            bound.values.insert(name.clone(), secret.map(|secret| (secret, spec.places.clone())));
        }
        Ok(bound)
    }

    // All forms in which a server might send it back.
    fn hide(&mut self, name: &str, value: &[u8]) {
        if value.len() < SHORTEST {
            return;
        }
        let text = String::from_utf8_lossy(value);
        let json = serde_json::to_string(&text).unwrap_or_default();
        let hex: String = value.iter().map(|byte| format!("{byte:02x}")).collect();
        let mut forms = vec![
            value.to_vec(),
            percent_encode(value, CODED).to_string().into_bytes(),
            percent_encode(value, CODED).to_string().replace("%20", "+").into_bytes(),
            lower_digits(&percent_encode(value, CODED).to_string()).into_bytes(),
            json.trim_matches('"').as_bytes().to_vec(),
            BASE64_STANDARD_NO_PAD.encode(value).into_bytes(),
            BASE64_URL_SAFE_NO_PAD.encode(value).into_bytes(),
            hex.to_ascii_uppercase().into_bytes(),
            hex.into_bytes(),
        ];
        // Something stands before it in what was coded.
        for before in 1..3 {
            forms.push(within(&BASE64_STANDARD_NO_PAD, before, value));
            forms.push(within(&BASE64_URL_SAFE_NO_PAD, before, value));
        }
        // And something after it: then its last digit is another.
        forms.push(within(&BASE64_STANDARD_NO_PAD, 0, value));
        forms.push(within(&BASE64_URL_SAFE_NO_PAD, 0, value));
        for form in forms {
            if form.len() >= SHORTEST && !self.needles.iter().any(|(known, _)| *known == form) {
                self.needles.push((form, format!("{{{{secret:{name}}}}}")));
            }
        }
        self.needles.sort_by_key(|(form, _)| std::cmp::Reverse(form.len()));
    }

    /// Puts the secrets in.
    ///
    /// # Errors
    /// A secret that is not there, not bound to this host, not meant for that place, or would break the request. Nothing of a value is
    /// in the text.
    pub fn fill(
        &mut self,
        manifest: &Manifest,
        allowed: &Allowed,
        request: &Request,
    ) -> Result<Filled, String> {
        let mut url = allowed.url.clone();
        if let Some((_, query)) = request.url.split_once('?') {
            let query = query.split_once('#').map_or(query, |(query, _)| query);
            let filled = self.replace(manifest, &allowed.host, query.as_bytes(), Place::Query, |value| {
                percent_encode(value, CODED).to_string().into_bytes()
            })?;
            url.set_query(Some(&String::from_utf8_lossy(&filled)));
        }
        url.set_fragment(None);
        let mut sent = Options::with_capacity(request.headers.len());
        for (name, value) in &request.headers {
            let filled =
                self.replace(manifest, &allowed.host, value.as_bytes(), Place::Header, <[u8]>::to_vec)?;
            if let Some(what) = headers::value_wrong(&filled) {
                return Err(format!(
                    "the secret in the header `{name}` {what}: write it again, without that"
                ));
            }
            let filled = String::from_utf8(filled).map_err(|_| {
                format!("the secret in the header `{name}` has characters that a header cannot have")
            })?;
            sent.push((name.clone(), filled));
        }
        let kind = request.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-type"));
        let kind = kind.map(|(_, value)| value.to_ascii_lowercase()).unwrap_or_default();
        let coded = |value: &[u8]| {
            if kind.starts_with("application/x-www-form-urlencoded") {
                percent_encode(value, CODED).to_string().into_bytes()
            } else if kind.contains("json") {
                let text = serde_json::to_string(&String::from_utf8_lossy(value)).unwrap_or_default();
                text.trim_matches('"').as_bytes().to_vec()
            } else {
                value.to_vec()
            }
        };
        let body = self.replace(manifest, &allowed.host, &request.body, Place::Body, coded)?;
        Ok(Filled { url, headers: sent, body })
    }

    fn replace(
        &mut self,
        manifest: &Manifest,
        host: &str,
        text: &[u8],
        place: Place,
        coded: impl Fn(&[u8]) -> Vec<u8>,
    ) -> Result<Vec<u8>, String> {
        let mut out = Vec::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = memmem::find(rest, b"{{") {
            let (before, from) = rest.split_at(at);
            out.extend_from_slice(before);
            let inside = from.get(2..).unwrap_or_default();
            let end = memmem::find(inside, b"}}");
            let placeholder =
                end.and_then(|end| std::str::from_utf8(inside.get(..end)?).ok()).and_then(Placeholder::read);
            match (placeholder, end) {
                (Some(placeholder), Some(end)) => {
                    let value = self.value(manifest, host, &placeholder, place)?;
                    out.extend_from_slice(&coded(&value));
                    rest = inside.get(end + 2..).unwrap_or_default();
                }
                // Other templates than ours stay as they are.
                _ => {
                    out.extend_from_slice(b"{");
                    rest = from.get(1..).unwrap_or_default();
                }
            }
        }
        out.extend_from_slice(rest);
        Ok(out)
    }

    fn value(
        &mut self,
        manifest: &Manifest,
        host: &str,
        placeholder: &Placeholder<'_>,
        place: Place,
    ) -> Result<Vec<u8>, String> {
        let name = placeholder.name;
        let (secret, places) = match self.values.get(name) {
            Some(Some(found)) => found,
            Some(None) => {
                return Err(format!("the secret `{name}` has no value: the operator has to give it"));
            }
            None if manifest.secrets.contains_key(name) => {
                return Err(format!(
                    "the secret `{name}` is not bound to {host}: it would need `hosts = [\"{host}\"]` under [secrets.{name}] in plugin.toml"
                ));
            }
            None => {
                let (id, name) = (&manifest.id, name.escape_debug());
                return Err(format!("{id} has no secret `{name}`: plugin.toml names it under [secrets]"));
            }
        };
        if !places.contains(&place) {
            return Err(format!(
                "the secret `{name}` is not meant for {place}: it would need `places = [\"{place}\"]` under [secrets.{name}] in plugin.toml"
            ));
        }
        let value = secret.expose();
        if value.len() < SHORTEST {
            return Err(format!(
                "the secret `{name}` is shorter than {SHORTEST} characters: too short to be kept out of answers"
            ));
        }
        let Some(user) = placeholder.user else { return Ok(value.to_vec()) };
        let pair = [user.as_bytes(), b":", value].concat();
        let coded = BASE64_STANDARD.encode(&pair).into_bytes();
        self.hide(name, &pair);
        self.hide(name, &coded);
        Ok(coded)
    }

    /// The text without any secret.
    #[must_use]
    pub fn scrub(&self, text: &[u8]) -> Vec<u8> {
        let mut text = text.to_vec();
        for (needle, name) in &self.needles {
            let finder = memmem::Finder::new(needle);
            if finder.find(&text).is_none() {
                continue;
            }
            let mut out = Vec::with_capacity(text.len());
            let mut from = 0;
            for at in finder.find_iter(&text) {
                out.extend_from_slice(text.get(from..at).unwrap_or_default());
                out.extend_from_slice(name.as_bytes());
                from = at.saturating_add(needle.len());
            }
            out.extend_from_slice(text.get(from..).unwrap_or_default());
            text = out;
        }
        text
    }

    /// The same for text.
    #[must_use]
    pub fn scrub_text(&self, text: &str) -> String {
        String::from_utf8_lossy(&self.scrub(text.as_bytes())).into_owned()
    }
}

// The base64 digits that are the value's alone when so many bytes stand before it, and others after it.
fn within(code: &impl Engine, before: usize, value: &[u8]) -> Vec<u8> {
    let mut digits = code.encode([&[0].repeat(before), value].concat()).into_bytes();
    // A digit is six bits.
    digits.truncate(before.saturating_add(value.len()).saturating_mul(8) / 6);
    digits.drain(..before.saturating_mul(8).div_ceil(6).min(digits.len()));
    digits
}

// `%2B` as `%2b`; the letters of the value stay.
fn lower_digits(coded: &str) -> String {
    let mut parts = coded.split('%');
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2).unwrap_or((part, ""));
        out.push('%');
        out.push_str(&digits.to_ascii_lowercase());
        out.push_str(rest);
    }
    out
}

struct Placeholder<'a> {
    user: Option<&'a str>,
    name: &'a str,
}

impl<'a> Placeholder<'a> {
    // What stands between the braces.
    fn read(text: &'a str) -> Option<Self> {
        if let Some(name) = text.strip_prefix("secret:") {
            return Some(Self { user: None, name });
        }
        let (user, name) = text.strip_prefix("basic:")?.rsplit_once(':')?;
        Some(Self { user: Some(user), name })
    }
}
