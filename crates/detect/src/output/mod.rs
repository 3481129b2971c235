//! Decoding of model outputs. A kind of output is a file of this folder, with its manifest keys, their validation, the tensors
//! to read and the decoding of boxes; and its `mod` and its line in the list below, through which all other code finds it.

mod nanodet;
mod yolox;

use serde::Deserialize;
use vedette_core::{FrameSize, ObjectClass};

use crate::nms::Candidates;

kinds! {
    "nanodet" => nanodet::Nanodet,
    "yolox" => yolox::Yolox,
}

/// One kind of output, configured by a manifest's `[output]`.
trait OutputKind {
    /// The cell sizes in input pixels, of which the sides of the input are multiples; none where there are no cells.
    fn strides(&self) -> &[u32];

    /// Number of classes of the model.
    fn classes(&self) -> usize;

    /// Checks the keys, beside the number of classes. A text names the key, its value and the rule.
    fn check(&self, require: &mut dyn FnMut(bool, String));

    /// The tensors to read for an input of this size.
    fn tensors(&self, input: FrameSize) -> Vec<Tensor<'_>>;

    /// Adds the candidates of one picture from its part of each of [`Self::tensors`].
    fn decode(&self, parts: &[&[f32]], wanted: &Wanted<'_>, candidates: &mut Candidates);
}

/// An output tensor, `[batch, cells, numbers]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tensor<'a> {
    /// Name of the output.
    pub(crate) name: &'a str,
    /// Cells per picture.
    pub(crate) cells: usize,
    /// Numbers per cell.
    pub(crate) numbers: usize,
}

/// What to decode from an output.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted<'a> {
    /// Size of the model's input.
    pub(crate) input: FrameSize,
    /// The product's class for the model's class number; others are skipped.
    pub(crate) classes: &'a [(usize, ObjectClass)],
    /// The minimum score.
    pub(crate) floor: f32,
}

impl OutputSpec {
    /// Number of classes of the model.
    #[must_use]
    pub fn classes(&self) -> usize {
        self.kind().classes()
    }

    /// The cell sizes in input pixels, of which the sides of the input are multiples.
    #[must_use]
    pub fn strides(&self) -> &[u32] {
        self.kind().strides()
    }

    /// Checks the keys.
    pub(crate) fn check(&self, require: &mut dyn FnMut(bool, String)) {
        require((1..=65_536).contains(&self.classes()), "output.classes: give 1 to 65536".to_owned());
        self.kind().check(require);
    }

    /// The tensors to read for an input of this size.
    pub(crate) fn tensors(&self, input: FrameSize) -> Vec<Tensor<'_>> {
        self.kind().tensors(input)
    }

    /// Adds what one picture's part of each of [`Self::tensors`] proposes.
    pub(crate) fn decode(&self, parts: &[&[f32]], wanted: &Wanted<'_>, candidates: &mut Candidates) {
        self.kind().decode(parts, wanted, candidates);
    }
}

fn check_strides(strides: &[u32], require: &mut dyn FnMut(bool, String)) {
    require((1..=8).contains(&strides.len()), "output.strides: give 1 to 8".to_owned());
}

/// Cells of one stride.
fn cells(input: FrameSize, stride: u32) -> usize {
    ((input.width / stride) * (input.height / stride)) as usize
}

/// Makes the sum of all kinds: the name in a manifest, and the type of its keys.
macro_rules! kinds {
    ($($name:literal => $module:ident::$Kind:ident,)+) => {
        $(pub use $module::$Kind;)+

        /// How the model's answer is read: `[output]` of a manifest, by its `kind`.
        #[derive(Debug, Clone, PartialEq, Deserialize)]
        #[serde(tag = "kind")]
        pub enum OutputSpec {
            $(
                #[doc = concat!("`kind = \"", $name, "\"`")]
                #[serde(rename = $name)]
                $Kind($Kind),
            )+
        }

        impl OutputSpec {
            /// The kind, as in manifests.
            #[must_use]
            pub const fn name(&self) -> &'static str {
                match self {
                    $(Self::$Kind(_) => $name,)+
                }
            }

            fn kind(&self) -> &dyn OutputKind {
                match self {
                    $(Self::$Kind(kind) => kind,)+
                }
            }
        }
    };
}
use kinds;
