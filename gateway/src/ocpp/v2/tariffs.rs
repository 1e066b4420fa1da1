//! Tariffs of 2.1, written.

use super::write::message;
use crate::chargers::model::{
    ConditionalPrice, DayOfWeek, EvseKind, Price, PriceConditions, Prices, Range, Span, TariffDocument,
    TaxRate,
};
use crate::ocpp::Dialect;
use crate::ocpp::writer::Object;

/// A tariff.
pub(super) fn tariff(dialect: Dialect, tariff: &TariffDocument) -> Object {
    let time = |part: &Option<Prices>| part.as_ref().map(|part| prices(dialect, part, "priceMinute", false));
    let fixed = |part: &Option<Prices>| part.as_ref().map(|part| prices(dialect, part, "priceFixed", true));
    Object::new(dialect)
        .text("tariffId", &tariff.id, 60)
        .objects("description", tariff.description.iter().map(|text| message(dialect, text)), 0, 10)
        .text("currency", &tariff.currency, 3)
        .some_object("energy", tariff.energy.as_ref().map(|part| prices(dialect, part, "priceKwh", false)))
        .some_time("validFrom", tariff.valid_from)
        .some_object("chargingTime", time(&tariff.charging_time))
        .some_object("idleTime", time(&tariff.idle_time))
        .some_object("fixedFee", fixed(&tariff.fixed_fee))
        .some_object("reservationTime", time(&tariff.reservation_time))
        .some_object("reservationFixed", fixed(&tariff.reservation_fixed))
        .some_object("minCost", tariff.minimum.as_ref().map(|bound| price(dialect, bound)))
        .some_object("maxCost", tariff.maximum.as_ref().map(|bound| price(dialect, bound)))
}

fn prices(dialect: Dialect, prices: &Prices, name: &'static str, fixed: bool) -> Object {
    let one = |price: &ConditionalPrice| {
        let object = Object::new(dialect);
        let when = price.when.as_deref().map(|when| conditions(dialect, when, fixed));
        // Fixed prices have their condition first.
        if fixed {
            object.some_object("conditions", when).number(name, price.price)
        } else {
            object.number(name, price.price).some_object("conditions", when)
        }
    };
    Object::new(dialect).objects("prices", prices.prices.iter().map(one), 1, usize::MAX).objects(
        "taxRates",
        prices.taxes.iter().map(|rate| tax(dialect, rate)),
        0,
        5,
    )
}

fn price(dialect: Dialect, price: &Price) -> Object {
    Object::new(dialect)
        .some_number("exclTax", price.excluding_tax)
        .some_number("inclTax", price.including_tax)
        .objects("taxRates", price.taxes.iter().map(|rate| tax(dialect, rate)), 0, 5)
}

fn tax(dialect: Dialect, rate: &TaxRate) -> Object {
    Object::new(dialect)
        .text("type", &rate.kind, 20)
        .number("tax", rate.percent)
        .some_count("stack", rate.stack)
}

fn conditions(dialect: Dialect, when: &PriceConditions, fixed: bool) -> Object {
    let minute = |time: chrono::NaiveTime| time.format("%H:%M").to_string();
    let day = |date: chrono::NaiveDate| date.format("%Y-%m-%d").to_string();
    let object = Object::new(dialect)
        .some_word("startTimeOfDay", when.from_time.map(minute).as_deref())
        .some_word("endTimeOfDay", when.until_time.map(minute).as_deref())
        .texts("dayOfWeek", when.days.iter().map(|day| DayOfWeek::as_str(*day)), 9, 0, 7)
        .some_word("validFromDate", when.from_date.map(day).as_deref())
        .some_word("validToDate", when.until_date.map(day).as_deref())
        .some_word("evseKind", when.evse_kind.map(EvseKind::as_str));
    let (ranges, spans) =
        ([when.energy, when.current, when.power], [when.time, when.charging_time, when.idle_time]);
    if fixed {
        let measured = ranges.iter().any(|range| *range != Range::default())
            || spans.iter().any(|span| *span != Span::default());
        return object
            .without(measured, "a fixed price that depends on what is measured")
            .some_text("paymentBrand", when.payment_brand.as_deref(), 20)
            .some_text("paymentRecognition", when.payment_recognition.as_deref(), 20);
    }
    let [energy, current, power] = ranges;
    let [time, charging, idle] = spans;
    object
        .without(
            when.payment_brand.is_some() || when.payment_recognition.is_some(),
            "a price per kWh or minute that depends on the payment",
        )
        .some_number("minEnergy", energy.min)
        .some_number("maxEnergy", energy.max)
        .some_number("minCurrent", current.min)
        .some_number("maxCurrent", current.max)
        .some_number("minPower", power.min)
        .some_number("maxPower", power.max)
        .some_count("minTime", time.min)
        .some_count("maxTime", time.max)
        .some_count("minChargingTime", charging.min)
        .some_count("maxChargingTime", charging.max)
        .some_count("minIdleTime", idle.min)
        .some_count("maxIdleTime", idle.max)
}
