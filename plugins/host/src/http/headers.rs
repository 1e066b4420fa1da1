//! Which headers a plugin may set. Those that say where a request goes and how long it is are the gateway's.

use crate::model::Options;

const OURS: [&str; 19] = [
    "host",
    "content-length",
    "transfer-encoding",
    "connection",
    "keep-alive",
    "upgrade",
    "te",
    "trailer",
    "expect",
    "proxy-authorization",
    "proxy-authenticate",
    "proxy-connection",
    "http2-settings",
    "alt-used",
    "forwarded",
    "via",
    // A secret in an answer is found in whole, plain bytes alone.
    "accept-encoding",
    "range",
    "if-range",
];
// All headers of one request.
const COUNT: usize = 64;
const BYTES: usize = 16 * 1024;

/// Whether it is a header's name that a plugin (or an idempotency key) may have.
#[must_use]
pub fn may_set(name: &str) -> bool {
    hyper::header::HeaderName::from_bytes(name.as_bytes()).is_ok_and(|name| !OURS.contains(&name.as_str()))
}

/// What is wrong with the headers of a request.
#[must_use]
pub fn wrong(headers: &Options) -> Option<String> {
    if headers.len() > COUNT {
        return Some(format!("a request has at most {COUNT} headers, this one has {}", headers.len()));
    }
    let bytes: usize = headers.iter().map(|(name, value)| name.len().saturating_add(value.len())).sum();
    if bytes > BYTES {
        return Some(format!("the headers have {bytes} bytes, at most {BYTES} are sent"));
    }
    headers.iter().find_map(|(name, value)| {
        if hyper::header::HeaderName::from_bytes(name.as_bytes()).is_err() {
            return Some(format!("`{}` is not the name of a header", name.escape_debug()));
        }
        if !may_set(name) {
            return Some(format!("the header `{name}` is set by the gateway: leave it out"));
        }
        value_wrong(value.as_bytes()).map(|what| format!("the value of the header `{name}` {what}"))
    })
}

/// What is wrong with a header's value: an end of line in it would begin another header.
#[must_use]
pub fn value_wrong(value: &[u8]) -> Option<&'static str> {
    if value.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)) {
        return Some("has an end of line in it");
    }
    hyper::header::HeaderValue::from_bytes(value)
        .is_err()
        .then_some("has characters that a header cannot have")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gateways_own_headers_are_refused_in_any_case() {
        assert!(may_set("authorization") && may_set("X-Idempotency-Key"));
        for name in [
            "Host",
            "content-LENGTH",
            "Transfer-Encoding",
            "Accept-Encoding",
            "Range",
            "",
            "a b",
            "a:b",
            "a\r\nb",
        ] {
            assert!(!may_set(name), "{name}");
        }
        let header = |value: &str| vec![("x".to_owned(), value.to_owned())];
        assert_eq!(wrong(&header("fine")), None);
        assert!(wrong(&header("a\r\nhost: evil")).is_some());
        assert!(wrong(&header("a\nb")).is_some());
        assert!(wrong(&vec![("x".to_owned(), String::new()); 65]).is_some());
        assert!(wrong(&header(&"x".repeat(20_000))).is_some());
    }
}
