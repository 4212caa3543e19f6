//! Chat platforms for dmgate: one module and one feature each.
