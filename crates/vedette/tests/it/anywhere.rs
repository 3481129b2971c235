//! The binary alone, in an empty folder, with nothing told by the environment but where downloads are.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::{self, cache, finish, recording, said};

/// The built binary in `folder`.
fn alone(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vedette"));
    command.current_dir(folder).env_clear();
    command.env("HOME", std::env::var_os("HOME").unwrap()).env("VEDETTE_CACHE", cache());
    command
}

fn succeeds(mut command: Command, words: &[&str]) -> String {
    command.args(words);
    let output = finish(command);
    let said = said(&output);
    assert!(output.status.success(), "{words:?}: {said}");
    said
}

/// A site of one camera on the recording, in the current folder.
fn minimal_site(folder: &Path) {
    std::fs::write(
        folder.join("vedette.toml"),
        "[detect]\nmodel = \"nanodet-g-416x320\"\nmax_fps = 1.0\n[console]\nlisten = \"127.0.0.1:0\"\n",
    )
    .unwrap();
    let camera = format!(
        "[[camera]]\nid = \"gate\"\nname = \"Gate\"\npurpose = \"test\"\nsource = {{ kind = \"file\", path = \"{}\" }}\n\
         position = {{ latitude = 22.5, longitude = 113.9 }}\n",
        recording().display()
    );
    std::fs::write(folder.join("cameras.toml"), camera).unwrap();
    std::fs::write(folder.join("policies.toml"), "").unwrap();
}

#[test]
fn models_are_known_and_a_site_is_checked_and_run() {
    let folder = tempfile::tempdir().unwrap();
    let listed = succeeds(alone(folder.path()), &["models", "list"]);
    assert!(listed.contains("nanodet-g-640x480") && listed.contains("yolox-nano"), "{listed}");
    succeeds(alone(folder.path()), &["models", "verify", "onnxruntime", "nanodet-g"]);
    succeeds(alone(folder.path()), &["models", "fetch", "onnxruntime,nanodet-g"]);
    minimal_site(folder.path());
    succeeds(alone(folder.path()), &["check"]);
    let ran = succeeds(alone(folder.path()), &["run", "--for", "3s"]);
    assert!(ran.contains("The page: http://"), "{ran}");
    assert!(owned_alone(&folder.path().join("data")).len() > 10);
}

/// The files and directories below `folder`; none may be open to other users.
fn owned_alone(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap()) {
        let mode = entry.metadata().unwrap().mode() & 0o777;
        assert_eq!(mode & 0o077, 0, "{} has mode {mode:o}", entry.path().display());
        if entry.file_type().unwrap().is_dir() {
            all.extend(owned_alone(&entry.path()));
        }
        all.push(entry.path());
    }
    all
}

/// A log on a full disk, and a reader of the log that has gone.
#[test]
fn output_that_cannot_be_written_is_dropped() {
    let folder = tempfile::tempdir().unwrap();
    minimal_site(folder.path());
    let full = || std::fs::File::options().write(true).open("/dev/full").unwrap();
    let gone = || {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        writer
    };
    for words in [&["run", "--for", "2s"][..], &["check"], &["models", "list"], &["run", "--config", "nowhere.toml"]] {
        for broken in [Stdio::from(full()), Stdio::from(gone())] {
            let mut command = alone(folder.path());
            let other = if words[0] == "run" { Stdio::null() } else { full().into() };
            command.args(words).env("RUST_LOG", "info").stderr(broken).stdout(other);
            let code = command.status().unwrap().code();
            let expected = if words.contains(&"nowhere.toml") { 1 } else { 0 };
            assert_eq!(code, Some(expected), "{words:?}");
        }
    }
}

#[test]
fn the_demo_runs_and_says_what_brings_its_recording() {
    let folder = tempfile::tempdir().unwrap();
    let mut bare = alone(folder.path());
    bare.env("VEDETTE_CACHE", folder.path()).arg("demo");
    let said = said(&finish(bare));
    assert!(said.contains("make demo") && said.contains("--video"), "{said}");
    let mut demo = alone(folder.path());
    demo.arg("--log-json").env("RUST_LOG", "warn");
    demo.args(["demo", "--for", "3s", "--listen", "127.0.0.1:0", "--video"]).arg(recording());
    let output = finish(demo);
    assert!(output.status.success(), "{}", support::said(&output));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left where it ran");
}

#[test]
fn a_directory_of_manifests_adds_to_those_inside_and_is_not_read_unnamed() {
    let folder = tempfile::tempdir().unwrap();
    let mine = folder.path().join("models/mine");
    std::fs::create_dir_all(&mine).unwrap();
    let manifest = support::root().join("models/nanodet-g/manifest.toml");
    let manifest = std::fs::read_to_string(manifest).unwrap().replace("\"nanodet-g\"", "\"mine\"");
    std::fs::write(mine.join("manifest.toml"), manifest).unwrap();
    let unnamed = succeeds(alone(folder.path()), &["models", "list"]);
    assert!(!unnamed.contains("\nmine ") && unnamed.contains("is not read by itself"), "{unnamed}");
    let named = succeeds(alone(folder.path()), &["models", "list", "--models", "models"]);
    assert!(named.contains("\nmine ") && named.contains("yolox-nano"), "{named}");
    assert!(!named.contains("is not read by itself"), "{named}");
    minimal_site(folder.path());
    assert!(succeeds(alone(folder.path()), &["check"]).contains("is not read by itself"));
    support::edit(
        &folder.path().join("vedette.toml"),
        "model = \"nanodet-g-416x320\"",
        "models = \"models\"\nmodel = \"mine\"",
    );
    succeeds(alone(folder.path()), &["check"]);
}
