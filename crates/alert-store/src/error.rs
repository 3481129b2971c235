use std::path::PathBuf;

use vedette_access::Name;
use vedette_core::{AlertId, CameraId};

/// Errors of the alert store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file could not be opened.
    #[error("alert store {path}: cannot be opened: {cause}; check that the folder exists, is writable and not full")]
    Open {
        /// The file.
        path: PathBuf,
        /// `SQLite`'s error.
        cause: rusqlite::Error,
    },
    /// The server does not answer, or refuses the login. The write has not taken effect, or, if the connection was lost during
    /// the commit, it may have: every write of an alert may be repeated.
    #[error(
        "alert store {server}: it cannot be reached: {cause}; check that the server runs and accepts this user from here \
         (pg_hba.conf, password); retried automatically"
    )]
    Unreachable {
        /// The server, as configured.
        server: String,
        /// The cause.
        cause: String,
    },
    /// The server answers, but the tables cannot be created or read.
    #[error("alert store {server}: its tables cannot be created or migrated: {cause}; {fix}")]
    Unprepared {
        /// The server, as configured.
        server: String,
        /// The cause.
        cause: String,
        /// The remedy.
        fix: &'static str,
    },
    /// It belongs to another program.
    #[error("alert store {store}: it belongs to another program; name another file or database")]
    Foreign {
        /// The file or server.
        store: String,
    },
    /// It was written by a newer version of this program.
    #[error(
        "alert store {store}: its schema is version {found}, this program knows up to {known}; run the newer program or name \
         another file or database"
    )]
    Newer {
        /// The file or server.
        store: String,
        /// Its schema version.
        found: i64,
        /// The newest one known.
        known: i64,
    },
    /// A statement failed.
    #[error("alert store {store}: {doing} failed: {cause}")]
    Sql {
        /// The file or server.
        store: String,
        /// The attempted operation.
        doing: &'static str,
        /// The database's error.
        cause: String,
    },
    /// The alert contains a value that does not survive serialisation, such as a number that is not finite.
    #[error("alert {alert}: it cannot be stored: {cause}; every number in it must be finite")]
    Unstorable {
        /// The alert.
        alert: AlertId,
        /// The cause.
        cause: serde_json::Error,
    },
    /// The near-miss contains such a value.
    #[error("a near-miss of camera {camera}: it cannot be stored: {cause}; every number in it must be finite")]
    UnstorableNearMiss {
        /// Its camera.
        camera: CameraId,
        /// The cause.
        cause: serde_json::Error,
    },
    /// The database permanently refuses the values of a statement: they break a constraint or are too large.
    #[error("alert store {store}: {doing} failed for the values given: {cause}")]
    Values {
        /// The file or server.
        store: String,
        /// The attempted operation.
        doing: &'static str,
        /// The database's error.
        cause: String,
    },
    /// A stored row cannot be read.
    #[error(
        "alert store: a stored row cannot be read while {doing}: {cause}; the store is damaged: restore it, or move it away and restart \
         (alerts that the bus still keeps come back from the topic; verdicts and looks at evidence do not)"
    )]
    Damaged {
        /// The attempted operation.
        doing: &'static str,
        /// The cause.
        cause: String,
    },
    /// There is no such alert.
    #[error("alert {0} is not in the store; it was never raised or its retention is over")]
    UnknownAlert(AlertId),
    /// There is no such account.
    #[error("there is no account `{0}`; it was removed, or its name is another")]
    UnknownAccount(Name),
    /// There is no such session.
    #[error("there is no session `{0}`; it has ended")]
    UnknownSession(String),
    /// There is no such token.
    #[error("there is no token `{0}`; it was revoked, or its name is another")]
    UnknownToken(Name),
    /// There is one already.
    #[error("there is already the {what} `{name}`; give another name, or remove that one first")]
    AlreadyThere {
        /// `account` or `token`.
        what: &'static str,
        /// The name of the one that is there.
        name: Name,
    },
    /// There are as many as there may be.
    #[error("there are already {most} {what}; remove those that nobody uses")]
    TooMany {
        /// `accounts` or `tokens`.
        what: &'static str,
        /// Most of them.
        most: u32,
    },
    /// A person has as many drafts as there may be.
    #[error("there are already {most} drafts of this person; remove those that are not needed")]
    TooManyDrafts {
        /// Most of them.
        most: u32,
    },
    /// The last enabled administrator would be gone.
    #[error(
        "no administrator would be left; give another enabled account the role `administrator` for the whole site first"
    )]
    LastAdministrator,
    /// An account was changed during a login.
    #[error("the account `{0}` was changed or disabled during the login; log in again")]
    AccountChanged(Name),
}

impl StoreError {
    /// Whether the same call may succeed once the server is back.
    #[must_use]
    pub const fn is_unreachable(&self) -> bool {
        matches!(self, Self::Unreachable { .. })
    }

    /// Whether the call is bound to fail again in any state of the store: the alert or near-miss to be written is the cause.
    #[must_use]
    pub const fn is_about_the_content(&self) -> bool {
        matches!(self, Self::Unstorable { .. } | Self::UnstorableNearMiss { .. } | Self::Values { .. })
    }
}
