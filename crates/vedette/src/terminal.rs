//! Writes for a person at the terminal. Text that cannot be written, because the reader is gone or the disk is full, is dropped:
//! `println!` and its like would panic, and clippy refuses them in this crate.

/// Writes a line to stdout.
macro_rules! print_line {
    ($($text:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stdout().lock(), $($text)*);
    }};
}

/// Writes to stdout.
macro_rules! print_text {
    ($($text:tt)*) => {{
        use std::io::Write as _;
        let _ = write!(std::io::stdout().lock(), $($text)*);
    }};
}

/// Writes a line to stderr.
macro_rules! tell_line {
    ($($text:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stderr().lock(), $($text)*);
    }};
}

/// Writes to stderr.
macro_rules! tell {
    ($($text:tt)*) => {{
        use std::io::Write as _;
        let _ = write!(std::io::stderr().lock(), $($text)*);
    }};
}

pub(crate) use {print_line, print_text, tell, tell_line};
