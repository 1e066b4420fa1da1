//! Every situation that real chargers are known to make has a test that is named after its number.

use std::collections::BTreeSet;
use std::path::Path;

// 48 is OCPP 1.5, which is not spoken yet.
const LATER: u32 = 48;

fn read(folder: &Path, texts: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read(&path, texts);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            texts.push_str(&std::fs::read_to_string(path).unwrap());
        }
    }
}

// `case_08_to_12_...`, `case_25_and_26_...`, `case_44_...`.
fn numbers(name: &str) -> Vec<u32> {
    let words: Vec<&str> = name.split('_').take(3).collect();
    let number = |index: usize| words.get(index).and_then(|word| word.parse::<u32>().ok());
    match (number(0), words.get(1).copied(), number(2)) {
        (Some(first), Some("to"), Some(last)) => (first..=last).collect(),
        (Some(one), Some("and"), Some(other)) => vec![one, other],
        (Some(one), ..) => vec![one],
        _ => Vec::new(),
    }
}

#[test]
fn every_case_has_a_test() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut texts = String::new();
    read(&here.join("src"), &mut texts);
    read(&here.join("tests"), &mut texts);
    let tested: BTreeSet<u32> = texts.split("case_").skip(1).flat_map(numbers).collect();
    let missing: Vec<u32> = (1..=50).filter(|case| *case != LATER && !tested.contains(case)).collect();
    assert!(missing.is_empty(), "without a test: {missing:?}");
}
