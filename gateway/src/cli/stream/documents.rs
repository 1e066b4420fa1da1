//! JSON documents as lines: a list of them, a response with a list in `data`, or one after the other over many lines.
//!
//! Whatever the size, a document at a time is looked at, byte by byte. Whether it is right is for its reader to say: here only
//! brackets and texts are followed.

use std::io::{BufRead, Read};

/// How a file holds its documents.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shape {
    /// One on each line.
    Lines,
    /// One after the other, each over as many lines as it likes.
    Spread,
    /// In a list.
    List,
    /// In a list that is the field `data` of a response.
    Response,
}

/// The shape of a file that begins so; none when more of it must be seen.
pub fn shape(begin: &[u8]) -> Option<Shape> {
    let mut walk = Walk::default();
    let mut field = Field::default();
    let mut spread = false;
    for byte in begin {
        let before = walk;
        walk.step(*byte);
        match byte {
            b'[' if before.depth == 0 && !before.in_text => return Some(Shape::List),
            b'[' if before.depth == 1 && !before.in_text && field.is_data => return Some(Shape::Response),
            b'\n' if before.depth > 0 && !before.in_text => spread = true,
            // What is no JSON is told line by line.
            b'\n' if before.in_text => return Some(Shape::Lines),
            _ => field.step(*byte, before),
        }
        if before.depth == 1 && walk.depth == 0 {
            return Some(if spread { Shape::Spread } else { Shape::Lines });
        }
    }
    None
}

/// Follows brackets and texts.
#[derive(Clone, Copy, Default, Debug)]
struct Walk {
    depth: u32,
    in_text: bool,
    escaped: bool,
}

impl Walk {
    fn step(&mut self, byte: u8) {
        if self.in_text {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' => self.escaped = true,
                b'"' => self.in_text = false,
                _ => {}
            }
            return;
        }
        match byte {
            b'"' => self.in_text = true,
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
    }
}

/// The name of the field at hand on the outermost level, as far as it is told apart from `data`.
#[derive(Clone, Default, Debug)]
struct Field {
    text: Vec<u8>,
    is_data: bool,
}

impl Field {
    fn step(&mut self, byte: u8, before: Walk) {
        match (byte, before.in_text) {
            _ if before.depth != 1 => {}
            (b'"', false) => self.text.clear(),
            (b':', false) => self.is_data = self.text == b"data",
            (b',', false) => self.is_data = false,
            (b'"', true) => {}
            (byte, true) if self.text.len() < 8 => self.text.push(byte),
            _ => {}
        }
    }
}

/// The documents of a file, one on each line.
pub struct Documents<R> {
    from: R,
    shape: Shape,
    walk: Walk,
    field: Field,
    // Within the list; without a list always.
    within: bool,
    ready: Vec<u8>,
    given: usize,
}

impl<R: BufRead> Documents<R> {
    /// Takes the documents of a file of this shape.
    pub fn new(from: R, shape: Shape) -> Self {
        let (walk, field) = (Walk::default(), Field::default());
        let within = matches!(shape, Shape::Lines | Shape::Spread);
        Self { from, shape, walk, field, within, ready: Vec::new(), given: 0 }
    }

    // What becomes of a byte: a document's own goes on, line ends in it are blanks, and behind it stands a line end.
    fn take(&mut self, byte: u8) {
        let before = self.walk;
        self.walk.step(byte);
        // The depth on which documents stand.
        let level = match self.shape {
            Shape::Lines | Shape::Spread => 0,
            Shape::List => 1,
            Shape::Response => 2,
        };
        if !self.within {
            let begins = byte == b'[' && !before.in_text && before.depth + 1 == level;
            self.within = begins && (self.shape == Shape::List || self.field.is_data);
            self.field.step(byte, before);
            return;
        }
        let inside = before.in_text || before.depth > level || self.walk.depth > level;
        match byte {
            // The list is over; another one may follow.
            b']' if !inside && level > 0 => {
                self.within = false;
                self.field.is_data = false;
                self.ready.push(b'\n');
            }
            b',' if !inside && level > 0 => self.ready.push(b'\n'),
            b'\n' | b'\r' if inside || level > 0 => self.ready.push(b' '),
            b'\n' => {}
            byte => self.ready.push(byte),
        }
        if level == 0 && before.depth == 1 && self.walk.depth == 0 {
            self.ready.push(b'\n');
        }
    }
}

impl<R: BufRead> Read for Documents<R> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        while self.given == self.ready.len() {
            self.ready.clear();
            self.given = 0;
            let piece = self.from.fill_buf()?.to_vec();
            if piece.is_empty() {
                return Ok(0);
            }
            piece.iter().for_each(|byte| self.take(*byte));
            self.from.consume(piece.len());
        }
        let waiting = self.ready.get(self.given..).unwrap_or_default();
        let count = waiting.len().min(into.len());
        for (to, from) in into.iter_mut().zip(waiting) {
            *to = *from;
        }
        self.given += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::BufReader;

    // The documents of a text, read in pieces of so many bytes.
    fn documents(text: &str, piece: usize) -> Vec<String> {
        let shape = shape(text.as_bytes()).unwrap_or(Shape::Lines);
        let mut out = String::new();
        if shape == Shape::Lines {
            out.push_str(text);
        } else {
            let from = BufReader::with_capacity(piece, text.as_bytes());
            Documents::new(from, shape).read_to_string(&mut out).unwrap();
        }
        let lines = out.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
        lines.filter(|line| !line.is_empty()).collect()
    }

    #[test]
    fn every_way_of_holding_documents_is_read() {
        let expected = [r#"{"a": "x,]}\" [", "b": [1, {"c": 2}]}"#, r#"{"a": 3}"#];
        let [one, two] = expected;
        let spread = one.replace(", \"b\"", ",\n  \"b\"");
        for (text, wanted) in [
            (format!("{one}\n{two}\n"), Shape::Lines),
            (format!("\n\n{one}\n{two}"), Shape::Lines),
            (format!("[{one},{two}]"), Shape::List),
            (format!("  [\n{spread}\n,\n{two}\n]\n"), Shape::List),
            (format!("{spread}\n{two}\n"), Shape::Spread),
            (format!("{spread}{two}"), Shape::Spread),
            (format!(r#"{{"data":[{one},{two}],"status_code":1000}}"#), Shape::Response),
            (
                format!(
                    "{{\n \"links\": [1, 2], \"status\": \"data\", \"x\": {{\"data\": [0]}},\n \"data\" : [\n{spread},\n{two}],\n \"more\": [5]}}"
                ),
                Shape::Response,
            ),
            // Responses one after the other.
            (
                format!("{{\"data\":[{one}]}}\n{{\"data\":[]}}\n{{\"data\":[{two}],\"y\":\"]\"}}"),
                Shape::Response,
            ),
        ] {
            assert_eq!(shape(text.as_bytes()), Some(wanted), "{text}");
            for piece in [1, 2, 7, 4096] {
                assert_eq!(documents(&text, piece), expected, "{piece} {text}");
            }
            // As much as is needed to see it, and no more.
            let seen = (0..=text.len()).find(|end| shape(&text.as_bytes()[..*end]).is_some()).unwrap();
            assert!(wanted != Shape::Lines || seen <= text.find('}').unwrap().max(one.len()) + 3, "{text}");
        }
    }

    #[test]
    fn what_is_no_list_of_documents_comes_out_somehow() {
        for text in
            ["", " \n", "[]", "[", "[[1],[2]", "{", "\"", "[,,]", "nonsense\n", "{\"data\":[", "]}", "[1]]"]
        {
            let _ = documents(text, 3);
        }
        assert!(documents("[]", 4).is_empty() && documents("{\"data\":[]}", 4).is_empty());
        // A last one that was cut off is not lost: its reader says what is wrong with it.
        assert_eq!(documents("[{\"a\":1},{\"b\"", 4), ["{\"a\":1}", "{\"b\""]);
    }
}
