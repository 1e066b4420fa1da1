//! Components that do not fit, told in the integrator's words; and those of other versions that do.

use crate::support::{ACTOR, act, guest, host, installation, manifest, said};
use takst_plugins::load::LoadError;

fn refused(wasm: &[u8], text: &str) -> LoadError {
    match host().code(&manifest(text), wasm) {
        Ok(_) => panic!("it was loaded"),
        Err(error) => error,
    }
}

fn component(imports: &str) -> Vec<u8> {
    wat::parse_str(format!(
        r#"(component {imports} (instance $none)
            (export "takst:plugin/configuration@1.0.0" (instance $none))
            (export "takst:plugin/messages@1.0.0" (instance $none))
            (export "takst:plugin/payments@1.0.0" (instance $none)))"#
    ))
    .unwrap()
}

fn import(name: &str, function: &str) -> String {
    format!(r#"(import "{name}" (instance (export "{function}" (func (param "text" string)))))"#)
}

#[test]
fn wasi_is_refused_with_the_list_of_imports() {
    let imports = import("wasi:cli/environment@0.2.0", "get") + &import("wasi:sockets/tcp@0.2.0", "bind");
    let text = refused(&component(&imports), ACTOR).to_string();
    assert!(text.contains("wasi:cli/environment@0.2.0\n  wasi:sockets/tcp@0.2.0"), "{text}");
    assert!(text.contains("wasm32-unknown-unknown") && text.contains("--stub-wasi"), "{text}");
    let text = refused(&component(&import("acme:gpu/run@1.0.0", "go")), ACTOR).to_string();
    assert!(text.contains("acme:gpu/run@1.0.0") && text.contains("bring along"), "{text}");
}

#[test]
fn another_version_is_explained() {
    for (name, function, words) in [
        ("takst:plugin/host-log@2.0.0", "write", ["takst:plugin 2.0.0", "has 1.0.0", "release of Takst"]),
        ("takst:plugin/host-log@0.3.0", "write", ["takst:plugin 0.3.0", "has 1.0.0", "no longer read"]),
        ("takst:plugin/host-log@1.4.0", "write-many", ["`write-many`", "host-log 1.4.0", "takst:plugin 1.4"]),
        ("takst:plugin/host-gpu@1.2.0", "run", ["`host-gpu`", "1.2.0", "takst:plugin 1.2"]),
    ] {
        let text = refused(&component(&import(name, function)), ACTOR).to_string();
        assert!(words.iter().all(|word| text.contains(word)), "{text}");
    }
    let text = refused(&component(&import("takst:plugin/host-log@1.0.0", "write")), ACTOR).to_string();
    assert!(
        text.contains("does not fit takst:plugin 1.0.0") && text.contains("`host-log.write` is"),
        "{text}"
    );
}

#[test]
fn exports_and_manifest_agree() {
    let one = |exports: &str| {
        let names = exports
            .split(' ')
            .map(|name| format!(r#"(export "takst:plugin/{name}@1.0.0" (instance $none))"#));
        wat::parse_str(format!("(component (instance $none) {})", names.collect::<String>())).unwrap()
    };
    let text = refused(&one("messages payments"), ACTOR).to_string();
    assert!(text.contains("does not export takst:plugin/configuration 1.0.0"), "{text}");
    let text = refused(&one("configuration payments"), ACTOR).to_string();
    assert!(
        text.contains("does not export takst:plugin/messages") && text.contains("\"notifier\""),
        "{text}"
    );
    let text = refused(&one("configuration payments messages calls"), ACTOR).to_string();
    assert!(text.contains("exports takst:plugin/calls") && text.contains("add \"webhook\""), "{text}");
}

// A plugin of the interface with this change in its text, as a tool makes it that knows nothing of us.
fn of_interface(from: &str, to: &str) -> Vec<u8> {
    use wit_component::{ComponentEncoder, StringEncoding, dummy_module, embed_component_metadata};
    use wit_parser::{ManglingAndAbi, Resolve};
    let text = include_str!("../../../wit/takst-plugin.wit");
    assert_eq!(text.matches(from).count(), 1, "{from}");
    let text = text.replace(from, to) + "world actor { include notifier; include payment-provider; }\n";
    let mut resolve = Resolve::default();
    let package = resolve.push_source("takst-plugin.wit", &text).unwrap();
    let world = resolve.select_world(&[package], Some("actor")).unwrap();
    let mut module = dummy_module(&resolve, world, ManglingAndAbi::Standard32);
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    ComponentEncoder::default().module(&module).unwrap().validate(true).encode().unwrap()
}

#[test]
fn a_function_with_other_types_is_told_with_both() {
    let same = "send: func(settings: options, key: string, message: message)";
    host().code(&manifest(ACTOR), &of_interface(same, same)).unwrap_or_else(|error| panic!("{error}"));
    // Names of parameters are words for people.
    let renamed = of_interface(same, "send: func(said: options, id: string, what: message)");
    host().code(&manifest(ACTOR), &renamed).unwrap_or_else(|error| panic!("{error}"));
    let cancel = "cancel: func(settings: options, key: string, reference: string) -> result<payment, error>;";
    for (from, to, words) in [
        (
            same,
            "send: func(settings: options, key: string, message: message, more: u32)",
            [
                "`messages.send` is `func(settings: options, key: string, message: message, more: u32) -> result<receipt, error>`",
                "it is `func(settings: options, key: string, message: message) -> result<receipt, error>`",
            ],
        ),
        (
            same,
            "send: func(settings: options, key: u64, message: message)",
            ["`messages.send` has `u64` for `key`", "in takst:plugin 1.0.0 that is `string`"],
        ),
        (
            "    parts: u32,",
            "    parts: s64,",
            ["`messages.send` has `s64` for `result.parts`", "that is `u32`"],
        ),
        (
            "    minor: s64,",
            "    minor: string,",
            ["`payments.capture` has `string` for `amount.minor`", "that is `s64`"],
        ),
        (
            "    not-done,",
            "    undone,",
            ["`enum { refused, undone, unknown }`", "`enum { refused, not-done, unknown }`"],
        ),
        (
            "    subject: string,\n    text: string,",
            "    text: string,\n    subject: string,",
            [
                "`record { kind, to, text, subject, language, more }` for `message`",
                "that is `record { kind, to, subject, text, language, more }`",
            ],
        ),
        (
            "    capture: bool,",
            "    capture: option<bool>,",
            ["`option<bool>` for `request.capture`", "that is `bool`"],
        ),
        (
            "    retry-after: option<u32>,",
            "    retry-after: list<u32>,",
            ["`list<u32>` for `error.retry-after`", "`option<u32>`"],
        ),
        (
            cancel,
            "",
            [
                "`payments.cancel` is missing",
                "it is `func(settings: options, key: string, reference: string) -> result<payment, error>`",
            ],
        ),
        (cancel, &format!("{cancel} undo: func(key: string);"), ["`payments.undo`", "has no such function"]),
    ] {
        let text = refused(&of_interface(from, to), ACTOR).to_string();
        assert!(words.iter().all(|word| text.contains(word)), "{to}: {text}");
        assert!(
            text.contains("takst:plugin 1.0.0 of this gateway") && text.contains("takst-plugin.wit"),
            "{text}"
        );
    }
}

#[test]
fn what_is_no_component_says_so() {
    assert_eq!(refused(b"\0asm\x01\0\0\0", ACTOR), LoadError::Module);
    for bytes in [b"".as_slice(), b"\0asm", b"no wasm at all", &guest("actor")[..1_000]] {
        assert!(matches!(refused(bytes, ACTOR), LoadError::Invalid(_)), "{bytes:?}");
    }
    let text = format!("{ACTOR}\n[wasm]\nsha256 = \"{}\"", "0".repeat(64));
    assert!(refused(guest("actor"), &text).to_string().contains("changed after packing"));
}

// The same guest as if it had been built for another version: the number has the same length.
fn as_version(version: &str) -> Vec<u8> {
    let (old, new) = (b"@1.0.0", format!("@{version}").into_bytes());
    assert_eq!(old.len(), new.len());
    let mut bytes = guest("actor").to_vec();
    let places: Vec<usize> =
        (0..bytes.len() - old.len()).filter(|at| bytes[*at..].starts_with(old)).collect();
    for at in places {
        bytes[at..at + new.len()].copy_from_slice(&new);
    }
    bytes
}

#[tokio::test]
async fn a_plugin_of_another_1_x_runs_if_all_it_uses_is_there() {
    for version in ["1.0.9", "1.7.0"] {
        let code =
            host().code(&manifest(ACTOR), &as_version(version)).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(code.interface.to_string(), version);
        let plugin = host().plugin(&code, installation(&code.manifest));
        assert_eq!(said(act(&plugin, "echo", "", "hello").await), "hello");
    }
    let text = refused(&as_version("2.0.0"), ACTOR).to_string();
    assert!(text.contains("2.0.0") && text.contains("1.0.0"), "{text}");
}
