//! Logs as people paste them into mails and tickets: quoted, indented, numbered.

/// What stands before each line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Pasted {
    #[default]
    Plain,
    /// `> `, once or more.
    Quoted,
    /// So many blanks or tabs.
    Indented(usize),
    /// `  12  `, `12: `, `12. `, `12) ` or `12| `, as `cat -n`, `grep -n` and editors print it.
    Numbered,
}

impl Pasted {
    /// The forms in which a line may have been pasted, each with what it leaves of the line.
    pub fn candidates(line: &[u8]) -> impl Iterator<Item = (Self, &[u8])> {
        let blanks = line.iter().take_while(|byte| is_blank(**byte)).count();
        [Self::Plain, Self::Quoted, Self::Indented(blanks), Self::Numbered]
            .into_iter()
            .map(|pasted| (pasted, pasted.strip(line)))
            .filter(|(pasted, stripped)| *pasted == Self::Plain || stripped.len() < line.len())
    }

    /// A line without what stands before it. A line that is not pasted like the others stays as it is.
    pub fn strip(self, line: &[u8]) -> &[u8] {
        match self {
            Self::Plain => line,
            Self::Quoted => quoted(line),
            Self::Indented(most) => {
                let blanks = line.iter().take(most).take_while(|byte| is_blank(**byte)).count();
                line.get(blanks..).unwrap_or_default()
            }
            Self::Numbered => numbered(line).unwrap_or(line),
        }
    }
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

fn quoted(line: &[u8]) -> &[u8] {
    let mut rest = line;
    while let Some(behind) = rest.trim_ascii_start().strip_prefix(b">") {
        // mdmclient's own arrows, `>>>>> Sending`, are no quotation.
        if behind.first().is_some_and(|next| !is_blank(*next) && *next != b'>') || behind.starts_with(b">>>>") {
            break;
        }
        rest = behind;
    }
    if rest.len() < line.len() { rest.strip_prefix(b" ").unwrap_or(rest) } else { line }
}

fn numbered(line: &[u8]) -> Option<&[u8]> {
    let rest = line.trim_ascii_start();
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let rest = rest.get(digits..).filter(|_| (1..=9).contains(&digits))?;
    let rest = rest
        .strip_prefix(b":")
        .or(rest.strip_prefix(b"."))
        .or(rest.strip_prefix(b")"))
        .or(rest.strip_prefix(b"|"))
        .unwrap_or(rest);
    // Behind the number of an empty line there may be nothing.
    (rest.is_empty() || is_blank(*rest.first()?)).then(|| rest.trim_ascii_start())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_before_a_line_is_taken_off() {
        for (pasted, line, rest) in [
            (Pasted::Quoted, "> 2026-11-23 17:30:00", "2026-11-23 17:30:00"),
            (Pasted::Quoted, ">> 2026-11-23", "2026-11-23"),
            (Pasted::Quoted, " > > \tmore", "\tmore"),
            (Pasted::Quoted, ">", ""),
            (Pasted::Quoted, "not quoted", "not quoted"),
            (Pasted::Quoted, "> >>>>> Sending HTTP request", ">>>>> Sending HTTP request"),
            (Pasted::Quoted, ">>>>> Sending HTTP request", ">>>>> Sending HTTP request"),
            (Pasted::Indented(4), "      more", "  more"),
            (Pasted::Indented(4), "  more", "more"),
            (Pasted::Numbered, "     12\t2026-11-23", "2026-11-23"),
            (Pasted::Numbered, "12: 2026-11-23", "2026-11-23"),
            (Pasted::Numbered, "12", ""),
            (Pasted::Numbered, "2026-11-23 17:30:00", "2026-11-23 17:30:00"),
            (Pasted::Plain, "> x", "> x"),
        ] {
            assert_eq!(String::from_utf8_lossy(pasted.strip(line.as_bytes())), rest, "{pasted:?} {line}");
        }
    }

    #[test]
    fn the_plain_form_is_tried_first_and_others_only_where_they_change_the_line() {
        let forms =
            |line: &'static str| Pasted::candidates(line.as_bytes()).map(|(pasted, _)| pasted).collect::<Vec<_>>();
        assert_eq!(forms("2026-11-23 17:30:00"), [Pasted::Plain]);
        assert_eq!(forms("  12  x"), [Pasted::Plain, Pasted::Indented(2), Pasted::Numbered]);
        assert_eq!(forms("> x"), [Pasted::Plain, Pasted::Quoted]);
    }

    proptest::proptest! {
        #[test]
        fn nothing_is_taken_from_the_end(line in "[>: 0-9\t.a]{0,20}", width in 0usize..5) {
            for pasted in [Pasted::Plain, Pasted::Quoted, Pasted::Indented(width), Pasted::Numbered] {
                proptest::prop_assert!(line.as_bytes().ends_with(pasted.strip(line.as_bytes())));
            }
        }
    }
}
