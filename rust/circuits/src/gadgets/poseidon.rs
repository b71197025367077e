//! circomlib's Poseidon. Three constraints a box (x², x³ = x² · x, x⁵ = x² · x³); boxes of constants fold.
//!
//! By way of x³ instead of x⁴ each box has two wires among left factors and two among right ones, where it would have three and
//! two; a prover's work on either side is by the wires there.
//!
//! Constraints of a hash of n wires: 240, 261, 297, 321, 354, 381, 402, 417, 459 for n = 2 … 10; a constant tag among them saves 3. What a hash
//! costs beside its first boxes is [`finish`]'s; callers that know an input's fifth power otherwise pay less:
//! - [`free`]: an input that stands nowhere else. x → x⁵ permutes the field (5 does not divide r − 1), so that the box's output
//!   may as well be the free wire; there is one input for each output, and no constraint.
//! - [`Powers`]: an input that stands in several hashes or positions: 4 constraints for all of them.
//! - a known one-hot choice among constants: a sum of constants.

mod layout;

use crate::Fr;
use crate::system::{Num, System};
use ark_ff::{Field, One};
use chartseal_algebra::poseidon::{self as native, MAX_INPUTS};
use layout::Layout;
use std::sync::LazyLock;

/// P(inputs).
///
/// # Panics
/// For no input or more than [`MAX_INPUTS`].
pub fn hash(system: &mut System, inputs: &[Num]) -> Num {
    if inputs.iter().all(Num::is_constant) {
        return Num::constant(native::hash(&inputs.iter().map(Num::value).collect::<Vec<_>>()));
    }
    let boxes: Vec<Num> = (0..inputs.len())
        .map(|at| boxed(system, inputs.len(), at, &inputs[at]))
        .collect();
    finish(system, &boxes, None)
}

/// Requires P(inputs) = expected: one constraint less than comparing afterwards.
pub fn hash_to(system: &mut System, inputs: &[Num], expected: &Num) {
    let boxes: Vec<Num> = (0..inputs.len())
        .map(|at| boxed(system, inputs.len(), at, &inputs[at]))
        .collect();
    finish(system, &boxes, Some(expected));
}

/// What is added to input `at` of a hash of `inputs` before its first box, which raises to the fifth power.
pub fn constant(inputs: usize, at: usize) -> Fr {
    layout(inputs).first[0][at + 1]
}

/// The first box of an input.
pub fn boxed(system: &mut System, inputs: usize, at: usize, input: &Num) -> Num {
    fifth_power(system, &shifted(input, constant(inputs, at)))
}

/// The first box of an input that stands nowhere else, as a wire that the witness brings.
pub fn free(system: &mut System, inputs: usize, at: usize, input: Fr) -> Num {
    system.input(fifth(input + constant(inputs, at)))
}

/// x, x², x³, x⁴, x⁵: the first boxes of x wherever it stands.
pub struct Powers([Num; 5]);

impl Powers {
    pub fn new(system: &mut System, x: &Num) -> Self {
        let square = system.multiply(x, x);
        let cube = system.multiply(&square, x);
        let fourth = system.multiply(&cube, x);
        let fifth = system.multiply(&fourth, x);
        Self([x.clone(), square, cube, fourth, fifth])
    }

    /// (x + c)⁵ by the binomial formula.
    pub fn boxed(&self, inputs: usize, at: usize) -> Num {
        let c = constant(inputs, at);
        let powers = [c.pow([4]), c.pow([3]), c.square(), c, Fr::one()];
        let binomials = [5u64, 10, 10, 5, 1];
        let terms = (0..5).map(|i| (powers[i] * Fr::from(binomials[i]), &self.0[i]));
        shifted(&Num::sum(terms), fifth(c))
    }
}

/// The hash from its inputs' first boxes on; a wire, or `expected`, to which it is then tied.
///
/// # Panics
/// As [`hash`].
pub fn finish(system: &mut System, boxes: &[Num], expected: Option<&Num>) -> Num {
    let layout = layout(boxes.len());
    let capacity = Num::constant(fifth(layout.first[0][0]));
    let mut state: Vec<Num> = std::iter::once(capacity).chain(boxes.iter().cloned()).collect();
    for constants in &layout.first[1..] {
        state = mixed(&layout.mds, &state);
        state = full_round(system, &state, constants);
    }
    state = mixed(&layout.mds, &state);
    state = partial_rounds(system, layout, &state);
    let (last, before) = layout.last.split_last().expect("four full rounds end it");
    for constants in before {
        state = full_round(system, &state, constants);
        state = mixed(&layout.mds, &state);
    }
    last_round(system, layout, &state, last, expected)
}

fn full_round(system: &mut System, state: &[Num], constants: &[Fr]) -> Vec<Num> {
    let each = state.iter().zip(constants);
    each.map(|(element, constant)| fifth_power(system, &shifted(element, *constant)))
        .collect()
}

fn partial_rounds(system: &mut System, layout: &Layout, state: &[Num]) -> Vec<Num> {
    let n = state.len() - 1;
    let mut wires: Vec<Num> = layout.entry.iter().map(|row| combined(row, &state[1..])).collect();
    let mut first = state[0].clone();
    for (k, round) in layout.partial.iter().enumerate() {
        let x = shifted(&first, round.constant);
        // The box's output, solved for the new wire, whose coefficient is 1.
        let window = wires[k..].iter().zip(&round.output[..n]);
        let known: Fr = window.map(|(wire, c)| wire.value() * c).sum();
        let (square, cube) = square_and_cube(system, &x);
        wires.push(system.wire(square.value() * cube.value() - known));
        system.constrain_to(&square, &cube, || combined(&round.output, &wires[k..]));
        first = combined(&round.next, &wires[k..]);
    }
    let window = &wires[layout.partial.len()..];
    let others = layout.exit.iter().map(|row| combined(row, window));
    std::iter::once(first).chain(others).collect()
}

/// Of the last round only the first element goes out: its box is solved for it.
fn last_round(system: &mut System, layout: &Layout, state: &[Num], constants: &[Fr], expected: Option<&Num>) -> Num {
    let row = &layout.mds[0];
    let others = full_round(system, &state[1..], &constants[1..]);
    let others = combined(&row[1..], &others);
    let x = shifted(&state[0], constants[0]);
    let hash = match expected {
        Some(expected) => expected.clone(),
        None => system.wire(row[0] * fifth(x.value()) + others.value()),
    };
    let (square, cube) = square_and_cube(system, &x);
    system.constrain(&square.scale(row[0]), &cube, &(&hash - &others));
    hash
}

fn mixed(matrix: &[Vec<Fr>], state: &[Num]) -> Vec<Num> {
    matrix.iter().map(|row| combined(row, state)).collect()
}

fn combined(row: &[Fr], state: &[Num]) -> Num {
    Num::sum(row.iter().copied().zip(state))
}

fn shifted(num: &Num, constant: Fr) -> Num {
    num + &Num::constant(constant)
}

fn fifth(x: Fr) -> Fr {
    x.square().square() * x
}

fn square_and_cube(system: &mut System, x: &Num) -> (Num, Num) {
    let square = system.multiply(x, x);
    let cube = system.multiply(&square, x);
    (square, cube)
}

fn fifth_power(system: &mut System, x: &Num) -> Num {
    let (square, cube) = square_and_cube(system, x);
    system.multiply(&square, &cube)
}

/// Requires x⁵ = output. Three constraints.
pub fn fifth_power_is(system: &mut System, x: &Num, output: &Num) {
    let (square, cube) = square_and_cube(system, x);
    system.constrain(&square, &cube, output);
}

fn layout(inputs: usize) -> &'static Layout {
    static LAYOUTS: [LazyLock<Layout>; MAX_INPUTS] = [
        LazyLock::new(|| Layout::new(native::rounds(1))),
        LazyLock::new(|| Layout::new(native::rounds(2))),
        LazyLock::new(|| Layout::new(native::rounds(3))),
        LazyLock::new(|| Layout::new(native::rounds(4))),
        LazyLock::new(|| Layout::new(native::rounds(5))),
        LazyLock::new(|| Layout::new(native::rounds(6))),
        LazyLock::new(|| Layout::new(native::rounds(7))),
        LazyLock::new(|| Layout::new(native::rounds(8))),
        LazyLock::new(|| Layout::new(native::rounds(9))),
        LazyLock::new(|| Layout::new(native::rounds(10))),
    ];
    assert!((1..=MAX_INPUTS).contains(&inputs), "Poseidon of {inputs} inputs");
    &LAYOUTS[inputs - 1]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gadgets::testing::{Gadget, check, random, run};
    use ark_ff::{AdditiveGroup, PrimeField};

    fn hashing(inputs: Vec<Fr>) -> impl Fn(&mut System) -> Num {
        move |system| {
            let inputs: Vec<Num> = inputs.iter().map(|input| system.input(*input)).collect();
            hash(system, &inputs)
        }
    }

    #[test]
    fn equals_the_native_hash_at_every_width() {
        let constraints = [213, 240, 261, 297, 321, 354, 381, 402, 417, 459];
        for (inputs, expected) in (1..).zip(constraints) {
            let values: Vec<Fr> = (0..inputs).map(|at| random(at as u64)).collect();
            let Gadget { shape, output, .. } = check(hashing(values.clone()));
            assert_eq!(output, native::hash(&values), "{inputs} inputs");
            assert_eq!(shape.constraints.len(), expected, "{inputs} inputs");
            for edge in [Fr::ZERO, -Fr::ONE, -constant(inputs, 0)] {
                assert_eq!(
                    check(hashing(vec![edge; inputs])).output,
                    native::hash(&vec![edge; inputs])
                );
            }
        }
    }

    #[test]
    fn every_wire_counts() {
        assert_eq!(check(hashing(vec![random(1), random(2)])).free_wires(), [0usize; 0]);
    }

    #[test]
    fn constants_fold() {
        let gadget = check(|system| {
            let inputs = [Num::constant(random(1)), system.input(random(2))];
            hash(system, &inputs)
        });
        assert_eq!(gadget.output, native::hash(&[random(1), random(2)]));
        assert_eq!(gadget.shape.constraints.len(), 237);
        let gadget = check(|system| hash(system, &[Num::one(), Num::zero()]));
        assert_eq!(gadget.output, native::hash(&[Fr::ONE, Fr::ZERO]));
        assert_eq!(gadget.shape.constraints.len(), 0);
    }

    #[test]
    fn free_inputs_and_powers_give_the_same_boxes() {
        let gadget = check(|system| {
            let x = system.input(random(3));
            let powers = Powers::new(system, &x);
            let boxes = [
                free(system, 3, 0, random(1)),
                boxed(system, 3, 1, &Num::constant(random(2))),
                powers.boxed(3, 2),
            ];
            finish(system, &boxes, None)
        });
        assert_eq!(gadget.output, native::hash(&[1, 2, 3].map(random)));
        assert_eq!(gadget.free_wires(), [0usize; 0]);
    }

    #[test]
    fn a_hash_is_tied_to_what_is_expected() {
        let tied = |expected| {
            run(move |system| {
                let (input, expected) = (system.input(random(1)), system.input(expected));
                hash_to(system, &[input], &expected);
                Num::zero()
            })
        };
        let right = tied(native::hash(&[random(1)]));
        assert_eq!(right.shape.unsatisfied(&right.values), None);
        let wrong = tied(random(1));
        assert!(wrong.shape.unsatisfied(&wrong.values).is_some());
    }

    /// Else a free wire in place of an input's fifth power could stand for no input, or for several.
    #[test]
    fn fifth_powers_permute_the_field() {
        assert!(
            (-Fr::ONE).into_bigint().0.iter().rev().fold(0, |rest, limb| {
                ((u128::from(rest) << 64 | u128::from(*limb)) % 5) as u64
            }) != 0
        );
    }

    /// Long sums would cost setup, memory and every prover.
    #[test]
    fn sums_stay_as_short_as_the_state() {
        let shape = check(hashing(vec![random(1); 4])).shape;
        let longest = shape
            .constraints
            .iter()
            .map(|each| each.a.len().max(each.b.len()).max(each.c.len()));
        assert!(longest.max().unwrap() <= 2 * 5 + 1);
    }
}
