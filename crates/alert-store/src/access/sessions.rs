use vedette_access::{Account, AuditEntry, Name, SecretHash, Session};
use vedette_core::{Span, Timestamp};

use super::accounts::account;
use super::columns::{self, ACCOUNT};
use crate::conditions::Conditions;
use crate::session::{Row, Session as Transaction, Value};
use crate::{AlertStore, StoreError, audit};

/// Most sessions of an account.
const MOST: i64 = 20;
/// Most sessions of a list.
const LISTED: i64 = 1_000;
/// Digits of a session's public id.
const ID: usize = 16;
/// The columns that [`read`] reads, in its order.
const COLUMNS: &str = "session.hash, session.account, session.began_us, session.used_us, session.ends_us, session.peer, \
                       session.provider_session, session.id_token";

impl AlertStore {
    /// Begins a session, with its row of the audit log. `checked` is the account as it was when the login was checked: if login or
    /// `enabled` changed since, there is no session. An account has at most 20; the one that began first makes room.
    ///
    /// # Errors
    /// When the account is gone or changed, or it cannot be written.
    pub fn begin_session(&self, new: &Session, checked: &Account, act: Option<&AuditEntry>) -> Result<(), StoreError> {
        const DOING: &str = "beginning a session";
        let hash = new.hash.to_string();
        self.write(DOING, |session| {
            let unknown = || StoreError::UnknownAccount(new.account.clone());
            let now = account(session, DOING, &new.account)?.ok_or_else(unknown)?;
            if !now.enabled || now.name != checked.name || now.login != checked.login {
                return Err(StoreError::AccountChanged(now.name));
            }
            let sql =
                "INSERT INTO session (hash, account, began_us, used_us, ends_us, peer, provider_session, id_token)
                       VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
            let values: [Value<'_>; 8] = [
                (&*hash).into(),
                new.account.as_str().into(),
                new.began.as_micros().into(),
                new.used.as_micros().into(),
                new.ends.as_micros().into(),
                (&*new.peer).into(),
                new.provider_session.as_deref().into(),
                new.id_token.as_deref().into(),
            ];
            session.execute(DOING, sql, &values)?;
            let sql = "DELETE FROM session WHERE hash IN
                       (SELECT hash FROM session WHERE account = ?1 AND hash <> ?2
                        ORDER BY began_us DESC, hash DESC LIMIT 1000 OFFSET ?3)";
            session.execute(DOING, sql, &[new.account.as_str().into(), (&*hash).into(), (MOST - 1).into()])?;
            audit::append(session, act).map(drop)
        })
    }

    /// The session with that secret and its account; none when it has ended (at `ends`), was not used for `idle`, or the account is
    /// disabled.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn session(
        &self,
        hash: &SecretHash,
        now: Timestamp,
        idle: Span,
    ) -> Result<Option<(Session, Account)>, StoreError> {
        const DOING: &str = "reading a session";
        let sql = format!(
            "SELECT {COLUMNS}, {ACCOUNT} FROM session JOIN account ON account.name = session.account
             WHERE session.hash = ?1"
        );
        let row = self.read(|session| Ok(session.rows(DOING, &sql, &[hash.to_string().into()])?.pop()))?;
        let Some(mut row) = row else { return Ok(None) };
        let (found, account) = (read(&mut row)?, columns::account(&mut row, 8)?);
        let is_live = now < found.ends && now.since(found.used) < idle && account.enabled;
        Ok(is_live.then_some((found, account)))
    }

    /// Notes that a session was used at `at`. It writes: call it only when the noted time is more than a minute old.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn touch_session(&self, hash: &SecretHash, at: Timestamp) -> Result<(), StoreError> {
        const DOING: &str = "noting the use of a session";
        let sql = "UPDATE session SET used_us = ?2 WHERE hash = ?1 AND used_us < ?2";
        let values = [hash.to_string().into(), at.as_micros().into()];
        self.write(DOING, |session| session.execute(DOING, sql, &values)).map(drop)
    }

    /// Ends a session, with a row of the audit log; returns whether there was one. Without one there is no row.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn end_session(&self, hash: &SecretHash, act: Option<&AuditEntry>) -> Result<bool, StoreError> {
        const DOING: &str = "ending a session";
        self.write(DOING, |session| {
            let sql = "DELETE FROM session WHERE hash = ?1";
            let ended = session.execute(DOING, sql, &[hash.to_string().into()])? > 0;
            if ended {
                audit::append(session, act)?;
            }
            Ok(ended)
        })
    }

    /// Ends the session with that public id, with its row of the audit log; returns its account.
    ///
    /// # Errors
    /// When there is no such session, or it cannot be written.
    pub fn end_session_by_id(&self, id: &str, act: Option<&AuditEntry>) -> Result<Name, StoreError> {
        const DOING: &str = "ending a session";
        let unknown = || StoreError::UnknownSession(id.chars().take(80).collect());
        let is_id = id.len() == ID && id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if !is_id {
            return Err(unknown());
        }
        self.write(DOING, |session| {
            // All hashes that begin with it: digits are below `g`.
            let sql = "DELETE FROM session WHERE hash >= ?1 AND hash < ?2 RETURNING account";
            let row = session.rows(DOING, sql, &[id.into(), format!("{id}g").into()])?.pop();
            let ended = columns::name(&mut row.ok_or_else(unknown)?, 0)?;
            audit::append(session, act)?;
            Ok(ended)
        })
    }

    /// Ends all sessions of an account, with a row of the audit log; returns their number.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn end_sessions_of(&self, name: &Name, act: Option<&AuditEntry>) -> Result<u64, StoreError> {
        let mut which = Conditions::default();
        which.add("account = ?", [name.as_str().to_owned().into()]);
        self.end_sessions(which, act)
    }

    /// Ends the sessions that began by a login at a provider: those of a person there (`subject`), the one that the provider names (`sid`),
    /// or, with both, those which meet both; with neither, none. With a row of the audit log; returns their number.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn end_provider_sessions(
        &self,
        issuer: &str,
        subject: Option<&str>,
        sid: Option<&str>,
        act: Option<&AuditEntry>,
    ) -> Result<u64, StoreError> {
        if subject.is_none() && sid.is_none() {
            return Ok(0);
        }
        let mut which = Conditions::default();
        let issuer = issuer.to_owned();
        match subject {
            Some(subject) => {
                let term = "account IN (SELECT name FROM account WHERE issuer = ? AND subject = ?)";
                which.add(term, [issuer.into(), subject.to_owned().into()]);
            }
            None => which.add("account IN (SELECT name FROM account WHERE issuer = ?)", [issuer.into()]),
        }
        if let Some(sid) = sid {
            which.add("provider_session = ?", [sid.to_owned().into()]);
        }
        self.end_sessions(which, act)
    }

    fn end_sessions(&self, which: Conditions, act: Option<&AuditEntry>) -> Result<u64, StoreError> {
        const DOING: &str = "ending sessions";
        let (clause, values) = which.clause();
        let sql = format!("DELETE FROM session {clause}");
        self.write(DOING, |session| {
            let ended = session.execute(DOING, &sql, &values)?;
            audit::append(session, act)?;
            Ok(ended)
        })
    }

    /// The sessions of an account, or those of all accounts, without their `id_token`: the 1,000 that were used last, newest first. One
    /// that has ended is among them until it is dropped; one that cannot be read is left out.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn sessions(&self, of: Option<&Name>) -> Result<Vec<Session>, StoreError> {
        const DOING: &str = "reading sessions";
        let mut which = Conditions::default();
        if let Some(name) = of {
            which.add("account = ?", [name.as_str().to_owned().into()]);
        }
        let (clause, mut values) = which.clause();
        values.push(LISTED.into());
        let columns = COLUMNS.trim_end_matches("session.id_token");
        let sql = format!(
            "SELECT {columns} CASE WHEN 1 = 0 THEN session.id_token END FROM session {clause}
             ORDER BY used_us DESC, hash LIMIT ?{}",
            values.len()
        );
        let rows = self.read(|session| session.rows(DOING, &sql, &values))?;
        let readable = |mut row: Row| {
            let id = format!("session {}", row.text(0).chars().take(ID).collect::<String>());
            self.damage.readable(&id, read(&mut row))
        };
        Ok(rows.into_iter().filter_map(readable).collect())
    }

    /// Drops the sessions that have ended by `now`; returns their number.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn drop_ended_sessions(&self, now: Timestamp) -> Result<u64, StoreError> {
        const DOING: &str = "dropping sessions that have ended";
        let sql = "DELETE FROM session WHERE ends_us <= ?1";
        let values = [now.as_micros().into()];
        self.write(DOING, |session: &mut dyn Transaction| session.execute(DOING, sql, &values))
    }
}

/// Reads [`COLUMNS`].
fn read(row: &mut Row) -> Result<Session, StoreError> {
    Ok(Session {
        hash: columns::hash(row, 0)?,
        account: columns::name(row, 1)?,
        began: columns::time(row, 2)?,
        used: columns::time(row, 3)?,
        ends: columns::time(row, 4)?,
        peer: row.take(5)?,
        provider_session: row.take(6)?,
        id_token: row.take(7)?,
    })
}
