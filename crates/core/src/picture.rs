use serde::{Deserialize, Serialize};

/// What a picture is like as a whole, for watching over the camera itself. Nothing in it shows who or what is seen.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PictureStats {
    /// Mean brightness, 0 to 255.
    pub brightness: f32,
    /// Standard deviation of the brightness, 0 to 127.5: near 0 when the lens is covered or there is no light.
    pub contrast: f32,
    /// Mean size of the Laplacian of the brightness: how much detail there is.
    pub sharpness: f32,
    /// Mean difference of the brightness from the picture looked at before; none for the first one.
    #[serde(default)]
    pub change: Option<f32>,
    /// Mean brightness of each field of a grid of 8 columns and 4 rows, row by row from the top.
    pub grid: [u8; 32],
}

impl PictureStats {
    /// Columns of the grid.
    pub const COLUMNS: usize = 8;
    /// Rows of the grid.
    pub const ROWS: usize = 4;
}
