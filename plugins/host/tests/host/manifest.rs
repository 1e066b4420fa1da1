//! Manifests and grants that are wrong, and what is said of them; settings; limits.

use crate::support::{ACTOR, host, installation, manifest};
use takst_plugins::grant::Grant;
use takst_plugins::limits::{Limits, Wishes};
use takst_plugins::manifest::{Capability, Manifest};

fn wrong(text: &str) -> String {
    Manifest::read("plugin.toml", text).unwrap_err().to_string()
}

#[test]
fn what_is_wrong_is_said_with_its_line() {
    for (old, new, line, words) in [
        ("id = \"actor\"", "id = \"Actor!\"", 2, "`Actor!` is not an id"),
        ("version = \"1.0.0\"\ni", "version = \"1\"\ni", 3, "`1` is not a version"),
        (
            "interface = \"1.0.0\"",
            "interface = \"2.0.0\"",
            4,
            "built for takst:plugin 2.0.0, and this gateway has 1.0.0",
        ),
        ("author", "auhtor", 6, "auhtor"),
        ("\"notifier\", ", "\"notify\", ", 7, "notify"),
        ("[\"notifier\", \"payment-provider\"]", "[]", 7, "without a capability"),
        ("host = \"api.example.com\"", "host = \"*.example.com\"", 10, "each host is named by itself"),
        ("host = \"api.example.com\"", "host = \"https://api.example.com\"", 10, "write the host alone"),
        ("[\"GET\", \"POST\"]", "[\"get\"]", 9, "`get` is not a method"),
        ("paths = [\"/\"]", "paths = [\"v1\"]", 9, "`v1` is not the beginning of a path"),
        ("paths = [\"/\"]", "paths = [\"/../\"]", 9, "not the beginning of a path"),
        ("Idempotency-Key", "Host", 9, "`Host` cannot be the idempotency header"),
        (
            "hosts = [\"api.example.com\"]",
            "hosts = [\"evil.com\"]",
            15,
            "bound to `evil.com`, which the plugin never calls",
        ),
    ] {
        assert!(ACTOR.contains(old), "{old}");
        let text = wrong(&ACTOR.replacen(old, new, 1));
        assert!(text.contains(words), "{text}");
        assert!(text.contains(&format!("plugin.toml:{line}: ")), "line {line}: {text}");
    }
    for (more, words) in [
        ("[limits]\nmemory = \"64 MB\"", "`64 MB` is not a size: write \"32 MiB\""),
        ("[limits]\nwall = 10", "string"),
        ("[limits]\ndisk = \"1 MiB\"", "disk"),
        ("[settings.x]\nhelp = \"x\"\ntype = \"choice\"", "choices of setting `x`"),
        ("[settings.x]\nhelp = \"x\"\ntype = \"number\"\ndefault = \"ten\"", "`ten` is not a number"),
        (
            "[schedule]\nat = \"25:00\"\nretry = \"10 min\"\nlate = \"16:00\"",
            "`at = \"25:00\"` is not a time of day",
        ),
        ("[schedule]\nat = \"13:00\"\nretry = \"1 s\"\nlate = \"16:00\"", "less than 10 s"),
        (
            "[schedule]\nat = \"13:00\"\ntime-zone = \"Oslo\"\nretry = \"1 min\"\nlate = \"16:00\"",
            "no time zone `Oslo`",
        ),
        (
            "[[http]]\nhost = \"{{setting:gate}}\"\nmethods = [\"GET\"]\npaths = [\"/\"]",
            "needs a setting `gate`",
        ),
        ("[wasm]\nsha256 = \"xyz\"", "64 hex digits"),
    ] {
        let text = wrong(&format!("{ACTOR}\n{more}"));
        assert!(text.contains(words), "{text}");
    }
    // Everything at once, in order.
    let text = wrong(&ACTOR.replace("id = \"actor\"", "id = \"A\"").replace("[\"GET\", \"POST\"]", "[]"));
    assert!(text.find("plugin.toml:2:").unwrap() < text.find("plugin.toml:9:").unwrap(), "{text}");
}

#[test]
fn a_grant_is_read_and_written() {
    let all = Grant::all(&manifest(&format!("{ACTOR}\n[limits]\nmemory = \"64 MiB\"\nwall = \"1500 ms\"")));
    let text = all.to_toml();
    assert_eq!(Grant::read("grant.toml", &text).unwrap(), all, "{text}");
    for (text, words) in [
        ("[[http]]\nhost = \"a.b\"\naddresses = [\"10.0.0.0/40\"]", "`10.0.0.0/40` is not a range"),
        ("[[http]]\nhost = \"a.b\"\nroot = \"x\"", "no certificate in it"),
        ("[[http]]\nhost = \"a.b\"\nmethods = [\"FETCH\"]", "`FETCH` is not a method"),
        ("[[http]]\nhosts = \"a.b\"", "hosts"),
        ("capabilities = [\"all\"]", "all"),
    ] {
        let said = Grant::read("grant.toml", text).unwrap_err().to_string();
        assert!(said.contains(words) && said.contains("grant.toml:"), "{said}");
    }
}

#[test]
fn more_than_the_usual_needs_both() {
    let text = format!("{ACTOR}\n[limits]\nmemory = \"64 MiB\"\nrequests = 5");
    let code = host().code(&manifest(&text), crate::support::guest("actor")).unwrap();
    let mut installation = installation(&code.manifest);
    installation.grant.limits = takst_plugins::limits::Wishes::default();
    let plugin = host().plugin(&code, installation);
    assert_eq!(plugin.limits().memory.to_string(), "32 MiB");
    assert_eq!(plugin.limits().requests, 5, "less needs no grant");
    assert_eq!(plugin.missing_limits(), ["memory = \"64 MiB\""]);
    // A grant alone gives nothing that was not asked for.
    let mut installation = crate::support::installation(&code.manifest);
    installation.grant.limits =
        Grant::read("g", "[limits]\nmemory = \"128 MiB\"\nwall = \"60 s\"").unwrap().limits;
    let plugin = host().plugin(&code, installation);
    assert_eq!(plugin.limits().memory.to_string(), "64 MiB");
    assert_eq!(plugin.limits().wall.to_string(), "10 s");
}

#[test]
fn settings_are_looked_at() {
    let manifest = manifest(&format!(
        "{ACTOR}\n[settings.mode]\nhelp = \"Which.\"\ntype = \"choice\"\nchoices = [\"test\", \"live\"]\nrequired = true\n\
         [settings.gate]\nhelp = \"x\"\ntype = \"address\"\n[settings.fast]\nhelp = \"x\"\ntype = \"yes-no\""
    ));
    let says = |settings: &[(&str, &str)]| -> Vec<String> {
        let settings: Vec<_> =
            settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        manifest
            .check_settings(&settings)
            .into_iter()
            .map(|one| format!("{}: {}", one.setting, one.text))
            .collect()
    };
    assert!(says(&[("mode", "live"), ("gate", "https://a.b/c"), ("fast", "no")]).is_empty());
    assert_eq!(says(&[]), ["mode: missing: Which."]);
    assert_eq!(says(&[("mode", "x")]), ["mode: `x` is not one of test, live"]);
    assert!(
        says(&[("mode", "live"), ("mood", "x")])[0]
            .contains("no such setting, it has: address, fast, gate, mode")
    );
    assert!(says(&[("mode", "live"), ("gate", "https://u:p@a.b")])[0].contains("is not an address"));
    assert!(says(&[("mode", "live"), ("fast", "true")])[0].contains("neither `yes` nor `no`"));
}

// The keys that a table of the manifest may have, as the reader itself says them of one that it does not know.
fn known_keys(text: &str) -> Vec<String> {
    let said = wrong(text);
    let (_, known) = said.split_once("expected ").unwrap_or_else(|| panic!("{said}"));
    let mut keys: Vec<String> = known.split('`').skip(1).step_by(2).map(str::to_owned).collect();
    keys.sort();
    keys
}

// The first column of the first table behind a heading, sorted; with the other columns.
fn rows(chapter: &str, heading: &str) -> Vec<Vec<String>> {
    let (_, rest) = chapter.split_once(&format!("\n## {heading}\n")).unwrap_or_else(|| panic!("{heading}"));
    let table =
        rest.lines().skip_while(|line| !line.starts_with('|')).take_while(|line| line.starts_with('|'));
    let mut rows: Vec<Vec<String>> = table
        .skip(2)
        .map(|line| {
            line.trim_matches('|')
                .split(" | ")
                .map(|cell| cell.trim().trim_matches('|').trim().to_owned())
                .collect()
        })
        .collect();
    rows.sort();
    rows
}

#[test]
fn the_manual_has_every_key_and_no_other() {
    let chapter = include_str!("../../../MANIFEST.md");
    let head = "id = \"x1\"\nversion = \"1.0.0\"\ninterface = \"1.0.0\"\ndescription = \"x\"\nauthor = \"x\"\ncapabilities = [\"notifier\"]\n";
    for (heading, table) in [
        ("The plugin", ""),
        ("[[http]]", "[[http]]\n"),
        ("[secrets.NAME]", "[secrets.x]\n"),
        ("[settings.NAME]", "[settings.x]\n"),
        ("[limits]", "[limits]\n"),
        ("[schedule]", "[schedule]\n"),
        ("[wasm]", "[wasm]\n"),
    ] {
        let known = known_keys(&format!("{head}{table}nonsense = 1\n"));
        assert!(!known.is_empty(), "{heading}");
        let told: Vec<String> =
            rows(chapter, heading).iter().map(|row| row[0].trim_matches('`').to_owned()).collect();
        assert_eq!(told, known, "the chapter {heading} of plugins/MANIFEST.md");
    }
    // Every world has a line.
    for capability in Capability::ALL {
        let line = format!("| `{}` | `{}` |", capability.name(), capability.interface());
        assert!(chapter.contains(&line), "{line}");
    }
    // The example is one.
    let example = chapter.split("```").nth(1).unwrap().strip_prefix("toml\n").unwrap();
    Manifest::read("plugin.toml", example).unwrap_or_else(|errors| panic!("{errors}"));
}

#[test]
fn the_manual_says_the_limits_as_they_are() {
    let chapter = include_str!("../../../MANIFEST.md");
    let usual = Limits::default();
    // Who asks for everything and is granted everything has the most.
    let all = "memory = \"9999 GiB\"\nfuel = 9000000000000000\ncpu = \"9999 min\"\nwall = \"9999 min\"\ninput = \"9999 GiB\"\noutput = \"9999 GiB\"\nrequests = 4000000000\nanswers = \"9999 GiB\"\nlog = \"9999 GiB\"\nkv = \"9999 GiB\"\nwrites = 4000000000\n";
    let wishes: Wishes = toml::from_str(all).unwrap();
    let (most, missing) = Limits::effective(&wishes, &wishes);
    assert!(missing.is_empty(), "{missing:?}");
    let told: Vec<[String; 3]> = rows(chapter, "[limits]")
        .into_iter()
        .map(|row| [row[0].trim_matches('`').to_owned(), row[2].clone(), row[3].clone()])
        .collect();
    macro_rules! lines {
        ($($field:ident)*) => { vec![$([stringify!($field).to_owned(), usual.$field.to_string(), most.$field.to_string()]),*] };
    }
    let mut known = lines!(memory fuel cpu wall input output requests answers log kv writes);
    known.sort();
    assert_eq!(told, known);
}
