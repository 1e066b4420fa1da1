//! Who is let in: by identity, password, certificate and protocol.

use super::Clerk;
use super::rules::{ChargerRules, Learnt, ToldTariff, Unknown};
use crate::link::{Admission, Knock, Make, Welcome};
use crate::ocpp::Dialect;
use crate::store::{Charger, Error, Lane, OrgId, Registration};
use percent_encoding::percent_decode_str;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Longest identity of a charger that nobody named.
const LONGEST: usize = 128;

fn refused(status: u16, why: impl Into<String>) -> Admission {
    Admission::Refused { status, why: why.into() }
}

impl Clerk {
    pub(super) async fn let_in(&self, knock: &Knock) -> Result<Admission, Error> {
        let identity = knock.identity.trim_matches('/');
        if identity.is_empty() {
            return Ok(refused(
                404,
                "the address ends without the charger's identity: ws://HOST/ocpp/IDENTITY",
            ));
        }
        let candidates = self.people.rules.find(identity);
        if candidates.is_empty() {
            return self.stranger(knock, identity).await;
        }
        // Of several organisations' chargers of this name it is the one whose password or certificate it shows.
        let mut last = refused(401, "the password is wrong");
        for mut rules in candidates {
            let stored = self.store.read().await?.charger_called(&rules.org, &rules.id).await?;
            // How the set-up writes a charger that it names counts. A guest is called as he was at first.
            let stored = match stored {
                Some(stored) if stored.id != rules.id && rules.named => None,
                Some(stored) if stored.id != rules.id => {
                    rules = Arc::new(ChargerRules { id: stored.id.clone(), ..(*rules).clone() });
                    Some(stored)
                }
                stored => stored,
            };
            match self.unproven(knock, identity, &rules, stored.as_ref()).await? {
                None if rules.rejected => last = refused(403, "this charger may not connect"),
                None => return Ok(self.welcome(knock, &rules, stored.as_ref())),
                Some(why) => last = why,
            }
        }
        Ok(last)
    }

    // Nobody named it in the set-up.
    async fn stranger(&self, knock: &Knock, identity: &str) -> Result<Admission, Error> {
        let (org, registration) = match self.people.rules.unknown(identity) {
            Unknown::Refuse => return Ok(refused(404, format!("no charger is called `{identity}` here"))),
            Unknown::Hold(org) => (org, Registration::Pending),
            Unknown::Accept(org) => (org, Registration::Accepted),
        };
        if identity.len() > LONGEST {
            return Ok(refused(404, "the identity is too long"));
        }
        let stored = self.store.read().await?.charger_called(&org, identity).await?;
        if stored.as_ref().is_some_and(|charger| charger.registration == Registration::Rejected) {
            return Ok(refused(403, "this charger may not connect"));
        }
        if stored.is_none() {
            if !self.watch().stranger(&org, identity, self.people.rules.most_held()) {
                return Ok(refused(503, "too many unknown chargers wait to be let in"));
            }
            let (owner, charger, at) = (org.clone(), identity.to_owned(), knock.at);
            let unit =
                async move |tx: &mut crate::store::Tx| match tx.charger_called(&owner, &charger).await? {
                    Some(known) => Ok(known.id),
                    None => tx.add_charger(&owner, &charger, registration, at).await.map(|added| added.id),
                };
            // One that knocks twice, written in two ways, meets itself.
            let id = self.store.write(Lane::charger(&org, &identity.to_lowercase()), unit).await?;
            return Ok(self.welcome(knock, &ChargerRules::guest(&org, &id), None));
        }
        let id = stored.as_ref().map_or(identity, |charger| charger.id.as_str());
        Ok(self.welcome(knock, &ChargerRules::guest(&org, id), stored.as_ref()))
    }

    fn welcome(&self, knock: &Knock, rules: &ChargerRules, stored: Option<&Charger>) -> Admission {
        let (dialect, subprotocol) = match spoken(&knock.offers, rules) {
            Ok(spoken) => spoken,
            Err(why) => return refused(400, why),
        };
        let accepted = |charger: &Charger| charger.registration == Registration::Accepted;
        // It may go on without a boot: until it says otherwise it is what it said the last time.
        let known = stored.map(|charger| Make::of(charger.vendor.as_deref(), charger.model.as_deref()));
        let ways = self.people.rules.ways(&rules.org, &rules.id, &known.unwrap_or_default());
        Admission::Welcome(Welcome {
            org: rules.org.clone(),
            charger: rules.id.clone(),
            dialect,
            subprotocol,
            habits: ways.habits,
            ping_s: ways.ping_s,
            booted: stored.is_some_and(|charger| charger.last_boot.is_some() && accepted(charger)),
            frames_kept: rules.frames_kept,
        })
    }

    // Why it is not the charger that it says it is; none: it is.
    async fn unproven(
        &self,
        knock: &Knock,
        identity: &str,
        rules: &Arc<ChargerRules>,
        stored: Option<&Charger>,
    ) -> Result<Option<Admission>, Error> {
        let profile = rules.security.profile;
        if profile >= 2 && !knock.encrypted {
            return Ok(Some(refused(403, "this charger has to connect over TLS (wss://)")));
        }
        if profile >= 3 {
            let named = knock.certificate.as_ref().is_some_and(|name| name.eq_ignore_ascii_case(&rules.id));
            let why = "this charger has to show a client certificate whose common name is its identity";
            return Ok((!named).then(|| refused(403, why)));
        }
        if profile == 0 {
            return Ok(None);
        }
        let Some((user, password)) = &knock.basic else {
            return Ok(Some(refused(401, "this charger has to show a password (HTTP Basic)")));
        };
        let expected = rules.security.user.as_deref().unwrap_or(identity);
        if !same_user(user, expected) {
            return Ok(Some(refused(401, format!("the user name is not `{expected}`"))));
        }
        let learnt = learnt(stored);
        let of_learnt = learnt
            .password
            .as_deref()
            .is_some_and(|hash| forms(password).iter().any(|form| digest(form) == hash));
        if of_learnt {
            if !learnt.password_seen {
                self.learn(&rules.org, &rules.id, move |learnt| learnt.password_seen = true).await?;
            }
            return Ok(None);
        }
        // Once the charger has shown the new one, the old one is worth nothing.
        let old_counts = learnt.password.is_none() || !learnt.password_seen;
        let ok = old_counts && self.is_password(rules, password.clone()).await;
        Ok((!ok).then(|| refused(401, "the password is wrong")))
    }

    async fn is_password(&self, rules: &Arc<ChargerRules>, given: Vec<u8>) -> bool {
        let (rules, people) = (Arc::clone(rules), self.people.clone());
        // A hash takes its time: not on a thread that others wait for.
        let checked = tokio::task::spawn_blocking(move || {
            rules.security.passwords.iter().any(|password| {
                // Digests are compared, so that the time it takes says nothing about the password.
                forms(&given).iter().any(|form| digest(form) == digest(password.as_bytes()))
            }) || people.rules.proves(&rules.org, &rules.id, &given).unwrap_or(false)
        });
        checked.await.unwrap_or(false)
    }

    /// What is known of a charger's ways.
    pub(crate) async fn learnt(&self, org: &OrgId, charger: &str) -> Result<Learnt, Error> {
        let stored = self.store.read().await?.charger(org, charger).await?;
        Ok(learnt(stored.as_ref()))
    }

    /// Notes which tariffs a charger was told.
    pub(crate) async fn note_tariffs(
        &self,
        org: &OrgId,
        charger: &str,
        tariffs: BTreeMap<i64, ToldTariff>,
    ) -> Result<(), Error> {
        self.learn(org, charger, move |learnt| learnt.tariffs.clone_from(&tariffs)).await
    }

    /// Changes what is known of a charger's ways.
    pub(super) async fn learn(
        &self,
        org: &OrgId,
        charger: &str,
        change: impl Fn(&mut Learnt) + Send + 'static,
    ) -> Result<(), Error> {
        let (owner, id) = (org.clone(), charger.to_owned());
        let unit = async move |tx: &mut crate::store::Tx| {
            let stored = tx.charger(&owner, &id).await?;
            let mut learnt = learnt(stored.as_ref());
            change(&mut learnt);
            let document =
                serde_json::to_string(&learnt).map_err(|error| Error::refused(error.to_string()))?;
            tx.set_profile(&owner, &id, &document).await
        };
        self.store.write(Lane::charger(org, charger), unit).await
    }
}

/// A charger that has booted may have forgotten its tariffs.
pub(super) async fn forget_tariffs(
    tx: &mut crate::store::Tx,
    org: &OrgId,
    charger: &Charger,
) -> Result<(), Error> {
    let mut learnt = learnt(Some(charger));
    if learnt.tariffs.is_empty() {
        return Ok(());
    }
    learnt.tariffs.values_mut().for_each(|told| told.heard = false);
    let document = serde_json::to_string(&learnt).map_err(|error| Error::refused(error.to_string()))?;
    tx.set_profile(org, &charger.id, &document).await
}

fn learnt(stored: Option<&Charger>) -> Learnt {
    let profile = stored.and_then(|charger| charger.profile.as_deref());
    profile.and_then(|profile| serde_json::from_str(profile).ok()).unwrap_or_default()
}

// The protocol to speak, and the offer that it answers: the pinned one, or the first of the charger's own that we know.
fn spoken(offers: &[String], rules: &ChargerRules) -> Result<(Dialect, Option<String>), String> {
    let offered: Vec<&String> = offers.iter().filter(|offer| !offer.trim().is_empty()).collect();
    if offered.is_empty() {
        let dialect = rules.pinned.unwrap_or(Dialect::V16);
        return if rules.assume_16 && dialect == Dialect::V16 {
            Ok((Dialect::V16, None))
        } else {
            Err("no subprotocol is offered (Sec-WebSocket-Protocol: ocpp1.6, ocpp2.0.1 or ocpp2.1)"
                .to_owned())
        };
    }
    let known = offered.iter().filter_map(|offer| Some((Dialect::of_subprotocol(offer)?, (*offer).clone())));
    let mut fitting = known.filter(|(dialect, _)| rules.pinned.is_none_or(|pinned| pinned == *dialect));
    fitting.next().map(|(dialect, offer)| (dialect, Some(offer))).ok_or_else(|| match rules.pinned {
        Some(pinned) => format!("this charger is to speak {}, which it does not offer", pinned.subprotocol()),
        None => "none of the offered subprotocols is spoken here (ocpp1.6, ocpp2.0.1, ocpp2.1)".to_owned(),
    })
}

// A user name as the charger sends it: percent-encoded or not, letters in either case.
fn same_user(given: &str, expected: &str) -> bool {
    let plain = |text: &str| percent_decode_str(text).decode_utf8_lossy().trim_matches('/').to_lowercase();
    given.eq_ignore_ascii_case(expected) || plain(given) == plain(expected)
}

/// A password as it may be meant: its bytes, what its hex form stands for, and its hex forms.
fn forms(password: &[u8]) -> Vec<Vec<u8>> {
    let hex: String = password.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut forms = vec![password.to_vec(), hex.to_ascii_uppercase().into_bytes(), hex.into_bytes()];
    forms.extend(unhex(password));
    forms
}

fn unhex(text: &[u8]) -> Option<Vec<u8>> {
    let nibble = |digit: u8| char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (pairs, rest) = text.as_chunks::<2>();
    if !rest.is_empty() || pairs.is_empty() {
        return None;
    }
    pairs.iter().map(|[high, low]| Some((nibble(*high)? << 4) | nibble(*low)?)).collect()
}

/// SHA-256 in hex.
pub(super) fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
