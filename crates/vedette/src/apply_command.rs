//! `vedette apply`: puts the cameras and policies of the configuration files in force while the product runs.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Args;
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;
use vedette_core::printable;

use crate::config::Config;
use crate::console_client::ConsoleClient;
use crate::overrides::ConfigArgs;
use crate::terminal::{print_line, tell, tell_line};

/// Most characters of a value that are shown.
const SHOWN: usize = 60;

/// `vedette apply`
#[derive(Debug, Args)]
pub struct ApplyArgs {
    /// Configuration.
    #[command(flatten)]
    pub config: ConfigArgs,
    /// Address of the console; by default that of the configuration, on this machine.
    #[arg(long, value_name = "URL")]
    pub console: Option<Url>,
    /// Only print what would change, and check it. The exit code is 2 when something would.
    #[arg(long)]
    pub plan: bool,
    /// Apply without asking.
    #[arg(long)]
    pub yes: bool,
    /// Your name.
    #[arg(long, env = "USER", default_value = "vedette apply")]
    pub by: String,
    /// Why.
    #[arg(long, default_value = "")]
    pub reason: String,
    /// Let the files take over what the console keeps.
    #[arg(long)]
    pub take_over: bool,
    /// Print the console's answer as JSON.
    #[arg(long)]
    pub json: bool,
}

/// The console's answer: what differs, and what was done.
#[derive(Debug, Deserialize)]
struct Answer {
    planned: Vec<Planned>,
    applied: Option<Applied>,
    cameras: Option<u32>,
}

#[derive(Debug, Deserialize)]
struct Planned {
    of: String,
    action: String,
    differences: Vec<Difference>,
    takes_back: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Difference {
    path: String,
    before: Value,
    after: Value,
}

#[derive(Debug, Deserialize)]
struct Applied {
    change: String,
    effective_from: String,
    workers: Vec<Value>,
    unattended_partitions: Vec<u32>,
}

/// Plans and applies. The exit code is 0 when the files are in force, 2 when `--plan` found differences, 1 on an error.
pub(crate) async fn run(args: ApplyArgs) -> anyhow::Result<ExitCode> {
    let config = Config::load(&args.config.config)?;
    let console = ConsoleClient::of(args.console.as_ref(), &config)?;
    let (plan, raw) = ask(&console, &args, &config, true).await?;
    let is_last = args.plan || plan.planned.is_empty();
    if args.json && is_last {
        print_line!("{raw}");
    }
    if !args.json || !is_last {
        print_plan(&plan);
    }
    if plan.planned.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    if args.plan {
        return Ok(ExitCode::from(2));
    }
    if !args.yes && !confirmed()? {
        tell_line!("nothing was changed");
        return Ok(ExitCode::FAILURE);
    }
    let (answer, raw) = ask(&console, &args, &config, false).await?;
    if args.json {
        print_line!("{raw}");
    }
    match &answer.applied {
        Some(applied) => tell_line!(
            "in force from {} on {} workers (change {}){}",
            applied.effective_from,
            applied.workers.len(),
            applied.change,
            match applied.unattended_partitions.len() {
                0 => String::new(),
                some => format!("; {some} partitions of cameras have no live worker, who takes them on will know"),
            }
        ),
        None => tell_line!("somebody else has applied it meanwhile"),
    }
    Ok(ExitCode::SUCCESS)
}

/// Asks the console what the files would change, or to apply them.
async fn ask(
    console: &ConsoleClient,
    args: &ApplyArgs,
    config: &Config,
    plan: bool,
) -> anyhow::Result<(Answer, String)> {
    let body = json!({
        "complete": true, "by": console.signature(&args.by), "reason": args.reason, "take_over": args.take_over, "plan": plan,
    });
    // Numbers as they are in the files: through a JSON value they would get more digits.
    let mut body = serde_json::to_string(&body)?;
    body.pop();
    let (cameras, policies) = (serde_json::to_string(&config.cameras)?, serde_json::to_string(&config.policies)?);
    body += &format!(",\"cameras\":{cameras},\"policies\":{policies}}}");
    let text = console.post("changes", body, None).await?;
    Ok((console.read(&text)?, text))
}

fn print_plan(plan: &Answer) {
    if plan.planned.is_empty() {
        print_line!("nothing differs: the files are in force");
        return;
    }
    for planned in &plan.planned {
        let sign = match planned.action.as_str() {
            "add" => '+',
            "remove" => '-',
            _ => '~',
        };
        print_line!("{sign} {}", printable(&planned.of));
        for Difference { path, before, after } in &planned.differences {
            print_line!("    {}: {} -> {}", printable(path), shown(before), shown(after));
        }
    }
    for planned in plan.planned.iter().filter(|planned| !planned.takes_back.is_empty()) {
        print_line!(
            "{}: the versions from {} on are taken back; if a rule was paused up to then, that ends",
            printable(&planned.of),
            planned.takes_back.join(", ")
        );
    }
    if let Some(cameras) = plan.cameras {
        print_line!("{} changes, checked on {cameras} cameras", plan.planned.len());
    }
}

fn shown(value: &Value) -> String {
    let text = match value {
        Value::Null => "none".to_owned(),
        other => other.to_string(),
    };
    let cut: String = text.chars().take(SHOWN).collect();
    let cut = if cut.len() < text.len() { cut + "..." } else { cut };
    printable(&cut).into_owned()
}

/// Whether a person at the terminal agrees.
fn confirmed() -> anyhow::Result<bool> {
    if !std::io::stdin().is_terminal() {
        bail!("nobody is here to ask; run it with --yes, or only look with --plan");
    }
    tell!("apply this? [y/N] ");
    std::io::stderr().flush().ok();
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).context("reading the answer")?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
