//! A day's prices as JSON.

use serde::Serialize;
use takst_engine::table::Known;

#[derive(Serialize)]
pub(super) struct Document<'a> {
    pub(super) tariff: TariffDoc<'a>,
    pub(super) date: String,
    pub(super) zone: &'a str,
    pub(super) currency: &'a str,
    pub(super) unit: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) group: Option<&'a str>,
    pub(super) slices: Vec<SliceDoc<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) tiers: Vec<TierDoc<'a>>,
    pub(super) terms: Vec<TermDoc<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) discounts: Vec<DiscountDoc<'a>>,
}

#[derive(Serialize)]
pub(super) struct TariffDoc<'a> {
    pub(super) name: &'a str,
    pub(super) file: &'a str,
    pub(super) version: &'a str,
}

#[derive(Serialize)]
pub(super) struct SliceDoc<'a> {
    pub(super) from: String,
    pub(super) to: String,
    #[serde(flatten)]
    pub(super) total: KnownDoc,
    pub(super) parts: Vec<PartDoc<'a>>,
}

// A price, or the reason why there is none.
#[derive(Serialize)]
pub(super) struct KnownDoc {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) price: Option<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) pending: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) depends_on: Option<&'static str>,
}

#[derive(Serialize)]
pub(super) struct PartDoc<'a> {
    pub(super) label: &'a str,
    #[serde(flatten)]
    pub(super) price: KnownDoc,
}

#[derive(Serialize)]
pub(super) struct TierDoc<'a> {
    pub(super) when: &'a str,
    pub(super) slices: Vec<SliceDoc<'a>>,
}

#[derive(Serialize)]
pub(super) struct TermDoc<'a> {
    pub(super) charge: &'static str,
    pub(super) label: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) after: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) limits: Vec<String>,
    pub(super) slices: Vec<TermSliceDoc>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) tiers: Vec<TermTierDoc<'a>>,
}

#[derive(Serialize)]
pub(super) struct TermTierDoc<'a> {
    pub(super) when: &'a str,
    pub(super) slices: Vec<TermSliceDoc>,
}

#[derive(Serialize)]
pub(super) struct DiscountDoc<'a> {
    pub(super) label: &'a str,
    // One of the three.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) share: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) amount: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) free_kwh: Option<String>,
    // Labels of charges; all but the payment fee where there are none.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub(super) of: &'a [String],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) plug_in: Vec<TimesDoc>,
    pub(super) in_prices: bool,
}

#[derive(Serialize)]
pub(super) struct TimesDoc {
    pub(super) from: String,
    pub(super) to: String,
}

#[derive(Serialize)]
pub(super) struct TermSliceDoc {
    pub(super) from: String,
    pub(super) to: String,
    #[serde(flatten)]
    pub(super) price: KnownDoc,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(super) unit: &'static str,
    pub(super) rule: String,
}

pub(super) fn known(price: Known) -> KnownDoc {
    let (text, pending, depends_on) = match price {
        Known::Price(price) => (Some(price.to_plain()), false, None),
        Known::Pending => (None, true, None),
        Known::ByPower => (None, false, Some("average-power")),
    };
    KnownDoc { price: text, pending, depends_on }
}
