//! What people and the API tell chargers to do.

use super::tokens::{Spot, is_master_pass};
use super::work::{GATEWAY, Scene};
use super::{Clerk, admit, begin, limits, work};
use crate::chargers::model::{
    ChargingProfile, Command, FirmwareOrder, LogOrder, Outcome, Place, Reference, ReserveOrder, ResetKind,
    StartOrder, Status, Token, TokenInfo, TokenKind, TokenStatus, TriggeredMessage,
};
use crate::hub::{Hub, Unsent};
use crate::ocpp::secrets;
use crate::sessions::Said;
use crate::store::{self, CommandStatus, Error, Lane, LocalList, OrgId, Registration, Session, Tx, new_id};
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::time::Duration;
use takst_engine::units::Instant;

/// How long a charger may take to answer.
const WITHIN: Duration = Duration::from_secs(30);
/// Entries of a local list in one message.
const LIST_PART: usize = 200;
/// Entries of a local list in all.
const LIST_WHOLE: usize = 5000;

/// The way to chargers.
pub trait Wire: Send + Sync + 'static {
    /// Tells a charger something and waits for its answer.
    fn command<'a>(
        &'a self,
        org: &'a OrgId,
        charger: &'a str,
        command: Command,
        within: Duration,
    ) -> BoxFuture<'a, Result<Outcome, Unsent>>;
}

impl Wire for Hub {
    fn command<'a>(
        &'a self,
        org: &'a OrgId,
        charger: &'a str,
        command: Command,
        within: Duration,
    ) -> BoxFuture<'a, Result<Outcome, Unsent>> {
        Box::pin(Hub::command(self, org, charger, command, within))
    }
}

impl Wire for super::Nobody {
    fn command<'a>(
        &'a self,
        _: &'a OrgId,
        _: &'a str,
        _: Command,
        _: Duration,
    ) -> BoxFuture<'a, Result<Outcome, Unsent>> {
        Box::pin(std::future::ready(Err(Unsent::NotConnected)))
    }
}

/// What to do. As JSON: an object with `do` and what belongs to it, as in `{"do": "remote-start", "evse": 1, "token": "04A2"}`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
pub enum Order {
    /// Start a transaction for a token.
    RemoteStart {
        /// Where; none: the charger chooses.
        #[serde(default)]
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
        /// Which connector; none: the first.
        #[serde(default)]
        connector: Option<i64>,
    },
    /// Restart.
    Reset {
        /// `graceful`, `hard`, `when_idle`, `resume`.
        kind: ResetKind,
        /// Only this EVSE (2.x).
        #[serde(default)]
        evse: Option<i64>,
    },
    /// Take into or out of service.
    ChangeAvailability {
        /// Where; none: the charger.
        #[serde(default)]
        evse: Option<i64>,
        /// Only this connector (2.x).
        #[serde(default)]
        connector: Option<i64>,
        /// Into service.
        operative: bool,
    },
    /// Send a message now.
    Trigger {
        /// Which: `Boot`, `Heartbeat`, `Meter`, `Status`, ...
        message: TriggeredMessage,
        /// About what; none: all.
        #[serde(default)]
        evse: Option<i64>,
        /// Which connector of it (2.x); in 1.6, without `evse`, the connector itself.
        #[serde(default)]
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
        /// These; none: all.
        #[serde(default)]
        keys: Vec<String>,
    },
    /// Forget remembered tokens.
    ClearCache,
    /// Send the tokens that may charge, for when the charger is offline.
    SendLocalList,
    /// Reserve.
    Reserve {
        /// Number of the reservation.
        id: i64,
        /// Where; none: the charger chooses.
        #[serde(default)]
        evse: Option<i64>,
        /// For whom.
        token: String,
        /// Until when, milliseconds since 1970.
        until: Instant,
    },
    /// Give up a reservation.
    CancelReservation {
        /// Its number.
        id: i64,
    },
    /// Install new firmware.
    UpdateFirmware(Box<FirmwareOrder>),
    /// Upload a log.
    GetLog(Box<LogOrder>),
    /// Set a charging profile.
    SetChargingProfile {
        /// Where; none: the charger.
        #[serde(default)]
        evse: Option<i64>,
        /// The profile.
        profile: Box<ChargingProfile>,
    },
    /// How is the transaction of a session (2.x)?
    TransactionStatus {
        /// Its id.
        session: String,
    },
    /// A command in the words of the model.
    Raw {
        /// The command.
        command: Box<Command>,
    },
}

/// What came of an order that was given.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Done {
    /// Its id among the commands of the charger.
    pub id: String,
    /// What the charger answered, or why it could not be asked.
    pub outcome: Result<Outcome, Unsent>,
}

/// Why an order was not given.
#[derive(Debug, thiserror::Error)]
pub enum NoCommand {
    /// The charger is not one of ours.
    #[error("there is no charger `{0}`")]
    NoCharger(String),
    /// The charger waits to be accepted, or is rejected.
    #[error("the charger is not accepted yet; accept it first")]
    NotAccepted,
    /// The session is not one of this charger's, or has no transaction.
    #[error("`{0}` is no session with a transaction at this charger")]
    NoSession(String),
    /// The token may not charge there: it, and how it stands.
    #[error("the token `{0}` may not charge there: {1}")]
    Token(String, String),
    /// A connector without the EVSE that it belongs to.
    #[error("connector {0} of which EVSE? Say `evse` too: in OCPP 2.x each EVSE counts its own connectors")]
    Evse(i64),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] Error),
}

impl Clerk {
    /// Tells a charger to do something and waits for its answer. The order and what came of it are kept.
    ///
    /// # Errors
    /// When the order cannot be given; what comes of one that is given is in [`Done`].
    pub async fn command(
        &self,
        org: &OrgId,
        charger: &str,
        order: Order,
        by: &str,
    ) -> Result<Done, NoCommand> {
        let now = crate::clock::now();
        let known = self.store.read().await?.charger(org, charger).await?;
        let known = known.ok_or_else(|| NoCommand::NoCharger(charger.to_owned()))?;
        let accepted = known.registration == Registration::Accepted && !self.rules(org, charger).rejected;
        if !accepted && !allowed_early(&order) {
            return Err(NoCommand::NotAccepted);
        }
        let commands = self.commands(org, charger, &known, &order).await?;
        let id = new_id();
        let row = store::Command {
            id: id.clone(),
            charger: charger.to_owned(),
            kind: kind(&order),
            status: CommandStatus::Sent,
            document: secrets::blanked(&json!(order).to_string()).into_owned(),
            outcome: None,
            message_id: None,
            created_at: now,
            created_by: by.to_owned(),
            expires_at: None,
            sent_at: Some(now),
            finished_at: None,
        };
        let owner = org.clone();
        let unit = async move |tx: &mut Tx| tx.add_command(&owner, &row).await;
        self.store.write(Lane::charger(org, charger), unit).await?;
        let mut outcome = Ok(Outcome::of(Status::Accepted));
        for command in commands {
            outcome = self.people.wire.command(org, charger, command, WITHIN).await;
            if !outcome.as_ref().is_ok_and(|outcome| outcome.status.is_good()) {
                break;
            }
        }
        self.finish(org, charger, &id, &outcome).await?;
        if outcome.as_ref().is_ok_and(|outcome| outcome.status.is_good()) {
            self.follow_up(org, charger, &order).await?;
        }
        Ok(Done { id, outcome })
    }

    async fn finish(
        &self,
        org: &OrgId,
        charger: &str,
        id: &str,
        outcome: &Result<Outcome, Unsent>,
    ) -> Result<(), Error> {
        let (status, document) = match outcome {
            Ok(outcome) => (CommandStatus::Answered, json!(outcome)),
            Err(unsent) => (CommandStatus::Failed, json!({ "error": unsent.to_string() })),
        };
        let at = crate::clock::now();
        // What was asked for may be a password.
        let document = secrets::blanked(&document.to_string()).into_owned();
        let job = (org.clone(), id.to_owned(), document);
        let unit = async move |tx: &mut Tx| {
            tx.finish_command(&job.0, &job.1, status, Some(&job.2), at).await.map(drop)
        };
        self.store.write(Lane::charger(org, charger), unit).await
    }

    // What follows for us from an order that the charger took.
    async fn follow_up(&self, org: &OrgId, charger: &str, order: &Order) -> Result<(), Error> {
        let password = match order {
            Order::SetConfiguration { key, value } if key.eq_ignore_ascii_case("AuthorizationKey") => {
                Some(value)
            }
            Order::Raw { command } => match &**command {
                Command::SetConfiguration { key, value } if key.eq_ignore_ascii_case("AuthorizationKey") => {
                    Some(value)
                }
                Command::SetVariables(variables) => variables
                    .iter()
                    .find(|set| set.variable.name.eq_ignore_ascii_case("BasicAuthPassword"))
                    .map(|set| &set.value),
                _ => None,
            },
            _ => None,
        };
        if let Some(password) = password {
            // The old one counts until the charger comes with this one.
            let hash = admit::digest(password.as_bytes());
            self.learn(org, charger, move |learnt| {
                learnt.password = Some(hash.clone());
                learnt.password_seen = false;
            })
            .await?;
        }
        let now = crate::clock::now();
        let limited = match order {
            Order::SetChargingProfile { evse, profile } => Some((*evse, limits::plan(profile, now))),
            Order::Raw { command } => match &**command {
                Command::SetChargingProfile { place, profile } => {
                    Some((place.evse, limits::plan(profile, now)))
                }
                Command::ClearChargingProfile(_) => Some((None, vec![(now, false)])),
                _ => None,
            },
            _ => None,
        };
        match limited {
            Some((evse, plan)) => self.limit(org, charger, evse.filter(|evse| *evse > 0), (now, plan)).await,
            None => Ok(()),
        }
    }

    // Sessions that we hold back are paused: nobody pays for standing then.
    async fn limit(
        &self,
        org: &OrgId,
        charger: &str,
        evse: Option<i64>,
        (now, plan): (Instant, Vec<(Instant, bool)>),
    ) -> Result<(), Error> {
        let job = (org.clone(), charger.to_owned());
        let unit = async move |tx: &mut Tx| {
            let scene = Scene { org: &job.0, charger: &job.1, now };
            let mut changed = Vec::new();
            for session in work::readable(tx.running_sessions(scene.org, scene.charger, evse).await?) {
                let dedupe = format!("limit/{}/{}", session.id, now.0);
                changed.extend(work::say(tx, scene, session, Said::Limits(now, plan.clone()), dedupe).await?);
            }
            Ok(changed)
        };
        let changed = self.store.write(Lane::charger(org, charger), unit).await?;
        self.tell(org, changed).await;
        Ok(())
    }

    async fn commands(
        &self,
        org: &OrgId,
        charger: &str,
        known: &store::Charger,
        order: &Order,
    ) -> Result<Vec<Command>, NoCommand> {
        let place = |evse: Option<i64>| evse.map_or(Place::UNSAID, Place::evse);
        let command = match order.clone() {
            Order::RemoteStart { evse, token } => {
                self.may_start(org, charger, &token).await?;
                let (token, group) = self.token(org, &token).await?;
                let request = self.number(org, charger).await?;
                Command::Start(Box::new(StartOrder {
                    place: place(evse),
                    token,
                    group,
                    request,
                    profile: None,
                }))
            }
            Order::RemoteStop { session } => {
                Command::Stop(self.transaction_of(org, charger, known, &session).await?)
            }
            Order::TransactionStatus { session } => {
                Command::TransactionStatus(Some(self.transaction_of(org, charger, known, &session).await?))
            }
            Order::Unlock { evse, connector } => Command::Unlock(Place { evse: Some(evse), connector }),
            Order::Reset { kind, evse } => Command::Reset { kind, place: place(evse) },
            Order::ChangeAvailability { evse, connector, operative } => {
                Command::ChangeAvailability { place: Place { evse: evse.or(Some(0)), connector }, operative }
            }
            Order::Trigger { message, evse, connector } => {
                let places = self.triggered(org, charger, known, (&message, evse, connector)).await?;
                let each = places.into_iter();
                return Ok(each
                    .map(|place| Command::Trigger { message: message.clone(), place, extended: false })
                    .collect());
            }
            Order::SetConfiguration { key, value } => Command::SetConfiguration { key, value },
            Order::GetConfiguration { keys } => Command::GetConfiguration(keys),
            Order::ClearCache => Command::ClearCache,
            Order::SendLocalList => return Ok(self.local_list(org, charger).await?),
            Order::Reserve { id, evse, token, until } => {
                let (token, group) = self.token(org, &token).await?;
                Command::Reserve(Box::new(ReserveOrder {
                    id,
                    place: place(evse),
                    plug: None,
                    until,
                    token,
                    group,
                }))
            }
            Order::CancelReservation { id } => Command::CancelReservation(id),
            Order::UpdateFirmware(order) => Command::UpdateFirmware(order),
            Order::GetLog(order) => Command::GetLog(order),
            Order::SetChargingProfile { evse, profile } => {
                Command::SetChargingProfile { place: Place::evse(evse.unwrap_or(0)), profile }
            }
            Order::Raw { command } => *command,
        };
        Ok(vec![command])
    }

    // A token for a command, with its group. What stands in our books is spelled as there.
    async fn token(&self, org: &OrgId, uid: &str) -> Result<(Token, Option<Token>), Error> {
        let stored = self.store.read().await?.token(org, uid).await?;
        let central = |id: String| Token { id, kind: Some(TokenKind::Central), more: Vec::new() };
        Ok(match stored {
            Some(stored) => {
                let token = Token { kind: Some(kind_of(&stored.kind)), ..central(stored.uid) };
                (token, stored.parent.map(central))
            }
            None => (central(uid.to_owned()), None),
        })
    }

    // Nobody is started who would be refused at the charger.
    async fn may_start(&self, org: &OrgId, charger: &str, token: &str) -> Result<(), NoCommand> {
        let rules = self.rules(org, charger);
        let house = self.people.rules.house(org, charger);
        let spot = Spot { org, charger, evse: None, at: crate::clock::now(), plugged: None };
        let who = self.who(spot, Some(&Token::plain(token)), &rules, &house).await?;
        let status = match who.info.status {
            TokenStatus::Accepted if who.master => "it only stops sessions".to_owned(),
            TokenStatus::Accepted => return Ok(()),
            status => status.as_str().to_owned(),
        };
        Err(NoCommand::Token(token.to_owned(), status))
    }

    async fn number(&self, org: &OrgId, charger: &str) -> Result<i64, Error> {
        let job = (org.clone(), charger.to_owned());
        let unit = async move |tx: &mut Tx| {
            begin::number(tx, Scene { org: &job.0, charger: &job.1, now: Instant(0) }).await
        };
        self.store.write(Lane::charger(org, charger), unit).await
    }

    async fn transaction_of(
        &self,
        org: &OrgId,
        charger: &str,
        known: &store::Charger,
        session: &str,
    ) -> Result<Reference, NoCommand> {
        let missing = || NoCommand::NoSession(session.to_owned());
        let found = self.store.read().await?.session(org, session).await?;
        let found: Session = found.filter(|found| found.charger == charger).ok_or_else(missing)?;
        let reference = found.transaction_ref.ok_or_else(missing)?;
        if known.protocol.as_deref() == Some("ocpp1.6") {
            return reference.parse().map(Reference::Ours).map_err(|_| missing());
        }
        Ok(Reference::Theirs(reference))
    }

    // The tokens that may charge, in as many messages as it takes: the first one replaces the list.
    async fn local_list(&self, org: &OrgId, charger: &str) -> Result<Vec<Command>, Error> {
        let now = crate::clock::now();
        let mut entries: Vec<(Token, Option<TokenInfo>)> = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let page = self.store.read().await?.tokens(org, after.as_deref(), 500).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.uid.clone());
            // A token that only stops sessions would start them at a charger that cannot ask.
            let live = page.into_iter().filter(|token| {
                token.status == "accepted"
                    && token.expires_at.is_none_or(|until| until > now)
                    && !is_master_pass(token)
            });
            entries.extend(live.map(|token| {
                let info = TokenInfo {
                    expires: token.expires_at,
                    group: token.parent.as_deref().map(Token::plain),
                    ..TokenInfo::of(TokenStatus::Accepted)
                };
                (Token { kind: Some(kind_of(&token.kind)), ..Token::plain(token.uid) }, Some(info))
            }));
            if entries.len() >= LIST_WHOLE {
                entries.truncate(LIST_WHOLE);
                tracing::warn!(charger, "only {LIST_WHOLE} tokens are sent as a local list");
                break;
            }
        }
        let before = self.store.read().await?.local_list(org, charger).await?.map_or(0, |list| list.version);
        let parts = entries.len().div_ceil(LIST_PART).max(1);
        let version = before.saturating_add(i64::try_from(parts).unwrap_or(1));
        let list = LocalList {
            version,
            status: "sent".to_owned(),
            document: json!(entries.iter().map(|(token, _)| &token.id).collect::<Vec<_>>()).to_string(),
            updated_at: now,
        };
        let job = (org.clone(), charger.to_owned());
        let unit = async move |tx: &mut Tx| tx.put_local_list(&job.0, &job.1, &list).await;
        self.store.write(Lane::charger(org, charger), unit).await?;
        if entries.is_empty() {
            return Ok(vec![Command::SendLocalList { version, full: true, entries }]);
        }
        let parts = entries.chunks(LIST_PART).zip(before.saturating_add(1)..);
        Ok(parts
            .map(|(part, version)| Command::SendLocalList {
                version,
                full: version == before.saturating_add(1),
                entries: part.to_vec(),
            })
            .collect())
    }
}

// What OCPP 2.x calls a kind of token.
fn kind_of(word: &str) -> TokenKind {
    match word {
        "rfid" => TokenKind::Iso14443,
        "contract" => TokenKind::Emaid,
        _ => TokenKind::Central,
    }
}

// While a charger waits to be accepted it may be looked into, and nothing else.
fn allowed_early(order: &Order) -> bool {
    match order {
        Order::Trigger { .. }
        | Order::SetConfiguration { .. }
        | Order::GetConfiguration { .. }
        | Order::Reset { .. }
        | Order::UpdateFirmware(_)
        | Order::GetLog(_) => true,
        Order::Raw { command } => matches!(
            **command,
            Command::Trigger { .. }
                | Command::GetConfiguration(_)
                | Command::SetConfiguration { .. }
                | Command::GetVariables(_)
                | Command::SetVariables(_)
                | Command::GetBaseReport { .. }
                | Command::GetReport(_)
                | Command::InstallCertificate { .. }
                | Command::GetCertificates(_)
                | Command::CertificateSigned { .. }
                | Command::Reset { .. }
        ),
        _ => false,
    }
}

fn kind(order: &Order) -> String {
    let named = json!(order).get("do").and_then(Value::as_str).map(str::to_owned);
    named.unwrap_or_else(|| GATEWAY.to_owned())
}
