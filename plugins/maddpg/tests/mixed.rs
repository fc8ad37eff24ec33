//! MADDPG against other algorithms in one environment. Plugins that carry networks cannot be linked into one test, so
//! they are loaded, as the program does it.

#![expect(clippy::unwrap_used, reason = "what is not there fails the test")]

use equiflow::app::App;
use equiflow::prelude::*;
use equiflow::testing::{self, resolved};

const SMALL: &str = "hidden: [16], batch: 16, warmup: 30";

/// The rows of one entry's label, bit for bit.
fn rows(run: &str, threads: usize, entry: &str) -> Vec<String> {
    let mut simulation = resolved(App::new(threads), run);
    let index = simulation.run().entries.iter().position(|known| known.label == entry).unwrap();
    let mut rows: Vec<_> = (testing::rows(&mut simulation).into_iter().filter(|row| row.entry == index))
        .map(|row| format!("{:?} {} {} {} {:x}", row.player, row.seed, row.episode, row.metric, row.value.to_bits()))
        .collect();
    assert!(rows.iter().any(|row| row.contains("critic_loss")), "{entry} has learned nothing");
    // Which algorithm reports first depends on which was loaded first.
    rows.sort();
    rows
}

fn run(seeds: usize, entries: &[&str]) -> String {
    let entries = entries.join(", ");
    format!("Run(name: \"mixed\", seeds: {seeds}, episodes: 4, steps: 25, game: zero_sum(), entries: [{entries}])")
}

#[test]
fn each_entry_and_seed_is_the_same_whatever_runs_beside_it_on_any_number_of_threads() {
    let mixed =
        &*format!("Entry(label: \"mixed\", players: [maddpg({SMALL}), ddpg(batch: 8, hidden: [16], warmup: 30)])");
    let swapped = &*format!("Entry(label: \"swapped\", players: [ddpg({SMALL}), maddpg({SMALL})])");
    let both = &*format!("maddpg({SMALL})");
    let alone = rows(&run(2, &[mixed]), 1, "mixed");
    assert_eq!(alone, rows(&run(2, &[mixed]), 1, "mixed"), "the same again");
    assert_eq!(alone, rows(&run(2, &[mixed]), 2, "mixed"), "on two threads, a world on each");
    assert_eq!(alone, rows(&run(2, &[mixed]), 3, "mixed"), "on three threads, which share one world");
    assert_eq!(alone, rows(&run(2, &[swapped, mixed, both]), 2, "mixed"), "with other entries");
    let mut more = rows(&run(3, &[mixed]), 2, "mixed");
    more.retain(|row| !["Some(0) 2 ", "Some(1) 2 ", "None 2 "].iter().any(|start| row.starts_with(start)));
    assert_eq!(alone, more, "with another seed");
    assert_ne!(rows(&run(2, &[swapped]), 1, "swapped"), rows(&run(2, &[both]), 1, "maddpg"));
}

params! {
    /// Each player gets what the other does.
    pub struct Gift {}
}

impl Game for Gift {
    type Params = Self;
    type State = ();

    fn new(params: Self) -> Result<Self, Invalid> {
        Ok(params)
    }
    fn spec(&self) -> GameSpec {
        GameSpec::repeated(vec![Player::blind(Space::cube(1, -1.0, 1.0)); 2])
    }
    fn reset(&self, _: &mut Stream) {}
    fn observe(&self, (): &(), _: usize, out: &mut [f32]) {
        out[0] = 1.0;
    }
    fn step(&self, (): &mut (), actions: &Joint, _: &mut Stream, rewards: &mut [f32]) -> Status {
        rewards.copy_from_slice(&[actions.scalar(1), actions.scalar(0)]);
        Status::Terminal
    }
}

/// Who reads the opponent's actions explains all of the rewards; their variance, 1/3, is left to who does not.
#[test]
fn the_critic_reads_an_opponent_that_does_not_learn() {
    let loss = |learner: &str| {
        let mut app = App::new(1);
        app.add_plugin(|app| _ = app.register_game::<Gift>("gift"));
        let run = format!(
            "Run(name: \"gift\", seeds: 1, episodes: 40, steps: 25, game: gift(),
                 entries: [Entry(label: \"against random\", players: [{learner}, random()])])"
        );
        let rows = testing::rows(&mut resolved(app, &run));
        let losses: Vec<_> = rows.iter().filter(|row| row.metric == "critic_loss").map(|row| row.value).collect();
        losses[losses.len() - 10..].iter().sum::<f64>() / 10.0
    };
    let (centralised, independent) = (loss(&format!("maddpg({SMALL})")), loss(&format!("ddpg({SMALL})")));
    assert!(centralised < 0.03, "{centralised}");
    assert!(independent > 0.2, "{independent}");
}
