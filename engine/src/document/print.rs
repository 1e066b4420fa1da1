//! How bills become documents: of one list, and of those that a session went over to.

use super::{
    ChargeDoc, Document, Inputs, LineDoc, PartDoc, PendingDoc, TariffChange, TariffRef, VatDoc, kind_text,
    money,
};
use crate::bill::{Bill, ByLists, Pending, Row, Source, TaxRow};
use crate::calendar_time::local_text;
use crate::evaluate::Pricing;
use crate::exact::{Counted, print_decimal};
use crate::lists::{Charged, Lists, SessionBill};
use crate::prepared::{Prepared, hash_text};
use crate::running::Line;
use crate::session::Session;
use crate::standing::Standing;
use crate::tariff::{Span, TaxClass, Who};
use crate::units::{Instant, MINUTE_MS};

struct Printer<'a> {
    p: &'a Prepared,
    digits: u8,
    since: Option<String>,
}

impl Printer<'_> {
    fn names(&self, source: Source) -> (&'static str, String) {
        let tariff = &self.p.tariff;
        let charge = |index: u16| {
            tariff
                .charges
                .get(usize::from(index))
                .map_or(("", String::new()), |c| (kind_text(c.kind), c.label.clone()))
        };
        let limit_text = |limit: &crate::tariff::Limit| {
            let mut amount = limit.amount.normalize();
            if amount.scale() < u32::from(self.digits) {
                amount.rescale(u32::from(self.digits));
            }
            let span = match limit.span {
                Span::Session => "session",
                Span::Day => "day",
                Span::Month => "month",
                Span::Bill => "bill",
            };
            let who = match limit.who {
                Who::Session => "",
                Who::Driver => " per driver",
                Who::Site => " per site",
            };
            let bound = if limit.floor { "at least" } else { "at most" };
            format!("{bound} {amount} {}/{span}{who}", tariff.currency.code)
        };
        match source {
            Source::Charge(index) => charge(index),
            Source::Step(index) => {
                let (kind, label) = charge(index);
                (kind, format!("{label}, up to the full step"))
            }
            Source::Limit(index, limit) => {
                let (kind, label) = charge(index);
                let limit =
                    tariff.charges.get(usize::from(index)).and_then(|c| c.limits.get(usize::from(limit)));
                (kind, limit.map_or(label.clone(), |limit| format!("{label}, {}", limit_text(limit))))
            }
            Source::Discount(index) => (
                "discount",
                tariff.discounts.get(usize::from(index)).map_or_else(String::new, |d| d.label.clone()),
            ),
            Source::Coupon(index) => {
                let code = tariff.coupons.get(usize::from(index)).map_or("", |coupon| coupon.code.as_str());
                ("coupon", if code.is_empty() { "Coupon".into() } else { format!("Coupon {code}") })
            }
            Source::TotalLimit(index) => {
                let limit = tariff.total_limits.get(usize::from(index));
                ("limit", limit.map_or_else(String::new, |limit| format!("Total {}", limit_text(limit))))
            }
        }
    }

    fn rate(&self, class: u32) -> String {
        let factor = self.p.tax_factors.get(class as usize).map_or(crate::exact::Num::ONE, |tax| tax.factor);
        let percent = factor
            .sub(crate::exact::Num::ONE)
            .and_then(|share| share.mul(crate::exact::Num::new(100, 0)))
            .unwrap_or(crate::exact::Num::ZERO);
        percent.to_plain()
    }

    fn time(&self, t: i64) -> String {
        local_text(&self.p.tariff.zone, Instant(t))
    }

    fn line(&self, line: &Line) -> LineDoc {
        let (charge, label) = self.names(line.source);
        let negative = charge == "feed-in";
        let (quantity, unit, unit_price) = match line.price {
            None => (None, None, None),
            Some(price) => {
                let quantity = line.quantity;
                let (text, unit) = match line.counted {
                    Counted::Energy => (print_decimal(i128::from(quantity), 6, true), "kWh"),
                    Counted::Minutes => (ratio(quantity, MINUTE_MS), "min"),
                    Counted::Hours => (ratio(quantity, 60 * MINUTE_MS), "h"),
                    Counted::Pieces => {
                        (quantity.to_string(), if charge == "payment fee" { "bill" } else { "session" })
                    }
                };
                let price = if negative { price.negated().unwrap_or(price) } else { price };
                (Some(text), Some(unit), Some(price.to_plain()))
            }
        };
        LineDoc {
            session: None,
            charger: None,
            charge,
            label,
            from: self.time(line.from),
            to: self.time(line.to),
            quantity,
            unit,
            unit_price,
            amount: line.amount.print12(),
            shown: None,
            vat_rate: self.rate(line.tax),
            rule: self.p.place(line.rule),
            since: self.since.clone(),
        }
    }

    fn row(&self, row: &Row) -> ChargeDoc {
        let (charge, label) = self.names(row.source);
        let part_label = |index: u32| match self.p.part_labels.get(index as usize) {
            Some(label) => label.clone(),
            None => label.clone(),
        };
        ChargeDoc {
            charge,
            since: self.since.clone(),
            session: None,
            driver: None,
            date: None,
            amount: money(row.amount, self.digits),
            after_rebates: None,
            vat_rate: self.rate(row.tax),
            vat_reason: self
                .p
                .tariff
                .tax_classes
                .get(row.tax as usize)
                .and_then(|class| class.reason.clone()),
            parts: row
                .parts
                .iter()
                .map(|(part, amount)| PartDoc {
                    label: part_label(*part),
                    amount: money(*amount, self.digits),
                })
                .collect(),
            label,
        }
    }
}

// milliseconds as minutes or hours, to six places.
fn ratio(ms: i64, unit: i64) -> String {
    print_decimal(crate::exact::div_half_away(i128::from(ms) * 1_000_000, i128::from(unit)), 6, true)
}

impl Printer<'_> {
    // A row with what `left` says that rebates left of it.
    fn row_after(&self, row: &Row, left: impl Fn(u16, u32) -> Option<i64>) -> ChargeDoc {
        let mut printed = self.row(row);
        if let Source::Charge(index) = row.source
            && let Some(left) = left(index, row.tax)
            && left != row.amount
        {
            printed.after_rebates = Some(money(left, self.digits));
        }
        printed
    }

    fn pending(&self, slice: &Pending) -> PendingDoc {
        let (charge, label) = self.names(Source::Charge(slice.charge));
        PendingDoc { charge, label, from: self.time(slice.from.0), to: self.time(slice.to.0) }
    }
}

// A tax row as printed; `classes` are those that it indexes.
fn printed_tax(classes: &[TaxClass], row: &TaxRow, digits: u8) -> VatDoc {
    let class = classes.get(row.class as usize);
    let tax = class.and_then(|class| class.taxes.get(row.tax as usize));
    VatDoc {
        label: tax.map(|tax| tax.label.clone()).filter(|label| label != "VAT"),
        rate: tax.map_or_else(String::new, |tax| tax.rate.normalize().to_string()),
        net: money(row.base, digits),
        vat: money(row.amount, digits),
    }
}

// What bills of one list and of several print alike.
struct Frame<'a> {
    p: &'a Prepared,
    changes: Vec<TariffChange>,
    ended: bool,
    energy: (i64, i64),
    net: i64,
    total: i64,
    notes: &'a [String],
    standing: &'a Standing,
}

// What they charge.
#[derive(Default)]
struct Printed {
    lines: Vec<LineDoc>,
    charges: Vec<ChargeDoc>,
    vat: Vec<VatDoc>,
    pending: Vec<PendingDoc>,
    payouts: Vec<ChargeDoc>,
    payout_lines: Vec<LineDoc>,
}

impl Frame<'_> {
    fn document(self, printed: Printed, session: &Session, inputs: Inputs) -> Document {
        let Self { p, changes, ended, energy, net, total, notes, standing } = self;
        let Printed { lines, charges, vat, pending, payouts, payout_lines } = printed;
        let tariff = &p.tariff;
        let digits = tariff.currency.digits;
        let (kind, status) = match (ended, pending.is_empty()) {
            (false, _) => ("preview", "running"),
            (true, false) => ("preview", "pending"),
            (true, true) => ("bill", "final"),
        };
        let mut identity = format!(
            "{}\n{}\n{}\n{}\n{}",
            session.id,
            p.version(),
            inputs.session,
            inputs.prices,
            inputs.standing
        );
        for change in &changes {
            identity.push_str(&format!("\n{}\n{}", change.from, change.version));
        }
        let hash = hash_text(identity.as_bytes());
        let (_, short) = hash.split_at("sha256:".len());
        let time = |at: Instant| local_text(&tariff.zone, at);
        Document {
            id: short.chars().take(16).collect(),
            kind,
            revision: 1,
            corrects: None,
            session: session.id.clone(),
            month: None,
            site: session.facts.site.clone(),
            charger: session.facts.charger.clone(),
            driver: session.facts.driver.clone(),
            payer: None,
            status,
            currency: tariff.currency.code.clone(),
            prices_include_vat: tariff.includes_vat,
            energy_kwh: print_decimal(i128::from(energy.0), 6, true),
            exported_kwh: (energy.1 != 0).then(|| print_decimal(i128::from(energy.1), 6, true)),
            from: time(session.plugged_in),
            to: session.unplugged.map(time),
            tariff: TariffRef {
                name: tariff.name.clone(),
                file: tariff.file.clone(),
                version: p.version().to_owned(),
            },
            tariff_changes: changes,
            inputs,
            lines,
            charges,
            vat,
            net: money(net, digits),
            vat_total: money(total - net, digits),
            total: money(total, digits),
            pending,
            payouts,
            payout_lines,
            notes: notes.to_vec(),
            standing: standing.clone(),
        }
    }
}

impl Bill {
    /// The document of this bill.
    #[must_use]
    pub fn document(&self, pricing: &Pricing<'_>, session: &Session, inputs: Inputs) -> Document {
        let p = pricing.p;
        let digits = p.tariff.currency.digits;
        let printer = Printer { p, digits, since: None };
        let left = |index, tax| self.left_of(index, tax);
        let printed = Printed {
            lines: self.lines.iter().map(|line| printer.line(line)).collect(),
            charges: self.rows.iter().map(|row| printer.row_after(row, left)).collect(),
            vat: self.taxes.iter().map(|row| printed_tax(&p.tariff.tax_classes, row, digits)).collect(),
            pending: self.pending.iter().map(|slice| printer.pending(slice)).collect(),
            payouts: self.payouts.iter().map(|row| printer.row(row)).collect(),
            payout_lines: self.payout_lines.iter().map(|line| printer.line(line)).collect(),
        };
        let Self { ended, energy, net, total, notes, standing, .. } = self;
        let (changes, energy) = (Vec::new(), *energy);
        let frame = Frame { p, changes, ended: *ended, energy, net: *net, total: *total, notes, standing };
        frame.document(printed, session, inputs)
    }
}

impl SessionBill {
    /// The document of this bill; `lists` are those that it was made with.
    #[must_use]
    pub fn document(&self, lists: &Lists<'_>, session: &Session, inputs: Inputs) -> Document {
        let bill = match &self.bill {
            Charged::One(bill) => return bill.document(lists.first(), session, inputs),
            Charged::Several(bill) => bill,
        };
        let lists = lists.begun(session.unplugged);
        let p = lists.first().p;
        let digits = p.tariff.currency.digits;
        let time = |at: Instant| local_text(&p.tariff.zone, at);
        let since = lists.later().iter().map(|(from, _)| Some(time(*from)));
        let mut printed = Printed::default();
        for ((pricing, since), part) in lists.each().zip(std::iter::once(None).chain(since)).zip(&bill.parts)
        {
            let printer = Printer { p: pricing.p, digits, since };
            let left = |index, tax| part.left_of(index, tax);
            printed.lines.extend(part.lines.iter().map(|line| printer.line(line)));
            printed.charges.extend(part.rows.iter().map(|row| printer.row_after(row, left)));
            printed.pending.extend(part.pending.iter().map(|slice| printer.pending(slice)));
            printed.payouts.extend(part.payouts.iter().map(|row| printer.row(row)));
            printed.payout_lines.extend(part.payout_lines.iter().map(|line| printer.line(line)));
        }
        printed.vat = bill.taxes.iter().map(|row| printed_tax(&bill.classes, row, digits)).collect();
        let change = |(from, pricing): &(Instant, &Pricing<'_>)| TariffChange {
            from: time(*from),
            name: pricing.p.tariff.name.clone(),
            file: pricing.p.tariff.file.clone(),
            version: pricing.p.version().to_owned(),
        };
        let changes = lists.later().iter().map(change).collect();
        let ByLists { energy, net, total, notes, standing, .. } = &**bill;
        let (ended, energy) = (self.ended, *energy);
        let frame = Frame { p, changes, ended, energy, net: *net, total: *total, notes, standing };
        frame.document(printed, session, inputs)
    }
}
