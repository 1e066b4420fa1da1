//! Whether a charger is still there. Any frame is a sign of life; a charger that never answers pings is given longer.

use std::time::Duration;
use tokio::time::Instant as Moment;

/// Added to two pings before a charger that answers them counts as gone.
const GRACE: Duration = Duration::from_secs(20);

/// Signs of life of one connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Life {
    ping: Option<Duration>,
    heard: Moment,
    pinged: Moment,
    ponged: bool,
    heartbeat: Option<Duration>,
    // Of a charger that does not answer pings: the least, and what holds as long as its heartbeat is not known.
    silence: (Duration, Duration),
}

impl Life {
    pub fn new(ping: Option<Duration>, silence: (Duration, Duration), now: Moment) -> Self {
        let mut life = Self { ping: None, heard: now, pinged: now, ponged: false, heartbeat: None, silence };
        life.pings(ping);
        life
    }

    /// From now on it is pinged this often, or not at all.
    pub fn pings(&mut self, every: Option<Duration>) {
        self.ping = every.filter(|every| !every.is_zero());
    }

    /// Something was heard.
    pub fn sign(&mut self, pong: bool, now: Moment) {
        self.heard = now;
        self.ponged |= pong;
    }

    /// The charger was told to send a heartbeat this often.
    pub fn beats(&mut self, every_s: i64) {
        self.heartbeat = u64::try_from(every_s).ok().filter(|every| *every > 0).map(Duration::from_secs);
    }

    pub fn pinged(&mut self, now: Moment) {
        self.pinged = now;
    }

    /// When the next ping is due.
    pub fn ping_at(&self) -> Option<Moment> {
        self.ping.map(|ping| self.heard.max(self.pinged) + ping)
    }

    /// When it counts as gone.
    pub fn gone_at(&self) -> Moment {
        let (least, unknown) = self.silence;
        let patience = match (self.ping, self.heartbeat) {
            (Some(ping), _) if self.ponged => ping.saturating_mul(2).saturating_add(GRACE),
            (_, Some(heartbeat)) => heartbeat.saturating_mul(3).max(least),
            (_, None) => unknown,
        };
        self.heard + patience
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SILENCE: (Duration, Duration) = (Duration::from_secs(900), Duration::from_secs(7_200));

    #[test]
    fn a_charger_that_never_answers_pings_is_given_longer() {
        let now = Moment::now();
        let ping = Duration::from_secs(30);
        let mut life = Life::new(Some(ping), SILENCE, now);
        assert_eq!(life.ping_at(), Some(now + ping));
        assert_eq!(life.gone_at(), now + SILENCE.1);
        life.beats(300);
        assert_eq!(life.gone_at(), now + SILENCE.0);
        life.sign(true, now);
        assert_eq!(life.gone_at(), now + Duration::from_secs(80));
    }

    #[test]
    fn any_frame_counts_and_pings_can_be_off() {
        let now = Moment::now();
        let later = now + Duration::from_secs(40);
        let mut life = Life::new(None, SILENCE, now);
        life.beats(3_600);
        life.sign(false, later);
        assert_eq!(life.ping_at(), None);
        life.pings(Some(Duration::from_secs(30)));
        assert_eq!(life.ping_at(), Some(later + Duration::from_secs(30)));
        life.pings(None);
        assert_eq!(life.ping_at(), None);
        assert_eq!(life.gone_at(), later + Duration::from_secs(10_800));
    }
}
