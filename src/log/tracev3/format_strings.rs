//! Format strings that come from a file of somebody else's: a hostile one could make a record take minutes or gigabytes.

/// The longest format string that is used, in bytes. The longest ones of macOS have about two thousand.
pub const MAX_FORMAT: usize = 16 << 10;

/// The most placeholders of a format string. A record has 255 values at most.
const MAX_PLACEHOLDERS: usize = 255;

/// The longest `{…}` of a placeholder, in bytes, and the most digits of its width or precision.
const MAX_OPTIONS: usize = 512;
const MAX_DIGITS: usize = 3;

/// Cuts strings that end with NUL where they exceed a limit, and sets widths to 0 that do. What macOS writes stays as
/// it is. A record may refer to the middle of a string, so that holds from any byte on.
pub fn tame(strings: &mut [u8]) {
    for string in strings.split_mut(|byte| *byte == 0) {
        for part in string.chunks_mut(MAX_FORMAT) {
            tame_part(part);
            if part.len() == MAX_FORMAT {
                part.last_mut().into_iter().for_each(|last| *last = 0);
            }
        }
    }
}

fn tame_part(part: &mut [u8]) {
    let (mut at, mut placeholders) = (0, 0);
    while let Some(found) = part.get(at..).and_then(|rest| memchr::memchr(b'%', rest)) {
        at += found;
        placeholders += 1;
        if placeholders > MAX_PLACEHOLDERS {
            return part.get_mut(at..).unwrap_or_default().fill(0);
        }
        at += 1;
        tame_placeholder(part.get_mut(at..).unwrap_or_default());
    }
}

/// Sets to 0 what is too large of `{public,uuid_t}-16.16P`, which follows a `%`.
fn tame_placeholder(rest: &mut [u8]) {
    let options = rest.get(..rest.len().min(MAX_OPTIONS)).filter(|rest| rest.first() == Some(&b'{'));
    let mut at = options.and_then(|options| memchr::memchr(b'}', options)).map_or(0, |end| end + 1);
    loop {
        let flags = rest.get(at..).unwrap_or_default();
        at += flags.iter().take_while(|byte| b"-+0 #.'*".contains(byte)).count();
        let number = rest.get_mut(at..).unwrap_or_default();
        let digits = number.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if digits == 0 {
            return;
        }
        if digits > MAX_DIGITS {
            number.get_mut(..digits).unwrap_or_default().fill(b'0');
        }
        at += digits;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tamed(strings: &str) -> String {
        let mut bytes = strings.as_bytes().to_vec();
        tame(&mut bytes);
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn what_macos_writes_stays() {
        let strings = "[%{public}@] %-16s %016llx %.3f %*.*s 100% %%\0%{public,uuid_t}.16P of 100000 items\0";
        assert_eq!(tamed(strings), strings);
    }

    #[test]
    fn widths_lengths_and_placeholders_have_limits_from_any_byte_on() {
        assert_eq!(tamed("%99999999d %{public}-.4096s"), "%00000000d %{public}-.0000s");
        assert_eq!(tamed("%{%99999999d}%d"), "%{%00000000d}%d");
        let long = tamed(&"a".repeat(3 * MAX_FORMAT));
        assert!(long.split('\0').all(|string| string.len() < MAX_FORMAT));
        let many = tamed(&"%d".repeat(MAX_FORMAT));
        assert!(many.split('\0').all(|string| string.matches('%').count() <= MAX_PLACEHOLDERS));
    }
}
