//! Groups and addresses of cameras, by which alerts and near-misses are inside of areas.

use std::collections::{BTreeMap, BTreeSet};

use vedette_core::{AddressCode, CameraId};

use super::session::Session;
use super::{AlertStore, StoreError};

const DOING: &str = "writing the groups of a camera";

/// The groups and the address of a camera.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CameraPlace {
    /// Its groups.
    pub groups: BTreeSet<String>,
    /// Its own address.
    pub code: Option<AddressCode>,
}

impl AlertStore {
    /// Sets the groups of a camera, and with them those of its alerts; returns whether they differ.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn set_camera_groups(&self, camera: &CameraId, groups: &BTreeSet<String>) -> Result<bool, StoreError> {
        self.write(DOING, |session| set_groups(session, camera, groups))
    }

    /// Sets groups and addresses of cameras, each camera in a transaction of its own and only where they differ; returns the number of
    /// cameras that differ. Cameras that are not named keep theirs: so do the alerts of one that was removed.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn set_camera_places(&self, places: &BTreeMap<CameraId, CameraPlace>) -> Result<u64, StoreError> {
        let known = self.read(camera_places)?;
        let mut differing = 0;
        for (camera, place) in places {
            let is_known = known.get(camera.as_str()).map_or(*place == CameraPlace::default(), |known| known == place);
            if is_known {
                continue;
            }
            self.write(DOING, |session| {
                set_groups(session, camera, &place.groups)?;
                set_code(session, camera, place.code.as_ref())
            })?;
            differing += 1;
        }
        Ok(differing)
    }
}

/// What is known of cameras, by their ids. A code that cannot be read is none.
fn camera_places(session: &mut dyn Session) -> Result<BTreeMap<String, CameraPlace>, StoreError> {
    let mut places: BTreeMap<String, CameraPlace> = BTreeMap::new();
    for mut row in session.rows("reading the groups of cameras", "SELECT camera, name FROM camera_group", &[])? {
        places.entry(row.take(0)?).or_default().groups.insert(row.take(1)?);
    }
    for mut row in session.rows("reading the addresses of cameras", "SELECT camera, code FROM camera_place", &[])? {
        places.entry(row.take(0)?).or_default().code = row.take::<String>(1)?.parse().ok();
    }
    Ok(places)
}

fn set_groups(session: &mut dyn Session, camera: &CameraId, groups: &BTreeSet<String>) -> Result<bool, StoreError> {
    let camera = camera.as_str();
    let rows = session.rows(DOING, "SELECT name FROM camera_group WHERE camera = ?1", &[camera.into()])?;
    let known: BTreeSet<String> = rows.into_iter().map(|mut row| row.take(0)).collect::<Result<_, _>>()?;
    for name in known.difference(groups) {
        let values = [camera.into(), name.as_str().into()];
        session.execute(DOING, "DELETE FROM camera_group WHERE camera = ?1 AND name = ?2", &values)?;
        let sql = "DELETE FROM alert_group WHERE name = ?2 AND alert IN (SELECT id FROM alert WHERE camera = ?1)";
        session.execute(DOING, sql, &values)?;
    }
    for name in groups.difference(&known) {
        let values = [camera.into(), name.as_str().into()];
        session.execute(DOING, "INSERT INTO camera_group (camera, name) VALUES (?1, ?2)", &values)?;
        let sql = "INSERT INTO alert_group (name, raised_us, alert, event_us, event)
                   SELECT camera_group.name, alert.raised_us, alert.id, alert.event_us, alert.event
                   FROM camera_group JOIN alert ON alert.camera = camera_group.camera
                   WHERE camera_group.camera = ?1 AND camera_group.name = ?2";
        session.execute(DOING, sql, &values)?;
    }
    Ok(known != *groups)
}

fn set_code(session: &mut dyn Session, camera: &CameraId, code: Option<&AddressCode>) -> Result<(), StoreError> {
    match code {
        None => session.execute(DOING, "DELETE FROM camera_place WHERE camera = ?1", &[camera.as_str().into()]),
        Some(code) => {
            let sql = "INSERT INTO camera_place (camera, code) VALUES (?1, ?2)
                       ON CONFLICT (camera) DO UPDATE SET code = excluded.code";
            session.execute(DOING, sql, &[camera.as_str().into(), code.as_str().into()])
        }
    }
    .map(drop)
}

/// The groups of an alert that is new or whose time may have changed: those of its camera.
pub(super) fn write_alert_groups(session: &mut dyn Session, id: &str) -> Result<(), StoreError> {
    session.execute(DOING, "DELETE FROM alert_group WHERE alert = ?1", &[id.into()])?;
    let sql = "INSERT INTO alert_group (name, raised_us, alert, event_us, event)
               SELECT camera_group.name, alert.raised_us, alert.id, alert.event_us, alert.event
               FROM alert JOIN camera_group ON camera_group.camera = alert.camera WHERE alert.id = ?1";
    session.execute(DOING, sql, &[id.into()]).map(drop)
}
