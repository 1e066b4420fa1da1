//! Bidding zones and their EIC codes.

use takst_plugin_sdk::Error;

/// Names as tariffs have them, and the codes.
pub const AREAS: &[(&str, &str)] = &[
    ("NO1", "10YNO-1--------2"),
    ("NO2", "10YNO-2--------T"),
    ("NO3", "10YNO-3--------J"),
    ("NO4", "10YNO-4--------9"),
    ("NO5", "10Y1001A1001A48H"),
    ("NO2NSL", "50Y0JVU59B4JWQCU"),
    ("SE1", "10Y1001A1001A44P"),
    ("SE2", "10Y1001A1001A45N"),
    ("SE3", "10Y1001A1001A46L"),
    ("SE4", "10Y1001A1001A47J"),
    ("DK1", "10YDK-1--------W"),
    ("DK2", "10YDK-2--------M"),
    ("FI", "10YFI-1--------U"),
    ("EE", "10Y1001A1001A39I"),
    ("LV", "10YLV-1001A00074"),
    ("LT", "10YLT-1001A0008Q"),
    ("NL", "10YNL----------L"),
    ("BE", "10YBE----------2"),
    ("DE-LU", "10Y1001A1001A82H"),
    ("AT", "10YAT-APG------L"),
    ("FR", "10YFR-RTE------C"),
    ("ES", "10YES-REE------0"),
    ("PT", "10YPT-REN------W"),
    ("PL", "10YPL-AREA-----S"),
    ("CH", "10YCH-SWISSGRIDZ"),
    ("CZ", "10YCZ-CEPS-----N"),
    ("SK", "10YSK-SEPS-----K"),
    ("HU", "10YHU-MAVIR----U"),
    ("SI", "10YSI-ELES-----O"),
    ("HR", "10YHR-HEP------M"),
    ("RO", "10YRO-TEL------P"),
    ("BG", "10YCA-BULGARIA-R"),
    ("GR", "10YGR-HTSO-----Y"),
    ("IE-SEM", "10Y1001A1001A59C"),
    ("RS", "10YCS-SERBIATSOV"),
    ("ME", "10YCS-CG-TSO---S"),
    ("MK", "10YMK-MEPSO----8"),
    ("IT-NORTH", "10Y1001A1001A73I"),
    ("IT-CENTRE-NORTH", "10Y1001A1001A70O"),
    ("IT-CENTRE-SOUTH", "10Y1001A1001A71M"),
    ("IT-SOUTH", "10Y1001A1001A788"),
    ("IT-CALABRIA", "10Y1001C--00096J"),
    ("IT-SICILY", "10Y1001A1001A75E"),
    ("IT-SARDINIA", "10Y1001A1001A74G"),
];

/// The code of an area: a name of the list, other names that people use for it, or the code itself.
///
/// # Errors
/// For what is neither.
pub fn code(area: &str) -> Result<String, Error> {
    let wanted = area.trim().to_ascii_uppercase().replace('_', "-");
    let name = match wanted.as_str() {
        "DE" | "GER" | "LU" => "DE-LU",
        "IE" | "SEM" => "IE-SEM",
        other => other,
    };
    if let Some((_, code)) = AREAS.iter().find(|(known, _)| *known == name) {
        return Ok((*code).to_owned());
    }
    if is_code(name) {
        return Ok(name.to_owned());
    }
    let known: Vec<&str> = AREAS.iter().map(|(name, _)| *name).collect();
    Err(Error::refused(
        "unknown-area",
        format!("`{area}` is no bidding zone: one of {}, or an EIC code of 16 places", known.join(", ")),
    ))
}

/// Whether the last place is the check character of the 15 before it (ENTSO-E, EIC reference manual: weights 16 to 2, modulo 37).
pub fn is_code(text: &str) -> bool {
    let value = |c: char| match c {
        '-' => Some(36),
        _ => c.to_digit(36),
    };
    let Some(values) = text.chars().map(value).collect::<Option<Vec<u32>>>() else { return false };
    let Some((last, others)) = values.split_last() else { return false };
    let sum: u32 = others.iter().zip((2..=16).rev()).map(|(value, weight)| value * weight).sum();
    others.len() == 15 && sum > 0 && 36 - (sum - 1) % 37 == *last
}
