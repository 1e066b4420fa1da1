//! Chargers that ask for a certificate of their own (`SignCertificate`) get one of our authority, and renew it in time.
//!
//! ```text
//! SignCertificate ──▶ is it this charger's, and may it? ──▶ Accepted ──▶ signed, noted ──▶ CertificateSigned ──▶ what it said of it
//! a clock ──▶ soon over ──▶ "ask for a new one" ──▶ SignCertificate ...
//! ```
//!
//! A request that comes again before its certificate was taken gets the same certificate again.

use super::work::GATEWAY;
use super::{Clerk, Order, admit, station};
use crate::chargers::model::{
    Answer, Command, OwnCertificate, Report, SigningRequest, Status, StatusInfo, TriggeredMessage,
};
use crate::link::{Link, Received};
use crate::pki::{Expected, Signed, Signer};
use crate::store::{AuditEntry, Error, Lane, OrgId, Registration, Tx, new_id};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::time::Duration;
use takst_engine::units::{DAY_MS, Instant};

/// A charger first has its answer, then its certificate.
const AFTER_ANSWER: Duration = Duration::from_millis(300);
/// One that was asked to renew is asked again after so long.
const ASKED_AGAIN_MS: i64 = DAY_MS;

/// The certificate that was signed for a charger last.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Certified {
    /// Its number, hexadecimal.
    pub serial: String,
    /// Until when it is good.
    pub until_ms: i64,
    /// Which request it answers: SHA-256 of it, hexadecimal.
    pub request: String,
    /// The certificate with the authority's, as long as the charger has not said that it has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chain: Option<String>,
    /// `sent`, `taken`, or what the charger answered.
    pub state: String,
    /// When the charger was last asked to renew it.
    pub renewal_ms: i64,
}

impl Clerk {
    /// From now on requests of chargers are signed. Only the first one counts.
    pub fn sign_with(&self, signer: Signer) {
        let _ = self.signer.set(signer);
    }

    pub(super) async fn asked_to_sign(&self, link: &Link, received: Received) -> Result<Answer, Error> {
        let Report::Sign(request) = received.report.clone() else { return Ok(Answer::Done) };
        let refused = self.may_sign(link, &request, received.at).await?.err();
        let at = received.at;
        let info = refused.as_ref().map(|why| StatusInfo {
            code: "NotSigned".to_owned(),
            text: Some(why.chars().take(500).collect()),
        });
        let fact = station::fact("sign", &received, None, None)?;
        let job = (link.clone(), fact, refused.clone());
        let unit = async move |tx: &mut Tx| {
            let (link, fact, refused) = &job;
            tx.append_fact(&link.org, &link.charger, fact).await?;
            let document = json!({ "signed": refused.is_none(), "reason": refused });
            station::log(tx, link, at, "charger.certificate", document);
            Ok(())
        };
        self.store.write(Lane::charger(&link.org, &link.charger), unit).await?;
        match &refused {
            Some(why) => tracing::warn!(
                charger = link.charger,
                why,
                "a charger's request for a certificate is refused"
            ),
            None => {
                if let Some(clerk) = self.me.upgrade() {
                    let link = link.clone();
                    tokio::spawn(async move {
                        tokio::time::sleep(AFTER_ANSWER).await;
                        clerk.certify(&link, &request).await;
                    });
                }
            }
        }
        Ok(Answer::Verdict { accepted: refused.is_none(), info })
    }

    async fn may_sign(
        &self,
        link: &Link,
        request: &SigningRequest,
        at: Instant,
    ) -> Result<Result<(), String>, Error> {
        let rules = self.rules(&link.org, &link.charger);
        let house = self.people.rules.house(&link.org, &link.charger);
        let no = |why: &str| Ok(Err(why.to_owned()));
        let Some(signer) = self.signer.get().filter(|_| house.signs_certificates) else {
            return no("this gateway signs no certificates (`sign_certificates`)");
        };
        if request.usage.as_ref().is_some_and(|usage| *usage != OwnCertificate::Station) {
            return no("only a charger's own certificate is signed here, none for cars");
        }
        let stored = self.store.read().await?.charger(&link.org, &link.charger).await?;
        if rules.rejected
            || stored.as_ref().is_some_and(|charger| charger.registration != Registration::Accepted)
        {
            return no("the charger is not accepted");
        }
        // Whoever knows its id could be that charger, and would go on to be it.
        if rules.security.profile == 0 {
            return no(
                "a charger that shows neither password nor certificate gets none (`security_profile`)",
            );
        }
        let serial = stored.and_then(|charger| charger.serial);
        let (signer, request, identity) = (signer.clone(), request.csr.clone(), rules.id.clone());
        let looked = tokio::task::spawn_blocking(move || {
            let expected = Expected {
                identity: &identity,
                serial: serial.as_deref(),
                organisation: house.organisation.as_deref(),
            };
            signer.may_sign(&request, expected, at)
        });
        Ok(looked.await.unwrap_or_else(|_| Err("the request cannot be looked at".to_owned())))
    }

    // Signs and hands over, and notes what came of it.
    async fn certify(&self, link: &Link, request: &SigningRequest) {
        let done = async {
            let certified = {
                // One after the other: the same request, sent twice, is signed once.
                let _turn = self.signing.lock().await;
                let known = self.learnt(&link.org, &link.charger).await.map_err(|error| error.to_string())?;
                let hash = admit::digest(request.csr.trim().as_bytes());
                let again = known.certificate.filter(|known| known.request == hash && known.state == "sent");
                match again {
                    Some(known) if known.chain.is_some() => known,
                    _ => self.signed(link, request, hash).await?,
                }
            };
            self.hand_over(link, request, certified).await
        };
        if let Err(why) = done.await {
            tracing::warn!(
                charger = link.charger,
                why,
                "a charger did not get the certificate that it asked for"
            );
        }
    }

    async fn signed(&self, link: &Link, request: &SigningRequest, hash: String) -> Result<Certified, String> {
        let house = self.people.rules.house(&link.org, &link.charger);
        let now = crate::clock::now();
        let signer = self.signer.get().cloned().ok_or("there is no authority")?;
        let (csr, charger, days) = (request.csr.clone(), link.charger.clone(), house.certificate_days);
        let signed = tokio::task::spawn_blocking(move || signer.sign(&csr, &charger, days, now));
        let signed: Signed =
            signed.await.map_err(|error| error.to_string())?.map_err(|error| error.to_string())?;
        let certified = Certified {
            serial: signed.issued.serial,
            until_ms: signed.issued.until_ms,
            request: hash,
            chain: Some(signed.chain),
            state: "sent".to_owned(),
            renewal_ms: 0,
        };
        let document = json!({ "serial": certified.serial, "until_ms": certified.until_ms });
        self.note_certificate(link, certified.clone(), Some(("certificate.issue", document.to_string())))
            .await?;
        Ok(certified)
    }

    async fn hand_over(
        &self,
        link: &Link,
        request: &SigningRequest,
        mut certified: Certified,
    ) -> Result<(), String> {
        let chain = certified.chain.clone().unwrap_or_default();
        let usage = request.usage.clone();
        let command = Command::CertificateSigned { chain, usage, request: request.request };
        let order = Order::Raw { command: Box::new(command) };
        let done =
            self.command(&link.org, &link.charger, order, GATEWAY).await.map_err(|why| why.to_string())?;
        // Not heard: the charger asks again by itself, and gets the same one.
        let outcome = done.outcome.map_err(|why| why.to_string())?;
        certified.chain = None;
        let taken = outcome.status.is_good();
        certified.state = if taken { "taken" } else { outcome.status.as_str() }.to_owned();
        let serial = certified.serial.clone();
        let what = if taken { "certificate.taken" } else { "certificate.refused" };
        let document = json!({ "serial": serial, "status": outcome.status.as_str() }).to_string();
        self.note_certificate(link, certified, Some((what, document))).await?;
        if taken {
            return Ok(());
        }
        // What nobody uses need not be good.
        let signer = self.signer.get().cloned().ok_or("there is no authority")?;
        let revoked = tokio::task::spawn_blocking(move || signer.revoke(&serial, crate::clock::now()));
        revoked.await.map_err(|error| error.to_string())?.map_err(|error| error.to_string())?;
        let why = if outcome.status == Status::Rejected {
            "refuses it"
        } else {
            "does not know what to do with it"
        };
        Err(format!("it {why}; the certificate is revoked"))
    }

    async fn note_certificate(
        &self,
        link: &Link,
        certified: Certified,
        audited: Option<(&'static str, String)>,
    ) -> Result<(), String> {
        let learnt = self.learn(&link.org, &link.charger, move |learnt| {
            learnt.certificate = Some(certified.clone());
        });
        learnt.await.map_err(|error| error.to_string())?;
        let Some((what, document)) = audited else { return Ok(()) };
        let entry = AuditEntry {
            id: new_id(),
            at: crate::clock::now(),
            who: GATEWAY.to_owned(),
            what: what.to_owned(),
            subject: link.charger.clone(),
            before_doc: None,
            after_doc: Some(document),
        };
        let org = link.org.clone();
        let unit = async move |tx: &mut Tx| tx.audit(&org, &entry).await;
        let written = self.store.write(Lane::charger(&link.org, &link.charger), unit).await;
        written.map_err(|error| error.to_string())
    }

    /// Asks connected chargers for a new signing request whose certificate is good for a short while only; how many were asked.
    ///
    /// # Errors
    /// When the storage fails.
    pub async fn renew_certificates(&self, org: &OrgId, now: Instant) -> Result<usize, Error> {
        if self.signer.get().is_none_or(|signer| signer.folder().is_none()) {
            return Ok(0);
        }
        let chargers = self.store.read().await?.certified_chargers(org).await?;
        let mut asked = 0;
        for charger in chargers {
            let house = self.people.rules.house(org, &charger);
            let Some(held) = self.learnt(org, &charger).await?.certificate else { continue };
            let due = held.until_ms.saturating_sub(now.0) <= house.renew_before_ms;
            let waits = now.0.saturating_sub(held.renewal_ms) < ASKED_AGAIN_MS;
            if !house.signs_certificates || held.state != "taken" || !due || waits {
                continue;
            }
            self.learn(org, &charger, move |learnt| {
                if let Some(certificate) = &mut learnt.certificate {
                    certificate.renewal_ms = now.0;
                }
            })
            .await?;
            asked += 1;
            let order = Order::Trigger {
                message: TriggeredMessage::Sign(OwnCertificate::Station),
                evse: None,
                connector: None,
            };
            match self.command(org, &charger, order, GATEWAY).await {
                Ok(done) if done.outcome.as_ref().is_ok_and(|outcome| outcome.status.is_good()) => {}
                Ok(done) => {
                    tracing::warn!(charger, outcome = ?done.outcome, "a charger was not brought to renew its certificate");
                }
                Err(why) => {
                    tracing::debug!(charger, %why, "a charger was not asked to renew its certificate");
                }
            }
        }
        Ok(asked)
    }
}
