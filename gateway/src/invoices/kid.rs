//! KID, the number that a Norwegian payment carries: digits and a check digit, by agreement with the bank mod10 or mod11.
//!
//! Mod10 is Luhn's formula; mod11 weighs the digits 2 to 7 from the right, again and again, and writes a check digit of 10 as `-`. A KID has 4 to 25 places
//! with its check digit; older agreements have them from 2 places on, so those are read but no longer made.

use std::fmt;

/// How the check digit is worked out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Method {
    /// Luhn.
    Mod10,
    /// Weights 2 to 7.
    Mod11,
}

/// A KID whose check digit is right.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Kid(String);

/// Why it is none.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum KidError {
    /// Something else than digits.
    #[error("`{0}` is no KID: it has digits only (and with mod11 `-` in the last place)")]
    NoDigits(String),
    /// Too short or too long.
    #[error("`{0}` is no KID: it has 4 to 25 places with its check digit")]
    Length(String),
    /// The last digit should be another.
    #[error("the check digit of KID `{kid}` should be `{right}`; compare it with the invoice")]
    CheckDigit {
        /// As given.
        kid: String,
        /// What it should end in.
        right: char,
    },
}

impl Kid {
    /// The KID of these digits, with the check digit behind them.
    ///
    /// # Errors
    /// When they are no digits, or fewer than 3 or more than 24.
    pub fn of(digits: &str, method: Method) -> Result<Self, KidError> {
        if !(3..=24).contains(&digits.len()) {
            return Err(KidError::Length(digits.to_owned()));
        }
        let check = check_digit(digits, method).ok_or_else(|| KidError::NoDigits(digits.to_owned()))?;
        Ok(Self(format!("{digits}{check}")))
    }

    /// The KID of several numbers, such as customer and invoice: each is filled up with zeros in front to its width.
    ///
    /// # Errors
    /// As [`Kid::of`]; a number that is wider than its width too.
    pub fn of_parts(parts: &[(u64, usize)], method: Method) -> Result<Self, KidError> {
        let mut digits = String::new();
        for (number, width) in parts {
            let part = format!("{number:0width$}");
            if part.len() > *width {
                return Err(KidError::Length(part));
            }
            digits.push_str(&part);
        }
        Self::of(&digits, method)
    }

    /// Reads a KID as people write it, with spaces, and checks it.
    ///
    /// # Errors
    /// When it is none, or its check digit is wrong.
    pub fn read(text: &str, method: Method) -> Result<Self, KidError> {
        let kid: String = text.chars().filter(|c| !c.is_whitespace()).collect();
        if !(2..=25).contains(&kid.chars().count()) {
            return Err(KidError::Length(kid));
        }
        let mut digits = kid.chars();
        let last = digits.next_back();
        let right = check_digit(digits.as_str(), method).ok_or_else(|| KidError::NoDigits(kid.clone()))?;
        match last {
            Some(last) if last == right => Ok(Self(kid)),
            Some('0'..='9' | '-') => Err(KidError::CheckDigit { kid, right }),
            _ => Err(KidError::NoDigits(kid)),
        }
    }

    /// Its digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Kid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The check digit of these digits; nothing where something else is among them.
#[must_use]
pub fn check_digit(digits: &str, method: Method) -> Option<char> {
    let mut sum = 0_u32;
    for (place, c) in (0_u32..).zip(digits.chars().rev()) {
        let digit = c.to_digit(10)?;
        sum += match method {
            Method::Mod11 => digit * (place % 6 + 2),
            Method::Mod10 if place % 2 == 0 => digit * 2 / 10 + digit * 2 % 10,
            Method::Mod10 => digit,
        };
    }
    match method {
        Method::Mod10 => char::from_digit((10 - sum % 10) % 10, 10),
        Method::Mod11 => match (11 - sum % 11) % 11 {
            10 => Some('-'),
            check => char::from_digit(check, 10),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn check_digits_as_worked_out_by_hand() {
        // 1x2 2x1 3x2 4x1 5x2=10->1 6x1 from the right: 6x2=12->3, 5, 4x2=8, 3, 2x2=4, 1 = 24.
        assert_eq!(Kid::of("123456", Method::Mod10).unwrap().as_str(), "1234566");
        // 6x2 + 5x3 + 4x4 + 3x5 + 2x6 + 1x7 = 77 = 7 x 11.
        assert_eq!(Kid::of("123456", Method::Mod11).unwrap().as_str(), "1234560");
        // 6x2 = 12, 12 mod 11 = 1, 11 - 1 = 10.
        assert_eq!(Kid::of("0006", Method::Mod11).unwrap().as_str(), "0006-");
        assert_eq!(Kid::read("6-", Method::Mod11).unwrap().as_str(), "6-");
        // Weights begin again: 1 in the seventh place from the right weighs 2.
        assert_eq!(Kid::of("1000000", Method::Mod11).unwrap().as_str(), "10000009");
    }

    #[test]
    fn a_wrong_digit_and_two_that_changed_places_are_found() {
        for method in [Method::Mod10, Method::Mod11] {
            let kid = Kid::of_parts(&[(42, 6), (1071, 8)], method).unwrap();
            assert_eq!(kid.as_str().len(), 15);
            assert_eq!(Kid::read(kid.as_str(), method).unwrap(), kid);
            let digits: Vec<char> = kid.as_str().chars().collect();
            for place in 0..14 {
                let mut wrong = digits.clone();
                wrong[place] = char::from_digit((wrong[place].to_digit(10).unwrap() + 3) % 10, 10).unwrap();
                let wrong: String = wrong.into_iter().collect();
                assert!(matches!(Kid::read(&wrong, method), Err(KidError::CheckDigit { .. })), "{wrong}");
            }
        }
        // 5x2 + 6x3 + 4x4 + 3x5 + 2x6 + 1x7 = 78, 78 mod 11 = 1.
        assert!(matches!(Kid::read("1234656", Method::Mod11), Err(KidError::CheckDigit { right: '-', .. })));
    }

    #[test]
    fn what_is_no_kid() {
        assert_eq!(Kid::read(" 12345 66 ", Method::Mod10).unwrap().as_str(), "1234566");
        assert!(matches!(Kid::read("12a4", Method::Mod10), Err(KidError::NoDigits(_))));
        assert!(matches!(Kid::read("6-", Method::Mod10), Err(KidError::CheckDigit { right: '7', .. })));
        assert!(matches!(Kid::read("ø", Method::Mod10), Err(KidError::Length(_))));
        assert!(matches!(Kid::read("1-2", Method::Mod11), Err(KidError::NoDigits(_))));
        assert!(matches!(Kid::of(&"1".repeat(25), Method::Mod10), Err(KidError::Length(_))));
        assert!(matches!(Kid::of_parts(&[(1000, 3)], Method::Mod10), Err(KidError::Length(_))));
    }
}
