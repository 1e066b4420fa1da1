//! An invoice on paper: an address for the window of an envelope, what is to be paid where and when, and the bill itself.

use super::Letter;
use crate::billing::{IssuedBy, from_json};
use maud::{DOCTYPE, Markup, PreEscaped, html};

const STYLE: &str = "body{font:11pt/1.4 system-ui,sans-serif;margin:2cm auto;max-width:18cm;padding:0 1cm;color:#111}\
.to{margin:1.5cm 0 1cm;white-space:pre-line}.from{text-align:right;white-space:pre-line}\
table{border-collapse:collapse;margin:.5cm 0}th{text-align:left;font-weight:400;padding-right:1cm}td{font-weight:600}\
pre{font:9pt/1.3 ui-monospace,monospace;white-space:pre-wrap}@media print{body{margin:0}}";

struct Words {
    language: &'static str,
    invoice: &'static str,
    credit: &'static str,
    issued: &'static str,
    due: &'static str,
    amount: &'static str,
    paid: &'static str,
    left: &'static str,
    account: &'static str,
    reference: &'static str,
}

static ALL: [Words; 5] = [
    Words {
        language: "en",
        invoice: "Invoice",
        credit: "Credit note",
        issued: "Date",
        due: "To be paid by",
        amount: "Amount",
        paid: "Paid",
        left: "Left to pay",
        account: "Account",
        reference: "Payment reference",
    },
    Words {
        language: "nb",
        invoice: "Faktura",
        credit: "Kreditnota",
        issued: "Dato",
        due: "Betales innen",
        amount: "Beløp",
        paid: "Betalt",
        left: "Rest å betale",
        account: "Konto",
        reference: "KID / betalingsreferanse",
    },
    Words {
        language: "fi",
        invoice: "Lasku",
        credit: "Hyvityslasku",
        issued: "Päiväys",
        due: "Eräpäivä",
        amount: "Summa",
        paid: "Maksettu",
        left: "Maksamatta",
        account: "Tilinumero",
        reference: "Viite",
    },
    Words {
        language: "nl",
        invoice: "Factuur",
        credit: "Creditnota",
        issued: "Datum",
        due: "Te betalen vóór",
        amount: "Bedrag",
        paid: "Betaald",
        left: "Nog te betalen",
        account: "Rekening",
        reference: "Betalingskenmerk",
    },
    Words {
        language: "pt",
        invoice: "Fatura",
        credit: "Nota de crédito",
        issued: "Data",
        due: "Pagar até",
        amount: "Montante",
        paid: "Pago",
        left: "Por pagar",
        account: "Conta",
        reference: "Referência de pagamento",
    },
];

fn words(language: &str) -> &'static Words {
    let [english, ..] = &ALL;
    let wanted = language.split('-').next().unwrap_or_default();
    let wanted = if wanted == "no" || wanted == "nn" { "nb" } else { wanted };
    ALL.iter().find(|words| words.language == wanted).unwrap_or(english)
}

// The lines of its table: what each says, and of what.
fn rows(letter: &Letter, words: &Words) -> Vec<(&'static str, String)> {
    let Letter { invoice, payment, paid, left, .. } = letter;
    let amount = |minor| format!("{} {}", crate::api::money(minor, &invoice.currency), invoice.currency);
    let mut rows = vec![(words.issued, invoice.issued.clone())];
    // Of what is paid nobody is told when and where to pay.
    let asks = *paid == 0 || *left > 0;
    rows.extend(invoice.due.clone().filter(|_| asks).map(|due| (words.due, due)));
    rows.push((words.amount, amount(invoice.amount)));
    if *paid > 0 {
        rows.extend([(words.paid, amount(*paid)), (words.left, amount(*left))]);
    }
    if asks && !invoice.is_credit_note() {
        rows.push((words.account, payment.account.clone()));
        rows.push((words.reference, payment.reference.clone().unwrap_or_default()));
    }
    rows
}

/// The same as text, for e-mail: its title, and all of it.
#[must_use]
pub fn plain(letter: &Letter, language: &str, receipt: &str) -> (String, String) {
    let words = words(language);
    let Letter { invoice, .. } = letter;
    let what = if invoice.is_credit_note() { words.credit } else { words.invoice };
    let title = format!("{what} {}", invoice.number);
    let mut lines = vec![title.clone(), String::new()];
    lines.extend(rows(letter, words).into_iter().map(|(word, value)| format!("{word}: {value}")));
    (title, format!("{}\n\n{receipt}", lines.join("\n")))
}

/// The page. `language`: as in `nb`; `receipt`: the bill as text.
#[must_use]
pub fn page(letter: &Letter, language: &str, receipt: &str) -> Markup {
    let words = words(language);
    let Letter { invoice, bill, payer, .. } = letter;
    let seller = from_json(&bill.document).map(|(head, _)| head.issued_by).unwrap_or_default();
    let IssuedBy { name, company_number, vat_number, address, contact } = seller;
    let numbers = [company_number, vat_number].into_iter().flatten();
    let from: Vec<String> = [name].into_iter().chain(address).chain(numbers).chain(contact).collect();
    let to = &payer.address;
    let town = format!("{} {}", to.postcode, to.city);
    let to = [payer.name.as_str(), to.street.as_str(), town.trim()];
    let to = to.into_iter().filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n");
    let title = if invoice.is_credit_note() { words.credit } else { words.invoice };
    html! {
        (DOCTYPE)
        html lang=(words.language) {
            head {
                meta charset="utf-8";
                title { (title) " " (invoice.number) }
                link rel="icon" href="data:,";
                style { (PreEscaped(STYLE)) }
            }
            body {
                p.from { (from.join("\n")) }
                p.to { (to) }
                h1 { (title) " " (invoice.number) }
                table {
                    @for (word, value) in rows(letter, words) { tr { th { (word) } td { (value) } } }
                }
                pre { (receipt) }
            }
        }
    }
}
