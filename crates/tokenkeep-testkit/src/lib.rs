//! Test against tokenkeep: a stand-in for the Apify API over real TLS, and a leak scanner
