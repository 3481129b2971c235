use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Map, Value};
use vedette_access::{Grant, Grants, Name};

use crate::error::SignOnError;

/// Most characters of the name of a claim.
const LONGEST: usize = 200;

/// A claim: its name, or names with dots between them for one within others, as in `realm_access.roles`. A name may itself have dots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimPath(String);

impl ClaimPath {
    /// Reads one from the settings; none when it is empty, too long, or has control characters.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let is_name = !text.is_empty() && text.len() <= LONGEST && !text.chars().any(char::is_control);
        is_name.then(|| Self(text.to_owned()))
    }

    /// The value of the claim.
    pub(crate) fn of<'a>(&self, claims: &'a Map<String, Value>) -> Option<&'a Value> {
        at(claims, &self.0)
    }
}

impl fmt::Display for ClaimPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The longest name that is there wins: a claim `a.b` hides `b` within `a`.
fn at<'a>(claims: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    if let Some(value) = claims.get(path) {
        return Some(value);
    }
    path.rmatch_indices('.').find_map(|(dot, _)| at(claims.get(&path[..dot])?.as_object()?, &path[dot + 1..]))
}

/// The name of the account of a person.
pub(crate) fn name(claims: &Map<String, Value>, path: &ClaimPath) -> Result<Name, SignOnError> {
    let refused = |reason: String| SignOnError::Name { claim: path.to_string(), reason };
    let given = path.of(claims).ok_or_else(|| refused("it is missing".into()))?;
    let given = given.as_str().ok_or_else(|| refused("it is no text".into()))?;
    Name::new(given).map_err(|violation| {
        let given: String = given.chars().filter(|c| !c.is_control()).take(80).collect();
        refused(format!("`{given}`: {}", violation.rule))
    })
}

/// The grants of all groups of a person: the claim is a text or a list of texts.
pub(crate) fn grants(
    claims: &Map<String, Value>,
    path: &ClaimPath,
    mapped: &BTreeMap<String, Grants>,
    name: &Name,
) -> Result<Grants, SignOnError> {
    let groups = match path.of(claims) {
        Some(Value::String(group)) => vec![group.as_str()],
        Some(Value::Array(groups)) => groups.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let grants: Vec<Grant> =
        groups.into_iter().filter_map(|group| mapped.get(group)).flat_map(Grants::iter).cloned().collect();
    if grants.is_empty() {
        return Err(SignOnError::NoGrant { name: name.to_string(), claim: path.to_string() });
    }
    Grants::new(grants).map_err(|violation| SignOnError::Token(format!("gives too much at once: {}", violation.rule)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn found(claims: &Value, path: &str) -> Option<Value> {
        ClaimPath::read(path).unwrap().of(claims.as_object().unwrap()).cloned()
    }

    #[test]
    fn a_claim_is_found_by_its_name_and_within_others() {
        let claims = json!({"groups": ["a"], "realm_access": {"roles": ["b"]}, "https://id.example/groups": "c",
            "resource_access": {"vedette.example": {"roles": ["d"]}}});
        assert_eq!(found(&claims, "groups"), Some(json!(["a"])));
        assert_eq!(found(&claims, "realm_access.roles"), Some(json!(["b"])));
        assert_eq!(found(&claims, "https://id.example/groups"), Some(json!("c")));
        assert_eq!(found(&claims, "resource_access.vedette.example.roles"), Some(json!(["d"])));
        for missing in ["roles", "groups.a", "realm_access.", ".roles", "realm_access.roles.b", "."] {
            assert_eq!(found(&claims, missing), None, "{missing}");
        }
        assert_eq!(ClaimPath::read(""), None);
    }

    #[test]
    fn grants_of_all_groups_add_up_and_nobody_is_let_in_without_one() {
        let grants_of = |text: &str| Grants::new(vec![text.parse().unwrap()]).unwrap();
        let mapped = BTreeMap::from([
            ("guards".into(), grants_of("operator@group:gates")),
            ("/leads".into(), grants_of("viewer")),
        ]);
        let (path, name) = (ClaimPath::read("groups").unwrap(), Name::new("anna").unwrap());
        let of = |groups: Value| grants(json!({"groups": groups}).as_object().unwrap(), &path, &mapped, &name);
        assert_eq!(of(json!(["guards", "others", "/leads"])).unwrap().to_string(), "viewer operator@group:gates");
        assert_eq!(of(json!("guards")).unwrap().to_string(), "operator@group:gates");
        for none in [
            json!([]),
            json!("guards,/leads"),
            json!(["Guards"]),
            json!({"guards": true}),
            json!([["guards"]]),
            json!(7),
        ] {
            assert!(matches!(of(none.clone()), Err(SignOnError::NoGrant { .. })), "{none}");
        }
    }
}
