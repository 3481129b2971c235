//! The site of a row: the demo's place and rules, several cameras on the recording, and a configuration per process.

use std::fs;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use vedette::config::Config;
use vedette_address::AddressBase;
use vedette_bus::partition_of;
use vedette_media::{TranscodeSettings, transcode_to_h264};

use crate::cluster::Cluster;

/// Partitions of each topic keyed by camera; as many cameras, one on each.
pub(crate) const PARTITIONS: u32 = 4;
/// Seconds from one key frame to the next.
const GROUP_SECONDS: NonZeroU32 = NonZeroU32::new(2).unwrap();

/// Settings of the product in every row.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Setup {
    /// Frames per second of each camera. At 4 two fast cores carry the product, three brokers and this run with room to spare.
    #[arg(long, default_value = "4")]
    pub(crate) fps: NonZeroU32,
    /// Rebalance protocol, `bus.kafka.group_protocol`.
    #[arg(long, value_parser = ["classic", "consumer"], default_value = "classic")]
    pub(crate) group_protocol: String,
}

/// The recording as sent by the cameras.
pub(crate) fn record(video: &Path, folder: &Path, fps: NonZeroU32) -> anyhow::Result<PathBuf> {
    let output = folder.join("camera.mp4");
    let settings = TranscodeSettings {
        gop_frames: GROUP_SECONDS.saturating_mul(fps),
        fps: Some(fps),
        ..TranscodeSettings::default()
    };
    transcode_to_h264(video, &output, &settings, |_| {}).context("making the cameras' recording")?;
    Ok(output)
}

/// Settings common to all processes of a row, and the paths of each process.
pub(crate) struct Site {
    pub(crate) folder: PathBuf,
    /// Prefix of topics and groups.
    pub(crate) prefix: String,
    /// The row's configuration, parsed for this run.
    pub(crate) config: Config,
    pub(crate) base: Arc<AddressBase>,
    /// Path of the console's store.
    pub(crate) store: PathBuf,
}

impl Site {
    /// Writes the configurations of row `name`: `direct.toml` connects directly to the brokers, `proxied.toml` through the proxy.
    pub(crate) fn write(
        root: &Path,
        folder: &Path,
        name: &str,
        video: &Path,
        cluster: &Cluster,
        setup: &Setup,
    ) -> anyhow::Result<Self> {
        let folder = folder.join(name);
        fs::create_dir_all(folder.join("store")).with_context(|| format!("making {}", folder.display()))?;
        let demo = root.join("deploy/demo");
        for file in ["policies.toml", "address.base"] {
            fs::copy(demo.join(file), folder.join(file)).with_context(|| format!("copying {file}"))?;
        }
        let template = fs::read_to_string(demo.join("cameras.toml")).context("reading the demo's camera")?;
        fs::write(folder.join("cameras.toml"), cameras(&template, video)?)?;
        let prefix = format!("{name}.");
        for (file, brokers) in [("direct.toml", cluster.brokers()), ("proxied.toml", cluster.proxy.brokers())] {
            fs::write(folder.join(file), settings(&brokers, &prefix, &setup.group_protocol))?;
        }
        let config = Config::load(&folder.join("direct.toml")).map_err(|mistakes| anyhow::anyhow!("{mistakes}"))?;
        let base = Arc::new(AddressBase::open(folder.join("address.base"))?);
        let store = folder.join("store/alerts.sqlite");
        Ok(Self { folder, prefix, config, base, store })
    }
}

fn settings(brokers: &[String], prefix: &str, group_protocol: &str) -> String {
    let brokers = brokers.iter().map(|broker| format!("\"{broker}\"")).collect::<Vec<_>>().join(", ");
    format!(
        r#"[site]
name = "chaos"
cameras = "cameras.toml"
policies = "policies.toml"
address_base = "address.base"

[bus]
kind = "kafka"
partitions = {PARTITIONS}
keep_video = "24h"

[bus.kafka]
brokers = [{brokers}]
prefix = "{prefix}"
replication = 3
min_insync_replicas = 2
group_protocol = "{group_protocol}"

[detect]
model = "nanodet-g"
threads = 1
max_wait = "0s"

# Nothing gives way in this run: every frame must be looked at in the end.
[detect.shed_after]
low = "12h"
normal = "12h"
high = "12h"

[analyse]
save_every = "2s"

[console]
listen = "127.0.0.1:0"
store = "store/alerts.sqlite"
"#
    )
}

/// Copies of the demo's camera, one per partition, each at another position of the recording.
fn cameras(template: &str, video: &Path) -> anyhow::Result<String> {
    let mut text = String::new();
    for partition in 0..PARTITIONS {
        let id = (0..).map(|number| format!("chaos-{number}"));
        let id = id.take(10_000).find(|id| partition_of(id.as_bytes(), PARTITIONS) == partition);
        let id = id.context("a name for a camera on each partition")?;
        let path = format!("path = \"{}\", looped = true, offset = \"{}s\"", video.display(), 19 * partition);
        let from = "path = \"vtest.mp4\", looped = true";
        anyhow::ensure!(template.contains(from), "deploy/demo/cameras.toml has no `{from}`");
        text += &template.replace("id = \"campus-1\"", &format!("id = \"{id}\"")).replace(from, &path);
        text += "\n";
    }
    Ok(text)
}
