//! Invoices to Norwegian consumers in their online bank, through an eFaktura operator's REST interface. The neutral part (who can be reached, what falls back) is here; what the operator
//! calls things is in `names.rs`, requests in `ask.rs`, answers in `answer.rs`.

mod answer;
mod ask;
mod names;

use answer::Found;
use names::Names;
use takst_plugin_sdk::http::{Request, Response};
use takst_plugin_sdk::invoices::{self, Delivery, Invoice, Reachability, State};
use takst_plugin_sdk::{Configuration, Error, Finding, Options, Settings, http};

struct Efaktura;

impl Configuration for Efaktura {
    fn check(settings: Options) -> Vec<Finding> {
        let mut findings = Settings(&settings).missing(&[
            ("address", "where the operator's interface begins, https://…"),
            ("issuer", "the issuer's number at eFaktura"),
        ]);
        if ask::auth(&settings).is_none() {
            findings.push(Finding { setting: "auth".into(), text: ask::AUTH.into(), error: true });
        }
        findings.extend(Names(&settings).check());
        findings
    }
}

impl invoices::Guest for Efaktura {
    fn reach(settings: Options, payer: Options) -> Result<Reachability, Error> {
        let Some(body) = ask::consumer(&settings, &payer)? else { return Ok(answer::too_little()) };
        let answer = ask::request(&settings, "POST", Names(&settings).of("consumers"))?.json(&body).send();
        // Asking changes nothing: when no answer came, it was not done.
        let answer =
            answer.map_err(|error| Error { outcome: takst_plugin_sdk::Outcome::NotDone, ..error })?;
        match answer.status {
            404 => Ok(answer::unknown()),
            _ if answer.is_ok() => answer::reachability(&settings, &answer),
            _ => Err(failed(&settings, &answer)),
        }
    }

    fn send(settings: Options, key: String, invoice: Invoice) -> Result<Delivery, Error> {
        if let Some(why) = cannot(&settings, &invoice) {
            return Ok(rejected(why));
        }
        let body = ask::invoice(&settings, &key, &invoice)?;
        let answer = ask::request(&settings, "POST", &ask::path(&settings, ""))?.json(&body).send()?;
        match answer.status {
            // It has this number already: from an attempt whose answer was lost, or not from us.
            409 => match find(&settings, &key, &invoice.number)? {
                Some(found) if found.by_key || answer::is_alive(&found.delivery) => Ok(found.delivery),
                // An attempt that came to nothing: this one, or the one before it.
                Some(_) => Err(answer::which(&invoice.number, 1)),
                None => {
                    let detail =
                        format!("the operator has an invoice {} that is not this one", invoice.number);
                    Err(Error::refused("number-taken", detail))
                }
            },
            // What cannot be delivered here goes another way.
            400 | 404 | 410 | 413 | 422 => Ok(rejected(answer::said(&settings, &answer))),
            _ if answer.is_ok() => {
                let body = if answer.body.is_empty() { serde_json::Value::Null } else { answer.json()? };
                answer::delivery(&settings, &body, None)
            }
            _ => Err(failed(&settings, &answer)),
        }
    }

    fn status(settings: Options, reference: String) -> Result<Delivery, Error> {
        let path = ask::path(&settings, &format!("/{}", http::encode(&reference)));
        let answer = ask::request(&settings, "GET", &path)?.send()?;
        if !answer.is_ok() {
            return Err(failed(&settings, &answer));
        }
        answer::delivery(&settings, &answer.json()?, Some(&reference))
    }

    fn cancel(settings: Options, _key: String, reference: String) -> Result<Delivery, Error> {
        let answer = cancel(&settings, &reference)?.send()?;
        match answer.status {
            409 | 410 | 422 => {
                let detail =
                    format!("too late to take the invoice back: {}", answer::said(&settings, &answer));
                Err(Error::refused("too-late", detail))
            }
            _ if answer.is_ok() => {
                let detail = "taken back".to_owned();
                Ok(Delivery { reference, state: State::Cancelled, detail })
            }
            _ => Err(failed(&settings, &answer)),
        }
    }

    fn lookup(settings: Options, key: String, number: String) -> Result<Option<Delivery>, Error> {
        Ok(find(&settings, &key, &number)?.map(|found| found.delivery))
    }
}

// Why the channel cannot take it, without asking.
fn cannot(settings: &Options, invoice: &Invoice) -> Option<String> {
    if invoice.address.trim().is_empty() {
        return Some("the payer has no address at eFaktura".into());
    }
    if ask::is_credit_note(invoice) && Settings(settings).get("credit_notes") != Some("yes") {
        return Some("eFaktura of this operator takes no credit notes (setting `credit_notes`)".into());
    }
    if invoice.amount.currency != "NOK" {
        return Some(format!("eFaktura is in NOK, and the invoice in {}", invoice.amount.currency));
    }
    None
}

fn rejected(detail: String) -> Delivery {
    Delivery { reference: String::new(), state: State::Rejected, detail }
}

fn find(settings: &Options, key: &str, number: &str) -> Result<Option<Found>, Error> {
    let answer = ask::request(settings, "GET", &ask::by_number(settings, number)?)?.send()?;
    match answer.status {
        204 | 404 => Ok(None),
        _ if answer.is_ok() => answer::by_number(settings, &answer, key, number),
        _ => Err(failed(settings, &answer)),
    }
}

fn cancel(settings: &Options, reference: &str) -> Result<Request, Error> {
    let reference = http::encode(reference);
    match Settings(settings).get_or("cancel_with", "POST") {
        "DELETE" => ask::request(settings, "DELETE", &ask::path(settings, &format!("/{reference}"))),
        _ => ask::request(settings, "POST", &ask::path(settings, &format!("/{reference}/cancel"))),
    }
}

fn failed(settings: &Options, answer: &Response) -> Error {
    let said = answer::said(settings, answer);
    match answer.status {
        401 | 403 => answer
            .error(format!("the operator does not take the key (secret `api_key`, setting `auth`): {said}")),
        _ => answer.error(said),
    }
}

takst_plugin_sdk::plugin!(Efaktura: invoices);

#[cfg(test)]
mod tests;
