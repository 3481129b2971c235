//! Migration to version 6: accounts, sessions, tokens, and the audit log, into which the looks move (see the `SQLite` schema).

/// Tables of the version. The triggers refuse what is not an addition: whoever changes rows has to drop them first.
pub(super) const ACCESS: &str = r#"
CREATE TABLE account (
    name TEXT COLLATE "C" PRIMARY KEY,
    password TEXT,
    issuer TEXT COLLATE "C",
    subject TEXT COLLATE "C",
    grants TEXT NOT NULL,
    enabled BIGINT NOT NULL,
    made_us BIGINT NOT NULL,
    changed_us BIGINT NOT NULL,
    CHECK ((password IS NULL) = (issuer IS NOT NULL) AND (issuer IS NULL) = (subject IS NULL))
);
CREATE UNIQUE INDEX account_by_provider ON account (issuer, subject);
INSERT INTO counter VALUES ('accounts', 0);
CREATE TABLE session (
    hash TEXT COLLATE "C" PRIMARY KEY,
    account TEXT COLLATE "C" NOT NULL REFERENCES account (name) ON DELETE CASCADE,
    began_us BIGINT NOT NULL,
    used_us BIGINT NOT NULL,
    ends_us BIGINT NOT NULL,
    peer TEXT NOT NULL,
    provider_session TEXT COLLATE "C",
    id_token TEXT
);
CREATE INDEX session_by_account ON session (account, began_us);
CREATE INDEX session_by_end ON session (ends_us);
CREATE TABLE token (
    name TEXT COLLATE "C" PRIMARY KEY,
    hash TEXT COLLATE "C" NOT NULL UNIQUE,
    grants TEXT NOT NULL,
    maker TEXT NOT NULL,
    made_us BIGINT NOT NULL,
    expires_us BIGINT NOT NULL,
    used_us BIGINT
);
CREATE TABLE audit (
    number BIGINT PRIMARY KEY CHECK (number > 0),
    at_us BIGINT NOT NULL,
    who TEXT COLLATE "C" NOT NULL,
    role TEXT NOT NULL,
    peer TEXT NOT NULL,
    session TEXT NOT NULL,
    act TEXT COLLATE "C" NOT NULL,
    object TEXT COLLATE "C" NOT NULL,
    reason TEXT NOT NULL,
    outcome TEXT NOT NULL,
    detail TEXT NOT NULL,
    previous TEXT NOT NULL,
    hash TEXT NOT NULL
);
CREATE INDEX audit_by_object ON audit (object, number);
CREATE INDEX audit_by_who ON audit (who, number);
CREATE INDEX audit_by_time ON audit (at_us);
CREATE TABLE audit_head (
    one BIGINT PRIMARY KEY CHECK (one = 1),
    number BIGINT NOT NULL,
    hash TEXT NOT NULL
);
INSERT INTO audit_head VALUES (1, 0, '0000000000000000000000000000000000000000000000000000000000000000');
CREATE OR REPLACE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'rows are only added to the audit log';
END
$$;
CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_change();
CREATE TRIGGER audit_head_stays BEFORE DELETE OR TRUNCATE ON audit_head
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_change();
CREATE TRIGGER audit_head_forward BEFORE UPDATE ON audit_head
    FOR EACH ROW WHEN (NEW.number <= OLD.number) EXECUTE FUNCTION refuse_audit_change();
"#;

/// The tables that the audit log replaces, once their rows are in it.
pub(super) const NO_LOOKS: &str = "DROP TABLE look; DROP TABLE camera_look; UPDATE store_version SET version = 6;";
