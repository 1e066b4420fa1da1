//! For plugins of Takst, written in Rust: the interface as Rust types, and what makes calling the gateway short.
//!
//! A plugin is a `cdylib` for `wasm32-unknown-unknown`. It implements [`Configuration`] and the traits of its capabilities on one type, and names them:
//!
//! ```
//! use takst_plugin_sdk::{Configuration, Error, Finding, Options, prices};
//!
//! struct Fixed;
//!
//! impl Configuration for Fixed {
//!     fn check(_settings: Options) -> Vec<Finding> {
//!         Vec::new()
//!     }
//! }
//!
//! impl prices::Guest for Fixed {
//!     fn fetch(_settings: Options, wanted: prices::Wanted) -> Result<Vec<prices::Document>, Error> {
//!         let body = format!(r#"{{"feed": "{}", "area": "{}"}}"#, wanted.feed, wanted.area);
//!         Ok(vec![prices::Document { body: body.into_bytes(), published: None, source: "nowhere".into() }])
//!     }
//! }
//!
//! takst_plugin_sdk::plugin!(Fixed: prices);
//! ```
//!
//! Every call gets a fresh instance: a `static` does not outlive it. What must be kept goes through [`kv`]. A panic ends the call with its message in the
//! gateway's log, and drops what the call wrote to [`kv`].
//!
//! A plugin's own tests run without WebAssembly and without a gateway: `cargo test`, with `testing` as the gateway's stand-in.

pub mod bindings;
mod error;
mod host;
pub mod http;
mod money;
mod payment;
mod settings;
#[cfg(not(target_arch = "wasm32"))]
pub mod testing;
pub mod time;

pub use bindings::host::takst::plugin::types::{Error, Finding, Money, Options, Outcome};
pub use settings::Settings;

/// Exported by every plugin.
pub use bindings::host::exports::takst::plugin::configuration::Guest as Configuration;

/// Price files from an exchange or a supplier.
pub mod prices {
    pub use crate::bindings::prices::exports::takst::plugin::prices::{Document, Guest, Wanted};
}

/// Money from drivers, and back.
pub mod payments {
    pub use crate::bindings::payments::exports::takst::plugin::payments::{
        ChargeRequest, Guest, Instrument, Operation, Payment, PaymentState, SaveRequest,
    };
}

/// Invoices to payers.
pub mod invoices {
    pub use crate::bindings::invoices::exports::takst::plugin::invoices::{
        Consent, Delivery, Guest, Invoice, Reachability, State,
    };
}

/// Meter values, in and out.
pub mod meters {
    pub use crate::bindings::meters::exports::takst::plugin::meters::{
        Direction, File, Guest, Quality, Series, Span, Value,
    };
}

/// Messages to people.
pub mod messages {
    pub use crate::bindings::messages::exports::takst::plugin::messages::{Guest, Message, Receipt};
}

/// Calls from outside.
pub mod calls {
    pub use crate::bindings::calls::exports::takst::plugin::calls::{Answer, Call, Event, Guest};
}

/// The gateway's clock.
pub mod clock {
    pub use crate::host::{now, offset};
}

/// What outlives a call.
pub mod kv {
    pub use crate::host::{delete, get, names, set};
}

/// Arithmetic with secrets that stay in the gateway.
pub mod crypto {
    pub use crate::bindings::host::takst::plugin::host_crypto::Hash;
    pub use crate::host::{digest, hmac, hmac_equals, jwt, random};
}

/// Lines for the gateway's log.
pub mod log {
    pub use crate::bindings::host::takst::plugin::host_log::Level;
    use crate::host::write;

    /// For whoever writes the plugin.
    pub fn debug(text: impl AsRef<str>) {
        write(Level::Debug, text.as_ref());
    }
    /// For operators who want to know.
    pub fn info(text: impl AsRef<str>) {
        write(Level::Info, text.as_ref());
    }
    /// Something is odd; the call goes on.
    pub fn warn(text: impl AsRef<str>) {
        write(Level::Warn, text.as_ref());
    }
    /// Something does not work.
    pub fn error(text: impl AsRef<str>) {
        write(Level::Error, text.as_ref());
    }
}

/// Called once per instance, by [`plugin!`]: a panic tells the log what it was. Without it one would read `unreachable`.
#[doc(hidden)]
pub fn start() {
    std::panic::set_hook(Box::new(|panic| log::error(panic.to_string())));
}

/// Exports a type as a plugin with these capabilities: `plugin!(Stripe: payments, calls);`. They are `prices`, `payments`, `invoices`, `meters`, `messages` and `calls`.
///
/// Outside WebAssembly, in the plugin's own tests, it only sees to it that the traits are there: nothing is exported.
#[macro_export]
macro_rules! plugin {
    ($plugin:ident: $($capability:ident),+ $(,)?) => {
        #[cfg(target_arch = "wasm32")]
        #[unsafe(export_name = "_initialize")]
        extern "C" fn __takst_start() {
            $crate::start();
        }
        #[cfg(target_arch = "wasm32")]
        $crate::bindings::host::export_configuration!($plugin with_types_in $crate::bindings::host);
        #[cfg(not(target_arch = "wasm32"))]
        const _: () = {
            const fn is<T: $crate::Configuration>() {}
            is::<$plugin>();
        };
        $($crate::__export!($capability, $plugin);)+
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __export {
    (prices, $plugin:ident) => {
        #[cfg(target_arch = "wasm32")]
        $crate::bindings::prices::export_prices!($plugin with_types_in $crate::bindings::prices);
        #[cfg(not(target_arch = "wasm32"))]
        const _: () = {
            const fn is<T: $crate::prices::Guest>() {}
            is::<$plugin>();
        };
    };
    (payments, $plugin:ident) => {
        #[cfg(target_arch = "wasm32")]
        $crate::bindings::payments::export_payments!($plugin with_types_in $crate::bindings::payments);
        #[cfg(not(target_arch = "wasm32"))]
        const _: () = {
            const fn is<T: $crate::payments::Guest>() {}
            is::<$plugin>();
        };
    };
    (invoices, $plugin:ident) => {
        #[cfg(target_arch = "wasm32")]
        $crate::bindings::invoices::export_invoices!($plugin with_types_in $crate::bindings::invoices);
        #[cfg(not(target_arch = "wasm32"))]
        const _: () = {
            const fn is<T: $crate::invoices::Guest>() {}
            is::<$plugin>();
        };
    };
    (meters, $plugin:ident) => {
        #[cfg(target_arch = "wasm32")]
        $crate::bindings::meters::export_meters!($plugin with_types_in $crate::bindings::meters);
        #[cfg(not(target_arch = "wasm32"))]
        const _: () = {
            const fn is<T: $crate::meters::Guest>() {}
            is::<$plugin>();
        };
    };
    (messages, $plugin:ident) => {
        #[cfg(target_arch = "wasm32")]
        $crate::bindings::messages::export_messages!($plugin with_types_in $crate::bindings::messages);
        #[cfg(not(target_arch = "wasm32"))]
        const _: () = {
            const fn is<T: $crate::messages::Guest>() {}
            is::<$plugin>();
        };
    };
    (calls, $plugin:ident) => {
        #[cfg(target_arch = "wasm32")]
        $crate::bindings::calls::export_calls!($plugin with_types_in $crate::bindings::calls);
        #[cfg(not(target_arch = "wasm32"))]
        const _: () = {
            const fn is<T: $crate::calls::Guest>() {}
            is::<$plugin>();
        };
    };
    ($other:ident, $plugin:ident) => {
        compile_error!(concat!(
            "there is no capability `",
            stringify!($other),
            "`; there are: prices, payments, invoices, meters, messages, calls"
        ));
    };
}
