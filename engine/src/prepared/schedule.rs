//! Diagrams that ask nothing but the clock, laid out flat: the usual price lists, looked up for every slice.

use crate::tariff::{CALENDAR, Node, NodeId, Tariff};
use crate::units::Day;

/// The day of one class, cut into stretches with one leaf each.
#[derive(Clone, Debug, Default)]
pub(crate) struct Schedule {
    by_class: bool,
    // Where each class of days begins in `slots`; one entry where every day is alike.
    starts: Vec<u32>,
    // The minute at which a stretch ends, and its leaf. The last of a day ends at 1440.
    slots: Vec<(u16, u32)>,
}

impl Schedule {
    /// The schedule of a diagram; none where it asks more than the clock.
    pub fn of(tariff: &Tariff, root: NodeId) -> Option<Self> {
        let mut schedule = Self::default();
        match tariff.nodes.get(root as usize)? {
            Node::Days(children) => {
                schedule.by_class = true;
                for child in children {
                    schedule.add_day(tariff, *child)?;
                }
            }
            _ => schedule.add_day(tariff, root)?,
        }
        Some(schedule)
    }

    fn add_day(&mut self, tariff: &Tariff, node: NodeId) -> Option<()> {
        self.starts.push(u32::try_from(self.slots.len()).ok()?);
        match tariff.nodes.get(node as usize)? {
            Node::Leaf(leaf) => self.slots.push((1440, *leaf)),
            Node::Minutes { edges, children } => {
                let ends = edges.iter().skip(1).copied().chain([1440]);
                for (end, child) in ends.zip(children) {
                    let Node::Leaf(leaf) = tariff.nodes.get(*child as usize)? else { return None };
                    self.slots.push((end, *leaf));
                }
            }
            Node::Hole | Node::Fact { .. } | Node::Measure { .. } | Node::Days(_) => return None,
        }
        Some(())
    }

    /// The leaf at a minute of a day, and the minute at which it ends; none where it stays for ever.
    #[inline]
    pub fn at(&self, day_classes: &[u16], day: Day, minute: u16) -> Option<(u32, Option<u16>)> {
        let mut class = 0;
        if self.by_class {
            class = usize::from(*day_classes.get(usize::try_from(day - CALENDAR.start).ok()?)?);
        } else if let [(_, leaf)] = self.slots.as_slice() {
            return Some((*leaf, None));
        }
        let day = self.slots.get(*self.starts.get(class)? as usize..)?;
        let (until, leaf) = day.iter().find(|(until, _)| *until > minute)?;
        Some((*leaf, Some(*until)))
    }
}
