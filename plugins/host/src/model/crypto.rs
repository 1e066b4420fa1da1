//! Names of the interfaces `host-crypto` and `host-log`.

use super::weigh::weigh;
use serde::{Deserialize, Serialize};
use wasmtime::component::{ComponentType, Lift, Lower};

/// A hash function.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(enum)]
#[serde(rename_all = "kebab-case")]
#[repr(u8)]
pub enum Hash {
    /// SHA-256.
    #[component(name = "sha256")]
    Sha256,
    /// SHA-512.
    #[component(name = "sha512")]
    Sha512,
    /// SHA-1, for old signatures only.
    #[component(name = "sha1")]
    Sha1,
}

/// How much a line of the log matters.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(enum)]
#[serde(rename_all = "kebab-case")]
#[repr(u8)]
pub enum Level {
    /// For whoever looks for a fault.
    #[component(name = "debug")]
    Debug,
    /// Good to know.
    #[component(name = "info")]
    Info,
    /// Somebody should look at it.
    #[component(name = "warn")]
    Warn,
    /// Something did not work.
    #[component(name = "error")]
    Error,
}

weigh!(flat Hash, Level);
