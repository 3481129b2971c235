//! `vedette tune explain`: why an alert was raised, or why none was raised about a track.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::bail;
use clap::{ArgGroup, Args};
use serde_json::Value;
use vedette_core::{AlertId, CameraId, RuleId, Span, Timestamp, TrackId};
use vedette_tuning::{
    CameraTrial, Explanation, MOST_REPLAYS, Margin, Question, Rung, RungEffect, TrackSeen, TrialError, Window, explain,
    tracks,
};

use super::recordings::{Recordings, live_alert};
use super::{WindowArgs, apart};
use crate::recorded_site::SiteArgs;
use crate::terminal::print_text;

/// Most bytes of records that are held in memory.
const HOLD_BYTES: usize = 256_000_000;
/// Longest value that is printed.
const LONGEST: usize = 22;

/// `vedette tune explain`
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("question").required(true).args(["alert", "rule"])))]
pub struct ExplainArgs {
    /// Detections as JSON lines, as for `what-if`; without it, the detection store of the site is read.
    pub detections: Option<PathBuf>,
    /// The site.
    #[command(flatten)]
    pub site: SiteArgs,
    /// Only this camera.
    #[arg(long)]
    pub camera: Option<CameraId>,
    /// The alert. Without an alert store that has it, all detections are searched for it.
    #[arg(long)]
    pub alert: Option<AlertId>,
    /// A rule of the camera. Without a track, those near that time are listed.
    #[arg(long, requires_all = ["camera", "at"])]
    pub rule: Option<RuleId>,
    /// The number of a track.
    #[arg(long, requires = "rule", value_name = "NUMBER")]
    pub track: Option<u64>,
    /// A capture time at which it was seen (RFC 3339).
    #[arg(long, requires = "rule")]
    pub at: Option<Timestamp>,
    /// Alerts raised up to so long before and after that time are in question.
    #[arg(long, default_value = "5m")]
    pub around: Span,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// Runs the command.
pub(super) async fn run(args: ExplainArgs) -> anyhow::Result<ExitCode> {
    let ExplainArgs { detections, site, camera, at, around, json, .. } = &args;
    let mut recorded = WindowArgs {
        detections: detections.clone(),
        site: site.clone(),
        camera: camera.clone(),
        from: None,
        until: None,
        json: *json,
    };
    let found = match args.alert {
        Some(id) => live_alert(site, id).await?,
        None => camera.clone().zip(*at),
    };
    if let Some((camera, at)) = found {
        let Window { from, until } = Window::around(at, *around);
        recorded = WindowArgs { camera: Some(camera), from, until, ..recorded };
    }
    let recordings = Recordings::open(recorded).await?;
    let text = apart(move || {
        let mut text = None;
        recordings.for_each(|trial| {
            if text.is_none() {
                text = explain_on(trial, &args)?;
            }
            Ok(())
        })?;
        Ok(text)
    })
    .await?;
    let Some(text) = text else {
        bail!("no detections of that time give this alert; name a rule, a track and a time instead")
    };
    print_text!("{text}");
    Ok(ExitCode::SUCCESS)
}

/// The answer; none when the recording does not have the alert.
fn explain_on(trial: &mut CameraTrial<'static>, args: &ExplainArgs) -> anyhow::Result<Option<String>> {
    let (question, at) = match (args.alert, &args.rule, args.at) {
        (None, Some(rule), Some(at)) => {
            (Question::Track { rule: rule.clone(), track: args.track.map(TrackId), at }, at)
        }
        (Some(id), ..) => match trial.alerts().iter().find(|alert| alert.id == id) {
            Some(alert) => (Question::Alert(id), alert.raised),
            None => return Ok(None),
        },
        _ => return Ok(None),
    };
    trial.narrow(Window::around(at, args.around), HOLD_BYTES)?;
    match (explain(trial, &question, MOST_REPLAYS), question) {
        (Ok(explanation), _) if args.json => Ok(Some(serde_json::to_string(&explanation)? + "\n")),
        (Ok(explanation), _) => Ok(Some(told(&explanation)?)),
        (Err(TrialError::WhichTrack { .. }), Question::Track { rule, at, .. }) => {
            Ok(Some(listed(&tracks(trial, &rule, at)?, args.json)?))
        }
        (Err(error), _) => Err(error.into()),
    }
}

/// The tracks, one a line.
fn listed(tracks: &[TrackSeen], as_json: bool) -> anyhow::Result<String> {
    let mut text = String::new();
    if !as_json {
        writeln!(
            text,
            "{:>8}  {:12}{:>7}{:>7}{:>10}{:>9}  from",
            "track", "class", "frames", "score", "counting", "in zone"
        )?;
    }
    for seen in tracks {
        if as_json {
            writeln!(text, "{}", serde_json::to_string(seen)?)?;
            continue;
        }
        let in_zone = seen.in_zone.map_or("-".to_owned(), |frames| frames.to_string());
        let alert = seen.alert.map_or(String::new(), |id| format!("  raised {id}"));
        let TrackSeen { track, class, frames, best_score, counting, from, .. } = seen;
        let class = class.as_str();
        writeln!(
            text,
            "{:>8}  {class:12}{frames:>7}{best_score:>7.2}{counting:>10}{in_zone:>9}  {from}{alert}",
            track.0
        )?;
    }
    if text.is_empty() {
        text += "no track was seen near that time\n";
    }
    Ok(text)
}

fn told(explanation: &Explanation) -> anyhow::Result<String> {
    let mut text = String::new();
    let Explanation { camera, rule, kind, policy_version, alert, .. } = explanation;
    writeln!(text, "camera {camera}, rule {rule} ({}), version {policy_version} of the policy", kind.as_str())?;
    let tracks: Vec<String> = explanation.tracks.iter().map(|track| track.0.to_string()).collect();
    let about = if tracks.is_empty() { String::new() } else { format!(" about track {}", tracks.join(", ")) };
    match alert {
        Some(alert) => writeln!(text, "raised{about} at {}: alert {}", alert.raised, alert.id)?,
        None => writeln!(text, "no alert was raised{about}")?,
    }
    if let (Some(first), Some(last)) = (explanation.frames.first(), explanation.frames.last()) {
        let count = explanation.frames.len() + explanation.frames_not_listed;
        let counting = explanation.frames.iter().filter(|frame| frame.counts).count();
        writeln!(
            text,
            "seen in {count} frames from {} to {}; it counts in {counting} of those listed",
            first.at, last.at
        )?;
    }
    let width = explanation.ladder.iter().map(|rung| rung.term.len()).max().unwrap_or(0);
    writeln!(text, "\n{:9}{:width$}  {:24}{:12}another value", "", "value", "in force", "measured")?;
    for rung in &explanation.ladder {
        writeln!(text, "{}", line(rung, width, alert.is_some()))?;
    }
    for other in &explanation.rules {
        let fired = match &other.fired[..] {
            [] => "did not fire".to_owned(),
            [first, ..] => format!("fired {} times, first at {first}", other.fired.len()),
        };
        writeln!(text, "{} = {}: it {fired}", other.parameter, other.rule)?;
    }
    text += &concluded(explanation);
    Ok(text)
}

fn line(rung: &Rung, width: usize, is_raised: bool) -> String {
    let mark = match rung.met {
        Some(true) => "met",
        Some(false) => "NOT MET",
        None => "",
    };
    let measured = rung.measured.as_ref().map_or(String::new(), |value| match value.as_f64() {
        Some(number) => format!("{number:.3}"),
        None => shown(value),
    });
    let effect = match rung.effect {
        RungEffect::Decides => {
            let margin = |Margin { raised_at, not_raised_at }: &Margin| {
                format!("raised at {}, not at {}", shown(raised_at), shown(not_raised_at))
            };
            rung.margins.iter().map(margin).collect::<Vec<_>>().join("; ")
        }
        RungEffect::Nothing if is_raised => "raised with any stricter one".to_owned(),
        RungEffect::Nothing => "not enough alone".to_owned(),
        RungEffect::AtLimit => "-".to_owned(),
        RungEffect::NotTried => "not tried".to_owned(),
    };
    format!("{mark:9}{:width$}  {:24}{measured:12}{effect}", rung.term, shown(&rung.in_force))
}

/// What follows from the ladder.
fn concluded(explanation: &Explanation) -> String {
    let mut text = String::new();
    if let Some(together) = &explanation.together {
        text += "no value alone is enough; these are together:\n";
        for loosened in together {
            let (now, value) = (shown(&loosened.in_force), shown(&loosened.value));
            let _ = writeln!(text, "  {}: {now} -> {value}", loosened.term);
        }
    }
    if let Some(event) = &explanation.waits_for {
        let _ = writeln!(text, "no other values raise it: it waits for its event. {event}");
    }
    if let Some(miss) = explanation.near_misses.last() {
        let _ =
            writeln!(text, "almost raised at {}: {} {:.3} of {:.3}", miss.at, miss.term, miss.value, miss.threshold);
    }
    if explanation.is_silent {
        text += "the rule raises no alerts of its own (alert = false): this is what combinations see of it\n";
    }
    if explanation.policy_changed {
        text += "another version of the policy was in force in a part of that time: with this one alone, the answer differs\n";
    }
    if explanation.is_cut_short {
        let _ =
            writeln!(text, "not all was tried: {} analyses were made, the most for one question", explanation.replays);
    }
    text
}

/// A value, cut where it is long, such as a zone.
fn shown(value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
    if text.chars().count() <= LONGEST {
        return text;
    }
    text.chars().take(LONGEST - 1).chain(['…']).collect()
}
