//! Times of our cases.

use divan::Bencher;
use takst_bench::CASES;

fn main() {
    divan::main();
}

#[divan::bench(args = CASES.iter().map(|case| case.name))]
fn takst(bencher: Bencher<'_, '_>, name: &str) {
    let Some(case) = CASES.iter().find(|case| case.name == name) else { return };
    let once = (case.prepare)();
    bencher.bench_local(once);
}
