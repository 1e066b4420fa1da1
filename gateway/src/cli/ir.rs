//! `takst ir`.

mod words;

use super::failure::{Exit, Failure};
use super::layout::{columns, fit, left, wrap};
use super::out::{Look, Out};
use super::receipt::Sheet;
use super::table::limit_text;
use super::tariffs;
use clap::Args;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::PathBuf;
use takst_engine::Prepared;
use takst_engine::calendar_time::local_text;
use takst_engine::document::kind_text;
use takst_engine::tariff::{AfterAmount, Measure, MonthWhat, Node, NodeId, Tariff};
use words::{class_text, measure_text, outcome_text, quantity, test_text};

/// Show the compiled form of a tariff and its hash
///
/// With --format json the whole compiled form, from which the hash is taken. For people: what it knows, and each list as the
/// decisions that are taken from the top.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  takst ir prices.tariff\n  takst ir prices.tariff --format json > prices.ir.json"
)]
pub struct Ir {
    /// The tariff file
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

#[derive(Serialize)]
struct Compiled<'a> {
    version: &'a str,
    tariff: &'a Tariff,
}

/// Longest print of one list of decisions.
const MOST_LINES: usize = 400;

impl Ir {
    /// Shows the tariff.
    pub fn run(&self, out: &mut Out) -> Result<Exit, Failure> {
        let prepared = tariffs::prepared(&self.file, out)?;
        if out.json() {
            out.document(&Compiled { version: prepared.version(), tariff: prepared.tariff() })?;
            return Ok(Exit::Fine);
        }
        let work = Work {
            prepared: &prepared,
            tariff: prepared.tariff(),
            sheet: Sheet { width: out.width(), colour: out.colour(), exact: false },
        };
        let text = work.head();
        out.put(&text)?;
        for (title, root, measure) in work.lists() {
            out.line("")?;
            for line in wrap(&title, out.width()) {
                let line = out.paint(Look::Strong, &line);
                out.line(&line)?;
            }
            for line in work.diagram(root, measure) {
                out.line(&line)?;
            }
        }
        Ok(Exit::Fine)
    }
}

struct Work<'a> {
    prepared: &'a Prepared,
    tariff: &'a Tariff,
    sheet: Sheet,
}

impl Work<'_> {
    fn head(&self) -> String {
        let tariff = self.tariff;
        let time = |at| local_text(&tariff.zone, at);
        let mut rows: Vec<(&str, String)> = vec![
            (
                "file",
                tariff
                    .sources
                    .iter()
                    .map(|source| source.file.as_str())
                    .collect::<Vec<_>>()
                    .join(", based on "),
            ),
            ("version", self.prepared.version().to_owned()),
            ("format", tariff.format.to_string()),
            ("currency", format!("{}, {} digits", tariff.currency.code, tariff.currency.digits)),
            ("prices", if tariff.includes_vat { "including VAT" } else { "excluding VAT" }.to_owned()),
            ("time zone", format!("{}, {} clock changes", tariff.zone.name, tariff.zone.changes.len())),
        ];
        if let Some(from) = tariff.valid_from {
            rows.push(("valid from", time(from)));
        }
        if let Some(until) = tariff.valid_until {
            rows.push(("valid until", time(until)));
        }
        if !tariff.groups.is_empty() {
            let default = tariff.default_group;
            let groups = (0_u32..).zip(&tariff.groups).map(|(index, group)| {
                if Some(index) == default { format!("{group} (everyone else)") } else { group.clone() }
            });
            rows.push(("groups", groups.collect::<Vec<_>>().join(", ")));
        }
        for place in &tariff.places {
            let ids = place.chargers.iter().chain(&place.sites).cloned().collect::<Vec<_>>().join(", ");
            rows.push(("place", format!("{}: {ids}", place.name)));
        }
        for feed in &tariff.feeds {
            let area = feed.area.as_ref().map(|area| format!(", area {area}")).unwrap_or_default();
            let holds = if feed.holds { ", holds until the next" } else { "" };
            rows.push(("feed", format!("{} in {}{area}{holds}", feed.name, feed.unit)));
        }
        let size = format!(
            "{} decisions, {} price lines, {} kinds of day",
            tariff.nodes.len(),
            tariff.leaves.len(),
            tariff.days.classes.len().max(1)
        );
        rows.push(("size", size));
        let width = rows.iter().map(|(name, _)| columns(name)).max().unwrap_or(0) + 2;
        let mut text = format!("{}\n", self.sheet.strong(&fit(&tariff.name, self.sheet.width)));
        for (name, value) in rows {
            // The hash fills a line of 80 columns by itself, and whoever copies it wants it whole.
            let width = width.min(self.sheet.width.saturating_sub(columns(&value)).max(columns(name) + 1));
            let room = self.sheet.width.saturating_sub(width);
            let mut name = left(name, width);
            for line in wrap(&value, room) {
                text.push_str(&format!("{name}{line}\n"));
                name = " ".repeat(width);
            }
        }
        text
    }

    // `line 18`, or `base.tariff:18` for a line of a list that this one is based on.
    fn place(&self, rule: u32) -> String {
        let place = self.prepared.place(rule);
        match place.rsplit_once(':') {
            Some((file, line)) if file == self.tariff.file => format!("line {line}"),
            _ => place,
        }
    }

    // Everything that has a list of decisions of its own.
    fn lists(&self) -> Vec<(String, NodeId, Option<Measure>)> {
        let tariff = self.tariff;
        let place = |rule| self.place(rule);
        let mut lists = Vec::new();
        for (index, value) in (0_u32..).zip(&tariff.values) {
            // A named quantity is in the unit of the allowance that uses it.
            let measure = tariff.charges.iter().filter_map(|charge| charge.after.as_ref()).find_map(
                |after| match after.amount {
                    AfterAmount::Value(used) if used == index => Some(after.measure),
                    _ => None,
                },
            );
            let word = if measure.is_some() { "value" } else { "price" };
            lists.push((format!("{word} {}", value.name), value.root, measure));
        }
        for charge in &tariff.charges {
            let after = match &charge.after {
                None => String::new(),
                Some(after) => match &after.amount {
                    AfterAmount::Fixed(amount) => {
                        format!(", after {}", quantity(after.measure, *amount))
                    }
                    AfterAmount::Value(value) => {
                        let name = tariff.values.get(*value as usize).map_or("", |value| value.name.as_str());
                        format!(", after {name}")
                    }
                },
            };
            let limits: String = charge
                .limits
                .iter()
                .map(|limit| format!(", {}", limit_text(limit, &tariff.currency)))
                .collect();
            let title = format!(
                "{} \"{}\"{after}{limits}  ({})",
                kind_text(charge.kind),
                charge.label,
                place(charge.rule)
            );
            lists.push((title, charge.root, None));
        }
        for discount in &tariff.discounts {
            lists.push((
                format!("discount \"{}\"  ({})", discount.label, place(discount.rule)),
                discount.root,
                None,
            ));
        }
        for coupon in &tariff.coupons {
            lists.push((format!("coupon \"{}\"  ({})", coupon.code, place(coupon.rule)), coupon.root, None));
        }
        for charge in &tariff.month {
            let (kind, root) = match charge.what {
                MonthWhat::Monthly(root) => ("monthly fee", root),
                MonthWhat::OneOff(root) => ("one-off fee", root),
                MonthWhat::Power { root, .. } => ("power fee", root),
                MonthWhat::SiteCredit { root, .. } => ("site credit", root),
            };
            lists.push((format!("{kind} \"{}\"  ({})", charge.label, place(charge.rule)), root, None));
        }
        let mut taxes: Vec<NodeId> = Vec::new();
        for charge in &tariff.charges {
            if !taxes.contains(&charge.tax) {
                taxes.push(charge.tax);
                let same = tariff.charges.iter().filter(|other| other.tax == charge.tax);
                let labels = same.map(|other| other.label.as_str()).collect::<Vec<_>>().join(", ");
                lists.push((format!("tax on {labels}"), charge.tax, None));
            }
        }
        lists
    }

    fn diagram(&self, root: NodeId, measure: Option<Measure>) -> Vec<String> {
        let mut print = Print { work: self, measure, lines: Vec::new(), names: BTreeMap::new() };
        print.node(root, 1, "");
        if print.lines.len() >= MOST_LINES {
            print.lines.push("  ... (the rest is in --format json)".into());
        }
        print.lines
    }
}

struct Print<'a> {
    work: &'a Work<'a>,
    // Of the quantities that the list ends in.
    measure: Option<Measure>,
    lines: Vec<String>,
    // Inner nodes already printed, and the name under which they are referred to.
    names: BTreeMap<NodeId, usize>,
}

impl Print<'_> {
    // What does not fit goes on below, further in.
    fn push(&mut self, depth: usize, text: &str, place: &str) {
        let width = self.work.sheet.width;
        let mut indent = 2 * depth;
        let mut lines = wrap(text, width.saturating_sub(indent).max(20));
        let fits = lines.last().is_some_and(|last| indent + columns(last) + columns(place) + 2 <= width);
        let place = self.work.sheet.faint(place);
        match lines.last_mut() {
            Some(last) if fits && !place.is_empty() => *last = format!("{last}  {place}"),
            Some(_) if !place.is_empty() => lines.push(place),
            _ => {}
        }
        for line in lines {
            if self.lines.len() < MOST_LINES {
                self.lines.push(format!("{}{line}", " ".repeat(indent)));
            }
            indent = 2 * depth + 4;
        }
    }

    // `edge` is the answer that leads here.
    fn node(&mut self, id: NodeId, depth: usize, edge: &str) {
        if self.lines.len() >= MOST_LINES {
            return;
        }
        let tariff = self.work.tariff;
        let lead = if edge.is_empty() { String::new() } else { format!("{edge}: ") };
        let question = match tariff.nodes.get(id as usize) {
            None | Some(Node::Hole) => return self.push(depth, &format!("{lead}(does not occur)"), ""),
            Some(Node::Leaf(leaf)) => {
                let Some(leaf) = tariff.leaves.get(*leaf as usize) else { return };
                let place = self.work.place(leaf.rule);
                let text = format!("{lead}{}", outcome_text(tariff, &leaf.outcome, self.measure));
                return self.push(depth, &text, &format!("({place})"));
            }
            Some(Node::Fact { test, .. }) => {
                tariff.tests.get(*test as usize).map_or_else(String::new, |test| test_text(tariff, test))
            }
            Some(Node::Measure { measure, .. }) => tariff
                .measures
                .get(*measure as usize)
                .map_or_else(String::new, |measure| measure_text(*measure)),
            Some(Node::Days(_)) => "kind of day".to_owned(),
            Some(Node::Minutes { .. }) => "time of day".to_owned(),
        };
        if let Some(name) = self.names.get(&id) {
            return self.push(depth, &format!("{lead}as in #{name}"), "");
        }
        let name = self.names.len() + 1;
        self.names.insert(id, name);
        self.push(depth, &format!("{lead}{question}?"), &format!("#{name}"));
        match tariff.nodes.get(id as usize) {
            Some(Node::Fact { yes, no, .. }) => {
                self.node(*yes, depth + 1, "yes");
                self.node(*no, depth + 1, "no");
            }
            Some(Node::Measure { measure, edges, children }) => {
                let Some(measure) = tariff.measures.get(*measure as usize).copied() else { return };
                for (index, child) in children.iter().enumerate() {
                    let edge = match (index.checked_sub(1).and_then(|from| edges.get(from)), edges.get(index))
                    {
                        (None, Some(to)) => format!("below {}", quantity(measure, *to)),
                        (Some(from), Some(to)) => {
                            format!("{} up to {}", quantity(measure, *from), quantity(measure, *to))
                        }
                        (Some(from), None) => format!("{} or more", quantity(measure, *from)),
                        (None, None) => "always".to_owned(),
                    };
                    self.node(*child, depth + 1, &edge);
                }
            }
            Some(Node::Days(children)) => {
                // Kinds of day with the same answer stand together.
                let mut same: Vec<(NodeId, Vec<String>)> = Vec::new();
                for (index, child) in children.iter().enumerate() {
                    let class = class_text(tariff, index);
                    match same.iter_mut().find(|(known, _)| known == child) {
                        Some((_, classes)) => classes.push(class),
                        None => same.push((*child, vec![class])),
                    }
                }
                for (child, classes) in same {
                    let more = classes.len().saturating_sub(3);
                    let mut edge = classes.iter().take(3).cloned().collect::<Vec<_>>().join("; ");
                    if more > 0 {
                        edge.push_str(&format!("; {more} more kinds"));
                    }
                    self.node(child, depth + 1, &edge);
                }
            }
            Some(Node::Minutes { edges, children }) => {
                for (index, child) in children.iter().enumerate() {
                    let clock = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
                    let from = edges.get(index).copied().unwrap_or(0);
                    let to = edges.get(index + 1).copied().unwrap_or(1440);
                    self.node(*child, depth + 1, &format!("{} – {}", clock(from), clock(to)));
                }
            }
            Some(Node::Leaf(_) | Node::Hole) | None => {}
        }
    }
}
