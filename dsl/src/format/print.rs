//! Nodes of the syntax tree as text.

use crate::ast::*;
use crate::parse::{MONTHS, WEEKDAYS, is_name};
use crate::resolve::zone::offset_text;
use chrono::NaiveTime;
use std::mem::{Discriminant, discriminant};

/// What a row is, which decides the gap between its columns.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Body {
    /// A line at the margin.
    Head,
    /// `key: value`.
    Setting,
    /// `PRICE  clauses`.
    Case,
    /// A line of a test.
    Step,
}

/// A line of code: one or two columns.
pub struct Row {
    /// First byte in the text.
    pub start: u32,
    /// It starts at the margin.
    pub head: bool,
    /// A head without indented lines.
    pub alone: bool,
    /// Which statement it is or belongs to.
    pub kind: Discriminant<Statement>,
    /// What it is.
    pub body: Body,
    /// First column.
    pub left: String,
    /// Second column.
    pub right: Option<String>,
}

/// Every line of code in order.
pub fn rows(statements: &[At<Statement>]) -> Vec<Row> {
    let mut rows = Vec::new();
    for statement in statements {
        let kind = discriminant(&statement.it);
        let (left, right) = head(&statement.it);
        let at = rows.len();
        rows.push(Row {
            start: statement.span.start,
            head: true,
            alone: true,
            kind,
            body: Body::Head,
            left,
            right,
        });
        below(&statement.it, &mut |start, body, left, right| {
            rows.push(Row { start, head: false, alone: false, kind, body, left, right });
        });
        let alone = rows.len() == at + 1;
        if let Some(row) = rows.get_mut(at) {
            row.alone = alone;
        }
    }
    rows
}

type Push<'p> = &'p mut dyn FnMut(u32, Body, String, Option<String>);

fn below(statement: &Statement, push: Push<'_>) {
    match statement {
        Statement::Tariff(head) => {
            for setting in &head.settings {
                let (key, value) = setting_text(&setting.it);
                push(setting.span.start, Body::Setting, format!("{key}:"), Some(value));
            }
        }
        Statement::Vat(vat) => cases_below(&vat.cases, vat_rate, push),
        Statement::Tax(tax) => cases_below(&tax.cases, |p| format!("{p}%"), push),
        Statement::Charge(charge) => cases_below(&charge.cases, price, push),
        Statement::Price(it) | Statement::Value(it) | Statement::Set(it) => {
            if let Some(cases) = &it.cases {
                cases_below(cases, price, push);
            }
        }
        Statement::Test(test) => {
            for step in &test.steps {
                push(step.span.start, Body::Step, step_text(&step.it), None);
            }
        }
        Statement::Change(changed) => below(&changed.it, push),
        Statement::Groups(_)
        | Statement::Place(_)
        | Statement::Period(_)
        | Statement::Feed(_)
        | Statement::Total(_)
        | Statement::CouponScope(_)
        | Statement::Coupon(_)
        | Statement::Discount(_)
        | Statement::Remove(_) => {}
    }
}

fn cases_below<T>(cases: &Cases<T>, what: impl Fn(&T) -> String, push: Push<'_>) {
    if !cases.inline {
        for case in &cases.lines {
            let (price, clauses) = sides(&case.it, &what);
            push(case.span.start, Body::Case, price, (!clauses.is_empty()).then_some(clauses));
        }
    }
}

/// A price and its conditions. Steps that stand first belong to the price.
fn sides<T>(case: &Case<T>, what: impl Fn(&T) -> String) -> (String, String) {
    let steps = case.clauses.iter().take_while(|at| matches!(at.it, Clause::Steps(_))).count();
    let (steps, conditions) = case.clauses.split_at(steps);
    let price = steps.iter().fold(what(&case.what.it), |price, at| format!("{price} {}", clause(&at.it)));
    (price, join(conditions, " ", |at| clause(&at.it)))
}

/// The price on the line of the statement.
fn inline<T>(cases: &Cases<T>, what: impl Fn(&T) -> String) -> Option<String> {
    let case = cases.lines.first().filter(|_| cases.inline)?;
    let (what, clauses) = sides(&case.it, &what);
    Some(if clauses.is_empty() { what } else { format!("{what}  {clauses}") })
}

fn head(statement: &Statement) -> (String, Option<String>) {
    match statement {
        Statement::Tariff(head) => (format!("tariff {}", quoted(&head.name.it)), None),
        Statement::Vat(vat) => {
            let on = vat.on.as_ref().map_or_else(String::new, |on| format!(" on {}", charge_ref(on)));
            (format!("VAT{on}:"), inline(&vat.cases, vat_rate))
        }
        Statement::Tax(tax) => {
            let base = if tax.on_top_of.is_empty() {
                String::new()
            } else {
                format!(
                    " on top of {}",
                    join(&tax.on_top_of, ", ", |n| if is_name(&n.it) { n.it.clone() } else { quoted(&n.it) })
                )
            };
            (format!("tax {}{base}:", quoted(&tax.name.it)), inline(&tax.cases, |p| format!("{p}%")))
        }
        Statement::Groups(groups) => {
            let default = groups.default.as_ref().map(|name| format!("everyone else {}", name.it));
            let all: Vec<String> = groups.names.iter().map(|n| n.it.clone()).chain(default).collect();
            ("groups:".to_owned(), Some(all.join(", ")))
        }
        Statement::Place(place) => {
            let word = if place.sites { "sites" } else { "chargers" };
            (format!("{word} {}:", place.name.it), Some(join(&place.ids, ", ", |id| quoted(&id.it))))
        }
        Statement::Period(period) => (format!("period {}:", period.name.it), Some(windows(&period.windows))),
        Statement::Feed(feed) => {
            let (over, under) = &feed.unit.it;
            let holds = if feed.holds { ", holds until next" } else { "" };
            (
                format!("feed {}:", feed.name.it),
                Some(format!("{over}/{under}{}{holds}", basis(feed.includes_vat))),
            )
        }
        Statement::Price(price) => named("price", price),
        Statement::Value(price) => named("value", price),
        Statement::Set(price) => named("set", price),
        Statement::Charge(charge) => {
            let mut left = charge_ref(&charge.head);
            for (nth, at) in charge.limits.iter().enumerate() {
                let gap = if nth > 0 || matches!(at.it, Limit::First(_)) { ", " } else { " " };
                left = format!("{left}{gap}{}", limit(&at.it));
            }
            (format!("{left}:"), inline(&charge.cases, price))
        }
        Statement::Total(limits) => ("total:".to_owned(), Some(join(limits, ", ", |l| limit(&l.it)))),
        Statement::CouponScope(charges) => {
            ("coupon applies to:".to_owned(), Some(join(charges, ", ", charge_ref)))
        }
        Statement::Coupon(it) => rebate("coupon", it),
        Statement::Discount(it) => rebate("discount", it),
        Statement::Change(changed) => {
            let (left, right) = head(&changed.it);
            (format!("change {left}"), right)
        }
        Statement::Remove(remove) => (format!("remove {}", removed(remove)), None),
        Statement::Test(test) => (format!("test {}", quoted(&test.name.it)), None),
    }
}

fn named(word: &str, it: &Price) -> (String, Option<String>) {
    let right = match &it.cases {
        Some(cases) => inline(cases, price),
        None => Some("set by each list".to_owned()),
    };
    (format!("{word} {}:", it.name.it), right)
}

fn removed(remove: &Remove) -> String {
    match remove {
        Remove::Charge(charge) => charge_ref(charge),
        Remove::Price(name) => format!("price {}", name.it),
        Remove::Coupon(code) => format!("coupon {}", quoted(&code.it)),
        Remove::Discount(Some(label)) => format!("discount {}", quoted(&label.it)),
        Remove::Discount(None) => "discount".to_owned(),
        Remove::Total => "total".to_owned(),
    }
}

fn rebate(word: &str, it: &Rebate) -> (String, Option<String>) {
    let (before, after) = it.clauses.split_at(it.before_colon.min(it.clauses.len()));
    let mut left = word.to_owned();
    if let Some(name) = &it.name {
        left = format!("{left} {}", quoted(&name.it));
    }
    for (nth, at) in before.iter().enumerate() {
        left =
            format!("{left}{}{}", if nth > 0 { before_rebate_clause(&at.it) } else { " " }, clause(&at.it));
    }
    let of = |of: &[ChargeRef]| {
        if of.is_empty() { String::new() } else { format!(" of {}", join(of, ", ", charge_ref)) }
    };
    let mut right = match &it.amount.it {
        RebateAmount::Percent(percent, charges) => format!("{}%{}", percent.it, of(charges)),
        RebateAmount::Money(money, charges) => format!("{}{}", rate(&money.it), of(charges)),
        RebateAmount::FreeEnergy(energy) => format!("{} free", quantity(&energy.it)),
    };
    for at in after {
        right = format!("{right}{}{}", before_rebate_clause(&at.it), clause(&at.it));
    }
    (format!("{left}:"), Some(right))
}

fn before_rebate_clause(clause: &Clause) -> &'static str {
    if matches!(clause, Clause::NotWithCoupon | Clause::TimesPerDriver(_)) { ", " } else { " " }
}

fn setting_text(setting: &Setting) -> (&str, String) {
    match setting {
        Setting::Currency(name) => ("currency", name.it.clone()),
        Setting::TimeZone(name) => ("time zone", name.it.clone()),
        Setting::SpotArea(name) => ("spot area", name.it.clone()),
        Setting::PricesIncludeVat(includes) => ("prices", basis(Some(includes.it)).trim_start().to_owned()),
        Setting::ValidFrom(date, time) => ("valid from", date_time(date, time.as_ref())),
        Setting::ValidUntil(date, time) => ("valid until", date_time(date, time.as_ref())),
        Setting::BasedOn(file) => ("based on", quoted(&file.it)),
        Setting::RunningSessionsChange(change) => {
            ("running sessions", if change.it { "change prices" } else { "keep prices" }.to_owned())
        }
        Setting::BillsMonthly(monthly) => {
            ("bills", if monthly.it { "every month" } else { "every session" }.to_owned())
        }
        Setting::Hold(money) => ("hold", rate(&money.it)),
        Setting::PublicHolidays(place) => ("public holidays", place.it.clone()),
        Setting::ReceiptLines(every) => (
            "receipt lines",
            match every.it {
                None => "every price change".to_owned(),
                Some(60) => "every hour".to_owned(),
                Some(minutes) => format!("every {minutes} min"),
            },
        ),
        Setting::Note(key, text) => (&key.it, quoted(&text.it)),
    }
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Energy => "energy",
        Kind::ChargingTime => "charging time",
        Kind::ConnectedTime => "connected time",
        Kind::ParkingTime => "parking time",
        Kind::IdleFee => "idle fee",
        Kind::StartFee => "start fee",
        Kind::ReservationFee => "reservation fee",
        Kind::FeedIn => "feed-in",
        Kind::PaymentFee => "payment fee",
        Kind::MonthlyFee => "monthly fee",
        Kind::OneOffFee => "one-off fee",
        Kind::PowerFee => "power fee",
        Kind::SiteCredit => "site credit",
        Kind::PayoutToSite => "payout to site",
        Kind::FlatFee => "flat fee",
    }
}

fn charge_ref(charge: &ChargeRef) -> String {
    match &charge.label {
        Some(label) => format!("{} {}", kind(charge.kind.it), quoted(&label.it)),
        None => kind(charge.kind.it).to_owned(),
    }
}

fn limit(limit: &Limit) -> String {
    let row = |in_a_row: bool| if in_a_row { " in a row" } else { "" };
    match limit {
        Limit::After { quantity: q, in_a_row } => format!("after {}{}", quantity(&q.it), row(*in_a_row)),
        Limit::AfterNamed { name, in_a_row } => format!("after {}{}", name.it, row(*in_a_row)),
        Limit::Bound { floor, amount, who: whose, after } => {
            let after = after.as_ref().map_or_else(String::new, |q| format!(" after {}", quantity(&q.it)));
            format!(
                "at {} {}{}{after}",
                if *floor { "least" } else { "most" },
                rate(&amount.it),
                who(whose.as_ref())
            )
        }
        Limit::Steps(q) => format!("in steps of {}", quantity(&q.it)),
        Limit::StepsWithoutParking => "steps only without parking time".to_owned(),
        Limit::PaidBySite => "paid by site".to_owned(),
        Limit::First(q) => format!("first {} per month", quantity(&q.it)),
        Limit::Peaks { count, daily } => match (count.it, daily) {
            (1, false) => "from highest hour".to_owned(),
            (count, true) => format!("from mean of {count} highest daily peaks"),
            (count, false) => format!("from mean of {count} highest hours"),
        },
    }
}

fn who(who: Option<&At<Who>>) -> &'static str {
    match who.map(|who| who.it) {
        Some(Who::Driver) => " per driver",
        Some(Who::Site) => " per site",
        None => "",
    }
}

fn vat_rate(rate: &VatRate) -> String {
    match rate {
        VatRate::Percent(percent) => format!("{percent}%"),
        VatRate::None => "none".to_owned(),
        VatRate::Exempt(reason) => format!("exempt {}", quoted(reason)),
        VatRate::OutsideScope => "outside scope".to_owned(),
    }
}

fn clause(clause: &Clause) -> String {
    let names = |names: &[Name]| join(names, ", ", |n| n.it.clone());
    let or_more = |q: String, or_more: bool, less: &str| {
        if or_more { format!("{q} or more") } else { format!("{less} {q}") }
    };
    match clause {
        Clause::For(groups) => format!("for {}", names(groups)),
        Clause::On(plugs) => format!("on {}", names(plugs)),
        Clause::At(places) => format!("at {}", names(places)),
        Clause::Rated { power, or_more: more } => {
            format!("with {}", or_more(quantity(&power.it), *more, "less than"))
        }
        Clause::Via(ways) => format!("via {}", vias(ways)),
        Clause::PaidWith(brands) => format!("paid with {}", join(brands, ", ", |b| quoted(&b.it))),
        Clause::During(when) => format!("during {}", windows(when)),
        Clause::From(date, time) => format!("from {}", date_time(date, time.as_ref())),
        Clause::Until(date, time) => format!("until {}", date_time(date, time.as_ref())),
        Clause::SoFar { beyond, quantity: q, of, per, who: whose } => {
            let of = match of.as_ref().map(|of| of.it) {
                Some(MeasureWord::Energy) => " of energy",
                Some(MeasureWord::ConnectedTime) => " of connected time",
                Some(MeasureWord::ChargingTime) => " of charging time",
                Some(MeasureWord::ParkingTime) => " of parking time",
                Some(MeasureWord::IdleTime) => " of idle time",
                None => "",
            };
            let per = match per.as_ref().map(|per| per.it) {
                Some(Every::Day) => " per day",
                Some(Every::Month) => " per month",
                None => "",
            };
            let word = if *beyond { "beyond" } else { "up to" };
            format!("{word} {}{of}{per}{}", quantity(&q.it), who(whose.as_ref()))
        }
        Clause::WholeMonth { quantity: q, who: whose } => {
            format!("whole month from {}{}", quantity(&q.it), who(Some(whose)))
        }
        Clause::Drawn { quantity: q, or_more: more } => or_more(quantity(&q.it), *more, "below"),
        Clause::Occupied { percent, or_more: true } => format!("while site {}% occupied or more", percent.it),
        Clause::Occupied { percent, or_more: false } => {
            format!("while site less than {}% occupied", percent.it)
        }
        Clause::Steps(q) => format!("in steps of {}", quantity(&q.it)),
        Clause::WhenExpired => "when expired".to_owned(),
        Clause::Plan(name) => format!("with plan {}", name.it),
        Clause::NotWithCoupon => "not with coupon".to_owned(),
        Clause::TimesPerDriver(At { it: 1, .. }) => "once per driver".to_owned(),
        Clause::TimesPerDriver(times) => format!("{} times per driver", times.it),
        Clause::Otherwise => "otherwise".to_owned(),
    }
}

/// Several issuers in a row share one `roaming`.
fn vias(ways: &[At<Via>]) -> String {
    let mut text = String::new();
    let mut issuer_before = false;
    for way in ways {
        if !text.is_empty() {
            text.push_str(", ");
        }
        match &way.it {
            Via::Roaming(Some(issuer)) if issuer_before => text.push_str(&quoted(issuer)),
            way => text.push_str(&via(way)),
        }
        issuer_before = matches!(way.it, Via::Roaming(Some(_)));
    }
    text
}

fn via(way: &Via) -> String {
    match way {
        Via::AdHoc => "ad-hoc".to_owned(),
        Via::Contract => "contract".to_owned(),
        Via::Roaming(None) => "roaming".to_owned(),
        Via::Roaming(Some(issuer)) => format!("roaming {}", quoted(issuer)),
    }
}

fn windows(windows: &[At<Window>]) -> String {
    join(windows, ", ", |w| window(&w.it))
}

fn window(window_: &Window) -> String {
    let parts = join(&window_.parts, " ", |part| window_part(&part.it));
    match &window_.except {
        Some(except) => format!("{parts} except {}", window(&except.it)),
        None => parts,
    }
}

fn window_part(part: &WindowPart) -> String {
    let word = |words: &[&'static str], at: u8| words.get(usize::from(at)).copied().unwrap_or("?");
    let range = |first: String, last: String| if first == last { first } else { format!("{first}-{last}") };
    let day = |(month, day): (u8, u8)| format!("{day} {}", word(&MONTHS, month.saturating_sub(1)));
    match part {
        WindowPart::Months(first, last) => range(
            word(&MONTHS, first.saturating_sub(1)).to_owned(),
            word(&MONTHS, last.saturating_sub(1)).to_owned(),
        ),
        WindowPart::Weekdays(first, last) => {
            range(word(&WEEKDAYS, *first).to_owned(), word(&WEEKDAYS, *last).to_owned())
        }
        WindowPart::Dates(first, last) if first == last => first.to_string(),
        WindowPart::Dates(first, last) => format!("{first} to {last}"),
        WindowPart::Yearly(first, last) => range(day(*first), day(*last)),
        WindowPart::NthWeekday(nth, weekday) => {
            let nth = word(&["first", "second", "third", "fourth", "last"], nth.saturating_sub(1));
            format!("{nth} {} of month", word(&WEEKDAYS, *weekday))
        }
        WindowPart::PublicHolidays => "public holidays".to_owned(),
        WindowPart::EveryDay => "every day".to_owned(),
        WindowPart::Hours(start, end) => format!("{}-{}", clock(*start), clock(*end)),
        WindowPart::Period(name) => name.clone(),
    }
}

fn clock(minute: u16) -> String {
    format!("{:02}:{:02}", minute / 60, minute % 60)
}

fn date_time(date: &At<chrono::NaiveDate>, time: Option<&At<NaiveTime>>) -> String {
    match time {
        Some(time) => format!("{} {}", date.it, time.it.format("%H:%M")),
        None => date.it.to_string(),
    }
}

fn unit(unit: Unit) -> &'static str {
    match unit {
        Unit::Wh => "Wh",
        Unit::KWh => "kWh",
        Unit::MWh => "MWh",
        Unit::Kw => "kW",
        Unit::Ampere => "A",
        Unit::Second => "s",
        Unit::Min => "min",
        Unit::H => "h",
        Unit::Day => "day",
        Unit::Session => "session",
        Unit::Bill => "bill",
        Unit::Charger => "charger",
        Unit::Month => "month",
    }
}

fn quantity(it: &Quantity) -> String {
    format!("{} {}", it.number, unit(it.unit))
}

fn basis(includes_vat: Option<bool>) -> &'static str {
    match includes_vat {
        Some(true) => " including VAT",
        Some(false) => " excluding VAT",
        None => "",
    }
}

fn rate(it: &Rate) -> String {
    let mut text = format!("{} {}", it.number, it.money.it);
    for per in &it.per {
        text.push('/');
        text.push_str(match &per.it {
            PerWord::Unit(word) => unit(*word),
            PerWord::Money(code) => code,
        });
    }
    text.push_str(basis(it.includes_vat));
    text
}

fn price(price: &PriceOrFree) -> String {
    match price {
        PriceOrFree::Free => "free".to_owned(),
        PriceOrFree::Price(formula) => expr(formula),
    }
}

fn expr(it: &Expr) -> String {
    match it {
        Expr::Rate(it) => rate(it),
        Expr::Number(number) => number.to_string(),
        Expr::Quantity(it) => quantity(it),
        Expr::Percent(percent) => format!("{percent}%"),
        Expr::Name(name) => name.clone(),
        Expr::Hourly(feed) => format!("hourly {}", feed.it),
        Expr::MonthMean(feed) => format!("month mean of {}", feed.it),
        Expr::EnergyPrice => "energy price".to_owned(),
        Expr::AveragePower => "average-power".to_owned(),
        Expr::CostPrice => "cost price".to_owned(),
        Expr::Binary { op, left, right } => {
            let op = match op.it {
                Op::Add => "+",
                Op::Sub => "-",
                Op::Mul => "*",
                Op::Div => "/",
                Op::Of => "of",
            };
            format!("{} {op} {}", expr(&left.it), expr(&right.it))
        }
        Expr::Parens(inner) => format!("({})", expr(&inner.it)),
        Expr::Negative(inner) => format!("-{}", expr(&inner.it)),
        Expr::HigherOf(left, right) => format!("higher of {} and {}", expr(&left.it), expr(&right.it)),
        Expr::LowerOf(left, right) => format!("lower of {} and {}", expr(&left.it), expr(&right.it)),
        Expr::AtLeast(left, right) => format!("{} at least {}", expr(&left.it), expr(&right.it)),
        Expr::AtMost(left, right) => format!("{} at most {}", expr(&left.it), expr(&right.it)),
        Expr::RoundedTo(left, step) => format!("{} rounded to {}", expr(&left.it), rate(&step.it)),
        Expr::PlusVat(inner) => format!("{} plus VAT", expr(&inner.it)),
        Expr::LessVat(inner) => format!("{} less VAT", expr(&inner.it)),
    }
}

fn step_text(step: &Step) -> String {
    let from = |from: &Option<At<Moment>>| {
        from.as_ref().map_or_else(String::new, |m| format!(" from {}", moment(&m.it)))
    };
    match step {
        Step::DriverIn(groups) => format!("driver in {}", join(groups, ", ", |n| n.it.clone())),
        Step::Via(way) => format!("via {}", via(&way.it)),
        Step::PaidWith(brand) => format!("paid with {}", quoted(&brand.it)),
        Step::AtCharger(id) => format!("at charger {}", quoted(&id.it)),
        Step::AtSite(id) => format!("at site {}", quoted(&id.it)),
        Step::Feed { name, rate: it, from: when } => {
            let feed = if name.it == "spot" { String::new() } else { "feed ".to_owned() };
            format!("{feed}{} {}{}", name.it, rate(&it.it), from(when))
        }
        Step::CostPrice(it) => format!("cost price {}", rate(&it.it)),
        Step::CouponPercent(percent) => format!("coupon {}%", percent.it),
        Step::CouponMoney(money) => format!("coupon {}", rate(&money.it)),
        Step::Coupon(code) => format!("coupon {}", quoted(&code.it)),
        Step::Charge { quantity: q, on, rated, from: start, to } => {
            let on = on.as_ref().map_or_else(String::new, |on| format!(" on {}", on.it));
            let rated =
                rated.as_ref().map_or_else(String::new, |power| format!(" with {}", quantity(&power.it)));
            let until = if start.is_some() { "to" } else { "until" };
            format!("charge {}{on}{rated}{} {until} {}", quantity(&q.it), from(start), moment(&to.it))
        }
        Step::Idle(until) => format!("idle until {}", moment(&until.it)),
        Step::Wait(until) => format!("wait until {}", moment(&until.it)),
        Step::Pause(until) => format!("pause until {}", moment(&until.it)),
        Step::FeedIn(q, until) => format!("feed in {} until {}", quantity(&q.it), moment(&until.it)),
        Step::Drawing(q, when) => format!("drawing {}{}", quantity(&q.it), from(when)),
        Step::Occupied(percent, when) => format!("occupied {}%{}", percent.it, from(when)),
        Step::Reserved { from: start, to, expired } => {
            let expired = if *expired { ", expired" } else { "" };
            format!("reserved from {} to {}{expired}", moment(&start.it), moment(&to.it))
        }
        Step::Used(q, every) => {
            let when = if every.it == Every::Day { "today" } else { "this month" };
            format!("used {} {when}", quantity(&q.it))
        }
        Step::Invoice { month: At { it: (year, month), .. }, chargers, new, plan } => {
            let new = if *new { "new " } else { "" };
            let word = if chargers.it == 1 { "charger" } else { "chargers" };
            let plan = plan.as_ref().map_or_else(String::new, |plan| format!(" with plan {}", plan.it));
            format!("invoice {year:04}-{month:02} for {} {new}{word}{plan}", chargers.it)
        }
        Step::Expect(it) => format!("expect {}", expected(it)),
    }
}

fn expected(it: &Expect) -> String {
    match it {
        Expect::Total(money) => format!("total {}", rate(&money.it)),
        Expect::Net(money) => format!("net {}", rate(&money.it)),
        Expect::Vat(money) => format!("VAT {}", rate(&money.it)),
        Expect::Charge(charge, money) => format!("{} {}", charge_ref(charge), rate(&money.it)),
        Expect::Coupon(money) => format!("coupon {}", rate(&money.it)),
        Expect::Discount(money) => format!("discount {}", rate(&money.it)),
        Expect::Pending => "pending".to_owned(),
    }
}

fn moment(it: &Moment) -> String {
    let date = it.date.map_or_else(String::new, |date| format!("{date} "));
    let offset = it.offset.map_or_else(String::new, offset_text);
    format!("{date}{}{offset}", clock(it.minute))
}

fn quoted(text: &str) -> String {
    format!("\"{text}\"")
}

fn join<T>(items: &[T], gap: &str, text: impl Fn(&T) -> String) -> String {
    items.iter().map(text).collect::<Vec<_>>().join(gap)
}
