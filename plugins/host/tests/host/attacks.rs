//! What a guest might do to the host, to other guests, and to the world.

use crate::support::{
    Fake, act, actor, actor_code, actor_with, code, echo, guest, host, installation, limited, limited_in,
    message, refused, said, say, stopped,
};
use futures_util::future::BoxFuture;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use takst_plugins::http::transport::{Outgoing, Transport};
use takst_plugins::manifest::Manifest;
use takst_plugins::model::Outcome;
use takst_plugins::model::http::{Failure, Response, SendError};
use takst_plugins::{Kind, kv};

#[tokio::test]
async fn an_endless_loop_ends() {
    let plugin = actor();
    let began = Instant::now();
    let done = act(&plugin, "loop", "", "").await;
    let stop = stopped(&done, Kind::Cpu);
    assert_eq!(stop.outcome, Outcome::NotDone);
    assert!(stop.detail.contains("100 ms") && stop.detail.contains("[limits] cpu"), "{}", stop.detail);
    assert!(done.usage.cpu_us >= 100_000, "{:?}", done.usage);
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    said(act(&plugin, "echo", "", "still there").await);
}

#[tokio::test]
async fn fuel_ends_too() {
    let plugin = limited("fuel = 1000000\ncpu = \"10 s\"");
    let done = act(&plugin, "loop", "", "").await;
    assert!(stopped(&done, Kind::Fuel).detail.contains("1000000"));
    assert_eq!(done.usage.fuel, 1_000_000);
}

#[tokio::test]
async fn a_loop_of_host_calls_ends() {
    stopped(&act(&actor(), "kv-loop", "", "").await, Kind::Cpu);
    let done = act(&actor(), "log-loop", "", &"x".repeat(5_000)).await;
    stopped(&done, Kind::Cpu);
    assert!(done.usage.log <= 64 * 1024);
}

#[tokio::test]
async fn memory_is_bounded() {
    let done = act(&actor(), "memory", "", "").await;
    let stop = stopped(&done, Kind::Memory);
    assert!(stop.detail.contains("32 MiB") && stop.detail.contains("[limits] memory"), "{}", stop.detail);
    assert!(done.usage.memory <= 32 << 20, "{:?}", done.usage);
    assert!(done.usage.memory > 16 << 20, "{:?}", done.usage);
}

// A guest that fits, with these parts besides, in a component of their own.
fn starting(parts: &str) -> Vec<u8> {
    let (mut depth, mut known) = (0_usize, 0_usize);
    for payload in wasmparser::Parser::new(0).parse_all(guest("actor")) {
        match payload.unwrap() {
            wasmparser::Payload::Version { .. } => depth += 1,
            wasmparser::Payload::End(_) => depth -= 1,
            wasmparser::Payload::ComponentSection { .. } if depth == 1 => known += 1,
            _ => {}
        }
    }
    let more = wat::parse_str(format!("(component (component {parts}) (instance (instantiate {known})))"));
    // Its sections, without the header.
    [guest("actor"), &more.unwrap()[8..]].concat()
}

fn bomb(wasm: &[u8]) -> Result<takst_plugins::Plugin, String> {
    let text = "id = \"bomb\"\nversion = \"1.0.0\"\ninterface = \"1.0.0\"\ndescription = \"x\"\nauthor = \"x\"\ncapabilities = [\"notifier\", \"payment-provider\"]";
    let manifest = Manifest::read("plugin.toml", text).unwrap();
    let code = host().code(&manifest, wasm).map_err(|error| error.to_string())?;
    Ok(host().plugin(&code, installation(&manifest)))
}

async fn start(wasm: &[u8]) -> takst_plugins::Stop {
    let plugin = bomb(wasm).unwrap_or_else(|error| panic!("{error}"));
    match act(&plugin, "echo", "", "").await.result {
        Err(takst_plugins::Failed::Stopped(stop)) => stop,
        other => panic!("it started: {other:?}"),
    }
}

async fn starts(wasm: &[u8]) {
    let plugin = bomb(wasm).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(said(act(&plugin, "echo", "", "here").await), "here");
}

#[tokio::test]
async fn memories_are_summed() {
    // 12 MiB each: one is fine, three are not.
    let module =
        |name: &str| format!("(core module ${name} (memory 192)) (core instance (instantiate ${name}))");
    starts(&starting(&module("a"))).await;
    let three = start(&starting(&format!("{}{}{}", module("a"), module("b"), module("c")))).await;
    assert_eq!(three.kind, Kind::Memory, "{three:?}");
    // Two memories of one module that take turns growing until neither can, then crash.
    let grow = r#"(core module $g (memory $a 1) (memory $b 1)
        (func $f (loop $l
            (br_if $l (i32.ne (memory.grow $a (i32.const 16)) (i32.const -1)))
            (br_if $l (i32.ne (memory.grow $b (i32.const 16)) (i32.const -1))))
            unreachable)
        (start $f)) (core instance (instantiate $g))"#;
    assert_eq!(start(&starting(grow)).await.kind, Kind::Memory);
}

#[tokio::test]
async fn tables_count_as_memory() {
    let large = "(core module $t (table 3000000 funcref)) (core instance (instantiate $t))";
    assert_eq!(start(&starting(large)).await.kind, Kind::Memory);
    let grow = r#"(core module $g (table $t 1 funcref)
        (func $f (loop $l (br_if $l (i32.ne (table.grow $t (ref.null func) (i32.const 10000)) (i32.const -1)))) unreachable)
        (start $f)) (core instance (instantiate $g))"#;
    assert_eq!(start(&starting(grow)).await.kind, Kind::Memory);
    // Many small ones cost the host more than their bytes.
    let many = "(core module $m (memory 1)) ".to_owned() + &"(core instance (instantiate $m)) ".repeat(60);
    assert_eq!(start(&starting(&many)).await.kind, Kind::Start);
    // What runs while it starts is under the same limits.
    let spin = "(core module $s (func $f (loop $l (br $l))) (start $f)) (core instance (instantiate $s))";
    assert_eq!(start(&starting(spin)).await.kind, Kind::Cpu);
}

#[tokio::test]
async fn as_many_instances_as_a_language_needs_and_no_more() {
    let small = |times: usize| {
        let one = "(core instance (instantiate $m)) ";
        format!("(core module $m (global i32 (i32.const 0)) (func)) {}", one.repeat(times))
    };
    // componentize-py 0.25 makes 112.
    starts(&starting(&small(300))).await;
    let refused = |parts: &str| bomb(&starting(parts)).err().unwrap_or_else(|| panic!("it was loaded"));
    let text = refused(&small(600));
    assert!(text.contains("core instances, at most 512"), "{text}");
    // Ten times ten times ten are not seen by counting what is written down.
    let nested = format!(
        "(component $a {}) (component $b (alias outer 1 $a (component $a)) {}) {}",
        small(10),
        "(instance (instantiate $a)) ".repeat(10),
        "(instance (instantiate $b)) ".repeat(10)
    );
    let text = refused(&nested);
    assert!(text.contains("core instances, at most 512"), "{text}");
    // Few instances, each of which takes much of the host and nothing of its memory.
    let large = format!(
        "(core module $m {}) {}",
        "(func)".repeat(30_000),
        "(core instance (instantiate $m)) ".repeat(20)
    );
    let text = refused(&large);
    assert!(text.contains("in all its instances, at most 500000"), "{text}");
    let handed = "(component $c (import \"m\" (core module $m)) (core instance (instantiate $m)))
        (core module $x) (instance (instantiate $c (with \"m\" (core module $x))))";
    let text = refused(handed);
    assert!(text.contains("hand modules"), "{text}");
}

#[tokio::test]
async fn deep_recursion_ends() {
    // A Rust guest has a stack of its own in its memory, which ends first.
    let stop = stopped(&act(&actor(), "stack", "", "").await, Kind::Trap);
    assert!(stop.detail.contains("recursion"), "{}", stop.detail);
    let deep = "(core module $d (func $f (call $f)) (start $f)) (core instance (instantiate $d))";
    let stop = start(&starting(deep)).await;
    assert_eq!(stop.kind, Kind::Stack);
    assert!(stop.detail.contains("too deeply"), "{}", stop.detail);
}

#[tokio::test]
async fn the_log_is_bounded() {
    let done = act(&actor(), "log-flood", "", "1000").await;
    assert!(done.log.iter().all(|line| line.text.len() <= 1024));
    assert!(done.usage.log <= 64 * 1024 && done.log.len() < 70, "{}", done.log.len());
    assert!(done.warnings[0].contains("lines of the log were dropped"), "{:?}", done.warnings);
    // A line cannot pretend to be two, and is cut where a character ends.
    let done = act(&actor(), "log", "", "one\n2026-11-22 ERROR gateway: forged\u{1b}[2J").await;
    assert_eq!(done.log[0].text, "one\\n2026-11-22 ERROR gateway: forged\\u{1b}[2J");
    let done = act(&actor(), "log", "", &"ø".repeat(2_000)).await;
    assert!(done.log[0].text.ends_with("ø…") && done.log[0].text.len() <= 1024);
}

// A space that counts what is written at once.
#[derive(Clone, Default)]
struct Counting {
    space: kv::Memory,
    most: Arc<AtomicU32>,
    now: Arc<AtomicU32>,
    together: Arc<AtomicU32>,
}

impl kv::Kv for Counting {
    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Vec<u8>>, String>> {
        self.space.get(key)
    }

    fn names<'a>(
        &'a self,
        prefix: &'a str,
        after: Option<&'a str>,
        most: usize,
    ) -> BoxFuture<'a, Result<Vec<String>, String>> {
        self.space.names(prefix, after, most)
    }

    fn size(&self) -> BoxFuture<'_, Result<u64, String>> {
        self.space.size()
    }

    fn commit<'a>(&'a self, changes: &'a kv::Changes) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(async move {
            self.most.fetch_max(changes.len().try_into().unwrap(), Ordering::SeqCst);
            let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
            self.together.fetch_max(now, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(20)).await;
            self.now.fetch_sub(1, Ordering::SeqCst);
            self.space.commit(changes).await
        })
    }
}

#[tokio::test]
async fn a_call_changes_few_names_and_calls_keep_them_one_after_the_other() {
    let space = Counting::default();
    let with = |limits: &str| {
        let code = actor_code(host(), &format!("[limits]\n{limits}"));
        let mut installation = installation(&code.manifest);
        installation.kv = Arc::new(space.clone());
        host().plugin(&code, installation)
    };
    let plugin = with("cpu = \"10 s\"");
    let done = act(&plugin, "kv-many", "", "").await;
    assert_eq!(done.usage.writes, 200);
    let text = said(done);
    assert!(text.starts_with("200 ") && text.contains("[limits] writes"), "{text}");
    assert_eq!((space.space.all().len(), space.most.load(Ordering::SeqCst)), (200, 200));
    // What comes and goes within a call leaves nothing to be written.
    let done = act(&plugin, "kv-churn", "", "").await;
    assert_eq!(done.usage.writes, 1);
    said(done);
    assert_eq!(space.space.all().len(), 201);
    // One name more than it may change; there is no answer to a deletion, so the call ends and nothing of it is kept.
    let stop = act(&plugin, "kv-clear", "", "").await;
    let stop = stopped(&stop, Kind::Trap);
    assert!(stop.detail.contains("200 names") && stop.detail.contains("[limits] writes"), "{}", stop.detail);
    assert_eq!(space.space.all().len(), 201);
    // Many calls at once come to the store one by one.
    let calls = (0..8).map(|number| {
        let plugin = plugin.clone();
        async move { said(act(&plugin, "kv-set", &format!("k{number}"), "x").await) }
    });
    futures_util::future::join_all(calls).await;
    assert_eq!(space.together.load(Ordering::SeqCst), 1);
    // With more granted it may.
    let plugin = with("cpu = \"10 s\"\nwrites = 500");
    let text = said(act(&plugin, "kv-many", "", "").await);
    assert!(text.starts_with("500 "), "{text}");
    said(act(&with("cpu = \"10 s\"\nwrites = 5000"), "kv-clear", "", "").await);
    assert!(space.space.all().is_empty());
}

#[tokio::test]
async fn the_space_is_bounded_and_ones_own() {
    let mut installation = installation(&code().manifest);
    let space = kv::Memory::default();
    installation.kv = Arc::new(space.clone());
    let plugin = host().plugin(code(), installation);
    let text = said(act(&plugin, "kv-flood", "", "").await);
    assert!(text.starts_with("20 ") && text.contains("1 MiB"), "{text}");
    let size: usize = space.all().iter().map(|(name, value)| name.len() + value.len()).sum();
    assert!(size <= 1 << 20, "{size}");
    // What is there may be replaced by something of its size, and nothing may be added.
    assert!(refused(act(&plugin, "kv-set", "new", &"x".repeat(60_000)).await).1.contains("used up"));
    said(act(&plugin, "kv-set", "k0", "short").await);
    for key in ["", &"k".repeat(257)] {
        assert!(refused(act(&plugin, "kv-set", key, "x").await).1.contains("1 to 256"));
    }
    // Another plugin, even one of the same name, has another space: there is no name that leads out of it.
    let other = actor();
    for key in ["k1", "../k1", "actor/k1", "/k1"] {
        assert_eq!(said(act(&other, "kv-get", key, "").await), "nothing");
    }
    assert_eq!(said(act(&other, "kv-names", "", "").await), "");
}

#[tokio::test]
async fn huge_things_do_not_pass() {
    stopped(&act(&actor(), "huge", "", "300000").await, Kind::Output);
    stopped(&act(&actor(), "huge", "", "3000000").await, Kind::Output);
    stopped(&act(&actor(), "hand-over", "", "1000000").await, Kind::Output);
    said(act(&actor(), "hand-over", "", "200000").await);
    let done = act(&actor(), "echo", "", &"x".repeat(300_000)).await;
    assert!(stopped(&done, Kind::Input).detail.contains("256 KiB"));
    assert_eq!(done.usage.fuel, 0, "it was not called");
    // Lists that are much larger in the host than in the guest.
    let began = Instant::now();
    let done = act(&actor(), "list-bomb", "", "20000").await;
    stopped(&done, Kind::Output);
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    let stop = stopped(&act(&actor(), "random", "", "1025").await, Kind::Trap);
    assert!(stop.detail.contains("1025 random bytes"), "{}", stop.detail);
}

#[tokio::test]
async fn who_is_not_granted_is_not_called() {
    let sent = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&sent);
    let plugin = actor_with(Arc::new(Fake(move |_: &Outgoing| {
        count.fetch_add(1, Ordering::SeqCst);
        Ok(Response { status: 200, headers: vec![], body: vec![] })
    })));
    for address in [
        "http://api.example.com/",
        "https://evil.example.com/",
        "https://api.example.com@evil.com/",
        "https://api.example.com:8443/",
        "https://api.example.com.evil.com/",
        "https://api.example.com./",
        "https://127.0.0.1/",
        "https://2130706433/",
        "https://0177.0.0.1/",
        "https://0x7f000001/",
        "https://[::1]/",
        "https://[::ffff:169.254.169.254]/",
        "https://localhost/",
        "https://api.example.com\\@evil.com/",
        "https://api.example.com%2eevil.com/",
        "https://api.example.com\r\nhost: evil.com/",
        "file:///etc/passwd",
        "gopher://api.example.com/",
    ] {
        let (code, detail) = refused(act(&plugin, "http", address, "").await);
        assert_eq!(code, "Failure::Denied", "{address}: {detail}");
    }
    let (_, detail) = refused(act(&plugin, "http", "https://evil.example.com/x", "").await);
    assert!(detail.contains("[[http]]") && detail.contains("host = \"evil.example.com\""), "{detail}");
    // Headers that would say something else than the address, and ends of line.
    for (name, value) in [
        ("host", "evil.com"),
        ("Transfer-Encoding", "chunked"),
        ("x", "a\r\nhost: evil.com"),
        ("x\r\ny", "z"),
    ] {
        let mut m = message("http", "https://api.example.com/", "");
        m.more = vec![(name.to_owned(), value.to_owned())];
        assert_eq!(refused(say(&plugin, m).await).0, "Failure::Denied", "{name}");
    }
    for method in ["CONNECT", "TRACE", "DELETE", "GET / HTTP/1.1\r\nx: y\r\n\r\nGET"] {
        let mut m = message("http", "https://api.example.com/", "");
        m.subject = method.to_owned();
        assert_eq!(refused(say(&plugin, m).await).0, "Failure::Denied", "{method}");
    }
    assert_eq!(sent.load(Ordering::SeqCst), 0);
    said(act(&plugin, "http", "https://API.example.com/", "").await);
    assert_eq!(sent.load(Ordering::SeqCst), 1);
    let words = said(act(&plugin, "http-many", "https://api.example.com/", "22").await);
    assert!(words.ends_with("ok,Failure::TooMany,Failure::TooMany"), "{words}");
    assert_eq!(sent.load(Ordering::SeqCst), 21);
}

fn with_header(value: &str) -> takst_plugins::model::messages::Message {
    let mut m = message("http", "https://api.example.com/", "");
    m.more = vec![("authorization".to_owned(), value.to_owned())];
    m
}

#[tokio::test]
async fn a_secret_goes_to_its_host_and_does_not_come_back() {
    // The transport answers with what it was sent, so the secret is in the answer that the host gets.
    let seen = Arc::new(std::sync::Mutex::new(String::new()));
    let keep = Arc::clone(&seen);
    let plugin = actor_with(Arc::new(Fake(move |request: &Outgoing| {
        let text =
            format!("{} {:?} {}", request.url, request.headers, String::from_utf8_lossy(&request.body));
        keep.lock().unwrap().clone_from(&text);
        Ok(Response {
            status: 200,
            headers: vec![("x-echo".to_owned(), text.clone())],
            body: text.into_bytes(),
        })
    })));
    let secret = "sk_live_4242424242";
    let text = said(say(&plugin, with_header("Bearer {{secret:api_key}}")).await);
    assert!(seen.lock().unwrap().contains("Bearer sk_live_4242424242"));
    assert!(!text.contains(secret) && text.contains("Bearer {{secret:api_key}}"), "{text}");
    let text = said(say(&plugin, with_header("Basic {{basic:user:api_key}}")).await);
    assert!(seen.lock().unwrap().contains("Basic dXNlcjpza19saXZlXzQyNDI0MjQyNDI="));
    assert!(!text.contains("dXNlcjpza19saXZl"), "{text}");
    let text =
        said(act(&plugin, "http", "https://api.example.com/?k={{secret:api_key}}&x={{other}}", "").await);
    assert!(seen.lock().unwrap().contains("k=sk_live_4242424242"));
    assert!(!text.contains(secret), "{text}");
    // Not into a body unless the manifest says so: a message's text stands there as well.
    let (_, detail) = refused(act(&plugin, "http", "https://api.example.com/", "{{secret:api_key}}").await);
    assert!(detail.contains("places = [\"body\"]"), "{detail}");
    // Not the secret that only signs, and none that the manifest does not know.
    let (_, detail) = refused(say(&plugin, with_header("{{secret:signing}}")).await);
    assert!(detail.contains("not bound to api.example.com"), "{detail}");
    let (_, detail) = refused(say(&plugin, with_header("{{secret:other}}")).await);
    assert!(detail.contains("no secret `other`"), "{detail}");
}

#[tokio::test]
async fn a_secret_does_not_come_back_in_another_coding() {
    use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD, Engine as _};
    let secret = "sk_live_4242424242";
    let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
    let mut coded = vec![hex.to_ascii_uppercase(), hex];
    for before in ["", "k", "k=", "key", "{\"k\":\"", "keys=?"] {
        for after in ["", "!", "&x", "&x=", "\",\"n\":\"~~~\"}"] {
            let whole = format!("{before}{secret}{after}");
            coded.extend([BASE64_STANDARD.encode(&whole), BASE64_URL_SAFE_NO_PAD.encode(&whole)]);
        }
    }
    for text in coded {
        let body = text.clone();
        let plugin = actor_with(Arc::new(Fake(move |_: &Outgoing| {
            Ok(Response { status: 200, headers: vec![], body: format!("<{body}>").into_bytes() })
        })));
        let seen = said(act(&plugin, "http", "https://api.example.com/", "").await);
        assert!(seen.contains("{{secret:api_key}}"), "{text}: {seen}");
        // Not six bytes of it in a row.
        let left = seen.split("{{secret:api_key}}").map(str::to_owned).collect::<Vec<_>>();
        let inside = secret.as_bytes().windows(6).any(|part| {
            let hex: String = part.iter().map(|byte| format!("{byte:02x}")).collect();
            left.iter().any(|left| left.to_ascii_lowercase().contains(&hex))
        });
        let known = BASE64_STANDARD.encode(secret);
        let digits = known
            .as_bytes()
            .windows(8)
            .any(|part| left.iter().any(|left| left.contains(std::str::from_utf8(part).unwrap())));
        assert!(!inside && !digits, "{text}: {seen}");
        assert!(left.iter().all(|left| !left.contains('<') || left.len() < 40), "{text}: {seen}");
    }
}

#[tokio::test]
async fn a_secret_with_an_end_of_line_begins_no_header() {
    let mut installation = installation(&code().manifest);
    installation.secrets =
        Arc::new(takst_plugins::secrets::Memory::new([("api_key", "sk_live_42\r\nhost: evil.com")]));
    let plugin = host().plugin(code(), installation);
    let (_, detail) = refused(say(&plugin, with_header("Bearer {{secret:api_key}}")).await);
    assert!(detail.contains("end of line") && !detail.contains("sk_live"), "{detail}");
    let mut installation = self::installation(&code().manifest);
    installation.secrets = Arc::new(takst_plugins::secrets::Memory::default());
    let plugin = host().plugin(code(), installation);
    assert!(refused(say(&plugin, with_header("Bearer {{secret:api_key}}")).await).1.contains("has no value"));
}

#[tokio::test]
async fn what_stops_after_a_request_is_unknown() {
    let plugin = actor_with(echo());
    let address = "https://api.example.com/";
    assert_eq!(stopped(&act(&plugin, "http-panic", address, "").await, Kind::Trap).outcome, Outcome::Unknown);
    assert_eq!(stopped(&act(&plugin, "http-loop", address, "").await, Kind::Cpu).outcome, Outcome::Unknown);
    // What was denied was not sent.
    let done = act(&plugin, "http-panic", "https://evil.example.com/", "").await;
    assert_eq!(stopped(&done, Kind::Trap).outcome, Outcome::NotDone);
    let nowhere = actor_with(Arc::new(Fake(|_: &Outgoing| {
        Err(SendError { failure: Failure::NoConnection, detail: "nobody there".to_owned() })
    })));
    assert_eq!(
        stopped(&act(&nowhere, "http-panic", address, "").await, Kind::Trap).outcome,
        Outcome::NotDone
    );
}

struct Hangs;

impl Transport for Hangs {
    fn send(&self, _: Outgoing) -> BoxFuture<'_, Result<Response, SendError>> {
        Box::pin(std::future::pending())
    }
}

#[tokio::test]
async fn a_request_that_hangs_is_left() {
    let host = crate::support::host_with(Arc::new(Hangs));
    let plugin = limited_in(&host, "wall = \"300 ms\"");
    let done = act(&plugin, "http", "https://api.example.com/", "").await;
    let stop = stopped(&done, Kind::Time);
    assert_eq!(stop.outcome, Outcome::Unknown);
    assert!(stop.detail.contains("300 ms"), "{}", stop.detail);
    assert!(
        done.usage.wall_us < 3_000_000 && done.usage.cpu_us < 100_000,
        "waiting is no CPU time: {:?}",
        done.usage
    );
}

#[tokio::test]
async fn a_secret_in_a_body_is_coded_for_it() {
    let seen = Arc::new(std::sync::Mutex::new(String::new()));
    let keep = Arc::clone(&seen);
    let host = crate::support::host_with(Arc::new(Fake(move |request: &Outgoing| {
        keep.lock().unwrap().clone_from(&format!(
            "{} {}",
            request.url,
            String::from_utf8_lossy(&request.body)
        ));
        Ok(Response { status: 200, headers: vec![], body: request.body.clone() })
    })));
    // The host is whatever the operator writes into a setting.
    let text =
        crate::support::ACTOR.replace("host = \"api.example.com\"", "host = \"{{setting:gate}}\"").replace(
            "hosts = [\"api.example.com\"]",
            "hosts = [\"{{setting:gate}}\"]\nplaces = [\"query\", \"body\"]",
        );
    let text = format!("{text}\n[settings.gate]\ntype = \"address\"\nhelp = \"Where.\"");
    let gated = |gate: &str| {
        let code = host.code(&crate::support::manifest(&text), crate::support::guest("actor")).unwrap();
        let mut installation = installation(&code.manifest);
        installation.settings = vec![("gate".to_owned(), gate.to_owned())];
        installation.secrets = Arc::new(takst_plugins::secrets::Memory::new([("api_key", "p\"ss&wörd 1")]));
        host.plugin(&code, installation)
    };
    let plugin = gated("https://sms.example.net:8443/api");
    let body = |kind: &str, text: &str| {
        let mut m = message("http", "https://sms.example.net:8443/api/send", text);
        m.more = vec![("content-type".to_owned(), kind.to_owned())];
        m
    };
    for (kind, asked, sent) in [
        ("application/x-www-form-urlencoded", "p={{secret:api_key}}&q=1", "p=p%22ss%26w%C3%B6rd%201&q=1"),
        ("application/json", r#"{"p": "{{secret:api_key}}"}"#, r#"{"p": "p\"ss&wörd 1"}"#),
        ("text/plain", "{{secret:api_key}} {{name}} {{secret:", "p\"ss&wörd 1 {{name}} {{secret:"),
    ] {
        let text = said(say(&plugin, body(kind, asked)).await);
        assert!(seen.lock().unwrap().ends_with(sent), "{}", seen.lock().unwrap());
        // What comes back is what was asked.
        assert!(text.ends_with(asked), "{text}");
    }
    let mut m = body("text/plain", "");
    m.to.push_str("?key={{secret:api_key}}");
    said(say(&plugin, m).await);
    assert!(
        seen.lock().unwrap().contains("/api/send?key=p%22ss%26w%C3%B6rd%201 "),
        "{}",
        seen.lock().unwrap()
    );
    let mut m = body("text/plain", "");
    m.more.push(("authorization".to_owned(), "{{secret:api_key}}".to_owned()));
    assert!(refused(say(&plugin, m).await).1.contains("places = [\"header\"]"));
    // With another setting the same address is somebody else's.
    let (code, _) = refused(say(&gated("https://other.example.net/"), body("text/plain", "x")).await);
    assert_eq!(code, "Failure::Denied");
    // A rule with a port of its own has its secrets at that port, and nowhere else.
    let text = text.replace("host = \"{{setting:gate}}\"", "host = \"{{setting:gate}}\"\nport = 8443");
    let code = host.code(&crate::support::manifest(&text), crate::support::guest("actor")).unwrap();
    let mut installation = installation(&code.manifest);
    installation.settings = vec![("gate".to_owned(), "https://sms.example.net/api".to_owned())];
    installation.secrets = Arc::new(takst_plugins::secrets::Memory::new([("api_key", "p\"ss&wörd 1")]));
    let plugin = host.plugin(&code, installation);
    said(say(&plugin, body("text/plain", "{{secret:api_key}}")).await);
    assert!(seen.lock().unwrap().ends_with("p\"ss&wörd 1"), "{}", seen.lock().unwrap());
}
