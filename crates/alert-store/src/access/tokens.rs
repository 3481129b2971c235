use vedette_access::{AuditEntry, Name, SecretHash, Token, Who};
use vedette_core::Timestamp;

use super::columns;
use crate::session::{Row, Value};
use crate::{AlertStore, StoreError, audit, drafts};

/// Most tokens.
const MOST: u32 = 1_000;
/// The columns that [`read`] reads, in its order.
const COLUMNS: &str = "name, hash, grants, maker, made_us, expires_us, used_us";

impl AlertStore {
    /// Adds a token, with its row of the audit log.
    ///
    /// # Errors
    /// When there is one with that name, when there are 1,000, or when it cannot be written.
    pub fn add_token(&self, token: &Token, act: Option<&AuditEntry>) -> Result<(), StoreError> {
        const DOING: &str = "adding a token";
        self.write(DOING, |session| {
            let known = session.rows(DOING, "SELECT 1 FROM token WHERE name = ?1", &[token.name.as_str().into()])?;
            if !known.is_empty() {
                return Err(StoreError::AlreadyThere { what: "token", name: token.name.clone() });
            }
            if session.row(DOING, "SELECT count(*) FROM token")?.take::<u32>(0)? >= MOST {
                return Err(StoreError::TooMany { what: "tokens", most: MOST });
            }
            let sql = format!("INSERT INTO token ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)");
            let values: [Value<'_>; 7] = [
                token.name.as_str().into(),
                token.hash.to_string().into(),
                columns::grants_text(DOING, &token.grants)?.into(),
                (&*token.maker).into(),
                token.made.as_micros().into(),
                token.expires.as_micros().into(),
                token.used.map(Timestamp::as_micros).into(),
            ];
            session.execute(DOING, &sql, &values)?;
            audit::append(session, act).map(drop)
        })
    }

    /// The token with that secret; none when it has expired (at `expires`) or was revoked.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn token(&self, hash: &SecretHash, now: Timestamp) -> Result<Option<Token>, StoreError> {
        const DOING: &str = "reading a token";
        let sql = format!("SELECT {COLUMNS} FROM token WHERE hash = ?1");
        let row = self.read(|session| Ok(session.rows(DOING, &sql, &[hash.to_string().into()])?.pop()))?;
        let found = row.map(|mut row| read(&mut row)).transpose()?;
        Ok(found.filter(|token| now < token.expires))
    }

    /// All tokens by name, also those that have expired; 1,000 at most. One that cannot be read is left out.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn tokens(&self) -> Result<Vec<Token>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM token ORDER BY name");
        let rows = self.read(|session| session.rows("reading tokens", &sql, &[]))?;
        let readable = |mut row: Row| {
            let id = format!("token {}", row.text(0));
            self.damage.readable(&id, read(&mut row))
        };
        Ok(rows.into_iter().filter_map(readable).collect())
    }

    /// Revokes a token and removes its drafts, with its row of the audit log.
    ///
    /// # Errors
    /// When there is no such token, or it cannot be written.
    pub fn revoke_token(&self, name: &Name, act: Option<&AuditEntry>) -> Result<(), StoreError> {
        const DOING: &str = "revoking a token";
        self.write(DOING, |session| {
            if session.execute(DOING, "DELETE FROM token WHERE name = ?1", &[name.as_str().into()])? == 0 {
                return Err(StoreError::UnknownToken(name.clone()));
            }
            drafts::remove_of(session, DOING, &Who::Token(name.clone()).to_string())?;
            audit::append(session, act).map(drop)
        })
    }

    /// Notes that a token was used at `at`. It writes: call it only when the noted time is more than a minute old.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn touch_token(&self, hash: &SecretHash, at: Timestamp) -> Result<(), StoreError> {
        const DOING: &str = "noting the use of a token";
        let sql = "UPDATE token SET used_us = ?2 WHERE hash = ?1 AND (used_us IS NULL OR used_us < ?2)";
        let values = [hash.to_string().into(), at.as_micros().into()];
        self.write(DOING, |session| session.execute(DOING, sql, &values)).map(drop)
    }
}

/// Reads [`COLUMNS`].
fn read(row: &mut Row) -> Result<Token, StoreError> {
    Ok(Token {
        name: columns::name(row, 0)?,
        hash: columns::hash(row, 1)?,
        grants: columns::grants(row, 2)?,
        maker: row.take(3)?,
        made: columns::time(row, 4)?,
        expires: columns::time(row, 5)?,
        used: row.take::<Option<i64>>(6)?.map(Timestamp::from_micros),
    })
}
