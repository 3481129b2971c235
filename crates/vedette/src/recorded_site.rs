//! The cameras, policies and address bases with which recorded detections are analysed, from files.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use clap::Args;
use vedette_address::AddressBase;
use vedette_core::Timestamp;
use vedette_detection_store::DetectionStore;
use vedette_stages::address_book::AddressBook;
use vedette_stages::registry::Registry;
use vedette_stages::tuning::KnownSite;
use vedette_stages::{AnalyseSettings, ConsoleSettings};

use crate::config::{Config, load_cameras, load_policies};
use crate::history;

/// Where they are.
#[derive(Debug, Clone, Args)]
pub struct SiteArgs {
    /// Settings file of a site: its cameras, policies, address base and `[analyse]` apply unless another option overrides them.
    #[arg(short, long)]
    pub config: Option<PathBuf>,
    /// Camera file.
    #[arg(long, required_unless_present_any = ["config", "history"])]
    pub cameras: Option<PathBuf>,
    /// Policy file.
    #[arg(long, required_unless_present_any = ["config", "history"])]
    pub policies: Option<PathBuf>,
    /// Every version of the cameras and policies, as `vedette export --history` writes them: each frame is analysed with those that
    /// were in force.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["cameras", "policies"])]
    pub history: Option<PathBuf>,
    /// Address base, `PATH` or `PATH@TIME` (RFC 3339): in force for frames captured from that time on. Repeat it for several bases.
    #[arg(long, value_name = "PATH[@TIME]")]
    pub address_base: Vec<TimedBase>,
}

/// An address base and the capture time from which it is in force; by default from the beginning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimedBase {
    /// The base.
    pub path: PathBuf,
    /// Start of its period.
    pub from: Option<Timestamp>,
}

impl std::str::FromStr for TimedBase {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.rsplit_once('@') {
            // A path may contain an `@`.
            Some((path, time)) if !time.contains('/') && !std::path::Path::new(text).exists() => {
                let from = time.parse().map_err(|_| {
                    format!("`{time}` is not a valid time; write RFC 3339 with an offset, as in city.base@2026-03-01T08:00:00Z")
                })?;
                Ok(Self { path: path.into(), from: Some(from) })
            }
            _ => Ok(Self { path: text.into(), from: None }),
        }
    }
}

/// See the module.
pub(crate) struct RecordedSite {
    /// Its cameras, policies and address bases.
    pub(crate) known: KnownSite,
    /// Settings of the analysis.
    pub(crate) analyse: AnalyseSettings,
    /// Where the alerts of the site are, if a settings file tells.
    pub(crate) console: Option<ConsoleSettings>,
}

impl RecordedSite {
    /// By the options, and by the settings file for absent ones.
    pub(crate) fn open(args: &SiteArgs) -> anyhow::Result<Self> {
        let site = match &args.config {
            Some(path) => Config::load(path)?,
            None => Config::default(),
        };
        Self::of(site, args, args.history.as_deref())
    }

    /// The same with the site's detection store, and the history in it unless the options name others.
    pub(crate) fn with_store(args: &SiteArgs) -> anyhow::Result<(Self, DetectionStore)> {
        let Some(path) = &args.config else {
            anyhow::bail!(
                "name a file of detections, or the site whose detection store is to be read: --config vedette.toml"
            )
        };
        let site = Config::load(path)?;
        let directory = &site.settings.tuning.directory;
        let store = DetectionStore::open(directory).with_context(|| {
            format!(
                "there is no detection store in {}: the console writes it while it runs (`tuning.enabled`); or name a file of detections",
                directory.display()
            )
        })?;
        let stored = Some(store.history_path()).filter(|path| path.exists());
        let stored = stored.filter(|_| args.cameras.is_none() && args.policies.is_none());
        let history = args.history.clone().or(stored);
        Ok((Self::of(site, args, history.as_deref())?, store))
    }

    fn of(mut site: Config, args: &SiteArgs, history: Option<&Path>) -> anyhow::Result<Self> {
        if let Some(path) = &args.cameras {
            site.cameras = load_cameras(path)?;
        }
        if let Some(path) = &args.policies {
            site.policies = load_policies(path, &site.cameras)?;
        }
        let of_site = site.settings.site.address_base.map(|path| TimedBase { path, from: None });
        let given = if args.address_base.is_empty() { Vec::from_iter(of_site) } else { args.address_base.clone() };
        let registry = match history {
            Some(path) => history::read(path)?,
            None => Registry::of(&site.cameras, &site.policies),
        };
        let console = args.config.is_some().then_some(site.settings.console);
        let known = KnownSite { registry, addresses: bases(&given)? };
        Ok(Self { known, analyse: site.settings.analyse, console })
    }
}

/// The bases by the instants from which they are effective.
fn bases(given: &[TimedBase]) -> anyhow::Result<AddressBook> {
    let open = |base: &TimedBase| {
        AddressBase::open(&base.path).map(Arc::new).with_context(|| format!("opening {}", base.path.display()))
    };
    let mut first = given.iter().filter(|base| base.from.is_none());
    let book = AddressBook::of(first.next().map(open).transpose()?);
    if let Some(second) = first.next() {
        anyhow::bail!(
            "--address-base {}: a second base without a time; write PATH@TIME for the later one",
            second.path.display()
        );
    }
    for base in given {
        if let Some(from) = base.from {
            book.serve(open(base)?, from);
        }
    }
    Ok(book)
}

/// The lines of a file, or of standard input for `-`.
pub(crate) fn lines(path: &Path) -> anyhow::Result<Box<dyn Iterator<Item = std::io::Result<String>>>> {
    if path == Path::new("-") {
        return Ok(Box::new(std::io::stdin().lines()));
    }
    let file = File::open(path).with_context(|| format!("opening {}", path.display()))?;
    Ok(Box::new(BufReader::new(file).lines()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_may_have_a_moment() {
        let read = |text: &str| text.parse::<TimedBase>();
        assert_eq!(read("city.base").unwrap().from, None);
        let timed = read("a@b/city.base@2026-03-01T08:00:00Z").unwrap();
        assert_eq!(timed.path, PathBuf::from("a@b/city.base"));
        assert_eq!(timed.from, "2026-03-01T08:00:00Z".parse().ok());
        assert_eq!(read("a@b/city.base").unwrap().path, PathBuf::from("a@b/city.base"));
        assert!(read("city.base@noon").unwrap_err().contains("RFC 3339"));
    }
}
