//! How many messages a text is (3GPP TS 23.038, 23.040): 160 characters of the GSM alphabet or 70 of any other, 153 and 67 each where it takes several.

/// The default alphabet, and what costs two of its places.
const GSM: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà";
const ESCAPED: &str = "\u{c}^{}\\[~]|€";

/// How a text is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    Gsm7,
    Ucs2,
}

impl Encoding {
    /// For the placeholder `{encoding}`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gsm7 => "gsm7",
            Self::Ucs2 => "ucs2",
        }
    }
}

/// Encoding, and number of messages.
pub fn parts(text: &str) -> (Encoding, u32) {
    let gsm: Option<Vec<usize>> = text
        .chars()
        .map(|c| if GSM.contains(c) { Some(1) } else { ESCAPED.contains(c).then_some(2) })
        .collect();
    match gsm {
        Some(places) => (Encoding::Gsm7, count(&places, 160, 153)),
        // In units of UTF-16: an emoji is two.
        None => (Encoding::Ucs2, count(&text.chars().map(char::len_utf16).collect::<Vec<_>>(), 70, 67)),
    }
}

/// What takes two places is never cut in two.
fn count(places: &[usize], alone: usize, each: usize) -> u32 {
    if places.iter().sum::<usize>() <= alone {
        return 1;
    }
    let (mut parts, mut filled) = (1, 0);
    for place in places {
        if filled + place > each {
            parts += 1;
            filled = 0;
        }
        filled += place;
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_alphabet_has_its_127_characters_and_the_escape() {
        assert_eq!(GSM.chars().count(), 127);
        assert_eq!(ESCAPED.chars().count(), 10);
    }

    #[test]
    fn a_text_is_so_many_messages() {
        use Encoding::{Gsm7, Ucs2};
        for (text, encoding, parts) in [
            (String::new(), Gsm7, 1),
            ("a".repeat(160), Gsm7, 1),
            ("a".repeat(161), Gsm7, 2),
            ("æøå".repeat(51), Gsm7, 1),
            ("a".repeat(306), Gsm7, 2),
            ("a".repeat(307), Gsm7, 3),
            ("€".repeat(80), Gsm7, 1),
            ("€".repeat(81), Gsm7, 2),
            // 152 and a € do not fit into the first of two.
            (format!("{}€{}", "a".repeat(152), "a".repeat(151)), Gsm7, 2),
            (format!("{}€{}", "a".repeat(152), "a".repeat(152)), Gsm7, 3),
            ("č".repeat(70), Ucs2, 1),
            ("č".repeat(71), Ucs2, 2),
            ("č".repeat(134), Ucs2, 2),
            ("č".repeat(135), Ucs2, 3),
            ("🔌".repeat(35), Ucs2, 1),
            ("🔌".repeat(36), Ucs2, 2),
            // 33 of them are 66 units: the 67th place stays empty.
            ("🔌".repeat(67), Ucs2, 3),
        ] {
            assert_eq!(super::parts(&text), (encoding, parts), "{text}");
        }
    }
}
