//! The metrics against the field's own programs on real sequences. VEDETTE_EVAL names the folder of the sequences,
//! VEDETTE_EVAL_PYTHON a Python that has trackeval, numpy and scipy.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::process::Command;

use vedette_eval::{Comparison, TrackMetrics, write_mot};
use vedette_track::TrackerSettings;

use crate::support::{Scenes, Sequence, root};

fn python(arguments: &[&OsStr]) -> String {
    let python = std::env::var_os("VEDETTE_EVAL_PYTHON").expect("VEDETTE_EVAL_PYTHON names a Python with trackeval");
    let output = Command::new(python).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
#[ignore = "needs labelled sequences that are not ours to ship: set VEDETTE_EVAL and VEDETTE_EVAL_PYTHON"]
fn track_metrics_agree_with_trackeval() {
    let root = root();
    let sequences = Sequence::all(&root);
    let folder = tempfile::tempdir().unwrap();
    let mut found = BTreeMap::new();
    for sequence in &sequences {
        let text = write_mot(&sequence.tracks(&TrackerSettings::default(), 1));
        std::fs::write(folder.path().join(format!("{}.txt", sequence.name)), &text).unwrap();
        let tracks = vedette_eval::read_mot(&text, sequence.info.frames).unwrap();
        let comparison = Comparison::new(&sequence.info, &sequence.truth, &tracks).unwrap();
        found.insert(sequence.name.as_str(), TrackMetrics::of(&comparison));
    }
    let all: Vec<TrackMetrics> = found.values().cloned().collect();
    found.insert("COMBINED_SEQ", TrackMetrics::combined(&all));
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/reference.py");
    let truth = root.join("data/mot15");
    let mut arguments = vec![OsStr::new(script), truth.as_os_str(), folder.path().as_os_str()];
    arguments.extend(sequences.iter().map(|sequence| OsStr::new(&sequence.name)));
    let expected: BTreeMap<String, BTreeMap<String, f64>> = serde_json::from_str(&python(&arguments)).unwrap();
    assert_eq!(expected.len(), sequences.len() + 1);
    for (name, expected) in &expected {
        let TrackMetrics { hota, clear, identity } = &found[name.as_str()];
        for (key, value) in [
            ("HOTA", hota.hota()),
            ("DetA", hota.detection()),
            ("AssA", hota.association()),
            ("MOTA", clear.mota()),
            ("MOTP", clear.motp()),
            ("CLR_Re", clear.recall()),
            ("CLR_Pr", clear.precision()),
            ("IDSW", clear.switches as f64),
            ("Frag", clear.fragments as f64),
            ("MT", clear.mostly_tracked as f64),
            ("ML", clear.mostly_lost as f64),
            ("IDF1", identity.idf1()),
            ("IDR", identity.recall()),
            ("IDP", identity.precision()),
        ] {
            assert!((value - expected[key]).abs() < 1e-9, "{name} {key}: {value}, TrackEval says {}", expected[key]);
        }
    }
}

#[test]
#[ignore = "needs labelled sequences that are not ours to ship: set VEDETTE_EVAL and VEDETTE_EVAL_PYTHON"]
fn event_metrics_agree_with_the_scorer() {
    let root = root();
    let scenes = Scenes::open(&root);
    let settings = TrackerSettings::default();
    let events = scenes.each(|sequence, policy| sequence.events(&settings, policy, 1));
    let score = scenes.score(&events);
    let mut file = tempfile::NamedTempFile::new().unwrap();
    for event in &events {
        use std::io::Write as _;
        writeln!(file, "{}", serde_json::to_string(event).unwrap()).unwrap();
    }
    let printed = python(&[root.join("eval/score_events.py").as_os_str(), file.path().as_os_str()]);
    let all = ("all".to_owned(), score.all());
    for (kind, score) in score.kinds.iter().map(|(kind, score)| (kind.0.clone(), *score)).chain([all]) {
        let row = format!(
            "{kind:10} {:6.3} {:6.3} {:6.3} {:4} {:4} {:4}",
            score.precision(),
            score.recall(),
            score.f1(),
            score.hits,
            score.false_alarms,
            score.misses
        );
        assert!(printed.contains(&row), "{row} is not in\n{printed}");
    }
    let last = format!(
        "false alarms per camera-hour {:.0}; median delay {:.2} s",
        score.false_alarms_per_camera_hour(),
        score.median_delay_s().unwrap()
    );
    assert!(printed.contains(&last), "{last} is not in\n{printed}");
}
