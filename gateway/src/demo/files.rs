//! The example sites as files, at demo speed; and spot prices of today.

use crate::chargers::time;
use rust_decimal::Decimal;
use serde_json::json;
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};
use takst_engine::units::{DAY_MS, HOUR_MS, Instant};

/// The folder of the set-up.
pub(super) const SITES: &str = "sites";

/// Every file, with its place.
const FILES: [(&str, &str); 11] = [
    ("sites/takst.toml", include_str!("../../../examples/sites/takst.toml")),
    ("sites/otakaari.toml", include_str!("../../../examples/sites/otakaari.toml")),
    ("sites/sneek.toml", include_str!("../../../examples/sites/sneek.toml")),
    ("sites/hotel.toml", include_str!("../../../examples/sites/hotel.toml")),
    ("sites/people.toml", include_str!("../../../examples/sites/people.toml")),
    ("tariffs/koticharge/spot.tariff", include_str!("../../../examples/tariffs/koticharge/spot.tariff")),
    ("tariffs/koticharge/fixed.tariff", include_str!("../../../examples/tariffs/koticharge/fixed.tariff")),
    (
        "tariffs/plugpay/fixed-with-time.tariff",
        include_str!("../../../examples/tariffs/plugpay/fixed-with-time.tariff"),
    ),
    (
        "tariffs/plugpay/fixed-with-time-2026.tariff",
        include_str!("../../../examples/tariffs/plugpay/fixed-with-time-2026.tariff"),
    ),
    (
        "tariffs/energie-vanons/vanons.tariff",
        include_str!("../../../examples/tariffs/energie-vanons/vanons.tariff"),
    ),
    (
        "tariffs/energie-vanons/sudwest-fryslan.tariff",
        include_str!("../../../examples/tariffs/energie-vanons/sudwest-fryslan.tariff"),
    ),
];

/// What is another at demo speed: so much happens in a minute that chargers report more often.
const FASTER: (&str, &str) = ("meter_value_interval = \"30 s\"", "meter_value_interval = \"5 s\"");
const POWER: &str = "max_power_kw = ";

/// A day's prices in Finland by the hour of UTC, in EUR/MWh: made up, with a cheap night, a dear morning and evening, and an
/// hour below nothing.
const DAY: [&str; 24] = [
    "31.20", "28.75", "24.10", "22.64", "29.90", "61.33", "94.80", "112.47", "98.02", "71.55", "48.90",
    "21.07", "-3.12", "4.48", "26.61", "63.70", "105.24", "148.96", "162.30", "121.11", "84.43", "60.18",
    "45.00", "38.26",
];
/// How many days of prices are written: yesterday, today, and some to come.
const DAYS: i64 = 9;

/// Writes the set-up and its tariffs; a file that is there stays as it is.
pub(super) fn put_down(data: &Path, speed: u32) -> io::Result<()> {
    for (name, text) in FILES {
        let path = data.join(name);
        if path.exists() {
            continue;
        }
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(path, at_speed(text, speed))?;
    }
    Ok(())
}

// Cars charge faster than real ones: then connectors give more, or the gateway would not believe their meters.
fn at_speed(text: &str, speed: u32) -> String {
    let mut out = String::with_capacity(text.len());
    for (place, part) in text.replace(FASTER.0, FASTER.1).split(POWER).enumerate() {
        if place == 0 {
            out.push_str(part);
            continue;
        }
        out.push_str(POWER);
        let digits = part.bytes().take_while(|byte| byte.is_ascii_digit() || *byte == b'.').count();
        let (number, rest) = part.split_at(digits);
        match number.parse::<Decimal>() {
            Ok(power) => out.push_str(&(power * Decimal::from(speed)).normalize().to_string()),
            Err(_) => out.push_str(number),
        }
        out.push_str(rest);
    }
    out
}

/// Writes spot prices from yesterday on. When they have to be written again.
pub(super) fn put_down_prices(data: &Path, now: Instant) -> io::Result<i64> {
    let today = now.0.div_euclid(DAY_MS) * DAY_MS;
    let hours = (-1..DAYS - 1).flat_map(|day| {
        (0..).zip(DAY).map(move |(hour, price)| (today + day * DAY_MS + hour * HOUR_MS, price))
    });
    let prices: Vec<_> = hours
        .map(|(from, price)| {
            json!({ "from": time::write(Instant(from)), "to": time::write(Instant(from + HOUR_MS)), "price": price })
        })
        .collect();
    let feed = json!({
        "feed": "spot",
        "area": "FI",
        "unit": "EUR/MWh",
        "vat_included": false,
        "source": "made up for the demo",
        "prices": prices,
    });
    let folder = data.join("prices");
    std::fs::create_dir_all(&folder)?;
    // Whoever reads it meanwhile finds the old one or the new one.
    let (new, path) = (folder.join("fi-demo.json.new"), folder.join("fi-demo.json"));
    std::fs::write(&new, feed.to_string())?;
    // What was written a while ago is taken at once.
    std::fs::File::options()
        .append(true)
        .open(&new)?
        .set_modified(SystemTime::now() - Duration::from_secs(60))?;
    std::fs::rename(new, path)?;
    Ok(today + (DAYS - 3) * DAY_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_set_up_is_complete_and_right_at_any_speed() {
        for speed in [1, 10] {
            let folder = tempfile::tempdir().unwrap();
            put_down(folder.path(), speed).unwrap();
            let loaded = crate::setup::Setup::load(&folder.path().join(SITES))
                .unwrap_or_else(|problems| panic!("{problems}"));
            assert_eq!(loaded.setup.document().sites.len(), 3);
            assert!(loaded.setup.document().chargers.len() >= 12);
            assert!(loaded.tariffs.len() >= 4);
            let fastest = loaded
                .setup
                .document()
                .chargers
                .iter()
                .flat_map(|charger| &charger.connectors)
                .filter_map(|connector| connector.max_power)
                .max();
            assert_eq!(fastest.unwrap().0, 150_000_000 * i64::from(speed));
            let interval = loaded.setup.document().settings.meter_value_interval.unwrap();
            assert_eq!(interval.s(), 5);
        }
    }

    #[test]
    fn what_is_there_stays_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        put_down(folder.path(), 2).unwrap();
        let path = folder.path().join("sites/sneek.toml");
        std::fs::write(&path, "# mine").unwrap();
        put_down(folder.path(), 3).unwrap();
        assert_eq!(std::fs::read_to_string(path).unwrap(), "# mine");
    }

    #[test]
    fn prices_cover_today_without_a_gap() {
        let folder = tempfile::tempdir().unwrap();
        let now = Instant(1_790_000_000_000);
        let until = put_down_prices(folder.path(), now).unwrap();
        assert!(until > now.0);
        let text = std::fs::read_to_string(folder.path().join("prices/fi-demo.json")).unwrap();
        let read: serde_json::Value = serde_json::from_str(&text).unwrap();
        let prices = read["prices"].as_array().unwrap();
        assert_eq!(prices.len(), 24 * 9);
        assert!(prices.windows(2).all(|pair| pair[0]["to"] == pair[1]["from"]));
        let at = |value: &serde_json::Value| time::read(value.as_str().unwrap(), 0).unwrap().0;
        assert!(
            at(&prices[0]["from"]).0 <= now.0 - DAY_MS
                && at(&prices[prices.len() - 1]["to"]).0 > until + DAY_MS
        );
    }

    #[test]
    fn only_power_is_multiplied() {
        assert_eq!(
            at_speed("a = 3\nmax_power_kw = 3.7, phases = 1 }\nmax_power_kw = 22", 10),
            "a = 3\nmax_power_kw = 37, phases = 1 }\nmax_power_kw = 220"
        );
        assert_eq!(at_speed("max_power_kw = x", 10), "max_power_kw = x");
    }
}
