//! What `wit-bindgen` makes of the interface. One world per capability, so that a plugin exports only what it has.

#![allow(missing_docs, clippy::all)]

/// What every plugin imports, and `configuration`.
pub mod host {
    wit_bindgen::generate!({
        path: "wit",
        world: "takst:plugin/host",
        pub_export_macro: true,
        export_macro_name: "export_configuration",
        default_bindings_module: "takst_plugin_sdk::bindings::host",
        additional_derives: [PartialEq],
    });
}

macro_rules! capability {
    ($module:ident, $world:literal, $wit:literal, $macro_name:literal, $place:literal) => {
        pub mod $module {
            wit_bindgen::generate!({
                path: "wit",
                inline: $wit,
                world: $world,
                pub_export_macro: true,
                export_macro_name: $macro_name,
                default_bindings_module: $place,
                additional_derives: [PartialEq],
                with: { "takst:plugin/types@1.0.0": crate::bindings::host::takst::plugin::types },
            });
        }
    };
}

capability!(
    prices,
    "takst:sdk/prices",
    "package takst:sdk; world prices { export takst:plugin/prices@1.0.0; }",
    "export_prices",
    "takst_plugin_sdk::bindings::prices"
);
capability!(
    payments,
    "takst:sdk/payments",
    "package takst:sdk; world payments { export takst:plugin/payments@1.0.0; }",
    "export_payments",
    "takst_plugin_sdk::bindings::payments"
);
capability!(
    invoices,
    "takst:sdk/invoices",
    "package takst:sdk; world invoices { export takst:plugin/invoices@1.0.0; }",
    "export_invoices",
    "takst_plugin_sdk::bindings::invoices"
);
capability!(
    meters,
    "takst:sdk/meters",
    "package takst:sdk; world meters { export takst:plugin/meters@1.0.0; }",
    "export_meters",
    "takst_plugin_sdk::bindings::meters"
);
capability!(
    messages,
    "takst:sdk/messages",
    "package takst:sdk; world messages { export takst:plugin/messages@1.0.0; }",
    "export_messages",
    "takst_plugin_sdk::bindings::messages"
);
capability!(
    calls,
    "takst:sdk/calls",
    "package takst:sdk; world calls { export takst:plugin/calls@1.0.0; }",
    "export_calls",
    "takst_plugin_sdk::bindings::calls"
);
