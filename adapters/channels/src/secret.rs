//! What must not be seen.

use std::sync::Arc;

/// A token or password. It has neither `Debug` nor `Display`, so it can't slip into a log, and whatever holds one can't
/// derive them.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Arc<str>);

impl Secret {
    /// A secret of this text.
    #[must_use]
    pub fn new(text: impl Into<Arc<str>>) -> Self {
        Self(text.into())
    }

    /// The text, for the platform and nobody else.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// `text` without the secret: for what platforms and libraries say, which may echo it.
    #[must_use]
    pub fn mask(&self, text: &str) -> String {
        if self.0.is_empty() { text.to_owned() } else { text.replace(&*self.0, "***") }
    }

    /// Whether `given` is the secret, in a time that depends on the length of `given` only.
    #[cfg(feature = "_webhook")]
    pub(crate) fn is(&self, given: &[u8]) -> bool {
        use subtle::ConstantTimeEq;
        // An empty secret proves nothing, whoever knows it.
        !self.0.is_empty() && bool::from(self.0.as_bytes().ct_eq(given))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_holds_no_secret() {
        let secret = Secret::new("111:tok");
        assert_eq!(secret.mask("GET /bot111:tok/getMe"), "GET /bot***/getMe");
        assert_eq!(Secret::new("").mask("as it is"), "as it is");
    }

    #[cfg(feature = "_webhook")]
    #[test]
    fn only_the_whole_secret_is_the_secret() {
        let secret = Secret::new("s3cret");
        assert!(secret.is(b"s3cret"));
        for wrong in [&b""[..], b"s3cre", b"s3cret ", b"S3CRET"] {
            assert!(!secret.is(wrong));
        }
        assert!(!Secret::new("").is(b""), "an empty secret is none");
    }
}
