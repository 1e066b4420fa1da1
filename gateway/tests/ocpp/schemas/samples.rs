//! Commands with every field that a dialect has, and the parts that they share with answers.

use chrono::{NaiveDate, NaiveTime};
use rust_decimal::Decimal;
use takst_engine::units::{Energy, Instant};
use takst_gateway::chargers::model::*;
use takst_gateway::ocpp::Dialect;

pub const AT: Instant = Instant(1_767_268_800_123);

pub fn number(text: &str) -> Decimal {
    text.parse().unwrap()
}

pub fn some(text: &str) -> Option<Decimal> {
    Some(number(text))
}

pub fn token(dialect: Dialect) -> Token {
    if dialect == Dialect::V16 {
        return Token::plain("04A2B3C4D5");
    }
    Token {
        id: "NO-TKS-C00000001-4".into(),
        kind: Some(TokenKind::Emaid),
        more: vec![("04A2".into(), "rfid".into())],
    }
}

pub fn message(content: &str) -> Message {
    Message { format: MessageFormat::Utf8, language: Some("nb".into()), content: content.into() }
}

pub fn info(dialect: Dialect) -> TokenInfo {
    TokenInfo {
        status: TokenStatus::Accepted,
        expires: Some(AT),
        group: Some(token(dialect)),
        priority: Some(-3),
        languages: vec!["nb".into(), "en".into(), "fi".into()],
        evses: vec![1, 2],
        message: Some(message("1.50 NOK/kWh \"æ\" 🚗")),
    }
}

pub fn reference(dialect: Dialect) -> Reference {
    if dialect == Dialect::V16 { Reference::Ours(4711) } else { Reference::Theirs("a1b2c3d4".into()) }
}

pub fn hash() -> CertificateHash {
    CertificateHash {
        algorithm: HashAlgorithm::Sha256,
        issuer_name: "a".repeat(64),
        issuer_key: "b".repeat(64),
        serial: "0A1B".into(),
    }
}

fn component() -> Component {
    Component { name: "Connector".into(), instance: Some("left".into()), place: Place::connector(1, 2) }
}

fn variable() -> Variable {
    Variable { name: "Available".into(), instance: Some("x".into()) }
}

pub fn rates() -> PhaseRates {
    PhaseRates {
        limits: [some("15"), some("14.5")],
        discharge: [some("-1"), some("-2.5"), some("0")],
        setpoints: [some("5"), some("6"), some("7")],
        reactive: [some("0.5"), some("-0.6"), some("0.7")],
    }
}

fn profile(dialect: Dialect, purpose: ProfilePurpose) -> ChargingProfile {
    let (new, second) = (dialect == Dialect::V21, dialect != Dialect::V16);
    let document =
        || Some(Json(r#"{"id":1,"salesTariffEntry":[{"relativeTimeInterval":{"start":0}}]}"#.into()));
    let prices = Json(
        r#"{"timeAnchor":"2026-01-01T12:00:00.000Z","priceScheduleID":1,"currency":"NOK","language":"nb","priceAlgorithm":"x","priceRuleStacks":[{"duration":60,"priceRule":[{"energyFee":{"exponent":-2,"value":150},"powerRangeStart":{"exponent":0,"value":0}}]}]}"#
            .into(),
    );
    let levels = Json(
        r#"{"priceLevelScheduleEntries":[{"duration":60,"priceLevel":1}],"timeAnchor":"2026-01-01T12:00:00.000Z","priceScheduleId":1,"numberOfPriceLevels":2}"#
            .into(),
    );
    ChargingProfile {
        id: 9,
        stack_level: 2,
        purpose,
        kind: ProfileKind::Recurring,
        recurrency: Some(Recurrency::Daily),
        valid_from: Some(AT),
        valid_to: Some(Instant(AT.0 + 3_600_000)),
        transaction: Some(reference(dialect)),
        max_offline_s: new.then_some(600),
        schedules: vec![ChargingSchedule {
            id: 3,
            limit_at_soc: new.then(|| (80, number("8"))),
            start: Some(AT),
            duration_s: Some(86_400),
            unit: RateUnit::Ampere,
            min_rate: some("6.1"),
            power_tolerance: some("100").filter(|_| new),
            signature: new.then_some(1),
            digest: new.then(|| "digest".into()),
            local_time: new.then_some(true),
            periods: vec![
                SchedulePeriod {
                    start_s: 0,
                    limit: some("16.0"),
                    phases: Some(3),
                    ..SchedulePeriod::default()
                },
                SchedulePeriod {
                    start_s: 600,
                    limit: some("32"),
                    phases: Some(1),
                    phase_to_use: second.then_some(2),
                    dynamic: new.then(|| {
                        Box::new(DynamicPeriod {
                            rates: rates(),
                            preconditioning: Some(true),
                            asleep: Some(false),
                            baseline: some("1"),
                            operation: Some(OperationMode::CentralSetpoint),
                            frequency_curve: vec![(number("49.9"), number("100"))],
                            signal_curve: vec![(-1, number("-100"))],
                        })
                    }),
                },
            ],
            random_delay_s: new.then_some(10),
            sales_tariff: document().filter(|_| second),
            absolute_prices: new.then_some(prices),
            price_levels: new.then_some(levels),
        }],
        void_after_offline: new.then_some(true),
        update_interval_s: new.then_some(60),
        updated: new.then_some(AT),
        price_signature: new.then(|| "signature".into()),
    }
}

fn prices(price: &str, fixed: bool) -> Option<Prices> {
    let range = |min: &str, max: &str| Range { min: some(min), max: some(max) };
    let span = Span { min: Some(60), max: Some(3_600) };
    let when = PriceConditions {
        from_time: NaiveTime::from_hms_opt(8, 0, 0),
        until_time: NaiveTime::from_hms_opt(20, 0, 0),
        days: DayOfWeek::ALL.to_vec(),
        from_date: NaiveDate::from_ymd_opt(2026, 1, 1),
        until_date: NaiveDate::from_ymd_opt(2026, 12, 31),
        evse_kind: Some(EvseKind::Dc),
        ..PriceConditions::default()
    };
    let when = if fixed {
        PriceConditions {
            payment_brand: Some("Visa".into()),
            payment_recognition: Some("Card".into()),
            ..when
        }
    } else {
        PriceConditions {
            energy: range("0", "20000"),
            current: range("6", "32"),
            power: range("1400", "22000.5"),
            time: span,
            charging_time: span,
            idle_time: span,
            ..when
        }
    };
    Some(Prices {
        prices: vec![
            ConditionalPrice { price: number(price), when: Some(Box::new(when)) },
            ConditionalPrice { price: number("1.00"), when: None },
        ],
        taxes: vec![TaxRate { kind: "VAT".into(), percent: number("25"), stack: Some(0) }],
    })
}

pub fn tariff() -> Box<TariffDocument> {
    let bound = |text: &str| {
        let taxes = vec![TaxRate { kind: "VAT".into(), percent: number("25"), stack: None }];
        Some(Price { excluding_tax: some(text), including_tax: some("62.5"), taxes })
    };
    Box::new(TariffDocument {
        id: "oslo-2026".into(),
        description: vec![message("Oslo")],
        currency: "NOK".into(),
        energy: prices("2.345678", false),
        valid_from: Some(AT),
        charging_time: prices("0.1", false),
        idle_time: prices("2", false),
        fixed_fee: prices("10", true),
        reservation_time: prices("0.5", false),
        reservation_fixed: prices("5", true),
        minimum: bound("10"),
        maximum: bound("50"),
    })
}

fn running(dialect: Dialect) -> Command {
    let charging = ChargingPrice { kwh: some("2.345"), hour: some("3"), flat: some("10") };
    let idle = || Some(IdlePrice { grace_min: Some(15), hour: some("60") });
    Command::RunningCost(Box::new(RunningCost {
        reference: reference(dialect),
        total: number("31.125000"),
        details: Some(RunningDetails {
            at: AT,
            meter: Energy(1_234_567_000),
            state: CostState::Charging,
            charging: charging.clone(),
            idle: idle(),
            next: Some(NextPrices { at: Instant(AT.0 + 1), charging, idle: idle() }),
            report_at: Some(MeterTrigger {
                at: Some(AT),
                energy: Some(Energy(20_000_000)),
                power: Some(11_000_000),
                states: vec![Availability::SuspendedEv, Availability::Finishing],
            }),
        }),
    }))
}

/// Commands that the dialect can say; together they use every action and field it has.
pub fn commands(dialect: Dialect) -> Vec<Command> {
    let mut all = common(dialect);
    match dialect {
        Dialect::V16 => all.extend(only_16()),
        Dialect::V201 => all.extend(second(dialect)),
        Dialect::V21 => {
            all.extend(second(dialect));
            all.extend(super::newest::commands());
        }
    }
    all
}

fn common(dialect: Dialect) -> Vec<Command> {
    let old = dialect == Dialect::V16;
    vec![
        Command::Reset { kind: ResetKind::Graceful, place: Place::CHARGER },
        Command::Reset { kind: ResetKind::Hard, place: Place::UNSAID },
        Command::ChangeAvailability { place: Place::CHARGER, operative: true },
        Command::ChangeAvailability { place: Place::evse(2), operative: false },
        Command::ClearCache,
        Command::Unlock(Place::evse(1)),
        Command::Trigger { message: TriggeredMessage::Boot, place: Place::UNSAID, extended: false },
        Command::Trigger { message: TriggeredMessage::Meter, place: Place::evse(1), extended: true },
        Command::Trigger { message: TriggeredMessage::Status, place: Place::evse(1), extended: false },
        Command::Trigger { message: TriggeredMessage::Heartbeat, place: Place::CHARGER, extended: false },
        Command::Trigger { message: TriggeredMessage::Firmware, place: Place::UNSAID, extended: true },
        Command::Trigger { message: TriggeredMessage::Diagnostics, place: Place::UNSAID, extended: false },
        Command::Trigger { message: TriggeredMessage::Log, place: Place::UNSAID, extended: false },
        Command::Trigger {
            message: TriggeredMessage::Sign(OwnCertificate::Station),
            place: Place::UNSAID,
            extended: false,
        },
        Command::Start(Box::new(StartOrder {
            place: Place::evse(1),
            token: token(dialect),
            group: (!old).then(|| token(dialect)),
            request: 77,
            profile: Some(Box::new(profile(dialect, ProfilePurpose::Tx))),
        })),
        Command::Start(Box::new(StartOrder {
            place: Place::UNSAID,
            token: Token::plain("abc"),
            group: None,
            request: 78,
            profile: None,
        })),
        Command::Stop(reference(dialect)),
        Command::Data {
            vendor: "com.example".into(),
            message: Some("hello".into()),
            data: Some(Json(r#"{"a":[1,2.50,"x"]}"#.into())),
        },
        Command::LocalListVersion,
        Command::SendLocalList {
            version: 4,
            full: true,
            entries: vec![(token(dialect), Some(info(dialect)))],
        },
        Command::SendLocalList { version: 5, full: false, entries: vec![(token(dialect), None)] },
        Command::SendLocalList { version: 6, full: true, entries: Vec::new() },
        Command::Reserve(Box::new(ReserveOrder {
            id: 5,
            place: Place::evse(1),
            plug: (!old).then(|| "sType2".into()),
            until: AT,
            token: token(dialect),
            group: Some(token(dialect)),
        })),
        Command::CancelReservation(5),
        Command::SetChargingProfile {
            place: Place::CHARGER,
            profile: Box::new(profile(dialect, ProfilePurpose::ChargerMax)),
        },
        Command::SetChargingProfile {
            place: Place::evse(1),
            profile: Box::new(profile(dialect, ProfilePurpose::TxDefault)),
        },
        Command::ClearChargingProfile(ProfileFilter {
            id: Some(9),
            evse: Some(1),
            purpose: Some(ProfilePurpose::Tx),
            stack_level: Some(2),
        }),
        Command::ClearChargingProfile(ProfileFilter::default()),
        Command::GetCompositeSchedule {
            place: Place::evse(1),
            duration_s: 3_600,
            unit: Some(RateUnit::Watt),
        },
        Command::UpdateFirmware(Box::new(firmware(true))),
        Command::GetLog(Box::new(log(LogKind::Security))),
        Command::GetLog(Box::new(log(LogKind::Diagnostics))),
        Command::CertificateSigned {
            chain: "-----BEGIN CERTIFICATE-----\n".into(),
            usage: Some(OwnCertificate::Station),
            request: Some(3),
        },
        Command::InstallCertificate { usage: CertificateUse::CsmsRoot, certificate: "pem".into() },
        Command::InstallCertificate { usage: CertificateUse::ManufacturerRoot, certificate: "pem".into() },
        Command::GetCertificates(vec![CertificateUse::ManufacturerRoot]),
        Command::DeleteCertificate(hash()),
        running(dialect),
    ]
}

fn firmware(signed: bool) -> FirmwareOrder {
    FirmwareOrder {
        request: 12,
        location: "https://example.com/fw.bin".into(),
        fetch_at: AT,
        install_at: signed.then_some(AT),
        certificate: signed.then(|| "pem".into()),
        signature: signed.then(|| "c2ln".into()),
        retries: Some(3),
        retry_interval_s: Some(60),
    }
}

pub fn log(kind: LogKind) -> LogOrder {
    LogOrder {
        kind,
        request: Some(8),
        location: "https://example.com/logs".into(),
        from: Some(AT),
        until: Some(AT),
        retries: Some(1),
        retry_interval_s: Some(30),
    }
}

fn only_16() -> Vec<Command> {
    vec![
        Command::GetConfiguration(vec!["HeartbeatInterval".into()]),
        Command::GetConfiguration(Vec::new()),
        Command::SetConfiguration { key: "HeartbeatInterval".into(), value: "300".into() },
        Command::UpdateFirmware(Box::new(firmware(false))),
        Command::GetLog(Box::new(LogOrder { request: None, ..log(LogKind::Diagnostics) })),
        Command::FinalCost(Box::new(FinalCost {
            reference: Reference::Ours(4711),
            total: number("31.13"),
            text: "31.13 NOK".into(),
            more: vec![message("31,13 kr")],
            qr_code: Some("https://example.com/r/1".into()),
        })),
        Command::UserPrice(UserPrice {
            token: "04A2".into(),
            text: "1.50".into(),
            more: vec![message("1,50")],
        }),
    ]
}

fn second(dialect: Dialect) -> Vec<Command> {
    let new = dialect == Dialect::V21;
    let trigger = |message| Command::Trigger { message, place: Place::connector(1, 1), extended: false };
    let monitor = |kind| Monitor {
        id: Some(1),
        stream: new.then_some(StreamRate { interval_s: Some(5), values: Some(10) }),
        transaction: Some(true),
        value: number("1.5"),
        kind,
        severity: 3,
        component: component(),
        variable: variable(),
    };
    vec![
        Command::Reset { kind: ResetKind::WhenIdle, place: Place::evse(1) },
        Command::Unlock(Place::connector(1, 2)),
        trigger(TriggeredMessage::Sign(OwnCertificate::V2g)),
        trigger(TriggeredMessage::SignCombined),
        trigger(TriggeredMessage::Transaction),
        trigger(TriggeredMessage::PublishFirmware),
        Command::TransactionStatus(Some(reference(dialect))),
        Command::TransactionStatus(None),
        Command::GetVariables(vec![GetVariable {
            component: component(),
            variable: variable(),
            attribute: Some(Attribute::Target),
        }]),
        Command::SetVariables(vec![SetVariable {
            component: component(),
            variable: variable(),
            attribute: Some(Attribute::Actual),
            value: "true".into(),
        }]),
        Command::GetBaseReport { request: 1, base: ReportBase::Full },
        Command::GetReport(ReportQuery {
            request: 2,
            variables: vec![(component(), Some(variable())), (component(), None)],
            components: ComponentCriterion::ALL.to_vec(),
        }),
        Command::SetNetworkProfile(Box::new(NetworkProfile {
            slot: 1,
            interface: NetworkInterface::Wired0,
            version: OcppVersion::V201,
            url: "wss://example.com/ocpp".into(),
            timeout_s: 30,
            security_profile: 2,
            identity: new.then(|| "CS1".into()),
            password: new.then(|| "secretsecretsecret".into()),
            apn: Some(Apn {
                address: "internet".into(),
                user: Some("u".into()),
                password: Some("p".into()),
                sim_pin: Some(1234),
                preferred: Some("24201".into()),
                only_preferred: Some(false),
                authentication: ApnAuthentication::Auto,
            }),
            vpn: Some(Vpn {
                server: "vpn.example.com".into(),
                user: "u".into(),
                group: Some("g".into()),
                password: "p".into(),
                key: "k".into(),
                kind: VpnKind::IkeV2,
            }),
        })),
        Command::GetChargingProfiles(ProfileQuery {
            request: 3,
            evse: Some(0),
            purpose: Some(ProfilePurpose::ExternalConstraints),
            stack_level: Some(1),
            ids: vec![1, 2],
            sources: vec!["EMS".into()],
        }),
        Command::PublishFirmware {
            request: 4,
            location: "https://example.com/fw.bin".into(),
            checksum: "d41d8cd98f00b204e9800998ecf8427e".into(),
            retries: Some(2),
            retry_interval_s: Some(60),
        },
        Command::UnpublishFirmware { checksum: "d41d8cd98f00b204e9800998ecf8427e".into() },
        Command::GetCertificates(Vec::new()),
        Command::SetDisplayMessage(Box::new(DisplayMessage {
            display: Some(component()),
            id: 1,
            priority: MessagePriority::AlwaysFront,
            state: Some(MessageState::Idle),
            from: Some(AT),
            until: Some(AT),
            transaction: Some(reference(dialect)),
            message: message("hello"),
            more: if new { vec![message("hei")] } else { Vec::new() },
        })),
        Command::GetDisplayMessages(MessageQuery {
            request: 5,
            ids: vec![1],
            priority: Some(MessagePriority::InFront),
            state: Some(MessageState::Charging),
        }),
        Command::ClearDisplayMessage(1),
        Command::SetMonitoringBase(MonitoringBase::All),
        Command::SetMonitoringLevel(4),
        Command::SetMonitors(vec![monitor(MonitorKind::Delta)]),
        Command::ClearMonitors(vec![1, 2]),
        Command::GetMonitors(MonitorQuery {
            request: 6,
            variables: vec![(component(), Some(variable()))],
            criteria: MonitoringCriterion::ALL.to_vec(),
        }),
        Command::CustomerInformation(Box::new(CustomerOrder {
            request: 7,
            report: true,
            clear: false,
            identifier: Some("d-17".into()),
            token: Some(token(dialect)),
            certificate: Some(hash()),
        })),
    ]
}
