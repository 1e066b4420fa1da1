#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use super::*;
use meters::{Direction, Guest, Quality, Value};
use takst_plugin_sdk::testing::{self, options};
use takst_plugin_sdk::time::{HOUR, MINUTE, instant};

// Made up. From the right 7x3 + 6 + 5x3 + 4 + 3x3 + 2 + 1x3 + 5x3 + 7 + 5x3 + 7x3 + 7x3 = 139, and 1 more is 140.
const POINT: &str = "707057500012345671";

fn file(name: &str, text: &str) -> File {
    File { name: name.into(), media_type: "text/csv".into(), body: text.as_bytes().to_vec() }
}

fn read(text: &str) -> Result<Vec<Series>, Error> {
    testing::reset();
    Elhub::read(Vec::new(), file(&format!("meteringvalues-{POINT}.csv"), text))
}

fn write(form: &str, series: &[Series]) -> Result<File, Error> {
    let settings = options(&[("sender", "7080000000005"), ("recipient", "7080000000012")]);
    Elhub::write(settings, form.into(), series.to_vec())
}

// Values of one length from here on; the kWh are 0.001, 0.002, ...
fn series(from: &str, minutes: i64, count: i64) -> Series {
    let start = instant(from).unwrap();
    let value = |place: i64| Value {
        from: start + place * minutes * MINUTE,
        until: start + (place + 1) * minutes * MINUTE,
        kwh: format!("0.{:03}", place + 1).trim_end_matches('0').to_owned(),
        quality: Quality::Measured,
    };
    Series { point: POINT.into(), direction: Direction::Consumption, values: (0..count).map(value).collect() }
}

#[test]
fn check_digits_of_metering_points() {
    assert_eq!(Elhub::check_point(Vec::new(), POINT.into()), None);
    for place in 0..18 {
        let mut wrong: Vec<char> = POINT.chars().collect();
        wrong[place] = char::from_digit((wrong[place].to_digit(10).unwrap() + 1) % 10, 10).unwrap();
        let wrong: String = wrong.into_iter().collect();
        assert!(point::wrong(&wrong).unwrap().contains("last digit should be"), "{wrong}");
    }
    assert!(point::wrong("70705750001234567").unwrap().contains("18 digits"));
    assert!(point::wrong("70705750001234567x").unwrap().contains("18 digits"));
    // GS1's own example of a GTIN-13: 629104150021 has 3.
    let digits: Vec<u32> = "629104150021".chars().map(|c| c.to_digit(10).unwrap()).collect();
    assert_eq!(point::check_digit(&digits), 3);
    let findings = Elhub::check(options(&[("point", "1"), ("sender", "708"), ("time_zone", "Norge")]));
    assert_eq!(
        findings.iter().map(|one| one.setting.as_str()).collect::<Vec<_>>(),
        ["time_zone", "point", "sender"]
    );
}

#[test]
fn a_file_of_min_side_in_both_spellings() {
    let offsets = "Fra,Til,KWH 60 Forbruk,Kvalitet\n2026-01-01T00:00:00+01:00,2026-01-01T01:00:00+01:00,1.234,Målt\n\
                   2026-01-01T01:00+01:00,2026-01-01T02:00+01:00,\"0,5\",Estimert\n2026-01-01T02:00+01:00,2026-01-01T03:00+01:00,,Mangler\n";
    let local = "\u{feff}Fra;Til;KWH 60 Forbruk;Kvalitet\r\n01.01.2026 00:00;01.01.2026 01:00;1,234;Målt\r\n01.01.2026 01:00;01.01.2026 02:00;0,500;Stipulert\r\n01.01.2026 02:00;01.01.2026 03:00;-;\r\n\r\n";
    let [first, second] = [offsets, local].map(|text| read(text).unwrap());
    assert_eq!(first, second);
    let [one] = first.as_slice() else { panic!("{first:?}") };
    assert_eq!((one.point.as_str(), one.direction), (POINT, Direction::Consumption));
    let values: Vec<(&str, Quality)> =
        one.values.iter().map(|value| (value.kwh.as_str(), value.quality)).collect();
    assert_eq!(values, [("1.234", Quality::Measured), ("0.5", Quality::Estimated), ("0", Quality::Missing)]);
    assert_eq!(one.values[0].from, instant("2025-12-31T23:00:00Z").unwrap());
}

#[test]
fn the_hour_that_autumn_repeats_is_told_apart_by_order() {
    // 25 hours: the clock shows 02:00 twice.
    let mut text = "Fra;Til;KWH 60 Forbruk\n".to_owned();
    let shown: Vec<i64> = (0..3).chain(2..25).collect();
    for pair in shown.windows(2) {
        let time = |hour: i64| {
            if hour == 24 { "26.10.2026 00:00".to_owned() } else { format!("25.10.2026 {hour:02}:00") }
        };
        // From the first 02:00 to the second, and from there to 03:00.
        text.push_str(&format!("{};{};1,5\n", time(pair[0]), time(pair[1])));
    }
    let one = read(&text).unwrap().remove(0);
    assert_eq!(one.values.len(), 25);
    assert!(one.values.iter().all(|value| value.until - value.from == HOUR));
    assert!(one.values.windows(2).all(|pair| pair[0].until == pair[1].from));
    assert_eq!(one.values[0].from, instant("2026-10-24T22:00:00Z").unwrap());
    assert_eq!(one.values[24].until, instant("2026-10-25T23:00:00Z").unwrap());

    // 100 quarter-hours.
    let quarters = series("2026-10-25T00:00:00+02:00", 15, 100);
    let written = write("min-side-local", std::slice::from_ref(&quarters)).unwrap();
    let text = String::from_utf8(written.body.clone()).unwrap();
    assert_eq!(text.matches("25.10.2026 02:45;").count(), 4, "twice as a start, twice as an end");
    assert_eq!(read(&text).unwrap(), [quarters]);
}

#[test]
fn both_hours_of_the_autumn_may_be_written_as_the_clock_shows_them() {
    let before = "26.10.2025 00:00;26.10.2025 01:00;1\n26.10.2025 01:00;26.10.2025 02:00;2\n";
    let (clock, first, second) = (
        "26.10.2025 02:00;26.10.2025 03:00;",
        "26.10.2025 02:00;26.10.2025 02:00;",
        "26.10.2025 02:00;26.10.2025 03:00;",
    );
    let after = "26.10.2025 03:00;26.10.2025 04:00;5\n";
    let times = |text: &str| {
        let one = read(&format!("Fra;Til;KWH 60 Forbruk\n{before}{text}{after}")).unwrap().remove(0);
        assert!(one.values.iter().all(|value| value.until - value.from == HOUR), "{text}");
        one.values.iter().map(|value| (value.from, value.kwh.clone())).collect::<Vec<_>>()
    };
    let at = |text: &str, kwh: &str| (instant(text).unwrap(), kwh.to_owned());
    let all = [
        at("2025-10-25T22:00:00Z", "1"),
        at("2025-10-25T23:00:00Z", "2"),
        at("2025-10-26T00:00:00Z", "3"),
        at("2025-10-26T01:00:00Z", "4"),
        at("2025-10-26T02:00:00Z", "5"),
    ];
    assert_eq!(times(&format!("{clock}3\n{clock}4\n")), all);
    assert_eq!(times(&format!("{first}3\n{second}4\n")), all);
    // A gap is allowed, whichever of the two is missing.
    let without = |place: usize| {
        all.iter()
            .enumerate()
            .filter(|(nth, _)| *nth != place)
            .map(|(_, one)| one.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(times(&format!("{second}4\n")), without(2));
    assert_eq!(times(&format!("{first}3\n")), without(3));
    // Quarters by the clock.
    let quarters = |kwh: i64| {
        let end =
            |quarter: i64| if quarter == 4 { "03:00".to_owned() } else { format!("02:{:02}", quarter * 15) };
        (0..4)
            .map(|quarter| {
                format!("26.10.2025 {};26.10.2025 {};{}\n", end(quarter), end(quarter + 1), kwh + quarter)
            })
            .collect::<String>()
    };
    let one = read(&format!("Fra;Til;KWH 15 Forbruk\n{}{}", quarters(1), quarters(5))).unwrap().remove(0);
    assert_eq!(one.values.iter().map(|value| value.kwh.as_str()).collect::<String>(), "12345678");
    assert_eq!(one.values[0].from, instant("2025-10-26T00:00:00Z").unwrap());
    assert!(one.values.windows(2).all(|pair| pair[0].until == pair[1].from));
    // Two lines of another hour are no repeated hour.
    let twice =
        "Fra;Til;KWH 60 Forbruk\n01.06.2025 02:00;01.06.2025 03:00;1\n01.06.2025 02:00;01.06.2025 03:00;1\n";
    assert!(read(twice).unwrap_err().detail.starts_with("line 3: it begins before"));
}

#[test]
fn a_wrong_number_in_the_name_of_a_file_is_told() {
    testing::reset();
    let text = "Fra;Til;KWH 60 Forbruk\n01.01.2026 00:00;01.01.2026 01:00;1\n";
    let wrong = format!("{}2", &POINT[..17]);
    let error = Elhub::read(Vec::new(), file(&format!("meteringvalues-{wrong}.csv"), text)).unwrap_err();
    assert!(
        error.detail.contains(&format!("`{wrong}` is not a metering point: its last digit should be 1")),
        "{}",
        error.detail
    );
    // The setting says of which it is all the same.
    let settings = options(&[("point", POINT)]);
    let read = Elhub::read(settings, file(&format!("meteringvalues-{wrong}.csv"), text)).unwrap();
    assert_eq!(read[0].point, POINT);
    let error = Elhub::read(Vec::new(), file("values.csv", text)).unwrap_err();
    assert!(error.detail.starts_with("the file does not say"), "{}", error.detail);
}

#[test]
fn the_hour_that_spring_skips_is_no_hour() {
    let header = "Fra;Til;KWH 60 Forbruk\n";
    let error =
        read(&format!("{header}29.03.2026 01:00;29.03.2026 03:00;1\n29.03.2026 02:00;29.03.2026 03:00;1\n"))
            .unwrap_err();
    assert!(
        error.detail.starts_with("line 3: `29.03.2026 02:00` does not exist in Europe/Oslo"),
        "{}",
        error.detail
    );
    let day = series("2026-03-29T00:00:00+01:00", 60, 23);
    for form in ["min-side", "min-side-local"] {
        let text = String::from_utf8(write(form, std::slice::from_ref(&day)).unwrap().body).unwrap();
        assert_eq!(text.lines().count(), 24);
        assert_eq!(read(&text).unwrap(), std::slice::from_ref(&day), "{form}");
    }
}

#[test]
fn errors_name_the_line() {
    let header = "Fra;Til;KWH 60 Forbruk;Kvalitet\n01.01.2026 00:00;01.01.2026 01:00;1\n";
    for (line, expected) in [
        ("01.01.2026 01:00;01.01.2026 02:00;abc", "line 3: `abc` is no energy"),
        ("01.01.2026 01:00;01.01.2026 02:00;-1", "line 3: `-1` is no energy"),
        ("01.01.2026 01:00;01.01.2026 03:00;1", "line 3: from `Fra` to `Til` are not 60 minutes"),
        ("01.01.2026 00:00;01.01.2026 01:00;1", "line 3: it begins before the line above ends"),
        ("31.02.2026 01:00;01.01.2026 02:00;1", "line 3: `31.02.2026 01:00` is no time"),
        ("", ""),
    ] {
        match read(&format!("{header}{line}\n")) {
            Err(error) => {
                assert!(!expected.is_empty() && error.detail.starts_with(expected), "{}", error.detail)
            }
            Ok(_) => assert_eq!(expected, ""),
        }
    }
    assert!(read("").unwrap_err().detail.contains("line 1"));
    assert!(read("a;b;c\n").unwrap_err().detail.starts_with("line 1: the first line has no `Fra`"));
    assert!(read("Fra;Til;kWh\n").unwrap_err().detail.contains("`KWH 60 Forbruk`"));
    let nameless = file("values.csv", header);
    assert_eq!(Elhub::read(Vec::new(), nameless.clone()).unwrap_err().code, "no-point");
    assert_eq!(Elhub::read(options(&[("point", POINT)]), nameless).unwrap()[0].point, POINT);
}

#[test]
fn several_directions_and_points_in_one_file() {
    let both = read(
        "Fra,Til,KWH 15 Forbruk,KWH 15 Produksjon\n2026-06-01T12:00+02:00,2026-06-01T12:15+02:00,0.1,2.5\n",
    )
    .unwrap();
    assert_eq!(
        both.iter().map(|one| one.direction).collect::<Vec<_>>(),
        [Direction::Consumption, Direction::Production]
    );
    let text = String::from_utf8(write("min-side", &both).unwrap().body).unwrap();
    assert_eq!(text.lines().next(), Some("Fra,Til,KWH 15 Forbruk,KWH 15 Produksjon"));
    assert_eq!(read(&text).unwrap(), both);
    let other = "707057500012345688";
    assert_eq!(point::wrong(other), None);
    let text = format!(
        "Målepunkt-ID;Fra;Til;KWH 60 Forbruk\n{POINT};01.01.2026 00:00;01.01.2026 01:00;1\n{other};01.01.2026 00:00;01.01.2026 01:00;2\n"
    );
    let two = read(&text).unwrap();
    assert_eq!(
        two.iter().map(|one| (one.point.as_str(), one.values.len())).collect::<Vec<_>>(),
        [(POINT, 1), (other, 1)]
    );
    assert!(write("min-side", &two).unwrap_err().detail.contains("one file for each"));
}

#[test]
fn messages_out_and_in_again() {
    testing::set_clock(instant("2026-11-22T09:00:00Z").unwrap());
    let mut day = series("2026-10-25T00:00:00+02:00", 60, 25);
    day.values[3].quality = Quality::Estimated;
    let feed_in = Series { direction: Direction::Production, ..series("2026-10-25T00:00:00+02:00", 15, 100) };
    let written = write("collected-data", &[day.clone(), feed_in.clone()]).unwrap();
    let text = String::from_utf8(written.body.clone()).unwrap();
    assert!(text.contains(
        "<abie:Start>2026-10-25T00:00:00+02:00</abie:Start><abie:End>2026-10-26T00:00:00+01:00</abie:End>"
    ));
    assert!(
        text.contains("<abie:Direction>Out</abie:Direction>")
            && text.contains("<abie:Direction>In</abie:Direction>")
    );
    assert_eq!(Elhub::read(Vec::new(), written.clone()).unwrap(), [day.clone(), feed_in]);
    let turned = Elhub::read(options(&[("in_means", "consumption")]), written).unwrap();
    assert_eq!(turned[0].direction, Direction::Production);
    if let Some(path) = std::env::var_os("TAKST_ELHUB_OUT") {
        std::fs::write(path, &text).unwrap();
    }
    // A value that is missing leaves its number out.
    day.values[1].quality = Quality::Missing;
    let again =
        Elhub::read(Vec::new(), write("collected-data", std::slice::from_ref(&day)).unwrap()).unwrap();
    assert_eq!(again[0].values.len(), 24);
    assert_eq!(again[0].values[1].from, day.values[2].from);
    let error = Elhub::write(Vec::new(), "collected-data".into(), vec![day]).unwrap_err();
    assert!(error.detail.contains("`sender`"), "{}", error.detail);
}

#[test]
fn what_three_places_cannot_hold_goes_on_to_the_next_value() {
    let mut day = series("2026-06-01T00:00:00+02:00", 60, 3);
    for value in &mut day.values {
        value.kwh = "0.0004".into();
    }
    let text = String::from_utf8(write("collected-data", &[day]).unwrap().body).unwrap();
    let values: Vec<&str> = text.split("<abie:Metered>").skip(1).map(|rest| &rest[..5]).collect();
    assert_eq!(values, ["0.000", "0.001", "0.000"], "0.0012 in all is 0.001");
    assert_eq!(kwh::read("1 234,50").as_deref(), Some("1234.5"));
    assert_eq!(kwh::read("007").as_deref(), Some("7"));
    assert_eq!(kwh::read(",5").as_deref(), Some("0.5"));
    assert_eq!(kwh::read("0,000").as_deref(), Some("0"));
    for wrong in ["", ".", "1,2,3", "1e3", "-1", "0.1234567891"] {
        assert_eq!(kwh::read(wrong), None, "{wrong}");
    }
}

// What Elhub sends: prefixes of its choice, values of several kinds, another product beside.
fn notified(observations: &str) -> String {
    format!(
        r#"<?xml version="1.0"?>
<ns2:NotifyValidatedDataForBillingEnergy xmlns:ns2="urn:x" xmlns="urn:y">
 <ns2:Header><Identification>x</Identification></ns2:Header>
 <ns2:PayloadEnergyTimeSeries>
  <ObservationPeriodTimeSeriesPeriod><ResolutionDuration>PT1H</ResolutionDuration>
   <Start>2026-03-28T23:00:00Z</Start><End>2026-03-29T22:00:00Z</End></ObservationPeriodTimeSeriesPeriod>
  <ProductIncludedProductCharacteristics><Identification schemeAgencyIdentifier="9">8716867000030</Identification><UnitType>kWh</UnitType></ProductIncludedProductCharacteristics>
  <MPDetailMeasurementMeteringPointCharacteristic><Direction>Out</Direction><BusinessType>Consumption</BusinessType></MPDetailMeasurementMeteringPointCharacteristic>
  <MeteringPointUsedDomainLocation><Identification schemeAgencyIdentifier="9">{POINT}</Identification></MeteringPointUsedDomainLocation>
  {observations}
 </ns2:PayloadEnergyTimeSeries>
 <ns2:PayloadEnergyTimeSeries>
  <ProductIncludedProductCharacteristics><Identification>8716867000139</Identification><UnitType>kvarh</UnitType></ProductIncludedProductCharacteristics>
  <MeteringPointUsedDomainLocation><Identification>{POINT}</Identification></MeteringPointUsedDomainLocation>
 </ns2:PayloadEnergyTimeSeries>
</ns2:NotifyValidatedDataForBillingEnergy>"#
    )
}

#[test]
fn what_elhub_sends_of_a_day_with_23_hours() {
    let hours: String = (1..=23)
        .map(|hour| match hour {
            5 => format!("<Observation Sequence=\"{hour}\"><Estimated Quality=\"56\" ValidationCode=\"V001\" EstimationCode=\"E001\">0.250</Estimated></Observation>\n"),
            _ => format!("<Observation Sequence=\"{hour}\"><Metered>1.500</Metered></Observation>\n"),
        })
        .collect();
    let all = read(&notified(&hours)).unwrap();
    assert_eq!(all.len(), 1, "reactive energy is left out");
    assert_eq!(all[0].values.len(), 23);
    assert_eq!(
        all[0].values[4],
        Value {
            from: instant("2026-03-29T03:00:00Z").unwrap(),
            until: instant("2026-03-29T04:00:00Z").unwrap(),
            kwh: "0.25".into(),
            quality: Quality::Estimated
        }
    );
    assert_eq!(all[0].values[22].until, instant("2026-03-29T22:00:00Z").unwrap());
    let error = read(&notified(&hours.replace("\"23\"", "\"24\""))).unwrap_err();
    assert!(error.detail.starts_with("line 32: the sequence 24 lies behind the end"), "{}", error.detail);
    let error = read(&notified(&hours.replace("\"7\"", "\"6\""))).unwrap_err();
    assert!(error.detail.starts_with("line 16: the sequence 6 stands there twice"), "{}", error.detail);
    let error =
        read(&notified("<Observation Sequence=\"1\"><Metered>x</Metered></Observation>")).unwrap_err();
    assert!(error.detail.starts_with("line 10: `x` is no energy"), "{}", error.detail);
    let error = read(&notified(&hours).replace(POINT, "707057500012345670")).unwrap_err();
    assert!(
        error.detail.starts_with("line 9: `707057500012345670` is not a metering point"),
        "{}",
        error.detail
    );
    let error =
        read(&notified("<Observation Sequence=\"9223372036854775807\"><Metered>1</Metered></Observation>"))
            .unwrap_err();
    assert!(error.detail.contains("`Sequence` from 1 to 9999"), "{}", error.detail);
    for (text, expected) in [
        ("<Invoice/>", "line 1: `Invoice` is no message"),
        ("<CollectedData><a></CollectedData>", "not well-formed"),
        ("<CollectedData>", "ends in the middle"),
        ("<!DOCTYPE x><CollectedData/>", "document types"),
    ] {
        let error = read(text).unwrap_err();
        assert!(error.detail.contains(expected), "{}", error.detail);
    }
}

#[test]
fn neutral_json_out_and_in_again() {
    let mut day = series("2026-10-25T00:00:00+02:00", 60, 25);
    day.values[7].quality = Quality::Missing;
    day.values[7].kwh = "0".into();
    let written = write("json", std::slice::from_ref(&day)).unwrap();
    let text = String::from_utf8(written.body.clone()).unwrap();
    assert!(text.contains("2026-10-25T02:00:00+02:00") && text.contains("2026-10-25T02:00:00+01:00"));
    assert_eq!(Elhub::read(Vec::new(), written).unwrap(), [day]);
    let error = read("{\"series\": [\n{\"point\": 1}]}").unwrap_err();
    assert!(error.detail.starts_with("line 2: "), "{}", error.detail);
    let one = |from: &str, kwh: &str| {
        format!(
            r#"{{"series": [{{"point": "{POINT}", "direction": "production", "values": [{{"from": "{from}", "until": "2026-01-01T01:00:00+01:00", "kwh": "{kwh}"}}]}}]}}"#
        )
    };
    assert_eq!(read(&one("2026-01-01T00:00:00+01:00", "1.5")).unwrap()[0].direction, Direction::Production);
    assert!(
        read(&one("2026-01-01T00:00", "1.5"))
            .unwrap_err()
            .detail
            .contains("value 1: `2026-01-01T00:00` is no time with an offset")
    );
    assert!(read(&one("2026-01-01T02:00:00+01:00", "1.5")).unwrap_err().detail.contains("in order of time"));
    assert!(read(&one("2026-01-01T00:00:00+01:00", "x")).unwrap_err().detail.contains("`x` is no energy"));
}

#[test]
fn what_it_does_not_do() {
    assert_eq!(Elhub::forms(), ["min-side", "min-side-local", "collected-data", "json"]);
    assert!(write("excel", &[]).unwrap_err().detail.contains("min-side"));
    assert_eq!(Elhub::send(Vec::new(), "k".into(), Vec::new()).unwrap_err().code, "unsupported");
    let wrong = Series { point: "1".into(), direction: Direction::Consumption, values: Vec::new() };
    assert_eq!(write("json", &[wrong]).unwrap_err().code, "wrong-point");
}

#[test]
fn a_year_of_quarter_hours_is_read_and_written() {
    let year = series("2026-01-01T00:00:00+01:00", 15, 35_040);
    let year = Series {
        values: year.values.into_iter().map(|value| Value { kwh: "0.25".into(), ..value }).collect(),
        ..year
    };
    let both = [year.clone(), Series { direction: Direction::Production, ..year.clone() }];
    for (form, series) in [("min-side", &both[..]), ("min-side-local", &both[..1]), ("json", &both[..])] {
        let written = write(form, series).unwrap();
        assert!(written.body.len() < 8 * 1024 * 1024, "{form}: {}", written.body.len());
        let read = Elhub::read(options(&[("point", POINT)]), written).unwrap();
        assert!(read == series, "{form}");
    }
    assert!(write("collected-data", &both).unwrap_err().detail.contains("write it in parts"));
}
