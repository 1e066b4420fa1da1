//! The schema of UBL 2.1 and the official rules (CEN and Peppol Schematron), where they are at hand: they are not part of this repository.
//!
//! `TAKST_SHARED` names a folder with `data/peppol/xsd` and `data/peppol/rules`; without it `../shared` beside the repository is looked for. For the schema
//! `xmllint` is needed (Debian: libxml2-utils), for the rules `python3` with `venv` and PyPI for the first run, or `TAKST_SAXON_PYTHON` naming a Python with `saxonche`.

use crate::random::{Shape, bill};
use crate::support::{bills, company, day, guest, payment, person, request, seller};
use std::path::{Path, PathBuf};
use std::process::Command;
use takst_gateway::invoices::{Address, Billed, Corrected, Party, Payment, Request, invoice};

fn peppol() -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared");
    let folder = std::env::var_os("TAKST_SHARED").map_or_else(beside, PathBuf::from).join("data/peppol");
    if folder.is_dir() {
        return Some(folder);
    }
    assert!(std::env::var_os("TAKST_SHARED").is_none(), "there is no {}", folder.display());
    eprintln!("left out: the files of Peppol are not here; name their folder with TAKST_SHARED");
    None
}

fn available(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok()
}

// Documents of every kind, written to a folder.
fn write_all(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut write = |name: String, request: &Request<'_>| {
        let xml = invoice(request).unwrap_or_else(|error| panic!("{name}: {error}")).to_xml();
        let path = folder.join(format!("{name}.xml"));
        std::fs::write(&path, xml).unwrap();
        files.push(path);
    };
    let (seller, person, company, payment) = (seller(), person(), company(), payment());
    let place = Address::of_lines(
        &["Havna 2".into(), "ved ferja".into(), "bak kiosken".into(), "3480 Filtvet".into()],
        "NO",
    );
    for seed in 0..80 {
        let mut random = fastrand::Rng::with_seed(seed);
        let shape = Shape { includes_vat: seed % 2 == 0, negative: seed % 3 == 0 };
        let count = random.usize(1..6);
        let made: Vec<_> = (0..count).map(|number| bill(&mut random, number, shape).0).collect();
        let bills: Vec<Billed<'_>> =
            made.iter().map(|document| Billed { number: "T-0001", document }).collect();
        let payer = if seed % 4 < 2 { &person } else { &company };
        let corrects = [Corrected { number: "F-900".into(), issued: Some(day("2026-09-30")) }];
        let asked = request(&seller, payer, &bills, &payment);
        let total = invoice(&asked).unwrap().totals;
        let settled = if seed % 5 == 0 { total.total / 3 } else { 0 };
        let asked = Request {
            settled,
            place: (seed % 2 == 0).then_some(&place),
            corrects: if seed % 3 == 0 { &corrects } else { &[] },
            order: (seed % 7 == 0).then_some("PO-5"),
            note: Some("Lading i oktober"),
            ..asked
        };
        write(format!("random-{seed}"), &asked);
    }
    let finnish = Party {
        name: "Koti Oy".into(),
        company_number: Some("1234567-1".into()),
        vat_number: Some("FI12345671".into()),
        address: Address::of_lines(&["Otakaari 5".into(), "02150 Espoo".into()], "FI"),
        ..Party::default()
    };
    let dutch = Party {
        name: "Laadstad B.V.".into(),
        company_number: Some("12345678".into()),
        vat_number: Some("NL123456782B01".into()),
        address: Address::of_lines(&["Kade 1".into(), "8601 AB Sneek".into()], "NL"),
        ..Party::default()
    };
    let swedish = Party {
        name: "Laddkraft AB".into(),
        company_number: Some("202100-5489".into()),
        vat_number: Some("SE202100548901".into()),
        address: Address::of_lines(&["Storgatan 1".into(), "11122 Stockholm".into()], "SE"),
        ..Party::default()
    };
    let portuguese = Party {
        name: "Carrega Lda".into(),
        company_number: Some("501964843".into()),
        vat_number: Some("PT501964843".into()),
        address: Address::of_lines(&["Rua Augusta 1".into(), "1100-053 Lisboa".into()], "PT"),
        ..Party::default()
    };
    let unregistered = Party { vat_number: None, ..seller.clone() };
    let iban =
        Payment { account: "FI21 1234 5600 0007 85".into(), bic: Some("NDEAFIHH".into()), ..payment.clone() };
    let real = [
        (
            "finnish",
            &finnish,
            bills("koticharge/spot.tariff", "koticharge-210.json", &["fi-2023-09-25.json"]),
        ),
        ("dutch", &dutch, bills("energie-vanons/prices-with-vat.tariff", "jansen.json", &[])),
        ("quick", &seller, bills("hurum-kraft/quick-chargers.tariff", "quick-charge.json", &[])),
        ("guest", &seller, guest()),
        ("v2g", &seller, bills("smartcharge/v2g.tariff", "v2g.json", &["no1-2025-03-10.json"])),
        ("swedish", &swedish, bills("smartcharge/by-power.tariff", "quick-charge.json", &[])),
        ("portuguese", &portuguese, bills("energie-vanons/prices-with-vat.tariff", "jansen.json", &[])),
    ];
    for (name, seller, documents) in &real {
        let billed: Vec<Billed<'_>> =
            documents.iter().map(|document| Billed { number: "A-1", document }).collect();
        let pays = if seller.address.country == "NO" { &payment } else { &iban };
        write((*name).to_owned(), &request(seller, &person, &billed, pays));
        write(format!("{name}-company"), &request(seller, &company, &billed, pays));
        let back: Vec<_> = documents
            .iter()
            .map(|document| takst_engine::correction::refund(document, &[], None, "charger fault").unwrap())
            .collect();
        let billed: Vec<Billed<'_>> =
            back.iter().map(|document| Billed { number: "A-2", document }).collect();
        let corrects = [Corrected { number: "F-900".into(), issued: Some(day("2026-09-30")) }];
        write(
            format!("{name}-refund"),
            &Request { corrects: &corrects, ..request(seller, &company, &billed, pays) },
        );
    }
    // No VAT, for each reason there is.
    let mut document = real[2].2[0].clone();
    document.charges.truncate(1);
    (document.charges[0].amount, document.charges[0].vat_rate) = ("12.30".into(), "0".into());
    document.vat.clear();
    (document.net, document.vat_total, document.total) = ("12.30".into(), "0.00".into(), "12.30".into());
    for (name, seller, reason, reverse_charge) in [
        ("zero", &seller, None, false),
        ("exempt", &seller, Some("small business"), false),
        ("outside", &seller, Some("outside scope"), false),
        ("reverse", &seller, None, true),
        ("unregistered", &unregistered, None, false),
    ] {
        document.charges[0].vat_reason = reason.map(str::to_owned);
        let billed = [Billed { number: "A-3", document: &document }];
        write(name.to_owned(), &Request { reverse_charge, ..request(seller, &company, &billed, &payment) });
    }
    files
}

#[test]
fn documents_are_valid_by_the_schema() {
    let Some(peppol) = peppol() else { return };
    if !available("xmllint") {
        eprintln!("left out: `xmllint` is missing (Debian: libxml2-utils)");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let files = write_all(folder.path());
    let (mut invoices, mut credit_notes) = (Vec::new(), Vec::new());
    for file in &files {
        let is_credit = std::fs::read_to_string(file).unwrap().contains("<CreditNote ");
        if is_credit { credit_notes.push(file) } else { invoices.push(file) }
    }
    assert!(invoices.len() > 60 && credit_notes.len() > 10, "{} {}", invoices.len(), credit_notes.len());
    for (schema, files) in [("UBL-Invoice-2.1.xsd", invoices), ("UBL-CreditNote-2.1.xsd", credit_notes)] {
        let schema = peppol.join("xsd/maindoc").join(schema);
        let output = Command::new("xmllint")
            .args(["--noout", "--nonet", "--schema"])
            .arg(&schema)
            .args(&files)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    // The schema says no where something is wrong.
    let text = std::fs::read_to_string(&files[0]).unwrap().replace("cbc:IssueDate", "cbc:IssueDay");
    let wrong = folder.path().join("wrong.xml");
    std::fs::write(&wrong, &text).unwrap();
    let schema = if text.contains("<CreditNote ") { "UBL-CreditNote-2.1.xsd" } else { "UBL-Invoice-2.1.xsd" };
    let schema = peppol.join("xsd/maindoc").join(schema);
    let output = Command::new("xmllint")
        .args(["--noout", "--nonet", "--schema"])
        .arg(schema)
        .arg(wrong)
        .output()
        .unwrap();
    assert!(!output.status.success());
}

// A Python that has Saxon, installed once; none where it cannot be had.
fn python() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("TAKST_SAXON_PYTHON") {
        return Some(named.into());
    }
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join("saxon");
    let python = home.join("bin/python");
    let run = |command: &mut Command| command.output().is_ok_and(|output| output.status.success());
    let has = || run(Command::new(&python).args(["-c", "import saxonche"]));
    if !has() {
        run(Command::new("python3").args(["-m", "venv"]).arg(&home));
        run(Command::new(&python).args(["-m", "pip", "install", "--quiet", "saxonche==13.1.1"]));
    }
    if has() {
        return Some(python);
    }
    eprintln!("left out: `saxonche` cannot be had; needs python3 with venv and PyPI, or TAKST_SAXON_PYTHON");
    None
}

#[test]
fn documents_keep_the_official_rules() {
    let Some(peppol) = peppol() else { return };
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let files = write_all(folder.path());
    let broken = |name: &str, from: &str, to: &str| {
        let text = std::fs::read_to_string(folder.path().join("quick.xml")).unwrap();
        let changed = text.replacen(from, to, 1);
        assert_ne!(text, changed, "{from}");
        let path = folder.path().join(name);
        std::fs::write(&path, changed).unwrap();
        path
    };
    // The rules say no where something is wrong: else silence would prove nothing.
    let wrong = [
        (broken("wrong-1.xml", "NO987654325MVA", "NO987654326MVA"), "NO-R-001"),
        (broken("wrong-2.xml", ">25<", ">24<"), "BR-S-08"),
        (
            broken("wrong-3.xml", "cbc:BuyerReference>d-17</cbc:BuyerReference", "cbc:Note>d-17</cbc:Note"),
            "PEPPOL-EN16931-R003",
        ),
    ];
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/invoices/schematron.py");
    let output = Command::new(python)
        .arg(script)
        .arg(peppol.join("rules"))
        .args(&files)
        .args(wrong.iter().map(|(path, _)| path))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    for (path, rule) in &wrong {
        let name = path.file_name().unwrap().to_string_lossy();
        assert!(
            said.lines().any(|line| line.starts_with(&*name) && line.contains(&format!("[{rule}]"))),
            "{name}: {said}"
        );
    }
    let others: Vec<&str> =
        said.lines().filter(|line| !line.starts_with("wrong-") && !line.starts_with("checked")).collect();
    assert!(others.is_empty(), "{} findings:\n{}", others.len(), others.join("\n"));
    assert!(said.contains(&format!("checked {} files", files.len() + 3)), "{said}");
}
