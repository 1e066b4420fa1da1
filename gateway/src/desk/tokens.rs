//! What is known of a token, and whether it may charge.

use super::Clerk;
use super::rules::{Asker, ChargerRules, House, ToldTariff};
use crate::chargers::model::{
    Answer, Authorize, AuthorizeAnswer, CertificateVerdict, Command, Message, TariffDocument, Token,
    TokenInfo, TokenKind, TokenStatus, UserPrice, fold,
};
use crate::link::Link;
use crate::ocpp::Dialect;
use crate::store::{self, Error, OrgId, Registration};
use serde::Deserialize;
use std::sync::Arc;
use std::time::Duration;
use takst_engine::tariff::Contract;
use takst_engine::units::Instant;

/// How long a charger may take to show a price.
const SHOWN_WITHIN: Duration = Duration::from_secs(20);

/// Who charges.
#[derive(Clone, Debug)]
pub(super) struct Who {
    /// For the charger.
    pub info: TokenInfo,
    /// As the token is written in our books; as it was sent when it is not there.
    pub uid: Option<String>,
    pub kind: Option<String>,
    pub issuer: Option<String>,
    pub driver: Option<String>,
    pub groups: Vec<String>,
    pub contract: Contract,
    /// Stops the sessions of others.
    pub master: bool,
}

/// What stands in the document of a stored token.
#[derive(Deserialize, Default)]
#[serde(default)]
struct More {
    issuer: Option<String>,
    master_pass: bool,
    concurrent_transactions: Option<usize>,
}

/// Whether a token stops the sessions of others and starts none.
pub(super) fn is_master_pass(token: &store::Token) -> bool {
    serde_json::from_str::<More>(&token.document).is_ok_and(|more| more.master_pass)
}

/// Where somebody shows a token.
#[derive(Clone, Copy)]
pub(super) struct Spot<'a> {
    pub org: &'a OrgId,
    pub charger: &'a str,
    /// None: it is not known, or it is not to begin a session.
    pub evse: Option<i64>,
    pub at: Instant,
    /// Since when the car is plugged in, where that was before: its list is that of then.
    pub plugged: Option<Instant>,
}

impl Clerk {
    /// What is known of a token.
    pub(super) async fn who(
        &self,
        spot: Spot<'_>,
        token: Option<&Token>,
        rules: &ChargerRules,
        house: &House,
    ) -> Result<Who, Error> {
        let free = rules.free_vend.as_deref();
        let nobody = token
            .is_none_or(|token| token.key().is_empty() || token.kind == Some(TokenKind::NoAuthorization));
        let id = match (token, free) {
            (Some(token), _) if !nobody => token.id.clone(),
            (_, Some(free)) => free.to_owned(),
            (_, None) => return Ok(Who::of(TokenStatus::Invalid, None)),
        };
        let (stored, driver) = {
            let mut reader = self.store.read().await?;
            // Whoever is not let in yet learns nothing about tokens, and sells nothing.
            let charger = reader.charger(spot.org, spot.charger).await?;
            if charger.is_some_and(|charger| charger.registration != Registration::Accepted) {
                return Ok(Who::of(TokenStatus::Invalid, Some(id)));
            }
            let stored = reader.token(spot.org, &id).await?;
            let driver = match stored.as_ref().and_then(|token| token.driver.as_deref()) {
                Some(driver) => reader.driver(spot.org, driver).await?,
                None => None,
            };
            (stored, driver)
        };
        let Some(stored) = stored else {
            let may = free.is_some() || house.accept_unknown_tokens;
            let status = if may { TokenStatus::Accepted } else { TokenStatus::Unknown };
            return Ok(Who { kind: token.and_then(kind), ..Who::of(status, Some(id)) });
        };
        let more: More = serde_json::from_str(&stored.document).unwrap_or_default();
        let blocked =
            stored.status != "accepted" || driver.as_ref().is_some_and(|driver| driver.status == "blocked");
        let most = more.concurrent_transactions.unwrap_or(house.sessions_per_token);
        let status = if blocked {
            TokenStatus::Blocked
        } else if stored.expires_at.is_some_and(|until| until <= spot.at) {
            TokenStatus::Expired
        } else if let Some(evse) = spot.evse
            && most > 0
            && free.is_none_or(|free| fold(free) != fold(&id))
            && self.watch().elsewhere(spot.org, &id, spot.charger, evse) >= most
        {
            TokenStatus::ConcurrentTx
        } else {
            TokenStatus::Accepted
        };
        let parent = stored.parent.as_deref();
        let master = more.master_pass
            || house
                .master_group
                .as_deref()
                .is_some_and(|master| parent.is_some_and(|parent| fold(parent) == fold(master)));
        Ok(Who { master, ..Who::known(&stored, driver.as_ref(), status, more.issuer) })
    }

    pub(super) async fn authorize(
        &self,
        link: &Link,
        authorize: &Authorize,
        at: Instant,
    ) -> Result<Answer, Error> {
        let rules = self.rules(&link.org, &link.charger);
        let house = self.people.rules.house(&link.org, &link.charger);
        let spot = Spot { org: &link.org, charger: &link.charger, evse: None, at, plugged: None };
        let who = self.who(spot, authorize.token.as_ref(), &rules, &house).await?;
        let accepted = who.info.status == TokenStatus::Accepted && !who.master;
        let tariff = match link.dialect {
            Dialect::V21 if accepted && rules.tells_price => self.own_tariff(link, &rules, &who, at).await?,
            _ => None,
        };
        let mut info = TokenInfo { languages: house.languages.clone(), ..who.info };
        if accepted && rules.tells_price {
            let evse = rules.evses.first().map_or(1, |evse| evse.evse);
            let spot = Spot { evse: Some(evse), ..spot };
            let terms = self.terms(spot, authorize.token.as_ref(), &rules, &house).await?;
            if let Some(price) = terms.price_at(at) {
                self.show_price(link, authorize.token.as_ref(), &mut info, price.text());
            }
        }
        let mut answer = AuthorizeAnswer::from(info);
        answer.tariff = tariff.map(|tariff| Box::new((*tariff).clone()));
        // Certificates of Plug and Charge are not checked here, so none is called good: drivers are known by their token.
        let asked = authorize.certificate.is_some() || !authorize.certificate_hashes.is_empty();
        answer.certificate = asked.then_some(CertificateVerdict::CertChainError);
        Ok(Answer::Authorize(Box::new(answer)))
    }

    // A driver's own tariff, for a charger that has shown that it can do something with one.
    async fn own_tariff(
        &self,
        link: &Link,
        rules: &ChargerRules,
        who: &Who,
        at: Instant,
    ) -> Result<Option<Arc<TariffDocument>>, Error> {
        let asker = Asker {
            site: rules.site.as_deref(),
            charger: &link.charger,
            evse: 0,
            groups: &who.groups,
            contract: who.contract,
        };
        let own = self.people.rules.driver_tariff(&link.org, &asker, who.issuer.as_deref(), at);
        let Some(own) = own else { return Ok(None) };
        let learnt = self.learnt(&link.org, &link.charger).await?;
        Ok(Some(own).filter(|_| learnt.tariffs.values().any(ToldTariff::is_there)))
    }

    // 1.6 is told by a message of its own, 2.x in the answer.
    fn show_price(&self, link: &Link, token: Option<&Token>, info: &mut TokenInfo, text: String) {
        if link.dialect != Dialect::V16 {
            info.message = Some(Message::plain(text));
            return;
        }
        let Some(token) = token.map(|token| token.id.clone()) else { return };
        let price = Command::UserPrice(UserPrice { token, text, more: Vec::new() });
        let (wire, org, charger) = (Arc::clone(&self.people.wire), link.org.clone(), link.charger.clone());
        tokio::spawn(async move {
            if let Err(why) = wire.command(&org, &charger, price, SHOWN_WITHIN).await {
                tracing::debug!(charger, %why, "a price was not shown");
            }
        });
    }

    /// The price of charging for a token at a charger now, as people read it: `0.30 EUR/kWh`, with all that is paid beside it. None
    /// where no tariff tells one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn price_now(
        &self,
        org: &OrgId,
        charger: &str,
        (evse, token): (i64, &str),
        at: Instant,
    ) -> Result<Option<String>, Error> {
        let rules = self.rules(org, charger);
        let house = self.people.rules.house(org, charger);
        let spot = Spot { org, charger, evse: Some(evse), at, plugged: None };
        let terms = self.terms(spot, Some(&Token::plain(token)), &rules, &house).await?;
        Ok(terms.price_at(at).map(|price| price.figure()))
    }

    /// Whether two tokens are of one group, or the second one may stop everything.
    pub(super) async fn same_group(
        &self,
        org: &OrgId,
        charger: &str,
        one: &str,
        other: &str,
    ) -> Result<bool, Error> {
        let house = self.people.rules.house(org, charger);
        let mut reader = self.store.read().await?;
        let first = reader.token(org, one).await?.and_then(|token| token.parent);
        let Some(second) = reader.token(org, other).await? else { return Ok(false) };
        let more: More = serde_json::from_str(&second.document).unwrap_or_default();
        let parent = second.parent.as_deref().map(fold);
        let master =
            more.master_pass || (parent.is_some() && parent == house.master_group.as_deref().map(fold));
        Ok(master || (parent.is_some() && parent == first.as_deref().map(fold)))
    }
}

fn kind(token: &Token) -> Option<String> {
    token.kind.as_ref().map(|kind| kind.as_str().to_owned())
}

impl Who {
    fn of(status: TokenStatus, uid: Option<String>) -> Self {
        Self {
            info: TokenInfo::of(status),
            uid,
            kind: None,
            issuer: None,
            driver: None,
            groups: Vec::new(),
            contract: Contract::AdHoc,
            master: false,
        }
    }

    fn known(
        token: &store::Token,
        driver: Option<&store::Driver>,
        status: TokenStatus,
        issuer: Option<String>,
    ) -> Self {
        let list = |text: &str| serde_json::from_str::<Vec<String>>(text).unwrap_or_default();
        let mut groups = list(&token.groups_doc);
        for group in driver.map(|driver| list(&driver.groups_doc)).unwrap_or_default() {
            if !groups.contains(&group) {
                groups.push(group);
            }
        }
        let contract = token.contract.as_deref().and_then(|word| serde_json::from_value(word.into()).ok());
        Self {
            info: TokenInfo {
                expires: token.expires_at,
                group: token.parent.as_deref().map(Token::plain),
                ..TokenInfo::of(status)
            },
            uid: Some(token.uid.clone()),
            kind: Some(token.kind.clone()),
            issuer,
            driver: token.driver.clone(),
            groups,
            contract: contract.unwrap_or(Contract::Direct),
            master: false,
        }
    }
}
