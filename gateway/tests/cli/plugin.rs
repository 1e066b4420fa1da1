//! `takst plugin` as an integrator uses it.

use crate::run::{here, takst, with_input};
use serde_json::{Value, json};
use std::path::PathBuf;

fn example(name: &str) -> String {
    here().join("../../examples/plugins").join(name).canonicalize().unwrap().display().to_string()
}

/// A message as the SMS service of the example sends it, signed with `secret.txt`.
fn call(text: &str) -> String {
    const SIGNED: &str = "c751ae6387b6394e2ccc1794259455bc5fb46d3308d9d8de333d81fc6a658a53";
    let body = format!(r#"{{"id":"m-1","from":"+4791234567","text":"{text}"}}"#);
    let call = json!({
        "method": "POST", "path": "/", "query": "", "headers": [["x-signature", SIGNED]], "body": body,
    });
    json!({ "call": call }).to_string()
}

#[test]
fn a_plugin_is_built_checked_run_and_tested() {
    let folder = example("js-webhook");
    let dir = tempfile::tempdir().unwrap();
    let secret = dir.path().join("secret.txt");
    std::fs::write(&secret, "a shared secret\n").unwrap();
    let secret = format!("webhook_key={}", secret.display());

    let built = takst(&["plugin", "build", &folder, "--format", "json"]);
    assert_eq!(built.code, 0, "{}", built.err);
    let built = built.json();
    assert!(PathBuf::from(built["file"].as_str().unwrap()).is_file());

    let checked = takst(&["plugin", "check", &folder, "--format", "json"]);
    assert_eq!(checked.code, 0, "{}", checked.err);
    let checked = checked.json();
    assert_eq!((&checked["id"], &checked["capabilities"]), (&json!("js-webhook"), &json!(["webhook"])));
    assert_eq!(checked["sha256"], built["sha256"]);

    // A copy has the built component only, and its own tapes.
    let copy = dir.path().join("copy");
    std::fs::create_dir_all(copy.join("tapes")).unwrap();
    std::fs::copy(PathBuf::from(&folder).join("plugin.toml"), copy.join("plugin.toml")).unwrap();
    std::fs::copy(built["file"].as_str().unwrap(), copy.join("plugin.wasm")).unwrap();
    let (copy, tape) = (copy.display().to_string(), copy.join("tapes/message.json"));
    let none = takst(&["plugin", "test", &copy]);
    assert_eq!((none.code, none.err.contains("there are no tapes")), (1, true), "{}", none.err);

    let record = tape.display().to_string();
    let arguments = [
        "plugin",
        "run",
        &copy,
        "calls.receive",
        "--input",
        "-",
        "--secret",
        &secret,
        "--record",
        &record,
        "--format",
        "json",
    ];
    let ran = with_input(&arguments, call("Lade start 5").as_bytes());
    assert_eq!(ran.code, 0, "{} {}", ran.out, ran.err);
    let ran = ran.json();
    let event = &ran["result"]["ok"]["events"][0];
    assert_eq!(
        (&event["kind"], &event["subject"], &event["more"]),
        (&json!("message-in"), &json!("+4791234567"), &json!([["text", "Lade start 5"]]))
    );
    assert!(ran["usage"]["memory"].as_u64().unwrap() > 0, "{ran}");
    let written = std::fs::read_to_string(&tape).unwrap();
    assert!(!written.contains("a shared secret"), "no secret is on a tape");

    let unknown = takst(&["plugin", "run", &copy, "calls.recieve"]);
    assert_eq!((unknown.code, unknown.err.contains("calls.receive")), (1, true), "{}", unknown.err);

    let replayed = takst(&["plugin", "test", &copy]);
    assert_eq!(replayed.code, 0, "{} {}", replayed.out, replayed.err);
    assert!(replayed.out.contains("1 tapes, 0 failed"), "{}", replayed.out);
    // What the tape says and the plugin no longer does is found.
    let mut other: Value = serde_json::from_str(&written).unwrap();
    other["result"]["ok"]["status"] = json!(200);
    std::fs::write(&tape, other.to_string()).unwrap();
    let differs = takst(&["plugin", "test", &copy]);
    assert_eq!(differs.code, 1, "{}", differs.out);
    assert!(
        differs.out.contains("FAILED") && differs.out.contains("the result is another"),
        "{}",
        differs.out
    );

    // A signature that is not right is the plugin's own refusal.
    let forged = with_input(
        &["plugin", "run", &copy, "calls.receive", "--input", "-", "--secret", &secret],
        call("Lade stop 5").as_bytes(),
    );
    assert_eq!(forged.code, 1, "{}", forged.out);
    assert!(forged.out.contains("bad-signature"), "{}", forged.out);
    assert!(forged.out.contains("memory"), "usage is shown after a failure too:\n{}", forged.out);
}

#[test]
fn mistakes_are_said_in_words() {
    let dir = tempfile::tempdir().unwrap();
    let parent = dir.path().display().to_string();
    let new = |name: &str| takst(&["plugin", "new", "--lang", "c", name, "--in", &parent]);
    assert_eq!(new("my-prices").code, 0);
    let again = new("my-prices");
    assert_eq!((again.code, again.err.contains("already")), (1, true), "{}", again.err);
    let bad = new("My Prices");
    assert_eq!((bad.code, bad.err.contains("small letters")), (1, true), "{}", bad.err);
    let folder = dir.path().join("my-prices");
    let manifest = std::fs::read_to_string(folder.join("plugin.toml")).unwrap();
    std::fs::write(folder.join("plugin.toml"), manifest.replace("price-source", "prize-source")).unwrap();
    std::fs::write(folder.join("plugin.wasm"), b"\0asm\x01\0\0\0").unwrap();
    let folder = folder.display().to_string();
    let wrong = takst(&["plugin", "check", &folder]);
    assert_eq!(wrong.code, 1, "{}", wrong.err);
    assert!(wrong.err.contains("prize-source") && wrong.err.contains("plugin.toml"), "{}", wrong.err);
    std::fs::write(dir.path().join("my-prices/plugin.toml"), manifest).unwrap();
    let module = takst(&["plugin", "check", &folder]);
    assert_eq!((module.code, module.err.contains("core module")), (1, true), "{}", module.err);
    let nowhere = takst(&["plugin", "check", &parent]);
    assert_eq!((nowhere.code, nowhere.err.contains("plugin.toml")), (3, true), "{}", nowhere.err);
}
