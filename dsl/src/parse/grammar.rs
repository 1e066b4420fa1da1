//! The generated parser; [`Rule`] names the rules of `grammar.pest`.
#![allow(missing_docs, reason = "pest derives the rules' enum without comments")]

use pest_derive::Parser;

#[derive(Parser)]
#[grammar = "grammar.pest"]
pub struct Grammar;

/// A matched rule.
pub type Pair<'t> = pest::iterators::Pair<'t, Rule>;
