//! Names on the bus: a number if the schema has one, else the name itself.

use std::str::FromStr;

use vedette_core::{NameError, Quantity, RuleKind, Term};

use crate::{WireError, pb};

/// The number and the name under which a name is encoded.
pub(crate) type Wire = (i32, String);

fn to_wire(name: &str, number: Option<i32>) -> Wire {
    number.map_or_else(|| (0, name.to_owned()), |number| (number, String::new()))
}

fn constant(prefix: &str, name: &str) -> String {
    format!("{prefix}_{}", name.to_ascii_uppercase())
}

/// `known` is the number's name in the schema.
fn from_wire<T: FromStr<Err = NameError>>(
    field: &'static str,
    prefix: &str,
    known: Option<&str>,
    (number, name): (i32, &str),
) -> Result<T, WireError> {
    let known = known.filter(|_| number != 0).and_then(|known| known.strip_prefix(prefix)?.strip_prefix('_'));
    match known {
        Some(known) => known.to_ascii_lowercase().parse().map_err(|error| WireError::invalid(field, error)),
        None if name.is_empty() => Err(WireError::invalid(field, format!("{number} is not known"))),
        None => name.parse().map_err(|error| WireError::invalid(field, error)),
    }
}

pub(crate) fn pb_kind(kind: RuleKind) -> Wire {
    let known = pb::RuleKind::from_str_name(&constant("RULE_KIND", kind.as_str()));
    to_wire(kind.as_str(), known.map(Into::into))
}

pub(crate) fn kind(number: i32, name: &str) -> Result<RuleKind, WireError> {
    let known = pb::RuleKind::try_from(number).ok();
    from_wire("kind", "RULE_KIND", known.map(|kind| kind.as_str_name()), (number, name))
}

pub(crate) fn pb_quantity(quantity: Quantity) -> Wire {
    let known = pb::alert::Quantity::from_str_name(&constant("QUANTITY", quantity.as_str()));
    to_wire(quantity.as_str(), known.map(Into::into))
}

pub(crate) fn quantity(number: i32, name: &str) -> Result<Quantity, WireError> {
    let known = pb::alert::Quantity::try_from(number).ok();
    from_wire("measured.quantity", "QUANTITY", known.map(|quantity| quantity.as_str_name()), (number, name))
}

pub(crate) fn pb_term(term: Term) -> Wire {
    let known = pb::near_miss::Term::from_str_name(&constant("TERM", term.as_str()));
    to_wire(term.as_str(), known.map(Into::into))
}

pub(crate) fn term(number: i32, name: &str) -> Result<Term, WireError> {
    let known = pb::near_miss::Term::try_from(number).ok();
    from_wire("term", "TERM", known.map(|term| term.as_str_name()), (number, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_the_number_of_the_schema_or_goes_as_it_is() {
        assert_eq!(pb_kind(RuleKind::named("line_crossing")), (2, String::new()));
        assert_eq!(pb_kind(RuleKind::named("something_new")), (0, "something_new".to_owned()));
        assert_eq!(pb_quantity(Quantity::DENSITY), (4, String::new()));
        assert_eq!(pb_term(Term::FRAME_RATE), (11, String::new()));
        for number in 1..=25 {
            let kind = kind(number, "").unwrap();
            assert_eq!(pb_kind(kind), (number, String::new()), "{kind}");
        }
        assert_eq!(kind(0, "something_new").unwrap(), RuleKind::named("something_new"));
        assert_eq!(quantity(0, "share").unwrap(), Quantity::named("share"));
        assert_eq!(term(0, "share").unwrap(), Term::named("share"));
    }

    #[test]
    fn a_number_of_a_later_schema_and_no_name_are_refused() {
        for (number, name, said) in
            [(99, "", "99 is not known"), (0, "", "0 is not known"), (0, "No", "is not a valid name")]
        {
            let error = kind(number, name).unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
        }
    }
}
