//! One session and one price list, written once and given to everybody in their own words.
//!
//! Monday 2025-03-10 in Amsterdam: plugged in at 16:30, charging until 22:00, idle until 00:30. Start fee, three prices of
//! energy by time of day, an idle price from 08:00 to 23:00, VAT 21 % on top. Every price edge is a full hour, so that
//! hourly and quarter-hourly slices cost the same. Depends on nothing: the peer's program includes this file too.

use std::fmt::Write as _;

/// How finely the session is read and the bill is cut.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cut {
    /// At every full hour: 9 slices.
    Hour,
    /// At every quarter: 32 slices.
    Quarter,
}

impl Cut {
    /// Slices of the session.
    pub const fn slices(self) -> usize {
        match self {
            Cut::Hour => 9,
            Cut::Quarter => 32,
        }
    }
}

/// Net and total in cents. The peer, which rounds to four decimals instead, finds 22.5636 and 27.3020: the energy is
/// 19.0636 before it is printed, the idle hour 3.00 and the start 0.50.
pub const CENTS: (i64, i64) = (2_256, 2_730);

const START: u32 = 16 * 60 + 30;
const CHARGED: u32 = 22 * 60;
const END: u32 = 24 * 60 + 30;

// Edges of the slices, in minutes from midnight of the first day.
fn edges(cut: Cut) -> Vec<u32> {
    let step = match cut {
        Cut::Hour => 60,
        Cut::Quarter => 15,
    };
    (START..=END).filter(|minute| *minute == START || *minute == END || minute % step == 0).collect()
}

// The register in Wh. The power varies from quarter to quarter.
fn register_wh(minute: u32) -> u32 {
    let quarters = (minute.min(CHARGED) - START) / 15;
    (0..quarters).map(|quarter| 1_790 + quarter * 37 % 50).sum()
}

fn kwh(wh: u32) -> String {
    format!("{}.{:03}", wh / 1000, wh % 1000)
}

// Local time with its offset, and UTC.
fn local(minute: u32) -> String {
    format!("2025-03-{:02}T{:02}:{:02}:00+01:00", 10 + minute / 1440, minute % 1440 / 60, minute % 60)
}

fn utc(minute: u32) -> String {
    let minute = minute - 60;
    format!("2025-03-{:02}T{:02}:{:02}:00Z", 10 + minute / 1440, minute % 1440 / 60, minute % 60)
}

/// The session as takst takes it.
pub fn session_json(cut: Cut) -> String {
    let mut text = format!(
        r#"{{"id":"bench-1","site":"dam-1","charger":"NL-1","evse":"1","driver":"d-1","connector":{{"id":"1","plug":"AC","type":"Type2","max_power_kw":"11","phases":3}},"token":{{"uid":"04A2F1","type":"rfid","issuer":"DAM"}},"contract":"direct","plugged_in":"{}","unplugged":"{}","readings":["#,
        local(START),
        local(END)
    );
    for (index, edge) in edges(cut).into_iter().enumerate() {
        let comma = if index == 0 { "" } else { "," };
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            r#"{comma}{{"at":"{}","import_kwh":"{}"}}"#,
            local(edge),
            kwh(1_234_567 + register_wh(edge))
        );
    }
    let _ = write!(
        text,
        r#"],"states":[{{"from":"{}","state":"charging"}},{{"from":"{}","state":"idle"}}]}}"#,
        local(START),
        local(CHARGED)
    );
    text
}

/// The price list as takst takes it.
pub fn tariff_text(cut: Cut) -> String {
    let lines = match cut {
        Cut::Hour => "every hour",
        Cut::Quarter => "every 15 min",
    };
    format!(
        "tariff \"Dam\"
  currency: EUR
  time zone: Europe/Amsterdam
  prices: excluding VAT
  receipt lines: {lines}

VAT: 21%

start fee: 0.50 EUR/session

energy:
  0.30 EUR/kWh  during 20:00-06:00
  0.45 EUR/kWh  during 06:00-17:00
  0.60 EUR/kWh  during 17:00-20:00

idle fee:
  0.05 EUR/min  during 08:00-23:00
  free          otherwise
"
    )
}

/// The session and the price list as an OCPI 2.2.1 CDR, with no more elements and dimensions than it needs.
pub fn cdr_json(cut: Cut) -> String {
    let edges = edges(cut);
    let mut periods = String::new();
    for (from, to) in edges.iter().zip(edges.iter().skip(1)) {
        let comma = if periods.is_empty() { "" } else { "," };
        let hours = match to - from {
            60 => "1.0",
            30 => "0.5",
            _ => "0.25",
        };
        let _ = write!(periods, r#"{comma}{{"start_date_time":"{}","dimensions":["#, utc(*from));
        let _ = if *from < CHARGED {
            let energy = kwh(register_wh(*to) - register_wh(*from));
            write!(periods, r#"{{"type":"ENERGY","volume":{energy}}},{{"type":"TIME","volume":{hours}}}]}}"#)
        } else {
            write!(periods, r#"{{"type":"PARKING_TIME","volume":{hours}}}]}}"#)
        };
    }
    format!(
        r#"{{"country_code":"NL","party_id":"DAM","id":"bench-1","start_date_time":"{start}","end_date_time":"{end}","session_id":"bench-1","cdr_token":{{"country_code":"NL","party_id":"DAM","uid":"04A2F1","type":"RFID","contract_id":"NL-DAM-C1"}},"auth_method":"WHITELIST","cdr_location":{{"id":"dam-1","address":"Dam 1","city":"Amsterdam","postal_code":"1012JS","country":"NLD","coordinates":{{"latitude":"52.373170","longitude":"4.893150"}},"evse_uid":"1","evse_id":"NL*DAM*E1","connector_id":"1","connector_standard":"IEC_62196_T2","connector_format":"SOCKET","connector_power_type":"AC_3_PHASE"}},"currency":"EUR","tariffs":[{{"country_code":"NL","party_id":"DAM","id":"dam","currency":"EUR","elements":[{{"price_components":[{{"type":"FLAT","price":0.50,"vat":21.0,"step_size":1}}]}},{day},{evening},{{"price_components":[{{"type":"ENERGY","price":0.30,"vat":21.0,"step_size":1}}]}},{idle}],"last_updated":"2025-03-01T00:00:00Z"}}],"charging_periods":[{periods}],"total_cost":{{"excl_vat":{net},"incl_vat":{total}}},"total_energy":{energy},"total_time":8.0,"total_parking_time":2.5,"last_updated":"{end}"}}"#,
        start = utc(START),
        end = utc(END),
        day = element("ENERGY", "0.45", "06:00", "17:00"),
        evening = element("ENERGY", "0.60", "17:00", "20:00"),
        idle = element("PARKING_TIME", "3.00", "08:00", "23:00"),
        net = format_args!("{}.{:02}", CENTS.0 / 100, CENTS.0 % 100),
        total = format_args!("{}.{:02}", CENTS.1 / 100, CENTS.1 % 100),
        energy = kwh(register_wh(END)),
    )
}

fn element(kind: &str, price: &str, from: &str, to: &str) -> String {
    format!(
        r#"{{"price_components":[{{"type":"{kind}","price":{price},"vat":21.0,"step_size":1}}],"restrictions":{{"start_time":"{from}","end_time":"{to}"}}}}"#
    )
}
