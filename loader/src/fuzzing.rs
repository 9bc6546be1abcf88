//! What a host reads of a cell, without a cell: for fuzzers alone, which set `cfg(fuzzing)`.

use std::fs::File;
use std::os::unix::fs::FileExt as _;

use lazaret_cell::region::HostRegion;
use lazaret_cell::wire::{Failure, Status, Word};
use lazaret_policy::{Arch, Channel, KernelSupport, Namespaces, Plan, Policy, ProfileState, Variables};

use crate::audit::{self, Object};
use crate::call::{self, Returned, Signature, Value};
use crate::outcome::{Symbols, of_death, of_report};
use crate::policies::Policies;
use crate::process::Exit;

/// A region in whose half of the cell anything stands.
#[derive(Debug)]
pub struct Replies {
    region: HostRegion,
    seen: u64,
}

/// What a host made of it.
#[derive(Debug)]
pub struct Said {
    /// The reply, where it fits the call.
    pub returned: Option<Returned>,
    /// How many reports there were.
    pub reports: usize,
}

impl Replies {
    /// A region for messages of so many bytes, into whose half of the cell these bytes are written, by the way that a cell has.
    ///
    /// # Panics
    /// Where this machine cannot make one.
    #[must_use]
    pub fn left(message: u32, half: &[u8], seen: u64) -> Self {
        let (region, descriptors) = HostRegion::create(&Channel { message, spin_ns: 0 }, 1).expect("a region");
        File::from(descriptors.replies).write_all_at(half, 0).expect("the cell's half can be written");
        Self { region, seen }
    }

    /// Calls every reader, as a host does: the answer to a call, the words of a cell that lives, and those of a dead one.
    #[must_use]
    pub fn read(&self, signature: &Signature, arguments: &[Value]) -> Said {
        thread_local!(static KNOWN: Known = Known::new());
        let layout = call::put(&self.region, signature, arguments);
        let head = (self.region.replied(), self.region.reply()).1;
        let done = head.status == Some(Status::Done);
        let returned =
            layout.ok().filter(|_| done).and_then(|layout| call::take(&self.region, signature, &layout, head).ok());
        let mut payload = vec![0; (head.length as usize).min(2048)];
        if self.region.read(0, &mut payload).is_ok() {
            control_message(&payload);
        }
        let (reports, count) = self.region.reports(self.seen);
        assert!(reports.len() as u64 <= count.saturating_sub(self.seen));
        KNOWN.with(|known| {
            let symbols = Symbols { object: &known.object, bias: Some(0x7000_0000_0000) };
            for report in &reports {
                drop(of_report(report, &symbols, &known.policy, &known.plan));
            }
            for exit in [Exit::Signal(31), Exit::Signal(11), Exit::Signal(9), Exit::Status(134), Exit::Status(159)] {
                let outcome = of_death(exit, false, self.region.incident(), &symbols, &known.policy);
                let text = format!("{outcome:?}");
                assert!(text.len() < 1 << 16, "an outcome is bounded");
            }
        });
        Said { returned, reports: reports.len() }
    }
}

/// What is known of a plugin in a cell.
struct Known {
    object: Object,
    policy: std::sync::Arc<Policy>,
    plan: Plan,
}

impl Known {
    fn new() -> Self {
        let library = crate::closure::find("libc.so.6", &crate::libraries::Libraries::default()).expect("a C library");
        let bytes = std::fs::read(library).expect("the C library can be read");
        let object = audit::read(&bytes, Arch::NATIVE).expect("it has one reading");
        let policy = Policies::of_this_machine().and_then(|all| all.resolve("builtin:file-reader")).expect("a profile");
        let kernel = KernelSupport {
            arch: Arch::NATIVE,
            landlock_abi: 7,
            seccomp: true,
            mdwe: true,
            root: false,
            namespaces: Namespaces::NONE,
            cgroup: false,
            profile: ProfileState::Off,
            processors: 2,
        };
        let plan = policy.plan(&kernel, &Variables::default()).expect("a plan").plan;
        Self { object, policy, plan }
    }
}

/// Decodes bytes as what comes over a control socket: of a zygote, and of a cell that has no region yet.
pub fn control_message(bytes: &[u8]) {
    std::hint::black_box(Word::from_bytes(bytes));
    if let Some((failure, rest)) = Failure::from_front(bytes) {
        assert!(rest.len() <= bytes.len());
        drop(format!("{}", failure.step));
    }
}
