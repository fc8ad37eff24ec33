//! The tokens of Gambit's files: the same ones as Gambit's reader sees, oddities included (`1.2.3` is `1.2` and `.3`; a
//! word goes on to the next white space, braces or not).

use super::{NfgError, Place};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// Its text: sign, digits, and then `/` or `.` or an exponent.
    Number(String),
    /// What stands between quotation marks.
    Text(Vec<u8>),
    /// Any other run of characters.
    Word(String),
    Open,
    Close,
    Comma,
    End,
}

impl Token {
    /// How an error names it.
    pub(super) fn name(&self) -> String {
        let short = |text: &str| match text.char_indices().nth(30) {
            Some((at, _)) => format!("{}...", &text[..at]),
            None => text.to_owned(),
        };
        match self {
            Self::Number(text) => format!("the number `{}`", short(text)),
            Self::Text(text) => format!("the text \"{}\"", short(&String::from_utf8_lossy(text))),
            Self::Word(text) => format!("`{}`", short(text)),
            Self::Open => "`{`".to_owned(),
            Self::Close => "`}`".to_owned(),
            Self::Comma => "`,`".to_owned(),
            Self::End => "the end of the file".to_owned(),
        }
    }
}

/// Reads tokens one after the other and knows the present one.
pub(super) struct Lexer<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Where the line begins that `at` is in, and which it is.
    line_start: usize,
    line: usize,
    /// The present token.
    pub(super) token: Token,
    /// Where it stands, and the line that it begins in.
    token_at: usize,
    token_length: usize,
    token_line_start: usize,
    token_line: usize,
}

impl<'a> Lexer<'a> {
    /// Before the first token.
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            at: 0,
            line_start: 0,
            line: 1,
            token: Token::End,
            token_at: 0,
            token_length: 0,
            token_line_start: 0,
            token_line: 1,
        }
    }

    /// How many bytes are left, those of the present token among them.
    pub(super) fn left(&self) -> usize {
        self.bytes.len() - self.token_at
    }

    /// Where the present token stands. Counts the characters of its line, which may be the whole file: for errors only.
    fn place(&self) -> Place {
        let before = &self.bytes[self.token_line_start..self.token_at];
        // Characters, not bytes: continuation bytes of UTF-8 do not count.
        let column = 1 + before.iter().filter(|byte| **byte & 0xc0 != 0x80).count();
        Place { offset: self.token_at, length: self.token_length, line: self.token_line, column }
    }

    /// A mistake at the present token.
    pub(super) fn error(&self, what: impl Into<String>) -> NfgError {
        NfgError { what: what.into(), place: Some(self.place()) }
    }

    /// The present token is not what stands here.
    pub(super) fn unexpected(&self, expected: &str) -> NfgError {
        self.error(format!("found {}; expected {expected}", self.token.name()))
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn skip_spaces(&mut self) {
        while let Some(byte) = self.peek().filter(|byte| is_space(*byte)) {
            self.at += 1;
            if byte == b'\n' {
                self.line += 1;
                self.line_start = self.at;
            }
        }
    }

    /// Goes on to the next token.
    pub(super) fn advance(&mut self) -> Result<&Token, NfgError> {
        self.skip_spaces();
        let from = self.at;
        (self.token_at, self.token_length) = (from, 1);
        (self.token_line_start, self.token_line) = (self.line_start, self.line);
        let Some(first) = self.peek() else {
            self.token_length = 0;
            self.token = Token::End;
            return Ok(&self.token);
        };
        self.at += 1;
        self.token = match first {
            b'{' => Token::Open,
            b'}' => Token::Close,
            b',' => Token::Comma,
            b'"' => Token::Text(self.text()?),
            b'0'..=b'9' | b'-' | b'+' | b'.' => {
                self.number(first)?;
                Token::Number(String::from_utf8_lossy(&self.bytes[from..self.at]).into_owned())
            }
            _ => {
                while self.peek().is_some_and(|byte| !is_space(byte)) {
                    self.at += 1;
                }
                Token::Word(String::from_utf8_lossy(&self.bytes[from..self.at]).into_owned())
            }
        };
        self.token_length = self.at - from;
        Ok(&self.token)
    }

    /// The rest of a number, behind its first character.
    fn number(&mut self, first: u8) -> Result<(), NfgError> {
        let digits = |lexer: &mut Self| {
            while lexer.peek().is_some_and(|byte| byte.is_ascii_digit()) {
                lexer.at += 1;
            }
        };
        digits(self);
        // `.5e2` is the number `.5` and the word `e2`.
        if first == b'.' {
            return Ok(());
        }
        match self.peek() {
            Some(b'/') => {
                self.at += 1;
                digits(self);
                return Ok(());
            }
            Some(b'.') => {
                self.at += 1;
                digits(self);
            }
            _ => {}
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if !self.peek().is_some_and(|byte| byte.is_ascii_digit() || byte == b'+' || byte == b'-') {
                self.token_length = self.at - self.token_at;
                return Err(self.error("the number ends behind its `e`; expected an exponent"));
            }
            self.at += 1;
            digits(self);
        }
        Ok(())
    }

    /// A quoted text, behind its first quotation mark. `\"` is a quotation mark. Any other character behind a backslash
    /// stands for both, and a backslash behind a backslash makes the next character such a one again.
    fn text(&mut self) -> Result<Vec<u8>, NfgError> {
        let mut text = Vec::new();
        let mut escaped = false;
        loop {
            let Some(byte) = self.peek() else {
                return Err(self.error("this text is never closed; expected a quotation mark before the file ends"));
            };
            self.at += 1;
            match byte {
                b'"' if !escaped => return Ok(text),
                b'"' => text.push(b'"'),
                _ if escaped => text.extend([b'\\', byte]),
                b'\\' => {}
                _ => text.push(byte),
            }
            if byte == b'\n' {
                self.line += 1;
                self.line_start = self.at;
            }
            escaped = byte == b'\\';
        }
    }
}

/// White space as C has it.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | 0x0b | 0x0c | b'\r')
}
