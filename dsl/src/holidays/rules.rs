//! The laws, as tables. A year range stands where a day was introduced, moved or abolished since 1999.

use std::ops::RangeInclusive;

/// When a holiday falls.
pub(super) enum When {
    /// The same date every year: month, day.
    On(u8, u8),
    /// That date, or the Saturday before when it is a Sunday.
    NotSunday(u8, u8),
    /// That date in years divisible by five.
    EveryFifthYear(u8, u8),
    /// Days after Easter Sunday.
    Easter(i32),
    /// The first such weekday (0 = Monday) from month, day on.
    FirstFrom(u8, u8, u8),
}

/// A holiday and the years in which it is one.
pub(super) struct Rule {
    pub(super) name: &'static str,
    pub(super) when: When,
    pub(super) years: RangeInclusive<i32>,
}

const fn always(name: &'static str, when: When) -> Rule {
    Rule { name, when, years: i32::MIN..=i32::MAX }
}

const fn since(first: i32, name: &'static str, when: When) -> Rule {
    Rule { name, when, years: first..=i32::MAX }
}

const fn until(last: i32, name: &'static str, when: When) -> Rule {
    Rule { name, when, years: i32::MIN..=last }
}

const fn only(year: i32, name: &'static str, when: When) -> Rule {
    Rule { name, when, years: year..=year }
}

const SATURDAY: u8 = 5;

const MAUNDY_THURSDAY: When = When::Easter(-3);
const GOOD_FRIDAY: When = When::Easter(-2);
const EASTER: When = When::Easter(0);
const EASTER_MONDAY: When = When::Easter(1);
const ASCENSION: When = When::Easter(39);
const WHIT_SUNDAY: When = When::Easter(49);
const WHIT_MONDAY: When = When::Easter(50);
const CORPUS_CHRISTI: When = When::Easter(60);

/// The tables that make up a region.
pub(super) fn of(region: &str) -> Option<&'static [&'static [Rule]]> {
    Some(match region {
        "AT" => &[AUSTRIA],
        "BE" => &[BELGIUM],
        "BR" => &[BRAZIL],
        "DE-ALL" => &[GERMANY, REFORMATION_2017],
        "DE-BB" => &[GERMANY, REFORMATION, BRANDENBURG],
        "DE-BE" => &[GERMANY, REFORMATION_2017, BERLIN],
        "DE-BW" => &[GERMANY, REFORMATION_2017, EPIPHANY, CORPUS, ALL_SAINTS],
        "DE-BY" => &[GERMANY, REFORMATION_2017, EPIPHANY, CORPUS, ALL_SAINTS],
        "DE-HB" | "DE-HH" | "DE-NI" | "DE-SH" => &[GERMANY, REFORMATION_SINCE_2017],
        "DE-HE" => &[GERMANY, REFORMATION_2017, CORPUS],
        "DE-MV" => &[GERMANY, REFORMATION, MECKLENBURG],
        "DE-NW" | "DE-RP" => &[GERMANY, REFORMATION_2017, CORPUS, ALL_SAINTS],
        "DE-SL" => &[GERMANY, REFORMATION_2017, CORPUS, ASSUMPTION, ALL_SAINTS],
        "DE-SN" => &[GERMANY, REFORMATION, REPENTANCE],
        "DE-ST" => &[GERMANY, REFORMATION, EPIPHANY],
        "DE-TH" => &[GERMANY, REFORMATION, THURINGIA],
        "DK" => &[DENMARK],
        "EE" => &[ESTONIA],
        "FI" => &[FINLAND],
        "FR" => &[FRANCE],
        "IS" => &[ICELAND],
        "LU" => &[LUXEMBOURG],
        "NL" => &[NETHERLANDS],
        "NO" => &[NORWAY],
        "PL" => &[POLAND],
        "SE" => &[SWEDEN],
        _ => return None,
    })
}

/// Lov om helligdager og helligdagsfred (1995) § 2; lov om 1 og 17 mai som høgtidsdager (1947).
const NORWAY: &[Rule] = &[
    always("Første nyttårsdag", When::On(1, 1)),
    always("Skjærtorsdag", MAUNDY_THURSDAY),
    always("Langfredag", GOOD_FRIDAY),
    always("Første påskedag", EASTER),
    always("Andre påskedag", EASTER_MONDAY),
    always("Første mai", When::On(5, 1)),
    always("Grunnlovsdagen", When::On(5, 17)),
    always("Kristi himmelfartsdag", ASCENSION),
    always("Første pinsedag", WHIT_SUNDAY),
    always("Andre pinsedag", WHIT_MONDAY),
    always("Første juledag", When::On(12, 25)),
    always("Andre juledag", When::On(12, 26)),
];

/// Lag (1989:253) om allmänna helgdagar; the national day took the place of Whit Monday in 2005 (SFS 2004:1320).
const SWEDEN: &[Rule] = &[
    always("Nyårsdagen", When::On(1, 1)),
    always("Trettondedag jul", When::On(1, 6)),
    always("Långfredagen", GOOD_FRIDAY),
    always("Påskdagen", EASTER),
    always("Annandag påsk", EASTER_MONDAY),
    always("Första maj", When::On(5, 1)),
    always("Kristi himmelsfärdsdag", ASCENSION),
    always("Pingstdagen", WHIT_SUNDAY),
    until(2004, "Annandag pingst", WHIT_MONDAY),
    since(2005, "Sveriges nationaldag", When::On(6, 6)),
    always("Midsommardagen", When::FirstFrom(SATURDAY, 6, 20)),
    always("Alla helgons dag", When::FirstFrom(SATURDAY, 10, 31)),
    always("Juldagen", When::On(12, 25)),
    always("Annandag jul", When::On(12, 26)),
];

/// Kirkkolaki (1054/1993, since 2023 652/2023) for the church's days; laws 272/1944 (1 May) and 388/1937
/// (Independence Day).
const FINLAND: &[Rule] = &[
    always("Uudenvuodenpäivä", When::On(1, 1)),
    always("Loppiainen", When::On(1, 6)),
    always("Pitkäperjantai", GOOD_FRIDAY),
    always("Pääsiäispäivä", EASTER),
    always("Toinen pääsiäispäivä", EASTER_MONDAY),
    always("Vappu", When::On(5, 1)),
    always("Helatorstai", ASCENSION),
    always("Helluntaipäivä", WHIT_SUNDAY),
    always("Juhannuspäivä", When::FirstFrom(SATURDAY, 6, 20)),
    always("Pyhäinpäivä", When::FirstFrom(SATURDAY, 10, 31)),
    always("Itsenäisyyspäivä", When::On(12, 6)),
    always("Joulupäivä", When::On(12, 25)),
    always("Tapaninpäivä", When::On(12, 26)),
];

/// The church's holidays after the ordinance of 26 October 1770. Great Prayer Day, the fourth Friday after Easter, was
/// abolished from 2024 (lov nr. 214 af 6. marts 2023). Constitution Day (5 June) is only a closing day of shops.
const DENMARK: &[Rule] = &[
    always("Nytårsdag", When::On(1, 1)),
    always("Skærtorsdag", MAUNDY_THURSDAY),
    always("Langfredag", GOOD_FRIDAY),
    always("Påskedag", EASTER),
    always("Anden påskedag", EASTER_MONDAY),
    until(2023, "Store bededag", When::Easter(26)),
    always("Kristi himmelfartsdag", ASCENSION),
    always("Pinsedag", WHIT_SUNDAY),
    always("Anden pinsedag", WHIT_MONDAY),
    always("Juledag", When::On(12, 25)),
    always("Anden juledag", When::On(12, 26)),
];

/// Lög um 40 stunda vinnuviku nr. 88/1971, 6. gr., without the two afternoons (24 and 31 December from 13:00).
const ICELAND: &[Rule] = &[
    always("Nýársdagur", When::On(1, 1)),
    always("Skírdagur", MAUNDY_THURSDAY),
    always("Föstudagurinn langi", GOOD_FRIDAY),
    always("Páskadagur", EASTER),
    always("Annar í páskum", EASTER_MONDAY),
    always("Sumardagurinn fyrsti", When::FirstFrom(3, 4, 19)),
    always("Verkalýðsdagurinn", When::On(5, 1)),
    always("Uppstigningardagur", ASCENSION),
    always("Hvítasunnudagur", WHIT_SUNDAY),
    always("Annar í hvítasunnu", WHIT_MONDAY),
    always("Þjóðhátíðardagurinn", When::On(6, 17)),
    always("Frídagur verslunarmanna", When::FirstFrom(0, 8, 1)),
    always("Jóladagur", When::On(12, 25)),
    always("Annar í jólum", When::On(12, 26)),
];

/// Pühade ja tähtpäevade seadus (1998); Christmas Eve since 2005.
const ESTONIA: &[Rule] = &[
    always("Uusaasta", When::On(1, 1)),
    always("Iseseisvuspäev", When::On(2, 24)),
    always("Suur reede", GOOD_FRIDAY),
    always("Ülestõusmispühade 1. püha", EASTER),
    always("Kevadpüha", When::On(5, 1)),
    always("Nelipühade 1. püha", WHIT_SUNDAY),
    always("Võidupüha", When::On(6, 23)),
    always("Jaanipäev", When::On(6, 24)),
    always("Taasiseseisvumispäev", When::On(8, 20)),
    since(2005, "Jõululaupäev", When::On(12, 24)),
    always("Esimene jõulupüha", When::On(12, 25)),
    always("Teine jõulupüha", When::On(12, 26)),
];

/// Algemene termijnenwet, artikel 3, with Easter and Whit Sunday, without Good Friday (there only put on a par) and
/// with Liberation Day in the years in which it is commonly a day off, every fifth. The king's birthday is kept on
/// 27 April since 2014, the queen's was kept on 30 April.
const NETHERLANDS: &[Rule] = &[
    always("Nieuwjaarsdag", When::On(1, 1)),
    always("Eerste paasdag", EASTER),
    always("Tweede paasdag", EASTER_MONDAY),
    until(2013, "Koninginnedag", When::NotSunday(4, 30)),
    since(2014, "Koningsdag", When::NotSunday(4, 27)),
    always("Bevrijdingsdag", When::EveryFifthYear(5, 5)),
    always("Hemelvaartsdag", ASCENSION),
    always("Eerste pinksterdag", WHIT_SUNDAY),
    always("Tweede pinksterdag", WHIT_MONDAY),
    always("Eerste kerstdag", When::On(12, 25)),
    always("Tweede kerstdag", When::On(12, 26)),
];

/// Koninklijk besluit van 18 april 1974 (ten days).
const BELGIUM: &[Rule] = &[
    always("Nieuwjaar", When::On(1, 1)),
    always("Paasmaandag", EASTER_MONDAY),
    always("Dag van de Arbeid", When::On(5, 1)),
    always("Hemelvaart", ASCENSION),
    always("Pinkstermaandag", WHIT_MONDAY),
    always("Nationale feestdag", When::On(7, 21)),
    always("Tenhemelopneming", When::On(8, 15)),
    always("Allerheiligen", When::On(11, 1)),
    always("Wapenstilstand", When::On(11, 11)),
    always("Kerstmis", When::On(12, 25)),
];

/// Code du travail, L. 232-2; Europe Day since 2019 (loi du 25 avril 2019).
const LUXEMBOURG: &[Rule] = &[
    always("Nouvel an", When::On(1, 1)),
    always("Lundi de Pâques", EASTER_MONDAY),
    always("Premier mai", When::On(5, 1)),
    since(2019, "Journée de l'Europe", When::On(5, 9)),
    always("Ascension", ASCENSION),
    always("Lundi de Pentecôte", WHIT_MONDAY),
    always("Fête nationale", When::On(6, 23)),
    always("Assomption", When::On(8, 15)),
    always("Toussaint", When::On(11, 1)),
    always("Noël", When::On(12, 25)),
    always("Saint-Étienne", When::On(12, 26)),
];

/// Code du travail, L. 3133-1. Whit Monday stayed a holiday when it became the day of solidarity.
const FRANCE: &[Rule] = &[
    always("Jour de l'an", When::On(1, 1)),
    always("Lundi de Pâques", EASTER_MONDAY),
    always("Fête du travail", When::On(5, 1)),
    always("Victoire 1945", When::On(5, 8)),
    always("Ascension", ASCENSION),
    always("Lundi de Pentecôte", WHIT_MONDAY),
    always("Fête nationale", When::On(7, 14)),
    always("Assomption", When::On(8, 15)),
    always("Toussaint", When::On(11, 1)),
    always("Armistice 1918", When::On(11, 11)),
    always("Noël", When::On(12, 25)),
];

/// Ustawa o dniach wolnych od pracy (1951); Epiphany since 2011, Christmas Eve since 2025, 12 November 2018 once.
const POLAND: &[Rule] = &[
    always("Nowy Rok", When::On(1, 1)),
    since(2011, "Święto Trzech Króli", When::On(1, 6)),
    always("Wielkanoc", EASTER),
    always("Poniedziałek Wielkanocny", EASTER_MONDAY),
    always("Święto Państwowe", When::On(5, 1)),
    always("Święto Trzeciego Maja", When::On(5, 3)),
    always("Zielone Świątki", WHIT_SUNDAY),
    always("Boże Ciało", CORPUS_CHRISTI),
    always("Wniebowzięcie", When::On(8, 15)),
    always("Wszystkich Świętych", When::On(11, 1)),
    always("Święto Niepodległości", When::On(11, 11)),
    only(2018, "Stulecie niepodległości", When::On(11, 12)),
    since(2025, "Wigilia", When::On(12, 24)),
    always("Boże Narodzenie", When::On(12, 25)),
    always("Drugi dzień Bożego Narodzenia", When::On(12, 26)),
];

/// Arbeitsruhegesetz § 7 and Feiertagsruhegesetz 1957.
const AUSTRIA: &[Rule] = &[
    always("Neujahr", When::On(1, 1)),
    always("Heilige Drei Könige", When::On(1, 6)),
    always("Ostermontag", EASTER_MONDAY),
    always("Staatsfeiertag", When::On(5, 1)),
    always("Christi Himmelfahrt", ASCENSION),
    always("Pfingstmontag", WHIT_MONDAY),
    always("Fronleichnam", CORPUS_CHRISTI),
    always("Mariä Himmelfahrt", When::On(8, 15)),
    always("Nationalfeiertag", When::On(10, 26)),
    always("Allerheiligen", When::On(11, 1)),
    always("Mariä Empfängnis", When::On(12, 8)),
    always("Christtag", When::On(12, 25)),
    always("Stefanitag", When::On(12, 26)),
];

/// Lei 662/1949 in the wording of Lei 10.607/2002; Lei 6.802/1980 (12 October); Lei 14.759/2023 (20 November, from
/// 2024); Good Friday as every year's federal list has it. Carnival and Corpus Christi are not national holidays.
const BRAZIL: &[Rule] = &[
    always("Confraternização Universal", When::On(1, 1)),
    always("Paixão de Cristo", GOOD_FRIDAY),
    always("Tiradentes", When::On(4, 21)),
    always("Dia do Trabalho", When::On(5, 1)),
    always("Independência", When::On(9, 7)),
    always("Nossa Senhora Aparecida", When::On(10, 12)),
    always("Finados", When::On(11, 2)),
    always("Proclamação da República", When::On(11, 15)),
    since(2024, "Consciência Negra", When::On(11, 20)),
    always("Natal", When::On(12, 25)),
];

/// What the holiday laws of all states share; 3 October by Einigungsvertrag, Art. 2.
const GERMANY: &[Rule] = &[
    always("Neujahr", When::On(1, 1)),
    always("Karfreitag", GOOD_FRIDAY),
    always("Ostermontag", EASTER_MONDAY),
    always("Tag der Arbeit", When::On(5, 1)),
    always("Christi Himmelfahrt", ASCENSION),
    always("Pfingstmontag", WHIT_MONDAY),
    always("Tag der Deutschen Einheit", When::On(10, 3)),
    always("Erster Weihnachtstag", When::On(12, 25)),
    always("Zweiter Weihnachtstag", When::On(12, 26)),
];

/// 500 years of Reformation: all states in 2017.
const REFORMATION_2017: &[Rule] = &[only(2017, "Reformationstag", When::On(10, 31))];
/// Laws of 2018 in Bremen, Hamburg, Lower Saxony and Schleswig-Holstein.
const REFORMATION_SINCE_2017: &[Rule] = &[since(2017, "Reformationstag", When::On(10, 31))];
/// Brandenburg, Mecklenburg-Western Pomerania, Saxony, Saxony-Anhalt, Thuringia.
const REFORMATION: &[Rule] = &[always("Reformationstag", When::On(10, 31))];
/// Baden-Württemberg, Bavaria, Saxony-Anhalt.
const EPIPHANY: &[Rule] = &[always("Heilige Drei Könige", When::On(1, 6))];
/// Whole states only; some municipalities of Saxony and Thuringia have it too.
const CORPUS: &[Rule] = &[always("Fronleichnam", CORPUS_CHRISTI)];
/// Saarland. In Bavaria it depends on the municipality, so it is left out there.
const ASSUMPTION: &[Rule] = &[always("Mariä Himmelfahrt", When::On(8, 15))];
/// Baden-Württemberg, Bavaria, North Rhine-Westphalia, Rhineland-Palatinate, Saarland.
const ALL_SAINTS: &[Rule] = &[always("Allerheiligen", When::On(11, 1))];
/// Saxony: the Wednesday before 23 November.
const REPENTANCE: &[Rule] = &[always("Buß- und Bettag", When::FirstFrom(2, 11, 16))];
/// Feiertagsgesetz Brandenburg § 2 names the two Sundays.
const BRANDENBURG: &[Rule] = &[always("Ostersonntag", EASTER), always("Pfingstsonntag", WHIT_SUNDAY)];
/// Gesetz über die Sonn- und Feiertage: Women's Day since 2019, the end of the war in 2020 and 2025, the uprising of
/// 1953 in 2028.
const BERLIN: &[Rule] = &[
    since(2019, "Internationaler Frauentag", When::On(3, 8)),
    only(2020, "75. Jahrestag der Befreiung", When::On(5, 8)),
    only(2025, "80. Jahrestag der Befreiung", When::On(5, 8)),
    only(2028, "75. Jahrestag des Volksaufstands", When::On(6, 17)),
];
/// Feiertagsgesetz Mecklenburg-Vorpommern as changed in 2022.
const MECKLENBURG: &[Rule] = &[since(2023, "Internationaler Frauentag", When::On(3, 8))];
/// Thüringer Feiertagsgesetz as changed in 2019.
const THURINGIA: &[Rule] = &[since(2019, "Weltkindertag", When::On(9, 20))];
