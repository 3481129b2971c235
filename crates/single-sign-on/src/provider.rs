use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use openidconnect::core::{CoreAuthenticationFlow, CoreClient, CoreClientAuthMethod, CoreTokenResponse};
use openidconnect::{
    AuthType, AuthorizationCode, ClientId, ClientSecret, CsrfToken, IssuerUrl, Nonce, PkceCodeChallenge,
    PkceCodeVerifier, RedirectUrl, RequestTokenError, Scope,
};
use url::Url;
use vedette_access::{Grants, Name};
use vedette_core::Timestamp;

use crate::claims;
use crate::directory::{Directory, Known};
use crate::error::SignOnError;
use crate::http::{Http, reasons};
use crate::id_token::{self, Verified};
use crate::jws::NotOpened;
use crate::logout_token::{self, Ended};
use crate::pending::{Pending, PendingLogins};
use crate::replays::Replays;
use crate::return_to::ReturnTo;
use crate::settings::{Settings, SettingsError, is_secure};

/// Random bytes of a key.
const KEY: u32 = 32;
/// Most characters of an ID token that is sent along to the logout: addresses have a limit in proxies.
const LONGEST_HINT: usize = 6_000;
/// Most characters of a code of the provider's that are repeated.
const SHOWN: usize = 80;

/// A login that has begun.
#[derive(Debug)]
pub struct Begun {
    /// Where the browser goes.
    pub url: Url,
    /// The key of the login, for this browser only.
    pub key: String,
}

/// What the provider sends a browser back with.
#[derive(Debug, Default, Clone)]
pub struct Answer {
    /// `code`
    pub code: Option<String>,
    /// `state`
    pub state: Option<String>,
    /// `iss`
    pub issuer: Option<String>,
    /// `error`
    pub error: Option<String>,
}

/// A person who has logged in at the provider.
#[derive(Debug)]
pub struct Login {
    /// The provider's issuer identifier.
    pub issuer: String,
    /// The person there.
    pub subject: String,
    /// The name of the account.
    pub name: Name,
    /// The grants of its groups.
    pub grants: Grants,
    /// The provider's session.
    pub sid: Option<String>,
    /// The provider's proof of the login.
    pub id_token: String,
    /// Where the person goes on.
    pub return_to: ReturnTo,
}

/// An `OpenID` Connect provider, and this product as its client.
#[derive(Debug)]
pub struct Provider {
    settings: Settings,
    client: ClientId,
    answer_at: RedirectUrl,
    directory: Arc<Directory>,
    pending: Mutex<PendingLogins>,
    replays: Mutex<Replays>,
}

impl Provider {
    /// A provider that is asked nothing yet.
    ///
    /// # Errors
    /// When the settings cannot be used.
    pub fn new(settings: Settings) -> Result<Self, SettingsError> {
        let refused = || SettingsError::Issuer(settings.issuer.clone());
        let issuer = IssuerUrl::new(settings.issuer.clone()).map_err(|_| refused())?;
        if !is_secure(issuer.url()) || issuer.url().query().is_some() || issuer.url().fragment().is_some() {
            return Err(refused());
        }
        let http = Http::new(settings.authorities.as_deref())?;
        Ok(Self {
            client: ClientId::new(settings.client.clone()),
            answer_at: RedirectUrl::from_url(settings.answer_at.clone()),
            directory: Arc::new(Directory::new(issuer, http)),
            pending: Mutex::default(),
            replays: Mutex::default(),
            settings,
        })
    }

    /// The provider's name for people.
    #[must_use]
    pub fn label(&self) -> &str {
        &self.settings.label
    }

    /// Its issuer identifier.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.settings.issuer
    }

    /// The page, where it leads after a logout.
    #[must_use]
    pub const fn page(&self) -> &Url {
        &self.settings.after_logout
    }

    /// Where browsers bring its answers.
    #[must_use]
    pub const fn answer_at(&self) -> &Url {
        &self.settings.answer_at
    }

    /// Begins a login of a client at the address `from`.
    ///
    /// # Errors
    /// When the provider cannot be used.
    pub async fn begin(&self, return_to: ReturnTo, from: IpAddr, now: Timestamp) -> Result<Begun, SignOnError> {
        let known = self.directory.fresh(now).await?;
        let client = CoreClient::from_provider_metadata(known.metadata.clone(), self.client.clone(), None)
            .set_redirect_uri(self.answer_at.clone());
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let request = client.authorize_url(
            CoreAuthenticationFlow::AuthorizationCode,
            || CsrfToken::new_random_len(KEY),
            || Nonce::new_random_len(KEY),
        );
        let scopes = self.settings.scopes.iter().cloned().map(Scope::new);
        let (url, state, nonce) = request.add_scopes(scopes).set_pkce_challenge(challenge).url();
        let key = CsrfToken::new_random_len(KEY).into_secret();
        self.pending().put(key.clone(), Pending { state, nonce, verifier, return_to, from, began: now });
        Ok(Begun { url, key })
    }

    /// Finishes the login with that key, whatever the result: it can be tried once.
    ///
    /// # Errors
    /// Why nobody has logged in.
    pub async fn finish(&self, key: &str, answer: Answer, now: Timestamp) -> Result<Login, SignOnError> {
        let Pending { state, nonce, verifier, return_to, .. } =
            self.pending().take(key, now).ok_or(SignOnError::NotBegun)?;
        if answer.state.as_deref() != Some(state.secret()) {
            return Err(SignOnError::OtherLogin("`state` differs"));
        }
        if answer.issuer.is_some_and(|issuer| issuer != self.settings.issuer) {
            return Err(SignOnError::OtherLogin("`iss` is another provider"));
        }
        if let Some(code) = answer.error {
            return Err(SignOnError::Refused(shown(&code)));
        }
        let code = answer.code.ok_or(SignOnError::OtherLogin("`code` is missing"))?;
        let known = self.directory.fresh(now).await?;
        let answer = self.exchange(&known, code, verifier).await?;
        let Verified { subject, sid, claims, text } = self
            .with_keys(known, now, |known| {
                id_token::verify(&answer, known, self.directory.issuer(), &self.client, &nonce, now)
            })
            .await?;
        let name = claims::name(&claims, &self.settings.name)?;
        let grants = claims::grants(&claims, &self.settings.groups, &self.settings.grants, &name)?;
        Ok(Login { issuer: self.settings.issuer.clone(), subject, name, grants, sid, id_token: text, return_to })
    }

    /// Where a browser goes to end the provider's session as well; none where the provider has no such address. It waits for nothing: what
    /// is not known yet is fetched for the next time.
    #[must_use]
    pub fn logout_url(&self, id_token: &str, now: Timestamp) -> Option<Url> {
        let Some(known) = self.directory.latest() else {
            let directory = self.directory.clone();
            tokio::spawn(async move { directory.fresh(now).await.map(drop) });
            return None;
        };
        let mut url = known.metadata.additional_metadata().end_session_endpoint.as_ref()?.url().clone();
        let mut query = url.query_pairs_mut();
        if id_token.len() <= LONGEST_HINT {
            query.append_pair("id_token_hint", id_token);
        }
        query.append_pair("client_id", &self.settings.client);
        query.append_pair("post_logout_redirect_uri", self.settings.after_logout.as_str());
        drop(query);
        Some(url)
    }

    /// The sessions that the provider ends with a logout token, which is good for once.
    ///
    /// # Errors
    /// When it is no logout token of the provider, or was used.
    pub async fn back_channel_logout(&self, token: &str, now: Timestamp) -> Result<Ended, SignOnError> {
        let known = self.directory.known(now).await?;
        let read =
            |known: &Known| logout_token::read(token, &known.keys, &self.settings.issuer, &self.settings.client, now);
        let ended = self.with_keys(known, now, read).await?;
        let mut replays = self.replays.lock().unwrap_or_else(PoisonError::into_inner);
        match replays.note(&ended.jti, ended.expires, now) {
            true => Ok(ended),
            false => Err(SignOnError::Token("was used before".into())),
        }
    }

    /// Nothing could be ended: the provider may send the same token again.
    pub fn forget(&self, ended: &Ended) {
        self.replays.lock().unwrap_or_else(PoisonError::into_inner).forget(&ended.jti);
    }

    /// Reads a token, with the provider's present keys if its key is not known.
    async fn with_keys<T>(
        &self,
        known: Arc<Known>,
        now: Timestamp,
        read: impl Fn(&Known) -> Result<T, NotOpened>,
    ) -> Result<T, SignOnError> {
        let unknown = || SignOnError::Token("is signed with a key that the provider does not publish".into());
        match read(&known) {
            Err(NotOpened::UnknownKey) => {
                let newer = self.directory.with_new_keys(&known, now).await?.ok_or_else(unknown)?;
                read(&newer)
            }
            read => read,
        }
        .map_err(|error| match error {
            NotOpened::UnknownKey => unknown(),
            NotOpened::Refused(error) => error,
        })
    }

    /// Exchanges the code for tokens.
    async fn exchange(
        &self,
        known: &Known,
        code: String,
        verifier: PkceCodeVerifier,
    ) -> Result<CoreTokenResponse, SignOnError> {
        let secret = ClientSecret::new(self.settings.secret.to_string());
        let metadata = known.metadata.clone();
        // As RFC 6749 has it, unless the provider says that it takes the other way only.
        let methods = metadata.token_endpoint_auth_methods_supported();
        let has = |wanted| methods.is_some_and(|methods| methods.contains(&wanted));
        let is_in_body = has(CoreClientAuthMethod::ClientSecretPost) && !has(CoreClientAuthMethod::ClientSecretBasic);
        let client = CoreClient::from_provider_metadata(metadata, self.client.clone(), Some(secret))
            .set_redirect_uri(self.answer_at.clone())
            .set_auth_type(if is_in_body { AuthType::RequestBody } else { AuthType::BasicAuth });
        let request = client.exchange_code(AuthorizationCode::new(code));
        let request = request.map_err(|error| SignOnError::Away(reasons(&error)))?.set_pkce_verifier(verifier);
        request.request_async(self.directory.http()).await.map_err(|error| match error {
            RequestTokenError::ServerResponse(refusal) => {
                let code = serde_json::to_value(refusal.error()).ok();
                SignOnError::Refused(shown(code.as_ref().and_then(|code| code.as_str()).unwrap_or("no code")))
            }
            RequestTokenError::Request(error) => SignOnError::Away(reasons(&error)),
            RequestTokenError::Parse(error, _) => {
                SignOnError::Away(format!("its answer to the code cannot be read, at `{}`", error.path()))
            }
            RequestTokenError::Other(error) => SignOnError::Away(shown(&error)),
        })
    }

    fn pending(&self) -> MutexGuard<'_, PendingLogins> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn shown(text: &str) -> String {
    let is_shown = |c: &char| {
        let mut bytes = [0; 4];
        let text = &*c.encode_utf8(&mut bytes);
        vedette_core::printable(text) == text
    };
    text.chars().filter(is_shown).take(SHOWN).collect()
}
