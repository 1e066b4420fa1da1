//! Versions of tariff files: when a changed text counts, and what stays as it was.

use std::path::Path;
use std::sync::Arc;
use takst_dsl::diagnostic::Severity;
use takst_engine::units::Instant;
use takst_gateway::setup::{At, Bundle, Catalogue, Environment, Files, Loaded, Problems};

const SITE: &str = r#"
[[seller]]
id = "s"
name = "S"
[[site]]
id = "oslo"
name = "Oslo"
time_zone = "Europe/Oslo"
seller = "s"
[[site]]
id = "helsinki"
name = "Helsinki"
time_zone = "Europe/Helsinki"
seller = "s"
[[group]]
id = "VIP"
[[group]]
id = "staff"
[[charger]]
id = "O-1"
site = "oslo"
security = { profile = 0 }
connector = [{ evse = 1 }, { evse = 2 }]
[[charger]]
id = "H-1"
site = "helsinki"
security = { profile = 0 }
"#;

fn list(price: &str, more: &str) -> String {
    format!(
        "tariff \"T\"\n  currency: EUR\n  time zone: Europe/Oslo\n  prices: including VAT\n{more}\nVAT: 20%\n\nenergy: {price} EUR/kWh\n"
    )
}

struct Place(tempfile::TempDir);

impl Place {
    fn new(assignments: &str) -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        place.write("takst.toml", &format!("{SITE}{assignments}"));
        place
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.0.path().join(name), text).unwrap();
    }

    fn try_load(&self, before: Option<&Loaded>) -> Result<Loaded, Problems> {
        Files::read(self.0.path())?.load(&Environment { before, ..Environment::default() })
    }

    fn load(&self, before: Option<&Loaded>) -> Loaded {
        self.try_load(before).unwrap_or_else(|problems| panic!("{problems}"))
    }
}

fn at(text: &str) -> Instant {
    takst_engine::input::instant(text).unwrap()
}

fn price(
    loaded: &Loaded,
    catalogue: &Catalogue,
    charger: &str,
    evse: u32,
    groups: &[&str],
    time: &str,
) -> String {
    let charger = loaded.setup.charger(charger).unwrap();
    let groups: Vec<String> = groups.iter().map(|group| (*group).to_owned()).collect();
    let place = At { charger, evse: Some(evse), connector: None, groups: &groups };
    let Some(found) = loaded.setup.tariff_at(catalogue, place, at(time)) else { return "none".to_owned() };
    let text = &found.version.prepared.tariff().sources[0].text;
    text.split("energy: ").nth(1).unwrap().split(' ').next().unwrap().to_owned()
}

#[test]
fn a_changed_text_counts_from_the_moment_it_is_taken_in() {
    let place = Place::new("[[tariff]]\nfile = \"a.tariff\"\n");
    place.write("a.tariff", &list("0.10", ""));
    let first = place.load(None);
    let mut catalogue = Catalogue::default();
    let new = catalogue.take_in(&first, at("2026-03-01T10:00:00Z")).unwrap();
    assert_eq!((new.len(), new[0].from), (1, Instant(0)));
    assert!(catalogue.take_in(&first, at("2026-03-02T10:00:00Z")).unwrap().is_empty(), "nothing has changed");

    place.write("a.tariff", &list("0.20", ""));
    let second = place.load(Some(&first));
    let changes = second.changes_since(&first);
    assert_eq!(changes.len(), 1);
    assert!(changes[0].to_string().starts_with("tariff file a.tariff: version sha256:"), "{}", changes[0]);
    catalogue.take_in(&second, at("2026-03-05T10:00:00Z")).unwrap();
    let of = |time| price(&second, &catalogue, "O-1", 1, &[], time);
    // What was charged stays: an offline session of the fourth that arrives late has the old price.
    assert_eq!(of("2026-03-05T09:59:59Z"), "0.10");
    assert_eq!(of("2026-03-05T10:00:00Z"), "0.20");
    // Back to the old text: the same version again, kept once.
    place.write("a.tariff", &list("0.10", ""));
    let third = place.load(Some(&second));
    let back = catalogue.take_in(&third, at("2026-03-09T10:00:00Z")).unwrap();
    assert_eq!(back[0].version, new[0].version);
    assert!(Arc::ptr_eq(&back[0].prepared, &new[0].prepared));
    assert_eq!(price(&third, &catalogue, "O-1", 1, &[], "2026-03-09T10:00:00Z"), "0.10");
}

#[test]
fn a_change_can_be_announced() {
    let place = Place::new("[[tariff]]\nfile = \"a.tariff\"\nsite = \"oslo\"\nchanges_from = 2026-04-01\n");
    place.write("a.tariff", &list("0.10", ""));
    let first = place.load(None);
    let mut catalogue = Catalogue::default();
    catalogue.take_in(&first, at("2026-03-01T10:00:00Z")).unwrap();
    place.write("a.tariff", &list("0.20", ""));
    let second = place.load(Some(&first));
    catalogue.take_in(&second, at("2026-03-20T10:00:00Z")).unwrap();
    let of = |catalogue: &Catalogue, time| price(&second, catalogue, "O-1", 1, &[], time);
    // Midnight in Oslo.
    assert_eq!(of(&catalogue, "2026-03-31T21:59:59Z"), "0.10");
    assert_eq!(of(&catalogue, "2026-03-31T22:00:00Z"), "0.20");
    // A slip mended before it counts: the wrong price never does.
    place.write("a.tariff", &list("0.15", ""));
    let third = place.load(Some(&second));
    catalogue.take_in(&third, at("2026-03-25T10:00:00Z")).unwrap();
    assert_eq!(of(&catalogue, "2026-04-10T10:00:00Z"), "0.15");
    // When the time has passed it must be said anew.
    place.write("a.tariff", &list("0.30", ""));
    let late = place.load(Some(&third));
    let problems = catalogue.take_in(&late, at("2026-06-01T10:00:00Z")).unwrap_err();
    assert_eq!(problems.diagnostics[0].code, "S057");
    let (file, line, _) = problems.place(&problems.diagnostics[0]).unwrap();
    assert!(file.ends_with("takst.toml") && line > 30, "{problems}");
    assert_eq!(of(&catalogue, "2026-06-01T10:00:00Z"), "0.15", "nothing was taken in");
}

#[test]
fn a_list_that_says_when_it_is_valid_waits_for_that() {
    let place = Place::new("[[tariff]]\nfile = \"a.tariff\"\n");
    place.write("a.tariff", &list("0.10", "  valid from: 2026-01-01\n"));
    let first = place.load(None);
    let mut catalogue = Catalogue::default();
    catalogue.take_in(&first, at("2026-03-01T10:00:00Z")).unwrap();
    place.write("a.tariff", &list("0.20", "  valid from: 2026-05-01\n"));
    let second = place.load(Some(&first));
    catalogue.take_in(&second, at("2026-03-20T10:00:00Z")).unwrap();
    let of = |time| price(&second, &catalogue, "O-1", 1, &[], time);
    assert_eq!(of("2026-04-15T10:00:00Z"), "0.10");
    assert_eq!(of("2026-05-15T10:00:00Z"), "0.20");
    assert_eq!(of("2025-12-15T10:00:00Z"), "none");
}

#[test]
fn a_list_that_is_over_leaves_its_place_to_the_one_behind_it() {
    let place = Place::new("[[tariff]]\nfile = \"all.tariff\"\n[[tariff]]\nfile = \"summer.tariff\"\n");
    place.write("all.tariff", &list("0.30", ""));
    place.write("summer.tariff", &list("0.20", "  valid from: 2026-06-01\n  valid until: 2026-08-31\n"));
    let loaded = place.load(None);
    let mut catalogue = Catalogue::default();
    catalogue.take_in(&loaded, at("2026-03-01T10:00:00Z")).unwrap();
    let of = |catalogue: &Catalogue, time| price(&loaded, catalogue, "O-1", 1, &[], time);
    // 2026-06-01 and 2026-09-01 begin at 22:00 UTC the day before.
    for (time, expected) in [
        ("2026-05-31T21:59:59Z", "0.30"),
        ("2026-05-31T22:00:00Z", "0.20"),
        ("2026-08-31T21:59:59Z", "0.20"),
        ("2026-08-31T22:00:00Z", "0.30"),
    ] {
        assert_eq!(of(&catalogue, time), expected, "{time}");
    }
    // A session keeps the list of its plug-in; with `change prices` the one behind it takes over at the end.
    let followed = |loaded: &Loaded, catalogue: &Catalogue| -> Vec<Instant> {
        let charger = loaded.setup.charger("O-1").unwrap();
        let place = At { charger, evse: Some(1), connector: None, groups: &[] };
        let (from, until) = (at("2026-08-31T18:00:00Z"), at("2026-09-01T06:00:00Z"));
        loaded.setup.tariffs_of_session(catalogue, place, from, until).iter().map(|(at, _)| *at).collect()
    };
    assert_eq!(followed(&loaded, &catalogue), [at("2026-08-31T18:00:00Z")]);
    let place = Place::new(
        "[[tariff]]\nfile = \"all.tariff\"\nrunning_sessions = \"switch\"\n[[tariff]]\nfile = \"summer.tariff\"\n",
    );
    place.write("all.tariff", &list("0.30", ""));
    place.write("summer.tariff", &list("0.20", "  valid from: 2026-06-01\n  valid until: 2026-08-31\n"));
    let switching = place.load(None);
    assert_eq!(followed(&switching, &catalogue), [at("2026-08-31T18:00:00Z"), at("2026-08-31T22:00:00Z")]);
}

#[test]
fn a_text_that_was_replaced_does_not_come_back() {
    let place = Place::new("[[tariff]]\nfile = \"a.tariff\"\n");
    place.write("a.tariff", &list("0.10", ""));
    let first = place.load(None);
    let mut catalogue = Catalogue::default();
    catalogue.take_in(&first, at("2026-03-01T10:00:00Z")).unwrap();
    place.write("a.tariff", &list("0.20", "  valid until: 2026-08-31 12:00\n"));
    let second = place.load(Some(&first));
    catalogue.take_in(&second, at("2026-03-20T10:00:00Z")).unwrap();
    let of = |time| price(&second, &catalogue, "O-1", 1, &[], time);
    assert_eq!((of("2026-03-20T09:00:00Z"), of("2026-08-31T09:59:59Z")), ("0.10".into(), "0.20".into()));
    assert_eq!(of("2026-08-31T10:00:00Z"), "none");
    // And it is not assigned from a time on at which it is over.
    place.write("takst.toml", &format!("{SITE}[[tariff]]\nfile = \"a.tariff\"\nfrom = 2026-09-01\n"));
    let problems = place.try_load(None).unwrap_err();
    assert!(problems.diagnostics.iter().any(|found| found.code == "S054"), "{problems}");
    assert!(problems.to_string().contains("valid until"), "{problems}");
}

#[test]
fn the_most_specific_place_wins_and_in_it_the_group() {
    let place = Place::new(
        r#"
[[tariff]]
file = "all.tariff"
[[tariff]]
file = "site.tariff"
site = "oslo"
from = 2026-01-01
[[tariff]]
file = "site-vip.tariff"
site = "oslo"
group = "VIP"
[[tariff]]
file = "charger.tariff"
charger = "o-1"
from = 2026-02-01
[[tariff]]
file = "evse-staff.tariff"
charger = "O-1"
evse = 2
group = "staff"
[[tariff]]
file = "charger-staff.tariff"
charger = "O-1"
group = "staff"
[[tariff]]
file = "charger-vip.tariff"
charger = "O-1"
group = "VIP"
from = 2026-03-01
"#,
    );
    let names = ["all", "site", "site-vip", "charger", "evse-staff", "charger-staff", "charger-vip"];
    for (nth, name) in names.iter().enumerate() {
        place.write(&format!("{name}.tariff"), &list(&format!("0.{nth}0"), ""));
    }
    let loaded = place.load(None);
    let mut catalogue = Catalogue::default();
    catalogue.take_in(&loaded, at("2025-01-01T00:00:00Z")).unwrap();
    for (charger, evse, groups, time, wanted) in [
        ("H-1", 1, &[][..], "2026-06-01T00:00:00Z", "all"),
        ("H-1", 1, &["VIP"], "2026-06-01T00:00:00Z", "all"),
        ("O-1", 1, &[], "2025-12-31T22:59:59Z", "all"),
        ("O-1", 1, &[], "2025-12-31T23:00:00Z", "site"),
        ("O-1", 1, &["VIP"], "2026-01-15T00:00:00Z", "site-vip"),
        // The charger's own list goes before what the site has for the group.
        ("O-1", 1, &["VIP"], "2026-02-15T00:00:00Z", "charger"),
        ("O-1", 1, &["VIP"], "2026-03-15T00:00:00Z", "charger-vip"),
        ("O-1", 2, &["staff"], "2026-03-15T00:00:00Z", "evse-staff"),
        ("O-1", 1, &["staff"], "2026-03-15T00:00:00Z", "charger-staff"),
        // In two groups: the one that the set-up names first.
        ("O-1", 1, &["staff", "VIP"], "2026-03-15T00:00:00Z", "charger-vip"),
    ] {
        let nth = names.iter().position(|name| *name == wanted).unwrap();
        let got = price(&loaded, &catalogue, charger, evse, groups, time);
        assert_eq!(got, format!("0.{nth}0"), "{charger} EVSE {evse} {groups:?} at {time} should be {wanted}");
    }
}

#[test]
fn running_sessions_switch_only_where_it_is_said() {
    let assignments = |word: &str| {
        format!(
            "[[tariff]]\nfile = \"a.tariff\"\n[[tariff]]\nfile = \"b.tariff\"\nfrom = 2026-02-01\n{word}\n\
             [[tariff]]\nfile = \"c.tariff\"\nfrom = 2026-03-01\n"
        )
    };
    let (plugged_in, until) = (at("2026-01-31T12:00:00Z"), at("2026-03-02T12:00:00Z"));
    for (word, own, wanted) in [
        ("", "", &["0.10"][..]),
        ("running_sessions = \"switch\"", "", &["0.10", "0.20"]),
        ("", "  running sessions: change prices\n", &["0.10", "0.20"]),
        ("running_sessions = \"keep\"", "  running sessions: change prices\n", &["0.10"]),
    ] {
        let place = Place::new(&assignments(word));
        place.write("a.tariff", &list("0.10", ""));
        place.write("b.tariff", &list("0.20", own));
        place.write("c.tariff", &list("0.30", ""));
        let loaded = place.load(None);
        let mut catalogue = Catalogue::default();
        catalogue.take_in(&loaded, at("2025-01-01T00:00:00Z")).unwrap();
        let charger = loaded.setup.charger("O-1").unwrap();
        let at_place = At { charger, evse: Some(1), connector: None, groups: &[] };
        let followed = loaded.setup.tariffs_of_session(&catalogue, at_place, plugged_in, until);
        let files: Vec<String> =
            followed.iter().map(|(_, found)| found.assignment.file.to_string()).collect();
        assert_eq!(files.len(), wanted.len(), "{word} {own}: {files:?}");
        assert_eq!(followed[0].0, plugged_in);
        if let Some((when, _)) = followed.get(1) {
            assert_eq!(*when, at("2026-01-31T23:00:00Z"), "midnight in Oslo");
        }
    }
}

#[test]
fn a_bundle_is_all_it_takes_to_compile_again() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/sites");
    let loaded = takst_gateway::setup::Setup::load(&folder).unwrap_or_else(|problems| panic!("{problems}"));
    let mut catalogue = Catalogue::default();
    let versions = catalogue.take_in(&loaded, Instant(1)).unwrap();
    let mut restored = Catalogue::default();
    for version in &versions {
        let bundle = Bundle::from_json(&version.bundle).unwrap();
        let again = bundle.compile().unwrap_or_else(|problems| panic!("{problems}"));
        assert_eq!(again.version(), version.version, "{}", version.name);
        let same =
            restored.restore(&version.name, &version.version, &version.bundle, version.from, version.added);
        assert!(same.unwrap(), "{}", version.name);
    }
    // After a restart nothing is new.
    assert!(restored.take_in(&loaded, Instant(2)).unwrap().is_empty());
    let based = versions.iter().filter(|version| version.bundle.contains("based_on"));
    assert_eq!(based.count(), 3);
}

#[test]
fn what_has_not_changed_is_not_compiled_again() {
    let place =
        Place::new("[[tariff]]\nfile = \"b.tariff\"\n[[tariff]]\nfile = \"c.tariff\"\nsite = \"oslo\"\n");
    place.write("a.tariff", &list("0.10", ""));
    place.write("b.tariff", "tariff \"B\"\n  based on: \"a.tariff\"\n\nchange energy: 0.20 EUR/kWh\n");
    place.write("c.tariff", &list("0.30", ""));
    let first = place.load(None);
    let same = |old: &Loaded, new: &Loaded, name: &str| Arc::ptr_eq(&old.tariffs[name], &new.tariffs[name]);
    let second = place.load(Some(&first));
    assert!(same(&first, &second, "b.tariff") && same(&first, &second, "c.tariff"));
    // The list that it is based on counts as well.
    place.write("a.tariff", &list("0.11", ""));
    let third = place.load(Some(&second));
    assert!(!same(&second, &third, "b.tariff") && same(&second, &third, "c.tariff"));
}

#[test]
fn only_tariff_files_are_read_as_such() {
    let secret = "root:x:0:0";
    for name in ["secret.txt", "../secret.txt", "/etc/passwd"] {
        let place = Place::new(&format!("[[tariff]]\nfile = \"{name}\"\n"));
        place.write("secret.txt", secret);
        let problems = place.try_load(None).unwrap_err();
        assert_eq!(problems.diagnostics[0].code, "S050");
        assert!(!format!("{problems:?}").contains(secret), "{problems}");
    }
    let place = Place::new("[[tariff]]\nfile = \"b.tariff\"\n");
    place.write("b.tariff", "tariff \"B\"\n  based on: \"secret.txt\"\n");
    place.write("secret.txt", secret);
    assert!(!format!("{:?}", place.try_load(None).unwrap_err()).contains(secret));
}

#[test]
fn two_lists_at_one_place_and_time_are_told_apart_by_their_places() {
    let errors = |assignments: &str| {
        let place = Place::new(assignments);
        place.write("a.tariff", &list("0.10", ""));
        place.write("b.tariff", &list("0.20", ""));
        place.write("late.tariff", &list("0.30", "  valid from: 2027-01-01\n"));
        let codes = place.try_load(None).map(|_| Vec::new());
        codes.unwrap_or_else(|problems| {
            let errors = problems.diagnostics.iter().filter(|found| found.severity == Severity::Error);
            errors.map(|found| found.code).collect()
        })
    };
    let two = |one: &str, other: &str| format!("[[tariff]]\n{one}\n[[tariff]]\n{other}\n");
    assert_eq!(
        errors(&two("file = \"a.tariff\"\ncharger = \"O-1\"", "file = \"b.tariff\"\ncharger = \"o-1\"")),
        ["S053"]
    );
    assert_eq!(errors(&two("file = \"a.tariff\"", "file = \"a.tariff\"")), ["S053"]);
    let from = "from = 2027-01-01";
    assert_eq!(
        errors(&two(&format!("file = \"a.tariff\"\n{from}"), &format!("file = \"b.tariff\"\n{from}"))),
        ["S053"]
    );
    assert!(errors(&two("file = \"a.tariff\"", &format!("file = \"b.tariff\"\n{from}"))).is_empty());
    assert!(errors(&two("file = \"a.tariff\"", "file = \"late.tariff\"")).is_empty());
    assert!(
        errors(&two("file = \"a.tariff\"\nsite = \"oslo\"", "file = \"b.tariff\"\nsite = \"helsinki\""))
            .is_empty()
    );
    assert!(errors(&two("file = \"a.tariff\"", "file = \"b.tariff\"\ngroup = \"VIP\"")).is_empty());
}
