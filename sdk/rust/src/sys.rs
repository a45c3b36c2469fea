//! The functions of the host: imports of the module, or, on other targets than
//! wasm32, the host in memory of module testing.

/// A service: request, room for the answer, `status << 32 | length`.
pub(crate) type Service = fn(&[u8], &mut [u8]) -> u64;

#[cfg(target_arch = "wasm32")]
mod imp {
    mod raw {
        #[link(wasm_import_module = "rhost.v1")]
        extern "C" {
            pub fn input(dst: *mut u8, cap: u32) -> i32;
            pub fn output(p: *const u8, n: u32);
            pub fn fail(code: i32, p: *const u8, n: u32);
            pub fn log(level: i32, p: *const u8, n: u32);
            pub fn take(dst: *mut u8, cap: u32) -> i32;
            pub fn item(i: u32);
        }
    }

    pub fn input(dst: &mut [u8]) {
        // SAFETY: the host writes at most that many bytes there. So it is below.
        unsafe { raw::input(dst.as_mut_ptr(), dst.len() as u32) };
    }

    pub fn output(b: &[u8]) {
        unsafe { raw::output(b.as_ptr(), b.len() as u32) }
    }

    pub fn fail(code: i32, why: &[u8]) {
        unsafe { raw::fail(code, why.as_ptr(), why.len() as u32) }
    }

    pub fn log(level: i32, line: &[u8]) {
        unsafe { raw::log(level, line.as_ptr(), line.len() as u32) }
    }

    pub fn take(dst: &mut [u8]) -> i32 {
        unsafe { raw::take(dst.as_mut_ptr(), dst.len() as u32) }
    }

    pub fn item(i: u32) {
        unsafe { raw::item(i) }
    }

    macro_rules! services {
        ($($name:ident)*) => { $(
            pub fn $name(request: &[u8], answer: &mut [u8]) -> u64 {
                #[link(wasm_import_module = "rhost.v1")]
                extern "C" {
                    fn $name(request: *const u8, n: u32, answer: *mut u8, room: u32) -> u64;
                }
                unsafe { $name(request.as_ptr(), request.len() as u32, answer.as_mut_ptr(), answer.len() as u32) }
            }
        )* };
    }
    services!(emit notify state_get state_set state_cas kv_get kv_set config now random http secret has);
}

#[cfg(not(target_arch = "wasm32"))]
mod imp {
    use crate::testing::running as host;

    pub fn input(dst: &mut [u8]) {
        host(|h| h.input(dst))
    }

    pub fn output(b: &[u8]) {
        host(|h| h.output(b))
    }

    pub fn fail(code: i32, why: &[u8]) {
        host(|h| h.fail(code, why))
    }

    pub fn log(level: i32, line: &[u8]) {
        host(|h| h.log(level, line))
    }

    pub fn take(dst: &mut [u8]) -> i32 {
        host(|h| h.take(dst))
    }

    pub fn item(i: u32) {
        host(|h| h.item(i))
    }

    macro_rules! services {
        ($($name:ident)*) => { $(
            pub fn $name(request: &[u8], answer: &mut [u8]) -> u64 {
                host(|h| h.serve(stringify!($name), request, answer))
            }
        )* };
    }
    services!(emit notify state_get state_set state_cas kv_get kv_set config now random http secret has);
}

pub(crate) use imp::*;
