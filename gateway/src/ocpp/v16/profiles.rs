//! Charging profiles of 1.6.

use super::commands::transaction;
use crate::chargers::model::{
    ChargingProfile, ChargingSchedule, ProfileFilter, ProfileKind, ProfilePurpose, SchedulePeriod,
};
use crate::ocpp::Dialect::V16;
use crate::ocpp::writer::Object;

fn purpose(object: Object, purpose: ProfilePurpose) -> Object {
    match purpose {
        ProfilePurpose::ChargerMax => object.word("chargingProfilePurpose", "ChargePointMaxProfile"),
        ProfilePurpose::TxDefault | ProfilePurpose::Tx => {
            object.word("chargingProfilePurpose", purpose.as_str())
        }
        other => object.refuse(format!("there are no words for profiles of `{}`", other.as_str())),
    }
}

/// A profile.
pub(super) fn profile(profile: &ChargingProfile) -> Object {
    let object = Object::new(V16).int("chargingProfileId", profile.id);
    let object = match &profile.transaction {
        Some(reference) => transaction(object, reference),
        None => object,
    };
    let object = purpose(object.count("stackLevel", profile.stack_level), profile.purpose)
        .without(profile.kind == ProfileKind::Dynamic, "dynamic profiles")
        .without(
            profile.max_offline_s.is_some()
                || profile.void_after_offline.is_some()
                || profile.update_interval_s.is_some()
                || profile.updated.is_some()
                || profile.price_signature.is_some(),
            "what 2.1 adds to profiles",
        )
        .word("chargingProfileKind", profile.kind.as_str())
        .some_word("recurrencyKind", profile.recurrency.map(crate::chargers::model::Recurrency::as_str))
        .some_time("validFrom", profile.valid_from)
        .some_time("validTo", profile.valid_to);
    match profile.schedules.as_slice() {
        [one] => object.object("chargingSchedule", schedule(one)),
        _ => object.refuse("a profile has exactly one schedule"),
    }
}

fn schedule(schedule: &ChargingSchedule) -> Object {
    Object::new(V16)
        .without(
            schedule.limit_at_soc.is_some()
                || schedule.power_tolerance.is_some()
                || schedule.signature.is_some()
                || schedule.digest.is_some()
                || schedule.local_time.is_some()
                || schedule.random_delay_s.is_some()
                || schedule.sales_tariff.is_some()
                || schedule.absolute_prices.is_some()
                || schedule.price_levels.is_some(),
            "what 2.x adds to schedules",
        )
        .some_count("duration", schedule.duration_s)
        .some_time("startSchedule", schedule.start)
        .word("chargingRateUnit", schedule.unit.as_str())
        .objects("chargingSchedulePeriod", schedule.periods.iter().map(period), 1, usize::MAX)
        .some_number("minChargingRate", schedule.min_rate.map(tenths))
}

// Limits have one decimal; rounding down never allows more than was meant.
fn tenths(value: rust_decimal::Decimal) -> rust_decimal::Decimal {
    value.round_dp_with_strategy(1, rust_decimal::RoundingStrategy::ToZero)
}

fn period(period: &SchedulePeriod) -> Object {
    let object = Object::new(V16)
        .without(period.dynamic.is_some() || period.phase_to_use.is_some(), "what 2.x adds to periods")
        .count("startPeriod", period.start_s);
    match period.limit {
        Some(limit) => object.number("limit", tenths(limit)),
        None => object.refuse("a period needs a limit"),
    }
    .some_count("numberPhases", period.phases)
}

/// Which profiles to remove.
pub(super) fn filter(filter: &ProfileFilter) -> Object {
    let object = Object::new(V16).some_int("id", filter.id).some_count("connectorId", filter.evse);
    match filter.purpose {
        Some(which) => purpose(object, which),
        None => object,
    }
    .some_count("stackLevel", filter.stack_level)
}
