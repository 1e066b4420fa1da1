//! Prints a model as a tariff file, in one of many spellings that mean the same.

use super::model::{
    AfterAmount, Allowance, Case, Charge, ChargeRef, Condition, Counted, Expr, Gives, Limit, Measure, Part,
    Per, Price, Rate, Rebate, Span, Tariff, VatRate, Via, Who, Window,
};
use super::number::{Dec, MICRO, print, print_micro, trim};
use std::fmt::Write as _;

const WEEKDAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

impl Tariff {
    /// The tariff as one file.
    #[must_use]
    pub fn to_text(&self) -> String {
        Writer::new(self).files(None).list
    }

    /// The tariff as the list and, where it is said on top of another one, its base.
    #[must_use]
    pub fn to_files(&self) -> Files {
        Writer::new(self).files(self.based)
    }
}

/// A list, and what it is based on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Files {
    /// The list itself.
    pub list: String,
    /// Its base, under the name [`BASE`].
    pub base: Option<String>,
}

/// Name of the base list.
pub const BASE: &str = "base.tariff";

/// A statement of the file.
struct Block {
    /// How a base list may say it otherwise; none: only as it is.
    otherwise: Option<String>,
    /// Statements of one sort keep their order.
    sort: u8,
    /// Its words are `price` or `value`, which `set` replaces.
    can_be_set: bool,
    text: String,
}

struct Writer<'a> {
    tariff: &'a Tariff,
    out: String,
    plain: bool,
    rng: fastrand::Rng,
    blocks: Vec<Block>,
}

impl Writer<'_> {
    /// One time in `n`, never in plain style.
    fn sometimes(&mut self, n: u32) -> bool {
        !self.plain && self.rng.u32(0..n) == 0
    }

    fn line(&mut self, text: &str) {
        if self.sometimes(25) {
            self.out.push_str("# a remark: with 5% of \"anything\"\n");
        }
        self.out.push_str(text);
        if self.sometimes(20) {
            self.out.push_str("   # as agreed");
        }
        self.out.push('\n');
        if self.sometimes(30) {
            self.out.push('\n');
        }
    }

    fn new(tariff: &Tariff) -> Writer<'_> {
        Writer {
            tariff,
            out: String::new(),
            plain: tariff.style == 0,
            rng: fastrand::Rng::with_seed(tariff.style),
            blocks: vec![],
        }
    }

    /// What was written since the last one becomes a statement.
    fn block(&mut self, sort: u8, otherwise: impl Into<Option<String>>) {
        let text = std::mem::take(&mut self.out);
        let words = text.lines().find(|line| !line.starts_with('#') && !line.is_empty()).unwrap_or_default();
        let can_be_set = words.starts_with("price ") || words.starts_with("value ");
        self.blocks.push(Block { otherwise: otherwise.into(), sort, can_be_set, text });
    }

    fn files(mut self, based: Option<u64>) -> Files {
        let tariff = self.tariff;
        self.line(&format!("  currency: {}", tariff.currency));
        self.line(&format!("  time zone:  {}", tariff.zone.name()));
        if !tariff.vat.is_empty() || !tariff.taxes.is_empty() || tariff.includes_vat {
            let word = if tariff.includes_vat { "including" } else { "excluding" };
            self.line(&format!("  prices: {word} VAT"));
        }
        let basics = std::mem::take(&mut self.out);
        if let Some(area) = &tariff.area {
            self.line(&format!("  spot area: {area}"));
        }
        if let Some(date) = tariff.valid_from {
            self.line(&format!("  valid from: {date}"));
        }
        if let Some(date) = tariff.valid_until {
            self.line(&format!("  valid until: {date}"));
        }
        match tariff.receipt_step {
            Some(60) => self.line("  receipt lines: every hour"),
            Some(15) => self.line("  receipt lines: every 15 min"),
            _ if self.sometimes(10) => self.line("  receipt lines: every price change"),
            _ => {}
        }
        let settings = std::mem::take(&mut self.out);
        self.statements();
        let head = format!("tariff \"{}\"\n", tariff.name);
        let Some(seed) = based else {
            let all: String = self.blocks.into_iter().map(|block| block.text).collect();
            return Files { list: format!("{head}{basics}{settings}{all}"), base: None };
        };
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut base = format!("tariff \"Base\"\n{basics}");
        let mut list = format!("{head}  based on: \"{BASE}\"\n");
        let place = if rng.bool() { &mut base } else { &mut list };
        place.push_str(&settings);
        split(&mut rng, tariff, self.blocks, &mut base, &mut list);
        Files { list, base: Some(base) }
    }

    fn statements(&mut self) {
        let tariff = self.tariff;
        let currency = &tariff.currency;
        if !tariff.vat.is_empty() {
            self.list("VAT", &tariff.vat, Self::vat);
            self.block(0, "VAT: 3%".to_owned());
        } else if tariff.taxes.is_empty() || self.sometimes(3) {
            self.line("VAT: none");
            self.block(0, None);
        }
        for tax in &tariff.taxes {
            let mut head = format!("tax \"{}\"", tax.name);
            // The word `VAT` is no name.
            let quoted = |name: &String| if name == "VAT" { format!("\"{name}\"") } else { name.clone() };
            let bases: Vec<String> = tax.on_top_of.iter().map(quoted).collect();
            if !bases.is_empty() {
                let _ = write!(head, " on top of {}", bases.join(", "));
            }
            self.list(&head, &tax.cases, |_, rate| format!("{rate}%"));
            self.block(1, format!("tax \"{}\": 1%", tax.name));
        }
        for (of, cases) in &tariff.vat_on {
            self.list(&format!("VAT on {}", charge_ref(of)), cases, Self::vat);
            self.block(2, format!("VAT on {}: none", charge_ref(of)));
        }
        if !tariff.groups.is_empty() || tariff.default_group.is_some() {
            let mut names = tariff.groups.clone();
            names.extend(tariff.default_group.iter().map(|name| format!("everyone else {name}")));
            self.line(&format!("groups: {}", names.join(", ")));
            self.block(3, "groups: nobody".to_owned());
        }
        for place in &tariff.places {
            let word = if place.sites { "sites" } else { "chargers" };
            let ids: Vec<String> = place.ids.iter().map(|id| format!("\"{id}\"")).collect();
            self.line(&format!("{word} {}: {}", place.name, ids.join(", ")));
            self.block(4, format!("{word} {}: \"X-1\"", place.name));
        }
        for (name, windows) in &tariff.periods {
            let windows = self.windows(windows);
            self.line(&format!("period {name}: {windows}"));
            self.block(5, format!("period {name}: Mon"));
        }
        for feed in &tariff.feeds {
            let basis = match feed.includes_vat {
                None => "",
                Some(true) => " including VAT",
                Some(false) => " excluding VAT",
            };
            let holds = if feed.holds { ", holds until next" } else { "" };
            self.line(&format!("feed {}: {}{basis}{holds}", feed.name, feed.unit));
            self.block(6, format!("feed {}: JPY/kWh", feed.name));
        }
        for (name, cases) in &tariff.prices {
            self.list(&format!("price {name}"), cases, Self::price);
            self.block(7, format!("price {name}: set by each list"));
        }
        for (name, cases) in &tariff.values {
            self.list(&format!("value {name}"), cases, Self::allowance);
            self.block(8, format!("value {name}: 3 h"));
        }
        for charge in &tariff.charges {
            let head = self.charge_head(charge);
            self.list(&head, &charge.cases, Self::price);
            self.block(9, format!("{}: free", charge_ref(&charge.reference())));
        }
        if !tariff.total.is_empty() {
            let limits: Vec<String> = tariff.total.iter().map(|limit| self.limit(limit)).collect();
            self.line(&format!("total: {}", limits.join(", ")));
            self.block(10, format!("total: at most 0.01 {currency}/session"));
        }
        for discount in &tariff.discounts {
            self.rebate("discount", discount);
            let name = discount.name.as_ref().map_or_else(String::new, |name| format!(" \"{name}\""));
            self.block(11, format!("discount{name}: 1%"));
        }
        if let Some(scope) = &tariff.coupon_scope {
            let scope: Vec<String> = scope.iter().map(charge_ref).collect();
            self.line(&format!("coupon applies to: {}", scope.join(", ")));
            self.block(12, None);
        }
        for coupon in &tariff.coupons {
            self.rebate("coupon", coupon);
            self.block(13, format!("coupon \"{}\": 1%", coupon.name.as_deref().unwrap_or_default()));
        }
    }

    fn list<T>(&mut self, head: &str, cases: &[Case<T>], mut say: impl FnMut(&mut Self, &T) -> String) {
        if let [only] = cases
            && only.when.is_empty()
            && !self.sometimes(6)
        {
            let what = say(self, &only.what);
            self.line(&format!("{head}: {what}"));
            return;
        }
        self.line(&format!("{head}:"));
        for case in cases {
            let mut text = format!("  {}", say(self, &case.what));
            for condition in &case.when {
                let condition = self.condition(condition);
                let gap = if self.sometimes(5) { "   " } else { " " };
                let _ = write!(text, "{gap}{condition}");
            }
            if case.when.is_empty() && !self.sometimes(3) {
                text.push_str("  otherwise");
            }
            self.line(&text);
        }
    }

    #[expect(clippy::unused_self, reason = "one of the ways to print a line")]
    fn vat(&mut self, rate: &VatRate) -> String {
        match rate {
            VatRate::Percent(percent) => format!("{percent}%"),
            VatRate::None => "none".into(),
            VatRate::Exempt => "exempt \"small business\"".into(),
            VatRate::OutsideScope => "outside scope".into(),
        }
    }

    fn price(&mut self, price: &Price) -> String {
        match price {
            Price::Free => "free".into(),
            Price::Is(expr) => self.expr(expr, 0),
        }
    }

    fn allowance(&mut self, allowance: &Allowance) -> String {
        match allowance {
            Allowance::Time(ms) => self.time(*ms),
            Allowance::Energy(micro) => format!("{} kWh", print_micro(*micro)),
        }
    }

    fn step(&mut self, step: Allowance) -> String {
        match step {
            Allowance::Time(ms) if ms % 60_000 != 0 || self.sometimes(3) => format!("{} s", ms / 1000),
            Allowance::Energy(micro) if micro % 1000 == 0 && self.sometimes(3) => {
                format!("{} Wh", micro / 1000)
            }
            _ => self.allowance(&step),
        }
    }

    fn time(&mut self, ms: i128) -> String {
        let hours = ms % 3_600_000 == 0 && ms > 0;
        if hours && self.sometimes(2) {
            return format!("{} h", ms / 3_600_000);
        }
        format!("{} min", trim(&print(&super::number::fraction(ms, 60_000), 5)))
    }

    fn money(&mut self, number: Dec) -> String {
        let word = match self.tariff.currency.as_str() {
            "NOK" => Some("øre"),
            "EUR" => Some("cent"),
            "BRL" => Some("centavo"),
            _ => None,
        };
        match word {
            Some(word) if self.sometimes(4) => format!("{} {word}", number.hundredfold()),
            _ => format!("{number} {}", self.tariff.currency),
        }
    }

    fn rate(&mut self, rate: &Rate) -> String {
        let per = match rate.per {
            Per::Kwh => "kWh",
            Per::Min => "min",
            Per::Hour => "h",
            Per::Session => "session",
            Per::Bill => "bill",
        };
        let basis = match rate.includes_vat {
            None => "",
            Some(true) => " including VAT",
            Some(false) => " excluding VAT",
        };
        format!("{}/{per}{basis}", self.money(rate.number))
    }

    /// Binding strength: 0 a whole formula, 1 an addend, 2 a factor, 3 a single word or brackets.
    fn expr(&mut self, expr: &Expr, strength: u8) -> String {
        let (own, text) = match expr {
            Expr::Rate(rate) => {
                let negative = rate.number.units < 0;
                (if negative { 0 } else { 3 }, self.rate(rate))
            }
            Expr::Number(number) => (3, number.to_string()),
            Expr::Named(name) | Expr::Feed(name) => (3, name.clone()),
            Expr::Hourly(name) => (3, format!("hourly {name}")),
            Expr::MonthMean(name) => (3, format!("month mean of {name}")),
            Expr::CostPrice => (3, "cost price".into()),
            Expr::EnergyPrice => (3, "energy price".into()),
            Expr::AveragePower => (3, "average-power".into()),
            Expr::Add(a, b) => (1, format!("{} + {}", self.expr(a, 1), self.expr(b, 2))),
            Expr::Sub(a, b) => (1, format!("{} - {}", self.expr(a, 1), self.expr(b, 2))),
            Expr::Mul(a, b) => {
                let times = if self.sometimes(3) { "×" } else { "*" };
                (2, format!("{} {times} {}", self.expr(a, 2), self.expr(b, 3)))
            }
            Expr::Div(a, b) => (2, format!("{} / {}", self.expr(a, 2), self.expr(b, 3))),
            Expr::PercentOf(percent, x) => (2, format!("{percent}% of {}", self.expr(x, 3))),
            Expr::Higher(a, b) => (0, format!("higher of {} and {}", self.expr(a, 3), self.expr(b, 3))),
            Expr::Lower(a, b) => (0, format!("lower of {} and {}", self.expr(a, 3), self.expr(b, 3))),
            Expr::AtLeast(a, b) => (0, format!("{} at least {}", self.left(a), self.expr(b, 3))),
            Expr::AtMost(a, b) => (0, format!("{} at most {}", self.left(a), self.expr(b, 3))),
            Expr::Rounded(a, step) => {
                let left = self.left(a);
                (0, format!("{left} rounded to {}", self.rate(step)))
            }
            Expr::PlusVat(a) => (0, format!("{} plus VAT", self.left(a))),
            Expr::LessVat(a) => (0, format!("{} less VAT", self.left(a))),
        };
        if own < strength || self.sometimes(40) { format!("({text})") } else { text }
    }

    /// What a postfix form caps or rounds: the whole formula to its left.
    fn left(&mut self, expr: &Expr) -> String {
        let open = !matches!(expr, Expr::Higher(..) | Expr::Lower(..));
        self.expr(expr, if open { 0 } else { 3 })
    }

    fn charge_head(&mut self, charge: &Charge) -> String {
        let mut head = charge.kind.word().to_owned();
        if let Some(label) = &charge.label {
            let _ = write!(head, " \"{label}\"");
        }
        let mut limits = vec![];
        if let Some(after) = &charge.after {
            let how_much = match &after.amount {
                AfterAmount::Fixed(amount) => self.allowance(amount),
                AfterAmount::Named(name) => name.clone(),
            };
            limits.push(format!("after {how_much}{}", if after.in_a_row { " in a row" } else { "" }));
        }
        if let Some(step) = charge.step {
            let step =
                if charge.kind.is_time() { self.time(step) } else { format!("{} kWh", print_micro(step)) };
            limits.push(format!("in steps of {step}"));
        }
        if charge.steps_without_parking {
            limits.push("steps only without parking time".into());
        }
        for limit in &charge.limits {
            limits.push(self.limit(limit));
        }
        if !limits.is_empty() {
            let _ = write!(head, " {}", limits.join(", "));
        }
        head
    }

    fn limit(&mut self, limit: &Limit) -> String {
        let word = if limit.floor { "at least" } else { "at most" };
        let per = match limit.span {
            Span::Session => "session",
            Span::Day => "day",
            Span::Month => "month",
            Span::Bill => "bill",
        };
        let mut text = format!("{word} {}/{per}", self.money(limit.amount));
        if limit.per_driver {
            text.push_str(" per driver");
        }
        if let Some(least) = limit.after_energy {
            let _ = write!(text, " after {} kWh", print_micro(least));
        }
        text
    }

    fn rebate(&mut self, word: &str, rebate: &Rebate) {
        let mut head = word.to_owned();
        if let Some(name) = &rebate.name {
            let _ = write!(head, " \"{name}\"");
        }
        let mut clauses: Vec<String> = rebate.when.iter().map(|c| self.condition(c)).collect();
        if let Some(times) = rebate.times_per_driver {
            clauses.push(if times == 1 {
                "once per driver".into()
            } else {
                format!("{times} times per driver")
            });
        }
        if rebate.not_with_coupon {
            clauses.push("not with coupon".into());
        }
        let mut gives = match rebate.gives {
            Gives::Percent(percent) => format!("{percent}%"),
            Gives::Money(money) => self.money(money),
            Gives::FreeEnergy(micro) => format!("{} kWh free", print_micro(micro)),
        };
        if let Some(of) = &rebate.of {
            let of: Vec<String> = of.iter().map(charge_ref).collect();
            let _ = write!(gives, " of {}", of.join(", "));
        }
        // Clauses may stand before the colon or after the amount.
        let before = word == "discount" && self.sometimes(2);
        if before && !clauses.is_empty() {
            self.line(&format!("{head} {}: {gives}", clauses.join(", ")));
        } else {
            clauses.insert(0, gives);
            self.line(&format!("{head}: {}", clauses.join(" ")));
        }
    }

    fn condition(&mut self, condition: &Condition) -> String {
        let quoted = |names: &[String]| -> String {
            names.iter().map(|n| format!("\"{n}\"")).collect::<Vec<_>>().join(", ")
        };
        let kw = |micro: &i128| print_micro(*micro);
        match condition {
            Condition::For(groups) => format!("for {}", groups.join(", ")),
            Condition::On(words) => format!("on {}", words.join(", ")),
            Condition::At(places) => format!("at {}", places.join(", ")),
            Condition::Rated(power, true) => format!("with {} kW or more", kw(power)),
            Condition::Rated(power, false) => format!("with less than {} kW", kw(power)),
            Condition::Via(ways) => {
                let words: Vec<String> = ways
                    .iter()
                    .map(|way| match way {
                        Via::AdHoc => "ad-hoc".into(),
                        Via::Contract => "contract".into(),
                        Via::Roaming(None) => "roaming".into(),
                        Via::Roaming(Some(issuer)) => format!("roaming \"{issuer}\""),
                    })
                    .collect();
                format!("via {}", words.join(", "))
            }
            Condition::PaidWith(brands) => format!("paid with {}", quoted(brands)),
            Condition::During(windows) => format!("during {}", self.windows(windows)),
            Condition::From(date, at) => format!("from {date}{}", clock_after(*at)),
            Condition::Until(date, at) => format!("until {date}{}", clock_after(*at)),
            Condition::SoFar { beyond, measure, amount } => self.so_far(*beyond, *measure, *amount),
            Condition::Drawn(power, true) => format!("{} kW or more", kw(power)),
            Condition::Drawn(power, false) => format!("below {} kW", kw(power)),
            Condition::Occupied(percent, true) => format!("while site {percent}% occupied or more"),
            Condition::Occupied(percent, false) => format!("while site less than {percent}% occupied"),
            Condition::Current(a, true) => format!("{} A or more", print_micro(*a)),
            Condition::Current(a, false) => format!("below {} A", print_micro(*a)),
            Condition::WholeMonth(who, least) => {
                let who = super::session::who_word(*who);
                format!("whole month from {} kWh per {who}", print_micro(*least))
            }
            Condition::Expired => "when expired".into(),
            Condition::Steps(step) => format!("in steps of {}", self.step(*step)),
        }
    }

    fn so_far(&mut self, beyond: bool, measure: Measure, amount: i128) -> String {
        let word = if beyond { "beyond" } else { "up to" };
        let long = measure.span == Span::Session || !self.sometimes(2);
        let what = match measure.counted {
            Counted::Energy if long => " of energy",
            Counted::Energy => "",
            Counted::Connected => " of connected time",
            Counted::Charging => " of charging time",
            Counted::Parking => " of parking time",
            Counted::Idle => " of idle time",
        };
        let how_much = if measure.counted == Counted::Energy {
            if amount >= 1000 * MICRO && self.sometimes(2) {
                format!("{} MWh", trim(&print(&super::number::fraction(amount, 1000 * MICRO), 9)))
            } else {
                format!("{} kWh", print_micro(amount))
            }
        } else {
            self.time(amount)
        };
        let per = match measure.span {
            Span::Day => " per day",
            Span::Month => " per month",
            Span::Session | Span::Bill => "",
        };
        let who = match measure.who {
            Who::Session => "",
            Who::Driver => " per driver",
            Who::Site => " per site",
        };
        format!("{word} {how_much}{what}{per}{who}")
    }

    fn windows(&mut self, windows: &[Window]) -> String {
        let all: Vec<String> = windows.iter().map(|w| self.window(w)).collect();
        all.join(", ")
    }

    fn window(&mut self, window: &Window) -> String {
        let parts: Vec<String> = window.parts.iter().map(|p| self.part(p)).collect();
        let mut text = parts.join(" ");
        if let Some(except) = &window.except {
            let except = self.window(except);
            let _ = write!(text, " except {except}");
        }
        text
    }

    fn part(&mut self, part: &Part) -> String {
        let dash = if self.sometimes(6) { "–" } else { "-" };
        match part {
            Part::Months(a, b) => range(MONTHS[*a as usize - 1], MONTHS[*b as usize - 1], dash),
            Part::Weekdays(a, b) => range(WEEKDAYS[*a as usize], WEEKDAYS[*b as usize], dash),
            Part::Dates(a, b) if a == b => a.to_string(),
            Part::Dates(a, b) => format!("{a} {} {b}", if dash == "-" { "to" } else { dash }),
            Part::Yearly(a, b) => {
                let day = |(month, day): &(u32, u32)| format!("{day} {}", MONTHS[*month as usize - 1]);
                range(&day(a), &day(b), dash)
            }
            Part::NthWeekday(nth, day) => {
                let nth = ["first", "second", "third", "fourth", "last"][*nth as usize - 1];
                format!("{nth} {} of month", WEEKDAYS[*day as usize])
            }
            Part::EveryDay => "every day".into(),
            Part::PublicHolidays => "public holidays".into(),
            Part::Hours(a, b) => {
                let end = if *b == 1440 && *a > 0 && self.sometimes(3) { 0 } else { *b };
                format!("{}{dash}{}", clock(*a), clock(end))
            }
            Part::Named(name) => name.clone(),
        }
    }
}

/// Gives statements to a base list and to the list on top of it, so that both together say all of them.
fn split(rng: &mut fastrand::Rng, tariff: &Tariff, blocks: Vec<Block>, base: &mut String, list: &mut String) {
    let currency = &tariff.currency;
    let mut gone = vec![
        (format!("start fee \"Gone\": 1.00 {currency}/session"), "remove start fee \"Gone\""),
        ("coupon \"GONE\": 50%".to_owned(), "remove coupon \"GONE\""),
        ("discount \"Gone\": 50%".to_owned(), "remove discount \"Gone\""),
        (format!("price gone: 1.00 {currency}/kWh"), "remove price gone"),
    ];
    if tariff.total.is_empty() {
        gone.push((format!("total: at most 0.01 {currency}/session"), "remove total"));
    }
    for (statement, remove) in gone {
        if rng.u32(0..4) == 0 {
            let _ = writeln!(base, "{statement}");
            let _ = writeln!(list, "{remove}");
        }
    }
    // What only the list says stands behind all of its sort that the base says.
    let mut own = vec![false; blocks.len()];
    for (at, block) in blocks.iter().enumerate().rev() {
        let last = blocks[at + 1..].iter().zip(&own[at + 1..]).all(|(b, own)| b.sort != block.sort || *own);
        own[at] = last && rng.u32(0..3) == 0;
    }
    for (block, own) in blocks.into_iter().zip(own) {
        match block.otherwise {
            _ if own => list.push_str(&block.text),
            Some(otherwise) if rng.u32(0..2) == 0 => {
                let _ = writeln!(base, "{otherwise}");
                let words = if block.can_be_set && rng.bool() { "set" } else { "change" };
                let mut said = false;
                for line in block.text.lines() {
                    let statement = !said && !line.is_empty() && !line.starts_with('#');
                    said |= statement;
                    let line = match line.split_once(' ') {
                        Some((_, rest)) if statement && words == "set" => format!("set {rest}"),
                        _ if statement => format!("change {line}"),
                        _ => line.to_owned(),
                    };
                    let _ = writeln!(list, "{line}");
                }
            }
            _ => base.push_str(&block.text),
        }
    }
}

fn range(a: &str, b: &str, dash: &str) -> String {
    if a == b { a.to_owned() } else { format!("{a}{dash}{b}") }
}

fn clock(minute: u32) -> String {
    format!("{:02}:{:02}", minute / 60, minute % 60)
}

fn clock_after(minute: Option<u32>) -> String {
    minute.map_or_else(String::new, |m| format!(" {}", clock(m)))
}

fn charge_ref(reference: &ChargeRef) -> String {
    match &reference.label {
        Some(label) => format!("{} \"{label}\"", reference.kind.word()),
        None => reference.kind.word().to_owned(),
    }
}
