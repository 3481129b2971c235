//! The console on a real port, with a real store.

#[cfg(test)]
mod access;
#[cfg(test)]
mod access_matrix;
#[cfg(test)]
mod api;
#[cfg(test)]
mod clips;
#[cfg(test)]
mod described;
#[cfg(test)]
mod drafts;
#[cfg(test)]
mod figures;
#[cfg(test)]
mod figures_access;
#[cfg(test)]
mod gate;
#[cfg(test)]
mod health;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod near_misses;
#[cfg(test)]
mod nginx;
#[cfg(test)]
mod page;
#[cfg(test)]
#[path = "../../../single-sign-on/tests/it/provider.rs"]
mod provider;
#[cfg(test)]
mod sign_on;
#[cfg(test)]
mod stream;
#[cfg(test)]
mod support;
#[cfg(test)]
mod wire;
