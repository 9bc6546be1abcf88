//! What is wrong with a policy, as data and as text: a stable code, one sentence, the place, and what to write instead.

use std::fmt;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet, normalize_untrusted_str};
use serde::Serialize;

use crate::front::rules::Origin;
use crate::front::text::Place;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// Stable names of the mistakes; scripts may rely on them.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Code { $($(#[$doc])* $name,)* }

        impl Code {
            /// Every code, in the order of the documentation.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The text a report prints.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

codes! {
    /// The bytes are not UTF-8.
    NotUtf8 = "P-NOT-UTF8",
    /// The text is larger than [`MAX_TEXT`](crate::MAX_TEXT).
    TooLarge = "P-TOO-LARGE",
    /// The text is not TOML.
    Syntax = "P-SYNTAX",
    /// A key is written twice.
    DuplicateKey = "P-DUPLICATE-KEY",
    /// A key the language does not have.
    UnknownKey = "P-UNKNOWN-KEY",
    /// A key that must be there is not.
    MissingKey = "P-MISSING-KEY",
    /// A value of the wrong kind, as a number where a list belongs.
    Type = "P-TYPE",
    /// A list with nothing in it.
    EmptyList = "P-EMPTY-LIST",
    /// The same value twice in one list.
    DuplicateValue = "P-DUPLICATE-VALUE",
    /// A language version that this release does not read.
    Version = "P-VERSION",
    /// A name, publisher, library or symbol that cannot be one.
    Name = "P-NAME",
    /// Text that is not a SHA-256 digest.
    Digest = "P-DIGEST",
    /// A word that is not among the ones a key takes.
    UnknownWord = "P-UNKNOWN-WORD",
    /// A group that does not exist.
    UnknownGroup = "P-UNKNOWN-GROUP",
    /// A comparison with a version that cannot be made.
    ModuleVersion = "P-MODULE-VERSION",
    /// A syscall that exists on no architecture.
    UnknownCall = "P-UNKNOWN-CALL",
    /// A syscall or group that no policy can allow.
    ForbiddenCall = "P-FORBIDDEN-CALL",
    /// A condition that cannot be read or cannot hold.
    Condition = "P-CONDITION",
    /// Two statements that exclude each other.
    Conflict = "P-CONFLICT",
    /// A path that is not absolute and plain.
    Path = "P-PATH",
    /// Text that is not a protocol and a port.
    Port = "P-PORT",
    /// Text that is not a size.
    Size = "P-SIZE",
    /// Text that is not a duration.
    Duration = "P-DURATION",
    /// A number that cannot work.
    Range = "P-RANGE",
    /// The policy named by `extends` could not be read.
    Extends = "P-EXTENDS",
    /// `extends` leads back to a policy that is already part of the chain.
    ExtendsCycle = "P-EXTENDS-CYCLE",
    /// `extends` goes deeper than the language permits.
    ExtendsDepth = "P-EXTENDS-DEPTH",
    /// There is no shipped policy of that name.
    UnknownBuiltin = "P-UNKNOWN-BUILTIN",
    /// The rules do not fit into the kernel's filters.
    TooManyRules = "P-TOO-MANY-RULES",
    /// Warning: what is written here is not in effect.
    NoEffect = "P-NO-EFFECT",
    /// Warning: what is granted cannot be used without something else.
    Useless = "P-USELESS-GRANT",
    /// Warning: the plugin asks for what the policy does not grant.
    Refused = "P-REQUEST-REFUSED",
}

impl Serialize for Code {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Whether a diagnostic stops the policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The policy means nothing until this is mended.
    Error,
    /// The policy holds, but not as its author probably thinks.
    Warning,
}

/// One mistake.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// Stable name.
    pub code: Code,
    /// Whether it stops the policy.
    pub severity: Severity,
    /// One sentence, lower case, the object in backticks.
    pub message: String,
    /// Name of the text.
    pub file: String,
    /// Line from 1; 0 where the text has no lines of its own.
    pub line: u32,
    /// Column in characters from 1; 0 where the text has no lines of its own.
    pub column: u32,
    /// Dotted key, where one is known.
    pub key: String,
    /// The line, or its first part.
    pub excerpt: String,
    /// The offending bytes of `excerpt`.
    pub mark: Range<usize>,
    /// The nearest valid name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suggestion: Option<String>,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// Another place that has a part in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub related: Option<Origin>,
}

impl Diagnostic {
    pub(crate) fn error(code: Code, message: impl Into<String>, place: &Place) -> Self {
        Self::new(Severity::Error, code, message.into(), place)
    }

    pub(crate) fn warning(code: Code, message: impl Into<String>, place: &Place) -> Self {
        Self::new(Severity::Warning, code, message.into(), place)
    }

    fn new(severity: Severity, code: Code, message: String, place: &Place) -> Self {
        Self {
            code,
            severity,
            message,
            file: place.source.to_string(),
            line: place.line,
            column: place.column,
            key: place.key.clone(),
            excerpt: place.excerpt.to_string(),
            mark: place.mark.clone(),
            suggestion: None,
            help: None,
            related: None,
        }
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    pub(crate) fn related(mut self, origin: Origin) -> Self {
        self.related = Some(origin);
        self
    }

    /// Adds the valid name nearest to what was written, if one is near.
    pub(crate) fn suggest<'a>(mut self, written: &str, valid: impl IntoIterator<Item = &'a str>) -> Self {
        self.suggestion = nearest(written, valid);
        self
    }

    fn render(&self, renderer: &Renderer) -> String {
        let level = match self.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let title = level.primary_title(self.message.as_str()).id(self.code.as_str());
        let file = normalize_untrusted_str(&self.file);
        let mut group = if self.line == 0 {
            let place = if self.key.is_empty() { file } else { format!("{file}, `{}`", self.key) };
            Group::with_title(title).element(Level::NOTE.message(format!("in {}", normalize_untrusted_str(&place))))
        } else {
            let excerpt = Snippet::source(self.excerpt.as_str())
                .line_start(usize::try_from(self.line).unwrap_or(usize::MAX))
                .path(file)
                .annotation(AnnotationKind::Primary.span(self.mark.clone()));
            Group::with_title(title).element(excerpt)
        };
        if let Some(name) = &self.suggestion {
            group = group.element(Level::HELP.message(format!("did you mean `{name}`?")));
        }
        if let Some(origin) = &self.related {
            group = group.element(Level::NOTE.message(normalize_untrusted_str(&format!("see {origin}"))));
        }
        if let Some(help) = &self.help {
            group = group.element(Level::HELP.message(normalize_untrusted_str(help)));
        }
        renderer.render(&[group])
    }
}

/// The name among `valid` that a person most likely meant.
pub(crate) fn nearest<'a>(written: &str, valid: impl IntoIterator<Item = &'a str>) -> Option<String> {
    // The distance is quadratic in the length; nothing that long is a slip of the finger.
    if written.len() > 64 {
        return None;
    }
    let lower = written.to_lowercase();
    valid
        .into_iter()
        .map(|name| (strsim::osa_distance(&lower, name), name))
        .filter(|(distance, name)| *distance <= (name.len().max(lower.len()) / 3).max(1))
        .min()
        .map(|(_, name)| name.to_owned())
}

/// Whether rendered text carries terminal colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Palette {
    /// Plain text, for files and pipes.
    Plain,
    /// ANSI colours, for terminals.
    Coloured,
}

/// Everything found in one pass, in the order of the texts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Diagnostics(Vec<Diagnostic>);

impl Diagnostics {
    /// The diagnostics in order.
    #[must_use]
    pub fn as_slice(&self) -> &[Diagnostic] {
        &self.0
    }

    /// Walks over them in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.0.iter()
    }

    /// Whether nothing was found.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many were found.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether one of them stops the policy.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.0.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
    }

    /// For people: message, excerpt and next step of each. Nothing from the text reaches the output as a control
    /// sequence.
    #[must_use]
    pub fn render(&self, palette: Palette) -> String {
        let renderer = match palette {
            Palette::Plain => Renderer::plain(),
            Palette::Coloured => Renderer::styled(),
        };
        self.0.iter().map(|diagnostic| diagnostic.render(&renderer)).collect::<Vec<_>>().join("\n\n")
    }

    pub(crate) fn push(&mut self, diagnostic: Diagnostic) {
        self.0.push(diagnostic);
    }
}

impl<'a> IntoIterator for &'a Diagnostics {
    type Item = &'a Diagnostic;
    type IntoIter = std::slice::Iter<'a, Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl From<Diagnostic> for Diagnostics {
    fn from(diagnostic: Diagnostic) -> Self {
        Self(vec![diagnostic])
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(Palette::Plain))
    }
}

impl std::error::Error for Diagnostics {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_distinct_and_shaped_alike() {
        let mut seen = std::collections::BTreeSet::new();
        for code in Code::ALL {
            assert!(seen.insert(code.as_str()), "{code} twice");
            assert!(code.as_str().starts_with("P-"), "{code}");
        }
    }

    #[test]
    fn a_near_name_is_suggested_and_a_far_one_is_not() {
        let valid = ["read", "write", "memory"];
        assert_eq!(nearest("raed", valid).as_deref(), Some("read"));
        assert_eq!(nearest("Memory", valid).as_deref(), Some("memory"));
        assert_eq!(nearest("publishers", valid), None);
    }

    #[test]
    fn control_sequences_of_the_text_do_not_reach_the_terminal() {
        let mut place = Place::whole("\x1b[31mevil");
        place.line = 3;
        place.column = 1;
        place.excerpt = "\x1b[2J = 1".into();
        place.mark = 0..4;
        let all: Diagnostics = Diagnostic::error(Code::Syntax, "\x1b]0;title\x07", &place).help("\x1b[0m").into();
        assert!(!all.render(Palette::Plain).contains('\x1b'), "{}", all.render(Palette::Plain));
    }
}
