//! The command line. See `lazaret::cli`.

fn main() -> std::process::ExitCode {
    lazaret::cli::main()
}
