//! As much of protobuf and of ONNX's messages as trees and metadata need. Start at [`Fields`].
//!
//! Invariant: never reads outside of the bytes, never allocates more than they hold.

/// A field of a message: its number and what it holds.
pub(super) enum Field<'a> {
    Number(u32, u64),
    Float(u32, f32),
    Bytes(u32, &'a [u8]),
}

/// The fields of a message, in order; an error ends it.
pub(super) struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    pub(super) const fn of(message: &'a [u8]) -> Self {
        Self { rest: message }
    }

    fn field(&mut self) -> Option<Field<'a>> {
        let tag = varint(&mut self.rest)?;
        let number = u32::try_from(tag >> 3).ok()?;
        Some(match tag & 7 {
            0 => Field::Number(number, varint(&mut self.rest)?),
            1 => Field::Bytes(number, take(&mut self.rest, 8)?),
            2 => {
                let bytes = usize::try_from(varint(&mut self.rest)?).ok()?;
                Field::Bytes(number, take(&mut self.rest, bytes)?)
            }
            5 => Field::Float(number, f32_of(take(&mut self.rest, 4)?)),
            _ => return None,
        })
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<Field<'a>, String>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_none() {
            self.rest = &[];
        }
        Some(field.ok_or_else(|| "no protobuf message, or one that was cut short".to_owned()))
    }
}

/// What a node's attribute holds, as far as trees need it.
#[derive(Debug, Default)]
pub(super) struct Attribute {
    pub(super) integer: i64,
    pub(super) text: String,
    pub(super) floats: Vec<f32>,
    pub(super) integers: Vec<i64>,
    pub(super) texts: Vec<String>,
    pub(super) is_tensor: bool,
}

impl Attribute {
    /// Name and content.
    pub(super) fn read(message: &[u8]) -> Result<(String, Self), String> {
        let (mut name, mut attribute) = (String::new(), Self::default());
        for field in Fields::of(message) {
            match field? {
                Field::Bytes(1, bytes) => name = text(bytes),
                Field::Number(3, value) => attribute.integer = value as i64,
                Field::Bytes(4, bytes) => attribute.text = text(bytes),
                Field::Bytes(5, _) => attribute.is_tensor = true,
                Field::Float(7, value) => attribute.floats.push(value),
                Field::Bytes(7, bytes) => attribute.floats.extend(bytes.chunks_exact(4).map(f32_of)),
                Field::Number(8, value) => attribute.integers.push(value as i64),
                Field::Bytes(8, mut bytes) => {
                    while !bytes.is_empty() {
                        let value = varint(&mut bytes).ok_or("a list that was cut short")?;
                        attribute.integers.push(value as i64);
                    }
                }
                Field::Bytes(9, bytes) => attribute.texts.push(text(bytes)),
                _ => {}
            }
        }
        Ok((name, attribute))
    }
}

pub(super) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let (&byte, after) = rest.split_first()?;
        *rest = after;
        value |= u64::from(byte & 0x7F) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

fn take<'a>(rest: &mut &'a [u8], bytes: usize) -> Option<&'a [u8]> {
    let (taken, after) = rest.split_at_checked(bytes)?;
    *rest = after;
    Some(taken)
}

fn f32_of(bytes: &[u8]) -> f32 {
    bytes.try_into().map_or(0.0, f32::from_le_bytes)
}
