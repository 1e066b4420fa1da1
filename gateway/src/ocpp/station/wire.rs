//! The WebSocket of a station: what is to be said waits here without blocking what is heard.

use crate::hub::Closing;
use futures_util::{SinkExt as _, StreamExt as _};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use std::collections::VecDeque;
use std::fmt;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::AsyncWriteExt as _;
use tokio::time::{Instant as Moment, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::protocol::frame::{CloseFrame, coding::CloseCode};
use tokio_tungstenite::tungstenite::{Bytes, Error, Message, Utf8Bytes};

/// A WebSocket on a connection of our server.
pub(crate) type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// How long a close handshake may take.
const FAREWELL: Duration = Duration::from_secs(2);
/// What may wait to be said before no more is heard.
const MOST_SAID: usize = 256 << 10;
/// A close frame has no room for more.
const LONGEST_REASON: usize = 120;

/// A socket and what is to be said on it.
pub(super) struct Wire {
    socket: Socket,
    out: VecDeque<Message>,
    waiting: usize,
    unflushed: bool,
    stuck: Option<Moment>,
}

/// What was heard.
pub(super) enum Heard {
    /// A message.
    Text(Utf8Bytes),
    /// A sign of life; whether it was the answer to a ping.
    Sign { pong: bool },
    /// It is over.
    End(End),
}

/// Why a connection is over.
pub(super) enum End {
    /// The charger closed it.
    Closed(String),
    /// It broke.
    Lost(String),
    /// We end it.
    Ours(Closing),
}

impl Wire {
    pub fn new(socket: Socket) -> Self {
        Self { socket, out: VecDeque::new(), waiting: 0, unflushed: false, stuck: None }
    }

    /// Says a text as soon as the socket takes it.
    pub fn say(&mut self, text: String) {
        self.waiting += text.len();
        self.out.push_back(Message::Text(text.into()));
    }

    /// Says an empty ping.
    pub fn ping(&mut self) {
        self.out.push_back(Message::Ping(Bytes::new()));
    }

    /// Since when the charger takes nothing of what we say.
    pub fn stuck(&self) -> Option<Moment> {
        self.stuck
    }

    /// Says what the socket takes, and hears. One who does not take our answers is not listened to.
    pub fn poll(&mut self, listen: bool, context: &mut Context<'_>) -> Poll<Heard> {
        if let Err(error) = self.push(context) {
            return Poll::Ready(Heard::End(End::of(&error)));
        }
        if !listen || self.waiting > MOST_SAID {
            return Poll::Pending;
        }
        self.socket.poll_next_unpin(context).map(|heard| match heard {
            Some(Ok(Message::Text(text))) => Heard::Text(text),
            Some(Ok(Message::Binary(_) | Message::Frame(_))) => Heard::End(End::Ours(Closing {
                code: Closing::UNSUPPORTED,
                why: "OCPP is spoken in text frames, not binary ones".to_owned(),
            })),
            Some(Ok(Message::Ping(_))) => Heard::Sign { pong: false },
            Some(Ok(Message::Pong(_))) => Heard::Sign { pong: true },
            Some(Ok(Message::Close(frame))) => Heard::End(End::Closed(
                frame.map_or_else(|| "without a reason".to_owned(), |frame| frame.to_string()),
            )),
            Some(Err(error)) => Heard::End(End::of(&error)),
            None => Heard::End(End::Closed("without a reason".to_owned())),
        })
    }

    fn push(&mut self, context: &mut Context<'_>) -> Result<(), Error> {
        while !self.out.is_empty() {
            match self.socket.poll_ready_unpin(context) {
                Poll::Ready(ready) => ready?,
                Poll::Pending => {
                    self.stuck.get_or_insert_with(Moment::now);
                    return Ok(());
                }
            }
            if let Some(message) = self.out.pop_front() {
                if let Message::Text(text) = &message {
                    self.waiting = self.waiting.saturating_sub(text.len());
                }
                self.socket.start_send_unpin(message)?;
                self.unflushed = true;
                self.stuck = None;
            }
        }
        if self.out.capacity() > 0 {
            // Most chargers are silent for most of their lives.
            self.out = VecDeque::new();
        }
        if self.unflushed {
            match self.socket.poll_flush_unpin(context) {
                Poll::Ready(flushed) => {
                    flushed?;
                    self.unflushed = false;
                    self.stuck = None;
                }
                Poll::Pending => {
                    self.stuck.get_or_insert_with(Moment::now);
                }
            }
        }
        Ok(())
    }

    /// Says what is still to be said, and goodbye.
    pub async fn close(mut self, end: End) {
        let closing = match end {
            End::Lost(_) => return,
            End::Closed(_) => None,
            End::Ours(Closing { code, mut why }) => {
                why.truncate(why.floor_char_boundary(LONGEST_REASON));
                Some(CloseFrame { code: CloseCode::from(code), reason: why.into() })
            }
        };
        let farewell = async {
            if closing.is_some() {
                while let Some(message) = self.out.pop_front() {
                    self.socket.send(message).await?;
                }
                self.socket.close(closing).await?;
            } else {
                // The answer to the charger's close frame.
                self.socket.flush().await?;
            }
            let stream = self.socket.get_mut();
            stream.shutdown().await?;
            // A socket that is dropped with something unread is reset, and what we said last may be lost with it.
            tokio::io::copy(stream, &mut tokio::io::sink()).await?;
            Ok::<_, Error>(())
        };
        // It is over in any case.
        let _ = timeout(FAREWELL, farewell).await;
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed(why) => write!(f, "closed by the charger: {why}"),
            Self::Lost(why) => write!(f, "lost: {why}"),
            Self::Ours(Closing { code, why }) => write!(f, "closed by us: {code} {why}"),
        }
    }
}

impl End {
    fn of(error: &Error) -> Self {
        let code = match error {
            Error::ConnectionClosed | Error::AlreadyClosed => {
                return Self::Closed("without a reason".to_owned());
            }
            Error::Io(_) | Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => {
                return Self::Lost(error.to_string());
            }
            Error::Capacity(_) => Closing::TOO_BIG,
            Error::Utf8(_) => Closing::NOT_TEXT,
            _ => Closing::PROTOCOL,
        };
        Self::Ours(Closing { code, why: error.to_string() })
    }
}
