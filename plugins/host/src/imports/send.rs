//! `host-http.send`: counts, grant, secrets, the idempotency header, the wire, and the answer without secrets.

use super::{Broken, broken};
use crate::http::failed;
use crate::http::fill::Bound;
use crate::http::headers;
use crate::http::policy::Allowed;
use crate::http::transport::Outgoing;
use crate::model::Options;
use crate::model::http::{Failure, Request, Response, SendError};
use crate::state::State;
use crate::tape::Difference;
use ring::digest;
use std::sync::Arc;

/// Sends a request, or says why not.
pub(super) async fn send(
    state: &mut State,
    request: &Request,
) -> wasmtime::Result<Result<Response, SendError>> {
    let plugin = Arc::clone(&state.plugin);
    let limits = &plugin.limits;
    state.usage.requests = state.usage.requests.saturating_add(1);
    if state.usage.requests > limits.requests {
        return Ok(Err(failed(
            Failure::TooMany,
            format!(
                "this call has sent its {} requests; for more: [limits] requests in plugin.toml",
                limits.requests
            ),
        )));
    }
    let denied = |detail: String| Ok(Err(failed(Failure::Denied, detail)));
    let allowed = match plugin.policy.check(&request.method, &request.url) {
        Ok(allowed) => allowed,
        Err(detail) => return denied(detail),
    };
    if let Some(detail) = headers::wrong(&request.headers) {
        return denied(detail);
    }
    let host = (allowed.host.clone(), allowed.port);
    let mut bound = match state.bound.remove(&host) {
        Some(bound) => bound,
        None => {
            let read = Bound::read(&plugin.code.manifest, &plugin.settings, &*plugin.secrets, &allowed);
            state.meter.outside(read).await.map_err(broken("secrets"))?
        }
    };
    let filled = match bound.fill(&plugin.code.manifest, &allowed, request) {
        Ok(filled) => filled,
        Err(detail) => {
            state.bound.insert(host, bound);
            return denied(detail);
        }
    };
    let most = limits.answers.0.saturating_sub(state.usage.answers);
    let outgoing = Outgoing {
        method: request.method.clone(),
        headers: with_key(filled.headers, state.key.as_deref(), &request.method, &allowed),
        url: filled.url,
        body: filled.body,
        reach: allowed.reach,
        most,
    };
    // From here on it may go out: a call that is stopped while it waits has an unknown outcome.
    state.usage.sent = state.usage.sent.saturating_add(1);
    let answer = state.meter.outside(plugin.host.transport.send(outgoing)).await;
    let answer = match answer {
        Ok(answer) => {
            let answer = clean(&bound, answer);
            let bytes: usize = answer.headers.iter().fold(answer.body.len(), |sum, (name, value)| {
                sum.saturating_add(name.len()).saturating_add(value.len())
            });
            let bytes = u64::try_from(bytes).map_err(|error| Broken(error.to_string()))?;
            state.usage.answers = state.usage.answers.saturating_add(bytes);
            Ok(answer)
        }
        Err(SendError { failure, detail }) => {
            match failure {
                Failure::Denied | Failure::NoConnection | Failure::TooMany => {
                    state.usage.sent = state.usage.sent.saturating_sub(1);
                }
                Failure::TooLarge => state.usage.answers = limits.answers.0,
                Failure::Lost => {}
            }
            Err(failed(failure, bound.scrub_text(&detail)))
        }
    };
    state.bound.insert(host, bound);
    Ok(answer)
}

/// Counts what would have been sent, so that a replay ends as the real call would. The rules hold in a replay too.
pub(super) fn replayed(
    state: &mut State,
    request: &Request,
    answer: &Result<Response, SendError>,
) -> Result<(), Difference> {
    state.usage.requests = state.usage.requests.saturating_add(1);
    match answer {
        Ok(_) | Err(SendError { failure: Failure::Lost | Failure::TooLarge, .. }) => {
            state.usage.sent = state.usage.sent.saturating_add(1);
            let allowed = state.plugin.policy.check(&request.method, &request.url);
            allowed
                .map(drop)
                .map_err(|detail| Difference(format!("a request of the tape is no longer allowed: {detail}")))
        }
        Err(_) => Ok(()),
    }
}

fn clean(bound: &Bound, answer: Response) -> Response {
    let headers =
        answer.headers.into_iter().map(|(name, value)| (bound.scrub_text(&name), bound.scrub_text(&value)));
    Response { status: answer.status, headers: headers.collect(), body: bound.scrub(&answer.body) }
}

// The same thing asked for again has the same key, and two different things in one call (a customer, then a payment) have two.
fn with_key(mut headers: Options, key: Option<&str>, method: &str, allowed: &Allowed) -> Options {
    let (Some(key), Some(header)) = (key, &allowed.idempotency) else { return headers };
    if matches!(method, "GET" | "HEAD") {
        return headers;
    }
    headers.retain(|(name, _)| !name.eq_ignore_ascii_case(header));
    headers.push((header.clone(), idempotency_key(key, method, allowed.url.path())));
    headers
}

/// The key as the other side sees it: the outbox's key, and eight hex digits of method and path.
#[must_use]
pub fn idempotency_key(key: &str, method: &str, path: &str) -> String {
    let hash = digest::digest(&digest::SHA256, format!("{method} {path}").as_bytes());
    let mut text = format!("{key}-");
    for byte in hash.as_ref().iter().take(4) {
        text.push_str(&format!("{byte:02x}"));
    }
    text
}
