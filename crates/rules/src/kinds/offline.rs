use vedette_core::{Episode, Span, Term, Timestamp};

use crate::camera::{CameraState, NOWHERE};
use crate::definition::{Gbt28181, Kind, KindInfo, Subject, text};
use crate::held::Held;
use crate::limits::A_DAY;
use crate::near_miss::{About, Shortfall};
use crate::parameters::parameters;
use crate::step::{LONGEST_FRAME, Step, seconds};

parameters! {
    /// No frame came for `after`. While a camera has no signal, ingest publishes heartbeats: a second after the loss, then every
    /// second for five and a half minutes, then after each tenth of the time since. So the alert comes at most a second late, or, for
    /// an `after` of more than five minutes, a tenth of it; its times are exact. A camera that sends no picture that can be decoded,
    /// or nothing at all without closing the connection, is lost after `ingest.timeout` (10 s). One that was never received since
    /// ingest started, or whose source cannot be opened, is lost from then on. One whose video arrives but is not processed is lost
    /// after `detect.timeout`, one that no process ingests or decodes after `analyse.timeout`. The alert carries the cause, and ends
    /// with the first frame. An outage without heartbeats (a recording of another producer) is raised when the camera is back, with
    /// its beginning and end; a forward jump of the clock looks the same. An outage of at least three quarters of `after`, and of
    /// more than 3 s, is a near-miss of `duration`.
    pub(crate) struct Offline {
        /// The time without a frame.
        after: Span [Span::from_secs(3) => A_DAY] = Span::from_secs(30);
    }
}

impl Kind for Offline {
    const INFO: KindInfo = KindInfo {
        subject: Subject::Camera,
        instantaneous: true,
        takes_signal_loss: true,
        onvif_topic: Some("VideoSource/SignalLoss"),
        gbt28181: Gbt28181::DEVICE,
        ..KindInfo::new(
            "offline",
            text("Camera offline", "摄像机离线"),
            text("The camera gives no picture.", "摄像机无图像。"),
        )
    };
    type State = Box<CameraState>;

    fn step(&self, step: &mut Step<'_>, state: &mut Box<CameraState>) {
        step.outage(self.after, &mut state.held);
    }
}

impl Step<'_> {
    /// Evaluates a frame of the camera, or a signal loss. `held` is the outage reported by intake, while it lasts.
    fn outage(&mut self, after: Span, held: &mut Option<Held>) {
        if self.frame.is_missing {
            self.goes_on_missing(after, held);
            return;
        }
        match held.take() {
            Some(outage) if outage.is_open() => self.end_outage(outage),
            outage => self.is_over(after, outage.map(|outage| outage.began)),
        }
    }

    fn goes_on_missing(&mut self, after: Span, held: &mut Option<Held>) {
        let at = self.frame.at;
        if !self.frame.armed
            && let Some(outage) = held.take_if(|outage| outage.is_open())
        {
            self.end_outage(outage);
            return;
        }
        let began = self.outage_began().unwrap_or(at);
        let outage = held.get_or_insert_with(|| Held::since(began, NOWHERE));
        let heard_before = std::mem::replace(&mut outage.held, at);
        if !self.frame.armed || outage.is_open() || at.since(outage.began) < after {
            return;
        }
        if !self.may_raise(0, NOWHERE) {
            return;
        }
        let mut episode = self.long_outage(outage.began, after);
        if heard_before >= episode.raised {
            // It was due before, and suppressed by a cooldown or the schedule until now.
            episode.raised = at;
        }
        outage.open = Some(Box::new(episode.clone()));
        self.raise(episode);
    }

    /// When an ongoing outage began: at the previous frame, or when an alert about it ended.
    fn outage_began(&self) -> Option<Timestamp> {
        let previous = self.frame.previous?;
        Some(self.cooldown.last(&self.ready.rule).map_or(previous, |last| previous.max(last)))
    }

    fn end_outage(&mut self, mut outage: Held) {
        outage.held = self.frame.at;
        self.end_held(outage);
    }

    /// Ends an outage that was not raised: an episode if it was too long, a near-miss if almost. `first_missed`: its first signal
    /// loss.
    fn is_over(&mut self, after: Span, first_missed: Option<Timestamp>) {
        let Some(began) = self.outage_began().or(first_missed) else { return };
        let at = self.frame.at;
        let lasted = at.since(began);
        if !self.frame.armed {
            return;
        }
        if lasted < after {
            self.short_outage(began, lasted, after);
            return;
        }
        if !self.may_raise(0, NOWHERE) {
            self.silenced(About::whole((began, at), NOWHERE));
            return;
        }
        let mut episode = self.long_outage(began, after);
        episode.ended = Some(at);
        self.raise(episode);
    }

    /// An outage of at least `after` until now, raised at that length.
    fn long_outage(&self, began: Timestamp, after: Span) -> Episode {
        let lasted = self.frame.at.since(began);
        Episode { raised: began + after, ..self.episode(None, began, Vec::new(), seconds(lasted, after)) }
    }

    /// Emits a near-miss of an outage that was almost too long. The interval between two frames of a slow camera is none.
    fn short_outage(&mut self, began: Timestamp, lasted: Span, after: Span) {
        if lasted <= LONGEST_FRAME {
            return;
        }
        let (value, threshold) = (lasted.as_secs_f64() as f32, after.as_secs_f64() as f32);
        if let Some(shortfall) = Shortfall::below(Term::DURATION, value, threshold) {
            self.miss(About::whole((began, self.frame.at), NOWHERE), shortfall);
        }
    }
}
