//! The crypto core of tokenkeep: envelope encryption of API tokens, and the types on which two sides meet
