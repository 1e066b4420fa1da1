//! The device model of 2.x: reports and events read; queries, monitors and network profiles written.

use super::read;
use super::write::{by, component, variable};
use crate::chargers::model::{
    Apn, ApnAuthentication, Attribute, Characteristics, Component, DeviceReport, Event, EventReport, Monitor,
    MonitorKind, MonitorQuery, MonitoringCriterion, NetworkInterface, NetworkProfile, OcppVersion,
    ReportQuery, ReportedAttribute, ReportedVariable, StreamRate, Variable, Vpn, VpnKind,
};
use crate::ocpp::Dialect;
use crate::ocpp::Dialect::V21;
use crate::ocpp::lenient::{Fields, May, Must};
use crate::ocpp::writer::Object;

/// A page of the device model.
pub(super) fn report(fields: &Fields<'_>) -> DeviceReport {
    DeviceReport {
        part: read::part(fields),
        at: fields.station_time("generatedAt", Must),
        variables: fields.objects("reportData", May).iter().map(reported).collect(),
    }
}

fn reported(fields: &Fields<'_>) -> ReportedVariable {
    let reported = ReportedVariable {
        component: read::component(fields, "component"),
        variable: read::variable(fields, "variable"),
        attributes: fields.objects("variableAttribute", Must).iter().map(attribute).collect(),
        characteristics: fields.object("variableCharacteristics", May).map(|about| characteristics(&about)),
    };
    fields.done();
    reported
}

fn attribute(fields: &Fields<'_>) -> ReportedAttribute {
    let attribute = ReportedAttribute {
        attribute: fields.word("type", May),
        value: fields.text("value", May, 2_500),
        mutability: fields.word("mutability", May),
        persistent: fields.flag("persistent", May).unwrap_or_default(),
        constant: fields.flag("constant", May).unwrap_or_default(),
    };
    fields.done();
    attribute
}

fn characteristics(fields: &Fields<'_>) -> Characteristics {
    let about = Characteristics {
        unit: fields.text("unit", May, 16),
        data_type: fields.text("dataType", Must, 20),
        min: fields.decimal("minLimit", May),
        max: fields.decimal("maxLimit", May),
        max_elements: fields.int("maxElements", May),
        values: fields.text("valuesList", May, 1_000),
        monitored: fields.flag("supportsMonitoring", Must).unwrap_or_default(),
    };
    fields.done();
    about
}

/// A batch of events.
pub(super) fn events(fields: &Fields<'_>) -> EventReport {
    EventReport {
        part: read::part(fields),
        at: fields.station_time("generatedAt", Must),
        events: fields.objects("eventData", Must).iter().map(event).collect(),
    }
}

fn event(fields: &Fields<'_>) -> Event {
    let event = Event {
        id: fields.int("eventId", Must),
        at: fields.station_time("timestamp", Must),
        trigger: fields.word("trigger", Must),
        cause: fields.int("cause", May),
        value: fields.text("actualValue", Must, 2_500),
        tech_code: fields.word_text("techCode", May, 50),
        tech_info: fields.word_text("techInfo", May, 500),
        cleared: fields.flag("cleared", May),
        transaction: read::reference(fields, "transactionId", May),
        component: read::component(fields, "component"),
        variable: read::variable(fields, "variable"),
        monitor: fields.int("variableMonitoringId", May),
        notification: fields.text("eventNotificationType", Must, 40),
        severity: fields.int("severity", May),
    };
    fields.done();
    event
}

/// A variable of a component, which value of it.
pub(super) fn address(
    dialect: Dialect,
    object: Object,
    attribute: Option<&Attribute>,
    of: &Component,
    name: &Variable,
    value: Option<&str>,
) -> Object {
    object
        .some_word("attributeType", attribute.map(Attribute::as_str))
        .some_text("attributeValue", value, by(dialect, 1_000, 2_500))
        .object("component", component(dialect, of))
        .object("variable", variable(dialect, name))
}

fn variables(dialect: Dialect, object: Object, of: &[(Component, Option<Variable>)]) -> Object {
    let each = of.iter().map(|(of, name)| {
        Object::new(dialect)
            .object("component", component(dialect, of))
            .some_object("variable", name.as_ref().map(|name| variable(dialect, name)))
    });
    object.objects("componentVariable", each, 0, usize::MAX)
}

/// Which variables to report.
pub(super) fn report_query(dialect: Dialect, query: &ReportQuery) -> Object {
    variables(dialect, Object::new(dialect), &query.variables).int("requestId", query.request).texts(
        "componentCriteria",
        query.components.iter().map(|criterion| criterion.as_str()),
        20,
        0,
        4,
    )
}

/// Which monitors to report.
pub(super) fn monitor_query(dialect: Dialect, query: &MonitorQuery) -> Object {
    variables(dialect, Object::new(dialect), &query.variables).int("requestId", query.request).texts(
        "monitoringCriteria",
        query.criteria.iter().map(|criterion| MonitoringCriterion::as_str(*criterion)),
        20,
        0,
        3,
    )
}

/// A monitor to set.
pub(super) fn monitor(dialect: Dialect, monitor: &Monitor) -> Object {
    let new = monitor.stream.is_some()
        || matches!(monitor.kind, MonitorKind::TargetDelta | MonitorKind::TargetDeltaRelative);
    Object::new(dialect)
        .without(new && dialect != V21, "streams and monitors of a target")
        .some_count("id", monitor.id)
        .some_object("periodicEventStream", monitor.stream.map(|rate| stream_rate(dialect, rate)))
        .some_flag("transaction", monitor.transaction)
        .number("value", monitor.value)
        .word("type", monitor.kind.as_str())
        .count("severity", monitor.severity)
        .object("component", component(dialect, &monitor.component))
        .object("variable", variable(dialect, &monitor.variable))
}

/// How often a stream sends.
pub(super) fn stream_rate(dialect: Dialect, rate: StreamRate) -> Object {
    Object::new(dialect).some_count("interval", rate.interval_s).some_count("values", rate.values)
}

/// How to reach us.
pub(super) fn network(dialect: Dialect, profile: &NetworkProfile) -> Object {
    let old = dialect != V21;
    let version = match profile.version {
        // 2.0.1 has one word for all of 2.0.
        OcppVersion::V201 if old => OcppVersion::V20,
        version => version,
    };
    let data = Object::new(dialect)
        .without(old && version == OcppVersion::V21, "OCPP 2.1")
        .without(old && profile.interface == NetworkInterface::Any, "any network interface")
        .without(
            old && (profile.identity.is_some() || profile.password.is_some()),
            "identity and password of a profile",
        )
        .some_object("apn", profile.apn.as_ref().map(|apn| mobile(dialect, apn)))
        .word("ocppVersion", version.as_str())
        .word("ocppInterface", profile.interface.as_str())
        .word("ocppTransport", "JSON")
        .int("messageTimeout", profile.timeout_s)
        .text("ocppCsmsUrl", &profile.url, by(dialect, 512, 2_000))
        .count("securityProfile", profile.security_profile)
        .some_text("identity", profile.identity.as_deref(), 48)
        .some_text("basicAuthPassword", profile.password.as_deref(), 64)
        .some_object("vpn", profile.vpn.as_ref().map(|vpn| private(dialect, vpn)));
    let data = if old {
        data.arrange(&[
            "apn",
            "ocppVersion",
            "ocppTransport",
            "ocppCsmsUrl",
            "messageTimeout",
            "securityProfile",
            "ocppInterface",
            "vpn",
        ])
    } else {
        data
    };
    Object::new(dialect).int("configurationSlot", profile.slot).object("connectionData", data)
}

fn mobile(dialect: Dialect, apn: &Apn) -> Object {
    Object::new(dialect)
        .text("apn", &apn.address, by(dialect, 512, 2_000))
        .some_text("apnUserName", apn.user.as_deref(), by(dialect, 20, 50))
        .some_text("apnPassword", apn.password.as_deref(), by(dialect, 20, 64))
        .some_int("simPin", apn.sim_pin)
        .some_text("preferredNetwork", apn.preferred.as_deref(), 6)
        .some_flag("useOnlyPreferredNetwork", apn.only_preferred)
        .word("apnAuthentication", ApnAuthentication::as_str(apn.authentication))
}

fn private(dialect: Dialect, vpn: &Vpn) -> Object {
    Object::new(dialect)
        .text("server", &vpn.server, by(dialect, 512, 2_000))
        .text("user", &vpn.user, by(dialect, 20, 50))
        .some_text("group", vpn.group.as_deref(), by(dialect, 20, 50))
        .text("password", &vpn.password, by(dialect, 20, 64))
        .text("key", &vpn.key, 255)
        .word("type", VpnKind::as_str(vpn.kind))
}
