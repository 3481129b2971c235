use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use openidconnect::{AsyncHttpClient, HttpRequest, HttpResponse, http};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client};

use crate::settings::{SettingsError, is_secure};

/// Most bytes of an answer.
const MOST: usize = 1024 * 1024;
/// Until a connection stands, and until an answer is whole.
const CONNECT: Duration = Duration::from_secs(5);
const WHOLE: Duration = Duration::from_secs(10);

/// Asks the provider. It follows no redirects: they could lead to what only this machine reaches.
#[derive(Debug)]
pub(crate) struct Http(Client);

/// Why the provider did not answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HttpError {
    #[error("{0} has no TLS")]
    Insecure(String),
    #[error("{0}")]
    Request(#[from] reqwest::Error),
    #[error("the answer has more than {MOST} bytes")]
    TooLarge,
    #[error("there is no whole answer after {} s", WHOLE.as_secs())]
    Slow,
    #[error("{0}")]
    Malformed(#[from] http::Error),
}

impl Http {
    pub(crate) fn new(authorities: Option<&[u8]>) -> Result<Self, SettingsError> {
        let mut client = Client::builder().redirect(Policy::none()).connect_timeout(CONNECT).timeout(WHOLE);
        if let Some(pem) = authorities {
            let refused = |error: reqwest::Error| SettingsError::Authorities(reasons(&error));
            let all = Certificate::from_pem_bundle(pem).map_err(refused)?;
            if all.is_empty() {
                return Err(SettingsError::Authorities("the file has none, in PEM".into()));
            }
            client = all.into_iter().fold(client, reqwest::ClientBuilder::add_root_certificate);
        }
        client.build().map(Self).map_err(|error| SettingsError::Client(reasons(&error)))
    }

    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let request = reqwest::Request::try_from(request)?;
        if !is_secure(request.url()) {
            return Err(HttpError::Insecure(request.url().to_string()));
        }
        tokio::time::timeout(WHOLE, self.whole(request)).await.map_err(|_| HttpError::Slow)?
    }

    async fn whole(&self, request: reqwest::Request) -> Result<HttpResponse, HttpError> {
        let mut answer = self.0.execute(request).await?;
        let mut body = Vec::new();
        while let Some(part) = answer.chunk().await? {
            if body.len() + part.len() > MOST {
                return Err(HttpError::TooLarge);
            }
            body.extend_from_slice(&part);
        }
        let mut response = http::Response::builder().status(answer.status());
        if let Some(headers) = response.headers_mut() {
            *headers = std::mem::take(answer.headers_mut());
        }
        Ok(response.body(body)?)
    }
}

impl<'c> AsyncHttpClient<'c> for Http {
    type Error = HttpError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.send(request))
    }
}

/// An error with its causes, in one line. What was received is not repeated.
pub(crate) fn reasons(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(300).collect()
}
