//! What the gateway does for a plugin: its functions in WebAssembly, their stand-ins elsewhere.

#[cfg(target_arch = "wasm32")]
pub use crate::bindings::host::takst::plugin::{
    host_clock::{now, offset},
    host_crypto::{digest, hmac, hmac_equals, jwt, random},
    host_http::send,
    host_kv::{delete, get, names, set},
    host_log::write,
};

#[cfg(not(target_arch = "wasm32"))]
pub use crate::testing::fake::{
    delete, digest, get, hmac, hmac_equals, jwt, names, now, offset, random, send, set, write,
};
