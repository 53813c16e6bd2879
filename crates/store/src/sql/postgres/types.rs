//! Our few types in PostgreSQL's binary format.

use std::borrow::Cow;
use std::error::Error;

use tokio_postgres::types::private::BytesMut;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type};

use crate::sql::value::Value;

type Boxed = Box<dyn Error + Sync + Send>;

impl ToSql for Value<'_> {
    fn to_sql(&self, kind: &Type, out: &mut BytesMut) -> Result<IsNull, Boxed> {
        let whole = |wanted: Type| (*kind == wanted).then_some(()).ok_or_else(|| wrong(kind));
        match self {
            Self::Null => Ok(IsNull::Yes),
            Self::Int(number) => match *kind {
                Type::INT8 => number.to_sql(kind, out),
                Type::INT4 => i32::try_from(*number)?.to_sql(kind, out),
                Type::BOOL => (*number != 0).to_sql(kind, out),
                _ => Err(wrong(kind)),
            },
            Self::Text(text) if <&str as ToSql>::accepts(kind) => storable(text).to_sql(kind, out),
            Self::Text(_) => Err(wrong(kind)),
            Self::Blob(bytes) => whole(Type::BYTEA).and_then(|()| bytes.as_ref().to_sql(kind, out)),
            Self::Ints(column) => whole(Type::INT8_ARRAY).and_then(|()| column.to_sql(kind, out)),
            Self::Texts(column) => {
                whole(Type::TEXT_ARRAY)?;
                let column: Vec<_> = column.iter().map(|text| text.map(storable)).collect();
                column.to_sql(kind, out)
            }
            Self::Blobs(column) => whole(Type::BYTEA_ARRAY).and_then(|()| column.to_sql(kind, out)),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    tokio_postgres::types::to_sql_checked!();
}

impl<'a> FromSql<'a> for Value<'a> {
    fn from_sql(kind: &Type, raw: &'a [u8]) -> Result<Self, Boxed> {
        match *kind {
            Type::INT8 => i64::from_sql(kind, raw).map(Self::Int),
            Type::INT4 => i32::from_sql(kind, raw).map(|number| Self::Int(number.into())),
            Type::BOOL => bool::from_sql(kind, raw).map(|yes| Self::Int(yes.into())),
            Type::BYTEA => Ok(Self::Blob(Cow::Borrowed(raw))),
            _ if <&str as FromSql>::accepts(kind) => {
                <&str>::from_sql(kind, raw).map(|text| Self::Text(Cow::Borrowed(text)))
            }
            _ => Err(wrong(kind)),
        }
    }

    fn from_sql_null(_: &Type) -> Result<Self, Boxed> {
        Ok(Self::Null)
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

/// PostgreSQL keeps no NUL in a text. Others send us theirs, and one must not fail a whole commit for ever.
fn storable(text: &str) -> Cow<'_, str> {
    if text.contains('\0') { text.replace('\0', "\u{fffd}").into() } else { text.into() }
}

fn wrong(kind: &Type) -> Boxed {
    format!("a value does not fit the type {kind}").into()
}
