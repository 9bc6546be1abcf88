//! What the pages that people read have in common: they need nothing else, and nothing of what a file says becomes markup.

/// The look of every page.
pub(super) const STYLE: &str = include_str!("page.css");

/// A page with this title, further style and body.
pub(super) fn page(title: &str, style: &str, body: &str) -> String {
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{}</title>\n<style>\n{STYLE}{style}</style>\n</head>\n<body>\n{body}</body>\n</html>\n",
        escape(title)
    )
}

/// Appends to a page.
pub(super) fn put(page: &mut String, what: std::fmt::Arguments<'_>) {
    *page += &what.to_string();
}

/// Whatever a policy, a path, a file or the kernel says, as text of a page.
pub(super) fn escape(text: &str) -> String {
    // Backticks are the marks of our own sentences.
    let printable: Vec<String> = text.split('`').map(|part| crate::audit::escape(part).to_string()).collect();
    markup(&printable.join("`"))
}

/// Text in which strings of others are printable already, as text of a page.
pub(super) fn markup(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out += "&amp;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '"' => out += "&quot;",
            '\'' => out += "&#39;",
            other => out.push(other),
        }
    }
    out
}

/// A sentence of ours, in which strings of others are printable already: what stands between backticks is code.
pub(super) fn sentence(text: &str) -> String {
    let parts: Vec<&str> = text.split('`').collect();
    let whole = parts.len() % 2 == 1;
    let part = |(at, part): (usize, &&str)| match at % 2 {
        1 if whole => format!("<code>{}</code>", markup(part)),
        1 => format!("`{}", markup(part)),
        _ => markup(part),
    };
    parts.iter().enumerate().map(part).collect()
}

#[cfg(test)]
mod tests {
    use super::{escape, sentence};

    #[test]
    fn names_in_a_sentence_are_code() {
        assert_eq!(sentence("imports `a<b`, which"), "imports <code>a&lt;b</code>, which");
        assert_eq!(sentence("one ` alone"), "one ` alone");
    }

    #[test]
    fn what_looks_like_a_tag_is_text() {
        assert_eq!(escape("<b a=\"'&\">"), "&lt;b a=&quot;&#39;&amp;&quot;&gt;");
        assert_eq!(escape("`kill`\u{202e}\u{1b}"), "`kill`\\u{202e}\\u{1b}");
    }
}
