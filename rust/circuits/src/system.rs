//! Rank-1 constraint systems. One description of a statement, run once, gives its constraints, its witness, or both.
//!
//! A [`Num`] is a linear combination of wires with its value. Additions and products with constants cost nothing; a product of
//! two wires takes a new wire and one constraint. Descriptions run the same steps whatever the values are, since the
//! constraints must not depend on them; hints never panic, because a malformed witness must end in unsatisfied constraints.

use ark_bn254::Fr;
use ark_ff::{AdditiveGroup, Field, One, Zero};
use std::ops::{Add, Mul, Neg, Sub};
use zeroize::Zeroize;

/// More than any of the circuits has.
const MOST_WIRES: usize = 1 << 15;

/// A wire's number: 0 is the constant one, then the public wires, then the private ones.
pub type Wire = u32;

/// A sum of wires, each once, ascending, without zeros; the constant is wire 0's coefficient.
pub type Terms = Vec<(Wire, Fr)>;

/// ⟨a, w⟩ · ⟨b, w⟩ = ⟨c, w⟩ over the wires w.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Constraint {
    pub a: Terms,
    pub b: Terms,
    pub c: Terms,
}

/// All constraints of a circuit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shape {
    /// Public wires, the constant not counted.
    pub publics: usize,
    /// All wires, the constant counted.
    pub wires: usize,
    pub constraints: Vec<Constraint>,
    /// Private wires that the witness brings; all others follow from these and the public ones.
    pub inputs: Vec<Wire>,
    /// Why wires follow that no general rule shows to: see [`System::because`].
    pub reasons: Vec<(Wire, &'static str)>,
    /// Which part of the description made the wires and constraints from these numbers on: (wire, constraint, name).
    pub parts: Vec<(usize, usize, &'static str)>,
}

/// Values of all wires: the constant one, the public ones, the private ones. Erased when dropped.
#[derive(zeroize::ZeroizeOnDrop)]
pub struct Assignment {
    values: Vec<Fr>,
    #[zeroize(skip)]
    publics: usize,
}

impl Assignment {
    /// Of all wires, in their order.
    pub fn values(&self) -> &[Fr] {
        &self.values
    }

    /// The public inputs, in the circuit's order.
    pub fn publics(&self) -> &[Fr] {
        &self.values[1..=self.publics]
    }
}

/// A linear combination of wires, and its value, which is erased when dropped.
#[derive(Clone)]
pub struct Num {
    /// Empty where no constraints are collected.
    terms: Terms,
    constant: Fr,
    value: Fr,
    is_constant: bool,
}

impl Num {
    pub fn constant(value: Fr) -> Self {
        Self {
            terms: Vec::new(),
            constant: value,
            value,
            is_constant: true,
        }
    }

    pub fn zero() -> Self {
        Self::constant(Fr::ZERO)
    }

    pub fn one() -> Self {
        Self::constant(Fr::ONE)
    }

    /// For hints alone: constraints must not depend on it.
    pub fn value(&self) -> Fr {
        self.value
    }

    /// Whether it is a constant of the circuit, whatever the witness.
    pub fn is_constant(&self) -> bool {
        self.is_constant
    }

    pub fn scale(&self, factor: Fr) -> Self {
        if factor.is_zero() {
            return Self::zero();
        }
        Self {
            terms: self.terms.iter().map(|(wire, c)| (*wire, *c * factor)).collect(),
            constant: self.constant * factor,
            value: self.value * factor,
            is_constant: self.is_constant,
        }
    }

    /// Σ coefficient · number, in one pass.
    pub fn sum<'a>(parts: impl IntoIterator<Item = (Fr, &'a Num)>) -> Self {
        let mut sum = Self::zero();
        for (factor, part) in parts {
            if !part.constant.is_zero() {
                sum.constant += part.constant * factor;
            }
            sum.value += part.value * factor;
            sum.is_constant &= part.is_constant;
            sum.terms
                .extend(part.terms.iter().map(|(wire, c)| (*wire, *c * factor)));
        }
        sum.terms = collected(std::mem::take(&mut sum.terms));
        sum
    }

    fn to_terms(&self) -> Terms {
        let mut terms = Vec::with_capacity(self.terms.len() + 1);
        if !self.constant.is_zero() {
            terms.push((0, self.constant));
        }
        terms.extend_from_slice(&self.terms);
        terms
    }
}

impl Drop for Num {
    fn drop(&mut self) {
        self.value.zeroize();
    }
}

/// Terms sorted, each wire once, zeros gone.
fn collected(mut terms: Terms) -> Terms {
    terms.sort_unstable_by_key(|(wire, _)| *wire);
    let mut unique: Terms = Vec::with_capacity(terms.len());
    for (wire, coefficient) in terms {
        match unique.last_mut() {
            Some((last, sum)) if *last == wire => *sum += coefficient,
            _ => unique.push((wire, coefficient)),
        }
    }
    unique.retain(|(_, coefficient)| !coefficient.is_zero());
    unique
}

impl Add for &Num {
    type Output = Num;

    fn add(self, other: &Num) -> Num {
        Num::sum([(Fr::one(), self), (Fr::one(), other)])
    }
}

impl Sub for &Num {
    type Output = Num;

    fn sub(self, other: &Num) -> Num {
        Num::sum([(Fr::one(), self), (-Fr::one(), other)])
    }
}

impl Neg for &Num {
    type Output = Num;

    fn neg(self) -> Num {
        self.scale(-Fr::one())
    }
}

impl Mul<Fr> for &Num {
    type Output = Num;

    fn mul(self, factor: Fr) -> Num {
        self.scale(factor)
    }
}

/// Collects wires and, where asked, constraints.
pub struct System {
    values: Vec<Fr>,
    publics: usize,
    shape: Option<Shape>,
}

impl System {
    /// Collects values alone: what a prover needs.
    pub fn witness() -> Self {
        // Room for every circuit, since growing would leave copies of the witness behind.
        let mut values = Vec::with_capacity(MOST_WIRES);
        values.push(Fr::one());
        Self {
            values,
            publics: 0,
            shape: None,
        }
    }

    /// Collects constraints too.
    pub fn with_constraints() -> Self {
        let mut system = Self::witness();
        system.shape = Some(Shape::default());
        system
    }

    /// A public wire; all of them come before the first private one.
    ///
    /// # Panics
    /// When a private wire stands already: the description is wrong, whatever its input.
    pub fn public(&mut self, value: Fr) -> Num {
        assert_eq!(self.values.len(), self.publics + 1, "public wires come first");
        self.publics += 1;
        self.wire(value)
    }

    /// A private wire that the witness brings, free until something constrains it.
    pub fn input(&mut self, value: Fr) -> Num {
        let wire = self.values.len() as Wire;
        if let Some(shape) = &mut self.shape {
            shape.inputs.push(wire);
        }
        self.wire(value)
    }

    /// A private wire that the constraints to come determine; its value is a hint.
    pub fn wire(&mut self, value: Fr) -> Num {
        let wire = Wire::try_from(self.values.len()).expect("far fewer than 2^32 wires");
        self.values.push(value);
        let terms = match self.shape {
            Some(_) => vec![(wire, Fr::one())],
            None => Vec::new(),
        };
        Num {
            terms,
            constant: Fr::ZERO,
            value,
            is_constant: false,
        }
    }

    /// Requires a · b = c.
    pub fn constrain(&mut self, a: &Num, b: &Num, c: &Num) {
        if let Some(shape) = &mut self.shape {
            shape.constraints.push(Constraint {
                a: a.to_terms(),
                b: b.to_terms(),
                c: c.to_terms(),
            });
        }
    }

    /// Requires a · b = c, c being computed only where constraints are collected.
    pub fn constrain_to(&mut self, a: &Num, b: &Num, c: impl FnOnce() -> Num) {
        if self.shape.is_some() {
            self.constrain(a, b, &c());
        }
    }

    /// Ties a public wire that no other constraint has to the proof, by wire · 0 = 0.
    ///
    /// Its polynomial is then independent of all private wires' polynomials, so that nobody can turn a proof into one for
    /// another value (Baghery and others, "Another Look at Extraction and Randomization of Groth's zk-SNARK", 2020). Setups
    /// add such rows for every public wire, but the circuit must not hang on that. A square would stay true for the negative;
    /// a private copy would be worse than nothing: its own term in the key lets anyone shift both.
    pub fn bind(&mut self, public: &Num) {
        self.constrain(public, &Num::zero(), &Num::zero());
    }

    /// Requires a = b.
    pub fn equal(&mut self, a: &Num, b: &Num) {
        self.constrain(&(a - b), &Num::one(), &Num::zero());
    }

    /// a · b, which is free where one of them is a constant.
    pub fn multiply(&mut self, a: &Num, b: &Num) -> Num {
        match (a.is_constant, b.is_constant) {
            (true, _) => b.scale(a.value),
            (_, true) => a.scale(b.value),
            _ => {
                let product = self.wire(a.value * b.value);
                self.constrain(a, b, &product);
                product
            }
        }
    }

    /// A wire that equals `num`: a long sum becomes one term, for one constraint.
    pub fn settle(&mut self, num: &Num) -> Num {
        let wire = self.wire(num.value);
        self.equal(num, &wire);
        wire
    }

    /// Says why the constraints determine a wire although a division by what may look like zero, or the like, stands between: a
    /// determinism check takes the wire for determined, and lists the reason.
    ///
    /// # Panics
    /// For a sum of wires.
    pub fn because(&mut self, wire: &Num, reason: &'static str) {
        if let Some(shape) = &mut self.shape {
            assert_eq!(wire.terms.len(), 1, "one wire");
            shape.reasons.push((wire.terms[0].0, reason));
        }
    }

    /// Names what follows, in reports about wires.
    pub fn part(&mut self, name: &'static str) {
        let wires = self.values.len();
        if let Some(shape) = &mut self.shape {
            shape.parts.push((wires, shape.constraints.len(), name));
        }
    }

    /// The constraints; empty where they were not asked for.
    pub fn into_shape(mut self) -> Shape {
        let mut shape = self.shape.take().unwrap_or_default();
        (shape.publics, shape.wires) = (self.publics, self.values.len());
        shape
    }

    pub fn into_assignment(mut self) -> Assignment {
        Assignment {
            values: std::mem::take(&mut self.values),
            publics: self.publics,
        }
    }
}

impl Drop for System {
    fn drop(&mut self) {
        self.values.zeroize();
    }
}

impl Shape {
    /// The number of the first constraint that the values do not satisfy.
    pub fn unsatisfied(&self, values: &[Fr]) -> Option<usize> {
        let dot = |terms: &Terms| -> Fr { terms.iter().map(|(wire, c)| values[*wire as usize] * c).sum() };
        self.constraints
            .iter()
            .position(|each| dot(&each.a) * dot(&each.b) != dot(&each.c))
    }

    /// The part of the description that made a constraint.
    pub fn part_of(&self, constraint: usize) -> &'static str {
        let before = self.parts.iter().take_while(|(_, first, _)| *first <= constraint);
        before.last().map_or("", |(_, _, name)| name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// x² + 3 = y, y public.
    fn square(mut system: System, x: u64, y: u64) -> System {
        let y = system.public(Fr::from(y));
        let x = system.wire(Fr::from(x));
        let squared = system.multiply(&x, &x);
        system.equal(&(&squared + &Num::constant(Fr::from(3u64))), &y);
        system
    }

    #[test]
    fn one_description_gives_constraints_and_witness() {
        let shape = square(System::with_constraints(), 0, 0).into_shape();
        assert_eq!((shape.publics, shape.wires, shape.constraints.len()), (1, 4, 2));
        let witness = square(System::witness(), 5, 28).into_assignment();
        assert_eq!(witness.publics(), [Fr::from(28u64)]);
        assert_eq!(shape.unsatisfied(witness.values()), None);
        let wrong = square(System::witness(), 5, 29).into_assignment();
        assert_eq!(shape.unsatisfied(wrong.values()), Some(1));
    }

    #[test]
    fn sums_hold_each_wire_once() {
        let mut system = System::with_constraints();
        let (x, y) = (system.wire(Fr::from(2u64)), system.wire(Fr::from(3u64)));
        let sum = &(&x + &y) + &x;
        assert_eq!(sum.terms.len(), 2);
        assert_eq!((&sum - &sum).terms, []);
        assert_eq!(sum.value(), Fr::from(7u64));
    }

    #[test]
    fn constants_fold() {
        let mut system = System::witness();
        let x = system.wire(Fr::from(2u64));
        let product = system.multiply(&x, &Num::constant(Fr::from(5u64)));
        assert_eq!((product.value(), system.values.len()), (Fr::from(10u64), 2));
        assert!(!x.is_constant() && Num::one().is_constant());
    }
}
