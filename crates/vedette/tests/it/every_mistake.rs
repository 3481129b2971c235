//! A site with mistakes of every kind, in every section: all are said in one round, and nothing is said because of another.

use std::path::Path;

use vedette::config::Config;

/// A good site.
const SETTINGS: &str = r#"
[site]
name = "Test"

[bus]
kind = "kafka"
partitions = 4
keep_video = "10m"

[bus.kafka]
replication = 3
min_insync_replicas = 2

[ingest]
chunk = "500ms"
retry_min = "500ms"
retry_max = "30s"
share = "1/1"

[ingest.credentials.campus]
user = "viewer"
password_env = "CAMPUS_PASSWORD"

[detect]
providers = ["cpu"]
max_batch = 8

[detect.shed_after]
low = "5s"
normal = "10s"
high = "20s"

[analyse]
save_every = "5s"

[analyse.tracker]
floor_score = 0.1
high_score = 0.5
max_tracks = 100

[console]
listen = "127.0.0.1:8080"
keep = "720h"
base_path = "/vedette"
hosts = ["vedette.example"]
trusted_proxies = ["127.0.0.1"]

[console.limits]
streams = 100

[console.one_event]
within_m = 5.0

[console.near_misses]
per_camera = 20000

[[metadata]]
topic = "mdx-raw"
format = "nvschema"
cameras = { "Sensor 1" = "foreign" }
frame = { width = 1920, height = 1080 }

[[metadata]]
topic = "dls"
format = "dlstreamer"
time = "record"
"#;

const CAMERAS: &str = r#"
[[camera]]
id = "gate"
name = "Gate"
purpose = "safety"
groups = ["entrances"]
priority = "normal"
source = { kind = "rtsp", url = "rtsp://192.0.2.10/live", credential = "campus" }
position = { latitude = 22.54386, longitude = 114.05786, error_m = 2.0 }
calibration = { method = "pose", height_m = 6.0, heading_deg = 180.0, pitch_deg = 25.0, field_of_view_deg = 70.0 }

[[camera]]
id = "yard"
name = "Yard"
purpose = "safety"
groups = ["inside"]
source = { kind = "file", path = "yard.mp4", looped = true, offset = "1s" }
position = { latitude = 22.54390, longitude = 114.05790, error_m = 2.0 }

[[camera]]
id = "foreign"
name = "Foreign"
purpose = "safety"
position = { latitude = 22.54390, longitude = 114.05791, error_m = 2.0 }
"#;

const POLICIES: &str = r#"
[[policy]]
applies_to = { camera = "gate" }
version = 1
frame = { width = 640, height = 480 }

[[policy.rule]]
id = "speed"
name = "Too fast"
purpose = "safety"
when = { kind = "speed", zone = [[10, 10], [600, 10], [600, 400]], at_least_m_s = 8.0 }
classes = ["car"]
cooldown = "30s"

[[policy.rule]]
id = "line"
name = "Line"
purpose = "safety"
when = { kind = "line_crossing", a = [10, 100], b = [600, 100], direction = "both" }
severity = "high"

[[policy]]
applies_to = { group = "inside" }
version = 1
frame = { width = 640, height = 480 }

[[policy.rule]]
id = "stay"
name = "Stays"
purpose = "safety"
when = { kind = "dwell", zone = [[10, 10], [600, 10], [600, 400]], duration = "20s" }

[[policy.rule]]
id = "night"
name = "At night"
purpose = "safety"
when = { kind = "presence", zone = [[10, 10], [600, 10], [600, 400]] }
schedule = { time_zone = "Asia/Shanghai", windows = [{ from = "22:00", until = "24:00" }] }
"#;

/// What stands there, what is put there, and how the mistake begins.
type Planted = (&'static str, &'static str, &'static str);

const IN_SETTINGS: &[Planted] = &[
    ("name = \"Test\"", "nam = \"Test\"", "site.nam\n"),
    ("partitions = 4", "partitions = 0", "bus.partitions = 0"),
    ("keep_video = \"10m\"", "keep_video = \"10\"", "bus.keep_video = \"10\""),
    // What it bounds is not wrong for that.
    ("replication = 3", "replication = 0", "bus.kafka.replication = 0"),
    ("chunk = \"500ms\"", "chunk = \"5s\"", "ingest.chunk = 5s"),
    ("share = \"1/1\"", "share = \"2/1\"", "ingest.share = \"2/1\""),
    ("password_env = \"CAMPUS_PASSWORD\"", "pasword_env = \"x\"", "ingest.credentials.campus.pasword_env"),
    ("user = \"viewer\"", "user = 5", "ingest.credentials.campus.user = 5"),
    ("providers = [\"cpu\"]", "providers = [\"gpu\"]", "detect.providers = \"gpu\""),
    ("max_batch = 8", "max_batch = \"8\"", "detect.max_batch = \"8\""),
    ("high = \"20s\"", "high = \"0s\"", "detect.shed_after.high = 0s"),
    ("save_every = \"5s\"", "save_every = \"5h\"", "analyse.save_every = 5h"),
    ("high_score = 0.5", "high_score = -1.0", "analyse.tracker.high_score = -1"),
    ("max_tracks = 100", "max_trakcs = 100", "analyse.tracker.max_trakcs"),
    ("listen = \"127.0.0.1:8080\"", "listen = \"8080\"", "console.listen = \"8080\""),
    ("base_path = \"/vedette\"", "base_path = \"vedette\"", "console.base_path = vedette"),
    ("\"vedette.example\"", "\"https://vedette.example\"", "console.hosts[0] = https://vedette.example"),
    ("\"127.0.0.1\"]", "\"localhost\"]", "console.trusted_proxies[0] = localhost"),
    ("streams = 100", "streams = 0", "console.limits.streams = 0"),
    ("within_m = 5.0", "within_m = 50.0", "console.one_event.within_m = 50"),
    ("per_camera = 20000", "per_camera = 0", "console.near_misses.per_camera = 0"),
    ("format = \"nvschema\"", "format = \"xml\"", "metadata[0] (mdx-raw).format = \"xml\""),
    ("\"Sensor 1\" = \"foreign\"", "\"Sensor 1\" = \"nobody\"", "metadata[0] (mdx-raw).cameras.Sensor 1 = nobody"),
    ("topic = \"dls\"", "topic = \"alerts\"", "metadata[1] (alerts).topic = alerts"),
    ("time = \"record\"", "time = \"clock\"", "metadata[1] (alerts).time = \"clock\""),
];

const IN_CAMERAS: &[Planted] = &[
    ("name = \"Gate\"\n", "", "camera[0] (gate).name\n"),
    ("priority = \"normal\"", "priority = \"urgent\"", "camera[0] (gate).priority = \"urgent\""),
    ("rtsp://192.0.2.10/live", "http://192.0.2.10/live", "camera[0] (gate).source.url = http://192.0.2.10/live"),
    ("pitch_deg = 25.0, ", "", "camera[0] (gate).calibration.pitch_deg\n"),
    (
        "purpose = \"safety\"\ngroups = [\"inside\"]",
        "purpose = \"\"\ngroups = [\"inside\"]",
        "camera[1] (yard).purpose",
    ),
    ("looped = true", "looped = \"yes\"", "camera[1] (yard).source.looped = \"yes\""),
    ("offset = \"1s\"", "ofset = \"1s\"", "camera[1] (yard).source.ofset"),
    ("longitude = 114.05790", "longitude = \"east\"", "camera[1] (yard).position.longitude = \"east\""),
    // Who refers to it is not wrong for that.
    ("id = \"foreign\"\nname", "id = \"foreign\"\nnaem", "camera[2] (foreign).naem"),
    ("longitude = 114.05791, ", "", "camera[2] (foreign).position.longitude\n"),
];

const IN_POLICIES: &[Planted] = &[
    ("cooldown = \"30s\"", "cooldown = 30", "policy[0] (camera/gate).rule[0] (speed).cooldown = 30"),
    ("classes = [\"car\"]", "classes = [\"cart\"]", "policy[0] (camera/gate).rule[0] (speed).classes"),
    ("direction = \"both\"", "direction = \"up\"", "policy[0] (camera/gate).rule[1] (line).when.direction = \"up\""),
    ("name = \"Line\"", "name = \"\"", "policy[0] (camera/gate).rule[1] (line).name"),
    ("severity = \"high\"", "severty = \"high\"", "policy[0] (camera/gate).rule[1] (line).severty"),
    (", duration = \"20s\"", "", "policy[1] (group/inside).rule[0] (stay).when.duration\n"),
    ("Asia/Shanghai", "Asia/Shenzhen", "policy[1] (group/inside).rule[1] (night).schedule.time_zone = Asia/Shenzhen"),
    ("from = \"22:00\"", "from = \"22\"", "policy[1] (group/inside).rule[1] (night).schedule.windows[0].from = 22"),
    ("kind = \"presence\"", "kind = \"presense\"", "policy[1] (group/inside).rule[1] (night).when.kind = \"presense\""),
];

/// The files with all mistakes but one.
fn plant(text: &str, planted: &[Planted], but: Option<usize>) -> String {
    let mut text = text.to_owned();
    for (index, (from, to, _)) in planted.iter().enumerate() {
        assert!(text.contains(from), "{from}");
        if but != Some(index) {
            text = text.replacen(from, to, 1);
        }
    }
    text
}

fn mistakes(settings: &str, cameras: &str, policies: &str) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [("vedette.toml", settings), ("cameras.toml", cameras), ("policies.toml", policies)] {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let prefix = format!("{}/", folder.path().display());
    let found = Config::read(Path::new(&folder.path().join("vedette.toml"))).mistakes;
    found.into_iter().map(|mistake| mistake.to_string().replace(&prefix, "")).collect()
}

#[test]
fn a_good_site_has_none() {
    assert_eq!(mistakes(SETTINGS, CAMERAS, POLICIES), Vec::<String>::new());
}

#[test]
fn every_mistake_is_said_in_one_round_and_nothing_else() {
    let parts = [
        ("vedette.toml", SETTINGS, IN_SETTINGS),
        ("cameras.toml", CAMERAS, IN_CAMERAS),
        ("policies.toml", POLICIES, IN_POLICIES),
    ];
    let planted: usize = parts.iter().map(|(_, _, planted)| planted.len()).sum();
    let site = |but: Option<(usize, usize)>| {
        let text = |part: usize| {
            let but = but.filter(|(of, _)| *of == part).map(|(_, index)| index);
            plant(parts[part].1, parts[part].2, but)
        };
        mistakes(&text(0), &text(1), &text(2))
    };
    let all = site(None);
    let said = all.join("\n");
    for (file, _, planted) in parts {
        for (_, _, begins) in planted {
            let begins = format!("{file}: {begins}");
            assert_eq!(all.iter().filter(|mistake| mistake.starts_with(&begins)).count(), 1, "{begins} in\n{said}");
        }
    }
    assert_eq!(all.len(), planted, "{said}");
    for (part, (_, _, each)) in parts.iter().enumerate() {
        for (index, (_, _, begins)) in each.iter().enumerate() {
            let left = site(Some((part, index)));
            assert_eq!(left.len(), planted - 1, "without {begins}:\n{}", left.join("\n"));
        }
    }
}

#[test]
fn a_file_in_another_encoding_is_called_so() {
    let folder = tempfile::tempdir().unwrap();
    let gbk = [b"[site]\nname = \"".as_slice(), &[0xc9, 0xee, 0xdb, 0xda], b"\"\n"].concat();
    let utf16: Vec<u8> = [0xfeff].into_iter().chain("[site]".encode_utf16()).flat_map(u16::to_le_bytes).collect();
    for text in [gbk, utf16] {
        let path = folder.path().join("vedette.toml");
        std::fs::write(&path, text).unwrap();
        let found = Config::read(&path).mistakes;
        let of_file = found.iter().find(|mistake| mistake.to_string().contains("vedette.toml: the file"));
        let said = of_file.unwrap_or_else(|| panic!("{found:?}")).to_string();
        assert!(said.contains("UTF-8") && said.contains("iconv"), "{said}");
    }
}

#[test]
fn a_byte_order_mark_is_no_part_of_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let config = crate::support::demo_site(folder.path());
    let plain = Config::load(&config).unwrap();
    for name in ["vedette.toml", "cameras.toml", "policies.toml"] {
        let path = folder.path().join(name);
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, format!("\u{feff}{text}")).unwrap();
        let marked = Config::load(&config).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!((&marked.cameras, &marked.policies), (&plain.cameras, &plain.policies), "{name}");
        assert_eq!(marked.settings.site.name, plain.settings.site.name, "{name}");
    }
    let path = folder.path().join("cameras.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("[[camera]]", "\u{feff}[[camera]]")).unwrap();
    let refused = Config::read(&config).mistakes;
    assert!(refused.iter().any(|mistake| mistake.to_string().contains("cameras.toml")), "{refused:?}");
}

#[test]
fn a_file_that_is_no_toml_hides_no_other() {
    let broken = |text: &str| format!("{text}\nbroken = = 1\n");
    let found = mistakes(&broken(SETTINGS), &broken(CAMERAS), &plant(POLICIES, &IN_POLICIES[..2], None));
    assert_eq!(found.len(), 4, "{}", found.join("\n"));
    let named = SETTINGS.replace("name = \"Test\"", "cameras = \"elsewhere.toml\"");
    let found = mistakes(&broken(&named), CAMERAS, &plant(POLICIES, IN_POLICIES, None));
    assert!(found.iter().any(|mistake| mistake.starts_with("elsewhere.toml")), "{}", found.join("\n"));
    // Nobody knows which cameras there are, so no policy is wrong for naming one.
    assert_eq!(found.len(), 2 + IN_POLICIES.len(), "{}", found.join("\n"));
}

#[test]
fn who_refers_to_nothing_is_told_so_also_beside_broken_entries() {
    let policies = POLICIES.replace("camera = \"gate\"", "camera = \"gaet\"").replace("\"inside\"", "\"outside\"");
    let found = mistakes(SETTINGS, &plant(CAMERAS, IN_CAMERAS, None), &policies);
    assert_eq!(found.len(), IN_CAMERAS.len() + 2, "{}", found.join("\n"));
    assert_eq!(found.iter().filter(|mistake| mistake.contains("applies to no camera")).count(), 2);
}
