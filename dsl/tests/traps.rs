//! What is easily meant and not said: each trap has a message that names the way out.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic, and its lists are small")]

use takst_dsl::compile::{Compiled, SourceFile, compile};
use takst_dsl::format::format;

const HEAD: &str =
    "tariff \"List\"\n  currency: EUR\n  time zone: Europe/Vienna\n  prices: excluding VAT\nVAT: 20%\n";

fn compiled(text: &str) -> Compiled {
    let main = SourceFile { name: "list.tariff".into(), text: format!("{HEAD}{text}") };
    compile(main, &mut |_| Err("no files".into()))
}

/// The only message: its code and help.
fn only(text: &str) -> (&'static str, String) {
    let compiled = compiled(text);
    assert_eq!(compiled.diagnostics.len(), 1, "{text}\n{:#?}", compiled.diagnostics);
    let found = &compiled.diagnostics[0];
    (found.code, found.help.clone().unwrap_or_default())
}

/// The list as its only message would mend it.
fn mended(text: &str) -> String {
    let compiled = compiled(text);
    assert_eq!(compiled.diagnostics.len(), 1, "{text}\n{:#?}", compiled.diagnostics);
    let (span, by) = compiled.diagnostics[0].fix.clone().unwrap();
    let mut whole = compiled.sources[0].text.clone();
    whole.replace_range(span.start as usize..span.end as usize, &by);
    whole.split_off(HEAD.len())
}

#[test]
fn hours_of_days_have_no_comma() {
    let help = |windows: &str| only(&format!("energy:\n  0.40 EUR/kWh during {windows}\n  free otherwise\n"));
    let (code, text) = help("Mon-Fri, 08:00-20:00");
    assert_eq!(code, "W301");
    assert!(
        text.contains("write `Mon-Fri 08:00-20:00`; if either is meant, write `every day 08:00-20:00`"),
        "{text}"
    );
    let (_, text) = help("Sat, 24 Dec, 08:00-20:00");
    assert!(text.contains("`Sat 08:00-20:00, 24 Dec 08:00-20:00`"), "{text}");
    for fine in [
        "Mon-Fri 08:00-20:00",
        "Mon-Fri, every day 08:00-20:00",
        "06:00-08:00, 18:00-20:00",
        "Sat-Sun, Fri 18:00-24:00",
    ] {
        let list = format!("energy:\n  0.40 EUR/kWh during {fine}\n  free otherwise\n");
        assert!(compiled(&list).diagnostics.is_empty(), "{fine}");
    }
    // A warning: the list can be used.
    assert!(compiled("energy:\n  0.40 EUR/kWh during Mon, 08:00-20:00\n  free otherwise\n").tariff.is_some());
}

#[test]
fn one_word_for_several_roaming_partners() {
    let list = |ways: &str| format!("{HEAD}energy:\n  0.40 EUR/kWh  via {ways}\n  0.50 EUR/kWh  otherwise\n");
    let tariff = |ways: &str| {
        let main = SourceFile { name: "list.tariff".into(), text: list(ways) };
        let compiled = compile(main, &mut |_| Err("no files".into()));
        assert!(compiled.diagnostics.is_empty(), "{ways}: {:#?}", compiled.diagnostics);
        compiled.tariff.unwrap()
    };
    let (short, long) =
        (tariff("roaming \"A\", \"B\", ad-hoc"), tariff("roaming \"A\", roaming \"B\", ad-hoc"));
    assert_eq!((&short.tests, &short.nodes, &short.leaves), (&long.tests, &long.nodes, &long.leaves));
    for (written, shown) in [
        ("roaming \"A\", roaming \"B\", ad-hoc", "roaming \"A\", \"B\", ad-hoc"),
        (
            "roaming, roaming \"A\", contract, roaming \"B\"",
            "roaming, roaming \"A\", contract, roaming \"B\"",
        ),
    ] {
        let once = format(&list(written)).unwrap();
        assert!(once.contains(&format!("via {shown}\n")), "{once}");
        assert_eq!(format(&once).unwrap(), once);
    }
}

#[test]
fn words_that_are_nearly_a_figure() {
    let (code, text) = only("energy: 0.40 EUR/kWh\npayout to site: cost\n");
    assert_eq!((code, text.contains("write `cost price`")), ("E102", true), "{text}");
    let text = mended("energy: 0.40 EUR/kWh\nidle fee: 50% of energy * average-power\n");
    assert!(text.contains("50% of energy price * average-power"), "{text}");
    // A price of that name is what it says.
    assert!(compiled("price cost: 0.10 EUR/kWh\nenergy: cost\n").diagnostics.is_empty());
}

#[test]
fn what_is_about_everything_before_it_gets_brackets() {
    let list = |formula: &str| format!("price grid: 0.10 EUR/kWh including VAT\nenergy: {formula}\n");
    assert!(mended(&list("grid less VAT + 0.20 EUR/kWh")).contains("energy: (grid less VAT) + 0.20 EUR/kWh"));
    assert!(compiled(&list("(grid less VAT) + 0.20 EUR/kWh")).diagnostics.is_empty());
    // More than one way to mean it: no replacement, only a hint.
    let two = compiled("energy: spot + 0.10 EUR/kWh rounded to 0.01 EUR/kWh + 0.20 EUR/kWh\n");
    assert_eq!((two.diagnostics[0].code, &two.diagnostics[0].fix), ("E050", &None));
}

#[test]
fn everyone_is_no_group() {
    let (code, text) =
        only("groups: everyone, members\nenergy:\n  0.30 EUR/kWh for members\n  0.40 EUR/kWh for everyone\n");
    assert_eq!((code, text.contains("everyone else guests")), ("E107", true), "{text}");
    let groups = "groups: members, everyone else guests\nenergy:\n  0.30 EUR/kWh for members\n  0.40 EUR/kWh";
    let (code, text) = only(&format!("{groups} for everyone\n"));
    assert_eq!((code, text.contains("`otherwise`")), ("E101", true), "{text}");
    assert!(mended(&format!("{groups} for everyone else\n")).ends_with("0.40 EUR/kWh otherwise\n"));
}

#[test]
fn a_missing_case_may_be_free() {
    let idle = "energy: 0.40 EUR/kWh\nidle fee:\n  0.10 EUR/min during 08:00-20:00\n";
    assert_eq!(only(idle).1, "add a last line such as `0.10 EUR/min  otherwise`, or `free  otherwise`");
    let vat = only("VAT on energy:\n  10% until 2025-01-31\nenergy: 0.40 EUR/kWh\n");
    assert!(!vat.1.contains("free"), "{vat:?}");
}

#[test]
fn a_slip_in_a_connector_type() {
    let list = |plug: &str| format!("energy:\n  0.40 EUR/kWh  on {plug}\n  0.50 EUR/kWh  otherwise\n");
    for (written, meant) in [
        ("Typ2", "Type2"),
        ("CSS", "CCS"),
        ("ChadeMo2", "CHAdeMO"),
        ("IEC_62196_T2_COMB", "IEC_62196_T2_COMBO"),
    ] {
        assert_eq!(mended(&list(written)), list(meant), "{written}");
    }
    assert_eq!(only(&list("our-plug")).0, "W302");
}

#[test]
fn what_an_operator_writes_on_the_first_day() {
    assert!(mended("energy: 0.40 EUR/kWh\nstart fee: 1 EUR\n").ends_with("start fee: 1 EUR/session\n"));
    let idle = "energy: 0.40 EUR/kWh\nidle fee:\n  0.10 EUR/min during 08:00-20:00\n";
    assert!(mended(&format!("{idle}  0.00 otherwise\n")).ends_with("  free otherwise\n"));
    assert!(mended("energy: 0.40 EUR/kWh\ndiscount: -10%\n").ends_with("discount: 10%\n"));
    let (code, help) = only("price tax: 0.10 EUR\nenergy: spot + tax\n");
    assert_eq!((code, help.as_str()), ("E201", "say per what `tax` is, as in `0.10 EUR/kWh`"));
    let (code, help) =
        only("energy: 0.40 EUR/kWh\npower fee:\n  100 EUR/month up to 5 kW\n  200 EUR/month otherwise\n");
    assert_eq!((code, help.as_str()), ("E210", "write `below 5 kW` or `5 kW or more`"));
    let (_, help) = only("groups: members\nenergy:\n  0.30 EUR/kWh for members\n  0.40 EUR/kWh for others\n");
    assert!(help.contains("`otherwise`"), "{help}");
    let (code, help) = only("energy: higher of spot and 0\n");
    assert_eq!((code, help.as_str()), ("E201", "zero has a unit too, as in `0 EUR/kWh`"));
    let (code, help) = only("energy: spot plus VAT\n");
    assert_eq!((code, help.as_str()), ("E204", "leave out `plus VAT`"));
    let (code, help) = only("energy:\n  0.30 EUR/kWh at night\n  0.40 EUR/kWh otherwise\n");
    assert_eq!((code, help.as_str()), ("E104", "`at` is for places; for a time write `during 22:00-06:00`"));
    // A setting under another name is one mistake, not a missing setting too.
    let main = SourceFile {
        name: "list.tariff".into(),
        text: "tariff \"List\"\n  currency: EUR\n  timezone: Europe/Vienna\n  prices: excluding VAT\nVAT: 20%\nenergy: 0.40 EUR/kWh\n".into(),
    };
    let found = compile(main, &mut |_| Err("no files".into())).diagnostics;
    assert_eq!(found.iter().map(|found| found.code).collect::<Vec<_>>(), ["E021"]);
}

#[test]
fn a_tax_may_stand_on_vat() {
    let list = "tax \"City\" on top of VAT: 2%\n\nenergy: 0.50 EUR/kWh\n";
    let quoted = list.replace("of VAT", "of \"VAT\"");
    for text in [list, &quoted] {
        let compiled = compiled(text);
        assert!(compiled.diagnostics.is_empty(), "{:#?}", compiled.diagnostics);
        let classes = compiled.tariff.unwrap().tax_classes;
        assert!(
            classes
                .iter()
                .any(|class| class.taxes.iter().any(|tax| tax.label == "City" && tax.on_top_of == [0]))
        );
    }
}
