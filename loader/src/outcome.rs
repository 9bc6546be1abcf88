//! How a call, or a load, ended: one enum for everything a plugin can do.

use std::fmt;
use std::time::Duration;

use lazaret_cell::wire::FUNCTION_LIMIT;
use lazaret_cell::{Incident, IncidentKind, Refused, Report};
use lazaret_policy::{Advice, Arch, Layer, PathRule, Plan, Policy};
use serde::Serialize;

use crate::audit::Object;
use crate::call::{ArgumentError, Lie, Returned};
use crate::kernel_log::Denial;
use crate::process::Exit;

/// How a call ended. After everything but `Returned` and `Refused` the cell is gone.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "outcome")]
#[must_use]
pub enum Outcome {
    /// The function returned.
    Returned(Returned),
    /// The plugin tried what its policy does not permit, and was stopped.
    Violated(Box<Violation>),
    /// A fault or an abort.
    Crashed(Crash),
    /// It left the process.
    Exited {
        /// Exit status.
        status: i32,
    },
    /// It did not answer in time and was killed.
    TimedOut {
        /// The limit that passed.
        limit: TimeLimit,
    },
    /// It used up its memory and then failed.
    OutOfMemory {
        /// Where it failed, as a crash.
        crash: Crash,
    },
    /// The call was not made: the arguments do not fit, or there is no such function.
    Refused(CallRefusal),
    /// It said something that cannot be true, and was killed.
    Lied {
        /// What it said.
        lie: Lie,
    },
}

impl Outcome {
    /// Stable code; `None` for a call that returned.
    #[must_use]
    pub const fn code(&self) -> Option<&'static str> {
        match self {
            Self::Returned(_) => None,
            Self::Violated(violation) => Some(violation.code()),
            Self::Crashed(_) => Some("V-CRASHED"),
            Self::Exited { .. } => Some("V-EXITED"),
            Self::TimedOut { .. } => Some("V-TIMED-OUT"),
            Self::OutOfMemory { .. } => Some("V-OUT-OF-MEMORY"),
            Self::Refused(refusal) => Some(refusal.code()),
            Self::Lied { .. } => Some("V-LIED"),
        }
    }
}

/// One sentence.
impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Returned(_) => f.write_str("the function returned"),
            Self::Violated(violation) => violation.fmt(f),
            Self::Crashed(crash) => write!(f, "the plugin crashed: {}", crash.name),
            Self::Exited { status } => write!(f, "the plugin left its process with status {status}"),
            Self::TimedOut { limit } => {
                let limit = match limit {
                    TimeLimit::Call(limit) | TimeLimit::Load(limit) => format!("{limit:?}"),
                    TimeLimit::Processor => "its processor time".into(),
                };
                write!(f, "the plugin did not answer within {limit} and was killed")
            }
            Self::OutOfMemory { .. } => f.write_str("the plugin used up its memory and then failed"),
            Self::Refused(refusal) => refusal.fmt(f),
            Self::Lied { lie } => write!(f, "the cell lied and was killed: {lie}"),
        }
    }
}

/// A limit in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum TimeLimit {
    /// `limits.call-time`.
    Call(#[serde(serialize_with = "millis")] Duration),
    /// `limits.load-time`.
    Load(#[serde(serialize_with = "millis")] Duration),
    /// `limits.cpu-time`, the cell's whole life. In a pid namespace of its own that it was this limit is the cell's claim.
    Processor,
}

fn millis<S: serde::Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}

/// What a plugin tried and was stopped from doing. That it was stopped is the kernel's word; which call it was, with what
/// and from where, is noted by the cell itself and can be forged by the plugin (`claim`).
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Violation {
    /// What stopped it.
    pub layer: Layer,
    /// Name of the system call, or `?`.
    pub act: String,
    /// The six argument registers, of which the call uses some.
    pub arguments: Vec<u64>,
    /// The path or port it named, where that is known, made printable.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Where in the plugin.
    pub place: Option<Place>,
    /// What the policy says of the call, and what would permit it.
    pub advice: Option<Advice>,
    /// How it is known that it was this layer.
    pub evidence: Evidence,
    /// Whether the details are the cell's claim.
    pub claim: bool,
}

/// How it is known which layer stopped something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Evidence {
    /// How the process ended, in the kernel's words.
    Death,
    /// The kernel's log.
    KernelLog,
    /// The cell noted that the kernel refused the call; from the plan it follows which layer that was.
    Prediction,
    /// The cell noted that its filter refused the call.
    Cell,
}

impl Violation {
    /// Stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self.layer {
            Layer::Limits => "V-LIMIT",
            Layer::Landlock => "V-LANDLOCK",
            Layer::Mount => "V-MOUNT",
            Layer::Apparmor => "V-APPARMOR",
            _ => "V-SYSCALL",
        }
    }
}

/// One sentence.
impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let act = crate::audit::escape(&self.act);
        write!(f, "the plugin tried `{act}`")?;
        if let Some(path) = &self.path {
            write!(f, " of `{}`", crate::audit::escape(path))?;
        }
        write!(f, " and {} stopped it", self.layer.name())
    }
}

/// A fault or an abort.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Crash {
    /// Signal number.
    pub signal: i32,
    /// Its name, as `SIGSEGV`.
    pub name: String,
    /// Where in the plugin; the cell's claim.
    pub place: Option<Place>,
    /// The address that could not be accessed; the cell's claim.
    pub address: Option<u64>,
    /// Whether the cell noted anything. Signal and end are the kernel's word; place, address, and that memory was
    /// exhausted are the cell's claim.
    pub claim: bool,
}

/// A place in the plugin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Place {
    /// Nearest function symbol before it.
    pub symbol: String,
    /// Bytes from there.
    pub offset: u64,
    /// False where the place was found by looking for return addresses on the stack.
    pub exact: bool,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { symbol, offset, exact } = self;
        let probably = if *exact { "" } else { "probably " };
        write!(f, "{probably}`{}`+{offset:#x}", crate::audit::escape(symbol))
    }
}

/// Why a call was not made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum CallRefusal {
    /// The arguments do not fit the signature.
    Argument(ArgumentError),
    /// The plugin defines no such function.
    NoFunction {
        /// The name.
        name: String,
        /// An exported function of a similar name.
        near: Option<String>,
    },
    /// An earlier outcome ended the cell.
    CellGone,
    /// As many functions are bound as a cell keeps.
    TooManyFunctions,
    /// The function belongs to another cell.
    OtherCell,
    /// The string that the function returned is longer than a message.
    TooLong,
}

impl CallRefusal {
    /// Stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Argument(_) => "E-ARGUMENT",
            Self::NoFunction { .. } => "E-NO-FUNCTION",
            Self::CellGone => "E-CELL-GONE",
            Self::TooManyFunctions => "E-TOO-MANY-FUNCTIONS",
            Self::OtherCell => "E-OTHER-CELL",
            Self::TooLong => "E-TOO-LONG",
        }
    }

    /// What to change.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Argument(error) => error.next_step().map(str::to_owned),
            Self::NoFunction { near, .. } => near
                .as_ref()
                .map(|near| format!("did you mean `{}`?", crate::audit::escape(near)))
                .or_else(|| Some("`lazaret inspect --json FILE` lists what it exports".into())),
            Self::CellGone => Some("load the plugin again".into()),
            Self::TooManyFunctions => Some("bind each function once and keep it".into()),
            Self::OtherCell => Some("bind the function in the cell that is to run it".into()),
            Self::TooLong => Some("raise `limits.message` in the policy".into()),
        }
    }
}

impl fmt::Display for CallRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Argument(error) => error.fmt(f),
            Self::NoFunction { name, .. } => {
                write!(f, "the plugin exports no function `{}`", crate::audit::escape(name))
            }
            Self::CellGone => f.write_str("the cell is gone"),
            Self::TooManyFunctions => write!(f, "{FUNCTION_LIMIT} functions are bound, and a cell keeps no more"),
            Self::OtherCell => f.write_str("the function was bound in another cell"),
            Self::TooLong => f.write_str("the returned string does not fit into a message"),
        }
    }
}

/// What is known about the plugin in a cell, to name places in it.
#[derive(Debug)]
pub(crate) struct Symbols<'a> {
    pub(crate) object: &'a Object,
    /// What the dynamic loader added to the addresses in the file, as the cell claims; `None` before it is mapped.
    pub(crate) bias: Option<u64>,
}

impl Symbols<'_> {
    fn at(&self, address: u64, exact: bool) -> Option<Place> {
        let address = address.checked_sub(self.bias?)?;
        let (symbol, offset) = self.object.symbol_at(address)?;
        Some(Place { symbol: symbol.to_owned(), offset, exact })
    }

    fn of(&self, instruction: u64, callers: &[u64]) -> Option<Place> {
        self.at(instruction, true).or_else(|| callers.iter().find_map(|caller| self.at(*caller, false)))
    }
}

/// Turns the kernel's word (how the process ended, and whether that was for want of memory in its control group) and the
/// cell's (what its handlers noted) into an outcome.
pub(crate) fn of_death(
    exit: Exit,
    starved: bool,
    incident: Option<Incident>,
    symbols: &Symbols<'_>,
    policy: &Policy,
) -> Outcome {
    let noted = |kind| incident.as_ref().filter(|incident| incident.kind == kind);
    let signal = match exit {
        Exit::Signal(libc_signal::SYS) => return refused_call(noted(IncidentKind::Syscall), symbols, policy),
        // The kernel's word, where the cell is not the first process of a pid namespace.
        Exit::Signal(signal) => signal,
        // Else a handler of the cell's takes the signal and leaves as a shell would say it; its note says so too.
        Exit::Status(status) => {
            let kinds = [IncidentKind::Abort, IncidentKind::Limit, IncidentKind::Fault];
            match kinds.into_iter().find_map(noted).filter(|incident| incident.signal + 128 == status) {
                Some(incident) => incident.signal,
                None => return Outcome::Exited { status },
            }
        }
    };
    match signal {
        libc_signal::KILL if starved => {
            let name = libc_signal::name(signal).to_owned();
            Outcome::OutOfMemory { crash: Crash { signal, name, place: None, address: None, claim: false } }
        }
        libc_signal::XCPU => Outcome::TimedOut { limit: TimeLimit::Processor },
        libc_signal::XFSZ => Outcome::Violated(Box::new(Violation {
            layer: Layer::Limits,
            act: "write".into(),
            arguments: Vec::new(),
            path: None,
            place: noted(IncidentKind::Limit).and_then(|incident| symbols.of(incident.instruction, &incident.callers)),
            advice: None,
            evidence: Evidence::Death,
            claim: matches!(exit, Exit::Status(_)),
        })),
        libc_signal::ABRT => crashed(signal, noted(IncidentKind::Abort), symbols),
        // Whatever was noted, only SIGSYS says that a call was refused.
        signal => crashed(signal, noted(IncidentKind::Fault), symbols),
    }
}

fn crashed(signal: i32, incident: Option<&Incident>, symbols: &Symbols<'_>) -> Outcome {
    let fault = incident.filter(|incident| incident.kind == IncidentKind::Fault);
    let crash = Crash {
        signal,
        name: libc_signal::name(signal).to_owned(),
        place: incident.and_then(|incident| symbols.of(incident.instruction, &incident.callers)),
        address: fault.map(|incident| incident.address),
        claim: incident.is_some(),
    };
    if incident.is_some_and(|incident| incident.exhausted) {
        Outcome::OutOfMemory { crash }
    } else {
        Outcome::Crashed(crash)
    }
}

fn refused_call(incident: Option<&Incident>, symbols: &Symbols<'_>, policy: &Policy) -> Outcome {
    let mut violation = Violation {
        layer: Layer::Seccomp,
        act: "?".into(),
        arguments: Vec::new(),
        path: None,
        place: None,
        advice: None,
        evidence: Evidence::Death,
        claim: false,
    };
    if let Some(incident) = incident {
        violation.act = name_of_call(incident.syscall);
        violation.arguments = incident.arguments.to_vec();
        violation.place = symbols.of(incident.instruction, &incident.callers);
        violation.advice = Some(policy.syscall_advice(incident.syscall, Arch::NATIVE, Some(&incident.arguments)));
        violation.claim = true;
    }
    Outcome::Violated(Box::new(violation))
}

/// Turns what a living cell reported into a violation: a call that was refused with an error, after which the plugin went on.
/// `None` where the kernel refused what the plan permits: then the file's own permissions did, or there is no such file.
pub(crate) fn of_report(report: &Report, symbols: &Symbols<'_>, policy: &Policy, plan: &Plan) -> Option<Violation> {
    let act = name_of_call(report.syscall);
    let (layer, path, advice, evidence) = match report.refused {
        Refused::Filter => {
            let advice = policy.syscall_advice(report.syscall, Arch::NATIVE, Some(&report.arguments));
            (Layer::Seccomp, None, advice, Evidence::Cell)
        }
        Refused::Kernel(errno) => {
            let (layer, path, advice) = refused_by(errno, &act, report, policy, plan)?;
            (layer, path, advice, Evidence::Prediction)
        }
    };
    Some(Violation {
        layer,
        act,
        arguments: report.arguments.to_vec(),
        path,
        place: symbols.of(report.instruction, &report.callers),
        advice: Some(advice),
        evidence,
        claim: true,
    })
}

/// What the kernel's log says: all of it is the kernel's word.
fn of_denial(denial: &Denial, policy: &Policy) -> Violation {
    let path = denial.name.as_ref().map(|name| crate::audit::escape(&String::from_utf8_lossy(name)));
    // Of the letters of file rules; other operations have words there.
    let on_file =
        path.as_ref().filter(|path| path.starts_with('/') && denial.denied.bytes().all(|c| b"rwacdk".contains(&c)));
    let write = denial.denied.bytes().any(|c| b"wacd".contains(&c));
    Violation {
        layer: Layer::Apparmor,
        act: denial.operation.clone(),
        arguments: Vec::new(),
        advice: on_file.map(|path| file_advice(path, denial.name.as_deref(), write, policy)),
        path,
        place: None,
        evidence: Evidence::KernelLog,
        claim: false,
    }
}

/// Lays what a cell noted beside what the kernel's log says of the same: the cell knows the place in the plugin, the log the
/// layer.
pub(crate) fn with_denials(mut noted: Vec<Violation>, denials: &[Denial], policy: &Policy) -> Vec<Violation> {
    for denial in denials {
        let logged = of_denial(denial, policy);
        let last = |path: &Option<String>| path.as_ref().and_then(|path| path.rsplit('/').next().map(str::to_owned));
        let same = |one: &&mut Violation| {
            // The log has the place that a path leads to, the cell what the plugin wrote.
            one.evidence == Evidence::Prediction && last(&one.path) == last(&logged.path)
        };
        match noted.iter_mut().find(same) {
            Some(one) => {
                one.layer = Layer::Apparmor;
                one.evidence = Evidence::KernelLog;
            }
            None => noted.push(logged),
        }
    }
    noted
}

/// Which layer refused a call that the filters permit, predicted from the plan: the error alone does not say.
fn refused_by(
    errno: i32,
    act: &str,
    report: &Report,
    policy: &Policy,
    plan: &Plan,
) -> Option<(Layer, Option<String>, Advice)> {
    const ENOENT: i32 = 2;
    let named = report.path.as_deref()?;
    if matches!(act, "connect" | "bind") {
        let port = port_of(named)?;
        let asked = if act == "bind" { bits::BIND_TCP } else { bits::CONNECT_TCP };
        let ports = &plan.landlock.as_ref()?.ports;
        if errno == ENOENT || ports.iter().any(|rule| rule.port == port && rule.access & asked != 0) {
            return None;
        }
        let port = format!("tcp:{port}");
        let advice = policy.port_advice(&port, act == "bind");
        return Some((Layer::Landlock, Some(port), advice));
    }
    let write = writes(act, &report.arguments);
    let rules = plan.landlock.as_ref().map_or(&[][..], |landlock| &landlock.paths);
    if !named.starts_with(b"/") || rules.iter().any(|rule| covers(rule, named, write)) {
        return None;
    }
    let layer = match errno {
        // In a file tree of the cell's own, what is not granted is not there.
        ENOENT if plan.namespaces.mount => Layer::Mount,
        ENOENT => return None,
        _ if plan.landlock.is_some() && !UNSEEN.contains(&act) => Layer::Landlock,
        _ if plan.apparmor.is_some() => Layer::Apparmor,
        _ => return None,
    };
    // The plugin's words, and printed.
    let path = crate::audit::escape(&String::from_utf8_lossy(named));
    let advice = file_advice(&path, Some(named), write, policy);
    Some((layer, Some(path), advice))
}

/// Calls that AppArmor looks at and Landlock does not.
const UNSEEN: [&str; 6] = ["chmod", "fchmodat", "fchmodat2", "chown", "lchown", "fchownat"];

/// What would grant a path, which is `named` before it was made printable.
fn file_advice(path: &str, named: Option<&[u8]>, write: bool, policy: &Policy) -> Advice {
    let mut advice = policy.file_advice(path, write);
    if named != Some(path.as_bytes()) {
        // Nothing that a person should paste.
        advice.snippet = None;
    }
    advice
}

/// The port of an IPv4 or IPv6 address (`sockaddr_in`, `sockaddr_in6`).
fn port_of(address: &[u8]) -> Option<u16> {
    let &[family, family_high, high, low, ..] = address else { return None };
    matches!(u16::from_ne_bytes([family, family_high]), 2 | 10).then(|| u16::from_be_bytes([high, low]))
}

/// Whether a call on a path changes something there. Reading flags of open(2).
fn writes(act: &str, arguments: &[u64; 6]) -> bool {
    const CHANGING: u64 = 0o3 | 0o100 | 0o1000;
    match act {
        "open" => arguments[1] & CHANGING != 0,
        "openat" => arguments[2] & CHANGING != 0,
        // Its flags lie in memory; most files are opened to be read.
        "openat2" => false,
        _ => true,
    }
}

/// Whether a rule grants a path, as text: what links lead to is the kernel's to say.
fn covers(rule: &PathRule, path: &[u8], write: bool) -> bool {
    let wanted = if write { bits::WRITE_FILE } else { bits::READ_FILE };
    let beneath = path.strip_prefix(rule.path.as_slice());
    let inside = beneath.is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/") || rule.path == b"/");
    inside && rule.access & wanted != 0
}

/// Bits of `<linux/landlock.h>`.
mod bits {
    pub(super) const WRITE_FILE: u64 = 1 << 1;
    pub(super) const READ_FILE: u64 = 1 << 2;
    pub(super) const BIND_TCP: u64 = 1 << 0;
    pub(super) const CONNECT_TCP: u64 = 1 << 1;
}

fn name_of_call(number: u32) -> String {
    lazaret_policy::syscall_name(Arch::NATIVE, number).map_or_else(|| format!("system call {number}"), str::to_owned)
}

/// Signal numbers, the same on both architectures (signal(7)).
pub(crate) mod libc_signal {
    pub(crate) const ABRT: i32 = 6;
    pub(crate) const KILL: i32 = 9;
    pub(crate) const XCPU: i32 = 24;
    pub(crate) const XFSZ: i32 = 25;
    pub(crate) const SYS: i32 = 31;

    pub(crate) fn name(signal: i32) -> &'static str {
        match signal {
            1 => "SIGHUP",
            2 => "SIGINT",
            3 => "SIGQUIT",
            4 => "SIGILL",
            5 => "SIGTRAP",
            ABRT => "SIGABRT",
            7 => "SIGBUS",
            8 => "SIGFPE",
            KILL => "SIGKILL",
            11 => "SIGSEGV",
            13 => "SIGPIPE",
            14 => "SIGALRM",
            15 => "SIGTERM",
            XCPU => "SIGXCPU",
            XFSZ => "SIGXFSZ",
            SYS => "SIGSYS",
            _ => "a signal",
        }
    }
}
