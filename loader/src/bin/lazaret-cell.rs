//! The process that cells are forked from. See `lazaret_cell::zygote`.

fn main() -> std::process::ExitCode {
    lazaret_cell::zygote::main()
}
