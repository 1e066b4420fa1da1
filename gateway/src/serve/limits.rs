//! How many may come, from where and how often. Memory is bounded whatever comes.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, Hash, RandomState};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant as Moment;

/// Limits of a server.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Connections in all.
    pub connections: usize,
    /// Connections from one address that are not (yet) those of a charger that was let in. Not for this machine and trusted proxies.
    pub strangers: usize,
    /// New connections from one address per second, once it has made [`Self::strangers`] at once; others are dropped.
    pub connects: u32,
    /// New connections per second in all; others wait in the operating system.
    pub accepts: u32,
    /// Chargers whose admission is decided at the same time.
    pub admissions: usize,
    /// How long a charger waits for its turn to be looked at before it is told to come back later.
    pub turn: Duration,
    /// How long a client may take for the head of a request, or for its TLS handshake.
    pub head: Duration,
    /// How long a client may take for the body of a request.
    pub body: Duration,
    /// Failed attempts for one charger from one address before it has to wait.
    pub failures: u32,
    /// Failed attempts from one address per minute, over all chargers, before it has to wait.
    pub failures_of_address: u32,
    /// Connections of one charger per minute; one that comes more often is told to come back later.
    pub comings: u32,
    /// Proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed.
    pub proxies: Vec<IpAddr>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 18_000,
            strangers: 256,
            connects: 50,
            accepts: 1_000,
            admissions: 64,
            turn: Duration::from_secs(10),
            head: Duration::from_secs(15),
            body: Duration::from_secs(60),
            failures: 10,
            failures_of_address: 200,
            comings: 30,
            proxies: Vec::new(),
        }
    }
}

/// Places for connections.
pub(crate) struct Seats {
    limits: Limits,
    taken: Mutex<Taken>,
    connects: Buckets<IpAddr>,
}

#[derive(Default)]
struct Taken {
    all: usize,
    strangers: HashMap<IpAddr, usize>,
}

/// The place of one connection; given back when dropped.
pub(crate) struct Seat {
    seats: Arc<Seats>,
    // None for those who are not counted by their address.
    stranger: Mutex<Option<IpAddr>>,
}

impl Seats {
    pub fn new(limits: Limits) -> Arc<Self> {
        let strangers = u32::try_from(limits.strangers).unwrap_or(u32::MAX);
        let connects = Buckets::new(strangers, Duration::from_secs(1) / limits.connects.max(1));
        Arc::new(Self { limits, taken: Mutex::default(), connects })
    }

    /// How many are taken.
    pub fn taken(&self) -> usize {
        lock(&self.taken).all
    }

    /// A place for a connection from `address`; none when there are too many.
    pub fn enter(self: &Arc<Self>, address: IpAddr, now: Moment) -> Option<Arc<Seat>> {
        let address = address.to_canonical();
        let exempt = address.is_loopback() || self.limits.proxies.contains(&address);
        let address = Some(neighbourhood(address)).filter(|_| !exempt);
        if let Some(address) = address {
            self.connects.look(&address, now).ok()?;
        }
        let mut taken = lock(&self.taken);
        if taken.all >= self.limits.connections {
            return None;
        }
        if let Some(address) = address {
            let count = taken.strangers.entry(address).or_default();
            if *count >= self.limits.strangers {
                return None;
            }
            *count += 1;
        }
        taken.all += 1;
        drop(taken);
        if let Some(address) = address {
            self.connects.take(address, now);
        }
        Some(Arc::new(Seat { seats: Arc::clone(self), stranger: Mutex::new(address) }))
    }
}

impl Seat {
    /// The connection is that of a charger that was let in: it no longer counts for its address.
    pub fn admit(&self) {
        if let Some(address) = lock(&self.stranger).take() {
            self.leave(address);
        }
    }

    fn leave(&self, address: IpAddr) {
        let mut taken = lock(&self.seats.taken);
        if let Some(count) = taken.strangers.get_mut(&address) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                taken.strangers.remove(&address);
            }
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.admit();
        let mut taken = lock(&self.seats.taken);
        taken.all = taken.all.saturating_sub(1);
    }
}

// Nothing under these locks can panic half way.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Who shares an address: an IPv6 host has 2^64 of them.
pub(crate) fn neighbourhood(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        address @ IpAddr::V4(_) => address,
    }
}

/// Attempts to come in: failed ones by address and by charger, good ones by charger. Only time clears them.
pub(crate) struct Attempts {
    good: Buckets<u64>,
    of_charger: Buckets<(IpAddr, u64)>,
    of_address: Buckets<IpAddr>,
    hasher: RandomState,
}

impl Attempts {
    pub fn new(limits: &Limits) -> Self {
        // A charger with a wrong password tries every minute or so: that much is always allowed.
        let per_minute = |many: u32| Buckets::new(many, Duration::from_secs(60) / many.max(1));
        Self {
            good: Buckets::new(limits.comings, Duration::from_secs(60) / limits.comings.max(1)),
            of_charger: Buckets::new(limits.failures, Duration::from_secs(20)),
            of_address: per_minute(limits.failures_of_address),
            hasher: RandomState::new(),
        }
    }

    /// Whether a charger may be looked at.
    ///
    /// # Errors
    /// Seconds until it may.
    pub fn may_try(&self, from: IpAddr, identity: &str, now: Moment) -> Result<(), u64> {
        let from = neighbourhood(from);
        self.of_charger.look(&(from, self.hasher.hash_one(identity)), now)?;
        self.of_address.look(&from, now)
    }

    /// A charger has shown who it is. Whether it comes too often is asked only then: nobody else can use up its attempts.
    ///
    /// # Errors
    /// Seconds until it may come again.
    pub fn comes(&self, org: &str, charger: &str, now: Moment) -> Result<(), u64> {
        let key = self.hasher.hash_one((org, charger));
        self.good.look(&key, now)?;
        self.good.take(key, now);
        Ok(())
    }

    /// A charger was turned away.
    pub fn failed(&self, from: IpAddr, identity: &str, now: Moment) {
        let from = neighbourhood(from);
        self.of_charger.take((from, self.hasher.hash_one(identity)), now);
        self.of_address.take(from, now);
    }
}

/// For everybody a bucket that fills again with time.
#[derive(Debug)]
pub(crate) struct Buckets<K> {
    size: u32,
    span: Duration,
    // When the bucket of each will be full again. Full ones are not kept.
    full_at: Mutex<HashMap<K, Moment>>,
}

/// Buckets that are not full.
const MOST_BUCKETS: usize = 50_000;

impl<K: Hash + Eq + Clone> Buckets<K> {
    /// `size` at once, and one more every `span`.
    pub fn new(size: u32, span: Duration) -> Self {
        Self { size: size.max(1), span, full_at: Mutex::default() }
    }

    /// Whether there is one left; otherwise the seconds until there is.
    pub fn look(&self, key: &K, now: Moment) -> Result<(), u64> {
        let full_at = lock(&self.full_at).get(key).copied();
        let Some(missing) = full_at.and_then(|full_at| full_at.checked_duration_since(now)) else {
            return Ok(());
        };
        // Of an empty bucket all is missing; one span before that there was one left.
        let most = self.span.saturating_mul(self.size - 1);
        match missing.checked_sub(most) {
            Some(wait) if !wait.is_zero() => Err(wait.as_secs() + 1),
            _ => Ok(()),
        }
    }

    /// Takes one.
    pub fn take(&self, key: K, now: Moment) {
        let mut full_at = lock(&self.full_at);
        if full_at.len() >= MOST_BUCKETS && !full_at.contains_key(&key) {
            full_at.retain(|_, at| *at > now);
            if full_at.len() >= MOST_BUCKETS {
                // Someone is forgiven.
                let some = full_at.keys().next().cloned();
                some.and_then(|some| full_at.remove(&some));
            }
        }
        let most = self.span.saturating_mul(self.size);
        let at = full_at.entry(key).or_insert(now);
        *at = ((*at).max(now) + self.span).min(now + most);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
    const THERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));

    #[test]
    fn a_guesser_has_to_wait_and_others_do_not() {
        let attempts = Attempts::new(&Limits { failures: 3, ..Limits::default() });
        let now = Moment::now();
        for _ in 0..3 {
            assert_eq!(attempts.may_try(HERE, "A", now), Ok(()));
            attempts.failed(HERE, "A", now);
        }
        assert_eq!(attempts.may_try(HERE, "A", now), Err(21));
        assert_eq!(attempts.may_try(HERE, "B", now), Ok(()));
        assert_eq!(attempts.may_try(THERE, "A", now), Ok(()));
        let later = now + Duration::from_secs(20);
        assert_eq!(attempts.may_try(HERE, "A", later), Ok(()));
        attempts.failed(HERE, "A", later);
        assert!(attempts.may_try(HERE, "A", later).is_err());
    }

    #[test]
    fn one_who_tries_all_chargers_has_to_wait() {
        let attempts = Attempts::new(&Limits::default());
        let now = Moment::now();
        for number in 0..200 {
            let name = number.to_string();
            assert_eq!(attempts.may_try(HERE, &name, now), Ok(()));
            attempts.failed(HERE, &name, now);
        }
        assert!(attempts.may_try(HERE, "another", now).is_err());
        assert_eq!(attempts.may_try(THERE, "another", now), Ok(()));
    }

    #[test]
    fn a_charger_that_comes_again_and_again_has_to_wait() {
        let attempts = Attempts::new(&Limits { comings: 6, ..Limits::default() });
        let now = Moment::now();
        for _ in 0..6 {
            assert_eq!(attempts.comes("city", "A", now), Ok(()));
        }
        assert_eq!(attempts.comes("city", "A", now), Err(11));
        assert_eq!(attempts.comes("city", "B", now), Ok(()));
        assert_eq!(attempts.comes("town", "A", now), Ok(()));
        assert_eq!(attempts.comes("city", "A", now + Duration::from_secs(10)), Ok(()));
    }

    #[test]
    fn memory_of_attempts_is_bounded() {
        let buckets = Buckets::new(2, Duration::from_secs(60));
        let now = Moment::now();
        for key in 0..MOST_BUCKETS + 100 {
            buckets.take(key, now);
        }
        assert_eq!(lock(&buckets.full_at).len(), MOST_BUCKETS);
    }

    #[test]
    fn an_address_has_so_many_places_until_its_chargers_are_let_in() {
        let seats = Seats::new(Limits { strangers: 2, connections: 4, connects: 1_000, ..Limits::default() });
        let now = Moment::now();
        let later = now + Duration::from_secs(1);
        let (first, second) = (seats.enter(HERE, now).unwrap(), seats.enter(HERE, now).unwrap());
        assert!(seats.enter(HERE, later).is_none());
        let other = seats.enter(THERE, now).unwrap();
        first.admit();
        let third = seats.enter(HERE, later).unwrap();
        assert!(seats.enter(THERE, later).is_none(), "four in all");
        drop((first, second, third, other));
        assert_eq!(seats.taken(), 0);
        assert!(lock(&seats.taken).strangers.is_empty());
        let loopback = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
        let many: Vec<_> = (0..4).map(|_| seats.enter(loopback, now).unwrap()).collect();
        assert_eq!(seats.taken(), many.len());
    }

    #[test]
    fn one_who_comes_and_goes_all_the_time_is_dropped() {
        let seats = Seats::new(Limits { strangers: 10, connects: 50, ..Limits::default() });
        let now = Moment::now();
        let let_in = (0..1_000).filter(|_| seats.enter(HERE, now).is_some()).count();
        assert_eq!(let_in, 10);
        assert!(seats.enter(THERE, now).is_some());
        assert!(seats.enter(HERE, now + Duration::from_millis(20)).is_some());
    }

    #[test]
    fn an_ipv6_network_is_one_address() {
        let one: IpAddr = "2001:db8:1:2::1".parse().unwrap();
        let two: IpAddr = "2001:db8:1:2:ffff::9".parse().unwrap();
        assert_eq!(neighbourhood(one), neighbourhood(two));
        let mapped: IpAddr = "::ffff:192.0.2.1".parse().unwrap();
        assert_eq!(neighbourhood(mapped), HERE);
    }
}
