//! One connection as the rest of the program sees it: who, and what is to be done on it.

use super::Unsent;
use crate::chargers::model::{Command, Outcome, TriggeredMessage};
use crate::link::Link;
use crate::ocpp::Call;
use futures_util::task::AtomicWaker;
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use tokio::sync::{Semaphore, oneshot};
use tokio::time::Instant as Moment;

/// Commands that may wait for one charger.
const MOST_ORDERS: usize = 64;

/// A connection.
pub(crate) struct Line {
    pub link: Link,
    tray: Mutex<Tray>,
    waker: AtomicWaker,
    // Has no permits; closed when the last report of the connection is dealt with.
    done: Semaphore,
}

/// What waits for the connection to take notice of.
#[derive(Default)]
pub(crate) struct Tray {
    pub orders: VecDeque<Order>,
    pub closing: Option<Closing>,
    shut: bool,
    changed: bool,
}

/// A command on its way.
pub(crate) struct Order {
    pub call: Call,
    pub when: Early,
    pub deadline: Moment,
    /// What it is about where only the newest counts: an older one that still waits gives way to it.
    pub topic: Option<String>,
    pub reply: oneshot::Sender<Result<Outcome, Unsent>>,
}

/// What a command is about, where only the newest of its kind counts.
pub(crate) fn topic(command: &Command) -> Option<String> {
    match command {
        Command::RunningCost(cost) => Some(format!("cost of {:?}", cost.reference)),
        _ => None,
    }
}

/// What may be said to a charger that is not accepted yet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Early {
    /// Even before it has said who it is: that it should say so.
    Unbooted,
    /// While it is being looked into.
    Pending,
    /// Nothing.
    No,
}

/// How a connection is to end.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Closing {
    pub code: u16,
    pub why: String,
}

impl Closing {
    /// Done.
    pub const NORMAL: u16 = 1000;
    /// The program stops.
    pub const AWAY: u16 = 1001;
    /// Against the protocol.
    pub const PROTOCOL: u16 = 1002;
    /// Not text.
    pub const UNSUPPORTED: u16 = 1003;
    /// No UTF-8.
    pub const NOT_TEXT: u16 = 1007;
    /// Too big.
    pub const TOO_BIG: u16 = 1009;
}

impl From<&Command> for Early {
    fn from(command: &Command) -> Self {
        match command {
            Command::Trigger { message: TriggeredMessage::Boot, .. } => Self::Unbooted,
            Command::Trigger { .. }
            | Command::GetConfiguration(_)
            | Command::SetConfiguration { .. }
            | Command::GetVariables(_)
            | Command::SetVariables(_)
            | Command::GetBaseReport { .. }
            | Command::GetReport(_)
            | Command::SetNetworkProfile(_)
            | Command::InstallCertificate { .. }
            | Command::GetCertificates(_)
            | Command::DeleteCertificate(_)
            | Command::CertificateSigned { .. }
            | Command::GetLog(_)
            | Command::UpdateFirmware(_)
            | Command::Reset { .. } => Self::Pending,
            _ => Self::No,
        }
    }
}

impl Line {
    pub fn new(link: Link) -> Self {
        Self { link, tray: Mutex::default(), waker: AtomicWaker::new(), done: Semaphore::const_new(0) }
    }

    /// Puts a command in the queue.
    pub fn order(&self, order: Order) -> Result<(), Unsent> {
        {
            let mut tray = self.tray();
            if tray.shut {
                return Err(Unsent::NotConnected);
            }
            let same = |older: &&mut Order| order.topic.is_some() && older.topic == order.topic;
            if let Some(older) = tray.orders.iter_mut().find(same) {
                // It keeps the older one's place.
                let older = std::mem::replace(older, order);
                // Whoever asked may have given up.
                let _ = older.reply.send(Err(Unsent::Overtaken));
                return Ok(());
            }
            if tray.orders.len() >= MOST_ORDERS {
                return Err(Unsent::Busy);
            }
            tray.orders.push_back(order);
            tray.changed = true;
        }
        self.waker.wake();
        Ok(())
    }

    /// Whether it still takes commands.
    pub fn is_open(&self) -> bool {
        !self.tray().shut
    }

    /// Asks the connection to end; the first reason stays.
    pub fn close(&self, closing: Closing) {
        {
            let mut tray = self.tray();
            tray.closing.get_or_insert(closing);
            tray.changed = true;
        }
        self.waker.wake();
    }

    /// Whether something was put in since the last look; wakes when something is.
    pub fn changed(&self, waker: &Waker) -> bool {
        self.waker.register(waker);
        std::mem::take(&mut self.tray().changed)
    }

    pub fn tray(&self) -> MutexGuard<'_, Tray> {
        // Nothing under this lock can panic half way.
        self.tray.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes no more commands; those that wait are told so.
    pub fn shut(&self) {
        let orders = {
            let mut tray = self.tray();
            tray.shut = true;
            std::mem::take(&mut tray.orders)
        };
        for order in orders {
            // Whoever asked may have given up.
            let _ = order.reply.send(Err(Unsent::Gone { sent: false }));
        }
    }

    /// The last report of the connection is dealt with.
    pub fn finish(&self) {
        self.done.close();
    }

    /// Waits for [`Self::finish`].
    pub async fn finished(&self) {
        // Nobody gives a permit: this ends with an error, when the semaphore is closed.
        let _ = self.done.acquire().await;
    }
}
