//! Where things stand in RON text: a scanner that finds the fields of `Name(a: 1, b: [..])`, the pairs of a map and the
//! items of a list without giving them a meaning. It serves errors that point at a place, `--set`, and reports.

use std::ops::Range;

/// `Name(field: value, ...)`, `(field: value, ...)` or a bare `Name`, as byte ranges of the whole text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The name; empty range when there is none.
    pub name: Range<usize>,
    /// The brackets with all that is between them; `None` for a bare name.
    pub brackets: Option<Range<usize>>,
    /// The fields in the order of the text.
    pub fields: Vec<FieldText>,
    /// Parts between the brackets that are not `name: value`.
    pub odd: Vec<Range<usize>>,
}

/// A field of a [`Call`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldText {
    /// Its name.
    pub key: Range<usize>,
    /// Its value, without the white space and comments around it.
    pub value: Range<usize>,
}

impl Call {
    /// Reads `text[range]`; `None` when it is something else, such as a number or a list.
    pub fn parse(text: &str, range: Range<usize>) -> Option<Self> {
        let range = trim(text, range);
        let end = ident_end(text, range.start, range.end);
        let name = range.start..end;
        let rest = trim(text, end..range.end);
        if rest.is_empty() {
            return (!name.is_empty()).then_some(Self { name, brackets: None, fields: Vec::new(), odd: Vec::new() });
        }
        if !text[rest.clone()].starts_with('(') || close(text, rest.start) != Some(rest.end) {
            return None;
        }
        Some(Self::with_fields(text, name, rest, |part| part.start..ident_end(text, part.start, part.end)))
    }

    /// Reads a map `{"field": value, ...}` as a call without a name; `None` when `text[range]` is something else.
    pub fn parse_map(text: &str, range: Range<usize>) -> Option<Self> {
        let range = trim(text, range);
        let is_map = text[range.clone()].starts_with('{') && close(text, range.start) == Some(range.end);
        let key = |part: &Range<usize>| {
            let quoted = text[part.start..].starts_with('"').then(|| skip(text, part.start));
            part.start..quoted.unwrap_or(part.start)
        };
        let mut map = is_map.then(|| Self::with_fields(text, range.start..range.start, range.clone(), key))?;
        for field in &mut map.fields {
            field.key = field.key.start + 1..field.key.end - 1;
        }
        Some(map)
    }

    /// With the parts between the brackets; `key` says where in a part its name is.
    fn with_fields(
        text: &str,
        name: Range<usize>,
        brackets: Range<usize>,
        key: impl Fn(&Range<usize>) -> Range<usize>,
    ) -> Self {
        let parts = split(text, brackets.start + 1..brackets.end - 1);
        let mut call = Self { name, brackets: Some(brackets), fields: Vec::new(), odd: Vec::new() };
        for part in parts {
            let key = key(&part);
            let after = trim(text, key.end..part.end);
            if !key.is_empty() && text[after.clone()].starts_with(':') {
                let value = trim(text, after.start + 1..after.end);
                call.fields.push(FieldText { key, value });
            } else {
                call.odd.push(part);
            }
        }
        call
    }

    /// The call with these fields in place of its own of the same names, or behind them.
    pub fn over(mut self, text: &str, fields: &[FieldText]) -> Self {
        for field in fields {
            match self.fields.iter_mut().find(|own| text[own.key.clone()] == text[field.key.clone()]) {
                Some(own) => *own = field.clone(),
                None => self.fields.push(field.clone()),
            }
        }
        self
    }

    /// The field of that name.
    pub fn field(&self, text: &str, name: &str) -> Option<&FieldText> {
        self.fields.iter().find(|field| &text[field.key.clone()] == name)
    }
}

/// The items of a list `[a, b]`; `None` when it is none.
pub fn items(text: &str, range: Range<usize>) -> Option<Vec<Range<usize>>> {
    let range = trim(text, range);
    let is_list = text[range.clone()].starts_with('[') && text[range.clone()].ends_with(']');
    is_list.then(|| split(text, range.start + 1..range.end - 1))
}

/// The range without white space and comments at its ends.
pub fn trim(text: &str, range: Range<usize>) -> Range<usize> {
    let mut start = range.start;
    let mut end = start;
    let mut first = true;
    let mut at = range.start;
    while at < range.end {
        let next = skip(text, at).min(range.end);
        if !is_blank(&text[at..next]) {
            if first {
                start = at;
                first = false;
            }
            end = next;
        }
        at = next;
    }
    if first { range.end..range.end } else { start..end }
}

/// The parts between commas at the outermost level, trimmed; an empty last part is left out.
fn split(text: &str, range: Range<usize>) -> Vec<Range<usize>> {
    let mut parts = Vec::new();
    let (mut start, mut at, mut depth) = (range.start, range.start, 0usize);
    while at < range.end {
        let next = skip(text, at).min(range.end);
        match &text[at..next] {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth = depth.saturating_sub(1),
            "," if depth == 0 => {
                parts.push(trim(text, start..at));
                start = next;
            }
            _ => {}
        }
        at = next;
    }
    let last = trim(text, start..range.end);
    if !last.is_empty() {
        parts.push(last);
    }
    parts
}

/// A bracket or quotation mark that is not closed, or closes nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unbalanced {
    /// It is never closed.
    Open(Range<usize>),
    /// A closing bracket, with the innermost bracket that is open there and needs another one.
    Close(Range<usize>, Option<usize>),
}

/// The first bracket or quotation mark without its counterpart.
pub fn unbalanced(text: &str) -> Option<Unbalanced> {
    let mut open: Vec<usize> = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let next = skip(text, at);
        let token = &text[at..next];
        match token {
            "(" | "[" | "{" => open.push(at),
            ")" | "]" | "}" => match open.pop() {
                Some(start) if closing(&text[start..]) == token => {}
                other => return Some(Unbalanced::Close(at..next, other)),
            },
            _ if token.starts_with('"') && (token.len() == 1 || !token.ends_with('"')) => {
                return Some(Unbalanced::Open(at..at + 1));
            }
            _ => {}
        }
        at = next;
    }
    open.pop().map(|start| Unbalanced::Open(start..start + 1))
}

/// The bracket that closes the one at the start of `text`.
pub fn closing(text: &str) -> &'static str {
    match text.as_bytes().first() {
        Some(b'(') => ")",
        Some(b'[') => "]",
        Some(b'{') => "}",
        _ => "\"",
    }
}

/// Where the bracket that opens at `open` has been closed again.
pub fn close(text: &str, open: usize) -> Option<usize> {
    let (mut at, mut depth) = (open, 0usize);
    while at < text.len() {
        let next = skip(text, at);
        match &text[at..next] {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" if depth <= 1 => return Some(next),
            ")" | "]" | "}" => depth -= 1,
            _ => {}
        }
        at = next;
    }
    None
}

/// The value, or what stands in place of one, around `at`: up to the commas and brackets around it.
pub fn value_at(text: &str, at: usize) -> Range<usize> {
    let is_end = |c: char| c.is_whitespace() || ",()[]{}:\"".contains(c);
    let start = text[..at].rfind(is_end).map_or(0, |i| i + text[i..].chars().next().map_or(1, char::len_utf8));
    let (mut end, mut depth) = (start, 0usize);
    while end < text.len() {
        let next = skip(text, end);
        match &text[end..next] {
            "(" | "[" | "{" => depth += 1,
            "," | ")" | "]" | "}" if depth == 0 => break,
            ")" | "]" | "}" => depth -= 1,
            _ => {}
        }
        end = next;
    }
    trim(text, start..end)
}

/// The end of the token that starts at `at`: a comment, a string, a run of white space, or one character.
fn skip(text: &str, at: usize) -> usize {
    let rest = &text[at..];
    let Some(first) = rest.chars().next() else { return at };
    let ends =
        |pattern: &str, from: usize| rest[from..].find(pattern).map_or(text.len(), |i| at + from + i + pattern.len());
    if rest.starts_with("//") {
        return ends("\n", 2);
    }
    if rest.starts_with("/*") {
        let (mut depth, mut i) = (1, 2);
        while depth > 0 && i < rest.len() {
            if rest[i..].starts_with("/*") {
                depth += 1;
                i += 2;
            } else if rest[i..].starts_with("*/") {
                depth -= 1;
                i += 2;
            } else {
                i += rest[i..].chars().next().map_or(1, char::len_utf8);
            }
        }
        return at + i;
    }
    if first == '"' || first == '\'' {
        let mut escaped = false;
        for (i, c) in rest.char_indices().skip(1) {
            match c {
                _ if c == first && !escaped => return at + i + 1,
                '\\' => escaped = !escaped,
                _ => escaped = false,
            }
        }
        return text.len();
    }
    if first == 'r' {
        let hashes = rest[1..].len() - rest[1..].trim_start_matches('#').len();
        // An identifier that merely ends in `r` never comes here: identifiers are taken character by character only
        // where none of them is followed by a quotation mark.
        if rest[1 + hashes..].starts_with('"') {
            return ends(&format!("\"{}", "#".repeat(hashes)), 2 + hashes);
        }
    }
    if first.is_whitespace() {
        let blank = rest.len() - rest.trim_start().len();
        return at + blank;
    }
    at + first.len_utf8()
}

fn is_blank(token: &str) -> bool {
    token.starts_with("//") || token.starts_with("/*") || token.chars().all(char::is_whitespace)
}

/// Where the identifier that starts at `start` ends; `start` when there is none.
fn ident_end(text: &str, start: usize, end: usize) -> usize {
    let rest = &text[start..end];
    if !rest.starts_with(|c: char| c.is_alphabetic() || c == '_') {
        return start;
    }
    rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).map_or(end, |length| start + length)
}

/// Line and column of a place, both from 1.
pub fn line_and_column(text: &str, at: usize) -> (usize, usize) {
    let before = &text[..at.min(text.len())];
    let line = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|&c| c != '\n').count() + 1;
    (line, column)
}

/// The place of a line and column, both from 1; the end of the text when it has no such place.
pub fn offset(text: &str, line: usize, column: usize) -> usize {
    let start: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    let rest = &text[start.min(text.len())..];
    start + rest.char_indices().nth(column.saturating_sub(1)).map_or(rest.len(), |(i, _)| i)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(text: &str) -> Vec<(&str, &str)> {
        let call = Call::parse(text, 0..text.len()).unwrap();
        assert!(call.odd.is_empty(), "{call:?}");
        call.fields.iter().map(|field| (&text[field.key.clone()], &text[field.value.clone()])).collect()
    }

    #[test]
    fn fields_are_found_whatever_stands_in_their_values() {
        let text = "Run( // first, (comment\n name: \"a, \\\" b)\", /* [ */ list: [1, (2), 3], game: g(x: {'a': 1}),\n raw: r#\"x\", y\"#, ) // end";
        let expected =
            [("name", "\"a, \\\" b)\""), ("list", "[1, (2), 3]"), ("game", "g(x: {'a': 1})"), ("raw", "r#\"x\", y\"#")];
        assert_eq!(fields(text), expected);
        assert_eq!(fields("()"), []);
        assert_eq!(fields(" maddpg "), []);
        assert_eq!(fields("(a:(b:1),c:2)"), [("a", "(b:1)"), ("c", "2")]);
    }

    #[test]
    fn other_things_are_no_calls() {
        for text in ["3", "[1]", "\"text\"", "", "f(x) y", "f(x) g(y)", "f(x), (y)"] {
            assert_eq!(Call::parse(text, 0..text.len()), None, "{text}");
        }
        let call = Call::parse("f(1, a: 2)", 0..10).unwrap();
        assert_eq!(call.odd, std::slice::from_ref(&(2..3)));
    }

    #[test]
    fn pairs_of_maps() {
        let text = "{\"a, b\": [1, 2], /* x */ \"c\" : (d: 3),}";
        let map = Call::parse_map(text, 0..text.len()).unwrap();
        let pair = |field: &FieldText| (&text[field.key.clone()], &text[field.value.clone()]);
        assert_eq!(map.fields.iter().map(pair).collect::<Vec<_>>(), [("a, b", "[1, 2]"), ("c", "(d: 3)")]);
        assert!(map.odd.is_empty());
        assert_eq!(Call::parse_map("{a: 1}", 0..6).unwrap().odd, std::slice::from_ref(&(1..5)));
        for text in ["(a: 1)", "[1]", "{} {}", ""] {
            assert_eq!(Call::parse_map(text, 0..text.len()), None, "{text}");
        }
    }

    #[test]
    fn fields_are_laid_over_others() {
        let text = "f(a: 1, b: 2) {\"b\": 3, \"c\": 4}";
        let over = Call::parse_map(text, 14..text.len()).unwrap();
        let call = Call::parse(text, 0..13).unwrap().over(text, &over.fields);
        let pair = |field: &FieldText| (&text[field.key.clone()], &text[field.value.clone()]);
        assert_eq!(call.fields.iter().map(pair).collect::<Vec<_>>(), [("a", "1"), ("b", "3"), ("c", "4")]);
    }

    #[test]
    fn items_of_lists() {
        let text = "[ddpg(), // x\n Entry(all: a, label: \"b, c\"),]";
        let parts: Vec<_> = items(text, 0..text.len()).unwrap().into_iter().map(|range| &text[range]).collect();
        assert_eq!(parts, ["ddpg()", "Entry(all: a, label: \"b, c\")"]);
        assert_eq!(items("(1)", 0..3), None);
    }

    #[test]
    fn brackets_without_their_counterpart_are_found() {
        use Unbalanced::{Close, Open};
        for text in ["", "Run(a: [1, (2)], b: \")\", c: '(' /* [ */) // {", "r#\"(\"#"] {
            assert_eq!(unbalanced(text), None, "{text}");
        }
        assert_eq!(unbalanced("(a: [1)"), Some(Close(6..7, Some(4))));
        assert_eq!(unbalanced("(a: 1))"), Some(Close(6..7, None)));
        assert_eq!(unbalanced("(a: [1]"), Some(Open(0..1)));
        assert_eq!(unbalanced("(a: \"b)"), Some(Open(4..5)));
    }

    #[test]
    fn the_value_around_a_place() {
        let text = "(a: -4, b: \"x, y\", c: [1, (2)] /* no */, d: 4.5)";
        for (inside, value) in [("4,", "-4"), ("\"x", "\"x, y\""), ("[1", "[1, (2)]"), (".5", "4.5")] {
            assert_eq!(&text[value_at(text, text.find(inside).unwrap())], value);
        }
    }

    #[test]
    fn places_and_offsets_agree() {
        let text = "ä\nbc\n";
        for (at, _) in text.char_indices() {
            let (line, column) = line_and_column(text, at);
            assert_eq!(offset(text, line, column), at);
        }
        assert_eq!(line_and_column(text, 4), (2, 2));
        assert_eq!(offset(text, 9, 1), text.len());
    }
}
