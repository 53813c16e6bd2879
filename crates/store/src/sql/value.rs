//! What goes into a statement and comes out of a row.

use std::borrow::Cow;

/// A value in a statement or a row.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value<'a> {
    Null,
    Int(i64),
    Text(Cow<'a, str>),
    Blob(Cow<'a, [u8]>),
    /// A column of many rows, for `unnest`: PostgreSQL only.
    Ints(Vec<Option<i64>>),
    /// A column of many rows, for `unnest`: PostgreSQL only.
    Texts(Vec<Option<&'a str>>),
    /// A column of many rows, for `unnest`: PostgreSQL only.
    Blobs(Vec<Option<&'a [u8]>>),
}

impl Value<'_> {
    /// A column of numbers.
    pub(crate) fn ints<N: Into<Self>>(numbers: impl IntoIterator<Item = N>) -> Self {
        let number =
            |number: N| if let Self::Int(number) = number.into() { Some(number) } else { None };
        Self::Ints(numbers.into_iter().map(number).collect())
    }
}

macro_rules! from_int {
    ($($int:ty)+) => {
        $(
            impl From<$int> for Value<'_> {
                /// No number of ours comes near the largest that fits; one beyond means "no end".
                fn from(number: $int) -> Self {
                    Self::Int(i64::try_from(number).unwrap_or(i64::MAX))
                }
            }

            impl From<&$int> for Value<'_> {
                fn from(number: &$int) -> Self {
                    (*number).into()
                }
            }
        )+
    };
}
from_int! { i64 i32 u64 u32 u16 u8 usize bool }

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }
}

impl<'a> From<&'a String> for Value<'a> {
    fn from(text: &'a String) -> Self {
        Self::Text(Cow::Borrowed(text))
    }
}

impl From<String> for Value<'_> {
    fn from(text: String) -> Self {
        Self::Text(Cow::Owned(text))
    }
}

impl<'a> From<&'a [u8]> for Value<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self::Blob(Cow::Borrowed(bytes))
    }
}

impl<'a> From<&'a Vec<u8>> for Value<'a> {
    fn from(bytes: &'a Vec<u8>) -> Self {
        Self::Blob(Cow::Borrowed(bytes))
    }
}

impl From<Vec<u8>> for Value<'_> {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Blob(Cow::Owned(bytes))
    }
}

impl<const N: usize> From<[u8; N]> for Value<'_> {
    fn from(bytes: [u8; N]) -> Self {
        Self::Blob(Cow::Owned(bytes.into()))
    }
}

impl<'a, const N: usize> From<&'a [u8; N]> for Value<'a> {
    fn from(bytes: &'a [u8; N]) -> Self {
        Self::Blob(Cow::Borrowed(bytes))
    }
}

impl<'a, T: Into<Value<'a>>> From<Option<T>> for Value<'a> {
    fn from(maybe: Option<T>) -> Self {
        maybe.map_or(Self::Null, Into::into)
    }
}

impl<'a> From<&'a Option<String>> for Value<'a> {
    fn from(maybe: &'a Option<String>) -> Self {
        maybe.as_deref().into()
    }
}

impl<'a> From<&'a Option<Vec<u8>>> for Value<'a> {
    fn from(maybe: &'a Option<Vec<u8>>) -> Self {
        maybe.as_deref().into()
    }
}

/// A type that a column can be read as.
pub(crate) trait FromValue: Sized {
    /// `None` when the value is of another type or out of range.
    fn from_value(value: Value<'_>) -> Option<Self>;
}

impl FromValue for i64 {
    fn from_value(value: Value<'_>) -> Option<Self> {
        if let Value::Int(number) = value { Some(number) } else { None }
    }
}

macro_rules! int_from_value {
    ($($int:ty)+) => {
        $(impl FromValue for $int {
            fn from_value(value: Value<'_>) -> Option<Self> {
                Self::try_from(i64::from_value(value)?).ok()
            }
        })+
    };
}
int_from_value! { i32 u64 u32 u16 usize }

impl FromValue for bool {
    fn from_value(value: Value<'_>) -> Option<Self> {
        i64::from_value(value).map(|number| number != 0)
    }
}

impl FromValue for String {
    fn from_value(value: Value<'_>) -> Option<Self> {
        if let Value::Text(text) = value { Some(text.into_owned()) } else { None }
    }
}

impl FromValue for Vec<u8> {
    fn from_value(value: Value<'_>) -> Option<Self> {
        if let Value::Blob(bytes) = value { Some(bytes.into_owned()) } else { None }
    }
}

impl<const N: usize> FromValue for [u8; N] {
    fn from_value(value: Value<'_>) -> Option<Self> {
        if let Value::Blob(bytes) = value { bytes.as_ref().try_into().ok() } else { None }
    }
}

impl<T: FromValue> FromValue for Option<T> {
    fn from_value(value: Value<'_>) -> Option<Self> {
        if value == Value::Null { Some(None) } else { T::from_value(value).map(Some) }
    }
}
