//! What a charger has asked and is not answered yet, and what it was answered last.

use crate::link::Received;
use crate::ocpp::frame::MessageId;
use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::Duration;
use tokio::time::Instant as Moment;

/// Requests that may wait for their turn.
const MOST_WAITING: usize = 32;
/// Their size, before no more is read.
const MOST_BYTES: usize = 256 << 10;
/// Answers that are remembered.
const MOST_ANSWERS: usize = 16;
/// Their size.
const MOST_ANSWER_BYTES: usize = 32 << 10;
/// For how long.
const REMEMBERED: Duration = Duration::from_secs(600);

/// A request by which it is told from others: the id repeats after a reboot and with some chargers always, so the content counts too.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Mark {
    pub id: MessageId,
    print: u64,
}

impl Mark {
    pub fn new(id: MessageId, action: &str, payload: &str) -> Self {
        let mut hasher = DefaultHasher::new();
        (action, payload).hash(&mut hasher);
        Self { id, print: hasher.finish() }
    }
}

/// A request.
pub(super) struct Item {
    pub mark: Mark,
    /// An answer is wanted.
    pub call: bool,
    pub received: Received,
    pub bytes: usize,
}

/// Whether a request came before.
pub(super) enum Seen {
    /// No.
    New,
    /// It is being dealt with.
    Waiting,
    /// It was answered with this.
    Answered(String),
}

/// Requests of one connection.
#[derive(Default)]
pub(super) struct Inbox {
    waiting: VecDeque<Item>,
    bytes: usize,
    current: Option<Mark>,
    answers: VecDeque<(Mark, String, Moment)>,
}

impl Inbox {
    /// Whether another request may be read.
    pub fn has_room(&self) -> bool {
        self.waiting.len() < MOST_WAITING && self.bytes < MOST_BYTES
    }

    /// Whether a request came before.
    pub fn seen(&self, mark: &Mark, now: Moment) -> Seen {
        if self.current.as_ref() == Some(mark) || self.waiting.iter().any(|item| item.mark == *mark) {
            return Seen::Waiting;
        }
        let before = self.answers.iter().find(|(known, _, at)| known == mark && now < *at + REMEMBERED);
        before.map_or(Seen::New, |(_, answer, _)| Seen::Answered(answer.clone()))
    }

    pub fn put(&mut self, item: Item) {
        self.bytes += item.bytes;
        self.waiting.push_back(item);
    }

    /// The next request; it is the current one until it is answered.
    pub fn next(&mut self) -> Option<Item> {
        let item = self.waiting.pop_front()?;
        self.bytes = self.bytes.saturating_sub(item.bytes);
        if self.waiting.is_empty() {
            // A burst is over, and most chargers are silent for most of their lives.
            self.waiting = VecDeque::new();
        }
        self.current = Some(item.mark.clone());
        Some(item)
    }

    /// The current request is dealt with. An answer that is not a matter of the moment is remembered.
    pub fn done(&mut self, answer: Option<&str>) {
        let Some(mark) = self.current.take() else { return };
        let Some(answer) = answer.filter(|answer| answer.len() <= MOST_ANSWER_BYTES / 4) else { return };
        let now = Moment::now();
        self.answers.retain(|(known, _, at)| known.id != mark.id && now < *at + REMEMBERED);
        self.answers.push_back((mark, answer.to_owned(), now));
        while self.answers.len() > MOST_ANSWERS
            || self.answers.iter().map(|(_, answer, _)| answer.len()).sum::<usize>() > MOST_ANSWER_BYTES
        {
            self.answers.pop_front();
        }
    }
}
