use std::net::IpAddr;
use std::sync::Arc;

use tokio::sync::Semaphore;
use vedette_access::{Account, AuditEntry, Login, Outcome, Secret, SecretHash, SecretKind, Session};
use vedette_alert_store::{ProviderLogin, StoreError};
use vedette_core::Timestamp;
use vedette_single_sign_on::{Answer, Begun, Ended, Provider, ReturnTo, SignOnError};

use super::callers::{Callers, NOBODY};
use crate::AccessSettings;
use crate::api_rule::ApiRule;
use crate::connections::peer_key;
use crate::problem::{Problem, ProblemKind};

/// Logins that are finished at the same time.
const MOST_AT_ONCE: usize = 64;

/// Lets people in who have logged in at the provider, and ends their sessions when it says so.
#[derive(Debug)]
pub(crate) struct SignOn {
    provider: Arc<Provider>,
    settings: AccessSettings,
    finishing: Semaphore,
}

/// A person who was let in.
pub(crate) struct Entered {
    pub(crate) secret: Secret,
    pub(crate) return_to: ReturnTo,
}

impl SignOn {
    pub(crate) fn new(provider: Arc<Provider>, settings: AccessSettings) -> Self {
        Self { provider, settings, finishing: Semaphore::new(MOST_AT_ONCE) }
    }

    /// The provider's name for people.
    pub(crate) fn label(&self) -> &str {
        self.provider.label()
    }

    /// Whether browsers come back over TLS.
    pub(crate) fn is_over_tls(&self) -> bool {
        self.provider.answer_at().scheme() == "https"
    }

    /// Begins a login.
    pub(crate) async fn begin(&self, callers: &Callers, return_to: ReturnTo, peer: IpAddr) -> Result<Begun, Problem> {
        self.provider.begin(return_to, peer_key(peer), callers.now()).await.map_err(|error| self.problem(error))
    }

    /// Begins a session for a person who comes back from the provider.
    pub(crate) async fn finish(
        &self,
        callers: &Callers,
        key: &str,
        answer: Answer,
        peer: IpAddr,
    ) -> Result<Entered, Problem> {
        let _place =
            self.finishing.try_acquire().map_err(|_| Problem::new(ProblemKind::BUSY, ApiRule::TooManyLogins))?;
        let login = match self.provider.finish(key, answer, callers.now()).await {
            Ok(login) => login,
            Err(error) => return Err(self.refuse(callers, error, peer).await),
        };
        let (id_token, sid, return_to) = (login.id_token, login.sid, login.return_to);
        let new = ProviderLogin {
            issuer: login.issuer,
            subject: login.subject,
            name: login.name,
            grants: login.grants,
            at: callers.now(),
        };
        let (name, subject) = (new.name.clone(), new.subject.clone());
        if !callers.has_accounts().await? {
            // As everywhere, so that nobody is locked out.
            new.grants.check_first().map_err(|violation| Problem::new(ProblemKind::FORBIDDEN, violation))?;
        }
        let account = match callers.ask(move |store, _| put(store, &new, peer)).await? {
            Some(account) if account.enabled => account,
            refused => {
                let (rule, name) = match refused {
                    Some(account) => (ApiRule::SignOnDisabled { name: account.name.to_string() }, account.name),
                    None => (ApiRule::SignOnNameTaken { name: name.to_string() }, name),
                };
                let kind = if matches!(rule, ApiRule::SignOnDisabled { .. }) {
                    ProblemKind::FORBIDDEN
                } else {
                    ProblemKind::CONFLICT
                };
                let problem = Problem::new(kind, rule);
                let entry = entry(name.as_str(), peer, callers.now(), "session.begin", format!("account:{name}"));
                self.note(callers, entry, &problem, format!("{subject} at {}", self.provider.issuer())).await;
                return Err(problem);
            }
        };
        let secret = Secret::random(SecretKind::Session);
        let (settings, issuer) = (self.settings, self.provider.issuer().to_owned());
        let hash = secret.hash();
        callers
            .ask(move |store, now| {
                let session = Session {
                    hash,
                    account: account.name.clone(),
                    began: now,
                    used: now,
                    ends: now + settings.longest,
                    peer: peer.to_string(),
                    provider_session: sid,
                    id_token: Some(id_token),
                };
                let entry = AuditEntry {
                    role: account.grants.to_string(),
                    session: hash.id(),
                    detail: format!("at {issuer}"),
                    ..entry(account.name.as_str(), peer, now, "session.begin", format!("account:{}", account.name))
                };
                store.begin_session(&session, &account, Some(&entry))
            })
            .await?;
        Ok(Entered { secret, return_to })
    }

    /// Ends the sessions that the provider names.
    pub(crate) async fn end(&self, callers: &Callers, token: &str, peer: IpAddr) -> Result<(), Problem> {
        let issuer = self.provider.issuer().to_owned();
        let who = format!("provider:{issuer}");
        let ended = match self.provider.back_channel_logout(token, callers.now()).await {
            Ok(ended) => ended,
            Err(error @ SignOnError::Away(_)) => return Err(self.problem(error)),
            Err(error) => {
                let problem =
                    Problem::parameter("logout_token", "...", ApiRule::LogoutToken { reason: error.to_string() });
                let entry = entry(NOBODY, peer, callers.now(), "session.end", who);
                self.note(callers, entry, &problem, error.to_string()).await;
                return Err(problem);
            }
        };
        let Ended { subject, sid, .. } = ended.clone();
        let done = callers.ask(move |store, now| {
            let account = match &subject {
                Some(subject) => store.account_of_provider(&issuer, subject)?,
                None => None,
            };
            let object = match (account, &sid) {
                (Some(account), _) => format!("account:{}", account.name),
                (None, Some(sid)) => format!("provider-session:{sid}"),
                (None, None) => format!("account:{NOBODY}"),
            };
            let entry = entry(&who, peer, now, "session.end", object);
            store.end_provider_sessions(&issuer, subject.as_deref(), sid.as_deref(), Some(&entry))
        });
        done.await.map(drop).inspect_err(|_| self.provider.forget(&ended))
    }

    /// Where a browser ends the provider's session too, if a session began there.
    pub(crate) async fn logout_url(&self, callers: &Callers, hash: SecretHash) -> Result<Option<String>, Problem> {
        let idle = self.settings.idle;
        let Some((session, account)) = callers.ask(move |store, now| store.session(&hash, now, idle)).await? else {
            return Ok(None);
        };
        let is_there = matches!(&account.login, Login::Provider { issuer, .. } if issuer == self.provider.issuer());
        let Some(id_token) = session.id_token.filter(|_| is_there) else { return Ok(None) };
        Ok(self.provider.logout_url(&id_token, callers.now()).map(String::from))
    }

    async fn refuse(&self, callers: &Callers, error: SignOnError, peer: IpAddr) -> Problem {
        let name = match &error {
            SignOnError::NoGrant { name, .. } => name.clone(),
            _ => NOBODY.to_owned(),
        };
        let detail = error.to_string();
        let problem = self.problem(error);
        let entry = entry(&name, peer, callers.now(), "session.begin", format!("account:{name}"));
        self.note(callers, entry, &problem, detail).await;
        problem
    }

    async fn note(&self, callers: &Callers, mut entry: AuditEntry, problem: &Problem, detail: String) {
        entry.outcome = match problem.is_refusal() {
            true => Outcome::Refused(problem.code().to_owned()),
            false => Outcome::Failed,
        };
        entry.detail = vedette_core::printable(&detail).chars().take(400).collect();
        callers.note_refusal(entry).await;
    }

    /// What a client is told. Why the provider cannot be reached is for the log: it says what the network is like.
    fn problem(&self, error: SignOnError) -> Problem {
        let (kind, rule) = match error {
            SignOnError::Away(reason) => {
                tracing::warn!(issuer = self.provider.issuer(), reason, "single sign-on: the provider cannot be used");
                (ProblemKind::BUSY, ApiRule::SignOnAway)
            }
            SignOnError::NotBegun => {
                let page = self.provider.page().to_string();
                (ProblemKind::REQUEST, ApiRule::SignOnNotBegun { page })
            }
            SignOnError::OtherLogin(reason) => {
                (ProblemKind::REQUEST, ApiRule::SignOnOtherLogin { reason: reason.to_owned() })
            }
            SignOnError::Refused(code) => (ProblemKind::FORBIDDEN, ApiRule::SignOnRefused { code }),
            SignOnError::Token(reason) => (ProblemKind::FORBIDDEN, ApiRule::SignOnToken { reason }),
            SignOnError::Name { claim, reason } => (ProblemKind::FORBIDDEN, ApiRule::SignOnName { claim, reason }),
            SignOnError::NoGrant { name, claim } => (ProblemKind::FORBIDDEN, ApiRule::SignOnNoRole { name, claim }),
        };
        Problem::new(kind, rule)
    }
}

/// The account of a login, with the row about what changed; none when another account has its name.
fn put(
    store: &vedette_alert_store::AlertStore,
    login: &ProviderLogin,
    peer: IpAddr,
) -> Result<Option<Account>, StoreError> {
    let known = store.account_of_provider(&login.issuer, &login.subject)?;
    let act = match &known {
        None => Some(("account.add", &login.name)),
        Some(account) if account.grants != login.grants => Some(("account.change", &account.name)),
        Some(_) => None,
    };
    let entry = act.map(|(act, name)| AuditEntry {
        role: login.grants.to_string(),
        detail: format!("{} as {} at {} says", login.grants, login.subject, login.issuer),
        ..entry(name.as_str(), peer, login.at, act, format!("account:{name}"))
    });
    match store.put_provider_account(login, entry.as_ref()) {
        Err(StoreError::AlreadyThere { .. }) => Ok(None),
        put => put.map(Some),
    }
}

fn entry(who: &str, peer: IpAddr, at: Timestamp, act: &str, object: String) -> AuditEntry {
    AuditEntry::done(at, act, object, who.to_owned(), peer.to_string())
}
