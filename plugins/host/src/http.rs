//! Requests of plugins: who may be called ([`policy`]), which addresses are open ([`address`]), what is filled in ([`fill`]), and the
//! wire itself ([`transport`], [`wire`]).

pub mod address;
pub mod fill;
pub mod headers;
pub mod policy;
pub mod tls;
pub mod transport;
pub mod wire;

use crate::model::http::{Failure, SendError};

/// An error for the plugin.
pub(crate) fn failed(failure: Failure, detail: impl Into<String>) -> SendError {
    SendError { failure, detail: detail.into() }
}
