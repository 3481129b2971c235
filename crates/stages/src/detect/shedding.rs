//! Load shedding when the machine falls behind. A camera that feeds an open alert is never shed; of the others those of low
//! priority first. Frames between key frames are dropped first, then all, until the stream has caught up.

use vedette_core::{Priority, Span};

use super::settings::ShedAfter;

/// The processed part of a group of pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Share {
    All,
    KeyFrame,
    Nothing,
}

/// A chunk at the head of the queue.
#[derive(Debug, Clone, Copy)]
pub(super) struct Waiting {
    /// Since intake published it.
    pub(super) age: Span,
    pub(super) priority: Priority,
    pub(super) open_alert: bool,
    /// It begins a group of pictures.
    pub(super) begins: bool,
}

/// Shedding state of one camera.
#[derive(Debug)]
pub(super) struct Shedding {
    after: ShedAfter,
    share: Share,
}

impl Shedding {
    pub(super) fn new(after: ShedAfter) -> Self {
        Self { after, share: Share::All }
    }

    /// The processed part of the chunk. Within a group it only shrinks: frames that depend on a skipped frame cannot be decoded.
    pub(super) fn share(&mut self, chunk: Waiting) -> Share {
        let limit = match chunk.priority {
            Priority::Low => self.after.low,
            Priority::Normal => self.after.normal,
            Priority::High => self.after.high,
        };
        let wanted = self.wanted(chunk, limit);
        if chunk.begins || wanted == Share::Nothing || self.share == Share::All {
            self.share = wanted;
        }
        self.share
    }

    fn wanted(&self, chunk: Waiting, limit: Span) -> Share {
        if chunk.open_alert {
            return Share::All;
        }
        // Once behind, a camera is shed until it has made up half of its limit.
        let behind = if self.share == Share::All { limit } else { Span::from_micros(limit.as_micros() / 2) };
        match chunk.age {
            age if age > Span::from_micros(limit.as_micros().saturating_mul(2)) => Share::Nothing,
            age if age > behind => Share::KeyFrame,
            _ => Share::All,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(seconds: i64, priority: Priority) -> Waiting {
        Waiting { age: Span::from_secs(seconds), priority, open_alert: false, begins: true }
    }

    fn shedding() -> Shedding {
        let after = ShedAfter { low: Span::from_secs(5), normal: Span::from_secs(10), high: Span::from_secs(20) };
        Shedding::new(after)
    }

    #[test]
    fn low_priority_gives_way_first_and_key_frames_last() {
        for (seconds, low, normal, high) in [
            (4, Share::All, Share::All, Share::All),
            (6, Share::KeyFrame, Share::All, Share::All),
            (11, Share::Nothing, Share::KeyFrame, Share::All),
            (21, Share::Nothing, Share::Nothing, Share::KeyFrame),
            (41, Share::Nothing, Share::Nothing, Share::Nothing),
        ] {
            let share = |priority| shedding().share(chunk(seconds, priority));
            assert_eq!(
                [Priority::Low, Priority::Normal, Priority::High].map(share),
                [low, normal, high],
                "{seconds} s"
            );
        }
    }

    #[test]
    fn a_camera_with_an_open_alert_never_gives_way() {
        let waiting = Waiting { open_alert: true, ..chunk(1_000, Priority::Low) };
        assert_eq!(shedding().share(waiting), Share::All);
    }

    #[test]
    fn it_goes_back_to_all_at_a_key_frame_once_half_is_made_up() {
        let mut shedding = shedding();
        let mut share = |seconds, begins| shedding.share(Waiting { begins, ..chunk(seconds, Priority::Normal) });
        assert_eq!(share(11, false), Share::KeyFrame);
        assert_eq!(share(6, true), Share::KeyFrame);
        assert_eq!(share(4, false), Share::KeyFrame);
        assert_eq!(share(4, true), Share::All);
        assert_eq!(share(30, false), Share::Nothing);
        assert_eq!(share(3, false), Share::Nothing);
        assert_eq!(share(3, true), Share::All);
    }
}
