//! The cost messages of "OCPP & California Pricing Requirements". Their content is JSON inside a text; 2.0.1 carries the same
//! fields in `customData`.

use super::COST_VENDOR;
use super::commands::transaction;
use crate::chargers::model::{
    ChargingPrice, FinalCost, IdlePrice, Message, MeterTrigger, NextPrices, RunningCost, RunningDetails,
    UserPrice,
};
use crate::ocpp::Dialect;
use crate::ocpp::Dialect::V16;
use crate::ocpp::writer::{Object, Unsayable};
use rust_decimal::Decimal;

const PROSE: usize = 512;

/// The cost so far.
pub(super) fn running(cost: &RunningCost) -> Result<String, Unsayable> {
    let object = transaction(Object::new(V16), &cost.reference);
    match &cost.details {
        Some(details) => fields(object, details, Some(cost.total)),
        None => object.refuse("a running cost needs its details: time, register, state and prices"),
    }
    .finish()
}

/// The final cost.
pub(super) fn last(cost: &FinalCost) -> Result<String, Unsayable> {
    transaction(Object::new(V16), &cost.reference)
        .number("cost", cost.total)
        .prose("priceText", &cost.text, PROSE)
        .objects("priceTextExtra", cost.more.iter().map(message), 0, usize::MAX)
        .some_text("qrCodeText", cost.qr_code.as_deref(), usize::MAX)
        .finish()
}

/// A driver's price.
pub(super) fn user(price: &UserPrice) -> Result<String, Unsayable> {
    Object::new(V16)
        .text("idToken", &price.token, usize::MAX)
        .prose("priceText", &price.text, PROSE)
        .objects("priceTextExtra", price.more.iter().map(message), 0, usize::MAX)
        .finish()
}

fn message(message: &Message) -> Object {
    Object::new(V16)
        .word("format", message.format.as_str())
        .some_text("language", message.language.as_deref(), 8)
        .prose("content", &message.content, PROSE)
}

/// What a running cost was made of, as 2.0.1 has it in `customData` (the cost itself stands beside it there).
pub(in crate::ocpp) fn custom_data(dialect: Dialect, details: &RunningDetails) -> Object {
    fields(Object::new(dialect).word("vendorId", COST_VENDOR), details, None)
}

fn fields(object: Object, details: &RunningDetails, cost: Option<Decimal>) -> Object {
    object
        .time("timestamp", details.at)
        // Whole Wh.
        .int("meterValue", details.meter.0.div_euclid(1_000))
        .some_number("cost", cost)
        .word("state", details.state.as_str())
        .object("chargingPrice", charging(&details.charging))
        .some_object("idlePrice", details.idle.as_ref().map(idle))
        .some_object("nextPeriod", details.next.as_ref().map(next))
        .some_object("triggerMeterValue", details.report_at.as_ref().map(trigger))
}

fn charging(price: &ChargingPrice) -> Object {
    Object::new(V16)
        .some_number("kWhPrice", price.kwh)
        .some_number("hourPrice", price.hour)
        .some_number("flatFee", price.flat)
}

fn idle(price: &IdlePrice) -> Object {
    Object::new(V16).some_count("graceMinutes", price.grace_min).some_number("hourPrice", price.hour)
}

fn next(next: &NextPrices) -> Object {
    Object::new(V16)
        .time("atTime", next.at)
        .object("chargingPrice", charging(&next.charging))
        .some_object("idlePrice", next.idle.as_ref().map(idle))
}

fn trigger(trigger: &MeterTrigger) -> Object {
    Object::new(V16)
        .some_time("atTime", trigger.at)
        .some_number("atEnergykWh", trigger.energy.map(|energy| energy.kwh()))
        .some_number("atPowerkW", trigger.power.map(|power| Decimal::new(power, 6)))
        .texts("atCPStatus", trigger.states.iter().map(|state| state.as_str()), usize::MAX, 0, 7)
}
