//! Price files from an exchange or a supplier: interface `prices`.

use super::weigh::weigh;
use serde::{Deserialize, Serialize};
use wasmtime::component::{ComponentType, Lift, Lower};

/// The prices that are wanted: one day of one area.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(record)]
#[serde(rename_all = "kebab-case")]
pub struct Wanted {
    /// The feed's name in tariffs, "spot".
    pub feed: String,
    /// Its area: "NO1", "FI", "NL".
    pub area: String,
    /// "EUR": what the feed is declared in.
    pub currency: String,
    /// The day of delivery on the area's clock, "2026-03-29".
    pub day: String,
    /// The area's clock, "Europe/Oslo".
    #[component(name = "time-zone")]
    pub time_zone: String,
}

/// A file as it came, or in Takst's own form of a price feed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(record)]
#[serde(rename_all = "kebab-case")]
pub struct Document {
    /// The file.
    #[serde(with = "super::bytes")]
    pub body: Vec<u8>,
    /// When it was published, in milliseconds since 1970, if the source says so.
    pub published: Option<i64>,
    /// Where it is from, for people.
    pub source: String,
}

weigh! {
    Wanted: feed area currency day time_zone;
    Document: body published source;
}
