//! The page: one column, for a telephone.

use super::words::Words;
use super::{Item, View};
use crate::store::PaymentStatus;
use maud::{DOCTYPE, Markup, PreEscaped, html};

const STYLE: &str = include_str!("pay.css");

fn frame(words: &Words, again: bool, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang=(words.language) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="robots" content="noindex";
                // What is under way is looked at again.
                @if again { meta http-equiv="refresh" content="5"; }
                title { (words.title) }
                link rel="icon" href="data:,";
                style { (PreEscaped(STYLE)) }
            }
            body { main { (body) } }
        }
    }
}

/// A page that says one thing.
pub(super) fn plain(words: &Words, text: &str) -> Markup {
    frame(words, false, &html! { h1 { (words.title) } section { p { (text) } } })
}

/// The page of a reminder.
pub(super) fn whole(view: &View) -> Markup {
    let waits = view
        .items
        .iter()
        .any(|item| item.left > 0 && item.open.as_ref().is_some_and(|open| open.next.is_none()));
    let body = html! {
        h1 { (view.words.title) }
        p.seller { (view.seller) }
        @for item in &view.items { (bill(view, item)) }
    };
    frame(view.words, waits, &body)
}

fn bill(view: &View, item: &Item) -> Markup {
    let words = view.words;
    let money = crate::api::money(item.left, &item.currency);
    html! {
        section {
            div.about { span { (words.bill) " " (item.number) } span { (item.day) } }
            div.about {
                span { @if let Some(place) = &item.place { (place) } }
                span { (item.energy) " kWh" }
            }
            @if item.left == 0 {
                p.paid { (if item.kept > 0 { words.paid } else { words.nothing }) }
            } @else {
                div.sum { span { (words.left) } strong { (money) " " (item.currency) } }
                @match &item.open {
                    Some(open) => {
                        p.soft { (words.waiting) }
                        @if let Some(next) = open.next.as_ref().filter(|_| open.status == PaymentStatus::ActionNeeded) {
                            a.button href=(next) rel="noreferrer" { (words.go_on) }
                        }
                    }
                    None => {
                        @if item.failed { p.failed { (words.failed) } }
                        @if item.ways.is_empty() { p.soft { (words.no_way) } }
                        form method="post" action=(format!("/pay/{}", view.token)) {
                            input type="hidden" name="bill" value=(item.id);
                            @for (name, called) in &item.ways {
                                button name="with" value=(name) { (words.pay_with) " " (called) }
                            }
                        }
                    }
                }
            }
        }
    }
}
