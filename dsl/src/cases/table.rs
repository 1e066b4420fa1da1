//! The growing node table: equal nodes are one node, and a question whose answers do not matter is not asked.

use super::{MOST_NODES, TooComplex};
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hash, Hasher};
use takst_engine::tariff::{Measure, Node, NodeId, Test};

/// Children of all nodes together: bounds the memory of wide nodes.
const MOST_CHILDREN: usize = 8_000_000;

/// Nodes, and what they refer to, of all lists of a tariff.
#[derive(Default, Debug)]
pub(super) struct Table {
    tests: Interned<Test>,
    measures: Interned<Measure>,
    nodes: Interned<Node>,
    /// For each node whether a hole can be reached.
    holes: Vec<bool>,
    children: usize,
}

impl Table {
    pub(super) fn node(&self, id: NodeId) -> Option<&Node> {
        self.nodes.items.get(index(id))
    }

    pub(super) fn test(&self, id: u32) -> Option<&Test> {
        self.tests.items.get(index(id))
    }

    pub(super) fn measure(&self, id: u32) -> Option<&Measure> {
        self.measures.items.get(index(id))
    }

    pub(super) fn reaches_hole(&self, id: NodeId) -> bool {
        self.holes.get(index(id)).copied().unwrap_or(false)
    }

    pub(super) fn hole(&mut self) -> Result<NodeId, TooComplex> {
        self.add(Node::Hole)
    }

    pub(super) fn leaf(&mut self, leaf: u32) -> Result<NodeId, TooComplex> {
        self.add(Node::Leaf(leaf))
    }

    pub(super) fn fact(&mut self, test: &Test, yes: NodeId, no: NodeId) -> Result<NodeId, TooComplex> {
        if yes == no {
            return Ok(yes);
        }
        let test = self.tests.id(test.clone());
        self.add(Node::Fact { test, yes, no })
    }

    /// `children[i]` below `edges[i]`, the last from the last edge on.
    pub(super) fn among(
        &mut self,
        measure: Measure,
        edges: &[i64],
        children: &[NodeId],
    ) -> Result<NodeId, TooComplex> {
        let (mut kept_edges, mut kept): (Vec<i64>, Vec<NodeId>) = Default::default();
        for (at, child) in children.iter().enumerate() {
            if kept.last() == Some(child) {
                continue;
            }
            kept.push(*child);
            if let Some(edge) = at.checked_sub(1).and_then(|at| edges.get(at)) {
                kept_edges.push(*edge);
            }
        }
        if let [only] = kept.as_slice() {
            return Ok(*only);
        }
        let measure = self.measures.id(measure);
        self.add(Node::Measure { measure, edges: kept_edges, children: kept })
    }

    pub(super) fn days(&mut self, children: Vec<NodeId>) -> Result<NodeId, TooComplex> {
        match children.split_first() {
            Some((first, rest)) if rest.iter().all(|child| child == first) => Ok(*first),
            _ => self.add(Node::Days(children)),
        }
    }

    /// Each child from its minute on.
    pub(super) fn minutes(&mut self, pieces: &[(u16, NodeId)]) -> Result<NodeId, TooComplex> {
        let mut pieces = pieces.to_vec();
        pieces.dedup_by_key(|(_, child)| *child);
        if let [(_, only)] = pieces.as_slice() {
            return Ok(*only);
        }
        let (edges, children) = pieces.into_iter().unzip();
        self.add(Node::Minutes { edges, children })
    }

    fn add(&mut self, node: Node) -> Result<NodeId, TooComplex> {
        let known = self.nodes.items.len();
        let children: &[NodeId] = match &node {
            Node::Hole | Node::Leaf(_) => &[],
            Node::Fact { yes, no, .. } => &[*yes, *no],
            Node::Measure { children, .. } | Node::Days(children) | Node::Minutes { children, .. } => {
                children
            }
        };
        let hole = matches!(node, Node::Hole) || children.iter().any(|child| self.reaches_hole(*child));
        let width = children.len();
        let id = self.nodes.id(node);
        if self.nodes.items.len() > known {
            self.holes.push(hole);
            self.children += width;
            if self.nodes.items.len() > MOST_NODES || self.children > MOST_CHILDREN {
                return Err(TooComplex);
            }
        }
        Ok(id)
    }

    pub(super) fn finish(self) -> (Vec<Test>, Vec<Measure>, Vec<Node>) {
        (self.tests.items, self.measures.items, self.nodes.items)
    }
}

fn index(id: u32) -> usize {
    usize::try_from(id).unwrap_or(usize::MAX)
}

/// Distinct things in the order of their first use. Keeps hashes, not copies.
#[derive(Debug)]
pub(super) struct Interned<T> {
    pub(super) items: Vec<T>,
    by_hash: FastMap<u64, Vec<u32>>,
}

impl<T> Default for Interned<T> {
    fn default() -> Self {
        Self { items: Vec::new(), by_hash: FastMap::default() }
    }
}

impl<T: Hash + Eq> Interned<T> {
    pub(super) fn id(&mut self, item: T) -> u32 {
        let mut hasher = FastHasher::default();
        item.hash(&mut hasher);
        let same = self.by_hash.entry(hasher.finish()).or_default();
        if let Some(id) = same.iter().find(|id| self.items.get(index(**id)) == Some(&item)) {
            return *id;
        }
        // INVARIANT: the budgets end a walk long before there are so many.
        let id = u32::try_from(self.items.len()).unwrap_or(u32::MAX);
        same.push(id);
        self.items.push(item);
        id
    }
}

/// A map with [`FastHasher`].
pub(super) type FastMap<K, V> = HashMap<K, V, BuildHasherDefault<FastHasher>>;

/// Hashes long keys of small numbers fast: multiply, fold, eight bytes at a time.
#[derive(Default, Clone)]
pub(super) struct FastHasher(u64);

impl FastHasher {
    fn mix(&mut self, word: u64) {
        let wide = u128::from(self.0 ^ word ^ 0x9E37_79B9_7F4A_7C15) * 0xD6E8_FEB8_6659_FD93_u128;
        let [low, high] = [wide & u128::from(u64::MAX), wide >> 64];
        self.0 = u64::try_from(low ^ high).unwrap_or_default().rotate_left(23);
    }
}

impl Hasher for FastHasher {
    fn finish(&self) -> u64 {
        let mut last = self.clone();
        last.mix(0x2545_F491_4F6C_DD1D);
        last.0
    }

    fn write(&mut self, bytes: &[u8]) {
        let mut chunks = bytes.chunks_exact(8);
        for chunk in &mut chunks {
            self.mix(chunk.try_into().map(u64::from_le_bytes).unwrap_or_default());
        }
        let rest = chunks.remainder().iter().fold(1_u64, |word, byte| word << 8 | u64::from(*byte));
        if rest != 1 {
            self.mix(rest);
        }
    }

    fn write_u8(&mut self, word: u8) {
        self.mix(u64::from(word));
    }

    fn write_u16(&mut self, word: u16) {
        self.mix(u64::from(word));
    }

    fn write_u32(&mut self, word: u32) {
        self.mix(u64::from(word));
    }

    fn write_u64(&mut self, word: u64) {
        self.mix(word);
    }

    fn write_usize(&mut self, word: usize) {
        self.mix(u64::try_from(word).unwrap_or(u64::MAX));
    }
}
