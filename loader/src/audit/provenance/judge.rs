//! Decides what a policy holds against what a file says about its making.

use lazaret_policy::{Claim, Ecosystem, Match, Origin, ProvenanceRules};

use super::{Broken, Provenance};
use crate::audit::finding::{Code, Finding, Severity};
use crate::audit::judge::Subject;
use crate::audit::text::shown;

/// How many denied modules are listed one by one; the rest is counted.
const MAX_LISTED: usize = 64;

/// What a policy holds against what a file says about its making. A library must not be made from what is denied either:
/// it is mapped with the plugin. What the plugin must say is not asked of libraries.
#[must_use]
pub fn judge(provenance: &Provenance, subject: Subject, rules: &ProvenanceRules) -> Vec<Finding> {
    let mut findings = denied(provenance, rules);
    if subject == Subject::Plugin {
        findings.extend(missing(provenance, rules));
    }
    findings.extend(provenance.broken.iter().map(|broken| unreadable(broken, subject, rules)));
    findings
}

fn denied(provenance: &Provenance, rules: &ProvenanceRules) -> Vec<Finding> {
    let mut findings: Vec<Finding> = Vec::new();
    if rules.deny.is_empty() {
        return findings;
    }
    for module in provenance.modules() {
        let entries = rules.deny.iter().map(|entry| {
            let found = entry.value.matches(module.ecosystem, module.name, module.version);
            (entry, found)
        });
        // Of several entries the one that is sure.
        let rank = |found: Match| match found {
            Match::No => 2,
            Match::Unordered => 1,
            Match::Yes => 0,
        };
        let Some((entry, found)) =
            entries.filter(|(_, found)| *found != Match::No).min_by_key(|(_, found)| rank(*found))
        else {
            continue;
        };
        if findings.len() >= MAX_LISTED {
            if let Some(last) = findings.last_mut() {
                last.times = last.times.saturating_add(1);
            }
            continue;
        }
        let (name, version) = (shown(module.name), module.version.map_or("no version".to_owned(), shown));
        let doubt = if found == Match::Unordered { "; whether that version is meant, nobody can tell" } else { "" };
        let what = format!("the file is made from `{name}` ({version}), which `{}` denies{doubt}", entry.value);
        let finding = Finding::new(Code::ModuleDenied, Severity::Refuse, what).decided_by(Some(entry.origin.clone()));
        findings.push(finding.with("module", name).with("version", version).with("found_in", module.found));
    }
    findings
}

fn missing(provenance: &Provenance, rules: &ProvenanceRules) -> Vec<Finding> {
    // What is there and cannot be read is refused as that.
    let broken =
        |claim| provenance.broken.iter().any(|one| one.claim.is_some_and(|is| claim == Claim::Any || is == claim));
    let missing = rules.require.iter().filter(|(claim, _)| !provenance.has(**claim) && !broken(**claim));
    let finding = |(claim, origin): (&Claim, &Origin)| {
        let what = match claim {
            Claim::Any => "the file does not say what it is made from".to_owned(),
            claim => format!("the file does not say what it is made from as `{}`", claim.name()),
        };
        Finding::new(Code::ProvenanceMissing, Severity::Refuse, what).decided_by(Some(origin.clone()))
    };
    missing.map(finding).collect()
}

fn unreadable(broken: &Broken, subject: Subject, rules: &ProvenanceRules) -> Finding {
    let rule = broken.claim.and_then(|claim| asked(claim, subject, rules));
    let severity = match (rule.is_some(), subject) {
        (true, _) => Severity::Refuse,
        (false, Subject::Plugin) => Severity::Warn,
        (false, Subject::Dependency) => Severity::Note,
    };
    let what = format!("what the file says about its making in `{}` cannot be read: {}", broken.found, broken.why);
    Finding::new(Code::ProvenanceBroken, severity, what).decided_by(rule).with("found_in", broken.found)
}

/// The line that makes somebody rely on a claim.
fn asked(claim: Claim, subject: Subject, rules: &ProvenanceRules) -> Option<Origin> {
    let about: &[Ecosystem] = match claim {
        Claim::Any => &[],
        Claim::GoBuildinfo => &[Ecosystem::Go],
        Claim::RustAuditData => &[Ecosystem::Cargo],
        Claim::PackageNote => &[Ecosystem::Deb, Ecosystem::Rpm],
    };
    let denies = rules.deny.iter().find(|entry| about.contains(&entry.value.ecosystem()));
    let demands = rules.require.get(&claim).or_else(|| rules.require.get(&Claim::Any));
    let demands = demands.filter(|_| subject == Subject::Plugin);
    denies.map(|entry| &entry.origin).or(demands).cloned()
}

#[cfg(test)]
mod tests {
    use lazaret_policy::{Policy, Request, Source};

    use super::super::{Crate, GoBuild, GoModule, GoReplacement, Package};
    use super::*;

    fn rules(provenance: &str) -> ProvenanceRules {
        let text = format!("lazaret = 1\nname = \"p\"\n[provenance]\n{provenance}\n");
        let request = Request::new(Source { name: "p.toml".to_owned(), text });
        Policy::resolve(&request, |_, _| Err("nothing".to_owned())).expect("resolves").provenance().clone()
    }

    fn module(path: &str, version: &str, by: Option<(&str, Option<&str>)>) -> GoModule {
        let replaced_by = by.map(|(path, version)| GoReplacement {
            path: path.to_owned(),
            version: version.map(str::to_owned),
            sum: None,
        });
        GoModule { path: path.to_owned(), version: Some(version.to_owned()), sum: None, replaced_by }
    }

    fn go(modules: Vec<GoModule>) -> Provenance {
        let build = GoBuild { toolchain: "go1.25.3".to_owned(), modules, ..GoBuild::default() };
        Provenance { go: Some(build), ..Provenance::default() }
    }

    fn judged(provenance: &Provenance, subject: Subject, policy: &str) -> Vec<(Code, Severity)> {
        let findings = judge(provenance, subject, &rules(policy));
        let refused = findings.iter().filter(|finding| finding.severity == Severity::Refuse);
        refused.for_each(|finding| assert!(finding.rule.is_some(), "{finding:?}"));
        findings.iter().map(|finding| (finding.code, finding.severity)).collect()
    }

    const DENIED: (Code, Severity) = (Code::ModuleDenied, Severity::Refuse);

    #[test]
    fn a_denied_module_is_named_with_its_version_its_place_and_the_line() {
        let provenance = go(vec![module("golang.org/x/crypto", "v0.5.0", None)]);
        let findings = judge(&provenance, Subject::Plugin, &rules("deny = [\"go:golang.org/x/crypto < 0.17.0\"]"));
        let text = findings[0].to_string();
        for part in ["MODULE-DENIED", "golang.org/x/crypto", "v0.5.0", ".go.buildinfo", "p.toml:4 `provenance.deny`"] {
            assert!(text.contains(part), "{part}: {text}");
        }
        let policy = "deny = [\"go:stdlib < 1.25.4\"]";
        assert_eq!(judged(&provenance, Subject::Plugin, policy), [DENIED]);
        assert_eq!(judged(&provenance, Subject::Dependency, policy), [DENIED]);
        assert_eq!(judged(&provenance, Subject::Plugin, "deny = [\"go:stdlib < 1.25.3\"]"), []);
    }

    #[test]
    fn a_replaced_module_is_judged_as_what_replaced_it_and_a_fork_under_both_names() {
        let policy = "deny = [\"go:a.b/c < 0.17.0\"]";
        let with = |by| judged(&go(vec![module("a.b/c", "v0.5.0", by)]), Subject::Plugin, policy);
        assert_eq!(with(Some(("a.b/c", Some("v0.20.0")))), []);
        assert_eq!(with(Some(("a.b/c", Some("v0.6.0")))), [DENIED]);
        assert_eq!(with(Some(("fork.org/c", Some("v9.0.0")))), [DENIED]);
        let fresh = go(vec![module("a.b/c", "v0.20.0", Some(("../c", None)))]);
        assert_eq!(judged(&fresh, Subject::Plugin, policy), [DENIED], "a directory has no version");
        let fork = go(vec![module("a.b/c", "v0.20.0", Some(("fork.org/c", Some("v1.0.0"))))]);
        assert_eq!(judged(&fork, Subject::Plugin, "deny = [\"go:fork.org/*\"]"), [DENIED]);
        assert_eq!(judged(&fork, Subject::Plugin, policy), []);
    }

    #[test]
    fn crates_that_only_built_the_file_are_not_part_of_it() {
        let one = |build_only| Crate {
            name: "openssl".to_owned(),
            version: "0.10.1".to_owned(),
            source: "crates.io".to_owned(),
            build_only,
            root: false,
            dependencies: vec![],
        };
        let with = |build_only| Provenance { crates: vec![one(build_only)], ..Provenance::default() };
        assert_eq!(judged(&with(false), Subject::Plugin, "deny = [\"cargo:openssl\"]"), [DENIED]);
        assert_eq!(judged(&with(true), Subject::Plugin, "deny = [\"cargo:openssl\"]"), []);
    }

    #[test]
    fn packages_are_judged_by_their_own_kind() {
        let package = |kind: &str| Provenance {
            package: Some(Package {
                kind: kind.to_owned(),
                name: "zlib".to_owned(),
                version: Some("1:1.2.13".to_owned()),
                architecture: None,
                os: None,
                os_version: None,
                os_cpe: None,
            }),
            ..Provenance::default()
        };
        let policy = "deny = [\"deb:zlib < 1:1.3\"]";
        assert_eq!(judged(&package("deb"), Subject::Plugin, policy), [DENIED]);
        assert_eq!(judged(&package("rpm"), Subject::Plugin, policy), []);
        assert_eq!(judged(&package("cargo"), Subject::Plugin, "deny = [\"cargo:zlib\"]"), [], "a note names packages");
    }

    #[test]
    fn what_must_be_there_is_asked_of_the_plugin_and_met_by_what_can_be_read() {
        let (none, some) = (Provenance::default(), go(vec![]));
        let missing = (Code::ProvenanceMissing, Severity::Refuse);
        assert_eq!(judged(&none, Subject::Plugin, "require = [\"any\"]"), [missing]);
        assert_eq!(judged(&none, Subject::Dependency, "require = [\"any\"]"), []);
        assert_eq!(judged(&some, Subject::Plugin, "require = [\"any\", \"go-buildinfo\"]"), []);
        assert_eq!(judged(&some, Subject::Plugin, "require = [\"any\", \"package-note\"]"), [missing]);
        assert_eq!(judged(&none, Subject::Plugin, "deny = [\"go:*\"]"), []);
    }

    #[test]
    fn what_cannot_be_read_is_refused_where_a_policy_relies_on_it() {
        let broken = Broken { found: ".dep-v0", claim: Some(Claim::RustAuditData), why: "it is a bomb".to_owned() };
        let provenance = Provenance { broken: vec![broken], ..Provenance::default() };
        let is = |severity| [(Code::ProvenanceBroken, severity)];
        let plugin = |policy: &str| judged(&provenance, Subject::Plugin, policy);
        assert_eq!(plugin("deny = [\"go:a\"]"), is(Severity::Warn));
        assert_eq!(plugin("deny = [\"cargo:a\"]"), is(Severity::Refuse));
        assert_eq!(plugin("require = [\"any\"]"), is(Severity::Refuse));
        assert_eq!(plugin("require = [\"rust-audit-data\"]"), is(Severity::Refuse));
        assert_eq!(judged(&provenance, Subject::Dependency, "require = [\"any\"]"), is(Severity::Note));
        assert_eq!(judged(&provenance, Subject::Dependency, "deny = [\"cargo:a\"]"), is(Severity::Refuse));
    }

    #[test]
    fn a_thousand_denied_modules_are_listed_in_part_and_counted() {
        let modules = (0..1000).map(|at| module(&format!("a.b/{at}"), "v1.0.0", None)).collect();
        let findings = judge(&go(modules), Subject::Plugin, &rules("deny = [\"go:a.b/*\"]"));
        assert_eq!(findings.len(), MAX_LISTED);
        assert_eq!(findings.iter().map(|finding| finding.times).sum::<u64>(), 1000);
    }
}
