//! What a driver reads, in his language.

/// The words of one language.
#[derive(Debug)]
pub struct Words {
    /// Its code.
    pub language: &'static str,
    /// The message, with SELLER, AMOUNT and LINK where they belong.
    pub message: &'static str,
    /// What the page is about.
    pub title: &'static str,
    /// Before the number of a bill.
    pub bill: &'static str,
    /// What is left to pay.
    pub left: &'static str,
    /// Nothing is left: it was paid.
    pub paid: &'static str,
    /// Nothing is left, and nothing was kept of what was paid.
    pub nothing: &'static str,
    /// A payment is under way.
    pub waiting: &'static str,
    /// Go on with it.
    pub go_on: &'static str,
    /// The last attempt did not work.
    pub failed: &'static str,
    /// Before the name of a way to pay.
    pub pay_with: &'static str,
    /// What a card is called.
    pub card: &'static str,
    /// There is no way to pay here.
    pub no_way: &'static str,
    /// The link leads nowhere.
    pub gone: &'static str,
    /// Something is wrong here; later.
    pub later: &'static str,
}

static ALL: [Words; 5] = [
    Words {
        language: "en",
        message: "SELLER: AMOUNT for charging is not paid yet. See it and pay: LINK",
        title: "Your charging",
        bill: "Bill",
        left: "To pay",
        paid: "Paid. Thank you!",
        nothing: "Nothing is left to pay.",
        waiting: "A payment is under way.",
        go_on: "Go on with it",
        failed: "The last attempt did not work. Nothing was taken.",
        pay_with: "Pay with",
        card: "card",
        no_way: "It cannot be paid here. Please turn to the seller.",
        gone: "This link is not good any more.",
        later: "This does not work just now. Please try again in a minute.",
    },
    Words {
        language: "nb",
        message: "SELLER: AMOUNT for lading er ikke betalt ennå. Se og betal her: LINK",
        title: "Din lading",
        bill: "Regning",
        left: "Å betale",
        paid: "Betalt. Takk!",
        nothing: "Det er ingenting å betale.",
        waiting: "En betaling er underveis.",
        go_on: "Fortsett med den",
        failed: "Det siste forsøket gikk ikke. Ingenting ble trukket.",
        pay_with: "Betal med",
        card: "kort",
        no_way: "Det kan ikke betales her. Ta kontakt med selgeren.",
        gone: "Denne lenken gjelder ikke lenger.",
        later: "Dette går ikke akkurat nå. Prøv igjen om et minutt.",
    },
    Words {
        language: "fi",
        message: "SELLER: latauksesta on maksamatta AMOUNT. Katso ja maksa: LINK",
        title: "Latauksesi",
        bill: "Lasku",
        left: "Maksettavaa",
        paid: "Maksettu. Kiitos!",
        nothing: "Ei mitään maksettavaa.",
        waiting: "Maksu on kesken.",
        go_on: "Jatka sitä",
        failed: "Viimeisin yritys ei onnistunut. Mitään ei veloitettu.",
        pay_with: "Maksutapa:",
        card: "kortti",
        no_way: "Täällä ei voi maksaa. Ota yhteyttä myyjään.",
        gone: "Tämä linkki ei ole enää voimassa.",
        later: "Tämä ei onnistu juuri nyt. Yritä hetken kuluttua uudelleen.",
    },
    Words {
        language: "nl",
        message: "SELLER: AMOUNT voor het laden is nog niet betaald. Bekijk en betaal: LINK",
        title: "Uw laadsessie",
        bill: "Rekening",
        left: "Te betalen",
        paid: "Betaald. Bedankt!",
        nothing: "Er is niets meer te betalen.",
        waiting: "Er loopt een betaling.",
        go_on: "Ga ermee verder",
        failed: "De laatste poging is niet gelukt. Er is niets afgeschreven.",
        pay_with: "Betaal met",
        card: "kaart",
        no_way: "Hier kan niet worden betaald. Neem contact op met de verkoper.",
        gone: "Deze link is niet meer geldig.",
        later: "Dit lukt nu niet. Probeer het over een minuut opnieuw.",
    },
    Words {
        language: "pt",
        message: "SELLER: AMOUNT de carregamento ainda por pagar. Veja e pague: LINK",
        title: "O seu carregamento",
        bill: "Fatura",
        left: "A pagar",
        paid: "Pago. Obrigado!",
        nothing: "Não há nada a pagar.",
        waiting: "Há um pagamento em curso.",
        go_on: "Continuar",
        failed: "A última tentativa não resultou. Nada foi cobrado.",
        pay_with: "Pagar com",
        card: "cartão",
        no_way: "Não é possível pagar aqui. Contacte o vendedor.",
        gone: "Esta ligação já não é válida.",
        later: "Não é possível neste momento. Tente de novo dentro de um minuto.",
    },
];

/// The words of a language; English for one that is not here.
#[must_use]
pub fn of(language: &str) -> &'static Words {
    let main = language.split('-').next().unwrap_or_default().to_ascii_lowercase();
    let main = if matches!(main.as_str(), "no" | "nn") { "nb" } else { main.as_str() };
    let [english, ..] = &ALL;
    ALL.iter().find(|words| words.language == main).unwrap_or(english)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_language_that_is_not_here_is_english_and_every_message_is_whole() {
        for (asked, is) in [
            ("nb", "nb"),
            ("no", "nb"),
            ("nn-NO", "nb"),
            ("FI", "fi"),
            ("pt-BR", "pt"),
            ("de", "en"),
            ("", "en"),
        ] {
            assert_eq!(of(asked).language, is, "{asked}");
        }
        for words in &ALL {
            for part in ["SELLER", "AMOUNT", "LINK"] {
                assert_eq!(words.message.matches(part).count(), 1, "{} {part}", words.language);
            }
            // Two messages at the most, with a seller, an amount and a link of a usual length; one of them in the GSM alphabet.
            assert!(words.message.chars().count() < 80, "{}", words.language);
        }
    }
}
