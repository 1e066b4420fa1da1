//! The files of a set-up: which belong to it, where a mistake is shown, and changes written back where things stand.

use serde_json::{Map, Value, json};
use std::path::Path;
use takst_gateway::setup::{Document, Environment, Files, Loaded, Problems, Setup, changes};

const MAIN: &str = r#"# The main file.
include = ["more", "people.toml"]

[[seller]]
id = "s"            # never changes
name = "S"

[[site]]
id = "oslo"
name = "Oslo"       # as people call it
time_zone = "Europe/Oslo"
seller = "s"

# The first charger.
[[charger]]
id = "O-1"
site = "oslo"
security = { profile = 0 }   # behind the router
"#;

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    folder
}

fn example() -> tempfile::TempDir {
    folder(&[
        ("takst.toml", MAIN),
        ("more/drivers.toml", "[[driver]]\nid = \"d-1\"\n"),
        ("more/deep/tokens.toml", "token = [{ uid = \"A1\", driver = \"d-1\" }, { uid = \"B2\" }]\n"),
        ("more/.hidden.toml", "this is not TOML"),
        ("more/notes.txt", "nor is this"),
        ("people.toml", "[[person]]\ndriver = \"d-1\"\nname = \"Aino\"\n"),
    ])
}

fn load(files: &Files) -> Result<Loaded, Problems> {
    files.load(&Environment::default())
}

fn fields(value: &Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

fn text(files: &Files, name: &str) -> String {
    files.texts().find(|(known, _)| *known == name).unwrap().1.to_owned()
}

#[test]
fn a_file_and_a_folder_are_the_same_set_up() {
    let place = example();
    let by_file =
        Setup::load(&place.path().join("takst.toml")).unwrap_or_else(|problems| panic!("{problems}"));
    let by_folder = Setup::load(place.path()).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(by_file.setup.tokens.len(), 2);
    assert_eq!(by_file.people[0].name.as_deref(), Some("Aino"));
    assert!(changes(by_file.setup.document(), by_folder.setup.document()).is_empty());
}

#[test]
fn a_mistake_is_shown_where_it_stands() {
    let place = folder(&[
        ("takst.toml", MAIN),
        (
            "more/chargers.toml",
            "[[charger]]\nid = \"o-1\"\nsite = \"olso\"\nnmae = \"x\"\nsecurity = { profile = 0, pasword = 1 }\n",
        ),
        ("people.toml", "[[person]]\ndriver = \"d-1\"\n"),
    ]);
    let problems = Setup::load(place.path()).unwrap_err();
    let found: Vec<(&str, String)> = problems
        .diagnostics
        .iter()
        .map(|found| {
            let (file, line, column) = problems.place(found).unwrap();
            (found.code, format!("{}:{line}:{column}", file.rsplit('/').next().unwrap()))
        })
        .collect();
    let place_of = |code: &str| found.iter().find(|(known, _)| *known == code).unwrap().1.clone();
    // Files are read in the order of their names.
    assert_eq!(place_of("S021"), "takst.toml:16:6");
    assert!(found.contains(&("S030", "people.toml:2:10".to_owned())), "{problems}");
    let twice = problems.diagnostics.iter().find(|found| found.code == "S021").unwrap();
    assert_eq!(twice.labels.len(), 2);

    let renamed =
        std::fs::read_to_string(place.path().join("more/chargers.toml")).unwrap().replace("o-1", "O-2");
    std::fs::write(place.path().join("more/chargers.toml"), renamed).unwrap();
    let problems = Setup::load(place.path()).unwrap_err();
    let shown = problems.to_string();
    for part in [
        "chargers.toml:4:1: error S011: `nmae` is not known here (did you mean `name`?)",
        "chargers.toml:5:27: error S011: `pasword` is not known here (did you mean `password`?)",
        "chargers.toml:3:8: error S030: there is no site `olso` (did you mean `oslo`?)",
    ] {
        assert!(shown.contains(part), "{part} is not in\n{shown}");
    }
}

#[test]
fn one_change_leaves_all_else_as_it_is() {
    let place = example();
    let mut files = Files::read(&place.path().join("takst.toml")).unwrap();
    let before = load(&files).unwrap();
    files.set("site", "oslo", &fields(&json!({"name": "Oslo S", "places": 4}))).unwrap();
    let wanted = MAIN
        .replace("name = \"Oslo\"  ", "name = \"Oslo S\"  ")
        .replace("seller = \"s\"\n", "seller = \"s\"\nplaces = 4\n");
    assert_eq!(text(&files, "takst.toml"), wanted);
    let after = load(&files).unwrap_or_else(|problems| panic!("{problems}"));
    let shown: Vec<String> = after.changes_since(&before).iter().map(ToString::to_string).collect();
    assert_eq!(shown, ["site oslo: name Oslo -> Oslo S, places 4"]);

    // An inline table in a list, a key taken out, letters in the other case.
    files.set("token", "a1", &fields(&json!({"driver": null, "status": "blocked"}))).unwrap();
    assert!(
        text(&files, "more/deep/tokens.toml").contains("uid = \"A1\", status = \"blocked\""),
        "{}",
        text(&files, "more/deep/tokens.toml")
    );
    // New things go to a file of their own; people to theirs.
    files.set("charger", "O-2", &fields(&json!({"site": "oslo", "security": {"profile": 0}, "connector": [{"evse": 1, "max_power_kw": "7.4"}]}))).unwrap();
    files.set("settings", "", &fields(&json!({"keep_frames": 5}))).unwrap();
    files.set("feed", "spot NO1", &fields(&json!({"expected_by": "14:00"}))).unwrap();
    files.set("person", "d-1", &fields(&json!({"phone": "+47 1"}))).unwrap();
    let last = load(&files).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(last.setup.charger("o-2").unwrap().connectors[0].max_power.unwrap().0, 7_400_000);
    assert_eq!(last.setup.feeds[0].area.as_deref(), Some("NO1"));
    assert_eq!(last.people[0].phone.as_deref(), Some("+47 1"));
    assert!(text(&files, "api.toml").contains("[[charger]]"));
    assert_eq!(
        std::fs::read_to_string(place.path().join("takst.toml")).unwrap(),
        MAIN,
        "nothing is written yet"
    );

    files.save().unwrap();
    let again = Setup::load(&place.path().join("takst.toml")).unwrap_or_else(|problems| panic!("{problems}"));
    assert!(again.changes_since(&last).is_empty());
    assert!(files.save().unwrap().is_empty(), "all is written");
}

#[test]
fn a_thing_is_replaced_or_taken_out() {
    let place = example();
    let mut files = Files::read(place.path()).unwrap();
    files.replace("token", "A1", &fields(&json!({"type": "app"}))).unwrap();
    assert!(
        text(&files, "more/deep/tokens.toml").contains("{ uid = \"A1\", type = \"app\" }"),
        "{}",
        text(&files, "more/deep/tokens.toml")
    );
    files.remove("token", "B2").unwrap();
    files.remove("person", "d-1").unwrap();
    let loaded = load(&files).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!((loaded.setup.tokens.len(), loaded.people.len()), (1, 0));
    assert!(files.remove("token", "B2").is_err());
    assert!(files.set("card", "x", &Map::new()).is_err());
    assert!(files.set("group", "x", &fields(&json!({"name": 1.5}))).is_err());
    // What would not hold is said before anything is written.
    files.set("charger", "O-1", &fields(&json!({"site": "bergen"}))).unwrap();
    let problems = load(&files).unwrap_err();
    assert!(problems.diagnostics.iter().any(|found| found.code == "S030"), "{problems}");
}

#[test]
fn somebody_elses_edit_is_not_overwritten() {
    let place = example();
    let mut files = Files::read(place.path()).unwrap();
    files.set("site", "oslo", &fields(&json!({"name": "Oslo S"}))).unwrap();
    files.set("group", "new", &Map::new()).unwrap();
    let edited = format!("{MAIN}\n# my note\n");
    std::fs::write(place.path().join("takst.toml"), &edited).unwrap();
    let refused = files.save().unwrap_err();
    assert!(refused.contains("takst.toml"), "{refused}");
    assert_eq!(std::fs::read_to_string(place.path().join("takst.toml")).unwrap(), edited);
    assert!(!place.path().join("api.toml").exists(), "nothing is written by halves");
}

#[test]
fn changes_never_show_a_password() {
    let hash = takst_gateway::setup::hash_password(b"one").unwrap();
    let of = |hash: &str| {
        let text = MAIN
            .replace("include = [\"more\", \"people.toml\"]", "")
            .replace("{ profile = 0 }", &format!("{{ password = \"{hash}\" }}"));
        load(&Files::of_texts(Path::new(""), &[("takst.toml", &text)]))
            .unwrap_or_else(|problems| panic!("{problems}"))
    };
    let (old, new) = (of(&hash), of(&takst_gateway::setup::hash_password(b"two").unwrap()));
    let changes = new.changes_since(&old);
    assert_eq!(changes.len(), 1);
    let shown = format!("{changes:?} {}", serde_json::to_string(&changes).unwrap());
    assert!(shown.contains("security.password") && !shown.contains("argon2id"), "{shown}");
    assert!(
        !format!("{old:?}").contains("$argon2id$v=19$m=4096,t=2,p=1$"),
        "a password is in the debug output"
    );
}

#[test]
fn a_password_in_the_clear_is_not_shown() {
    for security in [
        "{ password = \"gehëim-1\" }",
        "{ pasword = \"gehëim-1\" }",
        "{ profile = 9, password = 'gehëim-1' } # here",
    ] {
        let text =
            MAIN.replace("include = [\"more\", \"people.toml\"]", "").replace("{ profile = 0 }", security);
        let problems = load(&Files::of_texts(Path::new(""), &[("takst.toml", &text)])).unwrap_err();
        assert!(!format!("{problems} {problems:?}").contains("hëim"), "{problems}");
        // Nothing is moved by it.
        assert_eq!(problems.sources[0].text.len(), text.len());
    }
}

#[test]
fn mistakes_in_json_have_their_places_too() {
    let problems = Document::from_json(
        "{\n  \"group\": [{\"id\": \"VIP\"}, {\"id\": \"VIP\", \"nme\": null}],\n  \"setings\": {}\n}",
    )
    .unwrap_err();
    let found: Vec<(&str, usize, usize)> = problems
        .diagnostics
        .iter()
        .map(|found| {
            let (_, line, column) = problems.place(found).unwrap();
            (found.code, line, column)
        })
        .collect();
    assert_eq!(found, [("S021", 2, 35), ("S010", 3, 4)]);
    assert!(Document::from_json("{\"group\": [}").unwrap_err().to_string().contains("not JSON"));
    assert!(Document::from_json("[]").is_err());
    let wrong = load(&Files::of_texts(Path::new(""), &[("takst.toml", "include = 5\n")])).unwrap_err();
    assert_eq!(wrong.diagnostics[0].code, "S013");
}

// A small generator of its own, so that a failure can be run again.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(bound.max(1)).unwrap()).unwrap()
    }
}

#[test]
fn any_text_gets_an_answer() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/sites");
    let files = Files::read(&folder).unwrap();
    let whole: Vec<(String, String)> =
        files.texts().map(|(name, text)| (name.to_owned(), text.to_owned())).collect();
    let bits = [
        "[[",
        "]]",
        "=",
        "\"",
        "\\",
        "{",
        "}",
        "\n",
        "1e999",
        "-0",
        "0x",
        "2026-13-45",
        "ø",
        "\u{0}",
        "[charger.x.y]",
        "'''",
        "nan",
    ];
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let mut refused = 0;
    for _ in 0..3_000 {
        let mut texts = whole.clone();
        for _ in 0..=dice.below(3) {
            let which = dice.below(texts.len());
            let text = &mut texts[which].1;
            let mut cut = |text: &str| {
                (0..=dice.below(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap()
            };
            let (a, b) = (cut(text), cut(text));
            let (a, b) = (a.min(b), a.max(b).min(a.min(b) + 40));
            let b = (0..=b).rev().find(|at| text.is_char_boundary(*at)).unwrap().max(a);
            text.replace_range(a..b, bits[dice.below(bits.len())]);
        }
        let texts: Vec<(&str, &str)> =
            texts.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
        // In an empty folder: the tariffs are not there, and so every answer comes with messages.
        let outcome = load(&Files::of_texts(Path::new("/nonexistent"), &texts));
        let problems = outcome.unwrap_err();
        refused += 1;
        for found in &problems.diagnostics {
            assert!(problems.place(found).is_some());
        }
    }
    assert_eq!(refused, 3_000);
}

#[test]
fn depth_and_size_are_bounded() {
    let deep = [
        format!("{}a = 1", "a.".repeat(400_000)),
        format!("a = {}{}", "[".repeat(400_000), "]".repeat(400_000)),
        format!("a = {}", "{ a = ".repeat(400_000)),
        format!("[{}a]", "a.".repeat(400_000)),
        "[[site]]\n".repeat(300_000),
        "\"".repeat(1_000_000),
    ];
    for text in &deep {
        assert!(load(&Files::of_texts(Path::new(""), &[("takst.toml", text)])).is_err());
        let json = text.replace("a = ", "").replace(" = ", ":");
        assert!(Document::from_json(&json).is_err());
    }
    // Many chargers that name a site that is nearly there: the hint is looked for a bounded number of times.
    let mut many = String::from("[[seller]]\nid = \"s\"\nname = \"S\"\n");
    for n in 0..20_000 {
        many.push_str(&format!(
            "[[site]]\nid = \"site-number-{n}\"\nname = \"x\"\ntime_zone = \"Europe/Oslo\"\nseller = \"s\"\n"
        ));
        many.push_str(&format!(
            "[[charger]]\nid = \"C{n}\"\nsite = \"site-nunber-{n}\"\nsecurity = {{ profile = 0 }}\n"
        ));
    }
    let start = std::time::Instant::now();
    let problems = load(&Files::of_texts(Path::new(""), &[("takst.toml", &many)])).unwrap_err();
    assert_eq!(problems.diagnostics.len(), 201);
    assert!(start.elapsed().as_secs() < 60, "{:?}", start.elapsed());
}
