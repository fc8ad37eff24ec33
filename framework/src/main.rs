//! The `equiflow` program. Everything is in the library.

fn main() -> std::process::ExitCode {
    equiflow::cli::main()
}
