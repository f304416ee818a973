//! Finds values in a text by what they are, in the forms in which others write them.
//!
//! [`HiddenValues`] makes the forms, [`ValueScan`] finds them, and [`Redactor`] puts names in their place. Most of a text is passed over by a
//! [`filter`] of three bytes at a time; what is left goes through an [`automaton`].

mod automaton;
mod filter;
mod forms;
mod redactor;
mod scan;
#[cfg(test)]
mod tests;
mod values;
mod written;

pub use redactor::Redactor;
pub use scan::{TextPart, ValueScan};
pub use values::HiddenValues;
