//! `vedette eval`: tracker and rules on recorded clips, scored against ground truth.

mod clip;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use serde::Deserialize;
use vedette_core::{ObjectClass, Policy, PolicyScope, Score, ScoreBand};
use vedette_eval::{
    Comparison, EventScore, SceneFacts, SceneRule, TrackMetrics, TrueEvent, read_events, read_scene_rules,
    read_true_events, weighted, write_mot,
};
use vedette_track::TrackerSettings;

use clip::{Clip, read};

/// `vedette eval`
#[derive(Debug, Subcommand)]
pub enum EvalCommand {
    /// Detections in, tracks out (MOT format), and their HOTA, MOTA, IDF1 and switches if there is ground truth.
    Tracks(TracksArgs),
    /// Detections in, events out (JSON lines), and their precision, recall, F1, false alarms and delay if there is ground truth.
    Events(EventsArgs),
}

/// The clips, and the part of them to evaluate.
#[derive(Debug, Args)]
pub struct ClipArgs {
    /// Clips: folders in MOT layout, each with `seqinfo.ini`, detections and, for scores, the ground truth.
    #[arg(required = true)]
    pub clips: Vec<PathBuf>,
    /// Detections within each clip: MOT rows, or `.jsonl` as `vedette export` writes it.
    #[arg(long, default_value = "det/det.txt")]
    pub detections: PathBuf,
    /// Ground truth within each clip; `gt/gt.txt` if it exists when absent.
    #[arg(long)]
    pub truth: Option<PathBuf>,
    /// Process every N-th frame only, as from a camera of a lower frame rate.
    #[arg(long, default_value = "1")]
    pub every: NonZeroU32,
    /// Class of the objects in MOT files.
    #[arg(long, default_value = "person")]
    pub class: ObjectClass,
    /// Tracker settings, a TOML file; the defaults when absent.
    #[arg(long)]
    pub tracker: Option<PathBuf>,
    /// Print the metrics as JSON.
    #[arg(long)]
    pub json: bool,
}

/// `vedette eval tracks`
#[derive(Debug, Args)]
pub struct TracksArgs {
    /// Clips.
    #[command(flatten)]
    pub clips: ClipArgs,
    /// Directory for the tracks, one `CLIP.txt` each; without it and without ground truth one clip's tracks go to stdout.
    #[arg(short, long)]
    pub output: Option<PathBuf>,
    /// Score the tracks of another program, from this directory's `CLIP.txt`, instead of tracking.
    #[arg(long)]
    pub tracks: Option<PathBuf>,
}

/// `vedette eval events`
#[derive(Debug, Args)]
pub struct EventsArgs {
    /// Clips; those without rules are skipped.
    #[command(flatten)]
    pub clips: ClipArgs,
    /// Rules: a policy file (TOML, `applies_to.camera` names the clip), or a JSON object with a list for each clip.
    #[arg(long)]
    pub rules: PathBuf,
    /// True events: a JSON object with a list for each clip.
    #[arg(long)]
    pub true_events: Option<PathBuf>,
    /// File for the events, JSON lines; without it and without true events they go to stdout.
    #[arg(short, long)]
    pub output: Option<PathBuf>,
    /// Score the events of another program, from this file, instead of tracking.
    #[arg(long)]
    pub events: Option<PathBuf>,
    /// Score at which an object starts to count, for every rule.
    #[arg(long)]
    pub enter: Option<f32>,
    /// Score down to which it continues to count, for every rule.
    #[arg(long)]
    pub stay: Option<f32>,
}

/// Runs the command.
///
/// # Errors
/// The unreadable or invalid input, with its position.
pub(crate) fn run(command: &EvalCommand) -> anyhow::Result<ExitCode> {
    match command {
        EvalCommand::Tracks(args) => tracks(args),
        EvalCommand::Events(args) => events(args),
    }
}

fn tracks(args: &TracksArgs) -> anyhow::Result<ExitCode> {
    let settings = settings(args.clips.tracker.as_deref())?;
    let mut scored: Vec<(String, TrackMetrics)> = Vec::new();
    for folder in &args.clips.clips {
        let clip = Clip::open(folder, &args.clips)?;
        let tracks = match &args.tracks {
            Some(directory) => clip.tracks_from(directory)?,
            None => clip.tracks(&settings),
        };
        if let Some(directory) = &args.output {
            fs::create_dir_all(directory).with_context(|| format!("creating {}", directory.display()))?;
            write(&directory.join(format!("{}.txt", clip.name)), &write_mot(&tracks))?;
        }
        match &clip.truth {
            Some(truth) => {
                let ((info, truth), (_, tracks)) = (clip.sampled(truth), clip.sampled(&tracks));
                let comparison = Comparison::new(&info, &truth, &tracks)
                    .with_context(|| format!("scoring {}", clip.folder().display()))?;
                scored.push((clip.name, TrackMetrics::of(&comparison)));
            }
            None if args.output.is_none() && args.clips.clips.len() > 1 => {
                bail!(
                    "{} has no ground truth to score against; name a directory for the tracks: -o DIRECTORY",
                    clip.name
                )
            }
            None if args.output.is_none() => crate::terminal::print_text!("{}", write_mot(&tracks)),
            None => crate::terminal::tell_line!("{}: no ground truth, tracks written", clip.name),
        }
    }
    if !scored.is_empty() {
        crate::terminal::print_text!("{}", if args.clips.json { tracks_json(&scored) } else { tracks_table(&scored) });
    }
    Ok(ExitCode::SUCCESS)
}

fn tracks_table(scored: &[(String, TrackMetrics)]) -> String {
    let all: Vec<TrackMetrics> = scored.iter().map(|(_, metrics)| metrics.clone()).collect();
    let mut text = format!(
        "{:<20} {:>8} {:>8} {:>8} {:>8} {:>8} {:>8} {:>8} {:>8}\n",
        "clip", "HOTA", "DetA", "AssA", "MOTA", "IDF1", "recall", "precis.", "switches"
    );
    let mut row = |name: &str, values: [f64; 7], switches: u64| {
        let _ = write!(text, "{name:<20}");
        values.iter().for_each(|value| {
            let _ = write!(text, " {:>8.3}", 100.0 * value);
        });
        let _ = writeln!(text, " {switches:>8}");
    };
    let combined = TrackMetrics::combined(&all);
    for (name, metrics) in
        scored.iter().map(|(name, metrics)| (name.as_str(), metrics)).chain([("combined", &combined)])
    {
        row(name, values(metrics), metrics.clear.switches);
    }
    let mean = std::array::from_fn(|index| weighted(&all, |metrics| values(metrics)[index]));
    row("mean by true boxes", mean, combined.clear.switches);
    text
}

fn values(metrics: &TrackMetrics) -> [f64; 7] {
    let TrackMetrics { hota, clear, identity } = metrics;
    let accuracy = [hota.hota(), hota.detection(), hota.association(), clear.mota(), identity.idf1()];
    let [a, b, c, d, e] = accuracy;
    [a, b, c, d, e, clear.recall(), clear.precision()]
}

fn tracks_json(scored: &[(String, TrackMetrics)]) -> String {
    let all: Vec<TrackMetrics> = scored.iter().map(|(_, metrics)| metrics.clone()).collect();
    let combined = ("combined".to_owned(), TrackMetrics::combined(&all));
    let mut text = String::new();
    for (name, metrics) in scored.iter().chain([&combined]) {
        let [hota, detection, association, mota, idf1, recall, precision] = values(metrics);
        let row = serde_json::json!({"clip": name, "hota": hota, "det_a": detection, "ass_a": association,
            "mota": mota, "idf1": idf1, "recall": recall, "precision": precision,
            "switches": metrics.clear.switches, "true_boxes": metrics.clear.hits + metrics.clear.misses});
        let _ = writeln!(text, "{row}");
    }
    text
}

fn events(args: &EventsArgs) -> anyhow::Result<ExitCode> {
    let settings = settings(args.clips.tracker.as_deref())?;
    let rules = Rules::open(&args.rules)?;
    let truth = args.true_events.as_deref().map(|path| read(path, read_true_events)).transpose()?;
    let mut clips = Vec::new();
    let mut found = match &args.events {
        Some(path) => read(path, read_events)?,
        None => Vec::new(),
    };
    for folder in &args.clips.clips {
        let clip = Clip::open(folder, &args.clips)?;
        let Some(mut policy) = rules.of(&clip)? else {
            crate::terminal::tell_line!("{}: no rules in {}, skipped", clip.name, args.rules.display());
            continue;
        };
        if args.events.is_none() {
            set_scores(&mut policy, args.enter, args.stay)?;
            found.extend(clip.events(&settings, &policy)?);
        }
        clips.push(clip);
    }
    if args.output.is_some() || truth.is_none() {
        let lines = found.iter().map(|event| serde_json::to_string(event).map(|line| line + "\n"));
        let lines = lines.collect::<Result<String, _>>()?;
        match &args.output {
            Some(path) => write(path, &lines)?,
            None => crate::terminal::print_text!("{lines}"),
        }
    }
    if let Some(truth) = truth {
        let none: Vec<TrueEvent> = Vec::new();
        let scenes: Vec<SceneFacts> = clips
            .iter()
            .map(|clip| SceneFacts {
                name: &clip.name,
                info: &clip.info,
                truth: truth.get(&clip.name).unwrap_or(&none),
            })
            .collect();
        let score = EventScore::of(&scenes, &found)?;
        crate::terminal::print_text!("{}", if args.clips.json { events_json(&score) } else { events_table(&score) });
    }
    Ok(ExitCode::SUCCESS)
}

fn events_table(score: &EventScore) -> String {
    let mut text = format!("{:<14} {:>6} {:>6} {:>6} {:>5} {:>5} {:>5}\n", "kind", "P", "R", "F1", "TP", "FP", "FN");
    let all = score.all();
    let kinds = score.kinds.iter().map(|(kind, counts)| (kind.0.as_str(), counts));
    for (kind, counts) in kinds.chain([("all", &all)]) {
        let _ = writeln!(
            text,
            "{kind:<14} {:>6.3} {:>6.3} {:>6.3} {:>5} {:>5} {:>5}",
            counts.precision(),
            counts.recall(),
            counts.f1(),
            counts.hits,
            counts.false_alarms,
            counts.misses
        );
    }
    let delay = score.median_delay_s().map_or("none".to_owned(), |delay| format!("{delay:.2} s"));
    let alarms = score.false_alarms_per_camera_hour();
    let _ = writeln!(text, "false alarms per camera-hour {alarms:.0}; median delay {delay}");
    text
}

fn events_json(score: &EventScore) -> String {
    let all = score.all();
    let summary = serde_json::json!({"kinds": score.kinds, "all": all, "precision": all.precision(),
        "recall": all.recall(), "f1": all.f1(), "camera_hours": score.camera_hours,
        "false_alarms_per_camera_hour": score.false_alarms_per_camera_hour(),
        "median_delay_s": score.median_delay_s()});
    format!("{summary}\n")
}

/// The rules of all clips.
enum Rules {
    Policies(Vec<Policy>),
    Scenes(BTreeMap<String, Vec<SceneRule>>),
}

impl Rules {
    fn open(path: &Path) -> anyhow::Result<Self> {
        if path.extension().is_some_and(|extension| extension == "toml") {
            #[derive(Deserialize)]
            #[serde(deny_unknown_fields)]
            struct File {
                policy: Vec<Policy>,
            }
            return Ok(Self::Policies(read(path, |text| toml::from_str::<File>(text))?.policy));
        }
        Ok(Self::Scenes(read(path, read_scene_rules)?))
    }

    /// The policy of the clip: its own, else that of a group.
    fn of(&self, clip: &Clip) -> anyhow::Result<Option<Policy>> {
        match self {
            Self::Policies(policies) => {
                let own = |policy: &&Policy| matches!(&policy.applies_to, PolicyScope::Camera(id) if id.as_str() == clip.name);
                let group = |policy: &&Policy| matches!(policy.applies_to, PolicyScope::Group(_));
                Ok(policies.iter().find(own).or_else(|| policies.iter().find(group)).cloned())
            }
            Self::Scenes(scenes) => {
                let rules = scenes.get(&clip.name);
                Ok(rules.map(|rules| SceneRule::policy(&clip.name, rules, clip.info.size)).transpose()?)
            }
        }
    }
}

/// Sets the score thresholds of every rule, if given.
fn set_scores(policy: &mut Policy, enter: Option<f32>, stay: Option<f32>) -> anyhow::Result<()> {
    for rule in &mut policy.rules {
        let enter = enter.map(Score::new).transpose()?.unwrap_or(rule.score.enter);
        let stay = stay.map(Score::new).transpose()?.unwrap_or(rule.score.stay);
        rule.score = ScoreBand { enter, stay: if stay.get() < enter.get() { stay } else { enter } };
    }
    Ok(())
}

fn settings(path: Option<&Path>) -> anyhow::Result<TrackerSettings> {
    let settings = match path {
        Some(path) => read(path, |text| toml::from_str::<TrackerSettings>(text))?,
        None => TrackerSettings::default(),
    };
    let mistakes = settings.mistakes();
    if !mistakes.is_empty() {
        let said: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
        bail!("tracker settings: {}", said.join("; "));
    }
    Ok(settings)
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    fs::write(path, text).with_context(|| format!("writing {}", path.display()))
}
