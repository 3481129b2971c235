//! Secrets and dangerous settings: `check` names them and repeats no secret; data is its owner's only.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::support::{demo_site, edit, finish, said, vedette};

fn check(config: &Path) -> Output {
    let mut command = vedette();
    command.args(["check", "--offline", "--listen", "127.0.0.1:0", "--config"]).arg(config);
    finish(command)
}

fn append(path: &Path, text: &str) {
    std::fs::write(path, std::fs::read_to_string(path).unwrap() + text).unwrap();
}

fn camera(id: &str, source: &str) -> String {
    format!(
        "\n[[camera]]\nid = \"{id}\"\nname = \"n\"\npurpose = \"test\"\nsource = {source}\n\
         position = {{ latitude = 22.53, longitude = 113.93 }}\n"
    )
}

/// Checks a site that `change` has changed: with this exit code, these words, and without the secret.
fn assert_checked(change: impl FnOnce(&Path), code: i32, words: &[&str]) {
    let site = tempfile::tempdir().unwrap();
    let config = demo_site(site.path());
    change(site.path());
    let output = check(&config);
    let said = said(&output);
    assert!(!said.contains("EHEIM") && !said.contains("panicked"), "{said}");
    assert_eq!(output.status.code(), Some(code), "{said}");
    for word in words {
        assert!(said.contains(word), "`{word}` is not in:\n{said}");
    }
}

#[test]
fn no_secret_in_a_camera_file_is_repeated_whatever_does_not_parse() {
    for source in [
        "{ kind = \"rtsp\", url = \"rtsp://viewer:#GEHEIM@192.0.2.10/live\" }",
        "{ kind = \"rtsp\", url = \"rtsp://viewer:12/GEHEIM@192.0.2.10/live\" }",
        "{ kind = \"rtsp\", url = \"rtsp://viewer:GEHEIM 42@192.0.2.10/live\" }",
        "{ kind = \"rtsp\", url = \"rtps://192.0.2.10/user=a&password=GEHEIM\" }",
        "{ kind = \"rtsp\", url = \"192.0.2.10/GEHEIM\" }",
        "{ kind = \"rtsp\", url = [\"rtsp://viewer:GEHEIM@192.0.2.10/live\"] }",
        "{ kind = \"rtsp://viewer:GEHEIM@192.0.2.10/live\" }",
        "{ kind = \"rtsp\", url = \"rtsp://h/a\", \"viewer:GEHEIM@h\" = 1 }",
        "\"rtsp://viewer:GEHEIM@192.0.2.10/live\"",
        "{ kind = \"rtsp\", url = \"rtsp://h/a\", credential = \"viewer:GEHEIM@x\" }",
        "{ kind = \"rtsp\", url = \"rtsp://viewer:GEHEIM@192.0.2.10/live }",
    ] {
        assert_checked(|site| append(&site.join("cameras.toml"), &camera("gate", source)), 2, &["cameras.toml"]);
    }
}

#[test]
fn no_secret_in_the_settings_is_repeated_whatever_does_not_parse() {
    for store in [
        "Postgresql://u:GEHEIM@h/db",
        "postgresql://u:GE#HEIM@h/db",
        "postgresql:/u:GEHEIM@h/db",
        "u:GEHEIM@h/db",
        "mysql://u:GEHEIM@h/db",
        "postgresql://u@h/db?password=GEHEIM",
    ] {
        let set = |site: &Path| append(&site.join("vedette.toml"), &format!("store = \"{store}\"\n"));
        assert_checked(set, 2, &["console.store"]);
    }
    assert_checked(
        |site| {
            append(&site.join("vedette.toml"), "store_password_env = \"GEHEIM.42\"\nstore = \"postgresql://u@h/db\"\n")
        },
        2,
        &["console.store_password_env"],
    );
    assert_checked(
        |site| append(&site.join("vedette.toml"), "[bus.kafka.properties]\n\"sasl.password\" = [\"GEHEIM\"]\n"),
        2,
        &["sasl.password"],
    );
    assert_checked(
        |site| append(&site.join("vedette.toml"), "[bus.kafka.properties_env]\n\"sasl.password\" = \"GEHEIM 42\"\n"),
        2,
        &["properties_env.sasl.password", "bus.kafka.variable"],
    );
}

#[test]
fn a_secret_in_path_or_query_is_warned_of_and_a_placeholder_needs_its_credential() {
    for address in ["rtsp://192.0.2.10/user=a&password=GEHEIM&channel=1", "rtsp://192.0.2.10/live?token=GEHEIM"] {
        let source = format!("{{ kind = \"rtsp\", url = \"{address}\" }}");
        let add = |site: &Path| append(&site.join("cameras.toml"), &camera("gate", &source));
        assert_checked(add, 0, &["camera.secret-in-address", "{password}"]);
    }
    let source = "{ kind = \"rtsp\", url = \"rtsp://192.0.2.10/user=a&password={password}\" }";
    let add = |site: &Path| append(&site.join("cameras.toml"), &camera("gate", source));
    assert_checked(add, 2, &["camera.placeholder", "credential"]);
}

/// What is published, shown and logged comes from the cameras of the configuration.
#[test]
fn the_cameras_of_the_configuration_hold_no_secret() {
    let site = tempfile::tempdir().unwrap();
    let config = demo_site(site.path());
    let source = "{ kind = \"rtsp\", url = \"rtsp://192.0.2.10/live?token=GEHEIM\" }";
    append(&site.path().join("cameras.toml"), &camera("gate", source));
    let config = vedette::config::Config::load(&config).unwrap();
    assert!(!format!("{:?}", config.cameras).contains("GEHEIM"));
    let gate = config.cameras[1].id.clone();
    assert_eq!(config.settings.ingest.addresses[&gate], "rtsp://192.0.2.10/live?token=GEHEIM");
}

#[test]
fn dangerous_settings_are_warned_of() {
    let open = |site: &Path| edit(&site.join("vedette.toml"), "listen = \"127.0.0.1:8080\"", "pixelate = false");
    assert_checked(open, 0, &["console.not-pixelated"]);
    let site = tempfile::tempdir().unwrap();
    let config = demo_site(site.path());
    let mut command = vedette();
    command.args(["check", "--offline", "--listen", "0.0.0.0:0", "--operations-listen", "0.0.0.0:0", "--config"]);
    let output = finish({
        command.arg(&config);
        command
    });
    let said = said(&output);
    for rule in ["console.open-to-network", "operations.open-to-network", "console.no-account"] {
        assert!(said.contains(rule), "{said}");
    }
    assert_eq!(output.status.code(), Some(2), "{said}");
    let kafka = |site: &Path| {
        edit(&site.join("vedette.toml"), "kind = \"embedded\"", "kind = \"kafka\"");
        append(&site.join("vedette.toml"), "[bus.kafka.properties]\n\"sasl.password\" = \"GEHEIM\"\n");
    };
    assert_checked(kafka, 0, &["bus.kafka.properties.sasl.password", "secret.in-file"]);
    let unset = |site: &Path| {
        edit(&site.join("vedette.toml"), "kind = \"embedded\"", "kind = \"kafka\"");
        append(&site.join("vedette.toml"), "[bus.kafka.properties_env]\n\"sasl.password\" = \"VEDETTE_TEST_UNSET\"\n");
    };
    assert_checked(unset, 2, &["properties_env.sasl.password = VEDETTE_TEST_UNSET", "secret.unset"]);
}

/// As many warnings about cameras as the log has lines for do not hide what is said of the whole site.
#[test]
fn run_warns_of_what_is_dangerous_however_many_cameras_there_are() {
    let site = tempfile::tempdir().unwrap();
    let config = demo_site(site.path());
    edit(&config, "listen = \"127.0.0.1:8080\"", "pixelate = false");
    for number in 0..40 {
        let source = format!("{{ kind = \"rtsp\", url = \"rtsp://127.0.0.1:9/live?token=GEHEIM{number}\" }}");
        append(&site.path().join("cameras.toml"), &camera(&format!("gate-{number}"), &source));
    }
    let bus = site.path().join("data/bus");
    std::fs::create_dir_all(&bus).unwrap();
    std::fs::set_permissions(&bus, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let mut account = vedette();
    account
        .args(["user", "add", "anna", "--grant", "administrator", "--password-env", "ANNA", "--config"])
        .arg(&config);
    account.env("ANNA", "correct horse battery staple").current_dir(site.path());
    let account = finish(account);
    assert!(account.status.success(), "{}", said(&account));
    let mut command = vedette();
    command.args(["run", "--listen", "0.0.0.0:0", "--operations-listen", "0.0.0.0:0", "--for", "1s", "--config"]);
    let output = finish({
        command.arg(&config);
        command
    });
    let said = said(&output);
    assert!(output.status.success() && !said.contains("EHEIM"), "{said}");
    for rule in [
        "console.open-to-network",
        "operations.open-to-network",
        "console.not-pixelated",
        "data.open-to-others",
        "camera.secret-in-address",
    ] {
        assert!(said.contains(&format!("[{rule}]")), "`{rule}` is not in:\n{said}");
    }
}

#[test]
fn absurd_values_and_files_are_refused() {
    let bus = |line: &'static str| {
        move |site: &Path| edit(&site.join("vedette.toml"), "partitions = 4", &format!("partitions = 4\n{line}"))
    };
    for line in [
        "keep_video_bytes = 0",
        "keep_dead_letters_bytes = 1",
        "keep_alerts = \"0s\"",
        "keep_detections = \"9999999h\"",
    ] {
        assert_checked(bus(line), 2, &[line.split(' ').next().unwrap()]);
    }
    for line in ["threads = 1000000", "decoders = 100000000"] {
        let set = |site: &Path| edit(&site.join("vedette.toml"), "[detect]\n", &format!("[detect]\n{line}\n"));
        assert_checked(set, 2, &[line.split(' ').next().unwrap()]);
    }
    let model = |site: &Path| edit(&site.join("vedette.toml"), "nanodet-g-640x480", "../../../etc/passwd");
    assert_checked(model, 2, &["detect.model-name"]);
    for name in ["cameras", "policies"] {
        let zero = |site: &Path| {
            edit(&site.join("vedette.toml"), &format!("{name} = \"{name}.toml\""), &format!("{name} = \"/dev/zero\""));
        };
        assert_checked(zero, 2, &["file.not-a-file"]);
    }
}

/// Everything that the product makes, with its permissions.
fn made(folder: &Path) -> Vec<(PathBuf, u32)> {
    let mut found = Vec::new();
    for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        let about = path.symlink_metadata().unwrap();
        found.push((path.clone(), about.mode() & 0o777));
        if about.is_dir() {
            found.extend(made(&path));
        }
    }
    found
}

#[test]
fn what_is_made_is_the_owners_only_whatever_the_umask() {
    let site = tempfile::tempdir().unwrap();
    demo_site(site.path());
    let before: Vec<PathBuf> = made(site.path()).into_iter().map(|(path, _)| path).collect();
    let under = |args: &str| {
        let mut command = Command::new("sh");
        let binary = vedette().get_program().to_owned();
        command.arg("-c").arg(format!("umask 000; exec \"$0\" {args} --config vedette.toml")).arg(binary);
        command.current_dir(site.path());
        command
    };
    let mut run = under("run --listen 127.0.0.1:0 --operations-listen 127.0.0.1:0");
    let mut run = run.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(300);
    let data = site.path().join("data");
    let lies_there = |part: &str| data.exists() && made(&data).iter().any(|(path, _)| path.ends_with(part));
    while !["alerts.sqlite-wal", "video/0/00000000000000000000.log", "states/topic.json"].into_iter().all(lies_there) {
        assert!(Instant::now() < deadline && run.try_wait().unwrap().is_none(), "{:?}", made(site.path()));
        std::thread::sleep(Duration::from_millis(200));
    }
    let during = made(site.path());
    assert!(Command::new("kill").arg(run.id().to_string()).status().unwrap().success());
    run.wait().unwrap();
    let listed = finish(under("dead-letters list"));
    assert!(listed.status.success(), "{}", said(&listed));
    let all = during.into_iter().chain(made(site.path()));
    let open: Vec<_> = all.filter(|(path, mode)| !before.contains(path) && mode & 0o077 != 0).collect();
    assert!(open.is_empty(), "{open:?}");
}
