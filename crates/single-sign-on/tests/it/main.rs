//! Logins at a provider that tries everything a dishonest one could.

#[cfg(test)]
mod hostile;
#[cfg(test)]
mod logout;
#[cfg(test)]
mod provider;
