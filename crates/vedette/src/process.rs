//! The async runtime of a command, and when it ends.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use tokio_util::sync::CancellationToken;

/// How long the end of the process waits for uninterruptible calls, such as one to an unreachable broker.
const LAST_WAIT: Duration = Duration::from_secs(5);

pub(crate) fn block_on(work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<ExitCode> {
    block_on_code(async { work.await.map(|()| ExitCode::SUCCESS) })
}

pub(crate) fn block_on_code(work: impl Future<Output = anyhow::Result<ExitCode>>) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Runtime::new().context("starting the async runtime")?;
    let outcome = runtime.block_on(work);
    runtime.shutdown_timeout(LAST_WAIT);
    outcome
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
