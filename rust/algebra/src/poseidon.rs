//! circomlib's Poseidon over BN254, with partial rounds in sparse form, and fixed-depth trees of arity 4.
//!
//! Round constants and matrices are light-poseidon's. A partial round applies its S-box to the first element alone, so its
//! other constants move past it into the next round, and its dense matrix splits into a block that commutes with the next
//! S-box and a sparse rest: 2t multiplications a round instead of t². Source: Grassi and others, "Poseidon" (USENIX
//! Security 2021), appendix B; same values as the dense form, which the tests compare.

pub use ark_bn254::Fr;

use ark_ff::{BigInt, BigInteger, Field, PrimeField, Zero};
use light_poseidon::parameters::bn254_x5::get_poseidon_parameters;
use std::array::from_fn;
use std::sync::LazyLock;

/// Most inputs that [`hash`] takes: the credential's message has 10.
pub const MAX_INPUTS: usize = 10;

const HALF_FULL_ROUNDS: usize = 4;

type Matrix<const T: usize> = [[Fr; T]; T];

/// One partial round after the split: a constant for the first element, the matrix's first row and the rest of its
/// first column; what remains of it is the identity.
struct Sparse<const T: usize> {
    constant: Fr,
    row: [Fr; T],
    column: [Fr; T],
}

/// The permutation of width T, prepared once.
struct Permutation<const T: usize> {
    first: Vec<[Fr; T]>,
    partial: Vec<Sparse<T>>,
    /// What the splits leave behind, applied after the last partial round.
    carried: Matrix<T>,
    last: Vec<[Fr; T]>,
    mds: Matrix<T>,
}

/// The permutation of one width as its parts, for those who compute it otherwise than [`hash`] does.
pub struct Rounds {
    /// Constants added before the boxes of the first full rounds.
    pub first: Vec<Vec<Fr>>,
    pub partial: Vec<PartialRound>,
    /// Applied after the last partial round.
    pub carried: Vec<Vec<Fr>>,
    /// Constants added before the boxes of the last full rounds.
    pub last: Vec<Vec<Fr>>,
    /// Rows of the matrix applied after the boxes of a full round.
    pub mds: Vec<Vec<Fr>>,
}

/// The first element s goes to b = (s + `constant`)⁵; then it becomes `row` · (b, the others), and the others grow by
/// `column` · b.
pub struct PartialRound {
    pub constant: Fr,
    /// As long as the state.
    pub row: Vec<Fr>,
    /// One shorter than the state.
    pub column: Vec<Fr>,
}

impl<const T: usize> Permutation<T> {
    fn rounds(&self) -> Rounds {
        let rows = |rows: &[[Fr; T]]| rows.iter().map(|row| row.to_vec()).collect();
        let partial = self.partial.iter().map(|round| PartialRound {
            constant: round.constant,
            row: round.row.to_vec(),
            column: round.column[1..].to_vec(),
        });
        Rounds {
            first: rows(&self.first),
            partial: partial.collect(),
            carried: rows(&self.carried),
            last: rows(&self.last),
            mds: rows(&self.mds),
        }
    }

    fn new() -> Self {
        let parameters = get_poseidon_parameters::<Fr>(T as u8).expect("light-poseidon has widths 2 to 13");
        let mds: Matrix<T> = from_fn(|i| from_fn(|j| parameters.mds[i][j]));
        let mut rounds: Vec<[Fr; T]> = parameters.ark.chunks(T).map(|row| from_fn(|i| row[i])).collect();
        let last_partial = HALF_FULL_ROUNDS + parameters.partial_rounds;
        for round in HALF_FULL_ROUNDS..last_partial {
            let moved = multiply_vector(&mds, &without_first(&rounds[round]));
            rounds[round + 1] = from_fn(|i| rounds[round + 1][i] + moved[i]);
        }
        let mut carried = identity();
        let partial = rounds[HALF_FULL_ROUNDS..last_partial]
            .iter()
            .map(|constants| {
                let (block, row, column) = split(&multiply(&mds, &carried));
                carried = block;
                Sparse {
                    constant: constants[0],
                    row,
                    column,
                }
            })
            .collect();
        Self {
            first: rounds[..HALF_FULL_ROUNDS].to_vec(),
            partial,
            carried,
            last: rounds[last_partial..].to_vec(),
            mds,
        }
    }

    fn hash(&self, inputs: &[Fr]) -> Fr {
        let mut state: [Fr; T] = from_fn(|i| if i == 0 { Fr::zero() } else { inputs[i - 1] });
        for constants in &self.first {
            state = self.full_round(&state, constants);
        }
        for round in &self.partial {
            let first = fifth_power(state[0] + round.constant);
            state[0] = first;
            let mixed = dot(&round.row, &state);
            for (element, factor) in state.iter_mut().zip(&round.column).skip(1) {
                *element += *factor * first;
            }
            state[0] = mixed;
        }
        state = multiply_vector(&self.carried, &state);
        let (last, before) = self.last.split_last().expect("four full rounds end it");
        for constants in before {
            state = self.full_round(&state, constants);
        }
        dot(&self.mds[0], &boxed(&state, last)) // of the last round only the first element goes out
    }

    fn full_round(&self, state: &[Fr; T], constants: &[Fr; T]) -> [Fr; T] {
        multiply_vector(&self.mds, &boxed(state, constants))
    }
}

/// A full round's S-boxes, constants added first.
#[inline]
fn boxed<const T: usize>(state: &[Fr; T], constants: &[Fr; T]) -> [Fr; T] {
    from_fn(|i| fifth_power(state[i] + constants[i]))
}

#[inline]
fn fifth_power(x: Fr) -> Fr {
    x.square().square() * x
}

/// The sum of products, with one Montgomery reduction for all of them.
///
/// A product of elements is below r² < 2^508, so 16 of them fit 512 bits; T is at most 11.
#[inline]
fn dot<const T: usize>(left: &[Fr; T], right: &[Fr; T]) -> Fr {
    let mut sum = [0; 8];
    for (a, b) in left.iter().zip(right) {
        add_limbs(&mut sum, &wide_product(&a.0.0, &b.0.0));
    }
    reduce(sum)
}

#[inline(always)]
fn multiply_add(a: u64, b: u64, low: u64, carry: u64) -> (u64, u64) {
    let wide = u128::from(a) * u128::from(b) + u128::from(low) + u128::from(carry);
    (wide as u64, (wide >> 64) as u64)
}

#[inline(always)]
fn wide_product(a: &[u64; 4], b: &[u64; 4]) -> [u64; 8] {
    let mut product = [0; 8];
    for i in 0..4 {
        let mut carry = 0;
        for j in 0..4 {
            (product[i + j], carry) = multiply_add(a[i], b[j], product[i + j], carry);
        }
        product[i + 4] = carry;
    }
    product
}

#[inline(always)]
fn add_limbs(sum: &mut [u64; 8], addend: &[u64; 8]) {
    let mut carry = 0;
    for (limb, more) in sum.iter_mut().zip(addend) {
        let wide = u128::from(*limb) + u128::from(*more) + carry;
        (*limb, carry) = (wide as u64, wide >> 64);
    }
}

/// sum / 2^256 modulo r. Source: Montgomery (1985); what is left is below (T r + 2^256) r / 2^256.
#[inline(always)]
fn reduce(mut sum: [u64; 8]) -> Fr {
    let mut above = 0;
    for i in 0..4 {
        let factor = sum[i].wrapping_mul(Fr::INV);
        let mut carry = 0;
        for j in 0..4 {
            (sum[i + j], carry) = multiply_add(factor, Fr::MODULUS.0[j], sum[i + j], carry);
        }
        let top = u128::from(sum[i + 4]) + u128::from(carry) + u128::from(above);
        (sum[i + 4], above) = (top as u64, (top >> 64) as u64);
    }
    let mut rest = BigInt([sum[4], sum[5], sum[6], sum[7]]);
    while rest >= Fr::MODULUS {
        rest.sub_with_borrow(&Fr::MODULUS);
    }
    Fr::new_unchecked(rest)
}

fn without_first<const T: usize>(vector: &[Fr; T]) -> [Fr; T] {
    from_fn(|i| if i == 0 { Fr::zero() } else { vector[i] })
}

fn identity<const T: usize>() -> Matrix<T> {
    from_fn(|i| from_fn(|j| Fr::from(u64::from(i == j))))
}

fn multiply_vector<const T: usize>(matrix: &Matrix<T>, vector: &[Fr; T]) -> [Fr; T] {
    from_fn(|i| dot(&matrix[i], vector))
}

fn multiply<const T: usize>(left: &Matrix<T>, right: &Matrix<T>) -> Matrix<T> {
    from_fn(|i| from_fn(|j| (0..T).map(|k| left[i][k] * right[k][j]).sum()))
}

/// [[a, v], [w, B]] = [[1, 0], [0, B]] · [[a, v], [B⁻¹w, 1]]: returns the left factor, (a, v) and B⁻¹w.
fn split<const T: usize>(matrix: &Matrix<T>) -> (Matrix<T>, [Fr; T], [Fr; T]) {
    let row = matrix[0];
    let mut block = *matrix;
    block[0] = identity()[0];
    let column = from_fn(|i| matrix[i][0]);
    for line in block.iter_mut().skip(1) {
        line[0] = Fr::zero();
    }
    (block, row, solve(block, without_first(&column)))
}

/// The x of matrix · x = vector, by Gauss and Jordan. The matrices are invertible: their MDS matrix is.
fn solve<const T: usize>(mut matrix: Matrix<T>, mut vector: [Fr; T]) -> [Fr; T] {
    for pivot in 0..T {
        let row = (pivot..T)
            .find(|&row| !matrix[row][pivot].is_zero())
            .expect("an invertible matrix");
        matrix.swap(pivot, row);
        vector.swap(pivot, row);
        let inverse = matrix[pivot][pivot].inverse().expect("not zero");
        matrix[pivot] = matrix[pivot].map(|x| x * inverse);
        vector[pivot] *= inverse;
        for row in (0..T).filter(|&row| row != pivot) {
            let factor = matrix[row][pivot];
            matrix[row] = from_fn(|j| matrix[row][j] - factor * matrix[pivot][j]);
            let shift = factor * vector[pivot];
            vector[row] -= shift;
        }
    }
    vector
}

macro_rules! widths {
    ($($inputs:literal => $width:literal),+) => {
        $(impl Permutation<$width> {
            fn shared() -> &'static Self {
                static PERMUTATION: LazyLock<Permutation<$width>> = LazyLock::new(Permutation::new);
                &PERMUTATION
            }
        })+

        /// circomlib's `poseidon(inputs)`.
        ///
        /// # Panics
        /// For no input or more than [`MAX_INPUTS`]; the number is the caller's code, never its data.
        pub fn hash(inputs: &[Fr]) -> Fr {
            match inputs.len() {
                $($inputs => Permutation::<$width>::shared().hash(inputs),)+
                count => panic!("Poseidon of {count} inputs: the formats have 1 to {MAX_INPUTS}"),
            }
        }

        /// What [`hash`] of that many inputs does, from (0, inputs…) on.
        ///
        /// # Panics
        /// As [`hash`].
        pub fn rounds(inputs: usize) -> Rounds {
            match inputs {
                $($inputs => Permutation::<$width>::shared().rounds(),)+
                count => panic!("Poseidon of {count} inputs: the formats have 1 to {MAX_INPUTS}"),
            }
        }
    };
}

widths!(1 => 2, 2 => 3, 3 => 4, 4 => 5, 5 => 6, 6 => 7, 7 => 8, 8 => 9, 9 => 10, 10 => 11);

/// Roots of empty trees by depth: an empty leaf is 0.
static EMPTY: LazyLock<Vec<Fr>> = LazyLock::new(|| {
    let grow = |below: &Fr| Some(hash(&[*below; 4]));
    std::iter::successors(Some(Fr::zero()), grow)
        .take(MAX_DEPTH + 1)
        .collect()
});

/// Deepest tree of the formats.
pub const MAX_DEPTH: usize = 6;

/// Root of the tree of arity 4 and `depth` levels over `leaves`, from index 0; the others are empty.
///
/// # Panics
/// For a depth above [`MAX_DEPTH`], or more than 4^depth leaves.
pub fn tree_root(leaves: &[Fr], depth: usize) -> Fr {
    assert!(
        leaves.len() <= 1 << (2 * depth),
        "more leaves than a tree of depth {depth} holds"
    );
    let mut level = leaves.to_vec();
    for empty in &EMPTY[..depth] {
        level = level
            .chunks(4)
            .map(|nodes| hash(&from_fn::<_, 4, _>(|i| *nodes.get(i).unwrap_or(empty))))
            .collect();
    }
    level.first().copied().unwrap_or(EMPTY[depth])
}

/// The siblings of the leaf at `index` in [`tree_root`]'s tree, from the leaves up: of every level the three other nodes,
/// in their order.
///
/// # Panics
/// As [`tree_root`], and for an index outside the tree.
pub fn tree_path(leaves: &[Fr], depth: usize, index: usize) -> Vec<[Fr; 3]> {
    assert!(index < 1 << (2 * depth), "an index outside a tree of depth {depth}");
    assert!(leaves.len() <= 1 << (2 * depth), "more leaves than the tree holds");
    let (mut level, mut at) = (leaves.to_vec(), index);
    let step = |empty: &Fr| {
        let others = (0..4).filter(|digit| *digit != at % 4);
        let others: Vec<usize> = others.map(|digit| at / 4 * 4 + digit).collect();
        let siblings = from_fn(|i| *level.get(others[i]).unwrap_or(empty));
        level = level
            .chunks(4)
            .map(|nodes| hash(&from_fn::<_, 4, _>(|i| *nodes.get(i).unwrap_or(empty))))
            .collect();
        at /= 4;
        siblings
    };
    EMPTY[..depth].iter().map(step).collect()
}

/// The root that a leaf and its path give.
///
/// # Panics
/// For an index outside the tree of that path.
pub fn root_of_path(leaf: Fr, index: usize, path: &[[Fr; 3]]) -> Fr {
    assert!(index < 1 << (2 * path.len()), "an index outside the tree");
    let mut node = leaf;
    for (level, siblings) in path.iter().enumerate() {
        let digit = index >> (2 * level) & 3;
        node = hash(&from_fn::<_, 4, _>(|i| match i.cmp(&digit) {
            std::cmp::Ordering::Less => siblings[i],
            std::cmp::Ordering::Equal => node,
            std::cmp::Ordering::Greater => siblings[i - 1],
        }));
    }
    node
}

#[cfg(test)]
mod tests {
    use super::*;
    use light_poseidon::{Poseidon, PoseidonHasher};

    fn inputs(count: usize, salt: u64) -> Vec<Fr> {
        (0..count as u64)
            .map(|i| hash(&[Fr::from(i), Fr::from(salt)]))
            .collect()
    }

    #[test]
    fn equals_light_poseidon_at_every_width() {
        for count in 1..=MAX_INPUTS {
            for salt in 0..20 {
                let inputs = inputs(count, salt);
                let expected = Poseidon::<Fr>::new_circom(count).unwrap().hash(&inputs).unwrap();
                assert_eq!(hash(&inputs), expected, "{count} inputs");
            }
        }
    }

    /// Source: circomlibjs 0.1.7, test/poseidon.js.
    #[test]
    fn equals_circomlib() {
        let numbers = |range: std::ops::RangeInclusive<u64>| range.map(Fr::from).collect::<Vec<_>>();
        let one_two = "7853200120776062878684798364095072458815029376092732009249414926327459813530";
        assert_eq!(hash(&numbers(1..=2)).to_string(), one_two);
        let one_to_four = "18821383157269793795438455681495246036402687001665670618754263018637548127333";
        assert_eq!(hash(&numbers(1..=4)).to_string(), one_to_four);
    }

    #[test]
    fn empty_subtrees_are_trees_of_zeros() {
        let leaves = inputs(5, 1);
        let mut filled = leaves.clone();
        filled.resize(64, Fr::zero());
        assert_eq!(tree_root(&leaves, 3), tree_root(&filled, 3));
        assert_eq!(tree_root(&[], 3), tree_root(&[Fr::zero(); 64], 3));
        assert_ne!(tree_root(&leaves, 3), tree_root(&leaves[..4], 3));
    }

    #[test]
    fn paths_lead_to_the_root() {
        let leaves = inputs(7, 1);
        let root = tree_root(&leaves, 3);
        for index in [0, 3, 6, 7] {
            let leaf = leaves.get(index).copied().unwrap_or_default();
            let path = tree_path(&leaves, 3, index);
            assert_eq!(root_of_path(leaf, index, &path), root);
            assert_ne!(root_of_path(leaf + Fr::from(1u64), index, &path), root);
            assert_ne!(root_of_path(leaf, index ^ 1, &path), root, "{index}");
        }
    }

    #[test]
    #[should_panic(expected = "more leaves")]
    fn a_leaf_too_many_is_refused() {
        tree_root(&[Fr::zero(); 65], 3);
    }

    #[test]
    #[should_panic(expected = "0 inputs")]
    fn nothing_is_not_hashed() {
        hash(&[]);
    }
}
