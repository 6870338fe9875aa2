#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    tenure_bench::command::main()
}
