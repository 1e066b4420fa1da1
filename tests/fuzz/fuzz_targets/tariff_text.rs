//! Any bytes as a tariff file: an answer, never a panic. `cargo +nightly fuzz run --fuzz-dir tests/fuzz tariff_text`
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| takst_tests::hostile::tariff_text(bytes));
