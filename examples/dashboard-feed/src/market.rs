//! Stands for a market: prices that wander, one share after the other.

use rand::rngs::StdRng;
use rand::{Rng, RngExt, SeedableRng};
use serde_json::json;

/// The shares, in the order in which they are quoted.
pub(crate) const SYMBOLS: [&str; 8] = [
    "ACME", "BOLT", "CRUX", "DYNE", "ECHO", "FLUX", "GRID", "HALO",
];

/// All prices, in cents.
pub(crate) struct Market {
    prices: [i32; SYMBOLS.len()],
    quotes: usize,
    random: StdRng,
}

/// A share's price.
pub(crate) struct Quote {
    pub(crate) symbol: &'static str,
    /// `number` counts quotes of all shares from 1; `at` is in milliseconds since the first.
    pub(crate) json: String,
}

impl Market {
    pub(crate) fn new(mut random: impl Rng) -> Self {
        Self {
            prices: [10_000; SYMBOLS.len()],
            quotes: 0,
            random: StdRng::from_rng(&mut random),
        }
    }

    /// The next share's price after a small step, due `at` milliseconds after the first.
    pub(crate) fn next_quote(&mut self, at: u64) -> Quote {
        let share = self.quotes % SYMBOLS.len();
        self.quotes += 1;
        let step = self.random.random_range(-50..=50);
        let price = self.prices.get_mut(share);
        let price = price.expect("a remainder is below its divisor");
        *price = (*price + step).max(100);
        let price = f64::from(*price) / 100.0;
        let json = json!({ "number": self.quotes, "at": at, "price": price }).to_string();
        Quote {
            symbol: SYMBOLS.get(share).expect("as many as prices"),
            json,
        }
    }
}
