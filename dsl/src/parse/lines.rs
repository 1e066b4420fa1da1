//! A text as lines: indent, code and comment told apart, and what no line may hold found before the grammar sees it.

use crate::ast::Span;
use crate::diagnostic::Diagnostic;

/// Longest line in bytes.
pub const MAX_LINE: usize = 10_000;
/// Deepest nesting in a line: brackets, `higher of`, minus signs.
const MAX_DEPTH: usize = 50;

/// One line of the text.
pub struct Line<'t> {
    /// What is left of it without indent, comment and trailing space.
    pub code: &'t str,
    /// Where `code` starts.
    pub start: u32,
    /// Whether it starts at the margin.
    pub at_margin: bool,
    /// `# ...` without trailing space.
    pub comment: Option<(&'t str, u32)>,
}

impl Line<'_> {
    /// Where its code stands.
    pub fn span(&self) -> Span {
        span(self.start, 0, self.code.len())
    }
}

/// `from..to` bytes counted from `base`.
pub fn span(base: u32, from: usize, to: usize) -> Span {
    let offset = |by: usize| base.saturating_add(u32::try_from(by).unwrap_or(u32::MAX));
    Span { start: offset(from), end: offset(to) }
}

/// The lines of a text (ended by `\n`, `\r\n` or a lone `\r`) and where each starts. A byte order mark is left out.
pub fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut at = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    let mut done = false;
    std::iter::from_fn(move || {
        if done {
            return None;
        }
        let rest = text.get(at..)?;
        let start = at;
        let (line, end) = match rest.find(['\n', '\r']) {
            Some(end) => (rest.get(..end)?, end),
            None => {
                done = true;
                return Some((start, rest));
            }
        };
        at += end + if rest.get(end..)?.starts_with("\r\n") { 2 } else { 1 };
        Some((start, line))
    })
}

/// Reads one line. `Err`: the line with its code, and what is wrong with its characters.
pub fn read(text: &str, start: usize, source: u32) -> (Line<'_>, Option<Box<Diagnostic>>) {
    let base = u32::try_from(start).unwrap_or(u32::MAX);
    let indent = text.len() - text.trim_start_matches(is_space).len();
    let mut line =
        Line { code: "", start: span(base, indent, indent).start, at_margin: indent == 0, comment: None };
    if text.len() > MAX_LINE {
        let shown = text.char_indices().nth(20).map_or(text.len(), |(at, _)| at);
        let found = Diagnostic::error(
            "E003",
            source,
            span(base, 0, shown),
            format!("a line of {} characters is too long", text.chars().count()),
        )
        .help(format!("a line may have {MAX_LINE} bytes; give parts of it a name with `price` or `period`"));
        line.code = text.get(indent..shown).unwrap_or("");
        return (line, Some(Box::new(found)));
    }
    let mut scan = Scan { text, base, source, problem: None, depth: 0, deepest: 0, nested: 0, minuses: 0 };
    let end = scan.run(indent);
    let code = text.get(indent..end).unwrap_or("");
    line.code = code.trim_end_matches(is_space);
    line.comment =
        text.get(end..).map(str::trim_end).filter(|c| !c.is_empty()).map(|c| (c, span(base, end, end).start));
    let problem = scan.problem.take().or_else(|| scan.too_deep(indent, end));
    (line, problem)
}

/// White space of any kind: what the grammar does not take is reported, but indents all the same.
fn is_space(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{200b}' | '\u{2060}' | '\u{feff}')
}

struct Scan<'t> {
    text: &'t str,
    base: u32,
    source: u32,
    problem: Option<Box<Diagnostic>>,
    depth: usize,
    deepest: usize,
    nested: usize,
    minuses: usize,
}

impl Scan<'_> {
    /// Goes through the line; gives where the code ends.
    fn run(&mut self, indent: usize) -> usize {
        let mut string: Option<usize> = None;
        let mut run_of_minus = 0_usize;
        for (at, c) in self.text.char_indices() {
            self.any_character(at, c);
            if let Some(open) = string {
                if c == '"' && at > open {
                    string = None;
                }
                continue;
            }
            match c {
                '"' => string = Some(at),
                '#' => {
                    self.comment(at);
                    return at;
                }
                '(' => {
                    self.depth += 1;
                    self.deepest = self.deepest.max(self.depth);
                }
                ')' => self.depth = self.depth.saturating_sub(1),
                '-' | '–' | '−' => {
                    run_of_minus += 1;
                    self.minuses = self.minuses.max(run_of_minus);
                }
                'o' if self.is_word(at, "of") => {
                    let before = self.text.get(..at).unwrap_or("").trim_end();
                    self.nested += usize::from(before.ends_with("higher") || before.ends_with("lower"));
                }
                _ => {}
            }
            if !matches!(c, '-' | '–' | '−' | ' ' | '\t') {
                run_of_minus = 0;
            }
            self.outside_strings(at, c, indent);
        }
        if let Some(open) = string {
            let found = self
                .error("E010", open, self.text.trim_end().len(), "the closing quote `\"` is missing")
                .help("a text stands between two quotes on one line: `\"like this\"`");
            self.report(found);
        }
        self.text.len()
    }

    fn is_word(&self, at: usize, word: &str) -> bool {
        let before = self.text.get(..at).and_then(|t| t.chars().next_back());
        let rest = self.text.get(at..).unwrap_or("");
        let joined = |c: char| c.is_alphanumeric() || c == '-' || c == '_';
        rest.strip_prefix(word).is_some_and(|after| !after.starts_with(joined)) && !before.is_some_and(joined)
    }

    fn error(&self, code: &'static str, from: usize, to: usize, message: impl Into<String>) -> Diagnostic {
        Diagnostic::error(code, self.source, span(self.base, from, to), message)
    }

    fn report(&mut self, found: Diagnostic) {
        if self.problem.is_none() {
            self.problem = Some(Box::new(found));
        }
    }

    fn comment(&mut self, at: usize) {
        for (by, c) in self.text.get(at..).unwrap_or("").char_indices() {
            self.any_character(at + by, c);
        }
    }

    /// What may not stand anywhere, not even in a text or comment.
    fn any_character(&mut self, at: usize, c: char) {
        let end = at + c.len_utf8();
        if c.is_control() && c != '\t' {
            let found = self
                .error(
                    "E011",
                    at,
                    end,
                    format!("there is an invisible control character (U+{:04X}) here", u32::from(c)),
                )
                .help("delete it; a tariff is a plain text file")
                .fix(span(self.base, at, end), "");
            self.report(found);
        } else if matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}') {
            let found = self
                .error(
                    "E011",
                    at,
                    end,
                    format!("there is an invisible character (U+{:04X}) here", u32::from(c)),
                )
                .help("delete it; it changes the order in which the line is shown")
                .fix(span(self.base, at, end), "");
            self.report(found);
        }
    }

    fn outside_strings(&mut self, at: usize, c: char, indent: usize) {
        if self.problem.is_some() || c.is_ascii_alphanumeric() {
            return;
        }
        let end = at + c.len_utf8();
        let here = span(self.base, at, end);
        let found = match c {
            '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}' | '\u{ad}' => self
                .error(
                    "E011",
                    at,
                    end,
                    format!("there is an invisible character (U+{:04X}) here", u32::from(c)),
                )
                .help("delete it")
                .fix(here, ""),
            _ if c.is_whitespace() && c != ' ' && c != '\t' => self
                .error("E012", at, end, format!("this space is a special one (U+{:04X})", u32::from(c)))
                .help("type an ordinary space")
                .fix(here, " "),
            '“' | '”' | '„' | '‟' | '«' | '»' | '‘' | '’' | '‚' | '\'' | '`' => {
                self.wrong_quote(at, c)
            }
            '{' | '}' => self
                .error("E014", at, end, format!("a tariff has no braces: `{c}`"))
                .help("indent the lines that belong to a statement instead"),
            '[' | ']' => self
                .error("E014", at, end, format!("a tariff has no square brackets: `{c}`"))
                .help("formulas use round ones: `( ... )`"),
            ';' if at == indent => self
                .error("E015", at, end, "a comment starts with `#`, not with `;`")
                .help("write `# ...`")
                .fix(here, "#"),
            ';' => {
                let rest = self.text.get(end..).unwrap_or("").trim();
                let found = self.error("E016", at, end, "a line ends without `;`");
                if rest.is_empty() {
                    found.help("delete it").fix(here, "")
                } else {
                    found.help("one line says one thing: start a new line here, or a comment with `#`")
                }
            }
            '/' if self.text.get(end..).is_some_and(|rest| rest.starts_with(['/', '*'])) => {
                let found = self
                    .error(
                        "E015",
                        at,
                        end + 1,
                        format!("a comment starts with `#`, not with `{}`", self.slice(at, end + 1)),
                    )
                    .help("write `# ...`");
                if self.slice(end, end + 1) == "/" {
                    found.fix(span(self.base, at, end + 1), "#")
                } else {
                    found
                }
            }
            '<' | '>' | '≤' | '≥' => {
                let end = if self.slice(end, end + 1) == "=" { end + 1 } else { end };
                self.error("E017", at, end, format!("conditions are written in words, not with `{}`", self.slice(at, end)))
                    .help("write `below 11 kW`, `11 kW or more`, `up to 20 kWh of energy`, `beyond 20 kWh of energy`")
            }
            '=' => {
                let before = self.slice(0, at).trim_end_matches([' ', '\t', ':']).len();
                let after = end + self.text.get(end..).unwrap_or("").len()
                    - self.text.get(end..).unwrap_or("").trim_start_matches([' ', '\t', '=']).len();
                self.error("E018", at, end, "a tariff says `what: how much`, with a colon and not with `=`")
                    .help("write `:` instead")
                    .fix(span(self.base, before, after), ": ")
            }
            _ => return,
        };
        self.report(found);
    }

    fn slice(&self, from: usize, to: usize) -> &str {
        self.text.get(from..to).unwrap_or("")
    }

    fn wrong_quote(&self, at: usize, c: char) -> Diagnostic {
        let end = at + c.len_utf8();
        let found = self
            .error("E013", at, end, format!("this quote is not the plain one: {c}"))
            .help("texts stand between plain quotes: `\"like this\"`");
        let closers: &[char] = match c {
            '“' | '”' | '„' | '‟' => &['“', '”', '‟', '"'],
            '«' | '»' => &['«', '»'],
            _ => &['‘', '’', '\'', '`'],
        };
        let rest = self.text.get(end..).unwrap_or("");
        match rest.find(closers) {
            Some(len) => {
                let inner = self.slice(end, end + len);
                let close = rest.get(len..).and_then(|r| r.chars().next()).map_or(0, char::len_utf8);
                if inner.contains(['"', '#']) {
                    return found;
                }
                let mut found = found.fix(span(self.base, at, end + len + close), format!("\"{inner}\""));
                if let Some(label) = found.labels.first_mut() {
                    label.span = span(self.base, at, end + len + close);
                }
                found.message =
                    format!("these quotes are not the plain ones: {}", self.slice(at, end + len + close));
                found
            }
            None => found,
        }
    }

    fn too_deep(&self, indent: usize, end: usize) -> Option<Box<Diagnostic>> {
        if self.deepest.max(self.nested).max(self.minuses) <= MAX_DEPTH {
            return None;
        }
        let shown =
            self.text.get(..end).unwrap_or("").char_indices().nth(40).map_or(end, |(at, _)| at).max(indent);
        let found = self
            .error("E004", indent, shown, format!("this formula is nested more than {MAX_DEPTH} deep"))
            .help("give parts of it names of their own with `price`");
        Some(Box::new(found))
    }
}
