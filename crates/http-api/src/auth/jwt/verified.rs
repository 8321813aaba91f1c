//! Tokens that were verified before. A client sends the same token with many requests. In WebAssembly, verifying a
//! signature takes 0.1 ms (HS256, EdDSA) to 1.5 ms (RS256, 2048 bits).

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use super::Caller;

/// How many tokens are kept. Beyond it, all are forgotten.
const MAX: usize = 1_024;

/// The callers of verified tokens, until the tokens expire. Only tokens with a valid signature get in, so nobody can
/// fill it with tokens of their own making.
#[derive(Default)]
pub(super) struct VerifiedTokens(Mutex<HashMap<String, Verified>>);

struct Verified {
    caller: Caller,
    /// The first second (Unix time) in which the token is not accepted.
    ends_s: u64,
}

impl VerifiedTokens {
    /// The caller of this token, if it was verified and has not ended.
    pub(super) fn get(&self, token: &str, now_s: u64) -> Option<Caller> {
        let tokens = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tokens.get(token).filter(|verified| now_s < verified.ends_s).map(|verified| verified.caller.clone())
    }

    pub(super) fn insert(&self, token: &str, caller: Caller, ends_s: u64) {
        let mut tokens = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if tokens.len() >= MAX {
            tokens.clear();
        }
        tokens.insert(token.to_owned(), Verified { caller, ends_s });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_known_until_it_ends() {
        let tokens = VerifiedTokens::default();
        let caller = Caller::new(7, vec!["admin".to_owned()]);
        tokens.insert("a.b.c", caller.clone(), 100);
        assert_eq!(tokens.get("a.b.c", 99), Some(caller));
        assert_eq!(tokens.get("a.b.c", 100), None);
        assert_eq!(tokens.get("a.b.d", 99), None);
    }

    #[test]
    fn the_number_of_tokens_is_bounded() {
        let tokens = VerifiedTokens::default();
        for at in 0..=MAX {
            tokens.insert(&at.to_string(), Caller::new(1, vec![]), 100);
        }
        assert_eq!(tokens.get("0", 0), None);
        assert!(tokens.get(&MAX.to_string(), 0).is_some());
    }
}
