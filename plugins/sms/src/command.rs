//! "Lade start 12": what a driver wants, in the languages of the countries where Takst is used. A message says what it is about (charging), start or stop, and which
//! charger, in any order of the first two. Capitals, accents, punctuation and words of politeness do not matter.

use std::collections::VecDeque;

/// What a message wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// The charger's id as it was written; nothing if none was.
    Start(Option<String>),
    Stop(Option<String>),
    Unknown,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Word {
    Charging,
    Start,
    Stop,
    /// Says nothing: "please", "charger", "no.", "now".
    Filler,
}

// Without accents, as `plain` writes them. Norwegian, Danish, Swedish; English; Finnish; Dutch; Portuguese.
const CHARGING: &[&str] = &[
    "lade",
    "lad",
    "lading",
    "ladning",
    "oplad",
    "oplade",
    "opladning",
    "ladda",
    "laddning", //
    "charge",
    "charging", //
    "lataa",
    "lataus",
    "latausta",
    "lataaminen",
    "lataamaan", //
    "laden",
    "laad",
    "opladen", //
    "carregar",
    "carrega",
    "carregue",
    "carga",
    "carregamento",
];
const START: &[&str] = &[
    "start",
    "starte",
    "starta",
    "begynn",
    "begynne",
    "pabegynd",
    "borja", //
    "begin", //
    "aloita",
    "aloitus",
    "aloittaa",
    "kaynnista",
    "paalle", //
    "starten",
    "aan", //
    "iniciar",
    "inicia",
    "inicie",
    "inicio",
    "comecar",
    "comeca",
    "comece",
    "ligar",
];
const STOP: &[&str] = &[
    "stop",
    "stopp",
    "stoppe",
    "stoppa",
    "avslutt",
    "avslutte",
    "slutt",
    "afslut",
    "avsluta",
    "sluta", //
    "end",
    "finish", //
    "lopeta",
    "lopetus",
    "lopettaa",
    "pysayta",
    "seis",
    "pois", //
    "stoppen",
    "beeindig",
    "beeindigen",
    "einde",
    "uit", //
    "parar",
    "pare",
    "terminar",
    "termina",
    "termine",
    "fim",
    "desligar",
];
const FILLER: &[&str] = &[
    "id",
    "nr",
    "no",
    "nummer",
    "number",
    "numero",
    "num",
    "stolpe",
    "post", //
    "lader",
    "laderen",
    "ladestasjon",
    "ladestander",
    "laddare",
    "laddstation",
    "charger",
    "laturi",
    "laturin",
    "laturilla",
    "laadpaal",
    "paal",
    "carregador", //
    "pa",
    "paa",
    "ved",
    "vid",
    "fra",
    "den",
    "at",
    "on",
    "the",
    "op",
    "bij",
    "em",
    "no", //
    "vennligst",
    "takk",
    "tak",
    "tack",
    "please",
    "thanks",
    "kiitos",
    "bedankt",
    "obrigado",
    "obrigada",
    "por",
    "favor", //
    "hei",
    "hej",
    "hi",
    "hello",
    "moi",
    "hoi",
    "ola", //
    "na",
    "naa",
    "nu",
    "straks",
    "now",
    "nyt",
    "heti",
    "agora",
    "ja",
];
/// A longer text, in bytes, is no command.
const LONGEST: usize = 300;
/// A name with gaps has parts of at most so many letters: longer ones are words of a sentence.
const PART: usize = 6;

/// What a message wants.
pub fn read(text: &str) -> Command {
    if text.len() > LONGEST {
        return Command::Unknown;
    }
    let mut pieces: VecDeque<String> = pieces(text);
    let (mut charging, mut verb, mut id) = (false, None, Vec::new());
    while let Some(piece) = pieces.pop_front() {
        match kind(&plain(&piece)) {
            Some(Word::Filler) => continue,
            Some(Word::Charging) if !charging && id.is_empty() => {
                charging = true;
                continue;
            }
            Some(word @ (Word::Start | Word::Stop)) if verb.is_none_or(|verb| verb == word) => {
                verb = Some(word);
                continue;
            }
            // Start and stop, or charging twice: a sentence, and no command.
            Some(_) => return Command::Unknown,
            None => {}
        }
        // While something is missing it may be in here: "ladestart", "lade-start", "start:12". Afterwards such a thing is a charger: "Lade-3".
        if !(charging && verb.is_some())
            && id.is_empty()
            && let Some((first, second)) = fused(&piece).or_else(|| joined(&piece))
        {
            pieces.push_front(second);
            pieces.push_front(first);
            continue;
        }
        if !charging && verb.is_none() {
            return Command::Unknown;
        }
        id.push(piece);
    }
    let numbered = id.iter().any(|part| part.bytes().any(|byte| byte.is_ascii_digit()));
    // With "charging" in it a charger may be called anything, without it only what has a digit: "stop" alone is what people write to be left alone.
    let fits = match id.len() {
        0 => charging,
        1 => charging || numbered,
        2 | 3 => charging && numbered && id.iter().all(|part| part.chars().count() <= PART),
        _ => false,
    };
    let id = Some(id.concat()).filter(|id| !id.is_empty());
    match verb {
        Some(Word::Start) if fits => Command::Start(id),
        Some(Word::Stop) if fits => Command::Stop(id),
        _ => Command::Unknown,
    }
}

// Words by which a language is known, besides those that several have.
const LANGUAGES: &[(&str, &[&str])] = &[
    (
        "nb",
        &[
            "lade",
            "lad",
            "lading",
            "ladning",
            "ladestart",
            "ladestopp",
            "oplad",
            "oplade",
            "opladning",
            "ladda",
            "laddning",
            "starte",
            "starta",
            "begynn",
            "begynne",
            "pabegynd",
            "borja",
            "stopp",
            "stoppe",
            "stoppa",
            "avslutt",
            "avslutte",
            "slutt",
            "afslut",
            "avsluta",
            "sluta",
            "stolpe",
            "laderen",
            "ladestasjon",
            "ladestander",
            "laddare",
            "laddstation",
            "ved",
            "vid",
            "vennligst",
            "takk",
            "tak",
            "tack",
            "hei",
            "hej",
        ],
    ),
    (
        "en",
        &[
            "charge", "charging", "begin", "end", "finish", "charger", "number", "the", "please", "thanks",
            "hi", "hello",
        ],
    ),
    (
        "fi",
        &[
            "lataa",
            "lataus",
            "latausta",
            "lataaminen",
            "lataamaan",
            "aloita",
            "aloitus",
            "aloittaa",
            "kaynnista",
            "paalle",
            "lopeta",
            "lopetus",
            "lopettaa",
            "pysayta",
            "seis",
            "pois",
            "laturi",
            "laturin",
            "laturilla",
            "kiitos",
            "moi",
        ],
    ),
    (
        "nl",
        &[
            "laden",
            "laad",
            "opladen",
            "starten",
            "aan",
            "stoppen",
            "beeindig",
            "beeindigen",
            "einde",
            "uit",
            "laadpaal",
            "paal",
            "op",
            "bij",
            "bedankt",
            "hoi",
        ],
    ),
    (
        "pt",
        &[
            "carregar",
            "carrega",
            "carregue",
            "carga",
            "carregamento",
            "iniciar",
            "inicia",
            "inicie",
            "inicio",
            "comecar",
            "comeca",
            "comece",
            "ligar",
            "parar",
            "pare",
            "terminar",
            "termina",
            "termine",
            "fim",
            "desligar",
            "carregador",
            "obrigado",
            "obrigada",
            "favor",
            "em",
            "ola",
        ],
    ),
];

/// The language of a command, as far as its words tell: "nb" (and what Norwegians, Danes and Swedes understand of each other), "en", "fi", "nl", "pt".
pub fn language(text: &str) -> Option<&'static str> {
    let words: Vec<String> = pieces(text)
        .iter()
        .flat_map(|piece| match fused(piece).or_else(|| joined(piece)) {
            Some((first, second)) => vec![plain(&first), plain(&second)],
            None => vec![plain(piece)],
        })
        .collect();
    let known = |list: &[&str]| words.iter().filter(|word| list.contains(&word.as_str())).count();
    let mut best = None;
    for (language, list) in LANGUAGES {
        let many = known(list);
        if many > best.map_or(0, |(_, most)| most) {
            best = Some((*language, many));
        }
    }
    best.map(|(language, _)| language)
}

/// What stands between spaces, without punctuation around it. Inside of a name `.`, `:`, `-`, `/`, `*` and `#` may belong to it.
fn pieces(text: &str) -> VecDeque<String> {
    // Telephones write a hyphen in other ways; nobody types a gap that has no width.
    let usual: String = text
        .chars()
        .filter(|c| !matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}'))
        .map(|c| {
            if matches!(c, '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{fe58}' | '\u{fe63}' | '\u{ff0d}') {
                '-'
            } else {
                c
            }
        })
        .collect();
    usual
        .split(|c: char| c.is_whitespace() || c.is_control() || ",;!?\"'«»“”„’()<>[]".contains(c))
        .map(|piece| piece.trim_matches(|c: char| !c.is_alphanumeric()))
        .filter(|piece| !piece.is_empty())
        .map(str::to_owned)
        .collect()
}

fn kind(plain: &str) -> Option<Word> {
    let lists =
        [(CHARGING, Word::Charging), (START, Word::Start), (STOP, Word::Stop), (FILLER, Word::Filler)];
    lists.into_iter().find(|(list, _)| list.contains(&plain)).map(|(_, word)| word)
}

/// "start:12", "lade-start": a word that matters and something behind it.
fn joined(piece: &str) -> Option<(String, String)> {
    let (first, rest) = piece.split_once([':', '/', '.', '-', '=', '_'])?;
    let rest = rest.trim_matches(|c: char| !c.is_alphanumeric());
    let matters = kind(&plain(first)).is_some_and(|word| word != Word::Filler);
    (matters && !rest.is_empty()).then(|| (first.to_owned(), rest.to_owned()))
}

/// "ladestart": two words without a gap.
fn fused(piece: &str) -> Option<(String, String)> {
    let plain = plain(piece);
    let is = |text: &str, charging: bool| {
        text.len() > 2
            && kind(text).is_some_and(|word| word != Word::Filler && (word == Word::Charging) == charging)
    };
    (1..plain.len())
        .filter_map(|at| plain.split_at_checked(at))
        .find(|(left, right)| (is(left, true) && is(right, false)) || (is(left, false) && is(right, true)))
        .map(|(left, right)| (left.to_owned(), right.to_owned()))
}

/// Small letters without accents. Letters of other alphabets are left as they are.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.chars().flat_map(char::to_lowercase) {
        match c {
            'å' | 'ä' | 'á' | 'à' | 'â' | 'ã' => plain.push('a'),
            'æ' => plain.push_str("ae"),
            'ö' | 'ø' | 'ó' | 'ò' | 'ô' | 'õ' => plain.push('o'),
            'é' | 'è' | 'ê' | 'ë' => plain.push('e'),
            'í' | 'ì' | 'î' | 'ï' => plain.push('i'),
            'ú' | 'ù' | 'û' | 'ü' => plain.push('u'),
            'ç' => plain.push('c'),
            'ñ' => plain.push('n'),
            // Written apart from its letter.
            '\u{300}'..='\u{36f}' => {}
            c => plain.push(c),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start(id: &str) -> Command {
        Command::Start(Some(id.to_owned()))
    }

    fn stop(id: &str) -> Command {
        Command::Stop(Some(id.to_owned()))
    }

    #[test]
    fn the_words_tell_the_language() {
        for (text, is) in [
            ("Lade start NO-12", Some("nb")),
            ("ladestart 12", Some("nb")),
            ("Ladda stoppa NO-12", Some("nb")),
            ("start charging NO-12", Some("en")),
            ("Käynnistä lataus 12", Some("fi")),
            ("Laden stop", Some("nl")),
            ("start laden 12", Some("nl")),
            ("Iniciar carregamento NO-12", Some("pt")),
            ("start 1042", None),
            ("", None),
        ] {
            assert_eq!(language(text), is, "{text}");
        }
    }

    #[test]
    fn every_language_starts_and_stops() {
        for text in [
            "Lade start NO-12",
            "Start lading NO-12",
            "Lad start NO-12",
            "Start opladning NO-12",
            "Ladda starta NO-12",
            "Börja ladda NO-12",
            "Charge start NO-12",
            "start charging NO-12",
            "Lataus aloita NO-12",
            "Aloita lataus NO-12",
            "Käynnistä lataus NO-12",
            "Laden start NO-12",
            "Start opladen NO-12",
            "Carregar iniciar NO-12",
            "Iniciar carga NO-12",
            "Começar carregamento NO-12",
        ] {
            assert_eq!(read(text), start("NO-12"), "{text}");
        }
        for text in [
            "Lade stop NO-12",
            "Lade stopp NO-12",
            "Avslutt lading NO-12",
            "Oplad stop NO-12",
            "Afslut opladning NO-12",
            "Ladda stoppa NO-12",
            "Avsluta laddning NO-12",
            "Charge stop NO-12",
            "End charging NO-12",
            "Lataus lopeta NO-12",
            "Pysäytä lataus NO-12",
            "Laden stop NO-12",
            "Beëindig laden NO-12",
            "Carregar parar NO-12",
            "Terminar carregamento NO-12",
        ] {
            assert_eq!(read(text), stop("NO-12"), "{text}");
        }
    }

    #[test]
    fn how_it_is_written_does_not_matter() {
        for text in [
            "LADE START NO-12",
            "  lade   start\n\tNO-12  ",
            "Lade, start: NO-12.",
            "\"Lade start NO-12\"",
            "«Lade start» NO-12!",
            "lade-start NO-12",
            "lade/start/NO-12",
            "lade start:NO-12",
            "ladestart NO-12",
            "Lade start id NO-12",
            "Lade start ID: NO-12, takk!",
            "Hei! Start lading på NO-12",
            "Lade NO-12 start",
            "start:NO-12",
            "Start charging on NO-12",
            "Aloita lataus laturilla NO-12",
            "Start laden aan laadpaal NO-12",
            "KA\u{308}YNNISTA\u{308} LATAUS NO-12",
            "kaynnista lataus NO-12",
            "Start charging at charger no. NO-12 please",
            "Start lading på NO-12 nå",
            "Start lading paa NO-12 naa, takk",
            "Start charging NO-12 now!",
            "Aloita lataus NO-12 nyt",
            "lade start NO\u{2011}12",
            "lade start NO\u{2013}12",
            "lade\u{a0}start NO\u{ad}-12\u{200b}",
        ] {
            assert_eq!(read(text), start("NO-12"), "{text}");
        }
    }

    #[test]
    fn a_charger_may_be_called_many_things() {
        for (text, id) in [
            ("lade start 12", "12"),
            ("lade start NO*ABC*E12*1", "NO*ABC*E12*1"),
            ("lade start garasje_3", "garasje_3"),
            ("lade start A/12", "A/12"),
            ("lade start 12.1", "12.1"),
            ("lade start Ås7", "Ås7"),
            ("lade start garasje", "garasje"),
            ("start 1042", "1042"),
            ("lade start #12", "12"),
            ("lade start AB 12", "AB12"),
            ("lade start A 1 2", "A12"),
            ("lade start no. 12", "12"),
            ("lade start Lade-3", "Lade-3"),
            ("lade start stopp-3", "stopp-3"),
        ] {
            assert_eq!(read(text), start(id), "{text}");
        }
    }

    #[test]
    fn a_charger_may_be_left_out_where_it_is_clear_what_is_meant() {
        assert_eq!(read("Lade stopp"), Command::Stop(None));
        assert_eq!(read("stop charging"), Command::Stop(None));
        assert_eq!(read("Start lading, takk"), Command::Start(None));
    }

    #[test]
    fn everything_else_is_left_to_people() {
        for text in [
            "",
            "STOP",
            "stop please",
            "start",
            "Lade",
            "Lade 12",
            "12",
            "Hva koster det å lade?",
            "Please stop sending me messages",
            "stop messages",
            "Laderen stoppet kl. 12",
            "Lade start stopp 12",
            "Lade start 12 og stopp kl 7",
            "I want to start charging tomorrow at 7",
            "Lade start den røde laderen i kjelleren",
            "12 lade start",
            "Start charging tomorrow at 7",
            "Lade lade start 12",
            "start garasje",
            "stop 5 minutes",
            "starter 12",
            "ladestasjon 12",
            "🔌",
        ] {
            assert_eq!(read(text), Command::Unknown, "{text}");
        }
    }
}
