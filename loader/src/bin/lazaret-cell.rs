//! The child process in which a plugin runs. See `lazaret_cell::child`.

fn main() -> std::process::ExitCode {
    lazaret_cell::child::main()
}
