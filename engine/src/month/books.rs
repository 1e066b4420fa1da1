//! Who pays what: entries and charges given to parties, and the check that nothing got lost on the way.

use super::charges::{Asked, Charged, needs_hours, per_charger};
use super::cost::Plant;
use super::error::MonthError;
use super::input::MonthStanding;
use super::meters::{Hour, micro_text};
use super::sessions::Entry;
use super::statement::{Draft, Head, Paper, Row, add_sum, minor, print_once};
use super::{MonthStatements, Totals};
use crate::calendar_time::start_of_day;
use crate::document::{Document, Word, money};
use crate::exact::{Exact, Overflow};
use crate::session::Facts;
use crate::share;
use crate::standing::Standing;
use crate::tariff::{ChargeKind, MonthCharge, MonthWhat, NodeId, Tariff};
use std::collections::{BTreeMap, BTreeSet};

/// Who pays.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Party {
    Driver(String),
    Payer(String),
    Site,
}

/// Everything that is settled, by who pays.
pub(crate) struct Books<'a> {
    paper: Paper<'a>,
    drafts: BTreeMap<Party, Draft>,
    // By driver and payer or reader.
    reports: BTreeMap<(Option<String>, Option<String>), Draft>,
    // Minor units of everything that is settled, counted before it is given to parties.
    whole: i64,
    // About the site, and on several statements.
    site_notes: Vec<String>,
}

impl<'a> Books<'a> {
    pub fn new(paper: Paper<'a>) -> Self {
        let drafts = BTreeMap::from([(Party::Site, Draft::default())]);
        Self { paper, drafts, reports: BTreeMap::new(), whole: 0, site_notes: Vec::new() }
    }

    fn draft(&mut self, party: &Party) -> &mut Draft {
        self.drafts.entry(party.clone()).or_default()
    }

    fn count(&mut self, amount: i64) -> Result<(), Overflow> {
        self.whole = self.whole.checked_add(amount).ok_or(Overflow)?;
        Ok(())
    }

    fn party_of(&self, driver: &str) -> Party {
        match self.paper.input.payers.get(driver) {
            Some(payer) => Party::Payer(payer.clone()),
            None => Party::Driver(driver.to_owned()),
        }
    }

    // Gives an entry to who pays, and to who only reads.
    pub fn post(&mut self, entry: &Entry) -> Result<(), MonthError> {
        let Some(driver) = &entry.facts.driver else {
            // Settled by itself when it ended; there is nobody to send a statement to.
            return add_entry(self.reports.entry((None, None)).or_default(), entry, true);
        };
        let party = self.party_of(driver);
        for (_, _, amount) in &entry.rows {
            self.count(*amount)?;
        }
        let names_driver = matches!(party, Party::Payer(_));
        add_entry(self.draft(&party), entry, names_driver)?;
        if let Party::Payer(payer) = party {
            let key = (Some(driver.clone()), Some(payer));
            add_entry(self.reports.entry(key).or_default(), entry, false)?;
        }
        if let Some(reader) = self.paper.input.reports.get(driver) {
            let key = (None, Some(reader.clone()));
            add_entry(self.reports.entry(key).or_default(), entry, true)?;
        }
        Ok(())
    }

    fn site_facts(&self) -> Facts {
        Facts { site: Some(self.paper.input.site.clone()), ..Facts::default() }
    }

    // Makes all cost parts and the owner's rest add up to the plant's cost.
    pub fn share_cost(&mut self, plant: &Plant, entries: &[Entry]) -> Result<(), MonthError> {
        let mut energy = 0_i64;
        let mut parts: BTreeMap<Party, (Exact, i64)> = BTreeMap::new();
        let mut cost = plant.cost;
        for entry in entries {
            energy = energy.checked_add(entry.energy.0).ok_or(Overflow)?;
            match &entry.facts.driver {
                // Paid already as printed.
                None => cost = cost.checked_sub(entry.cost.printed).ok_or(Overflow)?,
                Some(driver) => {
                    let (exact, printed) = parts.entry(self.party_of(driver)).or_default();
                    *exact = exact.add(entry.cost.exact)?;
                    *printed = printed.checked_add(entry.cost.printed).ok_or(Overflow)?;
                }
            }
        }
        plant.check(energy)?;
        let mut rest = Exact::from_minor(cost, self.paper.digits)?;
        let mut weights = Vec::with_capacity(parts.len() + 1);
        for (exact, printed) in parts.values() {
            rest = rest.sub(*exact)?;
            weights.push(*exact);
            self.count(-printed)?;
        }
        weights.push(rest);
        self.count(cost)?;
        let shares = share::by_exact(cost, &weights, self.paper.digits)?;
        let charges = &self.paper.pricing.p.tariff.charges;
        let energy_charge = charges.iter().find(|charge| charge.kind == ChargeKind::Energy);
        let (tax, rule) = match energy_charge {
            Some(charge) => (self.paper.tax_of_site(charge.tax, &self.site_facts())?, charge.rule),
            None => (0, 0),
        };
        let mut shares = shares.into_iter();
        for ((party, (_, printed)), share) in parts.iter().zip(shares.by_ref()) {
            let difference = share.checked_sub(*printed).ok_or(Overflow)?;
            if difference != 0 {
                let row = Row::plain("rounding", "Rounding to the plant's cost", tax, difference);
                self.draft(party).rows.push(row);
            }
        }
        let other = plant.energy - energy;
        let owner = shares.next().unwrap_or_default();
        if owner != 0 || other != 0 {
            let label = "Other consumption";
            let when = (self.paper.stretch.from, self.paper.stretch.to);
            let counted = Some((micro_text(other), "kWh", plant.per_kwh));
            let line = self.paper.line("other consumption", label, when, counted, rest, (tax, rule));
            let draft = self.draft(&Party::Site);
            draft.rows.push(Row::plain("other consumption", label, tax, owner));
            draft.lines.push(line);
        }
        Ok(())
    }

    pub fn month_charges(&mut self, plant: Option<&Plant>, entries: &[Entry]) -> Result<(), MonthError> {
        let tariff: &'a Tariff = &self.paper.pricing.p.tariff;
        let input = self.paper.input;
        let mut chargers = BTreeSet::new();
        if let Some(twice) = input.chargers.iter().find(|charger| !chargers.insert(charger.id.as_str())) {
            let what = format!("charger {} is there twice", twice.id);
            return Err(MonthError::input(what, "keep one of them"));
        }
        let mut hours: Option<Vec<Hour>> = None;
        let facts = self.site_facts();
        for charge in &tariff.month {
            if needs_hours(&charge.what) && hours.is_none() {
                let needed_for = format!("`{}`", charge.label);
                hours = Some(self.paper.stretch.hours(&input.meters, &needed_for)?);
            }
            let hours = hours.as_deref().unwrap_or_default();
            let (word, charged) = match charge.what {
                MonthWhat::Monthly(root) => {
                    self.fees(charge, root, "monthly fee", entries)?;
                    continue;
                }
                MonthWhat::OneOff(root) => {
                    self.fees(charge, root, "one-off fee", entries)?;
                    continue;
                }
                MonthWhat::Power { hours: count, on_different_days, root } => {
                    let which = (count, on_different_days);
                    ("power fee", self.paper.power(charge, root, hours, which, &facts)?)
                }
                MonthWhat::SiteCredit { first, root } => {
                    ("site credit", self.paper.credit(charge, root, hours, first, &facts)?)
                }
            };
            self.of_the_site(charge, word, charged, plant)?;
        }
        Ok(())
    }

    // Fees per charger, or once per party.
    fn fees(
        &mut self,
        charge: &MonthCharge,
        root: NodeId,
        word: Word,
        entries: &[Entry],
    ) -> Result<(), MonthError> {
        let input = self.paper.input;
        let (first, next) = input.month.days();
        let last = self.paper.stretch.last();
        let mut charged: BTreeMap<Party, Charged> = BTreeMap::new();
        // What a driver's sessions and chargers say about him.
        let mut drivers: BTreeMap<&str, Facts> = BTreeMap::new();
        for charger in &input.chargers {
            if let Some(driver) = &charger.driver {
                let known = drivers.entry(driver).or_insert_with(|| Facts {
                    driver: Some(driver.clone()),
                    groups: charger.groups.clone(),
                    ..self.site_facts()
                });
                known.site.get_or_insert_with(|| input.site.clone());
            }
        }
        for entry in entries {
            if let Some(driver) = &entry.facts.driver
                && (entry.from_session || !drivers.contains_key(driver.as_str()))
            {
                drivers.insert(driver, entry.facts.clone());
            }
        }
        let one_off = matches!(charge.what, MonthWhat::OneOff(_));
        if one_off || per_charger(&self.paper, root) {
            for charger in &input.chargers {
                let day = charger.installed;
                let due = if one_off {
                    day.is_some_and(|day| (first..next).contains(&day))
                } else {
                    day.is_none_or(|day| day < next)
                };
                if !due {
                    continue;
                }
                let mut facts = charger
                    .driver
                    .as_ref()
                    .and_then(|driver| drivers.get(driver.as_str()))
                    .cloned()
                    .unwrap_or_else(|| self.site_facts());
                facts.charger = Some(charger.id.clone());
                let party = match &charger.driver {
                    Some(driver) if !charge.paid_by_site => self.party_of(driver),
                    _ => Party::Site,
                };
                let at = match day {
                    Some(day) if one_off => start_of_day(self.paper.stretch.zone, day),
                    _ => last,
                };
                let into = charged.entry(party).or_default();
                let before = into.lines.len();
                let plan = charger.plan.as_deref();
                self.paper.fee(word, &Asked::of(charge, root, &facts, plan, at), Some(&charger.id), into)?;
                if !charge.paid_by_site && charger.driver.is_none() && into.lines.len() > before {
                    let note =
                        format!("{}: charger {} has no driver, so the site pays", charge.label, charger.id);
                    into.notes.push(note);
                }
            }
        } else if charge.paid_by_site {
            let into = charged.entry(Party::Site).or_default();
            self.paper.fee(word, &Asked::of(charge, root, &self.site_facts(), None, last), None, into)?;
        } else {
            for (driver, facts) in &drivers {
                let into = charged.entry(self.party_of(driver)).or_default();
                self.paper.fee(word, &Asked::of(charge, root, facts, None, last), None, into)?;
            }
        }
        for (party, charged) in charged {
            self.give(&party, word, charge, charged)?;
        }
        Ok(())
    }

    fn give(
        &mut self,
        party: &Party,
        word: Word,
        charge: &MonthCharge,
        mut charged: Charged,
    ) -> Result<(), MonthError> {
        let rows = self.paper.rows(word, &charge.label, &charge.limits, &mut charged)?;
        for row in &rows {
            self.count(row.amount)?;
        }
        let draft = self.draft(party);
        draft.rows.extend(rows);
        draft.lines.extend(charged.lines);
        draft.notes.extend(charged.notes);
        Ok(())
    }

    // A charge or credit of the whole site: on its statement, or shared by energy.
    fn of_the_site(
        &mut self,
        charge: &MonthCharge,
        word: Word,
        mut charged: Charged,
        plant: Option<&Plant>,
    ) -> Result<(), MonthError> {
        let takers = self.drafts.iter().filter(|(party, draft)| **party != Party::Site && draft.energy > 0);
        let mut weights: Vec<(Party, i64)> =
            takers.map(|(party, draft)| (party.clone(), draft.energy)).collect();
        if charge.paid_by_site || weights.is_empty() {
            return self.give(&Party::Site, word, charge, charged);
        }
        if let Some(plant) = plant {
            // The owner takes his part of the plant, and of what it is charged and credited with.
            let mut shared = self.drafts.values().chain(self.reports.get(&(None, None)));
            let shared = shared.try_fold(0_i64, |sum, draft| sum.checked_add(draft.energy));
            weights.push((Party::Site, plant.energy - shared.ok_or(Overflow)?));
        }
        let rows = self.paper.rows(word, &charge.label, &charge.limits, &mut charged)?;
        if weights.len() > 1 && !rows.is_empty() {
            self.site_notes.extend(charged.notes.iter().cloned());
        }
        let shares: Vec<i64> = weights.iter().map(|(_, energy)| *energy).collect();
        let when = (self.paper.stretch.from, self.paper.stretch.to);
        let digits = self.paper.digits;
        for row in rows {
            self.count(row.amount)?;
            let whole = money(row.amount, digits);
            for ((party, energy), amount) in weights.iter().zip(share::in_proportion(row.amount, &shares)?) {
                let exact = Exact::from_minor(amount, digits)?;
                let line = self.paper.line(word, &charge.label, when, None, exact, (row.tax, charge.rule));
                let draft = self.draft(party);
                for note in &charged.notes {
                    // Once, also where the charge is taxed in several ways.
                    if !draft.notes.contains(note) {
                        draft.notes.push(note.clone());
                    }
                }
                let note = format!(
                    "{}: {whole} of the site, shared by energy ({} kWh here)",
                    charge.label,
                    micro_text(*energy)
                );
                draft.notes.push(note);
                draft.rows.push(Row { amount, ..row.clone() });
                draft.lines.push(line);
            }
        }
        Ok(())
    }

    // One per statement that has sessions, unless a bill on it has one already.
    pub fn payment_fees(&mut self) -> Result<(), MonthError> {
        let tariff: &'a Tariff = &self.paper.pricing.p.tariff;
        for charge in tariff.charges.iter().filter(|charge| charge.kind == ChargeKind::PaymentFee) {
            let due = self.drafts.iter().filter(|(party, draft)| {
                **party != Party::Site && draft.sessions > 0 && !draft.has_payment_fee
            });
            let due: Vec<(Party, Facts)> =
                due.map(|(party, draft)| (party.clone(), draft.facts.clone())).collect();
            let mut of_site = Charged::default();
            for (party, facts) in due {
                let asked = Asked {
                    label: &charge.label,
                    root: charge.root,
                    tax: charge.tax,
                    facts: &facts,
                    plan: None,
                    at: self.paper.stretch.last(),
                    power: 0,
                    energy: 0,
                };
                if charge.paid_by_site {
                    self.paper.fee("payment fee", &asked, None, &mut of_site)?;
                    continue;
                }
                let mut charged = Charged::default();
                self.paper.fee("payment fee", &asked, None, &mut charged)?;
                self.add_fee(&party, &charge.label, charged)?;
            }
            self.add_fee(&Party::Site, &charge.label, of_site)?;
        }
        Ok(())
    }

    fn add_fee(&mut self, party: &Party, label: &str, mut charged: Charged) -> Result<(), MonthError> {
        let rows = self.paper.rows("payment fee", label, &[], &mut charged)?;
        for row in &rows {
            self.count(row.amount)?;
        }
        let draft = self.draft(party);
        draft.rows.extend(rows);
        draft.lines.extend(charged.lines);
        Ok(())
    }

    // What the property gets back: exact sums over all sessions, each charge rounded once.
    pub fn payout(&self, entries: &[Entry]) -> Result<Option<Document>, MonthError> {
        let charges = &self.paper.pricing.p.tariff.charges;
        let in_tariff = charges.iter().any(|charge| charge.kind == ChargeKind::PayoutToSite);
        if !in_tariff && entries.iter().all(|entry| entry.payouts.is_empty()) {
            return Ok(None);
        }
        let mut labels: Vec<(&str, Vec<(u32, Exact)>)> = Vec::new();
        let mut draft = Draft::default();
        for entry in entries {
            for payout in &entry.payouts {
                match labels.iter_mut().find(|(label, _)| *label == payout.label) {
                    Some((_, sums)) => add_sum(sums, payout.tax, payout.sum)?,
                    None => labels.push((&payout.label, vec![(payout.tax, payout.sum)])),
                }
            }
            if !entry.payout_lines.is_empty() {
                draft.energy = draft.energy.checked_add(entry.energy.0).ok_or(Overflow)?;
            }
            draft.lines.extend(entry.payout_lines.iter().cloned());
        }
        for (label, sums) in labels {
            let printed = print_once(&sums, self.paper.digits)?;
            let rows =
                printed.into_iter().map(|(tax, amount)| Row::plain("payout to site", label, tax, amount));
            draft.rows.extend(rows);
        }
        let head = Head { kind: "payout", ..Head::default() };
        self.paper.document(head, draft).map(Some)
    }

    pub fn finish(
        self,
        standing: MonthStanding,
        payout: Option<Document>,
        entries: &[Entry],
    ) -> Result<MonthStatements, MonthError> {
        let Self { paper, drafts, reports, whole, site_notes } = self;
        let rows = drafts.values().flat_map(|draft| &draft.rows);
        let given = rows.map(|row| row.amount).try_fold(0_i64, i64::checked_add).ok_or(Overflow)?;
        if given != whole {
            return Err(MonthError::DoesNotAddUp { statements: given, whole });
        }
        let mut statements = Vec::with_capacity(drafts.len() + reports.len() + 1);
        let (mut net, mut total) = (0_i64, 0_i64);
        let read = |text: &str| minor(text, paper.digits).map_err(|_| Overflow);
        for (party, draft) in drafts {
            let (driver, payer, standing) = match party {
                Party::Driver(driver) => {
                    let own = standing.drivers.get(&driver).cloned().unwrap_or_default();
                    (Some(driver), None, own)
                }
                Party::Payer(payer) => (None, Some(payer), Standing::default()),
                Party::Site => (None, None, standing.site.clone()),
            };
            let document = paper.document(Head { kind: "statement", driver, payer, standing }, draft)?;
            net = net.checked_add(read(&document.net)?).ok_or(Overflow)?;
            total = total.checked_add(read(&document.total)?).ok_or(Overflow)?;
            statements.push(document);
        }
        let payout_total = payout.as_ref().map(|payout| payout.total.clone());
        statements.extend(payout);
        for ((driver, payer), draft) in reports {
            let head = Head { kind: "report", driver, payer, standing: Standing::default() };
            statements.push(paper.document(head, draft)?);
        }
        let energy = entries.iter().map(|entry| entry.energy.0).try_fold(0_i64, i64::checked_add);
        Ok(MonthStatements {
            site: paper.input.site.clone(),
            month: paper.input.month.to_string(),
            statements,
            totals: Totals {
                energy_kwh: micro_text(energy.ok_or(Overflow)?),
                net: money(net, paper.digits),
                vat_total: money(total.checked_sub(net).ok_or(Overflow)?, paper.digits),
                total: money(total, paper.digits),
                payout: payout_total,
            },
            site_notes,
            standing,
        })
    }
}

fn add_entry(draft: &mut Draft, entry: &Entry, names_driver: bool) -> Result<(), MonthError> {
    for (label, tax, amount) in &entry.rows {
        draft.rows.push(Row {
            session: Some(entry.session.clone()),
            driver: entry.facts.driver.clone().filter(|_| names_driver),
            date: Some(entry.date.clone()),
            ..Row::plain("session", label, *tax, *amount)
        });
    }
    draft.lines.extend(entry.lines.iter().cloned());
    draft.energy = draft.energy.checked_add(entry.energy.0).ok_or(Overflow)?;
    draft.exported = draft.exported.checked_add(entry.energy.1).ok_or(Overflow)?;
    draft.sessions += 1;
    draft.has_payment_fee |= entry.has_payment_fee;
    if entry.from_session || draft.sessions == 1 {
        draft.facts = entry.facts.clone();
    }
    Ok(())
}
