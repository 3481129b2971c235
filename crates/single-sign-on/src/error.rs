/// Why nobody has logged in, or nothing has ended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignOnError {
    /// The provider cannot be reached, or answers what no provider should.
    #[error("the provider cannot be used: {0}")]
    Away(String),
    /// No login was begun with this key, it was finished already, or it took too long.
    #[error("no login was begun in this browser within the last ten minutes")]
    NotBegun,
    /// The answer is about another login than the one that this browser began.
    #[error("the answer belongs to another login: {0}")]
    OtherLogin(&'static str),
    /// The provider refused, with its own code.
    #[error("the provider refused: {0}")]
    Refused(String),
    /// A token of the provider breaks a rule.
    #[error("the token {0}")]
    Token(String),
    /// The claim with the name of the account cannot be used.
    #[error("the claim `{claim}` is no name of an account: {reason}")]
    Name {
        /// The claim.
        claim: String,
        /// The rule that it breaks.
        reason: String,
    },
    /// None of the person's values is mapped to a role.
    #[error("no value of the claim `{claim}` of {name} has a role here")]
    NoGrant {
        /// The name of the account.
        name: String,
        /// The claim with the groups.
        claim: String,
    },
}
