use vedette_access::{Account, AuditEntry, Grants, Login, Name, Permission, Who};
use vedette_core::Timestamp;

use super::columns::{self, ACCOUNT, HAS_ACCOUNTS};
use crate::damage::Damage;
use crate::session::{Row, Session, Value};
use crate::{AlertStore, StoreError, audit, drafts};

/// Most accounts.
const MOST: u32 = 10_000;

/// A change of an account; empty fields leave as it is what they name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AccountChange {
    /// Its new grants.
    pub grants: Option<Grants>,
    /// Its new password, or its new login at a provider.
    pub login: Option<Login>,
    /// Whether it may log in.
    pub enabled: Option<bool>,
}

/// A login that an `OpenID` Connect provider vouches for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderLogin {
    /// The provider's issuer identifier.
    pub issuer: String,
    /// The person's identifier there.
    pub subject: String,
    /// The name of the account if there is none yet.
    pub name: Name,
    /// The grants that follow from the provider's claims.
    pub grants: Grants,
    /// When.
    pub at: Timestamp,
}

impl AlertStore {
    /// Whether there is or ever was an account: the store remembers the first one.
    ///
    /// # Errors
    /// When it cannot be read; access must then be refused.
    pub fn has_accounts(&self) -> Result<bool, StoreError> {
        self.read(|session| session.row("looking for accounts", HAS_ACCOUNTS)?.take(0))
    }

    /// The account with that name, enabled or not.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn account(&self, name: &Name) -> Result<Option<Account>, StoreError> {
        self.read(|session| account(session, "reading an account", name))
    }

    /// The account of a person at a provider, enabled or not.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn account_of_provider(&self, issuer: &str, subject: &str) -> Result<Option<Account>, StoreError> {
        self.read(|session| of_provider(session, "reading an account", issuer, subject))
    }

    /// All accounts by name, 10,000 at most. One that cannot be read is left out.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn accounts(&self) -> Result<Vec<Account>, StoreError> {
        let sql = format!("SELECT {ACCOUNT} FROM account ORDER BY account.name");
        let rows = self.read(|session| session.rows("reading accounts", &sql, &[]))?;
        Ok(rows.into_iter().filter_map(|row| readable(row, &self.damage)).collect())
    }

    /// Adds an account, with its row of the audit log.
    ///
    /// # Errors
    /// When there is one with that name or that login at a provider, when there are 10,000, or when it cannot be written.
    pub fn add_account(&self, account: &Account, act: Option<&AuditEntry>) -> Result<(), StoreError> {
        const DOING: &str = "adding an account";
        self.write(DOING, |session| {
            add(session, DOING, account)?;
            audit::append(session, act).map(drop)
        })
    }

    /// Changes an account, with its row of the audit log. Its sessions end when its login changes or it is disabled.
    ///
    /// # Errors
    /// When there is no such account, when no enabled administrator of the whole site would be left, when another account has that login
    /// at a provider, or when it cannot be written.
    pub fn change_account(
        &self,
        name: &Name,
        change: &AccountChange,
        at: Timestamp,
        act: Option<&AuditEntry>,
    ) -> Result<Account, StoreError> {
        const DOING: &str = "changing an account";
        self.write(DOING, |session| {
            let unknown = || StoreError::UnknownAccount(name.clone());
            let before = account(session, DOING, name)?.ok_or_else(unknown)?;
            let after = changed(&before, change, at);
            if after.login != before.login {
                refuse_taken(session, DOING, &after.login)?;
            }
            update(session, DOING, &after)?;
            if is_administrator(&before) && !is_administrator(&after) {
                require_administrator(session, DOING, &self.damage)?;
            }
            if after.login != before.login || !after.enabled {
                end_sessions(session, DOING, name)?;
            }
            audit::append(session, act)?;
            Ok(after)
        })
    }

    /// Removes an account, its sessions and its drafts, with its row of the audit log.
    ///
    /// # Errors
    /// When there is no such account, when no enabled administrator of the whole site would be left, or when it cannot be written.
    pub fn remove_account(&self, name: &Name, act: Option<&AuditEntry>) -> Result<(), StoreError> {
        const DOING: &str = "removing an account";
        self.write(DOING, |session| {
            let before = match account(session, DOING, name) {
                // One that cannot be read administers nothing, and can be removed.
                Err(error @ StoreError::Damaged { .. }) => {
                    self.damage.leave_out(&row_of(name.as_str()), &error);
                    None
                }
                before => before?,
            };
            end_sessions(session, DOING, name)?;
            drafts::remove_of(session, DOING, &Who::Account(name.clone()).to_string())?;
            if session.execute(DOING, "DELETE FROM account WHERE name = ?1", &[name.as_str().into()])? == 0 {
                return Err(StoreError::UnknownAccount(name.clone()));
            }
            if before.is_some_and(|before| is_administrator(&before)) {
                require_administrator(session, DOING, &self.damage)?;
            }
            audit::append(session, act).map(drop)
        })
    }

    /// The account of a person who logs in at a provider, with the grants that the provider now vouches for; it is made if there is none.
    /// A disabled one stays disabled. The provider's word counts, also where it leaves no administrator.
    ///
    /// # Errors
    /// When it is to be made and its name is taken or there are 10,000 accounts, or when it cannot be written.
    pub fn put_provider_account(&self, login: &ProviderLogin, act: Option<&AuditEntry>) -> Result<Account, StoreError> {
        const DOING: &str = "writing the account of a provider";
        self.write(DOING, |session| {
            let account = match of_provider(session, DOING, &login.issuer, &login.subject)? {
                Some(known) => {
                    let change = AccountChange { grants: Some(login.grants.clone()), ..AccountChange::default() };
                    let account = changed(&known, &change, login.at);
                    if account != known {
                        update(session, DOING, &account)?;
                    }
                    account
                }
                None => {
                    let account = Account {
                        name: login.name.clone(),
                        login: Login::Provider { issuer: login.issuer.clone(), subject: login.subject.clone() },
                        grants: login.grants.clone(),
                        enabled: true,
                        made: login.at,
                        changed: login.at,
                    };
                    add(session, DOING, &account)?;
                    account
                }
            };
            audit::append(session, act)?;
            Ok(account)
        })
    }
}

/// The account after a change at `at`.
fn changed(before: &Account, change: &AccountChange, at: Timestamp) -> Account {
    let mut after = before.clone();
    if let Some(grants) = &change.grants {
        after.grants = grants.clone();
    }
    if let Some(login) = &change.login {
        after.login = login.clone();
    }
    after.enabled = change.enabled.unwrap_or(before.enabled);
    if after != *before {
        after.changed = at;
    }
    after
}

fn is_administrator(account: &Account) -> bool {
    account.enabled && account.grants.areas(Permission::Administer).is_some()
}

pub(super) fn account(
    session: &mut dyn Session,
    doing: &'static str,
    name: &Name,
) -> Result<Option<Account>, StoreError> {
    let sql = format!("SELECT {ACCOUNT} FROM account WHERE account.name = ?1");
    session.rows(doing, &sql, &[name.as_str().into()])?.pop().map(|mut row| columns::account(&mut row, 0)).transpose()
}

fn of_provider(
    session: &mut dyn Session,
    doing: &'static str,
    issuer: &str,
    subject: &str,
) -> Result<Option<Account>, StoreError> {
    let sql = format!("SELECT {ACCOUNT} FROM account WHERE account.issuer = ?1 AND account.subject = ?2");
    let row = session.rows(doing, &sql, &[issuer.into(), subject.into()])?.pop();
    row.map(|mut row| columns::account(&mut row, 0)).transpose()
}

/// Name of the row of an account in messages about damage.
fn row_of(name: &str) -> String {
    format!("account {name}")
}

fn readable(mut row: Row, damage: &Damage) -> Option<Account> {
    let id = row_of(&row.text(0));
    damage.readable(&id, columns::account(&mut row, 0))
}

/// Runs after the change, in its transaction: of two administrators who remove each other, the second one is refused.
fn require_administrator(session: &mut dyn Session, doing: &'static str, damage: &Damage) -> Result<(), StoreError> {
    let sql = format!("SELECT {ACCOUNT} FROM account WHERE account.enabled = 1");
    let rows = session.rows(doing, &sql, &[])?;
    match rows.into_iter().filter_map(|row| readable(row, damage)).any(|account| is_administrator(&account)) {
        true => Ok(()),
        false => Err(StoreError::LastAdministrator),
    }
}

fn end_sessions(session: &mut dyn Session, doing: &'static str, name: &Name) -> Result<(), StoreError> {
    session.execute(doing, "DELETE FROM session WHERE account = ?1", &[name.as_str().into()]).map(drop)
}

fn refuse_taken(session: &mut dyn Session, doing: &'static str, login: &Login) -> Result<(), StoreError> {
    let Login::Provider { issuer, subject } = login else { return Ok(()) };
    match of_provider(session, doing, issuer, subject)? {
        Some(account) => Err(StoreError::AlreadyThere { what: "account", name: account.name }),
        None => Ok(()),
    }
}

fn add(session: &mut dyn Session, doing: &'static str, new: &Account) -> Result<(), StoreError> {
    let known = session.rows(doing, "SELECT 1 FROM account WHERE name = ?1", &[new.name.as_str().into()])?;
    if !known.is_empty() {
        return Err(StoreError::AlreadyThere { what: "account", name: new.name.clone() });
    }
    refuse_taken(session, doing, &new.login)?;
    if session.row(doing, "SELECT count(*) FROM account")?.take::<u32>(0)? >= MOST {
        return Err(StoreError::TooMany { what: "accounts", most: MOST });
    }
    let sql = "INSERT INTO account (name, password, issuer, subject, grants, enabled, made_us, changed_us)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    write(session, doing, sql, new)?;
    session.execute(doing, "UPDATE counter SET value = value + 1 WHERE name = 'accounts'", &[]).map(drop)
}

fn update(session: &mut dyn Session, doing: &'static str, account: &Account) -> Result<(), StoreError> {
    let sql = "UPDATE account SET password = ?2, issuer = ?3, subject = ?4, grants = ?5, enabled = ?6, made_us = ?7,
                  changed_us = ?8
               WHERE name = ?1";
    write(session, doing, sql, account)
}

fn write(session: &mut dyn Session, doing: &'static str, sql: &str, account: &Account) -> Result<(), StoreError> {
    let (password, issuer, subject) = match &account.login {
        Login::Password(hash) => (Some(hash.as_str()), None, None),
        Login::Provider { issuer, subject } => (None, Some(issuer.as_str()), Some(subject.as_str())),
    };
    let values: [Value<'_>; 8] = [
        account.name.as_str().into(),
        password.into(),
        issuer.into(),
        subject.into(),
        columns::grants_text(doing, &account.grants)?.into(),
        i64::from(account.enabled).into(),
        account.made.as_micros().into(),
        account.changed.as_micros().into(),
    ];
    session.execute(doing, sql, &values).map(drop)
}
