//! Calls to the outside.

use crate::Error;
use crate::bindings::host::takst::plugin::host_http;
pub use host_http::{Failure, Response, SendError};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A request on its way to be sent.
#[derive(Debug, Clone)]
pub struct Request {
    inner: host_http::Request,
}

impl Request {
    /// A request without a body.
    pub fn new(method: &str, url: impl Into<String>) -> Self {
        Self {
            inner: host_http::Request {
                method: method.to_owned(),
                url: url.into(),
                headers: Vec::new(),
                body: Vec::new(),
            },
        }
    }

    /// `GET`.
    pub fn get(url: impl Into<String>) -> Self {
        Self::new("GET", url)
    }

    /// `POST`.
    pub fn post(url: impl Into<String>) -> Self {
        Self::new("POST", url)
    }

    /// One more header. `{{secret:NAME}}` in the value is filled in by the gateway.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.inner.headers.push((name.to_owned(), value.into()));
        self
    }

    /// A body of this type.
    #[must_use]
    pub fn body(mut self, media_type: &str, body: impl Into<Vec<u8>>) -> Self {
        self.inner.body = body.into();
        self.header("content-type", media_type)
    }

    /// A JSON body.
    #[must_use]
    pub fn json(self, body: &impl Serialize) -> Self {
        // What serde_json cannot write (a map with keys that are no text) is a mistake of the plugin: it ends the call with its message.
        let body = serde_json::to_vec(body).unwrap_or_else(|e| panic!("no JSON: {e}"));
        self.body("application/json", body)
    }

    /// A form's body, with names and values percent-encoded. For a secret in a form write the body yourself ([`Self::body`]): a value that
    /// somebody typed must never be read as the name of a secret.
    #[must_use]
    pub fn form<'a>(self, fields: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let body = fields
            .into_iter()
            .map(|(name, value)| format!("{}={}", encode(name), encode(value)))
            .collect::<Vec<_>>()
            .join("&");
        self.body("application/x-www-form-urlencoded", body)
    }

    /// Sends it and waits for the whole answer, whatever its status.
    ///
    /// # Errors
    /// `not-done` when nothing was sent, `unknown` when no whole answer came.
    pub fn send(self) -> Result<Response, Error> {
        crate::host::send(&self.inner).map_err(|error| match error.failure {
            Failure::Denied => Error::not_done("http-denied", error.detail),
            Failure::NoConnection => Error::not_done("no-connection", error.detail),
            Failure::TooMany => Error::not_done("too-many-requests", error.detail),
            Failure::Lost => Error::unknown("answer-lost", error.detail),
            Failure::TooLarge => Error::unknown("answer-too-large", error.detail),
        })
    }
}

impl Response {
    /// Whether the status is 200 to 299.
    pub fn is_ok(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// A header's value; `name` in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// The body as text; what is no UTF-8 is replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body, read as JSON.
    ///
    /// # Errors
    /// `unknown`: an answer came, and cannot be read.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        serde_json::from_slice(&self.body).map_err(|e| {
            Error::unknown(
                "answer-unreadable",
                format!("status {}, and the body is not what was expected: {e}", self.status),
            )
        })
    }

    /// For an answer that is no success: 429 was not done, 5xx and 408 may have been (a proxy says 503 of what went through it, too), other
    /// 4xx were refused.
    pub fn error(&self, detail: impl Into<String>) -> Error {
        let detail = detail.into();
        let wait = self.header("retry-after").and_then(|s| s.trim().parse().ok());
        match self.status {
            429 => Error::not_done("too-many-requests", detail),
            503 => Error::unknown("unavailable", detail),
            401 | 403 => Error::not_done("not-allowed", detail),
            400..500 if self.status != 408 => Error::refused("refused", detail),
            _ => Error::unknown("server-error", detail),
        }
        .after(wait)
    }
}

/// Percent-encodes all but letters, digits and `-._~`: of a text that somebody typed no secret's placeholder is left.
pub fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_must_be_encoded_is() {
        assert_eq!(encode("a b&c=ø"), "a%20b%26c%3D%C3%B8");
        assert_eq!(encode("{{secret:api_key}}"), "%7B%7Bsecret%3Aapi_key%7D%7D");
    }

    #[test]
    fn an_answer_says_whether_the_thing_was_done() {
        let answer =
            |status| Response { status, headers: vec![("retry-after".into(), "7".into())], body: Vec::new() };
        use crate::Outcome::{NotDone, Refused, Unknown};
        for (status, outcome) in [
            (400, Refused),
            (402, Refused),
            (401, NotDone),
            (408, Unknown),
            (429, NotDone),
            (500, Unknown),
            (502, Unknown),
            (503, Unknown),
        ] {
            assert_eq!(answer(status).error("x").outcome, outcome, "{status}");
        }
        assert_eq!(answer(429).error("x").retry_after, Some(7));
    }
}
