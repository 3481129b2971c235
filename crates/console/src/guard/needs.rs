use axum::http::Method;
use vedette_access::Permission;

/// What a route needs of its caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// Nothing: the answer has nothing to protect, or is about logging in.
    Anyone,
    /// That it is known.
    Caller,
    /// A permission.
    Has(Permission),
}

/// Every route of the API. One that is not here is refused, and a test fails.
pub(crate) const NEEDS: &[(Method, &str, Need)] = &{
    use Need::{Anyone, Caller, Has};
    use Permission as P;
    const GET: Method = Method::GET;
    const POST: Method = Method::POST;
    const PUT: Method = Method::PUT;
    const DELETE: Method = Method::DELETE;
    [
        (GET, "/api/v1/alerts", Has(P::SeeAlerts)),
        (GET, "/api/v1/alerts/stream", Has(P::SeeAlerts)),
        (GET, "/api/v1/alerts/{id}", Has(P::SeeAlerts)),
        (GET, "/api/v1/alerts/{id}/snapshot", Has(P::SeeEvidence)),
        (GET, "/api/v1/alerts/{id}/clip", Has(P::SeeEvidence)),
        (GET, "/api/v1/alerts/{id}/looks", Has(P::ReadAudit)),
        (GET, "/api/v1/alerts/{id}/explain", Has(P::Tune)),
        (POST, "/api/v1/alerts/{id}/verdict", Has(P::Judge)),
        (GET, "/api/v1/cameras", Has(P::SeeAlerts)),
        (GET, "/api/v1/cameras/{id}", Has(P::SeeSettings)),
        (GET, "/api/v1/cameras/{id}/versions", Has(P::SeeSettings)),
        (POST, "/api/v1/cameras/{id}/apply", Has(P::ChangeCameras)),
        (GET, "/api/v1/cameras/{id}/glance", Has(P::SeeEvidence)),
        (GET, "/api/v1/cameras/{id}/still", Has(P::SeeEvidence)),
        (GET, "/api/v1/cameras/{id}/looks", Has(P::ReadAudit)),
        (GET, "/api/v1/cameras/{id}/scores", Has(P::Tune)),
        (GET, "/api/v1/cameras/{id}/detections", Has(P::Tune)),
        (GET, "/api/v1/map/footprints", Has(P::SeeAlerts)),
        (GET, "/api/v1/map/grids", Has(P::SeeAlerts)),
        (GET, "/api/v1/map/roads", Has(P::SeeAlerts)),
        (GET, "/api/v1/addresses", Caller),
        (GET, "/api/v1/addresses/base", Caller),
        (GET, "/api/v1/addresses/{code}", Caller),
        (GET, "/api/v1/rule-kinds", Caller),
        (GET, "/api/v1/near-misses", Has(P::Tune)),
        (GET, "/api/v1/near-misses/histogram", Has(P::Tune)),
        (GET, "/api/v1/policies", Has(P::SeeSettings)),
        (GET, "/api/v1/policies/{kind}/{name}", Has(P::SeeSettings)),
        (GET, "/api/v1/policies/{kind}/{name}/versions", Has(P::SeeSettings)),
        (GET, "/api/v1/policies/{kind}/{name}/draft", Has(P::Tune)),
        (PUT, "/api/v1/policies/{kind}/{name}/draft", Has(P::Tune)),
        (DELETE, "/api/v1/policies/{kind}/{name}/draft", Has(P::Tune)),
        (POST, "/api/v1/policies/{kind}/{name}/check", Has(P::Tune)),
        (POST, "/api/v1/policies/{kind}/{name}/apply", Has(P::ChangePolicies)),
        (POST, "/api/v1/policies/{kind}/{name}/rollback", Has(P::ChangePolicies)),
        (POST, "/api/v1/policies/{kind}/{name}/pause", Has(P::ChangePolicies)),
        (POST, "/api/v1/policies/{kind}/{name}/suggest", Has(P::Tune)),
        (GET, "/api/v1/changes", Has(P::SeeSettings)),
        (POST, "/api/v1/changes", Has(P::ChangeCameras)),
        (POST, "/api/v1/passwords/reseal", Has(P::ChangeCameras)),
        (POST, "/api/v1/what-if", Has(P::Tune)),
        (POST, "/api/v1/what-if/sweep", Has(P::Tune)),
        (GET, "/api/v1/explain", Has(P::Tune)),
        (GET, "/api/v1/frames", Has(P::SeeAlerts)),
        (GET, "/api/v1/openapi.json", Caller),
        // Probes of supervisors; a caller who may see more is told more.
        (GET, "/healthz", Anyone),
        (GET, "/readyz", Anyone),
        (GET, "/metrics", Has(P::Operate)),
        (POST, "/api/v1/session", Anyone),
        (GET, "/api/v1/session", Caller),
        (DELETE, "/api/v1/session", Caller),
        (POST, "/api/v1/session/password", Caller),
        // Single sign-on: before anybody is known; the provider's tokens say who it is.
        (GET, "/api/v1/session/ways", Anyone),
        (GET, "/api/v1/session/sign-on", Anyone),
        (GET, "/api/v1/session/answer", Anyone),
        (POST, "/api/v1/session/provider-logout", Anyone),
        (GET, "/api/v1/accounts", Has(P::Administer)),
        (POST, "/api/v1/accounts", Has(P::Administer)),
        (POST, "/api/v1/accounts/{name}", Has(P::Administer)),
        (DELETE, "/api/v1/accounts/{name}", Has(P::Administer)),
        (GET, "/api/v1/sessions", Has(P::Administer)),
        (DELETE, "/api/v1/sessions/{id}", Has(P::Administer)),
        (GET, "/api/v1/tokens", Has(P::Administer)),
        (POST, "/api/v1/tokens", Has(P::Administer)),
        (DELETE, "/api/v1/tokens/{name}", Has(P::Administer)),
        (GET, "/api/v1/audit", Has(P::ReadAudit)),
        (GET, "/api/v1/audit/export", Has(P::ReadAudit)),
    ]
};

/// What a route needs; none of a route that is not known.
pub(crate) fn need(method: &Method, path: &str) -> Option<Need> {
    NEEDS.iter().find(|(known, route, _)| known == method && *route == path).map(|(_, _, need)| *need)
}
