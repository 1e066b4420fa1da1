//! Meter values of metering points, in and out: interface `meters`.

use super::weigh::weigh;
use serde::{Deserialize, Serialize};
use wasmtime::component::{ComponentType, Lift, Lower};

/// Which way the energy went.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(enum)]
#[serde(rename_all = "kebab-case")]
#[repr(u8)]
pub enum Direction {
    /// From the grid.
    #[component(name = "consumption")]
    Consumption,
    /// To the grid.
    #[component(name = "production")]
    Production,
}

/// How a value came about.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(enum)]
#[serde(rename_all = "kebab-case")]
#[repr(u8)]
pub enum Quality {
    /// Read from the meter.
    #[component(name = "measured")]
    Measured,
    /// Worked out by somebody.
    #[component(name = "estimated")]
    Estimated,
    /// Not there: `kwh` is "0".
    #[component(name = "missing")]
    Missing,
}

/// The energy of one interval.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(record)]
#[serde(rename_all = "kebab-case")]
pub struct Value {
    /// Its first instant, in milliseconds since 1970.
    pub from: i64,
    /// The instant after it.
    pub until: i64,
    /// kWh, plain decimal.
    pub kwh: String,
    /// How it came about.
    pub quality: Quality,
}

/// The values of one metering point.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(record)]
#[serde(rename_all = "kebab-case")]
pub struct Series {
    /// The metering point's number.
    pub point: String,
    /// Which way the energy went.
    pub direction: Direction,
    /// In order, without overlaps.
    pub values: Vec<Value>,
}

/// A file to be read, or that was written.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(record)]
#[serde(rename_all = "kebab-case")]
pub struct File {
    /// Its name.
    pub name: String,
    /// "text/csv".
    #[component(name = "media-type")]
    pub media_type: String,
    /// What is in it.
    #[serde(with = "super::bytes")]
    pub body: Vec<u8>,
}

/// What is wanted of one metering point.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(record)]
#[serde(rename_all = "kebab-case")]
pub struct Span {
    /// The metering point's number.
    pub point: String,
    /// Which way the energy went.
    pub direction: Direction,
    /// The first instant, in milliseconds since 1970.
    pub from: i64,
    /// The instant after the last.
    pub until: i64,
}

weigh! {
    Value: from until kwh quality;
    Series: point direction values;
    File: name media_type body;
    Span: point direction from until;
}
weigh!(flat Direction, Quality);
