//! Energy as text: exact, whatever the number of decimals.

/// A plain decimal of what a file has: decimal comma, blanks between thousands. Nothing for what is no energy.
pub fn read(text: &str) -> Option<String> {
    let plain: String = text.chars().filter(|c| !matches!(c, ' ' | '\u{a0}' | '\u{202f}')).collect();
    let plain = plain.replace(',', ".");
    units(&plain, 9)?;
    let plain = plain.strip_prefix('.').map_or(plain.clone(), |rest| format!("0.{rest}"));
    let trimmed = plain.trim_start_matches('0');
    let digits = if trimmed.is_empty() || trimmed.starts_with('.') {
        format!("0{trimmed}")
    } else {
        trimmed.to_owned()
    };
    Some(if digits.contains('.') {
        digits.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        digits
    })
}

/// A plain decimal in units of that many places; more places than that, a sign or anything else is nothing.
pub fn units(text: &str, places: usize) -> Option<u128> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.len() + fraction.len() == 0
        || whole.len() > 15
        || fraction.len() > places
        || !digits(whole)
        || !digits(fraction)
    {
        return None;
    }
    format!("0{whole}{fraction:0<places$}").parse().ok()
}

/// The values to three places, as Elhub takes them. What rounding leaves is carried on, so that the sum is right to the last Wh.
#[derive(Default)]
pub struct Thousandths {
    sum: u128,
    given: u128,
}

impl Thousandths {
    /// The next value, "1.235".
    pub fn next(&mut self, kwh: &str) -> Option<String> {
        self.sum = self.sum.checked_add(units(kwh, 9)?)?;
        let rounded = (self.sum + 500_000) / 1_000_000;
        let next = rounded.checked_sub(self.given)?;
        self.given = rounded;
        Some(format!("{}.{:03}", next / 1_000, next % 1_000))
    }
}
