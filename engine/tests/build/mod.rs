//! Compiled tariffs by hand, and sessions as JSON: no compiler is needed to test the engine.
#![allow(dead_code, reason = "each test file uses its part")]

use rust_decimal::Decimal;
use std::str::FromStr;
use takst_engine::document::{Document, Inputs};
use takst_engine::month::{MonthError, MonthInput, MonthStatements, month};
use takst_engine::tariff::*;
use takst_engine::units::{Currency, Instant};
use takst_engine::{Prepared, PriceBook, Pricing, Session, Standing, price_with};

pub fn dec(text: &str) -> Decimal {
    Decimal::from_str(text).unwrap()
}

pub fn instant(text: &str) -> Instant {
    takst_engine::input::instant(text).unwrap()
}

pub fn constant(text: &str) -> Formula {
    Formula::Const(dec(text))
}

pub fn spot() -> Formula {
    Formula::Feed { feed: 0, mean: Mean::Now }
}

pub fn plus(a: Formula, b: Formula) -> Formula {
    Formula::Add(Box::new(a), Box::new(b))
}

pub fn rounded(a: Formula, step: &str) -> Formula {
    Formula::Round(Box::new(a), dec(step))
}

/// A list in the making: 25 % VAT (node 0), Oslo time.
pub struct List(pub Tariff);

impl List {
    pub fn new(currency: &str, includes_vat: bool) -> Self {
        let changes = [("2023-03-26T01:00:00Z", 7_200), ("2023-10-29T01:00:00Z", 3_600)];
        let tariff = Tariff {
            format: IR_VERSION,
            name: "Test".into(),
            file: "test.tariff".into(),
            notes: Vec::new(),
            currency: Currency { code: currency.into(), digits: 2 },
            zone: Zone {
                name: "Europe/Oslo".into(),
                first_offset_s: 3_600,
                changes: changes.map(|(at, offset)| (instant(at), offset)).to_vec(),
            },
            includes_vat,
            valid_from: None,
            valid_until: None,
            running_sessions_change: false,
            bills_monthly: false,
            hold: None,
            line_step_min: None,
            groups: Vec::new(),
            default_group: None,
            places: Vec::new(),
            tests: Vec::new(),
            measures: Vec::new(),
            days: Days::default(),
            feeds: vec![Feed {
                name: "spot".into(),
                area: None,
                unit: format!("{currency}/kWh"),
                money_per_kwh: true,
                includes_vat: None,
                holds: false,
            }],
            nodes: Vec::new(),
            leaves: Vec::new(),
            values: Vec::new(),
            charges: Vec::new(),
            total_limits: Vec::new(),
            discounts: Vec::new(),
            coupons: Vec::new(),
            coupon_scope: Vec::new(),
            tax_classes: Vec::new(),
            default_tax: 0,
            month: Vec::new(),
            rules: vec![Rule { source: 0, line: 1 }],
            sources: vec![Source { file: "test.tariff".into(), text: "tariff \"Test\"\n".into() }],
        };
        let mut list = Self(tariff);
        list.vat("25");
        list
    }

    /// Time of Helsinki and VAT of 24 %.
    pub fn finnish(includes_vat: bool) -> Self {
        let mut list = Self::new("EUR", includes_vat);
        list.0.zone.first_offset_s += 3_600;
        list.0.zone.changes.iter_mut().for_each(|(_, offset)| *offset += 3_600);
        list.0.tax_classes[0].taxes[0].rate = dec("24");
        list
    }

    pub fn leaf(&mut self, outcome: Outcome) -> NodeId {
        self.0.leaves.push(Leaf { rule: 0, outcome });
        self.node(Node::Leaf(self.0.leaves.len() as u32 - 1))
    }

    pub fn node(&mut self, node: Node) -> NodeId {
        self.0.nodes.push(node);
        self.0.nodes.len() as u32 - 1
    }

    pub fn price(&mut self, per: Per, formula: Formula) -> NodeId {
        self.leaf(Outcome::Price(Price { per, formula, parts: Vec::new(), step: None }))
    }

    pub fn free(&mut self) -> NodeId {
        self.leaf(Outcome::Free)
    }

    /// `yes` where the test holds, else `no`.
    pub fn when(&mut self, test: Test, yes: NodeId, no: NodeId) -> NodeId {
        self.0.tests.push(test);
        let test = self.0.tests.len() as u32 - 1;
        self.node(Node::Fact { test, yes, no })
    }

    /// A further VAT rate; the node that ends in it.
    pub fn vat(&mut self, rate: &str) -> NodeId {
        let tax = Tax { label: "VAT".into(), rate: dec(rate), on_top_of: Vec::new(), rule: 0 };
        self.0.tax_classes.push(TaxClass { taxes: vec![tax], reason: None });
        self.leaf(Outcome::Tax(self.0.tax_classes.len() as u32 - 1))
    }

    pub fn charge(&mut self, kind: ChargeKind, label: &str, root: NodeId) -> &mut Charge {
        self.0.charges.push(Charge {
            kind,
            label: label.into(),
            rule: 0,
            root,
            tax: 0,
            paid_by_site: false,
            after: None,
            limits: Vec::new(),
            step: None,
            steps_without_parking: false,
        });
        self.0.charges.last_mut().unwrap()
    }

    pub fn energy(&mut self, formula: Formula) -> &mut Charge {
        let root = self.price(Per::Kwh, formula);
        self.charge(ChargeKind::Energy, "Energy", root)
    }

    pub fn payment_fee(&mut self, amount: &str) -> &mut Charge {
        let root = self.price(Per::Bill, constant(amount));
        self.charge(ChargeKind::PaymentFee, "Payment fee", root)
    }

    pub fn month_charge(&mut self, label: &str, paid_by_site: bool, what: MonthWhat) -> &mut MonthCharge {
        self.0.month.push(MonthCharge {
            label: label.into(),
            rule: 0,
            tax: 0,
            paid_by_site,
            what,
            limits: Vec::new(),
        });
        self.0.month.last_mut().unwrap()
    }

    pub fn ready(self) -> Prepared {
        Prepared::new(self.0).unwrap()
    }
}

/// Settles a month of a list.
pub fn settle(list: List, book: &PriceBook, input: &str) -> Result<MonthStatements, MonthError> {
    let prepared = list.ready();
    let pricing = Pricing::new(&prepared, book).unwrap();
    month(&pricing, &MonthInput::from_json(input).unwrap())
}

/// The bill of a session, without the payment fee.
pub fn bill(list: &List, session: &str, standing: &Standing) -> Document {
    let prepared = List(list.0.clone()).ready();
    let book = PriceBook::default();
    let pricing = Pricing::new(&prepared, &book).unwrap();
    let session = Session::from_json(session).unwrap();
    let bill = price_with(&pricing, &session, standing, false).unwrap();
    bill.document(&pricing, &session, Inputs::default())
}

/// A session document: driver, from, to and kWh.
pub fn session(id: &str, driver: &str, from: &str, to: &str, kwh: &str) -> String {
    format!(
        r#"{{"id":"{id}","driver":"{driver}","charger":"5","plugged_in":"{from}","unplugged":"{to}",
        "readings":[{{"at":"{from}","import_kwh":"0"}},{{"at":"{to}","import_kwh":"{kwh}"}}]}}"#
    )
}

pub fn minor(text: &str) -> i64 {
    let (whole, rest) = text.split_once('.').unwrap();
    assert_eq!(rest.len(), 2, "{text}");
    format!("{whole}{rest}").parse().unwrap()
}

/// Every document adds up: rows to net or gross, net and VAT to the total, VAT rows to the VAT.
pub fn assert_adds_up(document: &Document) {
    let rows: i64 = document.charges.iter().map(|charge| minor(&charge.amount)).sum();
    let leading = if document.prices_include_vat { &document.total } else { &document.net };
    assert_eq!(rows, minor(leading), "{document:#?}");
    assert_eq!(minor(&document.net) + minor(&document.vat_total), minor(&document.total));
    let vat: i64 = document.vat.iter().map(|tax| minor(&tax.vat)).sum();
    assert_eq!(vat, minor(&document.vat_total));
}
