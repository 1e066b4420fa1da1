//! The changing parts of the page.

use super::{Held, Running, SiteView, View};
use crate::billing::printed_number;
use crate::store::{Bill, Charger, ConnectorState, Incident, Registration, Session};
use maud::{Markup, html};
use serde_json::Value;
use takst_engine::calendar_time::utc_text;
use takst_engine::units::{HOUR_MS, Instant, MINUTE_MS};

/// All of them.
pub(super) fn all(view: &View) -> Markup {
    html! {
        (chargers(view))
        (running(view))
        @if !view.incidents.is_empty() { (incidents(view)) }
        @if !view.held.is_empty() { (held(&view.held)) }
        (bills(view))
    }
}

fn chargers(view: &View) -> Markup {
    let all = || view.sites.iter().flat_map(|site| &site.chargers);
    let online = all().filter(|(charger, _)| charger.connection.is_some()).count();
    html! {
        section {
            h2 { "Chargers " small { (online) " of " (all().count()) " connected" } }
            @if view.sites.is_empty() { p.none { "None yet. A charger connects to /ocpp/ and its identity." } }
            @for SiteView { name, chargers } in &view.sites {
                h3 { (name) }
                div.tiles {
                    @for (charger, connectors) in chargers { (tile(charger, connectors, view.at)) }
                }
            }
        }
    }
}

fn tile(charger: &Charger, connectors: &[ConnectorState], at: Instant) -> Markup {
    let worst = connectors.iter().map(|connector| look(&connector.status)).max_by_key(|look| rank(look));
    let class = match (charger.connection.is_some(), charger.registration) {
        (false, _) => "",
        (true, Registration::Accepted) => worst.unwrap_or("good"),
        (true, Registration::Pending | Registration::Rejected) => "idle",
    };
    let state: Vec<String> = connectors
        .iter()
        .filter(|connector| connector.evse != 0)
        .map(|connector| connector.status.clone())
        .collect();
    let said = match (charger.connection.is_some(), charger.registration) {
        (_, Registration::Pending) => "waits for approval".to_owned(),
        (_, Registration::Rejected) => "refused".to_owned(),
        (false, _) => match charger.last_seen {
            Some(seen) => format!("offline for {}", length(at.0 - seen.0)),
            None => "never seen".to_owned(),
        },
        (true, _) if state.is_empty() => "connected".to_owned(),
        (true, _) => state.join(", "),
    };
    let model = [charger.vendor.as_deref(), charger.model.as_deref()];
    let model: Vec<&str> = model.into_iter().flatten().collect();
    html! {
        div class={ "tile " (class) } {
            b title=(charger.id) { (charger.id) }
            span { (said) } br;
            span { (model.join(" ")) @if let Some(protocol) = &charger.protocol { " · " (protocol) } }
        }
    }
}

fn look(status: &str) -> &'static str {
    match status {
        "Faulted" | "Unavailable" => "bad",
        "Charging" => "busy",
        "SuspendedEV" | "SuspendedEVSE" | "Finishing" | "Preparing" | "Occupied" => "idle",
        _ => "good",
    }
}

fn rank(look: &str) -> u8 {
    match look {
        "bad" => 3,
        "busy" => 2,
        "idle" => 1,
        _ => 0,
    }
}

fn running(view: &View) -> Markup {
    html! {
        section {
            h2 { "Charging now " small { (view.running.len()) } }
            @if view.running.is_empty() { p.none { "No car is plugged in." } } @else {
                table {
                    tr { th { "charger" } th { "token" } th { "since (site's clock)" } th { "now" } th.figure { "time" } th.figure { "kWh" } th.figure { "cost so far" } th { "tariff" } }
                    @for Running { session, cost, since, doing } in &view.running {
                        tr {
                            td { (session.charger) " / " (session.evse) }
                            td.cut title=(session.token.as_deref().unwrap_or_default()) { (session.token.as_deref().unwrap_or("–")) }
                            td { (since) }
                            td { (doing) }
                            td.figure { (length(view.at.0 - session.plugged_in.0)) }
                            td.figure { (kwh(session)) }
                            td.figure { (cost.as_deref().unwrap_or("–")) }
                            td.wide { (session.tariff_name.as_deref().unwrap_or("none")) }
                        }
                    }
                }
            }
        }
    }
}

fn kwh(session: &Session) -> String {
    takst_engine::exact::print_decimal(i128::from(session.energy.unwrap_or_default().0 / 10_000), 2, false)
}

fn incidents(view: &View) -> Markup {
    html! {
        section {
            h2 { "Incidents " small { (view.incidents.len()) " open" } }
            table {
                tr { th { "since" } th { "what" } th { "about" } th { "severity" } }
                @for incident in &view.incidents { (incident_row(incident)) }
            }
        }
    }
}

fn incident_row(incident: &Incident) -> Markup {
    html! {
        tr {
            td { (clock(incident.opened_at)) }
            td { (incident.kind) }
            td.wide { (incident.subject) }
            td { (incident.severity) }
        }
    }
}

// A text of what is known of an incident.
pub(super) fn said(incident: &Incident, field: &str) -> String {
    let about: Value = serde_json::from_str(&incident.document).unwrap_or_default();
    about.get(field).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn held(sessions: &[Held]) -> Markup {
    html! {
        section {
            h2 { "Held back " small { "somebody has to decide before these are billed or corrected" } }
            table {
                tr { th { "charger" } th { "plugged in (site's clock)" } th.figure { "kWh" } th { "waits" } th { "why" } }
                @for Held { session, since, why, billed } in sessions {
                    tr {
                        td { (session.charger) " / " (session.evse) }
                        td { (since) }
                        td.figure { (kwh(session)) }
                        td title=(session.id) {
                            @if *billed { a href={ "/api/v1/sessions/" (session.id) "/correction" } { "its bill is to be corrected, or not" } }
                            @else { "its bill is not made" }
                        }
                        td.wide { (why) }
                    }
                }
            }
        }
    }
}

fn bills(view: &View) -> Markup {
    html! {
        section {
            h2 { "Last bills" }
            @if view.bills.is_empty() { p.none { "None yet." } } @else {
                table {
                    tr { th { "number" } th { "issued (site's clock)" } th { "kind" } th.figure { "total" } th { "made of" } th {} }
                    @for bill in &view.bills { (bill_row(bill)) }
                }
            }
        }
    }
}

fn bill_row(bill: &Bill) -> Markup {
    let document: Value = serde_json::from_str(&bill.document).unwrap_or_default();
    let text =
        |value: &Value, field: &str| value.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
    let list = |field: &str| document.get(field).and_then(Value::as_array).cloned().unwrap_or_default();
    let charges = list("charges");
    let mut made: Vec<String> = charges
        .iter()
        .map(|charge| format!("{} {}", text(charge, "label"), text(charge, "amount")))
        .collect();
    // Prices without tax come to the total only with it.
    if document.get("prices_include_vat").and_then(Value::as_bool) == Some(false) {
        made.push(format!("tax {}", text(&document, "vat_total")));
    }
    html! {
        tr {
            td { (printed_number(&bill.series, bill.number)) }
            td { (minute(&text(&document, "issued"))) }
            td { (bill.kind.as_str()) }
            td.figure { (text(&document, "total")) " " (bill.currency) }
            td.wide {
                details {
                    summary { (made.join(", ")) }
                    table {
                        tr { th { "from" } th { "to" } th { "what" } th.figure { "quantity" } th.figure { "price" } th.figure { "amount" } th { "by line" } }
                        @for line in list("lines") {
                            tr {
                                td { (minute(&text(&line, "from"))) }
                                td { (minute(&text(&line, "to"))) }
                                td { (text(&line, "label")) }
                                td.figure { (text(&line, "quantity")) " " (text(&line, "unit")) }
                                td.figure { (text(&line, "unit_price")) }
                                td.figure { (short(&text(&line, "amount"))) }
                                td { (text(&line, "rule")) }
                            }
                        }
                    }
                }
            }
            td { a href={ "/api/v1/bills/" (bill.id) "/receipt" } { "receipt" } }
        }
    }
}

// `2025-03-10 17:00` of an RFC 3339 time.
pub(super) fn minute(text: &str) -> String {
    text.get(..16).unwrap_or(text).replace('T', " ")
}

// An exact amount to four decimals, for the eye.
fn short(amount: &str) -> String {
    match amount.split_once('.') {
        Some((whole, rest)) => format!("{whole}.{}", rest.get(..4).unwrap_or(rest)),
        None => amount.to_owned(),
    }
}

fn clock(at: Instant) -> String {
    minute(&utc_text(at)) + " UTC"
}

fn length(ms: i64) -> String {
    let ms = ms.max(0);
    match ms / HOUR_MS {
        0 => format!("{} min", ms / MINUTE_MS),
        hours if hours < 48 => format!("{hours} h {:02} min", ms / MINUTE_MS % 60),
        hours => format!("{} days", hours / 24),
    }
}
