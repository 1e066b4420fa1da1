//! Seller and payer as an invoice writes them: numbers in the form of their registers, an electronic address, a postal address.

use super::InvoiceError;
use super::kid::{Method, check_digit};
use crate::billing::IssuedBy;

/// A postal address.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Address {
    /// Street and house number.
    pub street: String,
    /// What does not fit there.
    pub more: Vec<String>,
    /// Town.
    pub city: String,
    /// Postal code.
    pub postcode: String,
    /// ISO 3166: "NO".
    pub country: String,
}

/// Where to ask.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Contact {
    /// Who.
    pub name: Option<String>,
    /// Phone number.
    pub phone: Option<String>,
    /// E-mail address.
    pub email: Option<String>,
}

/// An address in an e-invoice network.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Endpoint {
    /// Of the code list of electronic address schemes: "0192" for Norwegian organisations.
    pub scheme: String,
    /// The number.
    pub id: String,
}

/// Seller or payer.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Party {
    /// Registered name, or a person's.
    pub name: String,
    /// Number in the register of companies; none for a person.
    pub company_number: Option<String>,
    /// VAT number, with or without the country.
    pub vat_number: Option<String>,
    /// A Norwegian company that stands in Foretaksregisteret must say so (foretaksregisterloven § 10-2; NO-R-002).
    pub in_foretaksregisteret: bool,
    /// Where it is.
    pub address: Address,
    /// Where it is reached electronically. Without it, the one that follows from company or VAT number.
    pub endpoint: Option<Endpoint>,
    /// Where to ask.
    pub contact: Contact,
}

/// A number that its register cannot have given out.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("`{number}` of {who} is no {what}; {help}")]
pub struct NumberError {
    /// As given.
    pub number: String,
    /// Whose.
    pub who: &'static str,
    /// What it should be.
    pub what: &'static str,
    /// How it looks.
    pub help: &'static str,
}

// Country, scheme of company numbers in legal entities (ISO 6523), scheme of electronic addresses.
const SCHEMES: &[(&str, &str, &str)] = &[
    ("NO", "0192", "0192"),
    ("SE", "0007", "0007"),
    ("DK", "0184", "0184"),
    ("NL", "0106", "0106"),
    ("BE", "0208", "0208"),
    ("EE", "0191", "0191"),
    ("LT", "0200", "0200"),
    ("FI", "0212", ""),
];

// Country, scheme of electronic addresses that are VAT numbers.
const VAT_SCHEMES: &[(&str, &str)] = &[
    ("AT", "9914"),
    ("DE", "9930"),
    ("EE", "9931"),
    ("ES", "9920"),
    ("FR", "9957"),
    ("LT", "9937"),
    ("LV", "9939"),
    ("PL", "9945"),
    ("PT", "9946"),
];

impl Address {
    /// An address of lines as on an envelope, the last one with postal code and town: "0150 Oslo", "1234 AB Sneek"; behind it may stand a country of two
    /// letters, which counts before `country`.
    #[must_use]
    pub fn of_lines(lines: &[String], country: &str) -> Self {
        let mut lines: Vec<&str> =
            lines.iter().map(|line| line.trim()).filter(|line| !line.is_empty()).collect();
        let mut address = Self { country: country.trim().to_ascii_uppercase(), ..Self::default() };
        let is_country =
            |line: &&str| line.len() == 2 && line.bytes().all(|letter| letter.is_ascii_uppercase());
        if let Some(last) = lines.last().copied().filter(is_country) {
            last.clone_into(&mut address.country);
            lines.pop();
        }
        if let Some((postcode, city)) = lines.last().and_then(|line| postcode_and_city(line)) {
            (address.postcode, address.city) = (postcode, city);
            lines.pop();
        }
        let mut lines = lines.into_iter().map(str::to_owned);
        address.street = lines.next().unwrap_or_default();
        address.more = lines.collect();
        address
    }
}

fn postcode_and_city(line: &str) -> Option<(String, String)> {
    let (code, city) = line.split_once(' ')?;
    let digits = code.chars().all(|c| c.is_ascii_digit() || c == '-');
    if code.len() < 3 || !digits || !code.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let is_dutch = |letters: &str| letters.len() == 2 && letters.chars().all(|c| c.is_ascii_uppercase());
    match city.trim().split_once(' ') {
        Some((letters, city)) if is_dutch(letters) => {
            Some((format!("{code} {letters}"), city.trim().to_owned()))
        }
        _ => Some((code.to_owned(), city.trim().to_owned())),
    }
}

impl Party {
    /// The seller as he stands on a bill. `country`: what his address does not say.
    #[must_use]
    pub fn of_issuer(issuer: &IssuedBy, country: &str) -> Self {
        let IssuedBy { name, company_number, vat_number, address, contact } = issuer.clone();
        let find = |wanted: fn(&str) -> bool| contact.iter().find(|text| wanted(text)).cloned();
        Self {
            name,
            company_number,
            vat_number,
            in_foretaksregisteret: false,
            address: Address::of_lines(&address, country),
            endpoint: None,
            contact: Contact {
                name: None,
                phone: find(|text| {
                    text.chars().filter(char::is_ascii_digit).count() >= 3
                        && text.chars().all(|c| c.is_ascii_digit() || " +()-".contains(c))
                }),
                email: find(|text| text.contains('@')),
            },
        }
    }

    /// Whether everything is there that an invoice needs of it. `who`: for messages, as in `the seller`.
    ///
    /// # Errors
    /// What is missing or wrong.
    pub fn check(&self, who: &'static str, is_seller: bool) -> Result<(), InvoiceError> {
        self.written(who, is_seller).map(drop)
    }

    // Numbers as the standard writes them, and everything there that it wants.
    pub(super) fn written(&self, who: &'static str, is_seller: bool) -> Result<Self, InvoiceError> {
        let country = self.address.country.trim().to_ascii_uppercase();
        let missing = |what, help| Err(InvoiceError::Missing { what, help });
        if self.name.trim().is_empty() {
            return if is_seller {
                missing("the name of the seller", "BR-06: set `name`")
            } else {
                missing("the name of the payer", "BR-07: ask the payer for it")
            };
        }
        if country.len() != 2 {
            return if is_seller {
                missing("the country of the seller", "BR-09: two letters as in `NO`")
            } else {
                missing("the country of the payer", "BR-11: two letters as in `NO`")
            };
        }
        let company_number =
            self.company_number.as_deref().map(|number| company_number(number, &country, who)).transpose()?;
        let vat_number =
            self.vat_number.as_deref().map(|number| vat_number(number, &country, who)).transpose()?;
        if is_seller && company_number.is_none() && vat_number.is_none() {
            return missing("the number of the seller", "BR-CO-26: set `company_number` or `vat_number`");
        }
        let endpoint = match &self.endpoint {
            Some(given) => {
                let id = given.id.trim().to_owned();
                check_scheme(&given.scheme, &id, who)?;
                Some(Endpoint { scheme: given.scheme.trim().to_owned(), id })
            }
            None => endpoint_of(&country, company_number.as_deref(), vat_number.as_deref()),
        };
        if endpoint.is_none() {
            return if is_seller {
                missing("the electronic address of the seller", "PEPPOL-EN16931-R020: give its endpoint")
            } else {
                missing(
                    "the electronic address of the payer",
                    "PEPPOL-EN16931-R010: give the endpoint; for a person that of the operator who delivers to him",
                )
            };
        }
        let address = Address { country, ..self.address.clone() };
        Ok(Self { company_number, vat_number, endpoint, address, ..self.clone() })
    }

    // The scheme of its company number, where there is one.
    pub(super) fn company_scheme(&self) -> Option<&'static str> {
        SCHEMES.iter().find(|(country, ..)| *country == self.address.country).map(|(_, scheme, _)| *scheme)
    }
}

fn endpoint_of(country: &str, company: Option<&str>, vat: Option<&str>) -> Option<Endpoint> {
    let of_company = company.and_then(|number| {
        let (_, _, scheme) = SCHEMES.iter().find(|(known, ..)| *known == country)?;
        match *scheme {
            // Finland's OVT: 0037 and the business id without its hyphen.
            "" => Some(Endpoint { scheme: "0216".into(), id: format!("0037{}", number.replace('-', "")) }),
            scheme => Some(Endpoint { scheme: scheme.into(), id: number.into() }),
        }
    });
    let of_vat = || {
        let (_, scheme) = VAT_SCHEMES.iter().find(|(known, _)| *known == country)?;
        Some(Endpoint { scheme: (*scheme).into(), id: vat?.into() })
    };
    of_company.or_else(of_vat)
}

// Without the spaces and dots that people put in.
fn plain(number: &str) -> String {
    number.chars().filter(|c| !c.is_whitespace() && *c != '.').flat_map(char::to_uppercase).collect()
}

fn company_number(number: &str, country: &str, who: &'static str) -> Result<String, NumberError> {
    let mut plain = plain(number);
    if matches!(country, "SE" | "NL" | "DK" | "NO") {
        plain.retain(|c| c != '-');
    }
    if let Some((_, scheme, _)) = SCHEMES.iter().find(|(known, ..)| *known == country) {
        check_scheme(scheme, &plain, who)?;
    }
    Ok(plain)
}

fn vat_number(number: &str, country: &str, who: &'static str) -> Result<String, NumberError> {
    let plain = plain(number);
    if country == "NO" {
        let digits = plain.strip_prefix("NO").unwrap_or(&plain);
        let digits = digits.strip_suffix("MVA").unwrap_or(digits);
        return if is_norwegian(digits) {
            Ok(format!("NO{digits}MVA"))
        } else {
            let help = "it is `NO`, nine digits of which the last is a check digit, and `MVA` (NO-R-001)";
            Err(NumberError { number: number.to_owned(), who, what: "Norwegian VAT number", help })
        };
    }
    let begins = plain.chars().take(2).filter(char::is_ascii_alphabetic).count() == 2;
    let numbered = plain.chars().any(|c| c.is_ascii_digit())
        && plain.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    if !numbered {
        let help = "it begins with the letters of its country (BR-CO-09) and has digits";
        return Err(NumberError { number: number.to_owned(), who, what: "VAT number", help });
    }
    let plain = plain.replace('-', "");
    Ok(if begins { plain } else { format!("{country}{plain}") })
}

fn check_scheme(scheme: &str, id: &str, who: &'static str) -> Result<(), NumberError> {
    let digits = |count: usize| id.len() == count && id.bytes().all(|byte| byte.is_ascii_digit());
    let (is_right, what, help) = match scheme {
        "0192" => (
            is_norwegian(id),
            "Norwegian organisation number",
            "it has nine digits, the last one a check digit (PEPPOL-COMMON-R041)",
        ),
        "0007" => (
            digits(10) && is_checked(id, Method::Mod10),
            "Swedish organisation number",
            "it has ten digits, the last one a check digit (PEPPOL-COMMON-R049)",
        ),
        "0184" => (
            digits(8) || id.strip_prefix("DK").is_some_and(|rest| rest.len() == 8),
            "Danish CVR number",
            "it has eight digits (PEPPOL-COMMON-R042)",
        ),
        "0106" => {
            (digits(8), "number of the Dutch chamber of commerce", "it has eight digits (PEPPOL-COMMON-R054)")
        }
        _ => (!id.is_empty(), "number", "it is empty"),
    };
    if is_right { Ok(()) } else { Err(NumberError { number: id.to_owned(), who, what, help }) }
}

// Nine digits, weighed like KID's mod11; a check digit of 10 is not given out.
fn is_norwegian(digits: &str) -> bool {
    digits.len() == 9 && digits.bytes().any(|byte| byte != b'0') && is_checked(digits, Method::Mod11)
}

fn is_checked(digits: &str, method: Method) -> bool {
    let Some((last, rest)) =
        digits.char_indices().next_back().and_then(|(at, last)| Some((last, digits.get(..at)?)))
    else {
        return false;
    };
    last.is_ascii_digit() && check_digit(rest, method) == Some(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(lines: &[&str]) -> Vec<String> {
        lines.iter().map(|line| (*line).to_owned()).collect()
    }

    #[test]
    fn addresses_of_lines() {
        let address = Address::of_lines(&lines(&["Kirkegata 15", "0153 Oslo"]), "no");
        assert_eq!(
            (address.street.as_str(), address.postcode.as_str(), address.city.as_str()),
            ("Kirkegata 15", "0153", "Oslo")
        );
        assert_eq!(address.country, "NO");
        let address = Address::of_lines(&lines(&["Postbus 1", "t.a.v. debiteuren", "8601 AB Sneek"]), "NL");
        assert_eq!((address.postcode.as_str(), address.city.as_str()), ("8601 AB", "Sneek"));
        assert_eq!(address.more, ["t.a.v. debiteuren"]);
        let address = Address::of_lines(&lines(&["Rua Augusta 1", "1100-053 Lisboa"]), "PT");
        assert_eq!((address.postcode.as_str(), address.city.as_str()), ("1100-053", "Lisboa"));
        let address = Address::of_lines(&lines(&["Kirkegata 15", "0153 Oslo", "NO"]), "");
        assert_eq!(
            (address.street.as_str(), address.city.as_str(), address.country.as_str()),
            ("Kirkegata 15", "Oslo", "NO")
        );
        let address = Address::of_lines(&lines(&["24 Somewhere Street"]), "NO");
        assert_eq!((address.street.as_str(), address.city.as_str()), ("24 Somewhere Street", ""));
    }

    #[test]
    fn numbers_of_registers() {
        // 974760673: Brønnøysundregistrene, as published.
        for text in ["974760673", "NO974760673MVA", "974 760 673 MVA", "NO 974 760 673"] {
            assert_eq!(vat_number(text, "NO", "the seller").unwrap(), "NO974760673MVA");
        }
        assert!(vat_number("974760674 MVA", "NO", "the seller").is_err());
        assert!(vat_number("000000000 MVA", "NO", "the seller").is_err());
        assert_eq!(company_number("974 760 673", "NO", "the seller").unwrap(), "974760673");
        assert_eq!(company_number("2021005489", "SE", "the seller").unwrap(), "2021005489");
        assert!(company_number("2021005488", "SE", "the seller").is_err());
        assert_eq!(vat_number("FI 12345678", "FI", "the seller").unwrap(), "FI12345678");
        assert_eq!(vat_number("123456789B01", "NL", "the seller").unwrap(), "NL123456789B01");
        let error = company_number("97476067", "NO", "the payer").unwrap_err().to_string();
        assert!(error.contains("`97476067` of the payer is no Norwegian organisation number"), "{error}");
    }

    #[test]
    fn a_company_has_its_electronic_address() {
        let of = |country, company, vat| endpoint_of(country, company, vat).map(|e| (e.scheme, e.id));
        assert_eq!(of("NO", Some("974760673"), None), Some(("0192".into(), "974760673".into())));
        assert_eq!(of("FI", Some("1234567-8"), None), Some(("0216".into(), "003712345678".into())));
        assert_eq!(
            of("PT", Some("501964843"), Some("PT501964843")),
            Some(("9946".into(), "PT501964843".into()))
        );
        assert_eq!(of("NO", None, None), None);
    }
}
