//! Whether cameras and policies lie in the areas of a caller. What lies elsewhere is refused like what there is not.

use vedette_access::Areas;
use vedette_core::{CameraId, PolicyScope};

use super::Shared;
use super::proposals::scope_text;
use crate::api_rule::ApiRule;
use crate::guard::Allowed;
use crate::problem::{Problem, ProblemKind};

/// Whether a camera lies in areas. Of one that was removed, the last place counts.
pub(super) fn sees_camera(app: &Shared, areas: &Areas, camera: &CameraId) -> bool {
    if *areas == Areas::Everywhere {
        return true;
    }
    let versions = app.parts.configuration.camera_versions(camera);
    let last = versions.iter().rev().find_map(|version| version.content.as_ref());
    last.is_some_and(|camera| areas.has_camera(camera))
}

/// Whether all cameras of a policy lie in areas, whichever they are.
pub(super) fn sees_scope(app: &Shared, areas: &Areas, scope: &PolicyScope) -> bool {
    match scope {
        PolicyScope::Camera(camera) => sees_camera(app, areas, camera),
        PolicyScope::Group(name) => areas.has_group(name),
    }
}

/// A camera in the caller's areas.
pub(super) fn require_camera(app: &Shared, allowed: &Allowed, camera: CameraId) -> Result<CameraId, Problem> {
    if sees_camera(app, &allowed.areas, &camera) {
        return Ok(camera);
    }
    Err(Problem::new(ProblemKind::NOT_FOUND, ApiRule::NoCamera { id: camera.to_string() }))
}

/// A policy in the caller's areas.
pub(super) fn require_scope(app: &Shared, allowed: &Allowed, scope: PolicyScope) -> Result<PolicyScope, Problem> {
    if sees_scope(app, &allowed.areas, &scope) {
        return Ok(scope);
    }
    Err(Problem::new(ProblemKind::NOT_FOUND, ApiRule::NoPolicy { scope: scope_text(&scope) }))
}

/// A policy in the caller's areas that there is or may be: one of its scope has versions, or a camera.
pub(super) fn require_known_scope(app: &Shared, allowed: &Allowed, scope: PolicyScope) -> Result<PolicyScope, Problem> {
    let scope = require_scope(app, allowed, scope)?;
    let configuration = &app.parts.configuration;
    let is_meant = |id: &CameraId| {
        let newest = configuration.camera_versions(id).pop().and_then(|version| version.content);
        newest.is_some_and(|camera| camera.is_in(&scope))
    };
    if !configuration.policy_versions(&scope).is_empty() || configuration.cameras().iter().any(is_meant) {
        return Ok(scope);
    }
    Err(Problem::new(ProblemKind::NOT_FOUND, ApiRule::NoPolicy { scope: scope_text(&scope) }))
}

/// That the caller has the permission of the route for the whole site.
pub(super) fn require_everywhere(allowed: &Allowed, permission: vedette_access::Permission) -> Result<(), Problem> {
    if allowed.areas == Areas::Everywhere {
        return Ok(());
    }
    let permission = permission.as_str().to_owned();
    Err(Problem::new(ProblemKind::FORBIDDEN, ApiRule::NotHere { permission }))
}
