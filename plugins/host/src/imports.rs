//! The functions that a plugin may call: `host-log`, `host-clock`, `host-http`, `host-kv`, `host-crypto`.

mod crypto;
mod send;

pub use send::idempotency_key;

use crate::load::interface::full_name;
use crate::model::bytes::Bytes;
use crate::model::crypto::{Hash, Level};
use crate::model::http::{Request, Response, SendError};
use crate::state::State;
use chrono::Offset as _;
use wasmtime::component::Linker;
use wasmtime::{Engine, Error, Result, StoreContextMut};

/// The part of the host that a call needed did not work: not the plugin's fault.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0}")]
pub struct Broken(pub String);

fn broken(what: &str) -> impl Fn(String) -> Error + '_ {
    move |error| Error::new(Broken(format!("{what}: {error}")))
}

/// All of them, once for the engine.
pub(crate) fn linker(engine: &Engine) -> Result<Linker<State>> {
    let mut linker = Linker::new(engine);
    // It has types only.
    linker.instance(&full_name("types"))?;
    log(&mut linker)?;
    clock(&mut linker)?;
    http(&mut linker)?;
    kv(&mut linker)?;
    crypto(&mut linker)?;
    Ok(linker)
}

fn log(linker: &mut Linker<State>) -> Result<()> {
    let mut instance = linker.instance(&full_name("host-log"))?;
    instance.func_wrap("write", |mut store: StoreContextMut<'_, State>, (level, text): (Level, String)| {
        store.data_mut().log(level, &text);
        Ok(())
    })
}

fn clock(linker: &mut Linker<State>) -> Result<()> {
    let mut instance = linker.instance(&full_name("host-clock"))?;
    instance.func_wrap("now", |mut store: StoreContextMut<'_, State>, (): ()| {
        let state = store.data_mut();
        if let Some(now) = state.deck.answer::<i64>("clock.now", &())? {
            return Ok((now,));
        }
        let now = state.plugin.host.clock.now();
        state.deck.keep("clock.now", &(), &now);
        Ok((now,))
    })?;
    // The same everywhere and always: not on the tape.
    instance.func_wrap("offset", |_: StoreContextMut<'_, State>, (at, zone): (i64, String)| {
        Ok((offset(at, &zone),))
    })
}

/// Seconds that a zone's clock is ahead of UTC.
fn offset(at: i64, zone: &str) -> Option<i32> {
    let zone: chrono_tz::Tz = zone.parse().ok()?;
    let at = chrono::DateTime::from_timestamp_millis(at)?;
    Some(at.with_timezone(&zone).offset().fix().local_minus_utc())
}

fn http(linker: &mut Linker<State>) -> Result<()> {
    let mut instance = linker.instance(&full_name("host-http"))?;
    instance.func_wrap_async("send", |mut store: StoreContextMut<'_, State>, (request,): (Request,)| {
        Box::new(async move {
            let state = store.data_mut();
            if let Some(answer) = state.deck.answer::<Result<Response, SendError>>("http.send", &request)? {
                send::replayed(state, &request, &answer)?;
                return Ok((answer,));
            }
            let answer = send::send(state, &request).await?;
            state.deck.keep("http.send", &request, &answer);
            Ok((answer,))
        })
    })
}

fn kv(linker: &mut Linker<State>) -> Result<()> {
    let mut instance = linker.instance(&full_name("host-kv"))?;
    instance.func_wrap_async("get", |mut store: StoreContextMut<'_, State>, (key,): (String,)| {
        Box::new(async move {
            let state = store.data_mut();
            if let Some(value) = state.deck.answer::<Option<Bytes>>("kv.get", &key)? {
                return Ok((value.map(|bytes| bytes.0),));
            }
            let value = state.meter.outside(state.kv.get(&key)).await.map_err(broken("kv"))?.map(Bytes);
            state.deck.keep("kv.get", &key, &value);
            Ok((value.map(|bytes| bytes.0),))
        })
    })?;
    instance.func_wrap_async(
        "set",
        |mut store: StoreContextMut<'_, State>, (key, value): (String, Vec<u8>)| {
            Box::new(async move {
                let state = store.data_mut();
                let ask = (key, Bytes(value));
                if let Some(answer) = state.deck.answer::<Result<(), String>>("kv.set", &ask)? {
                    return Ok((answer,));
                }
                let (key, value) = (ask.0.clone(), ask.1.0.clone());
                let set = state.kv.set(key, value, &state.plugin.limits);
                let answer = state.meter.outside(set).await.map_err(broken("kv"))?;
                state.deck.keep("kv.set", &ask, &answer);
                Ok((answer,))
            })
        },
    )?;
    instance.func_wrap_async("delete", |mut store: StoreContextMut<'_, State>, (key,): (String,)| {
        Box::new(async move {
            let state = store.data_mut();
            if state.deck.answer::<()>("kv.delete", &key)?.is_some() {
                return Ok(());
            }
            let delete = state.kv.delete(key.clone(), &state.plugin.limits);
            let deleted = state.meter.outside(delete).await.map_err(broken("kv"))?;
            // The interface has no answer for it, and a plugin must not go on as if the name were gone.
            deleted.map_err(Error::msg)?;
            state.deck.keep("kv.delete", &key, &());
            Ok(())
        })
    })?;
    instance.func_wrap_async("names", |mut store: StoreContextMut<'_, State>, (prefix,): (String,)| {
        Box::new(async move {
            let state = store.data_mut();
            if let Some(names) = state.deck.answer::<Vec<String>>("kv.names", &prefix)? {
                return Ok((names,));
            }
            let names = state.meter.outside(state.kv.names(&prefix)).await.map_err(broken("kv"))?;
            state.deck.keep("kv.names", &prefix, &names);
            Ok((names,))
        })
    })
}

fn crypto(linker: &mut Linker<State>) -> Result<()> {
    let mut instance = linker.instance(&full_name("host-crypto"))?;
    instance.func_wrap_async(
        "hmac",
        |mut store: StoreContextMut<'_, State>, (hash, secret, data): (Hash, String, Vec<u8>)| {
            Box::new(async move {
                let state = store.data_mut();
                let ask = (hash, secret, Bytes(data));
                if let Some(answer) = state.deck.answer::<Result<Bytes, String>>("crypto.hmac", &ask)? {
                    return Ok((answer.map(|bytes| bytes.0),));
                }
                let answer =
                    state.secret(&ask.1).await?.map(|secret| Bytes(crypto::hmac(hash, &secret, &ask.2.0)));
                state.deck.keep("crypto.hmac", &ask, &answer);
                Ok((answer.map(|bytes| bytes.0),))
            })
        },
    )?;
    instance.func_wrap_async(
        "hmac-equals",
        |mut store: StoreContextMut<'_, State>,
         (hash, secret, data, mac): (Hash, String, Vec<u8>, Vec<u8>)| {
            Box::new(async move {
                let state = store.data_mut();
                let ask = (hash, secret, Bytes(data), Bytes(mac));
                if let Some(answer) = state.deck.answer::<Result<bool, String>>("crypto.hmac-equals", &ask)? {
                    return Ok((answer,));
                }
                let answer = state.secret(&ask.1).await?;
                let answer = answer.map(|secret| crypto::hmac_equals(hash, &secret, &ask.2.0, &ask.3.0));
                state.deck.keep("crypto.hmac-equals", &ask, &answer);
                Ok((answer,))
            })
        },
    )?;
    // Arithmetic without a secret: the same on every replay.
    instance.func_wrap("digest", |_: StoreContextMut<'_, State>, (hash, data): (Hash, Vec<u8>)| {
        Ok((crypto::digest(hash, &data),))
    })?;
    instance.func_wrap_async(
        "jwt",
        |mut store: StoreContextMut<'_, State>,
         (algorithm, secret, header, claims): (String, String, String, String)| {
            Box::new(async move {
                let state = store.data_mut();
                let ask = (algorithm, secret, header, claims);
                if let Some(answer) = state.deck.answer::<Result<String, String>>("crypto.jwt", &ask)? {
                    return Ok((answer,));
                }
                let answer = state.secret(&ask.1).await?;
                let answer = answer.and_then(|secret| crypto::jwt(&ask.0, &secret, &ask.2, &ask.3));
                if let Ok(token) = &answer {
                    state.deck.hide(token);
                }
                state.deck.keep("crypto.jwt", &ask, &answer);
                Ok((answer,))
            })
        },
    )?;
    instance.func_wrap("random", |mut store: StoreContextMut<'_, State>, (count,): (u32,)| {
        let state = store.data_mut();
        if let Some(Bytes(bytes)) = state.deck.answer("crypto.random", &count)? {
            return Ok((bytes,));
        }
        if count > crypto::RANDOM {
            let most = crypto::RANDOM;
            return Err(Error::msg(format!(
                "it asked for {count} random bytes at once, there are at most {most}"
            )));
        }
        let bytes = Bytes(crypto::random(count).map_err(broken("random"))?);
        state.deck.keep("crypto.random", &count, &bytes);
        Ok((bytes.0,))
    })
}

#[cfg(test)]
mod tests {
    use super::offset;

    #[test]
    fn a_zone_changes_its_clock() {
        // 2026-03-29: Norway's clock jumps at 01:00 UTC.
        assert_eq!(offset(1_774_745_999_000, "Europe/Oslo"), Some(3_600));
        assert_eq!(offset(1_774_746_000_000, "Europe/Oslo"), Some(7_200));
        assert_eq!(offset(0, "Mars/Olympus"), None);
        assert_eq!(offset(i64::MAX, "Europe/Oslo"), None);
    }
}
