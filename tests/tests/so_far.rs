//! The sums of a running session are those of its preview, for random tariffs and sessions, at every reading.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a panic is a failed test")]

use std::borrow::Cow;
use takst_dsl::{SourceFile, compile};
use takst_engine::units::{Energy, Instant};
use takst_engine::{Begin, Prepared, PriceBook, Pricing, Running, Session, Standing};
use takst_tests::random::pair;

const PAIRS: u64 = 2_000;

#[test]
fn the_sums_so_far_are_those_of_the_preview() {
    let (mut tried, mut looked) = (0, 0);
    for seed in 0..PAIRS {
        let mut pair = pair(seed);
        pair.session.hidden = None;
        if !pair.in_force() {
            continue;
        }
        let main = SourceFile { name: "random.tariff".into(), text: pair.tariff.to_text() };
        let Some(tariff) = compile(main, &mut |name| Err(format!("there is no `{name}`"))).tariff else {
            continue;
        };
        let prepared = Prepared::new(tariff).unwrap();
        let mut book = PriceBook::default();
        for file in pair.files_json() {
            book.add_json(&file).unwrap();
        }
        let pricing = Pricing::new(&prepared, &book).unwrap();
        let session = Session::from_json(&pair.session.to_json()).unwrap();
        let standing =
            pair.standing_json().map(|text| Standing::from_json(&text).unwrap()).unwrap_or_default();
        let begin = Begin {
            plugged_in: session.plugged_in,
            explicit_states: !session.states.is_empty(),
            explicit_power: !session.power.is_empty(),
        };
        let mut running = Running::begin(&pricing, Cow::Borrowed(&session.facts), &begin, standing).unwrap();
        session.states.iter().for_each(|state| running.state(&pricing, *state).unwrap());
        session.power.iter().for_each(|power| running.power(&pricing, *power).unwrap());
        session.occupancy.iter().for_each(|share| running.occupancy(&pricing, *share).unwrap());
        for reading in &session.readings {
            running.reading(&pricing, *reading).unwrap();
            let sums = running.so_far(&pricing).unwrap();
            let preview = running.preview(&pricing).unwrap();
            assert_eq!(
                (sums.net, sums.tax, sums.total, sums.energy.0, sums.exported.0),
                (preview.net, preview.tax_total, preview.total, preview.energy.0, preview.energy.1),
                "seed {seed}"
            );
            assert_eq!((&sums.rows, &sums.pending), (&preview.rows, &preview.pending), "seed {seed}");
            looked += 1;
        }
        // What is foreseen is what comes: standing still until later.
        let later = Instant(running.now().0 + 7_000_000);
        let foreseen = running.ahead(&pricing, later, Energy(0)).unwrap();
        running.until(&pricing, later).unwrap();
        assert_eq!(foreseen, running.so_far(&pricing).unwrap(), "seed {seed}");
        tried += 1;
    }
    assert!(tried > PAIRS / 3 && looked > tried * 2, "{tried} sessions, {looked} readings");
}
