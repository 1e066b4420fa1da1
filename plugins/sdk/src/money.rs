//! Money as others write it.

use crate::Money;

impl Money {
    /// So many minor units.
    pub fn new(minor: i64, currency: &str) -> Self {
        Self { minor, currency: currency.to_owned() }
    }

    /// As a plain decimal: 345 of "EUR" is `3.45`, of "JPY" `345`.
    pub fn decimal(&self) -> String {
        let digits = digits(&self.currency);
        let sign = if self.minor < 0 { "-" } else { "" };
        let all = self.minor.unsigned_abs();
        if digits == 0 {
            return format!("{sign}{all}");
        }
        let unit = 10_u64.pow(digits);
        format!("{sign}{}.{:0width$}", all / unit, all % unit, width = digits as usize)
    }
}

/// How many digits a currency has after the point (ISO 4217).
fn digits(currency: &str) -> u32 {
    match currency {
        "BIF" | "CLP" | "DJF" | "GNF" | "ISK" | "JPY" | "KMF" | "KRW" | "PYG" | "RWF" | "UGX" | "UYI"
        | "VND" | "VUV" | "XAF" | "XOF" | "XPF" => 0,
        "BHD" | "IQD" | "JOD" | "KWD" | "LYD" | "OMR" | "TND" => 3,
        _ => 2,
    }
}

#[cfg(test)]
mod tests {
    use crate::Money;

    #[test]
    fn money_is_written_with_its_currency_s_digits() {
        for (minor, currency, text) in [
            (345, "EUR", "3.45"),
            (-5, "NOK", "-0.05"),
            (345, "JPY", "345"),
            (1, "KWD", "0.001"),
            (i64::MIN, "EUR", "-92233720368547758.08"),
        ] {
            assert_eq!(Money::new(minor, currency).decimal(), text);
        }
    }
}
