//! `vedette eval` on a user's own clip: what it writes, prints and refuses.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{assert_refused, finish, said, vedette};

/// Someone walks for four seconds from left to right; the detector misses one frame in ten and sees a ghost once.
fn clip(folder: &Path) -> PathBuf {
    let clip = folder.join("gate");
    fs::create_dir_all(clip.join("det")).unwrap();
    fs::create_dir_all(clip.join("gt")).unwrap();
    fs::write(clip.join("seqinfo.ini"), "[Sequence]\nframeRate=10\nseqLength=40\nimWidth=800\nimHeight=600\n").unwrap();
    let (mut detections, mut truth) = ("7,-1,600,100,50,120,0.9\n".to_owned(), String::new());
    for frame in 1..=40 {
        let left = 100 + frame * 10;
        writeln!(truth, "{frame},1,{left},200,60,160,1").unwrap();
        if frame % 10 != 0 {
            writeln!(detections, "{frame},-1,{left},200,60,160,0.97").unwrap();
        }
    }
    fs::write(clip.join("det/det.txt"), detections).unwrap();
    fs::write(clip.join("gt/gt.txt"), truth).unwrap();
    let rules = r#"{"gate": [{"id": "door", "type": "line", "a": [330, 600], "b": [330, 0]}]}"#;
    fs::write(folder.join("rules.json"), rules).unwrap();
    let truth = r#"{"gate": [{"rule": "door", "type": "line", "dir": 1, "t": 2.1, "xy": [340, 360]}]}"#;
    fs::write(folder.join("true.json"), truth).unwrap();
    clip
}

fn eval(what: &str, clip: &Path) -> Command {
    let mut command = vedette();
    command.args(["eval", what]).arg(clip);
    command
}

fn printed(command: Command) -> String {
    let output = finish(command);
    assert!(output.status.success(), "{}", said(&output));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn tracks_are_written_and_scored() {
    let folder = tempfile::tempdir().unwrap();
    let clip = clip(folder.path());
    let mut command = eval("tracks", &clip);
    command.arg("--output").arg(folder.path().join("out"));
    let table = printed(command);
    let row: Vec<&str> = table.lines().find(|line| line.starts_with("gate")).unwrap().split_whitespace().collect();
    // 35 of 40 boxes: the first frame and every tenth are missing. No switch.
    assert_eq!((row[6], row[7], row[8]), ("87.500", "100.000", "0"), "{table}");
    let tracks = fs::read_to_string(folder.path().join("out/gate.txt")).unwrap();
    assert!(tracks.starts_with("2,1,") && tracks.lines().count() == 35, "{tracks}");
    // The same tracks, scored as another program's.
    let mut command = eval("tracks", &clip);
    command.arg("--tracks").arg(folder.path().join("out"));
    assert_eq!(printed(command).lines().nth(1), table.lines().nth(1));
    // Without truth the tracks go to stdout.
    fs::remove_dir_all(clip.join("gt")).unwrap();
    assert_eq!(printed(eval("tracks", &clip)), tracks);
}

#[test]
fn events_are_written_and_scored() {
    let folder = tempfile::tempdir().unwrap();
    let clip = clip(folder.path());
    let events = |truth: bool| {
        let mut command = eval("events", &clip);
        command.arg("--rules").arg(folder.path().join("rules.json"));
        if truth {
            command.arg("--true-events").arg(folder.path().join("true.json"));
        }
        printed(command)
    };
    let table = events(true);
    assert!(table.contains("line            1.000  1.000  1.000     1     0     0"), "{table}");
    assert!(table.contains("false alarms per camera-hour 0; median delay"), "{table}");
    let line: serde_json::Value = serde_json::from_str(&events(false)).unwrap();
    assert_eq!((&line["rule"], &line["dir"], &line["type"]), (&"door".into(), &1.into(), &"line".into()));
}

#[test]
fn what_is_wrong_with_a_clip_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let clip = clip(folder.path());
    let write = |name: &str, text: &str| fs::write(clip.join(name), text).unwrap();
    let refused = |text: &[&str]| assert_refused(eval("tracks", &clip), text);
    write("det/det.txt", "1,-1,0,0,5,5,0.9\n41,-1,0,0,5,5,0.9\n");
    refused(&["det.txt", "line 2", "`41`", "from 1 to 40"]);
    write("seqinfo.ini", "frameRate=0\n");
    refused(&["seqinfo.ini", "missing"]);
    fs::write(folder.path().join("rules.json"), r#"{"gate": [{"id": "door", "type": "gate"}]}"#).unwrap();
    let mut command = eval("events", &clip);
    command.arg("--rules").arg(folder.path().join("absent.json"));
    assert_refused(command, &["absent.json"]);
    let settings = folder.path().join("tracker.toml");
    fs::write(&settings, "high_score = 0.9\nstart_score = 0.2\n").unwrap();
    let mut command = eval("tracks", &clip);
    command.arg("--tracker").arg(&settings);
    assert_refused(command, &["start_score = 0.2", "give 0.9 to 1"]);
}
