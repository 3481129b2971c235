//! What a person sees who gives the program something wrong: each case names the input, the rule and the way out.

use std::net::TcpListener;

use crate::support::{self, assert_refused, demo_site, edit, finish, said, vedette};

fn check(config: &std::path::Path) -> std::process::Command {
    let mut command = vedette();
    command.args(["check", "--listen", "127.0.0.1:0", "--config"]).arg(config);
    command
}

fn run(config: &std::path::Path) -> std::process::Command {
    let mut command = vedette();
    command.args(["run", "--listen", "127.0.0.1:0", "--for", "30s", "--config"]).arg(config);
    command
}

#[test]
fn every_mistake_of_a_configuration_is_said_at_once() {
    let site = tempfile::tempdir().unwrap();
    let config = demo_site(site.path());
    assert!(finish(check(&config)).status.success(), "{}", said(&finish(check(&config))));

    edit(&config, "[bus]", "[bus]\npartitoins = 3\nkeep_video = \"10\"");
    edit(&site.path().join("policies.toml"), "zone = [[", "zone = [[1, 1], [2, 2]], zone_was = [[");
    edit(&site.path().join("cameras.toml"), "purpose = \"", "purpose = \"\" # ");
    assert_refused(
        check(&config),
        &[
            "bus.partitoins",
            "unknown field",
            "bus.keep_video",
            "with its unit",
            "zone_was",
            "camera[0] (campus-1).purpose",
        ],
    );
}

#[test]
fn an_event_that_is_too_wide_or_too_long_is_refused_with_the_range() {
    let site = tempfile::tempdir().unwrap();
    let config = demo_site(site.path());
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, format!("{text}\n[console.one_event]\nwithin_m = 40.0\napart = \"2m\"\n")).unwrap();
    assert_refused(
        check(&config),
        &["console.one_event.within_m = 40", "0.5 to 12 m", "console.one_event.apart = 2m", "100ms to 1m"],
    );
}

#[test]
fn the_example_configurations_are_good() {
    let deploy = support::root().join("deploy");
    let output = finish(check(&deploy.join("vedette.toml")));
    assert!(output.status.success(), "{}", said(&output));
    // `vedette demo` puts its recording in the place of the one that is named there.
    let mut demo = check(&deploy.join("demo/vedette.toml"));
    demo.args(["--roles", "detect,analyse,console"]);
    let output = finish(demo);
    assert!(output.status.success(), "{}", said(&output));
}

#[test]
fn a_zone_of_two_points_is_refused() {
    let site = tempfile::tempdir().unwrap();
    let config = demo_site(site.path());
    let policies = site.path().join("policies.toml");
    let text = std::fs::read_to_string(&policies).unwrap();
    let start = text.find("zone = ").unwrap();
    let end = start + text[start..].find("]]").unwrap() + 2;
    std::fs::write(&policies, format!("{}zone = [[10, 10], [200, 10]]{}", &text[..start], &text[end..])).unwrap();
    assert_refused(check(&config), &["policies.toml", "zone", "3 to 256 corners"]);
}

#[test]
fn metres_on_a_camera_without_calibration_are_refused_by_its_name() {
    let site = tempfile::tempdir().unwrap();
    let config = demo_site(site.path());
    let cameras = site.path().join("cameras.toml");
    let text = std::fs::read_to_string(&cameras).unwrap();
    let plain = "\n[[camera]]\nid = \"plain-1\"\nname = \"Plain\"\npurpose = \"test\"\ngroups = [\"campus\"]\n\
        position = { latitude = 22.53, longitude = 113.93 }\n";
    std::fs::write(&cameras, format!("{text}{plain}")).unwrap();
    assert!(finish(check(&config)).status.success(), "{}", said(&finish(check(&config))));
    edit(&site.path().join("policies.toml"), "kind = \"presence\",", "kind = \"speed\", at_least_m_s = 3.0,");
    assert_refused(check(&config), &["speed on camera plain-1", "calibrated camera only", "calibrate the camera"]);
}

#[test]
fn control_points_on_a_line_are_refused() {
    let site = tempfile::tempdir().unwrap();
    let config = demo_site(site.path());
    let cameras = site.path().join("cameras.toml");
    let text = std::fs::read_to_string(&cameras).unwrap();
    let start = text.find("points = [").unwrap();
    let end = start + text[start..].find("\n]").unwrap() + 2;
    let line: String = (0..5)
        .map(|i| {
            format!(
                "{{ pixel = [{0}, {0}], ground = {{ latitude = {1}, longitude = {2} }} }},",
                100 + 50 * i,
                22.5310 + 0.00001 * f64::from(i),
                113.9380 + 0.00001 * f64::from(i)
            )
        })
        .collect();
    std::fs::write(&cameras, format!("{}points = [{line}]{}", &text[..start], &text[end..])).unwrap();
    assert_refused(check(&config), &["camera[0] (campus-1).calibration", "line"]);
}

#[test]
fn credentials_in_a_camera_address_are_refused_and_not_repeated() {
    let site = tempfile::tempdir().unwrap();
    let config = demo_site(site.path());
    let cameras = site.path().join("cameras.toml");
    let text = std::fs::read_to_string(&cameras).unwrap();
    let start = text.find("source = ").unwrap();
    let end = start + text[start..].find('\n').unwrap();
    let source = "source = { kind = \"rtsp\", url = \"rtsp://root:hunter2@10.0.0.1/live\" }";
    std::fs::write(&cameras, format!("{}{source}{}", &text[..start], &text[end..])).unwrap();
    let output = said(&finish(check(&config)));
    assert!(output.contains("credential"), "{output}");
    assert!(!output.contains("hunter2"), "{output}");
}

#[test]
fn a_model_that_is_not_there_says_how_to_fetch_it() {
    let site = tempfile::tempdir().unwrap();
    let empty = tempfile::tempdir().unwrap();
    let config = demo_site(site.path());
    let mut command = run(&config);
    command.env("VEDETTE_CACHE", empty.path());
    assert_refused(command, &["vedette models fetch"]);
}

#[test]
fn a_port_in_use_is_named() {
    let site = tempfile::tempdir().unwrap();
    let config = demo_site(site.path());
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let mut command = vedette();
    command.args(["run", "--for", "30s", "--listen", &address, "--config"]).arg(&config);
    assert_refused(command, &[&address, "listen"]);
}

#[test]
fn kafka_that_is_not_there_is_named() {
    let site = tempfile::tempdir().unwrap();
    let config = demo_site(site.path());
    let mut command = run(&config);
    command.args(["--bus", "kafka", "--brokers", "127.0.0.1:1"]);
    assert_refused(command, &["127.0.0.1:1", "cannot be reached"]);
}

#[test]
fn two_processes_on_one_embedded_log_are_refused() {
    let site = tempfile::tempdir().unwrap();
    let config = demo_site(site.path());
    let mut first = run(&config).stderr(std::process::Stdio::null()).spawn().unwrap();
    let lock = site.path().join("data/bus");
    let started = std::time::Instant::now();
    while !lock.join("LOCK").exists() {
        assert!(started.elapsed().as_secs() < 60, "the first process did not open the log");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    let second = run(&config);
    let output = finish(second);
    first.kill().unwrap();
    first.wait().unwrap();
    assert!(!output.status.success());
    assert!(said(&output).contains("data/bus"), "{}", said(&output));
}
