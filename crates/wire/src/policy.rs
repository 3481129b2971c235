use bytes::Bytes;
use prost::Message;
use vedette_core::{
    DailyWindow, PlaceCooldown, Policy, PolicyScope, PolicyVersion, Rule, Schedule, ScoreBand, Severity, SizeBounds,
    Timestamp, Weekday,
};

use crate::camera::versioned_key;
use crate::condition::{condition, pb_params};
use crate::error::parse;
use crate::field::span;
use crate::{WireError, field, legacy_condition, pb};

/// The key of a record on `policies`: that of the scope for the first version, `.../EFFECTIVE_FROM_US` for later ones.
#[must_use]
pub fn policy_version_key(scope: &PolicyScope, effective_from: Timestamp) -> String {
    versioned_key(policy_key(scope), effective_from)
}

/// The key of a policy's scope: `camera/ID` or `group/NAME`.
#[must_use]
pub fn policy_key(scope: &PolicyScope) -> String {
    match scope {
        PolicyScope::Camera(camera) => format!("camera/{camera}"),
        PolicyScope::Group(group) => format!("group/{group}"),
    }
}

/// The scope of such a key.
#[must_use]
pub fn policy_scope(key: &str) -> Option<PolicyScope> {
    match key.split_once('/')? {
        ("camera", id) => field::camera_id(id).ok().map(PolicyScope::Camera),
        ("group", name) => Some(PolicyScope::Group(name.to_owned())),
        _ => None,
    }
}

/// The value of a record on `policies`.
#[must_use]
pub fn encode_policy_version(version: &PolicyVersion) -> Bytes {
    pb_version(version).encode_to_vec().into()
}

pub(crate) fn pb_version(version: &PolicyVersion) -> pb::Policy {
    let content = version.content.as_ref().map(pb_policy);
    pb::Policy {
        applies_to: Some(pb_scope(&version.of)),
        effective_from_us: version.effective_from.as_micros(),
        removed: content.is_none(),
        made: version.made.as_ref().map(field::pb_authorship),
        only: version.only.iter().map(ToString::to_string).collect(),
        ..content.unwrap_or_default()
    }
}

fn pb_scope(scope: &PolicyScope) -> pb::policy::AppliesTo {
    match scope {
        PolicyScope::Camera(camera) => pb::policy::AppliesTo::Camera(camera.to_string()),
        PolicyScope::Group(group) => pb::policy::AppliesTo::Group(group.clone()),
    }
}

/// A policy as a message, each condition both by name and, where there is one, in the format of the previous version.
#[must_use]
pub fn encode_policy(policy: &Policy) -> Bytes {
    pb_policy(policy).encode_to_vec().into()
}

fn pb_policy(policy: &Policy) -> pb::Policy {
    pb_policy_with(policy, pb_rule)
}

/// A policy as a message for this version and later ones only: each condition once, in the shorter of the two formats that say it.
#[must_use]
pub fn encode_policy_briefly(policy: &Policy) -> Bytes {
    pb_policy_with(policy, brief_rule).encode_to_vec().into()
}

fn pb_policy_with(policy: &Policy, pb_rule: fn(&Rule) -> pb::Rule) -> pb::Policy {
    pb::Policy {
        applies_to: Some(pb_scope(&policy.applies_to)),
        version: policy.version,
        effective_from_us: policy.effective_from.as_micros(),
        frame: field::pb_frame_size(policy.frame),
        rules: policy.rules.iter().map(pb_rule).collect(),
        ..pb::Policy::default()
    }
}

fn pb_rule(rule: &Rule) -> pb::Rule {
    let (when, zone) = legacy_condition::pb_condition(&rule.condition).unzip();
    pb::Rule {
        kind: rule.condition.kind.to_string(),
        params: Some(pb_params(&rule.condition.params)),
        id: rule.id.to_string(),
        name: rule.name.clone(),
        purpose: rule.purpose.clone(),
        when,
        classes: rule.classes.iter().map(|class| i32::from(class.number())).collect(),
        score_enter: rule.score.enter.get(),
        score_stay: rule.score.stay.get(),
        size: rule.size.map(|size| pb::rule::SizeBounds { min_height: size.min_height, max_height: size.max_height }),
        min_duration_us: rule.min_duration.as_micros(),
        gap_tolerance_us: rule.gap_tolerance.as_micros(),
        cooldown_us: rule.cooldown.as_micros(),
        severity: pb_severity(rule.severity).into(),
        zone: zone.flatten(),
        place_cooldown: rule
            .place_cooldown
            .map(|place| pb::rule::PlaceCooldown { time_us: place.time.as_micros(), radius: place.radius }),
        no_alert: !rule.alert,
        schedule: rule.schedule.as_ref().map(pb_schedule),
    }
}

fn brief_rule(rule: &Rule) -> pb::Rule {
    let message = pb_rule(rule);
    let older = pb::Rule { kind: String::new(), params: None, ..message.clone() };
    let says_the_same = condition(&mut older.clone()).is_ok_and(|condition| condition == rule.condition);
    if says_the_same { older } else { pb::Rule { when: None, zone: None, ..message } }
}

const WEEKDAYS: [(Weekday, pb::schedule::Weekday); 7] = [
    (Weekday::Mon, pb::schedule::Weekday::Mon),
    (Weekday::Tue, pb::schedule::Weekday::Tue),
    (Weekday::Wed, pb::schedule::Weekday::Wed),
    (Weekday::Thu, pb::schedule::Weekday::Thu),
    (Weekday::Fri, pb::schedule::Weekday::Fri),
    (Weekday::Sat, pb::schedule::Weekday::Sat),
    (Weekday::Sun, pb::schedule::Weekday::Sun),
];

fn pb_schedule(schedule: &Schedule) -> pb::Schedule {
    let number = |day: &Weekday| WEEKDAYS.iter().find(|(ours, _)| ours == day).map_or(0, |(_, number)| *number as i32);
    let window = |window: &DailyWindow| pb::schedule::Window {
        days: window.days.iter().map(number).collect(),
        from: window.from.clone(),
        until: window.until.clone(),
    };
    pb::Schedule {
        time_zone: schedule.time_zone.clone(),
        windows: schedule.windows.iter().map(window).collect(),
        holidays: schedule.holidays.clone(),
        holiday_windows: schedule.holiday_windows.iter().map(window).collect(),
    }
}

pub(crate) fn pb_severity(severity: Severity) -> pb::Severity {
    match severity {
        Severity::Critical => pb::Severity::Critical,
        Severity::High => pb::Severity::High,
        Severity::Medium => pb::Severity::Medium,
        Severity::Low => pb::Severity::Low,
    }
}

pub(crate) fn severity(number: i32) -> Result<Severity, WireError> {
    match pb::Severity::try_from(number) {
        Ok(pb::Severity::Critical) => Ok(Severity::Critical),
        Ok(pb::Severity::High) => Ok(Severity::High),
        Ok(pb::Severity::Medium) => Ok(Severity::Medium),
        Ok(pb::Severity::Low) => Ok(Severity::Low),
        _ => Err(WireError::invalid("severity", format!("{number} is not a valid severity"))),
    }
}

/// Reads the value of a record on `policies`.
///
/// # Errors
/// When the bytes are not such a message, or a value breaks its rule. `rules` validates zones and settings.
pub fn decode_policy_version(bytes: Bytes) -> Result<PolicyVersion, WireError> {
    version(parse("Policy", bytes)?)
}

pub(crate) fn version(mut message: pb::Policy) -> Result<PolicyVersion, WireError> {
    let of = scope(message.applies_to.take())?;
    let effective_from = Timestamp::from_micros(message.effective_from_us);
    let made = message.made.take().map(field::authorship).transpose()?;
    let only = message.only.iter().map(|camera| field::camera_id(camera)).collect::<Result<_, _>>()?;
    let content = if message.removed { None } else { Some(policy(of.clone(), message)?) };
    Ok(PolicyVersion { of, effective_from, content, made, only })
}

/// Reads a policy.
///
/// # Errors
/// When the bytes are not such a message, or a value breaks its rule. `rules` validates zones and settings.
pub fn decode_policy(bytes: Bytes) -> Result<Policy, WireError> {
    let mut message: pb::Policy = parse("Policy", bytes)?;
    policy(scope(message.applies_to.take())?, message)
}

fn scope(applies_to: Option<pb::policy::AppliesTo>) -> Result<PolicyScope, WireError> {
    Ok(match applies_to.ok_or(WireError::missing("applies_to"))? {
        pb::policy::AppliesTo::Camera(camera) => PolicyScope::Camera(field::camera_id(&camera)?),
        pb::policy::AppliesTo::Group(group) => PolicyScope::Group(group),
    })
}

fn policy(applies_to: PolicyScope, message: pb::Policy) -> Result<Policy, WireError> {
    Ok(Policy {
        applies_to,
        version: message.version,
        effective_from: Timestamp::from_micros(message.effective_from_us),
        frame: field::frame_size("frame", message.frame)?,
        rules: message.rules.into_iter().map(rule).collect::<Result<_, _>>()?,
    })
}

fn rule(mut message: pb::Rule) -> Result<Rule, WireError> {
    let classes =
        message.classes.iter().map(|class| field::object_class("rules.classes", *class)).collect::<Result<_, _>>()?;
    let condition = condition(&mut message)?;
    let place_cooldown = message.place_cooldown.map(|place| {
        let time = span("rules.place_cooldown.time_us", place.time_us)?;
        Ok::<_, WireError>(PlaceCooldown { time, radius: place.radius })
    });
    Ok(Rule {
        id: field::rule_id(&message.id)?,
        name: message.name,
        purpose: message.purpose,
        condition,
        classes,
        score: ScoreBand {
            enter: field::score("rules.score_enter", message.score_enter)?,
            stay: field::score("rules.score_stay", message.score_stay)?,
        },
        size: message.size.map(|size| SizeBounds { min_height: size.min_height, max_height: size.max_height }),
        min_duration: span("rules.min_duration_us", message.min_duration_us)?,
        gap_tolerance: span("rules.gap_tolerance_us", message.gap_tolerance_us)?,
        cooldown: span("rules.cooldown_us", message.cooldown_us)?,
        place_cooldown: place_cooldown.transpose()?,
        severity: severity(message.severity)?,
        alert: !message.no_alert,
        schedule: message.schedule.map(schedule).transpose()?,
    })
}

fn schedule(message: pb::Schedule) -> Result<Schedule, WireError> {
    let weekday = |number: i32| {
        WEEKDAYS
            .iter()
            .find(|(_, theirs)| *theirs as i32 == number)
            .map(|(ours, _)| *ours)
            .ok_or_else(|| WireError::invalid("rules.schedule.days", format!("{number} is not a valid weekday")))
    };
    let windows = |windows: Vec<pb::schedule::Window>| {
        let window = |window: pb::schedule::Window| {
            let days = window.days.into_iter().map(weekday).collect::<Result<_, _>>()?;
            Ok(DailyWindow { days, from: window.from, until: window.until })
        };
        windows.into_iter().map(window).collect::<Result<Vec<_>, WireError>>()
    };
    Ok(Schedule {
        time_zone: message.time_zone,
        windows: windows(message.windows)?,
        holidays: message.holidays,
        holiday_windows: windows(message.holiday_windows)?,
    })
}
