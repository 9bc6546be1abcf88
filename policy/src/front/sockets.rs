//! Which kinds of sockets a policy's calls can make.

use crate::front::policy::Policy;
use crate::front::seccomp;
use crate::front::text::Place;

/// `SOCK_NONBLOCK` and `SOCK_CLOEXEC` may be part of a type.
const FLAGS: [u64; 4] = [0, 0x800, 0x8_0000, 0x8_0800];

impl Policy {
    /// The line that lets a cell make such a socket, `socket(2)` or `socketpair(2)`.
    pub(crate) fn makes_socket(&self, domain: u64, kind: u64) -> Option<&Place> {
        // One half of a pair reaches whatever a socket of its kind reaches.
        ["socket", "socketpair"].into_iter().find_map(|call| {
            let right = self.effective.calls.rights.get(call)?;
            let grant = seccomp::during_call(call, &right.grant);
            // The protocols of IP that `socket(2)` knows, those of other families among them.
            let protocols = || (0..=17).chain([58, 132, 136, 255, 262]);
            let admitted = |flags| protocols().any(|protocol| grant.holds(&[domain, kind | flags, protocol, 0, 0, 0]));
            right.lines.first().filter(|_| FLAGS.into_iter().any(admitted))
        })
    }
}
