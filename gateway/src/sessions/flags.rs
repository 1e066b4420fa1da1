//! What is suspect about a session, and whether it is held back for it.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

macro_rules! flags {
    ($($variant:ident = $text:literal, $holds:literal;)*) => {
        /// Something suspect; see the table in [`crate::sessions`].
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
        pub enum Flag {
            $(#[doc = concat!("`", $text, "`.")] #[serde(rename = $text)] $variant,)*
        }

        impl Flag {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// As it is written.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)*
                }
            }

            /// Whether a session with it is held back from automatic billing.
            #[must_use]
            pub const fn holds(self) -> bool {
                match self {
                    $(Self::$variant => $holds,)*
                }
            }
        }
    };
}

flags! {
    Clock = "clock", true;
    ClockReading = "clock-reading", false;
    ClockBack = "clock-back", true;
    RegisterFell = "register-fell", true;
    RegisterJump = "register-jump", true;
    FalseZero = "false-zero", true;
    RegisterMixed = "register-mixed", false;
    WrongUnit = "wrong-unit", true;
    StopBelowStart = "stop-below-start", true;
    NoEnergy = "no-energy", true;
    LateReading = "late-reading", false;
    LostStart = "lost-start", true;
    StopGuessed = "stop-guessed", false;
    EndedInferred = "ended-inferred", true;
    TokenDiffers = "token-differs", false;
    TokenRefused = "token-refused", true;
    NoToken = "no-token", true;
    NoTariff = "no-tariff", true;
    MissingReports = "missing-reports", false;
    RepeatedNumber = "repeated-number", false;
    Overlap = "overlap", true;
    LeftUnseen = "left-unseen", false;
    NeverLeft = "never-left", true;
    TooLong = "too-long", true;
    TooManyReports = "too-many-reports", true;
}

/// A flag and its reason.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Suspect {
    /// What.
    pub flag: Flag,
    /// Why, for people.
    pub reason: String,
    /// Whether the session is held back for it.
    pub holds: bool,
}

/// The flags of a session, each with its first reason.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Flags(BTreeMap<Flag, String>);

impl Flags {
    /// Raises a flag, unless it is up.
    pub fn raise(&mut self, flag: Flag, reason: impl FnOnce() -> String) {
        self.0.entry(flag).or_insert_with(reason);
    }

    /// Takes a flag down.
    pub fn lower(&mut self, flag: Flag) {
        self.0.remove(&flag);
    }

    /// Whether a flag is up.
    #[must_use]
    pub fn has(&self, flag: Flag) -> bool {
        self.0.contains_key(&flag)
    }

    /// All that are up, in the order of the table.
    #[must_use]
    pub fn list(&self) -> Vec<Suspect> {
        self.0
            .iter()
            .map(|(flag, reason)| Suspect { flag: *flag, reason: reason.clone(), holds: flag.holds() })
            .collect()
    }

    /// Why the session is held back; none when it is not.
    #[must_use]
    pub fn hold_reason(&self) -> Option<String> {
        let reasons: Vec<&str> =
            self.0.iter().filter(|(flag, _)| flag.holds()).map(|(_, reason)| reason.as_str()).collect();
        (!reasons.is_empty()).then(|| reasons.join("; "))
    }
}

impl Extend<(Flag, String)> for Flags {
    fn extend<T: IntoIterator<Item = (Flag, String)>>(&mut self, more: T) {
        for (flag, reason) in more {
            self.raise(flag, || reason);
        }
    }
}
