//! Commands that only 2.1 has.

use super::samples::{AT, log, number, rates, reference, some, tariff, token};
use takst_gateway::chargers::model::*;
use takst_gateway::ocpp::Dialect;

/// Commands that only 2.1 has; together they use every field.
pub fn commands() -> Vec<Command> {
    let dialect = Dialect::V21;
    let when = || DerWhen { start: Some(AT), duration_s: some("60") };
    let curve = || DerCurve {
        points: vec![(number("49.5"), number("100")), (number("50.5"), number("-5.5"))],
        hysteresis: Some([some("1"), some("2"), some("3"), some("4")]),
        priority: 0,
        reactive: Some((some("230"), Some(true), some("5"))),
        voltage: Some((some("110"), some("600"), Some(Cessation::Reactive))),
        unit: DerUnit::PctMaxW,
        response_s: some("10"),
        when: when(),
    };
    let pf = || FixedPf { priority: 1, displacement: number("0.95"), excitation: true, when: when() };
    let settings = [
        (DerKind::FreqWatt, DerSetting::Curve(curve())),
        (
            DerKind::EnterService,
            DerSetting::EnterService(EnterService {
                priority: 0,
                voltage: (number("105"), number("92")),
                frequency: (number("50.1"), number("49.9")),
                delay_s: some("300"),
                random_delay_s: some("60"),
                ramp_s: some("30"),
            }),
        ),
        (DerKind::FixedPfAbsorb, DerSetting::FixedPfAbsorb(pf())),
        (DerKind::FixedPfInject, DerSetting::FixedPfInject(pf())),
        (
            DerKind::FixedVar,
            DerSetting::FixedVar(FixedVar {
                priority: 2,
                setpoint: number("5"),
                unit: DerUnit::PctMaxVar,
                when: when(),
            }),
        ),
        (
            DerKind::FreqDroop,
            DerSetting::FreqDroop(FreqDroop {
                priority: 3,
                frequency: (number("50.2"), number("49.8")),
                droop: (number("0.05"), number("0.04")),
                response_s: number("2"),
                when: when(),
            }),
        ),
        (
            DerKind::Gradients,
            DerSetting::Gradient(Gradient { priority: 4, gradient: number("10"), soft: number("1") }),
        ),
        (
            DerKind::LimitMaxDischarge,
            DerSetting::LimitMaxDischarge(LimitMaxDischarge {
                priority: 5,
                percent: some("50"),
                must_trip: Some(curve()),
                when: when(),
            }),
        ),
    ];
    let mut all: Vec<Command> = settings
        .into_iter()
        .map(|(kind, setting)| {
            Command::SetDer(Box::new(DerControl { is_default: false, id: "der-1".into(), kind, setting }))
        })
        .collect();
    all.extend([
        Command::Reset { kind: ResetKind::Resume, place: Place::CHARGER },
        Command::Trigger {
            message: TriggeredMessage::Custom("x".into()),
            place: Place::UNSAID,
            extended: false,
        },
        Command::Trigger {
            message: TriggeredMessage::Sign(OwnCertificate::V2g20),
            place: Place::UNSAID,
            extended: false,
        },
        Command::GetLog(Box::new(log(LogKind::DataCollector))),
        Command::InstallCertificate { usage: CertificateUse::OemRoot, certificate: "pem".into() },
        Command::UpdateDynamicSchedule {
            profile: 9,
            update: Box::new(ScheduleUpdate { limit: some("16"), rates: rates() }),
        },
        Command::UsePriorityCharging { reference: reference(dialect), activate: true },
        Command::AllowEnergyTransfer {
            reference: reference(dialect),
            transfers: vec![EnergyTransfer::AcThreePhase, EnergyTransfer::DcBpt],
        },
        Command::SetDefaultTariff { evse: 0, tariff: tariff() },
        Command::GetTariffs { evse: 1 },
        Command::ClearTariffs { ids: vec!["oslo-2026".into()], evse: Some(1) },
        Command::ClearTariffs { ids: Vec::new(), evse: None },
        Command::ChangeTransactionTariff { reference: reference(dialect), tariff: tariff() },
        Command::GetStreams,
        Command::AdjustStream { id: 1, rate: StreamRate { interval_s: Some(5), values: Some(3) } },
        Command::WebPaymentStarted { evse: 1, timeout_s: 120 },
        Command::SwapBattery { token: token(dialect), request: 2 },
        Command::FrequencySignal { at: AT, signal: -7 },
        Command::GetDer {
            request: 3,
            is_default: Some(true),
            kind: Some(DerKind::VoltVar),
            id: Some("der-1".into()),
        },
        Command::ClearDer { is_default: true, kind: Some(DerKind::VoltVar), id: Some("der-1".into()) },
    ]);
    all
}
