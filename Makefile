# The two commands that people run, and what CI runs besides. Each does its own set-up.

CARGO ?= cargo

.PHONY: demo test check bench soak fuzz fuzz-check

# Audits and calls a real library of this machine, then a hostile plugin.
demo:
	tests/setup cc
	$(CARGO) build --release --locked --bins
	target/release/lazaret demo

# All tests: one program over tests/, and the unit tests beside the code. Some boot other kernels in virtual machines.
test:
	tests/setup cc c++ go ssh-keygen readelf checksec musl zlib apparmor_parser vm
	$(CARGO) test --workspace --locked

# What a change must pass before it lands.
check:
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --locked
	$(MAKE) test

# Speed, each against its floor in the same run.
bench:
	tests/setup cc readelf zlib
	$(CARGO) bench --locked --bench speed

# A million calls and 2000 deaths of cells in one host, which must count the same afterwards. Minutes.
soak:
	tests/setup cc
	$(CARGO) bench --locked --bench soak

# Ten minutes for each fuzz target, from the seeds that are kept or made and what earlier runs found; a line for each. Needs
# cargo-fuzz and a nightly compiler, and for the target that looks into cells root. FUZZ_TARGETS names some of them.
FUZZ_SECONDS ?= 600
fuzz:
	tests/setup cc c++ ssh-keygen
	$(CARGO) build --locked --bins
	programs=$$($(CARGO) metadata --format-version 1 --no-deps --locked | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')/debug; \
		LAZARET=$$programs/lazaret LAZARET_CELL=$$programs/lazaret-cell fuzz/run $(FUZZ_SECONDS) $(FUZZ_TARGETS)

# Whether the targets still compile, with the usual compiler. Apart from `check`: it builds every dependency once more.
fuzz-check:
	RUSTFLAGS="--cfg fuzzing" $(CARGO) check --locked --manifest-path fuzz/Cargo.toml --bins
