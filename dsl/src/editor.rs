//! What an editor shows of a tariff file: pure functions over its text and what the compiler found. No IO, no clock.

mod complete;
mod expect;
mod hover;
mod names;
mod place;
mod position;
mod symbols;
mod tokens;

pub use complete::{Item, ItemKind, complete};
pub use hover::{Hover, Ran, hover};
pub use names::{Mention, Sort, mention_at, mentions};
pub use place::{Found, definition, references};
pub use position::{Document, Encoding};
pub use symbols::{Symbol, SymbolKind, symbols};
pub use tokens::{MODIFIERS, TOKEN_TYPES, Token, keywords, tokens};

/// The word for a hundredth of a currency, as in `cent`; none where the language has none.
pub(crate) fn hundredth_of(code: &str) -> Option<&str> {
    expect::money_words(code).into_iter().nth(1)
}
