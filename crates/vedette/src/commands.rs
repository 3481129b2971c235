//! From a command to what it does.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use tokio_util::sync::CancellationToken;

use crate::app::{App, apply_overrides};
use crate::cli::{Cli, Command, ConfigArgs, Role, RunArgs, TranscodeArgs};
use crate::config::{BusKind, Config};
use crate::{address_command, dead_letters, demo, eval_command, export, models_command, replay, telemetry};

/// How long the end of the process waits for calls that nothing can interrupt, such as one to a broker that is away.
const LAST_WAIT: Duration = Duration::from_secs(5);

/// Runs the command. The exit code is 0 when all went well, 1 on an error, 2 when what was checked is wrong.
///
/// # Errors
/// What went wrong, for a person.
pub fn execute(cli: Cli) -> anyhow::Result<ExitCode> {
    telemetry::log(cli.log_json, !matches!(cli.command, Command::Run(_)));
    match cli.command {
        Command::Run(args) => block_on(run(args)),
        Command::Demo(args) => block_on(demo::run(args)),
        Command::Check(args) => Ok(check(&args)),
        Command::Replay(args) => {
            let summary = replay::run(&args, &mut std::io::stdout().lock())?;
            eprintln!(
                "{} frames, {} alerts, {} seen before, {} late, {} refused",
                summary.frames, summary.alerts, summary.duplicates, summary.late, summary.refused
            );
            Ok(if summary.refused == 0 { ExitCode::SUCCESS } else { ExitCode::from(2) })
        }
        Command::Export(args) => block_on(export::run(args)),
        Command::DeadLetters(command) => block_on_code(dead_letters::command::run(command)),
        Command::Address(command) => address_command::run(command),
        Command::Models(command) => models_command::run(command),
        Command::Transcode(args) => transcode(&args),
        Command::Eval(command) => eval_command::run(&command),
    }
}

pub(crate) fn block_on(work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<ExitCode> {
    block_on_code(async { work.await.map(|()| ExitCode::SUCCESS) })
}

fn block_on_code(work: impl Future<Output = anyhow::Result<ExitCode>>) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Runtime::new().context("starting the async runtime")?;
    let outcome = runtime.block_on(work);
    runtime.shutdown_timeout(LAST_WAIT);
    outcome
}

async fn run(args: RunArgs) -> anyhow::Result<()> {
    let mut config = Config::load(&args.config.config)?;
    anyhow::ensure!(
        args.overrides.listen.is_none() || args.roles.contains(&Role::Console),
        "--listen is the address of the page, and this process has no role `console`; --operations-listen is the address of \
         its health and metrics"
    );
    apply_overrides(&mut config, &args.overrides);
    let all = [Role::Ingest, Role::Detect, Role::Analyse, Role::Console];
    if config.settings.bus.kind == BusKind::Embedded && !all.iter().all(|role| args.roles.contains(role)) {
        tracing::warn!("the embedded bus lives in one process: roles that are left out run nowhere");
    }
    let metrics = telemetry::metrics()?;
    let stop = CancellationToken::new();
    stop_on_signal(stop.clone(), args.duration.map(|span| span.to_std()));
    let app = App::start(&config, &args.roles, metrics, stop.clone()).await?;
    if let Some(page) = app.page {
        eprintln!("The page: http://{page}/");
    }
    eprintln!("Health and metrics: http://{}/metrics", app.operations);
    app.wait().await
}

/// Cancels `stop` on Ctrl-C, on SIGTERM, and after `duration` when one is given.
pub(crate) fn stop_on_signal(stop: CancellationToken, duration: Option<Duration>) {
    tokio::spawn(async move {
        let over = async {
            match duration {
                Some(duration) => tokio::time::sleep(duration).await,
                None => std::future::pending().await,
            }
        };
        let terminated = async {
            match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
                Ok(mut signal) => {
                    signal.recv().await;
                }
                Err(_) => std::future::pending().await,
            }
        };
        tokio::select! {
            () = over => {}
            () = terminated => {}
            _ = tokio::signal::ctrl_c() => {}
            () = stop.cancelled() => {}
        }
        stop.cancel();
    });
}

fn check(args: &ConfigArgs) -> ExitCode {
    match Config::load(&args.config) {
        Ok(config) => {
            println!(
                "{}: good. {} cameras, {} policies with {} rules.",
                args.config.display(),
                config.cameras.len(),
                config.policies.len(),
                config.policies.iter().map(|policy| policy.rules.len()).sum::<usize>()
            );
            ExitCode::SUCCESS
        }
        Err(mistakes) => {
            print!("{mistakes}");
            ExitCode::from(2)
        }
    }
}

fn transcode(args: &TranscodeArgs) -> anyhow::Result<ExitCode> {
    vedette_media::init()?;
    demo::transcode(&args.input, &args.output, args.key_every)?;
    Ok(ExitCode::SUCCESS)
}
