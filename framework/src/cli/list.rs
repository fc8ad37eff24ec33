//! `equiflow list`: what there is, read from the plugin files without loading one.

use std::process::ExitCode;

use super::{Global, failed};

pub(super) fn list(global: &Global) -> ExitCode {
    let plugins = global.discover();
    say!("plugins\n");
    for file in &plugins.files {
        let manifest = &file.manifest;
        say!("  {:<24} {:<8} {}\n", manifest.name, manifest.version, manifest.about);
    }
    for (title, names) in [
        ("games", plugins.files.iter().map(|file| &file.manifest.games).collect::<Vec<_>>()),
        ("algorithms", plugins.files.iter().map(|file| &file.manifest.algorithms).collect()),
        ("opponent models", plugins.files.iter().map(|file| &file.manifest.opponent_models).collect()),
    ] {
        say!("\n{title}\n");
        let mut lines: Vec<_> = (plugins.files.iter().zip(names))
            .flat_map(|(file, names)| names.iter().map(|name| format!("  {name:<24} {}", file.manifest.name)))
            .collect();
        lines.sort();
        say!("{}\n", if lines.is_empty() { "  none".to_owned() } else { lines.join("\n") });
    }
    say!("\n`equiflow describe NAME` shows the parameters of any of them.\n");
    if plugins.problems.is_empty() { ExitCode::SUCCESS } else { failed() }
}
