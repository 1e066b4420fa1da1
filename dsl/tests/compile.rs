//! The compiler from the outside: right lists compile, wrong ones say what is wrong and where.
//!
//! In `errors/`, a comment `# CODE text` stands on each line that has a message: the code and the text of its main label.
//! Nothing else may be reported.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test may panic, and its files are small"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use takst_dsl::diagnostic::{Diagnostic, LineIndex, Severity};
use takst_dsl::{Compiled, SourceFile, compile, lower, resolve, units};
use takst_engine::tariff::{
    AfterAmount, ChargeKind, Formula, Mean, Measure, MonthWhat, Node, Outcome, Per, Price, Rebate, Tariff,
};

fn errors() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/errors")
}

fn compile_file(path: &Path) -> Compiled {
    let folder = path.parent().unwrap().to_owned();
    let main =
        SourceFile { name: path.to_string_lossy().into_owned(), text: fs::read_to_string(path).unwrap() };
    compile(main, &mut |name| {
        let text = fs::read_to_string(folder.join(name)).map_err(|_| "there is no such file".to_owned())?;
        Ok(SourceFile { name: name.to_owned(), text })
    })
}

fn compile_text(text: &str) -> Compiled {
    compile(SourceFile { name: "list.tariff".into(), text: text.into() }, &mut |_| Err("no files".into()))
}

fn shown(compiled: &Compiled) -> Vec<String> {
    compiled.diagnostics.iter().map(|it| format!("{} {} ({:?})", it.code, it.message, it.help)).collect()
}

fn tariff(text: &str) -> Tariff {
    let compiled = compile_text(text);
    assert!(compiled.diagnostics.is_empty(), "{:#?}", shown(&compiled));
    compiled.tariff.unwrap()
}

const HEAD: &str =
    "tariff \"List\"\n  currency: EUR\n  time zone: Europe/Vienna\n  prices: excluding VAT\nVAT: 20%\n";

fn list(text: &str) -> Tariff {
    tariff(&format!("{HEAD}{text}"))
}

/// The outcome of the only line of a list.
fn only(tariff: &Tariff, root: u32) -> Outcome {
    match &tariff.nodes[root as usize] {
        Node::Leaf(leaf) => tariff.leaves[*leaf as usize].outcome.clone(),
        node => panic!("{node:?}"),
    }
}

fn price(tariff: &Tariff, charge: usize) -> Price {
    match only(tariff, tariff.charges[charge].root) {
        Outcome::Price(price) => price,
        other => panic!("{other:?}"),
    }
}

#[test]
fn drafts_compile_without_a_word() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/drafts");
    let mut count = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.to_string_lossy().ends_with(".bad.tariff") {
            continue;
        }
        let compiled = compile_file(&path);
        assert!(compiled.diagnostics.is_empty(), "{}: {:#?}", path.display(), shown(&compiled));
        let tariff = compiled.tariff.unwrap();
        well_formed(&tariff);
        let text = serde_json::to_string(&tariff).unwrap();
        assert_eq!(serde_json::from_str::<Tariff>(&text).unwrap(), tariff);
        count += 1;
    }
    assert_eq!(count, 6);
}

/// What the engine takes for granted.
fn well_formed(tariff: &Tariff) {
    let nodes = tariff.nodes.len();
    for (index, node) in tariff.nodes.iter().enumerate() {
        let children = match node {
            Node::Hole => vec![],
            Node::Leaf(leaf) => {
                assert!((*leaf as usize) < tariff.leaves.len());
                vec![]
            }
            Node::Fact { test, yes, no } => {
                assert!((*test as usize) < tariff.tests.len());
                vec![*yes, *no]
            }
            Node::Measure { measure, edges, children } => {
                assert!((*measure as usize) < tariff.measures.len());
                assert_eq!(edges.len() + 1, children.len());
                children.clone()
            }
            Node::Days(children) => {
                assert_eq!(children.len(), tariff.days.classes.len());
                children.clone()
            }
            Node::Minutes { edges, children } => {
                assert_eq!(edges.len(), children.len());
                children.clone()
            }
        };
        assert!(children.iter().all(|child| (*child as usize) < index));
    }
    for (index, leaf) in tariff.leaves.iter().enumerate() {
        assert!((leaf.rule as usize) < tariff.rules.len(), "{index}");
        if let Outcome::Tax(class) = leaf.outcome {
            assert!((class as usize) < tariff.tax_classes.len());
        }
    }
    let roots = tariff.values.iter().map(|value| value.root);
    let roots = roots.chain(tariff.charges.iter().flat_map(|charge| [charge.root, charge.tax]));
    let roots = roots.chain(tariff.month.iter().map(|charge| charge.tax)).chain([tariff.default_tax]);
    let roots =
        roots.chain(tariff.discounts.iter().map(|it| it.root)).chain(tariff.coupons.iter().map(|it| it.root));
    assert!(roots.into_iter().all(|root| (root as usize) < nodes));
    assert_eq!(tariff.feeds[0].name, "spot");
    for rule in &tariff.rules {
        let lines = tariff.sources[rule.source as usize].text.lines().count();
        assert!(rule.line >= 1 && (rule.line as usize) <= lines);
    }
}

/// `(line, code, text of the main label)` of every message in source `source`.
fn reported(compiled: &Compiled, source: u32) -> BTreeSet<(usize, String, String)> {
    let Some(file) = compiled.sources.get(source as usize) else { return BTreeSet::new() };
    let lines = LineIndex::new(&file.text);
    let of_source = |it: &&Diagnostic| it.labels[0].source == source;
    let read = |it: &Diagnostic| {
        let span = it.labels[0].span;
        let text = file.text[span.start as usize..span.end as usize].trim();
        (lines.line_column(span.start).0, it.code.to_owned(), text.to_owned())
    };
    compiled.diagnostics.iter().filter(of_source).map(read).collect()
}

/// The same as the file's comments have it.
fn expected(text: &str) -> BTreeSet<(usize, String, String)> {
    let is_code =
        |word: &str| word.len() == 4 && word.starts_with(['E', 'W']) && word[1..].parse::<u32>().is_ok();
    text.lines()
        .enumerate()
        .filter_map(|(index, line)| {
            let (_, comment) = line.rsplit_once("# ")?;
            let (code, text) = comment.split_once(' ')?;
            is_code(code).then(|| (index + 1, code.to_owned(), text.trim().to_owned()))
        })
        .collect()
}

#[test]
fn each_wrong_file_says_what_its_comments_say() {
    let mut wrong = String::new();
    let mut codes = BTreeSet::new();
    for entry in fs::read_dir(errors()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            continue;
        }
        let compiled = compile_file(&path);
        let mut count = 0;
        for (index, file) in compiled.sources.iter().enumerate() {
            let (want, got) = (expected(&file.text), reported(&compiled, index as u32));
            count += got.len();
            // Two messages at one place would collapse into one entry.
            let all = compiled.diagnostics.iter().filter(|it| it.labels[0].source == index as u32).count();
            if want != got || all != got.len() {
                wrong += &format!(
                    "{} in {}\n  missing: {:?}\n  too many: {:?}\n  {:#?}\n",
                    path.display(),
                    file.name,
                    want.difference(&got).collect::<Vec<_>>(),
                    got.difference(&want).collect::<Vec<_>>(),
                    shown(&compiled)
                );
            }
            codes.extend(got.into_iter().map(|(_, code, _)| code));
        }
        assert!(count > 0, "{} says nothing", path.display());
        let error = compiled.diagnostics.iter().any(|it| it.severity == Severity::Error);
        assert_eq!(compiled.tariff.is_none(), error || compiled.abstract_list, "{}", path.display());
        for diagnostic in &compiled.diagnostics {
            let message = &diagnostic.message;
            assert!(!message.ends_with('.') && !message.is_empty(), "{message}");
            for label in &diagnostic.labels {
                let text = &compiled.sources[label.source as usize].text;
                assert!(text.get(label.span.start as usize..label.span.end as usize).is_some(), "{message}");
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    // These need files that a program writes; they have tests of their own.
    let written = ["E212", "E304", "E414"];
    let all =
        resolve::CODES.iter().chain(units::CODES).chain(lower::CODES).map(|(code, _)| (*code).to_owned());
    let forgotten: Vec<String> =
        all.filter(|code| !codes.contains(code) && !written.contains(&code.as_str())).collect();
    assert!(forgotten.is_empty(), "no file shows {forgotten:?}");
}

#[test]
fn formulas_that_no_reader_could_hold() {
    let sum = |n: usize| vec!["spot"; n].join(" + ");
    let compiled = compile_text(&format!("{HEAD}energy: {}\n", sum(60)));
    assert_eq!(compiled.diagnostics.iter().map(|it| it.code).collect::<Vec<_>>(), ["E212"]);
    // The largest one is read back.
    let tariff = list(&format!("energy: {}\n", sum(50)));
    let text = serde_json::to_string(&tariff).unwrap();
    assert_eq!(serde_json::from_str::<Tariff>(&text).unwrap(), tariff);
    // Deep in the syntax, and through a chain of names.
    let deep = format!("energy: {}spot{}\n", "(".repeat(12), format!("{})", " + spot".repeat(12)).repeat(12));
    let compiled = compile_text(&format!("{HEAD}{deep}"));
    assert_eq!(compiled.diagnostics.iter().map(|it| it.code).collect::<Vec<_>>(), ["E212"]);
    let mut chain = String::from("price a0: spot - 0.01 EUR/kWh\n");
    for n in 1..3000 {
        chain += &format!("price a{n}: ((a{} plus VAT) less VAT) - a{}\n", n - 1, n - 1);
    }
    let tariff = list(&format!("{chain}energy: a2999 + a2998\n"));
    assert_eq!(tariff.values.len(), 3000);
    assert!(price(&tariff, 0).parts.len() <= 3);
}

#[test]
fn too_many_crossing_conditions() {
    let mut text = String::from(HEAD);
    text += "energy:\n";
    for n in 0..40 {
        let (group, brand) = (n % 7, n * 3 % 11);
        text += &format!(
            "  0.{n:02} EUR/kWh  for g{group} paid with \"b{brand}\" up to {} kWh of energy up to {} min of idle time below {} kW during {:02}:{:02}-23:00\n",
            n * 37 % 41 + 1,
            n * 29 % 43 + 1,
            n * 31 % 47 + 1,
            n % 20,
            n
        );
        text += &format!(
            "  0.{n:02} EUR/kWh  via roaming \"x{n}\" beyond {} kWh of energy with {} kW or more\n",
            n * 7 % 43 + 1,
            n * 11 % 53 + 1
        );
    }
    text += "  1.00 EUR/kWh otherwise\n";
    text += &format!("groups: {}\n", (0..7).map(|n| format!("g{n}")).collect::<Vec<_>>().join(", "));
    let compiled = compile_text(&text);
    let codes: BTreeSet<&str> = compiled.diagnostics.iter().map(|it| it.code).collect();
    assert_eq!(codes, BTreeSet::from(["E304"]), "{:#?}", shown(&compiled));
}

#[test]
fn huge_lists_get_an_answer_in_time() {
    let lines =
        |n: usize, line: &dyn Fn(usize) -> String| (0..n).map(|at| line(at) + "\n").collect::<String>();
    let codes = |text: String| -> BTreeSet<String> {
        let start = std::time::Instant::now();
        let compiled = compile_text(&format!("{HEAD}{text}"));
        let took = start.elapsed();
        println!("{took:?} for {}", &text[..60]);
        assert!(took.as_secs() < 30, "{took:?} for {}", &text[..60]);
        assert!(compiled.diagnostics.len() <= takst_dsl::compile::MOST_MESSAGES + 1);
        compiled.diagnostics.iter().map(|it| it.code.to_owned()).collect()
    };
    let of = |list: &[&str]| list.iter().map(|code| (*code).to_owned()).collect::<BTreeSet<_>>();
    let n = 20_000;
    let energy = "energy: 0.30 EUR/kWh\n";
    assert_eq!(codes(lines(n, &|at| format!("start fee \"f{at}\": 1.00 EUR/session"))), of(&["E414"]));
    assert_eq!(
        codes(energy.to_owned() + &lines(n, &|at| format!("coupon \"c{at}\": 1.00 EUR"))),
        of(&["E414"])
    );
    assert_eq!(
        codes(energy.to_owned() + &lines(n, &|at| format!("price a{at}: b{at} + c{at}"))),
        of(&["E102", "E007"])
    );
    assert_eq!(
        codes(energy.to_owned() + &lines(n, &|at| format!("price a{at}: a{}", (at + 1) % n))),
        of(&["E113"])
    );
    assert_eq!(
        codes(
            format!("energy: a0\nprice a{n}: spot\n")
                + &lines(n, &|at| format!("price a{at}: a{} + spot", at + 1))
        ),
        of(&[])
    );
    assert_eq!(codes(lines(n, &|_| energy.trim().to_owned())), of(&["E107", "E007"]));
    assert_eq!(
        codes(
            energy.to_owned() + &lines(n, &|at| format!("period p{at}: Mon-Fri 06:00-{:02}:00", 7 + at % 12))
        ),
        of(&["W101", "E007"])
    );
    let many = lines(3_000, &|at| format!("  0.{at:04} EUR/kWh  at p{at}"));
    let places = lines(3_000, &|at| format!("chargers p{at}: \"c{at}\""));
    let got = codes(format!("{places}energy:\n{many}  1.00 EUR/kWh  otherwise\n"));
    assert!(got.is_empty() || got == of(&["E304"]), "{got:?}");
    assert_eq!(
        codes(energy.to_owned() + &lines(n, &|at| format!("test \"t{at}\"\n  driver in nobody{at}"))),
        of(&["E101", "E007"])
    );
}

#[test]
fn five_mistakes_and_what_is_missing() {
    let compiled =
        compile_file(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/drafts/five-mistakes.bad.tariff"));
    let codes: Vec<&str> = compiled.diagnostics.iter().map(|it| it.code).collect();
    assert_eq!(codes, ["E402", "E406", "E021", "E020", "E025", "E023", "E028"]);
}

fn labels(price: &Price) -> Vec<&str> {
    price.parts.iter().map(|part| part.label.as_str()).collect()
}

fn eur(text: &str) -> Formula {
    Formula::Const(text.parse().unwrap())
}

const SPOT: Formula = Formula::Feed { feed: 0, mean: Mean::Now };

#[test]
fn parts_of_a_sum_go_by_their_names() {
    let prices = "price grid: 0.10 EUR/kWh\nprice cost: spot + (grid - 0.01 EUR/kWh)\n";
    let one =
        |formula: &str| list(&format!("{prices}energy: {formula}\nstart fee: cost / cost * 1 EUR/session\n"));
    // A price that is a sum shows its own parts; constants go by the charge's label.
    let tariff = one("cost + 0.25 EUR/kWh");
    let price_ = price(&tariff, 0);
    assert_eq!(labels(&price_), ["spot", "grid", "Energy"]);
    assert_eq!(price_.parts[2].formula, eur("0.24"));
    assert_eq!(price_.per, Per::Kwh);
    assert_eq!(labels(&price(&one("cost"), 0)), ["spot", "grid", "Energy"]);
    // Rounding and bounds around a sum keep its parts; products go by the one name in them.
    let tariff = one("(spot + grid) rounded to 0.01 cent/kWh");
    assert_eq!(labels(&price(&tariff, 0)), ["spot", "grid"]);
    assert!(
        matches!(price(&tariff, 0).formula, Formula::Round(_, step) if step == "0.0001".parse().unwrap())
    );
    let tariff = one("50% of spot + 2 * cost - spot at least 0 EUR/kWh");
    assert_eq!(labels(&price(&tariff, 0)), ["spot", "cost"]);
    // One part is no part.
    for formula in [
        "spot",
        "0.30 EUR/kWh",
        "2 * spot",
        "spot at least 0 EUR/kWh",
        "spot + spot",
        "0.1 EUR/kWh + 0.2 EUR/kWh",
    ] {
        assert!(price(&one(formula), 0).parts.is_empty(), "{formula}");
    }
    let tariff = one("spot - grid");
    let parts = price(&tariff, 0).parts;
    assert_eq!(parts[1].formula, Formula::Sub(Box::new(eur("0")), Box::new(Formula::Value(0))));
    // A price with conditions stays one part.
    let tariff = list("price a:\n  spot + 0.1 EUR/kWh on AC\n  spot otherwise\nenergy: a + 0.2 EUR/kWh\n");
    assert_eq!(labels(&price(&tariff, 0)), ["a", "Energy"]);
}

#[test]
fn constants_fold_where_that_is_exact() {
    let one = |formula: &str| price(&list(&format!("energy: {formula}\n")), 0).formula;
    assert_eq!(one("(0.10 EUR/kWh + 5 cent/kWh) * 2 / 4"), eur("0.075"));
    assert_eq!(one("12 EUR/MWh + 0 EUR/kWh"), eur("0.012"));
    assert_eq!(one("higher of 1 EUR/kWh and 2 EUR/kWh"), eur("2"));
    assert_eq!(one("spot * 50%"), Formula::Mul(Box::new(SPOT), Box::new(eur("0.5"))));
    assert!(matches!(one("1 EUR/kWh / 3"), Formula::Div(..)));
    assert!(matches!(one("hourly spot"), Formula::Feed { feed: 0, mean: Mean::Hour }));
    assert!(matches!(one("month mean of spot"), Formula::Feed { feed: 0, mean: Mean::Month }));
    assert!(matches!(one("spot plus VAT less VAT"), Formula::LessVat(_)));
}

#[test]
fn times_are_per_hour_but_a_rate_per_minute_stays_one() {
    let tariff = list(
        "price a: 0.10 EUR/min\nidle fee: 0.10 EUR/min\nparking time: a\ncharging time: a + 1 EUR/h\nconnected time: 6 EUR/h\n",
    );
    assert_eq!((price(&tariff, 0).per, price(&tariff, 0).formula), (Per::Minute, eur("0.10")));
    assert_eq!((price(&tariff, 1).per, price(&tariff, 1).formula), (Per::Hour, Formula::Value(0)));
    assert_eq!(price(&tariff, 2).per, Per::Hour);
    assert_eq!((price(&tariff, 3).per, price(&tariff, 3).formula), (Per::Hour, eur("6")));
    assert_eq!(
        only(&tariff, tariff.values[0].root),
        Outcome::Price(Price { per: Per::Hour, formula: eur("6.00"), parts: vec![], step: None })
    );
}

#[test]
fn a_formula_of_rates_per_minute_is_worked_out_per_minute() {
    let of = |formula: &str| {
        let tariff = list(&format!("price a: 0.10 EUR/min\nidle fee: {formula}\nparking time: a\n"));
        let price = price(&tariff, 0);
        (price.per, price.formula)
    };
    let less_vat = |amount| Formula::LessVat(Box::new(eur(amount)));
    assert_eq!(of("0.01 EUR/min including VAT less VAT"), (Per::Minute, less_vat("0.01")));
    assert_eq!(
        of("0.01 EUR/min including VAT less VAT rounded to 0.001 EUR/min"),
        (Per::Minute, Formula::Round(Box::new(less_vat("0.01")), "0.001".parse().unwrap()))
    );
    assert_eq!(of("50% of 0.10 EUR/min at most 0.04 EUR/min"), (Per::Minute, eur("0.04")));
    assert_eq!(of("-0.10 EUR/min"), (Per::Minute, eur("-0.10")));
    assert_eq!(of("0.60 EUR/h including VAT less VAT"), (Per::Hour, less_vat("0.60")));
    assert_eq!(of("0.01 EUR/min including VAT less VAT at least 0.60 EUR/h").0, Per::Hour);
    assert_eq!(of("0.60 EUR/h including VAT less VAT rounded to 0.01 EUR/min").0, Per::Hour);
    assert_eq!(of("(0.10 EUR/min including VAT less VAT) + a").0, Per::Hour);
    assert_eq!(of("0.10 EUR/min + average-power * 0.10 EUR/kWh").0, Per::Hour);
}

#[test]
fn what_belongs_to_no_charge_has_the_vat_of_the_list() {
    let rate = |text: &str| match only(&list(text), list(text).default_tax) {
        Outcome::Tax(class) => {
            list(text).tax_classes[class as usize].taxes.iter().map(|tax| tax.rate.to_string()).collect()
        }
        other => panic!("{other:?}"),
    };
    let rate: &dyn Fn(&str) -> Vec<String> = &rate;
    assert_eq!(rate("VAT on energy: 10%\nenergy: 0.30 EUR/kWh\n"), ["20"]);
    assert_eq!(rate("tax \"City\": 2%\nVAT on energy: 10%\nenergy: 0.30 EUR/kWh\n"), ["20", "2"]);
    let own = HEAD.replace("VAT: 20%\n", "VAT on energy: 10%\nenergy: 0.30 EUR/kWh\n");
    let own = tariff(&own);
    well_formed(&own);
    let Outcome::Tax(class) = only(&own, own.default_tax) else { panic!() };
    assert!(own.tax_classes[class as usize].taxes.is_empty());
}

#[test]
fn who_pays_and_how_often() {
    let tariff = list(
        "energy: 0.30 EUR/kWh\npower fee from highest hour, paid by site: 10.00 EUR/kW\n\
         site credit paid by site: 0.10 EUR/kWh\nmonthly fee: 5.00 EUR/month\n",
    );
    let paid: Vec<bool> = tariff.month.iter().map(|charge| charge.paid_by_site).collect();
    assert_eq!(paid, [true, true, false]);
    assert!(!tariff.bills_monthly);
    let monthly = HEAD.replace("  prices:", "  bills: every month\n  prices:");
    assert!(tariff_of(&format!("{monthly}energy: 0.30 EUR/kWh\n")).bills_monthly);
}

#[test]
fn values_stand_after_what_they_name() {
    let tariff = list("price a: b + c\nprice b: c * 2\nprice c: 0.10 EUR/kWh\nenergy: a\n");
    let names: Vec<&str> = tariff.values.iter().map(|value| value.name.as_str()).collect();
    assert_eq!(names, ["c", "b", "a"]);
}

#[test]
fn charges_limits_and_month() {
    let text = "value grace:\n  30 min on AC\n  10 min otherwise\n\
        energy in steps of 1 kWh, at most 20.00 EUR/day per driver, at least 2.00 EUR/session after 1 kWh: 0.30 EUR/kWh\n\
        energy \"Wear\" after 5 kWh: 0.01 EUR/kWh\n\
        idle fee after grace in a row: 0.10 EUR/min\n\
        start fee after 1 kWh: 0.50 EUR/session\n\
        payment fee paid by site: 0.40 EUR/bill\n\
        payout to site: cost price\n\
        power fee from mean of 3 highest daily peaks:\n  250.00 EUR/month below 5 kW\n  60.00 EUR/kW otherwise\n\
        monthly fee paid by site: 5.00 EUR/charger with plan gold\n  \n\
        one-off fee: 248.00 EUR/charger\n\
        site credit \"Support\" first 5000 kWh per month: 90% of (hourly spot - 0.77 EUR/kWh at least 0 EUR/kWh)\n\
        total: at most 50.00 EUR/session\n\
        discount \"Members\" for members, not with coupon: 10% of energy\n\
        discount \"All\": 1.00 EUR\n\
        coupon applies to: energy \"Wear\", start fee\n\
        coupon \"A\": 5.00 EUR, once per driver\n\
        coupon \"B\": 10 kWh free until 2025-08-31\n\
        groups: members, everyone else guests\n";
    let text = text.replace(
        "monthly fee paid by site: 5.00 EUR/charger with plan gold\n  \n",
        "monthly fee paid by site:\n  5.00 EUR/charger with plan gold\n  free otherwise\n",
    );
    let tariff = list(&text);
    well_formed(&tariff);
    let kinds: Vec<ChargeKind> = tariff.charges.iter().map(|charge| charge.kind).collect();
    use ChargeKind as K;
    assert_eq!(kinds, [K::Energy, K::Energy, K::IdleFee, K::StartFee, K::PaymentFee, K::PayoutToSite]);
    let energy = &tariff.charges[0];
    assert_eq!((energy.step, energy.limits.len(), energy.label.as_str()), (Some(1_000_000), 2, "Energy"));
    assert!(energy.limits[1].floor && energy.limits[1].after_energy == Some(1_000_000));
    assert!(!energy.limits[0].floor && energy.limits[0].after_energy.is_none());
    assert!(matches!(tariff.charges[1].after.as_ref().unwrap().measure, Measure::Energy { .. }));
    let idle = tariff.charges[2].after.as_ref().unwrap();
    assert_eq!(idle.amount, AfterAmount::Value(0));
    assert!(matches!(idle.measure, Measure::Time { time: takst_engine::tariff::Time::IdleInARow, .. }));
    assert!(
        tariff.charges[4].paid_by_site && tariff.charges[5].paid_by_site && !tariff.charges[3].paid_by_site
    );
    assert_eq!(tariff.month.len(), 4);
    assert!(matches!(tariff.month[0].what, MonthWhat::Power { hours: 3, on_different_days: true, .. }));
    assert!(matches!(tariff.month[1].what, MonthWhat::Monthly(_)) && tariff.month[1].paid_by_site);
    assert!(matches!(tariff.month[2].what, MonthWhat::OneOff(_)));
    assert!(matches!(tariff.month[3].what, MonthWhat::SiteCredit { first: Some(5_000_000_000), .. }));
    assert_eq!(tariff.total_limits.len(), 1);
    assert_eq!(tariff.discounts[0].charges, [0, 1]);
    assert!(tariff.discounts[0].not_with_coupon && !tariff.discounts[1].not_with_coupon);
    // A rebate on everything leaves the payment fee and the payout alone.
    assert_eq!(tariff.discounts[1].charges, [0, 1, 2, 3]);
    assert_eq!(only(&tariff, tariff.discounts[1].root), Outcome::Applies);
    assert_eq!(tariff.coupon_scope, [1, 3]);
    assert_eq!(
        (&tariff.coupons[0].rebate, &tariff.coupons[0].charges),
        (&Rebate::Amount("5.00".parse().unwrap()), &vec![1, 3])
    );
    assert_eq!(tariff.coupons[0].times_per_driver, Some(1));
    assert_eq!(
        (&tariff.coupons[1].rebate, &tariff.coupons[1].charges),
        (&Rebate::FreeEnergy(10_000_000), &vec![0, 1])
    );
    assert!(matches!(tariff.nodes[tariff.coupons[1].root as usize], Node::Days(_)));
}

#[test]
fn vat_and_taxes_become_classes() {
    let tariff = list(
        "VAT on feed-in: outside scope\nVAT on energy \"Wind\": exempt \"small business\"\nVAT on energy: 10%\n\
         energy: 0.30 EUR/kWh\nenergy \"Wind\": 0.20 EUR/kWh\nfeed-in: 0.10 EUR/kWh\nstart fee: 1.00 EUR/session\n",
    );
    let class = |tariff: &Tariff, charge: usize| match only(tariff, tariff.charges[charge].tax) {
        Outcome::Tax(class) => tariff.tax_classes[class as usize].clone(),
        other => panic!("{other:?}"),
    };
    let rates = |tariff: &Tariff, charge| -> Vec<String> {
        class(tariff, charge).taxes.iter().map(|tax| tax.rate.to_string()).collect()
    };
    assert_eq!(rates(&tariff, 0), ["10"]);
    assert_eq!(class(&tariff, 1).reason.as_deref(), Some("small business"));
    assert_eq!(class(&tariff, 2).reason.as_deref(), Some("outside scope"));
    assert_eq!(rates(&tariff, 3), ["20"]);

    // Taxes stack; without VAT they may stand alone.
    let us = "tariff \"US\"\n  currency: USD\n  time zone: America/New_York\n  prices: excluding VAT\n\
        tax \"State\": 6%\ntax \"City\" on top of State:\n  2% until 2025-12-31\n  3% from 2026-01-01\nenergy: 0.30 USD/kWh\n";
    let tariff = tariff_of(us);
    let Node::Days(children) = &tariff.nodes[tariff.charges[0].tax as usize] else { panic!() };
    assert_eq!(children.len(), 2);
    let classes: Vec<_> = tariff
        .tax_classes
        .iter()
        .map(|class| {
            (
                class.taxes[0].rate.to_string(),
                class.taxes[1].rate.to_string(),
                class.taxes[1].on_top_of.clone(),
            )
        })
        .collect();
    assert_eq!(classes, [("6".into(), "2".into(), vec![0]), ("6".into(), "3".into(), vec![0])]);
    // The kept diagrams are those that are used: nothing of the lists that were only checked.
    assert_eq!(tariff.leaves.len(), 3);
}

fn tariff_of(text: &str) -> Tariff {
    tariff(text)
}

/// Compiles the first of some files; the others can be loaded.
fn compile_files(files: &[(&str, &str)]) -> Compiled {
    let file = |(name, text): &(&str, &str)| SourceFile { name: (*name).into(), text: (*text).into() };
    compile(file(&files[0]), &mut |name| {
        files.iter().find(|(known, _)| *known == name).map(file).ok_or_else(|| "no such file".to_owned())
    })
}

#[test]
fn a_leaf_alters_what_it_says_and_nothing_else() {
    let base = format!("{HEAD}groups: staff, everyone else guests\nprice margin: set by each list\n\
        energy:\n  spot + margin for staff\n  0.50 EUR/kWh otherwise\nidle fee \"Parking\" after 10 min: 0.10 EUR/min\nstart fee: 1.00 EUR/session\n\
        test \"of the base\"\n  driver in nobody\n  charge 1 kWh from 2025-01-01 12:00 to 13:00\n")
        .replace("VAT: 20%", "  valid from: 2025-01-01\n  description: \"base\"\n  website: \"w\"\nVAT: 20%");
    let middle = "tariff \"Middle\"\n  based on: \"base.tariff\"\n  description: \"middle\"\nremove start fee\nchange idle fee: 0.20 EUR/min\n";
    let leaf = "tariff \"Leaf\"\n  based on: \"lists/middle.tariff\"\n  valid from: 2025-06-01\nset margin: 0.05 EUR/kWh\nchange VAT: 10%\nparking time: 0.01 EUR/min\n";
    let compiled = compile_files(&[
        ("somewhere/leaf.tariff", leaf),
        ("lists/middle.tariff", middle),
        ("lists/base.tariff", &base),
    ]);
    assert!(compiled.diagnostics.is_empty(), "{:#?}", shown(&compiled));
    let tariff = compiled.tariff.unwrap();
    well_formed(&tariff);
    assert_eq!((tariff.name.as_str(), tariff.file.as_str()), ("Leaf", "leaf.tariff"));
    let files: Vec<&str> = tariff.sources.iter().map(|source| source.file.as_str()).collect();
    assert_eq!(files, ["leaf.tariff", "middle.tariff", "base.tariff"]);
    assert_eq!(
        tariff.notes,
        [("website".to_owned(), "w".to_owned()), ("description".to_owned(), "middle".to_owned())]
    );
    // 2025-06-01 00:00 in Vienna.
    assert_eq!(tariff.valid_from.unwrap().0, 1_748_728_800_000);
    let labels: Vec<(&str, u32)> = tariff
        .charges
        .iter()
        .map(|charge| (charge.label.as_str(), tariff.rules[charge.rule as usize].source))
        .collect();
    assert_eq!(labels, [("Energy", 2), ("Parking", 1), ("Parking time", 0)]);
    // A change replaces the statement, its limits too.
    assert!(tariff.charges[1].after.is_none());
    assert_eq!(tariff.tax_classes[0].taxes[0].rate.to_string(), "10");

    // The base alone is right, but cannot price. Its tests are checked where it is the leaf.
    let compiled = compile_files(&[("base.tariff", &base)]);
    assert!(compiled.tariff.is_none() && compiled.abstract_list);
    let codes: Vec<&str> = compiled.diagnostics.iter().map(|it| it.code).collect();
    assert_eq!(codes, ["E101"]);
    let said = compile_files(&[("base.tariff", base.split("test ").next().unwrap())]);
    assert!(said.abstract_list && said.tariff.is_none());
    assert!(said.diagnostics.is_empty(), "{:#?}", shown(&said));
    // An error inside a base is shown in the base.
    let broken = base.replace("spot + margin", "sopt + margin");
    let compiled =
        compile_files(&[("leaf.tariff", &leaf.replace("lists/middle", "base")), ("base.tariff", &broken)]);
    assert_eq!(compiled.diagnostics.len(), 1, "{:#?}", shown(&compiled));
    assert_eq!((compiled.diagnostics[0].code, compiled.diagnostics[0].labels[0].source), ("E102", 1));
}

#[test]
fn a_chain_of_lists_has_an_end() {
    let mut files: Vec<(String, String)> = (0..20)
        .map(|n| (format!("l{n}"), format!("tariff \"L{n}\"\n  based on: \"l{}\"\n", n + 1)))
        .collect();
    files.push(("l20".into(), format!("{HEAD}energy: 0.30 EUR/kWh\n")));
    let from = |start: usize| {
        let files: Vec<(&str, &str)> =
            files[start..].iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
        compile_files(&files)
    };
    assert_eq!(from(0).diagnostics.iter().map(|it| it.code).collect::<Vec<_>>(), ["E115"]);
    let sixteen = from(5);
    assert!(sixteen.diagnostics.is_empty() && sixteen.sources.len() == 16, "{:#?}", shown(&sixteen));
}

#[test]
fn public_holidays_are_those_of_the_zone_or_of_the_setting() {
    let text = "energy:\n  0.30 EUR/kWh during public holidays\n  0.40 EUR/kWh otherwise\n";
    let austria = list(text);
    let bavaria = tariff(&format!(
        "{}{text}",
        HEAD.replace("Europe/Vienna", "Europe/Berlin")
            .replace("prices:", "public holidays: DE-BY\n  prices:")
    ));
    let days = |tariff: &Tariff| {
        tariff.days.tests.iter().map(|test| serde_json::to_string(test).unwrap()).collect::<String>()
    };
    // 26 October 2025 is a holiday in Austria only.
    assert!(days(&austria).contains("20387") && !days(&bavaria).contains("20387"));
    // A region without a list is one error, not several.
    let unknown =
        compile_text(&format!("{}{text}", HEAD.replace("prices:", "public holidays: DE\n  prices:")));
    assert_eq!(unknown.diagnostics.iter().map(|it| it.code).collect::<Vec<_>>(), ["E407"]);
}

mod mutations {
    use super::*;
    use proptest::prelude::*;

    fn drafts() -> Vec<String> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/drafts");
        let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.extend(
            fs::read_dir(errors()).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file()),
        );
        paths.sort();
        paths.into_iter().map(|path| fs::read_to_string(path).unwrap()).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

        /// Words of all drafts swapped, dropped and doubled: never a panic, a tariff exactly when there is no error.
        #[test]
        fn any_text_gets_an_answer(
            file in 0_usize..60,
            base in 0_usize..60,
            edits in prop::collection::vec((0_usize..4, 0_usize..2000, 0_usize..60, 0_usize..2000), 1..6),
        ) {
            let drafts = drafts();
            let text = drafts[file % drafts.len()].clone();
            let mut words: Vec<String> = text.split_inclusive([' ', '\n', ':', ',']).map(str::to_owned).collect();
            for (what, at, other, word) in edits {
                let at = at % words.len().max(1);
                let other = &drafts[other % drafts.len()];
                let others: Vec<&str> = other.split_inclusive([' ', '\n', ':', ',']).collect();
                let new = others[word % others.len()].to_owned();
                match what {
                    0 => words.insert(at, new),
                    1 if at < words.len() => words[at] = new,
                    2 if words.len() > 1 => { words.remove(at); }
                    _ => { let from = word % words.len().max(1); words.swap(at, from); }
                }
            }
            let main = SourceFile { name: "x.tariff".into(), text: words.concat() };
            let base = drafts[base % drafts.len()].clone();
            let compiled = compile(main, &mut |name| Ok(SourceFile { name: name.into(), text: base.clone() }));
            let error = compiled.diagnostics.iter().any(|it| it.severity == Severity::Error);
            prop_assert_eq!(compiled.tariff.is_some(), !error && !compiled.abstract_list, "{:#?}", shown(&compiled));
            if let Some(tariff) = &compiled.tariff {
                well_formed(tariff);
            }
        }
    }
}

#[test]
fn a_list_ends_after_its_last_day_or_at_a_time() {
    let until = |text: &str| {
        let list = HEAD.replace("VAT: 20%", &format!("  {text}\nVAT: 20%"));
        tariff(&format!("{list}energy: 0.40 EUR/kWh\n")).valid_until.map(|until| until.0)
    };
    assert_eq!(until("valid from: 2025-01-01"), None);
    // 2026-01-01 00:00 and 2025-12-31 06:30 in Vienna.
    assert_eq!(until("valid until: 2025-12-31"), Some(1_767_222_000_000));
    assert_eq!(until("valid until: 2025-12-31 06:30"), Some(1_767_159_000_000));
    // The day has 23 hours.
    assert_eq!(until("valid until: 2025-03-30"), Some(1_743_372_000_000));
    // The end of the calendar.
    assert_eq!(until("valid until: 2099-12-31"), Some(47_481 * 86_400_000));
    // A list without an end has the version that it had before there were ends.
    let text = serde_json::to_string(&list("energy: 0.40 EUR/kWh\n")).unwrap();
    assert!(!text.contains("valid_until"), "{text}");

    // A list says it anew over that of its base.
    let base = format!("{HEAD}energy: 0.40 EUR/kWh\n")
        .replace("VAT: 20%", "  valid from: 2025-01-01\n  valid until: 2025-12-31\nVAT: 20%");
    let of = |leaf: &str| {
        let leaf = format!("tariff \"Leaf\"\n  based on: \"base.tariff\"\n{leaf}");
        compile_files(&[("leaf.tariff", leaf.as_str()), ("base.tariff", base.as_str())])
    };
    assert_eq!(of("").tariff.unwrap().valid_until.map(|until| until.0), Some(1_767_222_000_000));
    let later = of("  valid until: 2026-12-31\n").tariff.unwrap();
    assert_eq!(later.valid_until.map(|until| until.0), Some(1_798_758_000_000));
    let wrong = of("  valid from: 2026-01-01\n");
    assert_eq!(shown(&wrong).len(), 1);
    assert!(shown(&wrong)[0].starts_with("E415"), "{:#?}", shown(&wrong));
    for key in ["end date", "valid to", "expires", "Valid Until"] {
        let list = HEAD.replace("VAT: 20%", &format!("  {key}: 2025-12-31\nVAT: 20%"));
        let wrong = compile_text(&format!("{list}energy: 0.40 EUR/kWh\n"));
        assert!(shown(&wrong)[0].contains("valid until"), "{:#?}", shown(&wrong));
    }
}
