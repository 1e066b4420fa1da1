//! Any bytes as a session: an answer, never a panic. `cargo +nightly fuzz run --fuzz-dir tests/fuzz session_json`
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| takst_tests::hostile::session_json(bytes));
