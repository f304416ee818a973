//! The main job, through every layer.
