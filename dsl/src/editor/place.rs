//! Where a name comes from and where else it stands, over a list and the lists that it is based on.

use super::names::{Mention, Sort, mention_at, mentions};
use crate::ast::{File, Setting, Span, Statement};

/// A place in one of the sources.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Found {
    /// Index into the run's sources.
    pub source: usize,
    /// Where in it.
    pub span: Span,
}

/// Where the thing under the cursor is declared: what is in force first, then what it replaced. For the file behind
/// `based on`, its start. `files`: the list under the cursor, then those that it is based on.
#[must_use]
pub fn definition(files: &[File], byte: usize) -> Vec<Found> {
    let Some(main) = files.first() else { return Vec::new() };
    if files.len() > 1 && on_base(main, byte) {
        return vec![Found { source: 1, span: Span::default() }];
    }
    let here = mentions(main);
    let Some(asked) = mention_at(&here, byte) else { return Vec::new() };
    let mut found: Vec<Found> = all(files)
        .filter(|(_, mention)| mention.declares && mention.is(asked))
        .map(|(source, mention)| Found { source, span: mention.span })
        .collect();
    // On a declaration itself the one that it replaces is looked for.
    let itself = Found { source: 0, span: asked.span };
    if asked.declares && found.len() > 1 {
        found.retain(|one| *one != itself);
    }
    found
}

/// Everywhere the thing under the cursor stands, in the order of the sources.
#[must_use]
pub fn references(files: &[File], byte: usize) -> (Option<Mention>, Vec<Found>) {
    let Some(main) = files.first() else { return (None, Vec::new()) };
    let here = mentions(main);
    let Some(asked) = mention_at(&here, byte) else { return (None, Vec::new()) };
    let found = all(files)
        .filter(|(_, mention)| {
            mention.is(asked) && !(asked.sort == Sort::Named && asked.name == "spot" && mention.declares)
        })
        .map(|(source, mention)| Found { source, span: mention.span });
    (Some(asked.clone()), found.collect())
}

fn all(files: &[File]) -> impl Iterator<Item = (usize, Mention)> {
    files.iter().enumerate().flat_map(|(source, file)| mentions(file).into_iter().map(move |it| (source, it)))
}

/// Whether the byte stands on the line that names the base list.
fn on_base(file: &File, byte: usize) -> bool {
    let inside = |span: Span| u32::try_from(byte).is_ok_and(|byte| span.start <= byte && byte <= span.end);
    file.statements.iter().any(|statement| match &statement.it {
        Statement::Tariff(head) => head
            .settings
            .iter()
            .any(|setting| matches!(setting.it, Setting::BasedOn(_)) && inside(setting.span)),
        _ => false,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]
mod tests {
    use super::*;
    use crate::parse::parse;

    const BASE: &str = "tariff \"A\"\ngroups: VIP, everyone else guests\nprice margin: 0.05 EUR/kWh\nenergy: spot + margin\n";
    const LEAF: &str = "tariff \"B\"\n  based on: \"a.tariff\"\nchange price margin: 0.06 EUR/kWh\nchange energy:\n  margin  for VIP\n  spot    otherwise\n";

    fn ask(at: &str) -> Vec<(usize, String)> {
        let files = [parse(LEAF, 0).file, parse(BASE, 1).file];
        let byte = LEAF.find(at).unwrap();
        let text = |found: &Found| {
            let source = [LEAF, BASE][found.source];
            source[found.span.start as usize..found.span.end as usize].to_owned()
        };
        definition(&files, byte).iter().map(|found| (found.source, text(found))).collect()
    }

    #[test]
    fn a_name_leads_to_where_it_is_declared() {
        assert_eq!(ask("VIP"), [(1, "VIP".to_owned())]);
        assert_eq!(ask("margin  for"), [(0, "margin".to_owned()), (1, "margin".to_owned())]);
        assert_eq!(ask("margin: 0.06"), [(1, "margin".to_owned())], "what it replaces");
        assert_eq!(ask("energy:"), [(1, "energy".to_owned())]);
        assert_eq!(ask("a.tariff"), [(1, String::new())]);
        assert_eq!(ask("spot"), [], "it is declared nowhere");
        assert_eq!(ask("otherwise"), []);
    }

    #[test]
    fn references_cross_files() {
        let files = [parse(LEAF, 0).file, parse(BASE, 1).file];
        let (asked, found) = references(&files, LEAF.find("margin  for").unwrap());
        assert_eq!(asked.unwrap().name, "margin");
        assert_eq!(found.iter().map(|it| it.source).collect::<Vec<_>>(), [0, 0, 1, 1]);
    }
}
