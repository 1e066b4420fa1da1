//! `prices`: price files from an exchange or a supplier.

use super::capability;
use crate::model::prices::{Document, Wanted};

capability! {
    /// A plugin as a source of prices.
    Prices "prices" {
        /// The prices of one day. No document: not published yet, which is no error.
        ask fn fetch "fetch" (wanted: Wanted) -> Vec<Document>;
    }
}
