use std::collections::BTreeMap;

use vedette_console::ClassScores;
use vedette_core::{ObjectClass, Timestamp, TrackId};
use vedette_tuning::{CameraTrial, Judgement, TrialError};

/// Bins of equal width from 0 to 1.
const BINS: usize = 20;

/// The best scores of a camera's objects by class, and those of the objects of confirmed, false and unjudged alerts.
pub(super) fn scores(trial: &CameraTrial<'_>) -> Result<(Vec<ClassScores>, [Vec<u32>; 3]), TrialError> {
    let mut best: BTreeMap<(TrackId, Timestamp, ObjectClass), f32> = BTreeMap::new();
    trial.each_track(|track| {
        let best = best.entry((track.id, track.first_seen, track.class)).or_insert(0.0);
        *best = best.max(track.score.get());
    })?;
    let mut classes: BTreeMap<ObjectClass, Vec<u32>> = BTreeMap::new();
    for ((.., class), score) in best {
        count(classes.entry(class).or_insert_with(none), score);
    }
    let classes = classes.into_iter();
    let classes = classes.map(|(class, objects)| ClassScores { class: class.to_string(), objects }).collect();
    let mut alerts = [none(), none(), none()];
    for (alert, judgement) in trial.judged_alerts() {
        let of = match judgement {
            Some(Judgement::Confirmed) => 0,
            Some(Judgement::False) => 1,
            None => 2,
        };
        let score = alert
            .objects
            .iter()
            .map(|object| object.score.get())
            .fold(None, |best: Option<f32>, score| Some(best.map_or(score, |best| best.max(score))));
        if let Some(score) = score {
            count(&mut alerts[of], score);
        }
    }
    Ok((classes, alerts))
}

fn none() -> Vec<u32> {
    vec![0; BINS]
}

fn count(bins: &mut [u32], score: f32) {
    let bin = ((score * BINS as f32) as usize).min(BINS - 1);
    bins[bin] += 1;
}
