use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use vedette_core::{AddressCode, AddressPrefix, Camera, LONGEST_NAME, Violation, text_violation};

use crate::rules::AccessRule;

/// A part of the site: an entity of the address base, or a camera group. Its text is `address:440305` or `group:gates`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Area {
    /// Everything whose address begins with this.
    Address(AddressPrefix),
    /// The cameras of a group.
    Group(String),
}

/// The areas of a grant, or of a caller for a permission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Areas {
    /// The whole site.
    Everywhere,
    /// These; never empty.
    Only(BTreeSet<Area>),
}

impl Areas {
    /// Whether a place with this address is inside; one without an address is only inside of the whole site.
    #[must_use]
    pub fn has_code(&self, code: Option<&AddressCode>) -> bool {
        let is_in = |area: &Area| matches!((area, code), (Area::Address(prefix), Some(code)) if prefix.contains(code));
        self.any(is_in)
    }

    /// Whether a camera is inside: by its own address or one of its groups.
    #[must_use]
    pub fn has_camera<L>(&self, camera: &Camera<L>) -> bool {
        self.has_code(camera.address.as_ref()) || camera.groups.iter().any(|group| self.has_group(group))
    }

    /// Whether all cameras of a group are inside, whichever they are.
    #[must_use]
    pub fn has_group(&self, group: &str) -> bool {
        self.any(|area| matches!(area, Area::Group(name) if name == group))
    }

    /// Both areas together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Only(mut these), Self::Only(those)) => {
                these.extend(those);
                Self::Only(these)
            }
            _ => Self::Everywhere,
        }
    }

    fn any(&self, is_in: impl Fn(&Area) -> bool) -> bool {
        match self {
            Self::Everywhere => true,
            Self::Only(areas) => areas.iter().any(is_in),
        }
    }
}

impl fmt::Display for Area {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(prefix) => write!(f, "address:{prefix}"),
            Self::Group(name) => write!(f, "group:{name}"),
        }
    }
}

impl FromStr for Area {
    type Err = Violation;

    fn from_str(text: &str) -> Result<Self, Violation> {
        let refused = || AccessRule::Area { given: text.chars().take(80).collect() }.into();
        match text.split_once(':') {
            Some(("address", prefix)) => prefix.parse().map(Self::Address).map_err(|_| refused()),
            // What separates areas and grants in texts is in no name.
            Some(("group", name))
                if !name.is_empty()
                    && name.trim() == name
                    && !name.contains([',', ';', '@'])
                    && text_violation(name, LONGEST_NAME).is_none() =>
            {
                Ok(Self::Group(name.to_owned()))
            }
            _ => Err(refused()),
        }
    }
}

impl TryFrom<String> for Area {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse().map_err(|violation: Violation| format!("{}; {}", violation.rule, violation.fix))
    }
}

impl From<Area> for String {
    fn from(area: Area) -> Self {
        area.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn only<const N: usize>(areas: [&str; N]) -> Areas {
        Areas::Only(areas.into_iter().map(|area| area.parse().unwrap()).collect())
    }

    #[test]
    fn an_area_reads_back_and_bad_ones_are_refused() {
        for good in ["address:440305", "address:440305001", "group:gates", "group:东门 1"] {
            assert_eq!(good.parse::<Area>().unwrap().to_string(), good);
        }
        for bad in [
            "",
            "440305",
            "address:",
            "address:44030",
            "address:44030x",
            "group:",
            "group:a\nb",
            "group:a,b",
            "group:a;b",
            "group:a@b",
            "group: a",
            "group:a ",
            "unit:7",
        ] {
            assert_eq!(bad.parse::<Area>().unwrap_err().code, "access.area", "{bad:?}");
        }
    }

    #[test]
    fn a_place_is_inside_by_its_address_only() {
        let code: AddressCode = "4403050010010101000000000".parse().unwrap();
        for (areas, is_in) in [
            (Areas::Everywhere, true),
            (only(["address:440305"]), true),
            (only(["address:440306", "address:440305001001"]), true),
            (only(["address:440306"]), false),
            (only(["group:gates"]), false),
        ] {
            assert_eq!(areas.has_code(Some(&code)), is_in, "{areas:?}");
            assert_eq!(areas.has_code(None), areas == Areas::Everywhere);
        }
    }

    #[test]
    fn areas_add_up() {
        let both = only(["group:a"]).and(only(["address:440305"]));
        assert!(both.has_group("a") && !both.has_group("b"));
        assert_eq!(both, only(["address:440305", "group:a"]));
        assert_eq!(both.and(Areas::Everywhere), Areas::Everywhere);
    }
}
