use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use postgres::Config;
use postgres::config::{SslMode, TargetSessionAttrs};

/// Server, database and user of a `PostgreSQL` alert store.
#[derive(Clone)]
pub struct PostgresServer {
    name: String,
    pub(super) config: Config,
}

/// The database address is unusable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{given}` is not a database for alerts: {rule}")]
pub struct PostgresServerError {
    /// The given address, without a password.
    given: String,
    /// The violated rule, and the remedy.
    rule: String,
}

impl PostgresServer {
    /// Parses `postgresql://USER@HOST[:PORT]/DATABASE`, with the further settings of libpq's connection URIs that make sense
    /// here (`connect_timeout`, `keepalives_idle`, several hosts, ...). It must not contain the password.
    ///
    /// # Errors
    /// When it is not such an address, contains a password, names no host, or requests TLS, which this program does not support
    /// for databases.
    pub fn new(address: &str, password: Option<&str>) -> Result<Self, PostgresServerError> {
        let refused = |rule: &str| PostgresServerError { given: without_password(address), rule: rule.to_owned() };
        let scheme = address.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
        if !scheme.is_some_and(|scheme| scheme == "postgresql" || scheme == "postgres") {
            return Err(refused("it begins with postgresql:// or postgres://"));
        }
        let address = &with_lower_scheme(address);
        let mut config = Config::from_str(address).map_err(|error| {
            let cause = std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string);
            refused(&format!("{cause}; write postgresql://USER@HOST:PORT/DATABASE"))
        })?;
        if config.get_password().is_some() {
            return Err(refused("it holds a password; take it out and put it into an environment variable"));
        }
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            return Err(refused("it names no host; write postgresql://USER@HOST:PORT/DATABASE"));
        }
        if config.get_ssl_mode() == SslMode::Require {
            return Err(refused(
                "it asks for TLS, which is not spoken to a database; leave `sslmode` out and use a network of your own, or a \
                 TLS proxy on this machine",
            ));
        }
        config.ssl_mode(SslMode::Disable).target_session_attrs(TargetSessionAttrs::ReadWrite);
        if let Some(password) = password {
            config.password(password);
        }
        if config.get_application_name().is_none() {
            config.application_name("vedette");
        }
        bound_waits(&mut config);
        Ok(Self { name: address.to_owned(), config })
    }

    /// Whether a setting is meant as the address of a server rather than a path: it begins with a scheme, in whatever letters, or
    /// has user and password in front of an `@`.
    #[must_use]
    pub fn is_address(setting: &str) -> bool {
        let scheme = setting.split_once(':').is_some_and(|(scheme, rest)| {
            rest.starts_with('/') && scheme.len() > 1 && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric())
        });
        scheme || setting.rfind('@').is_some_and(|at| setting[..at].contains(':'))
    }
}

fn with_lower_scheme(address: &str) -> String {
    match address.split_once("://") {
        Some((scheme, rest)) => format!("{}://{rest}", scheme.to_ascii_lowercase()),
        None => address.to_owned(),
    }
}

/// A server that vanished from the network is detected within half a minute.
fn bound_waits(config: &mut Config) {
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(Duration::from_secs(5));
    }
    if config.get_tcp_user_timeout().is_none() {
        config.tcp_user_timeout(Duration::from_secs(20));
    }
    if config.get_keepalives_retries().is_none() {
        config
            .keepalives_idle(Duration::from_secs(10))
            .keepalives_interval(Duration::from_secs(5))
            .keepalives_retries(3);
    }
}

/// The scheme and what follows the last `@`, without the query: user and password may be anything before it.
fn without_password(address: &str) -> String {
    let scheme = address.split_once("://").map_or("", |(scheme, _)| scheme);
    let sound = scheme.bytes().all(|byte| byte.is_ascii_alphanumeric()) && !scheme.is_empty();
    let scheme = if sound { format!("{scheme}://") } else { String::new() };
    match address.rsplit_once('@') {
        // The `@` may be one of a password in the query.
        Some((before, _)) if before.contains(['?', '#']) => scheme,
        Some((_, rest)) => {
            let shown: String = rest.split(['?', '#']).next().unwrap_or_default().chars().take(200).collect();
            format!("{scheme}...@{shown}")
        }
        None if sound => scheme,
        None => address.split(['?', '#', ':']).next().unwrap_or_default().chars().take(200).collect(),
    }
}

/// As configured; there is no password in it.
impl fmt::Display for PostgresServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl fmt::Debug for PostgresServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PostgresServer").field(&self.name).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_names_user_host_and_database_and_no_password() {
        let server = PostgresServer::new("postgresql://vedette@db.example:5433/alerts", Some("s3cret")).unwrap();
        assert_eq!(server.to_string(), "postgresql://vedette@db.example:5433/alerts");
        assert!(!format!("{server:?} {:?}", server.config).contains("s3cret"));
        assert_eq!(server.config.get_password(), Some(&b"s3cret"[..]));
        assert_eq!((server.config.get_user(), server.config.get_dbname()), (Some("vedette"), Some("alerts")));
    }

    #[test]
    fn an_address_is_told_from_a_path_whatever_is_wrong_with_it() {
        for address in ["Postgresql://u@h/db", "POSTGRES://h", "postgresql:/u@h/db", "u:p@h/db", "mysql://h/db"] {
            assert!(PostgresServer::is_address(address), "{address}");
        }
        for path in ["data/alerts.sqlite", "/data/a@b/alerts.sqlite", "alerts", "C:", "a:b"] {
            assert!(!PostgresServer::is_address(path), "{path}");
        }
        assert!(PostgresServer::new("POSTGRESQL://vedette@db.example/alerts", None).is_ok());
    }

    #[test]
    fn what_cannot_be_used_is_refused_without_telling_the_password() {
        for (address, says) in [
            ("data/alerts.sqlite", "begins with"),
            ("postgresql://vedette:s3cret@db.example/alerts", "environment"),
            ("postgresql://vedette@db.example/alerts?password=s3cret", "environment"),
            ("postgresql://vedette:s3cret@db.example:port/alerts", "USER@HOST"),
            ("postgresql:///alerts", "no host"),
            ("postgresql://vedette@db.example/alerts?sslmode=require", "TLS"),
            ("postgresql://vedette@db.example/alerts?sslmode=verify-full", "USER@HOST"),
            ("Postgresql://vedette:s3cret@db.example/alerts", "environment"),
            ("postgresql://vedette:#/s3cret@db.example/alerts", ""),
            ("postgresql://vedette:?s3cret@db.example/alerts", ""),
            ("postgresql://vedette@db.example/alerts?password=@s3cret", "environment"),
            ("postgresql:/vedette:s3cret@db.example/alerts", "begins with"),
            ("vedette:s3cret@db.example/alerts", "begins with"),
            ("mysql://vedette:s3cret@db.example/alerts", "begins with"),
        ] {
            let error = PostgresServer::new(address, None).unwrap_err().to_string();
            assert!(error.contains(says) && !error.contains("s3cret"), "{error}");
        }
    }
}
