//! `vedette tune`: other rules on recorded detections.

mod explain;
mod print;
mod recordings;
mod sources;

use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr;

use anyhow::{Context, bail};
use clap::{Args, Subcommand, ValueEnum};
use serde_json::Value;
use vedette_core::{CameraId, RuleId, Timestamp};
use vedette_tuning::json::{CoverageJson, Summing, add_points};
use vedette_tuning::{Change, Goal, MOST_POINTS, Term, Window};

use crate::config::load_policies;
use crate::recorded_site::SiteArgs;
pub use explain::ExplainArgs;
use recordings::Recordings;

/// `vedette tune`
#[derive(Debug, Subcommand)]
pub enum TuneCommand {
    /// Which alerts would be lost, gained, shifted and changed with another policy. The exit code is 3 when a confirmed alert is lost.
    WhatIf(WhatIfArgs),
    /// The alerts for each value of one or two thresholds.
    Sweep(SweepArgs),
    /// Values that the verdicts speak for: chosen on older alerts, reported on newer ones. Nothing is applied.
    Suggest(SuggestArgs),
    /// Why an alert was raised, or why a rule raised none about a track: each value of the rule, what was measured, and from where on
    /// another value decides otherwise.
    Explain(ExplainArgs),
}

/// Recorded detections, the site, and the alerts that were raised there.
#[derive(Debug, Clone, Args)]
pub struct WindowArgs {
    /// Detections as JSON lines, as `vedette export` writes them; `-` for standard input. Without it, the detection store of the site is
    /// read (`tuning.directory` of `--config`), also while the product runs.
    pub detections: Option<PathBuf>,
    /// The site. With `--config`, its alert store is read: the alerts raised live, and the verdicts on them.
    #[command(flatten)]
    pub site: SiteArgs,
    /// Only this camera.
    #[arg(long)]
    pub camera: Option<CameraId>,
    /// Only alerts raised at or after this time (RFC 3339); the detections before it are analysed all the same.
    #[arg(long)]
    pub from: Option<Timestamp>,
    /// Only alerts raised before this time (RFC 3339).
    #[arg(long)]
    pub until: Option<Timestamp>,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// `vedette tune what-if`
#[derive(Debug, Args)]
pub struct WhatIfArgs {
    /// The recording.
    #[command(flatten)]
    pub window: WindowArgs,
    /// Policy file with other rules, for the whole recording.
    #[arg(long, required_unless_present = "set")]
    pub draft: Option<PathBuf>,
    /// Set one value of the policy that is in force at the end of the recording, such as `gate.score.enter=0.6`. Repeat it for several.
    #[arg(long, value_name = "RULE.PATH=VALUE", conflicts_with = "draft")]
    pub set: Vec<Assignment>,
}

/// `vedette tune sweep`
#[derive(Debug, Args)]
pub struct SweepArgs {
    /// The recording.
    #[command(flatten)]
    pub window: WindowArgs,
    /// A value of a rule, with those to try: `gate.score.enter=0.4,0.5,0.6`. Twice for every combination.
    #[arg(long, value_name = "RULE.PATH=VALUE,...", required = true)]
    pub term: Vec<Assignment>,
}

/// `vedette tune suggest`
#[derive(Debug, Args)]
pub struct SuggestArgs {
    /// The recording.
    #[command(flatten)]
    pub window: WindowArgs,
    /// Rules that get the same values; all of the policy when absent.
    #[arg(long = "rule")]
    pub rules: Vec<RuleId>,
    /// Values are chosen on the alerts raised before this time, and reported on the later ones (RFC 3339); by default the older 60 % of the
    /// judged alerts.
    #[arg(long)]
    pub newer_from: Option<Timestamp>,
    /// What to reach.
    #[arg(long, value_enum, default_value_t = GoalArg::KeepConfirmed)]
    pub goal: GoalArg,
}

/// See [`Goal`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum GoalArg {
    /// Fewest false alarms, without losing a confirmed alert.
    KeepConfirmed,
    /// The best F1 score of the judged alerts.
    BestF1,
}

/// A term with values.
#[derive(Debug, Clone)]
pub struct Assignment {
    term: Term,
    values: Vec<Value>,
}

impl FromStr for Assignment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let form = || format!("`{text}` is no RULE.PATH=VALUE, such as gate.score.enter=0.6");
        let (term, values) = text.split_once('=').ok_or_else(form)?;
        let term = term.trim().parse().map_err(|error: vedette_tuning::TermError| error.to_string())?;
        let value = |text: &str| serde_json::from_str(text).unwrap_or_else(|_| Value::from(text));
        let values: Vec<Value> = values.split(',').map(str::trim).filter(|it| !it.is_empty()).map(value).collect();
        if values.is_empty() { Err(form()) } else { Ok(Self { term, values }) }
    }
}

/// Runs the command.
///
/// # Errors
/// The unreadable or invalid input, with its position.
pub async fn run(command: TuneCommand) -> anyhow::Result<ExitCode> {
    match command {
        TuneCommand::WhatIf(args) => what_if(args).await,
        TuneCommand::Sweep(args) => sweep_terms(args).await,
        TuneCommand::Suggest(args) => suggest_values(args).await,
        TuneCommand::Explain(args) => explain::run(args).await,
    }
}

impl WindowArgs {
    fn window(&self) -> Window {
        Window { from: self.from, until: self.until }
    }
}

async fn what_if(args: WhatIfArgs) -> anyhow::Result<ExitCode> {
    let recordings = Recordings::open(args.window.clone()).await?;
    let drafts = match &args.draft {
        Some(path) => load_policies(path, &recordings.cameras())?,
        None => Vec::new(),
    };
    let values = args.set.iter().map(Assignment::single).collect::<anyhow::Result<Vec<_>>>()?;
    let (sum, differences) = apart(move || {
        let (mut sum, mut differences) = (Summing::default(), Vec::new());
        recordings.for_each(|trial| {
            let draft = match &args.draft {
                Some(_) => trial.policy_among(&drafts),
                None => Some(trial.with_values(&values)?),
            };
            let comparison = trial.what_if(draft.as_ref()).context("the draft")?;
            sum.add(&comparison, trial.baseline(), CoverageJson::of(trial, Vec::new()));
            differences.extend(comparison.differences);
            Ok(())
        })?;
        Ok((sum, differences))
    })
    .await?;
    let loses = sum.tally(Change::Lost).confirmed > 0;
    print::comparison(&differences, sum, args.window.json)?;
    Ok(if loses { ExitCode::from(3) } else { ExitCode::SUCCESS })
}

/// Runs what blocks, away from the async threads.
async fn apart<T: Send + 'static>(work: impl FnOnce() -> anyhow::Result<T> + Send + 'static) -> anyhow::Result<T> {
    tokio::task::spawn_blocking(work).await?
}

impl Assignment {
    fn single(&self) -> anyhow::Result<(Term, Value)> {
        let Self { term, values } = self;
        let [value] = &values[..] else { bail!("{term}: give one value, or use `vedette tune sweep`") };
        Ok((term.clone(), value.clone()))
    }
}

async fn sweep_terms(args: SweepArgs) -> anyhow::Result<ExitCode> {
    let points: usize = args.term.iter().map(|assignment| assignment.values.len()).product();
    if args.term.len() > 2 || points > MOST_POINTS {
        bail!("a sweep has one or two terms and at most {MOST_POINTS} combinations; these are {points}");
    }
    let recordings = Recordings::open(args.window.clone()).await?;
    let terms: Vec<(Term, Vec<Value>)> = args.term.into_iter().map(|it| (it.term, it.values)).collect();
    let (sum, baseline, terms) = apart(move || {
        let mut sum = Vec::new();
        let baseline = recordings.for_each(|trial| {
            add_points(&mut sum, trial.sweep(&terms)?);
            Ok(())
        })?;
        Ok((sum, baseline, terms))
    })
    .await?;
    print::sweep(&terms, &sum, baseline, args.window.json)?;
    Ok(ExitCode::SUCCESS)
}

async fn suggest_values(args: SuggestArgs) -> anyhow::Result<ExitCode> {
    let recordings = Recordings::open(args.window.clone()).await?;
    let goal = match args.goal {
        GoalArg::KeepConfirmed => Goal::KeepConfirmed,
        GoalArg::BestF1 => Goal::BestF1,
    };
    apart(move || {
        recordings.for_each(|trial| {
            let (split, found) = trial.suggest(&args.rules, args.newer_from, goal)?;
            print::suggestion(trial.id(), split, found.as_ref(), args.window.json)
        })
    })
    .await?;
    Ok(ExitCode::SUCCESS)
}
