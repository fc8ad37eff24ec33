//! A sheet of paper in px: shapes are collected, then written as SVG and as PNG by way of plotters.
//!
//! plotters has whole-number coordinates and draws wide lines without anti-aliasing. So both are drawn on a grid four
//! times as fine: the SVG is scaled by its view box, the PNG is averaged over squares of 2 x 2 grid points, which leaves
//! two dots per px.

use std::{error::Error, path::Path, sync::LazyLock};

use ab_glyph::{Font, FontRef, OutlinedGlyph, PxScale, ScaleFont, point};
use plotters::{
    backend::{BitMapBackend, DrawingBackend, SVGBackend},
    style::{
        Color, FontFamily, FontTransform, IntoFont, RGBColor, ShapeStyle, TextStyle, WHITE,
        text_anchor::{HPos, Pos, VPos},
    },
};

use super::{error::ReportError, manifest::replace};

/// Grid points per px.
const FINE: f64 = 4.0;

/// Dots per px of a PNG.
const DOTS: f64 = 2.0;

/// Dots per metre of a PNG, for who prints it: a px is 1/96 inch.
const PER_METRE: u32 = (DOTS * 96.0 / 0.0254) as u32;

/// Of what stands beside the data.
pub const GREY: RGBColor = RGBColor(110, 110, 110);

/// Width of a figure in px of 1/96 inch: 7.5 inches, the text width of a page.
pub const WIDTH: f64 = 720.0;

/// Sizes of text, in px.
pub const TITLE_SIZE: f64 = 15.0;
/// Of the names of axes, rows and columns.
pub const LABEL_SIZE: f64 = 13.0;
/// Of values on axes.
pub const TICK_SIZE: f64 = 12.0;
/// Of the caption.
pub const NOTE_SIZE: f64 = 10.5;

/// Room for text that SVG readers set in a wider font: DejaVu Sans is a good tenth wider than Noto Sans.
pub const WIDER: f64 = 1.13;

/// What SVG readers look for, in this order. PNG text and all measuring is with the first, which is built in.
const FONT: &str = "Noto Sans, Open Sans, Arial, Helvetica, sans-serif";

/// plotters writes into an SVG a font's size divided by this.
const SVG_SIZE: f64 = 1.24;

/// How far plotters raises SVG text above its point, in em: half the height of an x.
const SVG_RISE: f64 = 0.27;

/// Noto Sans; `None` cannot happen, as the bytes are a font.
static NOTO_SANS: LazyLock<Option<FontRef<'static>>> =
    LazyLock::new(|| FontRef::try_from_slice(ttf_noto_sans::REGULAR).ok());

/// Where text is relative to its point.
#[derive(Clone, Copy)]
pub enum Align {
    /// Starts at it.
    Left,
    /// Has its middle there.
    Centre,
    /// Ends at it.
    Right,
}

/// How a line looks; lengths in px.
#[derive(Clone, Copy)]
pub struct Stroke {
    /// Its colour.
    pub colour: RGBColor,
    /// Its width.
    pub width: f64,
    /// The lengths of dashes and of the gaps between them; `None` for an unbroken line.
    pub dash: Option<(f64, f64)>,
}

/// A point in px, (right, down) from the upper left corner.
pub type Place = (f64, f64);

enum Shape {
    Line(Vec<Place>, Stroke),
    Area(Vec<Place>, RGBColor, f64),
    Dot(Place, f64, RGBColor),
    Letters(Letters),
}

/// A line of text with its base line at `at`.
struct Letters {
    text: String,
    at: Place,
    size: f64,
    colour: RGBColor,
    align: Align,
    upwards: bool,
}

/// Shapes on a white sheet, the later ones on top.
pub struct Canvas {
    size: (f64, f64),
    shapes: Vec<Shape>,
}

impl Canvas {
    /// An empty sheet of (width, height) px.
    pub fn new(size: (f64, f64)) -> Self {
        Self { size, shapes: Vec::new() }
    }

    /// A line through the points.
    pub fn line(&mut self, points: &[Place], stroke: &Stroke) {
        match stroke.dash {
            None => self.shapes.push(Shape::Line(points.to_vec(), *stroke)),
            Some(lengths) => {
                self.shapes.extend(dashes(points, lengths).into_iter().map(|dash| Shape::Line(dash, *stroke)));
            }
        }
    }

    /// A filled polygon; `opacity` from 0 to 1.
    pub fn area(&mut self, points: &[Place], colour: RGBColor, opacity: f64) {
        self.shapes.push(Shape::Area(points.to_vec(), colour, opacity));
    }

    /// A filled circle.
    pub fn dot(&mut self, at: Place, radius: f64, colour: RGBColor) {
        self.shapes.push(Shape::Dot(at, radius, colour));
    }

    /// Text with its base line at `at`; `size` px per em.
    pub fn text(&mut self, text: &str, at: Place, size: f64, colour: RGBColor, align: Align) {
        let text = text.to_owned();
        self.shapes.push(Shape::Letters(Letters { text, at, size, colour, align, upwards: false }));
    }

    /// Text turned to be read from below, with the middle of its base line at `at`.
    pub fn text_upwards(&mut self, text: &str, at: Place, size: f64, colour: RGBColor) {
        let (text, align) = (text.to_owned(), Align::Centre);
        self.shapes.push(Shape::Letters(Letters { text, at, size, colour, align, upwards: true }));
    }

    /// Writes the sheet as SVG.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write_svg(&self, path: &Path) -> Result<(), ReportError> {
        let mut text = String::new();
        let (width, height) = self.grid();
        self.draw(SVGBackend::with_string(&mut text, (width, height)), svg_text).map_err(plot_error(path))?;
        // The view box stays that of the fine grid. Round joins, because sharp ones shoot out at spikes of a curve.
        let size = |width: f64, height: f64| format!("width=\"{width}\" height=\"{height}\"");
        let (fine, real) = (size(f64::from(width), f64::from(height)), size(self.size.0, self.size.1));
        let text = text.replacen(&fine, &format!("{real} stroke-linejoin=\"round\""), 1);
        replace(path, text.as_bytes()).map_err(ReportError::io("write the figure", path))
    }

    /// Writes the sheet as PNG with 2 dots per px.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write_png(&self, path: &Path) -> Result<(), ReportError> {
        let (width, height) = self.grid();
        let mut fine = vec![0; width as usize * height as usize * 3];
        self.draw(BitMapBackend::with_buffer(&mut fine, (width, height)), dot_text).map_err(plot_error(path))?;
        let square = (FINE / DOTS) as usize;
        let (columns, rows) = (width as usize / square, height as usize / square);
        let mut dots = Vec::with_capacity(columns * rows * 3);
        for row in 0..rows {
            for byte in 0..columns * 3 {
                let (column, channel) = (byte / 3, byte % 3);
                let value = |at: usize| {
                    let (down, right) = (row * square + at / square, column * square + at % square);
                    u32::from(fine[(down * width as usize + right) * 3 + channel])
                };
                dots.push(((0..square * square).map(value).sum::<u32>() / (square * square) as u32) as u8);
            }
        }
        let mut file = Vec::new();
        let mut encoder = png::Encoder::new(&mut file, columns as u32, rows as u32);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_compression(png::Compression::Fast);
        encoder.set_pixel_dims(Some(png::PixelDimensions { xppu: PER_METRE, yppu: PER_METRE, unit: png::Unit::Meter }));
        encoder
            .write_header()
            .and_then(|mut writer| writer.write_image_data(&dots))
            .map_err(|error| plot_error(path)(error.into()))?;
        replace(path, &file).map_err(ReportError::io("write the figure", path))
    }

    /// The size in grid points, a multiple of those that make a dot.
    fn grid(&self) -> (u32, u32) {
        ((self.size.0.ceil() * FINE) as u32, (self.size.1.ceil() * FINE) as u32)
    }

    fn draw<B: DrawingBackend<ErrorType: 'static>>(
        &self,
        mut backend: B,
        text: impl Fn(&mut B, &Letters) -> Result<(), Box<dyn Error>>,
    ) -> Result<(), Box<dyn Error>> {
        let (width, height) = backend.get_size();
        backend.draw_rect((0, 0), (width as i32, height as i32), &WHITE.filled(), true)?;
        for shape in &self.shapes {
            match shape {
                Shape::Line(points, stroke) => {
                    let stroke_width = (stroke.width * FINE).round() as u32;
                    let style = ShapeStyle { color: stroke.colour.to_rgba(), filled: false, stroke_width };
                    backend.draw_path(points.iter().copied().map(grid), &style)?;
                }
                Shape::Area(points, colour, opacity) => {
                    backend.fill_polygon(points.iter().copied().map(grid), &colour.mix(*opacity).filled())?;
                }
                Shape::Dot(at, radius, colour) => {
                    backend.draw_circle(grid(*at), (radius * FINE).round() as u32, &colour.filled(), true)?;
                }
                Shape::Letters(letters) => text(&mut backend, letters)?,
            }
        }
        backend.present()?;
        Ok(())
    }
}

fn grid((x, y): Place) -> (i32, i32) {
    ((x * FINE).round() as i32, (y * FINE).round() as i32)
}

/// Text as text.
fn svg_text<B: DrawingBackend<ErrorType: 'static>>(backend: &mut B, letters: &Letters) -> Result<(), Box<dyn Error>> {
    let Letters { text, at: (x, y), size, colour, align, upwards } = letters;
    let h_pos = match align {
        Align::Left => HPos::Left,
        Align::Centre => HPos::Center,
        Align::Right => HPos::Right,
    };
    let (at, turn) = match upwards {
        true => ((x + SVG_RISE * size, *y), FontTransform::Rotate270),
        false => ((*x, y + SVG_RISE * size), FontTransform::None),
    };
    let font = (FontFamily::Name(FONT), size * SVG_SIZE * FINE).into_font().transform(turn);
    let style = TextStyle::from(font).color(colour).pos(Pos::new(h_pos, VPos::Bottom));
    Ok(backend.draw_text(text, &style, grid(at))?)
}

/// Text as dots. Not with plotters' own, which sets letters without the space that belongs before each.
fn dot_text<B: DrawingBackend<ErrorType: 'static>>(backend: &mut B, letters: &Letters) -> Result<(), Box<dyn Error>> {
    let Letters { text, at, size, colour, align, upwards } = letters;
    let (width, glyphs) = set(text, size * FINE);
    let before = match align {
        Align::Left => 0.0,
        Align::Centre => width / 2.0,
        Align::Right => width,
    };
    let (x, y) = (at.0 * FINE, at.1 * FINE);
    for glyph in glyphs {
        let corner = glyph.px_bounds().min;
        let mut dots = Vec::new();
        glyph.draw(|right, down, cover| dots.push((right, down, cover)));
        for (right, down, cover) in dots {
            let (right, down) =
                (f64::from(corner.x) + f64::from(right) - before, f64::from(corner.y) + f64::from(down));
            let dot = if *upwards { (x + down, y - right) } else { (x + right, y + down) };
            let style = colour.mix(f64::from(cover.clamp(0.0, 1.0))).to_backend_color();
            backend.draw_pixel((dot.0.round() as i32, dot.1.round() as i32), style)?;
        }
    }
    Ok(())
}

/// The width of `text` at `size` dots per em, and its letters' outlines on a base line that starts at (0, 0).
fn set(text: &str, size: f64) -> (f64, Vec<OutlinedGlyph>) {
    let Some(font) = NOTO_SANS.as_ref() else { return (0.0, Vec::new()) };
    // ab_glyph's scale is the height from the lowest to the highest letter.
    let scale = PxScale::from(size as f32 * font.height_unscaled() / font.units_per_em().unwrap_or(1000.0));
    let scaled = font.as_scaled(scale);
    let mut width = 0.0;
    let mut glyphs = Vec::new();
    for letter in text.chars() {
        let id = font.glyph_id(letter);
        glyphs.extend(font.outline_glyph(id.with_scale_and_position(scale, point(width, 0.0))));
        width += scaled.h_advance(id);
    }
    (f64::from(width), glyphs)
}

/// The width of `text` in px at `size` px per em, in the built-in font.
pub fn text_width(text: &str, size: f64) -> f64 {
    set(text, size).0
}

/// `text`, or as much of its start as is at most `width` px wide at `size` px per em, with an ellipsis.
pub fn fitted(text: &str, size: f64, width: f64) -> String {
    let mut text = text.to_owned();
    if text_width(&text, size) > width {
        while !text.is_empty() && text_width(&format!("{text}…"), size) > width {
            text.pop();
        }
        text.push('…');
    }
    text
}

fn plot_error(path: &Path) -> impl FnOnce(Box<dyn Error>) -> ReportError {
    let path = path.to_owned();
    move |error| ReportError::Plot { path, what: error.to_string() }
}

/// Cuts a line into dashes of `lengths.0` with gaps of `lengths.1` between them, along the line.
fn dashes(points: &[Place], lengths: (f64, f64)) -> Vec<Vec<Place>> {
    let mut dashes = Vec::new();
    let mut dash: Vec<Place> = points.first().copied().into_iter().collect();
    let (mut drawing, mut left) = (true, lengths.0);
    for pair in points.windows(2) {
        let (mut from, to) = (pair[0], pair[1]);
        loop {
            let rest = (to.0 - from.0).hypot(to.1 - from.1);
            if rest <= left {
                left -= rest;
                if drawing {
                    dash.push(to);
                }
                break;
            }
            let share = left / rest;
            from = (from.0 + share * (to.0 - from.0), from.1 + share * (to.1 - from.1));
            if drawing {
                dash.push(from);
                dashes.push(std::mem::take(&mut dash));
            } else {
                dash = vec![from];
            }
            drawing = !drawing;
            left = if drawing { lengths.0 } else { lengths.1 };
        }
    }
    if dash.len() > 1 {
        dashes.push(dash);
    }
    dashes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dashes_go_on_around_corners() {
        let found = dashes(&[(0.0, 0.0), (4.0, 0.0), (4.0, 8.0)], (5.0, 2.0));
        let expected: [&[Place]; 2] = [&[(0.0, 0.0), (4.0, 0.0), (4.0, 1.0)], &[(4.0, 3.0), (4.0, 8.0)]];
        assert_eq!(found, expected);
    }

    #[test]
    fn text_that_is_too_wide_is_cut() {
        assert_eq!(fitted("0000", 10.0, 23.0), "0000");
        // Four digits are 22.9 wide; an ellipsis is 8.2.
        assert_eq!(fitted("0000", 10.0, 20.0), "00…");
        assert_eq!(fitted("0000", 10.0, 0.0), "…");
    }

    #[test]
    fn text_is_measured_with_the_built_in_font() {
        // Noto Sans: the advance of "0" is 572 of 1000 units per em, that of "." 268.
        assert!((text_width("0000000000", 10.0) - 57.2).abs() < 0.2, "{}", text_width("0000000000", 10.0));
        assert!((text_width(".", 100.0) - 26.8).abs() < 0.2, "{}", text_width(".", 100.0));
    }
}
