//! The ledger: every bill, payment, refund and payout as a balanced entry that is written once. Absent: changing or removing
//! an entry; a mistake is taken back by its counter-entry.
//!
//! ```text
//! bill, correction, credit note ─▶ posting ─▶ entry + lines, in the commit of what it records
//! answer of a provider ──────────▶   (pure)      │
//! settlement, payout ────────────▶               └─▶ check: zero in every currency, hashes as written
//! ```

mod book;
mod check;
mod posting;
mod record;

pub use book::{
    BANK, Settled, bill, captured, charged_back, debtor, paid_back, payout, reversal, settlement,
};
pub use check::{Checked, Checker};
pub use posting::{Account, Head, Line, NotBalanced, Posting};
pub use record::{back_fill, book_bill, post, record, reverse};
