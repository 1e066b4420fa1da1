//! The border between what the host decides about a request and how it goes out: the wire, or something in its place for tests.

use crate::grant::Range;
use crate::model::Options;
use crate::model::http::{Response, SendError};
use futures_util::future::BoxFuture;
use std::sync::Arc;
use url::Url;

/// How a host may be reached.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Reach {
    /// Addresses inside a network that are granted.
    pub addresses: Vec<Range>,
    /// A granted root of certificates (PEM).
    pub root: Option<Arc<str>>,
}

/// A request that is allowed and complete: secrets are in it.
#[derive(Clone)]
pub struct Outgoing {
    /// One of [`crate::manifest::METHODS`].
    pub method: String,
    /// http only where that is granted.
    pub url: Url,
    /// Checked names and values.
    pub headers: Options,
    /// What it carries.
    pub body: Vec<u8>,
    /// How its host may be reached.
    pub reach: Reach,
    /// The answer may have so many bytes, headers and body together.
    pub most: u64,
}

/// Sends requests.
pub trait Transport: Send + Sync {
    /// Sends one request and waits for the whole answer. The caller gives up after a time by dropping it.
    fn send(&self, request: Outgoing) -> BoxFuture<'_, Result<Response, SendError>>;
}
