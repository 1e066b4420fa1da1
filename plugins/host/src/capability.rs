//! The functions of plugins as functions of Rust, one file per capability; and all of them by name, for `takst plugin run` and tapes.

mod calls;
mod configuration;
mod invoices;
mod messages;
mod meters;
mod payments;
mod prices;

pub use calls::Calls;
pub use configuration::Configuration;
pub use invoices::Invoices;
pub use messages::Messages;
pub use meters::Meters;
pub use payments::Payments;
pub use prices::Prices;

use crate::plugin::{Context, Done, NotAble, Plugin};
use serde_json::Value;

/// A call by name cannot be made.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BadCall {
    /// No such function.
    #[error("there is no function `{function}`; there are:\n  {known}")]
    Function {
        /// As given.
        function: String,
        /// All there are, one a line.
        known: String,
    },
    /// The arguments do not fit.
    #[error("{function}: {error}; it takes {{{takes}}}")]
    Arguments {
        /// "payments.charge".
        function: String,
        /// What does not fit.
        error: String,
        /// The arguments' names.
        takes: &'static str,
    },
    /// The plugin cannot do it, or may not.
    #[error(transparent)]
    NotAble(#[from] NotAble),
}

/// Defines the functions of an interface, each as a method and by name.
///
/// `once` marks what is asked for under a key and must happen once: requests of such a call carry the key to hosts that know one.
/// `ask` may be asked again at any time. `sure` cannot fail. All but `bare` are given the operator's settings first.
macro_rules! capability {
    ($(#[$doc:meta])* $handle:ident $interface:literal {
        $($(#[$about:meta])* $kind:ident fn $name:ident $wit:literal ($($arg:ident: $type:ty),*) -> $answer:ty;)*
    }) => {
        $(#[$doc])*
        #[derive(Clone)]
        pub struct $handle(pub(crate) $crate::plugin::Plugin);

        impl $handle {
            $($crate::capability::method!($(#[$about])* $interface $kind $name $wit ($($arg: $type),*) $answer);)*

            pub(super) const FUNCTIONS: &'static [(&'static str, &'static str)] =
                &[$((concat!($interface, ".", $wit), $crate::capability::takes!($kind $($arg)*))),*];

            // Calls a function by its name in the WIT. Nothing if there is none.
            pub(super) async fn by_name(
                &self,
                context: &$crate::plugin::Context,
                name: &str,
                arguments: serde_json::Value,
            ) -> Option<Result<$crate::plugin::Done<serde_json::Value>, serde_json::Error>> {
                match name {
                    $($wit => Some($crate::capability::json!(self context arguments $kind $name ($($arg: $type),*))),)*
                    _ => None,
                }
            }
        }
    };
}

macro_rules! method {
    ($(#[$about:meta])* $interface:literal once $name:ident $wit:literal ($($arg:ident: $type:ty),*) $answer:ty) => {
        $(#[$about])*
        pub async fn $name(
            &self,
            context: &$crate::plugin::Context,
            key: impl Into<String>,
            $($arg: impl Into<$type>),*
        ) -> $crate::plugin::Done<$answer> {
            let key: String = key.into();
            let function = $crate::plugin::Function { interface: $interface, name: $wit };
            let params = (self.0.settings().clone(), key.clone(), $($arg.into()),*);
            let call = self.0.call::<_, Result<$answer, $crate::model::Error>>(
                context, function, Some(key), params, |(_, key, $($arg),*)| serde_json::json!({ "key": key, $(stringify!($arg): $arg),* }),
            );
            call.await
        }
    };
    ($(#[$about:meta])* $interface:literal ask $name:ident $wit:literal ($($arg:ident: $type:ty),*) $answer:ty) => {
        $crate::capability::method!($(#[$about])* $interface plain $name $wit ($($arg: $type),*) $answer, Result<$answer, $crate::model::Error>);
    };
    ($(#[$about:meta])* $interface:literal sure $name:ident $wit:literal ($($arg:ident: $type:ty),*) $answer:ty) => {
        $crate::capability::method!($(#[$about])* $interface plain $name $wit ($($arg: $type),*) $answer, $answer);
    };
    ($(#[$about:meta])* $interface:literal plain $name:ident $wit:literal ($($arg:ident: $type:ty),*) $answer:ty, $result:ty) => {
        $(#[$about])*
        pub async fn $name(
            &self,
            context: &$crate::plugin::Context,
            $($arg: impl Into<$type>),*
        ) -> $crate::plugin::Done<$answer> {
            let function = $crate::plugin::Function { interface: $interface, name: $wit };
            let params = (self.0.settings().clone(), $($arg.into()),*);
            let call = self.0.call::<_, $result>(
                context, function, None, params, |(_, $($arg),*)| serde_json::json!({ $(stringify!($arg): $arg),* }),
            );
            call.await
        }
    };
    ($(#[$about:meta])* $interface:literal bare $name:ident $wit:literal () $answer:ty) => {
        $(#[$about])*
        pub async fn $name(&self, context: &$crate::plugin::Context) -> $crate::plugin::Done<$answer> {
            let function = $crate::plugin::Function { interface: $interface, name: $wit };
            self.0.call::<(), $answer>(context, function, None, (), |()| serde_json::json!({})).await
        }
    };
}

macro_rules! takes {
    (once $($arg:ident)*) => { concat!("key", $(", ", stringify!($arg)),*) };
    ($kind:ident $first:ident $($arg:ident)*) => { concat!(stringify!($first), $(", ", stringify!($arg)),*) };
    ($kind:ident) => { "" };
}

macro_rules! json {
    ($self:ident $context:ident $given:ident once $name:ident ($($arg:ident: $type:ty),*)) => {{
        #[derive(serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Arguments { key: String, $($arg: $type),* }
        match serde_json::from_value($given) {
            Ok(Arguments { key, $($arg),* }) => Ok($crate::capability::value($self.$name($context, key, $($arg),*).await)),
            Err(error) => Err(error),
        }
    }};
    ($self:ident $context:ident $given:ident $kind:ident $name:ident ($($arg:ident: $type:ty),*)) => {{
        #[derive(serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Arguments { $($arg: $type),* }
        match serde_json::from_value($given) {
            Ok(Arguments { $($arg),* }) => Ok($crate::capability::value($self.$name($context, $($arg),*).await)),
            Err(error) => Err(error),
        }
    }};
}

use {capability, json, method, takes};

fn value<T: serde::Serialize>(done: Done<T>) -> Done<Value> {
    done.map(|value| serde_json::to_value(value).unwrap_or_default())
}

impl Plugin {
    /// Calls a function by its name in the interface ("payments.charge") with its arguments by name, as JSON.
    ///
    /// # Errors
    /// There is no such function, the arguments do not fit, or the plugin has not this capability.
    pub async fn invoke(
        &self,
        context: &Context,
        function: &str,
        arguments: Value,
    ) -> Result<Done<Value>, BadCall> {
        let (interface, name) = function.split_once('.').unwrap_or((function, ""));
        let done = match interface {
            "configuration" => self.configuration().by_name(context, name, arguments).await,
            "prices" => self.prices()?.by_name(context, name, arguments).await,
            "payments" => self.payments()?.by_name(context, name, arguments).await,
            "invoices" => self.invoices()?.by_name(context, name, arguments).await,
            "meters" => self.meters()?.by_name(context, name, arguments).await,
            "messages" => self.messages()?.by_name(context, name, arguments).await,
            "calls" => self.calls()?.by_name(context, name, arguments).await,
            _ => None,
        };
        let unknown = || {
            let known: Vec<&str> = functions().map(|(name, _)| name).collect();
            BadCall::Function { function: function.to_owned(), known: known.join("\n  ") }
        };
        done.ok_or_else(unknown)?.map_err(|error| BadCall::Arguments {
            function: function.to_owned(),
            error: error.to_string(),
            takes: functions().find(|(name, _)| *name == function).map_or("", |(_, takes)| takes),
        })
    }
}

/// All functions of plugins with the names of their arguments.
pub fn functions() -> impl Iterator<Item = (&'static str, &'static str)> {
    [
        Configuration::FUNCTIONS,
        Prices::FUNCTIONS,
        Payments::FUNCTIONS,
        Invoices::FUNCTIONS,
        Meters::FUNCTIONS,
        Messages::FUNCTIONS,
        Calls::FUNCTIONS,
    ]
    .into_iter()
    .flatten()
    .copied()
}
