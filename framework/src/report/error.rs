//! What can go wrong between the records on disk and the report. Holds no logic besides the wording.

use std::{
    fmt, io,
    path::{Path, PathBuf},
};

/// Why a report could not be made. Its text says what was being done, what was found and what to do now.
#[derive(Debug)]
pub enum ReportError {
    /// A file of the results folder could not be read or written.
    Io {
        /// What was being done, such as "read the manifest".
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// `manifest.json` is there, but its content is not a manifest of this version of Equiflow.
    Manifest {
        /// The file.
        path: PathBuf,
        /// The parser's reason, with line and column.
        source: serde_json::Error,
    },
    /// A line of `metrics.csv` is not a record of the run that the manifest describes.
    Metrics {
        /// The file.
        path: PathBuf,
        /// Line in the file, the header being line 1.
        line: u64,
        /// What was found and what was expected.
        what: String,
    },
    /// A figure could not be drawn.
    Plot {
        /// The figure's file.
        path: PathBuf,
        /// The drawing library's reason.
        what: String,
    },
}

impl ReportError {
    pub(super) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { doing, path, source }
    }
}

impl fmt::Display for ReportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { doing, path, source } => {
                write!(f, "could not {doing} {}: {source}", path.display())?;
                if source.kind() == io::ErrorKind::NotFound {
                    write!(f, "; a report needs the folder of one run, `results/<run>/<id>`, as `run` wrote it")?;
                }
                Ok(())
            }
            Self::Manifest { path, source } => write!(
                f,
                "{} is not a manifest that this version of Equiflow reads: {source}; \
                 make the report with the version that made the run, or repair the file",
                path.display()
            ),
            Self::Metrics { path, line, what } => write!(
                f,
                "{}:{line}: {what}; the file was changed or damaged after the run wrote it: \
                 repair or remove that line",
                path.display()
            ),
            Self::Plot { path, what } => write!(f, "could not draw {}: {what}", path.display()),
        }
    }
}

impl std::error::Error for ReportError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            Self::Manifest { source, .. } => Some(source),
            Self::Metrics { .. } | Self::Plot { .. } => None,
        }
    }
}
