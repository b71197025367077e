//! The five circuits by name: their public inputs, constraints and assignments.

use crate::inputs;
use crate::statements::{anonymous, holder, linked};
use crate::system::{Assignment, Shape, System};
use chartseal_algebra::babyjub::SecretScalar;
use chartseal_algebra::error::{Error, Kind, Result};
use std::sync::LazyLock;

/// A statement with its number of predicates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Circuit {
    Holder,
    Linked1,
    Linked4,
    Anonymous1,
    Anonymous4,
}

impl Circuit {
    pub const ALL: [Self; 5] = [
        Self::Holder,
        Self::Linked1,
        Self::Linked4,
        Self::Anonymous1,
        Self::Anonymous4,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Holder => "holder",
            Self::Linked1 => "linked-1",
            Self::Linked4 => "linked-4",
            Self::Anonymous1 => "anonymous-1",
            Self::Anonymous4 => "anonymous-4",
        }
    }

    /// # Errors
    /// Kind `CircuitKey`, `circuit_unknown`.
    pub fn from_name(name: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|circuit| circuit.name() == name);
        found.ok_or_else(|| Error::new(Kind::CircuitKey, "circuit_unknown", "", "there is no such circuit"))
    }

    /// Names of the public inputs, in their order.
    pub fn publics(self) -> &'static [&'static str] {
        match self {
            Self::Holder => &holder::PUBLICS,
            Self::Linked1 | Self::Linked4 => &linked::PUBLICS,
            Self::Anonymous1 | Self::Anonymous4 => &anonymous::PUBLICS,
        }
    }

    /// All constraints, made once a process.
    pub fn shape(self) -> &'static Shape {
        static SHAPES: [LazyLock<Shape>; 5] = [
            LazyLock::new(|| make(Circuit::Holder)),
            LazyLock::new(|| make(Circuit::Linked1)),
            LazyLock::new(|| make(Circuit::Linked4)),
            LazyLock::new(|| make(Circuit::Anonymous1)),
            LazyLock::new(|| make(Circuit::Anonymous4)),
        ];
        &SHAPES[self as usize]
    }

    /// Values of all wires for inputs in JSON (see [`inputs`]). `secret` is the holder's spend secret; linked circuits take none.
    ///
    /// # Errors
    /// Kind `Proving`: `inputs_malformed`, `secret_missing`, `secret_needless`. Whether they satisfy the statement, proving tells.
    pub fn assign(self, json: &[u8], secret: Option<&SecretScalar>) -> Result<Assignment> {
        let mut system = System::witness();
        match self {
            Self::Holder => holder::Statement::new(&inputs::read(json)?, required(secret)?).describe(&mut system),
            Self::Linked1 => {
                linked::Statement::<1>::new(&inputs::read(json)?, needless(secret)?)?.describe(&mut system)
            }
            Self::Linked4 => {
                linked::Statement::<4>::new(&inputs::read(json)?, needless(secret)?)?.describe(&mut system)
            }
            Self::Anonymous1 => {
                anonymous::Statement::<1>::new(&inputs::read(json)?, required(secret)?)?.describe(&mut system);
            }
            Self::Anonymous4 => {
                anonymous::Statement::<4>::new(&inputs::read(json)?, required(secret)?)?.describe(&mut system);
            }
        }
        Ok(system.into_assignment())
    }
}

fn make(circuit: Circuit) -> Shape {
    let mut system = System::with_constraints();
    match circuit {
        Circuit::Holder => holder::Statement::blank().describe(&mut system),
        Circuit::Linked1 => linked::Statement::<1>::blank().describe(&mut system),
        Circuit::Linked4 => linked::Statement::<4>::blank().describe(&mut system),
        Circuit::Anonymous1 => anonymous::Statement::<1>::blank().describe(&mut system),
        Circuit::Anonymous4 => anonymous::Statement::<4>::blank().describe(&mut system),
    }
    system.into_shape()
}

fn required(secret: Option<&SecretScalar>) -> Result<&SecretScalar> {
    secret.ok_or_else(|| {
        Error::new(
            Kind::Proving,
            "secret_missing",
            "",
            "the statement is about the holder's secret",
        )
    })
}

fn needless(secret: Option<&SecretScalar>) -> Result<()> {
    match secret {
        None => Ok(()),
        Some(_) => Err(Error::new(
            Kind::Proving,
            "secret_needless",
            "",
            "the statement is not about the holder's secret",
        )),
    }
}
