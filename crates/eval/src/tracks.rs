use serde::Serialize;

use crate::{Clear, Comparison, Hota, Identity};

/// The metrics of the tracks of one sequence, or of several as one.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TrackMetrics {
    /// Detection and association together (HOTA).
    pub hota: Hota,
    /// Hits, misses, switches (CLEAR).
    pub clear: Clear,
    /// Agreement over whole tracks (Identity).
    pub identity: Identity,
}

impl TrackMetrics {
    /// Measures one sequence.
    #[must_use]
    pub fn of(comparison: &Comparison) -> Self {
        Self { hota: Hota::of(comparison), clear: Clear::of(comparison), identity: Identity::of(comparison) }
    }

    /// Several sequences as one, as in TrackEval's COMBINED row.
    #[must_use]
    pub fn combined(all: &[Self]) -> Self {
        Self {
            hota: Hota::combined(all.iter().map(|one| &one.hota)),
            clear: all.iter().map(|one| one.clear).sum(),
            identity: all.iter().map(|one| one.identity).sum(),
        }
    }
}

/// The mean of a value over sequences, each weighted by its true boxes.
#[must_use]
pub fn weighted(all: &[TrackMetrics], value: impl Fn(&TrackMetrics) -> f64) -> f64 {
    let boxes: f64 = all.iter().map(|one| one.clear.true_boxes()).sum();
    all.iter().map(|one| value(one) * one.clear.true_boxes()).sum::<f64>() / boxes.max(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{SequenceInfo, read_mot};

    /// Two true objects side by side in four frames.
    const TRUTH: &str = "1,1,0,0,10,10,1\n2,1,0,0,10,10,1\n3,1,0,0,10,10,1\n4,1,0,0,10,10,1
1,2,100,0,10,10,1\n2,2,100,0,10,10,1\n3,2,100,0,10,10,1\n4,2,100,0,10,10,1
1,3,500,0,10,10,0";

    fn measured(tracks: &str) -> TrackMetrics {
        let info = "frameRate=1\nseqLength=4\nimWidth=640\nimHeight=480";
        let info = SequenceInfo::read(info).unwrap();
        let (truth, tracks) = (read_mot(TRUTH, 4).unwrap(), read_mot(tracks, 4).unwrap());
        TrackMetrics::of(&Comparison::new(&info, &truth, &tracks).unwrap())
    }

    fn near(value: f64, expected: f64) {
        assert!((value - expected).abs() < 1e-12, "{value} is not {expected}");
    }

    #[test]
    fn perfect_tracks_score_one() {
        let perfect = TRUTH.lines().filter(|line| !line.ends_with(",0")).collect::<Vec<_>>().join("\n");
        let metrics = measured(&perfect);
        for value in [metrics.hota.hota(), metrics.clear.mota(), metrics.clear.motp(), metrics.identity.idf1()] {
            near(value, 1.0);
        }
        assert_eq!((metrics.clear.mostly_tracked, metrics.clear.mostly_lost, metrics.clear.objects), (2, 0, 2));
    }

    #[test]
    fn a_switch_a_gap_and_a_false_box_are_counted() {
        // Object 1: two frames as track 7, then two as track 8. Object 2: found, lost in frame 2, found again. One false
        // box in frame 4.
        let metrics = measured(
            "1,7,0,0,10,10,1\n2,7,0,0,10,10,1\n3,8,0,0,10,10,1\n4,8,0,0,10,10,1
1,9,100,0,10,10,1\n3,9,100,0,10,10,1\n4,9,100,0,10,10,1\n4,5,300,0,10,10,1",
        );
        let clear = metrics.clear;
        assert_eq!((clear.hits, clear.misses, clear.false_boxes), (7, 1, 1));
        assert_eq!((clear.switches, clear.fragments, clear.mostly_tracked), (1, 1, 1));
        near(clear.mota(), (7.0 - 1.0 - 1.0) / 8.0);
        // One track of object 1 matches in two boxes, the track of object 2 in three.
        assert_eq!(metrics.identity, Identity { hits: 5, misses: 3, false_boxes: 3 });
        near(metrics.identity.idf1(), 5.0 / 8.0);
        // Association of a hit: boxes together by boxes of either. Object 1: 2 / (4 + 2 - 2) for each of four hits;
        // object 2: 3 / (4 + 3 - 3) for each of three. Detection: 7 hits of 9.
        let association = (4.0 * 0.5 + 3.0 * 0.75) / 7.0;
        near(metrics.hota.association(), association);
        near(metrics.hota.detection(), 7.0 / 9.0);
        near(metrics.hota.hota(), (association * 7.0 / 9.0_f64).sqrt());
    }

    #[test]
    fn loose_boxes_count_up_to_their_overlap() {
        // 10 x 10 against 10 x 8: overlap 0.8, so 16 of the 19 thresholds.
        let loose = TRUTH.lines().filter(|line| line.split(',').nth(1) == Some("1")).collect::<Vec<_>>().join("\n");
        let metrics = measured(&loose.replace(",10,10,1", ",10,8,1"));
        near(metrics.clear.motp(), 0.8);
        near(metrics.hota.detection(), 16.0 / 19.0 * 0.5);
        assert_eq!(metrics.clear.mostly_lost, 1);
    }

    #[test]
    fn nothing_found_and_nothing_true_are_no_errors() {
        let none = measured("");
        near(none.hota.hota(), 0.0);
        near(none.clear.mota(), 0.0);
        assert_eq!((none.clear.misses, none.clear.mostly_lost, none.identity.misses), (8, 2, 8));
        near(weighted(&[none.clone(), none], |metrics| metrics.clear.recall()), 0.0);
        assert!(weighted(&[], |metrics| metrics.clear.recall()).abs() < 1e-12);
    }

    #[test]
    fn two_boxes_of_one_id_are_refused() {
        let info = SequenceInfo::read("frameRate=1\nseqLength=4\nimWidth=640\nimHeight=480").unwrap();
        let twice = read_mot("2,4,0,0,5,5\n2,4,9,9,5,5", 4).unwrap();
        let error = Comparison::new(&info, &[], &twice).unwrap_err().to_string();
        assert_eq!(error, "frame 2: id 4 is duplicated among the tracks; an object has one box per frame");
    }
}
