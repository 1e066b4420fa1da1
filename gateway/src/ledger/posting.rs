//! A balanced entry. There is no other way to make one: what does not add up to zero in every currency is refused here.

use crate::store::{AccountKind, EntryKind, LedgerEntry, LedgerLine, new_id};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use takst_engine::units::Instant;

/// An account in the books of a seller.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Account {
    /// In whose books.
    pub seller: String,
    /// What it holds.
    pub kind: AccountKind,
    /// Whose or which one; empty where there is one only.
    pub owner: String,
}

/// Money onto an account; negative: from it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Line {
    /// Which account.
    pub account: Account,
    /// ISO 4217.
    pub currency: String,
    /// Minor units, debit positive.
    pub amount: i64,
}

/// What an entry is about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Head {
    /// What it records, as in `bill:ID`: booked once.
    pub source: String,
    /// What that is.
    pub kind: EntryKind,
    /// In whose books.
    pub seller: String,
    /// Who owes or paid.
    pub debtor: Option<String>,
    /// The bill it is about.
    pub bill: Option<String>,
    /// The payment it is about.
    pub payment: Option<String>,
    /// The entry that it takes back.
    pub reverses: Option<String>,
    /// The time that it is for.
    pub at: Instant,
    /// JSON: what else is known of it.
    pub document: String,
}

/// Why lines make no entry.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NotBalanced {
    /// The lines do not come to zero.
    #[error("the entry `{source_key}` does not balance: {sum} minor units of {currency} are left")]
    Left {
        /// Of which entry.
        source_key: String,
        /// What is left.
        sum: i128,
        /// Of which currency.
        currency: String,
    },
    /// A figure does not fit.
    #[error("the entry `{0}` has a figure that is too large")]
    TooLarge(String),
    /// A line is in other books than its entry.
    #[error("the entry `{0}` has lines in the books of two sellers")]
    OtherBooks(String),
    /// What is to be booked cannot be read.
    #[error("`{0}` cannot be booked: {1}")]
    Unreadable(String, String),
}

/// A balanced entry that is yet to be written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Posting {
    head: Head,
    lines: Vec<Line>,
}

impl Posting {
    /// The entry of these lines: those of one account together, in the order of the accounts, none of them zero.
    ///
    /// # Errors
    /// When they do not come to zero in every currency, are in the books of several sellers, or do not fit.
    pub fn new(head: Head, lines: impl IntoIterator<Item = Line>) -> Result<Self, NotBalanced> {
        let too_large = || NotBalanced::TooLarge(head.source.clone());
        let mut accounts: BTreeMap<(Account, String), i64> = BTreeMap::new();
        let mut sums: BTreeMap<String, i128> = BTreeMap::new();
        for Line { account, currency, amount } in lines {
            if account.seller != head.seller {
                return Err(NotBalanced::OtherBooks(head.source));
            }
            let sum = sums.entry(currency.clone()).or_default();
            *sum = sum.checked_add(i128::from(amount)).ok_or_else(too_large)?;
            let on_it = accounts.entry((account, currency)).or_default();
            *on_it = on_it.checked_add(amount).ok_or_else(too_large)?;
        }
        if let Some((currency, sum)) = sums.into_iter().find(|(_, sum)| *sum != 0) {
            return Err(NotBalanced::Left { source_key: head.source, sum, currency });
        }
        let lines = accounts
            .into_iter()
            .filter(|(_, amount)| *amount != 0)
            .map(|((account, currency), amount)| Line { account, currency, amount })
            .collect();
        Ok(Self { head, lines })
    }

    /// What it is about.
    #[must_use]
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// Its lines.
    #[must_use]
    pub fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// The same under another name.
    pub(super) fn under(mut self, source: String) -> Self {
        self.head.source = source;
        self
    }

    /// As rows, with a new id.
    pub(super) fn rows(&self, booked_at: Instant) -> (LedgerEntry, Vec<LedgerLine>) {
        let id = new_id();
        let lines: Vec<LedgerLine> = (1..)
            .zip(&self.lines)
            .map(|(line, Line { account, currency, amount })| LedgerLine {
                entry: id.clone(),
                line,
                seller: account.seller.clone(),
                account: account.kind,
                owner: account.owner.clone(),
                currency: currency.clone(),
                amount: *amount,
            })
            .collect();
        let Head { source, kind, seller, debtor, bill, payment, reverses, at, document } = self.head.clone();
        let hash = String::new();
        let entry = LedgerEntry {
            id,
            source,
            kind,
            seller,
            debtor,
            bill,
            payment,
            reverses,
            at,
            booked_at,
            document,
            hash,
        };
        (LedgerEntry { hash: hash_of(&entry, &lines), ..entry }, lines)
    }
}

/// The hash of an entry as it stands in its row: over all that it says, whoever writes it and when.
pub(super) fn hash_of(entry: &LedgerEntry, lines: &[LedgerLine]) -> String {
    let LedgerEntry { source, kind, seller, debtor, bill, payment, reverses, at, document, .. } = entry;
    let mut hasher = Sha256::new();
    // Length first: no two entries look alike.
    let mut add = |part: Option<&str>| match part {
        Some(text) => {
            hasher.update(text.len().to_string());
            hasher.update(b":");
            hasher.update(text);
        }
        None => hasher.update(b"-"),
    };
    add(Some(source));
    add(Some(kind.as_str()));
    add(Some(seller));
    add(debtor.as_deref());
    add(bill.as_deref());
    add(payment.as_deref());
    add(reverses.as_deref());
    add(Some(&at.0.to_string()));
    add(Some(document));
    for LedgerLine { entry: _, line, seller, account, owner, currency, amount } in lines {
        add(Some(&line.to_string()));
        add(Some(seller));
        add(Some(account.as_str()));
        add(Some(owner));
        add(Some(currency));
        add(Some(&amount.to_string()));
    }
    format!("sha256:{}", hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn head() -> Head {
        Head {
            source: "test:1".to_owned(),
            kind: EntryKind::Bill,
            seller: "koti".to_owned(),
            debtor: None,
            bill: None,
            payment: None,
            reverses: None,
            at: Instant(0),
            document: "{}".to_owned(),
        }
    }

    fn line(owner: &str, currency: &str, amount: i64) -> Line {
        let account = Account { seller: "koti".to_owned(), kind: AccountKind::Vat, owner: owner.to_owned() };
        Line { account, currency: currency.to_owned(), amount }
    }

    #[test]
    fn what_does_not_balance_is_no_entry() {
        let error = Posting::new(head(), [line("a", "EUR", 5), line("b", "NOK", -5)]).unwrap_err();
        assert_eq!(error.to_string(), "the entry `test:1` does not balance: 5 minor units of EUR are left");
        let other = Line {
            account: Account { seller: "x".into(), ..line("", "", 0).account },
            ..line("a", "EUR", 0)
        };
        assert!(matches!(Posting::new(head(), [other]), Err(NotBalanced::OtherBooks(_))));
        let large = [line("a", "EUR", i64::MAX), line("a", "EUR", 1)];
        assert!(matches!(Posting::new(head(), large), Err(NotBalanced::TooLarge(_))));
        assert!(Posting::new(head(), []).unwrap().lines().is_empty());
    }

    proptest! {
        #[test]
        fn an_entry_balances_and_keeps_what_was_put_on_each_account(
            amounts in prop::collection::vec((0_u8..4, 0_u8..2, any::<i32>()), 0..20),
        ) {
            let owner = |n: u8| n.to_string();
            let currency = |n: u8| if n == 0 { "EUR" } else { "NOK" };
            let mut lines: Vec<Line> =
                amounts.iter().map(|(o, c, amount)| line(&owner(*o), currency(*c), i64::from(*amount))).collect();
            for code in ["EUR", "NOK"] {
                let sum: i64 = lines.iter().filter(|line| line.currency == code).map(|line| line.amount).sum();
                lines.push(line("rest", code, -sum));
            }
            let posting = Posting::new(head(), lines.clone()).unwrap();
            for code in ["EUR", "NOK"] {
                let of = |lines: &[Line], owner: &str| -> i64 {
                    lines.iter().filter(|line| line.currency == code && line.account.owner == owner).map(|line| line.amount).sum()
                };
                prop_assert_eq!(posting.lines().iter().filter(|line| line.currency == code).map(|line| line.amount).sum::<i64>(), 0);
                for owner in ["0", "1", "2", "3", "rest"] {
                    prop_assert_eq!(of(posting.lines(), owner), of(&lines, owner));
                }
            }
            prop_assert!(posting.lines().iter().all(|line| line.amount != 0));
            // The same again is the same to the last byte, whatever its id; anything else is not.
            let ((a, of_a), (b, of_b)) = (posting.rows(Instant(1)), posting.rows(Instant(2)));
            prop_assert_eq!(&a.hash, &b.hash);
            prop_assert_eq!(hash_of(&a, &of_a), hash_of(&b, &of_b));
            if let Some(first) = of_a.first() {
                let mut changed = of_a.clone();
                changed[0] = LedgerLine { amount: first.amount.wrapping_add(1), ..first.clone() };
                prop_assert_ne!(&hash_of(&a, &changed), &a.hash);
            }
        }
    }
}
