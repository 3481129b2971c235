//! Migration to version 8: the rule of an alert as a column, and drafts of policies (see the `SQLite` schema).

/// Alerts by rule. The rules of earlier alerts are filled in from their payloads.
pub(super) const RULES: &str = r#"
ALTER TABLE alert ADD COLUMN rule TEXT COLLATE "C" NOT NULL DEFAULT '';
CREATE INDEX alert_by_rule ON alert (rule, event_us, event);
"#;

/// A draft of each scope and person.
pub(super) const DRAFTS: &str = r#"
CREATE TABLE draft (
    owner TEXT COLLATE "C" NOT NULL,
    scope TEXT COLLATE "C" NOT NULL,
    number BIGINT NOT NULL UNIQUE,
    form TEXT NOT NULL,
    content TEXT NOT NULL,
    based_on_us BIGINT,
    made_us BIGINT NOT NULL,
    changed_us BIGINT NOT NULL,
    changed_by TEXT NOT NULL,
    used_us BIGINT NOT NULL,
    PRIMARY KEY (owner, scope)
);
CREATE INDEX draft_by_use ON draft (used_us);
INSERT INTO counter VALUES ('draft', 0);
UPDATE store_version SET version = 8;
"#;
