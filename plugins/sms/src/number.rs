//! Phone numbers, as E.164 writes them: `+`, the country's code, at most 15 digits in all.

/// A number as people write it: with spaces, `00` or without a country. Nothing if it can be none.
pub fn e164(text: &str, country: Option<&str>) -> Option<String> {
    let mut digits = String::new();
    for (at, c) in text.trim().char_indices() {
        match c {
            '0'..='9' => digits.push(c),
            '+' if at == 0 => {}
            ' ' | '\u{a0}' | '-' | '.' | '(' | ')' | '/' => {}
            _ => return None,
        }
    }
    let international = text.trim().starts_with('+');
    let digits = match (international, digits.strip_prefix("00"), country) {
        (true, ..) => digits,
        (false, Some(rest), _) => rest.to_owned(),
        // A leading 0 is for calls within the country, but in Italy and some others part of the number.
        (false, None, Some(code)) => {
            format!("{code}{}", digits.strip_prefix('0').filter(|_| code != "39").unwrap_or(&digits))
        }
        (false, None, None) => return None,
    };
    let fine = (7..=15).contains(&digits.len()) && !digits.starts_with('0');
    fine.then(|| format!("+{digits}"))
}

/// Who sent a message. SMS gateways leave out the `+`; a number that is as long as one with its country is taken for one. What is no number stays as it is.
pub fn sender(text: &str, country: Option<&str>) -> String {
    let digits = text.trim();
    if digits.len() >= 10 && digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0') {
        return format!("+{digits}");
    }
    e164(text, country).unwrap_or_else(|| digits.to_owned())
}

/// A country's code.
pub fn country(text: &str) -> Option<&str> {
    let fine = (1..=3).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_digit())
        && !text.starts_with('0');
    fine.then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_as_people_write_them() {
        for (text, country, number) in [
            ("+4791234567", None, Some("+4791234567")),
            (" +47 912 34 567 ", None, Some("+4791234567")),
            ("0047 91 23 45 67", None, Some("+4791234567")),
            ("912 34 567", Some("47"), Some("+4791234567")),
            ("070-123 45 67", Some("46"), Some("+46701234567")),
            ("06 1234567", Some("39"), Some("+39061234567")),
            ("+358 (40) 123.4567", Some("47"), Some("+358401234567")),
            ("912 34 567", None, None),
            ("+47", None, None),
            ("+0791234567", None, None),
            ("+1234567890123456", None, None),
            ("47+91234567", Some("47"), None),
            ("call me", Some("47"), None),
            ("", Some("47"), None),
        ] {
            assert_eq!(e164(text, country).as_deref(), number, "{text}");
        }
    }

    #[test]
    fn senders_as_gateways_write_them() {
        for (text, number) in [
            ("4791234567", "+4791234567"),
            ("91234567", "+4791234567"),
            ("+4791234567", "+4791234567"),
            ("2100", "2100"),
            ("Vipps", "Vipps"),
        ] {
            assert_eq!(sender(text, Some("47")), number);
        }
    }
}
