//! The figures of docs/EVALUATION.md on labelled sequences that we may not distribute, as rows of a table: `VEDETTE_EVAL` names
//! their folder. `benches/run analysis` prints it beside the speeds.

#![expect(clippy::unwrap_used, reason = "a bench fails by panicking, in its helpers too")]

#[path = "../../../benches/figures.rs"]
mod figures;
#[path = "../tests/it/support.rs"]
mod support;

use support::{Judged, Scenes, Sequence, events, settings, tracks};

/// Loss of SORT and ByteTrack (PyPI `trackers` 2.6.1) from every frame to every fifth, HOTA and IDF1 in percent, on the same
/// detections: docs/EVALUATION.md.
const OTHERS_LOSE: [(&str, f64, f64); 2] = [("SORT", 5.5, 7.6), ("ByteTrack", 3.8, 6.2)];

fn main() {
    // `cargo test` builds and starts benches too; there is nothing to test here.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    let Some(folder) = std::env::var_os("VEDETTE_EVAL") else {
        figures::told(
            "HOTA, IDF1, MOTA, switches, event F1, false alarms",
            "not measured: VEDETTE_EVAL names no folder",
        );
        eprintln!("nothing judged: set VEDETTE_EVAL to a folder with labelled sequences (docs/EVALUATION.md)");
        return;
    };
    let root = std::path::PathBuf::from(folder);
    judge_events(&Scenes::open(&root));
    judge_tracks(&Sequence::all(&root));
}

fn judge_events(scenes: &Scenes) {
    let score = events(scenes, &settings());
    println!(
        "events: F1 {:.3}, {:.0} false alarms per camera-hour",
        score.all().f1(),
        score.false_alarms_per_camera_hour()
    );
    figures::at_least("event F1, four cameras", score.all().f1(), 0.78, "");
    figures::at_most("false alarms per camera-hour (half of SORT's)", score.false_alarms_per_camera_hour(), 1673.5, "");
}

fn judge_tracks(sequences: &[Sequence]) {
    let (every, fifth) =
        (Judged::of(&tracks(sequences, &settings(), 1)), Judged::of(&tracks(sequences, &settings(), 5)));
    println!("every frame: {every:?}\nevery fifth: {fifth:?}");
    figures::at_least("HOTA, nine MOT15 sequences", every.hota, 39.0, "%");
    figures::at_least("IDF1", every.idf1, 52.0, "%");
    figures::at_least("MOTA", every.mota, 38.0, "%");
    figures::at_most("switches", every.switches as f64, 339.0, "");
    for (name, hota, idf1) in OTHERS_LOSE {
        figures::at_most(
            &format!("HOTA lost at a fifth of the frames (half of {name}'s)"),
            every.hota - fifth.hota,
            hota / 2.0,
            "%",
        );
        figures::at_most(
            &format!("IDF1 lost at a fifth of the frames (half of {name}'s)"),
            every.idf1 - fifth.idf1,
            idf1 / 2.0,
            "%",
        );
    }
}
