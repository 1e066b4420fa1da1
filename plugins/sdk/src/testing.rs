//! The gateway's stand-in for a plugin's own tests: `cargo test`, without WebAssembly and without a gateway.
//!
//! Each test has a gateway of its own (a thread's), which begins empty. What a plugin asks of it is answered so:
//!
//! | what | how |
//! |---|---|
//! | requests | by a closure ([`http`]), or by a program on this machine ([`http_to`]); by nobody: `no-connection` |
//! | the manifest | with [`manifest`], what is not in `plugin.toml` is denied, as in the gateway |
//! | the idempotency header | with [`key`], added where a rule of the manifest names it |
//! | secrets | those of [`secret`]; filled in where the plugin wrote `{{secret:NAME}}`, for the hosts that the manifest binds them to |
//! | what is kept | in memory; [`call`] keeps what a call wrote if it returns and drops it if it panics |
//! | time | the machine's clock, or [`set_clock`] |
//! | the log | [`log`] |
//!
//! ```
//! use takst_plugin_sdk::{http, testing};
//!
//! # fn price() -> Result<String, takst_plugin_sdk::Error> {
//! #     Ok(http::Request::get("https://api.example.com/price").header("x-key", "{{secret:api_key}}").send()?.text())
//! # }
//! testing::manifest(
//!     r#"
//!     [[http]]
//!     host = "api.example.com"
//!     methods = ["GET"]
//!     paths = ["/price"]
//!     [secrets.api_key]
//!     hosts = ["api.example.com"]
//!     "#,
//!     &[],
//! );
//! testing::secret("api_key", "sesame-open");
//! testing::http(|request| {
//!     assert_eq!(request.header("x-key"), Some("sesame-open"));
//!     Ok(testing::answer(200, "0.72"))
//! });
//! assert_eq!(testing::call(price).unwrap(), "0.72");
//! // What the plugin wrote, without the secret:
//! assert_eq!(testing::sent()[0].header("x-key"), Some("{{secret:api_key}}"));
//! ```
//!
//! What it does not have: limits of memory and time, the rules on private addresses, signatures with RS256 and ES256. `takst plugin test` and
//! `takst plugin run` have them, with the plugin as it ships.

pub(crate) mod fake;
mod fill;
mod manifest;
mod peer;

use crate::http::{Failure, Response, SendError};
use crate::{Options, crypto::Hash, log::Level};
use manifest::Manifest;
use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// A request as it went out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// "GET".
    pub method: String,
    /// The whole address.
    pub url: String,
    /// Names as the plugin wrote them.
    pub headers: Vec<(String, String)>,
    /// What it carried.
    pub body: Vec<u8>,
}

impl Sent {
    /// A header's value, whatever the case of its name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The address from the path on.
    pub fn path(&self) -> &str {
        let rest = self.url.split_once("://").map_or(self.url.as_str(), |(_, rest)| rest);
        rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("/")
    }
}

/// What answers requests.
pub type Handler = Box<dyn FnMut(&Sent) -> Result<Response, SendError>>;

#[derive(Default)]
struct World {
    handler: Option<Handler>,
    manifest: Option<Manifest>,
    key: Option<String>,
    secrets: BTreeMap<String, Vec<u8>>,
    kv: BTreeMap<String, Vec<u8>>,
    clock: Option<i64>,
    sent: Vec<Sent>,
    log: Vec<(Level, String)>,
    // What is to happen to the answers of the next requests that change something.
    faults: VecDeque<Failure>,
    requests: u32,
}

thread_local! {
    static WORLD: RefCell<World> = RefCell::default();
}

fn with<T>(f: impl FnOnce(&mut World) -> T) -> T {
    WORLD.with_borrow_mut(f)
}

/// An empty gateway again.
pub fn reset() {
    with(|world| *world = World::default());
}

/// Requests are answered by this, with secrets and idempotency header in them, as the other side sees them.
pub fn http(handler: impl FnMut(&Sent) -> Result<Response, SendError> + 'static) {
    with(|world| world.handler = Some(Box::new(handler)));
}

/// Requests go to a program on this machine, whatever host they name: `http_to("http://127.0.0.1:25001")`.
pub fn http_to(address: &str) {
    let peer = peer::Peer::new(address);
    http(move |request| peer.send(request));
}

/// Holds requests to this `plugin.toml`: `manifest(include_str!("../plugin.toml"), &[])`. The settings are for hosts that come from one.
///
/// # Panics
/// If it cannot be read.
pub fn manifest(text: &str, settings: &[(&str, &str)]) {
    let manifest = Manifest::read(text, settings).unwrap_or_else(|error| panic!("plugin.toml: {error}"));
    with(|world| world.manifest = Some(manifest));
}

/// From now on calls are calls of the outbox under this key: requests that change something get the idempotency header of their rule in the [`manifest`].
pub fn key(key: &str) {
    with(|world| world.key = Some(key.to_owned()));
}

/// From now on calls are no calls of the outbox.
pub fn no_key() {
    with(|world| world.key = None);
}

/// The operator gives a secret.
pub fn secret(name: &str, value: &str) {
    with(|world| world.secrets.insert(name.to_owned(), value.as_bytes().to_vec()));
}

/// Sets the clock, in milliseconds since 1970; it stands still from then on.
pub fn set_clock(now: i64) {
    with(|world| world.clock = Some(now));
}

/// The next request that is neither GET nor HEAD ends so. With [`Failure::Lost`] and [`Failure::TooLarge`] the other side gets it and acts on it, and
/// only its answer is lost; with any other it never gets there. Several wait for their turn.
pub fn fail_next(failure: Failure) {
    with(|world| world.faults.push_back(failure));
}

/// All requests so far, as the plugin wrote them: with placeholders instead of secrets.
pub fn sent() -> Vec<Sent> {
    with(|world| world.sent.clone())
}

/// The lines of the log so far.
pub fn log() -> Vec<(Level, String)> {
    with(|world| world.log.clone())
}

/// What is kept.
pub fn kept() -> Vec<(String, Vec<u8>)> {
    with(|world| world.kv.iter().map(|(name, value)| (name.clone(), value.clone())).collect())
}

/// One call of the plugin: what it wrote to `kv` is kept if it returns and dropped if it panics, and it may send 20 requests.
pub fn call<T>(f: impl FnOnce() -> T) -> T {
    let before = with(|world| {
        world.requests = 0;
        world.kv.clone()
    });
    catch_unwind(AssertUnwindSafe(f)).unwrap_or_else(|panic| {
        with(|world| world.kv = before);
        resume_unwind(panic)
    })
}

/// The idempotency header's value as the other side sees it: the outbox's key, and eight hex digits of method and path. So the same thing asked for again
/// has the same value, and two different things in one call have two.
pub fn idempotency_key(key: &str, method: &str, path: &str) -> String {
    let path = path.split('?').next().unwrap_or_default();
    let hash = fake::digest(Hash::Sha256, format!("{method} {path}").as_bytes());
    let hex: String = hash.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    format!("{key}-{hex}")
}

/// An answer with this status and body.
pub fn answer(status: u16, body: impl Into<Vec<u8>>) -> Response {
    Response { status, headers: Vec::new(), body: body.into() }
}

/// Settings, or headers of a call from outside.
pub fn options(pairs: &[(&str, &str)]) -> Options {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::Request;
    use crate::{Outcome, clock, crypto, kv};

    const MANIFEST: &str = r#"
        [[http]]
        host = "api.example.com"
        methods = ["GET", "POST"]
        paths = ["/v1/"]
        idempotency = "Idempotency-Key"
        [[http]]
        host = "{{setting:other}}"
        methods = ["POST"]
        paths = ["/send"]
        [secrets.api_key]
        hosts = ["api.example.com"]
        [secrets.password]
        hosts = ["{{setting:other}}"]
        places = ["body"]
    "#;

    fn echo() {
        reset();
        manifest(MANIFEST, &[("other", "http://sms.example.com:8080/api/")]);
        http(|request| {
            let headers = request.headers.clone();
            Ok(Response { status: 200, headers, body: request.body.clone() })
        });
    }

    #[test]
    fn what_is_not_in_the_manifest_is_denied() {
        echo();
        for (method, url) in [
            ("GET", "https://evil.example.com/v1/x"),
            ("GET", "https://api.example.com/v2/x"),
            ("GET", "https://api.example.com:444/v1/x"),
            ("GET", "http://api.example.com/v1/x"),
            ("DELETE", "https://api.example.com/v1/x"),
            ("POST", "http://sms.example.com:8080/send"),
            ("POST", "http://sms.example.com:8080/api/sender"),
        ] {
            let error = Request::new(method, url).send().unwrap_err();
            assert_eq!(
                (error.code.as_str(), error.outcome),
                ("http-denied", Outcome::NotDone),
                "{method} {url}"
            );
        }
        Request::get("https://api.example.com/v1/x?y").send().unwrap();
        Request::post("http://sms.example.com:8080/api/send").send().unwrap();
    }

    #[test]
    fn secrets_go_to_their_hosts_and_places_only() {
        echo();
        secret("api_key", "s3cret&key");
        secret("password", "pass\"word");
        let to =
            |url: &str| Request::post(url).header("x", "{{secret:api_key}} {{basic:me:api_key}} {{other}}");
        let answer = to("https://api.example.com/v1/x").send().unwrap();
        assert_eq!(answer.header("x"), Some("s3cret&key bWU6czNjcmV0JmtleQ== {{other}}"));
        assert!(
            to("http://sms.example.com:8080/api/send")
                .send()
                .unwrap_err()
                .detail
                .contains("not bound to sms.example.com")
        );
        let in_body = Request::post("http://sms.example.com:8080/api/send")
            .json(&"{{secret:password}}")
            .send()
            .unwrap();
        assert_eq!(in_body.text(), r#""pass\"word""#);
        let elsewhere =
            Request::post("https://api.example.com/v1/x").body("text/plain", "{{secret:api_key}}");
        assert!(elsewhere.send().unwrap_err().detail.contains("body"));
        assert_eq!(sent()[0].header("X"), Some("{{secret:api_key}} {{basic:me:api_key}} {{other}}"));
    }

    #[test]
    fn a_call_of_the_outbox_has_its_key_where_the_rule_says_so() {
        echo();
        key("k-1");
        let post = |path: &str| Request::post(format!("https://api.example.com/v1/{path}")).send().unwrap();
        let first = post("a").header("idempotency-key").unwrap().to_owned();
        assert!(first.starts_with("k-1-") && first.len() == 12, "{first}");
        assert_eq!(post("a?b").header("idempotency-key"), Some(first.as_str()));
        assert_ne!(post("b").header("idempotency-key"), Some(first.as_str()));
        let get = Request::get("https://api.example.com/v1/a").send().unwrap();
        let other = Request::post("http://sms.example.com:8080/api/send").send().unwrap();
        assert_eq!((get.header("idempotency-key"), other.header("idempotency-key")), (None, None));
        no_key();
        assert_eq!(post("a").header("idempotency-key"), None);
    }

    #[test]
    fn a_lost_answer_was_acted_on_and_a_missing_connection_was_not() {
        echo();
        let count = std::rc::Rc::new(std::cell::Cell::new(0));
        let seen = count.clone();
        http(move |_| {
            seen.set(seen.get() + 1);
            Ok(answer(200, ""))
        });
        fail_next(Failure::Lost);
        fail_next(Failure::NoConnection);
        Request::get("https://api.example.com/v1/a").send().unwrap();
        let post =
            || Request::post("https://api.example.com/v1/a").send().map(|a| a.status).map_err(|e| e.outcome);
        assert_eq!([post(), post(), post()], [Err(Outcome::Unknown), Err(Outcome::NotDone), Ok(200)]);
        assert_eq!(count.get(), 3);
    }

    #[test]
    fn a_call_that_panics_keeps_nothing() {
        reset();
        call(|| kv::set("a", b"1").unwrap());
        let panicked = catch_unwind(|| {
            call(|| {
                kv::set("b", b"2").unwrap();
                panic!("as wanted");
            })
        });
        assert!(panicked.is_err());
        assert_eq!(kept(), [("a".to_owned(), b"1".to_vec())]);
    }

    #[test]
    fn a_call_sends_twenty_requests_and_no_more() {
        echo();
        let many = || {
            (0..21).map(|_| Request::get("https://api.example.com/v1/a").send()).filter(Result::is_ok).count()
        };
        assert_eq!(call(many), 20);
    }

    #[test]
    fn the_clock_stands_where_it_was_set_and_zones_have_their_offsets() {
        reset();
        set_clock(1_774_746_000_000);
        assert_eq!(clock::now(), 1_774_746_000_000);
        assert_eq!(clock::offset(clock::now(), "Europe/Oslo"), Some(7_200));
        assert_eq!(clock::offset(clock::now() - 1, "Europe/Oslo"), Some(3_600));
        assert_eq!(clock::offset(0, "Mars/Olympus"), None);
    }

    // RFC 4231, case 2; RFC 7515 with the key as text is in the gateway's own tests.
    #[test]
    fn arithmetic_with_secrets_is_that_of_the_standards() {
        reset();
        secret("k", "Jefe");
        let mac = crypto::hmac(Hash::Sha256, "k", b"what do ya want for nothing?").unwrap();
        let hex: String = mac.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
        assert_eq!(crypto::hmac_equals(Hash::Sha256, "k", b"x", &mac), Ok(false));
        assert!(crypto::hmac(Hash::Sha1, "nobody", b"x").is_err());
        let token = crypto::jwt("HS256", "k", "", r#"{"iss":"me"}"#).unwrap();
        assert_eq!(token.split('.').count(), 3);
        assert!(crypto::jwt("ES256", "k", "", "{}").is_err());
        assert_ne!(crypto::random(16), crypto::random(16));
    }
}
