//! Just enough Rust to count: which bytes are code, which are comment, and where a function begins and ends.

/// A source of which only the code, or only the comments, are left. Lines and columns stay where they were.
pub struct Masked {
    pub code: String,
    pub comments: String,
}

pub struct Function<'a> {
    pub name: &'a str,
    /// Counted from one.
    pub line: usize,
    pub lines: usize,
}

/// Tells code, comments and literals apart. Literals are in neither half: what they say is not ours to judge.
pub fn mask(source: &str) -> Masked {
    let bytes = source.as_bytes();
    let blank: Vec<u8> = bytes.iter().map(|byte| if *byte == b'\n' { b'\n' } else { b' ' }).collect();
    let (mut code, mut comments) = (blank.clone(), blank);
    let mut at = 0;
    while at < bytes.len() {
        let (end, half) = match comment(bytes, at) {
            Some(end) => (end, Some(&mut comments)),
            None => match literal(bytes, at) {
                Some(end) => (end, None),
                None => (word(bytes, at), Some(&mut code)),
            },
        };
        if let Some(half) = half {
            half[at..end].copy_from_slice(&bytes[at..end]);
        }
        at = end;
    }
    let text = |half: Vec<u8>| String::from_utf8_lossy(&half).into_owned();
    Masked { code: text(code), comments: text(comments) }
}

/// The end of the comment that begins here, if one does.
fn comment(bytes: &[u8], at: usize) -> Option<usize> {
    if bytes[at..].starts_with(b"//") {
        return Some(find(bytes, at, b"\n"));
    }
    if !bytes[at..].starts_with(b"/*") {
        return None;
    }
    let (mut depth, mut at) = (0_u32, at);
    while at < bytes.len() {
        if bytes[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if bytes[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return Some(at);
            }
        } else {
            at += 1;
        }
    }
    Some(bytes.len())
}

/// The end of the string or character that begins here, if one does.
fn literal(bytes: &[u8], at: usize) -> Option<usize> {
    match bytes[at] {
        b'"' => Some(quoted(bytes, at, b'"')),
        b'\'' => character(bytes, at),
        b'r' | b'b' | b'c' => {
            let prefix = bytes[at..].iter().take_while(|byte| matches!(byte, b'r' | b'b' | b'c')).count();
            let hashes = bytes[at + prefix..].iter().take_while(|byte| **byte == b'#').count();
            let quote = at + prefix + hashes;
            let raw = bytes[at..at + prefix].contains(&b'r');
            match bytes.get(quote) {
                Some(b'"') if raw && prefix <= 2 => {
                    let close = [b"\"".as_slice(), &b"#".repeat(hashes)].concat();
                    Some((find(bytes, quote + 1, &close) + close.len()).min(bytes.len()))
                }
                Some(quote_mark @ (b'"' | b'\'')) if prefix == 1 && hashes == 0 => {
                    Some(quoted(bytes, quote, *quote_mark))
                }
                _ => None,
            }
        }
        _ => None,
    }
}

/// A character in quotes, as opposed to a lifetime, which has no second quote where a character would have it.
fn character(bytes: &[u8], at: usize) -> Option<usize> {
    if bytes.get(at + 1) == Some(&b'\\') {
        return Some(quoted(bytes, at, b'\''));
    }
    let width = bytes.get(at + 1).map(|first| match first {
        0xf0.. => 4,
        0xe0.. => 3,
        0xc0.. => 2,
        _ => 1,
    })?;
    (bytes.get(at + 1 + width) == Some(&b'\'')).then_some(at + 2 + width)
}

fn quoted(bytes: &[u8], open: usize, quote: u8) -> usize {
    let mut at = open + 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            byte if byte == quote => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// A whole identifier at once, so that its last letter is not taken for the prefix of a literal.
fn word(bytes: &[u8], at: usize) -> usize {
    let length = bytes[at..].iter().take_while(|byte| is_word(**byte)).count();
    at + length.max(1)
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || !byte.is_ascii()
}

fn find(bytes: &[u8], from: usize, what: &[u8]) -> usize {
    let from = from.min(bytes.len());
    bytes[from..].windows(what.len()).position(|window| window == what).map_or(bytes.len(), |at| from + at)
}

/// Every function with a body, in code that [`mask`] has cleaned.
pub fn functions(code: &str) -> Vec<Function<'_>> {
    let bytes = code.as_bytes();
    let mut functions = Vec::new();
    for (start, _) in code.match_indices("fn ") {
        let whole_word = start == 0 || !is_word(bytes[start - 1]);
        let name_at = start + 3;
        let name = &code[name_at..word(bytes, name_at)];
        if whole_word
            && name.as_bytes().first().is_some_and(|byte| is_word(*byte))
            && let Some(end) = body_end(bytes, name_at)
        {
            let line_of = |at: usize| bytes[..at].iter().filter(|byte| **byte == b'\n').count() + 1;
            let line = line_of(start);
            functions.push(Function { name, line, lines: line_of(end) - line + 1 });
        }
    }
    functions
}

/// Where the body closes; nothing for a signature without one, as in a trait.
fn body_end(bytes: &[u8], from: usize) -> Option<usize> {
    let (mut inside, mut depth) = (0_i32, 0_i32);
    for (at, byte) in bytes.iter().enumerate().skip(from) {
        match byte {
            b'(' | b'[' => inside += 1,
            b')' | b']' => inside -= 1,
            b';' if depth == 0 && inside == 0 => return None,
            b'{' if depth > 0 || inside == 0 => depth += 1,
            b'}' if depth > 0 => {
                depth -= 1;
                if depth == 0 {
                    return Some(at);
                }
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(source: &str, code: &str, comments: &str) {
        let masked = mask(source);
        let squeeze = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(
            (squeeze(&masked.code).as_str(), squeeze(&masked.comments).as_str()),
            (code, comments),
            "{source}"
        );
        assert_eq!(masked.code.len(), source.len());
    }

    #[test]
    fn code_comments_and_literals_are_told_apart() {
        check("a // b\nc", "a c", "// b");
        check("a /* b /* c */ d */ e", "a e", "/* b /* c */ d */");
        check(r#"a "// no \" {" b"#, "a b", "");
        check(r###"a r#"x " {"# b br"y" c"###, "a b c", "");
        check("'{' 'a 'static '\\'' b'}' \"\"", "'a 'static", "");
        check("for r in b { 'é' }", "for r in b { }", "");
        check("var\"x\"", "var", "");
        check("/* open", "", "/* open");
        check("\"open", "", "");
    }

    #[test]
    fn functions_are_measured_from_their_name_to_their_last_brace() {
        let source = "impl X {\n    pub async fn one(a: [u8; 2]) -> u8 {\n        '}';\n        1\n    }\n    fn none();\n}\nfn two<F: Fn()>() {}\nlet f: fn (u8);\n";
        let masked = mask(source);
        let found: Vec<_> =
            functions(&masked.code).iter().map(|f| (f.name.to_owned(), f.line, f.lines)).collect();
        assert_eq!(found, [("one".to_owned(), 2, 4), ("two".to_owned(), 8, 1)]);
    }
}
