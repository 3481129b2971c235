/// Why an evaluation is impossible: the input, its position, the rule and the remedy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EvalError {
    /// An invalid row of a MOT file.
    #[error("line {line}: `{value}`: {rule}")]
    Row {
        /// Line of the file, from 1.
        line: usize,
        /// Its content, shortened.
        value: String,
        /// The violated rule and the remedy.
        rule: String,
    },
    /// A duplicate id in a frame.
    #[error("frame {frame}: id {id} is duplicated among the {what}; an object has one box per frame")]
    Twice {
        /// Frame, from 1.
        frame: u32,
        /// The id.
        id: i64,
        /// The kind of boxes: ground truth or tracks.
        what: &'static str,
    },
    /// A key of `seqinfo.ini` is missing or not a number.
    #[error("seqinfo.ini, {key}: {rule}")]
    Sequence {
        /// The key.
        key: &'static str,
        /// The rule it breaks.
        rule: String,
    },
    /// Events, labels or rules that cannot be read.
    #[error("{what}: {rule}")]
    Labels {
        /// The input and the position in it.
        what: String,
        /// The violated rule and the remedy.
        rule: String,
    },
}
