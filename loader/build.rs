//! Builds the hostile plugin that `lazaret demo` shows off, and puts it into the program. It is never run outside of a cell.
#![expect(clippy::disallowed_methods, reason = "a build script is told where to write by its environment")]

use std::env;
use std::path::PathBuf;

fn main() {
    let source = "src/cli/demo/hostile.c";
    println!("cargo::rerun-if-changed={source}");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR")).join("hostile.so");
    let mut command = cc::Build::new().opt_level(1).warnings(true).get_compiler().to_command();
    command.args(["-shared", "-fPIC", "-fno-builtin", "-nostdlib", "-s"]).arg(source).arg("-o").arg(&out);
    command.args(["-Wl,-soname,libthumbnail.so", "-Wl,-z,relro,-z,now,-z,noexecstack", "-Wl,--build-id=none"]);
    let status = command.status().expect("a C compiler is part of what a build needs");
    assert!(status.success(), "the demo's hostile plugin did not build");
}
