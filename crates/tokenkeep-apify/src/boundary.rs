//! What of Apify's API the application may reach at all.

mod class;
mod ids;
mod operation;
mod project;
mod request;
mod scope;
mod shape;
mod shapes;
mod table;

use std::fmt;

use tokenkeep_core::{Error, ErrorKind};
use tokenkeep_https::{CallBoundary, Method, Passage, Projection};

use class::Grants;
use operation::{Answer, Operation};
pub(crate) use request::Request;

pub(crate) use ids::is_env_var_name;

pub use class::{Access, Class};
pub use scope::{TokenPermission, TokenScope};

/// What of Apify's API this application may reach: the classes of data that it may read or write. Everything else is refused before
/// anything is sent, the token included, and dropped from answers before the application gets them.
///
/// ```
/// use tokenkeep_apify::{Access, Boundary, Class};
///
/// let boundary = Boundary::analytics().allow(Class::Runs, Access::ReadAndWrite);
/// assert!(boundary.judge("POST", "/v2/actor-runs/3KH8gEpp4d8uQSe8T/abort").is_ok());
/// assert!(boundary.judge("GET", "/v2/datasets/WkzbQMuFYuamGv3YF/items").is_err());
/// assert!(boundary.judge("GET", "/v2/datasets?method=DELETE").is_err());
/// println!("{boundary}\n{}", boundary.token_scope()); // for the customer
/// ```
///
/// # What is judged
///
/// The method and the URL as they are sent. Known are the 231 operations of Apify's API description of August 2026, by the paths that it
/// has (`/v2/actors`, not the older `/v2/acts`), each with the names that its query may have. What is not known is refused, and
/// so is what a lenient server could read as something else: dot segments, empty segments, encoded slashes, characters that are
/// encoded without need, parameters behind a semicolon, a name that stands in the query twice, `method` and `token`.
///
/// A segment of a path, so the key of a record, has letters, digits and `-._~!'()` alone. The value of a query has printable ASCII but `&`, `;`, `#`, `%` and `\`:
/// no tab or line break, and no letter beyond ASCII, encoded or not, as some servers fold those into ASCII. Both together have at most
/// 8,192 bytes as they are written.
///
/// # What is passed on
///
/// Of an answer in JSON, the fields that are known and whose class is allowed. Of an error, its type. A log and what a customer
/// stored (items, records) are passed on whole where their class is allowed, for there is nothing to tell their parts by: a **log may hold
/// secrets** that somebody printed, a build's log too.
///
/// Under [`all`](Self::all) successes are passed on as they are.
///
/// # What it can't do
///
/// It limits the application, and so a fault in it: a call that nobody meant, a URL that a customer had a hand in, a field that would
/// end in a log. It does **not** limit whoever steals the token, nor code in this process that goes another way: only the
/// scope that the token was given at Apify does ([`token_scope`](Self::token_scope)). That scope is wider than the boundary, as Apify
/// has no permission for metadata alone: who may read a dataset's metadata may read its items.
///
/// - **Whose an id is** stands in no URL. Lists are kept to what the account owns, but by its id whatever the token can reach is read:
///   a storage that another user shares, a public Actor. A list of Actors holds those of others that the account uses.
/// - **Some ids open doors.** Apify serves runs, builds and logs to whoever knows their ids. Who passes such an id on passes on what
///   it opens.
/// - That Apify gives a build's log alone at `/v2/actor-builds/{id}/log`, and not a run's for the id of a run, is an assumption.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Boundary {
    grants: Grants,
    whole: bool,
}

impl Boundary {
    /// What an application needs that shows its customers how their Actors do, and nothing else: it reads
    /// - the list of Actors with settings and metadata,
    /// - the history of runs: status, times, resources, where each was started from,
    /// - metadata of datasets,
    /// - listings of key-value stores, and of the keys in them,
    /// - builds: versions and logs,
    ///
    /// which are five kinds of metadata and the logs of builds, and the usage of the account. A log holds whatever the build printed. It
    /// writes nothing. Source code, environment variables,
    /// inputs, items, records, logs of runs, links and the keys that sign them, the proxy, price lists and the plan, e-mail addresses
    /// and the profiles of other users never reach the application.
    ///
    /// Usage is told in money too, and beside its limits: prices can be worked out of the one, and the plan be guessed from the other.
    /// Where a run was started from is a network address and a program's name: the vault holds them against its own record
    /// of what it started.
    #[must_use]
    pub const fn analytics() -> Self {
        Self::none()
            .allow(Class::Actors, Access::Read)
            .allow(Class::Runs, Access::Read)
            .allow(Class::Datasets, Access::Read)
            .allow(Class::KeyValueStores, Access::Read)
            .allow(Class::Builds, Access::Read)
            .allow(Class::BuildLogs, Access::Read)
            .allow(Class::Usage, Access::Read)
    }

    /// Everything that Apify's API has, and no promise. Calls that are not known are refused all the same; answers are
    /// passed on as they are, with secrets in them.
    #[must_use]
    pub const fn all() -> Self {
        let mut boundary = Self { grants: Grants::NONE, whole: true };
        let mut next = 0;
        while next < Class::ALL.len() {
            boundary = boundary.allow(Class::ALL[next], Access::ReadAndWrite);
            next += 1;
        }
        boundary
    }

    /// Nothing but the id and the name of the account, which every boundary allows: without them no token can be connected.
    /// [`allow`](Self::allow) adds to it.
    #[must_use]
    pub const fn none() -> Self {
        Self { grants: Grants::NONE, whole: false }
    }

    /// The same, and this class too.
    #[must_use]
    pub const fn allow(mut self, class: Class, access: Access) -> Self {
        self.grants = self.grants.with(class, access);
        self
    }

    /// What it allows of a class.
    #[must_use]
    pub const fn access(&self, class: Class) -> Option<Access> {
        self.grants.of(class)
    }

    /// The operations that it allows, by method and path, with the names of parameters in braces: for an auditor, and for a test.
    pub fn operations(&self) -> impl Iterator<Item = (&'static str, &'static str)> + use<> {
        let Self { grants, .. } = *self;
        table::all()
            .filter(move |operation| operation.needs.iter().all(|need| grants.allow(*need)))
            .map(|operation| (operation.method, operation.path))
    }

    /// Judges a call by its method and its target: path and query, as they stand in the request line. Does no I/O.
    ///
    /// # Errors
    /// [`Refused`] with the reason.
    pub fn judge(&self, method: &str, target: &str) -> Result<Admitted, Refused> {
        let request = Request::read(target)?;
        let operation = Operation::of(method, &request)?;
        if !request.queries.iter().all(|(name, _)| operation.knows_query(name)) {
            return Err(Refused::UnknownQuery);
        }
        for need in operation.needs.iter().copied().chain(operation.needs_with(&request.queries)) {
            if !self.grants.allow(need) {
                return Err(Refused::NotAllowed(need.class, need.access));
            }
        }
        Ok(Admitted { operation, boundary: *self })
    }

    /// What the customer's token must be allowed at Apify for this boundary.
    #[must_use]
    pub fn token_scope(&self) -> TokenScope {
        TokenScope::of(self)
    }
}

/// A call that a boundary allows, and what it lets through of the answer.
#[derive(Clone, Copy)]
pub struct Admitted {
    operation: &'static Operation,
    boundary: Boundary,
}

impl Admitted {
    /// The method.
    #[must_use]
    pub fn method(&self) -> &'static str {
        self.operation.method
    }

    /// The path as Apify's API description has it, with the names of its parameters in braces.
    #[must_use]
    pub fn path(&self) -> &'static str {
        self.operation.path
    }

    /// What becomes of an answer of this status and content type.
    #[must_use]
    pub fn passage(&self, status: u16, content_type: Option<&str>) -> Passage {
        match (status, &self.operation.answer) {
            // Of these there is no body, or only an error's.
            (..=199 | 204 | 300.., _) => Passage::Projected,
            (_, Answer::Json(shape)) if self.boundary.whole && !shape.has_never() => Passage::AsItIs,
            (_, Answer::Json(_)) => match content_type {
                Some(text) if !is_type(text, "application/json") => Passage::Refused(WRONG_TYPE),
                _ => Passage::Projected,
            },
            (_, Answer::Text) if self.boundary.whole => Passage::AsItIs,
            (_, Answer::Text) => match content_type {
                Some(text) if is_type(text, "text/plain") => Passage::AsItIs,
                _ => Passage::Refused(WRONG_TYPE),
            },
            (_, Answer::Whole) => Passage::AsItIs,
        }
    }

    /// What is passed on of this body, for an answer that is [`Passage::Projected`]. An empty body stays empty. Does no I/O.
    ///
    /// # Errors
    /// The end of a sentence that begins "it answered with HTTP status 200 and", where the body can't be projected.
    pub fn project(&self, status: u16, body: &[u8]) -> Result<Vec<u8>, &'static str> {
        match (status, &self.operation.answer) {
            (400.., _) => Ok(project::project_error(body)),
            (..=199 | 204 | 300.., _) => Ok(Vec::new()),
            _ if body.is_empty() => Ok(Vec::new()),
            (_, Answer::Json(shape)) => project::project(shape, self.boundary.grants, body),
            (_, Answer::Text | Answer::Whole) => Err("not in a form that can be projected"),
        }
    }
}

const WRONG_TYPE: &str = "with another content type than its API promises";

/// The type alone, or with UTF-8 as its character set.
fn is_type(text: &str, wanted: &str) -> bool {
    let (essence, parameters) = text.split_once(';').unwrap_or((text, ""));
    let parameters = parameters.trim();
    essence.trim().eq_ignore_ascii_case(wanted)
        && (parameters.is_empty() || parameters.eq_ignore_ascii_case("charset=utf-8"))
}

/// Why a boundary refuses a call. Nothing of the call is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refused {
    /// The path is not written in the one way in which it is judged.
    Target,
    /// The query is not, or a name stands in it twice.
    Query,
    /// Path and query have over 8,192 bytes together, as they are written: encoded.
    TooLong,
    /// No operation that is known has this path.
    UnknownPath,
    /// No operation that is known has this path and this method.
    UnknownMethod,
    /// The operation is not known to take a parameter of this name.
    UnknownQuery,
    /// The operation, or a parameter, needs a class that is not allowed.
    NotAllowed(Class, Access),
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Target => "its path can be read in more than one way",
            Self::Query => "its query can be read in more than one way",
            Self::TooLong => "its path and query have over 8192 bytes",
            Self::UnknownPath => "its path is not known",
            Self::UnknownMethod => "its method is not known for its path",
            Self::UnknownQuery => "its query has a name that is not known for it",
            Self::NotAllowed(class, Access::Read) => return write!(f, "it reads {class}"),
            Self::NotAllowed(class, Access::ReadAndWrite) => return write!(f, "it writes {class}"),
        })
    }
}

impl std::error::Error for Refused {}

impl From<Refused> for Error {
    fn from(refused: Refused) -> Self {
        Self::new(ErrorKind::Misuse)
            .because("the call is outside of the boundary, and nothing was sent")
            .with_source(refused)
    }
}

impl CallBoundary for Boundary {
    fn judge(&self, method: &Method, target: &str) -> Result<Box<dyn Projection>, Error> {
        Ok(Box::new(Self::judge(self, method.as_str(), target)?))
    }
}

impl Projection for Admitted {
    fn passage(&self, status: u16, content_type: Option<&str>) -> Passage {
        Self::passage(self, status, content_type)
    }

    fn may_stream(&self) -> bool {
        match &self.operation.answer {
            Answer::Json(shape) => self.boundary.whole && !shape.has_never(),
            Answer::Text | Answer::Whole => true,
        }
    }

    fn project(&self, status: u16, body: &[u8]) -> Result<Vec<u8>, &'static str> {
        Self::project(self, status, body)
    }
}

impl fmt::Debug for Boundary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.whole {
            return f.write_str("Boundary::all()");
        }
        let allowed = Class::ALL.iter().filter_map(|&class| Some((class, self.access(class)?)));
        f.write_str("Boundary ")?;
        f.debug_map().entries(allowed).finish()
    }
}

impl fmt::Debug for Admitted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admitted")
            .field("method", &self.method())
            .field("path", &self.path())
            .finish_non_exhaustive()
    }
}
