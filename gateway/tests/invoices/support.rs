//! Parties, and real bills from the files of `examples/`.

use chrono::NaiveDate;
use std::fs::read_to_string;
use std::path::PathBuf;
use takst_dsl::{SourceFile, compile};
use takst_engine::document::{Document, inputs};
use takst_engine::{Prepared, PriceBook, Pricing, Session, Standing, price_with};
use takst_gateway::invoices::{Address, Billed, Contact, Endpoint, Party, Payment, Request};

pub fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn address(street: &str, postcode: &str, city: &str, country: &str) -> Address {
    Address {
        street: street.into(),
        more: Vec::new(),
        city: city.into(),
        postcode: postcode.into(),
        country: country.into(),
    }
}

/// A Norwegian company. The numbers have right check digits and are made up.
pub fn seller() -> Party {
    Party {
        name: "Fjordlading AS".into(),
        company_number: Some("987 654 325".into()),
        vat_number: Some("987654325 MVA".into()),
        in_foretaksregisteret: true,
        address: address("Kaia 1", "5003", "Bergen", "NO"),
        endpoint: None,
        contact: Contact {
            name: None,
            phone: Some("+47 55 00 00 00".into()),
            email: Some("post@fjordlading.example".into()),
        },
    }
}

/// A person, reached through an operator that delivers to him.
pub fn person() -> Party {
    Party {
        name: "Kari Nordmann".into(),
        address: address("Bakken 7", "5010", "Bergen", "NO"),
        endpoint: Some(Endpoint { scheme: "0192".into(), id: "974760673".into() }),
        ..Party::default()
    }
}

pub fn company() -> Party {
    Party {
        name: "Sameiet Solsiden & Co".into(),
        company_number: Some("974760673".into()),
        vat_number: Some("NO974760673MVA".into()),
        address: address("Havnegata 48", "8900", "Brønnøysund", "NO"),
        ..Party::default()
    }
}

pub fn payment() -> Payment {
    Payment { account: "8601 11 17947".into(), bic: None, reference: Some("1234566".into()) }
}

pub fn request<'a>(
    seller: &'a Party,
    payer: &'a Party,
    bills: &'a [Billed<'a>],
    payment: &'a Payment,
) -> Request<'a> {
    Request {
        number: "F-1001",
        issued: day("2026-11-02"),
        due: Some(day("2026-11-16")),
        seller,
        payer,
        bills,
        buyer_reference: Some("d-17"),
        order: None,
        corrects: &[],
        payment: Some(payment),
        settled: 0,
        note: None,
        reverse_charge: false,
        place: None,
    }
}

fn example(path: &str) -> String {
    let file = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../examples")).join(path);
    read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// The final bill of the session in a file of `examples/`.
pub fn bills(tariff: &str, sessions: &str, prices: &[&str]) -> Vec<Document> {
    bills_of(tariff, &example(&format!("sessions/{sessions}")), prices)
}

/// A guest of a housing company, with his discount.
pub fn guest() -> Vec<Document> {
    bills_of("smartcharge/housing.tariff", &example("sessions/member.json").replace("members", "guests"), &[])
}

// The bill of the session.
fn bills_of(tariff: &str, sessions: &str, prices: &[&str]) -> Vec<Document> {
    let path = format!("tariffs/{tariff}");
    let (folder, name) = path.rsplit_once('/').unwrap();
    let main = SourceFile { name: name.into(), text: example(&path) };
    let compiled = compile(main, &mut |base| {
        Ok(SourceFile { name: base.into(), text: example(&format!("{folder}/{base}")) })
    });
    let prepared = Prepared::new(compiled.tariff.unwrap()).unwrap();
    let mut book = PriceBook::default();
    for file in prices {
        book.add_json(&example(&format!("prices/{file}"))).unwrap();
    }
    let pricing = Pricing::new(&prepared, &book).unwrap();
    let bill = |text: &str| {
        let session = Session::from_json(text).unwrap();
        let standing = Standing::default();
        let bill = price_with(&pricing, &session, &standing, true).unwrap();
        bill.document(&pricing, &session, inputs(&pricing, text.as_bytes(), &standing))
    };
    vec![bill(sessions)]
}
