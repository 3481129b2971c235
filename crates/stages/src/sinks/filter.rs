use std::collections::BTreeSet;

use serde::Deserialize;
use vedette_core::{AddressPrefix, Alert, Camera, ResponsibleRef, RuleKind, SettingMistake, Severity};
use vedette_rules::{rule_kind, rule_kinds};

/// `only` of a sink: a filter of alerts. All given conditions must hold; without any, all alerts pass.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Only {
    /// Kinds of rules.
    pub kinds: BTreeSet<RuleKind>,
    /// Minimum severity.
    pub min_severity: Option<Severity>,
    /// Prefix of the standard address code: 6, 9, 12, 14, 19 or 25 characters.
    pub address: Option<String>,
    /// A unit responsible for the place, `KIND:CODE` or `CODE`.
    pub unit: Option<String>,
    /// Camera groups, of which the camera must be in one.
    pub groups: BTreeSet<String>,
}

impl Only {
    /// Whether an alert passes. `camera` is its camera from the registry.
    #[must_use]
    pub fn holds(&self, alert: &Alert, camera: Option<&Camera>) -> bool {
        let address = alert.place.address.as_ref();
        let lies_in = |prefix: &String| {
            prefix
                .parse::<AddressPrefix>()
                .is_ok_and(|prefix| address.is_some_and(|address| prefix.contains(&address.best.code)))
        };
        let answers = |unit: &String| {
            unit.parse::<ResponsibleRef>()
                .is_ok_and(|unit| address.is_some_and(|address| address.responsible.iter().any(|it| unit.names(it))))
        };
        // The most urgent severity is the smallest.
        (self.kinds.is_empty() || self.kinds.contains(&alert.kind))
            && self.min_severity.is_none_or(|least| alert.severity <= least)
            && self.address.as_ref().is_none_or(lies_in)
            && self.unit.as_ref().is_none_or(answers)
            && (self.groups.is_empty()
                || camera.is_some_and(|camera| camera.groups.iter().any(|group| self.groups.contains(group))))
    }

    pub(super) fn mistakes(&self) -> Vec<SettingMistake> {
        let mut found = Vec::new();
        for kind in self.kinds.iter().filter(|kind| rule_kind(**kind).is_none()) {
            let kinds: Vec<&str> = rule_kinds().map(|kind| kind.info.name.as_str()).collect();
            let fix = format!("the kinds are {}", kinds.join(", "));
            found.push(SettingMistake::new("only.kinds", kind.as_str(), "there is no such kind of rule", &fix));
        }
        if let Some(address) = &self.address
            && let Err(error) = address.parse::<AddressPrefix>()
        {
            let fix = "give the first 6, 9, 12, 14, 19 or all 25 characters of a code";
            found.push(SettingMistake::new("only.address", address, error.to_string(), fix));
        }
        if let Some(unit) = &self.unit
            && let Err(error) = unit.parse::<ResponsibleRef>()
        {
            found.push(SettingMistake::new("only.unit", unit, error.to_string(), "as in unit = \"police:440305001\""));
        }
        found
    }
}
