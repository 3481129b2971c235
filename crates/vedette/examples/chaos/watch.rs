//! Measures while a row runs: the delay from capture to detections on the bus for each frame, and the number of frames received.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use vedette_bus::{BusError, Delivered, SharedBus, StartAt};
use vedette_core::{CameraId, Span, Timestamp};
use vedette_runtime::clock;
use vedette_topics::topics;
use vedette_wire::{VideoRecord, decode_detections, decode_video};

/// Seconds in a row that must be back to normal.
const CALM: i64 = 5;

/// Measurements so far.
#[derive(Default)]
struct Seen {
    frames: HashSet<(CameraId, u64, u64)>,
    /// Camera, arrival of its frame's detections, and their delay since capture.
    delays: Vec<(CameraId, Timestamp, Span)>,
    units: u64,
}

/// An observer; it ends on drop.
pub(crate) struct Watch {
    seen: Arc<Mutex<Seen>>,
    /// Incremented with each chunk of video.
    chunks: watch::Receiver<u64>,
    cameras: BTreeSet<CameraId>,
    tasks: Vec<JoinHandle<()>>,
}

impl Watch {
    pub(crate) async fn begin(bus: &SharedBus, cameras: BTreeSet<CameraId>) -> anyhow::Result<Self> {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let (came, chunks) = watch::channel(0);
        let (frames, units) = (seen.clone(), seen.clone());
        let tasks = vec![
            follow(bus, topics::DETECTIONS.name(), move |record| note_detections(&frames, record)).await?,
            follow(bus, topics::VIDEO.name(), move |record| {
                note_chunk(&units, record);
                came.send_modify(|chunks| *chunks += 1);
            })
            .await?,
        ];
        Ok(Self { seen, chunks, cameras, tasks })
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Frames on `video`, and the number of them with detections.
    pub(crate) fn frames(&self) -> (u64, u64) {
        let seen = self.seen();
        (seen.units, seen.frames.len() as u64)
    }

    /// Waits for the next chunk of video.
    pub(crate) async fn next_chunk(&self) {
        let _ = self.chunks.clone().changed().await;
    }

    /// The median delay between two instants; none without detections.
    pub(crate) fn median(&self, from: Timestamp, to: Timestamp) -> Option<Span> {
        let seen = self.seen();
        let within = seen.delays.iter().filter(|(_, came, _)| *came >= from && *came < to);
        median(within.map(|(_, _, delay)| *delay).collect())
    }

    /// The first instant from `from` on after which, for five seconds, the detections of every camera had a median delay of at most
    /// `most`; none so far.
    pub(crate) fn calm_since(&self, from: Timestamp, most: Span) -> Option<Timestamp> {
        let mut seconds: BTreeMap<i64, BTreeMap<CameraId, Vec<Span>>> = BTreeMap::new();
        for (camera, came, delay) in &self.seen().delays {
            if *came >= from {
                let second = came.since(from).as_micros() / 1_000_000;
                seconds.entry(second).or_default().entry(camera.clone()).or_default().push(*delay);
            }
        }
        let calm = |second: i64| {
            let Some(of) = seconds.get(&second) else { return false };
            let prompt =
                |camera| of.get(camera).and_then(|delays| median(delays.clone())).is_some_and(|delay| delay <= most);
            self.cameras.iter().all(prompt)
        };
        let (first, last) = (*seconds.first_key_value()?.0, *seconds.last_key_value()?.0);
        let begin = (first..=last - CALM).find(|begin| (*begin..begin + CALM).all(calm))?;
        Some(from + Span::from_secs(begin))
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

fn median(mut delays: Vec<Span>) -> Option<Span> {
    delays.sort_unstable();
    delays.get(delays.len().checked_sub(1)? / 2).copied()
}

async fn follow(
    bus: &SharedBus,
    topic: &'static str,
    mut note: impl FnMut(Delivered) + Send + 'static,
) -> anyhow::Result<JoinHandle<()>> {
    let mut reader = bus.read(topic, StartAt::Earliest).await?;
    Ok(tokio::spawn(async move {
        loop {
            match reader.next().await {
                Ok(record) => note(record),
                Err(BusError::Closed) => return,
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    }))
}

fn note_detections(seen: &Mutex<Seen>, record: Delivered) {
    let now = clock::now();
    let Ok(frame) = decode_detections(record.record.value.unwrap_or_default()) else { return };
    let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    if seen.frames.insert((frame.camera.clone(), frame.at.epoch, frame.at.sequence)) {
        seen.delays.push((frame.camera, now, now.since(frame.at.captured)));
    }
}

fn note_chunk(seen: &Mutex<Seen>, record: Delivered) {
    let video = decode_video(record.record.value.unwrap_or_default());
    let Some(chunk) = video.ok().and_then(VideoRecord::into_chunk) else { return };
    seen.lock().unwrap_or_else(PoisonError::into_inner).units += chunk.units.len() as u64;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calm_begins_when_every_camera_is_prompt_again() {
        let cameras: BTreeSet<CameraId> = ["one", "two"].map(|id| CameraId::new(id).unwrap()).into();
        let at = |ms: i64| Timestamp::default() + Span::from_millis(ms);
        let mut seen = Seen::default();
        for camera in &cameras {
            for second in 0..20 {
                // The second camera takes longer to catch up.
                let late = second < if camera.as_str() == "one" { 3 } else { 7 };
                let delay = Span::from_millis(if late { 5_000 } else { 200 });
                seen.delays.push((camera.clone(), at(second * 1_000 + 500), delay));
            }
        }
        let chunks = watch::channel(0).1;
        let watch = Watch { seen: Arc::new(Mutex::new(seen)), chunks, cameras, tasks: Vec::new() };
        assert_eq!(watch.calm_since(at(0), Span::from_millis(400)), Some(at(7_000)));
        assert_eq!(watch.calm_since(at(0), Span::from_millis(100)), None);
        assert_eq!(watch.median(at(0), at(2_000)), Some(Span::from_millis(5_000)));
    }
}
