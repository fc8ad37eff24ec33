//! Axes: which range of values a figure shows, where its ticks are and what they say. Pure numbers, nothing is drawn.

use super::{curves::Curve, stats::iqm};

/// Larger numbers than this are not drawn; the square of the range must not overflow.
const LARGEST: f64 = 1e100;

/// The range of an axis and its ticks.
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    /// Lower end; below `high`.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Ascending, within the range, with their text.
    pub ticks: Vec<(f64, String)>,
    /// Whether some line leaves the range.
    pub cut: bool,
}

impl Axis {
    /// The x axis: all points of the curves, from 0 if that is not far from the first, to the last point.
    pub fn x(curves: &[Curve]) -> Self {
        let all = || curves.iter().flat_map(|curve| curve.points.iter().map(|point| point.x));
        let (mut low, mut high) = (all().fold(f64::INFINITY, f64::min), all().fold(f64::NEG_INFINITY, f64::max));
        if low > high {
            (low, high) = (0.0, 1.0);
        }
        if low == high {
            // All points are above one another: they stand in the middle, over their only tick.
            let margin = 0.5 * high.abs().max(1.0);
            let ticks = vec![(high, label(high, high.abs().max(1.0), high.abs()))];
            return Self { low: high - margin, high: high + margin, ticks, cut: false };
        }
        if low <= 0.2 * high {
            low = 0.0;
        }
        Self { low, high, ticks: ticks(low, high, 6), cut: false }
    }

    /// The y axis: all lines and the `marks` (best known values), their bands as far as they reach no further beyond the
    /// lines than the lines' own range, and a margin.
    ///
    /// So that a curve that explodes does not press all the others flat, the axis ends 10 interquartile ranges (of all
    /// points together) above the upper and below the lower quartile, but no nearer than where some curve starts; `cut`
    /// then says so.
    pub fn y(curves: &[Curve], marks: &[f64]) -> Self {
        let points = || curves.iter().flat_map(|curve| &curve.points).filter(|point| drawable(point.y).is_some());
        let mut lines: Vec<f64> = points().filter_map(|point| point.y).collect();
        lines.sort_unstable_by(f64::total_cmp);
        let (Some(&first), Some(&last)) = (lines.first(), lines.last()) else {
            let mark = marks.iter().copied().filter(|mark| mark.abs() < LARGEST).collect::<Vec<_>>();
            return Self::padded(iqm(&mark).unwrap_or(0.0), iqm(&mark).unwrap_or(0.0), false);
        };
        let (lower, upper) = (lines[lines.len() / 4], lines[lines.len() * 3 / 4]);
        let reach = if upper > lower { 10.0 * (upper - lower) } else { f64::INFINITY };
        let starts = || curves.iter().filter_map(|curve| curve.points.iter().find_map(|point| drawable(point.y)));
        let line_low = first.max(starts().fold(lower - reach, f64::min));
        let line_high = last.min(starts().fold(upper + reach, f64::max));

        let reach = line_high - line_low;
        let (mut low, mut high) = (line_low, line_high);
        for band in points().filter_map(|point| point.band) {
            let inside = |end: f64| if reach > 0.0 { end.clamp(line_low - reach, line_high + reach) } else { end };
            if band.low.abs().max(band.high.abs()) < LARGEST {
                (low, high) = (low.min(inside(band.low)), high.max(inside(band.high)));
            }
        }
        for &mark in marks.iter().filter(|mark| mark.abs() < LARGEST) {
            (low, high) = (low.min(mark), high.max(mark));
        }
        Self::padded(low, high, first < low || last > high)
    }

    /// The y axis for values of a known range, with a margin.
    pub fn fixed(low: f64, high: f64) -> Self {
        Self::padded(low, high, false)
    }

    fn padded(low: f64, high: f64, cut: bool) -> Self {
        let margin = if high > low { 0.05 * (high - low) } else { 0.05 * low.abs().max(1.0) };
        // Beyond about 16 digits, a margin is lost in rounding.
        let (low, high) = ((low - margin).min(low.next_down()), (high + margin).max(high.next_up()));
        Self { low, high, ticks: ticks(low, high, 6), cut }
    }

    /// Where `value` lies on the axis: 0 at the lower end, 1 at the upper.
    pub fn place(&self, value: f64) -> f64 {
        (value - self.low) / (self.high - self.low)
    }
}

/// `value` if it can be drawn.
pub fn drawable(value: Option<f64>) -> Option<f64> {
    value.filter(|value| value.abs() < LARGEST)
}

/// Ticks at multiples of 1, 2 or 5 times a power of ten, about `wanted` and at least 2 of them where rounding permits.
fn ticks(low: f64, high: f64, wanted: usize) -> Vec<(f64, String)> {
    let rough = (high - low) / wanted as f64;
    let power = 10f64.powf(rough.log10().floor());
    // The factor nearest to the rough step, in the logarithm: sqrt(2), sqrt(10), sqrt(50) are the borders.
    let factor = match rough / power {
        ratio if ratio < 2f64.sqrt() => 1.0,
        ratio if ratio < 10f64.sqrt() => 2.0,
        ratio if ratio < 50f64.sqrt() => 5.0,
        _ => 10.0,
    };
    let step = factor * power;
    let (first, last) = ((low / step).ceil(), (high / step).floor());
    if !(step > 0.0 && last >= first && last - first < 100.0) {
        return Vec::new();
    }
    let largest = low.abs().max(high.abs());
    (0..=(last - first) as usize)
        .map(|at| (first + at as f64) * step)
        .map(|at| (at, label(at, step, largest)))
        .collect()
}

/// A tick's text with as many decimals as tell `step` apart; thousands and millions as k and M.
fn label(value: f64, step: f64, largest: f64) -> String {
    let text = if value.abs() < step / 2.0 {
        "0".to_owned()
    } else if !(1e-3..1e12).contains(&largest) {
        let digits = (largest.log10().floor() - step.log10().floor()).clamp(0.0, 15.0) as usize;
        format!("{value:.digits$e}")
    } else {
        let (unit, suffix) = match largest {
            size if size >= 1e9 => (1e9, "G"),
            size if size >= 1e6 => (1e6, "M"),
            size if size >= 1e4 => (1e3, "k"),
            _ => (1.0, ""),
        };
        // The small sum is for steps such as 0.1, whose logarithm rounds to just below -1.
        let decimals = (-((step / unit).log10() + 1e-9).floor()).max(0.0) as usize;
        format!("{:.decimals$}{suffix}", value / unit)
    };
    text.replace('-', "\u{2212}")
}

#[cfg(test)]
mod tests {
    use super::{
        super::{curves::CurvePoint, stats::Interval},
        *,
    };

    fn curve(values: &[f64]) -> Curve {
        let points = values.iter().enumerate().map(|(x, &y)| CurvePoint { x: x as f64, y: Some(y), band: None });
        Curve { label: String::new(), seeds: 1, points: points.collect() }
    }

    fn texts(low: f64, high: f64) -> String {
        ticks(low, high, 6).into_iter().map(|(_, text)| text).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn ticks_are_round_numbers_with_the_digits_they_need() {
        assert_eq!(texts(0.0, 5000.0), "0 1000 2000 3000 4000 5000");
        assert_eq!(texts(-0.5, 10.5), "0 2 4 6 8 10");
        assert_eq!(texts(0.0, 1.25e6), "0.0M 0.2M 0.4M 0.6M 0.8M 1.0M 1.2M".replace("0.0M", "0"));
        assert_eq!(texts(-120_000.0, 0.0), "−120k −100k −80k −60k −40k −20k 0");
        assert_eq!(texts(0.3, 0.9), "0.3 0.4 0.5 0.6 0.7 0.8 0.9");
        assert_eq!(texts(9.98, 10.01), "9.980 9.985 9.990 9.995 10.000 10.005 10.010");
        assert_eq!(texts(0.0, 5e-6), "0 1e−6 2e−6 3e−6 4e−6 5e−6");
    }

    #[test]
    fn every_axis_has_a_width_and_ticks() {
        for values in [vec![], vec![0.0], vec![10.0; 4], vec![-1e-9, 1e-9], vec![1e99, -1e99], vec![f64::MAX, 1.0]] {
            let least = if values.len() == 1 { 1 } else { 2 };
            for (axis, least) in [(Axis::y(&[curve(&values)], &[]), 2), (Axis::x(&[curve(&values)]), least)] {
                assert!(axis.low < axis.high && axis.ticks.len() >= least, "{values:?}: {axis:?}");
                assert!(axis.ticks.iter().all(|(at, _)| (axis.low..=axis.high).contains(at)));
            }
        }
    }

    #[test]
    fn y_shows_all_lines_and_marks_unless_one_explodes() {
        let axis = Axis::y(&[curve(&[-30.0, 2.0, 8.0, 9.0, 9.0]), curve(&[0.0; 5])], &[10.0]);
        assert!(axis.low < -30.0 && axis.high > 10.0 && !axis.cut);
        let mut values: Vec<f64> = (0..20).map(f64::from).collect();
        values.push(-1e30);
        let axis = Axis::y(&[curve(&values)], &[]);
        assert!(axis.cut && axis.low > -1000.0 && axis.high > 19.0, "{axis:?}");
        // A start far below is what was learnt from: it stays.
        values.insert(0, -5000.0);
        assert!((-6000.0..-5000.0).contains(&Axis::y(&[curve(&values)], &[]).low));
    }

    #[test]
    fn a_wide_band_does_not_flatten_the_lines() {
        let mut wide = curve(&[0.0, 1.0]);
        wide.points[1].band = Some(Interval { low: -1e6, high: 1.5 });
        let axis = Axis::y(&[wide], &[]);
        assert!((-1.5..-1.0).contains(&axis.low) && (1.5..2.0).contains(&axis.high), "{axis:?}");
    }
}
