//! The cookie jar of one virtual browser, and a pool of such jars that respects the settle time.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::clock;
use crate::failure::{Context as _, Result};
use crate::random::Random;
use crate::wire::Response;

/// One session's cookie. A browser keeps one per session, each under its own name (`tenure_1a2b3c4d`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Jar {
    pub name: Box<str>,
    pub token: Box<str>,
}

/// Jars that are handed out oldest first. A session rotates only if its last hand-out is older than the
/// settle time, so a jar that has been used rests before it may be used again.
#[derive(Clone)]
pub struct JarPool {
    jars: Arc<Mutex<VecDeque<Resting>>>,
    rest: Duration,
}

struct Resting {
    jar: Jar,
    used_at: Option<Instant>,
}

// === impl Jar ===

impl Jar {
    /// Reads a line of a jars file: `name=token`.
    pub fn parse(line: &str) -> Option<Self> {
        let (name, token) = line.trim().split_once('=')?;
        (!name.is_empty() && !token.is_empty()).then(|| Self { name: name.into(), token: token.into() })
    }

    /// Finds the session cookie among an answer's cookies: the one whose name starts as ours do and whose
    /// value is not empty (an empty one deletes it).
    pub fn of_answer(response: &Response<'_>) -> Option<Self> {
        response.set_cookies().find_map(|cookie| {
            let jar = Self::parse(cookie.split(';').next()?)?;
            let name = jar.name.strip_prefix("__Secure-").unwrap_or(&jar.name);
            name.starts_with("tenure_").then_some(jar)
        })
    }

    /// The new value that an answer sets for this jar's cookie, by its name.
    pub fn value_in(&self, response: &Response<'_>) -> Option<Box<str>> {
        response.set_cookies().find_map(|cookie| {
            let value = cookie.strip_prefix(&*self.name)?.strip_prefix('=')?;
            value.split(';').next().map(|value| value.trim().into())
        })
    }
}

// === impl JarPool ===

impl JarPool {
    pub fn new(jars: impl IntoIterator<Item = Jar>, rest: Duration) -> Self {
        let jars = jars.into_iter().map(|jar| Resting { jar, used_at: None }).collect();
        Self { jars: Arc::new(Mutex::new(jars)), rest }
    }

    pub fn empty() -> Self {
        Self::new([], Duration::ZERO)
    }

    pub fn read(file: &Path, rest: Duration) -> Result<Self> {
        let text = std::fs::read_to_string(file).context(file.display())?;
        let mut jars: Vec<Jar> = text.lines().filter_map(Jar::parse).collect();
        // Neighbours in the file are neighbours in the database, and would share its pages and their cost.
        Random::new(1).shuffle(&mut jars);
        Ok(Self::new(jars, rest))
    }

    /// The jar that has rested longest; none if none has rested enough.
    pub fn take(&self) -> Option<Jar> {
        let mut jars = self.jars.lock().unwrap_or_else(PoisonError::into_inner);
        let rested = |used_at: Option<Instant>| {
            used_at.is_none_or(|at| clock::now().saturating_duration_since(at) >= self.rest)
        };
        jars.pop_front_if(|resting| rested(resting.used_at)).map(|resting| resting.jar)
    }

    /// Waits until `count` jars (or all, if there are fewer) have rested enough to be taken.
    pub fn wait_for_rested(&self, count: usize) {
        loop {
            let wait = {
                let jars = self.jars.lock().unwrap_or_else(PoisonError::into_inner);
                // They lie in the order in which they were used.
                let last =
                    jars.get(count.min(jars.len()).wrapping_sub(1)).and_then(|resting| resting.used_at);
                last.map(|at| (at + self.rest).saturating_duration_since(clock::now()))
            };
            match wait {
                Some(wait) if !wait.is_zero() => std::thread::sleep(wait),
                _ => return,
            }
        }
    }

    /// Takes this many out for a pool of their own.
    pub fn split_off(&self, count: usize) -> Self {
        let mut jars = self.jars.lock().unwrap_or_else(PoisonError::into_inner);
        let count = count.min(jars.len());
        Self { jars: Arc::new(Mutex::new(jars.drain(..count).collect())), rest: self.rest }
    }

    /// Counts all of them as used at this moment.
    pub fn count_as_used_at(&self, at: Instant) {
        let mut jars = self.jars.lock().unwrap_or_else(PoisonError::into_inner);
        jars.iter_mut().for_each(|resting| resting.used_at = Some(at));
    }

    pub fn put_back(&self, jar: Jar) {
        let mut jars = self.jars.lock().unwrap_or_else(PoisonError::into_inner);
        jars.push_back(Resting { jar, used_at: Some(clock::now()) });
    }

    pub fn len(&self) -> usize {
        self.jars.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Layout;

    fn answer(cookies: &[&str]) -> Vec<u8> {
        let mut text = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n".to_string();
        for cookie in cookies {
            text.push_str(&format!("Set-Cookie: {cookie}\r\n"));
        }
        format!("{text}\r\n").into_bytes()
    }

    fn check(cookies: &[&str], name: &str, of_answer: Option<&str>, value_in: Option<&str>) {
        let bytes = answer(cookies);
        let layout = Layout::find(&bytes, false).unwrap().unwrap();
        let response = Response::new(&bytes, &layout);
        assert_eq!(Jar::of_answer(&response), of_answer.and_then(Jar::parse));
        let jar = Jar { name: name.into(), token: "old".into() };
        assert_eq!(jar.value_in(&response).as_deref(), value_in);
    }

    #[test]
    fn a_cookie_is_read_back_by_its_own_name() {
        let both = ["tenure_11111111=a; Path=/", "tenure_22222222=b==; HttpOnly; Path=/api"];
        check(&both, "tenure_22222222", Some("tenure_11111111=a"), Some("b=="));
        check(&both, "tenure_2222222", Some("tenure_11111111=a"), None);
        check(
            &["other=1", "__Secure-tenure_1=x"],
            "__Secure-tenure_1",
            Some("__Secure-tenure_1=x"),
            Some("x"),
        );
        check(&["tenure_1=; Max-Age=0"], "tenure_1", None, Some(""));
        check(&[], "tenure_1", None, None);
    }

    #[test]
    fn lines_that_are_no_jar_are_not_read() {
        for line in ["", "=", "name", "name=", "=token", "   "] {
            assert_eq!(Jar::parse(line), None);
        }
        assert_eq!(Jar::parse(" a=b=c \r\n"), Some(Jar { name: "a".into(), token: "b=c".into() }));
    }

    #[test]
    fn a_used_jar_rests_before_it_is_handed_out_again() {
        let jar = |n: u8| Jar { name: n.to_string().into(), token: "t".into() };
        let resting = JarPool::new([jar(1), jar(2)], Duration::from_secs(3600));
        resting.put_back(resting.take().unwrap());
        assert_eq!(resting.take(), Some(jar(2)));
        assert_eq!(resting.take(), None);
        assert_eq!(resting.len(), 1);
        let quick = JarPool::new([jar(1), jar(2)], Duration::from_millis(30));
        quick.put_back(quick.take().unwrap());
        quick.wait_for_rested(5);
        assert_eq!((quick.take(), quick.take()), (Some(jar(2)), Some(jar(1))));
        quick.wait_for_rested(1);
        let both = JarPool::new([jar(1), jar(2)], Duration::from_secs(3600));
        let one = both.split_off(1);
        one.count_as_used_at(clock::now());
        assert_eq!((one.take(), both.take(), both.len()), (None, Some(jar(2)), 0));
        let tireless = JarPool::new([jar(1)], Duration::ZERO);
        tireless.put_back(tireless.take().unwrap());
        assert_eq!(tireless.take(), Some(jar(1)));
    }
}
