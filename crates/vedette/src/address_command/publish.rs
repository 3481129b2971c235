//! `vedette address publish` and `withdraw`: announces another base, or a delta, on the bus after the validation that the workers
//! do, or cancels an announcement.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use clap::Args;
use vedette_address::{AddressBase, DeltaHead};
use vedette_bus::{SharedBus, StartAt};
use vedette_core::{Span, Timestamp};
use vedette_runtime::clock;
use vedette_stages::address_book::{AddressBook, Word, inbox, read};
use vedette_topics::topics::EffectiveFrom;
use vedette_topics::{BusKind, open_bus, reading, topics};
use vedette_wire::{AddressBaseChange, NewBase, address_key};

use crate::config::{Config, Settings};
use crate::overrides::{ConfigArgs, Overrides};

/// Default delay until a base is in force, so that every worker has it by then.
const LEAD: Span = Span::from_secs(10);

/// `vedette address publish`
#[derive(Debug, Args)]
pub struct PublishArgs {
    /// A base, or a delta between two bases.
    pub file: PathBuf,
    /// Capture time from which it is in force (RFC 3339); 10 seconds from now when absent.
    #[arg(long)]
    pub effective_from: Option<Timestamp>,
    /// Configuration.
    #[command(flatten)]
    pub config: ConfigArgs,
    /// Overrides.
    #[command(flatten)]
    pub overrides: Overrides,
}

/// `vedette address withdraw`
#[derive(Debug, Args)]
pub struct WithdrawArgs {
    /// The instant for which the base was announced (RFC 3339), as in `from` of GET /api/v1/addresses/base.
    pub effective_from: Timestamp,
    /// Configuration.
    #[command(flatten)]
    pub config: ConfigArgs,
    /// Overrides.
    #[command(flatten)]
    pub overrides: Overrides,
}

/// Announcements on the bus, by instant.
type Changes = BTreeMap<Timestamp, AddressBaseChange>;

/// Runs the command.
///
/// # Errors
/// When the file is neither a base nor a delta, does not apply to the announced ones, or the bus refuses.
pub(crate) async fn run(args: PublishArgs) -> anyhow::Result<()> {
    let mut config = Config::load(&args.config.config)?;
    args.overrides.apply(&mut config);
    let settings = &config.settings;
    let base = new_base(&args.file, &settings.site.address_bases)?;
    let now = clock::now();
    let change = AddressBaseChange { effective_from: args.effective_from.unwrap_or(now + LEAD), base };

    if is_running(settings) {
        inbox::put(&inbox::directory(&settings.bus.directory), change.effective_from, Some(&change))?;
        crate::terminal::tell_line!(
            "handed to the running process, which validates it; GET /api/v1/addresses/base shows the result"
        );
        return tell(&change);
    }
    let bus = open_bus(&settings.bus).await?;
    bus.ensure_topics(&topics::specs(&settings.bus)).await?;
    let book = AddressBook::new(configured(settings)?, &settings.site.address_bases, now);
    let mut changes = announced(&bus, &book).await?;
    book.take(&change, now).with_context(|| format!("{} is not announced", args.file.display()))?;
    if let Some((later, other)) = changes.range(change.effective_from..).find(|(at, _)| **at > change.effective_from) {
        crate::terminal::tell_line!("in force until {later}, then {}", other.version());
    }
    changes.insert(change.effective_from, change.clone());
    topics::ADDRESSES.send(&bus, &change, now).await?.await?;
    for moment in obsolete(&changes, now - settings.bus.keep_detections) {
        crate::terminal::tell_line!("no longer needed, deleted from the bus: {}", address_key(moment));
        topics::ADDRESSES.delete(&bus, &EffectiveFrom(moment), now).await?.await?;
    }
    bus.flush().await?;
    tell(&change)
}

/// Runs `vedette address withdraw`: the previous base stays in force.
///
/// # Errors
/// When nothing is announced for that instant, or the bus refuses.
pub(crate) async fn withdraw(args: WithdrawArgs) -> anyhow::Result<()> {
    let mut config = Config::load(&args.config.config)?;
    args.overrides.apply(&mut config);
    let (settings, moment) = (&config.settings, args.effective_from);
    if is_running(settings) {
        inbox::put(&inbox::directory(&settings.bus.directory), moment, None)?;
        crate::terminal::tell_line!("handed to the running process; GET /api/v1/addresses/base shows the result");
        return Ok(());
    }
    let bus = open_bus(&settings.bus).await?;
    bus.ensure_topics(&topics::specs(&settings.bus)).await?;
    let changes = read_changes(&bus).await?;
    let Some(change) = changes.get(&moment) else {
        let known: Vec<String> = changes.keys().map(Timestamp::to_string).collect();
        anyhow::bail!("nothing is announced for {moment}; announced are: {}", known.join(", "));
    };
    topics::ADDRESSES.delete(&bus, &EffectiveFrom(change.effective_from), clock::now()).await?.await?;
    bus.flush().await?;
    crate::terminal::tell_line!("cancelled: {} for {moment}", change.version());
    Ok(())
}

/// Whether a running product holds the embedded log.
fn is_running(settings: &Settings) -> bool {
    let lock = File::open(settings.bus.directory.join("LOCK"));
    settings.bus.kind == BusKind::Embedded
        && lock.is_ok_and(|lock| matches!(lock.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

fn tell(change: &AddressBaseChange) -> anyhow::Result<()> {
    writeln!(
        std::io::stdout(),
        "{} is in force for frames captured from {} on",
        change.version(),
        change.effective_from
    )?;
    if let NewBase::File { name, .. } = &change.base {
        crate::terminal::tell_line!(
            "Every machine with the role analyse or console needs {name} in its `site.address_bases`; one without it reports that \
             in /healthz and applies it once it is there."
        );
    }
    Ok(())
}

fn configured(settings: &Settings) -> anyhow::Result<Option<Arc<AddressBase>>> {
    Ok(settings.site.address_base.as_ref().map(AddressBase::open).transpose()?.map(Arc::new))
}

/// The validated change in the file; a base is copied into the directory of bases.
fn new_base(file: &Path, directory: &Path) -> anyhow::Result<NewBase> {
    let length = file.metadata().with_context(|| format!("opening {}", file.display()))?.len();
    if length <= AddressBaseChange::MOST_DELTA_BYTES as u64 {
        let content = std::fs::read(file).with_context(|| format!("reading {}", file.display()))?;
        if let Ok(DeltaHead { from_version, to_version, .. }) = DeltaHead::read(&content) {
            return Ok(NewBase::Delta { from_version, to_version, content: content.into() });
        }
    }
    let base = AddressBase::open(file).with_context(|| {
        format!(
            "{} is neither a base nor a delta of at most {} bytes (a larger change is published as a base)",
            file.display(),
            AddressBaseChange::MOST_DELTA_BYTES
        )
    })?;
    let version = base.version().to_owned();
    let name = put_into(directory, file, &version)?;
    Ok(NewBase::File { version, name })
}

/// The file's name in `directory`; it is copied there atomically from elsewhere.
fn put_into(directory: &Path, file: &Path, version: &str) -> anyhow::Result<String> {
    std::fs::create_dir_all(directory).with_context(|| format!("creating {}", directory.display()))?;
    let lies_in = file.canonicalize()?.parent() == Some(directory.canonicalize()?.as_path());
    if lies_in && let Some(name) = file.file_name().and_then(|name| name.to_str()) {
        return Ok(name.to_owned());
    }
    let name = format!("{version}.base");
    let path = directory.join(&name);
    if AddressBase::open(&path).is_ok_and(|there| there.version() == version) {
        return Ok(name);
    }
    let copying = || -> std::io::Result<()> {
        let mut copy = tempfile::NamedTempFile::new_in(directory)?;
        std::io::copy(&mut File::open(file)?, &mut copy)?;
        copy.as_file().sync_all()?;
        copy.persist(&path)?;
        Ok(())
    };
    copying().with_context(|| format!("copying {} to {}", file.display(), path.display()))?;
    crate::terminal::tell_line!("copied to {}", path.display());
    Ok(name)
}

/// Reads the announcements into `book`, and returns them by instant.
async fn announced(bus: &SharedBus, book: &AddressBook) -> anyhow::Result<Changes> {
    let changes = read_changes(bus).await?;
    for change in changes.values() {
        if let Err(error) = book.take(change, clock::now()) {
            crate::terminal::tell_line!("announced for {}, unusable here: {error}", change.effective_from);
        }
    }
    Ok(changes)
}

async fn read_changes(bus: &SharedBus) -> anyhow::Result<Changes> {
    let mut reader = bus.read(topics::ADDRESSES.name(), StartAt::Earliest).await?;
    let mut changes = Changes::new();
    reading::to_end(bus, topics::ADDRESSES.name(), &mut reader, |record| match read(&record) {
        Ok(Word::Announced(change)) => {
            changes.insert(change.effective_from, change);
        }
        Ok(Word::Withdrawn(moment)) => {
            changes.remove(&moment);
        }
        Err(error) => {
            crate::terminal::tell_line!("offset {} of `addresses` is ignored: {error}", record.position.offset)
        }
    })
    .await?;
    Ok(changes)
}

/// The instants whose records no worker needs any more: they are in force for no frame captured at or after `horizon`, and no
/// needed delta depends on them.
fn obsolete(changes: &Changes, horizon: Timestamp) -> Vec<Timestamp> {
    let first = changes.range(..=horizon).next_back().map(|(moment, _)| *moment);
    let mut needed: BTreeSet<Timestamp> =
        changes.keys().copied().filter(|moment| first.is_none_or(|first| *moment >= first)).collect();
    let mut open: Vec<Timestamp> = needed.iter().copied().collect();
    while let Some(moment) = open.pop() {
        let NewBase::Delta { from_version, .. } = &changes[&moment].base else { continue };
        let rests_on = changes.range(..moment).rev().find(|(_, other)| other.version() == from_version);
        if let Some((other, _)) = rests_on
            && needed.insert(*other)
        {
            open.push(*other);
        }
    }
    changes.keys().copied().filter(|moment| !needed.contains(moment)).collect()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn changes(given: &[(i64, &str, &str)]) -> Changes {
        let change = |(at, from, to): &(i64, &str, &str)| {
            let effective_from = Timestamp::from_micros(*at);
            let to = (*to).to_owned();
            let base = match *from {
                "" => NewBase::File { name: format!("{to}.base"), version: to },
                from => NewBase::Delta { from_version: from.into(), to_version: to, content: Bytes::new() },
            };
            (effective_from, AddressBaseChange { effective_from, base })
        };
        given.iter().map(change).collect()
    }

    #[test]
    fn what_a_new_worker_needs_stays_on_the_bus() {
        let given = changes(&[(10, "", "a"), (20, "", "b"), (30, "b", "c"), (40, "c", "d"), (50, "", "e")]);
        let gone = |horizon: i64| -> Vec<i64> {
            obsolete(&given, Timestamp::from_micros(horizon)).iter().map(|moment| moment.as_micros()).collect()
        };
        assert_eq!(gone(5), Vec::<i64>::new(), "nothing was over yet");
        assert_eq!(gone(19), Vec::<i64>::new(), "a serves until 20");
        assert_eq!(gone(25), [10]);
        assert_eq!(gone(45), [10], "d is made of c, and c of b");
        assert_eq!(gone(50), [10, 20, 30, 40]);
    }
}
