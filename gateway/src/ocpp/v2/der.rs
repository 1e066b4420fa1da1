//! Grid support of 2.1, written.

use crate::chargers::model::{
    Cessation, DerControl, DerCurve, DerSetting, DerUnit, DerWhen, EnterService, FixedPf, FixedVar,
    FreqDroop, Gradient, LimitMaxDischarge,
};
use crate::ocpp::Dialect;
use crate::ocpp::writer::Object;

/// A setting.
pub(super) fn control(dialect: Dialect, control: &DerControl) -> Object {
    let object = Object::new(dialect)
        .flag("isDefault", control.is_default)
        .text("controlId", &control.id, 36)
        .word("controlType", control.kind.as_str());
    match &control.setting {
        DerSetting::Curve(setting) => object.object("curve", curve(dialect, setting)),
        DerSetting::EnterService(setting) => object.object("enterService", enter_service(dialect, setting)),
        DerSetting::FixedPfAbsorb(setting) => object.object("fixedPFAbsorb", fixed_pf(dialect, setting)),
        DerSetting::FixedPfInject(setting) => object.object("fixedPFInject", fixed_pf(dialect, setting)),
        DerSetting::FixedVar(setting) => object.object("fixedVar", fixed_var(dialect, setting)),
        DerSetting::FreqDroop(setting) => object.object("freqDroop", freq_droop(dialect, setting)),
        DerSetting::Gradient(setting) => object.object("gradient", gradient(dialect, setting)),
        DerSetting::LimitMaxDischarge(setting) => object.object("limitMaxDischarge", limit(dialect, setting)),
    }
}

fn when(object: Object, when: &DerWhen) -> Object {
    object.some_time("startTime", when.start).some_number("duration", when.duration_s)
}

fn curve(dialect: Dialect, curve: &DerCurve) -> Object {
    let points = curve.points.iter().map(|(x, y)| Object::new(dialect).number("x", *x).number("y", *y));
    let hysteresis = curve.hysteresis.map(|[high, low, delay, gradient]| {
        Object::new(dialect)
            .some_number("hysteresisHigh", high)
            .some_number("hysteresisLow", low)
            .some_number("hysteresisDelay", delay)
            .some_number("hysteresisGradient", gradient)
    });
    let reactive = curve.reactive.map(|(reference, autonomous, constant)| {
        Object::new(dialect)
            .some_number("vRef", reference)
            .some_flag("autonomousVRefEnable", autonomous)
            .some_number("autonomousVRefTimeConstant", constant)
    });
    let voltage = curve.voltage.map(|(mean, delay, cessation)| {
        Object::new(dialect)
            .some_number("hv10MinMeanValue", mean)
            .some_number("hv10MinMeanTripDelay", delay)
            .some_word("powerDuringCessation", cessation.map(Cessation::as_str))
    });
    let object = Object::new(dialect)
        .objects("curveData", points, 1, 10)
        .some_object("hysteresis", hysteresis)
        .count("priority", curve.priority)
        .some_object("reactivePowerParams", reactive)
        .some_object("voltageParams", voltage)
        .word("yUnit", DerUnit::as_str(curve.unit))
        .some_number("responseTime", curve.response_s);
    when(object, &curve.when)
}

fn enter_service(dialect: Dialect, setting: &EnterService) -> Object {
    Object::new(dialect)
        .count("priority", setting.priority)
        .number("highVoltage", setting.voltage.0)
        .number("lowVoltage", setting.voltage.1)
        .number("highFreq", setting.frequency.0)
        .number("lowFreq", setting.frequency.1)
        .some_number("delay", setting.delay_s)
        .some_number("randomDelay", setting.random_delay_s)
        .some_number("rampRate", setting.ramp_s)
}

fn fixed_pf(dialect: Dialect, setting: &FixedPf) -> Object {
    let object = Object::new(dialect)
        .count("priority", setting.priority)
        .number("displacement", setting.displacement)
        .flag("excitation", setting.excitation);
    when(object, &setting.when)
}

fn fixed_var(dialect: Dialect, setting: &FixedVar) -> Object {
    let object = Object::new(dialect)
        .count("priority", setting.priority)
        .number("setpoint", setting.setpoint)
        .word("unit", setting.unit.as_str());
    when(object, &setting.when)
}

fn freq_droop(dialect: Dialect, setting: &FreqDroop) -> Object {
    let object = Object::new(dialect)
        .count("priority", setting.priority)
        .number("overFreq", setting.frequency.0)
        .number("underFreq", setting.frequency.1)
        .number("overDroop", setting.droop.0)
        .number("underDroop", setting.droop.1)
        .number("responseTime", setting.response_s);
    when(object, &setting.when)
}

fn gradient(dialect: Dialect, setting: &Gradient) -> Object {
    Object::new(dialect)
        .count("priority", setting.priority)
        .number("gradient", setting.gradient)
        .number("softGradient", setting.soft)
}

fn limit(dialect: Dialect, setting: &LimitMaxDischarge) -> Object {
    let object = Object::new(dialect)
        .count("priority", setting.priority)
        .some_number("pctMaxDischargePower", setting.percent)
        .some_object("powerMonitoringMustTrip", setting.must_trip.as_ref().map(|trip| curve(dialect, trip)));
    when(object, &setting.when)
}
