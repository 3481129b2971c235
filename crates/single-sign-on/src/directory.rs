use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use openidconnect::core::CoreJsonWebKeySet;
use openidconnect::{IssuerUrl, JsonWebKeySet, ProviderMetadataWithLogout};
use tokio::sync::Mutex;
use vedette_core::{Span, Timestamp};

use crate::error::SignOnError;
use crate::http::{Http, reasons};
use crate::keys::in_full_length;
use crate::settings::is_secure;

/// What is known of the provider is asked again after so long: whether it is there, too.
const FRESH: Span = Span::from_secs(60);
/// A provider that does not answer is not asked again for so long.
const PAUSE: Span = Span::from_secs(5);
/// For an unknown key, the keys are fetched once in so long: anybody can send a token with an unknown key.
const KEYS_EVERY: Span = Span::from_secs(10);

/// What the provider says of itself, with its keys.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) metadata: ProviderMetadataWithLogout,
    pub(crate) keys: CoreJsonWebKeySet,
}

/// Fetches and keeps what the provider says of itself. One fetch at a time, for which all wait.
#[derive(Debug)]
pub(crate) struct Directory {
    issuer: IssuerUrl,
    http: Http,
    held: Mutex<Held>,
    latest: RwLock<Option<Arc<Known>>>,
    /// How often the provider was asked about itself.
    asked: AtomicU64,
}

#[derive(Debug, Default)]
struct Held {
    known: Option<(Timestamp, Arc<Known>)>,
    failed: Option<(Timestamp, SignOnError)>,
    keys_fetched: Option<Timestamp>,
}

impl Directory {
    pub(crate) fn new(issuer: IssuerUrl, http: Http) -> Self {
        Self { issuer, http, held: Mutex::default(), latest: RwLock::default(), asked: AtomicU64::new(0) }
    }

    pub(crate) const fn issuer(&self) -> &IssuerUrl {
        &self.issuer
    }

    pub(crate) const fn http(&self) -> &Http {
        &self.http
    }

    /// What is known, a minute old at most: so that nobody is sent to a provider that is away.
    pub(crate) async fn fresh(&self, now: Timestamp) -> Result<Arc<Known>, SignOnError> {
        let before = self.asked.load(Ordering::Relaxed);
        let mut held = self.held.lock().await;
        // Whoever waited while it was asked takes the result: asked again for each in turn, a silent provider would make a long queue.
        let is_answered = self.asked.load(Ordering::Relaxed) != before;
        if let Some((at, known)) = &held.known
            && is_within(*at, now, FRESH)
        {
            return Ok(known.clone());
        }
        if let Some((at, error)) = &held.failed
            && (is_answered || is_within(*at, now, PAUSE))
        {
            return Err(error.clone());
        }
        let discovered = self.discover().await;
        self.asked.fetch_add(1, Ordering::Relaxed);
        match discovered {
            Ok(known) => {
                let known = Arc::new(known);
                (held.known, held.failed) = (Some((now, known.clone())), None);
                self.set_latest(&known);
                Ok(known)
            }
            Err(error) => {
                tracing::warn!(issuer = self.issuer.as_str(), reason = %error, "single sign-on: the provider cannot be used");
                held.failed = Some((now, error.clone()));
                Err(error)
            }
        }
    }

    /// What is known, however old; it is fetched only if nothing is.
    pub(crate) async fn known(&self, now: Timestamp) -> Result<Arc<Known>, SignOnError> {
        match self.latest() {
            Some(known) => Ok(known),
            None => self.fresh(now).await,
        }
    }

    /// What is known, without waiting.
    pub(crate) fn latest(&self) -> Option<Arc<Known>> {
        self.latest.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_latest(&self, known: &Arc<Known>) {
        *self.latest.write().unwrap_or_else(PoisonError::into_inner) = Some(known.clone());
    }

    /// What is known with the keys of now, after a token came with a key that is not among those `before`; none when they were fetched a
    /// moment ago.
    pub(crate) async fn with_new_keys(
        &self,
        before: &Arc<Known>,
        now: Timestamp,
    ) -> Result<Option<Arc<Known>>, SignOnError> {
        let mut held = self.held.lock().await;
        // Somebody else fetched them meanwhile.
        if let Some((_, known)) = &held.known
            && !Arc::ptr_eq(known, before)
        {
            return Ok(Some(known.clone()));
        }
        if held.keys_fetched.is_some_and(|at| is_within(at, now, KEYS_EVERY)) {
            return Ok(None);
        }
        held.keys_fetched = Some(now);
        let keys = JsonWebKeySet::fetch_async(before.metadata.jwks_uri(), &self.http).await;
        let keys = keys.map_err(|error| SignOnError::Away(format!("its keys: {}", reasons(&error))))?;
        let known = Arc::new(Known { metadata: before.metadata.clone(), keys: in_full_length(&keys) });
        if let Some(kept) = &mut held.known {
            kept.1 = known.clone();
        }
        self.set_latest(&known);
        Ok(Some(known))
    }

    async fn discover(&self) -> Result<Known, SignOnError> {
        let asked = ProviderMetadataWithLogout::discover_async(self.issuer.clone(), &self.http).await;
        let metadata = asked.map_err(|error| SignOnError::Away(reasons(&error)))?;
        let token = metadata.token_endpoint().ok_or_else(|| SignOnError::Away("it names no token endpoint".into()))?;
        let end = metadata.additional_metadata().end_session_endpoint.as_ref();
        let named = [metadata.authorization_endpoint().url(), token.url()].into_iter().chain(end.map(|end| end.url()));
        for url in named {
            if !is_secure(url) {
                return Err(SignOnError::Away(format!("it names {url}, which has no TLS")));
            }
        }
        Ok(Known { keys: in_full_length(metadata.jwks()), metadata })
    }
}

fn is_within(at: Timestamp, now: Timestamp, span: Span) -> bool {
    (Span::ZERO..span).contains(&now.since(at))
}
