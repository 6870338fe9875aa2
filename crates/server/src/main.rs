#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    tenure::command::main()
}
