//! Audits in the form that code scanning reads: SARIF 2.1.0 (OASIS standard, 27 March 2020). A shared object has no lines,
//! so every place is the first line of the file; offsets and addresses stand in the message and in the properties.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};

use crate::audit::{Code, Evidence, Finding, Severity};
use crate::error::chain;
use crate::{Audit, Error};

const SCHEMA: &str = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

/// One run over files, file by file.
#[derive(Default)]
pub(super) struct Run {
    rules: BTreeSet<Code>,
    artifacts: Vec<Value>,
    results: Vec<Value>,
    notifications: Vec<Value>,
}

impl Run {
    /// What was found in a file and in the libraries it needs. Notes on libraries are left out: they are nobody's to mend.
    pub(super) fn add(&mut self, path: &Path, audit: &Audit) {
        let uri = uri(path);
        let digest = audit.digest.to_string();
        let hash = digest.strip_prefix("sha256:").unwrap_or(&digest);
        self.artifacts.push(json!({
            "location": { "uri": uri },
            "hashes": { "sha-256": hash },
            "roles": ["analysisTarget"],
        }));
        for finding in &audit.report.findings {
            self.result(&uri, finding, None);
        }
        for library in &audit.libraries {
            for finding in library.findings.iter().filter(|finding| finding.severity != Severity::Note) {
                self.result(&self::uri(&library.path), finding, Some(&uri));
            }
        }
    }

    /// A file that was not audited.
    pub(super) fn failed(&mut self, path: &Path, error: &Error) {
        self.notifications.push(json!({
            "level": "error",
            "message": { "text": chain(error) },
            "descriptor": { "id": error.code() },
            "locations": [place(&uri(path))],
        }));
    }

    fn result(&mut self, uri: &str, finding: &Finding, needed_by: Option<&str>) {
        self.rules.insert(finding.code);
        let level = match finding.severity {
            Severity::Refuse => "error",
            Severity::Warn => "warning",
            Severity::Note => "note",
        };
        let rule = finding.rule.as_ref();
        let by = rule.map(|rule| format!("; decided by {rule}")).unwrap_or_default();
        let evidence = finding.evidence.iter().map(|Evidence { name, value }| (*name, value.as_str()));
        let evidence: serde_json::Map<_, _> = evidence.map(|(name, value)| (name.to_owned(), value.into())).collect();
        let mut related: Vec<Value> =
            needed_by.map(|uri| message_at(place(uri), "the plugin that needs it")).into_iter().collect();
        if let Some(rule) = rule.filter(|rule| rule.line > 0 && !rule.source.starts_with("builtin:")) {
            let line = json!({ "physicalLocation": {
                "artifactLocation": { "uri": self::uri(Path::new(&rule.source)) },
                "region": { "startLine": rule.line },
            } });
            related.push(message_at(line, "the line of the policy that decides it"));
        }
        // The same fact keeps it from build to build, however the file moves inside.
        let fact = finding.evidence.first().map_or(finding.what.as_str(), |evidence| evidence.value.as_str());
        self.results.push(json!({
            "ruleId": finding.code.name(),
            "level": level,
            "message": { "text": format!("{}{by}", finding.what) },
            "locations": [place(uri)],
            "relatedLocations": related,
            "occurrenceCount": finding.times,
            "partialFingerprints": { "lazaretFact/v1": format!("{}:{fact}", finding.code) },
            "properties": { "evidence": evidence, "next": finding.next },
        }));
    }

    /// The whole log.
    pub(super) fn log(mut self) -> Value {
        let rules: Vec<Value> = self
            .rules
            .iter()
            .map(|code| {
                json!({
                    "id": code.name(),
                    "shortDescription": { "text": code.name() },
                    "help": { "text": format!("Next: {}.", code.next()) },
                })
            })
            .collect();
        for result in &mut self.results {
            let index = self.rules.iter().position(|code| result["ruleId"] == code.name());
            result["ruleIndex"] = index.into();
        }
        json!({
            "$schema": SCHEMA,
            "version": "2.1.0",
            "runs": [{
                "tool": { "driver": {
                    "name": "lazaret",
                    "semanticVersion": env!("CARGO_PKG_VERSION"),
                    "rules": rules,
                } },
                "invocations": [{
                    "executionSuccessful": self.notifications.is_empty(),
                    "toolExecutionNotifications": self.notifications,
                }],
                "artifacts": self.artifacts,
                "results": self.results,
                "columnKind": "unicodeCodePoints",
            }],
        })
    }
}

fn place(uri: &str) -> Value {
    json!({ "physicalLocation": { "artifactLocation": { "uri": uri }, "region": { "startLine": 1 } } })
}

fn message_at(mut location: Value, text: &str) -> Value {
    location["message"] = json!({ "text": text });
    location
}

/// A path as a reference of RFC 3986: relative as it was given, or with the scheme `file`.
fn uri(path: &Path) -> String {
    use std::os::unix::ffi::OsStrExt as _;
    let mut uri = if path.is_absolute() { "file://".to_owned() } else { String::new() };
    for &byte in path.as_os_str().as_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => uri.push(char::from(byte)),
            other => uri += &format!("%{other:02X}"),
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_a_reference_whatever_bytes_it_has() {
        assert_eq!(uri(Path::new("plugins/a b.so")), "plugins/a%20b.so");
        assert_eq!(uri(Path::new("/usr/lib/libstdc++.so.6")), "file:///usr/lib/libstdc%2B%2B.so.6");
        assert_eq!(uri(Path::new("c:x\n\"<.so")), "c%3Ax%0A%22%3C.so");
    }
}
