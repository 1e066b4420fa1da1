//! What the gateway has acknowledged, line by line: whoever kills the gateway can look afterwards whether all of it is still there.

use crate::chargers::time::write;
use crate::clock::now;
use crate::ocpp::Dialect;
use serde::Serialize;
use serde_json::value::RawValue;
use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::Path;
use takst_engine::units::Instant;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Lines that wait for the disk; when there are more, chargers wait.
const WAITING: usize = 4_096;

/// Writes acknowledged transaction messages to a file, as JSON lines. Copies share it.
#[derive(Clone, Debug)]
pub struct Recorder {
    lines: mpsc::Sender<String>,
}

#[derive(Serialize)]
struct Line<'a> {
    charger: &'a str,
    protocol: &'static str,
    action: &'a str,
    #[serde(borrow)]
    message: &'a RawValue,
    sent: String,
    #[serde(borrow)]
    answer: &'a RawValue,
    answered: String,
}

impl Recorder {
    /// Writes to a new file. The second value ends when all copies of the recorder are gone and everything is written.
    ///
    /// # Errors
    /// When the file cannot be made.
    pub fn create(path: &Path) -> io::Result<(Self, JoinHandle<io::Result<()>>)> {
        let mut file = BufWriter::new(File::create(path)?);
        let (lines, mut waiting) = mpsc::channel::<String>(WAITING);
        let written = tokio::task::spawn_blocking(move || {
            while let Some(line) = waiting.blocking_recv() {
                writeln!(file, "{line}")?;
                if waiting.is_empty() {
                    file.flush()?;
                }
            }
            file.flush()
        });
        Ok((Self { lines }, written))
    }

    /// Writes an acknowledged message.
    pub(super) async fn record(
        &self,
        charger: &str,
        dialect: Dialect,
        action: &str,
        (message, answer): (&str, &str),
        sent: Instant,
    ) {
        let raw = |text| serde_json::from_str::<&RawValue>(text).unwrap_or(RawValue::NULL);
        let line = Line {
            charger,
            protocol: dialect.subprotocol(),
            action,
            message: raw(message),
            sent: write(sent),
            answer: raw(answer),
            answered: write(now()),
        };
        if let Ok(line) = serde_json::to_string(&line) {
            // The file cannot be written any more: whoever waits for its end is told.
            let _ = self.lines.send(line).await;
        }
    }
}
