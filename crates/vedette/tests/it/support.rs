//! What the integration tests share: a site on disk, the binary as a process, waiting for what must come.
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

/// The repository's root.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// Where fetched models and recordings are.
pub(crate) fn cache() -> PathBuf {
    std::env::var_os("VEDETTE_CACHE")
        .map_or_else(|| PathBuf::from(std::env::var_os("HOME").unwrap()).join(".cache/vedette"), PathBuf::from)
}

/// The demo's recording; `make test` fetches it.
pub(crate) fn recording() -> PathBuf {
    let path = std::env::var_os("VEDETTE_DEMO_VIDEO").map_or_else(|| cache().join("demo/vtest.mp4"), PathBuf::from);
    assert!(path.is_file(), "{} is missing: `make test` fetches it", path.display());
    path
}

/// The binary under test.
pub(crate) fn vedette() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vedette"));
    command.current_dir(root());
    command
}

/// Runs the command to its end; one that hangs is ended and fails the test.
pub(crate) fn finish(mut command: Command) -> Output {
    use std::process::Stdio;
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let id = child.id();
    let (done, waiting) = std::sync::mpsc::channel::<()>();
    let watchdog = std::thread::spawn(move || {
        if waiting
            .recv_timeout(Duration::from_secs(120))
            .is_err_and(|e| e == std::sync::mpsc::RecvTimeoutError::Timeout)
        {
            let _ = Command::new("kill").arg("-9").arg(id.to_string()).status();
        }
    });
    let output = child.wait_with_output().unwrap();
    let _ = done.send(());
    watchdog.join().unwrap();
    output
}

/// Everything a finished command wrote.
pub(crate) fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Asserts that the command failed and said all of `expected`.
pub(crate) fn assert_refused(command: Command, expected: &[&str]) {
    let output = finish(command);
    let said = said(&output);
    assert!(!output.status.success(), "it should have failed:\n{said}");
    for words in expected {
        assert!(said.contains(words), "`{words}` is not in:\n{said}");
    }
    assert!(!said.contains("panicked"), "{said}");
}

/// Waits for `found` to give something; fails with `what` after five minutes, which a slow machine with other tests beside it may need.
pub(crate) async fn eventually<T, F: Future<Output = Option<T>>>(what: &str, mut found: impl FnMut() -> F) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = found().await {
            return found;
        }
        assert!(started.elapsed() < Duration::from_secs(300), "{what} did not come in five minutes");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// A copy of the demo site in `directory`, its camera on the recording, its data beside it. Gives the settings file.
pub(crate) fn demo_site(directory: &Path) -> PathBuf {
    let demo = root().join("deploy/demo");
    for name in ["vedette.toml", "cameras.toml", "policies.toml", "address.base"] {
        std::fs::copy(demo.join(name), directory.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    let cameras = std::fs::read_to_string(directory.join("cameras.toml")).unwrap();
    let cameras = cameras.replace("vtest.mp4", &recording().display().to_string());
    std::fs::write(directory.join("cameras.toml"), cameras).unwrap();
    directory.join("vedette.toml")
}

/// A rule that the demo's camera is offline.
pub(crate) fn add_offline_rule(site: &Path) {
    let policies = site.join("policies.toml");
    let rule = "\n[[policy.rule]]\nid = \"offline\"\nname = \"Camera offline\"\npurpose = \"test\"\n\
                when = { kind = \"offline\", after = \"3s\" }\n";
    let text = std::fs::read_to_string(&policies).unwrap();
    std::fs::write(&policies, text + rule).unwrap();
}

/// Changes a file: `from` must be in it.
pub(crate) fn edit(path: &Path, from: &str, to: &str) {
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.contains(from), "`{from}` is not in {}", path.display());
    std::fs::write(path, text.replacen(from, to, 1)).unwrap();
}

/// A base of the demo's grids and buildings without their rooms, and its version.
pub(crate) fn other_base(path: &Path) -> String {
    let tables = root().join("deploy/demo/address");
    let mut build = vedette();
    build.args(["address", "build", "-o"]).arg(path);
    build.args([tables.join("grids.geojson"), tables.join("buildings.geojson")]);
    let output = finish(build);
    assert!(output.status.success(), "{}", said(&output));
    vedette_address::AddressBase::open(path).unwrap().version().to_owned()
}

/// The commands of a page of docs/, one each.
pub(crate) fn commands(page: &str) -> Vec<String> {
    let text = std::fs::read_to_string(root().join("docs").join(page)).unwrap();
    let blocks = text.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap().to_owned());
    blocks.flat_map(|block| block.lines().map(ToOwned::to_owned).collect::<Vec<_>>()).collect()
}
