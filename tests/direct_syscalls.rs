//! Code that calls the kernel itself: no import shows it, the audit says where, and a policy decides.

use std::path::Path;

use lazaret::audit::{Code, DirectSyscalls, Severity, Verdict};
use lazaret::{Opened, inspect};

use crate::support::{host, library, plugin, policy_file};

/// What is found in a file, what a policy with one more line says of that, and of the whole file.
fn inspected(file: &Path, line: &str) -> (DirectSyscalls, Vec<(Code, Severity)>, Verdict) {
    let text = format!(
        "lazaret = 1\nname = \"direct\"\n[trust]\nunsigned = true\n[elf]\n\
         needed = [\"libc.so.6\", \"ld-linux-x86-64.so.2\", \"ld-linux-aarch64.so.1\"]\n{line}\n\
         [syscalls]\nallow = [\"@compute\"]\n"
    );
    let policy = policy_file(&format!("direct-{}.toml", line.len()), &text);
    let policy = host().policy(policy.to_str().expect("UTF-8")).expect("a policy");
    let audit = inspect(&Opened::open(file).expect("open"), &policy);
    let own = |code| matches!(code, Code::DirectSyscall | Code::DirectSyscallBytes);
    let findings = audit.report.findings.iter().filter(|finding| own(finding.code));
    let findings = findings.map(|finding| (finding.code, finding.severity)).collect();
    let verdict = audit.verdict();
    (audit.direct_syscalls.expect("it has one reading"), findings, verdict)
}

const DENY: &str = "direct-syscalls = \"deny\"";
const ALLOW: &str = "direct-syscalls = \"allow\"";

#[test]
fn a_plugin_that_imports_nothing_and_calls_the_kernel_is_refused_where_the_policy_says_so() {
    let file = plugin("direct/calls_the_kernel.c", &["-O2", "-nostdlib"]);
    let (found, findings, verdict) = inspected(&file, DENY);
    assert_eq!((findings, verdict), (vec![(Code::DirectSyscall, Severity::Refuse)], Verdict::Refused));
    let [place] = found.places.as_slice() else { panic!("{found:?}") };
    assert_eq!(place.symbol.as_ref().map(|(name, _)| name.as_str()), Some("transform"));
    assert_eq!(place.name, Some("execve"));
    // Denied by nothing but the default, it is said; allowed, it is still a fact.
    let (_, findings, verdict) = inspected(&file, "");
    assert_eq!((findings, verdict), (vec![(Code::DirectSyscall, Severity::Warn)], Verdict::Accepted));
    let (found, findings, verdict) = inspected(&file, ALLOW);
    assert_eq!((found.instructions, findings, verdict), (1, Vec::new(), Verdict::Accepted));
}

#[test]
fn libraries_that_compute_are_accepted_by_a_policy_that_denies_direct_calls() {
    for name in ["libz.so.1", "libm.so.6"] {
        let (found, findings, verdict) = inspected(&library(name), DENY);
        assert_eq!((found.instructions, verdict), (0, Verdict::Accepted), "{name}: {findings:?} {found:?}");
        assert!(found.searched > 0);
    }
    assert!(inspected(&library("libc.so.6"), DENY).0.instructions > 100);
}

#[cfg(target_arch = "x86_64")]
#[test]
fn a_call_hidden_in_an_operand_is_said_and_not_refused() {
    let file = plugin("direct/hides_a_call.c", &["-O2", "-nostdlib"]);
    let (found, findings, verdict) = inspected(&file, DENY);
    assert_eq!((found.instructions, found.bytes), (0, 1));
    assert_eq!((findings, verdict), (vec![(Code::DirectSyscallBytes, Severity::Warn)], Verdict::Accepted));
}

#[cfg(target_arch = "x86_64")]
#[test]
fn the_ways_of_32_bit_programs_are_refused_as_well() {
    let file = plugin("direct/calls_as_32_bit.c", &["-O2", "-nostdlib"]);
    let (found, findings, verdict) = inspected(&file, DENY);
    let places: Vec<_> = found.places.iter().map(|place| (place.kind.mnemonic(), place.number, place.name)).collect();
    assert!(
        places.contains(&("int 0x80", Some(20), None)) && places.contains(&("sysenter", Some(20), None)),
        "{places:?}"
    );
    assert_eq!((findings, verdict), (vec![(Code::DirectSyscall, Severity::Refuse)], Verdict::Refused));
}
