//! Finds every library that a plugin needs, and looks whether they fit together.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::Path;
use std::sync::Arc;

use lazaret_policy::{Digest, Policy};

use super::{CELL_LIBRARIES, LIBRARY_LIMIT, LibraryAudit, judge, judge_claims};
use crate::audit::{C_LIBRARIES, Code, Finding, Object, Severity, Subject, escape};
use crate::libraries::{Libraries, Library};
use crate::open;
use crate::plan::NamedLibraries;
use crate::resolve::{self, Needed, Versions};
use crate::search::{Found, FoundBy, LIBRARY_DIRECTORIES, Machine, Requester, libc_of};
use crate::trust::Libc;
use crate::verify::LIBC;

/// A library that was found.
struct Member {
    name: String,
    found: Found,
    library: Arc<Library>,
    requester: Requester,
    /// Who needed it first; `None` is the plugin.
    loader: Option<usize>,
    /// Where its audit is; none of what every cell has anyway.
    audit: Option<usize>,
}

/// Libraries found so far.
pub(super) struct Closure<'a> {
    policy: &'a Policy,
    machine: &'a Libraries,
    libc: Libc,
    search: Arc<Machine>,
    plugin: &'a Object,
    requester: Requester,
    members: Vec<Member>,
    /// Where a name is among the members; `None` where it could not be found, or is not looked for.
    by_name: BTreeMap<String, Option<usize>>,
    /// What every cell has, for the plugin's use too.
    present: BTreeSet<String>,
    audits: Vec<LibraryAudit>,
    pub(super) missing: Vec<Finding>,
}

impl<'a> Closure<'a> {
    pub(super) fn new(
        plugin: &'a Object,
        directory: Option<&Path>,
        policy: &'a Policy,
        machine: &'a Libraries,
    ) -> Self {
        let libc = libc_of(plugin).unwrap_or(LIBC);
        let present: BTreeSet<String> = match libc {
            _ if libc != LIBC => BTreeSet::new(),
            Libc::Glibc if machine.residents().is_empty() => CELL_LIBRARIES.map(str::to_owned).into(),
            Libc::Glibc | Libc::Musl => machine.residents().clone(),
        };
        Self {
            policy,
            machine,
            libc,
            search: machine.directories(libc),
            plugin,
            requester: Requester::of(plugin, directory.map(Path::to_owned)),
            members: Vec::new(),
            by_name: BTreeMap::new(),
            present,
            audits: Vec::new(),
            missing: Vec::new(),
        }
    }

    /// Finds what the plugin needs, and what that needs: breadth first, since who asks first decides where is searched.
    pub(super) fn gather(&mut self) {
        if self.libc != LIBC {
            let what = "the file is made for another C library than the one that cells have".to_owned();
            let finding = Finding::new(Code::LibcFlavour, Severity::Refuse, what);
            let shown = |libc| if libc == Libc::Musl { "musl" } else { "glibc" };
            self.missing.push(finding.with("needs", shown(self.libc)).with("cells", shown(LIBC)));
        }
        self.missing.extend(self.complaints(&self.requester));
        let mut next: VecDeque<(Option<usize>, String)> =
            self.plugin.needed().map(|name| (None, name.to_owned())).collect();
        while let Some((by, name)) = next.pop_front() {
            if let Some(added) = self.add(&name, by) {
                next.extend(self.needs_of(added).into_iter().map(|name| (Some(added), name)));
            }
            let by = by.and_then(|by| self.members.get(by)).map(|by| escape(&by.name)).unwrap_or_default();
            let at = self.by_name.get(&name).copied().flatten().and_then(|at| self.members.get(at)?.audit);
            if let Some(audit) = at.and_then(|at| self.audits.get_mut(at)) {
                audit.needed_by.push(by);
            }
        }
        // What a cell has is there for everybody, whether or not the plugin says that it needs it.
        let mut next: Vec<String> = self.present.iter().cloned().collect();
        while let Some(name) = next.pop() {
            if self.by_name.contains_key(&name) {
                continue;
            }
            let found = self.search.find(&name, &[]);
            let library = found.and_then(|found| Some((self.machine.library(&found.path).ok()?, found)));
            let at = library.map(|(library, found)| self.keep(&name, found, library, None, None));
            self.by_name.insert(name, at);
            next.extend(at.map(|at| self.needs_of(at)).unwrap_or_default());
        }
    }

    fn needs_of(&self, at: usize) -> Vec<String> {
        let object = self.members.get(at).and_then(|member| member.library.object.as_ref().ok());
        object.map(|object| object.needed().map(str::to_owned).collect()).unwrap_or_default()
    }

    fn keep(
        &mut self,
        name: &str,
        found: Found,
        library: Arc<Library>,
        loader: Option<usize>,
        audit: Option<usize>,
    ) -> usize {
        let origin = found.path.parent().map(Path::to_owned);
        let requester = library.object.as_ref().map(|object| Requester::of(object, origin)).unwrap_or_default();
        let at = self.members.len();
        self.members.push(Member { name: name.to_owned(), found, library, requester, loader, audit });
        self.by_name.insert(name.to_owned(), Some(at));
        at
    }

    /// Finds a library that was not asked for before; the position of one whose needs are to be found as well.
    fn add(&mut self, name: &str, by: Option<usize>) -> Option<usize> {
        // A name that the policy does not list is a finding of whoever needs it, and is not looked for.
        let listed = self.policy.elf().needed.iter().find(|needed| needed.value.soname == name)?;
        if self.by_name.contains_key(name) {
            return None;
        }
        let resident = self.machine.is_resident(name);
        if resident && listed.value.digest.is_none() {
            // What a cell has comes without being asked for, and is looked at with the rest of that.
            return None;
        }
        self.by_name.insert(name.to_owned(), None);
        let refuse = |code, what| Finding::new(code, Severity::Refuse, what).decided_by(Some(listed.origin.clone()));
        let pinned = |digest: Digest| {
            let other = listed.value.digest.filter(|pinned| *pinned != digest)?;
            let what = format!("the library `{}` is not the one that the policy pins", escape(name));
            let finding = refuse(Code::LibraryDigest, what).with("pinned", other.to_string());
            Some(finding.with("installed", digest.to_string()))
        };
        if self.audits.len() >= LIBRARY_LIMIT {
            let what = format!("the plugin needs more than {LIBRARY_LIMIT} libraries");
            self.missing.push(refuse(Code::LibraryMissing, what));
            return None;
        }
        // The loader takes what a process has before it searches, so no search path leads to another C library.
        let fixed = resident || C_LIBRARIES.contains(&name);
        let chain = if fixed { Vec::new() } else { self.chain(by) };
        let Some(found) = self.search.find(name, &chain) else {
            let what = format!("the library `{}` is not installed", escape(name));
            self.missing.push(refuse(Code::LibraryMissing, what).with("searched", LIBRARY_DIRECTORIES.join(" ")));
            return None;
        };
        let led = matches!(found.by, FoundBy::Rpath | FoundBy::Runpath);
        let file = if led && listed.value.digest.is_none() {
            // Before it is read: a name in a policy means the machine's library, not whatever a plugin brings along.
            let Some(file) = self.search.answers_for(&found.path) else {
                let what =
                    format!("a search path leads to a file for `{}` that is not one of the machine's", escape(name));
                self.missing.push(refuse(Code::LibraryRedirected, what).with("path", open::shown(&found.path)));
                return None;
            };
            file
        } else {
            found.path.clone()
        };
        let library = match self.machine.library(&file) {
            Ok(library) => library,
            Err(error) => {
                self.missing.push(refuse(Code::LibraryMissing, error.to_string()));
                return None;
            }
        };
        let digest = library.digest();
        if resident {
            self.missing.extend(pinned(digest));
            return Some(self.keep(name, found, library, by, None));
        }
        let mut findings: Vec<Finding> = pinned(digest).into_iter().collect();
        let mut needs = Vec::new();
        match &library.object {
            Ok(object) => {
                findings.extend(judge(object, Subject::Dependency, self.policy));
                findings.extend(judge_claims(library.sealed.bytes(), object, Subject::Dependency, self.policy));
                needs.extend(object.needed().map(escape));
                if self.libc == Libc::Glibc && object.soname() != Some(name) {
                    // Mapped from a descriptor it has no name but its soname, and the loader would search for the other.
                    let what = format!("the library `{}` does not go by that name", escape(name));
                    let soname = object.soname().map_or_else(|| "none".to_owned(), escape);
                    findings.push(refuse(Code::LibraryName, what).with("DT_SONAME", soname));
                }
            }
            Err(refusals) => findings.extend(refusals.iter().cloned()),
        }
        let audit = self.audits.len();
        let at = self.keep(name, found.clone(), library, by, Some(audit));
        findings.extend(self.members.get(at).into_iter().flat_map(|member| self.complaints(&member.requester)));
        self.audits.push(LibraryAudit {
            name: name.to_owned(),
            path: found.path,
            found_by: found.by,
            needed_by: Vec::new(),
            needs,
            digest,
            findings,
            provenance: None,
        });
        Some(at)
    }

    /// Who needs something, who needs that, and so on to the plugin.
    fn chain(&self, by: Option<usize>) -> Vec<&Requester> {
        let mut chain = Vec::new();
        let mut next = by;
        // Whoever needs a library was found before it, so this ends.
        while let Some(member) = next.and_then(|at| self.members.get(at)) {
            chain.push(&member.requester);
            next = member.loader;
        }
        chain.push(&self.requester);
        chain
    }

    fn complaints(&self, requester: &Requester) -> Vec<Finding> {
        let complaint = |(directory, why): (String, &str)| {
            let what = format!("a directory of the file's search path {why}");
            let finding = Finding::new(Code::SearchPathWritable, Severity::Warn, what);
            finding.with("directory", escape(&directory))
        };
        self.search.complaints(requester).into_iter().map(complaint).collect()
    }

    /// Looks whether versions and symbols are there, in the plugin and in every library that would be mapped.
    pub(super) fn resolve(&mut self) {
        let mut all: Vec<(Option<usize>, Vec<Finding>)> = vec![(None, self.fit(None, self.plugin))];
        for (at, member) in self.members.iter().enumerate() {
            if let (Some(audit), Ok(object)) = (member.audit, &member.library.object) {
                all.push((Some(audit), self.fit(Some(at), object)));
            }
        }
        for (audit, findings) in all {
            match audit {
                None => self.missing.extend(findings),
                Some(audit) => self.audits.get_mut(audit).into_iter().for_each(|audit| {
                    audit.findings.extend(findings.iter().cloned());
                    audit.findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
                }),
            }
        }
    }

    /// What is missing for one object: in what it needs, what that needs, and what every cell has. A library is opened for
    /// itself (`RTLD_LOCAL`), so what others of the plugin's libraries define does not help it.
    fn fit(&self, at: Option<usize>, object: &Object) -> Vec<Finding> {
        let versions = if self.libc == Libc::Musl { Versions::AreIgnored } else { Versions::Count };
        let member = |name: &str| self.members.get(self.by_name.get(name).copied().flatten()?);
        let find = |name: &str| {
            let member = member(name)?;
            Some(Needed { path: &member.found.path, object: member.library.object.as_ref().ok()? })
        };
        let gaps = if versions == Versions::Count { resolve::version_gaps(object, &find) } else { Vec::new() };
        let mut libraries = Vec::new();
        let mut absent = BTreeSet::new();
        let mut seen = BTreeSet::new();
        let own = at.and_then(|at| self.members.get(at)).map(|member| member.name.as_str());
        seen.extend(own);
        let mut next: Vec<&str> = object.needed().chain(self.present.iter().map(String::as_str)).collect();
        while let Some(name) = next.pop() {
            if !seen.insert(name) {
                continue;
            }
            match member(name).and_then(|member| member.library.object.as_ref().ok()) {
                Some(object) => {
                    libraries.push(object);
                    next.extend(object.needed());
                }
                None => _ = absent.insert(name),
            }
        }
        if absent.is_empty() {
            // A version that is missing takes its symbols with it: said once.
            let unresolved = resolve::unresolved(object, &libraries, versions);
            let repeated = |finding: &Finding| !gaps.is_empty() && finding.code == Code::Unresolved;
            let rest: Vec<_> = unresolved.into_iter().filter(|finding| !repeated(finding)).collect();
            return gaps.into_iter().chain(rest).collect();
        }
        let what = "symbols are not looked up, since libraries that could define them are missing".to_owned();
        let note = Finding::new(Code::Unresolved, Severity::Note, what);
        let mut note = absent.into_iter().take(8).fold(note, |note, name| note.with("missing", escape(name)));
        note.next = Some("see the findings about these libraries".to_owned());
        gaps.into_iter().chain([note]).collect()
    }

    /// The audits, and the libraries to map, each after those that it needs itself.
    pub(super) fn finish(self) -> (Vec<LibraryAudit>, NamedLibraries) {
        let mut order = Vec::new();
        let mut seen = BTreeSet::new();
        self.order(self.plugin, &mut seen, &mut order);
        let sealed = order.into_iter().filter_map(|at| self.members.get(at)).filter(|member| member.audit.is_some());
        let sealed = sealed.map(|member| (member.name.clone(), Arc::clone(&member.library))).collect();
        (self.audits, sealed)
    }

    /// As deep as libraries need each other, which is bounded by how many there are: each is seen once.
    fn order(&self, object: &Object, seen: &mut BTreeSet<usize>, order: &mut Vec<usize>) {
        for at in object.needed().filter_map(|name| self.by_name.get(name).copied().flatten()) {
            if seen.insert(at) {
                if let Some(Ok(object)) = self.members.get(at).map(|member| &member.library.object) {
                    self.order(object, seen, order);
                }
                order.push(at);
            }
        }
    }
}
