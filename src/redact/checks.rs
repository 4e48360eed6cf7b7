//! Checks that a value with the right looks must also hold: check digits, letters beside digits, no escape of a string.

/// Numbers that are checked: IMEI, ICCID, cards by Luhn's digit; an EID has 32 digits and begins with 89.
pub fn is_checked(value: &str) -> bool {
    let digits: Vec<u32> = value.chars().filter_map(|digit| digit.to_digit(10)).collect();
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(at, digit)| if at % 2 == 0 { *digit } else { digit * 2 / 10 + digit * 2 % 10 })
        .sum();
    match digits.len() {
        14..=20 => sum.is_multiple_of(10) && digits.iter().any(|digit| *digit != 0),
        32 => value.starts_with("89"),
        _ => false,
    }
}

pub fn digits(value: &str) -> usize {
    value.bytes().filter(u8::is_ascii_digit).count()
}

pub fn has_digit(value: &str) -> bool {
    value.bytes().any(|byte| byte.is_ascii_digit())
}

pub fn has_letter(value: &str) -> bool {
    value.bytes().any(|byte| byte.is_ascii_alphabetic())
}

/// `Acm\U00e9`, and `line\nnext`.
pub fn is_escape(value: &str) -> bool {
    let Some((_, behind)) = value.split_once('\\') else { return false };
    let behind = behind.trim_start_matches('\\');
    let hex = |digits: &str| {
        digits.len() >= 4 && digits.get(..4).is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
    };
    behind.strip_prefix(['U', 'u']).is_some_and(hex)
        || behind
            .strip_prefix(['n', 't', 'r'])
            .is_some_and(|rest| rest.starts_with(|letter: char| letter.is_uppercase() || letter == '-'))
}
