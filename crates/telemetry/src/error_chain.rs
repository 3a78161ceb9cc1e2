//! Errors as people read them.

use core::error::Error;
use core::fmt;

/// An error with everything that caused it, on one line: what was meant first, the system's own
/// word last.
pub struct ErrorChain<'a>(pub &'a dyn Error);

impl fmt::Display for ErrorChain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut last = self.0.to_string();
        f.write_str(&last)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            let text = error.to_string();
            // An error that stands for its cause, or quotes it, would say it twice.
            if !last.ends_with(&text) {
                write!(f, ": {text}")?;
            }
            last = text;
            cause = error.source();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[derive(Debug)]
    struct Wraps(&'static str, io::Error);

    impl fmt::Display for Wraps {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
    }

    impl Error for Wraps {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(&self.1)
        }
    }

    #[test]
    fn every_cause_is_said_once() {
        let cause = || io::Error::other("no space");
        assert_eq!(
            ErrorChain(&Wraps("cannot write", cause())).to_string(),
            "cannot write: no space"
        );
        let quoting = Wraps("cannot write: no space", cause());
        assert_eq!(ErrorChain(&quoting).to_string(), "cannot write: no space");
    }
}
