//! The engine against the oracle: random tariffs and sessions, equal to the last digit.
//!
//! `TAKST_ORACLE_PAIRS` sets how many, `TAKST_ORACLE_FIRST` the first seed, `TAKST_ORACLE_SEED` tries a single one,
//! `TAKST_ORACLE_SURVEY` counts kinds of differences instead of stopping at the first few.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a panic is a failed test"
)]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use takst_tests::oracle::compare::difference;
use takst_tests::random::facts::{asks, completions};
use takst_tests::random::shrink::shrink;
use takst_tests::random::{Pair, pair};
use takst_tests::subject::{Refusal, engine_bill};

/// Pairs tried unless told otherwise.
const PAIRS: u64 = 20_000;
/// Different failures shown before giving up.
const SHOWN: usize = 3;
/// Trials to make a failure smaller.
const SHRINKS: usize = 3_000;
/// What the compiler rightly finds in random lists: lines that never win, conditions that cross too often, windows that
/// never open.
const EXPECTED: [&str; 3] = ["E302", "E304", "E307"];

/// What came of a pair.
#[derive(PartialEq, Eq, Debug)]
enum Outcome {
    Same,
    /// Both refuse the session: why.
    Declined(&'static str),
    /// The tariff was refused for one of the [`EXPECTED`] reasons: its code.
    Refused(String),
    Different(String),
}

fn try_pair(pair: &Pair) -> Outcome {
    let theirs = match catch_unwind(AssertUnwindSafe(|| engine_bill(&pair.question()))) {
        Ok(Ok(_)) if !pair.in_force() => {
            return Outcome::Different("not in force, and priced all the same".into());
        }
        Ok(Ok(bill)) => bill,
        Ok(Err(Refusal::NotInForce)) if !pair.in_force() => return Outcome::Declined("not in force"),
        Ok(Err(Refusal::NotInForce)) => return Outcome::Different("in force, and refused".into()),
        Ok(Err(Refusal::Missing(field))) => return missing(pair, &field),
        Ok(Err(Refusal::Tariff(errors))) => {
            let known =
                !errors.is_empty() && errors.iter().all(|(code, _)| EXPECTED.contains(&code.as_str()));
            return if known {
                Outcome::Refused(errors[0].0.clone())
            } else {
                Outcome::Different(format!("tariff: {errors:?}"))
            };
        }
        Ok(Err(Refusal::Other(why))) => return Outcome::Different(why),
        Err(_) => return Outcome::Different("panic: the engine".into()),
    };
    // What is not told must not matter: whatever it is, the bill is the same.
    let compare = || {
        completions(&pair.session).into_iter().find_map(|session| {
            let told = Pair { session, ..pair.clone() };
            difference(&told.tariff, &told.session, &told.bill(), &theirs)
        })
    };
    match catch_unwind(AssertUnwindSafe(compare)) {
        Ok(found) => found.map_or(Outcome::Same, Outcome::Different),
        Err(_) => Outcome::Different("panic: the oracle".into()),
    }
}

/// A refusal for a fact: one that is not told and that a line asks for, and that can change the bill.
fn missing(pair: &Pair, field: &str) -> Outcome {
    match pair.session.hidden {
        Some(hidden) if hidden.field() == field && asks(&pair.tariff, hidden) => {
            Outcome::Declined("missing fact")
        }
        _ => Outcome::Different(format!("missing `{field}`, which is told or not asked for")),
    }
}

/// The first words of a difference: what kind it is.
fn sort_of(outcome: &Outcome) -> Option<String> {
    let Outcome::Different(text) = outcome else { return None };
    // Diagnostics are told apart by their codes.
    if let Some(at) = text.find("(\"E") {
        return Some(format!("tariff: {}", &text[at + 2..at + 6]));
    }
    let end = text.find(|c: char| c.is_ascii_digit() || "`[\n".contains(c)).unwrap_or(text.len());
    // Whose charge it is does not matter, what is wrong with it does.
    let kind = text[..end].split(" of (").next().unwrap_or_default();
    Some(kind.chars().take(60).collect())
}

fn report(seed: u64, found: Pair) -> String {
    let sort = sort_of(&try_pair(&found));
    let small = shrink(found, SHRINKS, |p| sort_of(&try_pair(p)) == sort);
    let Outcome::Different(text) = try_pair(&small) else { return format!("seed {seed}: comes and goes") };
    let files = small.tariff.to_files();
    let mut all = format!("seed {seed}: {text}\n--- tariff\n{}", files.list);
    if let Some(base) = files.base {
        let _ = writeln!(all, "--- base.tariff\n{base}");
    }
    let _ = writeln!(all, "--- session\n{}", small.session.to_json());
    for file in small.files_json() {
        let _ = writeln!(all, "--- prices\n{file}");
    }
    if let Some(standing) = small.standing_json() {
        let _ = writeln!(all, "--- standing\n{standing}");
    }
    if let Some(cost) = small.cost {
        let _ = writeln!(all, "--- cost price\n{cost}");
    }
    let ours = small.bill();
    let theirs = engine_bill(&small.question()).map(|bill| serde_json::to_string_pretty(&bill).unwrap());
    let _ = writeln!(all, "--- ours\n{ours:#?}");
    match theirs {
        Ok(bill) => drop(writeln!(all, "--- theirs\n{bill}")),
        Err(why) => drop(writeln!(all, "--- theirs\n{why:?}")),
    }
    all
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name)
        .ok()
        .map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is no number: {text}")))
}

#[test]
fn the_engine_agrees_with_the_oracle() {
    if let Some(seed) = number("TAKST_ORACLE_SEED") {
        let outcome = try_pair(&pair(seed));
        if let Outcome::Different(_) = outcome {
            panic!("{}", report(seed, pair(seed)));
        }
        println!("seed {seed}: {outcome:?}");
        if let Outcome::Refused(_) = outcome {
            let small = shrink(pair(seed), SHRINKS, |p| try_pair(p) == outcome);
            println!("{}", small.tariff.to_text());
        }
        return;
    }
    let survey = std::env::var_os("TAKST_ORACLE_SURVEY").is_some();
    let first = number("TAKST_ORACLE_FIRST").unwrap_or(0);
    let end = first + number("TAKST_ORACLE_PAIRS").unwrap_or(PAIRS);
    let next = AtomicU64::new(first);
    let refused: Mutex<BTreeMap<String, u64>> = Mutex::new(BTreeMap::new());
    let declined: Mutex<BTreeMap<&str, u64>> = Mutex::new(BTreeMap::new());
    // Seeds by the kind of their difference.
    let failures: Mutex<BTreeMap<String, Vec<u64>>> = Mutex::new(BTreeMap::new());
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= end || (!survey && failures.lock().unwrap().len() >= SHOWN) {
                return;
            }
            let outcome = try_pair(&pair(seed));
            if let Outcome::Declined(why) = &outcome {
                *declined.lock().unwrap().entry(*why).or_default() += 1;
            }
            if let Outcome::Refused(code) = &outcome {
                *refused.lock().unwrap().entry(code.clone()).or_default() += 1;
            }
            if let Some(sort) = sort_of(&outcome) {
                failures.lock().unwrap().entry(sort).or_default().push(seed);
            }
        }
    };
    std::thread::scope(|scope| {
        let threads = std::thread::available_parallelism().map_or(2, usize::from);
        for _ in 0..threads {
            scope.spawn(work);
        }
    });
    let (failures, refused) = (failures.into_inner().unwrap(), refused.into_inner().unwrap());
    let tried = next.into_inner().min(end) - first;
    let declined = declined.into_inner().unwrap();
    println!("{tried} pairs; refused tariffs by reason: {refused:?}; refused sessions: {declined:?}");
    let refused: u64 = refused.values().sum();
    let mut all = String::new();
    for (sort, seeds) in &failures {
        let _ = writeln!(
            all,
            "{} x {sort} {:?}",
            seeds.len(),
            &seeds[..seeds.len().min(if survey { 60 } else { 12 })]
        );
    }
    if !survey {
        for seeds in failures.values().take(SHOWN) {
            let _ = writeln!(all, "\n{}", report(seeds[0], pair(seeds[0])));
        }
    }
    assert!(failures.is_empty(), "{all}");
    // Tests that are mostly refused would show nothing.
    assert!(refused * 4 <= tried, "{refused} of {tried} random tariffs were refused");
}

#[test]
fn random_lists_use_all_of_the_language() {
    let words = [
        "public holidays",
        "reservation fee",
        "when expired",
        "on top of",
        " A or more",
        "month mean of",
        "hourly spot",
        "cost price",
        "payout to site",
        "based on:",
        "valid from:",
        "valid until:",
        "set by each list",
        "whole month from",
        "connected time per day per driver",
        "connected time per month per site",
        "/day per driver",
        "total: at least",
        "/month per driver",
        "coupon \"TEN\"",
        "in a row",
        "in steps of",
        "holds until next",
        "while site",
        "rounded to",
        "plus VAT",
        "less VAT",
        "average-power",
        "not with coupon",
        "every hour",
        "except",
    ];
    let mut seen = BTreeMap::from(words.map(|word| (word, 0)));
    let mut facts = BTreeMap::new();
    for seed in 0..3_000 {
        let pair = pair(seed);
        let files = pair.tariff.to_files();
        let text = files.list + files.base.as_deref().unwrap_or_default();
        for (word, count) in &mut seen {
            *count += u32::from(text.contains(word));
        }
        for (fact, is) in [
            ("lifted before", !pair.standing.lifts.is_empty()),
            ("time used before", !pair.standing.times.is_empty()),
            ("known of the month", !pair.standing.whole.is_empty()),
            ("two coupons", pair.session.coupons.len() > 1),
            ("not told", pair.session.hidden.is_some()),
            ("no cost price", pair.cost.is_none()),
        ] {
            *facts.entry(fact).or_insert(0) += u32::from(is);
        }
    }
    let all = seen.into_iter().chain(facts);
    let rare: Vec<(&str, u32)> = all.filter(|(_, count)| *count < 6).collect();
    assert_eq!(rare, []);
}
