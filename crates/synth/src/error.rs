use std::path::PathBuf;

/// Why a city was not written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SynthError {
    /// Impossible sizes.
    #[error("impossible city: {}", wrong.join("; "))]
    Plan {
        /// Each number with the rule it breaks and the remedy.
        wrong: Vec<String>,
    },
    /// A grid is too small for its buildings.
    #[error("grid {grid} has no room for its {buildings} buildings; make the city larger or reduce its buildings")]
    Crowded {
        /// Its code.
        grid: String,
        /// Number of its buildings.
        buildings: usize,
    },
    /// The folder contains other files than a synthetic city.
    #[error("{} contains other files than a synthetic city; name a new or an empty folder", folder.display())]
    Occupied {
        /// The folder.
        folder: PathBuf,
    },
    /// A file could not be written.
    #[error("writing {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
}
