//! Payment providers, and senders of messages and invoices, that are plugins: the outbox's questions in the words of the plugin interface, and the answers back. What is known of a
//! call that did not return is what the host says of it.

use super::number::without_number;
use super::room::Plugins;
use crate::mail::{MAIL, Mailer};
use crate::outbox::provider::{
    Answer, ChargeRequest, DeliveryState, Fault, InvoiceDelivery, InvoiceRequest, MessageRequest, Money,
    Operation, Outcome, PaymentProvider, ProviderInstrument, ProviderPayment, SaveRequest, SentValue, Status,
    ValuesRequest,
};
use crate::outbox::{Pin, Providers};
use crate::store::OrgId;
use std::sync::Arc;
use std::time::Duration;
use takst_plugins::capability::{Invoices, Messages, Meters, Payments};
use takst_plugins::model::invoices::{self as wit_invoices, Consent, State as WitState};
use takst_plugins::model::messages as wit_messages;
use takst_plugins::model::meters::{Direction, Quality, Series, Span, Value};
use takst_plugins::model::payments::{self as wit, PaymentState};
use takst_plugins::model::{self, Options};
use takst_plugins::plugin::NotAble;
use takst_plugins::{Context, Done, Failed, Plugin};

/// Of texts for people, in characters.
const LONGEST_TEXT: usize = 500;
/// Of a short word.
const LONGEST_CODE: usize = 60;
/// Of a provider's name for a thing, and of an address.
const LONGEST_NAME: usize = 500;
const LONGEST_ADDRESS: usize = 4_000;

/// The plugins of a gateway as payment providers.
pub struct Paying {
    plugins: Arc<Plugins>,
    org: OrgId,
}

impl Paying {
    /// These plugins, which are this organisation's.
    #[must_use]
    pub fn new(plugins: Arc<Plugins>, org: OrgId) -> Self {
        Self { plugins, org }
    }

    fn mailer(&self) -> Arc<dyn PaymentProvider> {
        let (house, store) = self.plugins.mails();
        Arc::new(Mailer::new(store, house, self.org.clone()))
    }

    fn provider(&self, plugin: Plugin) -> Arc<dyn PaymentProvider> {
        Arc::new(Provider { plugins: Arc::clone(&self.plugins), org: self.org.clone(), plugin })
    }
}

impl Providers for Paying {
    fn current(&self, org: &OrgId, plugin: &str) -> Option<(Pin, Arc<dyn PaymentProvider>)> {
        if *org != self.org {
            return None;
        }
        if plugin == MAIL {
            let own = "built in".to_owned();
            let pin = Pin { plugin: MAIL.to_owned(), version: own.clone(), sha256: own };
            return Some((pin, self.mailer()));
        }
        let found = self.plugins.get_kept(plugin)?;
        let pin = Pin {
            plugin: plugin.to_owned(),
            version: found.code().manifest.version.to_string(),
            sha256: found.code().sha256.clone(),
        };
        Some((pin, self.provider(found)))
    }

    fn pinned(&self, org: &OrgId, pin: &Pin) -> Option<Arc<dyn PaymentProvider>> {
        if *org == self.org && pin.plugin == MAIL {
            return Some(self.mailer());
        }
        let found = (*org == self.org).then(|| self.plugins.version(&pin.plugin, &pin.sha256))??;
        Some(self.provider(found))
    }
}

struct Provider {
    plugins: Arc<Plugins>,
    org: OrgId,
    plugin: Plugin,
}

// Nothing was asked of it.
fn cannot(why: &NotAble) -> Fault {
    Fault::new(Outcome::NotDone, "not-able", why.to_string())
}

impl Provider {
    fn payments(&self) -> Result<Payments, Fault> {
        self.plugin.payments().map_err(|why| cannot(&why))
    }

    fn messages(&self) -> Result<Messages, Fault> {
        self.plugin.messages().map_err(|why| cannot(&why))
    }

    fn invoices(&self) -> Result<Invoices, Fault> {
        self.plugin.invoices().map_err(|why| cannot(&why))
    }

    fn meters(&self) -> Result<Meters, Fault> {
        self.plugin.meters().map_err(|why| cannot(&why))
    }

    async fn phone(&self, reference: &str) -> Result<Option<String>, Fault> {
        let phone = self.plugins.payer_phone(&self.org, &self.plugin, reference).await;
        phone.map_err(|why| Fault::new(Outcome::NotDone, "storage", why.to_string()))
    }

    fn heard<T, U>(
        &self,
        function: &'static str,
        done: Done<T>,
        read: impl FnOnce(T) -> Result<U, Fault>,
    ) -> Result<U, Fault> {
        self.plugins.note(self.plugin.name(), function, &done);
        done.result.map_err(failed).and_then(read)
    }
}

impl PaymentProvider for Provider {
    fn lasts(&self) -> Duration {
        self.plugin.limits().wall.0
    }

    fn save<'a>(&'a self, key: &'a str, request: &'a SaveRequest) -> Answer<'a, ProviderInstrument> {
        let SaveRequest { payer, reference, return_to, at_most, description } = request.clone();
        let at_most = at_most.map(to_wit);
        Box::pin(async move {
            let payments = self.payments()?;
            let phone = self.phone(&reference).await?;
            let more = more(phone.as_deref());
            let request = wit::SaveRequest { payer, reference, return_to, at_most, description, more };
            let done = payments.save(&Context::default(), key, request).await;
            let saved = self.heard("payments.save", without(done, phone.as_deref()), instrument)?;
            let failure = saved.failure.map(|fault| unnamed(fault, phone.as_deref()));
            Ok(ProviderInstrument { failure, ..saved })
        })
    }

    fn saved<'a>(&'a self, reference: &'a str) -> Answer<'a, ProviderInstrument> {
        Box::pin(async move {
            let done = self.payments()?.saved(&Context::default(), reference).await;
            self.heard("payments.saved", done, instrument)
        })
    }

    fn charge<'a>(&'a self, key: &'a str, request: &'a ChargeRequest) -> Answer<'a, ProviderPayment> {
        let ChargeRequest { amount, instrument, payer, description, reference, return_to, capture } =
            request.clone();
        let amount = to_wit(amount);
        Box::pin(async move {
            let payments = self.payments()?;
            let phone = self.phone(&reference).await?;
            let more = more(phone.as_deref());
            let request = wit::ChargeRequest {
                amount,
                instrument,
                payer,
                description,
                reference,
                return_to,
                capture,
                more,
            };
            let done = payments.charge(&Context::default(), key, request).await;
            let charged = self.heard("payments.charge", without(done, phone.as_deref()), payment)?;
            let failure = charged.failure.map(|fault| unnamed(fault, phone.as_deref()));
            Ok(ProviderPayment { failure, ..charged })
        })
    }

    fn capture<'a>(
        &'a self,
        key: &'a str,
        reference: &'a str,
        amount: &'a Money,
    ) -> Answer<'a, ProviderPayment> {
        Box::pin(async move {
            let amount = to_wit(amount.clone());
            let done = self.payments()?.capture(&Context::default(), key, reference, amount).await;
            self.heard("payments.capture", done, payment)
        })
    }

    fn refund<'a>(
        &'a self,
        key: &'a str,
        reference: &'a str,
        amount: &'a Money,
        reason: &'a str,
    ) -> Answer<'a, ProviderPayment> {
        Box::pin(async move {
            let amount = to_wit(amount.clone());
            let done = self.payments()?.refund(&Context::default(), key, reference, amount, reason).await;
            self.heard("payments.refund", done, payment)
        })
    }

    fn cancel<'a>(&'a self, key: &'a str, reference: &'a str) -> Answer<'a, ProviderPayment> {
        Box::pin(async move {
            let done = self.payments()?.cancel(&Context::default(), key, reference).await;
            self.heard("payments.cancel", done, payment)
        })
    }

    fn status<'a>(&'a self, reference: &'a str) -> Answer<'a, ProviderPayment> {
        Box::pin(async move {
            let done = self.payments()?.status(&Context::default(), reference).await;
            self.heard("payments.status", done, payment)
        })
    }

    fn lookup<'a>(
        &'a self,
        key: &'a str,
        operation: Operation,
        ours: &'a str,
        theirs: Option<&'a str>,
    ) -> Answer<'a, Option<ProviderPayment>> {
        Box::pin(async move {
            let operation = match operation {
                Operation::Save => wit::Operation::Save,
                Operation::Charge => wit::Operation::Charge,
                Operation::Capture => wit::Operation::Capture,
                Operation::Refund => wit::Operation::Refund,
                Operation::Cancel => wit::Operation::Cancel,
            };
            let theirs = theirs.map(str::to_owned);
            let done = self.payments()?.lookup(&Context::default(), key, operation, ours, theirs).await;
            self.heard("payments.lookup", done, |found| found.map(payment).transpose())
        })
    }

    fn send<'a>(&'a self, key: &'a str, message: &'a MessageRequest) -> Answer<'a, String> {
        Box::pin(async move {
            let MessageRequest { kind, driver, text, language } = message.clone();
            let messages = self.messages()?;
            let to = self.plugins.phone(&self.org, &driver).await;
            let to = to.map_err(|why| Fault::new(Outcome::NotDone, "storage", why.to_string()))?;
            let to = to.ok_or_else(|| {
                Fault::new(
                    Outcome::Refused,
                    "no-phone",
                    "the driver's telephone number is not known any more",
                )
            })?;
            let (subject, more) = (String::new(), Options::new());
            let number = to.clone();
            let message = wit_messages::Message { kind, to, subject, text, language, more };
            let done = messages.send(&Context::default(), key, message).await;
            let sent = done.result.map_err(|why| without_number(why, &number));
            let done = Done { result: sent, ..done };
            self.heard("messages.send", done, |receipt| name(receipt.reference))
        })
    }

    fn sent<'a>(&'a self, key: &'a str) -> Answer<'a, Option<String>> {
        Box::pin(async move {
            let done = self.messages()?.lookup(&Context::default(), key).await;
            self.heard("messages.lookup", done, |found| {
                found.map(|receipt| name(receipt.reference)).transpose()
            })
        })
    }

    fn invoice<'a>(&'a self, key: &'a str, request: &'a InvoiceRequest) -> Answer<'a, InvoiceDelivery> {
        Box::pin(async move {
            let invoices = self.invoices()?;
            let letter = self.plugins.letter(&self.org, &request.invoice).await;
            let letter = letter.map_err(|why| Fault::new(Outcome::NotDone, "storage", why.to_string()))?;
            let document = match letter.document {
                Ok(document) => document,
                Err(why) => return Ok(elsewhere("no-document", &why.to_string())),
            };
            let reached = invoices.reach(&Context::default(), letter.known).await;
            // Asking who can be reached changes nothing, and that it is not known is no "no": it is asked again.
            let reached = self.heard("invoices.reach", reached, Ok);
            let reached = reached.map_err(|fault| Fault { outcome: Outcome::NotDone, ..fault })?;
            match reached.consent {
                Consent::Accepts => {}
                Consent::None => return Ok(elsewhere("no-consent", &reached.detail)),
                Consent::Blocked => return Ok(elsewhere("blocked", &reached.detail)),
            }
            let invoice = letter.invoice;
            let sent = wit_invoices::Invoice {
                number: invoice.number,
                payment_reference: letter.payment.reference.unwrap_or_default(),
                amount: model::Money { minor: letter.left, currency: invoice.currency },
                issued: invoice.issued,
                due: invoice.due.unwrap_or_default(),
                address: reached.address,
                document: document.into_bytes(),
                attachment: Vec::new(),
                more: Options::new(),
            };
            let done = invoices.send(&Context::default(), key, sent).await;
            self.heard("invoices.send", done, delivered)
        })
    }

    fn invoiced<'a>(
        &'a self,
        key: &'a str,
        request: &'a InvoiceRequest,
    ) -> Answer<'a, Option<InvoiceDelivery>> {
        Box::pin(async move {
            let done = self.invoices()?.lookup(&Context::default(), key, &request.number).await;
            self.heard("invoices.lookup", done, |found| found.map(delivered).transpose())
        })
    }

    fn values<'a>(&'a self, key: &'a str, request: &'a ValuesRequest) -> Answer<'a, String> {
        Box::pin(async move {
            let value = |value: &SentValue| Value {
                from: value.from,
                until: value.until,
                kwh: value.kwh.clone(),
                quality: Quality::Measured,
            };
            let series = Series {
                point: request.point.clone(),
                direction: Direction::Consumption,
                values: request.values.iter().map(value).collect(),
            };
            let done = self.meters()?.send(&Context::default(), key, vec![series]).await;
            self.heard("meters.send", done, name)
        })
    }

    // The interface has no look-up of its own: what the other system has of that time tells.
    fn values_there<'a>(&'a self, request: &'a ValuesRequest) -> Answer<'a, Option<String>> {
        Box::pin(async move {
            let (Some(first), Some(last)) = (request.values.first(), request.values.last()) else {
                return Ok(None);
            };
            let span = Span {
                point: request.point.clone(),
                direction: Direction::Consumption,
                from: first.from,
                until: last.until,
            };
            let done = self.meters()?.fetch(&Context::default(), span).await;
            let there = self.heard("meters.fetch", done, Ok)?;
            there_are(request, &there)
        })
    }

    fn delivery<'a>(&'a self, reference: &'a str) -> Answer<'a, InvoiceDelivery> {
        Box::pin(async move {
            let done = self.invoices()?.status(&Context::default(), reference).await;
            self.heard("invoices.status", done, delivered)
        })
    }

    fn recall<'a>(&'a self, key: &'a str, reference: &'a str) -> Answer<'a, InvoiceDelivery> {
        Box::pin(async move {
            let done = self.invoices()?.cancel(&Context::default(), key, reference).await;
            self.heard("invoices.cancel", done, delivered)
        })
    }
}

// What a provider is told besides.
fn more(phone: Option<&str>) -> Options {
    phone.map(|phone| ("phone".to_owned(), phone.to_owned())).into_iter().collect()
}

// A number that is looked up when it is needed stands in one place only; what a provider says may repeat it.
fn hidden(text: &str, phone: Option<&str>) -> String {
    let Some(digits) = phone.map(|phone| phone.trim_start_matches('+')) else { return text.to_owned() };
    text.replace(&format!("+{digits}"), "(number)").replace(digits, "(number)")
}

fn unnamed(fault: Fault, phone: Option<&str>) -> Fault {
    Fault { detail: hidden(&fault.detail, phone), ..fault }
}

// A call that did not go well, without the number: it is shown among the plugins too.
fn without<T>(mut done: Done<T>, phone: Option<&str>) -> Done<T> {
    match &mut done.result {
        Ok(_) => {}
        Err(Failed::Said(error)) => error.detail = hidden(&error.detail, phone),
        Err(Failed::Stopped(stop)) => stop.detail = hidden(&stop.detail, phone),
    }
    done
}

// Whether what was sent is what is there. What is there of that time and is something else may be from before, or of others.
fn there_are(sent: &ValuesRequest, there: &[Series]) -> Result<Option<String>, Fault> {
    let known: Vec<&Value> = there
        .iter()
        .filter(|series| series.point == sent.point && series.direction == Direction::Consumption)
        .flat_map(|series| &series.values)
        .filter(|value| value.quality != Quality::Missing)
        .collect();
    if known.is_empty() {
        return Ok(None);
    }
    let same = |one: &SentValue| {
        let energy = |text: &str| takst_engine::input::decimal(text).ok().map(|energy| energy.normalize());
        known.iter().any(|value| {
            (value.from, value.until) == (one.from, one.until) && energy(&value.kwh) == energy(&one.kwh)
        })
    };
    if sent.values.iter().all(same) {
        return Ok(Some(String::new()));
    }
    let words = "the other system has other values of that time than those that were sent: whether these came there it does not say";
    Err(Fault::new(Outcome::Refused, "other-values", words))
}

// Nothing was sent, and nothing will be.
fn elsewhere(code: &str, detail: &str) -> InvoiceDelivery {
    let (state, detail) = (DeliveryState::Elsewhere, text(detail, LONGEST_TEXT));
    InvoiceDelivery { reference: String::new(), state, code: code.to_owned(), detail }
}

fn delivered(said: wit_invoices::Delivery) -> Result<InvoiceDelivery, Fault> {
    let wit_invoices::Delivery { reference, state, detail } = said;
    let (state, code) = match state {
        WitState::Accepted => (DeliveryState::Accepted, "accepted"),
        WitState::Delivered => (DeliveryState::Delivered, "delivered"),
        WitState::Rejected => (DeliveryState::Rejected, "rejected"),
        WitState::Cancelled => (DeliveryState::Cancelled, "cancelled"),
    };
    let detail = text(&detail, LONGEST_TEXT);
    Ok(InvoiceDelivery { reference: name(reference)?, state, code: code.to_owned(), detail })
}

fn to_wit(money: Money) -> model::Money {
    model::Money { minor: money.minor, currency: money.currency }
}

fn from_wit(money: model::Money) -> Money {
    Money { minor: money.minor, currency: money.currency }
}

fn outcome(outcome: model::Outcome) -> Outcome {
    match outcome {
        model::Outcome::Refused => Outcome::Refused,
        model::Outcome::NotDone => Outcome::NotDone,
        model::Outcome::Unknown => Outcome::Unknown,
    }
}

// What is known of a call that did not return is for the host to say: it knows whether anything was sent.
fn failed(failed: Failed) -> Fault {
    match failed {
        Failed::Said(error) => fault(error),
        Failed::Stopped(stop) => {
            Fault::new(outcome(stop.outcome), stop.kind.code(), text(&stop.detail, LONGEST_TEXT))
        }
    }
}

fn fault(error: model::Error) -> Fault {
    let model::Error { code, outcome: known, detail, retry_after } = error;
    Fault {
        code: text(&code, LONGEST_CODE),
        outcome: outcome(known),
        detail: text(&detail, LONGEST_TEXT),
        retry_after,
    }
}

fn payment(said: wit::Payment) -> Result<ProviderPayment, Fault> {
    let wit::Payment { reference, state, captured, refunded, next, failure, more: _ } = said;
    let status = match state {
        PaymentState::Pending => Status::Pending,
        PaymentState::ActionNeeded => Status::ActionNeeded,
        PaymentState::Authorized => Status::Authorized,
        PaymentState::Paid => Status::Paid,
        PaymentState::Failed => Status::Failed,
        PaymentState::Cancelled => Status::Cancelled,
        PaymentState::Expired => Status::Expired,
    };
    Ok(ProviderPayment {
        reference: name(reference)?,
        status,
        captured: from_wit(captured),
        refunded: from_wit(refunded),
        next: next.and_then(address),
        failure: failure.map(fault),
    })
}

fn instrument(said: wit::Instrument) -> Result<ProviderInstrument, Fault> {
    let wit::Instrument { reference, ready, label, next, failure, more: _ } = said;
    Ok(ProviderInstrument {
        reference: name(reference)?,
        ready,
        label: text(&label, LONGEST_TEXT),
        next: next.and_then(address),
        failure: failure.map(fault),
    })
}

// What something is asked for by later must be kept as it is, or not at all: whatever it was, it may have been done.
fn name(reference: String) -> Result<String, Fault> {
    if reference.chars().any(char::is_control) || reference.chars().count() > LONGEST_NAME {
        let words = "the plugin gave a name for it that cannot be kept";
        return Err(Fault::new(Outcome::Unknown, "odd-reference", words));
    }
    Ok(reference)
}

// Where a browser may be sent: to pages only.
fn address(next: String) -> Option<String> {
    let page = ["https://", "http://"].iter().any(|scheme| next.starts_with(scheme));
    let plain = next.chars().all(|c| c.is_ascii_graphic()) && next.len() <= LONGEST_ADDRESS;
    if page && plain {
        return Some(next);
    }
    tracing::warn!("a plugin named an address to go to that is none of a page");
    None
}

// For people: in one line, and not without end.
fn text(text: &str, most: usize) -> String {
    text.chars().take(most).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use takst_plugins::{Kind, Stop};

    #[test]
    fn a_call_that_was_stopped_is_as_sure_as_the_host_is() {
        for (kind, known, is) in [
            (Kind::Trap, model::Outcome::Unknown, ("trap", Outcome::Unknown)),
            (Kind::Time, model::Outcome::Unknown, ("time", Outcome::Unknown)),
            (Kind::Trap, model::Outcome::NotDone, ("trap", Outcome::NotDone)),
            (Kind::Busy, model::Outcome::NotDone, ("busy", Outcome::NotDone)),
        ] {
            let stop = Stop { kind, outcome: known, detail: "it\u{1b}broke".into() };
            let fault = failed(Failed::Stopped(stop));
            assert_eq!((fault.code.as_str(), fault.outcome), is);
            assert_eq!((fault.detail.as_str(), fault.retry_after), ("it broke", None));
        }
    }

    #[test]
    fn what_a_plugin_says_of_a_number_is_not_kept() {
        let text = "+4791234567 is no user; ask 4791234567 again";
        assert_eq!(hidden(text, Some("+4791234567")), "(number) is no user; ask (number) again");
        assert_eq!(hidden(text, None), text);
    }

    #[test]
    fn what_a_plugin_says_is_kept_as_it_is_or_not_at_all() {
        let said = |reference: &str, next: &str| wit::Payment {
            reference: reference.into(),
            state: PaymentState::ActionNeeded,
            captured: model::Money { minor: 0, currency: "NOK".into() },
            refunded: model::Money { minor: 0, currency: "NOK".into() },
            next: Some(next.into()),
            failure: None,
            more: Vec::new(),
        };
        let fine = payment(said("pi_1", "https://pay.example/1?a=b")).unwrap();
        assert_eq!((fine.reference.as_str(), fine.status), ("pi_1", Status::ActionNeeded));
        assert_eq!(fine.next.as_deref(), Some("https://pay.example/1?a=b"));
        for odd in ["javascript:alert(1)", "https://a b", "//x", "", "https://x/\r\nset-cookie: a"] {
            assert_eq!(payment(said("pi_1", odd)).unwrap().next, None, "{odd}");
        }
        for odd in ["pi\0", "pi\n1", &"x".repeat(501)] {
            let error = payment(said(odd, "https://x")).unwrap_err();
            assert_eq!((error.outcome, error.code.as_str()), (Outcome::Unknown, "odd-reference"));
        }
        let error = model::Error {
            code: "card\u{0}declined".into(),
            outcome: model::Outcome::Refused,
            detail: "é".repeat(501),
            retry_after: Some(7),
        };
        let error = fault(error);
        assert_eq!((error.code.as_str(), error.outcome), ("card declined", Outcome::Refused));
        assert_eq!((error.detail.chars().count(), error.retry_after), (500, Some(7)));
    }
}
