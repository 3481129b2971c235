//! Drafts of policies: one of each scope and person, each write against the version that was seen.

use vedette_core::{Span, Timestamp};

use super::position::number;
use super::session::{Row, Session};
use super::{AlertStore, StoreError};
use crate::metrics;

/// Most drafts of a person.
const MOST: u32 = 64;
/// A draft that nobody used for this long is dropped.
pub const DRAFTS_KEPT: Span = Span::from_secs(30 * 86_400);
/// Uses of a draft are stored once an hour.
const USE_EVERY: Span = Span::from_secs(3_600);
const COLUMNS: &str = "number, form, content, based_on_us, made_us, changed_us, changed_by, used_us";

/// How a draft is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DraftForm {
    /// As in a policy file.
    Toml,
    /// As in the API.
    Json,
}

impl DraftForm {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Toml => "toml",
            Self::Json => "json",
        }
    }
}

/// Whose draft of which policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DraftKey {
    /// The person.
    pub owner: String,
    /// `camera/ID` or `group/NAME`.
    pub scope: String,
}

/// A text to be stored as a draft.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewDraft {
    /// How it is written.
    pub form: DraftForm,
    /// The text.
    pub content: String,
    /// The time from which the version of the policy was in force that it changes; none where there was none.
    pub based_on: Option<Timestamp>,
    /// Who writes it, from where.
    pub by: String,
}

/// A draft of a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredDraft {
    /// Its version: every write of any draft gets another one.
    pub number: u64,
    /// How it is written.
    pub form: DraftForm,
    /// The text.
    pub content: String,
    /// The time from which the version of the policy was in force that it changes; none where there was none.
    pub based_on: Option<Timestamp>,
    /// When it was begun.
    pub made: Timestamp,
    /// When it was written last.
    pub changed: Timestamp,
    /// Who wrote it last, from where.
    pub changed_by: String,
    /// When it was last written, read or tried, to an hour.
    pub used: Timestamp,
}

/// What becomes of a write or a removal of a draft.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DraftWritten<T> {
    /// It is done.
    Done(T),
    /// Nothing is: another version came first, or there is none any more.
    Other(Option<StoredDraft>),
}

impl AlertStore {
    /// A draft, if there is one that was used within [`DRAFTS_KEPT`]. Reading it is a use.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn draft(&self, key: &DraftKey, now: Timestamp) -> Result<Option<StoredDraft>, StoreError> {
        const DOING: &str = "reading a draft";
        let found = self.read(|session| find(session, DOING, key))?.filter(|draft| draft.used > now - DRAFTS_KEPT);
        if found.as_ref().is_some_and(|draft| now.since(draft.used) > USE_EVERY) {
            let sql = "UPDATE draft SET used_us = ?3 WHERE owner = ?1 AND scope = ?2 AND used_us < ?3";
            let values = [key.owner.as_str().into(), key.scope.as_str().into(), now.as_micros().into()];
            self.write(DOING, |session| session.execute(DOING, sql, &values))?;
        }
        Ok(found)
    }

    /// Writes a draft in the place of version `seen`, or as a new one where none was seen.
    ///
    /// # Errors
    /// When the person has 64 others, or when it cannot be written.
    pub fn put_draft(
        &self,
        key: &DraftKey,
        new: &NewDraft,
        seen: Option<u64>,
        now: Timestamp,
    ) -> Result<DraftWritten<StoredDraft>, StoreError> {
        const DOING: &str = "writing a draft";
        let done = self.write(DOING, |session| {
            // First of all: of two writers, the second one waits here, and then sees what the first one wrote.
            let number = next_number(session)?;
            let dropped = drop_unused(session, DOING, now - DRAFTS_KEPT)?;
            let known = find(session, DOING, key)?;
            if known.as_ref().map(|draft| draft.number) != seen {
                return Ok((DraftWritten::Other(known), dropped));
            }
            if known.is_none() {
                let sql = "SELECT count(*) FROM draft WHERE owner = ?1";
                let count = session.rows(DOING, sql, &[key.owner.as_str().into()])?.pop();
                let held: u32 = count.map(|mut row| row.take(0)).transpose()?.unwrap_or_default();
                if held >= MOST {
                    return Err(StoreError::TooManyDrafts { most: MOST });
                }
            }
            let NewDraft { form, content, based_on, by } = new.clone();
            let made = known.map_or(now, |known| known.made);
            let draft = StoredDraft { number, form, content, based_on, made, changed: now, changed_by: by, used: now };
            write(session, DOING, key, &draft)?;
            Ok((DraftWritten::Done(draft), dropped))
        });
        let outcome = match &done {
            Ok((DraftWritten::Done(_), _)) => "stored",
            Ok((DraftWritten::Other(_), _)) => "conflict",
            Err(StoreError::TooManyDrafts { .. }) => "too_many",
            Err(_) => "failed",
        };
        metrics::DRAFTS_WRITTEN.with([outcome]).increment(1);
        let (written, dropped) = done?;
        metrics::DRAFTS_DROPPED.get().increment(dropped);
        Ok(written)
    }

    /// Removes version `seen` of a draft.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn remove_draft(&self, key: &DraftKey, seen: u64) -> Result<DraftWritten<()>, StoreError> {
        const DOING: &str = "removing a draft";
        self.write(DOING, |session| {
            let known = find(session, DOING, key)?;
            if known.as_ref().map(|draft| draft.number) != Some(seen) {
                return Ok(DraftWritten::Other(known));
            }
            let sql = "DELETE FROM draft WHERE owner = ?1 AND scope = ?2";
            session.execute(DOING, sql, &[key.owner.as_str().into(), key.scope.as_str().into()])?;
            Ok(DraftWritten::Done(()))
        })
    }

    /// Version `seen` of a draft was put in force: it is based on that from now on. Another version stays as it is.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn rebase_draft(&self, key: &DraftKey, seen: u64, onto: Timestamp) -> Result<(), StoreError> {
        const DOING: &str = "noting that a draft is in force";
        let sql = "UPDATE draft SET based_on_us = ?4 WHERE owner = ?1 AND scope = ?2 AND number = ?3";
        let values =
            [key.owner.as_str().into(), key.scope.as_str().into(), number(seen).into(), onto.as_micros().into()];
        self.write(DOING, |session| session.execute(DOING, sql, &values)).map(drop)
    }

    /// Drops drafts that nobody used within [`DRAFTS_KEPT`]; returns their number.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn drop_unused_drafts(&self, now: Timestamp) -> Result<u64, StoreError> {
        const DOING: &str = "dropping drafts that nobody uses";
        let dropped = self.write(DOING, |session| drop_unused(session, DOING, now - DRAFTS_KEPT))?;
        metrics::DRAFTS_DROPPED.get().increment(dropped);
        Ok(dropped)
    }
}

/// Removes the drafts of a person whose account or token is removed: another one may get its name.
pub(super) fn remove_of(session: &mut dyn Session, doing: &'static str, owner: &str) -> Result<(), StoreError> {
    session.execute(doing, "DELETE FROM draft WHERE owner = ?1", &[owner.into()]).map(drop)
}

fn next_number(session: &mut dyn Session) -> Result<u64, StoreError> {
    let sql = "UPDATE counter SET value = value + 1 WHERE name = 'draft' RETURNING value";
    session.row("numbering a draft", sql)?.take(0)
}

fn drop_unused(session: &mut dyn Session, doing: &'static str, before: Timestamp) -> Result<u64, StoreError> {
    session.execute(doing, "DELETE FROM draft WHERE used_us <= ?1", &[before.as_micros().into()])
}

fn find(session: &mut dyn Session, doing: &'static str, key: &DraftKey) -> Result<Option<StoredDraft>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM draft WHERE owner = ?1 AND scope = ?2");
    let values = [key.owner.as_str().into(), key.scope.as_str().into()];
    session.rows(doing, &sql, &values)?.pop().map(read).transpose()
}

/// Reads [`COLUMNS`].
fn read(mut row: Row) -> Result<StoredDraft, StoreError> {
    let form = match row.take::<String>(1)?.as_str() {
        "toml" => DraftForm::Toml,
        "json" => DraftForm::Json,
        _ => return Err(StoreError::Damaged { doing: row.doing(), cause: "a draft has an unknown form".into() }),
    };
    let mut time = |at| row.take::<i64>(at).map(Timestamp::from_micros);
    let (made, changed, used) = (time(4)?, time(5)?, time(7)?);
    Ok(StoredDraft {
        number: row.take(0)?,
        form,
        content: row.take(2)?,
        based_on: row.take::<Option<i64>>(3)?.map(Timestamp::from_micros),
        made,
        changed,
        changed_by: row.take(6)?,
        used,
    })
}

fn write(
    session: &mut dyn Session,
    doing: &'static str,
    key: &DraftKey,
    draft: &StoredDraft,
) -> Result<(), StoreError> {
    let sql =
        "INSERT INTO draft (owner, scope, number, form, content, based_on_us, made_us, changed_us, changed_by, used_us)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
               ON CONFLICT (owner, scope) DO UPDATE SET
                  number = excluded.number, form = excluded.form, content = excluded.content,
                  based_on_us = excluded.based_on_us, made_us = excluded.made_us, changed_us = excluded.changed_us,
                  changed_by = excluded.changed_by, used_us = excluded.used_us";
    let values = [
        key.owner.as_str().into(),
        key.scope.as_str().into(),
        number(draft.number).into(),
        draft.form.as_str().into(),
        draft.content.as_str().into(),
        draft.based_on.map(Timestamp::as_micros).into(),
        draft.made.as_micros().into(),
        draft.changed.as_micros().into(),
        draft.changed_by.as_str().into(),
        draft.used.as_micros().into(),
    ];
    session.execute(doing, sql, &values).map(drop)
}
