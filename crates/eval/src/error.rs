/// Why something cannot be evaluated: the input, its place, the rule and the way out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EvalError {
    /// A row of a MOT file is none.
    #[error("line {line}: `{value}`: {rule}")]
    Row {
        /// Line of the file, from 1.
        line: usize,
        /// What stands there, shortened.
        value: String,
        /// The rule it breaks and the way out.
        rule: String,
    },
    /// One id stands twice in a frame.
    #[error("frame {frame}: id {id} stands twice among the {what}; one object has one box in a frame")]
    Twice {
        /// Frame, from 1.
        frame: u32,
        /// The id.
        id: i64,
        /// Which boxes: true ones or tracks.
        what: &'static str,
    },
    /// A key of `seqinfo.ini` is missing or no number.
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
        /// Which input and where in it.
        what: String,
        /// The rule it breaks and the way out.
        rule: String,
    },
}
