//! What a plugin is: a shared library that says in a section of its file what it brings and which framework it was
//! built against, and has a function that registers it. [`export_plugin!`](crate::export_plugin!) writes both; the
//! [`loader`](crate::loader) reads them.

/// The framework that this code was compiled against: compiler, target, profile, sources.
pub const BUILD_ID: &str = env!("EQUIFLOW_BUILD_ID");

/// The first line of a manifest.
pub const MAGIC: &str = "equiflow plugin 1";

/// The section of the shared library that holds the manifest.
pub const SECTION: &str = if cfg!(target_os = "macos") { "__equiflow" } else { ".equiflow" };

/// The name of the function that registers a plugin.
pub const REGISTER: &str = "equiflow_register";

/// Length of the parts side by side.
#[doc(hidden)]
pub const fn length(parts: &[&str]) -> usize {
    let (mut total, mut i) = (0, 0);
    while i < parts.len() {
        total += parts[i].len();
        i += 1;
    }
    total
}

/// The parts side by side; `N` is their [`length`].
#[doc(hidden)]
pub const fn join<const N: usize>(parts: &[&str]) -> [u8; N] {
    let mut out = [0; N];
    let (mut at, mut i) = (0, 0);
    while i < parts.len() {
        let part = parts[i].as_bytes();
        let mut k = 0;
        while k < part.len() {
            out[at] = part[k];
            at += 1;
            k += 1;
        }
        i += 1;
    }
    out
}

/// Makes a crate a plugin: says what games, algorithms and opponent models it brings, under the names that run files use.
/// What it registers, `also` included, is registered once in every world of a run.
///
/// ```ignore
/// equiflow::export_plugin! {
///     games { pennies: Pennies }
/// }
/// equiflow::export_plugin! {
///     algorithms { ddpg: Ddpg }
///     also |app| { app.systems(Step, |step| { step.add_systems(watch.in_set(StepSystems::Last)); }); }
/// }
/// ```
#[macro_export]
macro_rules! export_plugin {
    (
        $(games { $($game:ident: $Game:ty),* $(,)? })?
        $(algorithms { $($algorithm:ident: $Algorithm:ty),* $(,)? })?
        $(opponent_models { $($model:ident: $Model:ty),* $(,)? })?
        $(also $also:expr)?
    ) => {
        #[allow(unsafe_code, reason = "the loader finds the manifest by its section and the function by its name")]
        const _: () = {
            const PARTS: &[&str] = &[
                $crate::plugin::MAGIC,
                "\nbuild ", $crate::plugin::BUILD_ID,
                "\nname ", env!("CARGO_PKG_NAME"),
                "\nversion ", env!("CARGO_PKG_VERSION"),
                "\nabout ", env!("CARGO_PKG_DESCRIPTION"),
                $($("\ngame ", stringify!($game),)*)?
                $($("\nalgorithm ", stringify!($algorithm),)*)?
                $($("\nopponent-model ", stringify!($model),)*)?
                "\n",
            ];

            #[used]
            #[cfg_attr(target_os = "macos", unsafe(link_section = "__DATA,__equiflow"))]
            #[cfg_attr(not(target_os = "macos"), unsafe(link_section = ".equiflow"))]
            static MANIFEST: [u8; $crate::plugin::length(PARTS)] = $crate::plugin::join(PARTS);

            #[unsafe(no_mangle)]
            fn equiflow_register(app: &mut $crate::app::App) {
                $($(app.register_game::<$Game>(stringify!($game));)*)?
                $($(app.register_algorithm::<$Algorithm>(stringify!($algorithm));)*)?
                $($(app.register_opponent_model::<$Model>(stringify!($model));)*)?
                $(
                    let also: fn(&mut $crate::app::App) = $also;
                    also(app);
                )?
                let _ = app;
            }
        };
    };
}

/// What a plugin's file says of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// The framework it was built against.
    pub build: String,
    /// The package's name.
    pub name: String,
    /// The package's version.
    pub version: String,
    /// The package's description.
    pub about: String,
    /// Games that it brings.
    pub games: Vec<String>,
    /// Algorithms that it brings.
    pub algorithms: Vec<String>,
    /// Opponent models that it brings.
    pub opponent_models: Vec<String>,
}

impl Manifest {
    /// Reads the text of the section; `None` when it is no manifest.
    pub fn parse(text: &str) -> Option<Self> {
        let mut lines = text.trim_end_matches('\0').lines();
        if lines.next() != Some(MAGIC) {
            return None;
        }
        let [build, name, version, about] = ["build", "name", "version", "about"]
            .map(|key| lines.next().and_then(|line| line.strip_prefix(key)).map(|value| value.trim().to_owned()));
        let mut manifest = Self {
            build: build?,
            name: name?,
            version: version?,
            about: about?,
            games: Vec::new(),
            algorithms: Vec::new(),
            opponent_models: Vec::new(),
        };
        for line in lines {
            match line.split_once(' ')? {
                ("game", name) => manifest.games.push(name.to_owned()),
                ("algorithm", name) => manifest.algorithms.push(name.to_owned()),
                ("opponent-model", name) => manifest.opponent_models.push(name.to_owned()),
                _ => return None,
            }
        }
        Some(manifest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_become_a_manifest() {
        const PARTS: &[&str] =
            &[MAGIC, "\nbuild ", "b1", "\nname x\nversion 0.1\nabout ", "", "\ngame pennies\nalgorithm ddpg\n"];
        let bytes: [u8; length(PARTS)] = join(PARTS);
        let manifest = Manifest::parse(std::str::from_utf8(&bytes).unwrap()).unwrap();
        assert_eq!((manifest.build.as_str(), manifest.about.as_str()), ("b1", ""));
        assert_eq!((manifest.games, manifest.algorithms), (vec!["pennies".to_owned()], vec!["ddpg".to_owned()]));
    }

    #[test]
    fn what_is_no_manifest_is_told() {
        for text in ["", "equiflow plugin 2\n", "equiflow plugin 1\nbuild b\n", "\u{7f}ELF"] {
            assert_eq!(Manifest::parse(text), None, "{text:?}");
        }
    }
}
