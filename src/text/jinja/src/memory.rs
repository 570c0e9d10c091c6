//! Memory as a resource a template can exhaust. Every allocation of this library is counted. Operations that build something
//! large ask `reserve` first and fail with an ordinary error; whatever slips past them runs into the hard limit, where the
//! process that set it (the template worker) is told and is expected to end.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering::Relaxed};

use minijinja::{Error, ErrorKind};

static USED: AtomicUsize = AtomicUsize::new(0);
static LIMIT: AtomicUsize = AtomicUsize::new(usize::MAX);
static EXCEEDED: AtomicPtr<()> = AtomicPtr::new(std::ptr::null_mut());

/// What one string or output may hold; far above any prompt, far below the limit of the process.
pub const MAX_TEXT: usize = 64 << 20;

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

impl Counting {
    fn grow(bytes: usize) -> bool {
        if USED.fetch_add(bytes, Relaxed).saturating_add(bytes) <= LIMIT.load(Relaxed) {
            return true;
        }
        USED.fetch_sub(bytes, Relaxed);
        Self::tell();
        false
    }

    /// What the system gave; null is the limit on address space, which fragments may reach first.
    fn given(memory: *mut u8) -> *mut u8 {
        if memory.is_null() {
            Self::tell();
        }
        memory
    }

    fn tell() {
        let exceeded = EXCEEDED.load(Relaxed);
        if !exceeded.is_null() {
            // SAFETY: only `limit` stores here, and it stores function pointers of this type.
            unsafe { std::mem::transmute::<*mut (), extern "C" fn()>(exceeded)() };
        }
    }
}

// SAFETY: memory comes from and returns to `System` unchanged; the counters only watch.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if Self::grow(layout.size()) {
            Self::given(System.alloc(layout))
        } else {
            std::ptr::null_mut()
        }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if Self::grow(layout.size()) {
            Self::given(System.alloc_zeroed(layout))
        } else {
            std::ptr::null_mut()
        }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        USED.fetch_sub(layout.size(), Relaxed);
        System.dealloc(ptr, layout)
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        if new_size > layout.size() && !Self::grow(new_size - layout.size()) {
            return std::ptr::null_mut();
        }
        if new_size < layout.size() {
            USED.fetch_sub(layout.size() - new_size, Relaxed);
        }
        Self::given(System.realloc(ptr, layout, new_size))
    }
}

/// Sets the hard limit of the process; `exceeded` is called once an allocation would pass it and should not return.
pub fn limit(bytes: usize, exceeded: Option<extern "C" fn()>) {
    EXCEEDED.store(exceeded.map_or(std::ptr::null_mut(), |f| f as *mut ()), Relaxed);
    LIMIT.store(bytes, Relaxed);
}

pub fn used() -> usize {
    USED.load(Relaxed)
}

/// Fails when `bytes` more would not fit, or are more than any one value may hold.
pub fn reserve(bytes: usize) -> Result<(), Error> {
    let room = LIMIT.load(Relaxed).saturating_sub(used());
    if bytes > MAX_TEXT || bytes > room {
        return Err(Error::new(ErrorKind::InvalidOperation, format!("out of memory: a value of {bytes} bytes")));
    }
    Ok(())
}

/// `reserve` for `count` items of `size` bytes, either of which may be absurd.
pub fn reserve_items(count: usize, size: usize) -> Result<(), Error> {
    reserve(count.saturating_mul(size))
}
