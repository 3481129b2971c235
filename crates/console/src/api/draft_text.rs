//! The text of a draft: the rules in it, and everything in it that cannot be read.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use serde_path_to_error::Segment;
use vedette_alert_store::DraftForm;
use vedette_core::{FrameSize, PolicyScope, Refusal, Rule, Violation};

use super::proposals::{PolicyBody, scope_text};
use crate::api_rule::ApiRule;

/// Most mistakes that are read from one text.
const MOST: usize = 200;
/// Most characters of a value.
const SHOWN: usize = 120;

/// What is read from a text.
#[derive(Debug, Default)]
pub(super) struct DraftText {
    /// What can be read, without the values and rules that cannot; none without a frame.
    pub(super) body: Option<PolicyBody>,
    /// What cannot, in the order of the text.
    pub(super) mistakes: Vec<Refusal>,
    /// The ids of rules that are left out.
    pub(super) left_out: Vec<String>,
}

impl DraftText {
    /// Reads the text of a draft of a scope.
    pub(super) fn read(form: DraftForm, text: &str, scope: &PolicyScope) -> Self {
        let mut read = Self::default();
        let value = match form {
            DraftForm::Json => serde_json::from_str(text).map_err(|error| (line(error.line()), error.to_string())),
            DraftForm::Toml => table(text),
        };
        match value {
            Ok(value) => read.policy(value, scope),
            Err((place, reason)) => read.note(place, &Value::Null, ApiRule::DraftSyntax { reason }),
        }
        read
    }

    fn policy(&mut self, value: Value, scope: &PolicyScope) {
        let Some(mut policy) = self.only_one(value) else { return };
        // A policy file has them too; here they follow from the scope and from the versions before.
        policy.remove("version");
        policy.remove("effective_from");
        if let Some(given) = policy.remove("applies_to")
            && serde_json::from_value::<PolicyScope>(given.clone()).ok().as_ref() != Some(scope)
        {
            self.note("applies_to".to_owned(), &given, ApiRule::DraftAppliesTo { scope: scope_text(scope) });
        }
        let frame = match policy.remove("frame") {
            Some(frame) => self.part::<FrameSize>("frame", frame),
            None => {
                self.note("frame".to_owned(), &Value::Null, ApiRule::Missing);
                None
            }
        };
        let rules = match policy.remove("rule") {
            None => Vec::new(),
            Some(Value::Array(rules)) => rules,
            Some(other) => {
                let reason = "the rules are no list".to_owned();
                self.note("rule".to_owned(), &other, ApiRule::DraftValue { reason });
                Vec::new()
            }
        };
        let mut rule = Vec::new();
        for (index, given) in rules.into_iter().enumerate() {
            let id = given.get("id").and_then(Value::as_str).map(ToOwned::to_owned);
            let at = id.as_ref().map_or_else(|| format!("rule[{index}]"), |id| format!("rule[{index}] ({id})"));
            match self.part::<Rule>(&at, given) {
                Some(read) => rule.push(read),
                None => self.left_out.extend(id),
            }
        }
        for (name, other) in policy {
            self.note(name, &other, ApiRule::DraftValue { reason: "a policy has no such field".to_owned() });
        }
        self.body = frame.map(|frame| PolicyBody { frame, rule });
    }

    /// The policy of a text: the text itself, or the only one of a policy file.
    fn only_one(&mut self, mut value: Value) -> Option<Map<String, Value>> {
        if let Some(Value::Array(policies)) = value.get_mut("policy") {
            if policies.len() != 1 {
                let count = policies.len() as f64;
                self.note("policy".to_owned(), &Value::Null, ApiRule::DraftOnePolicy { count });
                return None;
            }
            value = policies.remove(0);
        }
        match value {
            Value::Object(policy) => Some(policy),
            other => {
                self.note(String::new(), &other, ApiRule::DraftValue { reason: "it is no policy".to_owned() });
                None
            }
        }
    }

    /// A part of the policy. A value that cannot be read is noted and taken out, until the rest can; none when it cannot.
    fn part<T: DeserializeOwned>(&mut self, at: &str, mut value: Value) -> Option<T> {
        let mut taken: Vec<Vec<String>> = Vec::new();
        loop {
            let error = match serde_path_to_error::deserialize(&value) {
                Ok(part) => return Some(part),
                Err(error) => error,
            };
            let mut keys: Vec<Segment> = error.path().iter().cloned().collect();
            let reason = error.into_inner().to_string();
            if let Some(name) = named(&reason, "missing field `") {
                let holder = names(&keys);
                keys.push(Segment::Map { key: name });
                if !taken.contains(&names(&keys)) {
                    self.note(path(at, &keys), &Value::Null, ApiRule::Missing);
                    return None;
                }
                // It was taken out: what cannot be without it goes, too.
                if !take_out(&mut value, &holder) {
                    return None;
                }
                taken.push(holder);
                continue;
            }
            if let Some(name) = named(&reason, "unknown field `")
                && !matches!(keys.last(), Some(Segment::Map { key }) if *key == name)
            {
                keys.push(Segment::Map { key: name });
            }
            let found = keys.iter().try_fold(&value, below).cloned().unwrap_or_default();
            self.note(path(at, &keys), &found, ApiRule::DraftValue { reason });
            let names = names(&keys);
            if names.is_empty() || self.mistakes.len() >= MOST || !take_out(&mut value, &names) {
                return None;
            }
            taken.push(names);
        }
    }

    fn note(&mut self, path: String, value: &Value, rule: ApiRule) {
        let Violation { code, rule, fix, .. } = rule.into();
        let value = match value {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let (value, code) = (value.chars().take(SHOWN).collect(), code.to_owned());
        self.mistakes.push(Refusal { camera: None, path, value, code, rule, fix });
    }
}

fn table(text: &str) -> Result<Value, (String, String)> {
    let at = |span: Option<std::ops::Range<usize>>| {
        line(span.map_or(1, |span| 1 + text.as_bytes().iter().take(span.start).filter(|byte| **byte == b'\n').count()))
    };
    let table: toml::Table = toml::from_str(text).map_err(|error| (at(error.span()), error.message().to_owned()))?;
    serde_json::to_value(table).map_err(|error| (line(1), error.to_string()))
}

fn line(number: usize) -> String {
    format!("line {number}")
}

/// The name in a message of serde that begins so.
fn named(reason: &str, beginning: &str) -> Option<String> {
    Some(reason.strip_prefix(beginning)?.split('`').next()?.to_owned())
}

/// The names up to the first place in a list: a list without one of its parts is another list.
fn names(keys: &[Segment]) -> Vec<String> {
    let name = |key: &Segment| match key {
        Segment::Map { key } => Some(key.clone()),
        _ => None,
    };
    keys.iter().map_while(name).collect()
}

fn below<'a>(value: &'a Value, key: &Segment) -> Option<&'a Value> {
    match key {
        Segment::Map { key } => value.get(key),
        Segment::Seq { index } => value.get(index),
        _ => Some(value),
    }
}

fn take_out(value: &mut Value, names: &[String]) -> bool {
    let Some((last, before)) = names.split_last() else { return false };
    let holder = before.iter().try_fold(value, |value, name| value.get_mut(name));
    holder.and_then(Value::as_object_mut).and_then(|holder| holder.remove(last)).is_some()
}

fn path(at: &str, keys: &[Segment]) -> String {
    let mut path = at.to_owned();
    for key in keys {
        match key {
            Segment::Map { key } => path += &format!(".{key}"),
            Segment::Seq { index } => path += &format!("[{index}]"),
            _ => {}
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope() -> PolicyScope {
        PolicyScope::Group("campus".into())
    }

    fn mistakes(form: DraftForm, text: &str) -> Vec<(String, String)> {
        let read = DraftText::read(form, text, &scope());
        assert!(read.mistakes.iter().all(|mistake| !mistake.rule.is_empty() && !mistake.fix.is_empty()));
        read.mistakes.into_iter().map(|mistake| (mistake.path, mistake.value)).collect()
    }

    const RULE: &str = r#"id = "lawn"
name = "n"
purpose = "p"
when = { kind = "presence", zone = [[0, 0], [9, 0], [9, 9]] }"#;

    #[test]
    fn a_policy_is_read_from_each_form() {
        let toml = format!("frame = {{ width = 64, height = 48 }}\n[[rule]]\n{RULE}\n");
        let file = format!(
            "[[policy]]\napplies_to = {{ group = \"campus\" }}\nversion = 3\nframe = {{ width = 64, height = 48 }}\n\
             [[policy.rule]]\n{RULE}\n"
        );
        let bodies = [toml, file].map(|text| {
            let read = DraftText::read(DraftForm::Toml, &text, &scope());
            assert_eq!(read.mistakes, []);
            read.body.unwrap()
        });
        assert_eq!(bodies[0], bodies[1]);
        let json = serde_json::to_string(&bodies[0]).unwrap();
        assert_eq!(DraftText::read(DraftForm::Json, &json, &scope()).body.as_ref(), Some(&bodies[0]));
    }

    #[test]
    fn every_mistake_is_told_at_once_with_its_place() {
        let text = format!(
            "applies_to = {{ group = \"other\" }}\nframe = {{ width = 64, height = 48 }}\ncolour = 1\n\
             [[rule]]\n{RULE}\nscore = {{ enter = 7, stay = 0.1 }}\nmin_duration = \"soon\"\nmod = 1\n\
             [[rule]]\nid = \"b\"\nname = \"n\"\nwhen = {{ kind = \"presence\" }}\n"
        );
        let paths: Vec<String> = mistakes(DraftForm::Toml, &text).into_iter().map(|(path, _)| path).collect();
        for path in ["applies_to", "colour", "rule[0] (lawn).min_duration", "rule[0] (lawn).mod", "rule[1] (b).purpose"]
        {
            assert!(paths.iter().any(|found| found == path), "{path} in {paths:?}");
        }
        assert!(paths.iter().any(|found| found.starts_with("rule[0] (lawn).score")), "{paths:?}");
        let read = DraftText::read(DraftForm::Toml, &text, &scope());
        assert_eq!(read.left_out, ["b"]);
    }

    #[test]
    fn a_text_that_is_no_policy_is_told() {
        for (form, text, path) in [
            (DraftForm::Toml, "frame = \n", "line 1"),
            (DraftForm::Toml, "a = 1\nb = = 2", "line 2"),
            (DraftForm::Json, "{", "line 1"),
            (DraftForm::Json, "[]", ""),
            (DraftForm::Json, "{\"policy\": []}", "policy"),
            (DraftForm::Json, "{\"rule\": []}", "frame"),
            (DraftForm::Json, "{\"frame\": {\"width\": -1, \"height\": 1}}", "frame.width"),
        ] {
            let found = mistakes(form, text);
            assert_eq!(found.first().map(|(path, _)| path.as_str()), Some(path), "{text}: {found:?}");
        }
    }
}
