//! Who is signed in at the page: a browser is given a token of its own in the place of the key, so that the key is sent once and kept
//! nowhere. Kept in memory: a sign-in ends with the gateway, and is known to this one alone.

use super::Caller;
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long a browser stays signed in.
pub(crate) const LASTS: Duration = Duration::from_secs(12 * 3_600);
/// Sign-ins at once; of one more the oldest ends.
const MOST: usize = 1_000;

/// Browsers that are signed in.
#[derive(Default)]
pub(super) struct SignedIn {
    // By the hash of the token.
    all: Mutex<HashMap<[u8; 32], (Caller, Instant)>>,
}

/// How many, and no more.
impl std::fmt::Debug for SignedIn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SignedIn({})", self.lock().len())
    }
}

fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

impl SignedIn {
    /// A token for somebody.
    pub fn begin(&self, caller: Caller, now: Instant) -> String {
        // Two of these hold 244 random bits.
        let token = format!("{}{}", uuid::Uuid::new_v4().simple(), uuid::Uuid::new_v4().simple());
        let mut all = self.lock();
        if all.len() >= MOST {
            all.retain(|_, (_, since)| now.saturating_duration_since(*since) < LASTS);
        }
        if all.len() >= MOST
            && let Some(oldest) = all.iter().min_by_key(|(_, (_, since))| *since).map(|(hash, _)| *hash)
        {
            all.remove(&oldest);
        }
        all.insert(hash(&token), (caller, now));
        token
    }

    /// Whose token it is.
    pub fn who(&self, token: &str, now: Instant) -> Option<Caller> {
        let all = self.lock();
        let (caller, since) = all.get(&hash(token))?;
        (now.saturating_duration_since(*since) < LASTS).then(|| caller.clone())
    }

    /// Makes a token worthless.
    pub fn end(&self, token: &str) {
        self.lock().remove(&hash(token));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<[u8; 32], (Caller, Instant)>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Role;
    use crate::store::OrgId;

    fn caller(who: &str) -> Caller {
        Caller { org: OrgId::new("main"), role: Role::Owner, who: who.to_owned() }
    }

    #[test]
    fn a_token_is_good_for_its_time_and_one_browser() {
        let (signed, now) = (SignedIn::default(), Instant::now());
        let (one, other) = (signed.begin(caller("a"), now), signed.begin(caller("b"), now));
        assert_ne!(one, other);
        assert_eq!(signed.who(&one, now), Some(caller("a")));
        assert_eq!(signed.who("", now), None);
        signed.end(&one);
        assert_eq!((signed.who(&one, now), signed.who(&other, now)), (None, Some(caller("b"))));
        assert_eq!(signed.who(&other, now + LASTS), None);
    }

    #[test]
    fn the_oldest_makes_room() {
        let (signed, now) = (SignedIn::default(), Instant::now());
        let at = |number: usize| now + Duration::from_secs(u64::try_from(number).unwrap());
        let tokens: Vec<String> = (0..=MOST).map(|number| signed.begin(caller("a"), at(number))).collect();
        assert_eq!(signed.who(&tokens[0], now), None);
        assert!(tokens[1..].iter().all(|token| signed.who(token, now).is_some()));
    }
}
