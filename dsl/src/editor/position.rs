//! Places in a text as editors count them: lines from 0, and characters of a line in the units that were agreed upon.

use crate::ast::Span;

/// What a character of a line counts as.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Encoding {
    /// Bytes.
    Utf8,
    /// 16-bit units: what editors count when nothing else was agreed upon.
    #[default]
    Utf16,
    /// Characters.
    Utf32,
}

impl Encoding {
    fn units(self, c: char) -> usize {
        match self {
            Self::Utf8 => c.len_utf8(),
            Self::Utf16 => c.len_utf16(),
            Self::Utf32 => 1,
        }
    }
}

/// A text and where its lines start. A line ends with `\n`, `\r\n` or a lone `\r`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Document {
    text: String,
    starts: Vec<usize>,
}

impl Document {
    /// Reads where the lines start.
    #[must_use]
    pub fn new(text: String) -> Self {
        let bytes = text.as_bytes();
        let starts = std::iter::once(0)
            .chain(bytes.iter().enumerate().filter_map(|(at, byte)| match byte {
                b'\n' => Some(at + 1),
                b'\r' if bytes.get(at + 1) != Some(&b'\n') => Some(at + 1),
                _ => None,
            }))
            .collect();
        Self { text, starts }
    }

    /// The whole text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// How many lines there are; an empty text has one.
    #[must_use]
    pub fn lines(&self) -> usize {
        self.starts.len()
    }

    /// The text of a line (from 0) without its end; empty beyond the last.
    #[must_use]
    pub fn line(&self, line: usize) -> &str {
        let start = self.starts.get(line).copied().unwrap_or(self.text.len());
        let end = self.starts.get(line.saturating_add(1)).copied().unwrap_or(self.text.len());
        self.text.get(start..end).unwrap_or("").trim_end_matches(['\n', '\r'])
    }

    /// The line (from 0) in which a byte stands.
    #[must_use]
    pub fn line_of(&self, byte: usize) -> usize {
        self.starts.partition_point(|start| *start <= byte).saturating_sub(1)
    }

    /// The first byte of a line (from 0); the end of the text beyond the last.
    #[must_use]
    pub fn start_of(&self, line: usize) -> usize {
        self.starts.get(line).copied().unwrap_or(self.text.len())
    }

    /// The byte at a place; the nearest one that exists: the end of the line, or of the text, or the start of the
    /// character in which it lies.
    #[must_use]
    pub fn offset(&self, line: u32, character: u32, encoding: Encoding) -> usize {
        let line = usize::try_from(line).unwrap_or(usize::MAX);
        let start = self.start_of(line);
        let wanted = usize::try_from(character).unwrap_or(usize::MAX);
        let content = self.line(line);
        let mut units = 0_usize;
        for (at, c) in content.char_indices() {
            units += encoding.units(c);
            if units > wanted {
                return start + at;
            }
        }
        start + content.len()
    }

    /// Line and character of a byte; inside a character its start, beyond the end the end.
    #[must_use]
    pub fn position(&self, byte: usize, encoding: Encoding) -> (u32, u32) {
        let byte = byte.min(self.text.len());
        let line = self.line_of(byte);
        let start = self.start_of(line);
        let content = self.text.get(start..).unwrap_or("");
        let units: usize = content
            .char_indices()
            .take_while(|(at, c)| start + at + c.len_utf8() <= byte)
            .map(|(_, c)| encoding.units(c))
            .sum();
        (number(line), number(units))
    }

    /// The places of a span's ends.
    #[must_use]
    pub fn range(&self, span: Span, encoding: Encoding) -> ((u32, u32), (u32, u32)) {
        let at = |byte: u32| self.position(usize::try_from(byte).unwrap_or(usize::MAX), encoding);
        (at(span.start), at(span.end.max(span.start)))
    }

    /// How many units a stretch of the text has.
    #[must_use]
    pub fn width(&self, span: Span, encoding: Encoding) -> u32 {
        number(self.slice(span).chars().map(|c| encoding.units(c)).sum())
    }

    /// The text of a span; empty where there is none.
    #[must_use]
    pub fn slice(&self, span: Span) -> &str {
        let at = |byte: u32| usize::try_from(byte).unwrap_or(usize::MAX);
        self.text.get(at(span.start)..at(span.end)).unwrap_or("")
    }

    /// The text with `from..to` (bytes, as [`Document::offset`] gives them) replaced.
    #[must_use]
    pub fn replaced(&self, from: usize, to: usize, by: &str) -> Self {
        let (from, to) = (from.min(to), from.max(to));
        let before = self.text.get(..from).unwrap_or(&self.text);
        let after = self.text.get(to..).unwrap_or("");
        Self::new([before, by, after].concat())
    }
}

fn number(of: usize) -> u32 {
    u32::try_from(of).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use Encoding::{Utf8, Utf16, Utf32};

    #[test]
    fn characters_count_as_agreed() {
        // ø: 2 bytes, 1 unit; the car: 4 bytes, 2 units.
        let text = Document::new("a\r\nø🚗b\rc\n".into());
        assert_eq!(text.lines(), 4);
        assert_eq!([text.line(0), text.line(1), text.line(2), text.line(3)], ["a", "ø🚗b", "c", ""]);
        let b = text.text().find('b').unwrap_or_default();
        for (encoding, character) in [(Utf8, 6), (Utf16, 3), (Utf32, 2)] {
            assert_eq!(text.position(b, encoding), (1, character));
            assert_eq!(text.offset(1, character, encoding), b);
        }
    }

    #[test]
    fn every_place_has_a_byte() {
        let text = Document::new("ø🚗\nx".into());
        // Inside the car: its start. Beyond a line: its end. Beyond the text: the end.
        assert_eq!(text.offset(0, 2, Utf16), 2);
        assert_eq!(text.offset(0, 99, Utf16), 6);
        assert_eq!(text.offset(0, u32::MAX, Utf8), 6);
        assert_eq!(text.offset(99, 99, Utf16), 8);
        assert_eq!(text.position(3, Utf16), (0, 1), "inside the car");
        assert_eq!(text.position(1, Utf8), (0, 0), "inside the ø");
        assert_eq!(text.position(usize::MAX, Utf16), (1, 1));
    }

    #[test]
    fn a_replacement_may_span_lines() {
        let text = Document::new("ab\ncd\n".into());
        assert_eq!(text.replaced(1, 4, "🚗\n").text(), "a🚗\nd\n");
        assert_eq!(text.replaced(4, 1, "").text(), "ad\n", "ends in either order");
        assert_eq!(text.replaced(6, 6, "e").lines(), 3);
    }
}
