//! The formatter: canonical, idempotent, never a change of meaning, whatever the text.

use super::{drafts, parse};
use proptest::prelude::*;
use takst_dsl::format::{FormatError, format};

#[test]
fn what_is_canonical_stays() {
    for (name, text) in drafts().into_iter().filter(|(name, _)| *name != "loose") {
        assert_eq!(format(text).as_deref(), Ok(text), "{name}");
    }
}

#[test]
fn what_is_not_becomes_so() {
    let expected = include_str!("../files/loose.formatted");
    assert_eq!(format(include_str!("../files/loose.good.tariff")).as_deref(), Ok(expected));
    assert_eq!(format(expected).as_deref(), Ok(expected));
}

#[test]
fn what_has_mistakes_is_refused() {
    let Err(FormatError::Syntax(found)) = format("energy: 0,5 EUR/kWh\n") else { panic!() };
    assert_eq!(found[0].code, "E025");
}

#[test]
fn small_texts() {
    for (text, expected) in [
        ("", ""),
        ("\n\n", ""),
        ("\n# c  \n\n\n", "# c\n"),
        ("# a\nVAT: 5%\n# b\n", "# a\nVAT: 5%\n# b\n"),
        ("VAT: 5%\ngroups: a, b", "VAT: 5%\n\ngroups: a, b\n"),
        ("price a: 1 EUR/kWh\n# c\nprice bc: 1 EUR/kWh", "price a:  1 EUR/kWh\n# c\nprice bc: 1 EUR/kWh\n"),
        ("price a: 1 EUR/kWh\n\n\n\nprice bc: 1 EUR/kWh", "price a: 1 EUR/kWh\n\nprice bc: 1 EUR/kWh\n"),
        (
            "energy:\n\n # c\n 1 EUR/kWh\n\n\n # d\n# e\nVAT: 5%",
            "energy:\n  # c\n  1 EUR/kWh\n\n  # d\n\n# e\nVAT: 5%\n",
        ),
        ("energy:# c\n free#d", "energy:  # c\n  free  #d\n"),
        (
            "tariff \"t\"\n  currency: EUR # c\n  hold: 5 EUR",
            "tariff \"t\"\n  currency: EUR  # c\n  hold:     5 EUR\n",
        ),
    ] {
        assert_eq!(format(text).as_deref(), Ok(expected), "{text:?}");
        assert_eq!(format(expected).as_deref(), Ok(expected), "{expected:?}");
    }
}

/// Formats twice where the text can be read; never a panic, never a change of meaning.
fn check(text: &str) -> Result<(), TestCaseError> {
    match format(text) {
        Ok(once) => {
            prop_assert_eq!(format(&once), Ok(once.clone()), "from {:?}", text);
            prop_assert_eq!(parse(text, 0).comments.len(), parse(&once, 0).comments.len());
        }
        Err(FormatError::Syntax(found)) => prop_assert!(!found.is_empty()),
        Err(FormatError::WouldChange { line }) => prop_assert!(false, "line {} of {:?}", line, text),
    }
    Ok(())
}

const TOKENS: &[&str] = &[
    "energy",
    "idle fee",
    "price",
    "a",
    "b",
    "spot",
    ":",
    "\n",
    "\n  ",
    "\n  ",
    "0.50 EUR/kWh",
    "1",
    "25%",
    "30 min",
    "+",
    "-",
    "*",
    "×",
    "/",
    "of",
    "(",
    ")",
    "higher of",
    "and",
    "at least",
    "at most",
    "plus VAT",
    "less VAT",
    "free",
    "for",
    "on",
    "AC",
    "during",
    "Mon-Fri",
    "06:00-22:00",
    "24 Dec",
    "to",
    "2025-01-01",
    "from",
    "until",
    "up to",
    "20 kWh",
    "per month",
    "per driver",
    "otherwise",
    ",",
    "\"x\"",
    "# c",
    "VAT",
    "test",
    "charge",
    "expect",
    "total",
    "5.00 EUR",
    "coupon",
    "groups",
    "everyone else",
    "after",
    "in a row",
    "rounded to",
    "-0.5 EUR/kWh",
    "public holidays",
    "except",
    "–",
    "once per driver",
    "not with coupon",
];

/// Lines that the grammar takes, in any order and with any space.
const LINES: &[&str] = &[
    "energy: spot + a",
    "energy \"x\":",
    "  free for a",
    "  0.50 EUR/kWh  on AC during Mon–Fri 06:00 - 22:00",
    "  -1 × (a+b) of 5 % at most 2 EUR/kWh",
    "price a: 1 EUR/kWh",
    "price long-name:2 EUR/kWh for b",
    "VAT:",
    "  25%",
    "  none from 2025-01-01",
    "VAT: 5%",
    "# margin",
    "    # indented",
    "",
    "",
    "groups:a,b",
    "coupon \"c\": 5 EUR once per driver",
    "test \"t\"",
    "  expect total 1 EUR",
    "  idle until 09:00 # late",
    "tariff \"t\"",
    "  currency: EUR",
    "  time zone :Europe/Oslo",
    "remove discount",
    "change VAT:",
    "discount \"d\" for a: 1% of energy, start fee from 2025-01-01",
];

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(text) = takst_dsl::parse::decode(&bytes) {
            check(text)?;
        }
    }

    #[test]
    fn any_text(text in "\\PC{0,200}") {
        check(&text)?;
    }

    #[test]
    fn any_signs(text in "[ -~\n\t€ø“#\"]{0,200}") {
        check(&text)?;
    }

    #[test]
    fn any_words(tokens in proptest::collection::vec((0..TOKENS.len(), 0..3_usize), 0..30)) {
        let text: String = tokens.iter().map(|(at, gap)| format!("{}{}", TOKENS[*at], [" ", "  ", ""][*gap])).collect();
        check(&text)?;
    }

    #[test]
    fn any_formula(tokens in proptest::collection::vec(8..31_usize, 1..12)) {
        let text: String = tokens.iter().map(|at| format!("{} ", TOKENS[*at].trim_start())).collect();
        check(&format!("energy: {text}\n"))?;
    }

    #[test]
    fn any_lines(lines in proptest::collection::vec(0..LINES.len(), 0..20)) {
        let text: String = lines.iter().map(|at| format!("{}\n", LINES[*at])).collect();
        check(&text)?;
    }

    #[test]
    fn drafts_with_damage(which in 0..8_usize, cuts in proptest::collection::vec((any::<u16>(), 0..4_u16, "[ -~\nø€]{0,3}"), 1..6)) {
        let mut text: Vec<char> = drafts()[which].1.chars().collect();
        for (at, len, new) in cuts {
            let from = usize::from(at) % (text.len() + 1);
            let to = (from + usize::from(len)).min(text.len());
            text.splice(from..to, new.chars());
        }
        check(&text.into_iter().collect::<String>())?;
    }

    #[test]
    fn drafts_without_lines(which in 0..8_usize, keep in proptest::collection::vec(any::<bool>(), 200)) {
        let text: String = drafts()[which].1.split_inclusive('\n').zip(keep).filter(|(_, keep)| *keep).map(|(line, _)| line).collect();
        check(&text)?;
    }
}
