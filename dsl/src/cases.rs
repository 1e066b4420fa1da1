//! Price lines to a decision diagram, with the proof that it is complete.
