//! HTTP POST requests: the body is a `CloudEvents` 1.0 event in structured JSON with the alert as its data, the signature that
//! of Standard Webhooks 1.0. Redirects are not followed; link-local and metadata addresses are never contacted.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use reqwest::StatusCode;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use serde::Deserialize;
use sha2::Sha256;
use url::{Host, Url};
use vedette_console::BasePath;
use vedette_core::{Alert, Span, ValidationErrors, ViolationInfo, violations};
use vedette_runtime::clock;

use super::SinkKind;
use super::deliver::{Deliver, Undelivered};
use super::error::SinkError;
use super::event;
use super::filter::Only;

/// Bytes of a response that are shown to people.
const SHOWN: usize = 200;
/// Longest retry delay that a receiver may request.
const LONGEST_PAUSE: Duration = Duration::from_secs(3_600);
/// An idle connection is closed after this time. Many servers close theirs after five seconds, and a request that meets that fails.
const IDLE: Duration = Duration::from_secs(2);

/// `kind = "webhook"`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookSettings {
    /// Its name.
    pub name: String,
    /// The filter of alerts.
    #[serde(default)]
    pub only: Only,
    /// The target URL, `https://...`; `http://...` on a trusted network.
    pub url: String,
    /// Environment variable that holds the secret, `whsec_` and 24 to 64 bytes in base 64.
    pub secret_env: String,
    /// Longest wait for a response.
    #[serde(default = "ten_seconds")]
    pub timeout: Span,
}

fn ten_seconds() -> Span {
    Span::from_secs(10)
}

impl SinkKind for WebhookSettings {
    fn violations() -> &'static [ViolationInfo] {
        WebhookRule::ALL
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn only(&self) -> &Only {
        &self.only
    }

    fn secret_env(&self) -> Option<(&'static str, &str)> {
        Some(("secret_env", &self.secret_env))
    }

    fn check(&self, found: &mut ValidationErrors) {
        match Url::parse(&self.url) {
            // The value is not repeated: it holds a secret.
            Ok(url) if !url.username().is_empty() || url.password().is_some() => {
                found.add("url", "", WebhookRule::Credentials);
            }
            Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => {
                let forbidden = literal(&url).is_some_and(is_forbidden);
                found.check(!forbidden, "url", &self.url, WebhookRule::ForbiddenAddress);
            }
            // A password with special characters does not parse; it is not repeated either.
            _ if self.url.contains('@') => found.add("url", "", WebhookRule::Credentials),
            _ => found.add("url", &self.url, WebhookRule::Url),
        }
        found.check(!self.secret_env.is_empty(), "secret_env", "", WebhookRule::NoSecret);
        found.span("timeout", self.timeout, Span::from_millis(100), Span::from_secs(120));
    }

    fn open(&self, base: &BasePath) -> Result<Arc<dyn Deliver>, SinkError> {
        Ok(Arc::new(Webhook::open(self, base)?))
    }
}

violations! {
    enum WebhookRule {
        Credentials = "webhook.credentials": "a sink's address holds no credentials", "remove user and password";
        ForbiddenAddress = "webhook.forbidden-address": "no sink sends to link-local, multicast and metadata addresses",
            "give the address of the receiver itself";
        Url = "webhook.url": "this is not a valid https:// URL", "write https://HOST/PATH";
        NoSecret = "webhook.no-secret": "a webhook needs a secret",
            "name the environment variable that holds it";
    }
}

/// Why a webhook whose secret is usable cannot be opened.
#[derive(Debug, thiserror::Error)]
enum OpenError {
    #[error("creating the HTTP client")]
    Client(#[source] reqwest::Error),
    #[error("the receiver's address")]
    Address(#[source] url::ParseError),
}

impl From<OpenError> for SinkError {
    fn from(error: OpenError) -> Self {
        Self::Kind(Box::new(error))
    }
}

/// The IP address that a URL contains literally.
fn literal(url: &Url) -> Option<IpAddr> {
    match url.host()? {
        Host::Ipv4(address) => Some(address.into()),
        Host::Ipv6(address) => Some(address.into()),
        Host::Domain(_) => None,
    }
}

/// The metadata service of Alibaba Cloud, which is not link-local like that of other clouds.
const METADATA_OF_ALIBABA: Ipv4Addr = Ipv4Addr::new(100, 100, 100, 200);

/// Addresses that are never a receiver: they reach the machine's own network services.
fn is_forbidden(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            address.is_link_local()
                || address.is_unspecified()
                || address.is_multicast()
                || address.is_broadcast()
                || address == METADATA_OF_ALIBABA
        }
        IpAddr::V6(address) => {
            let metadata = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);
            address.to_ipv4_mapped().is_some_and(|mapped| is_forbidden(mapped.into()))
                || address.is_unicast_link_local()
                || address.is_unspecified()
                || address.is_multicast()
                || address == metadata
        }
    }
}

/// Resolves names to permitted addresses; connections go to exactly the resolved addresses.
struct Resolver;

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let allowed: Vec<SocketAddr> = found.filter(|address| !is_forbidden(address.ip())).collect();
            if allowed.is_empty() {
                return Err(format!("`{}` has no address that may be talked to", name.as_str()).into());
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

/// An opened receiver.
struct Webhook {
    client: reqwest::Client,
    url: Url,
    secret: Secret,
    /// Of the console to which links lead.
    base: BasePath,
}

impl Webhook {
    fn open(settings: &WebhookSettings, base: &BasePath) -> Result<Self, SinkError> {
        let variable = &settings.secret_env;
        let (sink, variable) = (settings.name.clone(), variable.clone());
        let secret = std::env::var(&variable).map_err(|source| SinkError::NoSecret {
            sink: sink.clone(),
            variable: variable.clone(),
            source,
        })?;
        let secret =
            Secret::parse(&secret).map_err(|rule| SinkError::Secret { sink, variable, rule: rule.to_string() })?;
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .dns_resolver(Arc::new(Resolver))
            .timeout(settings.timeout.to_std())
            .pool_idle_timeout(IDLE)
            .user_agent(concat!("vedette/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(OpenError::Client)?;
        Ok(Self { client, url: Url::parse(&settings.url).map_err(OpenError::Address)?, secret, base: base.clone() })
    }
}

#[async_trait]
impl Deliver for Webhook {
    async fn deliver(&self, alert: &Alert) -> Result<(), Undelivered> {
        let id = event::id(alert);
        let body = event::json(alert, &self.base).to_string();
        // The time of the attempt, not of the event: receivers refuse old requests.
        let timestamp = clock::now().as_millis() / 1_000;
        let request = self
            .client
            .post(self.url.clone())
            .header("content-type", "application/cloudevents+json; charset=utf-8")
            .header("webhook-id", &id)
            .header("webhook-timestamp", timestamp)
            .header("webhook-signature", self.secret.sign(&id, timestamp, &body))
            .body(body);
        match request.send().await {
            Ok(response) => judge(response).await,
            // Without the URL, whose query may hold a secret.
            Err(error) => Err(Undelivered::Retry { after: None, why: chain(&error.without_url()) }),
        }
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

/// Classifies a response. Responses about the request's content refuse the alert; all others concern the receiver, which may
/// recover or be reconfigured.
async fn judge(mut response: reqwest::Response) -> Result<(), Undelivered> {
    let status = response.status();
    if status.is_success() {
        return Ok(());
    }
    let after = response.headers().get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok());
    let after = after.map(|seconds| Duration::from_secs(seconds).min(LONGEST_PAUSE));
    let said = response.chunk().await.ok().flatten().unwrap_or_default();
    let said: String = String::from_utf8_lossy(&said).chars().filter(|c| !c.is_control()).take(SHOWN).collect();
    let why = format!("the receiver answered {status}: {said}");
    match status {
        StatusCode::BAD_REQUEST
        | StatusCode::PAYLOAD_TOO_LARGE
        | StatusCode::UNSUPPORTED_MEDIA_TYPE
        | StatusCode::UNPROCESSABLE_ENTITY => Err(Undelivered::Refused(why)),
        _ => Err(Undelivered::Retry { after, why }),
    }
}

/// The secret shared by receiver and sender.
struct Secret(Vec<u8>);

impl Secret {
    fn parse(text: &str) -> Result<Self, &'static str> {
        const RULE: &str =
            "a secret is `whsec_` and 24 to 64 bytes in base 64, as in `whsec_$(openssl rand -base64 32)`";
        let bytes = text.trim().strip_prefix("whsec_").and_then(|encoded| STANDARD.decode(encoded).ok()).ok_or(RULE)?;
        if (24..=64).contains(&bytes.len()) { Ok(Self(bytes)) } else { Err(RULE) }
    }

    fn sign(&self, id: &str, timestamp: i64, body: &str) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes keys of any length");
        mac.update(format!("{id}.{timestamp}.{body}").as_bytes());
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_that_of_the_specification() {
        // The example of Standard Webhooks 1.0.
        let secret = Secret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let signed = secret.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, r#"{"test": 2432232314}"#);
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn secrets_that_are_none_are_refused() {
        for wrong in ["", "whsec_", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_AAAA", "whsec_!!!"] {
            assert!(Secret::parse(wrong).is_err(), "{wrong}");
        }
        let long = format!("whsec_{}", STANDARD.encode([7; 65]));
        assert!(Secret::parse(&long).is_err());
    }

    #[test]
    fn addresses_that_reach_the_machines_own_services_are_refused() {
        for wrong in [
            "169.254.169.254",
            "100.100.100.200",
            "::ffff:100.100.100.200",
            "0.0.0.0",
            "224.0.0.1",
            "fe80::1",
            "::ffff:169.254.169.254",
            "fd00:ec2::254",
            "::",
        ] {
            assert!(is_forbidden(wrong.parse().unwrap()), "{wrong}");
        }
        for right in ["127.0.0.1", "100.100.100.201", "10.1.2.3", "192.168.1.1", "::1", "2001:db8::1", "fd12::1"] {
            assert!(!is_forbidden(right.parse().unwrap()), "{right}");
        }
    }

    #[test]
    fn every_mistake_of_an_entry_is_said() {
        let mistakes = |settings: WebhookSettings| {
            let mut found = ValidationErrors::default();
            settings.check(&mut found);
            found.into_vec()
        };
        let settings = |url: &str| WebhookSettings {
            name: "police".into(),
            only: Only::default(),
            url: url.into(),
            secret_env: "SECRET".into(),
            timeout: ten_seconds(),
        };
        assert_eq!(mistakes(settings("https://police.example/alerts")), []);
        for wrong in
            ["ftp://a/b", "police.example", "https://u:p@a/b", "http://169.254.169.254/latest", "http://[fe80::1]/"]
        {
            let found = mistakes(settings(wrong));
            assert_eq!(found.len(), 1, "{wrong}: {found:?}");
            assert!(!found[0].value.contains("u:p"), "{found:?}");
        }
        let wrong = WebhookSettings { secret_env: String::new(), timeout: Span::ZERO, ..settings("https://a/b") };
        assert_eq!(mistakes(wrong).len(), 2);
    }
}
