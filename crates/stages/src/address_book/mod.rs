//! The address bases of this process by the capture time they serve, changed while frames flow.
//!
//! A frame is resolved in the newest base that is effective by its capture time, as policies are chosen; so live and replay
//! agree, and every alert names one version. A change that cannot be used is refused whole: what served goes on serving.

mod follow;
pub mod inbox;
mod report;
#[cfg(test)]
mod tests;
mod timeline;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use vedette_address::AddressBase;
use vedette_core::Timestamp;
use vedette_wire::{AddressBaseChange, NewBase};

pub use follow::{Word, open_timeline, read};
pub use report::{BookReport, Refusal, Served};
use timeline::Timeline;

/// Versions that served and are no longer at hand whose names are remembered.
const MOST_PAST: usize = 100;
/// Refusals that are remembered, the standing ones of later moments first.
const MOST_REFUSED: usize = 100;

/// Bases by the moment they serve from; cheap to clone, and asking never waits.
#[derive(Clone)]
pub struct AddressBook(Arc<Book>);

struct Book {
    /// Where announced bases lie on this machine.
    directory: PathBuf,
    serving: ArcSwap<Timeline<Serving>>,
    log: Mutex<Log>,
}

/// A base at hand.
#[derive(Clone)]
struct Serving {
    base: Arc<AddressBase>,
    /// Since when it is at hand, wall clock.
    taken: Timestamp,
}

/// What only reports and changes need.
#[derive(Default)]
struct Log {
    /// Versions that served and are forgotten, oldest first.
    past: Vec<Served>,
    last_refusal: Option<Refusal>,
    /// Changes that are refused as they stand, by the moment they were meant for.
    standing: BTreeMap<Timestamp, (AddressBaseChange, Refusal)>,
    /// A record that could not be read, with no good one after it.
    unread: Option<Refusal>,
    /// Bases that serve no more. They wait for a round, so that not the frame that was just being resolved in one pays for
    /// closing it.
    leaving: Vec<Serving>,
}

/// Why a change is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum ChangeError {
    #[error(
        "{path} is not there; copy the base to this machine's directory of bases (`site.address_bases`), it is then taken by itself"
    )]
    MissingFile { path: String },
    #[error("{path}: {cause}")]
    Unusable { path: String, cause: String },
    #[error("{path} is version {found}, announced is {wanted}; copy the announced base there, or announce this one")]
    Version { path: String, found: String, wanted: String },
    #[error("the delta changes version {wanted}, which is not at hand here; publish the whole base")]
    UnknownBase { wanted: String },
    #[error("the delta is refused: {cause}")]
    Delta { cause: String },
    #[error("the record is refused: {cause}")]
    Record { cause: String },
}

impl ChangeError {
    /// The word in metrics and reports.
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

    /// Whether the same change may be good later, when a file or another change has come.
    const fn may_heal(&self) -> bool {
        matches!(self, Self::MissingFile { .. } | Self::UnknownBase { .. })
    }
}

impl AddressBook {
    /// A book whose base from the beginning is `first`; announced bases lie in `directory`. `now` is the wall clock.
    #[must_use]
    pub fn new(first: Option<Arc<AddressBase>>, directory: &Path, now: Timestamp) -> Self {
        let first = first.map(|base| Serving { base, taken: now });
        Self(Arc::new(Book {
            directory: directory.to_owned(),
            serving: ArcSwap::from_pointee(Timeline::new(first)),
            log: Mutex::default(),
        }))
    }

    /// A book that follows nothing: for replay.
    #[must_use]
    pub fn of(first: Option<Arc<AddressBase>>) -> Self {
        Self::new(first, Path::new("."), Timestamp::default())
    }

    /// Serves `base` from a moment on, as it is.
    pub fn serve(&self, base: Arc<AddressBase>, effective_from: Timestamp) {
        let _one_at_a_time = self.log();
        self.change(|timeline| timeline.set(effective_from, Serving { base, taken: Timestamp::default() }));
    }

    /// The base for what was captured at `captured`. It does not wait and takes well under a microsecond.
    #[must_use]
    pub fn at(&self, captured: Timestamp) -> Option<Arc<AddressBase>> {
        self.0.serving.load().at(captured).map(|serving| serving.base.clone())
    }

    /// Takes a change: opens and checks the base, then serves it from its moment on. It blocks on the disk.
    ///
    /// # Errors
    /// When the change cannot be used; nothing but the refusal itself then changes.
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

    /// What was announced for that moment is called off; whether anything was.
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

    /// Lets go of bases that served only before `moment`; their names stay in the report. Closing a base may take
    /// milliseconds, so it is done at the next call, when nobody asks it any more. It blocks.
    pub fn forget_before(&self, moment: Timestamp) {
        let mut log = self.log();
        log.leaving.clear();
        log.standing.retain(|from, _| *from >= moment);
        // Mostly there is nothing to forget, and nothing is copied then.
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

    /// A record that cannot even be read.
    fn refuse_record(&self, cause: &dyn std::fmt::Display, now: Timestamp) -> ChangeError {
        let error = ChangeError::Record { cause: cause.to_string() };
        let refusal = Refusal::new(None, "", &error, now);
        let mut log = self.log();
        log.last_refusal = Some(refusal.clone());
        log.unread = Some(refusal);
        error
    }

    /// Refused changes that may be good by now.
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

    /// Changes a copy of the timeline and serves that. Called with the log locked, so changes come one after the other.
    fn change<R>(&self, change: impl FnOnce(&mut Timeline<Serving>) -> R) -> R {
        let mut timeline = Timeline::clone(&self.0.serving.load());
        let outcome = change(&mut timeline);
        self.0.serving.store(Arc::new(timeline));
        outcome
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        // The log is whole after every step, so one that a panic left behind is good.
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
    /// Alerts may carry what served until now, so its name stays.
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
