//! Small documents of our own, and the real ones beside the repository where they are at hand.

use super::*;
use std::path::Path;

fn series(fields: &str, from: &str, to: &str, resolution: &str, points: &[(u32, &str)]) -> String {
    let points: String = points
        .iter()
        .map(|(position, price)| {
            format!("<Point><position>{position}</position>\n<price.amount>{price}</price.amount></Point>")
        })
        .collect();
    format!(
        "<TimeSeries><in_Domain.mRID codingScheme=\"A01\">10YNO-1--------2</in_Domain.mRID>
<out_Domain.mRID>10YNO-1--------2</out_Domain.mRID><currency_Unit.name>EUR</currency_Unit.name>
<price_Measure_Unit.name>MWH</price_Measure_Unit.name>{fields}<Period><timeInterval><start>{from}</start><end>{to}</end>
</timeInterval><resolution>{resolution}</resolution>{points}</Period></TimeSeries>"
    )
}

fn document(series: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>
<Publication_MarketDocument xmlns=\"urn:iec62325.351:tc57wg16:451-3:publicationdocument:7:3\"><mRID>x</mRID>
<type>A44</type><createdDateTime>2025-10-12T16:38:43Z</createdDateTime>
<period.timeInterval><start>2025-10-11T22:00Z</start><end>2025-10-13T22:00Z</end></period.timeInterval>
{series}</Publication_MarketDocument>"
    )
}

fn prices(feed: &FeedFile) -> Vec<String> {
    feed.prices.iter().map(|step| step.price.to_string()).collect()
}

#[test]
fn points_left_out_repeat_the_price_before_up_to_the_end() {
    let hour = series(
        "<curveType>A03</curveType>",
        "2025-10-11T22:00Z",
        "2025-10-11T23:30Z",
        "PT15M",
        &[(1, "2.67"), (2, "-2.35"), (5, "0")],
    );
    let feeds = read(&document(&hour)).unwrap();
    let [feed] = feeds.as_slice() else { panic!("{feeds:?}") };
    assert_eq!((feed.area.as_deref(), feed.unit.as_str()), (Some("NO1"), "EUR/MWh"));
    assert_eq!(feed.published, Some(input::instant("2025-10-12T16:38:43Z").unwrap()));
    assert_eq!(prices(feed), ["2.67", "-2.35", "-2.35", "-2.35", "0", "0"]);
    assert!(
        feed.prices.array_windows::<2>().all(|[a, b]| a.to == b.from && a.to.0 - a.from.0 == 15 * MINUTE_MS)
    );
    assert_eq!(feed.prices[0].from, input::instant("2025-10-11T22:00:00Z").unwrap());
    // Without A03 a point that is missing is a price that is missing.
    let sized = read(&document(&hour.replace("A03", "A01"))).unwrap();
    assert_eq!(prices(&sized[0]), ["2.67", "-2.35", "0"]);
    assert_eq!(sized[0].prices[2].from, input::instant("2025-10-11T23:00:00Z").unwrap());
}

#[test]
fn the_resolution_may_change_and_the_first_auction_counts() {
    let at = |sequence: u32| {
        format!(
            "<curveType>A03</curveType><classificationSequence_AttributeInstanceComponent.position>{sequence}</classificationSequence_AttributeInstanceComponent.position>"
        )
    };
    let old = series(&at(1), "2025-09-30T20:00Z", "2025-09-30T22:00Z", "PT60M", &[(1, "10"), (2, "20")]);
    let new = series(&at(1), "2025-09-30T22:00Z", "2025-09-30T23:00Z", "PT15M", &[(1, "30"), (4, "40")]);
    let other = series(&at(2), "2025-09-30T22:00Z", "2025-09-30T23:00Z", "PT1H", &[(1, "99")]);
    let feeds = read(&document(&format!("{other}{old}{new}"))).unwrap();
    assert_eq!(
        feeds.iter().map(prices).collect::<Vec<_>>(),
        [vec!["10", "20"], vec!["30", "30", "30", "40"]]
    );
    let mut book = takst_engine::PriceBook::default();
    for feed in feeds {
        book.add(feed).unwrap();
    }
}

#[test]
fn what_is_wrong_is_said_with_its_line() {
    let good = document(&series(
        "<curveType>A03</curveType>",
        "2025-10-11T22:00Z",
        "2025-10-11T23:00Z",
        "PT15M",
        &[(1, "1")],
    ));
    assert!(read(&good).is_ok());
    for (from, to, says) in [
        ("A44", "A65", "documentType=A44"),
        ("Publication_MarketDocument", "GL_MarketDocument", "line 2: `GL_MarketDocument`"),
        ("PT15M", "P1Y", "line 7: resolution `P1Y`"),
        ("PT15M", "PT7M", "no whole number of steps"),
        ("PT15M", "PT", "resolution `PT`"),
        ("<position>1<", "<position>5<", "position 5 lies outside the period, which has 4 steps"),
        ("<position>1<", "<position>one<", "`position`: `one`"),
        (">1</price", ">1,5</price", "line 9: `price.amount`: `1,5`"),
        ("<price.amount>1</price.amount>", "", "has no `price.amount`"),
        ("2025-10-11T23:00Z", "2025-10-11T21:00Z", "no whole number of steps"),
        ("2025-10-11T23:00Z", "tomorrow", "`end`: `tomorrow`"),
        ("MWH", "GJ", "prices per `GJ`"),
        ("out_Domain.mRID>10YNO-1--------2", "out_Domain.mRID>10YNO-2--------T", "in_Domain and out_Domain"),
        (
            "<curveType>A03",
            "<contract_MarketAgreement.type>A07</contract_MarketAgreement.type><curveType>A03",
            "contract type A07",
        ),
        ("A03", "A09", "curve type `A09`"),
        ("</TimeSeries>", "", "not well-formed"),
        ("<mRID>x", "<mRID>&x;", "entities"),
        (
            "<Publication_MarketDocument",
            "<!DOCTYPE x [<!ENTITY a \"b\">]><Publication_MarketDocument",
            "entities",
        ),
    ] {
        let broken = good.replace(from, to);
        assert_ne!(broken, good, "{from}");
        let error = read(&broken).unwrap_err().to_string();
        assert!(error.contains(says), "{from} -> {to}: {error}");
    }
    let cut = good.split_at(good.len() - 60).0;
    assert!(read(cut).is_err());
    let deep = good.replace("<mRID>x", &"<a>".repeat(100));
    assert!(read(&deep).unwrap_err().to_string().contains("too deep"));
    let long = series("", "2000-01-01T00:00Z", "2099-12-31T00:00Z", "PT1M", &[(1, "1")]);
    assert!(read(&document(&long)).unwrap_err().to_string().contains("split it by year"));
}

#[test]
fn a_refusal_of_the_platform_is_passed_on() {
    let text = "<Acknowledgement_MarketDocument xmlns=\"urn:x\"><createdDateTime>2025-10-21T12:00:00Z</createdDateTime>
<Reason><code>999</code><text>No matching data found for Data item ENERGY_PRICES</text></Reason></Acknowledgement_MarketDocument>";
    let error = read(text).unwrap_err().to_string();
    assert!(error.contains("No matching data found"), "{error}");
}

// The last character of a code is worked out from the others.
#[test]
fn codes_of_areas_are_right() {
    let value = |letter: char| match letter {
        '-' => 36,
        letter => letter.to_digit(36).unwrap(),
    };
    for (name, code) in AREAS {
        let letters: Vec<u32> = code.chars().map(value).collect();
        assert_eq!(letters.len(), 16, "{name}");
        let sum: u32 =
            letters.iter().take(15).zip((2..=16).rev()).map(|(value, weight)| value * weight).sum();
        assert_eq!(letters[15], 36 - (sum - 1) % 37, "{name} {code}");
    }
}

#[test]
fn real_documents() {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared");
    let named = std::env::var_os("TAKST_SHARED").map(std::path::PathBuf::from);
    let folder = named.clone().unwrap_or_else(beside).join("data/prices");
    let Ok(finland) = std::fs::read_to_string(folder.join("entsoe/A44_FI_PT15M_A03_2025-10-12_13.xml"))
    else {
        assert!(named.is_none(), "there is no {}", folder.display());
        println!("left out: no {}", folder.display());
        return;
    };
    let feeds = read(&finland).unwrap();
    let [feed] = feeds.as_slice() else { panic!("{} feeds", feeds.len()) };
    assert_eq!((feed.area.as_deref(), feed.prices.len()), (Some("FI"), 192));
    assert!(feed.prices.array_windows::<2>().all(|[a, b]| a.to == b.from));
    assert_eq!(&prices(feed)[..2], ["2.67", "2.35"]);
    let dearest = feed.prices.iter().map(|step| step.price).max().unwrap();
    assert_eq!(dearest.to_string(), "173.14");
    let between =
        std::fs::read_to_string(folder.join("entsoe/hexagon_publication.a03curvetype.xml")).unwrap();
    assert!(read(&between).unwrap_err().to_string().contains("prices between"));
    let nordpool =
        std::fs::read_to_string(folder.join("nordpool/dataportal_dayaheadprices_NOK.json")).unwrap();
    let feeds = super::super::read(&nordpool, Path::new("x.json"), "NOK").unwrap();
    let about: Vec<_> = feeds.iter().map(|feed| (feed.area.as_deref(), feed.prices.len())).collect();
    assert_eq!(about, [(Some("DK1"), 24), (Some("NO3"), 24)]);
    assert_eq!(feeds[0].prices[14].price.to_string(), "0.12");
}
