//! Decides what a policy holds against an object: its dependencies, the names in its symbol table, the exports it owes,
//! and its hardening. Whatever is found names the policy key that decides it.

use std::collections::BTreeMap;

use lazaret_policy::{ElfRules, Hardening, Origin};

use super::bytes::len;
use super::finding::{Code, Finding, Severity};
use super::habits;
use super::object::{Object, Symbol};
use super::text::shown;

/// How many denied symbols of a plugin are listed one by one; the rest is counted.
const MAX_LISTED: usize = 64;

/// What an object is in a load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// The file that the policy is about: every rule decides.
    Plugin,
    /// A library that a plugin needs. What it must not be is a note: it was not written for this policy, and it may
    /// define what a plugin may not import. What it may need still decides.
    Dependency,
}

/// Why a symbol may not be named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    /// The entry of `imports.deny` as it was written: `@exec` or `system`.
    pub pattern: String,
    /// The group that the symbol is in, when the entry is a group.
    pub group: Option<String>,
    /// Where it was written.
    pub origin: Origin,
}

/// What the policy holds against an object, the gravest first. `denied` says whether a symbol may be named.
#[must_use]
pub fn judge(
    object: &Object,
    subject: Subject,
    rules: &ElfRules,
    denied: &dyn Fn(&Symbol<'_>) -> Option<Denial>,
) -> Vec<Finding> {
    let mut findings = needed(object, rules);
    findings.extend(imports(object, subject, rules, denied));
    if subject == Subject::Plugin {
        findings.extend(exports(object, rules));
        findings.extend(soname(object, rules));
    }
    findings.extend(hardening(object, subject, rules));
    findings.extend(habits::of(object, subject));
    findings.extend(object.remarks.iter().cloned().map(|mut remark| {
        if subject == Subject::Dependency {
            remark.severity = Severity::Note;
        }
        remark
    }));
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    findings
}

fn needed(object: &Object, rules: &ElfRules) -> Vec<Finding> {
    let listed = |name: &str| rules.needed.iter().any(|needed| needed.value.soname == name);
    let denied = object.needed().filter(|name| !listed(name));
    // No single line denies: the list as a whole does, wherever its first entry stands.
    let nothing = || Origin { source: "default".to_owned(), line: 0, key: "elf.needed".to_owned() };
    let rule = rules.needed.first().map_or_else(nothing, |first| first.origin.clone());
    let finding = |name| {
        let what = format!("the file needs `{}`, which the policy does not list", shown(name));
        Finding::new(Code::NeededDenied, Severity::Refuse, what)
            .decided_by(Some(rule.clone()))
            .with("DT_NEEDED", shown(name))
    };
    denied.take(MAX_LISTED).map(finding).collect()
}

/// Every name counts, defined or not: loaders bind a symbol that the file defines itself to the library's all the same.
fn imports(
    object: &Object,
    subject: Subject,
    rules: &ElfRules,
    denied: &dyn Fn(&Symbol<'_>) -> Option<Denial>,
) -> Vec<Finding> {
    // Where groups alone deny, a hundred thousand names that are in none need not be asked about.
    let all = rules.denies_outside_groups().then(|| object.symbols().filter(|symbol| !symbol.name.is_empty()));
    let known = all.is_none().then(|| object.c_names());
    let hits = all.into_iter().flatten().chain(known.into_iter().flatten());
    let hits = hits.filter_map(|symbol| Some((denied(&symbol)?, symbol)));
    match subject {
        Subject::Plugin => {
            let mut findings = Vec::new();
            let mut unlisted = 0_u64;
            for (denial, symbol) in hits {
                if findings.len() < MAX_LISTED {
                    findings.push(denied_import(&denial, &symbol));
                } else {
                    unlisted = unlisted.saturating_add(1);
                }
            }
            if let Some(last) = findings.last_mut() {
                last.times = last.times.saturating_add(unlisted);
            }
            findings
        }
        Subject::Dependency => {
            let mut by_entry: BTreeMap<(String, Origin), (u64, String)> = BTreeMap::new();
            for (denial, symbol) in hits {
                let entry = by_entry.entry((denial.pattern, denial.origin));
                let (times, _) = entry.or_insert_with(|| (0, shown(symbol.name)));
                *times = times.saturating_add(1);
            }
            let finding = |((pattern, origin), (times, example)): ((String, Origin), (u64, String))| {
                let what = format!(
                    "the library names symbols that `{}` denies to plugins, such as `{example}`",
                    shown(&pattern)
                );
                let mut note = Finding::new(Code::ImportDenied, Severity::Note, what).decided_by(Some(origin));
                (note.times, note.next) = (times, None);
                note.with("symbol", example)
            };
            by_entry.into_iter().map(finding).collect()
        }
    }
}

fn denied_import(denial: &Denial, symbol: &Symbol<'_>) -> Finding {
    let (name, pattern) = (shown(symbol.name), shown(&denial.pattern));
    let verb = if symbol.defined { "defines" } else { "imports" };
    let through = match &denial.group {
        Some(group) if *group != denial.pattern => format!(" through the group `{}`", shown(group)),
        _ => String::new(),
    };
    let what = format!("the file {verb} `{name}`, which `{pattern}` denies{through}");
    let mut finding = Finding::new(Code::ImportDenied, Severity::Refuse, what)
        .decided_by(Some(denial.origin.clone()))
        .with("symbol", name);
    if let Some(version) = symbol.version {
        finding = finding.with("version", shown(version));
    }
    if let Some(library) = symbol.library {
        finding = finding.with("library", shown(library));
    }
    if symbol.defined {
        // Its own definition does not help: the name is looked up among the libraries first.
        finding = finding.with("st_value", super::text::hex(symbol.value));
    }
    finding
}

fn exports(object: &Object, rules: &ElfRules) -> Vec<Finding> {
    let missing = rules.exports_require.iter().filter_map(|wanted| {
        let mut named = object.symbols().filter(|symbol| symbol.name == wanted.value);
        let what = match named.next() {
            None => "does not have",
            Some(first) if first.exported || named.any(|symbol| symbol.exported) => return None,
            Some(_) => "imports or hides, and so does not export,",
        };
        let name = shown(&wanted.value);
        let what = format!("the file {what} `{name}`, which the policy requires");
        let finding = Finding::new(Code::ExportMissing, Severity::Refuse, what).decided_by(Some(wanted.origin.clone()));
        Some(finding.with("symbol", name))
    });
    missing.collect()
}

/// A loader that looks for a library finds the first loaded object of that name: the plugin would take its place.
fn soname(object: &Object, rules: &ElfRules) -> Option<Finding> {
    let name = object.soname()?;
    let trusted = rules.needed.iter().find(|needed| needed.value.soname == name)?;
    let what = format!("the file calls itself `{}`, a library that the policy trusts", shown(name));
    let finding = Finding::new(Code::SonameTrusted, Severity::Refuse, what).decided_by(Some(trusted.origin.clone()));
    Some(finding.with("DT_SONAME", shown(name)))
}

fn hardening(object: &Object, subject: Subject, rules: &ElfRules) -> Vec<Finding> {
    let finding = |property: Hardening| {
        let lack = object.lacks(property)?;
        let rule = rules.require.get(&property);
        let severity = match (subject, rule) {
            (Subject::Dependency, _) => Severity::Note,
            (Subject::Plugin, Some(_)) => Severity::Refuse,
            (Subject::Plugin, None) if is_about_loading(property) => Severity::Warn,
            (Subject::Plugin, None) => Severity::Note,
        };
        let finding = Finding::new(code_of(property), severity, lack.what).decided_by(rule.cloned());
        Some(lack.evidence.into_iter().fold(finding, |finding, (name, value)| finding.with(name, value)))
    };
    Hardening::ALL.into_iter().filter_map(finding).collect()
}

/// Whether a property decides what is mapped and run. The others are about how hard a mistake in the code is to use, and a
/// cell holds whatever becomes of that.
fn is_about_loading(property: Hardening) -> bool {
    match property {
        Hardening::FullRelro
        | Hardening::NxStack
        | Hardening::NoWx
        | Hardening::NoTextrel
        | Hardening::NoRpath
        | Hardening::NoIfunc => true,
        Hardening::StackProtector
        | Hardening::Fortify
        | Hardening::ControlFlow
        | Hardening::SeparateCode
        | Hardening::BuildId => false,
    }
}

fn code_of(property: Hardening) -> Code {
    match property {
        Hardening::FullRelro => Code::NoFullRelro,
        Hardening::NxStack => Code::ExecutableStack,
        Hardening::NoWx => Code::WritableCode,
        Hardening::NoTextrel => Code::TextRelocations,
        Hardening::NoRpath => Code::SearchPath,
        Hardening::NoIfunc => Code::Ifunc,
        Hardening::StackProtector => Code::NoStackProtector,
        Hardening::Fortify => Code::NoFortify,
        Hardening::ControlFlow => Code::NoControlFlow,
        Hardening::SeparateCode => Code::NoSeparateCode,
        Hardening::BuildId => Code::NoBuildId,
    }
}

/// How many findings there are of each severity: refusals, warnings, notes.
#[must_use]
pub fn tally(findings: &[Finding]) -> [u64; 3] {
    [Severity::Refuse, Severity::Warn, Severity::Note]
        .map(|severity| len(findings.iter().filter(|finding| finding.severity == severity).count()))
}

#[cfg(test)]
mod tests {
    use lazaret_policy::{Arch, Needed, Placed};

    use super::super::sample::{LOAD_CODE, LOAD_DATA, LOAD_READ, RELRO, STACK, Sample, TABLE, TEXT, relocation};
    use super::*;

    fn origin(key: &str) -> Origin {
        Origin { source: "policy.toml".to_owned(), line: 3, key: key.to_owned() }
    }

    fn placed<T>(value: T, key: &str) -> Placed<T> {
        Placed { value, origin: origin(key) }
    }

    fn required(which: impl Fn(Hardening) -> bool) -> BTreeMap<Hardening, Origin> {
        Hardening::ALL.into_iter().filter(|property| which(*property)).map(|it| (it, origin("elf.require"))).collect()
    }

    fn rules() -> ElfRules {
        ElfRules {
            require: required(is_about_loading),
            needed: vec![placed(Needed { soname: "libc.so.6".to_owned(), digest: None }, "elf.needed")],
            imports_deny: vec![],
            exports_require: vec![placed("transform".to_owned(), "exports.require")],
            direct_syscalls: None,
        }
    }

    fn denied(symbol: &Symbol<'_>) -> Option<Denial> {
        let deny = |pattern: &str, group: Option<&str>| Denial {
            pattern: pattern.to_owned(),
            group: group.map(str::to_owned),
            origin: origin("imports.deny"),
        };
        match symbol.name {
            "system" => Some(deny("@exec", Some("exec"))),
            "dlsym" => Some(deny("dlsym", None)),
            _ => None,
        }
    }

    fn judged(bytes: &[u8], subject: Subject) -> Vec<(Code, Severity)> {
        let object = super::super::read(bytes, Arch::X86_64).expect("the file has one reading");
        let findings = judge(&object, subject, &rules(), &denied);
        let refusals = findings.iter().filter(|finding| finding.severity == Severity::Refuse);
        refusals.for_each(|finding| assert!(finding.rule.is_some(), "{finding:?}"));
        let of_code = |finding: &Finding| finding.code != Code::NoStackProtector; // the sample has no code to protect
        findings.into_iter().filter(of_code).map(|finding| (finding.code, finding.severity)).collect()
    }

    fn plugin(change: impl FnOnce(&mut Sample)) -> Vec<(Code, Severity)> {
        let mut sample = Sample::new();
        change(&mut sample);
        judged(&sample.bytes(), Subject::Plugin)
    }

    #[test]
    fn a_plugin_that_keeps_to_the_policy_has_no_findings() {
        assert_eq!(plugin(|_| {}), []);
    }

    #[test]
    fn a_denied_name_is_refused_imported_or_defined() {
        let refused = [(Code::ImportDenied, Severity::Refuse)];
        assert_eq!(plugin(|sample| sample.symbols[0].0 = "system"), refused);
        assert_eq!(plugin(|sample| sample.symbols[0] = ("system", 0x22, 0, 0)), refused); // weak
        let defined = plugin(|sample| sample.symbols.push(("system", 0x12, 7, TEXT)));
        assert_eq!(defined, [(Code::ImportDenied, Severity::Refuse), (Code::Interposes, Severity::Warn)]); // d20
        assert_eq!(plugin(|sample| sample.symbols[0].0 = "dlsym"), refused); // p07
    }

    #[test]
    fn a_refused_import_names_symbol_group_library_and_policy_line() {
        let mut sample = Sample::new();
        sample.symbols[0].0 = "system";
        let object = super::super::read(&sample.bytes(), Arch::X86_64).expect("the file has one reading");
        let text = judge(&object, Subject::Plugin, &rules(), &denied)[0].to_string();
        for part in [
            "IMPORT-DENIED",
            "imports `system`",
            "`@exec` denies",
            "group `exec`",
            "libc.so.6",
            "policy.toml:3 `imports.deny`",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }

    #[test]
    fn a_library_may_define_what_its_plugin_may_not_import() {
        let mut sample = Sample::new();
        sample.symbols.push(("system", 0x12, 7, TEXT));
        let notes = [(Code::ImportDenied, Severity::Note), (Code::Interposes, Severity::Note)];
        assert_eq!(judged(&sample.bytes(), Subject::Dependency), notes);
        sample.needed.push("libevil.so");
        assert_eq!(judged(&sample.bytes(), Subject::Dependency)[0], (Code::NeededDenied, Severity::Refuse));
    }

    #[test]
    fn dependencies_exports_and_soname_are_judged() {
        let refused = |code| vec![(code, Severity::Refuse)];
        assert_eq!(plugin(|sample| sample.needed.push("libevil.so")), refused(Code::NeededDenied));
        assert_eq!(plugin(|sample| sample.symbols[1].0 = "transfrom"), refused(Code::ExportMissing));
        assert_eq!(plugin(|sample| sample.symbols[0].0 = "transform"), []);
        let imported = |sample: &mut Sample| (sample.symbols[0].0, sample.symbols[1].0) = ("transform", "other");
        assert_eq!(plugin(imported), refused(Code::ExportMissing));
        assert_eq!(plugin(|sample| sample.soname = Some("libc.so.6")), refused(Code::SonameTrusted)); // d16
    }

    #[test]
    fn each_missing_hardening_property_is_refused_by_its_own_code() {
        let refused = |code| vec![(code, Severity::Refuse)];
        let edited = |change: &dyn Fn(&mut super::super::sample::Built)| {
            let mut built = Sample::new().build();
            change(&mut built);
            judged(&built.bytes, Subject::Plugin)
        };
        let empty = |index: usize| move |built: &mut super::super::sample::Built| built.set_segment(index, 0, 0);
        assert_eq!(edited(&empty(STACK)), refused(Code::ExecutableStack)); // d30
        assert_eq!(edited(&|built| built.set_flags(STACK, 7)), refused(Code::ExecutableStack));
        assert_eq!(edited(&empty(RELRO)), refused(Code::NoFullRelro));
        assert_eq!(plugin(|sample| sample.tags.clear()), refused(Code::NoFullRelro));
        assert_eq!(edited(&|built| built.set_flags(LOAD_DATA, 7)), refused(Code::WritableCode)); // p05
        assert_eq!(edited(&|built| built.set_flags(LOAD_CODE, 7)), refused(Code::WritableCode));
        assert_eq!(plugin(|sample| sample.tags[0].1 |= 4), refused(Code::TextRelocations)); // d32
        assert_eq!(plugin(|sample| sample.tags.push((22, 0))), refused(Code::TextRelocations)); // d33
        assert_eq!(plugin(|sample| sample.string = Some((29, b"$ORIGIN"))), refused(Code::SearchPath));
        assert_eq!(plugin(|sample| sample.string = Some((15, b"/tmp"))), refused(Code::SearchPath));
        let ifunc = |sample: &mut Sample| sample.rela.push(relocation(TABLE + 0x20, 37, 0, TEXT));
        assert_eq!(plugin(ifunc), refused(Code::Ifunc)); // p02
        assert_eq!(plugin(|sample| sample.symbols.push(("f", 0x1a, 7, TEXT))), refused(Code::Ifunc));
    }

    #[test]
    fn how_the_code_was_built_is_a_note_until_a_policy_requires_it() {
        let judged = |change: &dyn Fn(&mut Sample), rules: &ElfRules| {
            let mut sample = Sample::new();
            change(&mut sample);
            let object = super::super::read(&sample.bytes(), Arch::X86_64).expect("the file has one reading");
            let findings = judge(&object, Subject::Plugin, rules, &denied);
            findings.into_iter().map(|finding| (finding.code, finding.severity)).collect::<Vec<_>>()
        };
        let strict = ElfRules { require: required(|property| !is_about_loading(property)), ..rules() };
        assert_eq!(judged(&|_| {}, &rules()), [(Code::NoStackProtector, Severity::Note)]);
        assert_eq!(judged(&|_| {}, &strict), [(Code::NoStackProtector, Severity::Refuse)]);
        let checks = |sample: &mut Sample| sample.symbols[0].0 = "__stack_chk_fail";
        assert_eq!(judged(&checks, &strict), []);
        let unchecked = |sample: &mut Sample| sample.symbols[0].0 = "memcpy";
        assert!(judged(&unchecked, &strict).contains(&(Code::NoFortify, Severity::Refuse)));
        let checked = |sample: &mut Sample| sample.symbols[0].0 = "__memcpy_chk";
        assert!(judged(&checked, &strict).iter().all(|(code, _)| *code != Code::NoFortify));
        let edited = |change: &dyn Fn(&mut super::super::sample::Built)| {
            let mut built = Sample::new().build();
            change(&mut built);
            let object = super::super::read(&built.bytes, Arch::X86_64).expect("the file has one reading");
            judge(&object, Subject::Plugin, &strict, &denied)
                .into_iter()
                .map(|finding| finding.code)
                .collect::<Vec<_>>()
        };
        let note = Sample::new().build().tables["note"].0 as usize;
        // The bits of the property, which stands behind the build id and its own head.
        assert!(edited(&|built| built.put(note + 24 + 24, &1_u32.to_le_bytes())).contains(&Code::NoControlFlow));
        assert!(edited(&|built| built.put(note + 8, &9_u32.to_le_bytes())).contains(&Code::NoBuildId));
        assert!(edited(&|built| built.set_flags(LOAD_READ, 5)).contains(&Code::NoSeparateCode));
    }

    #[test]
    fn habits_are_noted() {
        let noted = |change: &dyn Fn(&mut Sample)| {
            let mut sample = Sample::new();
            change(&mut sample);
            judged(&sample.bytes(), Subject::Plugin)
        };
        let note = |code| [(code, Severity::Note)];
        assert_eq!(noted(&|sample| sample.soname = None), note(Code::NoSoname));
        assert_eq!(noted(&|sample| sample.tags.push((0x6fff_fffb, 0x9))), note(Code::LoaderFlags));
        assert_eq!(noted(&|sample| sample.tags[0].1 |= 0x10), note(Code::StaticTls));
        assert_eq!(noted(&|sample| sample.rela.push(relocation(TABLE + 0x20, 18, 0, 0))), note(Code::StaticTls));
        assert_eq!(noted(&|sample| sample.symbols[0].0 = "mktemp"), note(Code::UnsafeFunction));
        let takes_over = |sample: &mut Sample| sample.symbols.push(("malloc", 0x12, 7, TEXT));
        assert_eq!(noted(&takes_over), [(Code::Interposes, Severity::Warn)]);
    }

    #[test]
    fn what_the_policy_does_not_require_is_a_warning_and_of_a_library_a_note() {
        let mut sample = Sample::new();
        sample.tags.clear();
        let object = super::super::read(&sample.bytes(), Arch::X86_64).expect("the file has one reading");
        let mut rules = rules();
        rules.require.clear();
        let findings = judge(&object, Subject::Plugin, &rules, &denied);
        assert_eq!((findings[0].severity, &findings[0].rule), (Severity::Warn, &None));
        assert_eq!(judged(&sample.bytes(), Subject::Dependency), [(Code::NoFullRelro, Severity::Note)]);
    }

    #[test]
    fn a_hostile_name_reaches_no_terminal() {
        let mut sample = Sample::new();
        sample.soname = Some("lib\u{1b}[2J\u{202e}.so");
        sample.symbols[0].0 = "sys\u{1b}]0;x\u{7}tem";
        sample.symbols[2].0 = "a\nrefuse";
        let object = super::super::read(&sample.bytes(), Arch::X86_64).expect("the file has one reading");
        let all = |symbol: &Symbol<'_>| {
            Some(Denial { pattern: symbol.name.to_owned(), group: None, origin: origin("imports.deny") })
        };
        let report = super::super::Report::new(Some(&object), judge(&object, Subject::Plugin, &rules(), &all));
        let text = report.findings.iter().map(|finding| format!("{finding}\n")).collect::<String>();
        assert!(text.bytes().all(|byte| byte == b'\n' || (b' '..=b'~').contains(&byte)), "{text:?}");
        assert!(!text.contains("\nrefuse\n"));
        let json = serde_json::to_string(&report).expect("a report is JSON");
        assert!(json.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{json:?}");
    }
}
