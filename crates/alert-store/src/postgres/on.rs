//! Statements on a connection or in a transaction, with conversion of values, rows and errors.

use std::collections::HashMap;
use std::error::Error;

use bytes::BytesMut;
use postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};
use postgres::{GenericClient, Statement};

use super::PostgresServer;
use crate::StoreError;
use crate::session::{Cell, Row, Session, Value};

/// Most prepared statements; lists with many different filters would otherwise accumulate without bound.
const PREPARED_AT_MOST: usize = 64;

/// SQLSTATE classes and codes after which the connection is unusable: connection exceptions, operator intervention
/// (shutdown, crash, not yet up), and a primary that became a standby (`PostgreSQL`, appendix A).
const LOST: [&str; 3] = ["08", "57P", "25006"];

/// SQLSTATE classes caused by a statement's values: data exceptions, integrity constraints, program limits.
const VALUES: [&str; 3] = ["22", "23", "54"];

/// A connection or a transaction with the connection's prepared statements.
pub(super) struct On<'a, C> {
    pub(super) client: &'a mut C,
    pub(super) statements: &'a mut HashMap<String, Statement>,
    pub(super) server: &'a PostgresServer,
}

impl<C: GenericClient> On<'_, C> {
    fn prepared(&mut self, sql: &str) -> Result<Statement, postgres::Error> {
        if let Some(known) = self.statements.get(sql) {
            return Ok(known.clone());
        }
        if self.statements.len() >= PREPARED_AT_MOST {
            self.statements.clear();
        }
        // `?1` of the shared statements is `$1` here; no statement contains a literal question mark.
        let statement = self.client.prepare(&sql.replace('?', "$"))?;
        self.statements.insert(sql.to_owned(), statement.clone());
        Ok(statement)
    }
}

impl<C: GenericClient> Session for On<'_, C> {
    fn execute(&mut self, doing: &'static str, sql: &str, values: &[Value<'_>]) -> Result<u64, StoreError> {
        let written = self.prepared(sql).and_then(|statement| self.client.execute(&statement, &parameters(values)));
        written.map_err(|cause| failed(self.server, doing, &cause))
    }

    fn rows(&mut self, doing: &'static str, sql: &str, values: &[Value<'_>]) -> Result<Vec<Row>, StoreError> {
        let read = self.prepared(sql).and_then(|statement| {
            let rows = self.client.query(&statement, &parameters(values))?;
            rows.iter()
                .map(|row| Ok(Row::new(doing, (0..row.len()).map(|at| row.try_get(at)).collect::<Result<_, _>>()?)))
                .collect()
        });
        read.map_err(|cause| failed(self.server, doing, &cause))
    }
}

fn parameters<'a>(values: &'a [Value<'_>]) -> Vec<&'a (dyn ToSql + Sync)> {
    values.iter().map(|value| value as &(dyn ToSql + Sync)).collect()
}

/// Converts an error of the server or the connection.
pub(super) fn failed(server: &PostgresServer, doing: &'static str, error: &postgres::Error) -> StoreError {
    let (store, cause) = (server.to_string(), explain(error));
    if lost(error) {
        return StoreError::Unreachable { server: store, cause: format!("{doing} failed: {cause}") };
    }
    match error.code() {
        Some(code) if VALUES.iter().any(|class| code.code().starts_with(class)) => {
            StoreError::Values { store, doing, cause }
        }
        _ => StoreError::Sql { store, doing, cause },
    }
}

fn lost(error: &postgres::Error) -> bool {
    match error.code() {
        Some(code) => LOST.iter().any(|class| code.code().starts_with(class)),
        None => error.is_closed() || error.source().is_some_and(|source| source.is::<std::io::Error>()),
    }
}

/// The server's message with its SQLSTATE, or the connection error.
pub(super) fn explain(error: &postgres::Error) -> String {
    match error.as_db_error() {
        Some(said) => format!("{}: {} (SQLSTATE {})", said.severity(), said.message(), said.code().code()),
        None => match error.source() {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        },
    }
}

impl ToSql for Value<'_> {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        match self {
            Self::Null => Ok(IsNull::Yes),
            Self::Integer(number) => number.to_sql_checked(ty, out),
            Self::Text(text) => text.to_sql_checked(ty, out),
            Self::Bytes(bytes) => bytes.to_sql_checked(ty, out),
        }
    }

    // The actual value is checked against the column when it is written.
    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

impl<'a> FromSql<'a> for Cell {
    fn from_sql(ty: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(match *ty {
            Type::INT8 => Self::Integer(i64::from_sql(ty, raw)?),
            Type::INT4 => Self::Integer(i32::from_sql(ty, raw)?.into()),
            Type::BYTEA => Self::Bytes(Vec::from_sql(ty, raw)?),
            _ => Self::Text(String::from_sql(ty, raw)?),
        })
    }

    fn from_sql_null(_: &Type) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self::Null)
    }

    fn accepts(ty: &Type) -> bool {
        [Type::INT8, Type::INT4, Type::BYTEA].contains(ty) || <String as FromSql<'_>>::accepts(ty)
    }
}
