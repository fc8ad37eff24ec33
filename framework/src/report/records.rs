//! `metrics.csv` read back into curves.
//!
//! Holds the records of one run as they were written, by entry and seed. No statistics over seeds: those are in
//! `summary.rs` and `curves.rs`.

use std::{
    collections::{BTreeMap, HashMap},
    fs::File,
    io::{self, BufReader, Read, Seek, SeekFrom},
    path::Path,
};

use csv::{ReaderBuilder, StringRecord};

use super::{error::ReportError, manifest::Manifest};
use crate::record::{COLUMNS, CYCLE_PERIOD, METRICS_FILE};

/// The metrics that are read as [`Track`]s, in the order of the fields of [`SeedRecords`].
const TRACKS: [&str; 4] = ["sampled_return", "mean_action_return", "nash_conv", "nash_conv_bound"];

/// The figures of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Records {
    /// In the manifest's order.
    pub entries: Vec<EntryRecords>,
    /// What was left out of the records and why, and which seeds end on a cycle, one sentence each.
    pub notes: Vec<String>,
}

/// The figures of one entry.
#[derive(Clone, Debug, PartialEq)]
pub struct EntryRecords {
    /// The entry's label.
    pub label: String,
    /// Every seed of the run in the manifest's order, those without records too.
    pub seeds: Vec<SeedRecords>,
}

/// The figures of one seed of one entry.
#[derive(Clone, Debug, PartialEq)]
pub struct SeedRecords {
    /// The seed.
    pub seed: u64,
    /// Whether the manifest lists the seed as failed. Its records until then are here; statistics leave them out.
    pub failed: bool,
    /// `sampled_return`: the return of each training episode.
    pub sampled: Track,
    /// `mean_action_return`: the return of each evaluation, in which every player acts by its policy's mean.
    pub mean_action: Track,
    /// `nash_conv`: what the players could gain at most, each by itself, summed over the players; at evaluations.
    pub nash_conv: Track,
    /// `nash_conv_bound`: a lower bound of it, where no exact best response is known.
    pub nash_conv_bound: Track,
    /// `mean_action[d]`: by the episode of an evaluation. Only where the best known return has a place.
    pub joint_actions: BTreeMap<u32, JointAction>,
}

/// The mean joint action of one evaluation: by player and dimension.
pub type JointAction = BTreeMap<(u32, u32), f64>;

/// One metric of one seed over training.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Track {
    /// Averaged over the players: a point for every episode that all of the track's players have; or, when the run wrote
    /// no rows by player, the rows with an empty player column. Ascending in `episode`.
    pub mean: Vec<Point>,
    /// By player. Ascending in `episode`.
    pub players: BTreeMap<u32, Vec<Point>>,
}

/// One recorded value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// Training episodes that the seed had completed.
    pub episode: u32,
    /// Environment steps that the seed had done.
    pub step: u64,
    /// The value; may be NaN or infinite.
    pub value: f64,
}

/// The values of one (entry, seed, metric) while reading: by player, `None` for the joint rows, and by episode.
type Rows = BTreeMap<Option<u32>, BTreeMap<u32, Point>>;

/// The values of one (entry, seed) while reading.
#[derive(Clone, Default)]
struct SeedRows {
    /// In the order of [`TRACKS`].
    tracks: [Rows; TRACKS.len()],
    joint_actions: BTreeMap<u32, JointAction>,
}

impl Records {
    /// Reads `metrics.csv` of the results folder `dir`, a line at a time. Metrics that [`SeedRecords`] has no field for are
    /// skipped, but for [`CYCLE_PERIOD`].
    ///
    /// A last line without a line end is what a killed run leaves: it is left out, and a note says so. A row may occur
    /// twice with the same value.
    ///
    /// # Errors
    /// When the file cannot be read; and with the line's number, when the header is not [`COLUMNS`], a row has another
    /// number of fields, a number is not one, the entry or seed is not the manifest's, or a row repeats an earlier one
    /// with another value.
    pub fn read(dir: &Path, manifest: &Manifest) -> Result<Self, ReportError> {
        let path = dir.join(METRICS_FILE);
        let io_error = || ReportError::io("read the records", &path);
        let mut file = File::open(&path).map_err(io_error())?;
        let (whole, size) = whole_lines(&mut file).map_err(io_error())?;
        let mut notes = Vec::new();
        if whole < size {
            notes.push(format!("{METRICS_FILE} ends within a line, as when a run is killed: that line is left out."));
        }

        let mut reader = ReaderBuilder::new().has_headers(false).from_reader(BufReader::new(file.take(whole)));
        let mut rows = Collector::new(manifest);
        let mut record = StringRecord::new();
        let mut line = 0;
        loop {
            let broken = |line, what| ReportError::Metrics { path: path.clone(), line, what };
            match reader.read_record(&mut record) {
                Ok(false) if line == 0 => return Err(broken(1, "the file is empty, expected the header".to_owned())),
                Ok(false) => break,
                Ok(true) => {}
                Err(error) => {
                    let line = error.position().map_or(line + 1, csv::Position::line);
                    return Err(match error.into_kind() {
                        csv::ErrorKind::Io(source) => io_error()(source),
                        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
                            broken(line, format!("found {len} fields, expected {expected_len}"))
                        }
                        other => broken(line, format!("not readable as CSV in UTF-8: {other:?}")),
                    });
                }
            }
            let header = line == 0;
            line = record.position().map_or(line + 1, csv::Position::line);
            if header {
                if record != COLUMNS[..] {
                    let found = record.iter().collect::<Vec<_>>().join(",");
                    return Err(broken(line, format!("found the header `{found}`, expected `{}`", COLUMNS.join(","))));
                }
            } else {
                rows.add(&record).map_err(|what| broken(line, what))?;
            }
        }
        Ok(Self { entries: rows.finish(&mut notes), notes })
    }
}

/// How many bytes of `file` are whole lines, and how many bytes it has; leaves the file at its start.
fn whole_lines(file: &mut File) -> io::Result<(u64, u64)> {
    let size = file.seek(SeekFrom::End(0))?;
    let mut end = size;
    let mut chunk = [0; 4096];
    let whole = loop {
        let start = end.saturating_sub(chunk.len() as u64);
        let part = &mut chunk[..(end - start) as usize];
        file.seek(SeekFrom::Start(start))?;
        file.read_exact(part)?;
        if let Some(at) = part.iter().rposition(|&byte| byte == b'\n') {
            break start + at as u64 + 1;
        }
        if start == 0 {
            break 0;
        }
        end = start;
    };
    file.rewind()?;
    Ok((whole, size))
}

/// The rows read so far.
struct Collector<'a> {
    manifest: &'a Manifest,
    entries: HashMap<&'a str, usize>,
    seeds: HashMap<u64, usize>,
    /// `[entry][seed]`.
    rows: Vec<Vec<SeedRows>>,
    /// `[entry]`, by seed: the latest episode that has a [`CYCLE_PERIOD`], and the longest of the players there.
    cycles: Vec<BTreeMap<usize, (u32, f64)>>,
}

impl<'a> Collector<'a> {
    fn new(manifest: &'a Manifest) -> Self {
        Self {
            manifest,
            entries: manifest.entries.iter().enumerate().map(|(at, entry)| (entry.label.as_str(), at)).collect(),
            seeds: manifest.seeds.iter().enumerate().map(|(at, &seed)| (seed, at)).collect(),
            rows: vec![vec![SeedRows::default(); manifest.seeds.len()]; manifest.entries.len()],
            cycles: vec![BTreeMap::new(); manifest.entries.len()],
        }
    }

    /// Adds one row; `Err` says what is wrong with it.
    fn add(&mut self, record: &StringRecord) -> Result<(), String> {
        let field = |at: usize| record.get(at).unwrap_or_default();
        let entry = *self.entries.get(field(0)).ok_or_else(|| {
            let known = self.manifest.entries.iter().map(|entry| format!("`{}`", entry.label)).collect::<Vec<_>>();
            format!("found entry `{}`, which the manifest does not have; it has {}", field(0), known.join(", "))
        })?;
        let player = if field(3).is_empty() { None } else { Some(number(3, field(3), "a player's number")?) };
        let seed: u64 = number(4, field(4), "a whole number")?;
        let seed =
            *self.seeds.get(&seed).ok_or_else(|| format!("found seed {seed}, which the manifest does not have"))?;
        let episode = number(5, field(5), "a whole number below 2^32")?;
        let step = number(6, field(6), "a whole number")?;
        let value = number(8, field(8), "a number, NaN or inf")?;
        if field(7) == CYCLE_PERIOD {
            let latest = self.cycles[entry].entry(seed).or_insert((episode, value));
            if episode > latest.0 {
                *latest = (episode, value);
            } else if episode == latest.0 {
                latest.1 = latest.1.max(value);
            }
            return Ok(());
        }
        let again = |old_value: f64, old_step| {
            format!(
                "found {} = {value} at step {step}, but an earlier line has {old_value} at step {old_step} \
                 for the same entry, player, seed and episode",
                field(7),
            )
        };
        let rows = &mut self.rows[entry][seed];
        if let Some(track) = TRACKS.iter().position(|track| *track == field(7)) {
            let point = Point { episode, step, value };
            match rows.tracks[track].entry(player).or_default().insert(episode, point) {
                Some(old) if old.step != step || old.value.to_bits() != value.to_bits() => {
                    return Err(again(old.value, old.step));
                }
                _ => {}
            }
        } else if let (Some(dim), Some(player)) = (dimension(field(7)), player)
            && self.manifest.entries[entry].best_known.as_ref().is_some_and(|best| best.place.is_some())
        {
            let old = rows.joint_actions.entry(episode).or_default().insert((player, dim), value);
            if let Some(old) = old.filter(|old| old.to_bits() != value.to_bits()) {
                return Err(again(old, step));
            }
        }
        Ok(())
    }

    fn finish(self, notes: &mut Vec<String>) -> Vec<EntryRecords> {
        let mut incomplete = 0;
        let mut entries = Vec::new();
        for (entry, cycles) in self.manifest.entries.iter().zip(&self.cycles) {
            let periods: Vec<f64> = cycles.values().map(|(_, period)| *period).filter(|period| *period > 0.0).collect();
            if let Some(longest) = periods.iter().copied().reduce(f64::max) {
                notes.push(format!(
                    "{}: {} of {} seed(s) do not come to rest but go round in circles (period of up to {longest} updates): \
                     take smaller steps, or update one player at a time.",
                    entry.label,
                    periods.len(),
                    self.manifest.seeds.len()
                ));
            }
        }
        for (entry, seeds) in self.manifest.entries.iter().zip(self.rows) {
            let seeds = self.manifest.seeds.iter().zip(seeds).map(|(&seed, rows)| {
                let [sampled, mean_action, nash_conv, nash_conv_bound] =
                    rows.tracks.map(|rows| track(rows, &mut incomplete));
                let failed = entry.failed_seeds.iter().any(|failed| failed.seed == seed);
                let joint_actions = rows.joint_actions;
                SeedRecords { seed, failed, sampled, mean_action, nash_conv, nash_conv_bound, joint_actions }
            });
            entries.push(EntryRecords { label: entry.label.clone(), seeds: seeds.collect() });
        }
        if incomplete > 0 {
            notes.push(format!("Left out of the means over players: {incomplete} point(s) that some player lacks."));
        }
        entries
    }
}

/// The dimension `d` of the metric `mean_action[d]`.
fn dimension(metric: &str) -> Option<u32> {
    metric.strip_prefix("mean_action[")?.strip_suffix(']')?.parse().ok()
}

/// Reads a field, or says what was found and what was expected.
fn number<T: std::str::FromStr>(column: usize, text: &str, expected: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("found `{text}` in the column {}, expected {expected}", COLUMNS[column]))
}

/// The track of one seed; counts in `incomplete` the points that some player lacks.
fn track(mut rows: Rows, incomplete: &mut usize) -> Track {
    let joint = rows.remove(&None).unwrap_or_default();
    let players: BTreeMap<u32, Vec<Point>> =
        rows.into_iter().filter_map(|(player, points)| Some((player?, points.into_values().collect()))).collect();
    if players.is_empty() {
        return Track { mean: joint.into_values().collect(), players };
    }
    let mut sums: BTreeMap<u32, (usize, Point)> = BTreeMap::new();
    for &point in players.values().flatten() {
        let (count, sum) = sums.entry(point.episode).or_insert((0, Point { value: 0.0, ..point }));
        *count += 1;
        sum.value += point.value;
    }
    let n = players.len();
    let mean: Vec<Point> = sums
        .into_values()
        .filter(|&(count, _)| count == n)
        .map(|(_, sum)| Point { value: sum.value / n as f64, ..sum })
        .collect();
    *incomplete += players.values().map(Vec::len).max().unwrap_or(0).saturating_sub(mean.len());
    Track { mean, players }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{super::example, *};

    const START: &str = "entry,algorithm,game,player,seed,episode,step,metric,value\n";

    fn read(text: &str) -> Result<Records, ReportError> {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(METRICS_FILE), text).unwrap();
        Records::read(dir.path(), &example::manifest(&[7, 8], &["a", "b, wide"]))
    }

    /// The message for a file whose third line is `row`.
    fn complaint(row: &str) -> String {
        let message = read(&format!("{START}a,x,g,0,7,1,25,sampled_return,1.5\n{row}\na,x,g,0,7,2,50,loss,0\n"));
        let message = message.unwrap_err().to_string();
        assert!(message.contains("metrics.csv:3: "), "{message}");
        message
    }

    fn point(episode: u32, step: u64, value: f64) -> Point {
        Point { episode, step, value }
    }

    #[test]
    fn returns_are_sorted_into_entries_seeds_and_players_and_averaged_over_the_players() {
        let records = read(&format!(
            "{START}\
             \"b, wide\",x,g,0,8,2,50,sampled_return,3\n\
             \"b, wide\",x,g,1,8,2,50,sampled_return,5\n\
             \"b, wide\",x,g,0,8,1,25,sampled_return,1\n\
             \"b, wide\",x,g,1,8,1,25,sampled_return,-2\n\
             \"b, wide\",x,g,1,8,1,25,critic_loss,1e300\n\
             a,x,g,,7,0,0,mean_action_return,-inf\n"
        ))
        .unwrap();
        assert_eq!(records.notes, [""; 0]);
        let wide = &records.entries[1].seeds[1].sampled;
        assert_eq!(wide.mean, [point(1, 25, -0.5), point(2, 50, 4.0)]);
        assert_eq!(wide.players[&1], [point(1, 25, -2.0), point(2, 50, 5.0)]);
        assert_eq!(records.entries[1].seeds[0].sampled, Track::default(), "seed 7 has no rows");
        let joint = &records.entries[0].seeds[0].mean_action;
        assert_eq!((joint.mean.as_slice(), joint.players.len()), ([point(0, 0, f64::NEG_INFINITY)].as_slice(), 0));
    }

    #[test]
    fn joint_actions_are_kept_where_the_best_known_return_has_a_place() {
        let text = format!(
            "{START}\
             a,x,g,0,7,5,125,mean_action[0],4.5\n\
             a,x,g,0,7,5,125,mean_action[1],-1\n\
             a,x,g,1,7,5,125,mean_action[0],5.5\n\
             a,x,g,,7,5,125,nash_conv,0.25\n\
             \"b, wide\",x,g,0,7,5,125,mean_action[0],4.5\n"
        );
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(METRICS_FILE), &text).unwrap();
        let mut manifest = example::manifest(&[7, 8], &["a", "b, wide"]);
        manifest.entries[0].best_known = Some(example::at_five());
        let records = Records::read(dir.path(), &manifest).unwrap();
        let seed = &records.entries[0].seeds[0];
        assert_eq!(seed.joint_actions[&5], BTreeMap::from([((0, 0), 4.5), ((0, 1), -1.0), ((1, 0), 5.5)]));
        assert_eq!((seed.nash_conv.mean.as_slice(), seed.nash_conv_bound.mean.len()), (&[point(5, 125, 0.25)][..], 0));
        assert!(records.entries[1].seeds[0].joint_actions.is_empty(), "nobody asks for them");

        let twice = text + "a,x,g,0,7,5,125,mean_action[0],4.6\n";
        fs::write(dir.path().join(METRICS_FILE), twice).unwrap();
        let message = Records::read(dir.path(), &manifest).unwrap_err().to_string();
        assert!(message.contains("metrics.csv:7: found mean_action[0] = 4.6") && message.contains("4.5"), "{message}");
    }

    #[test]
    fn a_seed_is_failed_when_the_manifest_says_so() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(METRICS_FILE), START).unwrap();
        let mut manifest = example::manifest(&[7, 8], &["a"]);
        manifest.entries[0].failed_seeds.push(example::failed(8));
        let seeds = Records::read(dir.path(), &manifest).unwrap().entries.remove(0).seeds;
        assert_eq!(seeds.iter().map(|seed| (seed.seed, seed.failed)).collect::<Vec<_>>(), [(7, false), (8, true)]);
    }

    #[test]
    fn seeds_that_go_round_in_circles_at_the_end_are_said() {
        let records = read(&format!(
            "{START}a,x,g,0,7,1,25,cycle_period,3\na,x,g,0,7,2,50,cycle_period,0\na,x,g,1,7,2,50,cycle_period,2\n\
             a,x,g,0,8,1,25,cycle_period,4\na,x,g,0,8,2,50,cycle_period,0\n"
        ))
        .unwrap();
        let [note] = &records.notes[..] else { panic!("{:?}", records.notes) };
        assert!(note.starts_with("a: 1 of 2 seed(s)") && note.contains("up to 2 updates"), "{note}");
    }

    #[test]
    fn a_line_cut_by_a_kill_is_left_out_with_a_note() {
        // Cut within the number: read as it stands, it would be another number.
        let records = read(&format!(
            "{START}a,x,g,0,7,1,25,sampled_return,1.5\na,x,g,1,7,1,25,sampled_return,2.5\na,x,g,0,7,2,50,sampled_return,12"
        ))
        .unwrap();
        assert_eq!(records.entries[0].seeds[0].sampled.mean, [point(1, 25, 2.0)]);
        assert_eq!(records.notes.len(), 1);

        let records = read(&format!(
            "{START}a,x,g,0,7,1,25,sampled_return,1\na,x,g,1,7,1,25,sampled_return,3\na,x,g,0,7,2,50,sampled_return,9\n"
        ))
        .unwrap();
        assert_eq!(records.entries[0].seeds[0].sampled.mean, [point(1, 25, 2.0)], "player 1 lacks episode 2");
        assert!(records.notes[0].contains("1 point"), "{:?}", records.notes);
    }

    #[test]
    fn the_same_row_twice_is_one_row_and_another_value_an_error() {
        let row = "a,x,g,0,7,1,25,sampled_return,1.5";
        assert_eq!(read(&format!("{START}{row}\n{row}\n")).unwrap(), read(&format!("{START}{row}\n")).unwrap());
        assert!(complaint("a,x,g,0,7,1,25,sampled_return,1.6").contains("1.5"));
    }

    #[test]
    fn broken_rows_are_named_with_their_line_what_was_found_and_what_was_expected() {
        assert!(complaint("c,x,g,0,7,1,25,sampled_return,1").contains("entry `c`"));
        assert!(complaint("c,x,g,0,7,1,25,sampled_return,1").contains("`b, wide`"));
        assert!(complaint("a,x,g,0,9,1,25,sampled_return,1").contains("seed 9"));
        assert!(complaint("a,x,g,zero,7,1,25,sampled_return,1").contains("`zero` in the column player"));
        assert!(complaint("a,x,g,0,7,-1,25,sampled_return,1").contains("`-1` in the column episode"));
        assert!(complaint("a,x,g,0,7,1,2.5,loss,1").contains("`2.5` in the column step"));
        assert!(complaint("a,x,g,0,7,1,25,sampled_return,").contains("`` in the column value"));
        assert!(complaint("a,x,g,0,7,1,25,sampled_return").contains("found 8 fields, expected 9"));
    }

    #[test]
    fn files_that_are_no_records_are_refused() {
        assert!(read("").unwrap_err().to_string().contains("empty"));
        assert!(
            read("entry,value\n").unwrap_err().to_string().contains("metrics.csv:1: found the header `entry,value`")
        );
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(METRICS_FILE), [START.as_bytes(), b"a,x,g,0,7,1,25,sampled_\xff,1\n"].concat())
            .unwrap();
        let message = Records::read(dir.path(), &example::manifest(&[7], &["a"])).unwrap_err().to_string();
        assert!(message.contains("metrics.csv:2: "), "{message}");
        let empty = tempfile::tempdir().unwrap();
        let message = Records::read(empty.path(), &example::manifest(&[7], &["a"])).unwrap_err().to_string();
        assert!(message.contains("could not read the records"), "{message}");
    }
}
