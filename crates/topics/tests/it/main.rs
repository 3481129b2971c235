//! The consumer loop and followers, from outside.

#[cfg(test)]
mod following;
#[cfg(test)]
mod shares;
#[cfg(test)]
mod spans;
#[cfg(test)]
mod support;
