//! Cities that do not exist, from outside.

#[cfg(test)]
mod city;
