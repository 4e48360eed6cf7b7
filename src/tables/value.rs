//! The values of a row, and what each kind of column makes of a field.

use crate::vocabulary::{Code, Time};
use std::borrow::Cow;

/// Text in a row: a constant or an owned string.
pub type Text = Cow<'static, str>;

/// A value of a row.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Unknown, or does not apply.
    Null,
    /// INTEGER and BIGINT.
    Integer(i64),
    Text(Text),
}

impl From<Text> for Value {
    fn from(text: Text) -> Self {
        Self::Text(text)
    }
}

impl From<i32> for Value {
    fn from(number: i32) -> Self {
        Self::Integer(number.into())
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Integer(number)
    }
}

// What the generated rows call, one function for each kind of column.

pub(super) fn plain(value: Option<impl Into<Value>>) -> Value {
    value.map_or(Value::Null, Into::into)
}

pub(super) fn time(value: Option<Time>) -> Value {
    plain(value.map(|time| time.timestamp()))
}

pub(super) fn boolean(value: Option<bool>) -> Value {
    plain(value.map(i32::from))
}

pub(super) fn percent(value: Option<u8>) -> Value {
    plain(value.map(i32::from))
}

/// Cut at what SQL can hold.
pub(super) fn count(value: Option<u64>) -> Value {
    plain(value.map(|count| i64::try_from(count).unwrap_or(i64::MAX)))
}

/// Cut at what osquery's INTEGER can hold.
pub(super) fn count32(value: Option<u32>) -> Value {
    plain(value.map(|count| i32::try_from(count).unwrap_or(i32::MAX)))
}

pub(super) fn code(value: Option<impl Code>) -> Value {
    plain(value.map(|code| Text::Borrowed(code.word())))
}

/// Words in alphabetical order, separated by commas. NULL if there are none.
pub(super) fn code_list(value: Option<Vec<impl Code>>) -> Value {
    let words = value.map(|codes| {
        let mut words: Vec<&str> = codes.into_iter().map(Code::word).collect();
        words.sort_unstable();
        words.join(",")
    });
    plain(words.filter(|words| !words.is_empty()).map(Text::Owned))
}

// What the tables call to fill a text column.

pub(super) fn text(value: impl Into<Option<String>>) -> Option<Text> {
    value.into().map(Cow::Owned)
}

/// With commas between; NULL without any.
pub(super) fn joined(texts: &[String]) -> Option<Text> {
    text(Some(texts.join(",")).filter(|joined| !joined.is_empty()))
}
