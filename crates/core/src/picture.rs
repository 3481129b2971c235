use serde::{Deserialize, Serialize};

/// Statistics of a picture as a whole, for monitoring the camera itself. They do not reveal who or what is seen.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PictureStats {
    /// Mean brightness, 0 to 255.
    pub brightness: f32,
    /// Standard deviation of the brightness, 0 to 127.5: near 0 when the lens is covered or there is no light.
    pub contrast: f32,
    /// Mean magnitude of the Laplacian of the brightness: the amount of detail.
    pub sharpness: f32,
    /// Mean absolute difference of brightness from the previously measured picture; none for the first one.
    #[serde(default)]
    pub change: Option<f32>,
    /// Mean brightness of each cell of a grid of 8 columns and 4 rows, row by row from the top.
    pub grid: [u8; 32],
}

impl PictureStats {
    /// Columns of the grid.
    pub const COLUMNS: usize = 8;
    /// Rows of the grid.
    pub const ROWS: usize = 4;
}
