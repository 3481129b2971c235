//! Migration to version 8: areas.

/// Groups and addresses of cameras; alerts by group, and by the entities of the address levels, with their events: a list takes both from
/// there alone. `own_change` is the last change of an alert
/// itself, where `change` may be that of another alert of its event.
pub(super) const AREAS: &str = "
CREATE TABLE camera_group (
    camera TEXT NOT NULL,
    name TEXT NOT NULL,
    PRIMARY KEY (camera, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX camera_group_by_name ON camera_group (name, camera);
CREATE TABLE camera_place (camera TEXT PRIMARY KEY, code TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE INDEX camera_place_by_code ON camera_place (code);
CREATE TABLE alert_group (
    name TEXT NOT NULL,
    raised_us INTEGER NOT NULL,
    alert TEXT NOT NULL REFERENCES alert (id) ON DELETE CASCADE,
    event_us INTEGER NOT NULL,
    event TEXT NOT NULL,
    PRIMARY KEY (name, raised_us, alert)
) STRICT, WITHOUT ROWID;
CREATE INDEX alert_group_by_alert ON alert_group (alert);
CREATE INDEX alert_by_district ON alert (substr(code, 1, 6), raised_us, id, event_us, event);
CREATE INDEX alert_by_street ON alert (substr(code, 1, 9), raised_us, id, event_us, event);
CREATE INDEX alert_by_community ON alert (substr(code, 1, 12), raised_us, id, event_us, event);
ALTER TABLE alert ADD COLUMN own_change INTEGER NOT NULL DEFAULT 0;
UPDATE alert SET own_change = change;
";
