use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use tokio::sync::{Semaphore, SemaphorePermit};
use vedette_access::{
    Account, AuditEntry, Guesses, Login, Name, Outcome, PasswordHash, Secret, SecretKind, Session, Waits,
};
use vedette_core::Timestamp;
use zeroize::Zeroizing;

use super::callers::Callers;
use crate::AccessSettings;
use crate::api_rule::ApiRule;
use crate::problem::{Problem, ProblemKind};

/// Logins that wait for their turn.
const MOST_WAITING: usize = 64;

/// Lets people in by their passwords.
#[derive(Debug)]
pub(crate) struct PasswordLogin {
    settings: AccessSettings,
    guesses: Mutex<Guesses>,
    /// A password is verified by one thread at a time: a storm of logins takes a core at most.
    verifying: Semaphore,
    waiting: Semaphore,
}

impl PasswordLogin {
    pub(crate) fn new(settings: AccessSettings) -> Self {
        Self {
            settings,
            guesses: Mutex::default(),
            verifying: Semaphore::new(1),
            waiting: Semaphore::new(MOST_WAITING),
        }
    }

    /// Begins a session for a person who knows the password of an account.
    pub(crate) async fn log_in(
        &self,
        callers: &Callers,
        name: &str,
        password: Zeroizing<String>,
        peer: IpAddr,
    ) -> Result<Secret, Problem> {
        let now = callers.now();
        // One that cannot be a name has no account, and is told the same.
        // Before the try is counted: one that is not looked at is none.
        let place = self.place()?;
        let Ok(name) = Name::new(name) else {
            self.await_turn(None, peer, now)?;
            self.verify(place, None, password).await?;
            return Err(wrong());
        };
        self.await_turn(Some(&name), peer, now)?;
        let of = name.clone();
        let account = callers.ask(move |store, _| store.account(&of)).await?;
        let hash = match &account {
            Some(Account { login: Login::Password(hash), enabled: true, .. }) => Some(hash.clone()),
            _ => None,
        };
        if !self.verify(place, hash, password).await? {
            let mut entry = row(&name, account.as_ref(), peer, now, "");
            entry.outcome = Outcome::Refused(ApiRule::WRONG_LOGIN.to_owned());
            callers.note_refusal(entry).await;
            return Err(wrong());
        }
        self.guesses.lock().unwrap_or_else(PoisonError::into_inner).passed(&name, peer);
        let secret = Secret::random(SecretKind::Session);
        let session = Session {
            hash: secret.hash(),
            account: name.clone(),
            began: now,
            used: now,
            ends: now + self.settings.longest,
            peer: peer.to_string(),
            provider_session: None,
            id_token: None,
        };
        let entry = row(&name, account.as_ref(), peer, now, &session.hash.id());
        // It refuses an account whose password or state changed while this one was verified.
        let account = account.ok_or_else(wrong)?;
        callers.ask(move |store, _| store.begin_session(&session, &account, Some(&entry))).await?;
        Ok(secret)
    }

    /// Whether a password is that of an account, for a caller who is known: to change it, say.
    pub(crate) async fn is_password(
        &self,
        account: &Account,
        password: Zeroizing<String>,
        peer: IpAddr,
        now: Timestamp,
    ) -> Result<bool, Problem> {
        let place = self.place()?;
        self.await_turn(Some(&account.name), peer, now)?;
        let Login::Password(hash) = &account.login else { return Ok(false) };
        let is_right = self.verify(place, Some(hash.clone()), password).await?;
        if is_right {
            self.guesses.lock().unwrap_or_else(PoisonError::into_inner).passed(&account.name, peer);
        }
        Ok(is_right)
    }

    /// Counts a try, unless it has to wait.
    fn await_turn(&self, name: Option<&Name>, peer: IpAddr, now: Timestamp) -> Result<(), Problem> {
        let mut guesses = self.guesses.lock().unwrap_or_else(PoisonError::into_inner);
        guesses.check(name, peer, now).map_err(|Waits(wait)| {
            let seconds = wait.as_micros().div_euclid(1_000_000) + 1;
            Problem::new(ProblemKind::BUSY_FOR_CLIENT, ApiRule::LoginWait { seconds: seconds as f64 })
                .retry_after(seconds.unsigned_abs())
        })?;
        guesses.failed(name, peer, now);
        Ok(())
    }

    /// A place among those that wait.
    fn place(&self) -> Result<SemaphorePermit<'_>, Problem> {
        self.waiting.try_acquire().map_err(|_| busy())
    }

    async fn verify(
        &self,
        _place: SemaphorePermit<'_>,
        hash: Option<PasswordHash>,
        password: Zeroizing<String>,
    ) -> Result<bool, Problem> {
        let _turn = self.verifying.acquire().await.map_err(|_| busy())?;
        let verified = tokio::task::spawn_blocking(move || match hash {
            Some(hash) => hash.is_of(&password),
            None => {
                PasswordHash::pretend(&password);
                false
            }
        });
        verified.await.map_err(|error| Problem::internal("verifying a password", &error))
    }
}

fn busy() -> Problem {
    Problem::new(ProblemKind::BUSY, ApiRule::TooManyLogins)
}

fn wrong() -> Problem {
    Problem::new(ProblemKind::UNKNOWN_CALLER, ApiRule::WrongLogin)
}

fn row(name: &Name, account: Option<&Account>, peer: IpAddr, at: Timestamp, session: &str) -> AuditEntry {
    let role = account.map(|account| account.grants.to_string()).unwrap_or_default();
    let entry = AuditEntry::done(at, "session.begin", format!("account:{name}"), name.to_string(), peer.to_string());
    AuditEntry { role, session: session.to_owned(), ..entry }
}
