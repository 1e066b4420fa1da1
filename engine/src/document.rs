//! A bill as the document that outsiders read: names instead of indexes, strings instead of numbers.

mod print;

use crate::evaluate::Pricing;
use crate::exact::print_decimal;
use crate::prepared::hash_text;
use crate::prices::PriceBook;
use crate::standing::Standing;
use crate::tariff::ChargeKind;
use serde::de::{Deserializer, Error as _};
use serde::{Deserialize, Serialize};

/// A word of a fixed vocabulary: kinds of documents and charges, units.
pub type Word = &'static str;

// Every word that documents use.
const WORDS: &[Word] = &[
    // Kinds and states of documents.
    "bill",
    "preview",
    "correction",
    "statement",
    "payout",
    "report",
    "final",
    "running",
    "pending",
    // Rows.
    kind_text(ChargeKind::Energy),
    kind_text(ChargeKind::ChargingTime),
    kind_text(ChargeKind::ConnectedTime),
    kind_text(ChargeKind::ParkingTime),
    kind_text(ChargeKind::IdleFee),
    kind_text(ChargeKind::StartFee),
    kind_text(ChargeKind::ReservationFee),
    kind_text(ChargeKind::FeedIn),
    kind_text(ChargeKind::PaymentFee),
    kind_text(ChargeKind::PayoutToSite),
    kind_text(ChargeKind::FlatFee),
    "discount",
    "coupon",
    "limit",
    "session",
    "monthly fee",
    "one-off fee",
    "power fee",
    "site credit",
    "rounding",
    "other consumption",
    // Units.
    "kWh",
    "min",
    "h",
    "charger",
    "month",
    "kW",
];

fn word<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Word, D::Error> {
    let text = String::deserialize(deserializer)?;
    WORDS.iter().find(|word| **word == text).copied().ok_or_else(|| {
        D::Error::custom(format!("`{}` is not a word that documents use", crate::input::short(&text)))
    })
}

fn some_word<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Word>, D::Error> {
    word(deserializer).map(Some)
}

/// A bill, preview, correction, statement, payout or report.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Document {
    /// Unique for the session and revision.
    pub id: String,
    /// `bill`, `preview` or `correction`; of a month `statement`, `payout` or `report` (for information, nothing to pay).
    #[serde(deserialize_with = "word")]
    pub kind: Word,
    /// Counts up from 1.
    pub revision: u32,
    /// The bill that a correction corrects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub corrects: Option<String>,
    /// The session; none for a month's documents.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub session: String,
    /// The month, as in `2023-10`, of a month's documents.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub month: Option<String>,
    /// The site.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site: Option<String>,
    /// The charger.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub charger: Option<String>,
    /// Who charged: a key, never a name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub driver: Option<String>,
    /// Who pays, or gets the report, when that is not the driver.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payer: Option<String>,
    /// `final`, `running` or `pending`.
    #[serde(deserialize_with = "word")]
    pub status: Word,
    /// ISO 4217.
    pub currency: String,
    /// The sense of `amount`s.
    pub prices_include_vat: bool,
    /// Energy to the car.
    pub energy_kwh: String,
    /// Energy from the car, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exported_kwh: Option<String>,
    /// From plug-in.
    pub from: String,
    /// To unplugging; missing while it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Which tariff: that of plug-in.
    pub tariff: TariffRef,
    /// The lists that came into force while it ran and that it went over to, in order of time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tariff_changes: Vec<TariffChange>,
    /// Hashes of all it was made from.
    pub inputs: Inputs,
    /// Every slice and adjustment.
    pub lines: Vec<LineDoc>,
    /// What a person sees; adds up.
    pub charges: Vec<ChargeDoc>,
    /// Taxes.
    pub vat: Vec<VatDoc>,
    /// Without taxes.
    pub net: String,
    /// All taxes.
    pub vat_total: String,
    /// With taxes.
    pub total: String,
    /// Slices without a price.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pending: Vec<PendingDoc>,
    /// Booked for the property.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub payouts: Vec<ChargeDoc>,
    /// The slices behind `payouts`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub payout_lines: Vec<LineDoc>,
    /// What a person should know.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// Closing counters.
    pub standing: Standing,
}

/// Which tariff priced it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TariffRef {
    /// Title.
    pub name: String,
    /// File.
    pub file: String,
    /// Hash of the compiled form.
    pub version: String,
}

/// A list that took over from another one.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TariffChange {
    /// From then on, until the next one.
    pub from: String,
    /// Title.
    pub name: String,
    /// File.
    pub file: String,
    /// Hash of the compiled form.
    pub version: String,
}

/// Hashes of the inputs.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inputs {
    /// Of the session document.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub session: String,
    /// Of the month's input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub month: Option<String>,
    /// Of all price files.
    pub prices: String,
    /// Of the opening counters.
    pub standing: String,
}

/// One line.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LineDoc {
    /// The session, in a month's documents.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// The charger, in a month's documents.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub charger: Option<String>,
    /// Kind of charge, `discount`, `coupon` or `limit`.
    #[serde(deserialize_with = "word")]
    pub charge: Word,
    /// As printed.
    pub label: String,
    /// Start.
    pub from: String,
    /// End.
    pub to: String,
    /// How much.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantity: Option<String>,
    /// Of what.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "some_word")]
    pub unit: Option<Word>,
    /// At which price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit_price: Option<String>,
    /// Exact, to 12 places.
    pub amount: String,
    /// The amount as a report shows it: to a hundredth of the minor unit. In a month's documents.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shown: Option<String>,
    /// Percent; all taxes of the class together.
    pub vat_rate: String,
    /// `file:line` that decided.
    pub rule: String,
    /// By the list that is in force since then; missing: by that of plug-in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
}

/// One printed amount.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChargeDoc {
    /// Kind of charge, `discount`, `coupon` or `limit`; `session` and others in a month's documents.
    #[serde(deserialize_with = "word")]
    pub charge: Word,
    /// As printed.
    pub label: String,
    /// By the list that is in force since then; missing: by that of plug-in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// The session behind the row, in a month's documents.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// Who charged, where a document is about several drivers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub driver: Option<String>,
    /// Local day, in a month's documents.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub date: Option<String>,
    /// Printed.
    pub amount: String,
    /// What discounts and coupons left of the amount, where they changed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after_rebates: Option<String>,
    /// Percent; all taxes of the class together.
    pub vat_rate: String,
    /// Why there is no VAT.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vat_reason: Option<String>,
    /// What the amount consists of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<PartDoc>,
}

/// A part of a charge.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartDoc {
    /// Named price or feed.
    pub label: String,
    /// Printed.
    pub amount: String,
}

/// One tax.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VatDoc {
    /// `VAT` or the tax's own name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// Percent.
    pub rate: String,
    /// Base.
    pub net: String,
    /// Tax.
    pub vat: String,
}

/// A slice without a price.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PendingDoc {
    /// Kind of charge.
    #[serde(deserialize_with = "word")]
    pub charge: Word,
    /// As printed.
    pub label: String,
    /// Start.
    pub from: String,
    /// End.
    pub to: String,
}

/// The word for a kind of charge.
#[must_use]
pub const fn kind_text(kind: ChargeKind) -> &'static str {
    match kind {
        ChargeKind::Energy => "energy",
        ChargeKind::ChargingTime => "charging time",
        ChargeKind::ConnectedTime => "connected time",
        ChargeKind::ParkingTime => "parking time",
        ChargeKind::IdleFee => "idle fee",
        ChargeKind::StartFee => "start fee",
        ChargeKind::ReservationFee => "reservation fee",
        ChargeKind::FeedIn => "feed-in",
        ChargeKind::PaymentFee => "payment fee",
        ChargeKind::PayoutToSite => "payout to site",
        ChargeKind::FlatFee => "flat fee",
    }
}

/// Minor units as printed.
#[must_use]
pub fn money(amount: i64, digits: u8) -> String {
    print_decimal(i128::from(amount), u32::from(digits), false)
}

/// Hashes of a bill's inputs: `session` is the session document as received.
#[must_use]
pub fn inputs(pricing: &Pricing<'_>, session: &[u8], standing: &Standing) -> Inputs {
    let prices = pricing.files.map(PriceBook::fingerprint).unwrap_or_default();
    Inputs {
        session: hash_text(session),
        month: None,
        prices: hash_text(prices.as_bytes()),
        standing: hash_text(serde_json::to_string(standing).unwrap_or_default().as_bytes()),
    }
}
