//! Pictures that games draw of themselves, from the figures that they recorded at the last evaluation.

use std::collections::BTreeMap;
use std::path::Path;

use super::error::ReportError;
use super::manifest::replace;
use crate::record::{METRICS_FILE, file_name};
use crate::run::Run;
use crate::workers::fence;

/// The figures about no player in particular, at the latest episode that has any: sum and count over the seeds.
#[derive(Default)]
struct Latest {
    episode: u64,
    figures: BTreeMap<String, (f64, u32)>,
}

/// Writes `drawing-<entry>.svg` to the results folder `dir` for every entry whose game draws a picture
/// ([`Game::drawing`](crate::game::Game::drawing)), from `metrics.csv` of that folder. `run` is the run that wrote it.
///
/// # Errors
/// When the records cannot be read, a game's drawing panics, or a file cannot be written.
pub fn write(dir: &Path, run: &Run) -> Result<(), ReportError> {
    let latest = read(&dir.join(METRICS_FILE))?;
    for (index, entry) in run.entries.iter().enumerate() {
        let Some(latest) = latest.get(&entry.label) else { continue };
        let figure = |name: &str| latest.figures.get(name).map(|(sum, count)| sum / f64::from(*count));
        let path = dir.join(format!("drawing-{}.svg", file_name(&entry.label, index)));
        let drawing = fence(|| entry.game.drawing(&figure))
            .map_err(|what| ReportError::Plot { path: path.clone(), what: format!("the game's drawing {what}") })?;
        if let Some(svg) = drawing {
            replace(&path, svg.as_bytes()).map_err(ReportError::io("write the drawing", &path))?;
        }
    }
    Ok(())
}

/// The latest figures by entry.
fn read(path: &Path) -> Result<BTreeMap<String, Latest>, ReportError> {
    let broken = |line: u64, what: String| ReportError::Metrics { path: path.to_owned(), line, what };
    let file = std::fs::File::open(path).map_err(ReportError::io("read the records", path))?;
    let mut latest: BTreeMap<String, Latest> = BTreeMap::new();
    for (index, record) in csv::Reader::from_reader(std::io::BufReader::new(file)).deserialize().enumerate() {
        let line = index as u64 + 2;
        let record: Record = record.map_err(|error| broken(line, error.to_string()))?;
        if record.player.is_some() {
            continue;
        }
        let of_entry = latest.entry(record.entry).or_default();
        if record.episode > of_entry.episode {
            *of_entry = Latest { episode: record.episode, ..Latest::default() };
        }
        if record.episode == of_entry.episode {
            let figure = of_entry.figures.entry(record.metric).or_default();
            *figure = (figure.0 + record.value, figure.1 + 1);
        }
    }
    Ok(latest)
}

/// What is needed of a line of `metrics.csv`.
#[derive(serde::Deserialize)]
struct Record {
    entry: String,
    player: Option<usize>,
    episode: u64,
    metric: String,
    value: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_evaluation_is_averaged_over_its_seeds() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(METRICS_FILE);
        let lines = [
            "entry,algorithm,game,player,seed,episode,step,metric,value",
            "a,x,g,,0,0,0,cost,9",
            "a,x,g,,0,5,50,cost,1",
            "a,x,g,,1,5,50,cost,2",
            "a,x,g,1,0,5,50,cost,7",
            "\"b, c\",x,g,,0,0,0,cost,4",
        ];
        std::fs::write(&path, lines.join("\n") + "\n").unwrap();
        let latest = read(&path).unwrap();
        assert_eq!(latest["a"].figures["cost"], (3.0, 2));
        assert_eq!(latest["b, c"].figures["cost"], (4.0, 1));
        std::fs::write(&path, lines[0].to_owned() + "\na,x,g,,zero,0,0,cost,9\n\na,x,g,,0,5,50,cost,one\n").unwrap();
        assert!(read(&path).is_err_and(|error| error.to_string().contains("metrics.csv:3")));
    }
}
