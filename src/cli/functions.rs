//! The functions that osquery adds to SQLite, so that a query written for osquery runs here too. They give what osquery
//! 5.23 gives, odd results included.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use regex::Regex;
use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::types::{Type, ValueRef};
use rusqlite::{Connection, Error, Result};
use sha1::Sha1;
use sha2::{Digest, Sha256};
use std::cmp::Ordering;
use std::fmt::Write as _;
use std::net::Ipv4Addr;
use std::sync::Arc;

const FLAGS: FunctionFlags =
    FunctionFlags::SQLITE_UTF8.union(FunctionFlags::SQLITE_DETERMINISTIC).union(FunctionFlags::SQLITE_INNOCUOUS);

/// What stands between the parts of a version.
const BETWEEN: [u8; 5] = *b"~-^.:";

/// The names of the functions, beside those that SQLite has itself.
pub const NAMES: [&str; 17] = [
    "split",
    "regex_split",
    "regex_match",
    "version_compare",
    "inet_aton",
    "to_base64",
    "from_base64",
    "conditional_to_base64",
    "sha1",
    "sha256",
    "sqrt",
    "log",
    "log10",
    "ceil",
    "floor",
    "power",
    "pi",
];

/// Adds the functions and the collation of versions.
pub fn register(connection: &Connection) -> Result<()> {
    connection.create_scalar_function("split", 3, FLAGS, |context| {
        part(context, |text, separators, index| {
            // osquery leaves out empty parts, and blanks around the others.
            let parts = text.split(|letter| separators.contains(letter)).filter(|part| !part.is_empty());
            Ok(parts.map(str::trim).nth(index).map(str::to_owned))
        })
    })?;
    connection.create_scalar_function("regex_split", 3, FLAGS, |context| {
        let pattern = pattern(context)?;
        part(context, |text, _, index| Ok(pattern.split(text).nth(index).map(str::to_owned)))
    })?;
    connection.create_scalar_function("regex_match", 3, FLAGS, |context| {
        let pattern = pattern(context)?;
        part(context, |text, _, index| {
            let found = pattern.captures(text);
            Ok(found.and_then(|found| found.get(index)).map(|group| group.as_str().to_owned()))
        })
    })?;
    connection.create_scalar_function("version_compare", 3, FLAGS, version_compare)?;
    connection.create_collation("version", order)?;
    connection.create_scalar_function("inet_aton", 1, FLAGS, |context| {
        Ok(text(context, 0)?
            .and_then(|address| address.parse::<Ipv4Addr>().ok())
            .map(|address| i64::from(u32::from(address))))
    })?;
    connection.create_scalar_function("to_base64", 1, FLAGS, |context| {
        Ok(text(context, 0)?.map(|text| STANDARD.encode(text)))
    })?;
    connection.create_scalar_function("conditional_to_base64", 1, FLAGS, |context| {
        Ok(text(context, 0)?.map(|text| if text.is_ascii() { text } else { STANDARD.encode(text) }))
    })?;
    connection.create_scalar_function("from_base64", 1, FLAGS, |context| {
        let decoded = text(context, 0)?.and_then(|text| STANDARD.decode(text).ok());
        Ok(decoded.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
    })?;
    connection.create_scalar_function("sha1", 1, FLAGS, |context| {
        Ok(text(context, 0)?.map(|text| hex(&Sha1::digest(text))))
    })?;
    connection.create_scalar_function("sha256", 1, FLAGS, |context| {
        Ok(text(context, 0)?.map(|text| hex(&Sha256::digest(text))))
    })?;
    type OfNumber = (&'static str, fn(f64) -> f64);
    let numbers: [OfNumber; 5] =
        [("sqrt", f64::sqrt), ("log", f64::ln), ("log10", f64::log10), ("ceil", f64::ceil), ("floor", f64::floor)];
    for (name, function) in numbers {
        connection.create_scalar_function(name, 1, FLAGS, move |context| Ok(number(context, 0)?.map(function)))?;
    }
    connection.create_scalar_function("power", 2, FLAGS, |context| {
        Ok(number(context, 0)?.zip(number(context, 1)?).map(|(base, exponent)| base.powf(exponent)))
    })?;
    connection.create_scalar_function("pi", 0, FLAGS, |_| Ok(std::f64::consts::PI))
}

/// A part of the first argument, by the second and an index. If any of them is NULL, so is the answer.
fn part(
    context: &Context<'_>,
    find: impl FnOnce(&str, &str, usize) -> Result<Option<String>>,
) -> Result<Option<String>> {
    let index = number(context, 2)?;
    let (Some(text), Some(by), Some(index)) = (text(context, 0)?, text(context, 1)?, index) else { return Ok(None) };
    if by.is_empty() {
        return Err(wrong("the second argument is empty: pass what to look for"));
    }
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a cast of a float stays within bounds")]
    find(&text, &by, if index < 0.0 { usize::MAX } else { index as usize })
}

/// The second argument as a pattern, which is the same for each row of a query.
fn pattern(context: &Context<'_>) -> Result<Arc<Regex>> {
    context.get_or_create_aux(1, |value| match value {
        ValueRef::Null => Ok(Regex::new("$^")?),
        _ => Regex::new(value.as_str().unwrap_or_default()),
    })
}

/// `version_compare('15.6', '<', '15.10')`
fn version_compare(context: &mut Context<'_>) -> Result<bool> {
    let (Some(one), Some(operator), Some(other)) = (text(context, 0)?, text(context, 1)?, text(context, 2)?) else {
        return Err(wrong("version_compare takes two versions with an operator between them"));
    };
    let order = order(&one, &other);
    match operator.as_str() {
        "<" => Ok(order.is_lt()),
        "<=" => Ok(order.is_le()),
        "=" => Ok(order.is_eq()),
        ">=" => Ok(order.is_ge()),
        ">" => Ok(order.is_gt()),
        _ => Err(wrong("version_compare knows the operators <, <=, =, >= and >")),
    }
}

/// The order of two versions: the part in which they differ first decides, in which more digits are more. As in osquery, a
/// longer version is greater if the last part that both have differs: `1.9` comes before `1.1.1`.
fn order(one: &str, other: &str) -> Ordering {
    let mut in_part = Ordering::Equal;
    for (left, right) in one.bytes().zip(other.bytes()) {
        match (BETWEEN.contains(&left), BETWEEN.contains(&right)) {
            (false, false) => in_part = in_part.then(left.cmp(&right)),
            (false, true) => return Ordering::Greater,
            (true, false) => return Ordering::Less,
            (true, true) if in_part.is_ne() => return in_part,
            (true, true) => {}
        }
    }
    match one.len().cmp(&other.len()) {
        Ordering::Equal => in_part,
        longer => longer,
    }
}

/// An argument as text, as SQLite would write it.
fn text(context: &Context<'_>, index: usize) -> Result<Option<String>> {
    Ok(match context.get_raw(index) {
        ValueRef::Null => None,
        ValueRef::Integer(number) => Some(number.to_string()),
        ValueRef::Real(number) => Some(number.to_string()),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
    })
}

#[allow(clippy::cast_precision_loss, reason = "what SQLite does as well")]
fn number(context: &Context<'_>, index: usize) -> Result<Option<f64>> {
    Ok(match context.get_raw(index) {
        ValueRef::Null => None,
        ValueRef::Integer(number) => Some(number as f64),
        ValueRef::Real(number) => Some(number),
        other => match other.as_str().ok().and_then(|text| text.trim().parse().ok()) {
            Some(number) => Some(number),
            None => return Err(Error::InvalidParameterType(index, Type::Text)),
        },
    })
}

fn hex(digest: &[u8]) -> String {
    digest.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn wrong(sentence: &'static str) -> Error {
    Error::UserFunctionError(sentence.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(sql: &str) -> String {
        let connection = Connection::open_in_memory().unwrap();
        register(&connection).unwrap();
        let shown = |value: ValueRef<'_>| match value {
            ValueRef::Null => "NULL".to_owned(),
            ValueRef::Integer(number) => number.to_string(),
            ValueRef::Real(number) => format!("{number:.3}"),
            ValueRef::Text(text) | ValueRef::Blob(text) => String::from_utf8_lossy(text).into_owned(),
        };
        let answer = connection.query_row(&format!("SELECT {sql}"), [], |row| Ok(shown(row.get_ref(0)?)));
        answer.unwrap_or_else(|error| format!("error: {error}"))
    }

    #[test]
    fn each_function_gives_what_osquery_gives() {
        for (sql, expected) in [
            // osquery's own documentation has these three.
            ("split('500', '1', 0)", "500"),
            ("split('1001', '1', 0)", "00"),
            ("regex_match('hello world. Goodbye', '(\\w+) \\w+', 1)", "hello"),
            ("regex_match('hello world. Goodbye', '(\\w+) \\w+', 0)", "hello world"),
            ("split('192.168.0.1', '.', 1)", "168"),
            ("split('a, b,,c', ',', 1)", "b"),
            ("split('a, b,,c', ',', 2)", "c"),
            ("split('a', ',', 7)", "NULL"),
            ("split('a', ',', -1)", "NULL"),
            ("split(NULL, ',', 0)", "NULL"),
            ("regex_split('a--b', '-+', 1)", "b"),
            ("regex_match('15.6.1', '^(\\d+)\\.', 1)", "15"),
            ("regex_match('none', '\\d', 0)", "NULL"),
            ("regex_match('a', NULL, 0)", "NULL"),
            ("version_compare('15.6', '<', '15.10')", "1"),
            ("version_compare('15.6.1', '>=', '15.6')", "1"),
            ("version_compare('26.0', '>', '15.7.2')", "1"),
            ("version_compare('14.4', '=', '14.4')", "1"),
            ("version_compare('', '<', '1')", "1"),
            ("version_compare('1.9', '<', '1.1.1')", "1"),
            ("max('15.6' COLLATE version, '15.10')", "15.10"),
            ("inet_aton('1.0.1.5')", "16777477"),
            ("inet_aton('::1')", "NULL"),
            ("to_base64('abc')", "YWJj"),
            ("from_base64('YWJj')", "abc"),
            ("from_base64('?')", "NULL"),
            ("conditional_to_base64('abc')", "abc"),
            ("conditional_to_base64('ä')", "w6Q="),
            ("sha1('abc')", "a9993e364706816aba3e25717850c26c9cd0d89d"),
            ("sha256('abc')", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            ("sqrt(16)", "4.000"),
            ("log(1)", "0.000"),
            ("log10(1000)", "3.000"),
            ("ceil('1.2')", "2.000"),
            ("floor(1.8)", "1.000"),
            ("power(2, 10)", "1024.000"),
            ("pi()", "3.142"),
            ("concat('a', NULL, 1)", "a1"),
            ("concat_ws('-', 'a', NULL, 1)", "a-1"),
        ] {
            assert_eq!(answer(sql), expected, "{sql}");
        }
        for (sql, words) in [
            ("split('a', '', 0)", "the second argument is empty"),
            ("regex_match('a', '(', 0)", "unclosed group"),
            ("version_compare('1', '~', '2')", "knows the operators"),
            ("sqrt('a')", "Invalid"),
        ] {
            assert!(answer(sql).contains(words), "{sql}: {}", answer(sql));
        }
    }
}
