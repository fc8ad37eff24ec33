//! From a game to the text of a `.nfg` file.

use std::fmt::Write;

use super::read::is_label;
use crate::theory::normal_form::NormalForm;

/// The game in the payoff form. Reading it gives the same game back, except that computed payoffs come back as the exact
/// value of their shortest decimals, that names are put on one line with single spaces, and that the format has no way to write some runs of backslashes:
/// a slash takes the place of one.
pub fn write(game: &NormalForm) -> String {
    let mut text = format!("NFG 1 R {} {{", quoted(&game.title));
    for name in game.players() {
        let _ = write!(text, " {}", label(name));
    }
    text += " }\n\n{\n";
    let shape = game.shape();
    for player in 0..shape.len() {
        let names: Vec<_> = game.strategies(player).iter().map(|name| label(name)).collect();
        let _ = writeln!(text, "{{ {} }}", names.join(" "));
    }
    let _ = write!(text, "}}\n{}\n\n", quoted(&game.comment));
    let mut choice = vec![0; shape.len()];
    for _ in 0..game.cells() {
        let cell = crate::theory::tabular::index(&choice, shape);
        let payoffs: Vec<_> = (0..shape.len())
            .map(|player| match game.is_exact() {
                true => game.exact(player, cell).to_string(),
                // The shortest decimals that round to it; never with an exponent.
                false => game.payoffs(player)[cell].to_string(),
            })
            .collect();
        let _ = writeln!(text, "{}", payoffs.join(" "));
        // The first player's strategies run fastest.
        for (choice, n) in choice.iter_mut().zip(shape) {
            *choice += 1;
            if *choice < *n {
                break;
            }
            *choice = 0;
        }
    }
    text
}

fn label(name: &str) -> String {
    let line: String = name.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    quoted(&if is_label(name) { line } else { line.split_whitespace().collect::<Vec<_>>().join(" ") })
}

/// A text as the reader takes it: k backslashes stand for 2k - 1, or before a quotation mark for 2k - 2 and the mark.
fn quoted(text: &str) -> String {
    let mut out = String::from('"');
    let mut rest = text;
    while !rest.is_empty() {
        let backslashes = rest.len() - rest.trim_start_matches('\\').len();
        rest = &rest[backslashes..];
        let (odd_one, written) = match rest.chars().next() {
            None => (backslashes, 0),
            Some('"') => (backslashes % 2, backslashes / 2 + 1),
            Some(_) if backslashes > 0 => (1 - backslashes % 2, backslashes.div_ceil(2)),
            Some(_) => (0, 0),
        };
        // What cannot be written becomes slashes.
        out.extend(std::iter::repeat_n('/', odd_one));
        out.extend(std::iter::repeat_n('\\', written));
        let behind = rest.chars().next().map_or(0, char::len_utf8);
        out += &rest[..behind];
        rest = &rest[behind..];
    }
    out + "\""
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::theory::nfg::read;
    use crate::theory::rational::Rational;

    #[test]
    fn what_was_written_reads_as_the_same_game() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let strategies = vec![names(&["say \"hi\"", "x\\y"]), names(&["l", "r", "囚"])];
        let mut game = NormalForm::new(names(&["Row", "Column"]), strategies).unwrap();
        (game.title, game.comment) = ("a \"title\"".to_owned(), "two\nlines".to_owned());
        for cell in 0..6 {
            game.set(0, cell, &Rational::new((cell as i64 - 2).into(), 3.into()));
            game.set(1, cell, &crate::theory::rational::of(cell as f64 / 4.0));
        }
        assert_eq!(read(write(&game).as_bytes()).unwrap(), game);
    }

    #[test]
    fn computed_payoffs_come_back_to_the_last_bit() {
        let mut game = NormalForm::with_shape(&[2, 2]).unwrap();
        let payoffs = vec![0.1, -1.0 / 3.0, 1e300, 5e-324, 0.0, 2.5, 1e-7, 123_456_789.123_456_78];
        game.set_rounded(payoffs);
        let back = read(write(&game).as_bytes()).unwrap();
        assert_eq!((back.payoffs(0), back.payoffs(1)), (game.payoffs(0), game.payoffs(1)));
        assert!(back.is_exact() && !game.is_exact());
    }

    #[test]
    fn names_that_the_format_lacks_become_ones_that_it_has() {
        assert_eq!(label(" two\n lines  "), "\"two lines\"");
        let runs = ["end\\", "a\\\\b", "a\\\"", "\\\\\\"].map(quoted);
        assert_eq!(runs, [r#""end/""#, r#""a/\b""#, r#""a/\"""#, r#""///""#]);
        for text in [r"a\b", r"\\\x", r#"\\" and ""#, r"\\\\\x"] {
            let file = format!("NFG 1 R {} {{ \"A\" }} {{ 1 }} 0", quoted(text));
            assert_eq!(read(file.as_bytes()).unwrap().title, text);
        }
    }
}
