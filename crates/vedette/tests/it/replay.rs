//! `vedette replay` of the demo: by a settings file and by options.

use clap::Parser;
use vedette::cli::{Cli, Command};

use crate::support::root;

#[test]
fn a_replay_by_a_settings_file_is_one_by_options_that_say_the_same() {
    let (demo, golden) = (root().join("deploy/demo"), root().join("tests/golden"));
    let replay = |options: &[&str]| {
        let detections = golden.join("vtest-detections.jsonl").display().to_string();
        let line = ["vedette", "replay", detections.as_str()].into_iter().chain(options.iter().copied());
        let Command::Replay(args) = Cli::try_parse_from(line).unwrap().command else { panic!("it is a replay") };
        let mut out = Vec::new();
        let summary = vedette::replay::run(&args, &mut out).unwrap();
        (summary, String::from_utf8(out).unwrap())
    };
    let [settings, cameras, policies, base] = ["vedette.toml", "cameras.toml", "policies.toml", "address.base"]
        .map(|name| demo.join(name).display().to_string());
    let by_file = replay(&["--config", &settings]);
    let recorded = std::fs::read_to_string(golden.join("vtest-alerts.jsonl")).unwrap();
    assert!(by_file.1 == recorded, "a replay gives the recorded alerts");
    let by_options = replay(&["--cameras", &cameras, "--policies", &policies, "--address-base", &base]);
    assert!(by_file == by_options, "the options say the same");
    // The tracker of the settings file follows.
    let site = tempfile::tempdir().unwrap();
    for name in ["cameras.toml", "policies.toml", "address.base"] {
        std::fs::copy(demo.join(name), site.path().join(name)).unwrap();
    }
    let other = site.path().join("vedette.toml").display().to_string();
    let text = std::fs::read_to_string(&settings).unwrap();
    std::fs::write(&other, text.replace("[analyse]", "[analyse]\ntracker.report_score = 0.9")).unwrap();
    assert!(by_file.1 != replay(&["--config", &other]).1, "other settings of the tracker change nothing");
}
