//! Reads a client message a line by the official types; writes `ok`, or why it is none.

use std::io::{self, BufRead};

use convex_sync_types::ClientMessage;

fn main() -> io::Result<()> {
    for line in io::stdin().lock().lines() {
        let verdict = serde_json::from_str::<serde_json::Value>(&line?)
            .map_err(|error| error.to_string())
            .and_then(|json| ClientMessage::try_from(json).map_err(|error| error.to_string()));
        match verdict {
            Ok(_) => println!("ok"),
            Err(error) => println!("{}", error.replace('\n', " ")),
        }
    }
    Ok(())
}
