//! What a run shows while it runs: a bar per entry on a terminal, else a line now and then.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::Log;
use crate::record::Row;
use crate::run::Run;
use crate::simulation::Failure;

/// Time between two plain lines.
const PAUSE: Duration = Duration::from_secs(5);

pub(super) struct Progress {
    bars: Option<(MultiProgress, Vec<ProgressBar>)>,
    labels: Vec<String>,
    episodes: u64,
    /// Per entry, the sum and count of the newest evaluation's returns.
    returns: Vec<(u64, f64, u32)>,
    said: Instant,
}

impl Progress {
    pub(super) fn new(run: &Run, log: Log) -> Self {
        let labels: Vec<_> = run.entries.iter().map(|entry| entry.label.clone()).collect();
        let on_terminal = log == Log::Text && std::io::stderr().is_terminal();
        let bars = on_terminal.then(|| {
            let all = MultiProgress::new();
            let width = labels.iter().map(|label| label.chars().count()).max().unwrap_or(0);
            let template = "{prefix} {bar:30.cyan/blue} {pos}/{len} episodes  {msg}  {eta} left";
            let style = ProgressStyle::with_template(template).expect("the template is well formed");
            let bars = labels.iter().map(|label| {
                let bar = all.add(ProgressBar::new(run.episodes)).with_style(style.clone());
                bar.with_prefix(format!("{label:<width$}"))
            });
            let bars = bars.collect();
            (all, bars)
        });
        let returns = vec![(0, 0.0, 0); labels.len()];
        Self { bars, labels, episodes: run.episodes, returns, said: Instant::now() }
    }

    /// After an episode.
    pub(super) fn episode(&mut self, episode: u64, rows: &[Row]) {
        for row in rows.iter().filter(|row| row.metric == "mean_action_return") {
            let newest = &mut self.returns[row.entry];
            if row.episode > newest.0 {
                *newest = (row.episode, 0.0, 0);
            }
            *newest = (newest.0, newest.1 + row.value, newest.2 + 1);
        }
        if let Some((_, bars)) = &self.bars {
            for (entry, bar) in bars.iter().enumerate() {
                bar.set_position(episode);
                bar.set_message(self.mean(entry).map_or(String::new(), |mean| format!("return {mean:.3}")));
            }
        } else if self.said.elapsed() >= PAUSE || episode == self.episodes {
            self.said = Instant::now();
            for (entry, label) in self.labels.iter().enumerate() {
                let mean = self.mean(entry);
                tracing::info!(
                    entry = label.as_str(),
                    episode,
                    of = self.episodes,
                    mean_action_return = mean,
                    "episode"
                );
            }
        }
    }

    /// Seeds that have just been given up.
    pub(super) fn failures(&self, failures: &[Failure]) {
        for failure in failures {
            let (label, seed, step) = (&self.labels[failure.entry], failure.seed, failure.step);
            match &self.bars {
                // A closed terminal is no reason to stop.
                Some((all, _)) => {
                    let _ = all.println(format!("failed: {label}, seed {seed}, step {step}: {}", failure.what));
                }
                None => tracing::error!(entry = label.as_str(), seed, step, "failed: {}", failure.what),
            }
        }
    }

    pub(super) fn finish(&self) {
        for bar in self.bars.iter().flat_map(|(_, bars)| bars) {
            bar.abandon();
        }
    }

    /// Mean return of the newest evaluation of an entry, over seeds and players.
    fn mean(&self, entry: usize) -> Option<f64> {
        let (_, sum, count) = self.returns[entry];
        (count > 0).then(|| sum / f64::from(count))
    }
}
