//! The description of the API.

use super::{
    bills, campaigns, charged, chargers, corrections, costs, events, incidents, invoices, keys, ledger,
    meters, orders, outbox, payments, plugins, prices, reminders, sessions, setup, tariffs,
};
use axum::Json;
use utoipa::openapi::RefOr;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};

#[derive(OpenApi)]
#[openapi(
    info(title = "Takst", description = "What the gateway knows. Times are RFC 3339; money, energy and power are strings with plain decimals.", license(name = "Apache-2.0", identifier = "Apache-2.0")),
    paths(
        sessions::list, sessions::one, sessions::signed, sessions::release, sessions::never, corrections::show, corrections::order, corrections::dismiss, corrections::refund, corrections::correct_all, corrections::dismiss_all, bills::list, bills::one, bills::receipt,
        chargers::list, chargers::one, chargers::frames, chargers::commands, orders::give, orders::accept, orders::reject, incidents::list,
        incidents::one, prices::list, prices::put, events::stream, keys::list, keys::make, keys::revoke, keys::audit,
        campaigns::list, campaigns::one, campaigns::begin, campaigns::resume, campaigns::stop,
        setup::whole, setup::section, setup::put_single, setup::patch_single, setup::thing, setup::put, setup::patch,
        setup::remove, setup::erase, tariffs::list, tariffs::one, tariffs::put, tariffs::remove,
        payments::list, payments::one, payments::of_bill, payments::pay, payments::cancel, payments::charged_back, payments::instruments, payments::save,
        invoices::list, invoices::one, invoices::document, invoices::page, invoices::printed, invoices::send, invoices::received, invoices::returned,
        reminders::list, reminders::create, reminders::cancel,
        outbox::list, outbox::one, outbox::retry, outbox::give_up, outbox::plugins, outbox::resume,
        plugins::list,
        meters::put, meters::receipts, meters::fetch, meters::points, meters::values, meters::file, charged::charging, costs::costs, costs::set_costs,
        ledger::accounts, ledger::entries, ledger::add, ledger::take_back, ledger::check,
    ),
    modifiers(&Keys, &Problems),
    security(("key" = [])),
)]
struct Description;

struct Keys;

impl Modify for Keys {
    fn modify(&self, description: &mut utoipa::openapi::OpenApi) {
        let scheme =
            HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("takst_ID_SECRET").build();
        let components = description.components.get_or_insert_default();
        components.add_security_scheme("key", SecurityScheme::Http(scheme));
    }
}

// Problems come as `application/problem+json`, wherever an answer is one.
struct Problems;

impl Modify for Problems {
    fn modify(&self, description: &mut utoipa::openapi::OpenApi) {
        for item in description.paths.paths.values_mut() {
            let each = [&mut item.get, &mut item.post, &mut item.put, &mut item.patch, &mut item.delete];
            for operation in each.into_iter().flatten() {
                for (status, response) in &mut operation.responses.responses {
                    let RefOr::T(response) = response else { continue };
                    if (status.starts_with('4') || status.starts_with('5'))
                        && let Some(content) = response.content.swap_remove("application/json")
                    {
                        response.content.insert("application/problem+json".to_owned(), content);
                    }
                }
            }
        }
    }
}

/// `/api/openapi.json`.
pub(super) async fn document() -> Json<utoipa::openapi::OpenApi> {
    Json(Description::openapi())
}
