//! The example plugins in all four languages build, import our interface alone, and run in the gateway's host with what they ask for.

#![allow(
    missing_docs,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that fails panics"
)]

use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use takst_plugin_build::{Language, Project};
use takst_plugins::manifest::Manifest;
use takst_plugins::testing::{Exchange, Script, plugin};
use takst_plugins::{Context, Host, Setup, secrets};

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/plugins").join(name)
}

/// Builds it and looks at what it imports and exports.
fn builds(name: &str, language: Language, capability: &str) -> Vec<u8> {
    let project = Project::open(&example(name)).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(project.language(), language);
    let bytes = project.build().unwrap_or_else(|e| panic!("{e}"));
    let decoded = wit_component::decode(&bytes).unwrap();
    let wit_component::DecodedWasm::Component(resolve, world) = &decoded else { panic!("no component") };
    let world = &resolve.worlds[*world];
    let imports: Vec<String> = world.imports.keys().map(|key| resolve.name_world_key(key)).collect();
    assert!(imports.iter().all(|name| name.starts_with("takst:plugin/")), "{imports:?}");
    // Some engines export a function of their own beside them, for their snapshot.
    let mut exports: Vec<String> = world
        .exports
        .keys()
        .map(|key| resolve.name_world_key(key))
        .filter(|name| name.contains(':'))
        .collect();
    exports.sort();
    let mut wanted = ["configuration", capability].map(|name| format!("takst:plugin/{name}@1.0.0"));
    wanted.sort();
    assert_eq!(exports, wanted);
    bytes
}

/// Calls a function of it, with requests answered from a script; what came of it, and what it used of each limit in percent.
async fn called(
    (name, wasm): (&str, &[u8]),
    (settings, secret): (&[(&str, &str)], (&str, &str)),
    exchanges: Vec<Value>,
    (function, arguments): (&str, Value),
) -> Value {
    let file = example(name).join("plugin.toml");
    let manifest = Manifest::read("plugin.toml", &std::fs::read_to_string(file).unwrap())
        .unwrap_or_else(|e| panic!("{e}"));
    let read = |one| serde_json::from_value::<Exchange>(one).unwrap();
    let script = Arc::new(Script::new(exchanges.into_iter().map(read).collect()));
    let transport = Arc::clone(&script) as Arc<_>;
    let host = Host::new(Setup { transport, ..Setup::default() }).unwrap();
    let code = host.code(&manifest, wasm).unwrap_or_else(|e| panic!("{name}: {e}"));
    let settings = settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let plugin = plugin(&host, &code, None, settings, secrets::Memory::new([secret]));
    let done =
        plugin.invoke(&Context::default(), function, arguments).await.unwrap_or_else(|e| panic!("{e}"));
    let used = done.usage.against(&done.limits);
    assert_eq!(script.wrong(), Vec::<String>::new(), "{name}");
    // The limits that its manifest asks for are not met by a hair.
    for (limit, used, of, percent) in used.iter().filter(|(limit, ..)| ["memory", "fuel"].contains(limit)) {
        assert!(*percent < 90, "{name} {function}: {limit} {used} of {of}");
    }
    done.result.unwrap_or_else(|e| panic!("{name}: {e}"))
}

fn day() -> Value {
    json!({ "wanted": {
        "feed": "spot", "area": "FI", "currency": "EUR", "day": "2026-03-29", "time-zone": "Europe/Helsinki" } })
}

#[tokio::test]
async fn rust() {
    let wasm = builds("rust-chat", Language::Rust, "messages");
    let said = (&[("address", "https://chat.example.com/hooks/abc")][..], ("token", "0123456789"));
    let exchange = json!({
        "method": "POST", "url": "https://chat.example.com/hooks/abc", "body-has": ["the mast"],
        "answer": { "status": 200, "headers": [], "body": "" } });
    let message =
        json!({ "kind": "sms", "to": "", "subject": "", "text": "the mast", "language": "en", "more": [] });
    let receipt = called(
        ("rust-chat", &wasm),
        said,
        vec![exchange],
        ("messages.send", json!({ "key": "k", "message": message })),
    )
    .await;
    assert!(receipt["reference"].is_string(), "{receipt}");
}

#[tokio::test]
async fn javascript() {
    let wasm = builds("js-webhook", Language::JavaScript, "calls");
    let body = r#"{"id":"m-1","from":"+4791234567","text":"Lade start 5"}"#;
    // HMAC-SHA256 of the body with that secret.
    let signed = "c751ae6387b6394e2ccc1794259455bc5fb46d3308d9d8de333d81fc6a658a53";
    let call = json!({ "call": {
        "method": "POST", "path": "/", "query": "", "headers": [["x-signature", signed]], "body": body } });
    let said = (&[][..], ("webhook_key", "a shared secret"));
    let answer = called(("js-webhook", &wasm), said, Vec::new(), ("calls.receive", call)).await;
    assert_eq!(answer["events"][0]["subject"], "+4791234567", "{answer}");
}

#[tokio::test]
async fn python() {
    let wasm = builds("python-csv-prices", Language::Python, "prices");
    let said = (&[("address", "https://example.org/{day}.csv")][..], ("none", "0123456789"));
    let findings =
        called(("python-csv-prices", &wasm), said, Vec::new(), ("configuration.check", json!({}))).await;
    assert_eq!(findings, json!([]));
    let csv = "from;to;price\n2026-03-29T00:00+02:00;2026-03-29T01:00+02:00;12,50\n";
    let exchange = json!({
        "method": "GET", "url": "https://example.org/2026-03-29.csv",
        "answer": { "status": 200, "headers": [], "body": csv } });
    let documents = called(("python-csv-prices", &wasm), said, vec![exchange], ("prices.fetch", day())).await;
    let body: Value = serde_json::from_str(documents[0]["body"].as_str().unwrap()).unwrap();
    assert_eq!(body["prices"][0]["price"], "12.50", "{documents}");
    let exchange = json!({
        "method": "GET", "url": "https://example.org/2026-03-29.csv",
        "answer": { "status": 404, "headers": [], "body": "" } });
    let documents = called(("python-csv-prices", &wasm), said, vec![exchange], ("prices.fetch", day())).await;
    assert_eq!(documents, json!([]), "not published yet");
}

#[tokio::test]
async fn c() {
    let wasm = builds("c-flat-price", Language::C, "prices");
    let said = (&[("price", "0.30")][..], ("none", "0123456789"));
    let documents = called(("c-flat-price", &wasm), said, Vec::new(), ("prices.fetch", day())).await;
    let body: Value = serde_json::from_str(documents[0]["body"].as_str().unwrap()).unwrap();
    assert_eq!(body["prices"][0]["price"], "0.30", "{documents}");
}

#[test]
fn a_folder_without_a_plugin_says_what_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let none = Project::open(folder.path()).unwrap_err().to_string();
    assert!(none.contains("Cargo.toml, package.json, plugin.py, plugin.c"), "{none}");
    std::fs::write(folder.path().join("plugin.c"), "").unwrap();
    std::fs::write(folder.path().join("plugin.py"), "").unwrap();
    let two = Project::open(folder.path()).unwrap_err().to_string();
    assert!(two.contains("both plugin.py and plugin.c"), "{two}");
}

#[test]
fn a_mistake_is_shown_in_the_compiler_s_words() {
    let folder = tempfile::tempdir().unwrap();
    let from = example("c-flat-price");
    std::fs::create_dir_all(folder.path().join("wit/deps/takst-plugin")).unwrap();
    for file in ["requirements.txt", "wit/plugin.wit", "wit/deps/takst-plugin/takst-plugin.wit"] {
        std::fs::copy(from.join(file), folder.path().join(file)).unwrap();
    }
    std::fs::write(
        folder.path().join("plugin.c"),
        "#include \"plugin.h\"\nint f(void) { return nothing; }\n",
    )
    .unwrap();
    let error = Project::open(folder.path()).unwrap().build().unwrap_err().to_string();
    assert!(error.contains("plugin.c:2") && error.contains("nothing"), "{error}");
}
