//! `[console.access.single_sign_on]`: people log in at an `OpenID` Connect provider.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;
use url::Url;
use vedette_access::{Grant, Grants};
use vedette_console::{BasePath, HostPort};
use vedette_core::{ValidationErrors, violations};
use vedette_single_sign_on::{ClaimPath, Provider, Settings, SettingsError, is_secure};

/// Where the section is, as seen from `[console]`.
const SECTION: &str = "access.single_sign_on";
/// Most characters of the provider's name for people.
const LONGEST_LABEL: usize = 40;

/// `[console.access.single_sign_on]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SingleSignOnSettings {
    /// The provider's issuer identifier, to the letter as it names itself.
    pub issuer: String,
    /// The client's id there.
    pub client_id: String,
    /// Environment variable with the client's secret.
    pub secret_env: String,
    /// The address of the page, as browsers open it.
    pub page: String,
    /// The roles of each group, as for `vedette user add --grant`.
    pub grants: BTreeMap<String, Vec<String>>,
    /// The claim with the groups.
    #[serde(default = "groups")]
    pub groups: String,
    /// The claim with the name of the account.
    #[serde(default = "name")]
    pub name: String,
    /// Scopes besides `openid`.
    #[serde(default = "scopes")]
    pub scopes: Vec<String>,
    /// The provider's name on the button of the page.
    #[serde(default = "label")]
    pub label: String,
    /// Certificates of authorities that the provider's certificate may be of, besides those of the system, PEM.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
}

fn groups() -> String {
    "groups".into()
}

fn name() -> String {
    "preferred_username".into()
}

fn scopes() -> Vec<String> {
    vec!["profile".into()]
}

fn label() -> String {
    "single sign-on".into()
}

/// Why a provider cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SingleSignOnError {
    /// The environment variable of the secret is not set.
    #[error(
        "console.access.{SECTION_NAME}.secret_env names an environment variable that is not set; set it to the client's secret"
    )]
    Secret(#[source] std::env::VarError),
    /// The certificates cannot be read.
    #[error("console.access.{SECTION_NAME}.ca_file: {} cannot be read", path.display())]
    Authorities {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: std::io::Error,
    },
    /// A setting cannot be used.
    #[error("console.access.{SECTION_NAME}: {0}")]
    Settings(#[from] SettingsError),
    /// A setting that [`SingleSignOnSettings::check`] refuses.
    #[error("console.access.{SECTION_NAME}: a setting is wrong; run `vedette check`")]
    Unchecked,
}

const SECTION_NAME: &str = "single_sign_on";

impl SingleSignOnSettings {
    /// Adds the mistakes of the section.
    pub(super) fn check(&self, base: &str, hosts: &[String], found: &mut ValidationErrors) {
        let path = |field: &str| format!("{SECTION}.{field}");
        let secure = |text: &str| {
            text.parse::<Url>().ok().filter(|url| is_secure(url) && url.query().is_none() && url.fragment().is_none())
        };
        found.check(secure(&self.issuer).is_some(), &path("issuer"), &self.issuer, SingleSignOnRule::Issuer);
        found.check(!self.client_id.is_empty(), &path("client_id"), "", SingleSignOnRule::Client);
        found.check(!self.secret_env.is_empty(), &path("secret_env"), "", SingleSignOnRule::Secret);
        match secure(&self.page) {
            None => found.add(path("page"), &self.page, SingleSignOnRule::Page),
            Some(page) => {
                let base = base.trim_end_matches('/');
                let fits = page.path().trim_end_matches('/') == base;
                found.check(fits, &path("page"), &self.page, SingleSignOnRule::PagePath { base: format!("{base}/") });
                let named = authority(&page);
                let is_known = named.parse::<HostPort>().is_ok_and(|host| host.is_loopback())
                    || page.domain().is_none()
                    || hosts.iter().any(|host| {
                        host.eq_ignore_ascii_case(&named) || Some(host.to_ascii_lowercase().as_str()) == page.domain()
                    });
                found.check(is_known, &path("page"), &self.page, SingleSignOnRule::PageHost { host: named });
            }
        }
        for (field, text) in [("groups", &self.groups), ("name", &self.name)] {
            found.check(ClaimPath::read(text).is_some(), &path(field), text, SingleSignOnRule::Claim);
        }
        for (index, scope) in self.scopes.iter().enumerate() {
            let is_scope =
                !scope.is_empty() && scope.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\'));
            found.check(is_scope, &path(&format!("scopes[{index}]")), scope, SingleSignOnRule::Scope);
        }
        let is_label = !self.label.trim().is_empty()
            && self.label.chars().count() <= LONGEST_LABEL
            && !self.label.chars().any(char::is_control);
        found.check(is_label, &path("label"), &self.label, SingleSignOnRule::Label { most: LONGEST_LABEL });
        found.check(!self.grants.is_empty(), &path("grants"), "", SingleSignOnRule::NoGrants);
        for (group, texts) in &self.grants {
            if let Err(violation) = grants(texts) {
                found.add(path(&format!("grants.{group}")), texts.join(", "), violation);
            }
        }
    }

    /// The provider.
    ///
    /// # Errors
    /// When the secret is not set, the certificates cannot be read, or a setting is wrong.
    pub fn provider(&self, base: &BasePath) -> Result<Provider, SingleSignOnError> {
        let secret = std::env::var(&self.secret_env).map_err(SingleSignOnError::Secret)?;
        let read = |path: &PathBuf| {
            std::fs::read(path).map_err(|source| SingleSignOnError::Authorities { path: path.clone(), source })
        };
        let page: Url = self.page.parse().map_err(|_| SingleSignOnError::Unchecked)?;
        let below = |path: &str| page.join(&base.join(path)).map_err(|_| SingleSignOnError::Unchecked);
        let claim = |text: &str| ClaimPath::read(text).ok_or(SingleSignOnError::Unchecked);
        let mapped = self.grants.iter().map(|(group, texts)| Ok((group.clone(), grants(texts)?)));
        Ok(Provider::new(Settings {
            issuer: self.issuer.clone(),
            client: self.client_id.clone(),
            secret: secret.into(),
            scopes: self.scopes.clone(),
            name: claim(&self.name)?,
            groups: claim(&self.groups)?,
            grants: mapped.collect::<Result<_, vedette_core::Violation>>().map_err(|_| SingleSignOnError::Unchecked)?,
            authorities: self.ca_file.as_ref().map(read).transpose()?,
            answer_at: below("/api/v1/session/answer")?,
            after_logout: below("/")?,
            label: self.label.clone(),
        })?)
    }
}

fn grants(texts: &[String]) -> Result<Grants, vedette_core::Violation> {
    Grants::new(texts.iter().map(|text| text.parse()).collect::<Result<Vec<Grant>, _>>()?)
}

/// Host and port as in `Host`.
fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

violations! {
    pub(crate) enum SingleSignOnRule {
        Issuer = "single-sign-on.issuer": "it is no https address; http is for a provider on this machine only",
            "write the issuer as the provider's /.well-known/openid-configuration has it, with or without a final slash";
        Client = "single-sign-on.client": "it is empty", "write the client's id at the provider";
        Secret = "single-sign-on.secret": "it is empty", "name the environment variable with the client's secret";
        Page = "single-sign-on.page": "it is no https address; http is for a page on this machine only",
            "write the address of the page as browsers open it, as in \"https://vedette.example\"";
        PagePath { base: String } = "single-sign-on.page-path": "its path is not the one of console.base_path, {base}",
            "write the same path in both";
        PageHost { host: String } = "single-sign-on.page-host": "the console is not opened as {host}", "add it to console.hosts";
        Claim = "single-sign-on.claim": "it is no name of a claim", "write the name of a claim, as in \"groups\" or \"realm_access.roles\"";
        Scope = "single-sign-on.scope": "it is no scope", "write each scope by itself, as in [\"profile\", \"email\"]";
        Label { most: usize } = "single-sign-on.label": "it is empty, has control characters or more than {most} characters",
            "write the provider's name as people know it";
        NoGrants = "single-sign-on.no-grants": "no group has a role, so nobody could log in",
            "write a line for each group, as in leads = [\"administrator\"]";
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mistakes(change: impl FnOnce(&mut SingleSignOnSettings)) -> Vec<(String, &'static str)> {
        let mut settings: SingleSignOnSettings = toml::from_str(
            "issuer = \"https://id.example/realms/site\"\nclient_id = \"vedette\"\nsecret_env = \"SSO\"\npage = \"https://vedette.example/v\"\n\
             [grants]\nleads = [\"administrator\"]\nguards = [\"operator@group:gates\", \"evidence@group:gates\"]",
        )
        .unwrap();
        change(&mut settings);
        let mut found = ValidationErrors::default();
        settings.check("/v", &["vedette.example".into(), "desk.example:8443".into()], &mut found);
        found.into_vec().into_iter().map(|error| (error.path, error.code)).collect()
    }

    #[test]
    fn each_mistake_is_named() {
        assert_eq!(mistakes(|_| ()), []);
        type Change = fn(&mut SingleSignOnSettings);
        let cases: [(Change, &str, &str); 14] = [
            (|it| it.issuer = "http://id.example".into(), "issuer", "single-sign-on.issuer"),
            (|it| it.issuer = "id.example".into(), "issuer", "single-sign-on.issuer"),
            (|it| it.client_id.clear(), "client_id", "single-sign-on.client"),
            (|it| it.secret_env.clear(), "secret_env", "single-sign-on.secret"),
            (|it| it.page = "http://vedette.example/v".into(), "page", "single-sign-on.page"),
            (|it| it.page = "https://vedette.example/".into(), "page", "single-sign-on.page-path"),
            (|it| it.page = "https://other.example/v".into(), "page", "single-sign-on.page-host"),
            (|it| it.page = "https://desk.example/v".into(), "page", "single-sign-on.page-host"),
            (|it| it.groups.clear(), "groups", "single-sign-on.claim"),
            (|it| it.scopes = vec!["profile email".into()], "scopes[0]", "single-sign-on.scope"),
            (|it| it.label = " ".into(), "label", "single-sign-on.label"),
            (|it| it.grants.clear(), "grants", "single-sign-on.no-grants"),
            (|it| drop(it.grants.insert("a".into(), vec!["chief".into()])), "grants.a", "access.role"),
            (|it| drop(it.grants.insert("a".into(), Vec::new())), "grants.a", "access.no-grants"),
        ];
        for (change, field, code) in cases {
            assert_eq!(mistakes(change), [(format!("{SECTION}.{field}"), code)]);
        }
        for page in
            ["https://desk.example:8443/v/", "http://127.0.0.1:8080/v", "http://localhost/v", "https://192.0.2.7/v"]
        {
            assert_eq!(mistakes(|it| it.page = page.into()), [], "{page}");
        }
        assert!(toml::from_str::<SingleSignOnSettings>("isuer = \"https://id.example\"").is_err());
    }
}
