//! Which call runs when: so many at once, taken from the plugins in turn, so that one plugin's thousand calls delay another's one call by
//! one call; and of no plugin more than half of what the others leave, so that however long some take there is a place for the next. Calls run on threads of their own, beside those that serve chargers.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;

/// How much runs at once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bounds {
    /// Threads for plugins.
    pub threads: usize,
    /// Calls in all that have a store at the same time.
    pub running: usize,
    /// Calls of one plugin that have one.
    pub running_of_one: usize,
    /// Calls of one plugin that wait. What comes after them is turned away at once.
    pub waiting_of_one: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        Self { threads: cores.clamp(2, 16), running: 64, running_of_one: 32, waiting_of_one: 10_000 }
    }
}

/// Too many calls of this plugin wait already.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0} calls of this plugin are waiting: try again later")]
pub struct Full(pub usize);

/// How full it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, serde::Serialize)]
pub struct Load {
    /// Calls that run.
    pub running: usize,
    /// Calls that wait.
    pub waiting: usize,
}

pub(crate) struct Pool {
    bounds: Bounds,
    queue: Arc<Mutex<Queue>>,
    // Taken out when the pool goes, so that its threads end without being waited for.
    runtime: Option<Runtime>,
}

#[derive(Default)]
struct Queue {
    running: usize,
    plugins: BTreeMap<String, One>,
    // Plugins with calls that wait, in the order of their turns.
    turns: VecDeque<String>,
}

#[derive(Default)]
struct One {
    running: usize,
    waiting: VecDeque<oneshot::Sender<Permit>>,
    // Whether it stands in `turns`.
    listed: bool,
}

/// A place among the running calls, given back when it is dropped.
pub(crate) struct Permit {
    plugin: String,
    bounds: Bounds,
    queue: Arc<Mutex<Queue>>,
}

// Where guests want more than the processor has, whoever serves chargers goes first. On Linux a priority is of the thread that asks.
fn give_way() {
    #[cfg(target_os = "linux")]
    {
        // Never refused: it is a step down.
        let _ = rustix::process::nice(10);
    }
}

impl Pool {
    pub(crate) fn new(bounds: Bounds) -> std::io::Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(bounds.threads.max(1))
            .thread_name("plugins")
            .on_thread_start(give_way)
            .enable_all()
            .build()?;
        Ok(Self { bounds, queue: Arc::default(), runtime: Some(runtime) })
    }

    /// Waits for a place.
    pub(crate) async fn enter(&self, plugin: &str) -> Result<Permit, Full> {
        let receiver = {
            let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
            let one = queue.plugins.entry(plugin.to_owned()).or_default();
            if one.waiting.len() >= self.bounds.waiting_of_one {
                return Err(Full(one.waiting.len()));
            }
            let (sender, receiver) = oneshot::channel();
            one.waiting.push_back(sender);
            queue.list(plugin, self.bounds);
            receiver
        };
        next(&self.queue, self.bounds);
        // The queue holds the sender until it is served.
        receiver.await.map_err(|_| Full(0))
    }

    pub(crate) fn load(&self) -> Load {
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        Load { running: queue.running, waiting: queue.plugins.values().map(|one| one.waiting.len()).sum() }
    }

    pub(crate) fn spawn<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Option<tokio::task::JoinHandle<T>> {
        Some(self.runtime.as_ref()?.spawn(work))
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Queue {
    // Whether one more call of a plugin with so many may run.
    fn has_room(&self, running: usize, bounds: Bounds) -> bool {
        let others = self.running.saturating_sub(running);
        let share = bounds.running.saturating_sub(others).div_ceil(2).max(1);
        running < bounds.running_of_one.min(share)
    }

    // Gives a plugin a turn, if it has a call that waits and may run.
    fn list(&mut self, plugin: &str, bounds: Bounds) {
        let running = self.plugins.get(plugin).map_or(0, |one| one.running);
        let has_room = self.has_room(running, bounds);
        if let Some(one) = self.plugins.get_mut(plugin)
            && !one.listed
            && !one.waiting.is_empty()
            && has_room
        {
            one.listed = true;
            self.turns.push_back(plugin.to_owned());
        }
    }
}

// Lets calls in while there are places.
fn next(queue: &Arc<Mutex<Queue>>, bounds: Bounds) {
    loop {
        let (sender, permit) = {
            let mut inner = queue.lock().unwrap_or_else(PoisonError::into_inner);
            if inner.running >= bounds.running {
                return;
            }
            let Some(plugin) = inner.turns.pop_front() else { return };
            let running = inner.plugins.get(&plugin).map_or(0, |one| one.running);
            // Others may have taken what was free when it was listed; it is again when one of them gives a place back.
            let has_room = inner.has_room(running, bounds);
            let Some(one) = inner.plugins.get_mut(&plugin) else { continue };
            one.listed = false;
            if !has_room {
                continue;
            }
            let Some(sender) = one.waiting.pop_front() else { continue };
            one.running += 1;
            inner.running += 1;
            inner.list(&plugin, bounds);
            (sender, Permit { plugin, bounds, queue: Arc::clone(queue) })
        };
        // Whoever no longer waits gives the place back at once: by dropping the permit, outside of the lock.
        drop(sender.send(permit));
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        {
            let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
            queue.running = queue.running.saturating_sub(1);
            let idle = queue.plugins.get_mut(&self.plugin).is_some_and(|one| {
                one.running = one.running.saturating_sub(1);
                one.running == 0 && one.waiting.is_empty()
            });
            if idle {
                queue.plugins.remove(&self.plugin);
            } else {
                queue.list(&self.plugin, self.bounds);
            }
            // What it gives back is a share of others too.
            let waiting: Vec<String> = queue.plugins.keys().cloned().collect();
            for plugin in waiting {
                queue.list(&plugin, self.bounds);
            }
        }
        next(&self.queue, self.bounds);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bounds(running: usize, of_one: usize, waiting: usize) -> Bounds {
        Bounds { threads: 1, running, running_of_one: of_one, waiting_of_one: waiting }
    }

    async fn settle() {
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn guests_run_behind_everybody_else() {
        let priority = || rustix::process::getpriority_process(None).unwrap();
        let (pool, own) = (Pool::new(bounds(1, 1, 1)).unwrap(), priority());
        let theirs = pool.spawn(async move { priority() }).unwrap().await.unwrap();
        // 19 is the last there is.
        assert_eq!((theirs, priority()), ((own + 10).min(19), own));
    }

    #[tokio::test]
    async fn plugins_take_turns() {
        let pool = Arc::new(Pool::new(bounds(1, 1, 100)).unwrap());
        let order = Arc::new(Mutex::new(Vec::new()));
        let first = pool.enter("a").await.unwrap();
        let mut tasks = Vec::new();
        for name in ["a", "a", "a", "a", "b", "b", "c"] {
            let (pool, order) = (Arc::clone(&pool), Arc::clone(&order));
            tasks.push(tokio::spawn(async move {
                let _permit = pool.enter(name).await.unwrap();
                order.lock().unwrap().push(name);
            }));
            settle().await;
        }
        assert_eq!(pool.load(), Load { running: 1, waiting: 7 });
        drop(first);
        for task in tasks {
            task.await.unwrap();
        }
        // The one that had its call gets behind the others.
        let order = order.lock().unwrap().concat();
        assert_eq!(order, "bcabaaa", "{order}");
        assert_eq!(pool.load(), Load::default());
        assert!(pool.queue.lock().unwrap().plugins.is_empty(), "an idle plugin costs nothing");
    }

    #[tokio::test]
    async fn there_is_a_place_for_one_more_plugin() {
        let pool = Arc::new(Pool::new(bounds(64, 32, 100)).unwrap());
        let mut held = Vec::new();
        // Each wants all that it can get, and keeps it.
        for (plugin, gets) in [("a", 32), ("b", 16), ("c", 8), ("d", 4), ("e", 2), ("f", 1)] {
            for number in 0..40 {
                let pool = Arc::clone(&pool);
                held.push((plugin, tokio::spawn(async move { pool.enter(plugin).await.unwrap() })));
                settle().await;
                let load =
                    |name: &str| held.iter().filter(|(of, task)| *of == name && task.is_finished()).count();
                assert_eq!(load(plugin), gets.min(number + 1), "{plugin}");
            }
        }
        assert_eq!(pool.load(), Load { running: 63, waiting: 240 - 63 });
        drop(
            tokio::time::timeout(std::time::Duration::from_secs(5), pool.enter("g")).await.unwrap().unwrap(),
        );
        // What is given back is used: the first has half of all again as soon as there is as much.
        let (first, others): (Vec<_>, Vec<_>) = held.into_iter().partition(|(plugin, _)| *plugin == "a");
        for (_, task) in others {
            task.abort();
            drop(task.await);
            settle().await;
        }
        assert_eq!((pool.load(), first.len()), (Load { running: 32, waiting: 8 }, 40));
    }

    #[tokio::test]
    async fn whoever_gives_up_leaves_no_hole_and_too_many_are_turned_away() {
        let pool = Arc::new(Pool::new(bounds(4, 1, 2)).unwrap());
        let held = pool.enter("a").await.unwrap();
        let waiting = |pool: &Arc<Pool>| {
            let pool = Arc::clone(pool);
            tokio::spawn(async move { pool.enter("a").await.map(drop) })
        };
        let (gone, stays) = (waiting(&pool), waiting(&pool));
        settle().await;
        assert_eq!(pool.enter("a").await.map(drop), Err(Full(2)));
        // Another plugin is not held up.
        drop(pool.enter("b").await.unwrap());
        gone.abort();
        settle().await;
        drop(held);
        stays.await.unwrap().unwrap();
        settle().await;
        assert_eq!(pool.load(), Load::default());
    }
}
