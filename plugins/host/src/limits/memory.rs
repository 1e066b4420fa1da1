//! The limiter that wasmtime asks before a memory or a table grows: one sum for all of them.

use wasmtime::ResourceLimiter;

// What an element of a table takes in the host.
const ELEMENT: usize = 16;
/// Memories of one component, and tables: thousands of small ones would cost the host more than their bytes. Those of all languages have
/// three at most.
const PARTS: usize = 32;
/// Core instances of one component. One of Python has over a hundred: a library, and what joins two libraries, is an instance each. What
/// they take of the host besides memories and tables is bounded when the component is read (`load/parts`).
pub const INSTANCES: usize = 512;

/// The bytes of all memories and tables of a store.
#[derive(Debug)]
pub struct Memory {
    limit: usize,
    used: usize,
    refused: bool,
}

impl Memory {
    /// With at most so many bytes.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { limit, used: 0, refused: false }
    }

    /// Bytes in use. Memories never shrink, so it is also the most.
    #[must_use]
    pub fn used(&self) -> u64 {
        u64::try_from(self.used).unwrap_or(u64::MAX)
    }

    /// Whether something was refused: what comes after it is probably because of it.
    #[must_use]
    pub fn refused(&self) -> bool {
        self.refused
    }

    fn grow(&mut self, current: usize, desired: usize, unit: usize) -> bool {
        let more = desired.saturating_sub(current).saturating_mul(unit);
        let sum = self.used.saturating_add(more);
        if sum > self.limit {
            self.refused = true;
            return false;
        }
        self.used = sum;
        true
    }
}

impl ResourceLimiter for Memory {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        Ok(self.grow(current, desired, 1))
    }

    fn table_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        Ok(self.grow(current, desired, ELEMENT))
    }

    fn instances(&self) -> usize {
        INSTANCES
    }

    fn tables(&self) -> usize {
        PARTS
    }

    fn memories(&self) -> usize {
        PARTS
    }
}
