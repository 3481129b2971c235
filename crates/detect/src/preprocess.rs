use crate::geometry::InputImage;
use crate::manifest::{ColourOrder, InputSpec};

/// Converts packed RGB bytes to the planes of a model's input. Each channel has a lookup table of its 256 possible results,
/// which makes normalising a value one load.
#[derive(Debug)]
pub(crate) struct Normaliser {
    width: usize,
    height: usize,
    /// For each plane of the tensor: its byte in an RGB pixel, and the result for each value of that byte.
    planes: [(usize, Box<[f32; 256]>); 3],
    fill: [f32; 3],
}

impl Normaliser {
    pub(crate) fn new(input: &InputSpec) -> Self {
        let bytes = match input.colours {
            ColourOrder::Rgb => [0, 1, 2],
            ColourOrder::Bgr => [2, 1, 0],
        };
        let planes = std::array::from_fn(|plane| {
            let table = Box::new(std::array::from_fn(|value| {
                (value as f32 * input.scale - input.mean[plane]) / input.std[plane]
            }));
            (bytes[plane], table)
        });
        let fill =
            std::array::from_fn(|plane| (f32::from(input.fill) * input.scale - input.mean[plane]) / input.std[plane]);
        Self { width: input.width as usize, height: input.height as usize, planes, fill }
    }

    /// Numbers per picture in the tensor.
    pub(crate) const fn len(&self) -> usize {
        3 * self.width * self.height
    }

    /// Writes a checked picture into its part of the tensor.
    pub(crate) fn write(&self, image: &InputImage, tensor: &mut [f32]) {
        let (width, height) = (image.width as usize, image.height as usize);
        let area = self.width * self.height;
        let (first, rest) = tensor.split_at_mut(area);
        let (second, third) = rest.split_at_mut(area);
        let [(a, table_a), (b, table_b), (c, table_c)] = &self.planes;
        for (row, pixels) in image.data.chunks_exact(3 * width).enumerate() {
            let start = row * self.width;
            let columns = start..start + width;
            let (to_a, to_b, to_c) = (&mut first[columns.clone()], &mut second[columns.clone()], &mut third[columns]);
            for (((pixel, to_a), to_b), to_c) in pixels.chunks_exact(3).zip(to_a).zip(to_b).zip(to_c) {
                *to_a = table_a[usize::from(pixel[*a])];
                *to_b = table_b[usize::from(pixel[*b])];
                *to_c = table_c[usize::from(pixel[*c])];
            }
        }
        for (plane, fill) in [first, second, third].into_iter().zip(self.fill) {
            if width < self.width {
                for row in plane.chunks_exact_mut(self.width).take(height) {
                    row[width..].fill(fill);
                }
            }
            plane[height * self.width..].fill(fill);
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use vedette_core::FrameSize;

    use super::*;
    use crate::manifest::Resize;

    fn spec(colours: ColourOrder) -> InputSpec {
        InputSpec {
            name: "images".to_owned(),
            width: 3,
            height: 2,
            colours,
            mean: [1.0, 2.0, 3.0],
            std: [1.0, 2.0, 4.0],
            scale: 2.0,
            resize: Resize::Letterbox,
            fill: 10,
            dynamic_batch: true,
        }
    }

    fn image() -> InputImage {
        let data = Bytes::from_static(&[1, 2, 3, 4, 5, 6]);
        InputImage { data, width: 2, height: 1, native: FrameSize { width: 20, height: 10 } }
    }

    #[test]
    fn planes_are_normalised_ordered_and_filled() {
        for (colours, order) in [(ColourOrder::Rgb, [0, 1, 2]), (ColourOrder::Bgr, [2, 1, 0])] {
            let spec = spec(colours);
            let normaliser = Normaliser::new(&spec);
            let mut tensor = vec![f32::NAN; normaliser.len()];
            normaliser.write(&image(), &mut tensor);
            for plane in 0..3 {
                let want = |byte: u8| (f32::from(byte) * spec.scale - spec.mean[plane]) / spec.std[plane];
                let pixels = [[1, 2, 3][order[plane]], [4, 5, 6][order[plane]], 10, 10, 10, 10];
                assert_eq!(tensor[plane * 6..(plane + 1) * 6], pixels.map(want), "{colours:?} plane {plane}");
            }
        }
    }
}
