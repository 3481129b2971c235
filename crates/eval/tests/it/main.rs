//! Scores of real sequences.

#[cfg(test)]
mod figures;
#[cfg(test)]
mod reference;
#[cfg(test)]
mod support;
