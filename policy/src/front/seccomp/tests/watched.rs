//! A watched cell: what it makes out of its gate, and that a gate lets nothing through that the policy does not grant.

use super::*;
use crate::plan::{GATE, GATE_RETURN};

/// What a watched call is trapped with.
fn trap(call: &str) -> Option<u32> {
    let watched = WATCHED.iter().find(|(name, ..)| *name == call);
    watched.map(|(_, what, _)| TRAP | u32::from(TRAP_WATCH | what))
}

const WRITER: &str = "lazaret = 1\nname = \"writer\"\n[files]\nwrite = [\"/srv\"]\n[network]\nconnect = [\"tcp:443\"]\n\
                      [syscalls]\nallow = [\"@compute\", \"@threads\", \"@files-write\", \"@network-client\"]\n";

#[test]
fn a_granted_call_that_names_a_path_or_a_port_is_let_through_out_of_the_gate_only() {
    let names = builtin_names().map(profile).chain([policy(WRITER)]);
    for policy in names {
        let (calls, refusals) = (&policy.effective.calls, policy.effective.refusals());
        let phase = Phases::of(calls).call;
        for arch in Arch::ALL {
            let plain = compile(calls, &refusals, arch).expect("fits").call.expect("compiled");
            let watched = compile_watching(calls, &refusals, arch).expect("fits");
            assert_kernel_takes(&watched);
            for number in (0..600).chain([u32::MAX, 0x4000_0000]) {
                let call = crate::front::arch::syscall_name(arch, number);
                let when = call.and_then(|call| phase.allow.get(call)).cloned().unwrap_or_default();
                for arguments in edges(&when) {
                    for pointer in [GATE_RETURN, 0, GATE, GATE_RETURN + 1, GATE_RETURN - 2, GATE_RETURN & 0xffff_ffff] {
                        let data = Data { number, arch: audit_arch(arch), pointer, arguments };
                        let without = run(&plain, &data);
                        let asked = without == ALLOW && pointer != GATE_RETURN;
                        let wanted = call.and_then(trap).filter(|_| asked).unwrap_or(without);
                        assert_eq!(run(&watched, &data), wanted, "{call:?} {arguments:x?} from {pointer:#x}");
                    }
                }
            }
        }
    }
}

#[test]
fn an_answer_and_a_refusal_are_the_same_out_of_the_gate() {
    let policy = policy(WRITER);
    let (calls, refusals) = (&policy.effective.calls, policy.effective.refusals());
    let filter = compile_watching(calls, &refusals, Arch::X86_64).expect("fits");
    let from = |pointer, call, arguments: &[u64]| {
        let number = syscall_number(Arch::X86_64, call).expect(call);
        let mut all = [0; 6];
        all[..arguments.len()].copy_from_slice(arguments);
        run(&filter, &Data { number, arch: audit_arch(Arch::X86_64), pointer, arguments: all })
    };
    assert_eq!(from(GATE_RETURN, "openat", &[0, 0, 0x20_0000]), TRAP, "O_PATH is not granted");
    assert_eq!(from(GATE_RETURN, "bind", &[]), TRAP);
    assert_eq!(from(GATE_RETURN, "openat", &[]), ALLOW);
    assert_eq!(from(0, "openat", &[]), TRAP | 0x11, "the path is the second argument");
    assert_eq!(from(0, "connect", &[]), TRAP | 0x16, "an address");
    assert_eq!(from(0, "sendto", &[3, 0, 0, 0x2000_0000]), TRAP, "a violation, whoever watches");
    assert_eq!(from(0, "read", &[]), ALLOW, "nothing that a path names");
}
