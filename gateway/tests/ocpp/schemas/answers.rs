//! Answers with every field that a dialect has.

use super::samples::{AT, hash, info, message, rates, some, tariff};
use takst_gateway::chargers::model::*;
use takst_gateway::ocpp::Dialect;

/// Answers with every field, by action.
pub fn answers(dialect: Dialect) -> Vec<(&'static str, Answer)> {
    let (old, new) = (dialect == Dialect::V16, dialect == Dialect::V21);
    let why = || Some(StatusInfo { code: "NotNow".into(), text: Some("later".into()) });
    let boot = |status| Answer::Boot { status, now: AT, interval_s: 300, info: why() };
    let mut all = vec![
        ("BootNotification", boot(Registration::Accepted)),
        ("BootNotification", boot(Registration::Pending)),
        ("BootNotification", boot(Registration::Rejected)),
        ("Heartbeat", Answer::Time(AT)),
        ("Authorize", Answer::Authorize(Box::new(TokenInfo::of(TokenStatus::Unknown).into()))),
        (
            "Authorize",
            Answer::Authorize(Box::new(AuthorizeAnswer {
                token: info(dialect),
                certificate: (!old).then_some(CertificateVerdict::Accepted),
                transfers: if new { vec![EnergyTransfer::Dc] } else { Vec::new() },
                tariff: new.then(tariff),
            })),
        ),
        (
            "DataTransfer",
            Answer::Data { status: Status::Accepted, info: why(), data: Some(Json(r#"{"a":1}"#.into())) },
        ),
        ("SignCertificate", Answer::Verdict { accepted: true, info: why() }),
    ];
    let transaction = TransactionAnswer {
        id: Some(4711),
        token: Some(info(dialect)),
        total_cost: some("12.50"),
        priority: Some(1),
        limit: Some(TransactionLimit {
            cost: some("100"),
            energy_wh: some("20000"),
            time_s: Some(3_600),
            soc: Some(80),
        }),
        message: Some(message("12.50")),
        more: vec![message("a"), message("b"), message("c"), message("d"), message("e")],
    };
    if old {
        for status in [
            TokenStatus::Accepted,
            TokenStatus::Blocked,
            TokenStatus::ConcurrentTx,
            TokenStatus::Expired,
            TokenStatus::Invalid,
            TokenStatus::NoCredit,
            TokenStatus::NotAtThisTime,
            TokenStatus::Other("x".into()),
        ] {
            let token = Some(TokenInfo { status, ..info(dialect) });
            all.push((
                "StartTransaction",
                Answer::Transaction(Box::new(TransactionAnswer { token, ..transaction.clone() })),
            ));
        }
        all.push(("StopTransaction", Answer::Transaction(Box::new(transaction.clone()))));
        all.push(("StopTransaction", Answer::Transaction(Box::default())));
        all.push(("MeterValues", Answer::Transaction(Box::new(transaction))));
        return all;
    }
    all.extend([
        ("TransactionEvent", Answer::Transaction(Box::new(transaction))),
        ("TransactionEvent", Answer::Transaction(Box::default())),
        ("TransactionEvent", Answer::Done),
        (
            "Get15118EVCertificate",
            Answer::EvCertificate {
                accepted: true,
                exi: "ZXhp".into(),
                remaining: new.then_some(1),
                info: why(),
            },
        ),
        ("GetCertificateStatus", Answer::Ocsp { result: Some("b2NzcA==".into()), info: why() }),
        ("NotifyEVChargingNeeds", Answer::ChargingNeeds(NeedsVerdict::Processing)),
        ("NotifyEVChargingNeeds", Answer::ChargingNeeds(NeedsVerdict::NoProfile)),
        ("NotifyEVChargingSchedule", Answer::Verdict { accepted: false, info: why() }),
    ]);
    if new {
        let company = Address {
            name: "Takst AS".into(),
            line1: "Storgata 1".into(),
            line2: Some("2. etg".into()),
            city: "Oslo".into(),
            postal_code: Some("0155".into()),
            country: "Norway".into(),
        };
        all.extend([
            (
                "GetCertificateChainStatus",
                Answer::ChainStatus(vec![ChainStatus {
                    hash: hash(),
                    source: "OCSP".into(),
                    status: ChainVerdict::Good,
                    next: AT,
                }]),
            ),
            (
                "PullDynamicScheduleUpdate",
                Answer::DynamicSchedule {
                    update: Some(Box::new(ScheduleUpdate { limit: some("10"), rates: rates() })),
                },
            ),
            (
                "NotifySettlement",
                Answer::Settlement { receipt_url: Some("https://x".into()), receipt_id: Some("1".into()) },
            ),
            (
                "VatNumberValidation",
                Answer::VatNumber {
                    query: VatNumberQuery { number: "NO123".into(), evse: Some(1) },
                    accepted: true,
                    company: Some(company),
                    info: why(),
                },
            ),
        ]);
    }
    all
}
