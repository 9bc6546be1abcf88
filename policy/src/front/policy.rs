//! What the texts together mean: the chain of `extends`, then the machine's ceiling, then what the plugin asks for, each
//! narrowing what is below it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use crate::front::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::front::document::{Direct, Document, Layer, Layout, Limit, OnDeny};
use crate::front::kernel::Arch;
use crate::front::modules::ProvenanceRules;
use crate::front::narrow::{Accepted, DEFAULTS, Effective, Granted, Log, Removed, narrow};
use crate::front::profiles::{PREFIX, builtin, builtin_names};
use crate::front::rules::{ElfRules, Origin, Placed, TrustRules};
use crate::front::text::{Place, Source};
use crate::front::{seccomp, units};
use crate::plan::Seccomp;

/// How many policies a chain of `extends` may have.
pub const MAX_CHAIN: usize = 8;

/// What is resolved into one [`Policy`].
#[derive(Clone, Debug)]
pub struct Request {
    /// The policy a person chose.
    pub policy: Source,
    /// The machine's ceiling, which caps every policy.
    pub ceiling: Option<Source>,
}

impl Request {
    /// A policy by itself.
    #[must_use]
    pub fn new(policy: Source) -> Self {
        Self { policy, ceiling: None }
    }
}

/// What holds for one plugin: every grant and every removed grant with its line.
#[derive(Clone, Debug)]
pub struct Policy {
    name: String,
    description: Option<String>,
    sources: Vec<String>,
    /// Which of them a person named; it extends the others.
    main: String,
    /// Calls that the outermost policy grants: what no other text can add to.
    pub(crate) outermost: BTreeSet<String>,
    pub(crate) effective: Effective,
    /// The filters for both architectures: proving that they fit makes them, and every plan takes a copy.
    pub(crate) filters: BTreeMap<Arch, Seccomp>,
    pub(crate) removed: Vec<Removed>,
    trust: TrustRules,
    elf: ElfRules,
    provenance: ProvenanceRules,
    warnings: Diagnostics,
    /// What it was before a plugin's requests narrowed it.
    unasked: Option<Arc<Policy>>,
}

impl Policy {
    /// Reads and combines the texts. `fetch` is handed a path as an `extends` writes it and the name of the text that
    /// writes it; shipped policies are found without it.
    ///
    /// # Errors
    /// Every mistake in every text that could be read.
    pub fn resolve(
        request: &Request,
        fetch: impl FnMut(&str, &str) -> Result<Source, String>,
    ) -> Result<Self, Diagnostics> {
        let mut found = Diagnostics::default();
        let chain = chain(&request.policy, fetch, &mut found);
        let ceiling = request.ceiling.as_ref().map(Document::read);
        let ceiling = ceiling.and_then(|read| collect(read, &mut found));
        if let Some(extends) = ceiling.as_ref().and_then(|ceiling| ceiling.extends.as_ref()) {
            let message = "a ceiling cannot extend another policy";
            found.push(Diagnostic::error(Code::Extends, message, &extends.place).help("write out what it caps"));
        }
        let [root, descendants @ ..] = chain.as_slice() else { return Err(found) };
        if found.has_errors() {
            return Err(found);
        }
        let mut log = Log { removed: Vec::new(), warnings: Diagnostics::default(), asking: false };
        let mut effective = Effective::root(root, &mut log);
        let outermost = effective.calls.granted().map(str::to_owned).collect();
        for document in descendants {
            effective = narrow(effective, document, &mut log);
        }
        if let Some(ceiling) = &ceiling {
            effective = narrow(effective, ceiling, &mut log);
        }
        let filters = filters(&effective)?;
        let leaf = descendants.last().unwrap_or(root);
        let sources = chain.iter().chain(&ceiling).map(|document| document.source.clone());
        let mut policy = Self {
            name: leaf.name().unwrap_or_default().to_owned(),
            description: leaf.description().map(str::to_owned),
            sources: sources.collect(),
            main: request.policy.name.clone(),
            outermost,
            trust: trust_rules(effective.trust.as_ref()),
            elf: elf_rules(&effective),
            provenance: provenance_rules(&effective),
            effective,
            filters,
            removed: log.removed,
            warnings: log.warnings,
            unasked: None,
        };
        policy.warn_about_useless_grants();
        Ok(policy)
    }

    /// The policy for one plugin, which asks for no more than this: the `requests` of its `plugin.json`. What it asks for
    /// and is not granted is a warning, and what it does not mention stays as it is. Every layer only takes away, so it
    /// does not matter that this one comes after the ceiling.
    ///
    /// # Errors
    /// Every mistake in the requests.
    pub fn narrowed(&self, requests: &serde_json::Value) -> Result<Self, Diagnostics> {
        let requests = Document::read_requests(requests)?;
        let mut log = Log { removed: self.removed.clone(), warnings: self.warnings.clone(), asking: true };
        let effective = narrow(self.effective.clone(), &requests, &mut log);
        let filters = filters(&effective)?;
        let mut sources = self.sources.clone();
        sources.push(requests.source.clone());
        Ok(Self {
            trust: trust_rules(effective.trust.as_ref()),
            elf: elf_rules(&effective),
            provenance: provenance_rules(&effective),
            effective,
            filters,
            removed: log.removed,
            warnings: log.warnings,
            sources,
            unasked: Some(Arc::new(self.clone())),
            ..self.clone()
        })
    }

    /// As people wrote it: without what a plugin's requests took away.
    pub(crate) fn unasked(&self) -> &Self {
        self.unasked.as_deref().unwrap_or(self)
    }

    /// The text that a person named: it extends the others.
    pub(crate) fn main_source(&self) -> &str {
        &self.main
    }

    /// The name the policy gives itself.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the policy says it is for.
    #[must_use]
    pub fn description(&self) -> Option<&str> {
        self.description.as_deref()
    }

    /// Names of the texts in the order in which they were applied, the outermost first.
    #[must_use]
    pub fn sources(&self) -> &[String] {
        &self.sources
    }

    /// Who may have made the plugin.
    #[must_use]
    pub fn trust(&self) -> &TrustRules {
        &self.trust
    }

    /// What the file may be and contain.
    #[must_use]
    pub fn elf(&self) -> &ElfRules {
        &self.elf
    }

    /// What the file's own account of its making may and must contain.
    #[must_use]
    pub fn provenance(&self) -> &ProvenanceRules {
        &self.provenance
    }

    /// How long one call may take.
    #[must_use]
    pub fn call_time(&self) -> Duration {
        units::duration(self.limit(Limit::CallTime).value)
    }

    /// How long mapping the plugin and its constructors may take.
    #[must_use]
    pub fn load_time(&self) -> Duration {
        units::duration(self.limit(Limit::LoadTime).value)
    }

    /// A cap and the line that sets it: bytes, a count, or milliseconds, as [`Limit`] says.
    #[must_use]
    pub fn limit(&self, limit: Limit) -> Placed<u64> {
        let limits = &self.effective.limits;
        if limit == Limit::Processors {
            let (threads, place) = &limits[&Limit::Threads];
            let most = (*threads).min(limit.bounds().1);
            // More processors than threads help nobody.
            let (value, place) = limits
                .get(&limit)
                .filter(|(value, _)| value <= threads)
                .map_or((most, place), |(value, place)| (*value, place));
            return Placed::new(value, place.origin());
        }
        let (value, place) = &limits[&limit];
        Placed::new(*value, place.origin())
    }

    /// What a refused syscall does.
    #[must_use]
    pub fn on_deny(&self) -> OnDeny {
        self.effective.on_deny.as_ref().map_or(OnDeny::Kill, |(on_deny, _)| *on_deny)
    }

    /// What one refused syscall does, and the line that says so.
    #[must_use]
    pub fn answer_to(&self, call: &str) -> Placed<OnDeny> {
        let all = &self.effective;
        let (answer, origin) = match all.refusals.get(call).or(all.on_deny.as_ref()) {
            Some((answer, place)) => (*answer, place.origin()),
            None => (OnDeny::Kill, Place::unlined(DEFAULTS, "syscalls.on-deny").origin()),
        };
        Placed::new(answer, origin)
    }

    /// Where the cell's address-space layout comes from. A layout of its own is what somebody asks for, and costs a start
    /// its speed.
    #[must_use]
    pub fn layout(&self) -> Layout {
        self.effective.layout.as_ref().map_or(Layout::Shared, |(layout, _)| *layout)
    }

    /// What is odd about the texts without being wrong.
    #[must_use]
    pub fn warnings(&self) -> &Diagnostics {
        &self.warnings
    }

    /// What was written and is not in effect.
    #[must_use]
    pub fn removed(&self) -> &[Removed] {
        &self.removed
    }

    /// Layers that must be enforced, with the least Landlock ABI asked for (0 where none is) and the line that says so.
    pub fn required_layers(&self) -> impl Iterator<Item = (Layer, u32, Origin)> {
        self.effective.required.iter().map(|(layer, (abi, place))| (*layer, *abi, place.origin()))
    }

    /// Layers that are enforced where possible, with the line that says so.
    pub fn optional_layers(&self) -> impl Iterator<Item = (Layer, Origin)> {
        self.effective.optional.iter().map(|(layer, place)| (*layer, place.origin()))
    }

    /// Whether files may be written.
    #[must_use]
    pub fn writes_files(&self) -> bool {
        !self.effective.write.items().is_empty()
    }

    pub(crate) fn may(&self, call: &str) -> bool {
        self.effective.calls.rights.get(call).is_some_and(|right| !right.grant.is_never())
    }

    fn warn_about_useless_grants(&mut self) {
        let all = &self.effective;
        let mut found = Vec::new();
        let mut needs = |place: Option<&Place>, possible: bool, message: &str, help: &str| {
            if let Some(place) = place.filter(|_| !possible) {
                found.push(Diagnostic::warning(Code::Useless, message, place).help(help));
            }
        };
        let opens = self.may("openat") || self.may("open");
        needs(first(all.read.items()), opens, "files may be read, but no syscall opens them", "allow `@files-read`");
        let writes = opens && self.may("write");
        needs(first(all.write.items()), writes, "files may be written, but no syscall does it", "allow `@files-write`");
        let size = self.limit(Limit::FileSize).value > 0;
        let help = "set `limits.file-size`, as in `file-size = \"64 MiB\"`";
        needs(first(all.write.items()), size, "files may be written, but only with zero bytes", help);
        let connects = self.may("connect");
        let message = "ports may be connected to, but no syscall does it";
        needs(first(all.connect.items()), connects, message, "allow `@network-client`");
        let message = "ports may be served, but no syscall does it";
        needs(first(all.bind.items()), self.may("bind"), message, "allow `@network-server`");
        if let Some(Accepted { by, publishers, digests, unsigned: None }) = &all.trust
            && publishers.is_empty()
            && digests.is_empty()
        {
            let help = "say who may have made the plugin: `publishers`, `digests` or `unsigned` in `[trust]`";
            needs(Some(by), false, "no file is accepted", help);
        }
        found.into_iter().for_each(|diagnostic| self.warnings.push(diagnostic));
    }
}

fn first<T>(items: &[Granted<T>]) -> Option<&Place> {
    items.first().and_then(|item| item.lines.first())
}

fn collect(read: Result<Document, Diagnostics>, found: &mut Diagnostics) -> Option<Document> {
    match read {
        Ok(document) => Some(document),
        Err(all) => {
            all.iter().for_each(|diagnostic| found.push(diagnostic.clone()));
            None
        }
    }
}

/// The policy and what it extends, the outermost first.
fn chain(
    policy: &Source,
    mut fetch: impl FnMut(&str, &str) -> Result<Source, String>,
    found: &mut Diagnostics,
) -> Vec<Document> {
    let mut chain: Vec<Document> = Vec::new();
    let mut next = collect(Document::read(policy), found);
    while let Some(document) = next {
        let extends = document.extends.clone();
        chain.push(document);
        let Some(extends) = extends else { break };
        let text = extends.value.as_str();
        let fail = |code, message: String| Diagnostic::error(code, message, &extends.place);
        if chain.len() >= MAX_CHAIN {
            let message = format!("more than {MAX_CHAIN} policies extend each other");
            found.push(fail(Code::ExtendsDepth, message));
            break;
        }
        let source = match text.strip_prefix(PREFIX) {
            Some(name) => builtin(name).cloned().ok_or_else(|| {
                fail(Code::UnknownBuiltin, format!("there is no shipped policy `{name}`"))
                    .suggest(name, builtin_names())
                    .help(format!("the shipped policies are `{}`", builtin_names().collect::<Vec<_>>().join("`, `")))
            }),
            None => fetch(text, &extends.place.source)
                .map_err(|error| fail(Code::Extends, format!("the policy `{text}` cannot be read: {error}"))),
        };
        next = match source {
            Ok(source) if chain.iter().any(|document| document.source == source.name) => {
                found.push(fail(Code::ExtendsCycle, format!("`{text}` is already part of what it extends")));
                None
            }
            Ok(source) => collect(Document::read(&source), found),
            Err(diagnostic) => {
                found.push(diagnostic);
                None
            }
        };
    }
    chain.reverse();
    chain
}

/// Builds the filters here, where a place can be named if they do not fit.
fn filters(effective: &Effective) -> Result<BTreeMap<Arch, Seccomp>, Diagnostics> {
    let (message, message_place) = &effective.limits[&Limit::Message];
    let (space, space_place) = &effective.limits[&Limit::AddressSpace];
    // Two halves of a message each, and what a C library needs besides.
    if message.saturating_mul(2).saturating_add(64 << 20) > *space {
        let text = "two messages and 64 MiB do not fit into the address space";
        let help = format!("raise `limits.address-space` ({})", space_place.origin());
        return Err(Diagnostic::error(Code::Range, text, message_place).help(help).into());
    }
    if let Some((call, place)) = effective.calls.too_many() {
        let message = format!("the rules on `{call}` combine into more than a filter can hold");
        return Err(Diagnostic::error(Code::TooManyRules, message, place).into());
    }
    let refusals = effective.refusals();
    let compiled = Arch::ALL.map(|arch| Ok((arch, seccomp::compile(&effective.calls, &refusals, arch)?)));
    compiled.into_iter().collect::<Result<_, seccomp::TooLarge>>().map_err(|seccomp::TooLarge| {
        let whole = Place::whole("");
        let place = effective.calls.by.as_ref().unwrap_or(&whole);
        let message = "the syscall rules do not fit into the 4096 instructions of a kernel filter";
        Diagnostic::error(Code::TooManyRules, message, place).into()
    })
}

fn placed<T: Clone>(items: &[Granted<T>]) -> Vec<Placed<T>> {
    items.iter().map(|item| Placed::new(item.value.clone(), item.lines[0].origin())).collect()
}

fn trust_rules(accepted: Option<&Accepted>) -> TrustRules {
    TrustRules {
        publishers: accepted.map_or_else(Vec::new, |accepted| placed(&accepted.publishers)),
        digests: accepted.map_or_else(Vec::new, |accepted| placed(&accepted.digests)),
        unsigned: accepted.and_then(|accepted| accepted.unsigned.as_ref()).map(Place::origin),
    }
}

fn provenance_rules(all: &Effective) -> ProvenanceRules {
    ProvenanceRules {
        deny: placed(&all.modules_deny),
        require: all.claims.iter().map(|(claim, place)| (*claim, place.origin())).collect(),
    }
}

fn elf_rules(all: &Effective) -> ElfRules {
    let denied = all.direct_syscalls.as_ref().filter(|(direct, _)| *direct == Direct::Deny);
    ElfRules {
        require: all.require.iter().map(|(property, place)| (*property, place.origin())).collect(),
        needed: placed(all.needed.items()),
        imports_deny: placed(&all.imports_deny),
        exports_require: placed(&all.exports_require),
        direct_syscalls: denied.map(|(_, place)| place.origin()),
    }
}
