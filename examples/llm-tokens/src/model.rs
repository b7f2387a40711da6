//! Stands for a language model: it writes a text about whatever it is asked, token by token.

/// The answer to `question`, in tokens: words with the space before them, and line ends.
pub(crate) fn tokens(question: &str) -> Vec<String> {
    let question = question.trim();
    let mut text = format!("You asked: {question}\n\n");
    for (number, sentence) in (1..).zip(SENTENCES) {
        text.push_str(&format!("{number}. {sentence}\n"));
    }
    let mut tokens = vec![String::new()];
    for c in text.chars() {
        if c.is_whitespace() {
            tokens.push(String::new());
        }
        if let Some(token) = tokens.last_mut() {
            token.push(c);
        }
    }
    tokens.retain(|token| !token.is_empty());
    tokens
}

const SENTENCES: [&str; 6] = [
    "An answer that takes a minute is lost often: pages are reloaded, laptops are closed, trains enter tunnels.",
    "So it is written by a task of its own, and whoever reads it is not its owner.",
    "Each token is an event with an id; a browser that comes back says which id was its last.",
    "A page that is loaded anew knows nothing, and reads from the beginning.",
    "Somebody who joins late does the same, and sees all that was written before, at once.",
    "At the end there is an event of its own, so that nobody waits for more.",
];

#[cfg(test)]
mod tests;
