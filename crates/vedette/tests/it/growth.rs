//! How memory and data grow beside hostile cameras, which `benches/run growth` prints.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::Value;
use vedette_core::Codec;
use vedette_rtsp::testing::{End, Misdeed, Script, Server, nal_units};

use crate::encoding::{H264, encode};
use crate::figures::{LOST_SLICE, undecodable};
use crate::support::{demo_site, eventually, vedette};

/// The row of all hostile cameras at once, and the camera in it that does nothing wrong.
const ALL_TOGETHER: &str = "all-together";
const GOOD: &str = "good";

/// The hostile cameras.
fn hostile() -> Vec<(&'static str, Script)> {
    let units = encode(H264, 20);
    let plain = Script::new(Codec::H264, units.clone());
    let describes = |misdeed| plain.clone().with("DESCRIBE", misdeed);
    let fast = |end| Script { pace: Duration::from_micros(200), units: units[..5].to_vec(), end, ..plain.clone() };
    let real_begin =
        nal_units(&units[0]).into_iter().find(|nal| nal[0] & 0x1f == 5).expect("a key frame")[1..8].to_vec();
    // Whatever follows the first head is the body that it announces.
    let huge = b"RTSP/1.0 200 OK\r\nContent-Length: 4000000000\r\n\r\n".repeat(100);
    vec![
        ("huge-answer", describes(Misdeed::Endless(huge))),
        ("endless-headers", describes(Misdeed::Endless(b"X-Header: 1\r\n".repeat(100)))),
        ("bad-packets", fast(End::Garbage)),
        ("reconnect-storm", fast(End::Close)),
        ("undecodable-800-kb", Script { units: vec![undecodable(&units[0], &LOST_SLICE, 800_000)], ..plain.clone() }),
        ("grey-800-kb", Script { units: vec![undecodable(&units[0], &real_begin, 800_000)], ..plain }),
    ]
}

/// The product in a process of its own, killed with the measurement.
struct Running(std::process::Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Running {
    fn start(config: &Path) -> Self {
        let log = std::fs::File::create(config.with_file_name("log")).unwrap();
        let mut command = vedette();
        command.args(["run", "--operations-listen", "127.0.0.1:0", "--listen", "127.0.0.1:0", "--config"]).arg(config);
        command.stdin(std::process::Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        Self(command.spawn().unwrap())
    }

    fn resident(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("it runs");
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
    }
}

/// Bytes of all files below a folder; one that goes away meanwhile has none.
fn size(folder: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    let of = |entry: std::fs::DirEntry| match entry.metadata() {
        Ok(found) if found.is_dir() => size(&entry.path()),
        Ok(found) => found.len(),
        Err(_) => 0,
    };
    entries.flatten().map(of).sum()
}

/// What is measured, in bytes.
struct Sample {
    resident: u64,
    video: u64,
    dead_letters: u64,
    other: u64,
    log: u64,
}

impl Sample {
    fn of(product: &Running, site: &Path) -> Self {
        let data = site.join("data");
        let topic = |name: &str| size(&data.join("bus/topics").join(name));
        let (video, dead_letters) = (topic("video"), topic("dead-letters"));
        let other = size(&data).saturating_sub(video + dead_letters);
        Self { resident: product.resident(), video, dead_letters, other, log: size_of_log(site) }
    }
}

fn size_of_log(site: &Path) -> u64 {
    std::fs::metadata(site.join("log")).map_or(0, |log| log.len())
}

/// A site with these cameras in place of the demo's one. Gives the settings file.
fn site_of(cameras: &[(&str, Server)], folder: &Path) -> PathBuf {
    let path = demo_site(folder);
    let file = folder.join("cameras.toml");
    let demo = std::fs::read_to_string(&file).unwrap();
    let source = demo.lines().find(|line| line.starts_with("source = ")).unwrap();
    let of = |(name, camera): &(&str, Server)| {
        demo.replace("id = \"campus-1\"", &format!("id = \"{name}\""))
            .replace(source, &format!("source = {{ kind = \"rtsp\", url = \"{}\" }}", camera.url()))
    };
    std::fs::write(&file, cameras.iter().map(of).collect::<Vec<_>>().join("\n")).unwrap();
    path
}

/// What the page says of the good camera, again and again.
#[derive(Default)]
struct Good {
    analysed: u64,
    received: u64,
    changed: Option<Instant>,
    longest_pause: Duration,
    /// Why it had no signal, each time that the page was asked.
    lost: Vec<String>,
}

impl Good {
    async fn ask(&mut self, page: &str) {
        let cameras = json(&format!("{page}api/v1/cameras")).await.unwrap_or_default();
        let of = cameras["cameras"].as_array().into_iter().flatten().find(|camera| camera["id"] == GOOD);
        let reason = of.and_then(|camera| camera["signal_loss"]["reason"].as_str());
        self.lost.extend(reason.map(str::to_owned));
        let frames = json(&format!("{page}api/v1/frames?camera={GOOD}")).await.unwrap_or_default();
        let analysed = frames["analysed"].as_u64().unwrap_or(self.analysed);
        let shed =
            frames["shed"].as_object().into_iter().flatten().filter_map(|(_, count)| count.as_u64()).sum::<u64>();
        self.received = self.received.max(analysed + shed);
        let now = Instant::now();
        let changed = *self.changed.get_or_insert(now);
        self.longest_pause = self.longest_pause.max(now - changed);
        if analysed != self.analysed {
            (self.analysed, self.changed) = (analysed, Some(now));
        }
    }
}

async fn json(url: &str) -> Option<Value> {
    reqwest::get(url).await.ok()?.error_for_status().ok()?.json().await.ok()
}

/// Waits, and watches the good camera if there is one.
async fn watch(page: Option<&str>, good: &mut Good, until: Instant) {
    while Instant::now() < until {
        if let Some(page) = page {
            good.ask(page).await;
        }
        tokio::time::sleep(Duration::from_secs(1).min(until - Instant::now())).await;
    }
}

/// One product with some cameras, and what of it grew.
async fn row(name: &str, scripts: Vec<(&'static str, Script)>, seconds: u64) {
    let mut cameras = Vec::new();
    for (name, script) in scripts {
        cameras.push((name, Server::start(script).await));
    }
    let site = tempfile::tempdir().unwrap();
    let product = Running::start(&site_of(&cameras, site.path()));
    let (mut good, mut page) = (Good::default(), None);
    if cameras.iter().any(|(name, _)| *name == GOOD) {
        let found = eventually("the address of the page", async || page_of(site.path())).await;
        eventually("analysed frames of the good camera", async || {
            json(&format!("{found}api/v1/frames?camera={GOOD}")).await?["analysed"].as_u64().filter(|count| *count > 0)
        })
        .await;
        page = Some(found);
    }
    let (began, part) = (Instant::now(), Duration::from_secs(seconds * 2 / 5));
    let connections = || cameras.iter().map(|(_, camera)| camera.connections()).sum::<usize>();
    watch(page.as_deref(), &mut good, began + part).await;
    let (before, connected) = (Sample::of(&product, site.path()), connections());
    watch(page.as_deref(), &mut good, began + Duration::from_secs(seconds)).await;
    let after = Sample::of(&product, site.path());
    for (name, camera) in &cameras {
        let log = || std::fs::read_to_string(site.path().join("log")).unwrap();
        assert!(camera.connections() > 0, "nothing connected to `{name}`: {}", log());
    }
    let from_to = |of: fn(&Sample) -> u64| format!("{:.2} {:.2}", of(&before) as f64 / 1e6, of(&after) as f64 / 1e6);
    println!(
        "{name:20}{:>18}{:>18}{:>18}{:>16}{:>14}{:>13}",
        from_to(|it| it.resident),
        from_to(|it| it.video),
        from_to(|it| it.dead_letters),
        from_to(|it| it.other),
        from_to(|it| it.log),
        format!("{connected} {}", connections()),
    );
    if page.is_some() {
        println!(
            "{name:20}the good camera: {} of {} frames analysed, the longest pause {:.1} s, without signal {} times {:?}",
            good.analysed,
            good.received,
            good.longest_pause.as_secs_f64(),
            good.lost.len(),
            good.lost.first()
        );
        assert!(good.lost.is_empty(), "the good camera counted as without signal: {:?}", good.lost);
    }
}

/// The address of the page, once the product has told it.
fn page_of(site: &Path) -> Option<String> {
    let log = std::fs::read_to_string(site.join("log")).ok()?;
    let line = log.lines().find_map(|line| line.split_once("The page: "))?;
    Some(line.1.trim().to_owned())
}

/// How memory and data grow beside one hostile camera, and nothing else, in the last 60 % of `VEDETTE_GROWTH_SECONDS` (300); and
/// beside all of them at once and a good camera, which has to stay analysed. `VEDETTE_GROWTH_ONLY` names one row.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement: benches/run growth"]
async fn how_much_grows_beside_a_hostile_camera() {
    let seconds = std::env::var("VEDETTE_GROWTH_SECONDS").map_or(300, |text| text.parse().expect("seconds"));
    let only = std::env::var("VEDETTE_GROWTH_ONLY").ok();
    let mut rows: Vec<_> = hostile().into_iter().map(|(name, script)| (name, vec![(name, script)])).collect();
    let good = Script::new(Codec::H264, encode(H264, 20));
    rows.push((ALL_TOGETHER, hostile().into_iter().chain([(GOOD, good)]).collect()));
    rows.retain(|(name, _)| only.as_ref().is_none_or(|only| only == name));
    assert!(!rows.is_empty(), "VEDETTE_GROWTH_ONLY is {only:?}, which is no row");
    println!("{seconds} s each; MB after 40 % and at the end:");
    println!(
        "{:20}{:>18}{:>18}{:>18}{:>16}{:>14}{:>13}",
        "camera", "memory", "video", "dead letters", "other data", "log", "connections"
    );
    for (name, scripts) in rows {
        row(name, scripts, seconds).await;
    }
}
