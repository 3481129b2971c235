//! Messages of other producers, from outside.

#[cfg(test)]
mod formats;
