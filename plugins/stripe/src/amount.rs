//! Amounts as Stripe counts them. The smallest unit is ISO 4217's for most currencies, and another one for some
//! (docs.stripe.com/currencies: zero-decimal currencies, special cases).

use takst_plugin_sdk::{Error, Money};

/// What one of ISO 4217's minor units is at Stripe.
enum Unit {
    Same,
    /// Stripe counts hundredths of what has no decimals.
    Times100,
    /// Stripe counts whole units of what has two decimals.
    Over100,
    /// Three decimals, of which the last must be 0.
    Tens,
}

fn unit(currency: &str) -> Unit {
    match currency {
        "ISK" | "UGX" => Unit::Times100,
        "MGA" => Unit::Over100,
        "BHD" | "JOD" | "KWD" | "OMR" | "TND" => Unit::Tens,
        _ => Unit::Same,
    }
}

/// The number that goes to Stripe, and the currency as it writes it.
pub fn to_stripe(money: &Money) -> Result<(i64, String), Error> {
    let wrong =
        |why: &str| Error::refused("wrong-amount", format!("{} {}: {why}", money.decimal(), money.currency));
    if money.currency.len() != 3 || !money.currency.bytes().all(|byte| byte.is_ascii_uppercase()) {
        return Err(wrong("the currency is three capital letters"));
    }
    if money.minor <= 0 {
        return Err(wrong("an amount must be more than 0"));
    }
    let amount = match unit(&money.currency) {
        Unit::Same => money.minor,
        Unit::Times100 => money.minor.checked_mul(100).ok_or_else(|| wrong("too much"))?,
        Unit::Over100 if money.minor % 100 == 0 => money.minor / 100,
        Unit::Over100 => return Err(wrong("Stripe takes whole units of this currency only")),
        Unit::Tens if money.minor % 10 == 0 => money.minor,
        Unit::Tens => return Err(wrong("Stripe takes amounts of this currency that end in 0 only")),
    };
    Ok((amount, money.currency.to_ascii_lowercase()))
}

/// Money from Stripe's number.
pub fn from_stripe(amount: i64, currency: &str) -> Money {
    let currency = currency.to_ascii_uppercase();
    let minor = match unit(&currency) {
        Unit::Same | Unit::Tens => amount,
        Unit::Times100 => amount / 100,
        Unit::Over100 => amount.saturating_mul(100),
    };
    Money { minor, currency }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_counted_as_stripe_does() {
        for (minor, currency, stripe) in [
            (345, "EUR", 345),
            (345, "NOK", 345),
            (500, "JPY", 500),
            (1_500, "ISK", 150_000),
            (1_500, "UGX", 150_000),
            (50_000, "MGA", 500),
            (1_230, "KWD", 1_230),
        ] {
            let money = Money::new(minor, currency);
            assert_eq!(to_stripe(&money).unwrap(), (stripe, currency.to_lowercase()));
            assert_eq!(from_stripe(stripe, &currency.to_lowercase()), money);
        }
    }

    #[test]
    fn what_stripe_would_not_take_is_refused_before_it_is_sent() {
        for (minor, currency) in [
            (0, "EUR"),
            (-1, "EUR"),
            (1_235, "KWD"),
            (550, "MGA"),
            (1, "eur"),
            (1, "EURO"),
            (i64::MAX, "ISK"),
        ] {
            assert_eq!(
                to_stripe(&Money::new(minor, currency)).unwrap_err().code,
                "wrong-amount",
                "{minor} {currency}"
            );
        }
    }
}
