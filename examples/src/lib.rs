//! Programs that show tokenkeep at work.
