//! Messages of drivers: "Lade start NO-12" starts a session, "Lade stop" ends one, by the rules that hold for a driver's card. The answer goes back
//! the same way, in the same language. Absent: how messages are read and sent, which is a plugin's.

mod words;

use crate::clock::now;
use crate::desk::rules::Rules as _;
use crate::desk::{Clerk, NoCommand, Order};
use crate::house::House;
use crate::hub::Unsent;
use crate::live::Live;
use crate::outbox::provider::MessageRequest;
use crate::outbox::{Outbox, message};
use crate::plugins::Plugins;
use crate::serve::limits::Buckets;
use crate::store::{Error, Lane, OrgId, Session, SessionFilter, SessionStatus, Store, Token, Tx};
use std::sync::Arc;
use std::time::Duration;
use takst_plugins::model::Options;
use takst_plugins::model::messages::Message;
use words::Words;

/// Answers to a number that nobody knows: one, and one more after so long.
const STRANGER_EVERY: Duration = Duration::from_secs(600);
/// What of a charger's id as it was written is said back, in characters.
const LONGEST_ID: usize = 40;

/// What messages are answered with.
pub struct Of {
    /// Who sends.
    pub plugins: Arc<Plugins>,
    /// Where answers to drivers are written down.
    pub outbox: Outbox,
    /// The storage.
    pub store: Store,
    /// The chargers.
    pub house: Arc<House>,
    /// Who tells chargers.
    pub clerk: Arc<Clerk>,
    /// What sessions cost.
    pub live: Live,
}

/// A message that came in, as a plugin read it. It came once.
#[derive(Clone, Debug)]
pub struct Came {
    /// Which plugin.
    pub plugin: String,
    /// The sender's number, as in `+4791234567`.
    pub sender: String,
    /// Its name, the same each time it is told.
    pub name: String,
    /// `command`, `charger`, `language`.
    pub more: Options,
}

impl Came {
    fn get(&self, name: &str) -> Option<&str> {
        self.more.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// Answers messages. Copies are the same.
#[derive(Clone)]
pub struct Texts(Arc<Inner>);

struct Inner {
    of: Of,
    strangers: Buckets<String>,
}

/// What is answered: the words, and what goes into them.
struct Answer {
    text: &'static str,
    charger: String,
    figure: String,
}

impl Answer {
    fn of(text: &'static str, charger: &str) -> Self {
        Self { text, charger: charger.to_owned(), figure: String::new() }
    }

    fn text(&self) -> String {
        let charger: String = self.charger.chars().take(LONGEST_ID).collect();
        let figures = self.text.replace("PRICE", &self.figure).replace("COST", &self.figure);
        figures.replace("CHARGER", &charger)
    }
}

impl Texts {
    /// Made of these.
    #[must_use]
    pub fn new(of: Of) -> Self {
        Self(Arc::new(Inner { of, strangers: Buckets::new(1, STRANGER_EVERY) }))
    }

    /// Does what a message wants, and answers it. To be called once for each.
    pub async fn answer(&self, came: Came) {
        if let Err(error) = self.try_answer(&came).await {
            tracing::error!(plugin = came.plugin, %error, "a message of a driver was not answered");
        }
    }

    async fn try_answer(&self, came: &Came) -> Result<(), Error> {
        let Of { store, house, outbox, .. } = &self.0.of;
        let org = house.org();
        let start = match came.get("command") {
            Some("start") => true,
            Some("stop") => false,
            // Whoever writes anything else is not to be written to.
            _ => return Ok(()),
        };
        let phones = store.read().await?.phones(org).await?;
        let mut same = phones.into_iter().filter(|(_, phone)| is_number(phone, &came.sender));
        let (Some((driver, _)), None) = (same.next(), same.next()) else {
            self.stranger(came).await;
            return Ok(());
        };
        let mut reader = store.read().await?;
        let person = reader.person(org, &driver).await?;
        let tokens = reader.driver_tokens(org, &driver).await?;
        drop(reader);
        let own = person.and_then(|person| {
            let document: serde_json::Value = serde_json::from_str(&person.document).ok()?;
            document.get("language")?.as_str().map(str::to_owned)
        });
        let words = words::of(came.get("language").or(own.as_deref()).unwrap_or("en"));
        let wanted = came.get("charger").map(str::trim).filter(|id| !id.is_empty());
        let done = match start {
            true => self.start(org, wanted, &driver, &tokens, words).await,
            false => self.stop(org, wanted, &driver, words).await,
        };
        let answer = done.unwrap_or_else(|error| {
            tracing::warn!(%error, "what a driver wrote could not be done");
            Answer::of(words.later, "")
        });
        let request = MessageRequest {
            kind: "sms".to_owned(),
            driver,
            text: answer.text(),
            language: words.language.to_owned(),
        };
        let (owner, plugin, source) = (org.clone(), came.plugin.clone(), source(came));
        let unit = async move |tx: &mut Tx| {
            let of = (source.clone(), source.as_str(), plugin.as_str());
            message(tx, &owner, of, request.clone(), "texts", now()).await.map(drop)
        };
        store.write(Lane::org(org), unit).await?;
        outbox.wake();
        Ok(())
    }

    // Once in a while, so that nobody can have us write to others; and nothing of it is kept.
    async fn stranger(&self, came: &Came) {
        let moment = tokio::time::Instant::now();
        if self.0.strangers.look(&came.sender, moment).is_err() {
            return;
        }
        self.0.strangers.take(came.sender.clone(), moment);
        let words = words::of(came.get("language").unwrap_or("en"));
        let message = Message {
            kind: "sms".to_owned(),
            to: came.sender.clone(),
            subject: String::new(),
            text: words.unknown_number.to_owned(),
            language: words.language.to_owned(),
            more: Options::new(),
        };
        if let Err(why) =
            self.0.of.plugins.send_once(&came.plugin, format!("takst-{}", short(&came.name)), message).await
        {
            tracing::debug!(plugin = came.plugin, why, "a number that nobody knows was not answered");
        }
    }

    async fn start(
        &self,
        org: &OrgId,
        wanted: Option<&str>,
        driver: &str,
        tokens: &[Token],
        words: &Words,
    ) -> Result<Answer, Error> {
        let Of { store, house, clerk, .. } = &self.0.of;
        let Some(written) = wanted else { return Ok(Answer::of(words.which_charger, "")) };
        let rules = house.charger(org, written);
        let Some(rules) = rules else { return Ok(Answer::of(words.unknown_charger, written)) };
        let charger = rules.id.as_str();
        // One that is made for this, else any that may charge.
        let good = |token: &&Token| token.status == "accepted";
        let token = tokens.iter().filter(good).min_by_key(|token| token.kind != "sms");
        let Some(token) = token else { return Ok(Answer::of(words.no_token, charger)) };
        let at = SessionFilter {
            charger: Some(charger.to_owned()),
            status: Some(SessionStatus::Running),
            ..SessionFilter::default()
        };
        let running = store.read().await?.sessions(org, &at, None, 100).await?;
        let free: Vec<i64> = (rules.evses.iter().map(|evse| evse.evse))
            .filter(|evse| running.iter().all(|session| session.evse != *evse))
            .collect();
        let evse = match (free.as_slice(), rules.evses.is_empty()) {
            ([first, ..], _) => Some(*first),
            // Nobody has said how many cars it takes.
            ([], true) if running.is_empty() => None,
            ([], _) => return Ok(Answer::of(words.busy, charger)),
        };
        let order = Order::RemoteStart { evse, token: token.uid.clone() };
        let text = match clerk.command(org, charger, order, &format!("sms:{driver}")).await {
            Ok(done) => match done.outcome {
                Ok(outcome) if outcome.status.is_good() => None,
                Ok(_) => Some(words.refused),
                Err(unsent) => Some(unreached(&unsent, words)),
            },
            Err(NoCommand::Token(..)) => Some(words.not_allowed),
            Err(NoCommand::NoCharger(_) | NoCommand::NotAccepted) => Some(words.offline),
            Err(NoCommand::NoSession(_) | NoCommand::Evse(_)) => Some(words.later),
            Err(NoCommand::Store(error)) => return Err(error),
        };
        if let Some(text) = text {
            return Ok(Answer::of(text, charger));
        }
        let price = clerk.price_now(org, charger, (evse.unwrap_or(1), &token.uid), now()).await?;
        Ok(match price {
            Some(price) => Answer { figure: price, ..Answer::of(words.started_at_a_price, charger) },
            None => Answer::of(words.started, charger),
        })
    }

    async fn stop(
        &self,
        org: &OrgId,
        wanted: Option<&str>,
        driver: &str,
        words: &Words,
    ) -> Result<Answer, Error> {
        let Of { store, house, clerk, live, .. } = &self.0.of;
        let charger = match wanted {
            None => None,
            Some(written) => match house.charger(org, written) {
                Some(rules) => Some(rules.id.clone()),
                None => return Ok(Answer::of(words.unknown_charger, written)),
            },
        };
        let his = SessionFilter {
            charger: charger.clone(),
            driver: Some(driver.to_owned()),
            status: Some(SessionStatus::Running),
            ..SessionFilter::default()
        };
        let running = store.read().await?.sessions(org, &his, None, 100).await?;
        // One that has stopped charging and still stands there has nothing to be stopped.
        let running: Vec<Session> =
            running.into_iter().filter(|session| session.stopped_at.is_none()).collect();
        let session = match (running.as_slice(), &charger) {
            ([], _) => return Ok(Answer::of(words.nothing_runs, charger.as_deref().unwrap_or_default())),
            ([only], _) | ([only, ..], Some(_)) => only,
            (_, None) => return Ok(Answer::of(words.which_charger, "")),
        };
        let order = Order::RemoteStop { session: session.id.clone() };
        let text = match clerk.command(org, &session.charger, order, &format!("sms:{driver}")).await {
            Ok(done) => match done.outcome {
                Ok(outcome) if outcome.status.is_good() => None,
                Ok(_) => Some(words.refused),
                Err(unsent) => Some(unreached(&unsent, words)),
            },
            Err(NoCommand::Store(error)) => return Err(error),
            Err(_) => Some(words.later),
        };
        if let Some(text) = text {
            return Ok(Answer::of(text, &session.charger));
        }
        let cost = live.cost(org, &session.id).filter(|now| !now.pending);
        Ok(match cost {
            Some(now) => Answer {
                figure: format!("{} {}", now.amount(), now.currency),
                ..Answer::of(words.stopped_at_a_cost, &session.charger)
            },
            None => Answer::of(words.stopped, &session.charger),
        })
    }
}

fn unreached(unsent: &Unsent, words: &Words) -> &'static str {
    match unsent {
        Unsent::Busy => words.later,
        _ => words.offline,
    }
}

// What an answer is written down under: the same for the same message.
fn source(came: &Came) -> String {
    format!("answer:{}:{}", came.plugin, short(&came.name))
}

// However long the other side's name is.
fn short(name: &str) -> String {
    use sha2::{Digest as _, Sha256};
    use std::fmt::Write as _;
    Sha256::digest(name).iter().take(12).fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

// The same number, however it was written down: with its country, as in +47 or 0047. One without it could be of any country, and is nobody's.
fn is_number(written: &str, sender: &str) -> bool {
    digits(written).is_some_and(|known| digits(sender).as_deref() == Some(&known))
}

/// The digits of a telephone number that is written with its country, which stands first.
pub(crate) fn digits(text: &str) -> Option<String> {
    let text = text.trim();
    let rest = text.strip_prefix('+').or_else(|| text.strip_prefix("00"))?;
    let fine = rest.chars().all(|c| c.is_ascii_digit() || " -()./".contains(c));
    let digits: String = rest.chars().filter(char::is_ascii_digit).collect();
    (fine && digits.len() >= 6).then_some(digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_the_same_however_it_is_written_and_no_other() {
        for same in ["+4791234567", "+47 912 34 567", "0047 91 23 45 67", " +47 (912) 34-567 "] {
            assert!(is_number(same, "+4791234567"), "{same}");
        }
        for other in ["91234567", "4791234567", "+4691234567", "+47912345670", "+47", "", "+47 912 34 567 x"]
        {
            assert!(!is_number(other, "+4791234567"), "{other}");
        }
        assert!(!is_number("91234567", "91234567"), "a number without its country is nobody's");
    }

    #[test]
    fn what_a_driver_wrote_is_said_back_as_it_is_and_not_filled_in_again() {
        let words = words::of("en");
        let answer =
            Answer { figure: "1.00 EUR/kWh".to_owned(), ..Answer::of(words.started_at_a_price, "PRICE-12") };
        assert_eq!(answer.text(), "Charging starts at PRICE-12. Price now: 1.00 EUR/kWh.");
        let long = Answer::of(words.busy, &"x".repeat(100));
        assert_eq!(long.text().len(), 40 + " is in use.".len());
    }
}
