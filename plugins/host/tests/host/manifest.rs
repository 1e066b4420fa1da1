//! Manifests and grants that are wrong, and what is said of them; settings; limits.

use crate::support::{ACTOR, host, installation, manifest};
use takst_plugins::grant::Grant;
use takst_plugins::manifest::Manifest;

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
