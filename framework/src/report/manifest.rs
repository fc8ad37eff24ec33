//! `manifest.json`: what a run is made of, written when it starts and again when it ends.
//!
//! Holds the file's structure, and reading and writing it; deliberately no results, which are in `metrics.csv`.

use std::{
    fs,
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};

use super::error::ReportError;
use crate::game::Place;
use crate::profile::Profile;
use crate::run::Cell;

/// The manifest's name in a results folder.
pub const MANIFEST_FILE: &str = "manifest.json";

/// Everything needed to say where a run's numbers come from, and to make the run again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The run's name, from its run file.
    pub run: String,
    /// The results folder's name, unique among the runs of that name.
    pub id: String,
    /// When the run started.
    pub created: Moment,
    /// When the run ended; `None` while it runs, or when it was killed.
    pub finished: Option<Moment>,
    /// How the run stands.
    pub outcome: Outcome,
    /// Equiflow's version.
    pub version: String,
    /// Build id of the framework.
    pub build: String,
    /// The machine.
    pub host: Host,
    /// The number from which all of the run's random streams are derived.
    pub run_seed: u64,
    /// The seeds that every entry runs with, in order.
    pub seeds: Vec<u64>,
    /// Training episodes per seed.
    pub episodes: u32,
    /// Environment steps per episode, at most.
    pub steps: u32,
    /// Instances of the game per seed, each of which does all those episodes and steps.
    pub instances: usize,
    /// Training episodes between evaluations.
    pub evaluate_every: u64,
    /// Strategies that a search for a best response tries: see [`BestResponse`](crate::nash::BestResponse).
    pub best_response: usize,
    /// The command line, program first.
    pub command: Vec<String>,
    /// The plugins that were loaded.
    pub plugins: Vec<PluginManifest>,
    /// The curves of the comparison, in the run file's order. Labels are unique.
    pub entries: Vec<EntryManifest>,
    /// Where the time went, if it was measured.
    pub profile: Option<Profile>,
}

/// How a run stands. A run that was killed says `running` for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Not ended yet, or killed.
    Running,
    /// Every seed of every entry ran to its end.
    Done,
    /// Stopped by the user.
    Interrupted,
    /// Ended, but some seed, entry or plugin failed.
    Failed,
}

impl Outcome {
    /// The word that the file has for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Done => "done",
            Self::Interrupted => "interrupted",
            Self::Failed => "failed",
        }
    }
}

/// A point in time, for machines and for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Moment {
    /// Seconds since 1970-01-01T00:00:00Z.
    pub unix: u64,
    /// The same as RFC 3339 text in UTC, such as `2026-01-31T09:05:00Z`.
    pub utc: String,
}

impl Moment {
    /// The system clock's time; 1970 if that clock is set before 1970.
    pub fn now() -> Self {
        Self::from_unix(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()))
    }

    /// `unix` seconds since 1970.
    pub fn from_unix(unix: u64) -> Self {
        // Days to a Gregorian date after Howard Hinnant's `civil_from_days`: eras of 400 years, years from 1 March.
        let (days, second) = (unix / 86_400 + 719_468, unix % 86_400);
        let (era, day_of_era) = (days / 146_097, days % 146_097);
        let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
        let year = era * 400 + year_of_era + u64::from(month <= 2);
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        Self { unix, utc: format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z") }
    }
}

/// The machine that a run ran on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Host {
    /// Processor cores available to the run.
    pub cores: usize,
    /// Operating system and architecture.
    pub os: String,
}

/// One loaded plugin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PluginManifest {
    /// The plugin's name.
    pub name: String,
    /// The library file it was loaded from.
    pub file: String,
    /// Its build id.
    pub build: String,
}

/// One curve of the comparison.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EntryManifest {
    /// The curve's label, the `entry` column of `metrics.csv`.
    pub label: String,
    /// The algorithm of each player, in player order.
    pub algorithms: Vec<String>,
    /// All parameters of each player's algorithm as RON, such as `(batch:512,discount:0.95)`, in player order.
    pub parameters: Vec<String>,
    /// The game with all its parameters as RON.
    pub game: String,
    /// Where in a grid of entries it lies, if it does.
    pub cell: Option<Cell>,
    /// What the return is and in which unit, for axes: such as "return per step".
    pub return_label: String,
    /// The best return known for the game, if any is.
    pub best_known: Option<BestKnown>,
    /// The seeds that did not run to their end because something failed.
    pub failed_seeds: Vec<FailedSeed>,
    /// Environment steps per second of this entry's own time, over all its seeds; `None` until measured.
    pub steps_per_second: Option<f64>,
    /// Seconds spent on this entry.
    pub busy_seconds: f64,
}

/// A return to compare with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BestKnown {
    /// The return, in the unit of `return_label`, averaged over the players.
    pub value: f64,
    /// How far below `value` still counts as having reached it.
    pub tolerance: f64,
    /// Whether more than `tolerance` above is no success either, as where it is what an equilibrium pays.
    pub both_sides: bool,
    /// Where the value is from.
    pub source: String,
    /// Where it is reached, if only there: then the mean joint action decides about success, not the return.
    pub place: Option<Place>,
}

/// A seed that failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FailedSeed {
    /// The seed.
    pub seed: u64,
    /// Training episodes it had completed.
    pub episode: u32,
    /// Environment steps it had done.
    pub step: u64,
    /// What failed.
    pub what: String,
}

impl Manifest {
    /// Reads `manifest.json` of the results folder `dir`.
    ///
    /// # Errors
    /// When the file cannot be read, or has unknown, missing or mistyped fields (with line and column).
    pub fn read(dir: &Path) -> Result<Self, ReportError> {
        let path = dir.join(MANIFEST_FILE);
        let text = fs::read_to_string(&path).map_err(ReportError::io("read the manifest", &path))?;
        serde_json::from_str(&text).map_err(|source| ReportError::Manifest { path, source })
    }

    /// Writes `manifest.json` into the results folder `dir`. A reader sees the old file or the new one, never a half.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, dir: &Path) -> Result<(), ReportError> {
        let path = dir.join(MANIFEST_FILE);
        let mut text = serde_json::to_string_pretty(self)
            .map_err(|source| ReportError::Manifest { path: path.clone(), source })?;
        text.push('\n');
        replace(&path, text.as_bytes()).map_err(ReportError::io("write the manifest", &path))
    }
}

/// Writes `bytes` beside `path` and renames the result to `path`, so that a kill leaves no half-written file.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let beside = path.with_added_extension("tmp");
    fs::write(&beside, bytes)?;
    fs::rename(&beside, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_gnu_date() {
        // `date -u -d @N +%FT%TZ`: the epoch, a leap day, the end of a century that is a leap year, a far year.
        for (unix, utc) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (951_868_800, "2000-03-01T00:00:00Z"),
            (1_767_225_599, "2025-12-31T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(Moment::from_unix(unix).utc, utc);
        }
    }

    #[test]
    fn a_manifest_comes_back_as_written_and_a_misspelt_field_is_named_with_its_line() {
        let dir = tempfile::tempdir().unwrap();
        let manifest = super::super::example::manifest(&[1, 2], &["a", "b"]);
        manifest.write(dir.path()).unwrap();
        assert_eq!(Manifest::read(dir.path()).unwrap(), manifest);

        let path = dir.path().join(MANIFEST_FILE);
        let text = fs::read_to_string(&path).unwrap().replace("\"run_seed\"", "\"run_sead\"");
        fs::write(&path, &text).unwrap();
        let line = 1 + text.lines().position(|line| line.contains("run_sead")).unwrap();
        let message = Manifest::read(dir.path()).unwrap_err().to_string();
        assert!(message.contains("run_sead") && message.contains(&format!("line {line}")), "{message}");
    }

    #[test]
    fn a_folder_without_a_manifest_is_said_to_be_no_results_folder() {
        let dir = tempfile::tempdir().unwrap();
        let message = Manifest::read(dir.path()).unwrap_err().to_string();
        assert!(message.contains(MANIFEST_FILE) && message.contains("results/<run>/<id>"), "{message}");
    }
}
