//! Package URLs (ECMA-427, <https://github.com/package-url/purl-spec>): the names by which other programs look modules up.

use std::fmt::Write as _;

use crate::audit::provenance::Package;

/// `pkg:golang/golang.org/x/net@v0.38.0`. The specification wants the path in lower case.
pub(super) fn go(path: &str, version: Option<&str>) -> String {
    format!("pkg:golang/{}{}", segments(&path.to_ascii_lowercase()), at(version))
}

/// `pkg:cargo/serde@1.0.0`.
pub(super) fn cargo(name: &str, version: &str) -> String {
    format!("pkg:cargo/{}{}", encoded(name), at(Some(version)))
}

/// `pkg:deb/debian/zlib1g@1:1.3?arch=amd64`; none for kinds without a namespace of their own, or without a distribution.
pub(super) fn package(package: &Package) -> Option<String> {
    let os = package.os.as_deref().filter(|os| !os.is_empty())?;
    let known = matches!(package.kind.as_str(), "deb" | "rpm" | "apk" | "alpm");
    known.then_some(())?;
    let (os, name) = (encoded(&os.to_ascii_lowercase()), encoded(&package.name));
    let arch = package.architecture.as_deref().map(|arch| format!("?arch={}", encoded(arch))).unwrap_or_default();
    Some(format!("pkg:{}/{os}/{name}{}{arch}", package.kind, at(package.version.as_deref())))
}

fn at(version: Option<&str>) -> String {
    version.filter(|version| !version.is_empty()).map(|version| format!("@{}", encoded(version))).unwrap_or_default()
}

fn segments(path: &str) -> String {
    path.split('/').filter(|part| !part.is_empty()).map(encoded).collect::<Vec<_>>().join("/")
}

/// Everything but letters, digits, `.`, `-`, `_`, `~` and `:` as `%XX`.
fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b".-_~:".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            write!(out, "%{byte:02X}").unwrap_or_default();
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_written_as_the_specification_has_them() {
        assert_eq!(
            go("github.com/Azure/azure-sdk", Some("v1.0.0+incompatible")),
            "pkg:golang/github.com/azure/azure-sdk@v1.0.0%2Bincompatible"
        );
        assert_eq!(go("stdlib", Some("1.25.5")), "pkg:golang/stdlib@1.25.5");
        assert_eq!(cargo("serde", "1.0.0+a b"), "pkg:cargo/serde@1.0.0%2Ba%20b");
        let mut note = Package {
            kind: "deb".to_owned(),
            name: "attr".to_owned(),
            version: Some("1:2.4.47-2+b1".to_owned()),
            architecture: Some("amd64".to_owned()),
            os: Some("Debian".to_owned()),
            os_version: None,
            os_cpe: None,
        };
        assert_eq!(package(&note).as_deref(), Some("pkg:deb/debian/attr@1:2.4.47-2%2Bb1?arch=amd64"));
        note.kind = "../x".to_owned();
        assert_eq!(package(&note), None);
    }
}
