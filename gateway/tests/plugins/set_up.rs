//! What the set-up says of plugins: checked with the plugins themselves, secrets never shown, and bounds of the API.

use crate::scene::{Scene, main, time, workshop, write};
use crate::store_support::*;
use std::path::Path;
use takst_gateway::setup::{Edit, Environment, Files, Loaded, Problems, Refusal, Thing};
use takst_gateway::store::Store;

const SECRET: &str = "whsec_0123456789abcdef";

fn variable(name: &str) -> Option<Vec<u8>> {
    (name == "A_TOKEN").then(|| SECRET.as_bytes().to_vec())
}

fn load(folder: &Path) -> Result<Loaded, Problems> {
    let workshop = workshop();
    let environment = Environment { variable: &variable, before: None, judge: Some(&*workshop) };
    Files::read(folder)?.load(&environment)
}

fn problems(text: &str) -> Problems {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &[("takst.toml", text)]);
    match load(dir.path()) {
        Ok(loaded) => loaded.warnings,
        Err(problems) => problems,
    }
}

#[test]
fn mistakes_are_shown_where_they_stand() {
    for (text, place, code, words) in [
        ("[[plugin]]\nid = \"nordpol\"\n", (2, 6), "S080", "did you mean `nordpool`"),
        ("[[plugin]]\nid = \"x\"\nuse = \"stripes\"\n", (3, 7), "S080", "did you mean `stripe`"),
        ("[[plugin]]\nid = \"x\"\nfolder = \"none\"\n", (3, 10), "S080", "does not exist"),
        ("[[plugin]]\nid = \"x\"\nuse = \"sms\"\nfolder = \"y\"\n", (4, 10), "S080", "both say which plugin"),
        (
            "[[plugin]]\nid = \"hvakosterstrommen\"\nsettings = { adress = \"https://x.example\" }\n",
            (3, 23),
            "S081",
            "did you mean `address`",
        ),
        (
            "[[plugin]]\nid = \"hvakosterstrommen\"\nsettings = { address = \"x\" }\n",
            (3, 24),
            "S081",
            "https://",
        ),
        ("[[plugin]]\nid = \"sms\"\n", (1, 1), "S081", "needs the setting `address`"),
        ("[[plugin]]\nid = \"entsoe\"\n", (1, 1), "S082", "needs the secret `token`"),
        (
            "[[plugin]]\nid = \"entsoe\"\nsecrets = { tokn = { env = \"A_TOKEN\" } }\n",
            (3, 20),
            "S082",
            "did you mean `token`",
        ),
        (
            "[[plugin]]\nid = \"entsoe\"\nsecrets = { token = { env = \"NONE\" } }\n",
            (3, 21),
            "S043",
            "`NONE` is not set",
        ),
        (
            "[[feed]]\narea = \"NO1\"\nsource = \"plugin\"\nplugin = \"x\"\n",
            (4, 10),
            "S030",
            "there is no plugin `x`",
        ),
        ("[[feed]]\narea = \"NO1\"\nsource = \"plugin\"\n", (3, 10), "S072", "it is not said which"),
    ] {
        let found = problems(text);
        let fits = |one: &&takst_dsl::diagnostic::Diagnostic| {
            let told = format!("{} {}", one.message, one.help.as_deref().unwrap_or_default());
            one.code == code && told.contains(words)
        };
        let one = found.diagnostics.iter().find(fits).unwrap_or_else(|| panic!("{text}\n{found}"));
        let (_, line, column) = found.place(one).unwrap();
        assert_eq!((line, column), place, "{text}\n{found}");
    }
}

#[test]
fn a_plugin_s_own_word_on_its_settings_counts() {
    let dir = tempfile::tempdir().unwrap();
    let wasm = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins/host/tests/golden/1.0.0.wasm");
    let about = "id = \"whole\"\nversion = \"1.0.0\"\ninterface = \"1.0.0\"\ndescription = \"x\"\nauthor = \"x\"\ncapabilities = [\"price-source\", \
                 \"payment-provider\", \"invoice-channel\", \"meter-export\", \"notifier\", \"webhook\"]\n";
    let text = "[[plugin]]\nid = \"mine\"\nfolder = \"mine\"\n";
    write(dir.path(), &[("takst.toml", text), ("mine/plugin.toml", about)]);
    let wrong = load(dir.path()).unwrap_err().to_string();
    assert!(wrong.contains("S080") && wrong.contains("plugin.wasm"), "{wrong}");
    std::fs::copy(wasm, dir.path().join("mine/plugin.wasm")).unwrap();
    // This one finds fault with everything.
    let wrong = load(dir.path()).unwrap_err().to_string();
    assert!(wrong.contains("S081: plugin `mine` says of its setting `all`"), "{wrong}");
    // What is no plugin is told in the integrator's words.
    std::fs::write(dir.path().join("mine/plugin.wasm"), b"\0asm\x01\0\0\0").unwrap();
    let wrong = load(dir.path()).unwrap_err().to_string();
    assert!(wrong.contains("S080") && wrong.contains("core module"), "{wrong}");
}

#[test]
fn secrets_are_read_and_never_shown() {
    let clear = format!("[[plugin]]\nid = \"entsoe\"\nsecrets = {{ token = \"{SECRET}\" }}\n");
    let found = problems(&clear);
    assert!(found.to_string().contains("S041") && !found.sources[0].text.contains(SECRET), "{found}");
    let among = format!("[[plugin]]\nid = \"entsoe\"\nsettings = {{ token = \"{SECRET}\" }}\n");
    let found = problems(&among);
    assert!(found.to_string().contains("is a secret, and stands among the settings"), "{found}");
    assert!(!found.sources[0].text.contains(SECRET), "{found}");

    let dir = tempfile::tempdir().unwrap();
    let text = "[[plugin]]\nid = \"entsoe\"\nsecrets = { token = { file = \"token.txt\" } }\n";
    write(dir.path(), &[("takst.toml", text), ("token.txt", &format!("{SECRET}\n"))]);
    let loaded = load(dir.path()).unwrap();
    assert_eq!(loaded.plugins["entsoe"].secrets["token"].expose(), SECRET.as_bytes());
    let all = format!("{loaded:?} {:?} {} {}", loaded.plugins, loaded.document(), loaded.shown());
    assert!(!all.contains(SECRET) && all.contains("token.txt"), "{all}");
    // Another secret in the same file is another set-up.
    write(dir.path(), &[("token.txt", "another one altogether")]);
    assert!(loaded.lists_differ(&Files::read(dir.path()).unwrap()));
    assert!(!load(dir.path()).unwrap().is_same(&loaded));
}

#[test]
fn the_api_gives_a_plugin_nothing_that_the_files_did_not() {
    let dir = tempfile::tempdir().unwrap();
    let text = "[[plugin]]\nid = \"entsoe\"   # ours\nsecrets = { token = { env = \"A_TOKEN\" } }\n";
    write(dir.path(), &[("takst.toml", text)]);
    let loaded = load(dir.path()).unwrap();
    let thing = |id: &str| Thing { section: "plugin".into(), id: id.into() };
    let change = |id: &str, fields: &str| {
        let mut files = Files::read(dir.path()).unwrap();
        let fields = serde_json::from_str(fields).unwrap();
        files.apply(&Edit::Replace(thing(id), fields), &loaded).map(|()| files)
    };
    for (fields, words) in [
        (r#"{"secrets": {"token": {"env": "DATABASE_PASSWORD"}}}"#, "in the files only"),
        (r#"{"secrets": {"token": {"file": "/etc/shadow"}}}"#, "not in the folder"),
        (r#"{"folder": "../elsewhere"}"#, "not in the folder"),
        (r#"{"grant": "/etc/grant"}"#, "not in the folder"),
        (r#"{"package": "../x.tar"}"#, "not in the folder"),
    ] {
        match change("entsoe", fields) {
            Err(Refusal::Edit(error)) => assert!(error.to_string().contains(words), "{error}"),
            other => panic!("{fields}: {other:?}"),
        }
    }
    // What stands there may stay, and a plugin without secrets may come.
    let kept = change("entsoe", r#"{"secrets": {"token": {"env": "A_TOKEN"}}}"#).unwrap();
    let text = kept.texts().map(|(_, text)| text.to_owned()).collect::<String>();
    assert!(text.contains("A_TOKEN") && text.contains("# ours"), "{text}");
    let new = change("nordpool", "{}").unwrap();
    assert!(new.texts().any(|(name, text)| name == "api.toml" && text.contains("id = \"nordpool\"")));
    // Not even a file that is there already: it may be anybody's secret.
    for (id, fields) in [
        ("entsoe", r#"{"secrets": {"token": {"file": "token.txt"}}}"#),
        ("other", r#"{"use": "entsoe", "secrets": {"token": {"file": "token.txt"}}}"#),
        ("other", r#"{"use": "entsoe", "secrets": {"token": {"env": "A_TOKEN"}}}"#),
        ("nordpool", r#"{"grant": "token.txt"}"#),
    ] {
        match change(id, fields) {
            Err(Refusal::Edit(error)) => assert!(error.to_string().contains("in the files only"), "{error}"),
            other => panic!("{id} {fields}: {other:?}"),
        }
    }
}

#[test]
fn the_api_does_not_say_where_a_plugin_s_secrets_go() {
    let dir = tempfile::tempdir().unwrap();
    let text = "[[plugin]]\nid = \"sms\"\ngrant = \"sms.grant\"\nsettings = { address = \"https://sms.example\", from = \"Takst\" }\n\
                secrets = { password = { env = \"A_TOKEN\" }, incoming = { file = \"in.txt\" } }\n\n\
                [[plugin]]\nid = \"open\"\nuse = \"sms\"\nsettings = { address = \"https://sms.example\", auth_value = \"-\" }\n\n\
                [[plugin]]\nid = \"norway\"\nuse = \"hvakosterstrommen\"\n";
    let grant = "[[http]]\nhost = \"{{setting:address}}\"\n";
    write(dir.path(), &[("takst.toml", text), ("in.txt", SECRET), ("sms.grant", grant)]);
    let loaded = load(dir.path()).unwrap();
    let thing = |id: &str| Thing { section: "plugin".into(), id: id.into() };
    let change =
        |edit: &dyn Fn(Thing, serde_json::Map<String, serde_json::Value>) -> Edit, id, fields: &str| {
            let mut files = Files::read(dir.path()).unwrap();
            files.apply(&edit(thing(id), serde_json::from_str(fields).unwrap()), &loaded).map(|()| files)
        };
    let secrets = r#""secrets": {"password": {"env": "A_TOKEN"}, "incoming": {"file": "in.txt"}}"#;
    let whole = |rest: &str| format!("{{{secrets}, \"grant\": \"sms.grant\", {rest}}}");
    // Another host by another setting, other code under the same name, another secret in the place of one.
    for fields in [
        r#"{"settings": {"address": "https://evil.example"}}"#.to_owned(),
        r#"{"settings": {"address": null}}"#.to_owned(),
        r#"{"settings": null}"#.to_owned(),
        r#"{"use": "efaktura"}"#.to_owned(),
        r#"{"folder": "mine"}"#.to_owned(),
        r#"{"package": "mine.tar"}"#.to_owned(),
        r#"{"grant": null}"#.to_owned(),
        r#"{"secrets": {"password": {"file": "in.txt"}}}"#.to_owned(),
        r#"{"secrets": {"password": {"file": "in.txt", "env": null}}}"#.to_owned(),
        r#"{"secrets": {"incoming": {"file": "stripe.key"}}}"#.to_owned(),
    ] {
        match change(&Edit::Merge, "sms", &fields) {
            Err(Refusal::Edit(error)) => assert!(error.to_string().contains("in the files only"), "{error}"),
            other => panic!("{fields}: {other:?}"),
        }
    }
    for rest in [
        r#""settings": {"address": "https://evil.example", "from": "Takst"}"#,
        r#""settings": {"from": "Takst"}"#,
        r#""use": "efaktura", "settings": {"address": "https://sms.example"}"#,
    ] {
        assert!(change(&Edit::Replace, "sms", &whole(rest)).is_err(), "{rest}");
    }
    // All else may be another, also at once with the secrets as they stand; and a secret may be taken away.
    let settings = r#""settings": {"address": "https://sms.example", "from": "Lade"}"#;
    for files in [
        change(&Edit::Merge, "sms", r#"{"settings": {"from": "Lade"}}"#).unwrap(),
        change(&Edit::Replace, "sms", &whole(settings)).unwrap(),
        change(&Edit::Merge, "sms", r#"{"settings": {"from": "Lade"}, "secrets": {"incoming": null}}"#)
            .unwrap(),
    ] {
        let text = files.texts().map(|(_, text)| text.to_owned()).collect::<String>();
        assert!(text.contains("\"Lade\"") && text.contains("A_TOKEN"), "{text}");
    }
    // One that has no secrets calls whom it is told to.
    let own = r#"{"settings": {"address": "https://other.example"}}"#;
    change(&Edit::Merge, "open", own).unwrap();
    change(&Edit::Merge, "norway", own).unwrap();
    // Taken out and put in again it is a new one.
    let mut files = Files::read(dir.path()).unwrap();
    files.apply(&Edit::Remove(thing("sms")), &loaded).unwrap();
    files.save().unwrap();
    let gone = load(dir.path()).unwrap();
    let again = serde_json::from_str(&whole(settings)).unwrap();
    assert!(files.apply(&Edit::Replace(thing("sms"), again), &gone).is_err());
}

fn told(after: &Loaded, before: &Loaded) -> Vec<String> {
    after.changes_since(before).iter().map(ToString::to_string).collect()
}

#[test]
fn what_a_plugin_has_in_files_of_its_own_is_a_difference() {
    let dir = tempfile::tempdir().unwrap();
    let text = "[[plugin]]\nid = \"entsoe\"\ngrant = \"entsoe.grant\"\nsecrets = { token = { file = \"token.txt\" } }\n";
    let grant = "[[http]]\nhost = \"web-api.tp.entsoe.eu\"\n";
    write(dir.path(), &[("takst.toml", text), ("entsoe.grant", grant), ("token.txt", SECRET)]);
    let first = load(dir.path()).unwrap();
    assert_eq!(told(&first, &first), Vec::<String>::new());

    // Narrower, and wide again.
    write(dir.path(), &[("entsoe.grant", "")]);
    let narrow = load(dir.path()).unwrap();
    let gone = told(&narrow, &first);
    assert_eq!(gone, ["plugin entsoe: grant.http no longer stated"]);
    let back = told(&first, &narrow);
    assert!(back[0].starts_with("plugin entsoe: grant.http ") && back[0].contains("web-api.tp"), "{back:?}");

    // Another secret: that it is, and never which.
    write(dir.path(), &[("entsoe.grant", grant), ("token.txt", "another-one-altogether")]);
    let other = load(dir.path()).unwrap();
    let changed = told(&other, &first);
    assert_eq!(changed, ["plugin entsoe: secrets.token a secret -> another secret"]);

    // A plugin that is new, with what it may.
    write(dir.path(), &[("takst.toml", "")]);
    let none = load(dir.path()).unwrap();
    let new = told(&first, &none);
    assert_eq!((new.len(), new[0].as_str()), (2, "plugin entsoe: new"), "{new:?}");
    assert!(new[1].contains("grant") && new[1].contains("web-api.tp.entsoe.eu"), "{new:?}");
}

async fn a_changed_grant_is_in_the_audit_log(place: Place) {
    let text = "[[plugin]]\nid = \"entsoe\"\ngrant = \"entsoe.grant\"\nsecrets = { token = { file = \"token.txt\" } }\n";
    let grant = "[[http]]\nhost = \"web-api.tp.entsoe.eu\"\n";
    let scene =
        Scene::open(place, &[("takst.toml", text), ("entsoe.grant", ""), ("token.txt", SECRET)]).await;
    let log =
        async |store: &Store| store.read().await.unwrap().audit_log(&main(), None, None, 10).await.unwrap();
    let before = log(&scene.store).await.len();
    write(&scene.folder, &[("entsoe.grant", grant), ("token.txt", "another-one-altogether")]);
    let taken = scene.house.reload(time("2026-06-01T00:01:00Z")).await.unwrap().unwrap();
    assert_eq!(taken.changes.len(), 1);
    let all = log(&scene.store).await;
    assert_eq!(all.len(), before + 1, "{all:?}");
    let (was, is) = (all[0].before_doc.clone().unwrap(), all[0].after_doc.clone().unwrap());
    assert_eq!(
        (all[0].what.as_str(), all[0].subject.as_str(), all[0].who.as_str()),
        ("setup.change", "plugin entsoe", "files")
    );
    assert!(is.contains("web-api.tp.entsoe.eu") && is.contains("another secret"), "{is}");
    assert!(!was.contains("web-api") && !format!("{was}{is}").contains("another-one-altogether"), "{was}");

    // What was changed while the gateway was not running is told at its start.
    let Scene { folder, store, house, plugins, fetcher, place } = scene;
    drop((house, plugins, fetcher));
    store.close().await;
    let same = Scene::open(place, &[]).await;
    assert_eq!(log(&same.store).await.len(), before + 1);
    write(&folder, &[("entsoe.grant", "")]);
    let Scene { place, store, .. } = same;
    store.close().await;
    let again = Scene::open(place, &[]).await;
    let all = log(&again.store).await;
    assert_eq!((all.len(), all[0].subject.as_str()), (before + 2, "files"), "{all:?}");
}
both!(a_changed_grant_is_in_the_audit_log);
