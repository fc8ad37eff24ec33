//! What the program says of a run file with a mistake, word for word, and what it makes of one without. The snapshots
//! are meant to be read: does each say what was found, where, what was expected and what to do?
#![expect(clippy::unwrap_used, reason = "what cannot be had fails the test")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::{Home, built};

const GOOD: &str = r#"Run(
    name: "good",
    seeds: 3,
    episodes: 4,
    steps: 5,
    game: max_of_two(version: printed),
    entries: [random()],
)
"#;

/// The good file with one part of it changed.
fn with(part: &str, change: &str) -> String {
    assert_eq!(GOOD.matches(part).count(), 1, "{part}");
    GOOD.replace(part, change)
}

/// What `check` says of a file that it refuses.
fn refused(text: &str, options: &[&str]) -> String {
    let home = Home::new();
    fs::write(home.path("bad.ron"), text).unwrap();
    let said = home.run(&[&["check", "bad.ron"], options].concat());
    assert_eq!((said.code, said.out.as_str()), (Some(2), ""), "{}", said.err);
    said.err
}

/// A snapshot of what is said of each broken file, named after the test.
macro_rules! refused {
    ($($(#[$doc:meta])* $kind:ident: $text:expr $(, $options:expr)?;)*) => {$(
        $(#[$doc])*
        #[test]
        fn $kind() {
            let options: &[&[&str]] = &[$($options)?];
            insta::assert_snapshot!(refused(&$text, &options.concat()));
        }
    )*};
}

refused! {
    empty_file: "";
    only_comments: "// A run file to be.\n";
    unclosed_bracket: with("[random()],\n)", "[random()\n)");
    bracket_too_many: with("random()", "random())");
    unclosed_string: with("\"good\"", "\"good");
    missing_comma: with("seeds: 3,", "seeds: 3");
    another_format: "name: good\nseeds: 3\n";
    no_run: with("Run(", "Experiment(");
    nameless_brackets: with("Run(", "(");
    a_list: "[random()]";
    text_behind_the_run: GOOD.to_owned() + "Run()\n";

    unknown_field: with("episodes: 4", "episode: 4");
    missing_field: with("    episodes: 4,\n", "");
    missing_seeds: with("    seeds: 3,\n", "");
    missing_entries: with("    entries: [random()],\n", "");
    field_twice: with("steps: 5", "steps: 5, seeds: 4");
    value_without_a_name: with("steps: 5", "5");

    text_for_a_number: with("episodes: 4", "episodes: \"four\"");
    word_for_a_number: with("episodes: 4", "episodes: many");
    negative_number: with("episodes: 4", "episodes: -4");
    fraction: with("episodes: 4", "episodes: 4.5");
    number_too_large: with("steps: 5", "steps: 5000000000");
    number_with_an_exponent: with("episodes: 4", "episodes: 1e3");
    more_episodes_than_can_be_played: with("episodes: 4", "episodes: 9223372036854775808");
    more_instances_than_fit: with("steps: 5", "steps: 5, instances: 10000000000");
    more_strategies_than_can_be_tried: with("steps: 5", "steps: 5, evaluate: (best_response: 18446744073709551615)");
    number_for_a_text: with("\"good\"", "12");
    list_for_a_number: with("steps: 5", "steps: [5]");
    evaluate_is_a_number: with("steps: 5", "steps: 5, evaluate: 2");
    evaluate_misspelt: with("steps: 5", "steps: 5, evaluate: (evry: 2)");
    evaluate_never: with("steps: 5", "steps: 5, evaluate: (every: 0)");
    no_episodes: with("episodes: 4", "episodes: 0");
    no_seed: with("seeds: 3", "seeds: 0");
    empty_list_of_seeds: with("seeds: 3", "seeds: []");
    seed_twice: with("seeds: 3", "seeds: [1, 2, 1]");
    seed_of_text: with("seeds: 3", "seeds: [1, \"two\"]");
    no_name: with("\"good\"", "\"\"");

    entries_not_a_list: with("[random()]", "random()");
    no_entries: with("[random()]", "[]");
    entry_of_text: with("[random()]", "[\"random\"]");
    entry_with_unknown_field: with("[random()]", "[Entry(lable: \"a\", all: random())]");
    entry_with_all_and_players: with("[random()]", "[Entry(all: random(), players: [random(), random()])]");
    entry_with_nobody: with("[random()]", "[Entry(label: \"nobody\")]");
    players_not_a_list: with("[random()]", "[Entry(players: random())]");
    too_many_players: with("[random()]", "[Entry(players: [random(), random(), random()])]");
    no_players: with("[random()]", "[Entry(players: [])]");
    one_label_twice: with("[random()]", "[\n        random(),\n        random(),\n    ]");
    one_long_label_twice: with("[random()]", &format!("[{0}, {0}]", format!("Entry(label: \"{}\", all: random())", "long ".repeat(20))));
    labels_that_share_a_folder: with("[random()]", "[Entry(label: \"a b\", all: random()), Entry(label: \"A-B\", all: random())]");
    empty_label: with("[random()]", "[Entry(label: \"\", all: random())]");
    entry_without_a_game: with("    game: max_of_two(version: printed),\n", "");

    grid_without_its_parts: with("[random()]", "[Grid(label: \"a\"), Grid(all: random()), Grid(lable: \"b\", all: random(), over: {\"x\": [1]})]");
    grid_over_no_map: with("[random()]", "[Grid(all: random(), over: [1, 2])]");
    grid_of_too_many_cells: with("[random()]", &format!("[Grid(all: random(), over: {{\"a\": {0}, \"b\": {0}}})]", "[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33]"));
    grid_over_nothing: with("[random()]", "[Grid(all: random(), over: {})]");
    grid_over_names_without_quotation_marks: with("[random()]", "[Grid(all: random(), over: {noise: [1, 2]})]");
    grid_over_what_is_no_list_or_empty_or_twice: with("[random()]", "[Grid(all: random(), over: {\n        \"a\": 1,\n        \"b\": [],\n        \"c\": [1e-3, 2, 0.001],\n        \"c\": [1],\n    })]");
    grid_over_a_parameter_that_is_not_there: with("[random()]", "[Grid(all: random(), over: {\"noise\": [1, 2, 3]})]");
    grid_with_a_mistake_in_what_its_cells_share: with("[random()]", "[Grid(all: random(noise: 1), over: {\"noise\": [1, 2]})]");

    unknown_algorithm: with("random()", "randon()");
    unknown_algorithm_far_from_all: with("random()", "gradient_descent(rate: 0.1)");
    unknown_game: with("max_of_two(version: printed)", "max_of_tow(version: printed)");
    algorithm_parameter_that_is_not_there: with("random()", "random(noise: 0.1)");
    game_parameter_misspelt: with("version: printed", "verison: printed");
    game_without_parameters: with("max_of_two(version: printed)", "wolf(payoff: 3)");
    game_parameter_twice: with("version: printed", "version: printed, version: unsquared");
    game_parameter_without_a_name: with("max_of_two(version: printed)", "max_of_two(printed)");
    game_that_is_text: with("max_of_two(version: printed)", "\"max_of_two\"");
    choice_misspelt: with("version: printed", "version: prnted");
    number_for_a_choice: with("version: printed", "version: 1");
    choice_as_text: with("version: printed", "version: \"printed\"");
    text_for_a_parameter: with("max_of_two(version: printed)", "quadratic(target: \"high\")");
    text_for_a_parameter_lines_below: with("max_of_two(version: printed)", "sequential_max_of_two(\n        version: printed, // as the paper has it\n        reach: \"far\",\n    )");
    list_for_a_parameter: with("max_of_two(version: printed)", "quadratic(target: [1.0, 2.0])");
    refused_by_the_game: with("max_of_two(version: printed)", "quadratic(target: 99)");
    refused_by_another_game: with("max_of_two(version: printed)", "sequential_max_of_two(reach: -1)");
    in_an_entrys_own_game: with("[random()]", "[\n        random(),\n        Entry(label: \"far\", all: random(), game: quadratic(target: 99)),\n    ]");

    columns_behind_other_scripts: with("\"good\"", "\"größer als 1 – 良い\", episodes: no");
    several_mistakes: "Run(\n    nmae: \"several\",\n    seeds: [1, 1],\n    episodes: 0,\n    steps: \"five\",\n    game: max_of_two(),\n    entries: [],\n)\n";
    mistakes_in_fields_and_in_plugins: with("episodes: 4", "episodes: \"four\"").replace("version: printed", "version: prnted");
    several_mistakes_in_one_algorithm_or_game: with("max_of_two(version: printed)", "sequential_max_of_two(version: 1, reech: 3, reach: \"far\")");
    several_mistakes_in_plugins: with("[random()]", "[\n        randon(),\n        Entry(label: \"a\", all: random(noise: 1), game: wolf(p: 1)),\n        Entry(label: \"b\", players: [random()]),\n    ]");

    set_without_a_value: GOOD, &["--set", "episodes"];
    set_of_a_path_that_leads_nowhere: GOOD, &["--set", "gmae.version=unsquared"];
    set_of_an_entry_that_is_not_there: GOOD, &["--set", "entries.3.noise=1"];
    set_below_a_number: GOOD, &["--set", "episodes.x=1"];
    set_of_an_unknown_field: GOOD, &["--set", "episode=1"];
    set_of_a_wrong_value: GOOD, &["--set", "episodes=many"];
    set_of_a_wrong_parameter: GOOD, &["--set", "game.version=square"];
    set_that_breaks_the_file: GOOD, &["--set", "game.version=printed)"];
    set_in_a_broken_file: with("[random()],\n)", "[random()\n)"), &["--set", "episodes=1"];
    seeds_that_are_none: GOOD, &["--seeds", "few"];
    seeds_backwards: GOOD, &["--seeds", "5..3"];
    seeds_twice: GOOD, &["--seeds", "1,2,1"];
    seeds_without_end: GOOD, &["--seeds", "5..18446744073709551615"];
    more_seeds_than_can_be_played: with("seeds: 3", "seeds: 18446744073709551615");
}

/// What the program says of the good file with another entry, with every plugin that the workspace has: those that carry
/// networks find libtorch from their own folder.
fn refused_by_a_model(entry: &str) -> String {
    let home = Home::new();
    fs::write(home.path("bad.ron"), with("random()", entry)).unwrap();
    let mut program = Command::new(env!("CARGO_BIN_EXE_equiflow"));
    let output = program.args(["check", "bad.ron"]).current_dir(home.path("")).env_remove("EQUIFLOW_PLUGINS").output();
    let output = output.unwrap();
    assert_eq!((output.status.code(), &output.stdout[..]), (Some(2), &b""[..]));
    String::from_utf8(output.stderr).unwrap()
}

/// Mistakes inside of an algorithm's opponent model are shown where they stand.
#[test]
fn mistakes_in_opponent_models() {
    let said = [
        "gpi(opponent_model: variational(rewrd: observed))",
        "gpi(\n        batch: 32,\n        opponent_model: variational(\n            reward: obsrved,\n        ),\n    )",
        "gpi(opponent_model: variatonal())",
        "gpi(opponent_model: variational(smoothing: 2.0))",
        "gpi(opponent_model: variational(reward: own_value, fit: reverse_kl))",
        "gpi(opponent_model: variational(hidden: 32))",
        "gpi(opponent_model: 3)",
        "gpi(opponent_modl: exact())",
    ]
    .map(refused_by_a_model);
    insta::assert_snapshot!(said.join("\n----------\n"));
}

#[test]
fn missing_file() {
    let said = Home::new().run(&["run", "nowhere.ron"]);
    assert_eq!((said.code, said.out.as_str()), (Some(2), ""));
    insta::assert_snapshot!(said.err);
}

#[test]
fn a_folder() {
    let home = Home::new();
    fs::create_dir(home.path("runs")).unwrap();
    let said = home.run(&["check", "runs"]);
    assert_eq!((said.code, said.out.as_str()), (Some(2), ""));
    insta::assert_snapshot!(said.err);
}

#[test]
fn not_text() {
    let home = Home::new();
    fs::write(home.path("bad.ron"), [0x52, 0x75, 0x6e, 0xff, 0xfe]).unwrap();
    let said = home.run(&["check", "bad.ron"]);
    assert_eq!((said.code, said.out.as_str()), (Some(2), ""));
    insta::assert_snapshot!(said.err);
}

/// Every run file that the workspace ships, with every plugin that the workspace has.
#[test]
fn the_workspaces_own_run_files_are_well() {
    for folder in ["../runs", "../runs/bench"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
        let files = fs::read_dir(&folder).unwrap().map(|file| file.unwrap().path());
        let files: Vec<_> = files.filter(|file| file.extension().is_some_and(|end| end == "ron")).collect();
        assert!(!files.is_empty(), "no run files in {}", folder.display());
        for file in files {
            let output = Command::new(env!("CARGO_BIN_EXE_equiflow")).arg("check").arg(&file).output().unwrap();
            assert!(output.status.success(), "{}: {}", file.display(), String::from_utf8_lossy(&output.stderr));
        }
    }
}

/// Runs a file with a single thread; gives its folder of results.
fn results(home: &Home, args: &[&str]) -> PathBuf {
    let said = home.run(&[&["run", "--threads", "1"], args].concat());
    assert_eq!(said.code, Some(0), "{}", said.err);
    let last = said.out.lines().last().unwrap_or_default();
    home.path(last.strip_prefix("results in ").unwrap_or_else(|| panic!("{last}")))
}

#[test]
fn set_and_seeds_change_what_is_run() {
    let home = Home::new();
    fs::write(home.path("good.ron"), GOOD).unwrap();
    let set = |change: &'static str| ["--set", change];
    let changes = [set("episodes=2"), set("game.version=unsquared"), set("entries.0=Entry(label: \"r\", all: random)")];
    let folder = results(&home, &[&["good.ron", "--seeds", "5..7"], &*changes.concat()].concat());
    insta::assert_snapshot!(fs::read_to_string(folder.join("run.ron")).unwrap());
    let metrics = fs::read_to_string(folder.join("metrics.csv")).unwrap();
    let seeds: std::collections::BTreeSet<_> =
        metrics.lines().skip(1).map(|line| line.split(',').nth(4).unwrap()).collect();
    assert_eq!(seeds.into_iter().collect::<Vec<_>>(), ["5", "6"]);
}

/// What a folder of results keeps of its run file says everything: it can be run again, for the same numbers.
#[test]
fn the_resolved_run_file_gives_the_same_numbers() {
    let home = Home::new();
    let game = "game: sequential_max_of_two(reach: 0.1)";
    let text = with("game: max_of_two(version: printed)", game);
    let label = "Entry(label: \"a \\\"quoted\\\" label, ünïcode\", players: [random(), random])";
    fs::write(home.path("good.ron"), text.replace("random()", &format!("random(), {label}"))).unwrap();
    let first = results(&home, &["good.ron", "--set", "instances=3", "--set", "lane_width=2", "--set", "seed=9"]);
    let resolved = first.join("run.ron");
    let second = results(&home, &[resolved.to_str().unwrap()]);
    let read = |folder: &Path, file: &str| fs::read_to_string(folder.join(file)).unwrap();
    assert_eq!(read(&first, "run.ron"), read(&second, "run.ron"));
    assert!(read(&first, "metrics.csv").lines().count() > 100);
    assert!(read(&first, "metrics.csv") == read(&second, "metrics.csv"), "the numbers differ");
}

#[test]
fn a_mistake_in_one_file_does_not_hide_the_others() {
    let home = Home::new();
    fs::write(home.path("good.ron"), GOOD).unwrap();
    fs::write(home.path("one.ron"), with("episodes: 4", "episodes: 0")).unwrap();
    fs::write(home.path("two.ron"), with("max_of_two(", "max_of_tow(")).unwrap();
    let said = home.run(&["check", "one.ron", "good.ron", "two.ron"]);
    assert_eq!(said.code, Some(2));
    assert_eq!(said.out, "good.ron: all well; 1 entries x 3 seeds x 4 episodes x 5 steps\n");
    assert!(said.err.contains("[one.ron:4:15]") && said.err.contains("[two.ron:6:11]"), "{}", said.err);
    assert!(said.err.ends_with("2 mistakes found\n"), "{}", said.err);
}

#[test]
fn a_comment_at_the_end_and_a_byte_order_mark_are_no_mistakes() {
    let home = Home::new();
    fs::write(home.path("good.ron"), format!("\u{feff}// First.\n{GOOD}// Last, without a line's end")).unwrap();
    let said = home.run(&["check", "good.ron"]);
    assert_eq!(said.code, Some(0), "{}", said.err);
}

#[test]
fn an_episode_that_is_too_short_for_the_game() {
    let home = Home::new();
    let plugin = built("routing");
    fs::copy(&plugin, home.programs().join(plugin.file_name().unwrap())).unwrap();
    let game = |name: &str| with("max_of_two(version: printed)", &format!("routing(network: {name})"));
    fs::write(home.path("bad.ron"), game("braess").replace("steps: 5", "steps: 2")).unwrap();
    let said = home.run(&["check", "bad.ron"]);
    assert_eq!(said.code, Some(2), "{}", said.err);
    insta::assert_snapshot!(said.err);
    fs::write(home.path("good.ron"), game("braess")).unwrap();
    assert_eq!(home.run(&["check", "good.ron"]).code, Some(0));
    fs::write(home.path("huge.ron"), game("layered(width: 1000000, depth: 1000000)")).unwrap();
    assert_eq!(home.run(&["check", "huge.ron"]).code, Some(2));
}
