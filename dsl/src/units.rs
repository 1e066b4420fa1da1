//! Unit algebra.
