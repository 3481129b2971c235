//! Migration to version 7: accounts, sessions, tokens, and the audit log, into which the looks move.

/// Tables of the version. The triggers refuse what is not an addition, also `INSERT OR REPLACE`: whoever changes rows has to drop them
/// first.
pub(super) const ACCESS: &str = "
CREATE TABLE account (
    name TEXT PRIMARY KEY,
    password TEXT,
    issuer TEXT,
    subject TEXT,
    grants TEXT NOT NULL,
    enabled INTEGER NOT NULL,
    made_us INTEGER NOT NULL,
    changed_us INTEGER NOT NULL,
    CHECK ((password IS NULL) = (issuer IS NOT NULL) AND (issuer IS NULL) = (subject IS NULL))
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX account_by_provider ON account (issuer, subject);
INSERT INTO counter VALUES ('accounts', 0);
CREATE TABLE session (
    hash TEXT PRIMARY KEY,
    account TEXT NOT NULL REFERENCES account (name) ON DELETE CASCADE,
    began_us INTEGER NOT NULL,
    used_us INTEGER NOT NULL,
    ends_us INTEGER NOT NULL,
    peer TEXT NOT NULL,
    provider_session TEXT,
    id_token TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX session_by_account ON session (account, began_us);
CREATE INDEX session_by_end ON session (ends_us);
CREATE TABLE token (
    name TEXT PRIMARY KEY,
    hash TEXT NOT NULL UNIQUE,
    grants TEXT NOT NULL,
    maker TEXT NOT NULL,
    made_us INTEGER NOT NULL,
    expires_us INTEGER NOT NULL,
    used_us INTEGER
) STRICT, WITHOUT ROWID;
CREATE TABLE audit (
    number INTEGER PRIMARY KEY CHECK (number > 0),
    at_us INTEGER NOT NULL,
    who TEXT NOT NULL,
    role TEXT NOT NULL,
    peer TEXT NOT NULL,
    session TEXT NOT NULL,
    act TEXT NOT NULL,
    object TEXT NOT NULL,
    reason TEXT NOT NULL,
    outcome TEXT NOT NULL,
    detail TEXT NOT NULL,
    previous TEXT NOT NULL,
    hash TEXT NOT NULL
) STRICT;
CREATE INDEX audit_by_object ON audit (object, number);
CREATE INDEX audit_by_who ON audit (who, number);
CREATE INDEX audit_by_time ON audit (at_us);
CREATE TABLE audit_head (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    number INTEGER NOT NULL,
    hash TEXT NOT NULL
) STRICT;
INSERT INTO audit_head VALUES (1, 0, '0000000000000000000000000000000000000000000000000000000000000000');
CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit
    BEGIN SELECT RAISE(ABORT, 'rows are only added to the audit log'); END;
CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit
    BEGIN SELECT RAISE(ABORT, 'rows are only added to the audit log'); END;
CREATE TRIGGER audit_no_replace BEFORE INSERT ON audit WHEN EXISTS (SELECT 1 FROM audit WHERE number >= NEW.number)
    BEGIN SELECT RAISE(ABORT, 'rows are only added at the end of the audit log'); END;
CREATE TRIGGER audit_head_forward BEFORE UPDATE ON audit_head WHEN NEW.number <= OLD.number
    BEGIN SELECT RAISE(ABORT, 'the head of the audit log only moves forward'); END;
CREATE TRIGGER audit_head_no_delete BEFORE DELETE ON audit_head
    BEGIN SELECT RAISE(ABORT, 'the head of the audit log only moves forward'); END;
";

/// The tables that the audit log replaces, once their rows are in it.
pub(super) const NO_LOOKS: &str = "DROP TABLE look; DROP TABLE camera_look;";
