use serde::Serialize;
use utoipa::ToSchema;
use vedette_access::AuditRow;

/// A row of the audit log as JSON.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "AuditRow")]
pub struct AuditRowJson {
    /// Its number, from 1 on without gaps.
    number: u64,
    /// When, by the server's clock.
    #[schema(format = DateTime)]
    at: String,
    /// Who: an account, `token:NAME` or `local`.
    who: String,
    /// The roles then.
    role: String,
    /// The network address.
    peer: String,
    /// The id of the session or token; empty without.
    session: String,
    /// The act.
    act: String,
    /// The object.
    object: String,
    /// The reason given; empty without.
    reason: String,
    /// `done`, `refused: CODE` or `failed`.
    outcome: String,
    /// What changed, in a few words.
    detail: String,
    /// The hash of the row before, 64 hexadecimal digits.
    previous: String,
    /// Its own hash.
    hash: String,
}

impl From<AuditRow> for AuditRowJson {
    fn from(AuditRow { number, entry, previous, hash }: AuditRow) -> Self {
        Self {
            number,
            at: entry.at.to_string(),
            who: entry.who,
            role: entry.role,
            peer: entry.peer,
            session: entry.session,
            act: entry.act,
            object: entry.object,
            reason: entry.reason,
            outcome: entry.outcome.to_string(),
            detail: entry.detail,
            previous: previous.to_string(),
            hash: hash.to_string(),
        }
    }
}
