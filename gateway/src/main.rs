//! The `takst` program.
fn main() {}
