//! What a file says about its making, a line for each account. All of it is the file's own claim.

use crate::Audit;
use crate::audit::provenance::{Dlopen, Provenance};

/// How many modules are named; the JSON form has all of them.
const MAX_NAMED: usize = 12;

/// The lines, and none where the file says nothing.
pub(super) fn lines(audit: &Audit) -> Vec<(&'static str, String)> {
    let Some(provenance) = &audit.provenance else { return Vec::new() };
    let Provenance { go, crates, package, dlopen, compilers, debug_link, paths, broken, .. } = provenance;
    let mut lines = Vec::new();
    if let Some(go) = go {
        lines.push(("Go", [go.toolchain.as_str(), go.path.as_deref().unwrap_or_default()].join(" ")));
    }
    let modules: Vec<String> = provenance
        .modules()
        .map(|module| format!("{} {}", module.name, module.version.unwrap_or("(no version)")))
        .collect();
    if !modules.is_empty() {
        let more = modules.len().saturating_sub(MAX_NAMED);
        let more = if more > 0 { format!(", and {more} more") } else { String::new() };
        lines.push(("made from", format!("{}{more}", modules[..modules.len().min(MAX_NAMED)].join(", "))));
    }
    if !crates.is_empty() {
        lines.push(("Rust", format!("{} crates listed by cargo auditable", crates.len())));
    }
    if let Some(package) = package {
        lines.push(("package", format!("{} of {}", package.name, package.os.as_deref().unwrap_or(&package.kind))));
    }
    let opened: Vec<&str> = dlopen.iter().flat_map(|Dlopen { soname, .. }| soname).map(String::as_str).collect();
    if !opened.is_empty() {
        lines.push(("opens later", opened.join(" ")));
    }
    if !compilers.is_empty() {
        lines.push(("compilers", compilers.join(", ")));
    }
    if let Some(link) = debug_link {
        lines.push(("debug file", link.name.clone()));
    }
    if let Some(paths) = paths.as_ref().filter(|paths| paths.count > 0) {
        let more = paths.count.saturating_sub(u64::try_from(paths.examples.len()).unwrap_or(u64::MAX));
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        lines.push(("paths in it", format!("{}{more}", paths.examples.join(" "))));
    }
    for one in broken {
        lines.push(("cannot be read", format!("{}: {}", one.found, one.why)));
    }
    lines
}
