use std::fmt;

use sha2::{Digest, Sha256};
use vedette_core::Timestamp;

use crate::chain_hash::ChainHash;

/// The beginning of everything that is hashed, so that the hash of something else is never one of a row.
const DOMAIN: &[u8] = b"vedette audit row 1\n";

/// The result of an act.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It was done.
    Done,
    /// It was refused, by a rule with this code.
    Refused(String),
    /// It failed.
    Failed,
}

/// An act or a look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// When, by the server's clock.
    pub at: Timestamp,
    /// Who: `local`, the name of an account, or `token:` and that of a token.
    pub who: String,
    /// Its grants then.
    pub role: String,
    /// The network address.
    pub peer: String,
    /// The public id of the session or token; empty without.
    pub session: String,
    /// The act: `alert.verdict`, `evidence.snapshot` and others, as docs/ACCESS.md lists them.
    pub act: String,
    /// The object: `alert:ID`, `camera:ID`, `policy:group/gates`, `account:anna`.
    pub object: String,
    /// The reason given; empty without.
    pub reason: String,
    /// The result.
    pub outcome: Outcome,
    /// What was changed, in a few words; empty without.
    pub detail: String,
}

impl AuditEntry {
    /// An act that was done, by `who` from `peer`; everything else is empty.
    #[must_use]
    pub fn done(at: Timestamp, act: &str, object: String, who: String, peer: String) -> Self {
        Self {
            at,
            who,
            role: String::new(),
            peer,
            session: String::new(),
            act: act.to_owned(),
            object,
            reason: String::new(),
            outcome: Outcome::Done,
            detail: String::new(),
        }
    }
}

/// A row of the audit log: an entry that is linked to the one before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRow {
    /// Its number, from 1 on without gaps.
    pub number: u64,
    /// The entry.
    pub entry: AuditEntry,
    /// The hash of the row before; of the first one, zeros.
    pub previous: ChainHash,
    /// Its own hash: of number, entry and `previous`.
    pub hash: ChainHash,
}

impl AuditRow {
    /// The row after another one.
    #[must_use]
    pub fn after(number: u64, previous: ChainHash, entry: AuditEntry) -> Self {
        let hash = Self::hash_of(number, &previous, &entry);
        Self { number, entry, previous, hash }
    }

    pub(crate) fn hash_of(number: u64, previous: &ChainHash, entry: &AuditEntry) -> ChainHash {
        let mut hash = Sha256::new();
        hash.update(DOMAIN);
        hash.update(previous.bytes());
        hash.update(number.to_be_bytes());
        hash.update(entry.at.as_micros().to_be_bytes());
        let outcome = entry.outcome.to_string();
        let AuditEntry { who, role, peer, session, act, object, reason, detail, .. } = entry;
        for text in [who, role, peer, session, act, object, reason, &outcome, detail] {
            // With its length: the border between two texts cannot be moved.
            hash.update((text.len() as u64).to_be_bytes());
            hash.update(text.as_bytes());
        }
        ChainHash::new(hash.finalize().into())
    }
}

/// `done`, `refused: CODE` or `failed`.
impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done => f.write_str("done"),
            Self::Refused(code) => write!(f, "refused: {code}"),
            Self::Failed => f.write_str("failed"),
        }
    }
}

impl std::str::FromStr for Outcome {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "done" => Ok(Self::Done),
            "failed" => Ok(Self::Failed),
            _ => text.strip_prefix("refused: ").map(|code| Self::Refused(code.to_owned())).ok_or("not an outcome"),
        }
    }
}
