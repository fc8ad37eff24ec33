//! From the text of a `.nfg` file to a game.

use std::collections::{BTreeMap, BTreeSet};

use num_traits::Zero;

use super::lexer::{Lexer, Token};
use super::{ALL_DIGITS_LIMIT, DIGIT_LIMIT, NfgError, PAYOFF_LIMIT, PLAYER_LIMIT};
use crate::theory::normal_form::NormalForm;
use crate::theory::rational::{Rational, decimal};

/// Reads a game as Gambit does: the same files are accepted, with the same names and payoffs, in the payoff form (all
/// payoffs in a row, those of a cell together, the first player's strategies fastest) and in the outcome form (a list of
/// outcomes, then one number per cell, 0 for nobody gets anything). Deviations: a game without players is refused, and
/// so is what is larger than the limits of this module.
///
/// # Errors
/// The first thing that is not as it must be, with its place.
pub fn read(bytes: &[u8]) -> Result<NormalForm, NfgError> {
    let mut reader = Reader { lexer: Lexer::new(bytes), digits: 0 };
    reader.game()
}

struct Reader<'a> {
    lexer: Lexer<'a>,
    /// Digits of all numbers so far.
    digits: usize,
}

impl Reader<'_> {
    fn game(&mut self) -> Result<NormalForm, NfgError> {
        let title = self.header()?;
        let players = unique(self.players()?);
        let counted = self.strategies(players.len())?;
        let mut comment = String::new();
        if let Token::Text(text) = &self.lexer.token {
            comment = self.text(text)?;
            self.lexer.advance()?;
        }
        let outcomes = match self.lexer.token {
            Token::Open => Some(self.outcomes(players.len())?),
            Token::Number(_) => None,
            _ => return Err(self.lexer.unexpected("a list of outcomes or the first payoff")),
        };
        let shape = self.shape(&counted, outcomes.is_some())?;
        let strategies = counted.into_iter().map(Strategies::names).collect();
        let mut form = NormalForm::new(players, strategies).map_err(|error| self.lexer.error(error.what()))?;
        (form.title, form.comment) = (title, comment);
        self.cells(&mut form, &shape, outcomes.as_deref())?;
        match self.lexer.token {
            Token::End => Ok(form),
            _ => Err(self.lexer.unexpected("the end of the file, as every cell has its payoffs")),
        }
    }

    /// `NFG 1 R "title"`.
    fn header(&mut self) -> Result<String, NfgError> {
        if *self.lexer.advance()? != Token::Word("NFG".to_owned()) {
            return Err(self.lexer.unexpected("`NFG`, with which a game file begins"));
        }
        if *self.lexer.advance()? != Token::Number("1".to_owned()) {
            return Err(self.lexer.unexpected("`1`, the version of the format"));
        }
        if !matches!(self.lexer.advance()?, Token::Word(kind) if kind == "D" || kind == "R") {
            return Err(self.lexer.unexpected("`D` or `R`, the kind of the payoffs"));
        }
        self.lexer.advance()?;
        match &self.lexer.token {
            Token::Text(title) => self.text(title),
            _ => Err(self.lexer.unexpected("the game's title in quotation marks")),
        }
    }

    /// `{ "A" "B" }`.
    fn players(&mut self) -> Result<Vec<String>, NfgError> {
        if *self.lexer.advance()? != Token::Open {
            return Err(self.lexer.unexpected("`{` and the players' names"));
        }
        let mut players = Vec::new();
        while matches!(self.lexer.advance()?, Token::Text(_)) {
            if players.len() == PLAYER_LIMIT {
                let what = format!("the game has more than {PLAYER_LIMIT} players; expected at most {PLAYER_LIMIT}");
                return Err(self.lexer.error(what));
            }
            players.push(self.label()?);
        }
        match self.lexer.token {
            Token::Close if players.is_empty() => Err(self.lexer.error("there are no players; expected at least one")),
            Token::Close => Ok(players),
            _ => Err(self.lexer.unexpected("a player's name in quotation marks, or `}`")),
        }
    }

    /// `{ { "u" "d" } { "l" "r" } }` or `{ 2 2 }`. Ends on the token behind.
    fn strategies(&mut self, players: usize) -> Result<Vec<Strategies>, NfgError> {
        if *self.lexer.advance()? != Token::Open {
            return Err(self.lexer.unexpected("`{` and the players' strategies"));
        }
        self.lexer.advance()?;
        let listed = self.lexer.token == Token::Open;
        // Every strategy has a payoff for each player in each cell of the players before: no names are kept that there
        // cannot be payoffs for.
        let mut payoffs = players;
        let mut all = Vec::new();
        for _ in 0..players {
            if listed {
                if self.lexer.token != Token::Open {
                    return Err(self
                        .lexer
                        .unexpected(&format!("`{{`: a list of strategies for each of {players} players")));
                }
                let mut names = Vec::new();
                while matches!(self.lexer.advance()?, Token::Text(_)) {
                    names.push(self.label()?);
                    if payoffs * names.len() > PAYOFF_LIMIT {
                        let found = format!("the strategies up to here make {} payoffs", payoffs * names.len());
                        return Err(self.lexer.error(format!("{found}; expected at most {PAYOFF_LIMIT} payoffs")));
                    }
                }
                if self.lexer.token != Token::Close {
                    return Err(self.lexer.unexpected("a strategy's name in quotation marks, or `}`"));
                }
                if names.is_empty() {
                    return Err(self.lexer.error("a player has no strategies; expected at least one"));
                }
                payoffs *= names.len();
                all.push(Strategies::Named(names));
            } else {
                let Token::Number(text) = &self.lexer.token else {
                    return Err(self.lexer.unexpected(&format!("how many strategies each of {players} players has")));
                };
                match leading_integer(text) {
                    Some(count) if count > 0 => all.push(Strategies::Counted(count as usize)),
                    _ => return Err(self.lexer.unexpected("a number of strategies, at least 1")),
                }
            }
            self.lexer.advance()?;
        }
        if self.lexer.token != Token::Close {
            return Err(self.lexer.unexpected(&format!("`}}` behind the strategies of {players} players")));
        }
        self.lexer.advance()?;
        Ok(all)
    }

    /// The numbers of strategies, if there is room for their cells and the file is long enough to have them all: a cell
    /// takes at least a character.
    fn shape(&self, strategies: &[Strategies], has_outcomes: bool) -> Result<Vec<usize>, NfgError> {
        let shape: Vec<_> = strategies.iter().map(Strategies::len).collect();
        let cells = shape.iter().fold(1u128, |cells, n| cells.saturating_mul(*n as u128));
        let payoffs = cells.saturating_mul(shape.len() as u128);
        if payoffs > PAYOFF_LIMIT as u128 {
            let what =
                format!("the game has {cells} cells with {payoffs} payoffs; expected at most {PAYOFF_LIMIT} payoffs");
            return Err(self.lexer.error(what));
        }
        let (needed, what) = if has_outcomes { (cells, "outcomes") } else { (payoffs, "payoffs") };
        let left = self.lexer.left();
        if (left as u128) < needed {
            let found = format!("the file ends {left} characters behind, but {needed} {what} follow");
            return Err(self.lexer.error(format!("{found}; expected one for each of {cells} cells")));
        }
        Ok(shape)
    }

    /// `{ { "win" 1, 2 } { "lose" 3, 4 } }`: the payoffs of each. Ends on the token behind.
    fn outcomes(&mut self, players: usize) -> Result<Vec<Vec<Rational>>, NfgError> {
        let mut outcomes = Vec::new();
        while *self.lexer.advance()? == Token::Open {
            if !matches!(self.lexer.advance()?, Token::Text(_)) {
                return Err(self.lexer.unexpected("the outcome's name in quotation marks"));
            }
            self.label()?;
            self.lexer.advance()?;
            let mut payoffs = Vec::with_capacity(players.min(1024));
            for _ in 0..players {
                payoffs.push(self.number()?);
                if *self.lexer.advance()? == Token::Comma {
                    self.lexer.advance()?;
                }
            }
            if self.lexer.token != Token::Close {
                return Err(self.lexer.unexpected(&format!("`}}` behind the payoffs of {players} players")));
            }
            outcomes.push(payoffs);
            if outcomes.len() * players > PAYOFF_LIMIT {
                let what = format!("there are more than {} outcomes", PAYOFF_LIMIT / players);
                return Err(self.lexer.error(format!("{what}; expected at most {PAYOFF_LIMIT} payoffs")));
            }
        }
        if self.lexer.token != Token::Close {
            return Err(self.lexer.unexpected("another outcome, or `}` behind the last"));
        }
        self.lexer.advance()?;
        Ok(outcomes)
    }

    /// The payoffs, or the outcome, of each cell. Ends on the token behind.
    fn cells(
        &mut self,
        form: &mut NormalForm,
        shape: &[usize],
        outcomes: Option<&[Vec<Rational>]>,
    ) -> Result<(), NfgError> {
        let strides: Vec<usize> = (0..shape.len()).map(|player| shape[player + 1..].iter().product()).collect();
        let mut choice = vec![0; shape.len()];
        for _ in 0..form.cells() {
            let cell: usize = choice.iter().zip(&strides).map(|(choice, stride)| choice * stride).sum();
            match outcomes {
                Some(outcomes) => {
                    for (player, payoff) in self.outcome(outcomes)?.into_iter().flatten().enumerate() {
                        form.set(player, cell, payoff);
                    }
                    self.lexer.advance()?;
                }
                None => {
                    for player in 0..shape.len() {
                        let payoff = self.number()?;
                        form.set(player, cell, &payoff);
                        self.lexer.advance()?;
                    }
                }
            }
            // The first player's strategies run fastest.
            for (choice, n) in choice.iter_mut().zip(shape) {
                *choice += 1;
                if *choice < *n {
                    break;
                }
                *choice = 0;
            }
        }
        Ok(())
    }

    /// The outcome that the present token names: none for 0.
    fn outcome<'o>(&self, outcomes: &'o [Vec<Rational>]) -> Result<Option<&'o Vec<Rational>>, NfgError> {
        let expected = || format!("the outcome of the next cell: a number from 0 to {}", outcomes.len());
        let Token::Number(text) = &self.lexer.token else { return Err(self.lexer.unexpected(&expected())) };
        match leading_integer(text) {
            Some(0) => Ok(None),
            Some(number) if number > 0 && number as usize <= outcomes.len() => Ok(Some(&outcomes[number as usize - 1])),
            _ => Err(self.lexer.unexpected(&expected())),
        }
    }

    /// A title or comment.
    fn text(&self, bytes: &[u8]) -> Result<String, NfgError> {
        let text =
            std::str::from_utf8(bytes).map_err(|_| self.lexer.error("this text is not UTF-8; expected UTF-8"))?;
        Ok(text.to_owned())
    }

    /// The present token as a name, which Gambit wants on one line and without odd spaces.
    fn label(&self) -> Result<String, NfgError> {
        let Token::Text(bytes) = &self.lexer.token else {
            return Err(self.lexer.unexpected("a name in quotation marks"));
        };
        let name = self.text(bytes)?;
        if is_label(&name) {
            return Ok(name);
        }
        let expected = "expected a name without control characters, outer spaces and double spaces";
        Err(self.lexer.error(format!("found {}; {expected}", self.lexer.token.name())))
    }

    /// The present token as an exact number. Missing digits are 0, so `-` and `.` are, as Gambit has it.
    fn number(&mut self) -> Result<Rational, NfgError> {
        let Token::Number(text) = &self.lexer.token else { return Err(self.lexer.unexpected("a payoff")) };
        if text.starts_with('+') {
            return Err(self.lexer.unexpected("a payoff without a plus sign before it"));
        }
        let (negative, text) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.as_str()),
        };
        let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, ""));
        let exponent: i64 = match exponent.trim_end_matches(['+', '-']) {
            "" => 0,
            digits => digits.parse().unwrap_or(i64::MAX),
        };
        let digits = (mantissa.len() as u64).saturating_add(exponent.unsigned_abs());
        self.digits = self.digits.saturating_add(digits as usize);
        if digits > DIGIT_LIMIT as u64 {
            let what =
                format!("the number has {digits} digits; expected at most {DIGIT_LIMIT}, exponents counted as digits");
            return Err(self.lexer.error(what));
        }
        if self.digits > ALL_DIGITS_LIMIT {
            let what = "the numbers up to here have too many digits; expected at most";
            return Err(self.lexer.error(format!("{what} {ALL_DIGITS_LIMIT}, exponents counted as digits")));
        }
        let exponent = exponent as i32;
        if let Some((above, below)) = mantissa.split_once('/') {
            let below = decimal(false, below, 0);
            if below.is_zero() {
                return Err(self.lexer.unexpected("a number below the fraction bar, other than 0"));
            }
            return Ok(decimal(negative, above, 0) / below);
        }
        match mantissa.split_once('.') {
            None => Ok(decimal(negative, mantissa, exponent)),
            Some((whole, part)) => Ok(decimal(negative, &format!("{whole}{part}"), exponent - part.len() as i32)),
        }
    }
}

/// Whether Gambit takes a text as a name.
pub(super) fn is_label(text: &str) -> bool {
    let control = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    let spaces: Vec<bool> = text.chars().map(char::is_whitespace).collect();
    !text.contains(control) && text.trim() == text && !spaces.windows(2).any(|pair| pair == [true, true])
}

/// The strategies of a player, before it is known whether there is room for them.
enum Strategies {
    Named(Vec<String>),
    Counted(usize),
}

impl Strategies {
    fn len(&self) -> usize {
        match self {
            Self::Named(names) => names.len(),
            Self::Counted(count) => *count,
        }
    }

    fn names(self) -> Vec<String> {
        match self {
            Self::Named(names) => unique(names),
            Self::Counted(count) => (1..=count).map(|number| number.to_string()).collect(),
        }
    }
}

/// The whole number at the start of a text, as C's `stoi` reads it: `2.7` is 2.
fn leading_integer(text: &str) -> Option<i32> {
    let digits = text.trim_start_matches(['+', '-']);
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    let number: i32 = digits[..end].parse().ok()?;
    Some(if text.starts_with('-') { -number } else { number })
}

/// Names made different and not empty, as Gambit does: `a a` becomes `a_1 a_2`, an empty name `_1`.
fn unique(mut names: Vec<String>) -> Vec<String> {
    let mut used: BTreeSet<String> = names.iter().cloned().collect();
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    names.iter().for_each(|name| *counts.entry(name.clone()).or_default() += 1);
    let mut numbers: BTreeMap<String, usize> = BTreeMap::new();
    for name in &mut names {
        if counts[name] == 1 && !name.is_empty() {
            continue;
        }
        let number = numbers.entry(name.clone()).or_default();
        *name = loop {
            *number += 1;
            let candidate = format!("{name}_{number}");
            if used.insert(candidate.clone()) {
                break candidate;
            }
        };
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "NFG 1 R \"t\" { \"A\" \"B\" } { 2 2 }\n";

    #[test]
    fn payoffs_are_read_as_gambit_reads_them() {
        // First the text, then what Gambit 17 makes of it: payoffs of A by row, or a refusal.
        for (body, expected) in [
            ("1 2 3 4 5 6 7 8", Some("1 5 3 7")),
            ("1/2 2 -2/3 4 0/5 6 4/1 8", Some("1/2 0 -2/3 4")),
            ("-2.5E-1 2 5. 4 1e2 6 1e+2 8", Some("-1/4 100 5 100")),
            ("- 2 . 4 1e- 6 -.5 8", Some("0 1 0 -1/2")),
            ("1.2.3 3 4 5 6 7 8", Some("6/5 5 3 7")),
            ("1-2 3 4 5 6 7 8", Some("1 5 3 7")),
            ("\"comment\" 1 2 3 4 5 6 7 8", Some("1 5 3 7")),
            ("{ { \"x\" 1, 2 } { \"y\" 3 4, } } 1 2 0 1.9", Some("1 0 3 1")),
            ("+1 2 3 4 5 6 7 8", None),
            ("1/0 2 3 4 5 6 7 8", None),
            ("1/-2 2 3 4 5 6 7 8", None),
            (".5e2 2 3 4 5 6 7 8", None),
            ("1e 2 3 4 5 6 7 8", None),
            ("1, 2, 3, 4, 5, 6, 7, 8", None),
            ("1 2 3 4 5 6 7", None),
            ("1 2 3 4 5 6 7 8 9", None),
            ("inf 2 3 4 5 6 7 8", None),
            ("{ { \"x\" 1, 2 } } 1 2 1 1", None),
            ("{ { \"x\" 1,, 2 } } 1 1 1 1", None),
            ("{ { \"x\", 1, 2 } } 1 1 1 1", None),
        ] {
            let found = read(format!("{HEAD}{body}").as_bytes());
            let payoffs =
                found.ok().map(|game| (0..4).map(|cell| game.exact(0, cell).to_string()).collect::<Vec<_>>().join(" "));
            assert_eq!(payoffs.as_deref(), expected, "{body}");
        }
    }

    #[test]
    fn names_are_made_different_and_texts_are_unescaped() {
        let text =
            r#"NFG 1 R "say \"hi\" a\b" { "x" "x" "x_1" "" } { { "a" "a" } { "" } { "b" } { "c" } } 1 2 3 4 5 6 7 8"#;
        let game = read(text.as_bytes()).unwrap();
        assert_eq!(game.title, r#"say "hi" a\b"#);
        assert_eq!(game.players(), ["x_2", "x_3", "x_1", "_1"]);
        assert_eq!(
            (game.strategies(0), game.strategies(1)),
            (&["a_1".to_owned(), "a_2".to_owned()][..], &["_1".to_owned()][..])
        );
    }

    #[test]
    fn mistakes_have_a_line_and_a_column() {
        for (text, expected) in [
            ("nfg 1 R", "1:1: found `nfg`; expected `NFG`, with which a game file begins"),
            ("NFG 2 R", "1:5: found the number `2`; expected `1`, the version of the format"),
            ("NFG 1 R \"\" { \"A\" B }", "1:18: found `B`; expected a player's name in quotation marks, or `}`"),
            ("NFG 1 R \"\u{fc}\n\" {}", "2:4: there are no players; expected at least one"),
            ("NFG 1 R \"\" { \"A\" }\n{ 0 }", "2:3: found the number `0`; expected a number of strategies, at least 1"),
            ("NFG 1 R \"\" { \"A\" }\n{ 2 }\n\n 1 x", "4:4: found `x`; expected a payoff"),
            ("NFG 1 R \"open", "1:9: this text is never closed; expected a quotation mark before the file ends"),
            (
                "NFG 1 R \"\" { \" A\" }",
                "1:14: found the text \" A\"; expected a name without control characters, outer spaces and double spaces",
            ),
        ] {
            assert_eq!(read(text.as_bytes()).unwrap_err().to_string(), expected);
        }
    }

    #[test]
    fn hostile_files_are_refused_at_once() {
        let began = std::time::Instant::now();
        let digits = "9".repeat(20_000_000);
        let names = "\"a\" ".repeat(3000);
        let players = "\"p\" ".repeat(20_000);
        let thousand = "\"p\" ".repeat(1000);
        for (text, expected) in [
            ("NFG 1 R \"\" { \"A\" \"B\" } { 1000000000 2 } 1".to_owned(), "2000000000 cells with 4000000000 payoffs"),
            ("NFG 1 R \"\" { \"A\" \"B\" } { 2000000000 2000000000 } 1".to_owned(), "expected at most 8388608 payoffs"),
            ("NFG 1 R \"\" { \"A\" } { 99999999999999999999 } 1".to_owned(), "expected a number of strategies"),
            (format!("NFG 1 R \"\" {{ \"A\" }} {{ {{ {names} }} }} 1"), "but 3000 payoffs follow"),
            ("NFG 1 R \"\" { \"A\" \"B\" } { 2000 2000 } 1 2 3".to_owned(), "but 8000000 payoffs follow"),
            (
                format!("NFG 1 R \"\" {{ {players} }} {{ {} }} {}", "1 ".repeat(20_000), "0 ".repeat(20_000)),
                "more than 1000 players; expected at most 1000",
            ),
            // Refused at the 84th name of the second list, which is not read to its end.
            (
                format!("NFG 1 R \"\" {{ {thousand} }} {{ {{ {} }} {{ {names}", "\"b\" ".repeat(100)),
                "the strategies up to here make 8400000 payoffs; expected at most 8388608 payoffs",
            ),
            ("{".repeat(1_000_000), "expected `NFG`"),
            (format!("NFG 1 R \"\" {{ \"A\" }} {}", "{ ".repeat(1_000_000)), "expected a strategy's name"),
            (format!("NFG 1 R \"\" {{ \"A\" }} {{ 1 }} {digits}"), "the number has 20000000 digits"),
            // All on one line, whose characters are counted once and not for every number.
            (format!("NFG 1 R \"\" {{ \"A\" \"B\" }} {{ 400 400 }} {} x", "0 ".repeat(319_999)), "found `x`"),
            ("NFG 1 R \"\" { \"A\" } { 1 } 1e999999999999999999999".to_owned(), "expected at most 1000"),
            ("NFG 1 R \"\" { \"A\" } { 1 } 1e-2000".to_owned(), "expected at most 1000"),
        ] {
            let error = read(text.as_bytes()).unwrap_err();
            assert!(error.what.contains(expected), "{}", error.what);
        }
        assert!(began.elapsed().as_secs() < 2, "{:?}", began.elapsed());
    }
}
