//! Pictures of a day's prices and of a session, as SVG. Pure: whole hundredths of a pixel, colours from one style sheet.

mod axis;
pub mod cheapest;
pub mod day;
pub mod session;

pub use axis::drawable;

use maud::{Markup, PreEscaped, html};
use takst_engine::units::Instant;

/// The colours of all pictures, light and dark. A page links it; a picture in a file of its own has it inside.
pub const STYLE: &str = include_str!("draw/chart.css");

/// A stretch of time with one price, if it is known.
#[derive(Clone, Debug)]
pub struct Step {
    /// Start.
    pub from: Instant,
    /// End.
    pub to: Instant,
    /// Per unit; none where it is not known.
    pub price: Option<rust_decimal::Decimal>,
    /// What a person reads who points at it.
    pub tip: String,
}

/// A picture as a file that any viewer shows by itself: its own size, its own colours.
pub fn file(picture: &Markup, title: &str, (width, height): (i64, i64)) -> String {
    let svg = html! {
        svg xmlns="http://www.w3.org/2000/svg" width=(width) height=(height) viewBox=(format!("0 0 {width} {height}")) role="img" class="chart" {
            title { (clean(title)) }
            style { (PreEscaped(STYLE)) }
            rect class="paper" width=(width) height=(height) {}
            (picture)
        }
    };
    format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{}\n", svg.into_string())
}

/// The text without what XML cannot hold.
pub(crate) fn clean(text: &str) -> String {
    let allowed = |c: char| !c.is_control() && !matches!(c, '\u{fffe}' | '\u{ffff}');
    text.chars().map(|c| if allowed(c) { c } else { ' ' }).collect()
}

/// The text cut to so many columns, for a place where nothing wraps.
pub(crate) fn short(text: &str, columns: usize) -> String {
    crate::cli::layout::fit(&clean(text), columns)
}
