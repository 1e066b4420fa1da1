//! Who may ask what: keys with roles. A key is `takst_ID_SECRET`; of the secret only its argon2 hash is kept.

use super::signed_in::SignedIn;
use super::{Api, Problem};
use crate::clock::now;
use crate::serve::limits::Buckets;
use crate::store::{ApiKey, Lane, OrgId, Store, new_id};
use argon2::password_hash::{PasswordHash, PasswordHasher as _, PasswordVerifier as _, SaltString};
use argon2::{Argon2, Params};
use axum::extract::FromRequestParts;
use axum::http::header::{AUTHORIZATION, COOKIE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};
use utoipa::ToSchema;

/// What a key may do. Each may also do what those behind it may, but for `vendor`, who sees chargers alone.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Everything, keys too.
    Owner,
    /// Prices, set-up, billing decisions.
    SiteManager,
    /// Commands to chargers, drivers' sessions, who drivers are.
    Support,
    /// Reading, but not who drivers are.
    ReadOnly,
    /// A maker of chargers: chargers, their frames and incidents.
    Vendor,
}

/// What a request wants to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wish {
    /// Read about chargers.
    SeeChargers,
    /// Read what is wrong with the gateway besides: feeds, bills, payments, plugins.
    SeeTroubles,
    /// Read about sessions, bills, prices, set-up.
    SeeSessions,
    /// Read who drivers are.
    SeePeople,
    /// Command a charger.
    Command,
    /// Decide about money or set-up.
    Decide,
    /// Make and revoke keys, read the audit log.
    Own,
}

impl Role {
    /// Whether the role may.
    #[must_use]
    pub const fn may(self, wish: Wish) -> bool {
        match (self, wish) {
            (Role::Owner, _) | (_, Wish::SeeChargers) => true,
            (Role::Vendor, _) | (_, Wish::Own) => false,
            (_, Wish::SeeSessions | Wish::SeeTroubles) => true,
            (Role::SiteManager, Wish::SeePeople | Wish::Command | Wish::Decide)
            | (Role::Support, Wish::SeePeople | Wish::Command) => true,
            (Role::Support, Wish::Decide)
            | (Role::ReadOnly, Wish::SeePeople | Wish::Command | Wish::Decide) => false,
        }
    }

    /// As it stands in JSON and in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Role::Owner => "owner",
            Role::SiteManager => "site-manager",
            Role::Support => "support",
            Role::ReadOnly => "read-only",
            Role::Vendor => "vendor",
        }
    }

    /// The role of a word.
    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        [Role::Owner, Role::SiteManager, Role::Support, Role::ReadOnly, Role::Vendor]
            .into_iter()
            .find(|role| role.as_str() == word)
    }
}

/// Whoever asks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Caller {
    /// For which organisation.
    pub org: OrgId,
    /// In which role.
    pub role: Role,
    /// Which key, for the audit log.
    pub who: String,
}

impl Caller {
    /// Refuses what the role may not.
    ///
    /// # Errors
    /// 403.
    pub fn wants(&self, wish: Wish) -> Result<(), Problem> {
        if self.role.may(wish) {
            return Ok(());
        }
        let title = format!("a key of the role `{}` may not do this", self.role.as_str());
        Err(Problem::new(StatusCode::FORBIDDEN, title).help("ask the owner for a key of another role"))
    }
}

/// How long a key that was found right is not worked out again: argon2 is slow on purpose. Whether it still counts is looked up each time.
const REMEMBERED: Duration = Duration::from_secs(60);
/// Keys remembered at once.
const MOST_REMEMBERED: usize = 1_000;
/// Secrets that are worked out at once: each takes 19 MiB for some milliseconds.
const AT_ONCE: usize = 2;

/// Checks keys.
#[derive(Debug)]
pub struct Access {
    open: Option<Caller>,
    known: Mutex<HashMap<[u8; 32], (Caller, Instant)>>,
    work: tokio::sync::Semaphore,
    asked: Buckets<String>,
    pages: SignedIn,
}

/// Requests of one key a minute, when nothing else is said.
const USUAL_REQUESTS: u32 = 1_200;

impl Access {
    /// Keys are asked for.
    #[must_use]
    pub fn by_key() -> Self {
        let work = tokio::sync::Semaphore::new(AT_ONCE);
        let (known, asked) = (Mutex::default(), Buckets::new(1, Duration::ZERO));
        Self { open: None, known, work, asked, pages: SignedIn::default() }.at_most(USUAL_REQUESTS)
    }

    /// With so many requests of one key a minute.
    #[must_use]
    pub fn at_most(self, requests: u32) -> Self {
        let requests = requests.max(1);
        Self { asked: Buckets::new(requests, Duration::from_secs(60) / requests), ..self }
    }

    // One more request of a key.
    fn count(&self, who: &str) -> Result<(), Problem> {
        let (who, now) = (who.to_owned(), tokio::time::Instant::now());
        if let Err(wait) = self.asked.look(&who, now) {
            return Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, "this key asks too often")
                .help(format!(
                    "wait {wait} s; the set-up's [limits] says how many `api_requests` a minute a key has"
                ))
                .after(wait));
        }
        self.asked.take(who, now);
        Ok(())
    }

    /// Whoever has no key speaks as `caller`: the demo.
    #[must_use]
    pub fn open(caller: Caller) -> Self {
        Self { open: Some(caller), ..Self::by_key() }
    }

    /// Whose key it is.
    ///
    /// # Errors
    /// 401 when it is nobody's.
    pub async fn check(&self, store: &Store, key: &str) -> Result<Caller, Problem> {
        let hash: [u8; 32] = Sha256::digest(key.as_bytes()).into();
        let wrong = || Problem::new(StatusCode::UNAUTHORIZED, "this key opens nothing");
        if let Some(caller) = self.remembered(&hash) {
            return if self.stands(store, &caller).await? { Ok(caller) } else { Err(wrong()) };
        }
        let mut parts = key.splitn(3, '_');
        let (Some("takst"), Some(id), Some(secret)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(wrong().help("a key looks like takst_ID_SECRET"));
        };
        let mut found = None;
        let mut reader = store.read().await?;
        for org in reader.orgs().await? {
            if let Some(key) = reader.api_key(&org, id).await? {
                found = Some((org, key));
            }
        }
        drop(reader);
        let Some((org, row)) = found.filter(|(_, key)| key.revoked_at.is_none()) else { return Err(wrong()) };
        let role = Role::of(&row.role).ok_or_else(wrong)?;
        let _turn = self.work.acquire().await.map_err(|_| wrong())?;
        let (stored, secret) = (row.hash.clone(), secret.to_owned());
        let fits = tokio::task::spawn_blocking(move || {
            PasswordHash::new(&stored)
                .is_ok_and(|stored| Argon2::default().verify_password(secret.as_bytes(), &stored).is_ok())
        });
        if !fits.await.unwrap_or(false) {
            return Err(wrong());
        }
        let caller = Caller { org: org.clone(), role, who: row.id.clone() };
        if let Ok(mut known) = self.known.lock() {
            if known.len() >= MOST_REMEMBERED {
                known.retain(|_, (_, since)| since.elapsed() < REMEMBERED);
            }
            if known.len() < MOST_REMEMBERED {
                known.insert(hash, (caller.clone(), Instant::now()));
            }
        }
        let used =
            store.write(Lane::org(&org.clone()), async move |tx| tx.api_key_used(&org, &row.id, now()).await);
        if let Err(error) = used.await {
            tracing::warn!(%error, "the use of a key was not noted");
        }
        Ok(caller)
    }

    fn remembered(&self, hash: &[u8; 32]) -> Option<Caller> {
        let known = self.known.lock().ok()?;
        let (caller, since) = known.get(hash)?;
        (since.elapsed() < REMEMBERED).then(|| caller.clone())
    }

    /// Whether somebody who came in once may still: another program on the same database may have revoked his key.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn stands(&self, store: &Store, caller: &Caller) -> Result<bool, Problem> {
        if self.open.as_ref() == Some(caller) {
            return Ok(true);
        }
        let row = store.read().await?.api_key(&caller.org, &caller.who).await?;
        Ok(row.is_some_and(|row| row.revoked_at.is_none()))
    }

    /// Signs a browser in: the token that it shows from now on.
    ///
    /// # Errors
    /// As [`Self::check`].
    pub async fn sign_in(&self, store: &Store, key: &str) -> Result<String, Problem> {
        Ok(self.pages.begin(self.check(store, key).await?, Instant::now()))
    }

    /// Signs it out.
    pub fn sign_out(&self, token: &str) {
        self.pages.end(token);
    }

    // Who is signed in with a token.
    async fn signed_in(&self, store: &Store, token: &str) -> Result<Option<Caller>, Problem> {
        let Some(caller) = self.pages.who(token, Instant::now()) else { return Ok(None) };
        Ok(if self.stands(store, &caller).await? { Some(caller) } else { None })
    }
}

/// A new key: its row, and the whole key, which is shown once.
///
/// # Errors
/// When this machine gives no randomness.
pub fn new_key(name: &str, role: Role, by: &str) -> Result<(ApiKey, String), Problem> {
    let failed = |_| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "no key could be made");
    let id = new_id();
    // Two of these hold 148 random bits.
    let secret = format!("{}{}", uuid::Uuid::new_v4().simple(), uuid::Uuid::new_v4().simple());
    let salt = SaltString::encode_b64(uuid::Uuid::new_v4().as_bytes()).map_err(failed)?;
    let argon2 = Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, Params::default());
    let hash = argon2.hash_password(secret.as_bytes(), &salt).map_err(failed)?.to_string();
    let key = format!("takst_{id}_{secret}");
    let (name, role, created_by) = (name.to_owned(), role.as_str().to_owned(), by.to_owned());
    let row =
        ApiKey { id, name, role, hash, created_at: now(), created_by, last_used_at: None, revoked_at: None };
    Ok((row, key))
}

impl FromRequestParts<Api> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let text =
            |name| parts.headers.get(name).and_then(|value: &axum::http::HeaderValue| value.to_str().ok());
        let bearer = text(AUTHORIZATION).and_then(|value| value.strip_prefix("Bearer "));
        let caller = match bearer.filter(|key| !key.is_empty()) {
            Some(key) => Some(api.access.check(&api.store, key.trim()).await?),
            None => match token(&parts.headers) {
                Some(token) => api.access.signed_in(&api.store, token).await?,
                None => None,
            },
        };
        if let Some(caller) = caller {
            api.access.count(&caller.who)?;
            return Ok(caller);
        }
        api.access.open.clone().ok_or_else(|| {
            Problem::new(StatusCode::UNAUTHORIZED, "a key is needed")
                .help("send it as `Authorization: Bearer takst_...`; `takst key` makes one")
        })
    }
}

/// What a browser that is signed in shows.
pub(crate) fn token(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers.get(COOKIE)?.to_str().ok()?;
    cookies.split(';').find_map(|part| part.trim().strip_prefix("takst=")).filter(|token| !token.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_may_what_it_is_for_and_no_more() {
        let wishes =
            [Wish::SeeChargers, Wish::SeeSessions, Wish::SeePeople, Wish::Command, Wish::Decide, Wish::Own];
        // What is wrong besides chargers is about bills and payments.
        for role in [Role::Owner, Role::SiteManager, Role::Support, Role::ReadOnly, Role::Vendor] {
            assert_eq!(role.may(Wish::SeeTroubles), role.may(Wish::SeeSessions));
        }
        let may = |role: Role| wishes.map(|wish| role.may(wish));
        assert_eq!(may(Role::Owner), [true; 6]);
        assert_eq!(may(Role::SiteManager), [true, true, true, true, true, false]);
        assert_eq!(may(Role::Support), [true, true, true, true, false, false]);
        assert_eq!(may(Role::ReadOnly), [true, true, false, false, false, false]);
        assert_eq!(may(Role::Vendor), [true, false, false, false, false, false]);
    }

    #[test]
    fn a_key_fits_its_row_and_no_other() {
        let (row, key) = new_key("test", Role::Support, "me").unwrap();
        let secret = key.rsplit('_').next().unwrap();
        let stored = PasswordHash::new(&row.hash).unwrap();
        assert!(Argon2::default().verify_password(secret.as_bytes(), &stored).is_ok());
        assert!(Argon2::default().verify_password(b"another", &stored).is_err());
        assert!(!row.hash.contains(secret));
    }
}
