//! What the grammar matched as formulas, numbers, dates and windows of the syntax tree.

use super::build::{Build, Built, child, includes};
use super::grammar::{Pair, Rule};
use crate::ast::*;
use chrono::{NaiveDate, NaiveTime};
use rust_decimal::Decimal;

/// Most operators in a formula: each deepens its tree by one.
const MAX_OPERATORS: usize = 200;

/// Both sides of `higher of a and b`.
type Two = (Box<At<Expr>>, Box<At<Expr>>);

impl Build {
    /// A formula.
    pub fn expr(&self, pair: &Pair<'_>) -> Built<At<Expr>> {
        let mut whole = self.sum(&self.need(pair, Rule::sum)?)?;
        for outer in pair.clone().into_inner().filter(|p| p.as_rule() == Rule::postfix) {
            self.one_more(&outer)?;
            let postfix = outer.clone().into_inner().next().ok_or_else(|| self.unread(&outer))?;
            let span = Span { start: whole.span.start, end: self.span(&postfix).end };
            let left = Box::new(whole);
            let it = match postfix.as_rule() {
                Rule::floor_of => Expr::AtLeast(left, Box::new(self.sum(&self.need(&postfix, Rule::sum)?)?)),
                Rule::cap_of => Expr::AtMost(left, Box::new(self.sum(&self.need(&postfix, Rule::sum)?)?)),
                Rule::rounded_to => Expr::RoundedTo(left, self.rate(&self.need(&postfix, Rule::rate)?)?),
                Rule::plus_vat => Expr::PlusVat(left),
                Rule::less_vat => Expr::LessVat(left),
                _ => return Err(self.unread(&postfix)),
            };
            whole = At { it, span };
        }
        Ok(whole)
    }

    fn one_more(&self, pair: &Pair<'_>) -> Built<()> {
        let count = self.operators.get() + 1;
        self.operators.set(count);
        if count > MAX_OPERATORS {
            let found = self.error("E004", pair, format!("this formula has more than {MAX_OPERATORS} parts"));
            return Err(Box::new(found.help("give parts of it names of their own with `price`")));
        }
        Ok(())
    }

    fn sum(&self, pair: &Pair<'_>) -> Built<At<Expr>> {
        self.chain(pair, |p| self.product(p))
    }

    fn product(&self, pair: &Pair<'_>) -> Built<At<Expr>> {
        self.chain(pair, |p| self.factor(p))
    }

    fn chain(&self, pair: &Pair<'_>, part: impl Fn(&Pair<'_>) -> Built<At<Expr>>) -> Built<At<Expr>> {
        let mut parts = pair.clone().into_inner();
        let first = parts.next().ok_or_else(|| self.unread(pair))?;
        let mut whole = part(&first)?;
        while let (Some(op), Some(right)) = (parts.next(), parts.next()) {
            self.one_more(&op)?;
            let right = part(&right)?;
            let span = Span { start: whole.span.start, end: right.span.end };
            let op = self.op(&op)?;
            whole = At { it: Expr::Binary { op, left: Box::new(whole), right: Box::new(right) }, span };
        }
        Ok(whole)
    }

    fn op(&self, pair: &Pair<'_>) -> Built<At<Op>> {
        let word = pair.clone().into_inner().next().ok_or_else(|| self.unread(pair))?;
        let it = match word.as_rule() {
            Rule::plus => Op::Add,
            Rule::minus => Op::Sub,
            Rule::times => Op::Mul,
            Rule::slash => Op::Div,
            _ => Op::Of,
        };
        Ok(self.at(&word, it))
    }

    fn factor(&self, outer: &Pair<'_>) -> Built<At<Expr>> {
        let pair = outer.clone().into_inner().next().ok_or_else(|| self.unread(outer))?;
        let it = match pair.as_rule() {
            Rule::rate => Expr::Rate(self.rate(&pair)?.it),
            Rule::percent => Expr::Percent(self.percent(&pair)?.it),
            Rule::quantity => Expr::Quantity(self.quantity(&pair)?.it),
            Rule::number => Expr::Number(self.number(&pair)?),
            Rule::paren => Expr::Parens(Box::new(self.expr(&self.need(&pair, Rule::expr)?)?)),
            Rule::negative => Expr::Negative(Box::new(self.factor(&self.need(&pair, Rule::factor)?)?)),
            Rule::higher_of => {
                let (left, right) = self.two(&pair)?;
                Expr::HigherOf(left, right)
            }
            Rule::lower_of => {
                let (left, right) = self.two(&pair)?;
                Expr::LowerOf(left, right)
            }
            Rule::month_mean => Expr::MonthMean(self.word(&self.need(&pair, Rule::price_name)?)),
            Rule::hourly => Expr::Hourly(self.word(&self.need(&pair, Rule::price_name)?)),
            Rule::energy_price => Expr::EnergyPrice,
            Rule::cost_price => Expr::CostPrice,
            Rule::average_power => Expr::AveragePower,
            _ => Expr::Name(pair.as_str().to_owned()),
        };
        Ok(self.at(&pair, it))
    }

    fn two(&self, pair: &Pair<'_>) -> Built<Two> {
        self.one_more(pair)?;
        let mut sums = pair.clone().into_inner().filter(|p| p.as_rule() == Rule::sum);
        let (Some(left), Some(right)) = (sums.next(), sums.next()) else { return Err(self.unread(pair)) };
        Ok((Box::new(self.sum(&left)?), Box::new(self.sum(&right)?)))
    }

    /// `-0.05`, exactly as written.
    pub fn number(&self, pair: &Pair<'_>) -> Built<Decimal> {
        let digits = self.need(pair, Rule::digits)?;
        let value = Decimal::from_str_exact(digits.as_str()).map_err(|_| {
            Box::new(
                self.error("E028", pair, "this number has too many digits")
                    .help("a number may have 28 digits"),
            )
        })?;
        Ok(if child(pair, Rule::sign).is_some() { -value } else { value })
    }

    /// `20%` as 20.
    pub fn percent(&self, pair: &Pair<'_>) -> Built<At<Decimal>> {
        Ok(self.at(pair, self.number(&self.need(pair, Rule::number)?)?))
    }

    /// A small whole number.
    pub fn count(&self, pair: &Pair<'_>) -> Built<At<u32>> {
        match pair.as_str().parse::<u32>() {
            Ok(count @ 1..=1_000_000) => Ok(self.at(pair, count)),
            _ => Err(Box::new(
                self.error(
                    "E028",
                    pair,
                    format!("`{}` is not a number that can count something", pair.as_str()),
                )
                .help("write a whole number from 1 to 1000000"),
            )),
        }
    }

    /// `30 min`.
    pub fn quantity(&self, pair: &Pair<'_>) -> Built<At<Quantity>> {
        let number = self.need(pair, Rule::number)?;
        let value = self.number(&number)?;
        if value.is_sign_negative() && !value.is_zero() {
            let found = self.error("E029", &number, "a quantity cannot be negative");
            return Err(Box::new(found.help("write it without the minus")));
        }
        let unit = unit(self.need(pair, Rule::unit)?.as_str()).ok_or_else(|| self.unread(pair))?;
        Ok(self.at(pair, Quantity { number: value, unit }))
    }

    /// `0.25 NOK/kWh excluding VAT`.
    pub fn rate(&self, pair: &Pair<'_>) -> Built<At<Rate>> {
        let per = self.each(pair, Rule::rate_per, |p| {
            let word = p.as_str().trim_end();
            Ok(self.at(p, unit(word).map_or_else(|| PerWord::Money(word.to_owned()), PerWord::Unit)))
        })?;
        let money = self.need(pair, Rule::money)?;
        let rate = Rate {
            number: self.number(&self.need(pair, Rule::number)?)?,
            money: self.at(&money, money.as_str().trim_end().to_owned()),
            per,
            includes_vat: child(pair, Rule::vat_basis).map(|p| includes(&p)),
        };
        Ok(self.at(pair, rate))
    }

    /// A day of the calendar.
    pub fn date(&self, pair: &Pair<'_>) -> Built<At<NaiveDate>> {
        let (year, month) = self.year_month_of(pair)?;
        let day = pair.as_str().get(8..10).and_then(|d| d.parse().ok()).unwrap_or(0);
        match NaiveDate::from_ymd_opt(year, month, day) {
            Some(date) => Ok(self.at(pair, date)),
            None => Err(Box::new(
                self.error("E031", pair, format!("there is no day `{}` in the calendar", pair.as_str()))
                    .help(no_such_day(year, month)),
            )),
        }
    }

    /// `2025-03` at the start of a match.
    pub fn year_month_of(&self, pair: &Pair<'_>) -> Built<(i32, u32)> {
        let year = pair.as_str().get(..4).and_then(|y| y.parse().ok()).unwrap_or(0);
        let month = pair.as_str().get(5..7).and_then(|m| m.parse().ok()).unwrap_or(0);
        if (2000..2100).contains(&year) && (1..=12).contains(&month) {
            return Ok((year, month));
        }
        let found = self.error("E031", pair, format!("there is no date `{}` in the calendar", pair.as_str()));
        Err(Box::new(
            found.help("a date is year-month-day from 2000-01-01 to 2099-12-31, as in `2025-03-30`"),
        ))
    }

    /// Minutes of the day, 0 to 1440.
    pub fn minute(&self, pair: &Pair<'_>) -> Built<u16> {
        let hour = pair.as_str().get(..2).and_then(|h| h.parse::<u16>().ok()).unwrap_or(99);
        let minute = pair.as_str().get(3..5).and_then(|m| m.parse::<u16>().ok()).unwrap_or(99);
        if (hour < 24 && minute < 60) || (hour, minute) == (24, 0) {
            return Ok(hour * 60 + minute);
        }
        Err(Box::new(
            self.error("E033", pair, format!("there is no time `{}` on the clock", pair.as_str()))
                .help("times run from `00:00` to `24:00`"),
        ))
    }

    /// `DATE [TIME]` inside a match.
    pub fn date_and_time(&self, pair: &Pair<'_>) -> Built<(At<NaiveDate>, Option<At<NaiveTime>>)> {
        let date = self.date(&self.need(pair, Rule::date)?)?;
        let Some(time) = child(pair, Rule::time) else { return Ok((date, None)) };
        let minute = u32::from(self.minute(&time)?);
        match NaiveTime::from_hms_opt(minute / 60, minute % 60, 0) {
            Some(at) => Ok((date, Some(self.at(&time, at)))),
            None => Err(Box::new(
                self.error("E033", &time, "`24:00` does not go with a date here")
                    .help("write `00:00` of the next day"),
            )),
        }
    }

    /// `[DATE] TIME` of a test.
    pub fn moment(&self, pair: &Pair<'_>) -> Built<At<Moment>> {
        let date = child(pair, Rule::date).map(|p| self.date(&p)).transpose()?.map(|date| date.it);
        let minute = self.minute(&self.need(pair, Rule::time)?)?;
        let offset = child(pair, Rule::offset).map(|p| self.offset(&p)).transpose()?;
        Ok(self.at(pair, Moment { date, minute, offset }))
    }

    /// `+02:00`, `+02`: minutes that local time is ahead of UTC.
    fn offset(&self, pair: &Pair<'_>) -> Built<i16> {
        let digits: String = pair.as_str().chars().filter(char::is_ascii_digit).collect();
        let number = |from: usize| digits.get(from..from + 2).map_or(Some(0), |two| two.parse::<i16>().ok());
        let sign = if pair.as_str().starts_with('+') { 1 } else { -1 };
        match (number(0), number(2)) {
            (Some(hours @ 0..=15), Some(minutes @ 0..=59)) => Ok(sign * (hours * 60 + minutes)),
            _ => Err(Box::new(
                self.error("E033", pair, format!("no clock is `{}` away from UTC", pair.as_str()))
                    .help("write the offset like `+02:00`"),
            )),
        }
    }

    /// `WINDOW, WINDOW`.
    pub fn windows(&self, pair: &Pair<'_>) -> Built<Vec<At<Window>>> {
        self.each(pair, Rule::window, |window| {
            let except = match child(window, Rule::except) {
                Some(except) => {
                    let parts = self.each(&except, Rule::window_part, |p| self.window_part(p))?;
                    let start = parts.first().map_or(self.span(&except).start, |part| part.span.start);
                    let span = Span { start, end: self.span(&except).end };
                    Some(Box::new(At { it: Window { parts, except: None }, span }))
                }
                None => None,
            };
            let parts = self.each(window, Rule::window_part, |p| self.window_part(p))?;
            Ok(self.at(window, Window { parts, except }))
        })
    }

    fn window_part(&self, outer: &Pair<'_>) -> Built<At<WindowPart>> {
        let pair = outer.clone().into_inner().next().ok_or_else(|| self.unread(outer))?;
        let it = match pair.as_rule() {
            Rule::dates => {
                let days = self.each(&pair, Rule::date, |p| self.date(p))?;
                let (Some(first), Some(last)) = (days.first(), days.last()) else {
                    return Err(self.unread(outer));
                };
                if last.it < first.it {
                    let found = self.error("E032", &pair, "these dates run backwards");
                    return Err(Box::new(found.help("write the earlier date first")));
                }
                WindowPart::Dates(first.it, last.it)
            }
            Rule::yearly => {
                let days = self.each(&pair, Rule::yearly_day, |p| self.yearly_day(p))?;
                let (Some(first), Some(last)) = (days.first(), days.last()) else {
                    return Err(self.unread(outer));
                };
                WindowPart::Yearly(*first, *last)
            }
            Rule::hours => self.hours(&pair)?,
            Rule::public_holidays => WindowPart::PublicHolidays,
            Rule::every_day => WindowPart::EveryDay,
            Rule::nth_weekday => {
                let nth = index(
                    &["first", "second", "third", "fourth", "last"],
                    self.need(&pair, Rule::nth)?.as_str(),
                );
                WindowPart::NthWeekday(nth + 1, index(&WEEKDAYS, self.need(&pair, Rule::weekday)?.as_str()))
            }
            Rule::weekdays => {
                let days = self.each(&pair, Rule::weekday, |p| Ok(index(&WEEKDAYS, p.as_str())))?;
                let (Some(first), Some(last)) = (days.first(), days.last()) else {
                    return Err(self.unread(outer));
                };
                WindowPart::Weekdays(*first, *last)
            }
            Rule::months => {
                let months = self.each(&pair, Rule::month_name, |p| Ok(index(&MONTHS, p.as_str()) + 1))?;
                let (Some(first), Some(last)) = (months.first(), months.last()) else {
                    return Err(self.unread(outer));
                };
                WindowPart::Months(*first, *last)
            }
            _ => WindowPart::Period(pair.as_str().trim_end().to_owned()),
        };
        Ok(self.at(&pair, it))
    }

    fn hours(&self, pair: &Pair<'_>) -> Built<WindowPart> {
        let times = self.each(pair, Rule::time, |p| self.minute(p))?;
        let (Some(&start), Some(&end)) = (times.first(), times.last()) else { return Err(self.unread(pair)) };
        if start == end {
            let found = self.error("E034", pair, "these hours start and end at the same time");
            return Err(Box::new(
                found.help("write `00:00-24:00` for the whole day, or leave the hours out"),
            ));
        }
        if start == 1440 {
            let found = self.error("E034", pair, "hours cannot start at `24:00`");
            return Err(Box::new(found.help("write `00:00`")));
        }
        Ok(WindowPart::Hours(start, if end == 0 { 1440 } else { end }))
    }

    fn yearly_day(&self, pair: &Pair<'_>) -> Built<(u8, u8)> {
        let month = index(&MONTHS, self.need(pair, Rule::month_name)?.as_str()) + 1;
        let day = self.need(pair, Rule::day_number)?.as_str().parse::<u8>().unwrap_or(0);
        let longest = match month {
            2 => 29,
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        };
        if (1..=longest).contains(&day) {
            return Ok((month, day));
        }
        let found = self.error(
            "E031",
            pair,
            format!("there is no day `{}` in the calendar", pair.as_str().trim_end()),
        );
        Err(Box::new(found.help(format!("this month has days 1 to {longest}"))))
    }
}

/// Days as the language writes them.
pub const WEEKDAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
/// Months as the language writes them.
pub const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

fn index(words: &[&str], word: &str) -> u8 {
    words.iter().position(|w| *w == word.trim_end()).and_then(|at| u8::try_from(at).ok()).unwrap_or(0)
}

fn unit(word: &str) -> Option<Unit> {
    Some(match word {
        "Wh" => Unit::Wh,
        "kWh" => Unit::KWh,
        "MWh" => Unit::MWh,
        "kW" => Unit::Kw,
        "A" => Unit::Ampere,
        "s" => Unit::Second,
        "min" => Unit::Min,
        "h" => Unit::H,
        "day" => Unit::Day,
        "session" => Unit::Session,
        "bill" => Unit::Bill,
        "charger" => Unit::Charger,
        "month" => Unit::Month,
        _ => return None,
    })
}

fn no_such_day(year: i32, month: u32) -> String {
    let next = if month == 12 {
        NaiveDate::from_ymd_opt(year + 1, 1, 1)
    } else {
        NaiveDate::from_ymd_opt(year, month + 1, 1)
    };
    let last = next.and_then(|day| day.pred_opt());
    last.map_or_else(String::new, |last| format!("the last day of that month is `{last}`"))
}
