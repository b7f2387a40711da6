//! The two generations of the Mercure protocol, and which of them a hub speaks.

/// A generation of the Mercure protocol.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "the protocol has these two")]
pub enum Dialect {
    /// 0.x, drafts up to -07: `topic`, the claim `mercure`.
    D0,
    /// 1.0, draft -08: `match`, access tokens with `authorization_details`.
    D1,
}

/// What a hub speaks.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "the protocol has two dialects")]
pub enum Dialects {
    /// Each request tells its dialect by itself.
    #[default]
    Both,
    /// 0.x alone; what belongs to 1.0 is unknown.
    D0,
    /// 1.0 alone; what belongs to 0.x is unknown.
    D1,
}

impl Dialects {
    /// Whether `dialect` is spoken.
    #[must_use]
    pub fn speak(self, dialect: Dialect) -> bool {
        match self {
            Self::Both => true,
            Self::D0 => dialect == Dialect::D0,
            Self::D1 => dialect == Dialect::D1,
        }
    }
}
