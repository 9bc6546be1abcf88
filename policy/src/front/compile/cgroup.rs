//! What a cell's control group caps, where one is delegated to the host.

use crate::front::document::Limit;
use crate::front::kernel::KernelSupport;
use crate::front::policy::Policy;
use crate::plan::Cgroup;

/// What memory is counted in.
const PAGE: u64 = 4096;

impl Policy {
    pub(super) fn plan_cgroup(&self, kernel: &KernelSupport) -> Option<Cgroup> {
        kernel.cgroup.then(|| self.cgroup())
    }

    fn cgroup(&self) -> Cgroup {
        let value = |limit| self.limit(limit).value;
        let threads = value(Limit::Threads);
        Cgroup {
            // The pages of the channel that a cell touches are its own; a message each way is all that a call moves. The stack
            // of the first thread is not counted as data, but it is memory.
            memory: value(Limit::Memory)
                .saturating_add(2 * value(Limit::Message).next_multiple_of(PAGE))
                .saturating_add(value(Limit::Stack)),
            // The first process of the pid namespace counts.
            tasks: threads + 1,
            cpu_percent: u32::try_from(value(Limit::Processors) * 100).unwrap_or(u32::MAX),
        }
    }

    pub(super) fn cgroup_detail(&self) -> String {
        let Cgroup { memory, tasks, cpu_percent } = self.cgroup();
        let memory = Limit::Memory.show(memory);
        format!("{memory} of memory, {tasks} tasks, {cpu_percent} % of a processor")
    }

    /// Whether fewer processors are granted than the threads could use by themselves.
    pub(super) fn caps_processors(&self) -> bool {
        self.limit(Limit::Processors).value < self.limit(Limit::Threads).value
    }
}

/// What there is instead of a control group.
pub(super) fn cgroup_missing(kernel: &KernelSupport) -> Option<(String, String)> {
    let found = "no cgroup v2 with the controllers memory, pids and cpu is delegated to the host";
    let help = "start the host as a systemd service with `Delegate=yes`; elsewhere, as on Void, mount a cgroup v2 hierarchy, \
                write `+memory +pids +cpu` into its `cgroup.subtree_control`, and start the host in a group beneath it that \
                the host's user owns";
    (!kernel.cgroup).then(|| (found.to_owned(), help.to_owned()))
}
