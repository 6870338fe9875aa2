//! Other programs: started, watched, and never left half understood.

use std::io::{self, BufRead, BufReader, IsTerminal, Read, Write};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use crate::Result;

/// Runs a command on our own terminal; anything but success is an error that names it.
pub fn run(command: &mut Command) -> Result {
    let status = command.status().map_err(|error| unstartable(command, &error))?;
    if status.success() { Ok(()) } else { Err(format!("`{}` failed ({status})", show(command)).into()) }
}

/// What a command writes to its standard output. Its complaints still reach the terminal.
pub fn capture(command: &mut Command) -> Result<Vec<u8>> {
    let output = command.stderr(Stdio::inherit()).output().map_err(|error| unstartable(command, &error))?;
    if output.status.success() {
        Ok(output.stdout)
    } else {
        Err(format!("`{}` failed ({})", show(command), output.status).into())
    }
}

/// True when a command can be started and succeeds; it is not heard.
pub fn succeeds(command: &mut Command) -> bool {
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// Runs a command whose output goes to the terminal and, line by line and without colours, to `hear`.
/// Answers whether the command succeeded; a command that cannot be started is an error.
pub fn watch(command: &mut Command, hear: impl FnMut(&str) + Send) -> Result<bool> {
    if io::stderr().is_terminal() {
        command.env("CARGO_TERM_COLOR", "always");
    }
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| unstartable(command, &error))?;
    let hear = Mutex::new(hear);
    let (out, err) = (child.stdout.take(), child.stderr.take());
    thread::scope(|scope| {
        scope.spawn(|| tee(out, io::stdout(), &hear));
        scope.spawn(|| tee(err, io::stderr(), &hear));
    });
    Ok(child.wait()?.success())
}

fn tee(from: Option<impl Read>, mut to: impl Write, hear: &Mutex<impl FnMut(&str)>) {
    let Some(from) = from else { return };
    let mut from = BufReader::new(from);
    let mut line = Vec::new();
    while from.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
        // A closed terminal is no reason to stop counting.
        let _ = to.write_all(&line).and_then(|()| to.flush());
        if let Ok(mut hear) = hear.lock() {
            hear(without_colours(&String::from_utf8_lossy(&line)).trim_end());
        }
        line.clear();
    }
}

/// Hands our place to another program, so that Ctrl-C and every other signal reach it and nobody else.
pub fn become_process(command: &mut Command) -> Result<std::process::ExitCode> {
    #[cfg(unix)]
    {
        use std::os::unix::process::CommandExt;
        let error = command.exec();
        Err(unstartable(command, &error).into())
    }
    #[cfg(not(unix))]
    {
        run(command)?;
        Ok(std::process::ExitCode::SUCCESS)
    }
}

/// Does something and tells how long it took.
pub fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    #[allow(clippy::disallowed_methods, reason = "a step's duration is measured for the reader of the log")]
    let start = Instant::now();
    let result = work();
    (result, start.elapsed())
}

/// A command as one could type it.
pub fn show(command: &Command) -> String {
    let program = command.get_program().to_string_lossy();
    let program = program.rsplit('/').next().unwrap_or_default().to_owned();
    let args = command.get_args().map(|arg| arg.to_string_lossy().into_owned());
    std::iter::once(program).chain(args).collect::<Vec<_>>().join(" ")
}

fn unstartable(command: &Command, error: &io::Error) -> String {
    format!("`{}` could not be started: {error}", show(command))
}

fn without_colours(line: &str) -> String {
    let mut plain = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = rest.find("\u{1b}[") {
        plain.push_str(&rest[..at]);
        let code = &rest[at + 2..];
        rest = code.find(|c: char| c.is_ascii_alphabetic()).map_or("", |end| &code[end + 1..]);
    }
    plain + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_taken_off_before_a_line_is_read() {
        assert_eq!(without_colours("\u{1b}[32;1m  Summary\u{1b}[0m [ 1s]"), "  Summary [ 1s]");
        assert_eq!(without_colours("plain"), "plain");
        assert_eq!(without_colours("cut \u{1b}[3"), "cut ");
    }

    #[cfg(unix)]
    #[test]
    fn both_streams_are_heard_and_the_outcome_is_told() {
        let mut heard = Vec::new();
        let mut shell = Command::new("sh");
        shell.args(["-c", "echo out; echo err >&2; exit 3"]);
        let succeeded = watch(&mut shell, |line| heard.push(line.to_owned())).unwrap();
        heard.sort();
        assert_eq!((succeeded, heard), (false, vec!["err".to_owned(), "out".to_owned()]));
    }

    #[test]
    fn a_program_that_is_not_there_is_an_error_with_its_name() {
        let error = run(&mut Command::new("no-such-program-anywhere")).unwrap_err().to_string();
        assert!(error.contains("no-such-program-anywhere"), "{error}");
    }
}
