//! Secrets into requests, as the gateway does it.

use super::Sent;
use super::manifest::Manifest;
use crate::http::encode;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use std::collections::BTreeMap;

type Secrets = BTreeMap<String, Vec<u8>>;

/// The request with its secrets. Fails for a secret that is not there or not bound to the host.
pub fn request(request: &Sent, manifest: Option<&Manifest>, secrets: &Secrets) -> Result<Sent, String> {
    let value = |name: &str, place: &str| {
        if let Some(manifest) = manifest {
            manifest.binds(name, &request.url, place)?;
        }
        secrets
            .get(name)
            .map(|value| String::from_utf8_lossy(value).into_owned())
            .ok_or_else(|| format!("the secret `{name}` has no value: see `testing::secret`"))
    };
    let kind = request.header("content-type").unwrap_or_default().to_ascii_lowercase();
    let in_body = |text: String| {
        if kind.starts_with("application/x-www-form-urlencoded") {
            encode(&text)
        } else if kind.contains("json") {
            serde_json::Value::from(text).to_string().trim_matches('"').to_owned()
        } else {
            text
        }
    };
    let url = match request.url.split_once('?') {
        Some((before, query)) => {
            format!("{before}?{}", replace(query, |name| value(name, "query"), |text| encode(&text))?)
        }
        None => request.url.clone(),
    };
    let mut headers = Vec::new();
    for (name, text) in &request.headers {
        headers.push((name.clone(), replace(text, |name| value(name, "header"), |text| text)?));
    }
    let body = match std::str::from_utf8(&request.body) {
        Ok(text) => replace(text, |name| value(name, "body"), in_body)?.into_bytes(),
        Err(_) => request.body.clone(),
    };
    Ok(Sent { method: request.method.clone(), url, headers, body })
}

fn replace(
    text: &str,
    value: impl Fn(&str) -> Result<String, String>,
    written: impl Fn(String) -> String,
) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, from)) = rest.split_once("{{") {
        out.push_str(before);
        let Some((inside, after)) = from.split_once("}}") else {
            rest = from;
            out.push_str("{{");
            continue;
        };
        if let Some(name) = inside.strip_prefix("secret:") {
            out.push_str(&written(value(name)?));
            rest = after;
        } else if let Some((user, name)) =
            inside.strip_prefix("basic:").and_then(|rest| rest.rsplit_once(':'))
        {
            out.push_str(&BASE64_STANDARD.encode(format!("{user}:{}", value(name)?)));
            rest = after;
        } else {
            // Other templates stay as they are.
            out.push_str("{{");
            rest = from;
        }
    }
    out.push_str(rest);
    Ok(out)
}
