//! The C side of jinja.h.

use std::panic::{catch_unwind, set_hook, AssertUnwindSafe};
use std::sync::Once;

use crate::engine::{render, Failure};
use crate::memory;
use crate::value::{error, Result};

type StrftimeNow = extern "C" fn(*mut (), *const u8, usize, *mut u8, usize) -> usize;

#[repr(C)]
pub struct Request {
    source: *const u8,
    source_size: usize,
    context: *const u8,
    context_size: usize,
    strftime_now: Option<StrftimeNow>,
    user: *mut (),
    fuel: u64,
    stack_bytes: usize,
}

#[repr(C)]
pub struct Response {
    text: *mut u8,
    size: usize,
    line: usize,
    status: i32,
}

const OK: i32 = 0;
const FAILED: i32 = 1;
const PANICKED: i32 = 2;

/// The clock of `strftime_now`, which C++ owns.
#[derive(Clone, Copy)]
pub struct Clock {
    callback: Option<StrftimeNow>,
    user: *mut (),
}

// SAFETY: the caller of plumb_jinja_render waits while the one thread that renders uses the pointer.
unsafe impl Send for Clock {}
unsafe impl Sync for Clock {}

impl Clock {
    pub fn format(&self, format: &str) -> Result<String> {
        let callback = self.callback.ok_or_else(|| error("strftime_now: no clock"))?;
        let mut text = vec![0u8; format.len().saturating_mul(64).clamp(256, 1 << 16)];
        let size = callback(self.user, format.as_ptr(), format.len(), text.as_mut_ptr(), text.len());
        if size > text.len() {
            return Err(error("strftime_now: the result is too long"));
        }
        text.truncate(size);
        String::from_utf8(text).map_err(|_| error("strftime_now: the result is not UTF-8"))
    }
}

/// # Safety
/// The pointers must be valid for their sizes (null only with size 0).
unsafe fn bytes<'a>(data: *const u8, size: usize) -> &'a [u8] {
    if size == 0 {
        &[]
    } else {
        std::slice::from_raw_parts(data, size)
    }
}

/// Renders on a thread of its own, whose stack is large enough for every template that source.rs lets through.
fn render_on_thread(source: &[u8], context: &[u8], clock: Clock, fuel: u64, stack: usize) -> (i32, String, usize) {
    let fuel = (fuel > 0).then_some(fuel);
    let outcome = std::thread::scope(|scope| {
        let work = move || catch_unwind(AssertUnwindSafe(|| render(source, context, clock, fuel)));
        std::thread::Builder::new().stack_size(stack).spawn_scoped(scope, work).map(|thread| thread.join())
    });
    match outcome {
        Ok(Ok(Ok(Ok(text)))) => (OK, text, 0),
        Ok(Ok(Ok(Err(Failure { message, line })))) => (FAILED, message, line),
        Ok(Ok(Err(_)) | Err(_)) => (PANICKED, "the template engine failed on this template".to_string(), 0),
        Err(e) => (FAILED, format!("cannot start a thread: {e}"), 0),
    }
}

/// # Safety
/// As jinja.h says.
#[no_mangle]
pub unsafe extern "C" fn plumb_jinja_render(request: *const Request, response: *mut Response) {
    static QUIET: Once = Once::new();
    QUIET.call_once(|| set_hook(Box::new(|_| {})));
    let request = &*request;
    let source = bytes(request.source, request.source_size);
    let context = bytes(request.context, request.context_size);
    let clock = Clock { callback: request.strftime_now, user: request.user };
    let (status, text, line) = render_on_thread(source, context, clock, request.fuel, request.stack_bytes);
    let text: &'static mut [u8] = Box::leak(text.into_bytes().into_boxed_slice());
    *response = Response { text: text.as_mut_ptr(), size: text.len(), line, status };
}

/// # Safety
/// `response` was filled by plumb_jinja_render and not freed yet.
#[no_mangle]
pub unsafe extern "C" fn plumb_jinja_free(response: *mut Response) {
    let response = &mut *response;
    if !response.text.is_null() {
        drop(Box::from_raw(std::ptr::slice_from_raw_parts_mut(response.text, response.size)));
        response.text = std::ptr::null_mut();
        response.size = 0;
    }
}

#[no_mangle]
pub extern "C" fn plumb_jinja_limit_memory(bytes: usize, exceeded: Option<extern "C" fn()>) {
    memory::limit(bytes, exceeded);
}

#[no_mangle]
pub extern "C" fn plumb_jinja_memory_in_use() -> usize {
    memory::used()
}
