//! Why a line never wins: the fewest earlier lines that together answer all its cases.
#![expect(clippy::indexing_slicing, reason = "rows are numbered by the list itself")]

use super::cells::Minutes;
use super::facts;
use super::list::{List, Row};
use super::table::Table;
use super::walk::{Budget, Walk};
use super::{Dead, TooComplex};

/// Up to so many hiding lines it is tried whether fewer do.
const MOST_TRIED: usize = 12;

/// The lines that did not win, with those that hide them.
pub(super) fn dead(list: &List, won: &[bool]) -> Vec<Dead> {
    let mut budget = Budget::of_explaining();
    let lines = won.iter().enumerate().filter(|(_, won)| !**won);
    lines
        .map(|(line, _)| {
            // Where the search would take too long, what is known is said: all earlier ones together.
            let hidden_by = hidden_by(list, won, line, &mut budget).unwrap_or_else(|_| (0..line).collect());
            Dead { line, hidden_by }
        })
        .collect()
}

fn hidden_by(list: &List, won: &[bool], line: usize, budget: &mut Budget) -> Result<Vec<usize>, TooComplex> {
    let row = &list.rows[line];
    if row.never || !wins(list, &[], row, budget)? {
        return Ok(Vec::new());
    }
    budget.spend(line + row.weight())?;
    if let Some(earlier) = (0..line).find(|at| won[*at] && contains(&list.rows[*at], row)) {
        return Ok(vec![earlier]);
    }
    if let Some(hiding) = by_minutes(list, won, line, budget)? {
        return Ok(hiding);
    }
    // Who wins where this line would fit?
    let mut earlier = Vec::new();
    let mut rows = Vec::new();
    for at in 0..line {
        budget.spend(row.weight() + list.rows[at].weight())?;
        let both = list.rows[at].and(row)?;
        if !both.never {
            earlier.push(at);
            rows.push(both);
        }
    }
    budget.start_list();
    let (_, winning) = Walk::new(&list.questions, &rows, &mut Table::default(), budget).run()?;
    let mut hiding: Vec<usize> =
        earlier.iter().zip(winning).filter(|(_, won)| *won).map(|(at, _)| *at).collect();
    for at in &hiding {
        if !wins(list, &[*at], row, budget)? {
            return Ok(vec![*at]);
        }
    }
    if hiding.len() <= MOST_TRIED {
        for at in hiding.clone().into_iter().rev() {
            let fewer: Vec<usize> = hiding.iter().copied().filter(|it| *it != at).collect();
            if !wins(list, &fewer, row, budget)? {
                hiding = fewer;
            }
        }
    }
    Ok(hiding)
}

/// The usual way: lines that hold whenever this one does, but for the time, and whose times add up.
fn by_minutes(
    list: &List,
    won: &[bool],
    line: usize,
    budget: &mut Budget,
) -> Result<Option<Vec<usize>>, TooComplex> {
    let row = &list.rows[line];
    let all = row.minutes.as_deref().cloned().unwrap_or_else(|| Minutes::every(list.questions.cells));
    let mut left = all.clone();
    let mut hiding = Vec::new();
    for at in (0..line).filter(|at| won[*at] && holds_whenever(&list.rows[*at], row)) {
        let Some(minutes) = &list.rows[at].minutes else { continue };
        budget.spend(left.weight() + minutes.weight())?;
        let fewer = left.minus(minutes);
        if fewer != left {
            hiding.push((at, minutes));
            left = fewer;
        }
        if left.is_empty() {
            break;
        }
    }
    if !left.is_empty() {
        return Ok(None);
    }
    for at in (0..hiding.len()).rev().filter(|_| hiding.len() <= MOST_TRIED).collect::<Vec<_>>() {
        let others = hiding.iter().enumerate().filter(|(it, _)| *it != at);
        if others.fold(all.clone(), |left, (_, (_, minutes))| left.minus(minutes)).is_empty() {
            hiding.remove(at);
        }
    }
    Ok(Some(hiding.into_iter().map(|(at, _)| at).collect()))
}

/// Whether the row wins in any case behind these lines alone.
fn wins(list: &List, behind: &[usize], row: &Row, budget: &mut Budget) -> Result<bool, TooComplex> {
    let mut rows: Vec<Row> = behind.iter().map(|at| list.rows[*at].clone()).collect();
    rows.push(row.clone());
    budget.spend(rows.iter().map(Row::weight).sum())?;
    budget.start_list();
    let (_, won) = Walk::new(&list.questions, &rows, &mut Table::default(), budget).run()?;
    Ok(won.last() == Some(&true))
}

/// Whether `a` plainly answers all cases of `b` (it may do so in ways that are not seen here).
fn contains(a: &Row, b: &Row) -> bool {
    holds_whenever(a, b)
        && match (&a.minutes, &b.minutes) {
            (None, _) => true,
            (Some(a), Some(b)) => b.is_subset(a),
            (Some(_), None) => false,
        }
}

/// The same but for the time.
fn holds_whenever(a: &Row, b: &Row) -> bool {
    a.clauses.iter().all(|of_a| b.clauses.iter().any(|of_b| facts::implies(of_b, of_a)))
        && a.ranges
            .iter()
            .all(|of_a| b.ranges.iter().any(|of_b| of_b.measure == of_a.measure && of_b.is_within(*of_a)))
}
