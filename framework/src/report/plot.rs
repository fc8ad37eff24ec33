//! Learning curves as figures: SVG and PNG from the same drawing code.
//!
//! Holds layout and style. Needs no system library and no system font: text is measured, and for PNG drawn, with the
//! Noto Sans that is built in; SVG keeps text as text in the reader's sans-serif. `canvas.rs` has the shapes.

use std::path::{Path, PathBuf};

use plotters::style::{BLACK, RGBColor};

use super::{
    axis::{Axis, drawable},
    canvas::{
        Align, Canvas, GREY, LABEL_SIZE, NOTE_SIZE, Stroke, TICK_SIZE, TITLE_SIZE, WIDER, WIDTH, fitted, text_width,
    },
    curves::{Curve, CurvePoint},
    error::ReportError,
};

/// Okabe and Ito, "Color Universal Design", 2008: distinct for colour-blind readers. Without their yellow, which is too
/// faint for a line on white. Entries beyond the seventh repeat the colours with dashed lines.
const COLOURS: [RGBColor; 7] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    BLACK,
];
const GRID: RGBColor = RGBColor(228, 228, 228);

/// Height of the plotting area, in px.
const PLOT_HEIGHT: f64 = 330.0;

const LEGEND_LINE: f64 = 19.0;
const NOTE_LINE: f64 = 14.0;
const LEFT: f64 = 14.0;
const RIGHT: f64 = 24.0;

/// What a figure shows.
pub struct Figure<'a> {
    /// Above the legend; what was run.
    pub title: &'a str,
    /// The x axis's label.
    pub x_label: &'a str,
    /// The y axis's label, such as what a return is.
    pub y_label: &'a str,
    /// Lines and bands; one without points has its place in the legend only.
    pub curves: &'a [Curve],
    /// Drawn as dashed grey lines.
    pub best_known: Vec<f64>,
    /// The range of the y axis; `None` for that of the curves.
    pub y_range: Option<(f64, f64)>,
    /// Below the x axis, wrapped; what lines and bands are.
    pub caption: String,
}

impl Figure<'_> {
    /// Writes `<stem>.svg` and `<stem>.png` (at 192 dots per inch), and returns their paths.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn write(&self, stem: &Path) -> Result<[PathBuf; 2], ReportError> {
        let layout = Layout::new(self);
        let canvas = self.draw(&layout);
        let paths = [stem.with_added_extension("svg"), stem.with_added_extension("png")];
        canvas.write_svg(&paths[0])?;
        canvas.write_png(&paths[1])?;
        Ok(paths)
    }

    fn draw(&self, layout: &Layout) -> Canvas {
        let mut canvas = Canvas::new((WIDTH, layout.height));
        let Layout { left, right, top, bottom, x, y, .. } = layout;
        let title = fitted(self.title, TITLE_SIZE, (right - left) / WIDER);
        canvas.text(&title, (*left, 22.0), TITLE_SIZE, BLACK, Align::Left);
        for item in &layout.legend {
            canvas.line(&[item.at, (item.at.0 + 24.0, item.at.1)], &item.stroke);
            canvas.text(&item.text, (item.at.0 + 30.0, item.at.1 + 4.5), TICK_SIZE, BLACK, Align::Left);
        }

        let grid = Stroke { colour: GRID, width: 0.75, dash: None };
        for (value, text) in &y.ticks {
            let height = layout.y(*value);
            canvas.line(&[(*left, height), (*right, height)], &grid);
            canvas.text(text, (left - 7.0, height + 4.3), TICK_SIZE, BLACK, Align::Right);
        }
        for (value, text) in &x.ticks {
            let at = layout.x(*value);
            canvas.line(&[(at, *top), (at, *bottom)], &grid);
            canvas.line(&[(at, *bottom), (at, bottom + 4.0)], &Stroke { colour: BLACK, width: 1.0, dash: None });
            canvas.text(text, (at, bottom + 18.0), TICK_SIZE, BLACK, Align::Centre);
        }

        // Many bands over one another would hide each other and the lines.
        let opacity = 0.18 * (5.0 / self.curves.len() as f64).min(1.0);
        for (at, curve) in self.curves.iter().enumerate() {
            for part in curve.points.chunk_by(|a, b| a.band.is_some() == b.band.is_some()) {
                let place = |x: f64, end: f64| (layout.x(x), layout.y(end.clamp(y.low, y.high)));
                let banded = || part.iter().filter_map(|point| Some((point.x, point.band?)));
                let upper = banded().map(|(x, band)| place(x, band.high));
                let lower = banded().rev().map(|(x, band)| place(x, band.low));
                canvas.area(&upper.chain(lower).collect::<Vec<_>>(), COLOURS[at % COLOURS.len()], opacity);
            }
        }
        for &best in layout.best_known(self) {
            canvas.line(&[(*left, layout.y(best)), (*right, layout.y(best))], &best_known_stroke());
        }
        for (at, curve) in self.curves.iter().enumerate() {
            let stroke = stroke(at);
            for part in visible(&curve.points, y) {
                let pixels: Vec<(f64, f64)> = part.iter().map(|&(x, y)| (layout.x(x), layout.y(y))).collect();
                match pixels[..] {
                    [alone] => canvas.dot(alone, 3.5, stroke.colour),
                    _ => canvas.line(&pixels, &stroke),
                }
            }
            // A band needs two points side by side to be seen; a point by itself has an error bar.
            if let [CurvePoint { x, band: Some(band), .. }] = curve.points[..] {
                let ends = [band.low, band.high].map(|end| (layout.x(x), layout.y(end.clamp(y.low, y.high))));
                canvas.line(&ends, &Stroke { width: 1.2, dash: None, ..stroke });
            }
        }

        let frame = Stroke { colour: BLACK, width: 1.0, dash: None };
        canvas.line(&[(*left, *top), (*left, *bottom), (*right, *bottom)], &frame);
        let middle = ((left + right) / 2.0, (top + bottom) / 2.0);
        canvas.text(self.x_label, (middle.0, bottom + 38.0), LABEL_SIZE, BLACK, Align::Centre);
        canvas.text_upwards(self.y_label, (LEFT + 10.0, middle.1), LABEL_SIZE, BLACK);
        for (at, line) in layout.caption.iter().enumerate() {
            canvas.text(line, (*left, bottom + 60.0 + NOTE_LINE * at as f64), NOTE_SIZE, GREY, Align::Left);
        }
        canvas
    }
}

fn stroke(entry: usize) -> Stroke {
    let dash = [None, Some((7.0, 3.0)), Some((2.0, 2.5))][entry / COLOURS.len() % 3];
    Stroke { colour: COLOURS[entry % COLOURS.len()], width: 2.0, dash }
}

fn best_known_stroke() -> Stroke {
    Stroke { colour: GREY, width: 1.4, dash: Some((5.0, 4.0)) }
}

/// The curve's pieces between gaps, cut off where they leave the axis.
fn visible(points: &[CurvePoint], axis: &Axis) -> Vec<Vec<(f64, f64)>> {
    let mut pieces = Vec::new();
    let mut piece = Vec::new();
    let mut before = None;
    for point in points {
        let here = drawable(point.y).map(|y| (point.x, y));
        match (before, here) {
            (Some(from), Some(to)) => {
                if let Some((start, end)) = within(from, to, axis) {
                    if piece.last() != Some(&start) {
                        pieces.push(std::mem::replace(&mut piece, vec![start]));
                    }
                    piece.push(end);
                }
            }
            (None, Some(at)) if (axis.low..=axis.high).contains(&at.1) => {
                pieces.push(std::mem::replace(&mut piece, vec![at]));
            }
            _ => {}
        }
        before = here;
    }
    pieces.push(piece);
    pieces.retain(|piece| !piece.is_empty());
    pieces
}

/// The part of a segment whose height is within the axis.
fn within(from: (f64, f64), to: (f64, f64), axis: &Axis) -> Option<((f64, f64), (f64, f64))> {
    if from.1.max(to.1) < axis.low || from.1.min(to.1) > axis.high {
        return None;
    }
    // The segment's point at the height nearest to `at`'s that the axis has.
    let moved = |at: (f64, f64)| match at.1.clamp(axis.low, axis.high) {
        height if height == at.1 => at,
        height => (from.0 + (height - from.1) / (to.1 - from.1) * (to.0 - from.0), height),
    };
    Some((moved(from), moved(to)))
}

/// One line sample of the legend with its text.
struct LegendItem {
    at: (f64, f64),
    text: String,
    stroke: Stroke,
}

/// Where everything is, in px.
struct Layout {
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
    height: f64,
    x: Axis,
    y: Axis,
    legend: Vec<LegendItem>,
    caption: Vec<String>,
}

impl Layout {
    fn new(figure: &Figure<'_>) -> Self {
        let x = Axis::x(figure.curves);
        let y = match figure.y_range {
            Some((low, high)) => Axis::fixed(low, high),
            None => Axis::y(figure.curves, &figure.best_known),
        };
        let widest = y.ticks.iter().map(|(_, text)| WIDER * text_width(text, TICK_SIZE)).fold(0.0, f64::max);
        let (left, right) = (LEFT + 16.0 + widest + 12.0, WIDTH - RIGHT);

        // The legend is above the plotting area, in as many rows as it needs: it never covers a curve.
        let mut items: Vec<(String, Stroke)> = Vec::new();
        for (at, curve) in figure.curves.iter().enumerate() {
            let label = shortened(&curve.label);
            let text = if curve.seeds > 0 { format!("{label} (n = {})", curve.seeds) } else { label };
            items.push((text, stroke(at)));
        }
        if !figure.best_known.is_empty() {
            let values = figure.best_known.iter().map(|&value| (value as f32).to_string()).collect::<Vec<_>>();
            items.push((format!("best known: {}", values.join(", ").replace('-', "\u{2212}")), best_known_stroke()));
        }
        let mut legend = Vec::new();
        let mut at = (left, 22.0 + LEGEND_LINE);
        for (text, stroke) in items {
            let width = 30.0 + WIDER * text_width(&text, TICK_SIZE);
            if at.0 > left && at.0 + width > right {
                at = (left, at.1 + LEGEND_LINE);
            }
            legend.push(LegendItem { at, text, stroke });
            at.0 += width + 16.0;
        }

        let mut text = figure.caption.clone();
        if y.cut {
            text += " The axis is cut: some lines leave it.";
        }
        let caption = wrapped(&text, right - left);
        let top = at.1 + 16.0;
        let bottom = top + PLOT_HEIGHT;
        let height = bottom + 60.0 + NOTE_LINE * caption.len() as f64;
        Self { left, right, top, bottom, height, x, y, legend, caption }
    }

    fn x(&self, value: f64) -> f64 {
        self.left + (self.right - self.left) * self.x.place(value)
    }

    fn y(&self, value: f64) -> f64 {
        self.bottom - (self.bottom - self.top) * self.y.place(value)
    }

    /// The best known values that the axis shows: all but such as cannot be drawn.
    fn best_known<'a>(&'a self, figure: &'a Figure<'_>) -> impl Iterator<Item = &'a f64> {
        figure.best_known.iter().filter(|&&best| (self.y.low..=self.y.high).contains(&best))
    }
}

/// A label of at most 48 characters.
fn shortened(label: &str) -> String {
    if label.chars().count() <= 48 { label.to_owned() } else { label.chars().take(47).chain(['…']).collect() }
}

/// `text` in lines of at most `width` px at the size of notes.
fn wrapped(text: &str, width: f64) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = &lines[lines.len() - 1];
        let longer = if line.is_empty() { word.to_owned() } else { format!("{line} {word}") };
        if line.is_empty() || WIDER * text_width(&longer, NOTE_SIZE) <= width {
            lines.pop();
            lines.push(longer);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn axis(low: f64, high: f64) -> Axis {
        Axis { low, high, ticks: Vec::new(), cut: false }
    }

    fn points(values: &[f64]) -> Vec<CurvePoint> {
        let point = |(x, &y): (usize, &f64)| CurvePoint { x: x as f64, y: Some(y).filter(|y| !y.is_nan()), band: None };
        values.iter().enumerate().map(point).collect()
    }

    #[test]
    fn lines_break_at_gaps_and_are_cut_where_they_leave_the_axis() {
        let found =
            visible(&points(&[0.0, 1.0, f64::NAN, 2.0, f64::NAN, 5.0, 15.0, 5.0, -10.0, 20.0]), &axis(0.0, 10.0));
        let expected: [&[(f64, f64)]; 5] = [
            &[(0.0, 0.0), (1.0, 1.0)],
            &[(3.0, 2.0)],
            &[(5.0, 5.0), (5.5, 10.0)],
            &[(6.5, 10.0), (7.0, 5.0), (7.0 + 1.0 / 3.0, 0.0)],
            &[(8.0 + 1.0 / 3.0, 0.0), (8.0 + 2.0 / 3.0, 10.0)],
        ];
        assert_eq!(found, expected);
        assert_eq!(visible(&points(&[20.0, 30.0, 1e300]), &axis(0.0, 10.0)), [[]; 0]);
    }

    #[test]
    fn the_legend_stays_above_the_plot_and_within_the_sheet() {
        let label = "a rather long label that says how wide the layers of this entry are";
        let curves: Vec<Curve> =
            (0..10).map(|_| Curve { label: label.into(), seeds: 20, points: points(&[1.0]) }).collect();
        let figure = Figure {
            title: "",
            x_label: "x",
            y_label: "",
            curves: &curves,
            best_known: vec![10.0],
            y_range: None,
            caption: String::new(),
        };
        let layout = Layout::new(&figure);
        assert_eq!(layout.legend.len(), 11);
        for item in &layout.legend {
            assert!(item.at.0 + 30.0 + text_width(&item.text, TICK_SIZE) <= WIDTH, "{}", item.text);
            assert!(item.at.1 + TICK_SIZE / 2.0 < layout.top);
        }
    }

    #[test]
    fn any_curves_can_be_drawn_and_labels_are_text_in_the_svg() {
        let dir = tempfile::tempdir().unwrap();
        for (name, values) in [
            ("none", vec![]),
            ("one", vec![3.0]),
            ("constant", vec![10.0; 5]),
            ("gaps", vec![f64::NAN, 1.0, f64::NAN]),
            ("huge", vec![1.0, 2.0, 3.0, -1e300, f64::MAX]),
        ] {
            let curves = [Curve { label: "<gpi> & \"co\"".into(), seeds: 1, points: points(&values) }];
            let figure = Figure {
                title: name,
                x_label: "x",
                y_label: "return",
                curves: &curves,
                best_known: vec![10.0],
                y_range: None,
                caption: "c".to_owned(),
            };
            let [svg, png] = figure.write(&dir.path().join(name)).unwrap();
            let text = fs::read_to_string(svg).unwrap();
            assert!(text.contains("&lt;gpi&gt; &amp; &quot;co&quot; (n = 1)"), "{name}");
            assert!(text.contains("<svg width=\"720\"") && !text.contains("NaN"), "{name}");
            let png = fs::read(png).unwrap();
            assert_eq!(png[..8], *b"\x89PNG\r\n\x1a\n");
            assert_eq!(u32::from_be_bytes([png[16], png[17], png[18], png[19]]), 1440, "two dots per px");
        }
    }

    #[test]
    fn a_file_that_cannot_be_written_is_named() {
        let curves: [Curve; 0] = [];
        let figure = Figure {
            title: "",
            x_label: "x",
            y_label: "",
            curves: &curves,
            best_known: Vec::new(),
            y_range: None,
            caption: String::new(),
        };
        let message = figure.write(Path::new("/nowhere/at/all/plot")).unwrap_err().to_string();
        assert!(message.contains("/nowhere/at/all/plot.svg"), "{message}");
    }
}
