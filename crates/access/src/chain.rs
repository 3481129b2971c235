//! The hash chain of the audit log: each row contains the hash of the row before.
//!
//! Whoever can write the database can also compute all hashes again. So heads of the chain are kept elsewhere, on the bus and in
//! exports: `verify` compares with one of those.

use std::fmt;
use std::str::FromStr;

use crate::audit::AuditRow;
use crate::chain_hash::ChainHash;

/// How far a row that was moved is looked for.
const NEARBY: u64 = 1_000;

/// The last row of the chain at some time. Its text is `NUMBER:HASH`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChainHead {
    /// The number of the row; 0 before the first one.
    pub number: u64,
    /// Its hash.
    pub hash: ChainHash,
}

impl ChainHead {
    /// The head of a chain without rows.
    pub const START: Self = Self { number: 0, hash: ChainHash::START };

    /// The head with a row.
    #[must_use]
    pub const fn of(row: &AuditRow) -> Self {
        Self { number: row.number, hash: row.hash }
    }
}

impl fmt::Display for ChainHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.number, self.hash)
    }
}

impl FromStr for ChainHead {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (number, hash) = text.split_once(':').ok_or("not NUMBER:HASH")?;
        Ok(Self { number: number.parse().map_err(|_| "the number is none")?, hash: hash.parse()? })
    }
}

/// The first thing that is wrong with a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// Rows are missing.
    #[error("rows {from} to {to} are missing")]
    Missing {
        /// The first one.
        from: u64,
        /// The last one.
        to: u64,
    },
    /// The content of a row does not have its hash.
    #[error("row {0} was altered")]
    Altered(u64),
    /// A row is not where it was written.
    #[error("row {number} was written as row {written_as}: the rows were re-ordered")]
    Moved {
        /// Where it is.
        number: u64,
        /// Where it was.
        written_as: u64,
    },
    /// A row with a hash of its own does not continue the one before: what stands before it was replaced.
    #[error("row {0} does not follow the row before it: rows up to there were replaced")]
    Unlinked(u64),
    /// There are rows behind the end that the log says it has.
    #[error("row {0} was added beside the log, which ends before it")]
    Added(u64),
    /// Rows at the end are missing.
    #[error("the log ends with row {last}, but row {known} was written: rows at the end were cut")]
    Cut {
        /// The last row.
        last: u64,
        /// The last row that is known from elsewhere.
        known: u64,
    },
    /// The row of a known head is another one.
    #[error("row {0} is not the one that is known from elsewhere: the log was written anew")]
    Rewritten(u64),
}

/// Checks a chain, row by row, against heads that are known from elsewhere.
#[derive(Debug)]
pub struct ChainCheck {
    head: ChainHead,
    known: Vec<ChainHead>,
}

impl ChainCheck {
    /// A check from the first row on.
    #[must_use]
    pub fn new(mut known: Vec<ChainHead>) -> Self {
        known.sort_by_key(|head| std::cmp::Reverse(head.number));
        Self { head: ChainHead::START, known }
    }

    /// The next row, by the order of their numbers.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn row(&mut self, row: &AuditRow) -> Result<(), Broken> {
        let expected = self.head.number + 1;
        if row.number > expected {
            return Err(Broken::Missing { from: expected, to: row.number - 1 });
        }
        let has_hash = |number| AuditRow::hash_of(number, &row.previous, &row.entry) == row.hash;
        if row.number < expected || !has_hash(row.number) {
            let nearby = row.number.saturating_sub(NEARBY)..=row.number.saturating_add(NEARBY);
            let written_as = nearby.into_iter().find(|number| has_hash(*number)).filter(|number| *number != row.number);
            return Err(written_as
                .map_or(Broken::Altered(row.number), |written_as| Broken::Moved { number: row.number, written_as }));
        }
        if row.previous != self.head.hash {
            return Err(Broken::Unlinked(row.number));
        }
        self.head = ChainHead::of(row);
        while self.known.last().is_some_and(|known| known.number <= row.number) {
            if self.known.pop().is_some_and(|known| known.number == row.number && known.hash != row.hash) {
                return Err(Broken::Rewritten(row.number));
            }
        }
        Ok(())
    }

    /// After the last row: the head of the chain.
    ///
    /// # Errors
    /// When the end is missing.
    pub fn end(self) -> Result<ChainHead, Broken> {
        match self.known.first() {
            Some(known) if known.number > self.head.number => {
                Err(Broken::Cut { last: self.head.number, known: known.number })
            }
            _ => Ok(self.head),
        }
    }
}
