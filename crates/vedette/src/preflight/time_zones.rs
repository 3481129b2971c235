//! Time zones of schedules that mean the opposite of what they seem to.

use std::collections::BTreeSet;

use vedette_wire::policy_key;

use super::{Ask, Finding, Level, PreflightRule};

/// One finding for each such zone, at the first rule that has it.
pub(super) fn look(ask: &Ask<'_>) -> Vec<Finding> {
    let config = &ask.reading.config;
    let mut told = BTreeSet::new();
    let mut found = Vec::new();
    for (number, policy) in config.policies.iter().enumerate() {
        let rules = policy.rules.iter().enumerate();
        let schedules = rules.filter_map(|(index, rule)| Some((index, &rule.id, rule.schedule.as_ref()?)));
        for (index, rule, schedule) in schedules {
            let zone = &schedule.time_zone;
            let Some((meant, opposite)) = inverted(zone).filter(|_| told.insert(zone)) else { continue };
            let path = format!(
                "policy[{number}] ({}).rule[{index}] ({rule}).schedule.time_zone",
                policy_key(&policy.applies_to)
            );
            let rule = PreflightRule::InvertedZone { meant, opposite };
            found.push(Finding::new(Level::Warning, &config.settings.site.policies, &path, zone, rule));
        }
    }
    found
}

/// What `Etc/GMT+8` means, `UTC-8`, and the name of the zone that it looks like. POSIX counts these zones westwards.
fn inverted(zone: &str) -> Option<(String, String)> {
    let (prefix, offset) = zone.split_at_checked("Etc/GMT".len())?;
    if !prefix.eq_ignore_ascii_case("Etc/GMT") {
        return None;
    }
    let (sign, hours) = offset.split_at_checked(1)?;
    let hours: u8 = hours.parse().ok().filter(|hours| *hours > 0)?;
    let other = match sign {
        "+" => '-',
        "-" => '+',
        _ => return None,
    };
    Some((format!("UTC{other}{hours}"), format!("Etc/GMT{other}{hours}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_with_an_inverted_sign_are_known() {
        let both = |meant: &str, opposite: &str| Some((meant.to_owned(), opposite.to_owned()));
        assert_eq!(inverted("Etc/GMT+8"), both("UTC-8", "Etc/GMT-8"));
        assert_eq!(inverted("etc/gmt-14"), both("UTC+14", "Etc/GMT+14"));
        for zone in
            ["Etc/GMT", "Etc/GMT0", "Etc/GMT+0", "Etc/GMT-0", "Etc/UTC", "GMT", "Asia/Shanghai", "", "Etc/GMé+8"]
        {
            assert_eq!(inverted(zone), None, "{zone}");
        }
    }
}
