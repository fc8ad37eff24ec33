//! The program as a whole: exit codes, results that nothing overwrites, numbers that depend on nothing but the run file,
//! and a clean end by Ctrl-C.
#![expect(clippy::unwrap_used, reason = "what cannot be had fails the test")]

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use common::{Home, Said, built};

const RUN: &str = r#"Run(
    name: "a run",
    seeds: 3,
    episodes: 6,
    steps: 5,
    instances: 2,
    evaluate: (every: 2),
    game: sequential_max_of_two(),
    entries: [random()],
)
"#;

/// A home with the run file `run.ron`.
fn home(text: &str) -> Home {
    let home = Home::new();
    fs::write(home.path("run.ron"), text).unwrap();
    home
}

fn done(said: &Said) {
    assert_eq!(said.code, Some(0), "{said:?}");
}

/// All folders of results, oldest name first.
fn results(home: &Home) -> Vec<PathBuf> {
    let folders =
        fs::read_dir(home.path("results/a-run")).map(|files| files.map(|file| file.unwrap().path()).collect());
    let mut folders: Vec<_> = folders.unwrap_or_default();
    folders.sort();
    folders
}

/// `metrics.csv` of the only run.
fn metrics(home: &Home) -> String {
    let [folder] = &results(home)[..] else { panic!("{:?}", results(home)) };
    fs::read_to_string(folder.join("metrics.csv")).unwrap()
}

/// The metrics of a run file, run with these options.
fn metrics_of(text: &str, options: &[&str]) -> String {
    let home = home(text);
    done(&home.run(&[&["run", "run.ron"], options].concat()));
    metrics(&home)
}

/// The lines of one entry and one seed.
fn rows<'a>(metrics: &'a str, entry: &str, seed: &str) -> Vec<&'a str> {
    let of = |line: &&str| {
        let cells: Vec<_> = line.split(',').collect();
        cells[0] == entry && cells[4] == seed
    };
    metrics.lines().filter(of).collect()
}

#[test]
fn exit_codes() {
    let home = home(RUN);
    // 0: done.
    let said = home.run(&["run", "run.ron"]);
    done(&said);
    assert!(said.out.contains("final return") && said.out.contains("results in "), "{}", said.out);
    for args in [&["list"][..], &["doctor"], &["check", "run.ron"], &["describe", "max_of_two"], &["--version"]] {
        done(&home.run(args));
    }
    // 1: some part failed.
    fs::write(home.programs().join("libbroken.so"), "").unwrap();
    for args in [["list"], ["doctor"]] {
        assert_eq!(home.run(&args).code, Some(1), "{args:?}");
    }
    // 2: bad input.
    for args in [
        &["run", "nowhere.ron"][..],
        &["run"],
        &["run", "run.ron", "--threads", "0"],
        &["check", "nowhere.ron"],
        &["describe", "max_of_tow"],
        &["dance"],
        &["check", "run.ron", "--plugins", "nowhere"],
        &["solve", "run.ron", "--out", "run.ron/x"],
        &["verify", "thm-4.2", "--json", "nowhere/x.json"],
        &[],
    ] {
        assert_eq!(home.run(args).code, Some(2), "{args:?}");
    }
    // A file stands where the folder of results would be made.
    let said = home.run(&["run", "run.ron", "--out", "run.ron"]);
    assert_eq!(said.code, Some(2));
    assert!(said.err.contains("no folder for the results can be made in `run.ron`"), "{}", said.err);
    assert!(said.err.contains("help: name a folder that can be written with --out"), "{}", said.err);
}

#[test]
fn results_never_overwrite_earlier_ones() {
    let home = home(RUN);
    done(&home.run(&["run", "run.ron"]));
    let read = |folder: &Path| {
        let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
        files.retain(|file| file.is_file());
        files.sort();
        files.into_iter().map(|file| (fs::read(&file).unwrap(), file)).collect::<Vec<_>>()
    };
    let first = results(&home).remove(0);
    let before = read(&first);
    // At once, so that most of them fall into the same second.
    let run = || home.equiflow(&["run", "run.ron"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let children: Vec<_> = (0..4).map(|_| run()).collect();
    for mut child in children {
        assert_eq!(child.wait().unwrap().code(), Some(0));
    }
    let folders = results(&home);
    assert_eq!(folders.len(), 5, "{folders:?}");
    assert!(read(&first) == before, "a later run has changed the files of the first");
    let numbers: BTreeSet<_> = folders.iter().map(|folder| fs::read(folder.join("metrics.csv")).unwrap()).collect();
    assert_eq!(numbers.len(), 1, "runs at the same time have disturbed each other's numbers");
    for folder in folders {
        let manifest: serde_json::Value =
            serde_json::from_slice(&fs::read(folder.join("manifest.json")).unwrap()).unwrap();
        assert_eq!(manifest["outcome"], "done");
        assert_eq!(manifest["id"], folder.file_name().unwrap().to_str().unwrap());
    }
}

#[test]
fn the_same_run_gives_the_same_bytes_on_any_number_of_threads() {
    let first = metrics_of(RUN, &["--threads", "1"]);
    // 3 seeds x (2 players: 6 episodes, and 4 evaluations with three figures each; one NashConv per evaluation).
    assert_eq!(first.lines().count(), 1 + 3 * (2 * (6 + 4 * 3) + 4));
    assert!(first == metrics_of(RUN, &["--threads", "1"]), "the same run again gave other numbers");
    assert!(first == metrics_of(RUN, &["--threads", "2"]), "two threads gave other numbers than one");
    assert!(first != metrics_of(RUN, &["--set", "seed=1"]), "the run's seed changes nothing");
}

#[test]
fn another_entry_or_seed_changes_no_numbers_of_the_others() {
    let alone = metrics_of(RUN, &["--seeds", "1"]);
    let other = "Entry(label: \"other\", all: random(), game: max_of_two())";
    // Before and behind it, so that neither its number in the list nor its entities are the same.
    let entries = format!("[{other}, random(), {}]", other.replace("other", "third"));
    let beside = metrics_of(&RUN.replace("[random()]", &entries), &["--seeds", "3,0,7"]);
    let wide = metrics_of(&RUN.replace("[random()]", &entries), &["--seeds", "3,0,7", "--set", "lane_width=3"]);
    let mine = rows(&alone, "random", "0");
    assert_eq!(mine.len(), 2 * (6 + 4 * 3) + 4);
    assert_eq!(mine, rows(&beside, "random", "0"));
    assert_eq!(mine, rows(&wide, "random", "0"), "in a lane with other seeds");
    assert!(!rows(&beside, "other", "7").is_empty());
    let values = |rows: &[&str]| rows.iter().map(|row| row.rsplit(',').next().unwrap().to_owned()).collect::<Vec<_>>();
    assert_ne!(values(&mine), values(&rows(&beside, "random", "3")), "two seeds have the same numbers");
}

#[test]
fn ctrl_c_ends_a_run_cleanly() {
    let home = home(&RUN.replace("episodes: 6", "episodes: 1000000000"));
    let mut run = home.equiflow(&["run", "run.ron"]);
    let child = run.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // Until it is under way: rows behind the first evaluation.
    let under_way = || {
        let folder = results(&home).pop()?;
        let text = fs::read_to_string(folder.join("metrics.csv")).ok()?;
        (text.lines().count() > 100).then_some(())
    };
    let waited = (0..6000).any(|_| {
        std::thread::sleep(Duration::from_millis(10));
        under_way().is_some()
    });
    assert!(waited, "the run has written nothing for a minute");
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    let (out, err) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert_eq!(output.status.code(), Some(1), "{err}");
    assert!(err.contains("stopping after the present steps; press Ctrl-C again to stop at once"), "{err}");
    assert!(err.contains("interrupted after "), "{err}");
    // The table of what there is by then.
    assert!(out.contains("final return") && out.contains("random") && out.contains("results in "), "{out}");
    let metrics = metrics(&home);
    assert!(metrics.ends_with('\n') && metrics.lines().all(|line| line.split(',').count() == 9), "a line is cut");
    let episodes: Vec<u64> =
        metrics.lines().skip(1).map(|line| line.split(',').nth(5).unwrap().parse().unwrap()).collect();
    let last = episodes.iter().max().unwrap();
    // Every seed and player has its row of the last episode.
    let of_the_last = metrics.lines().filter(|line| {
        let cells: Vec<_> = line.split(',').collect();
        cells[5] == last.to_string() && cells[7] == "sampled_return"
    });
    assert_eq!(of_the_last.count(), 3 * 2);
    let folder = results(&home).remove(0);
    let manifest: serde_json::Value = serde_json::from_slice(&fs::read(folder.join("manifest.json")).unwrap()).unwrap();
    assert_eq!(manifest["outcome"], "interrupted");
    assert!(manifest["finished"].is_object());
    for file in ["summary.md", "learning_curve.svg", "run.ron"] {
        assert!(folder.join(file).is_file(), "{file}");
    }
}

#[test]
fn the_log_as_json_is_json() {
    let said = home(RUN).run(&["run", "run.ron", "--log", "json"]);
    done(&said);
    let lines: Vec<serde_json::Value> =
        said.err.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"))).collect();
    let last = lines.last().expect("a run says at least how it ended");
    assert_eq!(
        (last["entry"].as_str(), last["episode"].as_u64(), last["of"].as_u64()),
        (Some("random"), Some(6), Some(6))
    );
    assert!(last["mean_action_return"].is_f64(), "{last}");
}

/// Only what a run needs is loaded: looking at the list costs reading a few sections, not libtorch.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[test]
fn plugins_are_loaded_only_when_a_run_needs_them() {
    let home = home(RUN);
    // The dynamic loader's own account of what it opens.
    let opened = |args: &[&str]| {
        let mut command = home.equiflow(args);
        let output = command.env("LD_DEBUG", "files").output().unwrap();
        assert!(output.status.success());
        let text = String::from_utf8(output.stderr).unwrap();
        ["libequiflow", "libdifferential", "librandom", "libtorch"]
            .map(|library| text.contains(&format!("file={library}")) || text.contains(&format!("/{library}.so")))
    };
    assert_eq!(opened(&["list"]), [true, false, false, false]);
    assert_eq!(opened(&["describe", "max_of_two"]), [true, true, false, false]);
    assert_eq!(opened(&["check", "run.ron"]), [true, true, true, false]);
}

#[test]
fn verify_tells_verdicts_and_knows_its_statements() {
    let home = Home::new();
    let said = home.run(&["verify", "thm-4.2", "--json", "-"]);
    done(&said);
    let findings: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!((&findings[0]["statement"], &findings[0]["verdict"]), (&"thm-4.2".into(), &"fails".into()));
    let said = home.run(&["verify", "THM-4.2", "--markdown", "out.md"]);
    done(&said);
    assert!(said.out.contains("**As printed: fails.**") && said.out.contains("least summed KL 0.117783"), "{said:?}");
    assert!(fs::read_to_string(home.path("out.md")).unwrap().contains("## thm-4.2: Existence of a flow equilibrium"));
    let said = home.run(&["verify", "thm-4.4", "monotne"]);
    assert_eq!(said.code, Some(2));
    assert!(
        said.err.contains("there is no statement `monotne`; did you mean `monotone`? statements are: eq-1"),
        "{said:?}"
    );
    assert!(said.err.contains("there is no statement `thm-4.4`; did you mean"), "{said:?}");
}

#[test]
fn the_end_is_evaluated_however_often_evaluations_are() {
    let metrics = metrics_of(RUN, &["--set", "evaluate.every=4"]);
    let evaluated = metrics.lines().filter(|line| line.contains(",mean_action_return,"));
    let episodes: BTreeSet<_> = evaluated.map(|line| line.split(',').nth(5).unwrap()).collect();
    assert_eq!(episodes.into_iter().collect::<Vec<_>>(), ["0", "4", "6"]);
}

#[test]
fn a_long_label_and_a_long_name_have_short_files() {
    let home = home(&RUN.replace("random()", &format!("Entry(label: \"{}\", all: random())", "long ".repeat(100))));
    done(&home.run(&["run", "run.ron"]));
    let [folder] = &results(&home)[..] else { panic!("{:?}", results(&home)) };
    assert!(folder.join("tensorboard/entry-1").is_dir());
    let name = "name=\"".to_owned() + &"long ".repeat(100) + "\"";
    done(&home.run(&["run", "run.ron", "--set", &name]));
    assert!(home.path("results/run").is_dir());
}

/// What programs of other frameworks print of the same work: a line that one script reads.
#[test]
fn bench_counts_the_updates_of_all_agents_and_seeds() {
    let home = home(
        "Run(name: \"a run\", seeds: 5, episodes: 6, steps: 5, evaluate: (every: 6), game: prisoners_dilemma(), entries: [
             vpg(values: sampled, batch: 8, learn_every: 2)])",
    );
    for plugin in [built("matrix"), built("vpg")] {
        fs::copy(&plugin, home.programs().join(plugin.file_name().unwrap())).unwrap();
    }
    let said = home.run(&["bench", "run.ron", "--seeds", "3", "--reps", "2", "--set", "entries.0.batch=4"]);
    done(&said);
    let line = said.out.lines().find_map(|line| line.strip_prefix("RESULT ")).unwrap_or_else(|| panic!("{said:?}"));
    let figures: serde_json::Value = serde_json::from_str(line).unwrap();
    // Two players, three seeds, an update in every second of 30 steps.
    assert_eq!(figures["updates"], 2 * 3 * 15, "{line}");
    assert_eq!((&figures["batch"], &figures["seeds"], &figures["steps"]), (&4.into(), &3.into(), &30.into()), "{line}");
    assert_eq!(figures["runs"].as_array().map(Vec::len), Some(2), "{line}");
    assert!(figures["ups"].as_f64().unwrap() > 0.0 && figures["ret"].as_f64().unwrap() < 10.0, "{line}");
    assert!(results(&home).is_empty(), "a timing leaves no results");
    let said = home.run(&["bench", "missing.ron"]);
    assert_eq!(said.code, Some(2), "{said:?}");
}

/// `exact` models have nothing to read of a player at random: both seeds are lost when VPG first learns.
#[test]
fn a_run_ends_when_no_seed_is_left() {
    let home = home(
        "Run(name: \"a run\", seeds: 2, episodes: 1000, steps: 5, evaluate: (every: 1000), game: prisoners_dilemma(),
             entries: [Entry(label: \"lost\", players: [vpg(), random()])])",
    );
    for plugin in [built("matrix"), built("vpg")] {
        fs::copy(&plugin, home.programs().join(plugin.file_name().unwrap())).unwrap();
    }
    let said = home.run(&["run", "run.ron", "--threads", "1"]);
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.err.contains("publishes no policies") && !said.err.contains("interrupted"), "{}", said.err);
    let [folder] = &results(&home)[..] else { panic!("{:?}", results(&home)) };
    let manifest = fs::read_to_string(folder.join("manifest.json")).unwrap();
    assert!(manifest.contains("\"outcome\": \"failed\""), "{manifest}");
    let last = metrics(&home).lines().filter_map(|line| line.split(',').nth(5)?.parse::<u32>().ok()).max();
    assert!(last < Some(1000), "it went on to episode {last:?}");
    let said = home.run(&["bench", "run.ron"]);
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.out.contains("\"failed_seeds\":2"), "{}", said.out);
}

#[test]
fn a_profile_changes_no_number_and_is_kept_in_the_report() {
    let plain = metrics_of(RUN, &[]);
    let home = home(RUN);
    let said = home.run(&["run", "run.ron", "--profile"]);
    done(&said);
    assert_eq!(metrics(&home), plain);
    let [folder] = &results(&home)[..] else { panic!("{:?}", results(&home)) };
    let summary: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(folder.join("summary.json")).unwrap()).unwrap();
    let stages = summary["profile"]["stages"].as_array().unwrap();
    let seconds = |name: &str| stages.iter().find(|stage| stage["name"] == name).unwrap()["seconds"].as_f64().unwrap();
    assert!(seconds("Play") > 0.0 && seconds("Evaluate") > 0.0, "{stages:?}");
    assert!(said.out.contains("Play") && said.out.contains("share"), "{said:?}");
    assert!(fs::read_to_string(folder.join("summary.md")).unwrap().contains("## Where the time went"));
}

/// What a shell says of a line in which `$EQUIFLOW` is the program.
#[cfg(unix)]
fn shell(home: &Home, line: &str) -> Said {
    let mut command = Command::new("sh");
    command.args(["-c", line]).env("EQUIFLOW", home.programs().join("equiflow")).current_dir(home.path(""));
    common::said(command.env_remove("EQUIFLOW_PLUGINS").env_remove("RUST_BACKTRACE"))
}

#[test]
#[cfg(unix)]
fn a_run_of_many_seeds_needs_few_open_files() {
    let home = home(RUN);
    done(&shell(&home, "ulimit -n 64 && \"$EQUIFLOW\" run run.ron --seeds 100"));
    let [folder] = &results(&home)[..] else { panic!("{:?}", results(&home)) };
    let seeds = fs::read_dir(folder.join("tensorboard/random")).unwrap().count();
    assert_eq!(seeds, 100);
}

#[test]
#[cfg(unix)]
fn a_reader_who_has_seen_enough_is_no_mistake() {
    let home = home(RUN);
    for command in ["list", "run run.ron", "describe random", "verify --markdown report.md"] {
        let said = shell(&home, &format!("{{ \"$EQUIFLOW\" {command}; echo $? > code; }} | true"));
        assert!(!said.err.contains("panicked"), "{command}: {}", said.err);
        assert_eq!(fs::read_to_string(home.path("code")).unwrap().trim(), "0", "{command}: {}", said.err);
    }
}
