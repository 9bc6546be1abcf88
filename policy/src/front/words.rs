//! The words of the language: what one string in a policy may be, and what to say when it is something else.

use crate::front::arch::known_names;
use crate::front::condition::{self, Conjunction};
use crate::front::diagnostic::{Code, nearest};
use crate::front::document::{Allowed, Direct, GrantedPath, Layer, LayerNeed, Layout, OnDeny, Port, Protocol, Root};
use crate::front::groups;
use crate::front::modules::{Claim, Ecosystem, ModulePattern, NotAPattern};
use crate::front::rules::{Digest, Hardening, NotADigest, SymbolPattern};
use crate::front::symbols::symbol_groups;

/// Longest name of anything; file names on Linux are at most as long.
const MAX_NAME: usize = 255;

/// Longest path, `PATH_MAX`.
const MAX_PATH: usize = 4096;

/// The newest Landlock ABI a policy can ask for.
pub(crate) const NEWEST_LANDLOCK: u32 = 10;

/// Why a word is wrong.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) code: Code,
    pub(crate) message: String,
    pub(crate) suggestion: Option<String>,
    pub(crate) help: Option<String>,
}

impl Fault {
    fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), suggestion: None, help: None }
    }

    fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    fn suggest<'a>(mut self, written: &str, valid: impl IntoIterator<Item = &'a str>) -> Self {
        self.suggestion = nearest(written, valid);
        self
    }
}

fn is_plain(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= MAX_NAME
        && text.starts_with(|first: char| first.is_ascii_alphanumeric())
        && text.chars().all(|one| one.is_ascii_alphanumeric() || matches!(one, '.' | '_' | '-'))
}

pub(crate) fn name(text: &str) -> Result<String, Fault> {
    if is_plain(text) {
        return Ok(text.to_owned());
    }
    Err(Fault::new(Code::Name, format!("`{text}` is not a name"))
        .help("a name begins with a letter or digit and continues with letters, digits, `.`, `_` and `-`"))
}

#[expect(clippy::unnecessary_wraps, reason = "the readers of words share one shape")]
pub(crate) fn description(text: &str) -> Result<String, Fault> {
    Ok(text.to_owned())
}

pub(crate) fn reference(text: &str) -> Result<String, Fault> {
    if text.is_empty() || text.contains('\0') || text.len() > MAX_PATH {
        return Err(Fault::new(Code::Path, format!("`{text}` names no policy"))
            .help("write `builtin:NAME`, or a path relative to this file"));
    }
    Ok(text.to_owned())
}

pub(crate) fn publisher(text: &str) -> Result<String, Fault> {
    if is_plain(text) && !text.contains(char::is_uppercase) {
        return Ok(text.to_owned());
    }
    let fault = Fault::new(Code::Name, format!("`{text}` is not the name of a publisher"));
    Err(if text.contains('*') {
        fault.help("publishers are named one by one; patterns belong into the trust document")
    } else {
        fault.help("write the name that the trust document gives the publisher, in lower case")
    })
}

pub(crate) fn digest(text: &str) -> Result<Digest, Fault> {
    text.parse().map_err(|error: NotADigest| {
        Fault::new(Code::Digest, format!("`{text}` is not a digest")).help(error.to_string())
    })
}

pub(crate) fn hardening(text: &str) -> Result<Hardening, Fault> {
    one_of(text, "property", Hardening::ALL, Hardening::name)
}

pub(crate) fn direct(text: &str) -> Result<Direct, Fault> {
    one_of(text, "answer", [Direct::Deny, Direct::Allow], |direct| match direct {
        Direct::Deny => "deny",
        Direct::Allow => "allow",
    })
}

pub(crate) fn on_deny(text: &str) -> Result<OnDeny, Fault> {
    one_of(text, "consequence", OnDeny::ALL, OnDeny::name)
}

pub(crate) fn layout(text: &str) -> Result<Layout, Fault> {
    one_of(text, "layout", Layout::ALL, Layout::name)
}

fn one_of<T: Copy, const N: usize>(
    text: &str,
    noun: &str,
    all: [T; N],
    name: impl Fn(T) -> &'static str,
) -> Result<T, Fault> {
    all.into_iter().find(|item| name(*item) == text).ok_or_else(|| {
        let names = all.map(name);
        Fault::new(Code::UnknownWord, format!("there is no {noun} `{text}`"))
            .suggest(text, names)
            .help(format!("write one of `{}`", names.join("`, `")))
    })
}

pub(crate) fn soname(text: &str) -> Result<String, Fault> {
    let plain = !text.is_empty() && text.len() <= MAX_NAME && text.bytes().all(|byte| byte.is_ascii_graphic());
    if plain && !text.contains('/') {
        return Ok(text.to_owned());
    }
    Err(Fault::new(Code::Name, format!("`{text}` is not the name of a library"))
        .help("write the name as the file's DT_NEEDED has it, as in `libz.so.1`, without a folder"))
}

pub(crate) fn symbol(text: &str) -> Result<String, Fault> {
    let plain = !text.is_empty() && text.len() <= 4 * MAX_NAME && text.bytes().all(|byte| byte.is_ascii_graphic());
    if plain && !text.contains('@') {
        return Ok(text.to_owned());
    }
    Err(Fault::new(Code::Name, format!("`{text}` is not the name of a symbol"))
        .help("write the name without a version, as in `transform`"))
}

pub(crate) fn symbol_pattern(text: &str) -> Result<SymbolPattern, Fault> {
    if !text.starts_with('@') {
        return symbol(text).map(SymbolPattern::Name);
    }
    if symbol_groups().contains_key(text) {
        return Ok(SymbolPattern::Group(text.to_owned()));
    }
    Err(Fault::new(Code::UnknownGroup, format!("there is no group of symbols `{text}`"))
        .suggest(text, symbol_groups().keys().map(String::as_str)))
}

pub(crate) fn show_pattern(pattern: &SymbolPattern) -> String {
    let (SymbolPattern::Group(name) | SymbolPattern::Name(name)) = pattern;
    name.clone()
}

pub(crate) fn claim(text: &str) -> Result<Claim, Fault> {
    one_of(text, "claim", Claim::ALL, Claim::name)
}

pub(crate) fn module_pattern(text: &str) -> Result<ModulePattern, Fault> {
    ModulePattern::read(text).map_err(|fault| match fault {
        NotAPattern::Ecosystem(word) => {
            let names = Ecosystem::ALL.map(Ecosystem::name);
            Fault::new(Code::UnknownWord, format!("`{word}` is not where modules come from")).suggest(word, names).help(
                format!(
                    "an entry is written as in `go:golang.org/x/net < 0.38.0`, and begins with one of `{}`",
                    names.join("`, `")
                ),
            )
        }
        NotAPattern::Name(name) => Fault::new(Code::Name, format!("`{name}` is not the name of a module"))
            .help("write the whole name, or its beginning and `*`, as in `go:golang.org/x/*`"),
        NotAPattern::Comparison(comparison) => {
            Fault::new(Code::ModuleVersion, format!("`{comparison}` is not a comparison of versions"))
                .help("compare with `<`, `<=`, `=`, `>=` or `>`; a comma joins comparisons that all hold")
        }
        NotAPattern::Version(version) => {
            Fault::new(Code::ModuleVersion, format!("`{version}` is not a version that others can be compared with"))
                .help("write `1.2.3` for Go and Rust, and what the package manager shows for packages")
        }
    })
}

pub(crate) fn path(text: &str) -> Result<GrantedPath, Fault> {
    let fault = |message: String| Fault::new(Code::Path, message);
    let (root, rest) = if let Some(rest) = text.strip_prefix("${bundle}") {
        (Root::Bundle, rest)
    } else if let Some(rest) = text.strip_prefix("${state}") {
        (Root::State, rest)
    } else if text.starts_with("${") {
        let end = text.find('}').map_or(text, |at| &text[..=at]);
        return Err(fault(format!("there is no variable `{end}`"))
            .suggest(end, ["${bundle}", "${state}"])
            .help("a path begins with `/`, `${bundle}` or `${state}`"));
    } else {
        (Root::Absolute, text)
    };
    let relative =
        if root == Root::Absolute { !rest.starts_with('/') } else { !(rest.is_empty() || rest.starts_with('/')) };
    if relative {
        return Err(fault(format!("the path `{text}` is not absolute"))
            .help("a path begins with `/`, `${bundle}` or `${state}`"));
    }
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    if text.len() > MAX_PATH || text.contains('\0') {
        return Err(fault("a path has at most 4096 bytes and no zero byte".to_owned()));
    }
    if let Some(part) = rest.split('/').skip(1).find(|part| matches!(*part, "" | "." | "..")) {
        let what = if part.is_empty() { "a doubled slash".to_owned() } else { format!("`{part}`") };
        return Err(fault(format!("the path `{text}` contains {what}"))
            .help("write the path the kernel would arrive at, so that readers see what is granted"));
    }
    Ok(GrantedPath { root, rest: rest.to_owned(), followed: rest.len() })
}

pub(crate) fn port(text: &str) -> Result<Port, Fault> {
    let fault = |message: String| Fault::new(Code::Port, message).help("a port is written as in `tcp:443`");
    let (protocol, number) =
        text.split_once(':').ok_or_else(|| fault(format!("`{text}` is not a protocol and a port")))?;
    let protocol = match protocol {
        "tcp" => Protocol::Tcp,
        "udp" => Protocol::Udp,
        other => {
            return Err(fault(format!("there is no protocol `{other}`")).suggest(other, ["tcp", "udp"]));
        }
    };
    let digits = number.bytes().all(|byte| byte.is_ascii_digit());
    match number.parse::<u16>() {
        Ok(0) => Err(fault("port 0 means any port, and cannot be granted".to_owned())),
        Ok(number) if digits => Ok(Port { protocol, number }),
        Ok(_) | Err(_) => Err(fault(format!("`{number}` is not a port"))),
    }
}

pub(crate) fn allowed(text: &str) -> Result<Allowed, Fault> {
    if !text.starts_with('@') {
        return call(text).map(Allowed::Call);
    }
    match groups::group(text) {
        Some(group) if group.internal => {
            Err(Fault::new(Code::ForbiddenCall, format!("`{text}` is what the cell itself needs, not for plugins"))
                .help(group.why.clone()))
        }
        Some(_) => Ok(Allowed::Group(text.to_owned())),
        None => Err(Fault::new(Code::UnknownGroup, format!("there is no group of syscalls `{text}`"))
            .suggest(text, groups::names())),
    }
}

pub(crate) fn call(text: &str) -> Result<String, Fault> {
    if let Some(why) = groups::never(text) {
        return Err(Fault::new(Code::ForbiddenCall, format!("no policy can allow `{text}`")).help(why));
    }
    any_call(text)
}

/// A call that a rule refuses may be one that no policy can allow.
pub(crate) fn any_call(text: &str) -> Result<String, Fault> {
    if known_names().contains(text) {
        return Ok(text.to_owned());
    }
    Err(Fault::new(Code::UnknownCall, format!("there is no syscall `{text}`"))
        .suggest(text, known_names().iter().copied()))
}

pub(crate) fn condition(call: &str, text: &str) -> Result<Conjunction, Fault> {
    condition::parse(call, text).map_err(|error| Fault {
        code: Code::Condition,
        message: error.message,
        suggestion: error.suggestion,
        help: error.help,
    })
}

/// Whether an entry of `syscalls.allow` permits a call whatever its arguments.
pub(crate) fn allows_always(entry: &Allowed, call: &str) -> bool {
    match entry {
        Allowed::Call(name) => name == call,
        Allowed::Group(name) => groups::expand(name)
            .iter()
            .any(|entry| entry.call == call && entry.answer.is_none() && entry.when.is_always()),
    }
}

pub(crate) fn layer(text: &str) -> Result<LayerNeed, Fault> {
    let (word, abi) = match text.split_once(">=") {
        Some((word, abi)) => (word.trim(), Some(abi.trim())),
        None => (text, None),
    };
    let Some(layer) = Layer::ALL.into_iter().find(|layer| layer.name() == word) else {
        let names = Layer::ALL.map(Layer::name);
        return Err(Fault::new(Code::UnknownWord, format!("there is no layer `{word}`"))
            .suggest(word, names)
            .help(format!("the layers are `{}`", names.join("`, `"))));
    };
    let Some(abi) = abi else { return Ok(LayerNeed { layer, abi: 0 }) };
    if layer != Layer::Landlock {
        return Err(Fault::new(Code::UnknownWord, format!("`{word}` has no levels"))
            .help("only Landlock has levels, as in `landlock>=4`"));
    }
    match abi.parse::<u32>() {
        Ok(abi) if (1..=NEWEST_LANDLOCK).contains(&abi) => Ok(LayerNeed { layer, abi }),
        _ => Err(Fault::new(Code::Range, format!("`{abi}` is not a Landlock level"))
            .help(format!("levels are the kernel's Landlock ABI, 1 to {NEWEST_LANDLOCK}"))),
    }
}
