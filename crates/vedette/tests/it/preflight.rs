//! What `vedette check` finds beyond the configuration's own text, and that `vedette run` finds the same, before it begins.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use gstreamer as gst;
use gstreamer::prelude::*;

use crate::support::{demo_site, edit, finish, said, vedette};

/// What listens on this machine already does not matter.
fn command(name: &str, config: &Path) -> Command {
    let mut command = vedette();
    command.args([name, "--listen", "127.0.0.1:0", "--config"]).arg(config);
    command
}

fn check(config: &Path) -> Output {
    finish(command("check", config))
}

fn count(output: &Output) -> usize {
    let said = said(output);
    assert!(!said.contains("panicked"), "{said}");
    match said.lines().find_map(|line| line.strip_suffix(" in the configuration:")) {
        Some(count) => count
            .trim_start_matches("error: ")
            .trim_end_matches(['s', 'r', 'o', 'e', ' '])
            .parse()
            .unwrap_or_else(|_| panic!("{said}")),
        None => 0,
    }
}

fn assert_says(output: &Output, mistakes: usize, expected: &[&str]) {
    let said = said(output);
    assert_eq!(count(output), mistakes, "{said}");
    assert_eq!(output.status.code(), Some(if mistakes == 0 { 0 } else { 2 }), "{said}");
    for words in expected {
        assert!(said.contains(words), "`{words}` is not in:\n{said}");
    }
}

/// Everything below a folder, with what it holds.
fn content(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        match path.is_dir() {
            true => found.extend([(path.clone(), Vec::new())].into_iter().chain(content(&path))),
            false => found.push((path.clone(), std::fs::read(&path).unwrap())),
        }
    }
    found.sort();
    found
}

fn record(pipeline: &str, path: &Path) {
    gst::init().unwrap();
    let pipeline = gst::parse::launch(&format!("{pipeline} ! filesink location=\"{}\"", path.display())).unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    let messages = pipeline.bus().unwrap();
    let end = messages
        .timed_pop_filtered(gst::ClockTime::from_seconds(60), &[gst::MessageType::Eos, gst::MessageType::Error]);
    assert_eq!(end.unwrap().type_(), gst::MessageType::Eos);
    pipeline.set_state(gst::State::Null).unwrap();
}

const PICTURES: &str = "videotestsrc num-buffers=25 ! video/x-raw,width=320,height=240,framerate=25/1";

fn camera(id: &str, source: &str) -> String {
    format!(
        "\n[[camera]]\nid = \"{id}\"\nname = \"n\"\npurpose = \"test\"\nsource = {source}\n\
         position = {{ latitude = 22.53, longitude = 113.93 }}\n"
    )
}

fn append(path: &Path, text: &str) {
    std::fs::write(path, std::fs::read_to_string(path).unwrap() + text).unwrap();
}

#[test]
fn a_good_site_is_good_and_nothing_is_made_or_changed() {
    let site = tempfile::tempdir().unwrap();
    let config = demo_site(site.path());
    let before = content(site.path());
    assert_says(&check(&config), 0, &["good. 1 cameras"]);
    assert_eq!(content(site.path()), before);
}

#[test]
fn the_tracker_is_checked() {
    let site = tempfile::tempdir().unwrap();
    let config = demo_site(site.path());
    append(&config, "\n[analyse.tracker]\nhigh_score = 3.0\nlost_buffer = \"5m\"\n");
    let expected = ["analyse.tracker.high_score = 3", "0 to 1", "analyse.tracker.lost_buffer = 5m"];
    assert_says(&check(&config), 2, &expected);
}

#[test]
fn recordings_are_looked_at() {
    let site = tempfile::tempdir().unwrap();
    let config = demo_site(site.path());
    let cameras = site.path().join("cameras.toml");
    std::fs::write(site.path().join("notes.mp4"), "nothing to see here\n".repeat(1_000)).unwrap();
    record(&format!("{PICTURES} ! avenc_mpeg4 ! avimux"), &site.path().join("old one.avi"));
    let encoder = "x264enc bframes=2 b-adapt=false ! video/x-h264,profile=main ! h264parse ! mp4mux";
    record(&format!("{PICTURES} ! {encoder}"), &site.path().join("reordered.mp4"));
    let mut text = String::new();
    for (id, path) in [("gone", "gone.mp4"), ("text", "notes.mp4"), ("old", "old one.avi"), ("b", "reordered.mp4")] {
        text += &camera(id, &format!("{{ kind = \"file\", path = \"{path}\" }}"));
    }
    append(&cameras, &text);
    let output = check(&config);
    assert_says(
        &output,
        3,
        &[
            "camera[1] (gone).source.path",
            "cannot be opened",
            "camera[2] (text).source.path",
            "is not a video",
            "camera[3] (old).source.path",
            "contains video in video/mpeg version 4",
            "old one.avi' NEW.mp4",
        ],
    );
    // The command that is said leads out.
    let mut transcode = vedette();
    transcode.arg("transcode").arg(site.path().join("old one.avi")).arg(site.path().join("NEW.mp4"));
    assert!(finish(transcode).status.success());
    assert!(!said(&output).contains("camera[4]"), "B-frames are no reason to convert a recording");
    edit(&cameras, "old one.avi", "NEW.mp4");
    assert!(!said(&check(&config)).contains("camera[3]"));
    // Who does not read cameras has no use for recordings.
    let mut elsewhere = command("check", &config);
    elsewhere.args(["--roles", "detect", "analyse", "console"]);
    assert_says(&finish(elsewhere), 0, &[]);
}

#[test]
fn passwords_that_are_not_set_are_named() {
    let site = tempfile::tempdir().unwrap();
    let config = demo_site(site.path());
    append(
        &config,
        "store = \"postgresql://vedette@127.0.0.1:1/alerts\"\nstore_password_env = \"VEDETTE_TEST_STORE\"\n\
         [ingest.credentials.campus]\nuser = \"viewer\"\npassword_env = \"VEDETTE_TEST_CAMPUS\"\n\
         [ingest.credentials.unused]\nuser = \"viewer\"\npassword_env = \"VEDETTE_TEST_UNUSED\"\n",
    );
    let source = "{ kind = \"rtsp\", url = \"rtsp://192.0.2.10/live\", credential = \"campus\" }";
    append(&site.path().join("cameras.toml"), &camera("gate", source));
    let expected = [
        "console.store_password_env = VEDETTE_TEST_STORE",
        "ingest.credentials.campus.password_env = VEDETTE_TEST_CAMPUS",
        "is not set",
    ];
    assert_says(&check(&config), 2, &expected);
    let mut told = command("check", &config);
    told.args(["--offline"]).env("VEDETTE_TEST_STORE", "secret").env("VEDETTE_TEST_CAMPUS", "secret");
    assert_says(&finish(told), 0, &["--offline"]);
}

#[test]
fn an_address_with_a_password_is_refused_and_not_repeated() {
    for address in [
        "rtsp://viewer:GEHEIM42@192.0.2.10/live",
        "rtsp://viewer:GEH#EIM42@192.0.2.10/live",
        "rtsp://viewer:GEH/EIM42@192.0.2.10/live",
        "rtsp://viewer:GEH?EIM42@192.0.2.10/live",
        "rtsp://viewer:[EIM42@192.0.2.10/live",
        "viewer:GEHEIM42@192.0.2.10/live",
    ] {
        let site = tempfile::tempdir().unwrap();
        let config = demo_site(site.path());
        append(
            &site.path().join("cameras.toml"),
            &camera("gate", &format!("{{ kind = \"rtsp\", url = \"{address}\" }}")),
        );
        let output = check(&config);
        assert_says(&output, 1, &["source.url", "credential"]);
        assert!(!said(&output).contains("EIM42"), "{}", said(&output));
    }
}

/// A terminal that is cleared, a title that is set, a line that is forged, a text that reads backwards.
#[test]
fn names_that_a_terminal_would_obey_are_refused_and_shown_escaped() {
    for hostile in [r"\u001b[2J", r"\u001b]0;x\u0007", r"\n12:00 all is well", r"\u202etxet"] {
        let site = tempfile::tempdir().unwrap();
        let config = demo_site(site.path());
        edit(&site.path().join("policies.toml"), "name = \"Person on the lawn\"", &format!("name = \"Lawn{hostile}\""));
        edit(&site.path().join("cameras.toml"), "name = \"Campus", &format!("name = \"{hostile}Campus"));
        let output = check(&config);
        assert_says(&output, 2, &["[text.control]", "camera[0] (campus-1).name", "rule[0] (lawn).name"]);
        let said = said(&output);
        assert!(said.chars().all(|c| c == '\n' || !c.is_control()) && !said.contains('\u{202e}'), "{said:?}");
        assert!(!said.contains("\n12:00"), "{said}");
    }
}

#[test]
fn programs_read_the_findings_as_json_lines_with_codes_and_arguments() {
    let site = tempfile::tempdir().unwrap();
    let config = demo_site(site.path());
    edit(&config, "[detect]\n", "[detect]\nmax_batch = 0\n");
    let mut command = vedette();
    command.args(["check", "--json", "--offline", "--listen", "127.0.0.1:0", "--config"]).arg(&config);
    let output = finish(command);
    assert_eq!(output.status.code(), Some(2));
    let text = String::from_utf8(output.stdout).unwrap();
    let findings: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |code: &str| findings.iter().find(|finding| finding["code"] == code).unwrap_or_else(|| panic!("{text}"));
    let range = of("value.number");
    assert_eq!((&range["level"], &range["path"]), (&"error".into(), &"detect.max_batch".into()));
    assert_eq!(range["arguments"], serde_json::json!({"least": 1.0, "most": 256.0}));
    assert_eq!(of("check.offline")["level"], "note");
}

#[test]
fn data_that_other_users_can_read_is_warned_of() {
    let site = tempfile::tempdir().unwrap();
    let config = demo_site(site.path());
    let data = site.path().join("data");
    for (mode, warned) in [(0o755, true), (0o700, false)] {
        std::fs::create_dir_all(data.join("bus")).unwrap();
        std::fs::set_permissions(data.join("bus"), std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
        let output = check(&config);
        assert_says(&output, 0, &[]);
        assert_eq!(said(&output).contains("[data.open-to-others]"), warned, "{}", said(&output));
    }
}

#[test]
fn models_that_are_not_there_are_named() {
    let site = tempfile::tempdir().unwrap();
    let config = demo_site(site.path());
    let mut bare = command("check", &config);
    bare.env("VEDETTE_CACHE", site.path().join("no-cache"));
    let expected = ["vedette models fetch nanodet-g-640x480", "detect.runtime", "vedette models fetch onnxruntime"];
    assert_says(&finish(bare), 2, &expected);
    edit(&config, "nanodet-g-640x480", "nanodet-x");
    assert_says(&check(&config), 1, &["detect.model = nanodet-x", "known are nanodet-g"]);
}

#[test]
fn what_lies_on_the_disk_is_checked() {
    let site = tempfile::tempdir().unwrap();
    let config = demo_site(site.path());
    edit(&config, "kind = \"embedded\"", "kind = \"embedded\"\ndirectory = \"policies.toml/bus\"");
    append(&config, "store = \"cameras.toml\"\n[tuning]\ndirectory = \"policies.toml/detections\"\n");
    let base = site.path().join("address.base");
    let mut bytes = std::fs::read(&base).unwrap();
    bytes[5_000] ^= 1;
    std::fs::write(&base, bytes).unwrap();
    edit(&config, "address_base =", "address_bases = \"policies.toml\"\naddress_base =");
    let expected = [
        "bus.directory",
        "is not a directory",
        "console.store",
        "belongs to another program",
        "site.address_base =",
        "checksum",
        "site.address_bases",
        "tuning.directory",
    ];
    assert_says(&check(&config), 5, &expected);
}

#[test]
fn brokers_and_database_that_do_not_answer_are_named_in_time() {
    let site = tempfile::tempdir().unwrap();
    let config = demo_site(site.path());
    // They listen and say nothing.
    let [broker, database] = [(), ()].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    append(&config, &format!("store = \"postgresql://vedette@{}/alerts\"\n", database.local_addr().unwrap()));
    let mut asking = command("check", &config);
    asking.args(["--bus", "kafka", "--brokers", &broker.local_addr().unwrap().to_string()]);
    let started = std::time::Instant::now();
    assert_says(&finish(asking), 2, &["bus.kafka.brokers", "cannot be reached", "console.store"]);
    // With room for a machine that is busy.
    assert!(started.elapsed().as_secs() < 20, "{:?}", started.elapsed());
    let mut offline = command("check", &config);
    offline.args(["--offline", "--bus", "kafka"]);
    assert_says(&finish(offline), 0, &["--offline"]);
}

#[test]
fn kafka_properties_that_are_refused_are_named_all() {
    let site = tempfile::tempdir().unwrap();
    let config = demo_site(site.path());
    let properties = "{ \"acks\" = \"1\", \"no.such.thing\" = \"1\", \"socket.timeout.ms\" = \"secret\" }";
    edit(&config, "[ingest]", &format!("[bus.kafka]\nproperties = {properties}\n\n[ingest]"));
    edit(&config, "kind = \"embedded\"", "kind = \"kafka\"");
    let expected = ["properties.acks", "properties.no.such.thing", "properties.socket.timeout.ms"];
    let output = check(&config);
    assert_says(&output, 3, &expected);
    assert!(!said(&output).contains("secret"), "{}", said(&output));
}

#[test]
fn a_port_that_cannot_be_had_is_named_with_who_has_it() {
    let site = tempfile::tempdir().unwrap();
    let config = demo_site(site.path());
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    // Nobody has an account, so an address that others reach is a second mistake.
    for (listen, mistakes, says) in [
        (address.as_str(), 1, format!("process {}", std::process::id())),
        ("192.0.2.1:80", 2, "not an address of this machine".into()),
    ] {
        let mut command = vedette();
        command.args(["check", "--listen", listen, "--config"]).arg(&config);
        assert_says(&finish(command), mistakes, &["console.listen", listen, &says]);
    }
}

#[test]
fn a_running_product_of_the_same_configuration_is_a_note() {
    let site = tempfile::tempdir().unwrap();
    let config = demo_site(site.path());
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    edit(&config, "127.0.0.1:8080", &free);
    let mut running = vedette();
    running.current_dir(site.path()).args(["run", "--for", "5m"]);
    let mut running = running.stderr(std::process::Stdio::piped()).spawn().unwrap();
    let mut log = std::io::BufReader::new(running.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("The page: ") {
        line.clear();
        assert_ne!(std::io::BufRead::read_line(&mut log, &mut line).unwrap(), 0, "it ended");
    }
    let reading = std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
    let check = |config: &Path| {
        let mut command = vedette();
        command.args(["check", "--config"]).arg(config);
        finish(command)
    };
    let beside = check(&config);
    // Another configuration that wants the same directory and the same port does get in its way.
    let other = site.path().join("other.toml");
    std::fs::copy(&config, &other).unwrap();
    let against = check(&other);
    let mut second = vedette();
    second.args(["run", "--for", "5m", "--config"]).arg(&config);
    let second = finish(second);
    let id = format!("process {}", running.id());
    running.kill().unwrap();
    running.wait().unwrap();
    reading.join().unwrap().unwrap();
    assert_says(
        &beside,
        0,
        &["note: ", "runs this configuration and has the log open", "runs this configuration and listens there", &id],
    );
    assert_says(&against, 2, &["bus.directory", "console.listen", &id]);
    assert_eq!(count(&second), 2, "{}", said(&second));
}

#[test]
fn run_says_all_that_check_finds_before_anything_is_made() {
    let site = tempfile::tempdir().unwrap();
    let config = demo_site(site.path());
    append(&config, "store = \"cameras.toml\"\n[analyse.tracker]\nhigh_score = 3.0\n");
    edit(&config, "nanodet-g-640x480", "nanodet-x");
    edit(&config, "address_base = \"address.base\"", "address_base = \"gone.base\"");
    let before = content(site.path());
    let checked = check(&config);
    assert_says(&checked, 4, &["nanodet-x", "gone.base", "high_score", "console.store"]);
    let mut run = command("run", &config);
    run.args(["--for", "30s"]);
    let ran = finish(run);
    assert_eq!(ran.status.code(), Some(1), "{}", said(&ran));
    let (found, _notes) = said(&checked)
        .split_once("\nnote: ")
        .map_or((said(&checked), String::new()), |(a, b)| (a.to_owned(), b.to_owned()));
    for line in found.lines().filter(|line| line.starts_with("  ")) {
        assert!(said(&ran).contains(line), "{line} is not in:\n{}", said(&ran));
    }
    assert_eq!(content(site.path()), before);
}

#[test]
fn what_cannot_be_read_is_not_looked_at() {
    let site = tempfile::tempdir().unwrap();
    let config = demo_site(site.path());
    append(&config, "[ingest.credentials.campus]\nuser = \"viewer\"\npasword_env = \"HOME\"\n");
    let source = "{ kind = \"rtsp\", url = \"rtsp://192.0.2.10/live\", credential = \"campus\" }";
    append(&site.path().join("cameras.toml"), &camera("gate", source));
    assert_says(&check(&config), 1, &["pasword_env", "`password_env` may be meant"]);
    edit(&config, "pasword_env", "password_env");
    edit(&config, "kind = \"embedded\"", "kind = \"kafka\"\nkafka = { replication = 0, min_insync_replicas = 2 }");
    assert_says(&check(&config), 1, &["bus.kafka.replication = 0"]);
}

#[test]
fn time_zones_that_mean_the_opposite_are_warned_of() {
    let site = tempfile::tempdir().unwrap();
    let config = demo_site(site.path());
    let schedule = |zone: &str| {
        format!(
            "name = \"Person on the lawn\"\n\
             schedule = {{ time_zone = \"{zone}\", windows = [{{ from = \"08:00\", until = \"18:00\" }}] }}"
        )
    };
    let policies = site.path().join("policies.toml");
    edit(&policies, "name = \"Person on the lawn\"", &schedule("Etc/GMT+8"));
    assert_says(
        &check(&config),
        0,
        &["schedule.time_zone = Etc/GMT+8", "it means UTC-8", "Etc/GMT-8", "Asia/Shanghai"],
    );
    edit(&policies, "Etc/GMT+8", "Asia/Shanghai");
    let said = said(&check(&config));
    assert!(!said.contains("time_zone"), "{said}");
}
