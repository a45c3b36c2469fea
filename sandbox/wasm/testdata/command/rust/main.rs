// Turns its standard input into upper case, or ends with the code of its first argument.
use std::io::{Read, Write};

fn main() {
    if let Some(code) = std::env::args().nth(1) {
        eprintln!("as told");
        std::process::exit(code.parse().unwrap());
    }
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).unwrap();
    std::io::stdout().write_all(text.to_uppercase().as_bytes()).unwrap();
}
