//! Cases by name, and how one is repeated.

/// Something that is measured.
pub struct Case {
    /// As typed and printed.
    pub name: &'static str,
    /// Does all that is not measured and returns what is.
    pub prepare: fn() -> Box<dyn FnMut()>,
}

/// `list`, or `count CASE N`: repeats a case N times, for a counter of instructions around the program. Two counts with
/// different N tell what one repetition costs, whatever start-up costs. Says what is wrong otherwise.
pub fn run(cases: &[Case], arguments: &[&str]) -> Result<String, String> {
    match arguments {
        ["list"] => Ok(cases.iter().map(|case| format!("{}\n", case.name)).collect()),
        ["count", name, times] => {
            let case = cases.iter().find(|case| case.name == *name).ok_or(format!("no case `{name}`"))?;
            let times: u32 = times.parse().map_err(|_| format!("`{times}` is not a number"))?;
            let mut once = (case.prepare)();
            for _ in 0..times {
                once();
            }
            Ok(String::new())
        }
        _ => Err("usage: list | count CASE N".into()),
    }
}
