//! The sessions of a month in order of posting: bills as they were given out, and sessions priced here.

use super::error::MonthError;
use super::input::MonthStanding;
use super::statement::{Paper, exact, minor, shown};
use crate::bill::{Bill, Source};
use crate::calendar_time::{LocalTime, day_text, local_text, month_text};
use crate::correction::line_difference;
use crate::document::{Document, Inputs, LineDoc};
use crate::error::PriceError;
use crate::evaluate::{Pricing, who_text};
use crate::exact::{Exact, Num, Overflow};
use crate::input;
use crate::price::price_with;
use crate::session::{Facts, Session};
use crate::share;
use crate::standing::Standing;
use crate::tariff::{ChargeKind, Test, Who};
use crate::units::Instant;
use rust_decimal::Decimal;
use std::collections::{BTreeMap, BTreeSet};

/// What one document or session brings to the month.
#[derive(Clone, Debug, Default)]
pub(crate) struct Entry {
    pub session: String,
    pub facts: Facts,
    // The facts are those of a session; a bill does not tell its driver's groups.
    pub from_session: bool,
    pub date: String,
    // Label, tax class, minor units.
    pub rows: Vec<(String, u32, i64)>,
    pub lines: Vec<LineDoc>,
    pub payouts: Vec<Payout>,
    pub payout_lines: Vec<LineDoc>,
    // Millionths of a kWh to and from the car.
    pub energy: (i64, i64),
    pub has_payment_fee: bool,
    pub cost: CostPart,
}

/// What of an entry is the plant's cost.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct CostPart {
    pub exact: Exact,
    // Minor units of it in the printed rows.
    pub printed: i64,
}

/// A part of what is booked for the property.
#[derive(Clone, Debug)]
pub(crate) struct Payout {
    pub label: String,
    pub tax: u32,
    pub sum: Exact,
}

/// All entries, and the counters after the last.
pub(crate) fn entries(
    paper: &mut Paper<'_>,
    pricing: &Pricing<'_>,
    shares_cost: bool,
) -> Result<(Vec<Entry>, MonthStanding), MonthError> {
    let input = paper.input;
    check_bills(paper)?;
    let unbilled: Vec<&Session> = {
        let billed: BTreeSet<&str> = input.bills.iter().map(|bill| bill.session.as_str()).collect();
        input.sessions.iter().filter(|session| !billed.contains(session.id.as_str())).collect()
    };
    let mut posting = Posting {
        given: input.sessions.iter().map(|session| (session.id.as_str(), session)).collect(),
        whole: WholeMonth::of(paper, &unbilled)?,
        standing: input.standing.clone(),
        pricing,
        shares_cost,
    };
    let mut entries = Vec::with_capacity(input.bills.len() + unbilled.len());
    for bill in &input.bills {
        entries.push(posting.billed(paper, bill)?);
    }
    let mut seen = BTreeSet::new();
    for session in &input.sessions {
        if !seen.insert(session.id.as_str()) {
            let what = format!("session {} is there twice", session.id);
            return Err(MonthError::input(what, "keep one of them"));
        }
    }
    for session in unbilled {
        entries.push(posting.priced(paper, session)?);
    }
    Ok((entries, posting.standing))
}

fn check_bills(paper: &Paper<'_>) -> Result<(), MonthError> {
    let tariff = &paper.pricing.p.tariff;
    let mut ids = BTreeSet::new();
    let mut billed = BTreeSet::new();
    for bill in &paper.input.bills {
        let fail =
            |what: String, help: &str| Err(MonthError::input(format!("bill {}: {what}", bill.id), help));
        if !matches!(bill.kind, "bill" | "correction") || bill.status != "final" {
            return fail(
                format!("it is a {} that is {}", bill.kind, bill.status),
                "give final bills and corrections only",
            );
        }
        if !ids.insert(bill.id.as_str()) {
            return fail("it is there twice".into(), "keep one of them");
        }
        if bill.kind == "bill" && !billed.insert(bill.session.as_str()) {
            return fail(
                format!("session {} has another bill", bill.session),
                "a later version of a bill is given as a correction",
            );
        }
        if bill.currency != tariff.currency.code {
            let what = format!("it is in {}, and the tariff in {}", bill.currency, tariff.currency.code);
            return fail(what, "settle each currency by itself");
        }
        if bill.prices_include_vat != tariff.includes_vat {
            let text = |with: bool| if with { "including" } else { "excluding" };
            let what = format!(
                "its amounts are {} VAT, and the tariff's {} VAT",
                text(bill.prices_include_vat),
                text(tariff.includes_vat)
            );
            return fail(what, "settle them by the list under which they were made");
        }
        let parse = |text: &str| input::instant(text);
        let ends = parse(bill.to.as_deref().unwrap_or(&bill.from));
        let (Ok(from), Ok(to)) = (parse(&bill.from), ends) else {
            return fail("`from` or `to` is not a time".into(), "give bills as `takst price` prints them");
        };
        in_month(paper, &bill.session, bill.site.as_ref(), from, to)?;
    }
    Ok(())
}

fn in_month(
    paper: &Paper<'_>,
    session: &str,
    site: Option<&String>,
    from: Instant,
    to: Instant,
) -> Result<(), MonthError> {
    let stretch = &paper.stretch;
    if from.0 >= stretch.to || to.0 < stretch.from {
        let from = crate::calendar_time::utc_text(from);
        let what = format!("session {session} (from {from}) lies outside {}", paper.input.month);
        return Err(MonthError::input(what, "give it with its own month"));
    }
    match site {
        Some(site) if *site != paper.input.site => {
            let what = format!("session {session} was at site {site}, not at {}", paper.input.site);
            Err(MonthError::input(what, "settle each site by itself"))
        }
        _ => Ok(()),
    }
}

/// Energy of the whole month by driver and of the site, where retroactive prices ask for it.
struct WholeMonth {
    // Name of a counter without its span, and the thresholds compared with it.
    asked: Vec<(Who, i64)>,
    month: String,
    // Millionths of a kWh.
    drivers: BTreeMap<String, i64>,
    site: i64,
}

impl WholeMonth {
    fn of(paper: &Paper<'_>, unbilled: &[&Session]) -> Result<Self, MonthError> {
        let asked: Vec<(Who, i64)> = paper
            .pricing
            .p
            .tariff
            .tests
            .iter()
            .filter_map(|test| match test {
                Test::WholeMonthAtLeast { who, energy } => Some((*who, *energy)),
                _ => None,
            })
            .collect();
        let month = paper.input.month.to_string();
        let mut whole = Self { asked, month, drivers: BTreeMap::new(), site: 0 };
        if whole.asked.is_empty() {
            return Ok(whole);
        }
        for bill in &paper.input.bills {
            if bill.from.starts_with(&whole.month) {
                whole.count(bill.driver.as_ref(), kwh(bill)?.0)?;
            }
        }
        for session in unbilled {
            let day = LocalTime::at(paper.stretch.zone, session.plugged_in.0).day;
            if month_text(day) == whole.month {
                whole.count(session.facts.driver.as_ref(), energy_of(session)?)?;
            }
        }
        Ok(whole)
    }

    fn count(&mut self, driver: Option<&String>, energy: i64) -> Result<(), Overflow> {
        self.site = self.site.checked_add(energy).ok_or(Overflow)?;
        if let Some(driver) = driver {
            let sum = self.drivers.entry(driver.clone()).or_default();
            *sum = sum.checked_add(energy).ok_or(Overflow)?;
        }
        Ok(())
    }

    fn total(&self, who: Who, driver: Option<&String>) -> i64 {
        match (who, driver) {
            (Who::Site, _) => self.site,
            (_, Some(driver)) => self.drivers.get(driver).copied().unwrap_or_default(),
            (_, None) => 0,
        }
    }

    fn name(&self, who: Who) -> String {
        format!("{} whole month energy {}", who_text(who), self.month)
    }

    fn set(&self, standing: &mut Standing, driver: Option<&String>) {
        for (who, _) in &self.asked {
            standing.set(self.name(*who), Decimal::new(self.total(*who, driver), 6));
        }
    }

    // Whether the month's total answers a question otherwise than the total known when the bill was made.
    fn changes(&self, bill: &Document) -> Result<bool, MonthError> {
        let energy = kwh(bill)?.0;
        Ok(self.asked.iter().any(|(who, threshold)| {
            let closing = crate::units::micro(bill.standing.get(&self.name(*who))).unwrap_or(i64::MAX);
            let then = closing.saturating_sub(energy).max(0) >= *threshold;
            then != (self.total(*who, bill.driver.as_ref()) >= *threshold)
        }))
    }
}

fn kwh(bill: &Document) -> Result<(i64, i64), MonthError> {
    let read = |text: &str| {
        let value = input::decimal(text).ok().and_then(crate::units::micro);
        let wrong = || {
            let what = format!("bill {}: `{}` is not an energy in kWh", bill.id, input::short(text));
            MonthError::input(what, "give bills as `takst price` prints them")
        };
        value.ok_or_else(wrong)
    };
    Ok((read(&bill.energy_kwh)?, bill.exported_kwh.as_deref().map_or(Ok(0), read)?))
}

// Registers are added over segments; contradictions come up when the session is priced.
fn energy_of(session: &Session) -> Result<i64, Overflow> {
    let mut sum = 0_i64;
    for [first, second] in session.readings.array_windows::<2>() {
        if first.segment == second.segment {
            let rise = second.import.0.checked_sub(first.import.0).ok_or(Overflow)?;
            sum = sum.checked_add(rise).ok_or(Overflow)?;
        }
    }
    Ok(sum)
}

struct Posting<'a> {
    given: BTreeMap<&'a str, &'a Session>,
    whole: WholeMonth,
    standing: MonthStanding,
    pricing: &'a Pricing<'a>,
    shares_cost: bool,
}

impl Posting<'_> {
    // Counters of a driver and of the site together.
    fn opening(&self, driver: Option<&String>) -> Standing {
        let mut opening =
            driver.and_then(|driver| self.standing.drivers.get(driver)).cloned().unwrap_or_default();
        for (name, value) in self.standing.site.iter() {
            opening.set(name.to_owned(), value);
        }
        self.whole.set(&mut opening, driver);
        opening
    }

    fn close(&mut self, driver: Option<&String>, closing: &Standing) {
        let mut own = Standing::default();
        for (name, value) in closing.iter() {
            if name.starts_with("site ") {
                self.standing.site.set(name.to_owned(), value);
            } else {
                own.set(name.to_owned(), value);
            }
        }
        if let Some(driver) = driver {
            // The whole month was known from the start; pricing a session counts it again.
            self.whole.set(&mut own, Some(driver));
            self.standing.drivers.insert(driver.clone(), own);
        }
        self.whole.set(&mut self.standing.site, None);
    }

    fn billed(&mut self, paper: &mut Paper<'_>, bill: &Document) -> Result<Entry, MonthError> {
        let mut entry = from_document(paper, bill)?;
        if bill.kind != "bill" {
            return Ok(entry);
        }
        let driver = bill.driver.as_ref();
        let session = self.given.get(bill.session.as_str()).copied();
        if let Some(session) = session {
            entry.facts = facts(paper, session);
            entry.from_session = true;
            if entry.facts.driver.is_some() && entry.facts.driver.as_ref() != driver {
                let what = format!("session {} and its bill name different drivers", bill.session);
                return Err(MonthError::input(what, "give both as they were"));
            }
        }
        if !self.whole.asked.is_empty() && bill.from.starts_with(&self.whole.month) {
            let other_list = bill.tariff.version != self.pricing.p.version();
            match session {
                Some(session) if !other_list => {
                    let opening = self.opening(driver);
                    let new = self.bill_of(paper, session, &opening, false)?;
                    self.retroactive(paper, bill, session, &new, &mut entry)?;
                }
                _ if self.whole.changes(bill)? => {
                    let what = format!(
                        "the month's energy changes the price of session {}, which is already billed",
                        bill.session
                    );
                    let help = if other_list {
                        "it was billed by another version of the list: settle it by that one"
                    } else {
                        "give the session in `sessions` as well, so that the difference can be worked out"
                    };
                    return Err(MonthError::input(what, help));
                }
                _ => {}
            }
        }
        let mut closing = self.opening(driver);
        for (name, _) in bill.standing.iter() {
            // A counter that came down to nothing is not kept: nothing is left of what a floor had added.
            closing.set(name.replacen(" limit ", " lift ", 1), Decimal::ZERO);
        }
        for (name, value) in bill.standing.iter() {
            closing.set(name.to_owned(), value);
        }
        self.close(driver, &closing);
        Ok(entry)
    }

    // A row for what the whole month changes in a bill and its corrections.
    fn retroactive(
        &self,
        paper: &mut Paper<'_>,
        bill: &Document,
        session: &Session,
        new: &Bill,
        entry: &mut Entry,
    ) -> Result<(), MonthError> {
        let mut rows: Vec<(u32, i64)> = new.rows.iter().map(|row| (row.tax, row.amount)).collect();
        let mut lines = new.document(self.pricing, session, Inputs::default()).lines;
        for old in paper.input.bills.iter().filter(|old| old.session == bill.session) {
            for charge in old.charges.iter().filter(|charge| charge.charge != "payment fee") {
                let amount = amount_of(old, &charge.amount, paper.digits)?;
                rows.push((paper.taxes.class_of(&charge.vat_rate, charge.vat_reason.as_ref())?, -amount));
            }
            let kept: Vec<LineDoc> =
                old.lines.iter().filter(|line| line.charge != "payment fee").cloned().collect();
            lines = line_difference(&kept, &lines);
        }
        let mut change = Entry::default();
        add_rows(&mut change, &format!("Session {}, price of the whole month", bill.session), rows)?;
        entry.rows.extend(change.rows.into_iter().filter(|(_, _, amount)| *amount != 0));
        entry.lines.extend(lines.into_iter().map(|line| of_session(line, session, paper.digits)));
        // What the property got for it already, by the bill and its corrections, is theirs: only the difference is added.
        let mut payout_lines = new.document(self.pricing, session, Inputs::default()).payout_lines;
        let mut changed = payouts(self.pricing, new)?;
        for old in paper.input.bills.iter().filter(|old| old.session == bill.session) {
            payout_lines = line_difference(&old.payout_lines, &payout_lines);
            for payout in printed_payouts(paper, old)? {
                changed.push(Payout { sum: payout.sum.negated()?, ..payout });
            }
        }
        entry.payouts.extend(changed);
        entry
            .payout_lines
            .extend(payout_lines.into_iter().map(|line| of_session(line, session, paper.digits)));
        Ok(())
    }

    fn bill_of(
        &self,
        paper: &Paper<'_>,
        session: &Session,
        opening: &Standing,
        payment_fee: bool,
    ) -> Result<Bill, MonthError> {
        let failed = |error| MonthError::Session { session: session.id.clone(), error };
        let ends = session.unplugged.ok_or_else(|| MonthError::Running { session: session.id.clone() })?;
        in_month(paper, &session.id, session.facts.site.as_ref(), session.plugged_in, ends)?;
        let session = &Session { facts: facts(paper, session), ..session.clone() };
        let bill = price_with(self.pricing, session, opening, payment_fee).map_err(failed)?;
        match bill.pending.first() {
            Some(pending) => Err(MonthError::NoPrice {
                what: format!("session {}", session.id),
                at: local_text(paper.stretch.zone, pending.from),
                help: "add the price file that covers it; for `cost price`, add `costs` and `meters`",
            }),
            None => Ok(bill),
        }
    }

    fn priced(&mut self, paper: &mut Paper<'_>, session: &Session) -> Result<Entry, MonthError> {
        let driver = session.facts.driver.as_ref();
        let opening = self.opening(driver);
        // Without a driver there is no statement to put one fee on.
        let bill = self.bill_of(paper, session, &opening, driver.is_none())?;
        let document = bill.document(self.pricing, session, Inputs::default());
        let mut entry = Entry {
            session: session.id.clone(),
            facts: facts(paper, session),
            from_session: true,
            date: day_text(LocalTime::at(paper.stretch.zone, session.plugged_in.0).day),
            energy: bill.energy,
            payouts: payouts(self.pricing, &bill)?,
            ..Entry::default()
        };
        let of_session = |line: LineDoc| of_session(line, session, paper.digits);
        entry.lines = document.lines.into_iter().map(of_session).collect();
        entry.payout_lines = document.payout_lines.into_iter().map(of_session).collect();
        let rows = bill.rows.iter().map(|row| (row.tax, row.amount)).collect();
        add_rows(&mut entry, &format!("Session {}", session.id), rows)?;
        if self.shares_cost {
            entry.cost = self.cost_part(session, &opening, &bill, paper)?;
        }
        self.close(driver, &bill.standing);
        Ok(entry)
    }

    // What the session's energy costs more than it would if the plant's electricity cost nothing.
    fn cost_part(
        &self,
        session: &Session,
        opening: &Standing,
        bill: &Bill,
        paper: &Paper<'_>,
    ) -> Result<CostPart, MonthError> {
        let without = self.pricing.clone().with_cost_price(Num::ZERO);
        let failed = |error: PriceError| MonthError::Session { session: session.id.clone(), error };
        let filled = Session { facts: facts(paper, session), ..session.clone() };
        let free = price_with(&without, &filled, opening, false).map_err(failed)?;
        let charges = &self.pricing.p.tariff.charges;
        let is_energy = |source: Source| {
            let charge = source.charge().and_then(|charge| charges.get(usize::from(charge)));
            charge.is_some_and(|charge| charge.kind == ChargeKind::Energy)
        };
        let sum = |bill: &Bill| -> Result<Exact, Overflow> {
            let lines = bill.lines.iter().filter(|line| is_energy(line.source));
            lines.map(|line| line.amount).try_fold(Exact::ZERO, Exact::add)
        };
        let (all, other) = (sum(bill)?, sum(&free)?);
        let exact = all.sub(other)?;
        let rows = bill.rows.iter().filter(|row| is_energy(row.source));
        let printed: i64 = rows.map(|row| row.amount).sum();
        let shares = share::by_exact(printed, &[exact, other], paper.digits)?;
        Ok(CostPart { exact, printed: shares.first().copied().unwrap_or_default() })
    }
}

fn facts(paper: &Paper<'_>, session: &Session) -> Facts {
    let mut facts = session.facts.clone();
    facts.site.get_or_insert_with(|| paper.input.site.clone());
    facts
}

fn of_session(line: LineDoc, session: &Session, digits: u8) -> LineDoc {
    let shown = shown(&line.amount, digits);
    LineDoc { session: Some(session.id.clone()), charger: session.facts.charger.clone(), shown, ..line }
}

fn add_rows(entry: &mut Entry, label: &str, rows: Vec<(u32, i64)>) -> Result<(), Overflow> {
    let first = entry.rows.len();
    if rows.is_empty() {
        // A session that cost nothing is a row all the same.
        entry.rows.push((label.to_owned(), 0, 0));
    }
    for (tax, amount) in rows {
        match entry.rows.iter_mut().skip(first).find(|(_, known, _)| *known == tax) {
            Some((_, _, sum)) => *sum = sum.checked_add(amount).ok_or(Overflow)?,
            None => entry.rows.push((label.to_owned(), tax, amount)),
        }
    }
    Ok(())
}

fn payouts(pricing: &Pricing<'_>, bill: &Bill) -> Result<Vec<Payout>, MonthError> {
    let mut found: Vec<Payout> = Vec::new();
    for line in &bill.payout_lines {
        let charge =
            line.source.charge().and_then(|charge| pricing.p.tariff.charges.get(usize::from(charge)));
        let label = charge.map(|charge| charge.label.clone()).unwrap_or_default();
        found.push(Payout { label, tax: line.tax, sum: line.amount });
    }
    Ok(found)
}

fn amount_of(bill: &Document, text: &str, digits: u8) -> Result<i64, MonthError> {
    minor(text, digits).map_err(|message| bad_bill(bill, &message))
}

fn bad_bill(bill: &Document, message: &str) -> MonthError {
    MonthError::input(format!("bill {}: {message}", bill.id), "give bills as `takst price` prints them")
}

fn from_document(paper: &mut Paper<'_>, bill: &Document) -> Result<Entry, MonthError> {
    let label = match bill.kind {
        "correction" => format!("Session {}, correction", bill.session),
        _ => format!("Session {}", bill.session),
    };
    let digits = paper.digits;
    let mut entry = Entry {
        session: bill.session.clone(),
        facts: Facts {
            site: bill.site.clone().or_else(|| Some(paper.input.site.clone())),
            charger: bill.charger.clone(),
            driver: bill.driver.clone(),
            ..Facts::default()
        },
        date: bill.from.chars().take(10).collect(),
        energy: kwh(bill)?,
        has_payment_fee: bill.charges.iter().any(|charge| charge.charge == "payment fee"),
        ..Entry::default()
    };
    let mut rows = Vec::with_capacity(bill.charges.len());
    for charge in &bill.charges {
        let tax = paper.taxes.class_of(&charge.vat_rate, charge.vat_reason.as_ref())?;
        rows.push((tax, amount_of(bill, &charge.amount, digits)?));
    }
    add_rows(&mut entry, &label, rows)?;
    let of_bill = |line: &LineDoc| LineDoc {
        session: Some(bill.session.clone()),
        charger: bill.charger.clone(),
        shown: shown(&line.amount, digits),
        ..line.clone()
    };
    entry.lines = bill.lines.iter().map(of_bill).collect();
    entry.payout_lines = bill.payout_lines.iter().map(of_bill).collect();
    entry.payouts = printed_payouts(paper, bill)?;
    Ok(entry)
}

// What a bill or correction books for the property.
fn printed_payouts(paper: &mut Paper<'_>, bill: &Document) -> Result<Vec<Payout>, MonthError> {
    let mut found = Vec::with_capacity(bill.payout_lines.len());
    for line in &bill.payout_lines {
        // The charge has the reason of an exemption, and the label that its limits' lines begin with.
        let charge = bill
            .payouts
            .iter()
            .find(|charge| charge.vat_rate == line.vat_rate && line.label.starts_with(&charge.label));
        let tax =
            paper.taxes.class_of(&line.vat_rate, charge.and_then(|charge| charge.vat_reason.as_ref()))?;
        let sum = exact(&line.amount).map_err(|message| bad_bill(bill, &message))?;
        let label = charge.map_or(&line.label, |charge| &charge.label).clone();
        found.push(Payout { label, tax, sum });
    }
    Ok(found)
}
