use std::collections::BTreeSet;

use serde::Deserialize;
use vedette_core::{
    AddressPrefix, Alert, Camera, ResponsibleRef, RuleKind, Severity, ValidationError, ValidationErrors, Words,
    violations,
};
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

    pub(super) fn mistakes(&self) -> Vec<ValidationError> {
        let mut found = ValidationErrors::default();
        for kind in self.kinds.iter().filter(|kind| rule_kind(**kind).is_none()) {
            let known = rule_kinds().map(|kind| kind.info.name.as_str()).collect();
            found.add("only.kinds", kind, FilterRule::UnknownKind { known });
        }
        if let Some(address) = &self.address
            && let Err(error) = address.parse::<AddressPrefix>()
        {
            found.add("only.address", address, FilterRule::Address { reason: error.to_string() });
        }
        if let Some(unit) = &self.unit
            && let Err(error) = unit.parse::<ResponsibleRef>()
        {
            found.add("only.unit", unit, FilterRule::Unit { reason: error.to_string() });
        }
        found.into_vec()
    }
}

violations! {
    pub(crate) enum FilterRule {
        UnknownKind { known: Words } = "sink.unknown-rule-kind": "no rule kind has this name", "the kinds are {known}";
        Address { reason: String } = "sink.address": "{reason}",
            "give the first 6, 9, 12, 14, 19 or all 25 characters of a code";
        Unit { reason: String } = "sink.unit": "{reason}", "as in unit = \"police:440305001\"";
    }
}
