//! A bill as the document that outsiders read: names instead of indexes, strings instead of numbers.

use crate::bill::{Bill, ByLists, Pending, Row, Source, TaxRow};
use crate::calendar_time::local_text;
use crate::evaluate::Pricing;
use crate::exact::{Counted, print_decimal};
use crate::lists::{Charged, Lists, SessionBill};
use crate::prepared::{Prepared, hash_text};
use crate::prices::PriceBook;
use crate::running::Line;
use crate::session::Session;
use crate::standing::Standing;
use crate::tariff::{ChargeKind, Span, TaxClass, Who};
use crate::units::{Instant, MINUTE_MS};
use serde::de::{Deserializer, Error as _};
use serde::{Deserialize, Serialize};

/// A word of a fixed vocabulary: kinds of documents and charges, units.
pub type Word = &'static str;

// Every word that documents use.
const WORDS: &[Word] = &[
    // Kinds and states of documents.
    "bill",
    "preview",
    "correction",
    "statement",
    "payout",
    "report",
    "final",
    "running",
    "pending",
    // Rows.
    kind_text(ChargeKind::Energy),
    kind_text(ChargeKind::ChargingTime),
    kind_text(ChargeKind::ConnectedTime),
    kind_text(ChargeKind::ParkingTime),
    kind_text(ChargeKind::IdleFee),
    kind_text(ChargeKind::StartFee),
    kind_text(ChargeKind::ReservationFee),
    kind_text(ChargeKind::FeedIn),
    kind_text(ChargeKind::PaymentFee),
    kind_text(ChargeKind::PayoutToSite),
    kind_text(ChargeKind::FlatFee),
    "discount",
    "coupon",
    "limit",
    "session",
    "monthly fee",
    "one-off fee",
    "power fee",
    "site credit",
    "rounding",
    "other consumption",
    // Units.
    "kWh",
    "min",
    "h",
    "charger",
    "month",
    "kW",
];

fn word<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Word, D::Error> {
    let text = String::deserialize(deserializer)?;
    WORDS.iter().find(|word| **word == text).copied().ok_or_else(|| {
        D::Error::custom(format!("`{}` is not a word that documents use", crate::input::short(&text)))
    })
}

fn some_word<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Word>, D::Error> {
    word(deserializer).map(Some)
}

/// A bill, preview, correction, statement, payout or report.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Document {
    /// Unique for the session and revision.
    pub id: String,
    /// `bill`, `preview` or `correction`; of a month `statement`, `payout` or `report` (for information, nothing to pay).
    #[serde(deserialize_with = "word")]
    pub kind: Word,
    /// Counts up from 1.
    pub revision: u32,
    /// The bill that a correction corrects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub corrects: Option<String>,
    /// The session; none for a month's documents.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub session: String,
    /// The month, as in `2023-10`, of a month's documents.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub month: Option<String>,
    /// The site.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site: Option<String>,
    /// The charger.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub charger: Option<String>,
    /// Who charged: a key, never a name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub driver: Option<String>,
    /// Who pays, or gets the report, when that is not the driver.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payer: Option<String>,
    /// `final`, `running` or `pending`.
    #[serde(deserialize_with = "word")]
    pub status: Word,
    /// ISO 4217.
    pub currency: String,
    /// The sense of `amount`s.
    pub prices_include_vat: bool,
    /// Energy to the car.
    pub energy_kwh: String,
    /// Energy from the car, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exported_kwh: Option<String>,
    /// From plug-in.
    pub from: String,
    /// To unplugging; missing while it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Which tariff: that of plug-in.
    pub tariff: TariffRef,
    /// The lists that came into force while it ran and that it went over to, in order of time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tariff_changes: Vec<TariffChange>,
    /// Hashes of all it was made from.
    pub inputs: Inputs,
    /// Every slice and adjustment.
    pub lines: Vec<LineDoc>,
    /// What a person sees; adds up.
    pub charges: Vec<ChargeDoc>,
    /// Taxes.
    pub vat: Vec<VatDoc>,
    /// Without taxes.
    pub net: String,
    /// All taxes.
    pub vat_total: String,
    /// With taxes.
    pub total: String,
    /// Slices without a price.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pending: Vec<PendingDoc>,
    /// Booked for the property.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub payouts: Vec<ChargeDoc>,
    /// The slices behind `payouts`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub payout_lines: Vec<LineDoc>,
    /// What a person should know.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// Closing counters.
    pub standing: Standing,
}

/// Which tariff priced it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TariffRef {
    /// Title.
    pub name: String,
    /// File.
    pub file: String,
    /// Hash of the compiled form.
    pub version: String,
}

/// A list that took over from another one.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TariffChange {
    /// From then on, until the next one.
    pub from: String,
    /// Title.
    pub name: String,
    /// File.
    pub file: String,
    /// Hash of the compiled form.
    pub version: String,
}

/// Hashes of the inputs.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inputs {
    /// Of the session document.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub session: String,
    /// Of the month's input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub month: Option<String>,
    /// Of all price files.
    pub prices: String,
    /// Of the opening counters.
    pub standing: String,
}

/// One line.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LineDoc {
    /// The session, in a month's documents.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// The charger, in a month's documents.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub charger: Option<String>,
    /// Kind of charge, `discount`, `coupon` or `limit`.
    #[serde(deserialize_with = "word")]
    pub charge: Word,
    /// As printed.
    pub label: String,
    /// Start.
    pub from: String,
    /// End.
    pub to: String,
    /// How much.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantity: Option<String>,
    /// Of what.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "some_word")]
    pub unit: Option<Word>,
    /// At which price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit_price: Option<String>,
    /// Exact, to 12 places.
    pub amount: String,
    /// The amount as a report shows it: to a hundredth of the minor unit. In a month's documents.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shown: Option<String>,
    /// Percent; all taxes of the class together.
    pub vat_rate: String,
    /// `file:line` that decided.
    pub rule: String,
    /// By the list that is in force since then; missing: by that of plug-in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
}

/// One printed amount.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChargeDoc {
    /// Kind of charge, `discount`, `coupon` or `limit`; `session` and others in a month's documents.
    #[serde(deserialize_with = "word")]
    pub charge: Word,
    /// As printed.
    pub label: String,
    /// By the list that is in force since then; missing: by that of plug-in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// The session behind the row, in a month's documents.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// Who charged, where a document is about several drivers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub driver: Option<String>,
    /// Local day, in a month's documents.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub date: Option<String>,
    /// Printed.
    pub amount: String,
    /// What discounts and coupons left of the amount, where they changed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after_rebates: Option<String>,
    /// Percent; all taxes of the class together.
    pub vat_rate: String,
    /// Why there is no VAT.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vat_reason: Option<String>,
    /// What the amount consists of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<PartDoc>,
}

/// A part of a charge.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartDoc {
    /// Named price or feed.
    pub label: String,
    /// Printed.
    pub amount: String,
}

/// One tax.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VatDoc {
    /// `VAT` or the tax's own name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// Percent.
    pub rate: String,
    /// Base.
    pub net: String,
    /// Tax.
    pub vat: String,
}

/// A slice without a price.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PendingDoc {
    /// Kind of charge.
    #[serde(deserialize_with = "word")]
    pub charge: Word,
    /// As printed.
    pub label: String,
    /// Start.
    pub from: String,
    /// End.
    pub to: String,
}

/// The word for a kind of charge.
#[must_use]
pub const fn kind_text(kind: ChargeKind) -> &'static str {
    match kind {
        ChargeKind::Energy => "energy",
        ChargeKind::ChargingTime => "charging time",
        ChargeKind::ConnectedTime => "connected time",
        ChargeKind::ParkingTime => "parking time",
        ChargeKind::IdleFee => "idle fee",
        ChargeKind::StartFee => "start fee",
        ChargeKind::ReservationFee => "reservation fee",
        ChargeKind::FeedIn => "feed-in",
        ChargeKind::PaymentFee => "payment fee",
        ChargeKind::PayoutToSite => "payout to site",
        ChargeKind::FlatFee => "flat fee",
    }
}

/// Minor units as printed.
#[must_use]
pub fn money(amount: i64, digits: u8) -> String {
    print_decimal(i128::from(amount), u32::from(digits), false)
}

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

/// Hashes of a bill's inputs: `session` is the session document as received.
#[must_use]
pub fn inputs(pricing: &Pricing<'_>, session: &[u8], standing: &Standing) -> Inputs {
    let prices = pricing.files.map(PriceBook::fingerprint).unwrap_or_default();
    Inputs {
        session: hash_text(session),
        month: None,
        prices: hash_text(prices.as_bytes()),
        standing: hash_text(serde_json::to_string(standing).unwrap_or_default().as_bytes()),
    }
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
