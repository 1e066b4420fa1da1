//! A request of a plugin and its answer: interface `host-http`.

use super::Options;
use super::weigh::weigh;
use serde::{Deserialize, Serialize};
use wasmtime::component::{ComponentType, Lift, Lower};

/// A request as the plugin made it, with `{{secret:NAME}}` where a secret belongs.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(record)]
#[serde(rename_all = "kebab-case")]
pub struct Request {
    /// "GET", "POST", ...
    pub method: String,
    /// https, with host and path.
    pub url: String,
    /// Names and values.
    pub headers: Options,
    /// What it carries.
    #[serde(with = "super::bytes")]
    pub body: Vec<u8>,
}

/// The whole answer.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(record)]
#[serde(rename_all = "kebab-case")]
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// Names in lower case.
    pub headers: Options,
    /// What it carries.
    #[serde(with = "super::bytes")]
    pub body: Vec<u8>,
}

/// Why there is no response.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(enum)]
#[serde(rename_all = "kebab-case")]
#[repr(u8)]
pub enum Failure {
    /// The operator's grant or the rules forbid it. Nothing was sent.
    #[component(name = "denied")]
    Denied,
    /// No connection, no such name, no valid certificate. Nothing was sent.
    #[component(name = "no-connection")]
    NoConnection,
    /// It was sent, and no whole answer came.
    #[component(name = "lost")]
    Lost,
    /// The answer is larger than allowed.
    #[component(name = "too-large")]
    TooLarge,
    /// This call may send no more requests.
    #[component(name = "too-many")]
    TooMany,
}

/// Why there is no response, in words.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(record)]
#[serde(rename_all = "kebab-case")]
pub struct SendError {
    /// The kind.
    pub failure: Failure,
    /// For people. A denial holds the line for the manifest or the grant.
    pub detail: String,
}

weigh! {
    Request: method url headers body;
    Response: status headers body;
    SendError: failure detail;
}
weigh!(flat Failure);
