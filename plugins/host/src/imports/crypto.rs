//! `host-crypto`: arithmetic with secrets that the plugin never sees.

use crate::imports::broken;
use crate::model::crypto::Hash;
use crate::secrets::Secret;
use crate::state::State;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ring::rand::{SecureRandom as _, SystemRandom};
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
use ring::{digest, hmac};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::Value;

/// Random bytes for one question.
pub(super) const RANDOM: u32 = 1_024;

impl State {
    /// A secret by its name. Inner errors are for the plugin.
    pub(super) async fn secret(&mut self, name: &str) -> wasmtime::Result<Result<Secret, String>> {
        let manifest = &self.plugin.code.manifest;
        if !manifest.secrets.contains_key(name) {
            let name = name.escape_debug();
            return Ok(Err(format!(
                "{} has no secret `{name}`: plugin.toml names it under [secrets]",
                manifest.id
            )));
        }
        let found = self.meter.outside(self.plugin.secrets.get(name)).await.map_err(broken("secrets"))?;
        Ok(found.ok_or_else(|| format!("the secret `{name}` has no value: the operator has to give it")))
    }
}

fn algorithm(hash: Hash) -> hmac::Algorithm {
    match hash {
        Hash::Sha256 => hmac::HMAC_SHA256,
        Hash::Sha512 => hmac::HMAC_SHA512,
        Hash::Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
    }
}

pub(super) fn hmac(hash: Hash, secret: &Secret, data: &[u8]) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(algorithm(hash), secret.expose()), data).as_ref().to_vec()
}

pub(super) fn hmac_equals(hash: Hash, secret: &Secret, data: &[u8], mac: &[u8]) -> bool {
    hmac::verify(&hmac::Key::new(algorithm(hash), secret.expose()), data, mac).is_ok()
}

pub(super) fn digest(hash: Hash, data: &[u8]) -> Vec<u8> {
    let algorithm = match hash {
        Hash::Sha256 => &digest::SHA256,
        Hash::Sha512 => &digest::SHA512,
        Hash::Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
    };
    digest::digest(algorithm, data).as_ref().to_vec()
}

pub(super) fn random(count: u32) -> Result<Vec<u8>, String> {
    let mut bytes = vec![0; usize::try_from(count).unwrap_or_default()];
    SystemRandom::new().fill(&mut bytes).map_err(|_| "the machine has none".to_owned())?;
    Ok(bytes)
}

/// A JSON Web Token (RFC 7515, compact form). `alg` and `typ` are added to the header.
pub(super) fn jwt(algorithm: &str, secret: &Secret, header: &str, claims: &str) -> Result<String, String> {
    let mut header = object("header", if header.trim().is_empty() { "{}" } else { header })?;
    let claims = object("claims", claims)?;
    header.insert("alg".to_owned(), algorithm.into());
    header.entry("typ").or_insert_with(|| "JWT".into());
    let part = |object: serde_json::Map<String, Value>| {
        BASE64_URL_SAFE_NO_PAD.encode(Value::Object(object).to_string())
    };
    let text = format!("{}.{}", part(header), part(claims));
    let signature = match algorithm {
        "HS256" => hmac(Hash::Sha256, secret, text.as_bytes()),
        "RS256" => rs256(secret, text.as_bytes())?,
        "ES256" => es256(secret, text.as_bytes())?,
        other => return Err(format!("`{}` is not one of HS256, RS256, ES256", other.escape_debug())),
    };
    Ok(format!("{text}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature)))
}

fn object(what: &str, text: &str) -> Result<serde_json::Map<String, Value>, String> {
    serde_json::from_str(text).map_err(|error| format!("the {what} is no JSON object: {error}"))
}

fn key(secret: &Secret) -> Result<PrivateKeyDer<'static>, String> {
    PrivateKeyDer::from_pem_slice(secret.expose())
        .map_err(|_| "the secret is no private key: it needs -----BEGIN PRIVATE KEY----- (PEM)".to_owned())
}

fn rs256(secret: &Secret, text: &[u8]) -> Result<Vec<u8>, String> {
    let pair = match key(secret)? {
        PrivateKeyDer::Pkcs8(key) => RsaKeyPair::from_pkcs8(key.secret_pkcs8_der()),
        PrivateKeyDer::Pkcs1(key) => RsaKeyPair::from_der(key.secret_pkcs1_der()),
        _ => return Err("RS256 needs an RSA key".to_owned()),
    };
    let pair = pair.map_err(|error| format!("the secret is no RSA key for RS256: {error}"))?;
    let mut signature = vec![0; pair.public().modulus_len()];
    pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text, &mut signature)
        .map_err(|_| "the key does not sign".to_owned())?;
    Ok(signature)
}

fn es256(secret: &Secret, text: &[u8]) -> Result<Vec<u8>, String> {
    let PrivateKeyDer::Pkcs8(key) = key(secret)? else {
        return Err("ES256 needs a key in PKCS#8 (openssl pkcs8 -topk8 -nocrypt)".to_owned());
    };
    let random = SystemRandom::new();
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, key.secret_pkcs8_der(), &random)
        .map_err(|error| format!("the secret is no P-256 key for ES256: {error}"))?;
    let signature = pair.sign(&random, text).map_err(|_| "the key does not sign".to_owned())?;
    Ok(signature.as_ref().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    // RFC 7515, A.1: the example's key signs the example's text to the example's signature.
    #[test]
    fn hs256_is_that_of_the_rfc() {
        let secret = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
        let secret = Secret::new(&BASE64_URL_SAFE_NO_PAD.decode(secret).unwrap());
        let text = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
        let signature = hmac(Hash::Sha256, &secret, text.as_bytes());
        assert_eq!(BASE64_URL_SAFE_NO_PAD.encode(signature), "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
    }

    #[test]
    fn es256_verifies_with_the_public_key() {
        use ring::signature::{ECDSA_P256_SHA256_FIXED, KeyPair as _, UnparsedPublicKey};
        let pair = rcgen::KeyPair::generate().unwrap();
        let secret = Secret::new(pair.serialize_pem().as_bytes());
        let token = jwt("ES256", &secret, "", r#"{"iss":"me"}"#).unwrap();
        let (text, signature) = token.rsplit_once('.').unwrap();
        let public = EcdsaKeyPair::from_pkcs8(
            &ECDSA_P256_SHA256_FIXED_SIGNING,
            &pair.serialize_der(),
            &SystemRandom::new(),
        )
        .unwrap();
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, public.public_key())
            .verify(text.as_bytes(), &BASE64_URL_SAFE_NO_PAD.decode(signature).unwrap())
            .unwrap();
    }

    #[test]
    fn what_is_wrong_with_a_token_is_said() {
        let secret = Secret::new(b"0123456789");
        for (algorithm, header, claims, word) in [
            ("none", "", "{}", "HS256, RS256, ES256"),
            ("HS256", "[]", "{}", "header"),
            ("HS256", "", "x", "claims"),
            ("RS256", "", "{}", "BEGIN PRIVATE KEY"),
            ("ES256", "", "{}", "BEGIN PRIVATE KEY"),
        ] {
            let error = jwt(algorithm, &secret, header, claims).unwrap_err();
            assert!(error.contains(word), "{error}");
        }
    }
}
