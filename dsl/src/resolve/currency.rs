//! Currencies in use (ISO 4217) and the words for their hundredths.

use takst_engine::units::Currency;

/// The currency with this code. `None` when it is not in use.
#[must_use]
pub fn currency(code: &str) -> Option<Currency> {
    let known = codes().any(|known| known == code);
    let digits = if NO_DIGITS.contains(&code) {
        0
    } else if THREE_DIGITS.contains(&code) {
        3
    } else if FOUR_DIGITS.contains(&code) {
        4
    } else {
        2
    };
    known.then(|| Currency { code: code.to_owned(), digits })
}

/// All codes, in order of the alphabet.
pub fn codes() -> impl Iterator<Item = &'static str> {
    CODES.split_ascii_whitespace()
}

/// The currencies whose hundredth has this name; `None` when it is no such word.
#[must_use]
pub fn hundredth(word: &str) -> Option<&'static [&'static str]> {
    Some(match word {
        "øre" | "ore" => &["NOK", "DKK", "SEK"],
        "öre" => &["SEK", "NOK", "DKK"],
        "cent" | "ct" => &[
            "EUR", "USD", "AUD", "BBD", "BMD", "BND", "BSD", "BZD", "CAD", "FJD", "GYD", "HKD", "JMD", "KES",
            "KYD", "LKR", "LRD", "MUR", "NAD", "NZD", "SBD", "SCR", "SGD", "SLE", "SRD", "SZL", "TTD", "TWD",
            "TZS", "XCD", "XCG", "ZAR",
        ],
        "centavo" | "centavos" => {
            &["BRL", "MXN", "ARS", "BOB", "COP", "CUP", "CVE", "DOP", "GTQ", "HNL", "MZN", "NIO", "PHP"]
        }
        _ => return None,
    })
}

const CODES: &str = "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF \
    CHF CLF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG \
    HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK \
    MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD \
    SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYU UYW UZS VED VES \
    VND VUV WST XAF XCD XCG XOF XPF YER ZAR ZMW ZWG";
const NO_DIGITS: &[&str] = &[
    "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF",
    "XPF",
];
const THREE_DIGITS: &[&str] = &["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"];
const FOUR_DIGITS: &[&str] = &["CLF", "UYW"];

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn codes_are_sorted_and_the_lists_agree() {
        let all: Vec<_> = codes().collect();
        assert!(all.is_sorted() && all.len() > 150);
        let words = ["øre", "öre", "cent", "centavo"];
        let mentioned = words.iter().filter_map(|w| hundredth(w)).flatten();
        for code in NO_DIGITS.iter().chain(THREE_DIGITS).chain(FOUR_DIGITS).chain(mentioned) {
            assert!(all.contains(code), "{code}");
        }
        assert_eq!(currency("JPY").unwrap().digits, 0);
        assert_eq!(currency("KWD").unwrap().digits, 3);
        assert_eq!(currency("EUR").unwrap().digits, 2);
        assert_eq!(currency("EURO"), None);
    }
}
