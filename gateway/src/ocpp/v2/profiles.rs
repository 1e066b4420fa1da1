//! Charging profiles of 2.x, written; composite schedules, read.

use super::write::transaction;
use crate::chargers::model::{
    ChargingProfile, ChargingSchedule, CompositeSchedule, DynamicPeriod, PhaseRates, ProfileFilter,
    ProfileKind, ProfilePurpose, ProfileQuery, RateUnit, Recurrency, SchedulePeriod, ScheduleUpdate,
};
use crate::ocpp::Dialect;
use crate::ocpp::Dialect::V21;
use crate::ocpp::lenient::{Fields, May, Must};
use crate::ocpp::writer::Object;

fn purpose(object: Object, dialect: Dialect, purpose: ProfilePurpose) -> Object {
    let new = matches!(purpose, ProfilePurpose::Priority | ProfilePurpose::LocalGeneration);
    object
        .without(new && dialect != V21, "profiles for priority charging or local generation")
        .word("chargingProfilePurpose", purpose.as_str())
}

/// A profile.
pub(super) fn profile(dialect: Dialect, profile: &ChargingProfile) -> Object {
    let new = profile.kind == ProfileKind::Dynamic
        || profile.max_offline_s.is_some()
        || profile.void_after_offline.is_some()
        || profile.update_interval_s.is_some()
        || profile.updated.is_some()
        || profile.price_signature.is_some();
    let object = Object::new(dialect)
        .without(new && dialect != V21, "what 2.1 adds to profiles")
        .int("id", profile.id)
        .count("stackLevel", profile.stack_level);
    let object = purpose(object, dialect, profile.purpose)
        .word("chargingProfileKind", profile.kind.as_str())
        .some_word("recurrencyKind", profile.recurrency.map(Recurrency::as_str))
        .some_time("validFrom", profile.valid_from)
        .some_time("validTo", profile.valid_to);
    let object = match &profile.transaction {
        Some(reference) => transaction(object, "transactionId", reference),
        None => object,
    }
    .some_int("maxOfflineDuration", profile.max_offline_s)
    .objects("chargingSchedule", profile.schedules.iter().map(|one| schedule(dialect, one)), 1, 3)
    .some_flag("invalidAfterOfflineDuration", profile.void_after_offline)
    .some_int("dynUpdateInterval", profile.update_interval_s)
    .some_time("dynUpdateTime", profile.updated)
    .some_text("priceScheduleSignature", profile.price_signature.as_deref(), 256);
    if dialect == V21 {
        return object;
    }
    object.arrange(&[
        "id",
        "stackLevel",
        "chargingProfilePurpose",
        "chargingProfileKind",
        "recurrencyKind",
        "validFrom",
        "validTo",
        "chargingSchedule",
        "transactionId",
    ])
}

fn schedule(dialect: Dialect, schedule: &ChargingSchedule) -> Object {
    let new = schedule.limit_at_soc.is_some()
        || schedule.power_tolerance.is_some()
        || schedule.signature.is_some()
        || schedule.digest.is_some()
        || schedule.local_time.is_some()
        || schedule.random_delay_s.is_some()
        || schedule.absolute_prices.is_some()
        || schedule.price_levels.is_some();
    let soc = schedule
        .limit_at_soc
        .map(|(soc, limit)| Object::new(dialect).count("soc", soc).number("limit", limit));
    let object = Object::new(dialect)
        .without(new && dialect != V21, "what 2.1 adds to schedules")
        .int("id", schedule.id)
        .some_object("limitAtSoC", soc)
        .some_time("startSchedule", schedule.start)
        .some_int("duration", schedule.duration_s)
        .word("chargingRateUnit", RateUnit::as_str(schedule.unit))
        .some_number("minChargingRate", schedule.min_rate)
        .some_number("powerTolerance", schedule.power_tolerance)
        .some_count("signatureId", schedule.signature)
        .some_text("digestValue", schedule.digest.as_deref(), 88)
        .some_flag("useLocalTime", schedule.local_time)
        .objects("chargingSchedulePeriod", schedule.periods.iter().map(|one| period(dialect, one)), 1, 1_024)
        .some_count("randomizedDelay", schedule.random_delay_s)
        .some_document("salesTariff", schedule.sales_tariff.as_ref())
        .some_document("absolutePriceSchedule", schedule.absolute_prices.as_ref())
        .some_document("priceLevelSchedule", schedule.price_levels.as_ref());
    if dialect == V21 {
        return object;
    }
    object.arrange(&[
        "id",
        "startSchedule",
        "duration",
        "chargingRateUnit",
        "chargingSchedulePeriod",
        "minChargingRate",
        "salesTariff",
    ])
}

fn period(dialect: Dialect, period: &SchedulePeriod) -> Object {
    let none = DynamicPeriod::default();
    let dynamic = period.dynamic.as_deref().unwrap_or(&none);
    let object = Object::new(dialect)
        .without(dialect != V21 && *dynamic != none, "what 2.1 adds to periods")
        .without(dialect != V21 && period.limit.is_none(), "a period without a limit")
        .count("startPeriod", period.start_s)
        .some_number("limit", period.limit);
    let [l2, l3] = dynamic.rates.limits;
    rates(
        object
            .some_number("limit_L2", l2)
            .some_number("limit_L3", l3)
            .some_count("numberPhases", period.phases)
            .some_count("phaseToUse", period.phase_to_use),
        &dynamic.rates,
    )
    .some_flag("preconditioningRequest", dynamic.preconditioning)
    .some_flag("evseSleep", dynamic.asleep)
    .some_number("v2xBaseline", dynamic.baseline)
    .some_word("operationMode", dynamic.operation.as_ref().map(|mode| mode.as_str()))
    .objects(
        "v2xFreqWattCurve",
        dynamic.frequency_curve.iter().map(|(frequency, power)| {
            Object::new(dialect).number("frequency", *frequency).number("power", *power)
        }),
        0,
        20,
    )
    .objects(
        "v2xSignalWattCurve",
        dynamic
            .signal_curve
            .iter()
            .map(|(signal, power)| Object::new(dialect).int("signal", *signal).number("power", *power)),
        0,
        20,
    )
}

// Discharging and set points, in the order that periods and updates share.
fn rates(object: Object, rates: &PhaseRates) -> Object {
    let ([discharge, discharge2, discharge3], [set, set2, set3], [reactive, reactive2, reactive3]) =
        (rates.discharge, rates.setpoints, rates.reactive);
    let above = [discharge, discharge2, discharge3]
        .iter()
        .flatten()
        .any(|limit| limit.is_sign_positive() && !limit.is_zero());
    let object = if above { object.refuse("a limit of discharging is above zero") } else { object };
    object
        .some_number("dischargeLimit", discharge)
        .some_number("dischargeLimit_L2", discharge2)
        .some_number("dischargeLimit_L3", discharge3)
        .some_number("setpoint", set)
        .some_number("setpoint_L2", set2)
        .some_number("setpoint_L3", set3)
        .some_number("setpointReactive", reactive)
        .some_number("setpointReactive_L2", reactive2)
        .some_number("setpointReactive_L3", reactive3)
}

/// New values of a dynamic profile.
pub(super) fn update(dialect: Dialect, update: &ScheduleUpdate) -> Object {
    let [l2, l3] = update.rates.limits;
    rates(
        Object::new(dialect)
            .some_number("limit", update.limit)
            .some_number("limit_L2", l2)
            .some_number("limit_L3", l3),
        &update.rates,
    )
}

/// Which profiles to remove.
pub(super) fn filter(dialect: Dialect, filter: &ProfileFilter) -> Object {
    let object = Object::new(dialect).some_int("chargingProfileId", filter.id);
    if filter.evse.is_none() && filter.purpose.is_none() && filter.stack_level.is_none() {
        return object;
    }
    let criteria = Object::new(dialect).some_count("evseId", filter.evse);
    let criteria = match filter.purpose {
        Some(which) => purpose(criteria, dialect, which),
        None => criteria,
    }
    .some_count("stackLevel", filter.stack_level);
    object.object("chargingProfileCriteria", criteria)
}

/// Which profiles to report.
pub(super) fn query(dialect: Dialect, query: &ProfileQuery) -> Object {
    let criterion = Object::new(dialect);
    let criterion = match query.purpose {
        Some(which) => purpose(criterion, dialect, which),
        None => criterion,
    }
    .some_count("stackLevel", query.stack_level)
    .ints("chargingProfileId", &query.ids, 0, usize::MAX)
    .texts("chargingLimitSource", query.sources.iter().map(String::as_str), 20, 0, 4);
    let old = ["EMS", "Other", "SO", "CSO"];
    let foreign = query.sources.iter().any(|source| !old.contains(&source.as_str()));
    Object::new(dialect)
        .without(foreign && dialect != V21, "limits from other sources than EMS, Other, SO, CSO")
        .int("requestId", query.request)
        .some_count("evseId", query.evse)
        .object("chargingProfile", criterion)
}

/// What a charger works out from all its profiles, read.
pub(super) fn composite(fields: &Fields<'_>) -> CompositeSchedule {
    let schedule = CompositeSchedule {
        evse: fields.int("evseId", Must),
        start: fields.instant("scheduleStart", Must),
        duration_s: fields.int("duration", Must),
        unit: fields.word_text("chargingRateUnit", Must, 1),
        min_rate: None,
        periods: fields.objects("chargingSchedulePeriod", Must).iter().map(read_period).collect(),
    };
    fields.done();
    schedule
}

fn read_period(fields: &Fields<'_>) -> SchedulePeriod {
    let number = |name| fields.decimal(name, May);
    let pairs = |name: &str, first: &str| -> Vec<_> {
        fields
            .objects(name, May)
            .iter()
            .filter_map(|point| {
                let pair = point.decimal(first, Must).zip(point.decimal("power", Must));
                point.done();
                pair
            })
            .collect()
    };
    let dynamic = DynamicPeriod {
        rates: PhaseRates {
            limits: [number("limit_L2"), number("limit_L3")],
            discharge: [number("dischargeLimit"), number("dischargeLimit_L2"), number("dischargeLimit_L3")],
            setpoints: [number("setpoint"), number("setpoint_L2"), number("setpoint_L3")],
            reactive: [
                number("setpointReactive"),
                number("setpointReactive_L2"),
                number("setpointReactive_L3"),
            ],
        },
        preconditioning: fields.flag("preconditioningRequest", May),
        asleep: fields.flag("evseSleep", May),
        baseline: number("v2xBaseline"),
        operation: fields.word("operationMode", May),
        frequency_curve: pairs("v2xFreqWattCurve", "frequency"),
        signal_curve: pairs("v2xSignalWattCurve", "signal")
            .into_iter()
            .filter_map(|(signal, power)| Some((crate::chargers::model::scaled(signal, 0)?, power)))
            .collect(),
    };
    let period = SchedulePeriod {
        start_s: fields.int("startPeriod", Must).unwrap_or_default(),
        limit: number("limit"),
        phases: fields.int("numberPhases", May),
        phase_to_use: fields.int("phaseToUse", May),
        dynamic: (dynamic != DynamicPeriod::default()).then(|| Box::new(dynamic)),
    };
    fields.done();
    period
}
