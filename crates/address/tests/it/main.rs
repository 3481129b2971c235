//! Address bases and the search by text, from outside.

#[cfg(test)]
mod base;
#[cfg(test)]
mod change;
#[cfg(test)]
mod tables;
#[cfg(test)]
mod text;
