//! What an answer depends on, as a name. Start at [`ModelId`].

use std::fmt;

/// Which model answers: two with equal identities give equal bits for equal contexts, horizons and seeds.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ModelId {
    name: String,
    parameters: String,
    weights: [u8; 32],
}

impl ModelId {
    /// A model without weights. `name` holds the revision of the method, as in `theta/1`: a change of the method that changes an answer
    /// changes it. `parameters`: all that answers depend on, always spelled the same.
    pub fn new(name: impl Into<String>, parameters: impl Into<String>) -> Self {
        Self { name: name.into(), parameters: parameters.into(), weights: [0; 32] }
    }

    /// The same with weights, known by what their bytes are: one byte changed is another model.
    #[must_use]
    pub fn with_weights(mut self, bytes: &[u8]) -> Self {
        self.weights = *blake3::hash(bytes).as_bytes();
        self
    }

    /// The same with weights whose BLAKE3 is known.
    #[must_use]
    pub const fn with_weights_hash(mut self, hash: [u8; 32]) -> Self {
        self.weights = hash;
        self
    }

    /// Name and revision.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Parameters, as text.
    pub fn parameters(&self) -> &str {
        &self.parameters
    }

    /// BLAKE3 of the weights; zeros without.
    pub const fn weights(&self) -> &[u8; 32] {
        &self.weights
    }

    /// 32 bytes for all of it.
    pub fn digest(&self) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new_derive_key("railbird model identity 1");
        for text in [&self.name, &self.parameters] {
            hasher.update(&(text.len() as u64).to_le_bytes()).update(text.as_bytes());
        }
        *hasher.update(&self.weights).finalize().as_bytes()
    }
}

impl fmt::Display for ModelId {
    /// `theta/1`, `ewma/1(alpha=0.2)`, and with weights their first 12 hexadecimal digits.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.name)?;
        if !self.parameters.is_empty() {
            write!(out, "({})", self.parameters)?;
        }
        if self.weights != [0; 32] {
            let hex = blake3::Hash::from_bytes(self.weights).to_hex();
            write!(out, "@{}", &hex[..12])?;
        }
        Ok(())
    }
}

/// What a forecast is kept under: the hash of all that it depends on, the bytes of the context included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ForecastKey([u8; 32]);

impl ForecastKey {
    /// `model`: [`ModelId::digest`]. `context`: oldest first; values are told apart by their bits. About 1 µs for 512 values.
    pub fn new(model: &[u8; 32], context: &[f64], horizon: usize, seed: u64) -> Self {
        let mut hasher = blake3::Hasher::new_keyed(model);
        hasher.update(&(horizon as u64).to_le_bytes()).update(&seed.to_le_bytes());
        let mut bytes = [0; 4096];
        for part in context.chunks(512) {
            for (place, value) in bytes.chunks_exact_mut(8).zip(part) {
                place.copy_from_slice(&value.to_bits().to_le_bytes());
            }
            hasher.update(&bytes[..8 * part.len()]);
        }
        Self(*hasher.finalize().as_bytes())
    }

    /// One that was kept.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn all_that_an_answer_depends_on_changes_the_key() {
        let model = ModelId::new("theta/1", "");
        let context: Vec<f64> = (0..600).map(f64::from).collect();
        let mut other = context.clone();
        other[599] = f64::from_bits(other[599].to_bits() + 1);
        let mut zero = context.clone();
        zero[0] = -0.0;
        let with =
            |model: &ModelId, context: &[f64], horizon, seed| ForecastKey::new(&model.digest(), context, horizon, seed);
        let keys = [
            with(&model, &context, 1, 0),
            with(&model, &context, 2, 0),
            with(&model, &context, 1, 1),
            with(&model, &context[1..], 1, 0),
            with(&model, &context[..599], 1, 0),
            with(&model, &other, 1, 0),
            with(&model, &zero, 1, 0),
            with(&ModelId::new("theta/2", ""), &context, 1, 0),
            with(&ModelId::new("theta/", "1"), &context, 1, 0),
            with(&model.clone().with_weights(b"a"), &context, 1, 0),
            with(&model.clone().with_weights(b"b"), &context, 1, 0),
        ];
        assert_eq!(keys.iter().collect::<HashSet<_>>().len(), keys.len());
        assert_eq!(with(&model, &context.clone(), 1, 0), keys[0]);
    }

    #[test]
    fn says_who_it_is() {
        assert_eq!(ModelId::new("theta/1", "").to_string(), "theta/1");
        assert_eq!(ModelId::new("ewma/1", "alpha=0.2").with_weights(b"").to_string(), "ewma/1(alpha=0.2)@af1349b9f5f9");
    }
}
