//! Stable sorting with a comparison that can fail, and that need not be an order at all (NaN): merge sort never minds.

use std::cmp::Ordering;

use crate::value::Result;

/// Sorts by `compare`; nothing (NaN) counts as "not less".
pub fn sort<T: Clone>(items: &mut Vec<T>, compare: impl Fn(&T, &T) -> Result<Option<Ordering>>) -> Result<()> {
    let mut source = std::mem::take(items);
    let mut width = 1;
    while width < source.len() {
        let mut merged = Vec::with_capacity(source.len());
        for chunk in source.chunks(width * 2) {
            let (left, right) = chunk.split_at(width.min(chunk.len()));
            merge(left, right, &mut merged, &compare)?;
        }
        source = merged;
        width *= 2;
    }
    *items = source;
    Ok(())
}

fn merge<T: Clone>(
    mut left: &[T],
    mut right: &[T],
    out: &mut Vec<T>,
    compare: &impl Fn(&T, &T) -> Result<Option<Ordering>>,
) -> Result<()> {
    while let (Some(a), Some(b)) = (left.first(), right.first()) {
        if compare(b, a)? == Some(Ordering::Less) {
            out.push(b.clone());
            right = &right[1..];
        } else {
            out.push(a.clone());
            left = &left[1..];
        }
    }
    out.extend_from_slice(left);
    out.extend_from_slice(right);
    Ok(())
}
