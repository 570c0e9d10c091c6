//! The template's variables arrive as MessagePack, written by the C++ side from JSON; this reads the part of the format that
//! JSON needs.

use minijinja::value::Value;

use crate::value::{dict, error, list, Dict, Result};

/// Deeper than any request, shallower than what printing refuses (see repr.rs).
const MAX_DEPTH: usize = 256;

pub fn decode(bytes: &[u8]) -> Result<Value> {
    let mut reader = Reader { bytes };
    let value = reader.value(0)?;
    match reader.bytes {
        [] => Ok(value),
        rest => Err(error(format!("variables: {} bytes after the end", rest.len()))),
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self.bytes.split_at_checked(count).ok_or_else(|| error("variables: cut short"))?;
        self.bytes = rest;
        Ok(taken)
    }

    fn number(&mut self, size: usize) -> Result<u64> {
        Ok(self.take(size)?.iter().fold(0, |n, byte| n << 8 | *byte as u64))
    }

    fn value(&mut self, depth: usize) -> Result<Value> {
        if depth > MAX_DEPTH {
            return Err(error(format!("variables: nested deeper than {MAX_DEPTH}")));
        }
        let tag = self.take(1)?[0];
        let low = (tag & 0x0f) as usize;
        match tag {
            0x00..=0x7f => Ok(Value::from(tag as i64)),
            0xe0..=0xff => Ok(Value::from(tag as i8 as i64)),
            0x80..=0x8f => self.map(low, depth),
            0x90..=0x9f => self.array(low, depth),
            0xa0..=0xbf => self.text((tag & 0x1f) as usize),
            0xc0 => Ok(Value::from(())),
            0xc2 | 0xc3 => Ok(Value::from(tag == 0xc3)),
            0xca => Ok(Value::from(f32::from_bits(self.number(4)? as u32) as f64)),
            0xcb => Ok(Value::from(f64::from_bits(self.number(8)?))),
            0xcc..=0xcf => {
                let n = self.number(1 << (tag - 0xcc))?;
                Ok(i64::try_from(n).map_or_else(|_| Value::from(n), Value::from))
            }
            0xd0 => Ok(Value::from(self.number(1)? as u8 as i8 as i64)),
            0xd1 => Ok(Value::from(self.number(2)? as u16 as i16 as i64)),
            0xd2 => Ok(Value::from(self.number(4)? as u32 as i32 as i64)),
            0xd3 => Ok(Value::from(self.number(8)? as i64)),
            0xd9..=0xdb => {
                let length = self.number(1 << (tag - 0xd9))? as usize;
                self.text(length)
            }
            0xdc | 0xdd => {
                let length = self.number(2 << (tag - 0xdc))? as usize;
                self.array(length, depth)
            }
            0xde | 0xdf => {
                let length = self.number(2 << (tag - 0xde))? as usize;
                self.map(length, depth)
            }
            _ => Err(error(format!("variables: unexpected tag 0x{tag:02x}"))),
        }
    }

    fn text(&mut self, length: usize) -> Result<Value> {
        let bytes = self.take(length)?;
        std::str::from_utf8(bytes).map(Value::from).map_err(|_| error("variables: a string is not UTF-8"))
    }

    /// Every item takes at least a byte, so a count beyond what is left is a lie; nothing is reserved for it.
    fn array(&mut self, length: usize, depth: usize) -> Result<Value> {
        let mut items = Vec::with_capacity(length.min(self.bytes.len()));
        for _ in 0..length {
            items.push(self.value(depth + 1)?);
        }
        Ok(list(items))
    }

    fn map(&mut self, length: usize, depth: usize) -> Result<Value> {
        let mut entries = Dict::with_capacity(length.min(self.bytes.len()));
        for _ in 0..length {
            let key = self.value(depth + 1)?;
            if key.as_str().is_none() {
                return Err(error("variables: a key is not a string"));
            }
            let value = self.value(depth + 1)?;
            entries.insert(key, value);
        }
        Ok(dict(entries))
    }
}
