//! Decides how a string out of a plugin is shown. Whoever made the file chose it, so nothing of it reaches a terminal,
//! a log or a web page as it is: what remains is printable ASCII.

/// How many characters of one string a message repeats: mangled names run to thousands.
const MAX_SHOWN: usize = 120;

/// A stranger's string made fit for a terminal, cut to [`MAX_SHOWN`] characters.
pub(super) fn shown(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text.chars();
    rest.by_ref().take(MAX_SHOWN).for_each(|c| push(&mut out, c));
    if rest.next().is_some() {
        out.push_str("...");
    }
    out
}

/// As [`shown`], uncut: for names that a program compares. Two different strings never look the same.
pub(crate) fn escaped(text: &str) -> String {
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~') && byte != b'\\' && byte != b'`') {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    text.chars().for_each(|c| push(&mut out, c));
    out
}

fn push(out: &mut String, c: char) {
    match c {
        // The escape character itself, and the quote that messages put around names.
        '\\' | '`' => out.extend(c.escape_unicode()),
        ' '..='~' => out.push(c),
        // Everything else: controls, escapes, direction marks, and letters that look like other letters.
        _ => out.extend(c.escape_unicode()),
    }
}

/// A number as reports show offsets and addresses.
pub(super) fn hex(value: u64) -> String {
    format!("{value:#x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_move_the_cursor_reorder_a_line_or_imitate_another() {
        for text in ["\u{1b}[2J", "a\nb", "a\rb", "\u{202e}gnp.exe", "\u{9b}31m", "l\u{456}bc", "a`b", "\u{7f}"] {
            let shown = shown(text);
            assert!(shown.bytes().all(|byte| (b' '..=b'~').contains(&byte) && byte != b'`'), "{shown}");
            assert_ne!(shown, text);
        }
        assert_ne!(escaped("\u{1b}"), escaped("\\u{1b}"));
    }

    #[test]
    fn an_ordinary_name_is_shown_as_it_is_and_a_long_one_is_cut() {
        assert_eq!(shown("_ZNSt8ios_base4InitC1Ev@GLIBCXX_3.4"), "_ZNSt8ios_base4InitC1Ev@GLIBCXX_3.4");
        assert_eq!(shown(&"a".repeat(1 << 20)).len(), MAX_SHOWN + 3);
    }
}
