//! A camera that changes its mind, in a process of its own: codec, size and shape of its pictures are others with each connection, and
//! some change within one.

use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;

use vedette::config::Config;
use vedette_bus::StartAt;
use vedette_core::{Codec, FrameSize};
use vedette_rtsp::testing::{End, Script, Server};
use vedette_topics::{open_bus, reading, topics};

use super::row::script;
use crate::encoding::{H264, JPEG, ball, encode_with};
use crate::support::{demo_site, edit, eventually, vedette};

const H265: &str = "x265enc key-int-max=10 speed-preset=ultrafast option-string=open-gop=0:bframes=0:log-level=none ! \
     h265parse config-interval=-1 ! video/x-h265,stream-format=byte-stream,alignment=au";
/// Connections, each of another kind than the one before.
const CHANGES: usize = 24;
/// The kinds of the connections, over and over; the first changes size within itself.
const ORDER: [usize; 12] = [0, 1, 2, 3, 4, 0, 2, 4, 1, 3, 1, 4];
/// By how much a process may grow from the tenth change to the last: memory in kilobytes, threads, open files.
const GROWTH: [u64; 3] = [80_000, 12, 24];

/// What a kind of connection plays, with the sizes in which its pictures are shown.
fn kinds() -> Vec<(Script, Vec<(u32, u32)>)> {
    let of = |caps: &str, encoder: &str| encode_with(&ball(caps, 6), encoder).units;
    let two_sizes = [of("width=320,height=240", H264), of("width=480,height=272", H264)].concat();
    [
        (Codec::H264, two_sizes, vec![(320, 240), (480, 272)]),
        (Codec::H265, of("width=256,height=144", H265), vec![(256, 144)]),
        (Codec::Jpeg, of("width=400,height=304", JPEG), vec![(400, 304)]),
        (Codec::H264, of("width=208,height=112,pixel-aspect-ratio=1/2", H264), vec![(208, 224)]),
        (Codec::H265, of("width=128,height=208,pixel-aspect-ratio=2/1", H265), vec![(256, 208)]),
    ]
    .into_iter()
    .map(|(codec, units, sizes)| {
        let script = Script { pace: Duration::from_millis(100), ticks: 9_000, end: End::Close, ..script(codec, units) };
        (script, sizes)
    })
    .collect()
}

/// The product, ended with the test.
struct Running(Child);

impl Running {
    fn start(config: &Path) -> Self {
        let log = std::fs::File::create(config.with_file_name("run.log")).unwrap();
        let mut command = vedette();
        command.args(["run", "--listen", "127.0.0.1:0", "--operations-listen", "127.0.0.1:0", "--config"]).arg(config);
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        Self(command.spawn().unwrap())
    }

    /// Resident memory in kilobytes, threads, open files.
    fn holds(&self) -> [u64; 3] {
        let process = format!("/proc/{}", self.0.id());
        let status = std::fs::read_to_string(format!("{process}/status")).unwrap();
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.trim_start_matches(':').split_whitespace().next().unwrap().parse().unwrap()
        };
        [field("VmRSS"), field("Threads"), std::fs::read_dir(format!("{process}/fd")).unwrap().count() as u64]
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn log(config: &Path) -> String {
    std::fs::read_to_string(config.with_file_name("run.log")).unwrap()
}

/// The address of the page, once the log tells it.
async fn page(config: &Path) -> String {
    eventually("the address of the page", async || {
        let text = log(config);
        assert!(!text.contains("error:"), "{text}");
        let line = text.lines().find_map(|line| line.split_once("The page: "))?;
        line.1.split_whitespace().next().map(|url| url.trim_end_matches('/').to_owned())
    })
    .await
}

async fn analysed(page: &str) -> u64 {
    let Ok(counts) = reqwest::get(format!("{page}/api/v1/frames?camera=campus-1")).await else { return 0 };
    if !counts.status().is_success() {
        return 0;
    }
    counts.json::<serde_json::Value>().await.unwrap()["analysed"].as_u64().unwrap()
}

/// The sizes in which pictures were analysed, in order, each as long as it lasts once.
async fn shown(config: &Path) -> Vec<FrameSize> {
    let bus = open_bus(&Config::load(config).unwrap().settings.bus).await.unwrap();
    let topic = topics::DETECTIONS.name();
    let mut reader = bus.read(topic, StartAt::Earliest).await.unwrap();
    let mut sizes = Vec::new();
    reading::to_end(&bus, topic, &mut reader, |record| {
        let record = topics::DETECTIONS.read(&record).unwrap();
        sizes.extend(record.processed().map(|frame| frame.frame));
    })
    .await
    .unwrap();
    sizes.dedup();
    sizes
}

#[tokio::test(flavor = "multi_thread")]
async fn a_camera_that_changes_its_mind_is_analysed_after_each_change_and_nothing_grows() {
    let kinds = kinds();
    let order: Vec<usize> = ORDER.iter().cycle().take(CHANGES).copied().collect();
    let mut scripts: Vec<Script> = order.iter().map(|kind| kinds[*kind].0.clone()).collect();
    // The last one goes on.
    scripts.extend(scripts.last().cloned().map(|last| Script { end: End::Repeat, ..last }));
    let server = Server::in_turn(scripts).await;
    let site = tempfile::tempdir().unwrap();
    let config = demo_site(site.path());
    edit(&config, "[detect]", "[detect]\nshed_after = { low = \"24h\", normal = \"24h\", high = \"24h\" }");
    edit(&config, "nanodet-g-640x480", "nanodet-g-416x320");
    let cameras = site.path().join("cameras.toml");
    let text = std::fs::read_to_string(&cameras).unwrap();
    let source = text.lines().find(|line| line.starts_with("source =")).unwrap();
    edit(&cameras, source, &format!("source = {{ kind = \"rtsp\", url = \"{}\" }}", server.url()));
    let running = Running::start(&config);
    let page = page(&config).await;
    let mut early = None;
    for connections in [10, CHANGES + 1] {
        let so_far = eventually("connections", async || {
            let count = analysed(&page).await;
            (server.connections() >= connections).then_some(count)
        })
        .await;
        eventually("pictures behind them", async || (analysed(&page).await >= so_far + 8).then_some(())).await;
        let holds = running.holds();
        let early = *early.get_or_insert(holds);
        let growth: Vec<u64> = holds.iter().zip(early).map(|(now, before)| now.saturating_sub(before)).collect();
        println!("{connections} connections: memory, threads, files {holds:?}");
        assert!(growth.iter().zip(GROWTH).all(|(growth, most)| *growth <= most), "{early:?}, then {holds:?}");
    }
    drop(running);
    let log = log(&config);
    assert!(!log.contains("panicked"), "{log}");
    let mut expected: Vec<FrameSize> = order
        .iter()
        .flat_map(|kind| &kinds[*kind].1)
        .map(|(width, height)| FrameSize { width: *width, height: *height })
        .collect();
    expected.dedup();
    assert_eq!(shown(&config).await, expected);
}
