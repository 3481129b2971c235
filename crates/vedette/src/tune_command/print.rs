//! Prints comparisons, sweeps and suggestions, for people and as JSON lines.

use std::fmt::Write as _;

use serde_json::{Value, json};
use vedette_core::{CameraId, Timestamp};
use vedette_tuning::json::{AlertDifferenceJson, PointJson, SuggestionJson, Summing};
use vedette_tuning::{
    Baseline, Change, Claim, Counts, Difference, Judgement, NoSuggestion, Point, Suggestion, Tally, Term, wilson,
};

use crate::output;
use crate::terminal::print_text;

pub(super) fn comparison(differences: &[Difference], sum: Summing, as_json: bool) -> anyhow::Result<()> {
    let mut text = String::new();
    if as_json {
        for difference in differences {
            writeln!(text, "{}", serde_json::to_string(&AlertDifferenceJson::from(difference))?)?;
        }
        writeln!(text, "{}", json!({ "summary": sum.finish(0) }))?;
        print_text!("{text}");
        return Ok(());
    }
    for difference in differences.iter().filter(|difference| difference.change != Change::Kept) {
        let judged = match difference.judgement {
            Some(Judgement::Confirmed) => "confirmed",
            Some(Judgement::False) => "false",
            None => "not judged",
        };
        writeln!(text, "{:8}{judged:12}{}", difference.change.as_str(), output::line(difference.alert()))?;
    }
    writeln!(text, "\n{:12}{:>8}{:>11}{:>8}{:>12}", "", "alerts", "confirmed", "false", "not judged")?;
    let (before, after) = sum.sides();
    let tallies = Change::ALL.map(|change| (change.as_str(), sum.tally(change)));
    for (name, tally) in tallies.into_iter().chain([("before", before), ("after", after)]) {
        let Tally { confirmed, false_alarms, unjudged } = tally;
        writeln!(text, "{name:12}{:>8}{confirmed:>11}{false_alarms:>8}{unjudged:>12}", tally.all())?;
    }
    writeln!(text, "false among judged: before {}, after {}", false_share(before), false_share(after))?;
    text += &said(sum.baseline());
    for warning in sum.warnings() {
        writeln!(text, "warning: {warning}")?;
    }
    print_text!("{text}");
    Ok(())
}

/// `52 of 70, 0.74 (0.63 to 0.83)`.
fn false_share(tally: Tally) -> String {
    let judged = tally.confirmed + tally.false_alarms;
    match wilson(tally.false_alarms, judged) {
        Some(interval) => format!(
            "{} of {judged}, {:.2} ({:.2} to {:.2})",
            tally.false_alarms,
            tally.false_alarms as f64 / judged as f64,
            interval.low,
            interval.high
        ),
        None => "nothing judged".to_owned(),
    }
}

/// How exact all this is.
fn said(baseline: Option<Baseline>) -> String {
    let Some(Baseline { live, equal, shifted, only_here }) = baseline else {
        return "no alert store was found, which --config would name: no verdicts, no comparison with what was raised live\n".into();
    };
    let mut text = format!("baseline equals what was raised live: {equal} of {live}");
    if shifted > 0 {
        let _ = write!(text, "; {shifted} under another id, as tracks are numbered from the first of these detections");
    }
    if only_here > 0 {
        let _ = write!(text, "; {only_here} that were not raised live, or not kept");
    }
    if equal + shifted < live {
        let missing = live - equal - shifted;
        let _ = write!(text, "; {missing} are missing: pass --history, and detections from before them");
    }
    text + "\n"
}

pub(super) fn sweep(
    terms: &[(Term, Vec<Value>)],
    points: &[Point],
    baseline: Option<Baseline>,
    as_json: bool,
) -> anyhow::Result<()> {
    let mut text = String::new();
    let names: Vec<String> = terms.iter().map(|(term, _)| term.to_string()).collect();
    if !as_json {
        let values: String = names.iter().map(|name| format!("{name:>28}")).collect();
        writeln!(
            text,
            "{values}{:>8}{:>11}{:>8}{:>12}{:>8}{:>8}",
            "alerts", "confirmed", "false", "not judged", "lost", "gained"
        )?;
    }
    for point in points {
        if as_json {
            writeln!(text, "{}", serde_json::to_string(&PointJson::new(terms, point))?)?;
            continue;
        }
        let shown: String = point.values.iter().map(|value| format!("{:>28}", plain(value))).collect();
        match &point.outcome {
            Ok(Counts { alerts, lost, gained }) => {
                let Tally { confirmed, false_alarms, unjudged } = *alerts;
                let (sum, lost, gained) = (alerts.all(), lost.all(), gained.all());
                writeln!(text, "{shown}{sum:>8}{confirmed:>11}{false_alarms:>8}{unjudged:>12}{lost:>8}{gained:>8}")?;
            }
            Err(mistakes) => {
                let mistakes: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
                writeln!(text, "{shown}  refused: {}", mistakes.join("; "))?;
            }
        }
    }
    if !as_json {
        text += &said(baseline);
    }
    print_text!("{text}");
    Ok(())
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned)
}

pub(super) fn suggestion(
    camera: &CameraId,
    split: Timestamp,
    found: Result<&Suggestion, &NoSuggestion>,
    as_json: bool,
) -> anyhow::Result<()> {
    let mut text = String::new();
    if as_json {
        print_text!("{}\n", serde_json::to_string(&SuggestionJson::new(camera, split, found))?);
        return Ok(());
    }
    match found {
        Err(none) => writeln!(text, "{camera}: no suggestion: {none}")?,
        Ok(suggestion) => {
            writeln!(text, "{camera}:")?;
            for (term, now, value) in &suggestion.changes {
                let now = now.as_ref().map_or("not set".to_owned(), plain);
                writeln!(text, "  {term}: {now} -> {}", plain(value))?;
            }
            for (name, effect) in
                [("chosen on the alerts before", suggestion.older), ("reported on those from", suggestion.newer)]
            {
                writeln!(
                    text,
                    "  {name} {split}: {} of {} false alarms removed, {} of {} confirmed lost, {} gained",
                    effect.lost.false_alarms,
                    effect.before.false_alarms,
                    effect.lost.confirmed,
                    effect.before.confirmed,
                    effect.gained.all()
                )?;
            }
            text += &claimed(&suggestion.claim);
        }
    }
    print_text!("{text}");
    Ok(())
}

fn claimed(claim: &Claim) -> String {
    let mut text = String::new();
    if let Some(interval) = claim.removes {
        let _ = writeln!(text, "  removes {:.2} to {:.2} of the false alarms (95 %)", interval.low, interval.high);
    }
    let _ = writeln!(text, "  may lose up to {:.0} % of the real events (95 %)", 100.0 * claim.loses_at_most);
    if claim.verdicts_missing > 0 {
        let _ = writeln!(
            text,
            "  {} more confirmed alerts, none of them lost, are needed to say at most 5 %",
            claim.verdicts_missing
        );
    }
    if !claim.holds() {
        let chance = claim.chance;
        let _ = writeln!(
            text,
            "  the newer alerts do not bear it out: chance alone gives this with probability {chance:.2}"
        );
    }
    text
}
