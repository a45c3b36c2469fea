//! SDK for rhost plugins written in Rust. A plugin is a function that is handed
//! to [`plugin!`]:
//!
//! ```
//! use rhost::{object, Call};
//!
//! rhost::plugin!(lock);
//!
//! fn lock(c: &Call) -> rhost::Result {
//!     let user = c.event.string("user");
//!     if user.is_empty() {
//!         return Err(rhost::fail("the event names no user"));
//!     }
//!     c.emit("account.locked", object! { "user": user })
//! }
//! ```
//!
//! The types, in the order a handler meets them:
//!
//! - [`Call`] is one invocation: the event that completed the match, the match,
//!   the arguments of the step, and the services.
//! - [`Json`] is a piece of JSON that is read only when asked, by path:
//!   `c.event.get("items[0].id").int()`. Reading is total: what is not there, or is
//!   something else, reads as missing, empty or 0.
//! - [`Value`], made with [`object!`], [`list!`] or `into()`, is what the services
//!   take.
//! - [`fail`], [`retry`] and [`drop`] make the errors that decide how the step
//!   ends. Any other error is a retry with its text.
//!
//! Effects happen together when the handler returns `Ok`, and not at all when it
//! returns an error or panics. Every call finds the plugin as it was loaded:
//! statics carry nothing from one call to the next. What must last goes into
//! state.
//!
//! A service that is called is imported, and asks for its capability; what no code
//! reaches is not in the module.
//!
//! On every target but wasm32 the crate has a host in memory, [`testing`], so
//! that handlers run in `cargo test`.

#![warn(missing_docs)]
#![deny(unsafe_op_in_unsafe_fn)]

mod call;
mod error;
mod json;
mod services;
mod sys;
#[cfg(not(target_arch = "wasm32"))]
pub mod testing;
mod value;
mod wire;

pub use call::{Call, Event, Match};
pub use error::{drop, fail, retry, Error, Result, Status};
pub use json::{Items, Json, Kind, Members};
pub use services::{Level, Request, Response, Stored};
pub use value::Value;
pub use wire::timestamp;

/// The type of a handler.
pub type Handler = fn(&Call) -> Result;

/// Makes a function the handler of the plugin; once in a crate whose type is
/// `cdylib`. With `batch`, as in `plugin!(handle, batch)`, the host may hand it
/// many calls in one go; those share an instance, and with it statics.
#[macro_export]
macro_rules! plugin {
    ($handler:path) => {
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            #[no_mangle]
            extern "C" fn rhost_abi_v1() {}
            #[no_mangle]
            extern "C" fn rhost_init(_: u32) -> i32 {
                $crate::init()
            }
            #[no_mangle]
            extern "C" fn rhost_invoke(len: u32) -> i32 {
                $crate::invoke($handler, len)
            }
        };
    };
    ($handler:path, batch) => {
        $crate::plugin!($handler);
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            #[no_mangle]
            extern "C" fn rhost_batch(len: u32) -> i32 {
                $crate::batch($handler, len)
            }
        };
    };
}

/// The free heap that a call begins with: an instance whose memory grew is not
/// kept for the next call.
#[cfg(target_arch = "wasm32")]
const HEADROOM: usize = 64 << 10;

/// Prepares an instance; for `plugin!`.
#[cfg(target_arch = "wasm32")]
#[doc(hidden)]
pub fn init() -> i32 {
    std::panic::set_hook(Box::new(|info| sys::log(3, info.to_string().as_bytes())));
    std::mem::drop(Vec::<u8>::with_capacity(HEADROOM));
    0
}

/// Runs a handler on the input of an invocation; for `plugin!`.
#[doc(hidden)]
pub fn invoke(handler: Handler, len: u32) -> i32 {
    run(handler, &input(len))
}

/// Runs a handler on each item of a batch; for `plugin!`.
#[doc(hidden)]
pub fn batch(handler: Handler, len: u32) -> i32 {
    let input = input(len);
    let mut r = wire::Reader::new(&input);
    for i in 0..r.u32("count") {
        let frame = r.bytes("item");
        if r.bad.is_some() {
            break;
        }
        sys::item(i);
        run(handler, frame);
    }
    match r.bad {
        None => 0,
        Some(field) => finish(Err(fail(format!("input: cannot be read at {field}")))),
    }
}

fn input(len: u32) -> Vec<u8> {
    let mut frame = vec![0; len as usize];
    sys::input(&mut frame);
    frame
}

fn run(handler: Handler, frame: &[u8]) -> i32 {
    finish(match Call::decode(frame) {
        Ok(call) => handler(&call),
        Err(field) => Err(fail(format!("input: cannot be read at {field}"))),
    })
}

/// Tells the host how the handler ended.
fn finish(result: Result) -> i32 {
    match result {
        Ok(()) => 0,
        Err(e) => {
            sys::fail(e.code(), e.to_string().as_bytes());
            e.code()
        }
    }
}
