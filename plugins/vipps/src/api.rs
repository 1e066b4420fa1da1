//! Vipps' APIs: the access token, requests, and what errors mean.

use serde::{Deserialize, Serialize};
use takst_plugin_sdk::crypto::{self, Hash};
use takst_plugin_sdk::http::{Request, Response};
use takst_plugin_sdk::{Error, Settings, clock, kv, log};

/// A token is renewed so long before it ends.
const EARLY_MS: i64 = 5 * 60_000;

/// Vipps, as one sales unit sees it.
#[derive(Clone, Copy)]
pub struct Api<'a> {
    pub settings: Settings<'a>,
    address: &'static str,
    msn: &'a str,
}

#[derive(Serialize, Deserialize)]
struct Token {
    token: String,
    until: i64,
}

impl<'a> Api<'a> {
    /// From the operator's settings.
    pub fn new(settings: Settings<'a>) -> Result<Self, Error> {
        let address = match settings.get_or("environment", "production") {
            "test" => "https://apitest.vipps.no",
            _ => "https://api.vipps.no",
        };
        Ok(Self { settings, address, msn: settings.need("merchant_serial_number")? })
    }

    /// `GET`.
    pub fn get(&self, path: &str) -> Result<Response, Error> {
        self.send(|| Request::get(format!("{}{path}", self.address)))
    }

    /// `POST` of JSON. In a call of the outbox the gateway adds the `Idempotency-Key`.
    pub fn post(&self, path: &str, body: Option<&serde_json::Value>) -> Result<Response, Error> {
        self.send(|| {
            let request = Request::post(format!("{}{path}", self.address));
            match body {
                Some(body) => request.json(body),
                None => request.header("content-type", "application/json"),
            }
        })
    }

    /// `POST` (with a body) or `DELETE` under a key that this plugin makes itself: [`short_key`].
    pub fn change(&self, path: &str, key: &str, body: Option<&serde_json::Value>) -> Result<Response, Error> {
        let method = if body.is_some() { "POST" } else { "DELETE" };
        self.send(|| {
            let request =
                Request::new(method, format!("{}{path}", self.address)).header("idempotency-key", key);
            match body {
                Some(body) => request.json(body),
                None => request.header("content-type", "application/json"),
            }
        })
    }

    fn send(&self, request: impl Fn() -> Request) -> Result<Response, Error> {
        let with = |token: String| {
            self.with_headers(request().header("authorization", format!("Bearer {token}"))).send()
        };
        let answer = with(self.token()?)?;
        if answer.status != 401 {
            return Ok(answer);
        }
        // The token was taken back early, or is that of keys which the operator has changed: nothing was done. Once more with a new one.
        kv::delete(&self.place());
        with(self.token()?)
    }

    fn with_headers(&self, request: Request) -> Request {
        request
            .header("ocp-apim-subscription-key", "{{secret:subscription_key}}")
            .header("merchant-serial-number", self.msn)
            .header("vipps-system-name", "takst")
            .header("vipps-system-version", env!("CARGO_PKG_VERSION"))
            .header("vipps-system-plugin-name", "takst-vipps")
            .header("vipps-system-plugin-version", env!("CARGO_PKG_VERSION"))
    }

    fn place(&self) -> String {
        format!("token/{}/{}", self.address, self.msn)
    }

    /// The kept token while it lasts (an hour in the test environment, a day in production), or a new one.
    fn token(&self) -> Result<String, Error> {
        #[derive(Deserialize)]
        struct Answer {
            access_token: String,
            #[serde(default)]
            expires_in: Option<serde_json::Value>,
        }
        let kept = kv::get(&self.place()).and_then(|bytes| serde_json::from_slice::<Token>(&bytes).ok());
        if let Some(kept) = kept.filter(|kept| clock::now() < kept.until) {
            return Ok(kept.token);
        }
        let request = Request::post(format!("{}/accesstoken/get", self.address))
            .header("client_id", self.settings.need("client_id")?)
            .header("client_secret", "{{secret:client_secret}}")
            .header("content-type", "application/json");
        // Without a token nothing else was sent, so nothing was done, whatever becomes of this.
        let answer = self.with_headers(request).send().map_err(not_done)?;
        if !answer.is_ok() {
            let mut error = not_done(error(&answer, "getting an access token"));
            if matches!(answer.status, 400 | 401 | 403) {
                "not-allowed".clone_into(&mut error.code);
                error
                    .detail
                    .push_str("; look at client_id, client_secret, subscription_key and the environment");
            }
            return Err(error);
        }
        let answer: Answer = answer.json().map_err(not_done)?;
        // Seconds, as a text.
        let seconds = answer
            .expires_in
            .and_then(|value| value.as_i64().or_else(|| value.as_str()?.parse().ok()))
            .unwrap_or(3_600);
        let until = clock::now().saturating_add(seconds.saturating_mul(1_000)).saturating_sub(EARLY_MS);
        let kept =
            serde_json::to_vec(&Token { token: answer.access_token.clone(), until }).unwrap_or_default();
        if let Err(why) = kv::set(&self.place(), &kept) {
            log::warn(format!("the access token cannot be kept: {why}"));
        }
        Ok(answer.access_token)
    }
}

fn not_done(error: Error) -> Error {
    Error { outcome: takst_plugin_sdk::Outcome::NotDone, ..error }
}

/// What Vipps says of a failure (RFC 7807, with more).
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Problem {
    title: Option<String>,
    detail: Option<String>,
    trace_id: Option<String>,
    context_id: Option<String>,
    extra_details: Vec<Extra>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Extra {
    // ePayment says name and reason, Recurring field and text.
    #[serde(alias = "field")]
    name: String,
    #[serde(alias = "text")]
    reason: String,
}

/// What a failed request means for the thing that was asked for.
pub fn error(answer: &Response, doing: &str) -> Error {
    let problem: Problem = answer.json().unwrap_or_default();
    let mut said: Vec<String> = [problem.title, problem.detail].into_iter().flatten().collect();
    said.extend(problem.extra_details.iter().map(|extra| format!("{}: {}", extra.name, extra.reason)));
    if said.is_empty() {
        said.push(format!("status {}", answer.status));
    }
    let trace =
        problem.trace_id.or(problem.context_id).map(|id| format!(" (Vipps' trace {id})")).unwrap_or_default();
    let detail = format!("{doing}: {}{trace}", said.join("; "));
    let plain = answer.error(detail);
    match answer.status {
        // Also for a 503 nobody can say how far it came.
        409 => Error { outcome: takst_plugin_sdk::Outcome::Unknown, code: "conflict".into(), ..plain },
        404 => Error { code: "unknown-reference".into(), ..plain },
        500.. => Error { outcome: takst_plugin_sdk::Outcome::Unknown, code: "server-error".into(), ..plain },
        _ => plain,
    }
}

/// A key for Recurring, where keys have at most 40 characters: half of a hash, in hex. The same key makes the same.
pub fn short_key(key: &str) -> String {
    crypto::digest(Hash::Sha256, key.as_bytes()).iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

/// Whether an idempotency key in ePayment's records is that of this thing: the gateway sends the outbox's key and eight hex digits more.
pub fn is_key(theirs: Option<&str>, key: &str) -> bool {
    let rest = theirs.and_then(|theirs| theirs.strip_prefix(key));
    rest.is_some_and(|rest| rest.is_empty() || (rest.len() == 9 && rest.starts_with('-')))
}

/// A text for Vipps: at most so many characters, and no ends of line.
pub fn cut(text: &str, most: usize) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(most)
        .collect::<String>()
        .trim()
        .to_owned()
}

/// One part of a path: letters, digits, `-` and `_`. Anything else could be another path.
pub fn part(text: &str) -> Result<&str, Error> {
    let fine = !text.is_empty()
        && text.len() <= 64
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    if fine {
        Ok(text)
    } else {
        Err(Error::refused("unknown-reference", format!("`{text}` is no name at Vipps")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use takst_plugin_sdk::Outcome::{NotDone, Refused, Unknown};
    use takst_plugin_sdk::testing::answer;

    #[test]
    fn every_failure_says_whether_it_was_done() {
        for (status, outcome, code) in [
            (400, Refused, "refused"),
            (403, NotDone, "not-allowed"),
            (404, Refused, "unknown-reference"),
            (409, Unknown, "conflict"),
            (429, NotDone, "too-many-requests"),
            (500, Unknown, "server-error"),
            (503, Unknown, "server-error"),
        ] {
            let error = error(&answer(status, "{}"), "paying");
            assert_eq!((error.outcome, error.code.as_str()), (outcome, code), "{status}");
        }
        let body = r#"{"title":"Bad Request","detail":"Input","traceId":"t-1","extraDetails":[{"name":"amount","reason":"too much"}]}"#;
        assert_eq!(
            error(&answer(400, body), "paying").detail,
            "paying: Bad Request; Input; amount: too much (Vipps' trace t-1)"
        );
    }

    #[test]
    fn a_key_is_found_with_what_the_gateway_adds() {
        assert!(is_key(Some("k-1"), "k-1") && is_key(Some("k-1-0a1b2c3d"), "k-1"));
        for other in [None, Some("k-10"), Some("k-1-0a1b2c3"), Some("k-11-0a1b2c3d"), Some("k")] {
            assert!(!is_key(other, "k-1"), "{other:?}");
        }
    }
}
