//! From files to one list: settings, `based on`, and which name means what.

pub mod currency;
pub(crate) mod head;
pub(crate) mod merge;
pub(crate) mod names;
pub(crate) mod report;
pub mod zone;

/// Codes of this stage.
pub const CODES: &[(&str, &str)] = &[
    ("E101", "a group that is not declared"),
    ("E102", "a price or feed that is not declared"),
    ("E103", "a period that is not declared"),
    ("E104", "a place that is not declared"),
    ("E105", "a value that is not declared"),
    ("E106", "a charge that the list does not have"),
    ("E107", "one name for two things"),
    ("E108", "a minus without spaces around it"),
    ("E109", "an unknown currency"),
    ("E110", "an unknown time zone"),
    ("E111", "an unknown region of public holidays"),
    ("E112", "a tax that is not declared before"),
    ("E113", "prices or periods that refer to each other in a ring"),
    ("E114", "the base list cannot be read"),
    ("E115", "lists that are based on each other in a ring, or too many"),
    ("E116", "the base list has it already"),
    ("E117", "the base list does not have it"),
    ("E118", "nothing to change"),
    ("E401", "not exactly one `tariff` heading"),
    ("E402", "a setting is missing"),
    ("E403", "a setting stands twice"),
    ("E404", "a setting that only the base list may have"),
    ("E405", "no VAT"),
    ("E406", "`prices:` is missing"),
    ("E407", "whose public holidays is not said"),
    ("E415", "a list that ends before it begins"),
    ("W101", "a name that is never used"),
    ("W102", "a list without charges"),
];
