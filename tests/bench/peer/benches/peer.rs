//! Times of the peer's cases.

use divan::Bencher;
use takst_bench_peer::{CASES, harness::Case};

fn main() {
    divan::main();
}

#[divan::bench(args = CASES.iter().map(|case| case.name))]
fn peer(bencher: Bencher<'_, '_>, name: &str) {
    let case: &Case = CASES.iter().find(|case| case.name == name).expect("a case");
    let once = (case.prepare)();
    bencher.bench_local(once);
}
