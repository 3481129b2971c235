//! The address bases of this process by capture time, changeable while frames flow.
//!
//! A frame is resolved in the newest base that is effective at its capture time, as policies are chosen; so live and replay
//! agree, and every alert names one version. An unusable change is refused whole: the base in force stays.

mod follow;
pub mod inbox;
mod report;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use vedette_address::AddressBase;
use vedette_core::{Timeline, Timestamp};
use vedette_wire::{AddressBaseChange, NewBase};

pub use follow::{Word, open_timeline, read};
pub use report::{BookReport, Refusal, Served};

/// Number of remembered names of past versions.
const MOST_PAST: usize = 100;
/// Number of remembered refusals, unresolved ones of later instants first.
const MOST_REFUSED: usize = 100;

/// Bases by the instant from which they are effective; cheap to clone, lookups never wait.
#[derive(Clone)]
pub struct AddressBook(Arc<Book>);

struct Book {
    /// Where announced bases are stored on this machine.
    directory: PathBuf,
    serving: ArcSwap<Timeline<Serving>>,
    log: Mutex<Log>,
}

/// An open base.
#[derive(Clone)]
struct Serving {
    base: Arc<AddressBase>,
    /// When it was opened, wall clock.
    taken: Timestamp,
}

/// State that only reports and changes need.
#[derive(Default)]
struct Log {
    /// Versions that were in force and are forgotten, oldest first.
    past: Vec<Served>,
    last_refusal: Option<Refusal>,
    /// Changes that remain refused, by their intended instant.
    standing: BTreeMap<Timestamp, (AddressBaseChange, Refusal)>,
    /// An unreadable record not followed by a valid one.
    unread: Option<Refusal>,
    /// Bases no longer in force. They are kept for one more round, so that the frame being resolved in one does not pay for
    /// closing it.
    leaving: Vec<Serving>,
}

/// Why a change is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum ChangeError {
    #[error(
        "{path} is missing; copy the base to this machine's directory of bases (`site.address_bases`), it is then applied automatically"
    )]
    MissingFile { path: String },
    #[error("{path}: {cause}")]
    Unusable { path: String, cause: String },
    #[error(
        "{path} is version {found}, but {wanted} is announced; copy the announced base there, or announce this one"
    )]
    Version { path: String, found: String, wanted: String },
    #[error("the delta applies to version {wanted}, which is unknown here; publish the whole base")]
    UnknownBase { wanted: String },
    #[error("the delta is refused: {cause}")]
    Delta { cause: String },
    #[error("the record is refused: {cause}")]
    Record { cause: String },
}

impl ChangeError {
    /// The label in metrics and reports.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::MissingFile { .. } => "missing_file",
            Self::Unusable { .. } => "unusable_file",
            Self::Version { .. } => "wrong_version",
            Self::UnknownBase { .. } => "unknown_base",
            Self::Delta { .. } => "delta",
            Self::Record { .. } => "record",
        }
    }

    /// Whether the same change may become valid, after another file or change arrives.
    const fn may_heal(&self) -> bool {
        matches!(self, Self::MissingFile { .. } | Self::UnknownBase { .. })
    }
}

impl AddressBook {
    /// A book with `first` effective from the beginning; announced bases are stored in `directory`. `now` is the wall clock.
    #[must_use]
    pub fn new(first: Option<Arc<AddressBase>>, directory: &Path, now: Timestamp) -> Self {
        let first = first.map(|base| Serving { base, taken: now });
        Self(Arc::new(Book {
            directory: directory.to_owned(),
            serving: ArcSwap::from_pointee(Timeline::new(first)),
            log: Mutex::default(),
        }))
    }

    /// A book without a follower: for replay.
    #[must_use]
    pub fn of(first: Option<Arc<AddressBase>>) -> Self {
        Self::new(first, Path::new("."), Timestamp::default())
    }

    /// Makes `base` effective from an instant on, unchecked.
    pub fn serve(&self, base: Arc<AddressBase>, effective_from: Timestamp) {
        let _one_at_a_time = self.log();
        self.change(|timeline| timeline.set(effective_from, Serving { base, taken: Timestamp::default() }));
    }

    /// The base in force at `captured`. It does not wait and takes well under a microsecond.
    #[must_use]
    pub fn at(&self, captured: Timestamp) -> Option<Arc<AddressBase>> {
        self.0.serving.load().at(captured).map(|serving| serving.base.clone())
    }

    /// Applies a change: opens and validates the base, then makes it effective from its instant on. It blocks on the disk.
    ///
    /// # Errors
    /// When the change is unusable; then only the refusal itself is recorded.
    pub fn take(&self, change: &AddressBaseChange, now: Timestamp) -> Result<Arc<AddressBase>, ChangeError> {
        let made = self.make(&change.base);
        let mut log = self.log();
        match made {
            Ok(base) => {
                let serving = Serving { base: base.clone(), taken: now };
                let replaced = self.change(|timeline| timeline.set(change.effective_from, serving));
                if let Some(replaced) = replaced.filter(|replaced| replaced.base.version() != base.version()) {
                    log.called_off(change.effective_from, replaced, now);
                }
                log.standing.remove(&change.effective_from);
                log.unread = None;
                Ok(base)
            }
            Err(error) => {
                log.refuse(change, &error, now);
                Err(error)
            }
        }
    }

    /// Withdraws the announcement for that instant; returns whether there was one.
    pub fn withdraw(&self, effective_from: Timestamp, now: Timestamp) -> bool {
        let mut log = self.log();
        let removed = self.change(|timeline| timeline.remove(effective_from));
        let refused = log.standing.remove(&effective_from);
        log.unread = None;
        let known = removed.is_some() || refused.is_some();
        if let Some(removed) = removed {
            log.called_off(effective_from, removed, now);
        }
        known
    }

    /// Drops bases that were in force only before `moment`; their names stay in the report. Closing a base may take milliseconds,
    /// so it is done at the next call, when nobody uses it. It blocks.
    pub fn forget_before(&self, moment: Timestamp) {
        let mut log = self.log();
        log.leaving.clear();
        log.standing.retain(|from, _| *from >= moment);
        // Usually there is nothing to drop, and nothing is copied then.
        if self.0.serving.load().iter().nth(1).is_none_or(|(second, _)| second > Some(moment)) {
            return;
        }
        let mut gone = self.change(|timeline| timeline.forget_before(moment)).into_iter().peekable();
        let first_kept = self.0.serving.load().iter().next().and_then(|(from, _)| from);
        while let Some((from, serving)) = gone.next() {
            let until = gone.peek().map_or(first_kept, |(from, _)| *from);
            log.remember(Served::of(from, &serving, until));
            log.leaving.push(serving);
        }
    }

    /// Refuses an undecodable record.
    fn refuse_record(&self, cause: &dyn std::fmt::Display, now: Timestamp) -> ChangeError {
        let error = ChangeError::Record { cause: cause.to_string() };
        let refusal = Refusal::new(None, "", &error, now);
        let mut log = self.log();
        log.last_refusal = Some(refusal.clone());
        log.unread = Some(refusal);
        error
    }

    /// Refused changes that may be valid by now.
    fn waiting(&self) -> Vec<AddressBaseChange> {
        self.log().standing.values().filter(|(_, refusal)| refusal.may_heal).map(|(change, _)| change.clone()).collect()
    }

    fn make(&self, base: &NewBase) -> Result<Arc<AddressBase>, ChangeError> {
        match base {
            NewBase::File { version, name } => match self.known(version) {
                Some(base) => Ok(base),
                None => open(&self.0.directory.join(name), version).map(Arc::new),
            },
            NewBase::Delta { from_version, to_version, content } => {
                if let Some(base) = self.known(to_version) {
                    return Ok(base);
                }
                let from = self
                    .known(from_version)
                    .ok_or_else(|| ChangeError::UnknownBase { wanted: from_version.clone() })?;
                let made = from.apply(content).map_err(|error| ChangeError::Delta { cause: error.to_string() })?;
                if made.version() != to_version {
                    let cause = format!("it makes version {}, announced is {to_version}", made.version());
                    return Err(ChangeError::Delta { cause });
                }
                Ok(Arc::new(made))
            }
        }
    }

    fn known(&self, version: &str) -> Option<Arc<AddressBase>> {
        let timeline = self.0.serving.load();
        timeline.iter().map(|(_, serving)| &serving.base).find(|base| base.version() == version).cloned()
    }

    /// Changes a copy of the timeline and publishes it. Called with the log locked, so changes are serialised.
    fn change<R>(&self, change: impl FnOnce(&mut Timeline<Serving>) -> R) -> R {
        let mut timeline = Timeline::clone(&self.0.serving.load());
        let outcome = change(&mut timeline);
        self.0.serving.store(Arc::new(timeline));
        outcome
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        // The log is consistent after every step, so a poisoned one is usable.
        self.0.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn open(path: &Path, version: &str) -> Result<AddressBase, ChangeError> {
    let shown = path.display().to_string();
    if !path.is_file() {
        return Err(ChangeError::MissingFile { path: shown });
    }
    let base = AddressBase::open(path)
        .map_err(|error| ChangeError::Unusable { path: shown.clone(), cause: error.to_string() })?;
    if base.version() != version {
        let (found, wanted) = (base.version().to_owned(), version.to_owned());
        return Err(ChangeError::Version { path: shown, found, wanted });
    }
    Ok(base)
}

impl Log {
    /// Alerts may name the version that was in force until now, so its name stays.
    fn called_off(&mut self, from: Timestamp, serving: Serving, now: Timestamp) {
        if from <= now {
            self.remember(Served::of(Some(from), &serving, None));
        }
        self.leaving.push(serving);
    }

    fn remember(&mut self, served: Served) {
        if self.past.len() == MOST_PAST {
            self.past.remove(0);
        }
        self.past.push(served);
    }

    fn refuse(&mut self, change: &AddressBaseChange, error: &ChangeError, now: Timestamp) {
        let refusal = Refusal::new(Some(change.effective_from), change.version(), error, now);
        self.last_refusal = Some(refusal.clone());
        self.standing.insert(change.effective_from, (change.clone(), refusal));
        if self.standing.len() > MOST_REFUSED {
            self.standing.pop_first();
        }
    }
}
