//! Commands that people and programs give to chargers, and the decision about one that waits to be let in.

use super::access::Wish;
use super::{Api, Body, Caller, Named, Problem};
use crate::chargers::model::{
    ChargingProfile, Command, FirmwareOrder, LogKind, LogOrder, ResetKind, TriggeredMessage,
};
use crate::chargers::time;
use crate::clock::now;
use crate::desk::Order;
use crate::store::{AuditEntry, Lane, Registration, Tx, new_id};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use takst_engine::units::Instant;
use utoipa::ToSchema;

/// How a charger is restarted.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ResetWord {
    /// End transactions properly, then restart (1.6 Soft, 2.x Immediate).
    Graceful,
    /// Restart the hardware (1.6 Hard, 2.x Immediate).
    Hard,
    /// Restart once nobody charges (2.x OnIdle).
    #[serde(alias = "when_idle")]
    WhenIdle,
    /// Restart and go on with the transactions (2.1 ImmediateAndResume).
    Resume,
}

/// A message that a charger can be asked for.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum MessageWord {
    /// Who it is.
    #[serde(alias = "Boot")]
    Boot,
    /// That it is there.
    #[serde(alias = "Heartbeat")]
    Heartbeat,
    /// What it measures.
    #[serde(alias = "Meter")]
    Meter,
    /// State of connectors.
    #[serde(alias = "Status")]
    Status,
    /// How a firmware update goes.
    #[serde(alias = "Firmware")]
    Firmware,
    /// How an upload of diagnostics goes (1.6; 2.x: as `log`).
    #[serde(alias = "Diagnostics")]
    Diagnostics,
    /// How an upload of a log goes.
    #[serde(alias = "Log")]
    Log,
    /// State of transactions (2.x).
    #[serde(alias = "Transaction")]
    Transaction,
    /// How publishing of firmware goes (2.x).
    #[serde(alias = "PublishFirmware")]
    PublishFirmware,
    /// A request to sign both certificates (2.x).
    #[serde(alias = "SignCombined")]
    SignCombined,
}

/// Which log is uploaded.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LogWord {
    /// For those who look for a fault.
    Diagnostics,
    /// Of security events.
    Security,
    /// What it has collected (2.1).
    DataCollector,
}

/// A command. Times are RFC 3339.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
pub enum OrderDoc {
    /// Start a transaction for a token.
    RemoteStart {
        /// Where; left out: the charger chooses.
        evse: Option<i64>,
        /// For whom.
        token: String,
    },
    /// Stop the transaction of a session.
    RemoteStop {
        /// Its id.
        session: String,
    },
    /// Let go of the cable.
    Unlock {
        /// Where.
        evse: i64,
        /// Which connector; left out: the first.
        connector: Option<i64>,
    },
    /// Restart.
    Reset {
        /// How.
        kind: ResetWord,
        /// Only this EVSE (2.x).
        evse: Option<i64>,
    },
    /// Take into or out of service.
    ChangeAvailability {
        /// Where; left out: the charger.
        evse: Option<i64>,
        /// Only this connector (2.x).
        connector: Option<i64>,
        /// Into service.
        operative: bool,
    },
    /// Send a message now.
    Trigger {
        /// Which.
        message: MessageWord,
        /// About what; left out: all.
        evse: Option<i64>,
        /// Which connector of it (2.x); in 1.6, without `evse`, the connector itself.
        connector: Option<i64>,
    },
    /// Set a configuration key (1.6). The value of a secret is not written down.
    SetConfiguration {
        /// Its name.
        key: String,
        /// To this.
        value: String,
    },
    /// Read configuration keys (1.6).
    GetConfiguration {
        /// These; left out: all.
        #[serde(default)]
        keys: Vec<String>,
    },
    /// Forget remembered tokens.
    ClearCache {},
    /// Send the tokens that may charge, for when the charger is offline.
    SendLocalList {},
    /// Reserve.
    Reserve {
        /// Number of the reservation.
        id: i64,
        /// Where; left out: the charger chooses.
        evse: Option<i64>,
        /// For whom.
        token: String,
        /// Until when.
        until: String,
    },
    /// Give up a reservation.
    CancelReservation {
        /// Its number.
        id: i64,
    },
    /// Install new firmware. For many chargers see `/api/v1/campaigns`.
    UpdateFirmware {
        /// Number of the request; the reports carry it.
        request: i64,
        /// Where it is.
        location: String,
        /// When to fetch it; left out: now.
        fetch_at: Option<String>,
        /// When to install it.
        install_at: Option<String>,
        /// The maker's certificate, PEM; with `signature`.
        certificate: Option<String>,
        /// Signature of the firmware, base64.
        signature: Option<String>,
        /// How often to try.
        retries: Option<i64>,
        /// Seconds between tries.
        retry_interval_s: Option<i64>,
    },
    /// Upload a log.
    GetLog {
        /// Which.
        kind: LogWord,
        /// Number of the request; left out: 1.6's GetDiagnostics, which has none.
        request: Option<i64>,
        /// Where to put it.
        location: String,
        /// From when.
        from: Option<String>,
        /// Until when.
        until: Option<String>,
        /// How often to try.
        retries: Option<i64>,
        /// Seconds between tries.
        retry_interval_s: Option<i64>,
    },
    /// Set a charging profile.
    SetChargingProfile {
        /// Where; left out: the charger.
        evse: Option<i64>,
        /// The profile, in the words of the gateway's model.
        #[schema(value_type = Object)]
        profile: Value,
    },
    /// How is the transaction of a session (2.x)?
    TransactionStatus {
        /// Its id.
        session: String,
    },
    /// Any other command, in the words of the gateway's model; they may change between versions.
    Raw {
        /// The command.
        #[schema(value_type = Object)]
        command: Value,
    },
}

/// What a command came to.
#[derive(Debug, Serialize, ToSchema)]
pub struct DoneDoc {
    /// Its id among the commands of the charger.
    pub id: String,
    /// What the charger answered.
    pub outcome: OutcomeDoc,
}

/// An answer of a charger.
#[derive(Debug, Serialize, ToSchema)]
pub struct OutcomeDoc {
    /// `Accepted`, `Rejected`, ... as OCPP has it.
    pub status: String,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Object)]
    pub info: Option<Value>,
    /// What was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Object)]
    pub details: Option<Value>,
}

fn instant(name: &str, text: &str) -> Result<Instant, Problem> {
    time::read(text, 0).map(|(at, _)| at).ok_or_else(|| {
        Problem::bad(format!("`{name}`: `{text}` is no time; write it as in 2026-11-22T01:00:00Z"))
    })
}

fn some_instant(name: &str, text: Option<String>) -> Result<Option<Instant>, Problem> {
    text.map(|text| instant(name, &text)).transpose()
}

fn model<T: DeserializeOwned>(name: &str, value: Value) -> Result<T, Problem> {
    serde_json::from_value(value).map_err(|error| Problem::bad(format!("`{name}`: {error}")))
}

impl OrderDoc {
    // The same for the desk.
    fn order(self) -> Result<Order, Problem> {
        Ok(match self {
            Self::RemoteStart { evse, token } => Order::RemoteStart { evse, token },
            Self::RemoteStop { session } => Order::RemoteStop { session },
            Self::Unlock { evse, connector } => Order::Unlock { evse, connector },
            Self::Reset { kind, evse } => {
                let kind = match kind {
                    ResetWord::Graceful => ResetKind::Graceful,
                    ResetWord::Hard => ResetKind::Hard,
                    ResetWord::WhenIdle => ResetKind::WhenIdle,
                    ResetWord::Resume => ResetKind::Resume,
                };
                Order::Reset { kind, evse }
            }
            Self::ChangeAvailability { evse, connector, operative } => {
                Order::ChangeAvailability { evse, connector, operative }
            }
            Self::Trigger { message, evse, connector } => {
                let message = match message {
                    MessageWord::Boot => TriggeredMessage::Boot,
                    MessageWord::Heartbeat => TriggeredMessage::Heartbeat,
                    MessageWord::Meter => TriggeredMessage::Meter,
                    MessageWord::Status => TriggeredMessage::Status,
                    MessageWord::Firmware => TriggeredMessage::Firmware,
                    MessageWord::Diagnostics => TriggeredMessage::Diagnostics,
                    MessageWord::Log => TriggeredMessage::Log,
                    MessageWord::Transaction => TriggeredMessage::Transaction,
                    MessageWord::PublishFirmware => TriggeredMessage::PublishFirmware,
                    MessageWord::SignCombined => TriggeredMessage::SignCombined,
                };
                Order::Trigger { message, evse, connector }
            }
            Self::SetConfiguration { key, value } => Order::SetConfiguration { key, value },
            Self::GetConfiguration { keys } => Order::GetConfiguration { keys },
            Self::ClearCache {} => Order::ClearCache,
            Self::SendLocalList {} => Order::SendLocalList,
            Self::Reserve { id, evse, token, until } => {
                Order::Reserve { id, evse, token, until: instant("until", &until)? }
            }
            Self::CancelReservation { id } => Order::CancelReservation { id },
            Self::UpdateFirmware {
                request,
                location,
                fetch_at,
                install_at,
                certificate,
                signature,
                retries,
                retry_interval_s,
            } => Order::UpdateFirmware(Box::new(FirmwareOrder {
                request,
                location,
                fetch_at: some_instant("fetch_at", fetch_at)?.unwrap_or_else(now),
                install_at: some_instant("install_at", install_at)?,
                certificate,
                signature,
                retries,
                retry_interval_s,
            })),
            Self::GetLog { kind, request, location, from, until, retries, retry_interval_s } => {
                let kind = match kind {
                    LogWord::Diagnostics => LogKind::Diagnostics,
                    LogWord::Security => LogKind::Security,
                    LogWord::DataCollector => LogKind::DataCollector,
                };
                Order::GetLog(Box::new(LogOrder {
                    kind,
                    request,
                    location,
                    from: some_instant("from", from)?,
                    until: some_instant("until", until)?,
                    retries,
                    retry_interval_s,
                }))
            }
            Self::SetChargingProfile { evse, profile } => {
                let profile: ChargingProfile = model("profile", profile)?;
                Order::SetChargingProfile { evse, profile: Box::new(profile) }
            }
            Self::TransactionStatus { session } => Order::TransactionStatus { session },
            Self::Raw { command } => {
                let command: Command = model("command", command)?;
                Order::Raw { command: Box::new(command) }
            }
        })
    }
}

/// Commands a charger, as in `{"do": "remote-start", "evse": 1, "token": "04A2"}`. Answers when the charger has.
#[utoipa::path(post, path = "/api/v1/chargers/{id}/commands", tag = "chargers", params(("id" = String, Path)),
    request_body = OrderDoc,
    responses((status = 200, body = DoneDoc), (status = "4XX", body = Problem), (status = "5XX", body = Problem)))]
pub(super) async fn give(
    State(api): State<Api>,
    caller: Caller,
    Named(id): Named<String>,
    Body(order): Body<OrderDoc>,
) -> Result<Json<DoneDoc>, Problem> {
    caller.wants(Wish::Command)?;
    let order = order.order()?;
    let charger = api.charger(&caller.org, &id).await?;
    Ok(Json(api.house.order(&caller.org, &charger.id, order, &caller.who).await?))
}

/// Lets in a charger that waits to be accepted. One that the set-up names is let in by that; others work without a site and a price
/// until they are named.
#[utoipa::path(post, path = "/api/v1/chargers/{id}/accept", tag = "chargers", params(("id" = String, Path)),
    responses((status = 204), (status = "4XX", body = Problem)))]
pub(super) async fn accept(
    State(api): State<Api>,
    caller: Caller,
    Named(id): Named<String>,
) -> Result<StatusCode, Problem> {
    register(&api, &caller, &id, Registration::Accepted).await
}

/// Turns a charger away from now on.
#[utoipa::path(post, path = "/api/v1/chargers/{id}/reject", tag = "chargers", params(("id" = String, Path)),
    responses((status = 204), (status = "4XX", body = Problem)))]
pub(super) async fn reject(
    State(api): State<Api>,
    caller: Caller,
    Named(id): Named<String>,
) -> Result<StatusCode, Problem> {
    register(&api, &caller, &id, Registration::Rejected).await
}

async fn register(
    api: &Api,
    caller: &Caller,
    id: &str,
    registration: Registration,
) -> Result<StatusCode, Problem> {
    caller.wants(Wish::Decide)?;
    let known = api.charger(&caller.org, id).await?;
    let entry = AuditEntry {
        id: new_id(),
        at: now(),
        who: caller.who.clone(),
        what: format!("charger.{}", if registration == Registration::Accepted { "accept" } else { "reject" }),
        subject: known.id.clone(),
        before_doc: Some(serde_json::json!({ "registration": known.registration }).to_string()),
        after_doc: Some(serde_json::json!({ "registration": registration }).to_string()),
    };
    let (org, charger) = (caller.org.clone(), known.id.clone());
    let unit = async move |tx: &mut Tx| {
        tx.set_registration(&org, &charger, registration).await?;
        tx.audit(&org, &entry).await
    };
    api.store.write(Lane::charger(&caller.org, &known.id), unit).await?;
    api.house.registered(&caller.org, &known.id, registration == Registration::Accepted);
    Ok(StatusCode::NO_CONTENT)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Order, String> {
        let order: OrderDoc = serde_json::from_str(text).map_err(|error| error.to_string())?;
        order.order().map_err(|problem| problem.title)
    }

    #[test]
    fn commands_are_read_and_what_is_wrong_is_named() {
        assert_eq!(read(r#"{"do": "clear-cache"}"#), Ok(Order::ClearCache));
        let reserve = r#"{"do": "reserve", "id": 1, "token": "A", "until": "2026-01-01T00:00:00Z"}"#;
        let until = Instant(1_767_225_600_000);
        assert_eq!(read(reserve), Ok(Order::Reserve { id: 1, evse: None, token: "A".into(), until }));
        let trigger = Order::Trigger { message: TriggeredMessage::Status, evse: Some(1), connector: None };
        assert_eq!(read(r#"{"do": "trigger", "message": "status", "evse": 1}"#).as_ref(), Ok(&trigger));
        assert_eq!(read(r#"{"do": "trigger", "message": "Status", "evse": 1}"#).as_ref(), Ok(&trigger));
        let trigger = Order::Trigger { message: TriggeredMessage::Status, evse: Some(1), connector: Some(2) };
        assert_eq!(read(r#"{"do": "trigger", "message": "status", "evse": 1, "connector": 2}"#), Ok(trigger));
        for (text, word) in [
            (r#"{"do": "dance"}"#, "remote-start"),
            (r#"{"do": "unlock", "evse": 1, "foo": 2}"#, "foo"),
            (r#"{"do": "unlock"}"#, "evse"),
            (r#"{"do": "reserve", "id": 1, "token": "A", "until": "soon"}"#, "`until`: `soon` is no time"),
        ] {
            let why = read(text).unwrap_err();
            assert!(why.contains(word), "{text}: {why}");
        }
    }
}
