//! The gateway's functions, as tests have them.

use super::{Failure, SendError, Sent, fill, with};
use crate::bindings::host::takst::plugin::{host_crypto::Hash, host_http, host_log::Level};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use chrono::Offset as _;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Digest as _;

/// As many as the gateway allows a call by itself.
const REQUESTS: u32 = 20;
/// The longest line of the log.
const LINE: usize = 1024;

pub fn write(level: Level, text: &str) {
    let end = (0..=LINE.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    with(|world| world.log.push((level, text.get(..end).unwrap_or_default().to_owned())));
}

pub fn now() -> i64 {
    with(|world| world.clock).unwrap_or_else(|| chrono::Utc::now().timestamp_millis())
}

pub fn offset(at: i64, zone: &str) -> Option<i32> {
    let zone: chrono_tz::Tz = zone.parse().ok()?;
    Some(chrono::DateTime::from_timestamp_millis(at)?.with_timezone(&zone).offset().fix().local_minus_utc())
}

pub fn send(request: &host_http::Request) -> Result<host_http::Response, SendError> {
    let host_http::Request { method, url, headers, body } = request.clone();
    let written = Sent { method, url, headers, body };
    let changes = !matches!(written.method.as_str(), "GET" | "HEAD");
    let (filled, handler, fault) = with(|world| {
        world.sent.push(written.clone());
        world.requests += 1;
        if world.requests > REQUESTS {
            return Err(failed(Failure::TooMany, format!("a call sends at most {REQUESTS} requests")));
        }
        let mut filled = fill::request(&written, world.manifest.as_ref(), &world.secrets)
            .map_err(|detail| failed(Failure::Denied, detail))?;
        let header = match &world.manifest {
            Some(manifest) => manifest
                .allows(&written.method, &written.url)
                .map_err(|detail| failed(Failure::Denied, detail))?,
            None => None,
        };
        if let Some((header, key)) = header.zip(world.key.as_ref()).filter(|_| changes) {
            filled.headers.retain(|(name, _)| !name.eq_ignore_ascii_case(&header));
            filled.headers.push((header, super::idempotency_key(key, &filled.method, filled.path())));
        }
        let fault = if changes { world.faults.pop_front() } else { None };
        Ok((filled, world.handler.take(), fault))
    })?;
    let arrives = matches!(fault, None | Some(Failure::Lost | Failure::TooLarge));
    // Outside of `with`: what answers may ask the gateway something itself.
    let result = match handler {
        Some(mut handler) => {
            let result = if arrives { handler(&filled) } else { Err(failed(Failure::Lost, "")) };
            with(|world| _ = world.handler.get_or_insert(handler));
            result
        }
        None => Err(failed(Failure::NoConnection, "nobody answers: see `testing::http`")),
    };
    match fault {
        Some(failure) => Err(failed(failure, "as the test wants it")),
        None => result.map(|mut response| {
            response.headers.iter_mut().for_each(|(name, _)| name.make_ascii_lowercase());
            response
        }),
    }
}

fn failed(failure: Failure, detail: impl Into<String>) -> SendError {
    SendError { failure, detail: detail.into() }
}

pub fn get(key: &str) -> Option<Vec<u8>> {
    with(|world| world.kv.get(key).cloned())
}

pub fn set(key: &str, value: &[u8]) -> Result<(), String> {
    if key.is_empty() || key.len() > 256 {
        return Err("a name has 1 to 256 bytes".to_owned());
    }
    with(|world| world.kv.insert(key.to_owned(), value.to_vec()));
    Ok(())
}

pub fn delete(key: &str) {
    with(|world| world.kv.remove(key));
}

pub fn names(prefix: &str) -> Vec<String> {
    with(|world| world.kv.keys().filter(|name| name.starts_with(prefix)).take(1_000).cloned().collect())
}

fn secret(name: &str) -> Result<Vec<u8>, String> {
    with(|world| world.secrets.get(name).cloned())
        .ok_or_else(|| format!("the secret `{name}` has no value: the operator has to give it"))
}

pub fn hmac(hash: Hash, name: &str, data: &[u8]) -> Result<Vec<u8>, String> {
    let secret = secret(name)?;
    Ok(match hash {
        Hash::Sha256 => mac::<Hmac<sha2::Sha256>>(&secret, data),
        Hash::Sha512 => mac::<Hmac<sha2::Sha512>>(&secret, data),
        Hash::Sha1 => mac::<Hmac<sha1::Sha1>>(&secret, data),
    })
}

fn mac<M: Mac + KeyInit>(key: &[u8], data: &[u8]) -> Vec<u8> {
    let Ok(mut mac) = <M as KeyInit>::new_from_slice(key) else { return Vec::new() };
    mac.update(data);
    mac.finalize().into_bytes().to_vec()
}

pub fn hmac_equals(hash: Hash, name: &str, data: &[u8], mac: &[u8]) -> Result<bool, String> {
    Ok(hmac(hash, name, data)? == mac)
}

pub fn digest(hash: Hash, data: &[u8]) -> Vec<u8> {
    match hash {
        Hash::Sha256 => sha2::Sha256::digest(data).to_vec(),
        Hash::Sha512 => sha2::Sha512::digest(data).to_vec(),
        Hash::Sha1 => sha1::Sha1::digest(data).to_vec(),
    }
}

pub fn jwt(algorithm: &str, name: &str, header: &str, claims: &str) -> Result<String, String> {
    if algorithm != "HS256" {
        return Err(format!(
            "`{algorithm}`: the stand-in for tests signs with HS256 only, the gateway with RS256 and ES256 too"
        ));
    }
    let mut fields: serde_json::Map<String, serde_json::Value> = if header.trim().is_empty() {
        serde_json::Map::new()
    } else {
        serde_json::from_str(header).map_err(|e| format!("the header is no JSON object: {e}"))?
    };
    fields.insert("alg".to_owned(), algorithm.into());
    fields.entry("typ").or_insert_with(|| "JWT".into());
    let _: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(claims).map_err(|e| format!("the claims are no JSON object: {e}"))?;
    let header = serde_json::Value::Object(fields).to_string();
    let signed =
        format!("{}.{}", BASE64_URL_SAFE_NO_PAD.encode(header), BASE64_URL_SAFE_NO_PAD.encode(claims));
    let mac = hmac(Hash::Sha256, name, signed.as_bytes())?;
    Ok(format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(mac)))
}

pub fn random(count: u32) -> Vec<u8> {
    let mut bytes = vec![0; count.min(1024) as usize];
    // A machine without randomness could not run the test at all.
    getrandom::fill(&mut bytes).unwrap_or_else(|e| panic!("no randomness: {e}"));
    bytes
}
