//! Migration to version 9: the rule of an alert as a column, and drafts of policies.

/// Alerts by rule, in the order of a list. The rules of earlier alerts are filled in from their payloads.
pub(super) const RULES: &str = "
ALTER TABLE alert ADD COLUMN rule TEXT NOT NULL DEFAULT '';
CREATE INDEX alert_by_rule ON alert (rule, event_us, event);
";

/// A draft of each scope and person. `number` is its version, and never used again.
pub(super) const DRAFTS: &str = "
CREATE TABLE draft (
    owner TEXT NOT NULL,
    scope TEXT NOT NULL,
    number INTEGER NOT NULL UNIQUE,
    form TEXT NOT NULL,
    content TEXT NOT NULL,
    based_on_us INTEGER,
    made_us INTEGER NOT NULL,
    changed_us INTEGER NOT NULL,
    changed_by TEXT NOT NULL,
    used_us INTEGER NOT NULL,
    PRIMARY KEY (owner, scope)
) STRICT;
CREATE INDEX draft_by_use ON draft (used_us);
INSERT INTO counter VALUES ('draft', 0);
";
