//! Runs the filters in a BPF interpreter and compares every answer with what the policy says, call by call.

mod linear;
mod watched;

use super::tree::{KILL_PROCESS, audit_arch};
use super::*;
use crate::front::condition::Test;
use crate::front::policy::{Policy, Request};
use crate::front::profiles::{builtin, builtin_names};
use crate::front::text::Source;
use crate::plan::Instruction;

/// `struct seccomp_data`.
#[derive(Clone, Copy)]
struct Data {
    number: u32,
    arch: u32,
    /// The instruction after the one that entered the kernel.
    pointer: u64,
    arguments: [u64; 6],
}

impl Data {
    fn word(&self, offset: u32) -> u32 {
        match offset {
            0 => self.number,
            4 => self.arch,
            8 => self.pointer as u32,
            12 => (self.pointer >> 32) as u32,
            16..64 => {
                let argument = self.arguments[((offset - 16) / 8) as usize];
                if offset.is_multiple_of(8) { argument as u32 } else { (argument >> 32) as u32 }
            }
            _ => panic!("load from {offset}"),
        }
    }
}

/// The classic BPF that seccomp accepts, `kernel/seccomp.c`.
fn run(filter: &Filter, data: &Data) -> u32 {
    let (mut at, mut accumulator) = (0_usize, 0_u32);
    loop {
        let Instruction { code, jt, jf, k } = filter.0[at];
        at += 1;
        let jump = |taken: bool| usize::from(if taken { jt } else { jf });
        match code {
            0x20 => accumulator = data.word(k),
            0x54 => accumulator &= k,
            0x05 => at += k as usize,
            0x15 => at += jump(accumulator == k),
            0x25 => at += jump(accumulator > k),
            0x35 => at += jump(accumulator >= k),
            0x06 => return k,
            _ => panic!("instruction {code:#x}"),
        }
    }
}

/// What the kernel does with several filters: the action that ranks first, and of equals the newest.
fn verdict(filters: &[Filter], data: &Data) -> u32 {
    let rank = |answer: &u32| (*answer & 0xffff_0000).cast_signed();
    filters.iter().rev().map(|filter| run(filter, data)).min_by_key(rank).unwrap_or(ALLOW)
}

/// What the kernel asks of a program before it takes it, `bpf_check_classic` and `seccomp_check_filter`.
fn assert_kernel_takes(filter: &Filter) {
    let length = filter.0.len();
    assert!((1..=4096).contains(&length), "{length} instructions");
    for (at, Instruction { code, jt, jf, k }) in filter.0.iter().copied().enumerate() {
        let farthest = match code {
            0x20 => {
                assert!(k.is_multiple_of(4) && k < 64, "loads from {k}");
                0
            }
            0x05 => k as usize,
            0x15 | 0x25 | 0x35 => usize::from(jt.max(jf)),
            0x54 | 0x06 => 0,
            _ => panic!("instruction {code:#x}"),
        };
        assert!(code == 0x06 || at + 1 + farthest < length, "{at} leads out of the program");
    }
    assert_eq!(filter.0[length - 1].code, 0x06);
}

fn policy(text: &str) -> Policy {
    let source = Source { name: "test.toml".into(), text: text.into() };
    Policy::resolve(&Request::new(source), |_, _| Err("nothing to fetch".into())).expect("resolves")
}

fn profile(name: &str) -> Policy {
    let request = Request::new(builtin(name).expect("shipped").clone());
    Policy::resolve(&request, |_, _| Err("nothing to fetch".into())).expect("resolves")
}

fn always(otherwise: OnDeny) -> Refusals {
    Refusals { otherwise, calls: BTreeMap::new() }
}

/// Both phases as the kernel sees them: the load filters stay when the call filters come.
struct Cell {
    load: Vec<Filter>,
    both: Vec<Filter>,
    arch: Arch,
}

impl Cell {
    fn of(policy: &Policy, arch: Arch) -> Self {
        let plan = compile(&policy.effective.calls, &policy.effective.refusals(), arch).expect("fits");
        let both = plan.load.iter().chain(&plan.call).cloned().collect();
        Self { load: plan.load.into_iter().collect(), both, arch }
    }

    fn data(&self, call: &str, arguments: &[u64]) -> Data {
        let number = syscall_number(self.arch, call).unwrap_or_else(|| panic!("{call}"));
        let mut all = [0; 6];
        all[..arguments.len()].copy_from_slice(arguments);
        Data { number, arch: audit_arch(self.arch), pointer: 0, arguments: all }
    }

    fn loading(&self, call: &str, arguments: &[u64]) -> u32 {
        verdict(&self.load, &self.data(call, arguments))
    }

    fn calling(&self, call: &str, arguments: &[u64]) -> u32 {
        verdict(&self.both, &self.data(call, arguments))
    }
}

/// Values at and around every constant of a rule.
fn edges(permission: &Permission) -> Vec<[u64; 6]> {
    let mut all = vec![[0; 6], [u64::MAX; 6], [1 << 32; 6]];
    for comparison in permission.alternatives().flat_map(|conjunction| &conjunction.0) {
        let mask = if let Test::Masked(mask) = comparison.test { mask } else { 0 };
        let base = comparison.value;
        let near = [base, base.wrapping_add(1), base.wrapping_sub(1), base | !mask, base ^ mask, base | (1 << 33)];
        let seeds = all.clone();
        for seed in seeds.iter().take(24) {
            for value in near {
                let mut arguments = *seed;
                arguments[usize::from(comparison.index)] = value;
                all.push(arguments);
            }
        }
    }
    all
}

fn expect(phase: &Phase, on_deny: u32, call: Option<&str>, arguments: &[u64; 6]) -> u32 {
    let Some(call) = call else { return on_deny };
    if !phase.allow.get(call).is_some_and(|when| when.holds(arguments)) {
        return on_deny;
    }
    let answer = phase.answers.iter().find(|(_, calls)| calls.get(call).is_some_and(|when| when.holds(arguments)));
    answer.map_or(ALLOW, |(errno, _)| ERRNO | u32::from(*errno))
}

#[test]
fn every_number_is_decided_as_the_policy_says_on_both_architectures() {
    for name in builtin_names() {
        let policy = profile(name);
        let phases = Phases::of(&policy.effective.calls);
        for arch in Arch::ALL {
            let plan = compile(&policy.effective.calls, &always(OnDeny::Kill), arch).expect("fits");
            for (filter, phase) in [(&plan.load, &phases.load), (&plan.call, &phases.call)] {
                let far = (0..600).map(|number| number | 0x4000_0000).chain([u32::MAX, 1024, 0x8000_0000]);
                for number in (0..600).chain(far) {
                    let call = crate::front::arch::syscall_name(arch, number);
                    let permission = call.and_then(|call| phase.allow.get(call)).cloned().unwrap_or_default();
                    for arguments in edges(&permission) {
                        let data = Data { number, arch: audit_arch(arch), pointer: 0, arguments };
                        let wanted = expect(phase, TRAP, call, &arguments);
                        let got = verdict(filter.as_slice(), &data);
                        assert_eq!(got, wanted, "{name} {} {call:?} {number:#x} {arguments:x?}", arch.name());
                    }
                }
            }
        }
    }
}

#[test]
fn a_foreign_architecture_dies_whatever_it_calls() {
    for arch in Arch::ALL {
        let cell = Cell::of(&profile("compute"), arch);
        for foreign in [audit_arch(Arch::ALL[usize::from(arch == Arch::X86_64)]), 0x4000_0003, 0, u32::MAX] {
            for number in 0..600 {
                let data = Data { number, arch: foreign, pointer: 0, arguments: [0; 6] };
                assert_eq!(verdict(&cell.load, &data), KILL_PROCESS);
            }
        }
    }
}

#[test]
fn whatever_is_allowed_while_serving_calls_is_allowed_while_mapping() {
    for name in builtin_names() {
        let phases = Phases::of(&profile(name).effective.calls);
        for (call, when) in &phases.call.allow {
            let load = phases.load.allow.get(call).unwrap_or_else(|| panic!("{name}: {call}"));
            assert_eq!(load.or(when), *load, "{name}: {call}");
        }
    }
}

#[test]
fn what_the_cell_needs_to_serve_is_there_for_every_policy() {
    let cell = Cell::of(&policy("lazaret = 1\nname = \"none\"\n"), Arch::X86_64);
    for call in ["exit_group", "rt_sigreturn", "restart_syscall", "clock_gettime", "munmap"] {
        assert_eq!(cell.calling(call, &[]), ALLOW, "{call}");
    }
    // Shared futexes, since the peer is another process.
    for operation in [0, 1, 9, 10] {
        assert_eq!(cell.calling("futex", &[0, operation]), ALLOW, "{operation}");
    }
    for call in ["getpid", "openat", "read", "write", "socket", "clone"] {
        assert_eq!(cell.calling(call, &[]), TRAP, "{call}");
    }
    for (call, arguments) in [
        ("recvmsg", [0, 0, 0]),
        ("sendto", [0, 0, 0]),
        ("openat", [0, 0, 0]),
        ("seccomp", [1, 1, 0]),
        ("close_range", [0, 0, 0]),
        ("set_robust_list", [0, 0, 0]),
    ] {
        assert_eq!(cell.loading(call, &arguments), ALLOW, "{call}");
    }
    assert_eq!(cell.loading("recvmsg", &[3, 0, 0]), TRAP, "only the control channel");
    assert_eq!(cell.loading("seccomp", &[0]), TRAP, "only filters");
    assert_eq!(cell.loading("seccomp", &[1, 9]), TRAP, "no listener");
}

#[test]
fn memory_never_becomes_executable_after_it_was_written() {
    const ANONYMOUS: u64 = 0x22;
    const FILE: u64 = 0x802;
    const SHARED: u64 = 1;
    for arch in Arch::ALL {
        let cell = Cell::of(&profile("compute"), arch);
        assert_eq!(cell.calling("mmap", &[0, 4096, 3, ANONYMOUS]), ALLOW);
        for (prot, flags) in [(5, FILE), (4, ANONYMOUS), (7, ANONYMOUS), (3, SHARED), (3, 3), (0xffff_ffff, ANONYMOUS)]
        {
            assert_eq!(cell.calling("mmap", &[0, 4096, prot, flags]), TRAP, "{prot} {flags:#x}");
        }
        assert_eq!(cell.loading("mmap", &[0, 4096, 5, FILE]), ALLOW, "a library's code");
        for (prot, flags) in [(7, FILE), (5, ANONYMOUS), (4, ANONYMOUS), (5, SHARED), (7, SHARED)] {
            assert_eq!(cell.loading("mmap", &[0, 4096, prot, flags]), TRAP, "{prot} {flags:#x}");
        }
        for prot in [4, 5, 6, 7, 1 << 32 | 4] {
            assert_eq!(cell.loading("mprotect", &[0, 4096, prot]), TRAP, "{prot:#x}");
            assert_eq!(cell.calling("mprotect", &[0, 4096, prot]), TRAP, "{prot:#x}");
        }
        assert_eq!(cell.calling("mprotect", &[0, 4096, 3]), ALLOW);
        for call in ["pkey_mprotect", "shmat", "memfd_create", "personality", "remap_file_pages"] {
            assert_eq!(cell.loading(call, &[]), TRAP, "{call}");
        }
        assert_eq!(cell.calling("mremap", &[0, 1, 2, 1]), ERRNO | 12, "allocators copy instead");
        assert_eq!(cell.loading("mremap", &[0, 1, 2, 1]), ERRNO | 12);
        for flags in [0x101, 0x122, 0x21] {
            assert_eq!(cell.calling("mmap", &[0, 4096, 3, flags]), TRAP, "not counted as data: {flags:#x}");
            assert_eq!(cell.loading("mmap", &[0, 4096, 3, flags]), TRAP, "not counted as data: {flags:#x}");
        }
        assert_eq!(cell.calling("madvise", &[0, 1, 4]), ALLOW);
        assert_eq!(cell.calling("madvise", &[0, 1, 9]), TRAP);
    }
}

#[test]
fn clone_makes_threads_and_nothing_else() {
    // What glibc and musl pass for a thread.
    const GLIBC: u64 = 0x003d_0f00;
    const MUSL: u64 = 0x007d_0f00;
    for arch in Arch::ALL {
        let cell = Cell::of(&profile("compute"), arch);
        for flags in [GLIBC, MUSL, 0xffff_ffff_0000_0000 | GLIBC] {
            assert_eq!(cell.calling("clone", &[flags]), ALLOW, "{flags:#x}");
            assert_eq!(cell.loading("clone", &[flags]), ALLOW, "{flags:#x}");
        }
        for one in [0x100, 0x200, 0x400, 0x800, 0x1_0000] {
            assert_eq!(cell.calling("clone", &[GLIBC & !one]), TRAP, "without {one:#x}");
        }
        let refused = [12, 13, 14, 15, 17, 23, 25, 26, 27, 28, 29, 30, 31].map(|bit| 1_u64 << bit);
        for one in refused {
            assert_eq!(cell.calling("clone", &[GLIBC | one]), TRAP, "with {one:#x}");
        }
        assert_eq!(cell.calling("clone", &[17]), TRAP, "fork");
        assert_eq!(cell.calling("clone3", &[]), ERRNO | 38);
        assert_eq!(cell.loading("clone3", &[]), ERRNO | 38);
    }
}

#[test]
fn futex_waits_and_wakes_and_requeues_only_inside_the_process() {
    let cell = Cell::of(&profile("compute"), Arch::X86_64);
    for operation in [0, 1, 9, 10] {
        for flags in [0, 128, 256, 384] {
            assert_eq!(cell.calling("futex", &[0, operation | flags]), ALLOW, "{operation} {flags}");
        }
    }
    for operation in [3, 4, 5] {
        assert_eq!(cell.calling("futex", &[0, operation | 128]), ALLOW, "{operation}");
        assert_eq!(cell.calling("futex", &[0, operation]), TRAP, "{operation}");
    }
    for operation in [2, 6, 7, 8, 11, 12, 13, 14] {
        assert_eq!(cell.calling("futex", &[0, operation]), TRAP, "{operation}");
        assert_eq!(cell.calling("futex", &[0, operation | 128]), TRAP, "{operation}");
    }
}

#[test]
fn other_processes_are_out_of_reach() {
    for name in builtin_names() {
        let cell = Cell::of(&profile(name), Arch::X86_64);
        assert_eq!(cell.calling("prlimit64", &[0, 3, 0, 1]), ALLOW, "{name}");
        assert_eq!(cell.calling("prlimit64", &[1, 3, 0, 1]), TRAP, "{name}: another process");
        assert_eq!(cell.calling("prlimit64", &[0, 3, 1 << 32, 1]), TRAP, "{name}: setting");
        // By the id of a thread, as pthread_getattr_np asks; what another process may run on is no secret.
        assert_eq!(cell.calling("sched_getaffinity", &[77]), ALLOW, "{name}");
        assert_eq!(cell.calling("rt_sigaction", &[11]), ALLOW, "{name}");
        assert_eq!(cell.calling("rt_sigaction", &[31, 1]), TRAP, "{name}");
        assert_eq!(cell.calling("rt_sigaction", &[31, 0]), ALLOW, "{name}: asking");
        assert_eq!(cell.loading("rt_sigaction", &[31, 1]), TRAP, "{name}");
        for call in ["kill", "tkill", "ptrace", "process_vm_writev", "pidfd_open", "setpriority", "sched_setaffinity"] {
            assert_eq!(cell.calling(call, &[]), TRAP, "{name}: {call}");
            assert_eq!(cell.loading(call, &[]), TRAP, "{name}: {call}");
        }
    }
}

#[test]
fn only_go_signals_its_own_threads() {
    let compute = Cell::of(&profile("compute"), Arch::X86_64);
    assert_eq!(compute.calling("tgkill", &[1, 1, 23]), TRAP);
    let go = Cell::of(&profile("go"), Arch::X86_64);
    assert_eq!(go.calling("tgkill", &[1, 1, 23]), ALLOW);
    assert_eq!(go.calling("tgkill", &[1, 1, 9]), TRAP);
    assert_eq!(go.calling("tgkill", &[1, 1, 31]), TRAP);
}

#[test]
fn a_probe_gets_the_answer_its_runtime_expects() {
    let cell = Cell::of(&profile("compute"), Arch::X86_64);
    for (call, errno) in [("clone3", 38), ("statx", 38), ("ioctl", 25), ("newfstatat", 13)] {
        assert_eq!(cell.calling(call, &[]), ERRNO | errno, "{call}");
    }
    let [set_name, set_death_signal] = [15, 1];
    assert_eq!(cell.loading("prctl", &[set_name]), ALLOW);
    assert_eq!(cell.calling("prctl", &[set_name]), ERRNO | 22);
    assert_eq!(cell.loading("prctl", &[set_death_signal]), TRAP, "an answer later is no permission now");
    assert_eq!(cell.calling("prctl", &[set_death_signal]), TRAP);
    assert_eq!(cell.loading("newfstatat", &[]), ALLOW, "while mapping it is real");
    let go = Cell::of(&profile("go"), Arch::X86_64);
    assert_eq!(go.calling("openat", &[]), ERRNO | 13);
    assert_eq!(go.loading("openat", &[]), ALLOW);
    let reader = Cell::of(&profile("file-reader"), Arch::X86_64);
    assert_eq!(reader.calling("newfstatat", &[]), ALLOW, "what is granted is not answered");
}

#[test]
fn files_are_opened_for_reading_only_and_never_as_mere_paths() {
    let cell = Cell::of(&profile("file-reader"), Arch::X86_64);
    for flags in [0, 0x8_0000, 0x1_0000, 0x800] {
        assert_eq!(cell.calling("openat", &[0, 0, flags]), ALLOW, "{flags:#x}");
    }
    for flags in [1, 2, 0x40, 0x200, 0x20_0000] {
        assert_eq!(cell.calling("openat", &[0, 0, flags]), TRAP, "{flags:#x}");
    }
}

#[test]
fn sockets_are_tcp_and_connect_where_landlock_sees_it() {
    let cell = Cell::of(&profile("network-client"), Arch::X86_64);
    for arguments in [[2, 1, 0], [10, 0x8_0801, 6], [1 << 32 | 2, 1, 0]] {
        assert_eq!(cell.calling("socket", &arguments), ALLOW, "{arguments:?}");
    }
    for arguments in [[1, 1, 0], [2, 2, 0], [2, 3, 6], [2, 1, 262], [16, 3, 0], [17, 3, 0], [40, 1, 0]] {
        assert_eq!(cell.calling("socket", &arguments), TRAP, "{arguments:?}");
    }
    assert_eq!(cell.calling("sendto", &[3, 0, 0, 0x4000]), ALLOW);
    assert_eq!(cell.calling("sendto", &[3, 0, 0, 0x2000_0000]), TRAP);
    for call in ["bind", "listen", "accept4"] {
        assert_eq!(cell.calling(call, &[]), TRAP, "{call}");
    }
}

#[test]
fn a_guard_holds_against_a_policy_that_names_the_call() {
    let named = policy(
        "lazaret = 1\nname = \"named\"\n[syscalls]\nallow = [\"mmap\", \"clone\", \"futex\", \"rt_sigaction\", \"socket\"]\n",
    );
    let cell = Cell::of(&named, Arch::X86_64);
    assert_eq!(cell.calling("mmap", &[0, 0, 5, 2]), TRAP);
    assert_eq!(cell.calling("clone", &[17]), TRAP);
    assert_eq!(cell.calling("futex", &[0, 6]), TRAP);
    assert_eq!(cell.calling("rt_sigaction", &[31, 1]), TRAP);
    assert_eq!(cell.calling("socket", &[16, 3, 0]), TRAP);
    assert_eq!(cell.calling("socket", &[1, 1, 0]), ALLOW);
}

#[test]
fn errno_answers_instead_of_ending_the_cell() {
    let soft = policy("lazaret = 1\nname = \"soft\"\n[syscalls]\nallow = [\"@compute\"]\non-deny = \"errno\"\n");
    let cell = Cell::of(&soft, Arch::X86_64);
    assert_eq!(cell.calling("openat", &[]), ERRNO | 1);
    assert_eq!(cell.calling("clone3", &[]), ERRNO | 38);
}

#[test]
fn a_reported_call_is_trapped_with_a_word_of_its_own() {
    let text = "lazaret = 1\nname = \"told\"\n[syscalls]\nallow = [\"@compute\"]\non-deny = \"report\"\n";
    for arch in Arch::ALL {
        let cell = Cell::of(&policy(text), arch);
        assert_eq!(cell.calling("openat", &[]), TRAP | 1);
        assert_eq!(cell.loading("bpf", &[]), TRAP | 1);
        assert_eq!(cell.calling("mmap", &[0, 4096, 7, 0x22]), TRAP | 1, "the arguments are not allowed");
        assert_eq!(cell.calling("clone3", &[]), ERRNO | 38, "an answer is none of a refusal");
        let unknown = Data { number: 0x4000_0000, arch: audit_arch(arch), pointer: 0, arguments: [0; 6] };
        assert_eq!(verdict(&cell.both, &unknown), TRAP | 1);
    }
}

#[test]
fn a_call_is_refused_as_its_own_rule_says_where_it_is_not_allowed() {
    let text = "lazaret = 1\nname = \"own\"\n[syscalls]\nallow = [\"@compute\"]\nrules = [\
                { call = \"socket\", when = \"domain == AF_UNIX\" }, { call = \"socket\", answer = \"errno\" }, \
                { call = \"execve\", answer = \"report\" }, { call = \"getpid\", answer = \"errno\" }]\n";
    for arch in Arch::ALL {
        let cell = Cell::of(&policy(text), arch);
        assert_eq!(cell.calling("socket", &[1, 1, 0]), ALLOW);
        assert_eq!(cell.calling("socket", &[2, 1, 0]), ERRNO | EPERM);
        assert_eq!(cell.loading("socket", &[2, 1, 0]), ERRNO | EPERM);
        assert_eq!(cell.calling("execve", &[]), TRAP | 1);
        assert_eq!(cell.calling("getpid", &[]), ALLOW, "a rule that refuses takes nothing away");
        assert_eq!(cell.calling("ptrace", &[]), TRAP);
    }
}

#[test]
fn a_rule_lets_its_arguments_through_and_no_others() {
    let text = "lazaret = 1\nname = \"unix\"\n[syscalls]\nallow = [\"@compute\"]\n\
                rules = [{ call = \"socket\", when = \"domain == AF_UNIX\" }]\n";
    let cell = Cell::of(&policy(text), Arch::Aarch64);
    assert_eq!(cell.calling("socket", &[1, 1, 0]), ALLOW);
    assert_eq!(cell.calling("socket", &[2, 1, 0]), TRAP);
}

#[test]
fn no_answer_of_a_call_differs_between_groups() {
    let mut seen = BTreeMap::new();
    for name in groups::names().chain(["@load", "@channel"]) {
        for entry in groups::expand(name).into_iter().filter(|entry| entry.answer.is_some()) {
            let first = *seen.entry(entry.call.as_str()).or_insert(entry.answer);
            assert_eq!(first, entry.answer, "{name}: {}", entry.call);
        }
    }
}
