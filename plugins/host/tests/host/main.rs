//! The host with real guests: what it can, and what a guest cannot do to it.
#![allow(missing_docs, clippy::indexing_slicing, reason = "a test that fails panics")]

mod attacks;
mod calls;
mod support;
mod whole;
