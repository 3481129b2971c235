//! The client against a camera that misbehaves as told.

#[cfg(test)]
mod common;
#[cfg(test)]
mod dialects;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod login;
#[cfg(test)]
mod streams;
