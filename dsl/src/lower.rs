//! Syntax tree to the engine's tariff.
