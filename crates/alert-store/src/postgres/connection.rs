use std::collections::HashMap;
use std::fmt;
use std::time::{Duration, Instant};

use postgres::{Client, Config, NoTls, Statement};

use super::on::{On, failed};
use super::{PostgresServer, schema};
use crate::StoreError;
use crate::metrics;
use crate::session::Session;

/// After a failed connection attempt, callers are refused at once for this long, so that they do not queue for a dead server.
const REST: Duration = Duration::from_secs(1);
/// Timeout of a probe.
const PROBE_TIMEOUT: Duration = Duration::from_secs(4);

/// The first statement of every writing transaction. Holding the counter until the commit serialises writers: decisions
/// based on earlier reads stay valid, and change numbers become visible in their order.
const TAKE_TURN: &str = "SELECT value FROM counter WHERE name = 'change' FOR UPDATE";

/// A connection that reconnects when lost.
pub(super) struct Connection {
    server: PostgresServer,
    open: Option<Open>,
    refused: Option<(Instant, String)>,
}

struct Open {
    client: Client,
    statements: HashMap<String, Statement>,
}

/// A failed operation, and whether it certainly had no effect.
struct Failure {
    error: StoreError,
    undone: bool,
}

impl Connection {
    pub(super) const fn new(server: PostgresServer) -> Self {
        Self { server, open: None, refused: None }
    }

    /// Connects if there is no connection; returns whether it did.
    pub(super) fn open(&mut self) -> Result<bool, StoreError> {
        if self.open.as_ref().is_some_and(|open| open.client.is_closed()) {
            self.close();
        }
        if self.open.is_some() {
            return Ok(false);
        }
        if let Some((at, cause)) = &self.refused
            && at.elapsed() < REST
        {
            return Err(StoreError::Unreachable { server: self.server.to_string(), cause: cause.clone() });
        }
        match connect(&self.server) {
            Ok(client) => {
                self.refused = None;
                self.open = Some(Open { client, statements: HashMap::new() });
                metrics::CONNECTIONS.get().increment(1);
                Ok(true)
            }
            Err(error) => {
                if let StoreError::Unreachable { cause, .. } = &error {
                    self.refused = Some((Instant::now(), cause.clone()));
                }
                Err(error)
            }
        }
    }

    /// Runs `work` in a transaction. If the connection is lost before the commit is sent, it is retried once on a new one.
    pub(super) fn transaction<T>(
        &mut self,
        doing: &'static str,
        work: &mut dyn FnMut(&mut dyn Session) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.run(&mut |open, server| {
            let undone = |error| Failure { error, undone: true };
            let mut begun = open.client.transaction().map_err(|cause| undone(failed(server, doing, &cause)))?;
            let mut on = On { client: &mut begun, statements: &mut open.statements, server };
            on.rows(doing, TAKE_TURN, &[]).map_err(undone)?;
            let done = work(&mut on).map_err(undone)?;
            // If the connection is lost here, the outcome is unknown.
            begun.commit().map_err(|cause| Failure { error: failed(server, doing, &cause), undone: false })?;
            Ok(done)
        })
    }

    /// Runs `work`, which only reads. If the connection is lost, it is retried once on a new one.
    pub(super) fn read<T>(
        &mut self,
        work: &mut dyn FnMut(&mut dyn Session) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.run(&mut |open, server| {
            let mut on = On { client: &mut open.client, statements: &mut open.statements, server };
            work(&mut on).map_err(|error| Failure { error, undone: true })
        })
    }

    fn run<T>(
        &mut self,
        work: &mut dyn FnMut(&mut Open, &PostgresServer) -> Result<T, Failure>,
    ) -> Result<T, StoreError> {
        let mut again = false;
        loop {
            let new = self.open()?;
            let open = self.open.as_mut().expect("it was opened just now");
            let Failure { error, undone } = match work(open, &self.server) {
                Ok(done) => return Ok(done),
                Err(failure) => failure,
            };
            if !error.is_unreachable() {
                return Err(error);
            }
            self.close();
            if new || again || !undone {
                return Err(error);
            }
            again = true;
        }
    }

    fn close(&mut self) {
        if let Some(open) = self.open.take() {
            // Dropping the client blocks, which an async thread must not do.
            std::thread::spawn(move || drop(open));
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.close();
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("server", &self.server)
            .field("open", &self.open.is_some())
            .finish_non_exhaustive()
    }
}

fn connect(server: &PostgresServer) -> Result<Client, StoreError> {
    let mut client = reach(server, &server.config)?;
    schema::prepare(&mut client, server)?;
    Ok(client)
}

fn reach(server: &PostgresServer, config: &Config) -> Result<Client, StoreError> {
    config
        .connect(NoTls)
        .map_err(|cause| StoreError::Unreachable { server: server.to_string(), cause: super::on::explain(&cause) })
}

/// Whether a store could be opened there, and has accounts. Nothing is created.
pub(crate) fn probe(server: &PostgresServer) -> Result<Option<bool>, StoreError> {
    let mut config = server.config.clone();
    config.connect_timeout(PROBE_TIMEOUT);
    let mut client = reach(server, &config)?;
    schema::probe(&mut client, server)
}
