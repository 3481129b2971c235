//! The operations port of every process, whatever its roles: `/healthz` and `/readyz` for a supervisor, `/metrics` for Prometheus.
//! It also runs the upkeep of histograms, whose samples accumulate otherwise.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use vedette_console::HealthSource;
use vedette_runtime::Service;
use vedette_runtime::health::{Condition, Health};
use vedette_stages::ReportedHealth;

use crate::config::OperationsSettings;

const NAME: &str = "operations";
/// Where it listens when the configuration does not say.
const USUAL: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 9464);
/// Interval of the upkeep of histograms, with or without scrapes.
const FOLD_EVERY: Duration = Duration::from_secs(5);
/// Grace period of requests in flight at shutdown.
const DRAIN: Duration = Duration::from_secs(1);

/// An operations port that is bound and does not serve yet.
#[derive(Debug)]
pub(crate) struct Operations {
    listener: TcpListener,
    /// The address it listens on.
    pub(crate) address: SocketAddr,
}

impl Operations {
    /// Binds the port. The default one may be in use by another process of the product on this machine: then a free one is bound.
    ///
    /// # Errors
    /// When an address of the configuration is in use or not local.
    pub(crate) async fn bind(settings: &OperationsSettings) -> anyhow::Result<Self> {
        let wanted = settings.listen.unwrap_or(USUAL);
        let listener = match TcpListener::bind(wanted).await {
            Err(error) if error.kind() == ErrorKind::AddrInUse && settings.listen.is_none() => {
                TcpListener::bind((USUAL.ip(), 0)).await
            }
            outcome => outcome,
        };
        let listener = listener.with_context(|| {
            format!(
                "health and metrics: cannot listen on {wanted}; stop the program that holds the port, or set \
                 `operations.listen` or --operations-listen to another address"
            )
        })?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address })
    }

    /// The service of the port.
    pub(crate) fn service(self, health: &Health, metrics: PrometheusHandle) -> Service {
        let health = health.clone();
        Service::once(NAME, move |stop| self.run(health, metrics, stop))
    }

    async fn run(self, health: Health, metrics: PrometheusHandle, stop: CancellationToken) -> std::io::Result<()> {
        health.set(NAME, Condition::Running, "");
        let folding = fold(|| metrics.run_upkeep());
        let app = Router::new()
            .route("/healthz", get(healthz))
            .route("/readyz", get(readyz))
            .route("/metrics", get(render))
            .fallback(async || (StatusCode::NOT_FOUND, "this port has /healthz, /readyz and /metrics\n"))
            .with_state(Shared { health: ReportedHealth(health), metrics: metrics.clone() });
        let serving = axum::serve(self.listener, app).with_graceful_shutdown(stop.clone().cancelled_owned());
        let too_late = async {
            stop.cancelled().await;
            tokio::time::sleep(DRAIN).await;
        };
        tokio::select! {
            outcome = async { serving.await } => outcome,
            () = too_late => Ok(()),
            () = folding => Ok(()),
        }
    }
}

#[derive(Clone)]
struct Shared {
    health: ReportedHealth,
    metrics: PrometheusHandle,
}

async fn healthz(State(shared): State<Shared>) -> impl IntoResponse {
    Json(shared.health.health())
}

async fn readyz(State(shared): State<Shared>) -> impl IntoResponse {
    let report = shared.health.health();
    let status = if report.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, [(header::CACHE_CONTROL, "no-store")], Json(report))
}

async fn render(State(shared): State<Shared>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], shared.metrics.render())
}

/// Calls `fold` every [`FOLD_EVERY`], for ever.
async fn fold(fold: impl Fn()) {
    let mut tick = tokio::time::interval(FOLD_EVERY);
    loop {
        tick.tick().await;
        fold();
    }
}
