//! Many played chargers at once.

use super::charger::Charger;
use super::event::Observer;
use super::plan::Plan;
use super::player::{Address, AddressError, Call, Line, Player};
use super::record::Recorder;
use crate::clock::now;
use crate::ocpp::Dialect;
use std::sync::Arc;
use std::time::Duration;
use takst_engine::units::Instant;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant as Moment, timeout_at};
use tokio_tungstenite::Connector;

/// One charger of a fleet.
#[derive(Clone, Debug)]
pub struct Member {
    /// Its identity.
    pub id: String,
    /// What it speaks.
    pub dialect: Dialect,
    /// How it behaves.
    pub plan: Arc<Plan>,
    /// How long after the others' start it connects.
    pub after: Duration,
    /// For HTTP Basic.
    pub password: Option<String>,
}

/// Played chargers.
#[derive(Debug)]
pub struct Fleet {
    players: JoinSet<usize>,
    calls: watch::Sender<Call>,
}

impl Fleet {
    /// Starts playing. `seed` decides everything that is left to chance. `trusted` says whose
    /// certificates count over TLS, without it those of the system do.
    ///
    /// # Errors
    /// When the host of the address is not known.
    pub async fn start(
        address: &Address,
        members: Vec<Member>,
        seed: u64,
        trusted: Option<Arc<rustls::ClientConfig>>,
        observer: Arc<dyn Observer>,
        recorder: Option<Recorder>,
    ) -> Result<Self, AddressError> {
        let to = address.resolve().await?;
        let tls = trusted.map(Connector::Rustls);
        let line = Arc::new(Line { address: address.clone(), to, tls, observer, recorder });
        let (calls, called) = watch::channel(Call::Play);
        let mut players = JoinSet::new();
        let mut seeds = fastrand::Rng::with_seed(seed);
        for (place, member) in members.into_iter().enumerate() {
            // Its plan begins when it connects, not before.
            let ms = i64::try_from(member.after.as_millis()).unwrap_or(i64::MAX);
            let begins = Instant(now().0.saturating_add(ms));
            let charger = Charger::new(&member.id, member.dialect, member.plan, seeds.u64(..), begins);
            let player = Player::new(charger, member.password, Arc::clone(&line), place, called.clone());
            players.spawn(player.play(member.after));
        }
        Ok(Self { players, calls })
    }

    /// Ends all sessions and waits until everything is acknowledged, at most for so long. How many messages about transactions
    /// are not.
    pub async fn finish(mut self, within: Duration) -> usize {
        let _ = self.calls.send(Call::Finish);
        let deadline = Moment::now() + within;
        let mut left = 0_usize;
        while let Ok(Some(ended)) = timeout_at(deadline, self.players.join_next()).await {
            left = left.saturating_add(ended.unwrap_or_default());
        }
        let _ = self.calls.send(Call::Quit);
        while let Some(ended) = self.players.join_next().await {
            left = left.saturating_add(ended.unwrap_or_default());
        }
        left
    }
}
