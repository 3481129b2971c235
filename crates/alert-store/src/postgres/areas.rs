//! Migration to version 7: areas (see the `SQLite` schema).

/// Groups and addresses of cameras; alerts by group and by address entity.
pub(super) const AREAS: &str = r#"
CREATE TABLE camera_group (
    camera TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (camera, name)
);
CREATE INDEX camera_group_by_name ON camera_group (name, camera);
CREATE TABLE camera_place (camera TEXT COLLATE "C" PRIMARY KEY, code TEXT COLLATE "C" NOT NULL);
CREATE INDEX camera_place_by_code ON camera_place (code);
CREATE TABLE alert_group (
    name TEXT COLLATE "C" NOT NULL,
    raised_us BIGINT NOT NULL,
    alert TEXT COLLATE "C" NOT NULL REFERENCES alert (id) ON DELETE CASCADE,
    event_us BIGINT NOT NULL,
    event TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (name, raised_us, alert) INCLUDE (event_us, event)
);
CREATE INDEX alert_group_by_alert ON alert_group (alert);
CREATE INDEX alert_by_district ON alert (substr(code, 1, 6), raised_us, id) INCLUDE (event_us, event);
CREATE INDEX alert_by_street ON alert (substr(code, 1, 9), raised_us, id) INCLUDE (event_us, event);
CREATE INDEX alert_by_community ON alert (substr(code, 1, 12), raised_us, id) INCLUDE (event_us, event);
ALTER TABLE alert ADD COLUMN own_change BIGINT NOT NULL DEFAULT 0;
UPDATE alert SET own_change = change;
UPDATE store_version SET version = 7;
"#;
