//! The plugins that we ship are built from source, and import and export what the interface says.

#![allow(
    missing_docs,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that fails panics"
)]

use std::path::Path;
use takst_plugin_build::{Guests, component, module};

fn target() -> std::path::PathBuf {
    // Beside the folder that this build fills.
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    folder.parent().unwrap().join("plugins")
}

const SHIPPED: [(&str, &[&str]); 8] = [
    ("efaktura", &["invoices"]),
    ("elhub", &["meters"]),
    ("entsoe", &["prices"]),
    ("hvakosterstrommen", &["prices"]),
    ("nordpool", &["prices"]),
    ("sms", &["calls", "messages"]),
    ("stripe", &["calls", "payments"]),
    ("vipps", &["calls", "payments"]),
];

#[test]
fn a_plugin_is_a_component_of_our_interface_alone() {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.toml");
    let guests = Guests { manifest: &manifest, target: &target(), package: None, locked: true };
    let folder = guests.build().unwrap_or_else(|e| panic!("{e}"));
    for (package, capabilities) in SHIPPED {
        let core = module(&folder, package).unwrap_or_else(|e| panic!("{e}"));
        let bytes = component(&core).unwrap_or_else(|e| panic!("{package}: {e}"));
        assert_eq!(bytes, component(&core).unwrap(), "the same module gives the same bytes");

        let decoded = wit_component::decode(&bytes).unwrap();
        let resolve = decoded.resolve();
        let wit_component::DecodedWasm::Component(_, world) = &decoded else {
            panic!("no component");
        };
        let world = &resolve.worlds[*world];
        let imports: Vec<String> = world.imports.keys().map(|key| resolve.name_world_key(key)).collect();
        let mut exports: Vec<String> = world.exports.keys().map(|key| resolve.name_world_key(key)).collect();
        assert!(imports.iter().all(|name| name.starts_with("takst:plugin/")), "{package}: {imports:?}");
        exports.sort();
        let mut expected: Vec<String> =
            capabilities.iter().map(|name| format!("takst:plugin/{name}@1.0.0")).collect();
        expected.push("takst:plugin/configuration@1.0.0".to_owned());
        expected.sort();
        assert_eq!(exports, expected, "{package}");
    }
}

#[test]
fn what_is_no_plugin_says_so() {
    let error = component(b"\0asm\x01\0\0\0").and_then(|_| component(b"text")).unwrap_err();
    assert!(error.to_string().contains("this is no plugin"), "{error}");
}

#[test]
fn a_plugin_that_does_not_build_says_why() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("src")).unwrap();
    let manifest = folder.path().join("Cargo.toml");
    std::fs::write(
        &manifest,
        "[package]\nname = \"broken\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[lib]\ncrate-type = [\"cdylib\"]\n[workspace]\n",
    )
    .unwrap();
    std::fs::write(folder.path().join("src/lib.rs"), "fn f() -> u8 { \"no\" }\n").unwrap();
    let error =
        Guests { manifest: &manifest, target: &folder.path().join("target"), package: None, locked: false }
            .build()
            .unwrap_err()
            .to_string();
    assert!(error.contains("mismatched types"), "{error}");
    assert!(error.contains("src/lib.rs:1"), "{error}");
}
