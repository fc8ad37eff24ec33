//! What happened, row by row, and where it is written: `metrics.csv` and TensorBoard event files. Reports are computed
//! from these files, elsewhere.

mod tensorboard;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use bevy_ecs::prelude::*;

use crate::environment::{Clock, Environment, Episodes, Health, Lane, Live};
use tensorboard::EventWriter;

/// The records' name in a results folder.
pub const METRICS_FILE: &str = "metrics.csv";

/// The first line of [`METRICS_FILE`].
pub const COLUMNS: [&str; 9] = ["entry", "algorithm", "game", "player", "seed", "episode", "step", "metric", "value"];

/// The metric by which an algorithm says at an evaluation that its policies go round in circles: after how many updates they
/// come back, 0 when they do not. Reports say which seeds end so.
pub const CYCLE_PERIOD: &str = "cycle_period";

/// One figure.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Index of the entry in the run.
    pub entry: usize,
    /// Whom it is about; `None` for all players.
    pub player: Option<usize>,
    /// The seed.
    pub seed: u64,
    /// Training episodes done.
    pub episode: u64,
    /// Environment steps done, per instance.
    pub step: u64,
    /// What it is.
    pub metric: Cow<'static, str>,
    /// The figure.
    pub value: f64,
}

impl Row {
    /// A figure about `environment` as it stands.
    pub fn new(
        environment: &Environment,
        clock: &Clock,
        player: Option<usize>,
        seed: u64,
        metric: impl Into<Cow<'static, str>>,
        value: f64,
    ) -> Self {
        let (entry, episode, step) = (environment.entry, clock.episode(), clock.step);
        Self { entry, player, seed, episode, step, metric: metric.into(), value }
    }
}

/// The rows that have not been written yet.
#[derive(Resource, Debug, Default)]
pub struct Records {
    rows: Vec<Row>,
}

impl Records {
    /// Adds a row.
    pub fn push(&mut self, row: Row) {
        self.rows.push(row);
    }

    /// Takes all rows, in the order in which they were added.
    pub fn take(&mut self) -> Vec<Row> {
        std::mem::take(&mut self.rows)
    }
}

/// How the files name an entry.
#[derive(Clone, Debug)]
pub struct EntryName {
    /// Its label.
    pub label: String,
    /// Its algorithms, one per player or one for all.
    pub algorithm: String,
    /// Its game.
    pub game: String,
}

/// Writes rows to the files of a results folder.
pub struct Sink {
    entries: Vec<EntryName>,
    metrics: csv::Writer<std::fs::File>,
    folder: PathBuf,
    events: BTreeMap<(usize, u64), EventWriter>,
}

impl Sink {
    /// Starts the files of `folder`, which exists and holds none of them yet.
    ///
    /// # Errors
    /// The file that could not be created.
    pub fn create(folder: &Path, entries: Vec<EntryName>) -> io::Result<Self> {
        let file = std::fs::File::create_new(folder.join(METRICS_FILE))?;
        let mut metrics = csv::Writer::from_writer(file);
        metrics.write_record(COLUMNS)?;
        Ok(Self { entries, metrics, folder: folder.to_owned(), events: BTreeMap::new() })
    }

    /// Writes rows.
    ///
    /// # Errors
    /// The disk's.
    pub fn write(&mut self, rows: &[Row]) -> io::Result<()> {
        for row in rows {
            let name = &self.entries[row.entry];
            let player = row.player.map(|player| player.to_string()).unwrap_or_default();
            self.metrics.write_record([
                &name.label,
                &name.algorithm,
                &name.game,
                &player,
                &row.seed.to_string(),
                &row.episode.to_string(),
                &row.step.to_string(),
                &*row.metric,
                &row.value.to_string(),
            ])?;
            let tag = match row.player {
                Some(player) => format!("{}/player {player}", row.metric),
                None => row.metric.clone().into_owned(),
            };
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
            self.events(row.entry, row.seed)?.scalar(&tag, row.step as i64, row.value as f32, now)?;
        }
        Ok(())
    }

    /// Brings everything to the disk.
    ///
    /// # Errors
    /// The disk's.
    pub fn flush(&mut self) -> io::Result<()> {
        self.metrics.flush()?;
        self.events.values_mut().try_for_each(EventWriter::flush)
    }

    fn events(&mut self, entry: usize, seed: u64) -> io::Result<&mut EventWriter> {
        use std::collections::btree_map::Entry::{Occupied, Vacant};
        match self.events.entry((entry, seed)) {
            Occupied(place) => Ok(place.into_mut()),
            Vacant(place) => {
                let entry = file_name(&self.entries[entry].label, entry);
                let folder = self.folder.join("tensorboard").join(entry).join(format!("seed-{seed}"));
                std::fs::create_dir_all(&folder)?;
                Ok(place.insert(EventWriter::create(&folder)?))
            }
        }
    }
}

/// A label as a file name: what could mean something to a shell or a file system becomes a dash.
pub fn slug(label: &str) -> String {
    let dashed = label.chars().map(|c| if c.is_alphanumeric() || "._".contains(c) { c } else { '-' });
    let text = dashed.collect::<String>().to_lowercase();
    let text = text.trim_matches(['-', '.']);
    if text.is_empty() { "unnamed".to_owned() } else { text.to_owned() }
}

/// [`slug`] for a text that may be long, such as a game with its parameters: `otherwise` where file systems could refuse it.
pub fn short_slug(label: &str, otherwise: &str) -> String {
    /// In bytes.
    const LONGEST: usize = 80;
    let text = slug(label);
    if text.len() <= LONGEST { text } else { otherwise.to_owned() }
}

/// The name of the files of entry number `entry`, from 0.
pub fn file_name(label: &str, entry: usize) -> String {
    short_slug(label, &format!("entry-{}", entry + 1))
}

/// At the end of a block of steps, the returns of the live episodes that ended in it.
pub(crate) fn record_returns(
    mut records: ResMut<Records>,
    mut environments: Query<(&Environment, &Lane, &Clock, &mut Episodes<Live>, &Health)>,
) {
    for (environment, lane, clock, mut episodes, health) in &mut environments {
        if clock.at_boundary() {
            for (number, &seed) in lane.seeds.iter().enumerate().filter(|(number, _)| health.is_well(*number)) {
                for player in 0..environment.spec.players.len() {
                    if let Some(value) = episodes.mean_return(number, player) {
                        records.push(Row::new(environment, clock, Some(player), seed, "sampled_return", value));
                    }
                }
            }
            episodes.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_become_file_names() {
        assert_eq!(slug("Wide MADDPG: 400/300"), "wide-maddpg--400-300");
        assert_eq!(slug("../.."), "unnamed");
        assert_eq!(slug("τ = 1"), "τ---1");
        assert_eq!(short_slug("g(x: 1)", "game-1"), "g-x--1");
        assert_eq!(short_slug(&"x, ".repeat(100), "game-1"), "game-1");
    }
}
