//! Poseidon's partial rounds with every box's input and output a sum of about as many wires as the state is wide.
//!
//! A partial round k has one box: x → y = x⁵. The rest of the state, n elements h, grows by `column`ₖ · y. With a wire for y,
//! h and with it every later x would be a sum over all rounds so far. Instead round k gets the wire wₖ = uₖ · hₖ₊₁, where uₖ is
//! 1 on `column`ₖ and 0 on the next n − 1 columns. So wₖ is also uₖ · h for the n − 1 rounds to come, and h in round k is a fixed
//! combination of the n wires wₖ₋ₙ … wₖ₋₁; y = wₖ − uₖ · hₖ and the next x are sums of those n wires and wₖ.

use crate::Fr;
use ark_ff::{AdditiveGroup, Field, One, Zero};
use chartseal_algebra::poseidon::{PartialRound, Rounds};

type Vector = Vec<Fr>;
type Matrix = Vec<Vector>;

/// Coefficients over the window of n wires and the round's own, n + 1 in all.
pub struct Partial {
    /// Of the box's output.
    pub output: Vector,
    /// Of the first element after the round, without a constant.
    pub next: Vector,
    /// The constant added to the first element before the box.
    pub constant: Fr,
}

/// The rounds of one width.
pub struct Layout {
    /// Constants before each of the first full rounds' boxes.
    pub first: Vec<Vector>,
    pub mds: Matrix,
    /// The first window from the state, its first element left out.
    pub entry: Matrix,
    pub partial: Vec<Partial>,
    /// The state after the partial rounds, its first element left out, from the last window.
    pub exit: Matrix,
    /// Constants before each of the last full rounds' boxes.
    pub last: Vec<Vector>,
}

impl Layout {
    pub fn new(rounds: Rounds) -> Self {
        let columns: Vec<&Vector> = rounds.partial.iter().map(|round| &round.column).collect();
        let n = columns[0].len();
        let mut window: Matrix = columns[..n].iter().map(|&column| column.clone()).collect();
        let entry = inverse(&transposed(&window));
        let mut duals = entry.clone();
        let mut partial = Vec::with_capacity(rounds.partial.len());
        for (k, round) in rounds.partial.iter().enumerate() {
            partial.push(round_of(round, &duals[0], &window));
            window = moved_on(&window, &duals[0], &round.column);
            // After the last round any column does, so long as the functionals stay independent.
            duals = next_duals(&duals, columns[(k + n) % columns.len()]);
        }
        let carried = rounds.carried[1..].iter();
        let exit = carried.map(|row| window.iter().map(|w| dot(&row[1..], w)).collect());
        Self {
            exit: exit.collect(),
            first: rounds.first,
            mds: rounds.mds,
            entry,
            partial,
            last: rounds.last,
        }
    }
}

/// y = w − u · h, and the next first element, row · (y, h), where h = Σ window · wires.
fn round_of(round: &PartialRound, dual: &[Fr], window: &[Vector]) -> Partial {
    let known: Vector = window.iter().map(|w| dot(dual, w)).collect();
    let output = known.iter().map(|k| -*k).chain([Fr::one()]).collect();
    let rest = window.iter().zip(&known);
    let rest = rest.map(|(w, k)| dot(&round.row[1..], w) - round.row[0] * k);
    Partial {
        next: rest.chain([round.row[0]]).collect(),
        output,
        constant: round.constant,
    }
}

/// h + column · (w − u · h) over the next window: the oldest wire's vector was a multiple of the column, and drops out.
fn moved_on(window: &[Vector], dual: &[Fr], column: &[Fr]) -> Matrix {
    let without = |w: &Vector| -> Vector {
        let factor = dot(dual, w);
        w.iter().zip(column).map(|(x, c)| *x - factor * c).collect()
    };
    window[1..].iter().map(without).chain([column.to_vec()]).collect()
}

/// From the dual basis of columns k … k + n − 1 to that of columns k + 1 … k + n.
fn next_duals(duals: &[Vector], column: &[Fr]) -> Matrix {
    let along: Vector = duals.iter().map(|dual| dot(dual, column)).collect();
    let inverse = along[0].inverse().expect("n + 1 columns in general position");
    let last: Vector = duals[0].iter().map(|x| *x * inverse).collect();
    let shifted = duals[1..].iter().zip(&along[1..]);
    let shifted = shifted.map(|(dual, a)| dual.iter().zip(&last).map(|(x, l)| *x - *a * l).collect());
    shifted.chain([last.clone()]).collect()
}

fn dot(left: &[Fr], right: &[Fr]) -> Fr {
    left.iter().zip(right).map(|(a, b)| *a * b).sum()
}

fn transposed(matrix: &[Vector]) -> Matrix {
    (0..matrix.len())
        .map(|i| matrix.iter().map(|row| row[i]).collect())
        .collect()
}

/// By Gauss and Jordan.
fn inverse(matrix: &[Vector]) -> Matrix {
    let n = matrix.len();
    let unit = |i| (0..n).map(move |j| Fr::from(u64::from(i == j)));
    let mut rows: Matrix = (0..n)
        .map(|i| matrix[i].iter().copied().chain(unit(i)).collect())
        .collect();
    for pivot in 0..n {
        let row = (pivot..n).find(|&row| !rows[row][pivot].is_zero());
        rows.swap(pivot, row.expect("independent columns"));
        let scale = rows[pivot][pivot].inverse().expect("not zero");
        rows[pivot].iter_mut().for_each(|x| *x *= scale);
        let line = rows[pivot].clone();
        for (at, row) in rows.iter_mut().enumerate().filter(|(at, _)| *at != pivot) {
            let factor = std::mem::replace(&mut row[pivot], Fr::ZERO);
            debug_assert_ne!(at, pivot);
            for (x, l) in row.iter_mut().zip(&line).skip(pivot + 1) {
                *x -= factor * l;
            }
        }
    }
    rows.into_iter().map(|row| row[n..].to_vec()).collect()
}
