//! A process of the simulation, of which the parts run on one client of the bus.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use vedette_bus::SharedBus;
use vedette_bus::simulated::Client;
use vedette_runtime::health::Health;
use vedette_stages::registry::Registry;
use vedette_topics::reading::Follower;

use super::super::world::keep_running;

pub(super) struct Process {
    client: Client,
    stop: CancellationToken,
    tasks: Vec<JoinHandle<()>>,
}

impl Process {
    pub(super) fn new(client: Client) -> Self {
        Self { client, stop: CancellationToken::new(), tasks: Vec::new() }
    }

    pub(super) const fn client(&self) -> &Client {
        &self.client
    }

    /// Runs something, and again when it fails.
    pub(super) fn keep<F>(&mut self, run: impl Fn(CancellationToken) -> F + Send + 'static)
    where
        F: Future<Output = vedette_stages::Result<()>> + Send + 'static,
    {
        self.tasks.push(keep_running(self.stop.clone(), run));
    }

    /// Runs a follower.
    pub(super) fn follow(&mut self, follower: Arc<Follower>) {
        self.keep(move |stop| {
            let follower = follower.clone();
            async move { Ok(follower.run(Health::default(), stop).await?) }
        });
    }

    /// Opens the registry, which then follows the bus.
    pub(super) async fn registry(&mut self, bus: &SharedBus) -> Registry {
        let (registry, followers) = loop {
            match Registry::open(bus).await {
                Ok(opened) => break opened,
                Err(_) => sleep(Duration::from_millis(500)).await,
            }
        };
        followers.into_iter().for_each(|follower| self.follow(follower));
        registry
    }

    /// As `kill -9`: nothing that runs knows of it.
    pub(super) fn crash(&mut self) {
        self.client.crash();
        self.tasks.drain(..).for_each(|task| task.abort());
    }

    /// Ends in good order.
    pub(super) async fn end(self) {
        self.stop.cancel();
        for task in self.tasks {
            let _ = tokio::time::timeout(Duration::from_secs(30), task).await;
        }
        self.client.crash();
    }
}
