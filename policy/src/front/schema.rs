//! The keys of the language, once: editors get them as a JSON Schema, and the reader takes the valid keys of each table
//! from the same schema.

// The types below are never built: the schema is made from them.
#![expect(dead_code, reason = "the types exist for their schema")]

use std::collections::BTreeMap;
use std::sync::LazyLock;

use schemars::JsonSchema;

use crate::front::modules::Claim;
use crate::front::rules::Hardening;

/// A Lazaret policy.
#[derive(JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct PolicyText {
    /// Version of the language; this release reads 1.
    lazaret: u32,
    /// Name of the policy: letters, digits, `.`, `_` and `-`.
    name: String,
    /// One sentence about what the policy is for.
    description: Option<String>,
    /// The policy this one narrows: `builtin:NAME`, or a path relative to this file.
    extends: Option<String>,
    /// Who may have made the plugin.
    trust: Option<TrustText>,
    /// What the file may be and contain.
    elf: Option<ElfText>,
    /// What the file may be made from, as it says itself.
    provenance: Option<ProvenanceText>,
    /// Files and trees the plugin may use.
    files: Option<FilesText>,
    /// Ports the plugin may use.
    network: Option<NetworkText>,
    /// Syscalls the plugin may make.
    syscalls: Option<SyscallsText>,
    /// Caps. A cap that no policy states has a documented default.
    limits: Option<LimitsText>,
    /// What must be enforced, else the load is refused.
    layers: Option<LayersText>,
}

/// What is granted.
#[derive(JsonSchema)]
#[serde(untagged)]
enum Granted<T> {
    /// Each entry.
    These(Vec<T>),
    /// Nothing, whatever the policy that is extended grants.
    Nothing(Nothing),
}

#[derive(JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Nothing {
    None,
}

/// Who may have made the plugin. The keys of this table are alternatives, and a policy that states one of them states
/// them all.
#[derive(JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct TrustText {
    /// Publishers of the trust document whose signature is accepted.
    publishers: Option<Vec<String>>,
    /// Files accepted by their digest alone, `sha256:` and 64 hexadecimal digits.
    digests: Option<Vec<String>>,
    /// Accept a file without a signature.
    unsigned: Option<bool>,
}

/// What the file may be and contain.
#[derive(JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct ElfText {
    /// Properties that must hold.
    require: Option<Vec<Hardening>>,
    /// Libraries the plugin may need, directly and indirectly.
    needed: Option<Granted<NeededText>>,
    /// Symbols the plugin may not import.
    imports: Option<ImportsText>,
    /// Symbols the plugin must offer.
    exports: Option<ExportsText>,
    /// Whether code may contain syscall instructions of its own. Denied unless the outermost policy allows it.
    direct_syscalls: Option<DirectText>,
}

#[derive(JsonSchema)]
#[serde(untagged)]
enum NeededText {
    /// A `DT_NEEDED` name.
    Name(String),
    /// A `DT_NEEDED` name and the one file accepted under it.
    Pinned(PinnedText),
}

#[derive(JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct PinnedText {
    /// The `DT_NEEDED` name.
    name: String,
    /// `sha256:` and 64 hexadecimal digits.
    digest: String,
}

#[derive(JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct ImportsText {
    /// Symbol groups (`@exec`) and symbol names.
    deny: Option<Vec<String>>,
}

#[derive(JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct ExportsText {
    /// Symbol names.
    require: Option<Vec<String>>,
}

#[derive(JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum DirectText {
    Deny,
    Allow,
}

/// What the file may be made from, as it says itself: whoever built it wrote this, and could have written something else.
#[derive(JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct ProvenanceText {
    /// Modules that must be part neither of the plugin nor of a library mapped with it: `go:`, `cargo:`, `deb:` or `rpm:`
    /// and a name, which may end in `*`, then comparisons of its version, as in `go:golang.org/x/crypto >= 0.10.0, <
    /// 0.17.0`. The Go toolchain is `go:stdlib`.
    deny: Option<Vec<String>>,
    /// What the plugin must say about its making.
    require: Option<Vec<Claim>>,
}

/// Absolute paths, or paths that begin with `${bundle}` or `${state}`.
#[derive(JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct FilesText {
    /// May be read, with everything beneath.
    read: Option<Granted<String>>,
    /// May be read, created, changed and removed, with everything beneath.
    write: Option<Granted<String>>,
}

/// Ports as `tcp:443`.
#[derive(JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct NetworkText {
    /// Remote ports that may be connected to.
    connect: Option<Granted<String>>,
    /// Local ports that may be served.
    bind: Option<Granted<String>>,
}

/// Syscalls the plugin may make once it is mapped.
#[derive(JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct SyscallsText {
    /// Groups (`@compute`) and syscall names.
    allow: Option<Granted<String>>,
    /// Syscalls that are allowed for some arguments, and syscalls that are refused in another way than `on-deny` says.
    rules: Option<Vec<RuleText>>,
    /// What a refused syscall does.
    on_deny: Option<OnDenyText>,
}

#[derive(JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct RuleText {
    /// Name of the syscall.
    call: String,
    /// Comparisons of arguments, joined by `&&`, as in `domain == AF_UNIX`. Allows the syscall where they hold.
    when: Option<String>,
    /// In place of `when`: what the syscall does where it is not allowed. Allows nothing.
    answer: Option<OnDenyText>,
}

#[derive(JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum OnDenyText {
    /// The cell ends, and the host learns which call it was.
    Kill,
    /// The call fails with `EPERM`.
    Errno,
    /// The call fails with `EPERM`, and the host is told of it.
    Report,
}

/// Caps: sizes as `256 MiB`, durations as `2 s`.
#[derive(JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct LimitsText {
    /// Private writable memory.
    memory: Option<String>,
    /// Address space, at least `memory`.
    address_space: Option<String>,
    /// Stack of a thread.
    stack: Option<String>,
    /// The largest file that may be written.
    file_size: Option<String>,
    /// Arguments of one call, and its results.
    message: Option<String>,
    /// Threads.
    threads: Option<u32>,
    /// How many processors' worth of time may be used at once, 1 to 1024; as many as `threads` where no policy says so. A
    /// control group enforces it.
    processors: Option<u32>,
    /// Open descriptors.
    open_files: Option<u32>,
    /// Processor time over the life of the cell.
    cpu_time: Option<String>,
    /// One call.
    call_time: Option<String>,
    /// Mapping the plugin and its constructors.
    load_time: Option<String>,
}

/// Layers as `landlock`, `landlock>=4`, `seccomp`, `capabilities`, `limits`, `mdwe`, `apparmor`, `cgroup`,
/// `namespaces`, `mount`.
#[derive(JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct LayersText {
    /// Must be enforced, else the load is refused.
    require: Option<Vec<String>>,
    /// Enforced where possible; what is absent is reported.
    optional: Option<Vec<String>>,
    /// Where a cell's address-space layout comes from; `shared` where no policy says so.
    layout: Option<LayoutText>,
}

#[derive(JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum LayoutText {
    /// From a process that cells of this host are forked from.
    Shared,
    /// From the kernel: the cell's program is executed anew.
    Fresh,
}

/// What a `plugin.json` may ask for, under `requests`.
#[derive(JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct RequestsText {
    files: Option<FilesText>,
    network: Option<NetworkText>,
    syscalls: Option<RequestedCallsText>,
    limits: Option<LimitsText>,
}

#[derive(JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct RequestedCallsText {
    allow: Option<Granted<String>>,
}

/// The JSON Schema of the policy language, for editors and for other programs that write policies.
#[must_use]
pub fn json_schema() -> String {
    format!("{:#}", schemars::schema_for!(PolicyText).as_value())
}

/// Valid keys by table: the dotted path of the table, with `[]` for the tables of a list, and `requests` in front of
/// what a `plugin.json` may say.
static KEYS: LazyLock<BTreeMap<String, Vec<String>>> = LazyLock::new(|| {
    let mut keys = BTreeMap::new();
    let policy = schemars::schema_for!(PolicyText);
    collect(policy.as_value(), policy.as_value(), "", &mut keys);
    let requests = schemars::schema_for!(RequestsText);
    collect(requests.as_value(), requests.as_value(), "requests", &mut keys);
    keys
});

fn collect(root: &serde_json::Value, schema: &serde_json::Value, path: &str, keys: &mut BTreeMap<String, Vec<String>>) {
    if let Some(target) = schema.get("$ref").and_then(|target| target.as_str()) {
        if let Some(found) = target.strip_prefix('#').and_then(|pointer| root.pointer(pointer)) {
            collect(root, found, path, keys);
        }
        return;
    }
    for branch in ["anyOf", "oneOf"].iter().filter_map(|name| schema.get(name)?.as_array()).flatten() {
        collect(root, branch, path, keys);
    }
    if let Some(items) = schema.get("items") {
        collect(root, items, &format!("{path}[]"), keys);
    }
    if let Some(properties) = schema.get("properties").and_then(|properties| properties.as_object()) {
        keys.insert(path.to_owned(), properties.keys().cloned().collect());
        for (name, property) in properties {
            let inner = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            collect(root, property, &inner, keys);
        }
    }
}

/// The keys that the table at `path` may have.
pub(crate) fn keys(path: &str) -> &'static [String] {
    KEYS.get(path).map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_of_the_language_has_its_keys() {
        assert_eq!(keys("files"), ["read", "write"]);
        assert_eq!(keys("elf.needed[]"), ["digest", "name"]);
        assert_eq!(keys("syscalls.rules[]"), ["answer", "call", "when"]);
        assert_eq!(keys("requests.syscalls"), ["allow"]);
        assert!(keys("elf").contains(&"direct-syscalls".to_owned()));
        assert!(keys("nowhere").is_empty());
    }

    #[test]
    fn the_schema_is_json_and_names_the_properties_of_rules_rs() {
        let schema: serde_json::Value = serde_json::from_str(&json_schema()).expect("JSON");
        let text = schema.to_string();
        for property in crate::Hardening::ALL {
            assert!(text.contains(property.name()), "{}", property.name());
        }
    }
}
