//! Every wire of every circuit follows from the public inputs and what the witness brings: nothing is the prover's to
//! choose.
//!
//! Starting from these, wires are taken for determined by
//! - **linear**: a constraint whose only unknown wire has a constant factor that is not zero;
//! - **inverse**: known · w = a constant that is not zero, which refuses a known zero;
//! - **bits**: unknown wires that are shown to be bits and stand in a known sum with distinct powers of two that does not
//!   wrap; the sum's lowest bit may be the remainder, itself shown to be a bit;
//! - **reasons**: known · w = known, or bits whose sum may wrap, where the description gives a reason
//!   ([`System::because`]); all of these are listed here, by circuit.
//!
//! Assertions about what is known determine nothing, and their absence shows nowhere here: see `mutation.rs` and the
//! gadgets' failing witnesses.
//!
//! [`System::because`]: chartseal_circuits::system::System::because

use ark_ff::{AdditiveGroup, Field, PrimeField};
use chartseal_circuits::gadgets::curve::reasons::{CHORD, COMPLETE, FORMS, SECOND_CHORD, TANGENT};
use chartseal_circuits::gadgets::scalar::CANONICAL;
use chartseal_circuits::system::{Constraint, Shape, System, Terms, Wire};
use chartseal_circuits::{Circuit, Fr};
use std::collections::{BTreeMap, HashMap, HashSet};

/// What is known of a shape's wires.
struct Knowledge<'a> {
    shape: &'a Shape,
    /// By number of constraint; an omitted one has nothing to say.
    omitted: Option<usize>,
    reasons: HashMap<Wire, &'static str>,
    touching: Vec<Vec<usize>>,
    is_bit: Vec<bool>,
    is_known: Vec<bool>,
    /// Wires taken for known by their reasons, and which constraint told of each wire.
    reasoned: BTreeMap<&'static str, usize>,
    told_by: Vec<Option<usize>>,
    powers: HashMap<Fr, usize>,
}

fn constant(terms: &Terms) -> Option<Fr> {
    match &terms[..] {
        [] => Some(Fr::ZERO),
        [(0, value)] => Some(*value),
        _ => None,
    }
}

/// The wire of a single term of coefficient one.
fn single(terms: &Terms) -> Option<usize> {
    match &terms[..] {
        [(wire, factor)] if *wire != 0 && *factor == Fr::ONE => Some(*wire as usize),
        _ => None,
    }
}

fn scaled(terms: &Terms, factor: Fr) -> BTreeMap<Wire, Fr> {
    terms.iter().map(|(wire, c)| (*wire, *c * factor)).collect()
}

/// left + factor · right, without zeros.
fn added(left: &Terms, factor: Fr, right: &Terms) -> BTreeMap<Wire, Fr> {
    let mut sum = scaled(left, Fr::ONE);
    for (wire, c) in right {
        *sum.entry(*wire).or_insert(Fr::ZERO) += *c * factor;
    }
    sum.retain(|_, c| *c != Fr::ZERO);
    sum
}

impl<'a> Knowledge<'a> {
    fn new(shape: &'a Shape, publics: impl IntoIterator<Item = usize>, omitted: Option<usize>) -> Self {
        let mut touching = vec![Vec::new(); shape.wires];
        for (at, constraint) in shape.constraints.iter().enumerate() {
            wires(constraint)
                .into_iter()
                .for_each(|wire| touching[wire as usize].push(at));
        }
        let mut is_known = vec![false; shape.wires];
        is_known[0] = true;
        publics.into_iter().for_each(|public| is_known[1 + public] = true);
        shape.inputs.iter().for_each(|wire| is_known[*wire as usize] = true);
        let two = Fr::from(2u64);
        let mut knowledge = Self {
            shape,
            omitted,
            reasons: shape.reasons.iter().copied().collect(),
            touching,
            is_bit: vec![false; shape.wires],
            is_known,
            reasoned: BTreeMap::new(),
            told_by: vec![None; shape.wires],
            powers: (0..254).map(|power| (two.pow([power as u64]), power)).collect(),
        };
        knowledge.find_bits();
        knowledge.propagate();
        knowledge
    }

    /// b · (b − 1) = 0; b · (1 − m − b) = 0 for a bit m; m · n = b for bits m and n.
    fn find_bits(&mut self) {
        let mut pending: Vec<usize> = (0..self.shape.constraints.len()).rev().collect();
        while let Some(at) = pending.pop() {
            if Some(at) == self.omitted {
                continue;
            }
            if let Some(bit) = self.bit_of(&self.shape.constraints[at]) {
                self.is_bit[bit] = true;
                pending.extend(&self.touching[bit]);
            }
        }
    }

    /// A wire that a constraint shows to be a bit, and that was not known for one.
    fn bit_of(&self, constraint: &Constraint) -> Option<usize> {
        let sides = [(&constraint.a, &constraint.b), (&constraint.b, &constraint.a)];
        let zero = constant(&constraint.c) == Some(Fr::ZERO);
        let own = sides.into_iter().find_map(|(one, other)| {
            let wire = single(one)?;
            (zero && self.is_other_factor(wire, other)).then_some(wire)
        });
        let product = || {
            let factors = [single(&constraint.a)?, single(&constraint.b)?];
            factors
                .iter()
                .all(|wire| self.is_bit[*wire])
                .then(|| single(&constraint.c))?
        };
        own.or_else(product).filter(|bit| !self.is_bit[*bit])
    }

    /// ±(1 − b), or ±(1 − m − b) for a bit m.
    fn is_other_factor(&self, wire: usize, terms: &Terms) -> bool {
        let Some((_, constant)) = terms.first().filter(|(first, _)| *first == 0) else {
            return false;
        };
        let unit = *constant == Fr::ONE || *constant == -Fr::ONE;
        let rest = &terms[1..];
        let opposite = rest.iter().all(|(_, factor)| *factor == -*constant);
        let bits = rest
            .iter()
            .all(|(each, _)| *each as usize == wire || self.is_bit[*each as usize]);
        unit && opposite && bits && rest.len() <= 2 && rest.iter().any(|(each, _)| *each as usize == wire)
    }

    fn propagate(&mut self) {
        let mut pending: Vec<usize> = (0..self.shape.constraints.len()).rev().collect();
        while let Some(at) = pending.pop() {
            if Some(at) == self.omitted {
                continue;
            }
            for wire in self.told(&self.shape.constraints[at]) {
                self.is_known[wire as usize] = true;
                self.told_by[wire as usize] = Some(at);
                pending.extend(&self.touching[wire as usize]);
            }
        }
    }

    /// The wires that a constraint determines by what is known.
    fn told(&mut self, constraint: &Constraint) -> Vec<Wire> {
        let unknown = |terms: &Terms| terms.iter().any(|(wire, _)| !self.is_known[*wire as usize]);
        let (in_a, in_b, in_c) = (unknown(&constraint.a), unknown(&constraint.b), unknown(&constraint.c));
        match (in_a, in_b, in_c) {
            (false, false, false) => Vec::new(),
            (false, false, true) => self.by_sum(scaled(&constraint.c, Fr::ONE)),
            (true, false, _) => self.by_product(&constraint.a, &constraint.b, &constraint.c),
            (false, true, _) => self.by_product(&constraint.b, &constraint.a, &constraint.c),
            (true, true, false) => self.by_remainder(constraint),
            (true, true, true) => Vec::new(),
        }
    }

    /// unknown · known = c.
    fn by_product(&mut self, unknown: &Terms, known: &Terms, c: &Terms) -> Vec<Wire> {
        match (constant(known), constant(c)) {
            (Some(factor), _) if factor == Fr::ZERO => self.by_sum(scaled(c, Fr::ONE)),
            (Some(factor), _) => self.by_sum(added(c, -factor, unknown)),
            (None, Some(product)) if product != Fr::ZERO => self.by_sum(scaled(unknown, Fr::ONE)),
            (None, _) => self.by_quotient(unknown, c),
        }
    }

    /// unknown · known = c, where a reason says that the known factor is not zero, or is not the unknown's in c.
    fn by_quotient(&mut self, unknown: &Terms, c: &Terms) -> Vec<Wire> {
        let wires: HashSet<Wire> = unknown.iter().chain(c).map(|(wire, _)| *wire).collect();
        let unknown: Vec<Wire> = wires
            .into_iter()
            .filter(|wire| !self.is_known[*wire as usize])
            .collect();
        match &unknown[..] {
            [wire] => self.by_reason(&[*wire]),
            _ => Vec::new(),
        }
    }

    /// A sum whose value is known to be one.
    fn by_sum(&mut self, terms: BTreeMap<Wire, Fr>) -> Vec<Wire> {
        let unknown: Vec<(Wire, Fr)> = terms
            .into_iter()
            .filter(|(wire, _)| !self.is_known[*wire as usize])
            .collect();
        match &unknown[..] {
            [(wire, _)] => vec![*wire],
            _ => self.by_bits(&unknown, &[]),
        }
    }

    /// x · (x − k) = 0 for k = ±1, x being known less bits: then x is k times a bit that is no wire.
    fn by_remainder(&mut self, constraint: &Constraint) -> Vec<Wire> {
        let (a, b) = (&constraint.a, &constraint.b);
        let difference = [added(a, -Fr::ONE, b), added(a, Fr::ONE, b)];
        let ends = difference
            .iter()
            .filter(|rest| rest.len() == 1)
            .filter_map(|rest| rest.get(&0));
        let end = ends.copied().find(|end| *end == Fr::ONE || *end == -Fr::ONE);
        let Some(end) = end.filter(|_| constant(&constraint.c) == Some(Fr::ZERO)) else {
            return Vec::new();
        };
        let is_unknown = |(wire, _): &(Wire, Fr)| !self.is_known[*wire as usize];
        let unknown: Vec<(Wire, Fr)> = a.iter().copied().filter(is_unknown).collect();
        self.by_bits(&unknown, &[-end])
    }

    /// Bits in a known sum with distinct powers of two, `also` being the coefficients of further bits that are no wires.
    fn by_bits(&mut self, unknown: &[(Wire, Fr)], also: &[Fr]) -> Vec<Wire> {
        if unknown.is_empty() || !unknown.iter().all(|(wire, _)| self.is_bit[*wire as usize]) {
            return Vec::new();
        }
        let factors: Vec<Fr> = unknown
            .iter()
            .map(|(_, factor)| *factor)
            .chain(also.iter().copied())
            .collect();
        let wires: Vec<Wire> = unknown.iter().map(|(wire, _)| *wire).collect();
        match factors.iter().find_map(|lowest| self.exponents(&factors, *lowest)) {
            Some(powers) if does_not_wrap(&powers) => wires,
            Some(_) => self.by_reason(&wires),
            None => Vec::new(),
        }
    }

    /// The powers of two that the factors are, as multiples of one of them; none unless they are distinct.
    fn exponents(&self, factors: &[Fr], lowest: Fr) -> Option<HashSet<usize>> {
        let inverse = lowest.inverse()?;
        let powers = factors
            .iter()
            .map(|factor| self.powers.get(&(*factor * inverse)).copied());
        let powers: HashSet<usize> = powers.collect::<Option<_>>()?;
        (powers.len() == factors.len()).then_some(powers)
    }

    fn by_reason(&mut self, wires: &[Wire]) -> Vec<Wire> {
        let reasons: Option<Vec<&'static str>> = wires.iter().map(|wire| self.reasons.get(wire).copied()).collect();
        let Some(reasons) = reasons else { return Vec::new() };
        reasons
            .into_iter()
            .for_each(|reason| *self.reasoned.entry(reason).or_default() += 1);
        wires.to_vec()
    }

    fn undetermined(&self) -> Vec<usize> {
        (0..self.shape.wires).filter(|wire| !self.is_known[*wire]).collect()
    }
}

fn wires(constraint: &Constraint) -> HashSet<Wire> {
    let terms = constraint.a.iter().chain(&constraint.b).chain(&constraint.c);
    terms.map(|(wire, _)| *wire).collect()
}

/// Whether the sum of these powers of two is below r.
fn does_not_wrap(powers: &HashSet<usize>) -> bool {
    let mut bits = [false; 254];
    powers.iter().for_each(|power| bits[*power] = true);
    let sum: ark_ff::BigInt<4> = ark_ff::BigInteger::from_bits_le(&bits);
    sum < Fr::MODULUS
}

fn knowledge(shape: &Shape) -> Knowledge<'_> {
    Knowledge::new(shape, 0..shape.publics, None)
}

/// Wires of each circuit that are determined for a reason and not by a rule.
fn listed(circuit: Circuit) -> BTreeMap<&'static str, usize> {
    // A multiple of B8: 124 sums, one change of form, one complete sum.
    let fixed = [(CHORD, 124), (FORMS, 2), (COMPLETE, 2)];
    // A signature: the challenge's bits; 2·A and 4·A; 4·A in Montgomery form, 127 windows and a tripling; S·B8 + 4·A.
    let signature = [
        (CANONICAL, 254),
        (COMPLETE, 6),
        (FORMS, 4),
        (CHORD, 128),
        (TANGENT, 127),
        (SECOND_CHORD, 127),
    ];
    let parts: Vec<(&str, usize)> = match circuit {
        Circuit::Holder => fixed.to_vec(),
        Circuit::Linked1 | Circuit::Linked4 => Vec::new(),
        Circuit::Anonymous1 | Circuit::Anonymous4 => [&fixed[..], &fixed, &signature].concat(),
    };
    let mut listed = BTreeMap::new();
    parts
        .into_iter()
        .for_each(|(reason, count)| *listed.entry(reason).or_default() += count);
    listed
}

#[test]
fn every_wire_is_determined_or_listed() {
    for circuit in Circuit::ALL {
        let shape = circuit.shape();
        let knowledge = knowledge(shape);
        let undetermined = knowledge.undetermined();
        let parts: Vec<_> = undetermined
            .iter()
            .map(|wire| (*wire, part_of_wire(shape, *wire)))
            .take(20)
            .collect();
        assert!(
            undetermined.is_empty(),
            "{}: {} wires, {parts:?}",
            circuit.name(),
            undetermined.len()
        );
        assert_eq!(knowledge.reasoned, listed(circuit), "{}", circuit.name());
        assert_eq!(
            shape.reasons.len(),
            listed(circuit).values().sum::<usize>(),
            "no reason is idle"
        );
    }
}

fn part_of_wire(shape: &Shape, wire: usize) -> &'static str {
    let before = shape.parts.iter().take_while(|(first, _, _)| *first <= wire);
    before.last().map_or("", |(_, _, name)| name)
}

/// The public inputs that are no results: scope, context, time.
fn given(circuit: Circuit) -> impl Iterator<Item = usize> {
    let is_given = |name: &str| ["now", "scope", "context"].contains(&name);
    let publics = circuit.publics().iter().enumerate();
    publics.filter(move |(_, name)| is_given(name)).map(|(at, _)| at)
}

/// Nullifier, pseudonym, policy's hash and roots follow from what is private and from scope, context and time.
#[test]
fn public_results_follow() {
    for circuit in Circuit::ALL {
        let undetermined = Knowledge::new(circuit.shape(), given(circuit), None).undetermined();
        assert!(
            undetermined.is_empty(),
            "{}: {} wires",
            circuit.name(),
            undetermined.len()
        );
    }
}

/// Without a constraint that told of a wire some wire is free: there are no more constraints than it takes, but for
/// assertions. What verifiers know otherwise is taken for unknown, since a hash whose value is known tells of one of its
/// wires twice.
#[test]
fn a_missing_constraint_shows() {
    for (circuit, every) in [(Circuit::Holder, 7), (Circuit::Linked1, 29), (Circuit::Anonymous1, 151)] {
        let shape = circuit.shape();
        let full = Knowledge::new(shape, given(circuit), None);
        let telling: HashSet<usize> = full.told_by.iter().flatten().copied().collect();
        let mut telling: Vec<usize> = telling.into_iter().collect();
        telling.sort_unstable();
        let sample = telling.iter().step_by(every);
        let unnoticed: Vec<&'static str> = sample
            .filter(|at| {
                Knowledge::new(shape, given(circuit), Some(**at))
                    .undetermined()
                    .is_empty()
            })
            .map(|at| shape.part_of(*at))
            .collect();
        assert_eq!(unnoticed, [""; 0], "{}", circuit.name());
    }
}

/// A bit less, a divisor without a reason, bits that are none: each is found.
#[test]
fn what_is_free_is_found() {
    let free = |describe: fn(&mut System)| {
        let mut system = System::with_constraints();
        describe(&mut system);
        knowledge(&system.into_shape()).undetermined().len()
    };
    assert_eq!(free(|system| drop(system.wire(Fr::ONE))), 1);
    // Bits that nothing shows to be bits.
    let sum = |system: &mut System, are_bits: bool, count: usize| {
        use chartseal_circuits::system::Num;
        let num = system.input(Fr::from(5u64));
        let bits: Vec<Num> = (0..count).map(|_| system.wire(Fr::ONE)).collect();
        for bit in bits.iter().filter(|_| are_bits) {
            chartseal_circuits::gadgets::bits::boolean(system, bit);
        }
        let sum = chartseal_circuits::gadgets::bits::sum(&bits);
        system.equal(&sum, &num);
    };
    let counted = |are_bits, count| {
        let mut system = System::with_constraints();
        sum(&mut system, are_bits, count);
        knowledge(&system.into_shape()).undetermined().len()
    };
    assert_eq!([counted(true, 8), counted(true, 253)], [0, 0]);
    assert_eq!([counted(false, 8), counted(true, 254)], [8, 254]);
    // A quotient without a reason.
    let quotient = |system: &mut System| {
        let (x, y) = (system.input(Fr::ONE), system.input(Fr::ONE));
        let wire = system.wire(Fr::ONE);
        system.constrain(&wire, &x, &y);
    };
    assert_eq!(free(quotient), 1);
    // A root of a known square.
    let root = |system: &mut System| {
        let square = system.input(Fr::ONE);
        let wire = system.wire(Fr::ONE);
        system.constrain(&wire, &wire, &square);
    };
    assert_eq!(free(root), 1);
}
