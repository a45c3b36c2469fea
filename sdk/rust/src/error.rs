use std::fmt;

/// What handlers and services return.
pub type Result<T = ()> = std::result::Result<T, Error>;

/// Why a handler is not done. Made by [`fail`], [`retry`] and [`drop`], by
/// services that refuse, and from any error of the standard library, which counts
/// as a retry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    kind: Kind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    End(i32, String),
    Refused(&'static str, Status),
}

/// Ends the step as failed for good: it is not tried again.
pub fn fail(why: impl Into<String>) -> Error {
    end(1, why)
}

/// Ends the attempt; the step's retry policy decides whether there is another.
pub fn retry(why: impl Into<String>) -> Error {
    end(2, why)
}

/// Ends the step as done, without effects: there was nothing to do.
pub fn drop(why: impl Into<String>) -> Error {
    end(3, why)
}

fn end(code: i32, why: impl Into<String>) -> Error {
    Error { kind: Kind::End(code, why.into()) }
}

impl Error {
    pub(crate) fn refused(service: &'static str, status: Status) -> Self {
        Error { kind: Kind::Refused(service, status) }
    }

    /// What the service answered, for an error of a service.
    pub fn status(&self) -> Option<Status> {
        match self.kind {
            Kind::Refused(_, status) => Some(status),
            Kind::End(..) => None,
        }
    }

    /// The result of the invocation that ends with this error.
    pub(crate) fn code(&self) -> i32 {
        match self.kind {
            Kind::End(code, _) => code,
            Kind::Refused(..) => 2,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::End(_, why) => f.write_str(why),
            Kind::Refused(service, status) => write!(f, "{service}: {status}"),
        }
    }
}

impl<E: std::error::Error> From<E> for Error {
    fn from(e: E) -> Self {
        retry(e.to_string())
    }
}

/// What a service answers when it is not ok.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// There is nothing of that name.
    NotFound,
    /// The capability was not granted.
    Denied,
    /// The request is not valid.
    Invalid,
    /// The version is another.
    Conflict,
    /// A limit of the call is used up.
    Limit,
    /// It took too long.
    Timeout,
    /// Not now.
    Unavailable,
    /// The host's fault.
    Internal,
    /// This host does not offer the service.
    Unsupported,
}

impl Status {
    pub(crate) fn from_code(code: u32) -> Self {
        match code {
            1 => Status::NotFound,
            3 => Status::Denied,
            4 => Status::Invalid,
            5 => Status::Conflict,
            6 => Status::Limit,
            7 => Status::Timeout,
            8 => Status::Unavailable,
            10 => Status::Unsupported,
            _ => Status::Internal,
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Status::NotFound => "not found",
            Status::Denied => "the capability was not granted",
            Status::Invalid => "the request is not valid",
            Status::Conflict => "the version is another",
            Status::Limit => "a limit of the call is used up",
            Status::Timeout => "timeout",
            Status::Unavailable => "not available now",
            Status::Internal => "internal error of the host",
            Status::Unsupported => "this host does not offer the service",
        })
    }
}
