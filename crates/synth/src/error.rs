use std::path::PathBuf;

/// Why a city was not written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SynthError {
    /// Numbers that no city can have.
    #[error("this city cannot be: {}", wrong.join("; "))]
    Plan {
        /// Each number with its rule and the way out.
        wrong: Vec<String>,
    },
    /// A grid is too small for the buildings that fell to it.
    #[error("grid {grid} has no room for its {buildings} buildings; make the city larger or give it fewer buildings")]
    Crowded {
        /// Its code.
        grid: String,
        /// How many were to stand there.
        buildings: usize,
    },
    /// The folder holds something that is no synthetic city.
    #[error("{} holds files that are no synthetic city; give a new or an empty folder", folder.display())]
    Occupied {
        /// The folder.
        folder: PathBuf,
    },
    /// A file could not be written.
    #[error("writing {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}
