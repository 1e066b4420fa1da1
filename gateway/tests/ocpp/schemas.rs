//! The OCPP layer against the official JSON schemas, as PyPI `ocpp` ships them (they may not be copied into this repository).
//!
//! `python3` with `venv` is needed, and PyPI for the first run: the package goes to a virtual environment under `target/`.
//! `TAKST_OCPP_PYTHON` names a Python that has `ocpp` 2.1.0 already.

mod answers;
mod instances;
mod newest;
mod samples;

use instances::{Size, instance, longest_enumeration};
use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use takst_engine::units::Instant;
use takst_gateway::chargers::model::{Answer, Report};
use takst_gateway::ocpp::{Dialect, Habits, schema};

/// 2026-01-01T12:00:00Z.
const NOW: Instant = Instant(1_767_268_800_000);

const fn folder(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::V16 => "v16",
        Dialect::V201 => "v201",
        Dialect::V21 => "v21",
    }
}

// A Python that has the package, installed once.
pub fn python() -> &'static Path {
    static PYTHON: OnceLock<PathBuf> = OnceLock::new();
    PYTHON.get_or_init(|| {
        if let Some(named) = std::env::var_os("TAKST_OCPP_PYTHON") {
            return named.into();
        }
        let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join("ocpp-schemas");
        let python = home.join("bin/python");
        let has = |python: &Path| {
            let probe = "import ocpp, jsonschema, importlib.metadata as m; assert m.version('ocpp') == '2.1.0'";
            Command::new(python).args(["-c", probe]).output().is_ok_and(|output| output.status.success())
        };
        if !has(&python) {
            let run = |command: &mut Command| {
                let output = command.output();
                let fine = output.as_ref().is_ok_and(|output| output.status.success());
                let hint = "this test needs `python3` with `venv` (Debian: python3-venv) and PyPI, or TAKST_OCPP_PYTHON \
                            naming a Python with `pip install ocpp==2.1.0`";
                assert!(fine, "{hint}: {command:?}: {output:?}");
            };
            run(Command::new("python3").args(["-m", "venv"]).arg(&home));
            run(Command::new(&python).args(["-m", "pip", "install", "--quiet", "ocpp==2.1.0"]));
        }
        python
    })
}

fn schemas() -> &'static Path {
    static HOME: OnceLock<PathBuf> = OnceLock::new();
    HOME.get_or_init(|| {
        let output = Command::new(python())
            .args(["-c", "import ocpp, os; print(os.path.dirname(ocpp.__file__))"])
            .output()
            .expect("python runs");
        PathBuf::from(String::from_utf8(output.stdout).expect("a path").trim())
    })
}

fn load(dialect: Dialect, name: &str) -> Value {
    let path = schemas().join(folder(dialect)).join("schemas").join(format!("{name}.json"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(text.trim_start_matches('\u{feff}')).expect("a schema is JSON")
}

// 1.6 names a request's schema by the action alone, and so does 2.1's only SEND.
fn request_schema(dialect: Dialect, action: &str) -> String {
    if dialect == Dialect::V16 || action == "NotifyPeriodicEventStream" {
        action.to_owned()
    } else {
        format!("{action}Request")
    }
}

fn actions(dialect: Dialect) -> BTreeSet<String> {
    let folder = schemas().join(folder(dialect)).join("schemas");
    std::fs::read_dir(folder)
        .expect("the schemas are there")
        .filter_map(|entry| {
            entry.unwrap().file_name().into_string().unwrap().strip_suffix(".json").map(str::to_owned)
        })
        .filter(|name| !name.ends_with("Response"))
        .map(|name| name.strip_suffix("Request").map_or(name.clone(), str::to_owned))
        .collect()
}

fn all_instances(schema: &Value) -> Vec<String> {
    let mut sizes = vec![Size::Least];
    sizes.extend((0..longest_enumeration(schema)).map(Size::Most));
    sizes.into_iter().map(|size| instance(schema, size).to_string()).collect()
}

#[test]
fn every_request_of_a_charger_is_read_without_deviation() {
    let mut read = 0;
    for dialect in Dialect::ALL {
        for action in dialect.actions() {
            for text in all_instances(&load(dialect, &request_schema(dialect, action))) {
                let payload: Box<RawValue> = serde_json::from_str(&text).unwrap();
                let inbound = dialect
                    .read_call(action, Some(&payload), NOW, &Habits::default())
                    .unwrap_or_else(|refusal| panic!("{dialect} {action}: {refusal:?}: {text}"));
                // A value may be in a unit that does not fit what is measured: right by the schema, of no use to us.
                let odd: Vec<_> =
                    inbound.deviations.iter().filter(|odd| !odd.path.ends_with("sampledValue")).collect();
                assert!(odd.is_empty(), "{dialect} {action}: {odd:?}: {text}");
                let strict = schema::violations(dialect, action, Some(&payload));
                assert!(strict.is_empty(), "{dialect} {action}: {strict:?}: {text}");
                let kept = serde_json::to_string(&inbound.report).unwrap();
                assert_eq!(serde_json::from_str::<Report>(&kept).unwrap(), inbound.report);
                read += 1;
            }
        }
    }
    assert!(read > 500, "only {read} instances");
}

#[test]
fn the_strict_check_says_what_and_where() {
    for (dialect, action, text, wanted) in [
        (
            Dialect::V16,
            "BootNotification",
            r#"{"chargePointVendor":"x"}"#,
            "missing field `chargePointModel`",
        ),
        (
            Dialect::V16,
            "StatusNotification",
            r#"{"connectorId":1,"errorCode":"NoError","status":"Occupied"}"#,
            "`Occupied`",
        ),
        (Dialect::V201, "MeterValues", r#"{"evseId":1,"meterValue":[]}"#, "meterValue"),
        (Dialect::V21, "Heartbeat", "[1]", "after `[1`"),
    ] {
        let payload: Box<RawValue> = serde_json::from_str(text).unwrap();
        let found = schema::violations(dialect, action, Some(&payload));
        assert!(found.len() == 1 && found[0].contains(wanted), "{found:?}");
        // Reported, never refused.
        assert!(
            action == "Heartbeat"
                || dialect.read_call(action, Some(&payload), NOW, &Habits::default()).is_ok()
        );
    }
    for (dialect, action, text, wanted) in [
        (Dialect::V16, "Reset", "{}", "missing field `status`"),
        (Dialect::V16, "ChangeConfiguration", r#"{"status":"Fine"}"#, "`Fine`"),
        (Dialect::V201, "GetVariables", r#"{"getVariableResult":[]}"#, "getVariableResult"),
        (Dialect::V21, "SetDefaultTariff", r#"{"status":"NotSupported"}"#, "`NotSupported`"),
    ] {
        let payload: Box<RawValue> = serde_json::from_str(text).unwrap();
        let found = schema::violations_of_answer(dialect, action, Some(&payload));
        assert!(found.len() == 1 && found[0].contains(wanted), "{dialect} {action}: {found:?}");
    }
    // Many keys are no mistake.
    let keys: Vec<Value> =
        (0..60).map(|n| serde_json::json!({"key": format!("k{n}"), "readonly": false})).collect();
    let many = serde_json::json!({ "configurationKey": keys }).to_string();
    let many: Box<RawValue> = serde_json::from_str(&many).unwrap();
    assert!(schema::violations_of_answer(Dialect::V16, "GetConfiguration", Some(&many)).is_empty());
    assert!(schema::violations_of_answer(Dialect::V16, "Nonsense", None).is_empty());
    assert!(schema::violations(Dialect::V16, "Heartbeat", None).is_empty());
    assert!(schema::violations(Dialect::V16, "Nonsense", None).is_empty());
}

#[test]
fn every_answer_of_a_charger_is_read_without_deviation() {
    let mut read = 0;
    for dialect in Dialect::ALL {
        for action in actions(dialect).iter().filter(|action| !dialect.actions().contains(&action.as_str())) {
            for text in all_instances(&load(dialect, &format!("{action}Response"))) {
                let payload: Box<RawValue> = serde_json::from_str(&text).unwrap();
                let (outcome, odd) = dialect.read_outcome(action, Some(&payload), NOW, &Habits::default());
                assert!(odd.is_empty(), "{dialect} {action}: {odd:?}: {text}");
                assert!(!outcome.status.as_str().is_empty(), "{dialect} {action}: {text}");
                let strict = schema::violations_of_answer(dialect, action, Some(&payload));
                assert!(strict.is_empty(), "{dialect} {action}: {strict:?}: {text}");
                read += 1;
            }
        }
    }
    assert!(read > 300, "only {read} instances");
}

// Fields that we never send, and why.
const NEVER_SENT: &[&str] = &[
    // ISO 15118 price documents go through as they are.
    "SalesTariffType.",
    "SalesTariffEntryType.",
    "RelativeTimeIntervalType.",
    "ConsumptionCostType.",
    "CostType.",
    "AbsolutePriceScheduleType.",
    "AdditionalSelectedServicesType.",
    "OverstayRule",
    "PriceLevelSchedule",
    "PriceRule",
    "RationalNumberType.",
    "TaxRuleType.",
];

#[test]
fn everything_we_send_is_valid_ordered_and_complete() {
    let mut jobs = String::new();
    let mut count = 0;
    let mut job = |dialect: Dialect, schema: &str, payload: &str| {
        assert!(!payload.contains(": ") && !payload.contains('\n'), "not compact: {payload}");
        jobs.push_str(&format!(
            "{{\"version\":\"{}\",\"schema\":\"{schema}\",\"instance\":{payload}}}\n",
            folder(dialect)
        ));
        count += 1;
    };
    for dialect in Dialect::ALL {
        let mut said = BTreeSet::new();
        for command in samples::commands(dialect) {
            let call = dialect.write_command(&command).unwrap_or_else(|error| panic!("{error}: {command:?}"));
            job(dialect, &request_schema(dialect, call.action), &call.payload);
            said.insert(call.action.to_owned());
        }
        let ours: BTreeSet<String> = actions(dialect)
            .into_iter()
            .filter(|action| action == "DataTransfer" || !dialect.actions().contains(&action.as_str()))
            .collect();
        assert_eq!(said, ours, "{dialect}: actions that we can send");
        for (action, answer) in answers::answers(dialect) {
            let payload =
                dialect.write_answer(action, &answer).unwrap_or_else(|error| panic!("{error}: {answer:?}"));
            job(dialect, &format!("{action}Response"), &payload);
        }
        // What is answered where nobody acts.
        for action in dialect.actions() {
            for text in all_instances(&load(dialect, &request_schema(dialect, action))) {
                let payload: Box<RawValue> = serde_json::from_str(&text).unwrap();
                let inbound = dialect.read_call(action, Some(&payload), NOW, &Habits::default()).unwrap();
                // A SEND is not answered.
                let answer =
                    inbound.report.default_answer(NOW).filter(|_| *action != "NotifyPeriodicEventStream");
                if let Some(answer) = answer {
                    let payload = dialect.write_answer(action, &answer).unwrap();
                    job(dialect, &format!("{action}Response"), &payload);
                } else if *action != "NotifyPeriodicEventStream" {
                    assert!(matches!(
                        inbound.report,
                        Report::Boot(_) | Report::Authorize(_) | Report::Transaction(_)
                    ));
                }
            }
        }
    }
    let mut checker = Command::new(python())
        .args(["-c", include_str!("schemas/check.py")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python runs");
    checker.stdin.take().unwrap().write_all(jobs.as_bytes()).expect("python reads");
    let output = String::from_utf8(checker.wait_with_output().unwrap().stdout).unwrap();
    let (wrong, last) = output.trim_end().rsplit_once('\n').unwrap_or(("", output.trim_end()));
    assert_eq!(last, format!("done {count}"), "{output}");
    let wrong: Vec<&str> = wrong
        .lines()
        .filter(|line| !line.is_empty())
        .filter(|line| {
            let field =
                line.strip_prefix("missing ").and_then(|rest| rest.split_once(' ')).map(|(_, field)| field);
            !field.is_some_and(|field| NEVER_SENT.iter().any(|never| field.starts_with(never)))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count > 700, "only {count} messages");
}

#[test]
fn what_a_dialect_cannot_say_is_named() {
    for dialect in Dialect::ALL {
        let mut refused = 0;
        for command in samples::commands(Dialect::V21).into_iter().chain(samples::commands(Dialect::V16)) {
            if let Err(error) = dialect.write_command(&command) {
                let text = error.to_string();
                assert!(text.starts_with(&dialect.to_string()) && text.len() > 30, "{text}");
                refused += 1;
            }
        }
        assert!(refused > 1, "{dialect}");
    }
    for dialect in Dialect::ALL {
        assert!(dialect.write_answer("Heartbeat", &Answer::Done).is_err());
        assert!(dialect.write_answer("Nonsense", &Answer::Done).is_err());
    }
}
