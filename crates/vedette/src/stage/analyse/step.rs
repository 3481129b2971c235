//! One record through one camera's analysis, where a panic is a bad record and not the end of the stage.

use std::panic::{AssertUnwindSafe, catch_unwind};

use vedette_core::{FrameAccount, FrameDetections, ShedRange, ShedReason};

use crate::dead_letters::panic_message;

/// Runs `step`; what it panicked with when it did. Whatever it had in hand is then to be thrown away.
pub(super) fn run<T>(step: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(step)).map_err(|panic| format!("the analysis panicked: {}", panic_message(&*panic)))
}

/// The record of a frame that is put aside: it answers for the same frames, its own among those that were not looked at.
pub(super) fn put_aside(frame: FrameDetections) -> FrameDetections {
    if !frame.is_looked_at() && !frame.away {
        return frame;
    }
    let own = ShedRange { first: frame.sequence, count: 1, reason: ShedReason::DeadLettered };
    let mut account =
        frame.account.unwrap_or_else(|| FrameAccount { previous: frame.sequence.checked_sub(1), shed: Vec::new() });
    account.shed.push(own);
    FrameDetections { account: Some(account), detections: Vec::new(), away: false, ..frame }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_told_in_its_words() {
        assert_eq!(run(|| 5), Ok(5));
        let index = std::hint::black_box(7);
        let error = run(|| [1, 2, 3][index]).unwrap_err();
        assert!(error.contains("index out of bounds"), "{error}");
    }
}
