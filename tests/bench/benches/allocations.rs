//! Allocations of one repetition of every case.

use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;
use takst_bench::CASES;

#[global_allocator]
static COUNTED: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn main() {
    for case in CASES {
        let mut once = (case.prepare)();
        once();
        let region = Region::new(COUNTED);
        once();
        let change = region.change();
        println!("{} {}", case.name, change.allocations + change.reallocations);
    }
}
