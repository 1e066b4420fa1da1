//! `invoices`: invoices to payers.

use super::capability;
use crate::model::Options;
use crate::model::invoices::{Delivery, Invoice, Reachability};

capability! {
    /// A plugin as a channel for invoices.
    Invoices "invoices" {
        /// Who the payer is for the channel: "email", "phone", "name", "birth-date", "address", "national-id", as far as known.
        ask fn reach "reach" (payer: Options) -> Reachability;
        /// Sends an invoice.
        once fn send "send" (invoice: Invoice) -> Delivery;
        /// How it stands with an invoice.
        ask fn status "status" (reference: String) -> Delivery;
        /// Takes an invoice back.
        once fn cancel "cancel" (reference: String) -> Delivery;
        /// Whether `send` with this key and invoice number was done.
        ask fn lookup "lookup" (key: String, number: String) -> Option<Delivery>;
    }
}
