use serde::{Deserialize, Serialize};

/// Width and height of a frame in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FrameSize {
    /// Pixels from left to right, at least 1.
    pub width: u32,
    /// Pixels from top to bottom, at least 1.
    pub height: u32,
}

impl FrameSize {
    /// The longer of the two sides, in pixels.
    #[must_use]
    pub fn longer_side(self) -> f32 {
        self.width.max(self.height) as f32
    }
}

/// A point in a frame: pixels from the left and from the top edge.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(from = "[f32; 2]", into = "[f32; 2]")]
pub struct PixelPoint {
    /// Pixels from the left edge.
    pub x: f32,
    /// Pixels from the top edge.
    pub y: f32,
}

impl PixelPoint {
    /// The point `x` pixels from the left and `y` pixels from the top.
    #[must_use]
    pub const fn new(x: f32, y: f32) -> Self {
        Self { x, y }
    }

    /// The same place in a frame of size `to`, where `self` refers to one of size `from`.
    #[must_use]
    pub fn rescaled(self, from: FrameSize, to: FrameSize) -> Self {
        Self { x: self.x * to.width as f32 / from.width as f32, y: self.y * to.height as f32 / from.height as f32 }
    }
}

impl From<[f32; 2]> for PixelPoint {
    fn from([x, y]: [f32; 2]) -> Self {
        Self { x, y }
    }
}

impl From<PixelPoint> for [f32; 2] {
    fn from(point: PixelPoint) -> Self {
        [point.x, point.y]
    }
}

/// An axis-aligned box in a frame, in pixels. External values are checked by `wire`: finite, width and height above 0.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PixelBox {
    /// Left edge.
    pub x: f32,
    /// Top edge.
    pub y: f32,
    /// Width.
    pub width: f32,
    /// Height.
    pub height: f32,
}

impl PixelBox {
    /// The box with top-left corner `(x, y)` and the given width and height.
    #[must_use]
    pub const fn new(x: f32, y: f32, width: f32, height: f32) -> Self {
        Self { x, y, width, height }
    }

    /// Area in square pixels.
    #[must_use]
    pub fn area(&self) -> f32 {
        self.width * self.height
    }

    /// The midpoint of the bottom edge: where feet and wheels touch the ground.
    #[must_use]
    pub fn anchor(&self) -> PixelPoint {
        PixelPoint::new(self.x + self.width / 2.0, self.y + self.height)
    }

    /// Right edge.
    #[must_use]
    pub fn right(&self) -> f32 {
        self.x + self.width
    }

    /// Bottom edge.
    #[must_use]
    pub fn bottom(&self) -> f32 {
        self.y + self.height
    }

    /// Intersection over union with `other`, 0 to 1.
    #[must_use]
    pub fn iou(&self, other: &Self) -> f32 {
        let width = self.right().min(other.right()) - self.x.max(other.x);
        let height = self.bottom().min(other.bottom()) - self.y.max(other.y);
        if width <= 0.0 || height <= 0.0 {
            return 0.0;
        }
        let shared = width * height;
        shared / (self.area() + other.area() - shared)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlap_of_halves_is_a_third() {
        let left = PixelBox::new(0.0, 0.0, 2.0, 1.0);
        let right = PixelBox::new(1.0, 0.0, 2.0, 1.0);
        assert!((left.iou(&right) - 1.0 / 3.0).abs() < 1e-6);
        assert_eq!(left.iou(&PixelBox::new(5.0, 0.0, 1.0, 1.0)), 0.0);
        assert_eq!(left.anchor(), PixelPoint::new(1.0, 1.0));
    }
}
