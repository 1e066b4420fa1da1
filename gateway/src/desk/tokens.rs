//! What is known of a token, and whether it may charge.

use super::Clerk;
use super::rules::{ChargerRules, House};
use crate::chargers::model::{
    Answer, Authorize, AuthorizeAnswer, CertificateVerdict, Token, TokenInfo, TokenKind, TokenStatus, fold,
};
use crate::link::Link;
use crate::store::{self, Error, OrgId};
use serde::Deserialize;
use takst_engine::tariff::Contract;
use takst_engine::units::Instant;

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

/// Where somebody shows a token.
#[derive(Clone, Copy)]
pub(super) struct Spot<'a> {
    pub org: &'a OrgId,
    pub charger: &'a str,
    /// None: it is not known, or it is not to begin a session.
    pub evse: Option<i64>,
    pub at: Instant,
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
        let house = self.people.rules.house(&link.org);
        let spot = Spot { org: &link.org, charger: &link.charger, evse: None, at };
        let who = self.who(spot, authorize.token.as_ref(), &rules, &house).await?;
        let mut answer = AuthorizeAnswer::from(TokenInfo { languages: house.languages.clone(), ..who.info });
        // Contracts of Plug and Charge are not checked here: they are known by their token only.
        let asked = authorize.certificate.is_some() || !authorize.certificate_hashes.is_empty();
        answer.certificate = asked.then_some(match answer.token.status {
            TokenStatus::Accepted => CertificateVerdict::Accepted,
            _ => CertificateVerdict::ContractCancelled,
        });
        Ok(Answer::Authorize(Box::new(answer)))
    }

    /// Whether two tokens are of one group, or the second one may stop everything.
    pub(super) async fn same_group(&self, org: &OrgId, one: &str, other: &str) -> Result<bool, Error> {
        let house = self.people.rules.house(org);
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
