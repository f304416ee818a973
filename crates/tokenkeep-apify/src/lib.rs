//! Apify for tokenkeep: a typed client that holds no token
