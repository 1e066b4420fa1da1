//! Guests, built once, and hosts around them.

use futures_util::future::BoxFuture;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};
use takst_plugin_build::{Guests, component, module};
use takst_plugins::grant::Grant;
use takst_plugins::host::{Clock, Host, Setup};
use takst_plugins::http::transport::{Outgoing, Transport};
use takst_plugins::load::Code;
use takst_plugins::manifest::Manifest;
use takst_plugins::model::http::{Response, SendError};
use takst_plugins::model::messages::{Message, Receipt};
use takst_plugins::pool::Bounds;
use takst_plugins::{Context, Done, Failed, Installation, Kind, Plugin, kv, secrets};

/// The component of a guest in `tests/guests`.
pub fn guest(name: &str) -> &'static [u8] {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    static ALL: Mutex<Vec<(String, &'static [u8])>> = Mutex::new(Vec::new());
    let folder = FOLDER.get_or_init(|| {
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/guests/Cargo.toml");
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join("plugins");
        // The lock file follows the SDK's dependencies by itself.
        let guests = Guests { manifest: &manifest, target: &target, package: None, locked: false };
        guests.build().unwrap_or_else(|error| panic!("{error}"))
    });
    let mut all = ALL.lock().unwrap();
    if let Some((_, bytes)) = all.iter().find(|(known, _)| known == name) {
        return bytes;
    }
    let bytes = component(&module(folder, name).unwrap()).unwrap_or_else(|error| panic!("{error}"));
    all.push((name.to_owned(), bytes.leak()));
    all.last().unwrap().1
}

pub fn manifest(text: &str) -> Manifest {
    Manifest::read("plugin.toml", text).unwrap_or_else(|error| panic!("{error}"))
}

pub const ACTOR: &str = r#"
id = "actor"
version = "1.0.0"
interface = "1.0.0"
description = "Does what it is told."
author = "Takst"
capabilities = ["notifier", "payment-provider"]

[[http]]
host = "api.example.com"
methods = ["GET", "POST"]
paths = ["/"]
idempotency = "Idempotency-Key"

[secrets.api_key]
help = "The key."
hosts = ["api.example.com"]

[secrets.signing]
help = "Signs only."

[settings.address]
help = "Where the API is."
default = "https://api.example.com"
"#;

/// Answers requests out of hand.
pub struct Fake<F>(pub F);

impl<F: Fn(&Outgoing) -> Result<Response, SendError> + Send + Sync> Transport for Fake<F> {
    fn send(&self, request: Outgoing) -> BoxFuture<'_, Result<Response, SendError>> {
        let answer = (self.0)(&request);
        Box::pin(async { answer })
    }
}

/// Says what it was sent: method, address, headers and body.
pub fn echo() -> Arc<dyn Transport> {
    Arc::new(Fake(|request: &Outgoing| {
        let headers: String = request.headers.iter().map(|(n, v)| format!("{n}: {v}\n")).collect();
        let body = String::from_utf8_lossy(&request.body);
        let body = format!("{} {}\n{headers}\n{body}", request.method, request.url).into_bytes();
        Ok(Response { status: 200, headers: vec![], body })
    }))
}

pub struct Stopped(pub i64);

impl Clock for Stopped {
    fn now(&self) -> i64 {
        self.0
    }
}

/// 2026-11-22T12:00:00Z.
pub const NOON: i64 = 1_795_348_800_000;

pub fn host_with(transport: Arc<dyn Transport>) -> Host {
    host_bounded(transport, Bounds::default())
}

pub fn host_bounded(transport: Arc<dyn Transport>, bounds: Bounds) -> Host {
    // What was compiled in an earlier run need not be compiled again.
    let cache = Some(Path::new(env!("CARGO_TARGET_TMPDIR")).join("plugin-cache"));
    Host::new(Setup { transport, cache, bounds, clock: Arc::new(Stopped(NOON)), ..Setup::default() }).unwrap()
}

/// One host for the tests that need nothing special: compiling takes longer than they do.
pub fn host() -> &'static Host {
    static HOST: OnceLock<Host> = OnceLock::new();
    HOST.get_or_init(|| host_with(echo()))
}

pub fn actor_code(host: &Host, more: &str) -> Arc<Code> {
    host.code(&manifest(&format!("{ACTOR}\n{more}")), guest("actor"))
        .unwrap_or_else(|error| panic!("{error}"))
}

/// The code of the actor in [`host`].
pub fn code() -> &'static Arc<Code> {
    static CODE: OnceLock<Arc<Code>> = OnceLock::new();
    CODE.get_or_init(|| actor_code(host(), ""))
}

pub fn installation(manifest: &Manifest) -> Installation {
    Installation {
        name: "actor".to_owned(),
        grant: Grant::all(manifest),
        settings: Vec::new(),
        kv: Arc::new(kv::Memory::default()),
        secrets: Arc::new(secrets::Memory::new([
            ("api_key", "sk_live_4242424242"),
            ("signing", "whsec_0123456789"),
        ])),
    }
}

pub fn actor() -> Plugin {
    host().plugin(code(), installation(&code().manifest))
}

/// An actor with other limits, both asked for and granted.
pub fn limited(limits: &str) -> Plugin {
    limited_in(host(), limits)
}

pub fn limited_in(host: &Host, limits: &str) -> Plugin {
    let code = actor_code(host, &format!("[limits]\n{limits}"));
    host.plugin(&code, installation(&code.manifest))
}

/// An actor whose requests go to this transport.
pub fn actor_with(transport: Arc<dyn Transport>) -> Plugin {
    let host = host_with(transport);
    let code = actor_code(&host, "");
    host.plugin(&code, installation(&code.manifest))
}

pub fn message(kind: &str, to: &str, text: &str) -> Message {
    Message {
        kind: kind.to_owned(),
        to: to.to_owned(),
        subject: String::new(),
        text: text.to_owned(),
        language: String::new(),
        more: Vec::new(),
    }
}

/// Has the actor do something.
pub async fn act(plugin: &Plugin, kind: &str, to: &str, text: &str) -> Done<Receipt> {
    say(plugin, message(kind, to, text)).await
}

pub async fn say(plugin: &Plugin, message: Message) -> Done<Receipt> {
    plugin.messages().unwrap().send(&Context::default(), "key-1", message).await
}

/// What it says of itself.
pub fn said(done: Done<Receipt>) -> String {
    done.result.unwrap_or_else(|failed| panic!("{failed}")).reference
}

/// The code and text of its own error.
pub fn refused(done: Done<Receipt>) -> (String, String) {
    match done.result {
        Err(Failed::Said(error)) => (error.code, error.detail),
        other => panic!("no error of the plugin: {other:?}"),
    }
}

/// Why the host stopped it.
pub fn stopped<T: std::fmt::Debug>(done: &Done<T>, kind: Kind) -> takst_plugins::Stop {
    match &done.result {
        Err(Failed::Stopped(stop)) if stop.kind == kind => stop.clone(),
        other => panic!("not stopped by {kind}: {other:?}"),
    }
}
