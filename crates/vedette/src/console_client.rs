//! The API of the running console, as commands use it.

use std::fmt;
use std::time::Duration;

use anyhow::Context;
use serde::de::DeserializeOwned;
use serde_json::Value;
use url::Url;
use vedette_core::printable;

use crate::config::Config;

/// Longer than the workers may take.
const TIMEOUT: Duration = Duration::from_secs(60);
/// The environment variable with the token of this program.
const TOKEN: &str = "VEDETTE_TOKEN";

/// The running console.
pub(crate) struct ConsoleClient {
    client: reqwest::Client,
    /// Ends with a slash.
    api: Url,
    /// The token of this program, once the site has accounts.
    token: Option<String>,
}

/// A problem of the console.
#[derive(Debug)]
pub(crate) struct Refused(Value);

impl ConsoleClient {
    /// At an address, or else at that of the configuration on this machine.
    pub(crate) fn of(console: Option<&Url>, config: &Config) -> anyhow::Result<Self> {
        let settings = &config.settings.console;
        let base = match console {
            Some(url) => url.clone(),
            None => {
                let mut address = settings.listen;
                if address.ip().is_unspecified() {
                    address.set_ip(match address {
                        std::net::SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
                        std::net::SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
                    });
                }
                format!("http://{address}{}", settings.base_path()).parse().context("the console's address")?
            }
        };
        let api = format!("{}/api/v1/", base.as_str().trim_end_matches('/'));
        let api =
            api.parse().with_context(|| format!("`{api}` is not a valid URL; give --console http://HOST:PORT"))?;
        let client = reqwest::Client::builder().timeout(TIMEOUT).redirect(reqwest::redirect::Policy::none());
        let token = std::env::var(TOKEN).ok().filter(|token| !token.is_empty());
        Ok(Self { client: client.build().context("preparing the connection")?, api, token })
    }

    /// The name under which a command acts; none with a token, which has a name of its own.
    pub(crate) fn signature<'a>(&self, name: &'a str) -> Option<&'a str> {
        self.token.is_none().then_some(name)
    }

    /// Posts JSON to a path of the API, on the condition that the version of this tag is the newest; gives the answer.
    ///
    /// # Errors
    /// When nobody answers; [`Refused`] for a problem of the console.
    pub(crate) async fn post(&self, path: &str, body: String, if_match: Option<String>) -> anyhow::Result<String> {
        let url = self.api.join(path).with_context(|| format!("`{path}` is no path of the API"))?;
        let mut request = self.client.post(url.clone()).header("content-type", "application/json").body(body);
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        if let Some(tag) = if_match {
            request = request.header("if-match", tag);
        }
        let response = request.send().await.with_context(|| {
            format!("no answer of {url}; start the product, or give the console's address with --console")
        })?;
        let is_success = response.status().is_success();
        let (status, text) = (response.status(), response.text().await.context("reading the console's answer")?);
        if is_success {
            return Ok(text);
        }
        match serde_json::from_str(&text) {
            Ok(problem) => Err(Refused(problem).into()),
            Err(_) => anyhow::bail!("{url} answers {status}"),
        }
    }

    /// An answer.
    ///
    /// # Errors
    /// When it is another program's.
    pub(crate) fn read<T: DeserializeOwned>(&self, answer: &str) -> anyhow::Result<T> {
        serde_json::from_str(answer).with_context(|| format!("{} is another program", self.api))
    }
}

impl Refused {
    /// The code of the problem.
    pub(crate) fn code(&self) -> &str {
        self.0["code"].as_str().unwrap_or_default()
    }
}

impl std::error::Error for Refused {}

/// For people, with the reasons of cameras.
impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = |of: &Value, name: &str| printable(of[name].as_str().unwrap_or_default()).into_owned();
        write!(f, "{}; {}", word(&self.0, "detail"), word(&self.0, "fix"))?;
        for refusal in self.0["refusals"].as_array().into_iter().flatten() {
            let camera = refusal["camera"].as_str().map(|camera| format!("camera {camera}, ")).unwrap_or_default();
            write!(
                f,
                "\n  {}{} = {}: {}; {}",
                printable(&camera),
                word(refusal, "path"),
                word(refusal, "value"),
                word(refusal, "rule"),
                word(refusal, "fix")
            )?;
        }
        match self.0["more_refusals"].as_u64() {
            Some(more) => write!(f, "\n  and {more} others"),
            None => Ok(()),
        }
    }
}
