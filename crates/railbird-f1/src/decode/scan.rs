//! A scanner over JSON that allocates nothing, for the two streams that make up nine tenths of a session.
//!
//! Start at [`Scan`]. It accepts any order of keys and skips what it does not know. Invariant: it never reads past the
//! end and never recurses deeper than [`DEPTH_MAX`].

/// Deepest nesting that is followed.
const DEPTH_MAX: u32 = 32;

/// What was expected and not found; the record is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed;

type Result<T> = std::result::Result<T, Malformed>;

/// A cursor over JSON text.
pub(crate) struct Scan<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Scan<'a> {
    pub(crate) const fn new(text: &'a [u8]) -> Self {
        Self { text, at: 0 }
    }

    #[inline]
    fn peek(&mut self) -> Result<u8> {
        while let Some(&byte) = self.text.get(self.at) {
            if !matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
                return Ok(byte);
            }
            self.at += 1;
        }
        Err(Malformed)
    }

    #[inline]
    fn eat(&mut self, wanted: u8) -> Result<bool> {
        let found = self.peek()? == wanted;
        self.at += usize::from(found);
        Ok(found)
    }

    fn expect(&mut self, wanted: u8) -> Result<()> {
        if self.eat(wanted)? { Ok(()) } else { Err(Malformed) }
    }

    /// Text of a string, escapes left as they are.
    #[inline]
    pub(crate) fn string(&mut self) -> Result<&'a [u8]> {
        self.expect(b'"')?;
        let start = self.at;
        loop {
            match self.text.get(self.at) {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(&self.text[start..self.at - 1]);
                }
                Some(b'\\') => self.at += 2,
                Some(_) => self.at += 1,
                None => return Err(Malformed),
            }
        }
    }

    /// An integer; a fraction is cut off, `null` is `None`. Quoted integers are read too.
    pub(crate) fn integer(&mut self) -> Result<Option<i64>> {
        let quoted = self.eat(b'"')?;
        if !quoted && self.peek()? == b'n' {
            self.skip()?;
            return Ok(None);
        }
        let negative = self.text.get(self.at) == Some(&b'-');
        self.at += usize::from(negative);
        let start = self.at;
        let mut value = 0i64;
        while let Some(digit) = self.text.get(self.at).filter(|byte| byte.is_ascii_digit()) {
            value = value.checked_mul(10).and_then(|v| v.checked_add(i64::from(digit - b'0'))).ok_or(Malformed)?;
            self.at += 1;
        }
        if self.at == start {
            return Err(Malformed);
        }
        if self.text.get(self.at) == Some(&b'.') {
            self.at += 1;
            while self.text.get(self.at).is_some_and(u8::is_ascii_digit) {
                self.at += 1;
            }
        }
        if quoted {
            self.expect(b'"')?;
        } else if self.text.get(self.at).is_some_and(|byte| matches!(byte, b'e' | b'E')) {
            return Err(Malformed);
        }
        Ok(Some(if negative { -value } else { value }))
    }

    /// Calls `member` with the key of each member of an object; it must consume the value.
    pub(crate) fn object(&mut self, mut member: impl FnMut(&mut Self, &'a [u8]) -> Result<()>) -> Result<()> {
        self.expect(b'{')?;
        if self.eat(b'}')? {
            return Ok(());
        }
        loop {
            let key = self.string()?;
            self.expect(b':')?;
            member(self, key)?;
            if self.eat(b'}')? {
                return Ok(());
            }
            self.expect(b',')?;
        }
    }

    /// Calls `element` at each element of an array; it must consume the value.
    pub(crate) fn array(&mut self, mut element: impl FnMut(&mut Self) -> Result<()>) -> Result<()> {
        self.expect(b'[')?;
        if self.eat(b']')? {
            return Ok(());
        }
        loop {
            element(self)?;
            if self.eat(b']')? {
                return Ok(());
            }
            self.expect(b',')?;
        }
    }

    /// Passes over one value.
    pub(crate) fn skip(&mut self) -> Result<()> {
        self.skip_below(0)
    }

    fn skip_below(&mut self, depth: u32) -> Result<()> {
        if depth > DEPTH_MAX {
            return Err(Malformed);
        }
        match self.peek()? {
            b'"' => self.string().map(|_| ()),
            b'{' => self.object(|scan, _| scan.skip_below(depth + 1)),
            b'[' => self.array(|scan| scan.skip_below(depth + 1)),
            b't' => self.word(b"true"),
            b'f' => self.word(b"false"),
            b'n' => self.word(b"null"),
            b'-' | b'0'..=b'9' => {
                let number = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E');
                while self.text.get(self.at).is_some_and(number) {
                    self.at += 1;
                }
                Ok(())
            }
            _ => Err(Malformed),
        }
    }

    fn word(&mut self, word: &[u8]) -> Result<()> {
        if self.text[self.at..].starts_with(word) {
            self.at += word.len();
            Ok(())
        } else {
            Err(Malformed)
        }
    }

    /// Passes over `text` if it stands exactly here, white space not allowed for.
    #[inline]
    pub(crate) fn literal(&mut self, text: &[u8]) -> bool {
        let found = self.text[self.at..].starts_with(text);
        self.at += if found { text.len() } else { 0 };
        found
    }

    /// An integer of at most seven digits that stands exactly here.
    #[inline]
    pub(crate) fn short_integer(&mut self) -> Option<i64> {
        let mut at = self.at;
        let negative = self.text.get(at) == Some(&b'-');
        at += usize::from(negative);
        let (start, mut value) = (at, 0i64);
        while let Some(digit) = self.text.get(at).map(|byte| byte.wrapping_sub(b'0')).filter(|digit| *digit < 10) {
            value = value * 10 + i64::from(digit);
            at += 1;
            if at - start > 7 {
                return None;
            }
        }
        if at == start {
            return None;
        }
        self.at = at;
        Some(if negative { -value } else { value })
    }

    /// Runs `read`; where it gives nothing, goes back to where it began.
    #[inline]
    pub(crate) fn attempt<T>(&mut self, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        let start = self.at;
        let found = read(self);
        if found.is_none() {
            self.at = start;
        }
        found
    }

    /// Asserts that only white space is left.
    pub(crate) fn end(&mut self) -> Result<()> {
        if self.peek().is_err() { Ok(()) } else { Err(Malformed) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_skip(text: &str, good: bool) {
        let mut scan = Scan::new(text.as_bytes());
        assert_eq!(scan.skip().and_then(|()| scan.end()).is_ok(), good, "{text}");
    }

    #[test]
    fn skips_whole_values_and_refuses_broken_ones() {
        for text in ["1", "-1.5e3", "\"a\\\"b\"", "[]", "{}", "[1,[2],{\"a\":null}]", " {\"k\" : [true , false]} "] {
            check_skip(text, true);
        }
        for text in ["", "[", "{\"a\"}", "{\"a\":}", "[1 2]", "\"a", "\"a\\", "nul", "1 2", "[,]"] {
            check_skip(text, false);
        }
        check_skip(&"[".repeat(100_000), false);
        check_skip(&format!("{}{}", "[".repeat(33), "]".repeat(33)), true);
        check_skip(&format!("{}{}", "[".repeat(34), "]".repeat(34)), false);
    }

    #[test]
    fn reads_integers() {
        for (text, want) in [
            ("12", Ok(Some(12))),
            ("-7", Ok(Some(-7))),
            ("\"44\"", Ok(Some(44))),
            ("3.9", Ok(Some(3))),
            ("null", Ok(None)),
            ("x", Err(Malformed)),
            ("-", Err(Malformed)),
            ("1e3", Err(Malformed)),
            ("99999999999999999999", Err(Malformed)),
        ] {
            assert_eq!(Scan::new(text.as_bytes()).integer(), want, "{text}");
        }
    }
}
