//! Every function of the interface, both ways; and guests of released versions, which must go on saying the same.

use crate::support::{Fake, Stopped, guest, installation, manifest};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use takst_plugins::capability::functions;
use takst_plugins::host::{Host, Setup};
use takst_plugins::http::transport::Outgoing;
use takst_plugins::model::http::Response;
use takst_plugins::{Context, Failed, Plugin, secrets};

const WHOLE: &str = r#"
id = "whole"
version = "1.0.0"
interface = "1.0.0"
description = "Uses all of the interface."
author = "Takst"
capabilities = ["price-source", "payment-provider", "invoice-channel", "meter-export", "notifier", "webhook"]
[[http]]
host = "api.example.com"
methods = ["GET"]
paths = ["/"]
[secrets.key]
help = "Signs."
[settings.one]
help = "Any."
"#;

fn plugin(wasm: &[u8]) -> Plugin {
    let transport = Arc::new(Fake(|_: &Outgoing| {
        Ok(Response { status: 418, headers: vec![], body: b"teapot".to_vec() })
    }));
    let host =
        Host::new(Setup { transport, clock: Arc::new(Stopped(1_774_746_000_000)), ..Setup::default() })
            .unwrap();
    let code = host.code(&manifest(WHOLE), wasm).unwrap_or_else(|error| panic!("{error}"));
    let mut installation = installation(&code.manifest);
    installation.settings = vec![("one".to_owned(), "1".to_owned())];
    installation.secrets = Arc::new(secrets::Memory::new([("key", "0123456789")]));
    host.plugin(&code, installation)
}

// One call of each function, with every field filled.
fn arguments(function: &str) -> Value {
    let money = json!({ "minor": -345, "currency": "EUR" });
    let more = json!([["a", "b"]]);
    match function {
        "configuration.check" | "meters.forms" => json!({}),
        "prices.fetch" => json!({ "wanted": {
            "feed": "spot", "area": "NO1", "currency": "NOK", "day": "2026-03-29", "time-zone": "Europe/Oslo" } }),
        "payments.save" => json!({ "key": "k", "request": {
            "payer": "p", "reference": "r", "return-to": "https://x", "at-most": money, "description": "d", "more": more } }),
        "payments.saved" | "payments.status" | "invoices.status" => json!({ "reference": "r" }),
        "payments.charge" => json!({ "key": "k", "request": {
            "amount": money, "instrument": "i", "payer": "p", "description": "d", "reference": "r", "return-to": null,
            "capture": true, "more": more } }),
        "payments.capture" => json!({ "key": "k", "reference": "r", "amount": money }),
        "payments.refund" => json!({ "key": "k", "reference": "r", "amount": money, "reason": "why" }),
        "payments.cancel" | "invoices.cancel" => json!({ "key": "k", "reference": "r" }),
        "payments.lookup" => json!({ "key": "k", "operation": "refund", "ours": "o", "theirs": "t" }),
        "invoices.reach" => json!({ "payer": [["email", "a@example.com"]] }),
        "invoices.send" => json!({ "key": "k", "invoice": {
            "number": "1", "payment-reference": "kid", "amount": money, "issued": "2026-01-01", "due": "2026-01-15",
            "address": "a", "document": "<xml/>", "attachment": { "base64": "/wA=" }, "more": more } }),
        "invoices.lookup" => json!({ "key": "k", "number": "1" }),
        "meters.check-point" => json!({ "point": "707057500000000001" }),
        "meters.read" => json!({ "file": { "name": "n", "media-type": "text/csv", "body": "a;b" } }),
        "meters.write" | "meters.send" => {
            let value = json!({ "from": 0, "until": 900_000, "kwh": "0.1", "quality": "missing" });
            let series = json!([{ "point": "p", "direction": "production", "values": [value] }]);
            if function == "meters.write" {
                json!({ "form": "f", "series": series })
            } else {
                json!({ "key": "k", "series": series })
            }
        }
        "meters.fetch" => {
            json!({ "span": { "point": "p", "direction": "consumption", "from": 0, "until": 1 } })
        }
        "messages.send" => json!({ "key": "k", "message": {
            "kind": "sms", "to": "+47", "subject": "s", "text": "t", "language": "nb", "more": more } }),
        "messages.lookup" => json!({ "key": "k" }),
        "calls.receive" => json!({ "call": {
            "method": "POST", "path": "/e", "query": "q=1", "headers": more, "body": { "base64": "/wA=" } } }),
        other => panic!("no arguments for {other}"),
    }
}

async fn answers(plugin: &Plugin) -> Value {
    let mut all = serde_json::Map::new();
    for (function, _) in functions() {
        let done = plugin.invoke(&Context::default(), function, arguments(function)).await.unwrap();
        let answer = match done.result {
            Ok(value) => json!({ "ok": value }),
            Err(Failed::Said(error)) => json!({ "error": error }),
            Err(Failed::Stopped(stop)) => panic!("{function}: {stop}"),
        };
        all.insert(function.to_owned(), answer);
    }
    Value::Object(all)
}

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

/// `TAKST_GOLDEN=1.0.0` writes the guest and its answers of a version that is about to be released.
#[tokio::test]
async fn a_guest_built_today_says_what_the_kept_ones_say() {
    let today = answers(&plugin(guest("whole"))).await;
    if let Ok(version) = std::env::var("TAKST_GOLDEN") {
        std::fs::write(golden().join(format!("{version}.wasm")), guest("whole")).unwrap();
        std::fs::write(
            golden().join(format!("{version}.json")),
            serde_json::to_string_pretty(&today).unwrap() + "\n",
        )
        .unwrap();
    }
    let mut versions = 0;
    for file in std::fs::read_dir(golden()).unwrap().map(|file| file.unwrap().path()) {
        if file.extension().is_some_and(|extension| extension == "wasm") {
            versions += 1;
            let kept: Value =
                serde_json::from_str(&std::fs::read_to_string(file.with_extension("json")).unwrap()).unwrap();
            let said = answers(&plugin(&std::fs::read(&file).unwrap())).await;
            for (function, answer) in kept.as_object().unwrap() {
                assert_eq!(said[function], *answer, "{function} of {}", file.display());
            }
        }
    }
    assert!(versions >= 1);
    // Some of it by hand, so that the kept answers are not merely what came out.
    assert_eq!(today["payments.cancel"]["ok"]["reference"], "k r");
    assert_eq!(today["payments.cancel"]["ok"]["state"], "action-needed");
    assert_eq!(today["payments.cancel"]["ok"]["refunded"]["minor"], i64::MAX);
    assert_eq!(today["payments.status"]["error"]["retry-after"], 7);
    assert_eq!(today["calls.receive"]["ok"]["body"]["base64"], "/wA=");
    assert_eq!(today["meters.forms"]["ok"], json!(["a", "b"]));
    let body = today["prices.fetch"]["ok"][0]["body"].as_str().unwrap();
    assert!(body.ends_with("Some(7200) Some([49]) [\"a\"] 4 20 true 3 418"), "{body}");
}
