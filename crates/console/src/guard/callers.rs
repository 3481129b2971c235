use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::Request;
use axum::http::{HeaderMap, header};
use vedette_access::{AuditEntry, Caller, Secret, SecretHash, SecretKind, Via, Who};
use vedette_alert_store::{AlertStore, StoreError};
use vedette_core::{Span, Timestamp};

use super::refused_acts::RefusedActs;
use crate::AccessSettings;
use crate::api_rule::ApiRule;
use crate::gate::OnThisMachine;
use crate::problem::{Problem, ProblemKind};

/// The cookie with the secret of a session. Browsers send it to this host only, over TLS or on this machine only, and set it for no other.
pub(crate) const COOKIE: &str = "__Host-vedette";
/// How long it is believed that there are no accounts.
const NO_ACCOUNTS_FOR: Duration = Duration::from_millis(500);
/// Uses of a session are stored once a minute.
const USE_EVERY: Span = Span::from_secs(60);

/// Who acts while it is not known who it is: no account has such a name.
pub(crate) const NOBODY: &str = "?";

/// Whether being asked about is a use, which keeps a session from ending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    Noted,
    /// An open stream alone is none.
    None,
}

/// What a request says of its caller.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Credentials {
    /// The token, if there is one; none in it if it is malformed. Other schemes are a proxy's.
    token: Option<Option<SecretHash>>,
    session: Option<SecretHash>,
    is_here: bool,
}

impl Credentials {
    pub(crate) fn of(request: &Request) -> Self {
        let given = request.headers().get(header::AUTHORIZATION).and_then(|given| given.to_str().ok());
        Self {
            token: given.and_then(bearer),
            session: cookie(request.headers()).map(|secret| secret.hash()),
            is_here: matches!(request.extensions().get(), Some(OnThisMachine(true))),
        }
    }
}

/// Finds out who sends a request.
#[derive(Debug)]
pub(crate) struct Callers {
    store: Arc<AlertStore>,
    settings: AccessSettings,
    clock: fn() -> Timestamp,
    /// When there were no accounts, the last time that it was asked.
    none_at: Mutex<Option<Instant>>,
    /// Of callers who are known, of logins, and of anybody: strangers who fill one leave the others.
    refused: [RefusedActs; 3],
}

impl Callers {
    pub(crate) fn new(store: Arc<AlertStore>, settings: AccessSettings, clock: fn() -> Timestamp) -> Self {
        Self { store, settings, clock, none_at: Mutex::new(None), refused: Default::default() }
    }

    /// The time.
    pub(crate) fn now(&self) -> Timestamp {
        (self.clock)()
    }

    /// The caller: by the token or the session that it sends, or by its address while there are no accounts. Of a route that has to
    /// answer `without_store`, it is enough that there were none when the store could be read last.
    pub(crate) async fn caller(
        &self,
        Credentials { token, session, is_here }: Credentials,
        without_store: bool,
    ) -> Result<Caller, Problem> {
        if let Some(token) = token {
            return self.of_token(token.ok_or_else(|| unknown(ApiRule::TokenMalformed))?, Use::Noted).await;
        }
        if let Some(session) = session {
            match self.of_session(session, Use::Noted).await? {
                Some(caller) => return Ok(caller),
                None if self.needs_login(without_store).await? => return Err(unknown(ApiRule::SessionOver)),
                None => {}
            }
        } else if self.needs_login(without_store).await? {
            return Err(unknown(ApiRule::LoginNeeded));
        }
        if is_here { Ok(Caller::local()) } else { Err(Problem::new(ProblemKind::FORBIDDEN, ApiRule::NoAccounts)) }
    }

    /// Whether a caller is still the one that it was, with the same permissions: asked while a live stream runs.
    pub(crate) async fn is_still(&self, caller: &Caller) -> bool {
        let now = match &caller.via {
            Via::Address => match self.has_accounts().await {
                Ok(true) => None,
                Ok(false) => Some(caller.clone()),
                // The store is away for a moment.
                Err(_) => Some(caller.clone()),
            },
            Via::Session(hash) => match self.of_session(*hash, Use::None).await {
                Ok(now) => now,
                Err(_) => Some(caller.clone()),
            },
            Via::Token(hash) => match self.of_token(*hash, Use::None).await {
                Ok(now) => Some(now),
                Err(problem) if problem.is_refusal() => None,
                Err(_) => Some(caller.clone()),
            },
        };
        now.as_ref() == Some(caller)
    }

    async fn needs_login(&self, without_store: bool) -> Result<bool, Problem> {
        match self.has_accounts().await {
            Err(problem) if without_store && self.had_none() && !problem.is_refusal() => Ok(false),
            has => has,
        }
    }

    /// Whether there were no accounts when it was asked last.
    fn had_none(&self) -> bool {
        self.none_at.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// Whether there are accounts, now or half a second ago.
    pub(crate) async fn has_accounts(&self) -> Result<bool, Problem> {
        let none_at = *self.none_at.lock().unwrap_or_else(PoisonError::into_inner);
        if none_at.is_some_and(|at| at.elapsed() < NO_ACCOUNTS_FOR) {
            return Ok(false);
        }
        let has = self.ask(|store, _| store.has_accounts()).await?;
        *self.none_at.lock().unwrap_or_else(PoisonError::into_inner) = (!has).then(Instant::now);
        Ok(has)
    }

    /// The caller with the secret of a session that has just begun.
    pub(crate) async fn of_secret(&self, secret: &Secret) -> Result<Caller, Problem> {
        self.of_session(secret.hash(), Use::Noted).await?.ok_or_else(|| unknown(ApiRule::SessionOver))
    }

    async fn of_session(&self, hash: SecretHash, use_: Use) -> Result<Option<Caller>, Problem> {
        let idle = self.settings.idle;
        self.ask(move |store, now| {
            let Some((session, account)) = store.session(&hash, now, idle)? else { return Ok(None) };
            if use_ == Use::Noted && now.since(session.used) > USE_EVERY {
                store.touch_session(&hash, now)?;
            }
            Ok(Some(Caller { who: Who::Account(account.name), via: Via::Session(hash), grants: account.grants }))
        })
        .await
    }

    async fn of_token(&self, hash: SecretHash, use_: Use) -> Result<Caller, Problem> {
        let found = self
            .ask(move |store, now| {
                let Some(token) = store.token(&hash, now)? else { return Ok(None) };
                if use_ == Use::Noted && token.used.is_none_or(|used| now.since(used) > USE_EVERY) {
                    store.touch_token(&hash, now)?;
                }
                Ok(Some(Caller { who: Who::Token(token.name), via: Via::Token(hash), grants: token.grants }))
            })
            .await?;
        found.ok_or_else(|| unknown(ApiRule::TokenUnknown))
    }

    /// Adds a row about an act that was refused or failed, unless there were too many in this minute. A failure is logged: nothing was
    /// done.
    pub(crate) async fn note_refusal(&self, mut entry: AuditEntry) {
        let kind = match (entry.session.is_empty(), entry.who == NOBODY) {
            (false, _) => 0,
            (true, false) => 1,
            (true, true) => 2,
        };
        let Some(unlisted) = self.refused[kind].take(entry.at) else { return };
        if unlisted > 0 {
            let separator = if entry.detail.is_empty() { "" } else { "; " };
            entry.detail.push_str(&format!("{separator}{unlisted} refusals before this one are not listed"));
        }
        if let Err(problem) = self.ask(move |store, _| store.append_audit(&[entry])).await {
            tracing::error!(reason = problem.detail(), "a refusal is missing in the audit log");
        }
    }

    /// Asks the store off the async threads.
    pub(crate) async fn ask<T: Send + 'static>(
        &self,
        work: impl FnOnce(&AlertStore, Timestamp) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Problem> {
        let (store, now) = (self.store.clone(), self.now());
        match tokio::task::spawn_blocking(move || work(&store, now)).await {
            Ok(done) => Ok(done?),
            Err(error) => Err(Problem::internal("asking who the caller is", &error)),
        }
    }
}

fn unknown(rule: ApiRule) -> Problem {
    Problem::new(ProblemKind::UNKNOWN_CALLER, rule)
}

fn bearer(given: &str) -> Option<Option<SecretHash>> {
    let (scheme, text) = given.split_once(' ').unwrap_or((given, ""));
    let is_token = scheme.eq_ignore_ascii_case("bearer");
    is_token.then(|| Some(Secret::read(SecretKind::Token, text.trim())?.hash()))
}

/// The secret of the session that a request has.
fn cookie(headers: &HeaderMap) -> Option<Secret> {
    Secret::read(SecretKind::Session, cookie_text(headers, COOKIE)?)
}

/// The value of a cookie.
pub(crate) fn cookie_text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let texts = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = texts.flat_map(|text| text.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(given, _)| *given == name).map(|(_, text)| text)
}
