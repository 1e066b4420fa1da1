//! `takst plugin` as an integrator uses it.

use crate::run::{Ran, command, finish, here, takst, with_input};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use takst_gateway::plugins::shipped;

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
    assert!(replayed.out.contains("1 tape, 0 failed"), "{}", replayed.out);
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
fn a_manifest_is_looked_at_before_anything_is_built() {
    let dir = tempfile::tempdir().unwrap();
    let parent = dir.path().display().to_string();
    assert_eq!(takst(&["plugin", "new", "--lang", "python", "--in", &parent, "my-prices"]).code, 0);
    let folder = dir.path().join("my-prices");
    let manifest = std::fs::read_to_string(folder.join("plugin.toml")).unwrap();
    std::fs::write(folder.join("plugin.toml"), manifest.replace("author", "auhtor")).unwrap();
    let key = dir.path().join("a.key").display().to_string();
    assert_eq!(takst(&["plugin", "sign", "--new-key", &key, "--no-password"]).code, 0);
    let folder = folder.display().to_string();
    for arguments in [vec!["build", &folder], vec!["check", &folder], vec!["sign", &folder, "--key", &key]] {
        let ran = takst(&[&["plugin"], &arguments[..]].concat());
        assert_eq!(ran.code, 1, "{arguments:?}: {}", ran.err);
        assert!(ran.err.contains("auhtor") && !ran.err.contains("building"), "{}", ran.err);
    }
    // Nothing was fetched or built, and what builds says so.
    let built = PathBuf::from(&folder).join("build");
    assert!(!built.exists());
    std::fs::write(PathBuf::from(&folder).join("plugin.toml"), manifest).unwrap();
    std::fs::write(PathBuf::from(&folder).join("plugin.c"), "").unwrap();
    let both = takst(&["plugin", "check", &folder]);
    assert!(both.code == 1 && both.err.contains("one language"), "{}", both.err);
}

#[test]
fn what_new_writes_can_be_read() {
    let dir = tempfile::tempdir().unwrap();
    let parent = dir.path().display().to_string();
    for lang in ["rust", "js", "python", "c"] {
        let name = format!("my-{lang}");
        assert_eq!(takst(&["plugin", "new", "--lang", lang, &name, "--in", &parent]).code, 0, "{lang}");
        let text = std::fs::read_to_string(dir.path().join(&name).join("plugin.toml")).unwrap();
        let manifest = takst_plugins::manifest::Manifest::read("plugin.toml", &text);
        assert_eq!(manifest.unwrap_or_else(|errors| panic!("{lang}: {errors}")).id, name);
    }
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

/// The folder of a built plugin: one of those in the program, in this version.
fn built(parent: &Path, version: &str) -> PathBuf {
    let folder = parent.join(format!("source-{version}"));
    let manifest = here().join("../../plugins/hvakosterstrommen/plugin.toml");
    let manifest = std::fs::read_to_string(manifest).unwrap();
    let line = manifest.lines().find(|line| line.starts_with("version = ")).unwrap();
    let manifest = manifest.replace(line, &format!("version = \"{version}\""));
    let component = shipped::find("hvakosterstrommen").unwrap().component().unwrap();
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("plugin.toml"), manifest).unwrap();
    std::fs::write(folder.join("plugin.wasm"), &*component).unwrap();
    folder
}

/// A folder to work in, with a set-up and keys.
struct Desk {
    dir: tempfile::TempDir,
}

impl Desk {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("takst.toml"), "# Ours.\n[organisation]\nname = \"House\"\n").unwrap();
        Self { dir }
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        let mut command = command(&["plugin"]);
        command.args(arguments).current_dir(self.dir.path()).env_remove("TAKST_PLUGIN_KEY_PASSWORD");
        finish(command, b"")
    }

    /// It works.
    fn fine(&self, arguments: &[&str]) -> Ran {
        let ran = self.run(arguments);
        assert_eq!(ran.code, 0, "{arguments:?}\n{}\n{}", ran.out, ran.err);
        ran
    }

    /// It does not, with these words, and the set-up stays as it is.
    fn refused(&self, arguments: &[&str], code: i32, words: &str) {
        let before = (self.text("takst.toml"), self.files());
        let ran = self.run(arguments);
        let told = format!("{}{}", ran.out, ran.err).replace("\n  ", " ");
        assert!(ran.code == code && told.contains(words), "{arguments:?}: {}\n{told}", ran.code);
        assert_eq!(before, (self.text("takst.toml"), self.files()), "{arguments:?}");
    }

    fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.dir.path().join(name)).unwrap_or_default()
    }

    /// What stands beside the set-up.
    fn files(&self) -> Vec<String> {
        let folder = std::fs::read_dir(self.dir.path().join("plugins"));
        let names = folder.into_iter().flatten().flatten();
        let mut names: Vec<_> = names.map(|entry| entry.file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn folder(&self, version: &str) -> String {
        built(self.dir.path(), version).display().to_string()
    }
}

#[test]
fn a_package_is_signed_and_its_signature_checked() {
    let desk = Desk::new();
    desk.refused(&["sign", "--new-key", "a.key"], 2, "TAKST_PLUGIN_KEY_PASSWORD");
    desk.fine(&["sign", "--new-key", "a.key", "--no-password"]);
    desk.refused(&["sign", "--new-key", "a.key", "--no-password"], 1, "never written over");
    desk.fine(&["sign", "--new-key", "b.key", "--no-password"]);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(desk.dir.path().join("a.key")).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "a secret key is for its owner alone: {mode:o}");
    }
    let folder = desk.folder("1.0.0");
    desk.refused(&["sign", &folder, "--key", "a.pub"], 1, "this is the public key");
    let signed = desk.fine(&["sign", &folder, "--key", "a.key"]);
    assert_eq!(signed.out, "hvakosterstrommen-1.0.0.plugin\n");
    let package = signed.out.trim();
    let checked = desk.fine(&["check", package, "--trust", "a.pub", "--format", "json"]).json();
    assert_eq!(desk.text("a.pub").trim().lines().last(), checked["signed_by"].as_str());
    desk.refused(&["check", package, "--trust", "b.pub"], 1, "not among the 1 trusted");
    desk.refused(&["check", &folder, "--trust", "a.pub"], 2, "only a package has a signature");
    // Another one may sign it anew.
    desk.fine(&["sign", package, "--key", "b.key"]);
    desk.fine(&["check", package, "--trust", "b.pub"]);
    // One byte of it.
    let mut bytes = std::fs::read(desk.dir.path().join(package)).unwrap();
    let at = bytes.windows(7).position(|part| part == b"version").unwrap();
    bytes[at - 2] ^= 1;
    std::fs::write(desk.dir.path().join(package), &bytes).unwrap();
    assert_eq!(desk.run(&["check", package, "--trust", "b.pub"]).code, 1);

    // A key with a password, from the environment.
    let with = |password: &str, arguments: &[&str]| {
        let mut command = command(&["plugin"]);
        command.args(arguments).current_dir(desk.dir.path()).env("TAKST_PLUGIN_KEY_PASSWORD", password);
        finish(command, b"")
    };
    assert_eq!(with("tall trees", &["sign", "--new-key", "c.key"]).code, 0);
    assert_eq!(with("small trees", &["sign", &folder, "--key", "c.key", "--out", "c.plugin"]).code, 1);
    assert!(!desk.dir.path().join("c.plugin").exists());
    assert_eq!(with("tall trees", &["sign", &folder, "--key", "c.key", "--out", "c.plugin"]).code, 0);
    desk.fine(&["check", "c.plugin", "--trust", "c.pub"]);
}

#[test]
fn a_package_is_installed_granted_and_upgraded() {
    let desk = Desk::new();
    for key in ["a.key", "b.key"] {
        desk.fine(&["sign", "--new-key", key, "--no-password"]);
    }
    for version in ["1.0.0", "1.1.0"] {
        desk.fine(&["sign", &desk.folder(version), "--key", "a.key", "--out", &format!("{version}.plugin")]);
    }
    desk.refused(&["install", "1.0.0.plugin"], 1, "trusts nobody yet");
    desk.refused(&["install", "1.0.0.plugin", "--trust", "b.pub"], 1, "not among the 1 trusted");
    desk.refused(&["install", "1.0.0.plugin", "--trust", "a.pub"], 2, "say what it may");
    let install = ["install", "1.0.0.plugin", "--trust", "a.pub", "--grant", "none"];
    // A setting that it does not have: neither its package nor its grant stays behind.
    // What was written on the command line is named, not a line of a file that is not written.
    let said = [&install[..], &["--set", "adress=https://x.example", "--secret", "key=env:KEY"]].concat();
    desk.refused(&said, 1, "`--set adress=https://x.example`");
    desk.refused(&said, 1, "did you mean `address`");
    desk.refused(&said, 1, "`--secret key=...`: hvakosterstrommen has no secrets");
    assert!(!desk.text("takst.toml").contains("adress"));
    desk.refused(&[&install[..], &["--secret", "token=abc"]].concat(), 2, "no place on a command line");
    let done = desk.fine(&install);
    assert!(done.out.contains("may not  call {{setting:address}}"), "{}", done.out);
    assert_eq!(desk.files(), ["hvakosterstrommen-1.0.0.plugin", "hvakosterstrommen.grant"]);
    let key = desk.text("a.pub").trim().lines().last().unwrap().to_owned();
    assert!(desk.text("takst.toml").starts_with("# Ours.\n"), "{}", desk.text("takst.toml"));
    assert!(desk.text("takst.toml").contains(&key), "{}", desk.text("takst.toml"));
    desk.refused(&install, 1, "already");

    let listed = desk.fine(&["list", "--format", "json"]).json();
    let row = &listed["plugins"][0];
    assert_eq!((&row["version"], &row["from"]), (&json!("1.0.0"), &json!("package")));
    assert_eq!(row["signed_by"].as_str(), Some(key.as_str()));
    assert!(listed["others"].as_array().unwrap().contains(&json!("stripe")));
    let shown = desk.fine(&["list"]).out;
    assert!(shown.contains("1 of 2 not granted") && shown.contains("signed"), "{shown}");

    desk.fine(&["grant", "hvakosterstrommen", "--give", "all"]);
    let granted = desk.fine(&["grant", "hvakosterstrommen"]).out;
    assert!(granted.contains("may      call") && !granted.contains("may not"), "{granted}");
    assert!(desk.text("plugins/hvakosterstrommen.grant").contains("setting:address"));
    desk.refused(&["grant", "nordpool"], 1, "there is no plugin `nordpool`");

    // The next version: older ones, other authors, tapes that differ.
    let upgrade = |package: &str, more: &[&str]| {
        [&["upgrade", "hvakosterstrommen", package], more]
            .concat()
            .into_iter()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let words = |all: &[String]| all.iter().map(String::as_str).collect::<Vec<_>>().join(" ");
    let refused = |arguments: Vec<String>, code: i32, text: &str| {
        let words = words(&arguments);
        desk.refused(&words.split(' ').collect::<Vec<_>>(), code, text);
    };
    refused(upgrade("1.0.0.plugin", &["--no-tapes"]), 1, "is 1.0.0 already");
    refused(upgrade("1.1.0.plugin", &[]), 2, "there are no tapes");
    desk.fine(&["sign", "1.1.0.plugin", "--key", "b.key", "--out", "b.plugin"]);
    refused(upgrade("b.plugin", &["--no-tapes"]), 1, "not among the 1 trusted");
    let record = ["run", "1.0.0.plugin", "configuration.check", "--record", "tapes/check.json"];
    desk.fine(&record);
    let tape = desk.text("tapes/check.json");
    let mut other: Value = serde_json::from_str(&tape).unwrap();
    other["result"]["ok"] = json!([{ "setting": "address", "text": "wrong", "error": true }]);
    std::fs::write(desk.dir.path().join("tapes/check.json"), other.to_string()).unwrap();
    refused(upgrade("1.1.0.plugin", &["--tapes", "tapes"]), 1, "a tape has another result than with 1.0.0");
    std::fs::write(desk.dir.path().join("tapes/check.json"), tape).unwrap();
    let done = desk.fine(&["upgrade", "hvakosterstrommen", "1.1.0.plugin", "--tapes", "tapes"]);
    assert!(done.out.contains("1 tape, 0 failed") && done.out.contains("1.0.0 -> 1.1.0"), "{}", done.out);
    assert_eq!(
        desk.files(),
        ["hvakosterstrommen-1.0.0.plugin", "hvakosterstrommen-1.1.0.plugin", "hvakosterstrommen.grant"]
    );
    let listed = desk.fine(&["list", "--format", "json"]).json();
    assert_eq!(listed["plugins"][0]["version"], json!("1.1.0"));

    // A gateway that trusts somebody runs nobody else's package, however it came there.
    let text = desk.text("takst.toml").replace(&key, desk.text("b.pub").trim().lines().last().unwrap());
    std::fs::write(desk.dir.path().join("takst.toml"), text).unwrap();
    desk.refused(&["list"], 1, "S085");
}

/// A package of other code under the same name and version, signed with this key.
fn other_code(desk: &Desk, version: &str, key: &str, out: &str) {
    let folder = desk.folder(version);
    let wasm = PathBuf::from(&folder).join("plugin.wasm");
    let mut bytes = std::fs::read(&wasm).unwrap();
    // An empty section of its own kind, `x`.
    bytes.extend([0, 2, 1, b'x']);
    std::fs::write(&wasm, bytes).unwrap();
    desk.fine(&["sign", &folder, "--key", key, "--out", out]);
}

#[test]
fn a_plugin_never_gets_code_that_was_installed_for_another() {
    let desk = Desk::new();
    for key in ["a.key", "b.key"] {
        desk.fine(&["sign", "--new-key", key, "--no-password"]);
    }
    desk.fine(&["sign", &desk.folder("1.0.0"), "--key", "a.key", "--out", "1.0.0.plugin"]);
    other_code(&desk, "1.0.0", "b.key", "evil.plugin");
    desk.fine(&["install", "1.0.0.plugin", "--trust", "a.pub", "--grant", "all"]);
    let package = || std::fs::read(desk.dir.path().join("plugins/hvakosterstrommen-1.0.0.plugin")).unwrap();
    let (ours, grant) = (package(), desk.text("plugins/hvakosterstrommen.grant"));
    let row = |id: &str| {
        let listed = desk.fine(&["list", "--format", "json"]).json();
        let rows = listed["plugins"].as_array().unwrap().clone();
        rows.into_iter().find(|row| row["id"] == id).unwrap()
    };
    let before = row("hvakosterstrommen");
    assert_eq!(before["state"], "ready");

    let install = ["install", "evil.plugin", "--id", "other", "--trust", "b.pub", "--grant", "none"];
    let done = desk.fine(&install);
    assert!(done.err.contains("has other content and stays as it is"), "{}", done.err);
    assert_eq!(package(), ours);
    assert_eq!(row("hvakosterstrommen"), before);
    let other = row("other");
    assert!(other["sha256"] != before["sha256"] && other["signed_by"] != before["signed_by"], "{other}");
    assert_eq!((&other["version"], &other["state"]), (&json!("1.0.0"), &json!("limited")));
    // The same package once more is the same file.
    desk.fine(&["install", "1.0.0.plugin", "--id", "third", "--grant", "none"]);
    assert_eq!(row("third")["path"], before["path"]);
    let packages = || desk.files().iter().filter(|name| name.ends_with(".plugin")).count();
    assert_eq!((packages(), package() == ours), (2, true));

    // Made anew under the same number: the one before stays, for what was begun with it and to go back to.
    other_code(&desk, "1.0.0", "a.key", "anew.plugin");
    desk.refused(&["upgrade", "hvakosterstrommen", "anew.plugin", "--no-tapes"], 1, "is 1.0.0 already");
    desk.fine(&["upgrade", "hvakosterstrommen", "anew.plugin", "--back", "--no-tapes"]);
    assert_eq!((packages(), package() == ours), (3, true));
    assert_eq!(
        (row("third")["sha256"] == before["sha256"], row("third")["path"] == before["path"]),
        (true, true)
    );
    assert_eq!(row("hvakosterstrommen")["sha256"], other["sha256"]);
    let old = "plugins/hvakosterstrommen-1.0.0.plugin";
    desk.fine(&["upgrade", "hvakosterstrommen", old, "--back", "--no-tapes"]);
    assert_eq!(row("hvakosterstrommen"), before);
    assert_eq!(packages(), 3);

    // Nor what was granted to another: a grant that two share is not written for one of them.
    let text = desk.text("api.toml").replace("plugins/third.grant", "plugins/hvakosterstrommen.grant");
    std::fs::write(desk.dir.path().join("api.toml"), text).unwrap();
    assert_eq!(row("third")["state"], "ready");
    desk.fine(&["grant", "third", "--give", "none"]);
    assert_eq!((row("third")["state"].as_str(), row("hvakosterstrommen")), (Some("limited"), before));
    assert_eq!(desk.text("plugins/hvakosterstrommen.grant"), grant);
    let text = desk.text("api.toml").replace("plugins/third.grant", "plugins/fourth.grant");
    std::fs::write(desk.dir.path().join("api.toml"), text).unwrap();
    std::fs::rename(
        desk.dir.path().join("plugins/third.grant"),
        desk.dir.path().join("plugins/fourth.grant"),
    )
    .unwrap();
    desk.refused(
        &["install", "1.0.0.plugin", "--id", "fourth", "--grant", "all"],
        1,
        "is the grant of `third`",
    );
}

#[test]
fn what_is_tried_and_signed_is_what_the_source_says_now() {
    let desk = Desk::new();
    let file = |name: &str| desk.dir.path().join("my-price").join(name);
    let change = |name: &str, from: &str, to: &str| {
        let text = std::fs::read_to_string(file(name)).unwrap();
        assert!(text.contains(from), "{name}: {from}");
        std::fs::write(file(name), text.replace(from, to)).unwrap();
    };
    desk.fine(&["sign", "--new-key", "a.key", "--no-password"]);
    desk.fine(&["new", "--lang", "c", "my-price"]);
    desk.fine(&["build", "my-price"]);
    let sign =
        || desk.fine(&["sign", "my-price", "--key", "a.key", "--out", "one.plugin", "--format", "json"]);
    let first = sign();
    assert!(!first.err.contains("built anew"), "{}", first.err);
    let sha256 = first.json()["sha256"].clone();

    // The guide's way with a call and its tape.
    std::fs::write(desk.dir.path().join("day.json"), r#"{"wanted": {"feed": "spot", "area": "FI", "currency": "EUR", "day": "2026-03-29", "time-zone": "Europe/Helsinki"}}"#).unwrap();
    let run = ["run", "my-price", "prices.fetch", "--input", "day.json"];
    let record = ["--set", "price=0.30", "--record", "my-price/tapes/day.json"];
    desk.fine(&[&run[..], &record].concat());
    let tested = desk.fine(&["test", "my-price"]);
    assert!(tested.out.contains("1 tape, 0 failed") && !tested.err.contains("built anew"), "{}", tested.err);
    // A name that it does not have is no setting, though another one is needed.
    desk.refused(&[&run[..], &["--set", "pric=1"]].concat(), 1, "did you mean `price`");
    desk.refused(
        &[&run[..], &["--set", "price=1", "--secret", "key=day.json"]].concat(),
        1,
        "has no secrets",
    );

    change("plugin.c", "the setting `price`\");", "my setting `price`\");");
    let tested = desk.run(&["test", "my-price"]);
    assert!(
        tested.code == 1 && tested.err.contains("plugin.c has changed since"),
        "{} {}",
        tested.out,
        tested.err
    );
    let second = sign();
    assert!(!second.err.contains("built anew"), "once is enough: {}", second.err);
    assert_ne!(second.json()["sha256"], sha256);
    change("plugin.c", "my setting `price`\");", "the setting `price`\");");
    let third = sign();
    assert!(
        third.err.contains("plugin.c has changed since the plugin was built: it is built anew"),
        "{}",
        third.err
    );
    assert_eq!(third.json()["sha256"], sha256);
    change("plugin.toml", "0.1.0", "0.2.0");
    assert!(desk.fine(&["check", "my-price"]).err.contains("plugin.toml has changed"));
    // Written by something else, in the same place.
    std::fs::copy(desk.dir.path().join("takst.toml"), file("build/plugin.component.wasm")).unwrap();
    assert!(desk.fine(&["check", "my-price"]).err.contains("is not what `takst plugin build` made"));

    // An interface of its own: said by all that would use it, before a gateway has it.
    change(
        "wit/deps/takst-plugin/takst-plugin.wit",
        "fetch: func(settings: options, wanted: wanted) -> result<list<document>, error>;",
        "fetch: func(settings: options, wanted: wanted, more: u32) -> result<list<document>, error>;",
    );
    let text = std::fs::read_to_string(file("plugin.c")).unwrap();
    let taken = text.split("prices_fetch(").nth(1).unwrap().split(',').nth(1).unwrap();
    change("plugin.c", &format!("{taken},"), &format!("{taken}, uint32_t more,"));
    let package = std::fs::read(desk.dir.path().join("one.plugin")).unwrap();
    for arguments in [
        &["build", "my-price"][..],
        &["check", "my-price"],
        &["test", "my-price"],
        &["sign", "my-price", "--key", "a.key", "--out", "one.plugin"],
    ] {
        let ran = desk.run(arguments);
        let told = [
            "`prices.fetch` is `func(settings: options, wanted: wanted, more: u32) -> ",
            "1.0.0 it is `func(settings: options, wanted: wanted) -> ",
        ];
        assert!(
            ran.code == 1 && told.iter().all(|part| ran.err.contains(part)),
            "{arguments:?}: {}",
            ran.err
        );
    }
    assert_eq!(std::fs::read(desk.dir.path().join("one.plugin")).unwrap(), package);
}
