//! Invoices of real bills, and what the standard cannot say.

use crate::exact::count_again;
use crate::random::{Shape, bill};
use crate::reread::{Node, read};
use crate::support::{bills, company, day, guest, payment, person, request, seller};
use takst_engine::document::Document;
use takst_gateway::invoices::kid::{Kid, Method};
use takst_gateway::invoices::{Address, Billed, Corrected, InvoiceError, Party, Payment, Request, invoice};

fn numbered(documents: &[Document]) -> Vec<Billed<'_>> {
    const NUMBERS: [&str; 12] =
        ["A-1", "A-2", "A-3", "A-4", "A-5", "A-6", "A-7", "A-8", "A-9", "A-10", "A-11", "A-12"];
    documents.iter().zip(NUMBERS).map(|(document, number)| Billed { number, document }).collect()
}

fn again(request: &Request<'_>) -> Node {
    let root = read(&invoice(request).unwrap_or_else(|error| panic!("{error}")).to_xml());
    count_again(&root, request.bills.len());
    root
}

#[test]
fn a_published_receipt_as_an_invoice() {
    let documents = bills("koticharge/spot.tariff", "koticharge-210.json", &["fi-2023-09-25.json"]);
    let finnish = Party {
        name: "Koti Oy".into(),
        company_number: Some("1234567-1".into()),
        vat_number: Some("FI12345671".into()),
        address: Address::of_lines(&["Otakaari 5".into(), "02150 Espoo".into()], "FI"),
        ..Party::default()
    };
    let payer = Party { address: finnish.address.clone(), ..person() };
    let (bills, payment) =
        (numbered(&documents), Payment { account: "FI21 1234 5600 0007 85".into(), ..payment() });
    let root = again(&request(&finnish, &payer, &bills, &payment));
    let total = root.at("LegalMonetaryTotal").unwrap();
    assert_eq!(total.text_at("TaxInclusiveAmount"), documents[0].total);
    assert_eq!(total.text_at("TaxExclusiveAmount"), documents[0].net);
    assert_eq!(total.at("PayableAmount").unwrap().attribute("currencyID"), "EUR");
    assert_eq!(root.text_at("TaxTotal/TaxSubtotal/TaxCategory/Percent"), "24");
    let line = root.all("InvoiceLine")[0];
    assert_eq!(line.at("InvoicedQuantity").unwrap().attribute("unitCode"), "KWH");
    assert_eq!(line.text_at("InvoicedQuantity"), documents[0].energy_kwh);
    assert_eq!(line.text_at("InvoicePeriod/StartDate"), "2023-09-25");
    assert_eq!(line.text_at("DocumentReference/ID"), "A-1");
    let supplier = root.at("AccountingSupplierParty/Party").unwrap();
    assert_eq!(supplier.text_at("EndpointID"), "003712345671");
    assert_eq!(supplier.at("EndpointID").unwrap().attribute("schemeID"), "0216");
    assert_eq!(root.text_at("PaymentMeans/PayeeFinancialAccount/ID"), "FI2112345600000785");
}

#[test]
fn a_norwegian_seller_says_who_he_is_and_what_is_to_be_paid_with_which_kid() {
    let documents = bills("hurum-kraft/quick-chargers.tariff", "quick-charge.json", &[]);
    let (seller, payer, bills) = (seller(), company(), numbered(&documents));
    let kid = Kid::of_parts(&[(17, 6), (1001, 8)], Method::Mod10).unwrap();
    let payment = Payment { reference: Some(kid.to_string()), ..payment() };
    let place = Address::of_lines(&["Havna 2".into(), "3480 Filtvet".into()], "NO");
    let asked = Request {
        place: Some(&place),
        note: Some("Takk & velkommen igjen"),
        ..request(&seller, &payer, &bills, &payment)
    };
    let root = again(&asked);
    let supplier = root.at("AccountingSupplierParty/Party").unwrap();
    let schemes: Vec<(&str, &str)> = supplier
        .all("PartyTaxScheme")
        .iter()
        .map(|one| (one.text_at("CompanyID"), one.text_at("TaxScheme/ID")))
        .collect();
    assert_eq!(schemes, [("NO987654325MVA", "VAT"), ("Foretaksregisteret", "TAX")]);
    assert_eq!(supplier.text_at("PartyLegalEntity/CompanyID"), "987654325");
    assert_eq!(root.text_at("AccountingCustomerParty/Party/PartyName/Name"), "Sameiet Solsiden & Co");
    assert_eq!(root.text_at("PaymentMeans/PaymentID"), kid.as_str());
    assert_eq!(root.text_at("PaymentMeans/PayeeFinancialAccount/ID"), "86011117947");
    assert_eq!(root.text_at("DueDate"), "2026-11-16");
    assert_eq!(root.text_at("BuyerReference"), "d-17");
    assert_eq!(root.text_at("Note"), "Takk & velkommen igjen");
    assert_eq!(root.text_at("Delivery/DeliveryLocation/Address/CityName"), "Filtvet");
}

#[test]
fn a_rebate_stands_on_the_whole_and_what_was_fed_back_has_a_quantity_below_zero() {
    let documents = guest();
    let discount =
        documents[0].charges.iter().find(|row| row.charge == "discount").expect("a discount in the example");
    let (seller, payer, bills_of, payment) = (seller(), person(), numbered(&documents), payment());
    let root = again(&request(&seller, &payer, &bills_of, &payment));
    let allowance = root.at("AllowanceCharge").unwrap();
    assert_eq!(allowance.text_at("ChargeIndicator"), "false");
    assert_eq!(allowance.text_at("AllowanceChargeReason"), discount.label);

    let documents = bills("smartcharge/v2g.tariff", "v2g.json", &["no1-2025-03-10.json"]);
    let bills_of = numbered(&documents);
    let root = again(&request(&seller, &payer, &bills_of, &payment));
    let fed = if root.name == "Invoice" { root.all("InvoiceLine") } else { root.all("CreditNoteLine") };
    let sign = if root.name == "Invoice" { "-" } else { "" };
    let quantity = |line: &&&Node| {
        line.children.iter().find(|child| child.name.ends_with("dQuantity")).unwrap().text.clone()
    };
    let exported = format!("{sign}{}", documents[0].exported_kwh.as_deref().unwrap());
    assert!(
        fed.iter().any(|line| quantity(&line) == exported),
        "{exported} in {:?}",
        fed.iter().map(|l| quantity(&l)).collect::<Vec<_>>()
    );
}

#[test]
fn a_refund_is_a_credit_note_that_names_what_it_corrects() {
    let documents = bills("hurum-kraft/quick-chargers.tariff", "quick-charge.json", &[]);
    let back = takst_engine::correction::refund(&documents[0], &[], None, "charger fault").unwrap();
    let (seller, payer, payment) = (seller(), person(), payment());
    let corrects = [Corrected { number: "F-1000".into(), issued: Some(day("2026-10-01")) }];
    let documents_back = [back];
    let of_refund = numbered(&documents_back);
    let root =
        again(&Request { corrects: &corrects, due: None, ..request(&seller, &payer, &of_refund, &payment) });
    assert_eq!(root.name, "CreditNote");
    assert_eq!(root.text_at("CreditNoteTypeCode"), "381");
    assert_eq!(root.text_at("BillingReference/InvoiceDocumentReference/ID"), "F-1000");
    assert_eq!(root.text_at("LegalMonetaryTotal/PayableAmount"), documents[0].total, "all of it, above zero");
    // Bill and refund on one invoice come to nothing.
    let both = [documents[0].clone(), documents_back[0].clone()];
    let of_both = numbered(&both);
    let root = again(&request(&seller, &payer, &of_both, &payment));
    assert_eq!((root.name.as_str(), root.text_at("LegalMonetaryTotal/PayableAmount")), ("Invoice", "0.00"));
}

#[test]
fn what_was_paid_by_card_is_not_asked_for_again() {
    let documents = bills("hurum-kraft/quick-chargers.tariff", "quick-charge.json", &[]);
    let (seller, payer, bills, payment) = (seller(), person(), numbered(&documents), payment());
    let total: i64 = documents[0].total.replace('.', "").parse().unwrap();
    let root = again(&Request { settled: total, due: None, ..request(&seller, &payer, &bills, &payment) });
    assert_eq!(root.text_at("LegalMonetaryTotal/PrepaidAmount"), documents[0].total);
    assert_eq!(root.text_at("LegalMonetaryTotal/PayableAmount"), "0.00");
    let error = invoice(&Request { due: None, ..request(&seller, &payer, &bills, &payment) }).unwrap_err();
    assert!(error.to_string().contains("the due date is missing"), "{error}");
}

// A bill with one row without VAT.
fn without_vat(reason: Option<&str>) -> Document {
    let mut random = fastrand::Rng::with_seed(1);
    let (mut document, _) = bill(&mut random, 1, Shape { includes_vat: false, negative: false });
    document.charges.truncate(1);
    document.charges[0].charge = "energy";
    document.charges[0].amount = "12.30".into();
    document.charges[0].vat_rate = "0".into();
    document.charges[0].vat_reason = reason.map(str::to_owned);
    document.vat.clear();
    (document.net, document.vat_total, document.total) = ("12.30".into(), "0.00".into(), "12.30".into());
    document
}

#[test]
fn why_there_is_no_vat() {
    let unregistered = Party { vat_number: None, ..seller() };
    let (registered, company, payment) = (seller(), company(), payment());
    let category = |seller: &Party, reason, reverse_charge| {
        let documents = [without_vat(reason)];
        let bills = numbered(&documents);
        let root = again(&Request { reverse_charge, ..request(seller, &company, &bills, &payment) });
        let tax = root.at("TaxTotal/TaxSubtotal/TaxCategory").unwrap();
        let has_vat_number = root
            .at("AccountingSupplierParty/Party")
            .unwrap()
            .all("PartyTaxScheme")
            .iter()
            .any(|one| one.text_at("TaxScheme/ID") == "VAT");
        (tax.text_at("ID").to_owned(), tax.text_at("TaxExemptionReason").to_owned(), has_vat_number)
    };
    assert_eq!(category(&registered, None, false), ("Z".into(), String::new(), true));
    assert_eq!(
        category(&registered, Some("small business"), false),
        ("E".into(), "small business".into(), true)
    );
    assert_eq!(
        category(&registered, Some("outside scope"), false),
        ("O".into(), "Not subject to VAT".into(), false)
    );
    assert_eq!(category(&registered, None, true), ("AE".into(), "Reverse charge".into(), true));
    assert_eq!(category(&unregistered, None, false), ("O".into(), "Not subject to VAT".into(), false));
    assert_eq!(
        category(&unregistered, Some("below the limit"), false),
        ("O".into(), "below the limit".into(), false)
    );

    // O stands beside nothing else.
    let documents = [without_vat(Some("outside scope")), without_vat(None)];
    let bills = numbered(&documents);
    let root = again(&request(&registered, &company, &bills, &payment));
    let codes: Vec<&str> = root
        .at("TaxTotal")
        .unwrap()
        .all("TaxSubtotal")
        .iter()
        .map(|tax| tax.text_at("TaxCategory/ID"))
        .collect();
    assert_eq!(codes, ["E", "Z"]);
}

#[test]
fn what_cannot_be_said_is_refused_in_words() {
    let documents = bills("hurum-kraft/quick-chargers.tariff", "quick-charge.json", &[]);
    let (seller, payer, payment) = (seller(), person(), payment());
    let of = |documents: &[Document], seller: &Party, payer: &Party| {
        invoice(&request(seller, payer, &numbered(documents), &payment)).unwrap_err()
    };
    let changed = |change: &dyn Fn(&mut Document)| {
        let mut document = documents[0].clone();
        change(&mut document);
        of(&[document], &seller, &payer).to_string()
    };
    assert_eq!(of(&[], &seller, &payer), InvoiceError::Nothing);
    assert!(changed(&|d| d.status = "running").contains("A-1 is a bill that is running"));
    assert!(changed(&|d| d.kind = "payout").contains("is a payout"));
    assert!(
        changed(&|d| d.charges[0].amount = "1.00".into())
            .contains("its rows do not add up to its net and VAT")
    );
    assert!(
        changed(&|d| d.total = "0.01".into()).contains("its net, VAT and total are not those of its rows")
    );
    assert!(changed(&|d| d.vat[0].label = Some("City".into())).contains("has the tax `City`"));
    assert!(changed(&|d| d.total = "1.234".into()).contains("at most two digits"));
    let mut euro = documents[0].clone();
    euro.currency = "EUR".into();
    let error = of(&[documents[0].clone(), euro], &seller, &payer).to_string();
    assert!(error.contains("make an invoice for each currency"), "{error}");
    let unregistered = Party { vat_number: None, ..seller.clone() };
    assert!(of(&documents, &unregistered, &payer).to_string().contains("Fjordlading AS has no VAT number"));
    let wrong = Party { company_number: Some("987654321".into()), ..seller.clone() };
    assert!(
        of(&documents, &wrong, &payer)
            .to_string()
            .contains("`987654321` of the seller is no Norwegian organisation number")
    );
    let nowhere = Party { endpoint: None, ..payer.clone() };
    assert!(
        of(&documents, &seller, &nowhere).to_string().contains("electronic address of the payer is missing")
    );
    let bills = numbered(&documents);
    let error =
        invoice(&Request { reverse_charge: true, ..request(&seller, &payer, &bills, &payment) }).unwrap_err();
    assert!(error.to_string().contains("cannot be reverse charge"), "{error}");
    let error = invoice(&Request { buyer_reference: None, ..request(&seller, &payer, &bills, &payment) })
        .unwrap_err();
    assert!(error.to_string().contains("PEPPOL-EN16931-R003"), "{error}");
}

#[test]
fn so_many_roundings_that_the_official_rules_would_not_hold_are_refused() {
    // 0.03 with 25 %: net 0.02, VAT 0.01, where 0.02 x 25 % is 0.005. Each bill is half a cent off, all in one direction.
    let mut document = without_vat(None);
    document.prices_include_vat = true;
    (document.charges[0].amount, document.charges[0].vat_rate) = ("0.03".into(), "25".into());
    let vat = serde_json::json!({"rate": "25", "net": "0.02", "vat": "0.01"});
    document.vat = vec![serde_json::from_value(vat).unwrap()];
    (document.net, document.vat_total, document.total) = ("0.02".into(), "0.01".into(), "0.03".into());
    let (seller, payer, payment) = (seller(), person(), payment());
    let many = |count: usize| {
        let bills = vec![Billed { number: "A-1", document: &document }; count];
        invoice(&request(&seller, &payer, &bills, &payment))
            .map(|invoice| invoice.totals.vat)
            .map_err(|error| error.to_string())
    };
    assert_eq!(many(198), Ok(198));
    let error = many(200).unwrap_err();
    assert!(error.contains("make two invoices of them"), "{error}");
}
