//! Columns as the databases hold them.

use vedette_access::{Account, Grants, Login, Name, PasswordHash, SecretHash};
use vedette_core::Timestamp;

use crate::StoreError;
use crate::session::Row;

/// 1 if anybody has to log in: there is an account, or there was one.
pub(crate) const HAS_ACCOUNTS: &str = "SELECT CASE WHEN value > 0 OR EXISTS (SELECT 1 FROM account) THEN 1 ELSE 0 END
    FROM counter WHERE name = 'accounts'";

/// The columns that [`account`] reads, in its order.
pub(super) const ACCOUNT: &str = "account.name, account.password, account.issuer, account.subject, account.grants, \
                                  account.enabled, account.made_us, account.changed_us";

/// An account, from column `at` on.
pub(super) fn account(row: &mut Row, at: usize) -> Result<Account, StoreError> {
    let name = name(row, at)?;
    let password: Option<String> = row.take(at + 1)?;
    let login = match password {
        Some(text) => Login::Password(PasswordHash::stored(text)),
        None => Login::Provider { issuer: row.take(at + 2)?, subject: row.take(at + 3)? },
    };
    Ok(Account {
        name,
        login,
        grants: grants(row, at + 4)?,
        enabled: row.take(at + 5)?,
        made: time(row, at + 6)?,
        changed: time(row, at + 7)?,
    })
}

pub(super) fn name(row: &mut Row, at: usize) -> Result<Name, StoreError> {
    let doing = row.doing();
    let text: String = row.take(at)?;
    Name::new(&text).map_err(|violation| StoreError::Damaged { doing, cause: violation.rule })
}

pub(super) fn hash(row: &mut Row, at: usize) -> Result<SecretHash, StoreError> {
    let doing = row.doing();
    let text: String = row.take(at)?;
    text.parse().map_err(|cause: &str| StoreError::Damaged { doing, cause: cause.into() })
}

pub(super) fn time(row: &mut Row, at: usize) -> Result<Timestamp, StoreError> {
    row.take(at).map(Timestamp::from_micros)
}

pub(super) fn grants(row: &mut Row, at: usize) -> Result<Grants, StoreError> {
    let doing = row.doing();
    let text: String = row.take(at)?;
    serde_json::from_str(&text).map_err(|cause| StoreError::Damaged { doing, cause: cause.to_string() })
}

/// Grants as a column: JSON.
pub(super) fn grants_text(doing: &'static str, grants: &Grants) -> Result<String, StoreError> {
    serde_json::to_string(grants).map_err(|cause| StoreError::Damaged { doing, cause: cause.to_string() })
}
