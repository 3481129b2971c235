use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use vedette_core::Violation;

use crate::area::{Area, Areas};
use crate::permission::Permission;
use crate::rules::AccessRule;

/// Most areas of one account.
const MOST_AREAS: usize = 200;

/// A role. An account may have several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Sees alerts, cameras and the map.
    Viewer,
    /// Also gives verdicts, tries and changes policies.
    Operator,
    /// A viewer who also sees pictures and clips.
    Evidence,
    /// Everything.
    Administrator,
    /// Reads the audit log and the settings.
    Auditor,
    /// Reads health, frame accounting and metrics: for monitoring.
    Monitor,
}

impl Role {
    /// All roles.
    pub const ALL: [Self; 6] =
        [Self::Viewer, Self::Operator, Self::Evidence, Self::Administrator, Self::Auditor, Self::Monitor];

    /// The name in configuration, API and audit log.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Evidence => "evidence",
            Self::Administrator => "administrator",
            Self::Auditor => "auditor",
            Self::Monitor => "monitor",
        }
    }

    /// Whether it has a permission.
    #[must_use]
    pub const fn permits(self, permission: Permission) -> bool {
        use Permission as P;
        match self {
            Self::Viewer => matches!(permission, P::SeeAlerts),
            Self::Operator => {
                matches!(permission, P::SeeAlerts | P::Judge | P::SeeSettings | P::Tune | P::ChangePolicies)
            }
            Self::Evidence => matches!(permission, P::SeeAlerts | P::SeeEvidence),
            Self::Administrator => true,
            Self::Auditor => matches!(permission, P::SeeSettings | P::ReadAudit),
            Self::Monitor => matches!(permission, P::Operate),
        }
    }

    /// Whether it is for the whole site only.
    #[must_use]
    pub const fn is_for_whole_site(self) -> bool {
        matches!(self, Self::Auditor | Self::Monitor)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Role {
    type Err = Violation;

    fn from_str(text: &str) -> Result<Self, Violation> {
        Self::ALL.into_iter().find(|role| role.as_str() == text).ok_or_else(|| {
            let known = Self::ALL.into_iter().map(Self::as_str).collect();
            AccessRule::Role { given: text.chars().take(80).collect(), known }.into()
        })
    }
}

/// A role within areas.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    /// The role.
    pub role: Role,
    /// Its areas; none for the whole site.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub areas: Option<BTreeSet<Area>>,
}

impl Grant {
    /// A role for the whole site.
    #[must_use]
    pub const fn everywhere(role: Role) -> Self {
        Self { role, areas: None }
    }

    fn areas(&self) -> Areas {
        self.areas.clone().map_or(Areas::Everywhere, Areas::Only)
    }
}

/// `operator`, or `operator@group:gates,address:440305`.
impl FromStr for Grant {
    type Err = Violation;

    fn from_str(text: &str) -> Result<Self, Violation> {
        let (role, areas) = match text.split_once('@') {
            Some((role, areas)) => (role, Some(areas.split(',').map(str::parse).collect::<Result<_, _>>()?)),
            None => (text, None),
        };
        Ok(Self { role: role.parse()?, areas })
    }
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.role)?;
        for (index, area) in self.areas.iter().flatten().enumerate() {
            write!(f, "{}{area}", if index == 0 { "@" } else { "," })?;
        }
        Ok(())
    }
}

/// The grants of an account or token: at least one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Grant>", into = "Vec<Grant>")]
pub struct Grants(Vec<Grant>);

impl Grants {
    /// Validates grants.
    ///
    /// # Errors
    /// The first rule that they break.
    pub fn new(mut grants: Vec<Grant>) -> Result<Self, Violation> {
        if grants.is_empty() {
            return Err(AccessRule::NoGrants.into());
        }
        for Grant { role, areas } in &grants {
            let role_name = || role.as_str().to_owned();
            match areas {
                Some(areas) if areas.is_empty() => return Err(AccessRule::Nowhere { role: role_name() }.into()),
                Some(_) if role.is_for_whole_site() => {
                    return Err(AccessRule::WholeSite { role: role_name() }.into());
                }
                _ => {}
            }
        }
        if grants.iter().flat_map(|grant| &grant.areas).map(BTreeSet::len).sum::<usize>() > MOST_AREAS {
            return Err(AccessRule::TooMany { most: MOST_AREAS }.into());
        }
        grants.sort();
        grants.dedup();
        Ok(Self(grants))
    }

    /// Every permission for the whole site.
    #[must_use]
    pub fn administrator() -> Self {
        Self(vec![Grant::everywhere(Role::Administrator)])
    }

    /// The grants, in a fixed order.
    pub fn iter(&self) -> impl Iterator<Item = &Grant> {
        self.0.iter()
    }

    /// The areas with a permission; none without it.
    #[must_use]
    pub fn areas(&self, permission: Permission) -> Option<Areas> {
        let with = self.0.iter().filter(|grant| grant.role.permits(permission)).map(Grant::areas);
        let with = with.filter(|areas| !permission.is_for_whole_site() || *areas == Areas::Everywhere);
        with.reduce(Areas::and)
    }

    /// Whether they suit the first account of a site.
    ///
    /// # Errors
    /// When they do not let others in.
    pub fn check_first(&self) -> Result<(), Violation> {
        self.areas(Permission::Administer).map(drop).ok_or_else(|| AccessRule::First.into())
    }

    /// Whether these include everything that `others` permit.
    #[must_use]
    pub fn include(&self, others: &Self) -> bool {
        Permission::ALL.into_iter().all(|permission| match (self.areas(permission), others.areas(permission)) {
            (_, None) | (Some(Areas::Everywhere), _) => true,
            (Some(Areas::Only(these)), Some(Areas::Only(those))) => those.is_subset(&these),
            _ => false,
        })
    }
}

impl fmt::Display for Grants {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, grant) in self.0.iter().enumerate() {
            write!(f, "{}{grant}", if index == 0 { "" } else { " " })?;
        }
        Ok(())
    }
}

impl TryFrom<Vec<Grant>> for Grants {
    type Error = String;

    fn try_from(grants: Vec<Grant>) -> Result<Self, String> {
        Self::new(grants).map_err(|violation| violation.rule)
    }
}

impl From<Grants> for Vec<Grant> {
    fn from(grants: Grants) -> Self {
        grants.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grants(texts: &[&str]) -> Result<Grants, &'static str> {
        let read: Result<Vec<Grant>, Violation> = texts.iter().map(|text| text.parse()).collect();
        read.and_then(Grants::new).map_err(|violation| violation.code)
    }

    #[test]
    fn grants_read_back_and_bad_ones_are_refused() {
        let text = ["operator@address:440305,group:gates", "viewer"];
        assert_eq!(
            grants(&["viewer", text[0], "viewer"]).unwrap().to_string(),
            "viewer operator@address:440305,group:gates"
        );
        for (bad, code) in [
            (&[][..], "access.no-grants"),
            (&["chief"], "access.role"),
            (&["viewer@"], "access.area"),
            (&["auditor@group:gates"], "access.whole-site"),
            (&["monitor@address:440305"], "access.whole-site"),
        ] {
            assert_eq!(grants(bad).unwrap_err(), code, "{bad:?}");
        }
        let nowhere = Grants::new(vec![Grant { role: Role::Viewer, areas: Some(BTreeSet::new()) }]);
        assert_eq!(nowhere.unwrap_err().code, "access.nowhere");
        let json = serde_json::to_string(&grants(&text).unwrap()).unwrap();
        assert_eq!(serde_json::from_str::<Grants>(&json).unwrap(), grants(&text).unwrap());
        assert!(serde_json::from_str::<Grants>("[]").is_err());
    }

    #[test]
    fn permissions_hold_in_the_areas_of_their_roles() {
        let some = grants(&["operator@group:gates", "evidence@address:440305", "administrator@group:harbour"]).unwrap();
        let only = |areas: &[&str]| Some(Areas::Only(areas.iter().map(|area| area.parse().unwrap()).collect()));
        assert_eq!(some.areas(Permission::SeeAlerts), only(&["group:gates", "group:harbour", "address:440305"]));
        assert_eq!(some.areas(Permission::Judge), only(&["group:gates", "group:harbour"]));
        assert_eq!(some.areas(Permission::SeeEvidence), only(&["address:440305", "group:harbour"]));
        assert_eq!(some.areas(Permission::ChangeCameras), only(&["group:harbour"]));
        // An administrator of a part does not make accounts.
        assert_eq!(some.areas(Permission::Administer), None);
        assert_eq!(Grants::administrator().areas(Permission::Administer), Some(Areas::Everywhere));
    }

    #[test]
    fn no_role_includes_more_than_its_own() {
        let all = Grants::administrator();
        let part = grants(&["operator@group:gates"]).unwrap();
        assert!(all.include(&part) && !part.include(&all) && part.include(&part));
        assert!(!part.include(&grants(&["viewer"]).unwrap()));
        assert!(grants(&["operator"]).unwrap().include(&part));
    }
}
