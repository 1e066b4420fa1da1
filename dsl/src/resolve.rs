//! Names and `based on`.
