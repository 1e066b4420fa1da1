//! The example plugins in all four languages build, and import our interface alone.

#![allow(
    missing_docs,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that fails panics"
)]

use std::path::{Path, PathBuf};
use takst_plugin_build::{Language, Project};

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/plugins").join(name)
}

/// Builds it and looks at what it imports and exports.
fn builds(name: &str, language: Language, capability: &str) {
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
}

#[test]
fn rust() {
    builds("rust-chat", Language::Rust, "messages");
}

#[test]
fn javascript() {
    builds("js-webhook", Language::JavaScript, "calls");
}

#[test]
fn python() {
    builds("python-csv-prices", Language::Python, "prices");
}

#[test]
fn c() {
    builds("c-flat-price", Language::C, "prices");
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
