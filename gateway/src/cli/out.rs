//! Where results go: standard output, plain or coloured, as text or JSON; messages go to standard error.

use super::chart::Glyphs;
use super::failure::Failure;
use super::layout::wrap;
use super::{Colour, Format};
use anstyle::{AnsiColor, Style};
use serde::Serialize;
use std::io::{BufWriter, ErrorKind, IsTerminal as _, Stdout, Write as _};

/// What a stretch of text means; how it looks follows from it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Look {
    /// Headings and totals.
    Strong,
    /// Less important.
    Faint,
    /// Passed, fine.
    Good,
    /// Failed, wrong.
    Bad,
    /// To be noticed.
    Warn,
}

impl Look {
    const fn style(self) -> Style {
        match self {
            Look::Strong => Style::new().bold(),
            Look::Faint => Style::new().dimmed(),
            Look::Good => AnsiColor::Green.on_default(),
            Look::Bad => AnsiColor::Red.on_default().bold(),
            Look::Warn => AnsiColor::Yellow.on_default(),
        }
    }
}

/// Standard output and what it can show.
#[derive(Debug)]
pub struct Out {
    stdout: BufWriter<Stdout>,
    format: Format,
    colour: bool,
    colour_messages: bool,
    glyphs: Glyphs,
    width: usize,
    // Of standard error, where that is a terminal.
    message_width: Option<usize>,
}

/// Narrowest and widest text for people, in columns.
const WIDTHS: (usize, usize) = (60, 100);

impl Out {
    /// For this process.
    pub fn new(format: Format, colour: Colour) -> Self {
        let when = |automatic: anstream::ColorChoice| match colour {
            Colour::Always => true,
            Colour::Never => false,
            Colour::Auto => automatic != anstream::ColorChoice::Never,
        };
        let terminal = std::io::stdout().is_terminal();
        let columns = || terminal_size::terminal_size().map(|(width, _)| usize::from(width.0));
        let width = columns().filter(|_| terminal);
        let messages = std::io::stderr().is_terminal();
        Self {
            stdout: BufWriter::with_capacity(1 << 16, std::io::stdout()),
            format,
            colour: when(anstream::AutoStream::choice(&std::io::stdout())),
            colour_messages: when(anstream::AutoStream::choice(&std::io::stderr())),
            glyphs: glyphs(terminal, &|name| std::env::var(name).ok()),
            width: width.unwrap_or(80).clamp(WIDTHS.0, WIDTHS.1),
            // Room for the indent of the lines that follow.
            message_width: columns().filter(|_| messages).map(|width| width.max(WIDTHS.0) - 2),
        }
    }

    /// Whether JSON is wanted.
    pub fn json(&self) -> bool {
        self.format == Format::Json
    }

    /// Columns for text.
    pub fn width(&self) -> usize {
        self.width
    }

    /// What charts are drawn with.
    pub fn glyphs(&self) -> Glyphs {
        self.glyphs
    }

    /// Whether standard output takes colour.
    pub fn colour(&self) -> bool {
        self.colour
    }

    /// Whether standard error takes colour.
    pub fn colour_messages(&self) -> bool {
        self.colour_messages
    }

    /// The text in the look, or as it is where there is no colour.
    pub fn paint(&self, look: Look, text: &str) -> String {
        paint(self.colour, look, text)
    }

    /// Writes text.
    pub fn put(&mut self, text: &str) -> Result<(), Failure> {
        let written = self.stdout.write_all(text.as_bytes());
        check(written)
    }

    /// Writes a line.
    pub fn line(&mut self, text: &str) -> Result<(), Failure> {
        self.put(text)?;
        self.put("\n")
    }

    /// Writes a JSON document, indented.
    pub fn document(&mut self, value: &impl Serialize) -> Result<(), Failure> {
        let text = serde_json::to_string_pretty(value)
            .map_err(|error| Failure::Io(format!("the result cannot be written as JSON: {error}")))?;
        self.line(&text)
    }

    /// Sends on what is still held back.
    pub fn flush(&mut self) -> Result<(), Failure> {
        let flushed = self.stdout.flush();
        check(flushed)
    }

    /// A message for people, on standard error.
    pub fn message(&mut self, text: &str) {
        // Nobody listens there when this fails.
        let _ = self.stdout.flush();
        let _ = writeln!(std::io::stderr(), "{text}");
    }

    /// Something worth knowing, on standard error.
    pub fn hint(&mut self, text: &str) {
        let word = paint(self.colour_messages, Look::Warn, "note:");
        let text = match self.message_width {
            Some(width) => wrap(text, width.saturating_sub("note:".len())).join("\n  "),
            None => text.to_owned(),
        };
        self.message(&format!("{word} {text}"));
    }

    /// What is wrong at a place of the input, on standard error: one line for programs, broken between words on a terminal.
    pub fn at(&mut self, place: &str, text: &str) {
        let message = format!("{place}: {text}");
        let lines = match self.message_width {
            Some(width) => wrap(&message, width).join("\n  "),
            None => message,
        };
        self.message(&lines);
    }

    /// Why the run stopped, on standard error.
    pub fn failure(&mut self, failure: &Failure) {
        if !matches!(failure, Failure::Shown) {
            let word = paint(self.colour_messages, Look::Bad, "error:");
            let text = match self.message_width {
                Some(width) => wrap(&failure.to_string(), width.saturating_sub("error:".len())).join("\n  "),
                None => failure.to_string(),
            };
            self.message(&format!("{word} {text}"));
        }
    }
}

/// The text in the look, or as it is where there is no colour.
pub fn paint(colour: bool, look: Look, text: &str) -> String {
    if !colour || text.is_empty() {
        return text.to_owned();
    }
    let style = look.style();
    format!("{style}{text}{style:#}")
}

// A file or another program takes everything. A terminal takes block characters where its character set is said to be Unicode.
fn glyphs(terminal: bool, set: &dyn Fn(&str) -> Option<String>) -> Glyphs {
    let dumb = set("TERM").is_some_and(|name| name == "dumb");
    // The first that is set counts.
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().filter_map(set).find(|value| !value.is_empty());
    let locale = locale.map(|locale| locale.to_ascii_lowercase());
    let unicode = locale.is_some_and(|locale| locale.contains("utf-8") || locale.contains("utf8"));
    if terminal && (dumb || !(unicode || cfg!(windows))) { Glyphs::Plain } else { Glyphs::Blocks }
}

fn check(written: std::io::Result<()>) -> Result<(), Failure> {
    written.map_err(|error| {
        if error.kind() == ErrorKind::BrokenPipe {
            // The reader has seen enough (`| head`): that is no failure, and there is nobody to tell.
            std::process::exit(0);
        }
        Failure::Io(format!("cannot write the result: {error}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn charts_are_drawn_with_what_the_terminal_can_show() {
        let with = |terminal, set: &[(&str, &str)]| {
            glyphs(terminal, &|name| {
                set.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
            })
        };
        assert_eq!(with(false, &[("LANG", "C")]), Glyphs::Blocks);
        assert_eq!(with(true, &[("LANG", "de_AT.UTF-8")]), Glyphs::Blocks);
        assert_eq!(with(true, &[("LC_ALL", "C"), ("LANG", "de_AT.UTF-8")]), Glyphs::Plain);
        assert_eq!(with(true, &[("LC_ALL", ""), ("LC_CTYPE", "C.utf8")]), Glyphs::Blocks);
        assert_eq!(with(true, &[("TERM", "dumb"), ("LANG", "C.UTF-8")]), Glyphs::Plain);
    }
}
