//! Dispatches the command.

use std::collections::HashSet;
use std::io::Write;
use std::process::ExitCode;

use anyhow::Context;
use clap::ValueEnum;
use rustix::fs::Mode;
use tokio_util::sync::CancellationToken;
use vedette_topics::BusKind;

use crate::app::App;
use crate::cli::{CheckArgs, Cli, Command, Overrides, Role, RunArgs, TranscodeArgs};
use crate::config::{Config, Mistakes};
use crate::preflight::{For, preflight, refuse_unready};
use crate::process::{block_on, block_on_code, stop_on_signal};
use crate::{
    access_command, address_command, apply_command, camera_command, dead_letters, demo, eval_command, export,
    key_command, models_command, replay, telemetry, tune_command,
};

/// Runs the command. The exit code is 0 on success, 1 on an error, 2 when a check found errors.
///
/// # Errors
/// The error, for people.
pub fn execute(cli: Cli) -> anyhow::Result<ExitCode> {
    telemetry::log(cli.log_json, !matches!(cli.command, Command::Run(_)));
    let works_on_data = match cli.command {
        Command::Run(_)
        | Command::Demo(_)
        | Command::Export(_)
        | Command::DeadLetters(_)
        | Command::Address(_)
        | Command::Tune(_)
        | Command::Camera(_)
        | Command::Key(_)
        | Command::User(_)
        | Command::Token(_)
        | Command::Audit(_) => true,
        Command::Apply(_)
        | Command::Check(_)
        | Command::Replay(_)
        | Command::Models(_)
        | Command::Transcode(_)
        | Command::Eval(_) => false,
    };
    if works_on_data {
        keep_private();
    }
    match cli.command {
        Command::Run(args) => block_on(run(args)),
        Command::Demo(args) => block_on(demo::run(args)),
        Command::Check(args) => check_in_time(args),
        Command::Replay(args) => {
            let summary = replay::run(&args, &mut std::io::stdout().lock())?;
            crate::terminal::tell_line!(
                "{} frames, {} alerts, {} duplicates, {} late, {} refused",
                summary.frames,
                summary.alerts,
                summary.duplicates,
                summary.late,
                summary.refused
            );
            Ok(if summary.refused == 0 { ExitCode::SUCCESS } else { ExitCode::from(2) })
        }
        Command::Apply(args) => block_on_code(apply_command::run(args)),
        Command::Export(args) => block_on(export::run(args)),
        Command::Tune(command) => block_on_code(tune_command::run(command)),
        Command::DeadLetters(command) => block_on_code(dead_letters::command::run(command)),
        Command::Address(command) => address_command::run(command),
        Command::Models(command) => models_command::run(command),
        Command::Camera(command) => camera_command::run(command),
        Command::Key(command) => key_command::run(command),
        Command::User(command) => block_on_code(access_command::run_user(command)),
        Command::Token(command) => block_on_code(access_command::run_token(command)),
        Command::Audit(command) => block_on_code(access_command::run_audit(command)),
        Command::Transcode(args) => transcode(&args),
        Command::Eval(command) => eval_command::run(&command),
    }
}

/// Whatever the process creates from now on is its owner's only: pictures of people and secrets lie in it.
fn keep_private() {
    rustix::process::umask(Mode::RWXG | Mode::RWXO);
}

/// Blocked calls are not waited for at the end.
fn check_in_time(args: CheckArgs) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Runtime::new().context("starting the async runtime")?;
    let outcome = runtime.block_on(check(args));
    runtime.shutdown_background();
    outcome
}

async fn run(args: RunArgs) -> anyhow::Result<()> {
    let roles = args.roles.set()?;
    check_listen(&args.overrides, &roles)?;
    let mut reading = Config::read(&args.config.config);
    args.overrides.apply(&mut reading.config);
    refuse_unready(&reading, &roles).await?;
    let config = reading.config;
    if config.settings.bus.kind == BusKind::Embedded && roles.len() < Role::value_variants().len() {
        tracing::warn!("the embedded bus is limited to one process: the omitted roles do not run");
    }
    let metrics = telemetry::metrics()?;
    let stop = CancellationToken::new();
    stop_on_signal(stop.clone(), args.duration.map(|span| span.to_std()));
    let roles: Vec<Role> = roles.into_iter().collect();
    let app = App::start(&config, &roles, metrics, stop.clone()).await?;
    if let Some(page) = app.page {
        crate::terminal::tell_line!("The page: http://{page}/");
    }
    crate::terminal::tell_line!("Health and metrics: http://{}/metrics", app.operations);
    app.wait().await
}

/// # Errors
/// When an address of the page is given without a page.
fn check_listen(overrides: &Overrides, roles: &HashSet<Role>) -> anyhow::Result<()> {
    anyhow::ensure!(
        overrides.listen.is_none() || roles.contains(&Role::Console),
        "--listen is the address of the page, and this process has no role `console`; --operations-listen is the address of \
         its health and metrics"
    );
    Ok(())
}

async fn check(args: CheckArgs) -> anyhow::Result<ExitCode> {
    let roles = args.roles.set()?;
    check_listen(&args.overrides, &roles)?;
    let mut reading = Config::read(&args.config.config);
    args.overrides.apply(&mut reading.config);
    let findings = preflight(&reading, &roles, For::Check { offline: args.offline }).await;
    let mistakes = [reading.mistakes.clone(), findings.mistakes()].concat();
    let good = mistakes.is_empty();
    let report = if args.json {
        findings.json_lines(&reading.mistakes)
    } else if good {
        let Config { cameras, policies, .. } = &reading.config;
        let rules: usize = policies.iter().map(|policy| policy.rules.len()).sum();
        format!(
            "{}: good. {} cameras, {} policies with {rules} rules.\n{findings}",
            reading.file.display(),
            cameras.len(),
            policies.len(),
        )
    } else {
        format!("{}{findings}", Mistakes(mistakes))
    };
    // A closed stdout (`| head`) does not affect the outcome.
    let _ = write!(std::io::stdout().lock(), "{report}");
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::from(2) })
}

fn transcode(args: &TranscodeArgs) -> anyhow::Result<ExitCode> {
    vedette_media::init()?;
    demo::transcode(&args.input, &args.output, args.key_every)?;
    Ok(ExitCode::SUCCESS)
}
