//! Price lines to a decision diagram. The diagram is what the engine evaluates, and building it is the proof that the
//! list answers every case and that each of its lines can win.
//!
//! A list is read from the top; the first line that fits wins. The builder walks the questions in a fixed order (facts
//! of the session, measures, day, minute) and carries the lines that may still win. What two walks have in common is
//! walked once, and equal nodes are one node, also across lists.

mod cells;
mod cover;
mod facts;
mod list;
mod table;
mod walk;
mod witness;

pub use witness::Witness;

use crate::calendar::{Calendar, DayClasses};
use cells::DayTable;
use facts::World;
use list::List;
use table::Table;
use takst_engine::tariff::{Days, Measure, Node, NodeId, Place, Test};
use walk::{Budget, Walk};

/// Largest number of nodes of all diagrams of a tariff, and of steps of one list.
pub const MOST_NODES: usize = 50_000;

/// A test and the answer that a line wants.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct FactIs {
    /// The test. An [`Test::Issuer`] that is wanted counts only for roaming sessions.
    pub test: Test,
    /// The answer.
    pub is: bool,
}

/// One condition of a line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Cond {
    /// Any of these holds.
    AnyFact(Vec<FactIs>),
    /// The measure is at least `from` and less than `below`.
    Measure {
        /// What is measured.
        measure: Measure,
        /// In the measure's unit.
        from: Option<i64>,
        /// In the measure's unit.
        below: Option<i64>,
    },
    /// At these times.
    When(Calendar),
    /// Never.
    Never,
}

/// A line of a list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Line {
    /// All must hold.
    pub conds: Vec<Cond>,
    /// What it says: index into the tariff's leaves. Several lines may share one.
    pub leaf: u32,
}

/// What happens where no line answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Want {
    /// It is reported as a hole.
    Complete,
    /// This leaf answers.
    Otherwise(u32),
}

/// The list needs a diagram that is too large.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("too many crossing conditions")]
pub struct TooComplex;

/// A finished list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Diagram {
    /// Where it starts.
    pub root: NodeId,
    /// A case that no line answers.
    pub hole: Option<Witness>,
    /// Lines that never win, in order.
    pub dead: Vec<Dead>,
}

/// A line that never wins.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Dead {
    /// Its index in the list.
    pub line: usize,
    /// The earlier lines that together answer all its cases, usually one; none when it has no case at all.
    pub hidden_by: Vec<usize>,
}

/// Builds the diagrams of a tariff.
#[derive(Debug)]
pub struct Builder {
    world: World,
    classes: DayClasses,
    days: DayTable,
    table: Table,
    budget: Budget,
}

impl Builder {
    /// For a tariff with so many groups and these classes of days.
    #[must_use]
    pub fn new(groups: usize, default_group: Option<u32>, days: DayClasses) -> Self {
        let table = DayTable::new(&days);
        Self {
            world: World { groups, default_group, clusters: Vec::new() },
            classes: days,
            days: table,
            table: Table::default(),
            budget: Budget::of_tariff(),
        }
    }

    /// Tells the builder what the places consist of, so that places without a common charger exclude each other.
    /// Without this every charger may be in every place.
    #[must_use]
    pub fn with_places(mut self, places: &[Place]) -> Self {
        self.world.cluster(places);
        self
    }

    /// The diagram of a list, with a hole if it has one (only with [`Want::Complete`]) and its dead lines.
    ///
    /// # Errors
    /// When the list needs more than [`MOST_NODES`], or asks for days that the classes were not made for.
    pub fn diagram(&mut self, lines: &[Line], want: Want) -> Result<Diagram, TooComplex> {
        let mut list = List::new(lines, &self.world, &self.days)?;
        if let Want::Otherwise(leaf) = want {
            list.answer_the_rest(leaf);
        }
        self.budget.start_list();
        let walk = Walk::new(&list.questions, &list.rows, &mut self.table, &mut self.budget);
        let (root, won) = walk.run()?;
        let dead = cover::dead(&list, won.get(..lines.len()).unwrap_or(&won));
        let hole = match want {
            Want::Complete => witness::read(&self.table, root, &self.classes, &self.world),
            Want::Otherwise(_) => None,
        };
        Ok(Diagram { root, hole, dead })
    }

    /// How days are told apart, as the engine keeps it.
    #[must_use]
    pub fn days(&self) -> &Days {
        &self.classes.days
    }

    /// The tests, measures and nodes of all diagrams.
    #[must_use]
    pub fn finish(self) -> (Vec<Test>, Vec<Measure>, Vec<Node>) {
        self.table.finish()
    }
}
