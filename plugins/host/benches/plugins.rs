//! What plugins cost: loading, one call, a thousand calls a second, and what endless loops do to whoever serves beside them. Figures, no
//! verdicts: `cargo bench -p takst-plugins`.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a program for its output"
)]

use futures_util::future::BoxFuture;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use takst_plugin_build::{Guests, component, module};
use takst_plugins::grant::Grant;
use takst_plugins::http::transport::{Outgoing, Transport};
use takst_plugins::manifest::Manifest;
use takst_plugins::model::http::{Response, SendError};
use takst_plugins::model::messages::Message;
use takst_plugins::pool::Bounds;
use takst_plugins::{Context, Host, Installation, Plugin, Setup, kv, secrets};
use tokio::task::JoinSet;

const MANIFEST: &str = r#"
id = "actor"
version = "1.0.0"
interface = "1.0.0"
description = "Does what it is told."
author = "Takst"
capabilities = ["notifier", "payment-provider"]
[[http]]
host = "api.example.com"
methods = ["GET"]
paths = ["/"]
"#;

struct Waits(Duration);

impl Transport for Waits {
    fn send(&self, _: Outgoing) -> BoxFuture<'_, Result<Response, SendError>> {
        Box::pin(async {
            tokio::time::sleep(self.0).await;
            Ok(Response { status: 200, headers: vec![], body: vec![] })
        })
    }
}

fn message(kind: &str, to: &str) -> Message {
    let empty = String::new;
    Message {
        kind: kind.to_owned(),
        to: to.to_owned(),
        subject: empty(),
        text: empty(),
        language: empty(),
        more: vec![],
    }
}

fn host(cache: &Path) -> Host {
    let bounds = Bounds { threads: 2, ..Bounds::default() };
    let transport = Arc::new(Waits(Duration::from_millis(20)));
    Host::new(Setup { cache: Some(cache.to_owned()), bounds, transport, ..Setup::default() }).unwrap()
}

fn plugin(host: &Host, wasm: &[u8]) -> Plugin {
    let manifest = Manifest::read("plugin.toml", MANIFEST).unwrap();
    let code = host.code(&manifest, wasm).unwrap();
    let installation = Installation {
        name: "actor".to_owned(),
        grant: Grant::all(&manifest),
        settings: Vec::new(),
        kv: Arc::new(kv::Memory::default()),
        secrets: Arc::new(secrets::Memory::default()),
    };
    host.plugin(&code, installation)
}

fn quantiles(name: &str, mut all: Vec<Duration>) {
    all.sort_unstable();
    let at = |percent: usize| all[(all.len() - 1) * percent / 100];
    println!("{name:<58} median {:>9.1?}  p99 {:>9.1?}  ({} times)", at(50), at(99), all.len());
}

async fn send(plugin: Plugin, message: Message) -> Result<(), String> {
    let done = plugin.messages().unwrap().send(&Context::default(), "key", message).await;
    done.result.map(drop).map_err(|failed| failed.code().to_owned())
}

fn main() {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/guests/Cargo.toml");
    let target = std::env::temp_dir().join("takst-bench-guests");
    let folder =
        Guests { manifest: &manifest, target: &target, package: None, locked: false }.build().unwrap();
    let wasm = component(&module(&folder, "actor").unwrap()).unwrap();
    let cache = tempfile::tempdir().unwrap();
    println!(
        "a Rust guest of {} KB, {} cores",
        wasm.len() / 1024,
        std::thread::available_parallelism().unwrap()
    );

    let began = Instant::now();
    plugin(&host(cache.path()), &wasm);
    println!("{:<58} {:>9.1?}", "load, compiled", began.elapsed());
    let shared = host(cache.path());
    let loads = (0..100).map(|_| {
        let began = Instant::now();
        plugin(&shared, &wasm);
        began.elapsed()
    });
    quantiles("load from the cache, imports and manifest looked at", loads.collect());

    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let plugin = plugin(&shared, &wasm);
        let mut calls = Vec::new();
        let mut inside = Vec::new();
        for _ in 0..3_000 {
            let began = Instant::now();
            let done = plugin.messages().unwrap().send(&Context::default(), "key", message("echo", "")).await;
            calls.push(began.elapsed());
            inside.push(Duration::from_micros(done.usage.wall_us));
        }
        quantiles("store, instance and call", inside);
        quantiles("the same with the way to the pool's threads and back", calls);

        let began = Instant::now();
        let mut crowd = JoinSet::new();
        for _ in 0..5_000 {
            crowd.spawn(send(plugin.clone(), message("http", "https://api.example.com/")));
        }
        crowd.join_all().await.into_iter().collect::<Result<(), String>>().unwrap();
        let took = began.elapsed();
        let rate = 5_000_000 / took.as_millis().max(1);
        println!(
            "{:<58} {rate} a second ({took:.1?})",
            "5,000 calls at once, each waits 20 ms for its request"
        );

        quantiles("a timer of 1 ms on the gateway's threads, nothing else", timer(400).await);
        let mut loops = JoinSet::new();
        for _ in 0..60 {
            loops.spawn(send(plugin.clone(), message("loop", "")));
        }
        quantiles("the same beside 60 endless loops of a plugin", timer(400).await);
        let ended = loops.join_all().await;
        println!(
            "of them stopped for CPU time: {}",
            ended.iter().filter(|code| **code == Err("cpu".to_owned())).count()
        );
    });
}

// How long a millisecond is for somebody who serves chargers.
async fn timer(times: usize) -> Vec<Duration> {
    let served = tokio::spawn(async move {
        let mut all = Vec::new();
        for _ in 0..times {
            let began = Instant::now();
            tokio::time::sleep(Duration::from_millis(1)).await;
            all.push(began.elapsed());
        }
        all
    });
    served.await.unwrap()
}
