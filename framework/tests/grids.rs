//! Grids in run files: what they expand to, what the resolved run file keeps of them, and mistakes in their values, said
//! once and where they are written.
#![expect(clippy::unwrap_used, reason = "what cannot be had fails the test")]

use equiflow::loader::Plugins;
use equiflow::prelude::*;
use equiflow::run::{Mistake, Run, RunFile};

params! {
    /// Keeps still.
    pub struct StillParams {
        /// Numbers to remember.
        batch: usize = 512,
        /// Of numbers to keep; at least the batch.
        buffer: usize = 1_000,
        /// How fast not to move.
        rate: f64 = 0.01,
    }
}

/// See [`StillParams`].
#[derive(Component)]
pub struct Still;

impl Algorithm for Still {
    type Params = StillParams;

    fn check(params: &StillParams, _: &GameSpec, _: usize) -> Result<(), Invalid> {
        let what = || format!("{} holds no batch of {}; expected a larger buffer", params.buffer, params.batch);
        if params.batch <= params.buffer { Ok(()) } else { Err(Invalid::new("buffer", what())) }
    }
    fn new(_: &StillParams, _: &Seat) -> Self {
        Self
    }
    fn act(&mut self, _: &Turn, action: &mut [f32]) {
        action.fill(0.0);
    }
    fn mean_action(&mut self, _: &[f32], _: &[&[f32]], action: &mut [f32]) {
        action.fill(0.0);
    }
}

impl Checkpoint for Still {
    fn save(&self, _: &mut Snapshot) {}
    fn restore(&mut self, _: &Snapshot) -> Result<(), SnapshotError> {
        Ok(())
    }
}

params! {
    /// Two players choose a number each.
    pub struct Choice {}
}

impl Game for Choice {
    type Params = Self;
    type State = ();

    fn new(params: Self) -> Result<Self, Invalid> {
        Ok(params)
    }
    fn spec(&self) -> GameSpec {
        GameSpec::repeated(vec![Player::blind(Space::cube(1, -1.0, 1.0)); 2])
    }
    fn reset(&self, _: &mut Stream) {}
    fn observe(&self, (): &(), _player: usize, out: &mut [f32]) {
        out[0] = 1.0;
    }
    fn step(&self, (): &mut (), actions: &Joint, _: &mut Stream, rewards: &mut [f32]) -> Status {
        rewards.fill(actions.scalar(0) + actions.scalar(1));
        Status::Running
    }
}

fn resolve(text: &str) -> Result<Run, Vec<Mistake>> {
    let mut app = App::new(1);
    app.register_game::<Choice>("choice").register_algorithm::<Still>("still");
    let file = RunFile::parse("test.ron", text.to_owned())?;
    Run::resolve(&file, &mut app, &mut Plugins::default())
}

/// The run whose only item of the list of entries is this.
fn run(entry: &str) -> Result<Run, Vec<Mistake>> {
    resolve(&format!(
        "Run(\n    name: \"x\",\n    seeds: 1,\n    episodes: 1,\n    steps: 1,\n    game: choice(),\n    entries: [\n        {entry},\n    ],\n)\n"
    ))
}

/// What is said of it.
fn refused(entry: &str) -> String {
    let mistakes = run(entry).err().unwrap();
    mistakes.iter().map(|mistake| mistake.render(false)).collect::<Vec<_>>().join("\n")
}

const GRID: &str =
    r#"Grid(label: "g", all: still(rate: 0.5, batch: 7), over: {"batch": [64, 512], "rate": [1e-3, 1e-2, 0.1]})"#;

#[test]
fn a_grid_is_one_entry_per_combination_the_last_axis_running_fastest() {
    let run = run(GRID).unwrap();
    let found: Vec<_> =
        run.entries.iter().map(|entry| (entry.label.as_str(), entry.players[1].algorithm.params())).collect();
    let expected = [
        ("g batch=64 rate=0.001", "(batch:64,buffer:1000,rate:0.001)"),
        ("g batch=64 rate=0.01", "(batch:64,buffer:1000,rate:0.01)"),
        ("g batch=64 rate=0.1", "(batch:64,buffer:1000,rate:0.1)"),
        ("g batch=512 rate=0.001", "(batch:512,buffer:1000,rate:0.001)"),
        ("g batch=512 rate=0.01", "(batch:512,buffer:1000,rate:0.01)"),
        ("g batch=512 rate=0.1", "(batch:512,buffer:1000,rate:0.1)"),
    ];
    assert_eq!(found, expected);
    let cell = run.entries[5].cell.as_ref().unwrap();
    assert_eq!(cell.grid, "g");
    let at: Vec<_> = cell.at.iter().map(|(parameter, value)| (parameter.as_str(), value.as_str())).collect();
    assert_eq!(at, [("batch", "512"), ("rate", "0.1")]);
}

#[test]
fn a_grid_without_a_label_has_that_of_its_algorithm() {
    let run = run("Grid(all: still, over: {\"batch\": [1]})").unwrap();
    assert_eq!(run.entries[0].label, "still batch=1");
}

#[test]
fn the_resolved_run_file_lists_the_cells_and_resolves_to_the_same() {
    let first = run(GRID).unwrap();
    let text = first.to_ron();
    assert!(text.contains(r#"cell: (grid: "g", at: [("batch", "64"), ("rate", "0.001")]),"#), "{text}");
    let second = resolve(&text).unwrap();
    assert_eq!(second.to_ron(), text);
    let cells = |run: &Run| run.entries.iter().map(|entry| entry.cell.clone()).collect::<Vec<_>>();
    assert_eq!(cells(&second), cells(&first));
}

macro_rules! refused {
    ($($(#[$doc:meta])* $kind:ident: $entry:expr;)*) => {$(
        $(#[$doc])*
        #[test]
        fn $kind() {
            insta::assert_snapshot!(refused($entry));
        }
    )*};
}

refused! {
    /// In both cells of the other axis, said once.
    parameter_misspelt: "Grid(all: still(), over: {\n            \"bacth\": [1, 2],\n            \"rate\": [0.1, 0.2],\n        })";
    values_of_another_kind: "Grid(all: still(), over: {\n            \"batch\": [64, -1, \"many\"],\n            \"rate\": [fast, 0.1],\n        })";
    value_that_makes_no_sense_with_another: "Grid(all: still(batch: 128), over: {\"buffer\": [64, 256]})";
    combination_that_makes_no_sense: "Grid(all: still(), over: {\"buffer\": [64, 1024], \"batch\": [32, 512]})";
    mistake_in_what_the_cells_share: "Grid(all: still(batch: \"many\"), over: {\"rate\": [0.1, 0.2]})";
    two_grids_of_one_label: "Grid(label: \"g\", all: still(), over: {\"rate\": [0.1]}),\n        Grid(label: \"g\", all: still(batch: 1), over: {\"rate\": [0.1]})";
    a_cell_of_an_entry_misspelt: "Entry(all: still(), cell: (grid: \"g\", on: []))";
}
