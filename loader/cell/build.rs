//! Builds the module that the dynamic loader calls back (`src/hook.c`), and puts it into the library.
#![expect(clippy::disallowed_methods, reason = "a build script is told where to write by its environment")]

use std::env;
use std::path::PathBuf;

fn main() {
    let source = "src/hook.c";
    println!("cargo::rerun-if-changed={source}");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR")).join("hook.so");
    let mut command = cc::Build::new().opt_level(2).warnings(true).get_compiler().to_command();
    // Where the host is built with a sanitizer, `cc` would build the module with it, which then needs a runtime that no cell has.
    command.arg("-fno-sanitize=all");
    command.args(["-shared", "-fPIC", "-nostdlib", "-fno-builtin", "-fno-stack-protector", "-s"]);
    command.arg(source).arg("-o").arg(&out);
    command.args(["-Wl,-z,relro,-z,now,-z,noexecstack", "-Wl,--build-id=none"]);
    let status = command.status().expect("a C compiler is part of what a build needs");
    assert!(status.success(), "the audit module did not build");
}
