//! Many calls at once.

use crate::support::{act, actor_code, host_bounded, installation, limited_in, said};
use futures_util::future::BoxFuture;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use takst_plugins::http::transport::{Outgoing, Transport};
use takst_plugins::model::http::{Response, SendError};
use takst_plugins::pool::{Bounds, Load};
use takst_plugins::{Kind, Plugin};
use tokio::task::JoinSet;

struct Waits;

impl Transport for Waits {
    fn send(&self, _: Outgoing) -> BoxFuture<'_, Result<Response, SendError>> {
        Box::pin(async {
            tokio::time::sleep(Duration::from_millis(20)).await;
            Ok(Response { status: 200, headers: vec![], body: vec![] })
        })
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_calls_are_bounded_and_fair() {
    let bounds = Bounds { threads: 2, running: 64, running_of_one: 32, waiting_of_one: 9_700 };
    let host = host_bounded(Arc::new(Waits), bounds);
    let code = actor_code(&host, "");
    let named = |name: &str| {
        let mut installation = installation(&code.manifest);
        installation.name = name.to_owned();
        host.plugin(&code, installation)
    };
    // What runs and waits is looked at all the time.
    let (watched, over) = (host.clone(), Arc::new(AtomicBool::new(false)));
    let end = Arc::clone(&over);
    let watch = tokio::spawn(async move {
        let mut most = Load::default();
        while !end.load(Ordering::Relaxed) {
            let load = watched.load();
            most = Load { running: most.running.max(load.running), waiting: most.waiting.max(load.waiting) };
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        most
    });
    let call =
        |plugin: Plugin| async move { said(act(&plugin, "http", "https://api.example.com/", "").await) };
    let began = Instant::now();
    let mut greedy = JoinSet::new();
    let first = named("greedy");
    for _ in 0..9_700 {
        greedy.spawn(call(first.clone()));
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    let mut modest = JoinSet::new();
    for name in ["one", "two", "three"] {
        let plugin = named(name);
        for _ in 0..100 {
            modest.spawn(call(plugin.clone()));
        }
    }
    modest.join_all().await;
    let modest = began.elapsed();
    let left = greedy.len() - std::iter::from_fn(|| greedy.try_join_next()).count();
    greedy.join_all().await;
    over.store(true, Ordering::Relaxed);
    let most = watch.await.unwrap();
    println!("modest plugins done after {modest:?}, all after {:?}, at most {most:?}", began.elapsed());
    assert!(left > 4_850, "the greedy one had done most of its calls before the others: {left} left");
    assert!(most.running <= 64 && most.waiting > 5_000, "{most:?}");
    assert_eq!(host.load(), Load::default());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_too_many_is_turned_away_at_once() {
    let bounds = Bounds { threads: 1, running: 4, running_of_one: 1, waiting_of_one: 2 };
    let host = host_bounded(Arc::new(Waits), bounds);
    let code = actor_code(&host, "");
    let plugin = host.plugin(&code, installation(&code.manifest));
    let mut calls = JoinSet::new();
    for _ in 0..10 {
        let plugin = plugin.clone();
        calls.spawn(async move {
            act(&plugin, "http", "https://api.example.com/", "").await.result.map_err(|e| e.code().to_owned())
        });
    }
    let results = calls.join_all().await;
    let busy =
        results.iter().filter(|result| result.as_ref().is_err_and(|code| code == Kind::Busy.code())).count();
    assert!((1..=8).contains(&busy), "{busy}");
    assert_eq!(results.iter().filter(|result| result.is_ok()).count() + busy, 10);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn loops_do_not_hold_up_who_behaves() {
    let host = host_bounded(Arc::new(Waits), Bounds { threads: 1, ..Bounds::default() });
    let code = actor_code(&host, "");
    let named = |name: &str| {
        let mut installation = installation(&code.manifest);
        installation.name = name.to_owned();
        host.plugin(&code, installation)
    };
    // The machine may have other things to do.
    let bad = limited_in(&host, "wall = \"120 s\"");
    let mut loops = JoinSet::new();
    for _ in 0..30 {
        let bad = bad.clone();
        loops.spawn(async move { act(&bad, "loop", "", "").await.result.map_err(|e| e.code().to_owned()) });
    }
    tokio::time::sleep(Duration::from_millis(50)).await;
    // All on one thread: thirty loops of 100 ms each are three seconds one after the other; the good one is not after them.
    let good = named("good");
    said(act(&good, "echo", "", "hello").await);
    let left = loops.len() - std::iter::from_fn(|| loops.try_join_next()).count();
    assert!(left > 15, "{left} of 30 loops left");
    for result in loops.join_all().await {
        assert_eq!(result.unwrap_err(), "cpu");
    }
}
