//! Robustness maps as a figure: every grid of the run side by side, a coloured cell for each combination of settings.
//!
//! Holds layout and style; `grid.rs` has the numbers, `canvas.rs` the shapes.

use std::path::Path;

use plotters::style::{BLACK, RGBColor, WHITE};

use super::{
    canvas::{
        Align, Canvas, GREY, LABEL_SIZE, NOTE_SIZE, Stroke, TICK_SIZE, TITLE_SIZE, WIDER, WIDTH, fitted, text_width,
    },
    error::ReportError,
    estimate::Share,
    grid::Map,
};

/// All of the seeds succeed. Shares below are mixed with white: one hue, so that the order is seen by every eye.
const FULL: RGBColor = RGBColor(0, 114, 178);
const FRAME: RGBColor = RGBColor(190, 190, 190);

/// Lengths in px; the sheet is at most as wide as that of curves.
const MARGIN: f64 = 16.0;
const GAP: f64 = 28.0;
const CELL_HEIGHT: f64 = 34.0;
/// Least and greatest width of a cell.
const CELL_WIDTH: (f64, f64) = (52.0, 240.0);
/// Beside the values of the rows: the name of the rows, and gaps.
const ASIDE: f64 = 28.0;
/// Above the cells: the map's title. Below: the values and the name of the columns.
const ABOVE: f64 = 26.0;
const BELOW: f64 = 46.0;

/// Writes `<stem>.svg` and `<stem>.png` with these maps, at least one.
///
/// # Errors
/// When a file cannot be written.
pub(super) fn write(stem: &Path, run: &str, maps: &[Map]) -> Result<(), ReportError> {
    let panels = layout(maps);
    let bottom = panels.iter().map(Panel::bottom).fold(0.0, f64::max);
    let note = "Seeds in success at the end of the run, of all seeds of the cell; the darker, the greater the share.";
    // No wider than what is on it.
    let room = WIDTH - 2.0 * MARGIN;
    let title = fitted(&format!("{run}: seeds in success"), TITLE_SIZE, room / WIDER);
    let texts = f64::max(text_width(&title, TITLE_SIZE), text_width(note, NOTE_SIZE)) * WIDER;
    let width = panels.iter().map(|panel| panel.at.0 + panel.width).fold(MARGIN + texts.min(room), f64::max) + MARGIN;
    let mut canvas = Canvas::new((width, bottom + 34.0));
    canvas.text(&title, (MARGIN, 24.0), TITLE_SIZE, BLACK, Align::Left);
    for panel in &panels {
        panel.draw(&mut canvas);
    }
    canvas.text(note, (MARGIN, bottom + 18.0), NOTE_SIZE, GREY, Align::Left);
    canvas.write_svg(&stem.with_added_extension("svg"))?;
    canvas.write_png(&stem.with_added_extension("png"))
}

/// One map with its place.
struct Panel<'a> {
    map: &'a Map,
    /// The upper left corner.
    at: (f64, f64),
    /// From there to the cells: the name and the values of the rows.
    left: f64,
    cell_width: f64,
    /// With the title and all labels.
    width: f64,
}

/// The maps from left to right, in as many rows as they need.
fn layout(maps: &[Map]) -> Vec<Panel<'_>> {
    let mut panels: Vec<Panel<'_>> = Vec::new();
    let (mut at, mut next_row) = ((MARGIN, 40.0), 40.0);
    for map in maps {
        let mut panel = Panel::new(map, at);
        if at.0 > MARGIN && at.0 + panel.width > WIDTH - MARGIN {
            at = (MARGIN, next_row);
            panel.at = at;
        }
        next_row = f64::max(next_row, panel.bottom() + GAP / 2.0);
        at.0 += panel.width + GAP;
        panels.push(panel);
    }
    panels
}

fn widest<'a>(texts: impl Iterator<Item = &'a String>, size: f64) -> f64 {
    texts.map(|text| WIDER * text_width(text, size)).fold(0.0, f64::max)
}

impl<'a> Panel<'a> {
    fn new(map: &'a Map, at: (f64, f64)) -> Self {
        let room = WIDTH - 2.0 * MARGIN;
        let rows = map.rows.as_ref().map_or(0.0, |axis| ASIDE + widest(axis.values.iter(), TICK_SIZE));
        let left = rows.min(room / 3.0);
        let columns = map.columns.values.len() as f64;
        let wanted = (widest(map.columns.values.iter(), TICK_SIZE) + 8.0).clamp(CELL_WIDTH.0, CELL_WIDTH.1);
        let cell_width = wanted.min((room - left) / columns);
        let cells = cell_width * columns;
        // Whole px, so that what is measured again on drawing fits.
        let title = (WIDER * text_width(&map.title, LABEL_SIZE)).ceil();
        Self { map, at, left, cell_width, width: f64::max(left + cells, title.min(room)) }
    }

    fn bottom(&self) -> f64 {
        self.at.1 + ABOVE + CELL_HEIGHT * self.map.cells.len() as f64 + BELOW
    }

    fn draw(&self, canvas: &mut Canvas) {
        let (x, y) = (self.at.0 + self.left, self.at.1 + ABOVE);
        let (columns, rows) = (self.map.columns.values.len() as f64, self.map.cells.len() as f64);
        let title = fitted(&self.map.title, LABEL_SIZE, self.width / WIDER);
        // Above the cells where it fits, else from the panel's left edge on.
        let fits = self.left + WIDER * text_width(&title, LABEL_SIZE) <= self.width;
        let title_at = if fits { x } else { self.at.0 };
        canvas.text(&title, (title_at, self.at.1 + 16.0), LABEL_SIZE, BLACK, Align::Left);
        for (row, cells) in self.map.cells.iter().enumerate() {
            for (column, cell) in cells.iter().enumerate() {
                let corner = (x + self.cell_width * column as f64, y + CELL_HEIGHT * row as f64);
                self.draw_cell(canvas, corner, cell.as_ref());
            }
        }
        let fit = |text: &str, size, width: f64| fitted(text, size, width / WIDER);
        let bottom = y + CELL_HEIGHT * rows;
        for (column, value) in self.map.columns.values.iter().enumerate() {
            let middle = x + self.cell_width * (column as f64 + 0.5);
            let text = fit(value, TICK_SIZE, self.cell_width - 4.0);
            canvas.text(&text, (middle, bottom + 16.0), TICK_SIZE, BLACK, Align::Centre);
        }
        let name = fit(&self.map.columns.parameter, LABEL_SIZE, self.width);
        let name_at = (x + self.cell_width * columns / 2.0, bottom + 35.0);
        canvas.text(&name, name_at, LABEL_SIZE, BLACK, Align::Centre);
        if let Some(axis) = &self.map.rows {
            for (row, value) in axis.values.iter().enumerate() {
                let height = y + CELL_HEIGHT * (row as f64 + 0.5) + 4.3;
                canvas.text(
                    &fit(value, TICK_SIZE, self.left - ASIDE + 2.0),
                    (x - 6.0, height),
                    TICK_SIZE,
                    BLACK,
                    Align::Right,
                );
            }
            // In the middle of the cells; a long one reaches down beside the columns' names, never up into the title.
            let name = fit(&axis.parameter, LABEL_SIZE, CELL_HEIGHT * rows + BELOW);
            let length = f64::max(CELL_HEIGHT * rows, WIDER * text_width(&name, LABEL_SIZE));
            canvas.text_upwards(&name, (self.at.0 + 11.0, y + length / 2.0), LABEL_SIZE, BLACK);
        }
    }

    fn draw_cell(&self, canvas: &mut Canvas, (x, y): (f64, f64), cell: Option<&Share>) {
        let (right, bottom) = (x + self.cell_width, y + CELL_HEIGHT);
        let corners = [(x, y), (right, y), (right, bottom), (x, bottom), (x, y)];
        let share = cell.map_or(0.0, |cell| cell.share);
        canvas.area(&corners, FULL, share);
        canvas.line(&corners, &Stroke { colour: FRAME, width: 1.0, dash: None });
        let text = cell.map_or_else(|| "-".to_owned(), |cell| format!("{}/{}", cell.count, cell.of));
        let colour = if share > 0.85 { WHITE } else { BLACK };
        let middle = ((x + right) / 2.0, (y + bottom) / 2.0 + 4.3);
        let text = fitted(&text, TICK_SIZE, self.cell_width - 2.0);
        canvas.text(&text, middle, TICK_SIZE, colour, Align::Centre);
    }
}

#[cfg(test)]
mod tests {
    use super::{super::grid::MapAxis, *};

    fn axis(parameter: &str, values: &[&str]) -> MapAxis {
        MapAxis { parameter: parameter.to_owned(), values: values.iter().map(|value| (*value).to_owned()).collect() }
    }

    fn map(title: &str, rows: usize, columns: &[&str]) -> Map {
        let names: Vec<String> = (0..rows).map(|row| row.to_string()).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let cells = (0..rows).map(|row| columns.iter().map(|_| Share::new(row, rows)).collect()).collect();
        Map { title: title.to_owned(), rows: Some(axis("batch", &names)), columns: axis("rate", columns), cells }
    }

    #[test]
    fn panels_stay_on_the_sheet_and_do_not_overlap() {
        let long =
            "a rather long title of a grid that has been swept over, game=printed, discount=0.95 and more to come";
        let many: Vec<String> = (0..30).map(|value| value.to_string()).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let maps = [map("a", 3, &["1", "2"]), map("b", 5, &["1"]), map(long, 2, &["0.001"]), map("wide", 2, &many)];
        let maps = [&maps[..], &maps].concat();
        let panels = layout(&maps);
        for (at, panel) in panels.iter().enumerate() {
            assert!(panel.at.0 >= MARGIN && panel.at.0 + panel.width <= WIDTH - MARGIN + 1e-9, "panel {at}");
            for other in &panels[..at] {
                let beside = other.at.0 + other.width <= panel.at.0 || panel.at.0 + panel.width <= other.at.0;
                assert!(beside || other.bottom() <= panel.at.1, "panel {at}");
            }
        }
    }

    #[test]
    fn a_title_that_fits_is_whole() {
        for length in 1..60 {
            let title =
                "max_of_two terminal=every_step, conditional=false, batch=64".chars().take(length).collect::<String>();
            let map = map(&title, 3, &["64", "256"]);
            let panel = Panel::new(&map, (MARGIN, 40.0));
            assert_eq!(fitted(&title, LABEL_SIZE, panel.width / WIDER), title);
        }
    }

    #[test]
    fn numbers_and_names_are_in_the_svg() {
        let dir = tempfile::tempdir().unwrap();
        let stem = dir.path().join("map");
        let mut one = map("gpi", 2, &["0.001", "0.01"]);
        one.cells[0][1] = None;
        write(&stem, "sweep", &[one]).unwrap();
        let text = std::fs::read_to_string(stem.with_added_extension("svg")).unwrap();
        for expected in ["sweep: seeds in success", "gpi", "batch", "rate", "0.001", "\n0\n", "0/2", "1/2", "\n-\n"] {
            assert!(text.contains(expected), "no {expected} in {text}");
        }
        assert!(stem.with_added_extension("png").exists());
    }
}
