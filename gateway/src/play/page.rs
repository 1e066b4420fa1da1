//! The page: the tariff on the left, the session and its bill on the right. It works without a script too, a click at a time.

use super::form::{Kind, Question};
use super::look::{Look, Tried};
use super::{Room, editor};
use maud::{DOCTYPE, Markup, html};

/// All of it; `said` is the answer to what was asked for last.
pub(super) fn page(room: &Room, look: &Look, said: &str) -> Markup {
    let tried = look.tried.as_ref();
    let priced = tried.and_then(|tried| tried.priced.as_ref().ok());
    let wrong = match tried {
        None => "Mend the tariff first; then the session is priced.",
        Some(tried) => tried.priced.as_ref().err().map_or("", String::as_str),
    };
    let value = |name: &str| tried.and_then(|tried| tried.fields.get(name)).map_or("", String::as_str);
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="robots" content="noindex";
                meta name="color-scheme" content="light dark";
                title { "Try it: " (room.name()) }
                link rel="stylesheet" href="/play.css";
                link rel="icon" href="data:,";
                script src="/play.js" defer {}
            }
            body {
                form #form method="post" action="/" autocomplete="off" {
                    header {
                        h1 { "Takst" }
                        p.file { (room.name()) }
                        p #said role="status" { (said) }
                        button type="submit" name="do" value="layout" title="Lay the text out neatly, without changing what it says" { "Lay out" }
                        @if room.writes() { button.main type="submit" name="do" value="save" title="Write the file (Ctrl S)" { "Save" } }
                    }
                    main {
                        section.tariff aria-label="The tariff" {
                            div.editor {
                                pre #lines aria-hidden="true" { (look.lines) }
                                textarea #text name="text" spellcheck="false" autocapitalize="off" wrap="off" aria-label="The tariff's text"
                                    aria-describedby="verdict" { "\n" (look.text) }
                            }
                            p #verdict class=(look.verdict.1) role="status" { (look.verdict.0) }
                            ul #messages aria-label="What is wrong" { (look.messages) }
                        }
                        div.right {
                            section.session aria-label="A session" {
                                h2 { "A session " small #zone { (tried.map_or("", |tried| tried.zone.as_str())) } }
                                div #timeline { @if let Some(priced) = priced { (priced.timeline) } }
                                p #wrong role="alert" { (wrong) }
                                div.fields {
                                    (time("in", "Plugged in", value("in")))
                                    (time("full", "Charging ends", value("full")))
                                    (time("out", "Unplugged", value("out")))
                                    label { "Power, kW" input name="kw" inputmode="decimal" value=(value("kw")); }
                                    label { "Energy, kWh" input name="kwh" inputmode="decimal" value=(value("kwh")); }
                                    div #questions { @if let Some(tried) = tried { (questions(tried)) } }
                                }
                                @for name in ["in_at", "full_at", "out_at", "was", "axis_from", "axis_to", "width"] {
                                    input type="hidden" name=(name) value=(value(name));
                                }
                                p #notes { @if let Some(priced) = priced { (priced.notes.join(" ")) } }
                                button.main.without-script type="submit" name="do" value="look" { "Work it out" }
                            }
                            section.money aria-label="The bill" {
                                h2 { "The bill" }
                                div #bill { @if let Some(priced) = priced { (priced.bill) } }
                                details {
                                    summary { "This session as a file for " code { "takst price --session" } }
                                    pre #session { @if let Some(priced) = priced { (priced.session) } }
                                }
                            }
                        }
                    }
                }
                div #quote hidden { p {} button type="button" { "show" } }
            }
        }
    }
}

fn time(name: &str, label: &str, value: &str) -> Markup {
    html! { label { (label) input type="datetime-local" name=(name) value=(value) required; } }
}

/// What the tariff asks about a session.
pub(super) fn questions(tried: &Tried) -> Markup {
    html! {
        @for Question { name, label, kind, value } in &tried.questions {
            label {
                (label)
                @match kind {
                    Kind::Choice(options) => select name=(name) {
                        @for (known, text) in options { option value=(known) selected[known == value] { (text) } }
                    },
                    Kind::Number => input name=(name) inputmode="decimal" value=(value);,
                }
            }
        }
    }
}

/// A page that only says something.
pub(super) fn words(title: &str, text: &str) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head { meta charset="utf-8"; title { (title) } link rel="stylesheet" href="/play.css"; }
            body { main.words { h1 { (title) } p { (text) } } }
        }
    }
}

/// The name of a file, without its folders.
pub(super) fn shown(path: &std::path::Path) -> String {
    editor::file_name(&path.display().to_string()).to_owned()
}
