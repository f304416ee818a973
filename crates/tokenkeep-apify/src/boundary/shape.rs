//! Which fields of an answer there are, and what a boundary must allow for each to be passed on.

use super::class::{Class, Grants};

/// A part of an answer in JSON. What is of another kind than its shape says is dropped; null may stand for anything.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Shape {
    /// A string, a number, true or false.
    Scalar,
    /// Whatever it is: data that somebody made up. Only where the class of it is allowed.
    Any,
    /// A list of these.
    List(&'static Shape),
    /// An object whose names are data, and whose values are these.
    Map(&'static Shape),
    /// An object with these fields. Others are dropped.
    Object(&'static [Fields]),
}

/// Fields of one shape and one class.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fields {
    pub(crate) names: &'static [&'static str],
    shape: &'static Shape,
    /// All of them are needed, beside those that the operation itself needs.
    needs: &'static [Class],
    never: bool,
}

/// Fields that are strings, numbers, true or false.
pub(crate) const fn plain(names: &'static [&'static str]) -> Fields {
    part(names, &Shape::Scalar)
}

/// Fields of this shape.
pub(crate) const fn part(names: &'static [&'static str], shape: &'static Shape) -> Fields {
    Fields { names, shape, needs: &[], never: false }
}

impl Fields {
    /// Passed on where these classes may be read.
    pub(crate) const fn of(mut self, classes: &'static [Class]) -> Self {
        self.needs = classes;
        self
    }

    /// Not passed on, whatever is allowed.
    pub(crate) const fn never(mut self) -> Self {
        self.never = true;
        self
    }

    /// The shape of these fields; `None` where they are not passed on.
    pub(crate) fn shape(&self, grants: Grants) -> Option<&'static Shape> {
        let passes = !self.never && self.needs.iter().all(|&class| grants.may_read(class));
        passes.then_some(self.shape)
    }
}

impl Shape {
    /// Whether there is something in it that is passed on under no boundary.
    pub(crate) fn has_never(&self) -> bool {
        match self {
            Self::Scalar | Self::Any => false,
            Self::List(inner) | Self::Map(inner) => inner.has_never(),
            Self::Object(fields) => fields.iter().any(|fields| fields.never || fields.shape.has_never()),
        }
    }
}

/// `{"data": …}` around a shape.
macro_rules! data {
    ($shape:expr) => {
        Shape::Object(&[part(&["data"], &$shape)])
    };
}

/// `{"data": {…, "items": […]}}`: a page of these.
macro_rules! page {
    ($shape:expr) => {
        data!(Shape::Object(&[
            plain(&["total", "offset", "limit", "desc", "count", "unnamed"]),
            part(&["items"], &Shape::List(&$shape)),
        ]))
    };
}

pub(crate) use {data, page};
