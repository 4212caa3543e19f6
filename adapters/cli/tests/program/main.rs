//! The program `dmgate`, run as people run it: what is typed, what is printed, how it ends.

mod admission;
mod approval;
mod configuration;
mod doctor;
mod help;
mod listing;
mod place;
mod running;
mod senders;
