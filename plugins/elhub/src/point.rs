//! Numbers of metering points and of parties: GS1 check digits.

/// What is wrong with a metering point's number.
pub fn wrong(point: &str) -> Option<String> {
    wrong_gs1(point, 18, "a metering point")
}

/// What is wrong with a party's number (GLN).
pub fn wrong_party(number: &str) -> Option<String> {
    wrong_gs1(number, 13, "a party's GLN")
}

fn wrong_gs1(number: &str, places: usize, what: &str) -> Option<String> {
    let digits: Option<Vec<u32>> = number.chars().map(|c| c.to_digit(10)).collect();
    let Some(digits) = digits.filter(|digits| digits.len() == places) else {
        return Some(format!("`{number}` is not {what}: it has {places} digits"));
    };
    let (last, others) = digits.split_last()?;
    let right = check_digit(others);
    (right != *last).then(|| format!("`{number}` is not {what}: its last digit should be {right}; compare it with the meter or the bill"))
}

/// GS1: from the right, every other digit counts three times.
pub fn check_digit(digits: &[u32]) -> u32 {
    let sum: u32 =
        digits.iter().rev().zip([3, 1].into_iter().cycle()).map(|(digit, weight)| digit * weight).sum();
    (10 - sum % 10) % 10
}

/// The first number of a metering point in a text, such as a file's name.
pub fn find(text: &str) -> Option<&str> {
    candidates(text).find(|digits| wrong(digits).is_none())
}

/// What is wrong with the first thing in a text that looks like such a number; to be asked where [`find`] found none.
pub fn wrong_in(text: &str) -> Option<String> {
    candidates(text).find_map(wrong)
}

fn candidates(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_ascii_digit()).filter(|digits| digits.len() == 18)
}
