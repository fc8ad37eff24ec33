//! `equiflow doctor`: is everything there that a run needs? Loads every plugin to find out.

use std::path::Path;
use std::process::ExitCode;

use super::{Global, failed, print_problems};
use crate::app::App;
use crate::loader::Plugins;
use crate::plugin::BUILD_ID;

pub(super) fn doctor(global: &Global) -> ExitCode {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    say!("program    {}\n", std::env::current_exe().map_or("unknown".to_owned(), |path| path.display().to_string()));
    say!("framework  {BUILD_ID}\n");
    say!("machine    {} cores, {} {}\n", cores, std::env::consts::OS, std::env::consts::ARCH);
    say!("libtorch   {}\n", libtorch());
    let folders = Plugins::folders(&global.plugins);
    for folder in &folders {
        say!("plugins    searched for in {}\n", folder.display());
    }
    let mut plugins = Plugins::discover(&folders);
    let mut app = App::default();
    plugins.load_all(&mut app);
    for file in &plugins.files {
        say!("plugin     {} loads ({})\n", file.manifest.name, file.path.display());
    }
    print_problems(&plugins);
    if plugins.problems.is_empty() {
        say!("all well\n");
        ExitCode::SUCCESS
    } else {
        failed()
    }
}

/// Where libtorch is looked for: `.libtorch` in the checkout, two folders above the program.
fn libtorch() -> String {
    let program = std::env::current_exe().ok();
    let checkout = program.as_deref().and_then(|path| path.ancestors().nth(3)).unwrap_or(Path::new("."));
    let link = checkout.join(".libtorch");
    match link.canonicalize() {
        Ok(folder) if folder.join("lib").is_dir() => {
            let version = std::fs::read_to_string(folder.join("build-version")).unwrap_or_default();
            format!("{} {}", version.trim(), folder.display()).trim().to_owned()
        }
        _ => format!("none at {}; `cargo equiflow setup` fetches it, neural algorithms need it", link.display()),
    }
}
