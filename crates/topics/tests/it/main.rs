//! The consumer loop, from outside.

#[cfg(test)]
mod spans;
