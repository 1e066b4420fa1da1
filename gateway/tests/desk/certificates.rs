//! Certificates that chargers ask for: who gets one, and that they are renewed in time.

use crate::desk_support::*;
use crate::store_support::*;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use takst_engine::units::{DAY_MS, HOUR_MS, Instant};
use takst_gateway::chargers::model::{Command, OwnCertificate, TriggeredMessage};
use takst_gateway::desk::rules::{ChargerRules, Security};
use takst_gateway::ocpp::Dialect;
use takst_gateway::pki::{Authority, Signer};

fn request(name: &str, key: &rcgen::KeyPair) -> String {
    let mut params = rcgen::CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(rcgen::DnType::CommonName, name);
    params.serialize_request(key).unwrap().pem().unwrap()
}

fn now() -> Instant {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    Instant(since.as_millis().try_into().unwrap())
}

impl Rig {
    fn shows_a_password(&self, yes: bool) {
        let security = Security { profile: u8::from(yes), ..Security::default() };
        let rules = ChargerRules { security, ..charger(CHARGER) };
        self.hand.chargers.lock().unwrap().insert(CHARGER.to_owned(), Arc::new(rules));
    }

    async fn profile(&self) -> String {
        let stored = self.store.read().await.unwrap().charger(&org(), CHARGER).await.unwrap();
        stored.unwrap().profile.unwrap_or_default()
    }

    async fn until_profile_has(&self, text: &str) {
        for _ in 0..200 {
            if self.profile().await.contains(text) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("no {text} in {}", self.profile().await);
    }
}

async fn they_are_renewed_in_time(place: Place) {
    let folder = tempfile::tempdir().unwrap();
    let mut rig = Rig::new(place, Dialect::V201).await;
    let key = rcgen::KeyPair::generate().unwrap();
    let csr = json!({ "csr": request(CHARGER, &key), "certificateType": "ChargingStationCertificate" });
    rig.shows_a_password(true);
    rig.boot().await;
    let refused = rig.say("SignCertificate", csr.clone()).await;
    assert_eq!(refused["status"], "Rejected", "there is nobody to sign: {refused}");
    rig.clerk.sign_with(Signer::new(vec![folder.path().join("none"), folder.path().join("pki")]));
    assert_eq!(rig.say("SignCertificate", csr.clone()).await["status"], "Rejected");
    let authority = Authority::init(&folder.path().join("pki"), "Test", now()).unwrap();
    // Whoever knows its id could be a charger that shows nothing.
    rig.shows_a_password(false);
    assert_eq!(rig.say("SignCertificate", csr.clone()).await["status"], "Rejected");
    rig.shows_a_password(true);
    let car = json!({ "csr": request(CHARGER, &key), "certificateType": "V2GCertificate" });
    assert_eq!(rig.say("SignCertificate", car).await["status"], "Rejected");
    rig.hand.house.lock().unwrap().signs_certificates = false;
    assert_eq!(rig.say("SignCertificate", csr.clone()).await["status"], "Rejected");
    rig.hand.house.lock().unwrap().signs_certificates = true;
    assert_eq!((authority.list().unwrap().len(), rig.profile().await.contains("certificate")), (0, false));

    assert_eq!(rig.say("SignCertificate", csr).await["status"], "Accepted");
    rig.until_profile_has(r#""state":"taken""#).await;
    let told = std::mem::take(&mut *rig.others.told.lock().unwrap());
    let handed =
        told.iter().filter(|(_, command)| matches!(command, Command::CertificateSigned { .. })).count();
    assert_eq!((handed, authority.list().unwrap().len()), (1, 1));

    // A year is long; a month before its end the charger is asked, once a day.
    let renewed = async |days: i64, hours: i64| {
        let at = Instant(now().0 + days * DAY_MS + hours * HOUR_MS);
        rig.clerk.renew_certificates(&org(), at).await.unwrap()
    };
    assert_eq!((renewed(0, 0).await, renewed(330, 0).await), (0, 0));
    assert_eq!((renewed(336, 0).await, renewed(336, 5).await, renewed(337, 0).await), (1, 0, 1));
    let told = std::mem::take(&mut *rig.others.told.lock().unwrap());
    let sign = TriggeredMessage::Sign(OwnCertificate::Station);
    assert!(
        told.len() == 2
            && told
                .iter()
                .all(|(_, command)| matches!(command, Command::Trigger { message, .. } if *message == sign))
    );
    // One that asks for many gets no more of them on that day.
    rig.now = now();
    let mut signed = 1;
    for _ in 0..12 {
        let csr = request(CHARGER, &rcgen::KeyPair::generate().unwrap());
        if rig.say("SignCertificate", json!({ "csr": csr })).await["status"] == "Accepted" {
            signed += 1;
            for _ in 0..200 {
                if authority.list().unwrap().len() == signed {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
    assert_eq!((signed, authority.list().unwrap().len()), (8, 8));
}
both!(they_are_renewed_in_time);
