//! Finds plugin files, reads what they say of themselves without running them, and loads those that are needed. A
//! plugin is never unloaded: the world holds its types. One of the three places with `unsafe`.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};

use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW, Symbol};
use object::{Object, ObjectSection, ReadCache};

use crate::app::App;
use crate::plugin::{BUILD_ID, MAGIC, Manifest, REGISTER, SECTION};
use crate::registry::{AlgorithmKind, GameKind, OpponentModelKind, Registry};
use crate::workers::fence;

/// A plugin file whose manifest has been read and that was built against this framework.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PluginFile {
    /// Where it is.
    pub path: PathBuf,
    /// What it says of itself.
    pub manifest: Manifest,
    loaded: bool,
}

impl PluginFile {
    /// Whether its code is in the program.
    pub fn is_loaded(&self) -> bool {
        self.loaded
    }
}

/// A file that could not be used as a plugin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where it is.
    pub path: PathBuf,
    /// What was found.
    pub what: String,
    /// What to do.
    pub help: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n    {}\n    help: {}", self.path.display(), self.what, self.help)
    }
}

/// Why a name could not be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Missing {
    /// No plugin brings it; these names there are.
    Unknown(Vec<String>),
    /// The plugin that brings it cannot be used.
    Broken(Box<Problem>),
}

/// All plugin files that were found.
#[derive(Clone, Debug, Default)]
pub struct Plugins {
    /// Those that can be used, by name.
    pub files: Vec<PluginFile>,
    /// Those that cannot, with the reason.
    pub problems: Vec<Problem>,
    /// What those would have brought whose manifest could be read but which could not be loaded.
    broken: Vec<(Manifest, Problem)>,
}

impl Plugins {
    /// Reads the manifests of all shared libraries in the folders. Nothing is loaded and no plugin's code runs.
    pub fn discover(folders: &[PathBuf]) -> Self {
        let mut plugins = Self::default();
        let mut paths = Vec::new();
        for folder in folders {
            match std::fs::read_dir(folder) {
                Ok(entries) => {
                    paths.extend(entries.flatten().map(|entry| entry.path()).filter(|path| is_candidate(path)))
                }
                Err(error) => plugins.problems.push(Problem {
                    path: folder.clone(),
                    what: format!("the folder cannot be searched for plugins: {error}"),
                    help: "name folders that exist in EQUIFLOW_PLUGINS".to_owned(),
                }),
            }
        }
        paths.sort();
        paths.dedup();
        for path in paths {
            match read_manifest(&path) {
                Ok(manifest) => plugins.files.push(PluginFile { path, manifest, loaded: false }),
                Err((what, help)) => plugins.problems.push(Problem { path, what, help: help.to_owned() }),
            }
        }
        plugins.files.sort_by(|a, b| a.manifest.name.cmp(&b.manifest.name));
        plugins.refuse_doubles();
        plugins
    }

    /// The folders that are searched: beside the program, then those given, then those of `EQUIFLOW_PLUGINS`.
    pub fn folders(given: &[PathBuf]) -> Vec<PathBuf> {
        let beside = std::env::current_exe().ok().and_then(|program| program.parent().map(Path::to_owned));
        let listed = std::env::var_os("EQUIFLOW_PLUGINS").unwrap_or_default();
        let listed = std::env::split_paths(&listed).filter(|path| !path.as_os_str().is_empty());
        let mut folders = Vec::new();
        for folder in beside.into_iter().chain(given.iter().cloned()).chain(listed) {
            let folder = folder.canonicalize().unwrap_or(folder);
            if !folders.contains(&folder) {
                folders.push(folder);
            }
        }
        folders
    }

    /// Two files that bring the same name are both refused: which one would win must not depend on chance.
    fn refuse_doubles(&mut self) {
        let mut owners: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (index, file) in self.files.iter().enumerate() {
            let manifest = &file.manifest;
            let games = manifest.games.iter().map(|name| format!("game `{name}`"));
            let algorithms = manifest.algorithms.iter().map(|name| format!("algorithm `{name}`"));
            let models = manifest.opponent_models.iter().map(|name| format!("opponent model `{name}`"));
            let mut names: Vec<_> = games.chain(algorithms).chain(models).collect();
            names.push(format!("plugin `{}`", manifest.name));
            for name in names {
                owners.entry(name).or_default().push(index);
            }
        }
        let mut refused = BTreeMap::new();
        // Of several names a file is refused for the last, which is its own: two copies of one plugin share them all.
        for (name, owners) in owners.into_iter().filter(|(_, owners)| owners.len() > 1) {
            for &index in &owners {
                let others = owners.iter().filter(|&&other| other != index);
                let others: Vec<_> = others.map(|&other| self.files[other].path.display().to_string()).collect();
                let (what, help) = if others.is_empty() {
                    (format!("it brings the {name} twice"), "rename one of them and build it again")
                } else {
                    let what = format!("the {name} is also in {}", others.join(", "));
                    (what, "remove one of the files, or rename what it brings")
                };
                let path = self.files[index].path.clone();
                refused.insert(index, Problem { path, what, help: help.to_owned() });
            }
        }
        for (index, problem) in refused.into_iter().rev() {
            self.files.remove(index);
            self.problems.push(problem);
        }
        self.problems.sort_by(|a, b| a.path.cmp(&b.path));
    }

    /// The game of that name; its plugin is loaded if it is not yet.
    ///
    /// # Errors
    /// There is none, or its plugin cannot be loaded.
    pub fn game(&mut self, app: &mut App, name: &str) -> Result<GameKind, Missing> {
        self.kind(app, name, "game", |registry| &registry.games, |manifest| &manifest.games)
    }

    /// The algorithm of that name; its plugin is loaded if it is not yet.
    ///
    /// # Errors
    /// There is none, or its plugin cannot be loaded.
    pub fn algorithm(&mut self, app: &mut App, name: &str) -> Result<AlgorithmKind, Missing> {
        self.kind(app, name, "algorithm", |registry| &registry.algorithms, |manifest| &manifest.algorithms)
    }

    /// The opponent model of that name; its plugin is loaded if it is not yet.
    ///
    /// # Errors
    /// There is none, or its plugin cannot be loaded.
    pub fn opponent_model(&mut self, app: &mut App, name: &str) -> Result<OpponentModelKind, Missing> {
        self.kind(
            app,
            name,
            "opponent model",
            |registry| &registry.opponent_models,
            |manifest| &manifest.opponent_models,
        )
    }

    fn kind<K: Copy>(
        &mut self,
        app: &mut App,
        name: &str,
        what: &str,
        registered: impl Fn(&Registry) -> &BTreeMap<&'static str, K>,
        brought: impl Fn(&Manifest) -> &Vec<String>,
    ) -> Result<K, Missing> {
        let brings = |manifest: &Manifest| brought(manifest).iter().any(|own| own == name);
        if let Some((_, problem)) = self.broken.iter().find(|(manifest, _)| brings(manifest)) {
            return Err(Missing::Broken(Box::new(problem.clone())));
        }
        if !registered(app.registry()).contains_key(name) {
            self.load_with(app, brings)?;
        }
        if let Some(kind) = registered(app.registry()).get(name) {
            return Ok(*kind);
        }
        if let Some(file) = self.files.iter().find(|file| brings(&file.manifest)) {
            return Err(Missing::Broken(Box::new(Problem {
                path: file.path.clone(),
                what: format!("names the {what} `{name}` in its manifest but does not register it"),
                help: "this is a bug of the plugin: let `export_plugin!` write both".to_owned(),
            })));
        }
        let own = registered(app.registry()).keys().map(|name| (*name).to_owned());
        let mut names: Vec<_> = own.chain(self.files.iter().flat_map(|file| brought(&file.manifest).clone())).collect();
        names.sort();
        names.dedup();
        Err(Missing::Unknown(names))
    }

    fn load_with(&mut self, app: &mut App, brings: impl Fn(&Manifest) -> bool) -> Result<(), Missing> {
        let Some(index) = self.files.iter().position(|file| !file.loaded && brings(&file.manifest)) else {
            return Ok(());
        };
        match load(&self.files[index].path, app) {
            Ok(()) => {
                self.files[index].loaded = true;
                Ok(())
            }
            Err(problem) => {
                let file = self.files.remove(index);
                self.broken.push((file.manifest, problem.clone()));
                self.problems.push(problem.clone());
                Err(Missing::Broken(Box::new(problem)))
            }
        }
    }

    /// Loads every plugin; those that fail become [`Plugins::problems`].
    pub fn load_all(&mut self, app: &mut App) {
        while let Some(name) = self.files.iter().find(|file| !file.loaded).map(|file| file.manifest.name.clone()) {
            // Its failure is kept among the problems.
            let _ = self.load_with(app, |manifest| manifest.name == name);
        }
    }
}

/// Whether a file could be a plugin: a shared library other than the framework itself.
fn is_candidate(path: &Path) -> bool {
    let own = format!("{}equiflow{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.ends_with(std::env::consts::DLL_SUFFIX) && name != own.as_str()
}

/// Reads the manifest from the file's section. Errors are what was found and what to do.
fn read_manifest(path: &Path) -> Result<Manifest, (String, &'static str)> {
    const FOREIGN: &str = "move it out of the plugin folder, or make it a plugin with `export_plugin!`";
    const DAMAGED: &str = "delete it, or build the plugin again";
    const OTHER: &str = "build it in the same workspace (`cargo equiflow list` builds all), or delete the file";
    let file = File::open(path).map_err(|error| {
        let denied = error.kind() == std::io::ErrorKind::PermissionDenied;
        (format!("cannot be opened: {error}"), if denied { "check its permissions" } else { DAMAGED })
    })?;
    match file.metadata() {
        Ok(facts) if facts.is_dir() => return Err(("is a folder".to_owned(), "move it out of the plugin folder")),
        Ok(facts) if facts.len() == 0 => return Err(("is empty".to_owned(), DAMAGED)),
        _ => {}
    }
    let cache = ReadCache::new(file);
    let library = object::File::parse(&cache)
        .map_err(|error| (format!("is not a shared library, or a damaged one: {error}"), DAMAGED))?;
    let section = library.section_by_name(SECTION).ok_or_else(|| {
        (format!("is a shared library, but not an Equiflow plugin: it has no section `{SECTION}`"), FOREIGN)
    })?;
    let bytes = section.data().map_err(|error| (format!("its section `{SECTION}` is damaged: {error}"), DAMAGED))?;
    let text = std::str::from_utf8(bytes).unwrap_or_default();
    let format = text.lines().next().unwrap_or_default();
    if format != MAGIC && format.starts_with("equiflow plugin ") {
        return Err((format!("its manifest is of the format `{format}`, this program reads `{MAGIC}`"), OTHER));
    }
    let manifest = Manifest::parse(text);
    let manifest = manifest.ok_or_else(|| {
        (format!("its section `{SECTION}` holds no plugin manifest that this program can read"), DAMAGED)
    })?;
    if manifest.build != BUILD_ID {
        let what = format!(
            "the plugin `{}` was built against framework {}, this program is {BUILD_ID}",
            manifest.name, manifest.build
        );
        return Err((what, OTHER));
    }
    Ok(manifest)
}

/// Loads the library and lets it register what it has.
#[expect(unsafe_code, reason = "loading a library and calling into it is what this file is for")]
fn load(path: &Path, app: &mut App) -> Result<(), Problem> {
    let problem = |what: String, help: &str| Problem { path: path.to_owned(), what, help: help.to_owned() };
    // SAFETY: the file's manifest was read and says that it was built against this very framework by the same
    // compiler; such a library has no start-up code beyond that of the libraries it names.
    let library = unsafe { Library::open(Some(path), RTLD_NOW | RTLD_LOCAL) }.map_err(|error| {
        let help = "build the workspace again (`cargo equiflow list` does); where a library is missing, `equiflow doctor` says where libtorch is looked for";
        problem(format!("cannot be loaded: {}", chain(&error)), help)
    })?;
    // SAFETY: `export_plugin!` gives the function this type, and the build id says that the types are the same.
    let register: Result<Symbol<fn(&mut App)>, _> = unsafe { library.get(REGISTER) };
    let register = register
        .map(|symbol| *symbol)
        .map_err(|_| problem(format!("has a manifest but no function `{REGISTER}`"), "build it with `export_plugin!`"));
    // Never unloaded: the world is going to hold its types and systems.
    std::mem::forget(library);
    let register = register?;
    fence(|| app.add_plugin(register)).map(|_| ()).map_err(|what| {
        problem(format!("{what} while registering"), "this is a bug of the plugin: mend it, or remove the file")
    })
}

/// An error with all its causes: the loader's own words say only that it failed.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source()).map(ToString::to_string);
    causes.collect::<Vec<_>>().join(": ")
}
