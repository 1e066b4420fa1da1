//! Whole pages.

use super::{View, parts};
use maud::{DOCTYPE, Markup, html};

fn frame(title: &str, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) }
                link rel="stylesheet" href="/page.css";
                link rel="icon" href="data:,";
            }
            body { (body) }
        }
    }
}

/// The operator's page.
pub(super) fn home(view: &View) -> Markup {
    let body = html! {
        header {
            h1 { "Takst" }
            p { "Chargers, sessions and bills as they are now" }
            a href="/api/openapi.json" { "API" }
            a href="/metrics" { "metrics" }
            span #lamp title="connecting" {}
        }
        main #now { (parts::all(view)) }
        script src="/page.js" {}
    };
    frame("Takst", &body)
}

/// Asks for a key; says what was wrong with the last one.
pub(super) fn login(wrong: Option<&str>) -> Markup {
    let body = html! {
        header { h1 { "Takst" } }
        main {
            section {
                h2 { "Your key" }
                form.key method="post" action="/login" {
                    @if let Some(wrong) = wrong { p.wrong { (wrong) } }
                    label for="key" { "A key of the API, as in takst_…" }
                    input #key name="key" type="password" autocomplete="current-password" required autofocus;
                    button { "Enter" }
                }
            }
        }
    };
    frame("Takst: enter", &body)
}
