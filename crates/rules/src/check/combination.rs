use vedette_core::{Condition, Policy, Rule, Span};

use super::{A_DAY, Found};

/// Most rules of one combination.
const MOST_TERMS: usize = 8;

/// What is wrong with a combination, and with a rule that would serve none.
pub(super) fn check(rule: &Rule, policy: &Policy, found: &mut Found) {
    let terms = rule.condition.terms();
    for (index, term) in terms.iter().enumerate() {
        let named = policy.rules.iter().find(|other| other.id == **term);
        let fix = "name another rule of the same policy, one that is no combination itself";
        match named {
            None => found.add("when", term.as_str(), "a combination is made of rules of its policy", fix),
            Some(named) if !named.condition.terms().is_empty() => {
                found.add("when", term.as_str(), "a combination is not made of combinations", fix);
            }
            Some(_) if terms[..index].contains(term) => {
                found.add("when", term.as_str(), "the rules of a combination are different ones", fix);
            }
            Some(named) => check_term(rule, named, found),
        }
    }
    match &rule.condition {
        Condition::Sequence { within, .. } | Condition::Absence { within, .. } => {
            found.check_span("when.within", *within, Span::from_micros(1), A_DAY);
        }
        Condition::Together { of, within } => {
            found.check_span("when.within", *within, Span::ZERO, A_DAY);
            if !(2..=MOST_TERMS).contains(&of.len()) {
                found.add(
                    "when.of",
                    format!("{} rules", of.len()),
                    "it is 2 to 8 rules",
                    "name those that hold at once",
                );
            }
        }
        _ => {}
    }
    let serves = policy.rules.iter().any(|other| other.condition.terms().contains(&&rule.id));
    if !rule.alert && !serves {
        let fix = "remove `alert = false`, or name the rule in a combination";
        found.add("alert", "false", "a rule that raises no alert serves a combination", fix);
    }
}

fn check_term(rule: &Rule, named: &Rule, found: &mut Found) {
    match rule.condition {
        Condition::Together { within, .. } if within == Span::ZERO && named.condition.is_moment() => {
            let fix = "give `within`: how long ago it may have happened";
            found.add("when.within", "0s", "a rule of a moment holds no time at which another could", fix);
        }
        Condition::Sequence { within, .. } | Condition::Absence { within, .. } if named.cooldown > within => {
            let value = format!("{} of {} within {within}", named.cooldown, named.id);
            let fix = "lower the cooldown of that rule; `alert = false` keeps it from raising alerts of its own";
            found.add(
                "when",
                value,
                "a rule that is silent for longer than the combination looks back is not seen",
                fix,
            );
        }
        _ => {}
    }
}
