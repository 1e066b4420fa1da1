//! What a charger still has to say: one message at a time, and what is about a transaction until it is answered.

use super::words::{Message, Said};
use std::collections::VecDeque;
use takst_engine::units::Instant;

/// More than so many messages do not fit into a charger's memory.
const MOST: usize = 5_000;

/// A message that waits.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Queued {
    pub message: Message,
    /// How often it was said already.
    pub attempts: u32,
    /// It was answered before, and is said once more as if it had not been.
    pub again: bool,
}

/// A message that was sent and has no answer yet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Waiting {
    pub id: String,
    pub said: Said,
    pub queued: Queued,
    pub sent: Instant,
    pub until: Instant,
}

/// What a charger still has to say.
#[derive(Clone, Default, Debug)]
pub(super) struct Outbox {
    queue: VecDeque<Queued>,
    waiting: Option<Box<Waiting>>,
    answers: VecDeque<String>,
    last_id: u64,
    /// The gateway's numbers of transactions by the charger's own (1.6).
    numbers: Vec<(u32, i64)>,
    /// Nothing is sent before; none when nothing keeps it.
    pub held_until: Option<Instant>,
}

impl Outbox {
    /// Something to say. What had to be forgotten for it.
    pub(super) fn push(&mut self, message: Message) -> Option<Message> {
        self.queue.push_back(Queued { message, attempts: 0, again: false });
        if self.queue.len() <= MOST {
            return None;
        }
        // The oldest sample is missed least.
        let sample = |queued: &Queued| match &queued.message {
            Message::Transaction(event) => matches!(event.kind, super::words::Kind::Sample),
            _ => true,
        };
        let place = self.queue.iter().position(sample).unwrap_or(0);
        self.queue.remove(place).map(|queued| queued.message)
    }

    /// Something that is said next.
    pub(super) fn push_front(&mut self, queued: Queued) {
        self.queue.push_front(queued);
    }

    /// An answer to the gateway.
    pub(super) fn answer(&mut self, text: String) {
        self.answers.push_back(text);
    }

    pub(super) fn take_answer(&mut self) -> Option<String> {
        self.answers.pop_front()
    }

    /// The next message, if none is on its way.
    pub(super) fn take(&mut self, now: Instant) -> Option<Queued> {
        let held = self.held_until.is_some_and(|until| now < until);
        if held || self.waiting.is_some() {
            return None;
        }
        self.held_until = None;
        self.queue.pop_front()
    }

    /// Notes that a message was sent. Its id.
    pub(super) fn sent(&mut self, said: Said, queued: Queued, now: Instant, within: i64) -> String {
        self.last_id += 1;
        let id = self.last_id.to_string();
        let until = Instant(now.0.saturating_add(within));
        self.waiting = Some(Box::new(Waiting { id: id.clone(), said, queued, sent: now, until }));
        id
    }

    pub(super) const fn waits_since(&self) -> Option<&Waiting> {
        match &self.waiting {
            Some(waiting) => Some(waiting),
            None => None,
        }
    }

    /// The message that this is the answer to.
    pub(super) fn answered(&mut self, id: &str) -> Option<Waiting> {
        self.waiting.take_if(|waiting| waiting.id == id).map(|waiting| *waiting)
    }

    /// Whether a message ever had this id: then its answer is late, and nobody waits for it any more.
    pub(super) fn was_sent(&self, id: &str) -> bool {
        id.parse::<u64>().is_ok_and(|id| (1..=self.last_id).contains(&id))
    }

    /// The message whose answer is overdue.
    pub(super) fn overdue(&mut self, now: Instant) -> Option<Waiting> {
        self.waiting.take_if(|waiting| now >= waiting.until).map(|waiting| *waiting)
    }

    /// The connection is gone: what is not about a transaction goes with it. The rest is said again, the first first.
    pub(super) fn cut(&mut self) {
        self.answers.clear();
        self.held_until = None;
        if let Some(waiting) = self.waiting.take() {
            self.queue.push_front(waiting.queued);
        }
        self.queue.retain(|queued| queued.message.is_kept());
    }

    /// Whether there is nothing to say and nothing to wait for.
    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty() && self.waiting.is_none() && self.answers.is_empty()
    }

    /// How many messages about transactions are not acknowledged.
    pub(super) fn kept(&self) -> usize {
        let waiting = self.waiting.iter().filter(|waiting| waiting.queued.message.is_kept()).count();
        waiting + self.queue.iter().filter(|queued| queued.message.is_kept()).count()
    }

    /// The gateway's number of a transaction.
    pub(super) fn number(&self, key: u32) -> Option<i64> {
        self.numbers.iter().find(|(own, _)| *own == key).map(|(_, number)| *number)
    }

    /// The charger's own number of a transaction.
    pub(super) fn key(&self, number: i64) -> Option<u32> {
        self.numbers.iter().find(|(_, given)| *given == number).map(|(key, _)| *key)
    }

    pub(super) fn number_is(&mut self, key: u32, number: i64) {
        // More than this are never open at once, not even after a long time offline.
        const OPEN: usize = 1_000;
        if self.numbers.len() >= OPEN {
            self.numbers.remove(0);
        }
        self.numbers.push((key, number));
    }

    pub(super) fn forget_number(&mut self, key: u32) {
        self.numbers.retain(|(own, _)| *own != key);
    }
}
