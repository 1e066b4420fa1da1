//! Costs of 2.x: what a charger has worked out itself, and limits in both directions.

use crate::chargers::model::{CostDetails, CostPeriod, Price, TaxRate, TransactionLimit};
use crate::ocpp::Dialect;
use crate::ocpp::lenient::{Fields, May, Must};
use crate::ocpp::writer::Object;

/// What a charger has worked out itself.
pub(super) fn details(fields: &Fields<'_>) -> CostDetails {
    let mut details = CostDetails {
        periods: fields.objects("chargingPeriods", May).iter().map(period).collect(),
        failed: fields.flag("failureToCalculate", May).unwrap_or_default(),
        failure: fields.text("failureReason", May, 500),
        ..CostDetails::default()
    };
    if let Some(total) = fields.object("totalCost", Must) {
        details.currency = total.word_text("currency", Must, 3);
        details.kind = total.word("typeOfCost", Must);
        let part = |name| total.object(name, May).map(|part| price(&part));
        details.fixed = part("fixed");
        details.energy = part("energy");
        details.charging_time = part("chargingTime");
        details.idle_time = part("idleTime");
        details.reservation_time = part("reservationTime");
        details.reservation_fixed = part("reservationFixed");
        details.total = total.object("total", Must).map(|part| price(&part)).unwrap_or_default();
        total.done();
    }
    if let Some(usage) = fields.object("totalUsage", Must) {
        details.energy_kwh = usage.decimal("energy", Must);
        details.charging_s = usage.int("chargingTime", Must);
        details.idle_s = usage.int("idleTime", Must);
        details.reservation_s = usage.int("reservationTime", May);
        usage.done();
    }
    fields.done();
    details
}

fn price(fields: &Fields<'_>) -> Price {
    let price = Price {
        excluding_tax: fields.decimal("exclTax", May),
        including_tax: fields.decimal("inclTax", May),
        taxes: fields.objects("taxRates", May).iter().filter_map(tax).collect(),
    };
    fields.done();
    price
}

fn tax(fields: &Fields<'_>) -> Option<TaxRate> {
    let kind = fields.text("type", Must, 20).unwrap_or_default();
    let percent = fields.decimal("tax", Must);
    let stack = fields.int("stack", May);
    fields.done();
    percent.map(|percent| TaxRate { kind, percent, stack })
}

fn period(fields: &Fields<'_>) -> CostPeriod {
    let volumes = fields.objects("dimensions", May);
    let period = CostPeriod {
        from: fields.instant("startPeriod", Must),
        tariff: fields.word_text("tariffId", May, 60),
        volumes: volumes
            .iter()
            .filter_map(|volume| {
                let pair = volume.word("type", Must).zip(volume.decimal("volume", Must));
                volume.done();
                pair
            })
            .collect(),
    };
    fields.done();
    period
}

/// What a transaction may not exceed, read.
pub(super) fn limit(fields: &Fields<'_>) -> TransactionLimit {
    let limit = TransactionLimit {
        cost: fields.decimal("maxCost", May),
        energy_wh: fields.decimal("maxEnergy", May),
        time_s: fields.int("maxTime", May),
        soc: fields.int("maxSoC", May),
    };
    fields.done();
    limit
}

/// What a transaction may not exceed, written.
pub(super) fn write_limit(dialect: Dialect, limit: &TransactionLimit) -> Object {
    Object::new(dialect)
        .some_number("maxCost", limit.cost)
        .some_number("maxEnergy", limit.energy_wh)
        .some_int("maxTime", limit.time_s)
        .some_count("maxSoC", limit.soc)
}
