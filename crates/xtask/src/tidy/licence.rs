//! Licence expressions as crates declare them: `MIT OR (Apache-2.0 AND BSD-3-Clause)`, or the older `MIT/Apache-2.0`.

/// True when one of the choices an expression offers is made of allowed licences only. What cannot be read is not.
pub fn allowed(expression: &str, allow: &[&str]) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut parser = Parser { words: &words, allow };
    parser.any() == Some(true) && parser.words.is_empty()
}

struct Parser<'a> {
    words: &'a [&'a str],
    allow: &'a [&'a str],
}

impl Parser<'_> {
    fn any(&mut self) -> Option<bool> {
        let mut one = self.all()?;
        while self.take("OR") {
            one |= self.all()?;
        }
        Some(one)
    }

    fn all(&mut self) -> Option<bool> {
        let mut every = self.single()?;
        while self.take("AND") {
            every &= self.single()?;
        }
        Some(every)
    }

    fn single(&mut self) -> Option<bool> {
        if self.take("(") {
            let inner = self.any()?;
            return self.take(")").then_some(inner);
        }
        let (name, rest) = self.words.split_first()?;
        self.words = rest;
        if !self.take("WITH") {
            return Some(self.allow.contains(name));
        }
        let (exception, rest) = self.words.split_first()?;
        self.words = rest;
        Some(self.allow.contains(&format!("{name} WITH {exception}").as_str()))
    }

    fn take(&mut self, word: &str) -> bool {
        match self.words.split_first() {
            Some((first, rest)) if *first == word => {
                self.words = rest;
                true
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::allowed;

    #[test]
    fn a_choice_needs_one_and_a_sum_needs_all() {
        let check = |expression| allowed(expression, &["MIT", "ISC", "Apache-2.0 WITH LLVM-exception"]);
        for fine in [
            "MIT",
            "MIT OR GPL-3.0",
            "GPL-3.0/MIT",
            "MIT AND ISC",
            "(GPL-3.0 OR ISC) AND MIT",
            "Apache-2.0 WITH LLVM-exception OR GPL-3.0",
        ] {
            assert!(check(fine), "{fine}");
        }
        for refused in [
            "",
            "GPL-3.0",
            "MIT AND GPL-3.0",
            "Apache-2.0",
            "GPL-3.0 WITH LLVM-exception",
            "(MIT",
            "MIT ISC",
            "MIT OR",
            "GPL-3.0 AND (MIT OR ISC)",
        ] {
            assert!(!check(refused), "{refused}");
        }
    }
}
