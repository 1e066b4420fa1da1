//! No allocation per slice: the finer cut makes longer lists, not more of them.
#![allow(clippy::expect_used, reason = "a panic is a failed test")]

use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;
use takst_bench::scenario::Cut;
use takst_bench::{pricing, session};
use takst_engine::{Standing, price};

#[global_allocator]
static COUNTED: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

// Lists that grow while they are filled count too.
fn allocations(cut: Cut) -> usize {
    let (pricing, session, standing) = (pricing(cut), session(cut), Standing::default());
    let region = Region::new(COUNTED);
    let bill = price(&pricing, &session, &standing).expect("a bill");
    let change = region.change();
    assert_eq!((bill.net, bill.total), takst_bench::scenario::CENTS);
    change.allocations + change.reallocations
}

// One test in this file, so that nothing else allocates meanwhile.
#[test]
fn slices_do_not_allocate() {
    let (hourly, quarter_hourly) = (allocations(Cut::Hour), allocations(Cut::Quarter));
    assert_eq!(hourly, quarter_hourly, "32 slices allocate as often as 9");
    assert_eq!(hourly, ALLOCATIONS, "a bill's own lists, and no more");
}

const ALLOCATIONS: usize = 6;
