//! `/plugins/NAME/...`: calls from outside to a plugin, and its pages. A plugin reads the call and says what happened; that is a hint, and what
//! is believed is what its provider answers when it is asked. Nothing of the operator's own sign-in is shown to it, and its pages get no further than
//! their own business.

use super::room::Plugins;
use super::standing::{Callees, Came as HowItCame};
use crate::clock::now;
use crate::outbox::{Dispute, Outbox};
use crate::serve::limits::{Buckets, neighbourhood};
use crate::store::{Error, Lane, OrgId, Store};
use crate::texts::{Came, Texts};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, DefaultBodyLimit, FromRequest as _, Path, Request, State};
use axum::http::header::{
    ALLOW, AUTHORIZATION, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LANGUAGE, CONTENT_SECURITY_POLICY,
    CONTENT_TYPE, COOKIE, ETAG, LAST_MODIFIED, LOCATION, PROXY_AUTHORIZATION, REFERRER_POLICY, RETRY_AFTER,
    VARY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use takst_engine::units::Instant;
use takst_plugins::model::calls::{Answer, Call, Event};
use takst_plugins::{Failed, Kind};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Of a call's body, in bytes; a plugin may take less.
const LARGEST: usize = 256 * 1024;
/// Of one address at one plugin: so many calls at once, and then one more every so often.
const AT_ONCE: u32 = 300;
const ONE_MORE_EVERY: Duration = Duration::from_millis(50);
/// Calls to one plugin that run at once: half of those that it may have, so that what strangers send never keeps a payment waiting.
const TOGETHER: usize = 16;
/// How long one more waits for its turn.
const TURN: Duration = Duration::from_secs(10);
/// Events that one call may bring.
const MOST_EVENTS: usize = 100;
/// What a plugin's answer may say in its head. Cookies are ours.
const SAYABLE: [HeaderName; 12] = [
    CACHE_CONTROL,
    CONTENT_DISPOSITION,
    CONTENT_LANGUAGE,
    CONTENT_SECURITY_POLICY,
    CONTENT_TYPE,
    ETAG,
    LAST_MODIFIED,
    LOCATION,
    REFERRER_POLICY,
    RETRY_AFTER,
    VARY,
    X_CONTENT_TYPE_OPTIONS,
];

/// Where calls from outside come in.
pub struct Door {
    plugins: Arc<Plugins>,
    outbox: Outbox,
    store: Store,
    org: OrgId,
    texts: Option<Texts>,
    asked: Buckets<(String, IpAddr)>,
    callees: Callees,
    turns: Turns,
}

impl Door {
    /// To these plugins, which are this organisation's.
    #[must_use]
    pub fn new(plugins: Arc<Plugins>, outbox: Outbox, store: Store, org: OrgId) -> Self {
        let (asked, callees) = (Buckets::new(AT_ONCE, ONE_MORE_EVERY), Callees::default());
        let turns = Turns::default();
        Self { plugins, outbox, store, org, texts: None, asked, callees, turns }
    }

    /// With somebody who answers messages of drivers.
    #[must_use]
    pub fn with_texts(self, texts: Texts) -> Self {
        Self { texts: Some(texts), ..self }
    }

    /// The addresses under `/plugins`.
    pub fn router(self) -> Router {
        Router::new()
            .route("/plugins/{name}", any(own))
            .route("/plugins/{name}/", any(own))
            .route("/plugins/{name}/{*path}", any(below))
            .layer(DefaultBodyLimit::max(LARGEST))
            .with_state(Arc::new(self))
    }

    async fn answer(&self, name: &str, path: String, request: Request) -> Response {
        let heard = async {
            // Before anything is kept of it: names of plugins are few, and what strangers write into an address has no end.
            if !self.plugins.takes_calls(name) {
                return Err(Refused::Nobody);
            }
            let from =
                request.extensions().get().map(|ConnectInfo(from): &ConnectInfo<SocketAddr>| from.ip());
            if let Some(from) = from {
                let (key, moment) = ((name.to_owned(), neighbourhood(from)), tokio::time::Instant::now());
                self.asked.look(&key, moment).map_err(Refused::TooOften)?;
                self.asked.take(key, moment);
            }
            self.call(name, read(path, request).await?).await
        };
        heard.await.unwrap_or_else(Refused::into_response)
    }

    async fn call(&self, name: &str, call: Call) -> Result<Response, Refused> {
        let told = call.method == Method::POST.as_str();
        let done = {
            let _turn = self.turns.take(name, TURN).await.ok_or(Refused::Later)?;
            self.plugins.receive(name, call).await
        };
        let done = done.map_err(|why| {
            tracing::debug!(plugin = name, why, "a call from outside has nobody to go to");
            Refused::Nobody
        })?;
        self.callees.heard(&self.store, &self.org, name, how(&done.result, told), now()).await;
        match done.result {
            Ok(answer) => {
                self.keep(name, &answer.events).await.map_err(|error| {
                    tracing::warn!(plugin = name, %error, "what was told could not be kept; it is told again");
                    Refused::Later
                })?;
                Ok(self.response(name, answer))
            }
            Err(Failed::Said(error)) => {
                tracing::info!(
                    plugin = name,
                    code = error.code,
                    detail = error.detail,
                    "a call from outside was refused"
                );
                Err(Refused::Said(error.code))
            }
            Err(Failed::Stopped(stop)) => Err(match stop.kind {
                Kind::Input => Refused::TooLarge,
                Kind::Busy => Refused::Later,
                _ => {
                    tracing::warn!(plugin = name, why = stop.detail, "a call from outside was not answered");
                    Refused::Broken
                }
            }),
        }
    }

    // Before the answer goes out: whoever gets none tells it again.
    async fn keep(&self, plugin: &str, events: &[Event]) -> Result<(), Error> {
        if events.len() > MOST_EVENTS {
            tracing::warn!(
                plugin,
                events = events.len(),
                "only the first {MOST_EVENTS} events of a call are heard"
            );
        }
        for event in events.iter().take(MOST_EVENTS) {
            let Event { kind, subject, id, more } = event;
            let name = format!("{kind} {id}");
            if !id.is_empty() && self.store.read().await?.has_plugin_event(&self.org, plugin, &name).await? {
                tracing::debug!(plugin, kind, "an event that came before");
                continue;
            }
            let at = now();
            if kind == "message-in" {
                // Noted before it is acted on: what a driver wants is done once, or he writes again.
                if self.note(plugin, &name, at).await?
                    && let Some(texts) = self.texts.clone().filter(|_| !id.is_empty())
                {
                    let (plugin, more) = (plugin.to_owned(), more.clone());
                    let came = Came { plugin, sender: subject.clone(), name: name.clone(), more };
                    tokio::spawn(async move { texts.answer(came).await });
                }
                continue;
            }
            match kind.as_str() {
                "payment" | "instrument" => {
                    let ours =
                        more.iter().find(|(name, _)| name == "reference").map(|(_, ours)| ours.as_str());
                    let woken = self.outbox.hint(&self.org, plugin, (subject, ours), at).await?;
                    tracing::debug!(plugin, kind, subject, woken, "something happened at a provider");
                }
                "dispute" => {
                    let said = |name: &str| {
                        more.iter().find(|(known, _)| known == name).map(|(_, said)| said.as_str())
                    };
                    // Of others who have the same account at the provider it may be.
                    let known = match dispute(&said) {
                        Some(about) => {
                            let names = (subject.as_str(), said("reference"));
                            self.outbox.disputed(&self.org, plugin, names, about, at).await?
                        }
                        None => false,
                    };
                    tracing::info!(plugin, subject, known, "a payment is disputed");
                }
                _ => tracing::info!(plugin, kind, subject, "a plugin told what nobody here waits for"),
            }
            // Behind what it causes: that may happen twice, and must not be forgotten.
            if !id.is_empty() {
                self.note(plugin, &name, at).await?;
            }
        }
        Ok(())
    }

    // Whether it is new.
    async fn note(&self, plugin: &str, event: &str, at: Instant) -> Result<bool, Error> {
        let (org, plugin, event) = (self.org.clone(), plugin.to_owned(), event.to_owned());
        let lane = Lane::plugin(&org, &plugin);
        let note =
            async move |tx: &mut crate::store::Tx| tx.note_plugin_event(&org, &plugin, &event, at).await;
        self.store.write(lane, note).await
    }

    fn response(&self, plugin: &str, answer: Answer) -> Response {
        let Answer { status, headers, body, events: _ } = answer;
        // What is about the connection itself is not a plugin's to say.
        let status = StatusCode::from_u16(status).ok().filter(|status| status.as_u16() >= 200);
        let Some(status) = status else { return Refused::Broken.into_response() };
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = status;
        let to = response.headers_mut();
        for (name, value) in headers {
            let known = HeaderName::try_from(name.as_str()).ok().filter(|name| SAYABLE.contains(name));
            match (known, HeaderValue::try_from(value)) {
                (Some(name), Ok(value)) => drop(to.insert(name, value)),
                _ => tracing::debug!(plugin, header = name, "left out of a plugin's answer"),
            }
        }
        to.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static("application/octet-stream"));
        to.entry(CONTENT_SECURITY_POLICY).or_insert(HeaderValue::from_static("default-src 'none'"));
        if let Ok(policy) = HeaderValue::try_from(policy(&self.plugins.origins(plugin))) {
            // Browsers hold to both.
            to.append(CONTENT_SECURITY_POLICY, policy);
        }
        to.insert(
            HeaderName::from_static("cross-origin-opener-policy"),
            HeaderValue::from_static("unsafe-none"),
        );
        response
    }
}

/// Calls that run, by the names of plugins that are there.
#[derive(Default)]
struct Turns(Mutex<BTreeMap<String, Arc<Semaphore>>>);

impl Turns {
    // A place among the calls of a plugin, as long as it is held; none when it does not come in time.
    async fn take(&self, name: &str, patience: Duration) -> Option<OwnedSemaphorePermit> {
        let places = {
            let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let places = all.entry(name.to_owned()).or_insert_with(|| Arc::new(Semaphore::new(TOGETHER)));
            Arc::clone(places)
        };
        tokio::time::timeout(patience, places.acquire_owned()).await.ok()?.ok()
    }
}

// What a plugin says of a dispute; none when it does not name it.
fn dispute<'a>(said: &impl Fn(&str) -> Option<&'a str>) -> Option<Dispute> {
    let text = |name: &str| said(name).unwrap_or_default().chars().filter(|c| !c.is_control()).take(100);
    let name: String = text("dispute").collect();
    (!name.is_empty()).then(|| Dispute {
        name,
        amount: said("amount").and_then(|text| text.parse().ok()).filter(|amount| *amount >= 0),
        currency: text("currency").collect(),
        reason: text("reason").collect(),
        status: text("status").collect(),
        won: said("outcome") == Some("won"),
    })
}

// What a call says of how the plugin stands.
fn how(result: &Result<Answer, Failed>, told: bool) -> HowItCame {
    match result {
        Ok(answer) if answer.status < 400 => HowItCame::Well { told },
        Ok(answer) if answer.status >= 500 => HowItCame::Broken(format!("it answered {}", answer.status)),
        Ok(_) => HowItCame::Neither,
        Err(Failed::Said(error)) if told => HowItCame::Refused(format!("{}: {}", error.code, error.detail)),
        Err(Failed::Said(_)) => HowItCame::Neither,
        Err(Failed::Stopped(stop)) => match stop.kind {
            // Of what was sent, or of how much comes at once.
            Kind::Input | Kind::Busy => HowItCame::Neither,
            _ => HowItCame::Broken(format!("{}: {}", stop.kind.code(), stop.detail)),
        },
    }
}

// The page shares its origin with the operator's, whose sign-in the browser sends along: it must not be able to ask the API anything.
fn policy(origins: &[String]) -> String {
    let connect = if origins.is_empty() { "'none'".to_owned() } else { origins.join(" ") };
    format!(
        "connect-src {connect}; form-action 'none'; object-src 'none'; worker-src 'none'; base-uri 'none'; frame-ancestors 'none'"
    )
}

/// Why a call was not answered by the plugin.
enum Refused {
    Nobody,
    Method,
    TooOften(u64),
    TooLarge,
    Said(String),
    Later,
    Broken,
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let text = |status: StatusCode, text: &str| (status, format!("{text}\n")).into_response();
        let later = |status, seconds: u64, words: &str| {
            let mut response = text(status, words);
            response.headers_mut().insert(RETRY_AFTER, seconds.into());
            response
        };
        match self {
            Self::Nobody => text(StatusCode::NOT_FOUND, "no plugin takes calls at this address"),
            Self::Method => {
                let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "GET, HEAD and POST are taken here");
                response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD, POST"));
                response
            }
            Self::TooOften(wait) => {
                later(StatusCode::TOO_MANY_REQUESTS, wait, "too many calls; come back later")
            }
            Self::TooLarge => text(StatusCode::PAYLOAD_TOO_LARGE, "this is more than the plugin takes"),
            // The word only: why a signature is wrong is for the log.
            Self::Said(code) => text(StatusCode::BAD_REQUEST, &code),
            Self::Later => later(StatusCode::SERVICE_UNAVAILABLE, 10, "this cannot be taken now; try again"),
            Self::Broken => text(StatusCode::BAD_GATEWAY, "the plugin did not answer"),
        }
    }
}

async fn own(State(door): State<Arc<Door>>, Path(name): Path<String>, request: Request) -> Response {
    door.answer(&name, String::new(), request).await
}

async fn below(
    State(door): State<Arc<Door>>,
    Path((name, path)): Path<(String, String)>,
    request: Request,
) -> Response {
    door.answer(&name, format!("/{path}"), request).await
}

async fn read(path: String, request: Request) -> Result<Call, Refused> {
    let (parts, body) = request.into_parts();
    if ![Method::GET, Method::HEAD, Method::POST].contains(&parts.method) {
        return Err(Refused::Method);
    }
    let headers = parts.headers.iter().filter(|(name, value)| is_theirs(name, value));
    let headers =
        headers.filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())));
    let (method, headers) = (parts.method.as_str().to_owned(), headers.collect());
    let query = parts.uri.query().unwrap_or_default().to_owned();
    let body = Bytes::from_request(Request::from_parts(parts, body), &()).await;
    let body = body.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Refused::TooLarge,
        _ => Refused::Said("no-body".to_owned()),
    })?;
    Ok(Call { method, path, query, headers, body: body.to_vec() })
}

// The browser of an operator sends a key of the API with every request to this host; a program may do so by mistake.
fn is_theirs(name: &HeaderName, value: &HeaderValue) -> bool {
    let ours = || value.as_bytes().windows(6).any(|part| part.eq_ignore_ascii_case(b"takst_"));
    *name != COOKIE && *name != PROXY_AUTHORIZATION && !(*name == AUTHORIZATION && ours())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn calls_from_outside_leave_places_for_payments() {
        const SOON: Duration = Duration::from_millis(50);
        let turns = Turns::default();
        let mut held = Vec::new();
        while held.len() < TOGETHER {
            held.push(turns.take("stripe", SOON).await.unwrap());
        }
        assert!(held.len() * 2 <= takst_plugins::pool::Bounds::default().running_of_one);
        assert!(turns.take("stripe", SOON).await.is_none(), "there is no place in time");
        // Another plugin has its own; and who waits is let in.
        assert!(turns.take("vipps", SOON).await.is_some());
        let (came, ()) = tokio::join!(turns.take("stripe", SOON), async { drop(held.pop()) });
        assert!(came.is_some());
    }

    #[tokio::test]
    async fn what_lets_the_operator_in_is_not_shown_to_a_plugin() {
        let asked = |method: &str, authorization: &str| {
            let request = Request::builder()
                .method(method)
                .uri("/plugins/stripe/events?a=b")
                .header("cookie", "takst=takst_1_2")
                .header("proxy-authorization", "Basic x")
                .header("authorization", authorization)
                .header("Stripe-Signature", "t=1")
                .header("x-latin", HeaderValue::from_bytes(b"\xe9").unwrap());
            read("/events".to_owned(), request.body(Body::from("body")).unwrap())
        };
        let call = asked("POST", "Bearer takst_1_2").await.unwrap_or_else(|_| panic!());
        let names: Vec<&str> = call.headers.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["stripe-signature"]);
        assert_eq!((call.query.as_str(), call.body.as_slice()), ("a=b", &b"body"[..]));
        // The other side may sign there.
        let call = asked("POST", "HMAC-SHA256 SignedHeaders=x").await.unwrap_or_else(|_| panic!());
        assert!(call.headers.iter().any(|(name, _)| name == "authorization"));
        assert!(matches!(asked("DELETE", "").await, Err(Refused::Method)));
    }

    #[test]
    fn a_page_talks_to_its_provider_and_nobody_else() {
        assert!(policy(&[]).starts_with("connect-src 'none'; form-action 'none'"));
        let policy = policy(&["https://api.stripe.com".to_owned(), "https://x.example:8443".to_owned()]);
        assert!(
            policy.starts_with("connect-src https://api.stripe.com https://x.example:8443; "),
            "{policy}"
        );
    }
}
