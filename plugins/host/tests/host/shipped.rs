//! The plugins that Takst ships: their manifests, and that they start and send what they may.

use crate::support::{Fake, host_with};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use takst_plugin_build::{Guests, component, module};
use takst_plugins::grant::Grant;
use takst_plugins::http::transport::Outgoing;
use takst_plugins::limits::Limits;
use takst_plugins::manifest::{Capability, Manifest, SettingType};
use takst_plugins::model::http::Response;
use takst_plugins::{Context, Failed, secrets, testing};

fn shipped() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn manifests() -> Vec<Manifest> {
    let files = std::fs::read_dir(shipped()).unwrap().map(|entry| entry.unwrap().path().join("plugin.toml"));
    let texts =
        files.filter_map(|path| Some((path.display().to_string(), std::fs::read_to_string(&path).ok()?)));
    texts.map(|(path, text)| Manifest::read(&path, &text).unwrap_or_else(|error| panic!("{error}"))).collect()
}

#[test]
fn every_shipped_manifest_is_right() {
    let all = manifests();
    for manifest in &all {
        assert!(shipped().join(&manifest.id).join("plugin.toml").is_file(), "the folder has the plugin's id");
        // What an operator is offered gives the plugin all that it asks for.
        let grant = Grant::all(manifest);
        assert_eq!(Grant::read("grant.toml", &grant.to_toml()).unwrap(), grant);
        assert_eq!(Limits::effective(&manifest.limits, &grant.limits).1, Vec::<String>::new());
        // Defaults alone are in order; what is missing is only what the operator has to give.
        for finding in manifest.check_settings(&[]) {
            assert!(finding.text.starts_with("missing: "), "{}: {}", finding.setting, finding.text);
        }
    }
    assert!(all.len() >= 5, "{all:?}");
}

#[tokio::test]
async fn every_shipped_plugin_starts_and_sends_what_it_may() {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join("plugins");
    let guests =
        Guests { manifest: &shipped().join("Cargo.toml"), target: &target, package: None, locked: true };
    let folder = guests.build().unwrap_or_else(|error| panic!("{error}"));
    for manifest in manifests() {
        // A server that is out of order, so that every plugin has something to say of it.
        let sent = Arc::new(Mutex::new(Vec::new()));
        let keep = Arc::clone(&sent);
        let host = host_with(Arc::new(Fake(move |request: &Outgoing| {
            keep.lock().unwrap().push(format!("{} {} {:?}", request.method, request.url, request.headers));
            Ok(Response { status: 500, headers: vec![], body: b"out of order".to_vec() })
        })));
        let wasm = component(&module(&folder, &manifest.id).unwrap()).unwrap();
        let code = host.code(&manifest, &wasm).unwrap_or_else(|error| panic!("{}: {error}", manifest.id));
        let required = manifest.settings.iter().filter(|(_, spec)| spec.required);
        let settings = required.map(|(name, spec)| {
            let address = spec.kind == SettingType::Address;
            (name.clone(), if address { "https://sms.example.net" } else { "123456" }.to_owned())
        });
        let given: Vec<(&str, &str)> =
            manifest.secrets.keys().map(|name| (name.as_str(), "s3cr3t-0123456789")).collect();
        let plugin = testing::plugin(&host, &code, None, settings.collect(), secrets::Memory::new(given));
        let done = plugin.configuration().check(&Context::default()).await;
        assert!(done.result.is_ok(), "{}: {:?}", manifest.id, done.result);
        let (function, arguments) = if manifest.capabilities.contains(&Capability::PriceSource) {
            let wanted = serde_json::json!({ "feed": "spot", "area": "NO1", "currency": "NOK", "day": "2026-03-29", "time-zone": "Europe/Oslo" });
            ("prices.fetch", serde_json::json!({ "wanted": wanted }))
        } else if manifest.capabilities.contains(&Capability::PaymentProvider) {
            ("payments.status", serde_json::json!({ "reference": "pi_3MtwBwLkdIwHu7ix28a3tqPa" }))
        } else if manifest.capabilities.contains(&Capability::Notifier) {
            let message = serde_json::json!({ "kind": "sms", "to": "+4791234567", "subject": "", "text": "hei", "language": "nb", "more": [] });
            ("messages.send", serde_json::json!({ "key": "key-00001", "message": message }))
        } else {
            continue;
        };
        let done = plugin.invoke(&Context::default(), function, arguments).await.unwrap();
        let report = testing::report(&done);
        match &done.result {
            Err(Failed::Said(error)) => {
                assert!(!error.detail.contains("s3cr3t"), "{}: {error:?}", manifest.id);
            }
            other => panic!("{}: {other:?}", manifest.id),
        }
        let sent = sent.lock().unwrap();
        assert!(!sent.is_empty(), "{} sent nothing: {:?}", manifest.id, done.result);
        // Where there is a secret for the host, it was in its place.
        if manifest.secrets.values().any(|secret| !secret.hosts.is_empty()) {
            assert!(
                sent[0].contains("s3cr3t-0123456789") || sent[0].contains("czNjcjN0"),
                "{}: {sent:?}",
                manifest.id
            );
        }
        assert!(
            done.usage.against(&done.limits).iter().all(|(_, _, _, percent)| *percent < 50),
            "{}\n{report}",
            manifest.id
        );
    }
}
