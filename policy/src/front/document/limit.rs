//! The caps of a policy: their keys, units, defaults and bounds.

use crate::front::units;

/// A cap; `limits` has one key for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Limit {
    /// Private writable memory, in bytes.
    Memory,
    /// Address space, in bytes.
    AddressSpace,
    /// Stack of a thread, in bytes.
    Stack,
    /// The largest file that may be written, in bytes.
    FileSize,
    /// Arguments of one call, and its results, in bytes.
    Message,
    /// Threads.
    Threads,
    /// How many processors' worth of time may be used at once.
    Processors,
    /// Open descriptors.
    OpenFiles,
    /// Processor time over the life of the cell, in milliseconds.
    CpuTime,
    /// One call, in milliseconds.
    CallTime,
    /// Mapping the plugin and its constructors, in milliseconds.
    LoadTime,
}

/// How a limit is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    Bytes,
    Count,
    Milliseconds,
}

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

impl Limit {
    /// Every limit, in the order of the documentation.
    pub const ALL: [Self; 11] = [
        Self::Memory,
        Self::AddressSpace,
        Self::Stack,
        Self::FileSize,
        Self::Message,
        Self::Threads,
        Self::Processors,
        Self::OpenFiles,
        Self::CpuTime,
        Self::CallTime,
        Self::LoadTime,
    ];

    /// The key a policy writes.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::AddressSpace => "address-space",
            Self::Stack => "stack",
            Self::FileSize => "file-size",
            Self::Message => "message",
            Self::Threads => "threads",
            Self::Processors => "processors",
            Self::OpenFiles => "open-files",
            Self::CpuTime => "cpu-time",
            Self::CallTime => "call-time",
            Self::LoadTime => "load-time",
        }
    }

    pub(crate) const fn unit(self) -> Unit {
        match self {
            Self::Threads | Self::Processors | Self::OpenFiles => Unit::Count,
            Self::CpuTime | Self::CallTime | Self::LoadTime => Unit::Milliseconds,
            Self::Memory | Self::AddressSpace | Self::Stack | Self::FileSize | Self::Message => Unit::Bytes,
        }
    }

    /// What holds where the outermost policy states nothing: enough for a library that computes, and no more. A policy
    /// that extends another cannot raise it, since a default is a cap like any other.
    #[must_use]
    pub const fn default(self) -> u64 {
        match self {
            Self::Memory => 256 * MIB,
            Self::AddressSpace => GIB,
            Self::Stack => 8 * MIB,
            Self::FileSize => 0,
            Self::Message => MIB,
            // Where the outermost policy states `threads`, as many.
            Self::Threads | Self::Processors => 16,
            Self::OpenFiles => 64,
            Self::CpuTime => 600_000,
            Self::CallTime => 2_000,
            Self::LoadTime => 5_000,
        }
    }

    /// Least and greatest values that can work.
    pub(crate) const fn bounds(self) -> (u64, u64) {
        match self {
            // Below this the cell itself does not start.
            Self::Memory => (4 * MIB, 1 << 46),
            Self::AddressSpace => (64 * MIB, 1 << 47),
            Self::Stack => (128 << 10, GIB),
            Self::FileSize => (0, 1 << 50),
            // Offsets inside a region are 32 bits wide.
            Self::Message => (1 << 12, GIB),
            Self::Threads => (1, 4096),
            Self::Processors => (1, 1024),
            Self::OpenFiles => (16, 65_536),
            // The kernel counts processor time in whole seconds.
            Self::CpuTime => (1_000, 1 << 40),
            Self::CallTime | Self::LoadTime => (1, 24 * 3_600_000),
        }
    }

    /// Prints a value as a policy would write it.
    #[must_use]
    pub fn show(self, value: u64) -> String {
        match self.unit() {
            Unit::Bytes => units::show_size(value),
            Unit::Count => value.to_string(),
            Unit::Milliseconds => units::show_milliseconds(value),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_is_within_its_bounds_and_fits_the_others() {
        for limit in Limit::ALL {
            let (least, greatest) = limit.bounds();
            assert!((least..=greatest).contains(&limit.default()), "{}", limit.name());
        }
        assert!(Limit::Memory.default() <= Limit::AddressSpace.default());
    }
}
