//! Chat platforms for dmgate: one module and one feature each.

#[cfg(feature = "webchat")]
pub mod webchat;
