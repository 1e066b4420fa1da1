//! The readings of a session document in their usual form, read byte by byte: they are nearly all of it. What is written in
//! any other way, or wrong, is left to the whole reader, so that it alone says what may be and what is wrong.

use super::{Reading, Session};
use crate::input::instant_fast;
use crate::units::{Energy, Instant};

const KEY: &str = "\"readings\"";

/// The session, when its readings are written as usual; else none, also when anything is wrong.
pub(super) fn session(text: &str) -> Option<Session> {
    // A quotation mark inside a text is escaped, so this is a key; one in the wrong place is refused below.
    let start = text.find(KEY)? + KEY.len();
    let list = after(after(text.as_bytes().get(start..)?, b':')?, b'[')?;
    let (readings, rest) = readings(list)?;
    // The rest of the document with no readings in it.
    let (head, tail) = (text.get(..text.len() - list.len())?, text.get(text.len() - rest.len()..)?);
    let mut rest = String::with_capacity(head.len() + 1 + tail.len());
    rest.push_str(head);
    rest.push(']');
    rest.push_str(tail);
    let mut session: Session = serde_json::from_str(&rest).ok()?;
    session.readings = readings;
    Some(session)
}

fn spaces(text: &[u8]) -> &[u8] {
    match text {
        [b' ' | b'\n' | b'\r' | b'\t', ..] => text.trim_ascii_start(),
        _ => text,
    }
}

// What follows a byte that has to come next.
#[inline]
fn after(text: &[u8], byte: u8) -> Option<&[u8]> {
    match spaces(text) {
        [first, rest @ ..] if *first == byte => Some(rest),
        _ => None,
    }
}

// The readings behind `[`, and what follows `]`.
fn readings(mut text: &[u8]) -> Option<(Vec<Reading>, &[u8])> {
    // One is rarely shorter than 50 bytes.
    let mut readings = Vec::with_capacity((text.len() / 50).min(10_000));
    let mut times = Times::default();
    loop {
        let (reading, rest) = reading(after(text, b'{')?, &mut times)?;
        readings.push(reading);
        text = match spaces(rest) {
            [b',', rest @ ..] => rest,
            [b']', rest @ ..] => return Some((readings, rest)),
            _ => return None,
        };
    }
}

// A reading behind `{`, and what follows `}`.
fn reading<'t>(mut text: &'t [u8], times: &mut Times) -> Option<(Reading, &'t [u8])> {
    let (mut at, mut import, mut export, mut segment) = (None, None, None, None);
    loop {
        text = spaces(text);
        if let Some(rest) = text.strip_prefix(b"\"at\"") {
            let (value, rest) = time(after(after(rest, b':')?, b'"')?)?;
            (at, text) = (once(at.is_some(), times.read(value)?)?, rest);
        } else if let Some(rest) = text.strip_prefix(b"\"import_kwh\"") {
            let (value, rest) = energy(after(after(rest, b':')?, b'"')?)?;
            (import, text) = (once(import.is_some(), value)?, rest);
        } else if let Some(rest) = text.strip_prefix(b"\"export_kwh\"") {
            let (value, rest) = energy(after(after(rest, b':')?, b'"')?)?;
            (export, text) = (once(export.is_some(), value)?, rest);
        } else {
            let (value, rest) = number(after(text.strip_prefix(b"\"segment\"")?, b':')?)?;
            (segment, text) = (once(segment.is_some(), value)?, rest);
        }
        text = match spaces(text) {
            [b',', rest @ ..] => rest,
            [b'}', rest @ ..] => {
                let (export, segment) = (export.unwrap_or_default(), segment.unwrap_or_default());
                return Some((Reading { at: at?, import: import?, export, segment }, rest));
            }
            _ => return None,
        };
    }
}

// A field that stands there for the first time.
fn once<T>(known: bool, value: T) -> Option<Option<T>> {
    (!known).then_some(Some(value))
}

// The time behind a quotation mark, not looked at yet, and what follows the next one.
#[inline]
fn time(text: &[u8]) -> Option<(&[u8], &[u8])> {
    // `2025-03-10T17:00:00` with `+01:00`, `Z`, or milliseconds as well.
    for length in [25, 20, 29, 24] {
        if text.get(length) == Some(&b'"') {
            return Some((text.get(..length)?, text.get(length + 1..)?));
        }
    }
    None
}

// A plain number of up to 12 digits before and 6 behind the point, behind a quotation mark, in millionths; and what follows.
#[inline]
fn energy(text: &[u8]) -> Option<(Energy, &[u8])> {
    let (mut value, mut whole, mut places) = (0_i64, 0, None);
    let mut bytes = text.iter();
    loop {
        let byte = *bytes.next()?;
        let digit = byte.wrapping_sub(b'0');
        if digit < 10 {
            value = value * 10 + i64::from(digit);
            match &mut places {
                None if whole < 12 => whole += 1,
                Some(places) if *places < 6 => *places += 1,
                _ => return None,
            }
        } else if byte == b'"' {
            break;
        } else if byte == b'.' && places.is_none() && whole > 0 {
            places = Some(0_usize);
        } else {
            return None;
        }
    }
    let up = match places {
        None => (whole > 0).then_some(1_000_000)?,
        Some(places) => *[0, 100_000, 10_000, 1_000, 100, 10, 1].get(places).filter(|up| **up > 0)?,
    };
    Some((Energy(value * up), bytes.as_slice()))
}

// A whole number of up to nine digits without a superfluous zero.
fn number(text: &[u8]) -> Option<(u32, &[u8])> {
    let text = spaces(text);
    let length = text.iter().take(10).take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = text.split_at_checked(length)?;
    if length == 0 || length > 9 || (length > 1 && digits.first() == Some(&b'0')) {
        return None;
    }
    Some((digits.iter().fold(0, |number, digit| number * 10 + u32::from(digit - b'0')), rest))
}

// Times of one day at one distance from UTC follow one another: the day is worked out once.
#[derive(Default)]
struct Times {
    date: [u8; 11],
    zone: [u8; 6],
    midnight: i64,
}

impl Times {
    #[inline]
    fn read(&mut self, text: &[u8]) -> Option<Instant> {
        if let Some((date, rest)) = text.split_first_chunk::<11>()
            && let Some((clock, zone)) = rest.split_first_chunk::<8>()
            && *date == self.date
            && *zone == self.zone
        {
            let [h1, h2, b':', m1, m2, b':', s1, s2] = *clock else { return None };
            let digit = |byte: u8| Some(i64::from(byte.wrapping_sub(b'0'))).filter(|digit| *digit < 10);
            let (hour, minute) = (digit(h1)? * 10 + digit(h2)?, digit(m1)? * 10 + digit(m2)?);
            let second = digit(s1)? * 10 + digit(s2)?;
            if hour > 23 || minute > 59 || second > 59 {
                return None;
            }
            return Some(Instant(self.midnight + ((hour * 60 + minute) * 60 + second) * 1000));
        }
        let instant = instant_fast(text)?;
        if let Some((date, rest)) = text.split_first_chunk::<11>()
            && let Some((clock, zone)) = rest.split_first_chunk::<8>()
            && let Ok(zone) = <[u8; 6]>::try_from(zone)
            && let [h1, h2, _, m1, m2, _, s1, s2] = clock.map(|byte| i64::from(byte.wrapping_sub(b'0')))
        {
            let passed = ((h1 * 10 + h2) * 60 + m1 * 10 + m2) * 60 + s1 * 10 + s2;
            (self.date, self.zone, self.midnight) = (*date, zone, instant.0 - passed * 1000);
        }
        Some(instant)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn slow(text: &str) -> Option<Session> {
        serde_json::from_str(text).ok()
    }

    #[test]
    fn the_usual_form_is_read_quickly_and_the_same() {
        for list in [
            r#"[{"at":"2025-03-10T17:00:00+01:00","import_kwh":"0"},{"at":"2025-03-10T17:15:00+01:00","import_kwh":"1.5"}]"#,
            r#" [ { "import_kwh" : "12.000001", "export_kwh": "3", "segment": 2 , "at": "2025-03-10T17:00:00Z" } ] "#,
            r#"[{"at":"2025-03-30T01:59:59.250+01:00","import_kwh":"1"},{"at":"2025-03-30T03:00:00+02:00","import_kwh":"1"},
                {"at":"2025-03-31T03:00:00+02:00","import_kwh":"1"}]"#,
        ] {
            let text = format!(r#"{{"id":"a","plugged_in":"2025-03-10T16:00:00Z","readings":{list}}}"#);
            let quick = session(&text);
            assert!(quick.is_some(), "{text}");
            assert_eq!(quick, slow(&text), "{text}");
        }
    }

    proptest! {
        // Whatever is made of a document: the quick reader gives nothing, or what the whole reader gives.
        #[test]
        fn never_anything_else_than_the_whole_reader(
            cut in 0..400_usize,
            length in 0..12_usize,
            put in prop::sample::select(vec![
                "", "\"", "]", "}", ",", "{", "[", ":", " ", "\\", "0", "-", ".", "Z", "null", "\"readings\":[]", "é",
                "\"segment\":1,", "\"at\":\"2025-03-10T17:00:00Z\",", "\"readings\":[{\"at\":\"x\"}],", "e5", "60",
            ]),
        ) {
            let text = r#"{"id":"a\"readings\"","connector":{"id":"1"},"plugged_in":"2025-03-10T16:00:00Z","readings":[{"at":"2025-03-10T17:00:00+01:00","import_kwh":"0","segment":0},{"at":"2025-03-10T17:15:00+01:00","import_kwh":"1.5","export_kwh":"0"}],"states":[{"from":"2025-03-10T17:00:00+01:00","state":"charging"}]}"#;
            let (head, tail) = text.split_at(cut.min(text.len()));
            let text = format!("{head}{put}{}", tail.get(length..).unwrap_or_default());
            if let Some(quick) = session(&text) {
                prop_assert_eq!(Some(quick), slow(&text), "{}", text);
            }
        }
    }
}
