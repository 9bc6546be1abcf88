//! Conditions on syscall arguments: `domain == AF_UNIX && type & SOCK_TYPE_MASK == SOCK_STREAM`. What can be written is
//! what a filter can decide, no more.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::LazyLock;

use crate::front::diagnostic::nearest;

/// How many comparisons one condition may join; a kernel filter is a straight line with short jumps.
const MAX_COMPARISONS: usize = 16;

/// Bits of an argument that the kernel looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Width {
    Bits32,
    Bits64,
}

impl Width {
    const fn mask(self) -> u64 {
        match self {
            Self::Bits32 => 0xffff_ffff,
            Self::Bits64 => u64::MAX,
        }
    }
}

/// One comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Test {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Masked(u64),
}

/// One comparison of one argument with a constant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Comparison {
    /// Position of the argument, from 0.
    pub(crate) index: u8,
    pub(crate) name: &'static str,
    pub(crate) width: Width,
    pub(crate) test: Test,
    pub(crate) value: u64,
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let operator = match self.test {
            Test::Masked(mask) => return write!(f, "{} & {mask:#x} == {:#x}", self.name, self.value),
            Test::Equal => "==",
            Test::NotEqual => "!=",
            Test::Less => "<",
            Test::LessOrEqual => "<=",
            Test::Greater => ">",
            Test::GreaterOrEqual => ">=",
        };
        write!(f, "{} {operator} {}", self.name, self.value)
    }
}

/// Comparisons that must all hold; none at all holds always.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Conjunction(pub(crate) BTreeSet<Comparison>);

impl Conjunction {
    pub(crate) fn is_always(&self) -> bool {
        self.0.is_empty()
    }

    fn and(&self, other: &Self) -> Self {
        Self(self.0.union(&other.0).cloned().collect())
    }

    /// Whether two comparisons of this conjunction obviously exclude each other.
    fn is_never(&self) -> bool {
        let equal = self.0.iter().filter(|one| one.test == Test::Equal);
        equal.into_iter().any(|one| self.0.iter().any(|other| one.index == other.index && !other.holds(one.value)))
            || self.0.iter().any(|one| {
                self.0.iter().any(|other| match (one.test, other.test) {
                    (Test::Masked(a), Test::Masked(b)) => {
                        one.index == other.index && one.value & a & b != other.value & a & b
                    }
                    _ => false,
                })
            })
    }

    /// Whether it holds for these arguments.
    pub(crate) fn holds(&self, arguments: &[u64; 6]) -> bool {
        self.0.iter().all(|comparison| comparison.holds(arguments[usize::from(comparison.index)]))
    }
}

impl Comparison {
    fn holds(&self, argument: u64) -> bool {
        let argument = argument & self.width.mask();
        match self.test {
            Test::Equal => argument == self.value,
            Test::NotEqual => argument != self.value,
            Test::Less => argument < self.value,
            Test::LessOrEqual => argument <= self.value,
            Test::Greater => argument > self.value,
            Test::GreaterOrEqual => argument >= self.value,
            Test::Masked(mask) => argument & mask == self.value,
        }
    }
}

impl fmt::Display for Conjunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, comparison) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str(" && ")?;
            }
            comparison.fmt(f)?;
        }
        Ok(())
    }
}

/// Alternatives of which one must hold. With no alternative it never holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Permission(BTreeSet<Conjunction>);

impl Permission {
    pub(crate) fn always() -> Self {
        Self(BTreeSet::from([Conjunction::default()]))
    }

    pub(crate) fn is_always(&self) -> bool {
        self.0.iter().any(Conjunction::is_always)
    }

    pub(crate) fn is_never(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn alternatives(&self) -> impl ExactSizeIterator<Item = &Conjunction> {
        self.0.iter()
    }

    /// Adds an alternative; what another alternative already includes is left out.
    pub(crate) fn add(&mut self, conjunction: Conjunction) {
        if conjunction.is_never() || self.0.iter().any(|have| have.0.is_subset(&conjunction.0)) {
            return;
        }
        self.0.retain(|have| !conjunction.0.is_subset(&have.0));
        self.0.insert(conjunction);
    }

    /// What either permits.
    pub(crate) fn or(&self, other: &Self) -> Self {
        let mut out = self.clone();
        other.0.iter().for_each(|conjunction| out.add(conjunction.clone()));
        out
    }

    /// What both permit.
    pub(crate) fn and(&self, other: &Self) -> Self {
        let mut out = Self::default();
        for one in &self.0 {
            for two in &other.0 {
                out.add(one.and(two));
            }
        }
        out
    }

    /// Whether one of the alternatives holds for these arguments.
    pub(crate) fn holds(&self, arguments: &[u64; 6]) -> bool {
        self.0.iter().any(|conjunction| conjunction.holds(arguments))
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, conjunction) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str(" or ")?;
            }
            if conjunction.is_always() {
                f.write_str("always")?;
            } else {
                conjunction.fmt(f)?;
            }
        }
        Ok(())
    }
}

/// Why a condition cannot be read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NotACondition {
    pub(crate) message: String,
    pub(crate) suggestion: Option<String>,
    pub(crate) help: Option<String>,
}

impl NotACondition {
    fn new(message: String) -> Self {
        Self { message, suggestion: None, help: None }
    }
}

struct Argument {
    name: String,
    width: Width,
}

struct Tables {
    arguments: BTreeMap<String, Vec<Argument>>,
    constants: BTreeMap<String, u64>,
}

static TABLES: LazyLock<Tables> = LazyLock::new(|| {
    #[derive(serde::Deserialize)]
    struct Data {
        args: BTreeMap<String, String>,
        constants: BTreeMap<String, u64>,
    }
    let data: Data = toml::from_str(include_str!("../../data/syscall-args.toml")).expect("shipped data, tested");
    let argument = |text: &str| {
        let (name, bits) = text.split_once(':').expect("shipped data, tested");
        Argument { name: name.to_owned(), width: if bits == "32" { Width::Bits32 } else { Width::Bits64 } }
    };
    let arguments = data.args.into_iter().map(|(call, list)| (call, list.split(' ').map(argument).collect()));
    Tables { arguments: arguments.collect(), constants: data.constants }
});

/// Reads a condition on a call.
pub(crate) fn parse(call: &str, text: &str) -> Result<Conjunction, NotACondition> {
    let Some(arguments) = TABLES.arguments.get(call) else {
        let mut error = NotACondition::new(format!("the arguments of `{call}` have no names to write conditions with"));
        error.help = Some(format!("allow `{call}` without a condition, or leave it out"));
        return Err(error);
    };
    let parts: Vec<&str> = text.split("&&").collect();
    if parts.len() > MAX_COMPARISONS {
        return Err(NotACondition::new(format!("a condition joins at most {MAX_COMPARISONS} comparisons")));
    }
    let mut all = Conjunction::default();
    for part in parts {
        all.0.insert(comparison(call, arguments, part.trim())?);
    }
    if all.is_never() {
        return Err(NotACondition::new(format!("the condition `{text}` never holds")));
    }
    Ok(all)
}

const OPERATORS: [(&str, Test); 6] = [
    ("==", Test::Equal),
    ("!=", Test::NotEqual),
    ("<=", Test::LessOrEqual),
    (">=", Test::GreaterOrEqual),
    ("<", Test::Less),
    (">", Test::Greater),
];

fn comparison(call: &str, arguments: &'static [Argument], text: &str) -> Result<Comparison, NotACondition> {
    let shape = || {
        let mut error = NotACondition::new(format!("`{text}` is not a comparison"));
        error.help = Some("write `ARGUMENT OPERATOR VALUE` or `ARGUMENT & MASK == VALUE`".to_owned());
        error
    };
    let found = OPERATORS.iter().filter_map(|(word, test)| Some((text.find(word)?, word, *test)));
    // `<=` and `<` begin at the same place: the longer word is the earlier row.
    let (at, word, test) = found.min_by_key(|(at, _, _)| *at).ok_or_else(shape)?;
    let (left, right) = (text[..at].trim(), text[at + word.len()..].trim());
    let (name, mask) = match left.split_once('&') {
        Some((name, mask)) => (name.trim(), Some(mask.trim())),
        None => (left, None),
    };
    if name.is_empty() || right.is_empty() {
        return Err(shape());
    }
    let Some((index, argument)) = arguments.iter().enumerate().find(|(_, argument)| argument.name == name) else {
        let mut error = NotACondition::new(format!("`{call}` has no argument `{name}`"));
        let names: Vec<&str> = arguments.iter().map(|argument| argument.name.as_str()).collect();
        error.suggestion = nearest(name, names.iter().copied());
        error.help = Some(format!("its arguments are `{}`", names.join("`, `")));
        return Err(error);
    };
    let value = value(right, argument.width)?;
    let test = match (mask, test) {
        (None, test) => test,
        (Some(mask), Test::Equal) => {
            let mask = self::value(mask, argument.width)?;
            if value & !mask != 0 {
                return Err(NotACondition::new(format!("`{text}` never holds: the value has bits outside the mask")));
            }
            Test::Masked(mask)
        }
        (Some(_), _) => {
            let mut error = NotACondition::new(format!("`{text}` compares masked bits with `{word}`"));
            error.help = Some("masked bits can only be compared with `==`".to_owned());
            return Err(error);
        }
    };
    let limit = argument.width.mask();
    let never = matches!((test, value), (Test::Less, 0)) || (test == Test::Greater && value == limit);
    if never {
        return Err(NotACondition::new(format!("`{text}` never holds")));
    }
    let index = u8::try_from(index).map_err(|_| shape())?;
    Ok(Comparison { index, name: &argument.name, width: argument.width, test, value })
}

fn value(text: &str, width: Width) -> Result<u64, NotACondition> {
    let mut value = 0;
    for word in text.split('|').map(str::trim) {
        let number = if let Some(digits) = word.strip_prefix("0x") {
            u64::from_str_radix(digits, 16).ok().filter(|_| !digits.starts_with('+'))
        } else if word.starts_with(|first: char| first.is_ascii_digit()) {
            word.parse().ok()
        } else {
            TABLES.constants.get(word).copied()
        };
        let Some(number) = number else {
            let mut error = NotACondition::new(format!("`{word}` is neither a number nor a known constant"));
            error.suggestion = nearest_constant(word);
            return Err(error);
        };
        value |= number;
    }
    if value > width.mask() {
        return Err(NotACondition::new(format!("`{text}` does not fit the 32 bits of the argument")));
    }
    Ok(value)
}

fn nearest_constant(word: &str) -> Option<String> {
    // Constants are upper case, and so is what is compared with them.
    let names: Vec<String> = TABLES.constants.keys().map(|name| name.to_lowercase()).collect();
    nearest(word, names.iter().map(String::as_str)).map(|name| name.to_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_reads_names_masks_and_numbers() {
        let condition = parse("socket", "domain == AF_UNIX && type & SOCK_TYPE_MASK == SOCK_STREAM").expect("reads");
        assert!(condition.holds(&[1, 0x80001, 0, 0, 0, 0]));
        assert!(condition.holds(&[0xdead_0000_0000_0001, 1, 0, 0, 0, 0]), "the kernel ignores the upper half");
        assert!(!condition.holds(&[2, 1, 0, 0, 0, 0]));
        assert!(!condition.holds(&[1, 2, 0, 0, 0, 0]));
        assert_eq!(condition.to_string(), "domain == 1 && type & 0xf == 0x1");
    }

    #[test]
    fn what_cannot_be_read_says_why() {
        for (call, text, message, suggestion) in [
            ("socket", "domian == AF_UNIX", "`socket` has no argument `domian`", Some("domain")),
            ("socket", "domain == AF_UNX", "`AF_UNX` is neither a number nor a known constant", Some("AF_UNIX")),
            ("socket", "domain = AF_UNIX", "`domain = AF_UNIX` is not a comparison", None),
            ("socket", "", "`` is not a comparison", None),
            ("socket", "domain ==", "`domain ==` is not a comparison", None),
            ("socket", "type & 0xf < 2", "`type & 0xf < 2` compares masked bits with `<`", None),
            ("socket", "type & 1 == 2", "`type & 1 == 2` never holds: the value has bits outside the mask", None),
            ("socket", "domain < 0", "`domain < 0` never holds", None),
            ("socket", "domain == 0x1ffffffff", "`0x1ffffffff` does not fit the 32 bits of the argument", None),
            ("socket", "domain == 1 && domain == 2", "the condition `domain == 1 && domain == 2` never holds", None),
            ("getpid", "pid == 0", "the arguments of `getpid` have no names to write conditions with", None),
        ] {
            let error = parse(call, text).expect_err(text);
            assert_eq!((error.message.as_str(), error.suggestion.as_deref()), (message, suggestion), "{text}");
        }
    }

    #[test]
    fn alternatives_absorb_what_they_include() {
        let read = |text| parse("write", text).expect("reads");
        let mut permission = Permission::default();
        permission.add(read("fd == 1 && count < 10"));
        permission.add(read("fd == 1"));
        assert_eq!(permission.to_string(), "fd == 1");
        permission.add(read("fd == 2"));
        assert_eq!(permission.to_string(), "fd == 1 or fd == 2");
        assert!(permission.and(&Permission::default()).is_never());
        assert_eq!(permission.and(&Permission::always()), permission);
        assert!(permission.or(&Permission::always()).is_always());
    }

    #[test]
    fn conjunctions_that_exclude_each_other_vanish() {
        let only = |text| {
            let mut permission = Permission::default();
            permission.add(parse("write", text).expect("reads"));
            permission
        };
        assert!(only("fd == 1").and(&only("fd == 2")).is_never());
        assert!(only("fd == 0").and(&only("fd != 0")).is_never());
        assert!(!only("fd > 2").and(&only("fd != 0")).is_never());
    }

    #[test]
    fn the_table_of_arguments_names_known_calls_and_at_most_six_arguments() {
        for (call, arguments) in &TABLES.arguments {
            assert!(crate::front::arch::known_names().contains(call.as_str()), "{call}");
            assert!(arguments.len() <= 6, "{call}");
            let names: BTreeSet<_> = arguments.iter().map(|argument| &argument.name).collect();
            assert_eq!(names.len(), arguments.len(), "{call} names an argument twice");
        }
    }
}
