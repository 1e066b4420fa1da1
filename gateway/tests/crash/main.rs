//! `kill -9` of the whole gateway under load, again and again: nothing that was acknowledged is lost or counted twice.
//!
//! A small run is part of the test command. `tests/crash/run` makes long ones.
#![allow(
    clippy::await_holding_lock,
    clippy::cast_possible_truncation,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that fails panics; counts are small; nobody writes the ledger while it is checked"
)]

#[macro_use]
#[path = "../store_support/mod.rs"]
mod store_support;

mod check;
mod gateway;
mod ledger;
mod million;
mod rounds;

use rounds::Run;
use store_support::{Place, run};

async fn killed_again_and_again(place: Place) {
    Run { seed: 1, rounds: 24, chargers: 16, longest_ms: 500 }.play(place).await;
}

both!(killed_again_and_again);

// What `tests/crash/run` asks for.
fn asked() -> Run {
    let number = |name: &str, usual: u64| {
        std::env::var(name)
            .map_or(usual, |text| text.parse().unwrap_or_else(|_| panic!("{name}={text}: a number")))
    };
    Run {
        seed: number("TAKST_CRASH_SEED", 1),
        rounds: number("TAKST_CRASH_ROUNDS", 200),
        chargers: number("TAKST_CRASH_CHARGERS", 60) as u32,
        longest_ms: number("TAKST_CRASH_LONGEST_MS", 800),
    }
}

#[test]
#[ignore = "as long as one wants: tests/crash/run"]
fn long_run_sqlite() {
    run(asked().play(Place::sqlite()));
}

#[test]
#[ignore = "as long as one wants: tests/crash/run --database postgres"]
fn long_run_postgres() {
    run(async { asked().play(Place::postgres().await).await });
}
