//! The `takst` program.

fn main() -> std::process::ExitCode {
    takst_gateway::main()
}
