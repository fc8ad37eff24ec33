//! Mistakes in a run file: what is wrong, where, and what to do, printed with the source line underlined.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan};
use miette::{MietteError, MietteSpanContents, SourceCode, SourceSpan, SpanContents};

use super::text;

/// A text with the name under which errors show it.
pub type Source = Arc<NamedText>;

/// See [`Source`].
#[derive(Debug)]
pub struct NamedText {
    /// The name.
    pub name: String,
    /// The text.
    pub text: String,
}

impl SourceCode for NamedText {
    /// As miette reads a `String`, but with columns that count characters, as editors do, and not bytes.
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        lines_before: usize,
        lines_after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let part = self.text.read_span(span, lines_before, lines_after)?;
        let (_, column) = text::line_and_column(&self.text, part.span().offset());
        let (data, span, line, count) = (part.data(), *part.span(), part.line(), part.line_count());
        Ok(Box::new(MietteSpanContents::new_named(self.name.clone(), data, span, line, column - 1, count)))
    }
}

/// A mistake, with its place where it has one.
#[derive(Clone, Debug)]
pub struct Mistake {
    /// What was found and what was expected.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
    /// The place in the source.
    pub place: Option<(Source, Range<usize>)>,
}

impl Mistake {
    /// A mistake without a place.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), help: None, place: None }
    }

    /// With what to do.
    pub fn help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }

    /// With its place.
    pub fn at(self, source: &Source, range: Range<usize>) -> Self {
        Self { place: Some((Arc::clone(source), range)), ..self }
    }

    /// The whole text, as a terminal shows it.
    pub fn render(&self, colour: bool) -> String {
        let theme = if colour { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
        let mut text = String::new();
        match GraphicalReportHandler::new_themed(theme)
            .with_links(false)
            .with_width(110)
            .with_break_words(false)
            .render_report(&mut text, self)
        {
            Ok(()) => text,
            Err(fmt::Error) => format!("{self}\n"),
        }
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Mistake {}

impl Diagnostic for Mistake {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn miette::SourceCode> {
        self.place.as_ref().map(|(source, _)| &**source as &dyn miette::SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let (_, range) = self.place.as_ref()?;
        Some(Box::new(std::iter::once(LabeledSpan::new_primary_with_span(None, range.clone()))))
    }
}

/// `did you mean ...?` where a name is close to one that exists, then all that exist.
pub fn suggest<S: AsRef<str>>(wrong: &str, what: &str, names: &[S]) -> String {
    let close = names
        .iter()
        .map(|name| (strsim::damerau_levenshtein(&wrong.to_lowercase(), &name.as_ref().to_lowercase()), name.as_ref()))
        .min()
        .filter(|(distance, name)| *distance <= (name.chars().count().max(wrong.chars().count()) / 3).max(1));
    let list = names.iter().map(AsRef::as_ref).collect::<Vec<_>>().join(", ");
    let list = if list.is_empty() { "none".to_owned() } else { list };
    match close {
        Some((_, name)) => format!("did you mean `{name}`? {what}: {list}"),
        None => format!("{what}: {list}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn close_names_are_suggested_and_far_ones_are_not() {
        assert_eq!(
            suggest("maddgp", "there are", &["ddpg", "maddpg"]),
            "did you mean `maddpg`? there are: ddpg, maddpg"
        );
        assert_eq!(suggest("chess", "there are", &["ddpg", "maddpg"]), "there are: ddpg, maddpg");
        assert_eq!(suggest::<&str>("x", "there are", &[]), "there are: none");
    }
}
