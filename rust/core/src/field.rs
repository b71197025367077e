//! A record's unit: one named, typed value, which becomes one leaf.

/// A value with its ABI type (spelled by [`Value::abi_type`], since the spelling is hashed).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    String(String),
    Bool(bool),
    /// `int256`; FHIR integers have 32 bits.
    Int(i64),
    /// `uint256`.
    Uint(u64),
    Bytes32([u8; 32]),
}

impl Value {
    pub fn abi_type(&self) -> &'static str {
        match self {
            Value::String(_) => "string",
            Value::Bool(_) => "bool",
            Value::Int(_) => "int256",
            Value::Uint(_) => "uint256",
            Value::Bytes32(_) => "bytes32",
        }
    }
}

/// One field: an element path with indices, or a control field `chartseal.…`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    pub name: String,
    pub value: Value,
}

impl Field {
    pub fn new(name: impl Into<String>, value: Value) -> Self {
        Self {
            name: name.into(),
            value,
        }
    }
}
