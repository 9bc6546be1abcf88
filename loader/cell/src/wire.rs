//! What host and cell say to each other: the start-up messages on the control socket, and the words of a call.
//!
//! The cell is a program of the same release as its host, so nothing here is versioned; what arrives from a cell is
//! hostile all the same and is decoded within the size of one message.

use lazaret_policy::{Namespaces, Plan};
use serde::{Deserialize, Serialize};

/// Bytes of the largest control message. `SOCK_SEQPACKET` carries it whole under the default `net.core.wmem_max`.
pub const CONTROL_LIMIT: usize = 128 * 1024;

/// Bytes of the largest message a host accepts from a cell on the control socket: a [`Failure`].
pub const FAILURE_LIMIT: usize = 256;

/// Bytes of the largest message to or from a zygote.
pub const ORDER_LIMIT: usize = 64;

/// What a host asks of the process that cells are forked from. One descriptor travels with each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Order {
    /// The first: which network the cells have. Descriptor: the host's pidfd. Answered with [`Word::Ready`].
    Begin(Network),
    /// Map a library that all later cells then have. Descriptor: the library, sealed. Answered with [`Word::Library`].
    Library,
    /// Fork a cell in namespaces of its own. Descriptor: the control socket of the cell, on which it waits for [`Start`].
    /// Answered with [`Word::Born`] and the pidfd of the cell, which is a child of the host.
    Cell(Namespaces),
}

/// Which network the cells of a zygote have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Network {
    /// The host's.
    Host,
    /// None but a loopback interface that is down.
    Own,
}

/// What a zygote answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Word {
    /// It stands.
    Ready {
        /// What its cells can have.
        namespaces: Namespaces,
    },
    /// The library was looked at.
    Library {
        /// Whether every later cell has it mapped.
        mapped: bool,
    },
    /// A cell is there.
    Born,
    /// A step did not succeed.
    Failed(Failure),
}

impl Order {
    /// The byte form (postcard).
    ///
    /// # Panics
    /// Never: it holds only integers.
    #[must_use]
    pub fn to_bytes(self) -> Vec<u8> {
        postcard::to_allocvec(&self).expect("integers always serialise")
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        whole(bytes)
    }
}

impl Word {
    pub(crate) fn to_bytes(self) -> Vec<u8> {
        postcard::to_allocvec(&self).expect("integers always serialise")
    }

    /// Reads what a zygote sent; anything but one whole word is none.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        whole(bytes)
    }
}

/// Descriptors that travel with every [`Start`]: plugin, requests, replies.
const FIXED_DESCRIPTORS: usize = 3;

/// Descriptors that one message may carry, `SCM_MAX_FD` of `<net/scm.h>`.
pub const DESCRIPTOR_LIMIT: usize = 253;

/// Functions that a host may bind in one cell.
pub const FUNCTION_LIMIT: u32 = 4096;

/// The first message to a cell. With it travel the descriptors: the plugin, the two halves of the region, and then
/// `libraries` shared libraries in the order in which they must be mapped.
#[derive(Debug, Serialize, Deserialize)]
pub struct Start {
    /// What to enforce.
    pub plan: Plan,
    /// How many libraries precede the plugin.
    pub libraries: u32,
    /// What runs in the cell.
    pub program: Program,
    /// The plugin's `PT_GNU_RELRO`: what its dynamic loader makes read-only after relocation.
    pub relro: Relro,
    /// Sequence number of the first reply, which says that the cell is confined.
    pub first: u32,
}

/// What runs in a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Program {
    /// The cell program itself, which maps the plugin.
    Cell,
    /// A runner, executed by a dynamic loader of its own. Two descriptors more, after the fixed ones: runner and loader.
    Runner,
}

impl Program {
    /// Descriptors that travel with [`Start`] before the libraries.
    #[must_use]
    pub const fn descriptors(self) -> usize {
        match self {
            Self::Cell => FIXED_DESCRIPTORS,
            Self::Runner => FIXED_DESCRIPTORS + 2,
        }
    }
}

/// `PT_GNU_RELRO` of a file: address and size in the image, both 0 where it has none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Relro {
    /// `p_vaddr`.
    pub address: u64,
    /// `p_memsz`.
    pub size: u64,
}

impl Start {
    /// The byte form (postcard).
    ///
    /// # Panics
    /// Never: it holds only integers, vectors and options.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        postcard::to_allocvec(self).expect("integers, vectors and options always serialise")
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        whole(bytes)
    }
}

/// Decodes a message that must end where its bytes end.
fn whole<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Option<T> {
    match postcard::take_from_bytes(bytes) {
        Ok((message, [])) => Some(message),
        Ok(_) | Err(_) => None,
    }
}

impl Failure {
    pub(crate) fn to_bytes(self) -> Vec<u8> {
        postcard::to_allocvec(&self).expect("integers always serialise")
    }

    /// Reads a failure from the front of a payload and returns what follows it.
    #[must_use]
    pub fn from_front(bytes: &[u8]) -> Option<(Self, &[u8])> {
        postcard::take_from_bytes(bytes).ok()
    }
}

/// Which step of the cell did not succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The step.
    pub step: Step,
    /// `errno`, 0 where the step failed a check of its own.
    pub errno: i32,
    /// Which of several: the index of a path rule, a filter, a library.
    pub index: u32,
}

/// The steps of a cell, in order: in any other a step would be undone or forbidden by one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Step {
    /// Enter the namespaces that all cells share.
    Namespaces,
    /// Have the dynamic loader call back before a plugin's code runs.
    Hook,
    /// Fork the cell.
    Fork,
    /// Receive the plan and the descriptors.
    Receive,
    /// Close every other descriptor.
    Descriptors,
    /// Leave the host's session and process group.
    Session,
    /// Open the granted paths.
    Paths,
    /// Map the region.
    Region,
    /// Replace the file tree.
    Tree,
    /// Map the gate of the calls that are watched.
    Gate,
    /// Set resource limits.
    Limits,
    /// Drop the capability bounding set and lock the securebits.
    Bounding,
    /// Become the plan's user and group.
    Identity,
    /// Drop every capability.
    Capabilities,
    /// Die with the host, and make sure that it still lives.
    ParentDeath,
    /// Refuse speculation that other processes can use.
    Speculation,
    /// Refuse core dumps and ptrace by others of the same user.
    Dumpable,
    /// Enter the AppArmor profile.
    Profile,
    /// Try what no AppArmor profile permits.
    ProfileProof,
    /// Set no_new_privs.
    NoNewPrivs,
    /// Refuse memory that is writable and later executable.
    Mdwe,
    /// Enter the Landlock domain.
    Landlock,
    /// Try what Landlock must refuse.
    LandlockProof,
    /// Install the signal handlers that report.
    Handlers,
    /// Install the load-phase filters.
    SeccompLoad,
    /// Put a runner's descriptors in their places.
    Runner,
    /// Execute the runner.
    Execute,
    /// Map a library.
    MapLibrary,
    /// Map the plugin.
    MapPlugin,
}

impl std::fmt::Display for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Namespaces => "enter its namespaces",
            Self::Hook => "have the dynamic loader call back",
            Self::Fork => "be forked",
            Self::Receive => "receive the plan",
            Self::Descriptors => "close inherited descriptors",
            Self::Session => "leave the host's session",
            Self::Paths => "open a granted path",
            Self::Region => "map the call region",
            Self::Tree => "replace the file tree",
            Self::Gate => "prepare to watch calls",
            Self::Limits => "set resource limits",
            Self::Bounding => "drop the capability bounding set",
            Self::Identity => "change user and group",
            Self::Capabilities => "drop capabilities",
            Self::ParentDeath => "tie its life to the host's",
            Self::Speculation => "refuse speculation",
            Self::Dumpable => "refuse core dumps and tracing",
            Self::Profile => "enter its AppArmor profile",
            Self::ProfileProof => "be refused anything by AppArmor",
            Self::NoNewPrivs => "set no_new_privs",
            Self::Mdwe => "deny write-then-execute memory",
            Self::Landlock => "enter the Landlock domain",
            Self::LandlockProof => "prove the Landlock domain",
            Self::Handlers => "install signal handlers",
            Self::SeccompLoad => "install the load-phase filter",
            Self::Runner => "prepare the runner",
            Self::Execute => "execute the runner",
            Self::MapLibrary => "map a library",
            Self::MapPlugin => "map the plugin",
        })
    }
}

/// What a request asks of the cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Operation {
    /// Look a symbol up and prepare calls of it. Payload: the [`Prototype`] bytes, then the symbol's name.
    Bind = 1,
    /// Call a bound function. Payload: one 8-byte slot per parameter, then the buffers.
    Call = 2,
    /// The first: map the plugin. The host has looked at the cell from outside. Answered with where it lies, 8 bytes.
    Map = 3,
}

impl Operation {
    /// The operation of a request word.
    #[must_use]
    pub const fn from_word(word: u32) -> Option<Self> {
        match word {
            1 => Some(Self::Bind),
            2 => Some(Self::Call),
            3 => Some(Self::Map),
            _ => None,
        }
    }
}

/// How a request ended, as the cell tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Status {
    /// Done. `Bind`: the payload is the function's number, 4 bytes. `Call`: the result and the buffers.
    Done = 0,
    /// The plugin defines no such symbol.
    NoSymbol = 1,
    /// The request made no sense to the cell.
    Malformed = 2,
    /// A step did not succeed, and the cell ends. The payload is a [`Failure`], and where mapping failed the dynamic loader's
    /// message.
    Failed = 3,
    /// The call returned a string that does not fit into a reply.
    TooLong = 4,
    /// Answers no request: every layer is in force, and the cell waits for [`Operation::Map`].
    Confined = 5,
}

impl Status {
    /// The status of a reply word.
    #[must_use]
    pub const fn from_word(word: u32) -> Option<Self> {
        match word {
            0 => Some(Self::Done),
            1 => Some(Self::NoSymbol),
            2 => Some(Self::Malformed),
            3 => Some(Self::Failed),
            4 => Some(Self::TooLong),
            5 => Some(Self::Confined),
            _ => None,
        }
    }
}

/// Type of a parameter or result, as the cell needs to know it: how it travels in a slot and in a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
#[expect(missing_docs, reason = "the names of the scalar types say what they are")]
pub enum Type {
    /// No value; results only.
    Void = 0,
    U8 = 1,
    I8 = 2,
    U16 = 3,
    I16 = 4,
    U32 = 5,
    I32 = 6,
    U64 = 7,
    I64 = 8,
    F32 = 9,
    F64 = 10,
    /// NUL-terminated bytes. As a parameter: a buffer of the request. As a result: copied behind the buffers.
    Cstr = 11,
    /// A buffer of the request, which the cell cannot write.
    In = 12,
    /// A buffer of the reply, zeroed before the call.
    Out = 13,
    /// A buffer of the reply, filled from the same offset of the request before the call.
    InOut = 14,
}

impl Type {
    /// Every type, in the order of its code.
    pub const ALL: [Self; 15] = [
        Self::Void,
        Self::U8,
        Self::I8,
        Self::U16,
        Self::I16,
        Self::U32,
        Self::I32,
        Self::U64,
        Self::I64,
        Self::F32,
        Self::F64,
        Self::Cstr,
        Self::In,
        Self::Out,
        Self::InOut,
    ];

    /// The type of a code.
    #[must_use]
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.get(usize::from(code)).copied()
    }
}

/// Result and parameters of one C function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prototype {
    /// What it returns.
    pub result: Type,
    /// What it takes, at most [`Prototype::PARAMETERS`].
    pub parameters: Vec<Type>,
}

impl Prototype {
    /// Most parameters a function may have. C guarantees 127 (C11 §5.2.4.1); no real interface comes near 64.
    pub const PARAMETERS: usize = 64;

    /// Code of the result, number of parameters, code of each.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        debug_assert!(self.parameters.len() <= Self::PARAMETERS);
        let count = self.parameters.len() as u8;
        [self.result as u8, count].into_iter().chain(self.parameters.iter().map(|ty| *ty as u8)).collect()
    }

    /// Reads a prototype from the front of `bytes` and returns what follows it.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let (&[result, count], rest) = bytes.split_first_chunk()?;
        let (codes, rest) = rest.split_at_checked(usize::from(count))?;
        if codes.len() > Self::PARAMETERS {
            return None;
        }
        let parameters = codes.iter().map(|code| Type::from_code(*code)).collect::<Option<Vec<_>>>()?;
        if parameters.contains(&Type::Void) {
            return None;
        }
        let result = Type::from_code(result)?;
        if matches!(result, Type::In | Type::Out | Type::InOut) {
            return None;
        }
        Some((Self { result, parameters }, rest))
    }
}

/// A place in a payload, as it travels in the slot of a buffer: offset in the low half, length in the high half.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Bytes from the start of the payload.
    pub offset: u32,
    /// Bytes.
    pub length: u32,
}

impl Extent {
    /// The slot of this place.
    #[must_use]
    pub const fn to_slot(self) -> u64 {
        (self.length as u64) << 32 | self.offset as u64
    }

    /// The place of a slot. Any slot is some place; whether it lies in a payload is for the reader to check.
    #[must_use]
    pub const fn from_slot(slot: u64) -> Self {
        Self { offset: slot as u32, length: (slot >> 32) as u32 }
    }
}

/// Bytes before the first buffer of a reply: the result, then the extent of a returned string.
pub const RESULT_BYTES: usize = 16;

/// Length in the extent of a returned string that says the function returned a null pointer.
pub const NULL_STRING: u32 = u32::MAX;

/// Alignment of buffers in a payload: the strictest of a C scalar (`max_align_t`).
pub const BUFFER_ALIGN: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_of_a_type_is_its_place() {
        for (place, ty) in Type::ALL.into_iter().enumerate() {
            assert_eq!(ty as usize, place);
        }
    }

    #[test]
    fn a_prototype_reads_back_what_it_wrote() {
        let prototype = Prototype { result: Type::Cstr, parameters: vec![Type::U8, Type::InOut, Type::F64] };
        let mut bytes = prototype.to_bytes();
        bytes.extend_from_slice(b"rest");
        assert_eq!(Prototype::from_bytes(&bytes), Some((prototype, &b"rest"[..])));
    }

    #[test]
    fn a_prototype_cut_short_or_with_an_unknown_code_is_none() {
        let bytes = Prototype { result: Type::U64, parameters: vec![Type::In, Type::U64] }.to_bytes();
        for length in 0..bytes.len() {
            assert_eq!(Prototype::from_bytes(&bytes[..length]), None, "{length}");
        }
        assert_eq!(Prototype::from_bytes(&[0, 1, 200]), None);
        assert_eq!(Prototype::from_bytes(&[12, 0]), None, "a buffer is no result");
        assert_eq!(Prototype::from_bytes(&[0, 1, 0]), None, "void is no parameter");
    }
}
