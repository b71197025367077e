//! Baby Jubjub: points in two forms, their sums, and what each sum takes for granted.
//!
//! Edwards form a·x² + y² = 1 + d·x²·y², a = 168700, d = 168696: **complete** sums of 6 constraints. a is a square and d is
//! not, so that their denominators are zero for no two points of the curve (Bernstein, Birkner, Joye, Lange, Peters,
//! "Twisted Edwards curves", 2008, section 6); neither is one of a doubling, being the same denominators.
//!
//! Montgomery form v² = u³ + A·u² + u, A = 168698: **incomplete** sums of 3 constraints. Of P + Q the slope λ is
//! λ·(u_Q − u_P) = v_Q − v_P, hence
//! - P = −Q ≠ Q: 0 = 2·v_Q, which no λ satisfies: the sum would be the identity, which has no such form;
//! - P = Q: 0 = 0, which every λ satisfies, and the sum is whatever the prover likes. **Callers show P ≠ Q.**
//!
//! Of 2·P it is λ·2·v = 3·u² + 2·A·u + 1, which no λ satisfies where v = 0: the only such point of the curve is (0, 0), of
//! order 2, where the right side is 1 (the others would need A² − 4 = a·d to be a square). So sums of points of the curve
//! are points of the curve, and right, wherever P ≠ Q.
//!
//! (x, y) ↔ (u, v): u = (1 + y)/(1 − y), v = u/x. The identity and (0, −1), of order 2, have no u and v here:
//! [`Edwards::to_montgomery`] refuses both, [`Montgomery::to_edwards`] takes points other than (0, 0), which callers show.
//! u = −1 is on no point, since A − 2 = d is not a square; y = 1 and x = 0 are the identity's or (0, −1)'s alone.
//!
//! Sources: circomlib's babyjub.circom and montgomery.circom for the forms and their map.

use super::scalar::require_not_zero;
use crate::system::{Num, System};
use ark_bn254::Fr;
use ark_ec::twisted_edwards::{MontCurveConfig, TECurveConfig};
use ark_ff::{AdditiveGroup, Field};
use taceo_ark_babyjubjub::EdwardsConfig;

const A: Fr = <EdwardsConfig as TECurveConfig>::COEFF_A;
const D: Fr = EdwardsConfig::COEFF_D;
const MONTGOMERY_A: Fr = <EdwardsConfig as MontCurveConfig>::COEFF_A;

/// Why a quotient's divisor is not zero, for determinism checks.
pub mod reasons {
    pub const COMPLETE: &str = "complete sums: their denominators are zero for no points of the curve";
    pub const CHORD: &str = "slope of a chord: callers show P ≠ Q, and P = −Q has none";
    pub const SECOND_CHORD: &str = "slope of a second chord: P + Q ≠ P, and P + Q = −P has none";
    pub const TANGENT: &str = "slope of a tangent: v = 0 has none";
    pub const FORMS: &str = "a point's other form: x, y − 1, v and u + 1 are zero for refused points alone";
}

/// A quotient for a hint: zero where there is none, so that constraints say so.
fn quotient(dividend: Fr, divisor: Fr) -> Fr {
    dividend * divisor.inverse().unwrap_or(Fr::ZERO)
}

/// (x, y).
#[derive(Clone)]
pub struct Edwards {
    pub x: Num,
    pub y: Num,
}

/// x·y, x², y² of a point.
struct Squares {
    product: Num,
    x: Num,
    y: Num,
}

impl Edwards {
    /// Two wires, which nothing constrains yet.
    pub fn wires(system: &mut System, (x, y): (Fr, Fr)) -> Self {
        Self {
            x: system.wire(x),
            y: system.wire(y),
        }
    }

    /// Wires of a complete sum.
    fn quotients(system: &mut System, hint: (Fr, Fr)) -> Self {
        let sum = Self::wires(system, hint);
        system.because(&sum.x, reasons::COMPLETE);
        system.because(&sum.y, reasons::COMPLETE);
        sum
    }

    /// The sum, for any two points of the curve. Cost: 6.
    pub fn add(&self, system: &mut System, other: &Self) -> Self {
        let (p, q) = ((self.x.value(), self.y.value()), (other.x.value(), other.y.value()));
        let (across, along) = (p.0 * q.1 + p.1 * q.0, p.1 * q.1 - A * p.0 * q.0);
        let cross = D * p.0 * p.1 * q.0 * q.1;
        let hint = (quotient(across, Fr::ONE + cross), quotient(along, Fr::ONE - cross));
        let sum = Self::quotients(system, hint);
        self.add_to(system, other, &sum);
        sum
    }

    /// Requires `sum` to be the sum, for any two points of the curve; that `sum` is on the curve follows. Cost: 6.
    ///
    /// Of (β, γ) = (x₁·y₂, y₁·x₂): x₃·(1 + d·β·γ) = β + γ and y₃·(1 − d·β·γ) = (y₁ − a·x₁)·(x₂ + y₂) + a·β − γ.
    pub fn add_to(&self, system: &mut System, other: &Self, sum: &Self) {
        let beta = system.multiply(&self.x, &other.y);
        let gamma = system.multiply(&self.y, &other.x);
        let slant = Num::sum([(Fr::ONE, &self.y), (-A, &self.x)]);
        let delta = system.multiply(&slant, &(&other.x + &other.y));
        let cross = &system.multiply(&beta, &gamma) * D;
        system.constrain(&(&Num::one() + &cross), &sum.x, &(&beta + &gamma));
        let along = Num::sum([(Fr::ONE, &delta), (A, &beta), (-Fr::ONE, &gamma)]);
        system.constrain(&(&Num::one() - &cross), &sum.y, &along);
    }

    /// −P.
    pub fn negate(&self) -> Self {
        Self {
            x: -&self.x,
            y: self.y.clone(),
        }
    }

    /// 2·P of a point of the curve. Cost: 5.
    pub fn double(&self, system: &mut System) -> Self {
        let squares = self.squares(system);
        Self::double_of(system, &squares)
    }

    /// Proves the point to be on the curve, and gives 2·P. Cost: 6.
    pub fn checked_double(&self, system: &mut System) -> Self {
        let squares = self.squares(system);
        squares.require_on_curve(system);
        Self::double_of(system, &squares)
    }

    /// Proves the point to be on the curve, in or out of the subgroup. Cost: 4.
    pub fn require_on_curve(&self, system: &mut System) {
        self.squares(system).require_on_curve(system);
    }

    fn squares(&self, system: &mut System) -> Squares {
        Squares {
            product: system.multiply(&self.x, &self.y),
            x: system.multiply(&self.x, &self.x),
            y: system.multiply(&self.y, &self.y),
        }
    }

    /// x₃·(a·x² + y²) = 2·x·y and y₃·(2 − a·x² − y²) = y² − a·x².
    fn double_of(system: &mut System, squares: &Squares) -> Self {
        let sum = squares.sum();
        let rest = &Num::constant(Fr::from(2u64)) - &sum;
        let across = squares.product.scale(Fr::from(2u64));
        let along = Num::sum([(Fr::ONE, &squares.y), (-A, &squares.x)]);
        let hint = (
            quotient(across.value(), sum.value()),
            quotient(along.value(), rest.value()),
        );
        let double = Self::quotients(system, hint);
        system.constrain(&sum, &double.x, &across);
        system.constrain(&rest, &double.y, &along);
        double
    }

    /// The other form of a point of the curve; unsatisfied for the identity and (0, −1). Cost: 3.
    pub fn to_montgomery(&self, system: &mut System) -> Montgomery {
        // x = 0 would leave v = u/x free.
        require_not_zero(system, &self.x);
        let (above, below) = (&Num::one() + &self.y, &Num::one() - &self.y);
        let u = divide(system, &above, &below, reasons::FORMS);
        let v = divide(system, &u, &self.x, reasons::FORMS);
        Montgomery { u, v }
    }
}

impl Squares {
    /// a·x² + y².
    fn sum(&self) -> Num {
        Num::sum([(A, &self.x), (Fr::ONE, &self.y)])
    }

    fn require_on_curve(&self, system: &mut System) {
        system.constrain(&self.product.scale(D), &self.product, &(&self.sum() - &Num::one()));
    }
}

/// (u, v).
#[derive(Clone)]
pub struct Montgomery {
    pub u: Num,
    pub v: Num,
}

impl Montgomery {
    /// P + Q where P ≠ Q, which the caller shows; unsatisfied where P = −Q. Cost: 3.
    pub fn add(&self, system: &mut System, other: &Self) -> Self {
        let slope = self.slope_to(system, other);
        let u = third_u(system, &slope, &self.u, &other.u);
        self.along(system, &slope, u)
    }

    /// 2·P; unsatisfied where P is of order 2. Cost: 4.
    pub fn double(&self, system: &mut System) -> Self {
        let square = system.multiply(&self.u, &self.u);
        let rise = Num::sum([
            (Fr::from(3u64), &square),
            (MONTGOMERY_A.double(), &self.u),
            (Fr::ONE, &Num::one()),
        ]);
        let slope = divide(system, &rise, &self.v.scale(Fr::from(2u64)), reasons::TANGENT);
        let u = third_u(system, &slope, &self.u, &self.u);
        self.along(system, &slope, u)
    }

    /// 2·P + Q as (P + Q) + P, without the v of the sum between; P ≠ Q, which the caller shows. Unsatisfied where P = −Q or
    /// 2·P = −Q, P not being of order 2. Cost: 5.
    ///
    /// With R = P + Q and v_R = λ·(u_P − u_R) − v_P, the second slope μ·(u_P − u_R) = v_P − v_R becomes
    /// (λ + μ)·(u_P − u_R) = 2·v_P. R = P would mean that Q is the identity; R = −P gives 0 = 2·v_P.
    pub fn double_and_add(&self, system: &mut System, other: &Self) -> Self {
        let slope = self.slope_to(system, other);
        let between = third_u(system, &slope, &self.u, &other.u);
        let run = &self.u - &between;
        let rise = self.v.scale(Fr::from(2u64));
        let second = system.wire(quotient(rise.value(), run.value()) - slope.value());
        system.because(&second, reasons::SECOND_CHORD);
        system.constrain(&(&slope + &second), &run, &rise);
        let u = third_u(system, &second, &self.u, &between);
        self.along(system, &second, u)
    }

    /// Requires P ≠ Q and P ≠ −Q. Cost: 1.
    pub fn require_apart(&self, system: &mut System, other: &Self) {
        require_not_zero(system, &(&self.u - &other.u));
    }

    /// The other form of a point that is not (0, 0), which the caller shows. Cost: 2.
    pub fn to_edwards(&self, system: &mut System) -> Edwards {
        let one = Num::one();
        let x = divide(system, &self.u, &self.v, reasons::FORMS);
        let y = divide(system, &(&self.u - &one), &(&self.u + &one), reasons::FORMS);
        Edwards { x, y }
    }

    fn slope_to(&self, system: &mut System, other: &Self) -> Num {
        divide(system, &(&other.v - &self.v), &(&other.u - &self.u), reasons::CHORD)
    }

    /// The sum whose u is known: the line's third point, mirrored.
    fn along(&self, system: &mut System, slope: &Num, u: Num) -> Self {
        let run = &self.u - &u;
        let v = system.wire(slope.value() * run.value() - self.v.value());
        system.constrain(slope, &run, &(&v + &self.v));
        Self { u, v }
    }
}

/// λ² − A − u₁ − u₂.
fn third_u(system: &mut System, slope: &Num, first: &Num, second: &Num) -> Num {
    let others = Num::sum([(MONTGOMERY_A, &Num::one()), (Fr::ONE, first), (Fr::ONE, second)]);
    let u = system.wire(slope.value().square() - others.value());
    system.constrain(slope, slope, &(&u + &others));
    u
}

/// A wire q with q · divisor = dividend; `reason` says why the divisor is not zero, without which any q would do.
fn divide(system: &mut System, dividend: &Num, divisor: &Num, reason: &'static str) -> Num {
    let wire = system.wire(quotient(dividend.value(), divisor.value()));
    system.because(&wire, reason);
    system.constrain(&wire, divisor, dividend);
    wire
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gadgets::trial::Trial;
    use ark_ec::{AffineRepr, CurveGroup, PrimeGroup};
    use ark_ff::{PrimeField, Zero};
    use chartseal_algebra::babyjub::{Scalar, unpack_on_curve};
    use taceo_ark_babyjubjub::{EdwardsAffine, EdwardsProjective};

    fn of_order_two() -> EdwardsAffine {
        EdwardsAffine::new_unchecked(Fr::ZERO, -Fr::ONE)
    }

    /// The multiples of ℓ of a point are of order 8, 4, 2 and 1 for a suitable one.
    fn of_order_eight() -> EdwardsAffine {
        let points = (2u8..).filter_map(|y| unpack_on_curve(&std::array::from_fn(|i| if i == 0 { y } else { 0 })).ok());
        let small = points.map(|point| point.mul_bigint(Scalar::MODULUS).into_affine());
        small
            .into_iter()
            .find(|point| !point.mul_bigint([4u64]).is_zero())
            .unwrap()
    }

    fn points() -> Vec<EdwardsAffine> {
        let base = EdwardsProjective::generator();
        let eight = EdwardsProjective::from(of_order_eight());
        let small = (0u64..8).map(|k| eight.mul_bigint([k]));
        let large = (2u64..5).map(|k| base * (Scalar::from(k) / Scalar::from(1_009u64)));
        let mixed = (1u64..5).map(|k| base * Scalar::from(k) + eight.mul_bigint([k]));
        small
            .chain(large)
            .chain(mixed)
            .chain([base, -base])
            .map(|point| point.into_affine())
            .collect()
    }

    fn wires(system: &mut System, point: &EdwardsAffine) -> Edwards {
        Edwards::wires(system, (point.x, point.y))
    }

    fn assert_is(point: &Edwards, expected: EdwardsProjective) {
        let expected = expected.into_affine();
        assert_eq!((point.x.value(), point.y.value()), (expected.x, expected.y));
    }

    #[test]
    fn the_curve_is_complete() {
        assert!(A.legendre().is_qr() && D.legendre().is_qnr());
        assert_eq!(
            (MONTGOMERY_A.square() - Fr::from(4u64), MONTGOMERY_A - Fr::from(2u64)),
            (A * D, D)
        );
        assert_eq!(of_order_eight().mul_bigint([4u64]), of_order_two());
    }

    #[test]
    fn complete_sums_and_doubles_agree_for_all_points() {
        for p in points() {
            for q in points() {
                let trial = Trial::of(|system| {
                    let (p_wires, q_wires) = (wires(system, &p), wires(system, &q));
                    assert_is(&p_wires.add(system, &q_wires), p + q);
                    assert_is(&p_wires.add(system, &q_wires.negate()), p - q);
                });
                assert!(trial.is_satisfied());
                assert_eq!(trial.constraints(), 12);
            }
            let trial = Trial::of(|system| {
                let p_wires = wires(system, &p);
                assert_is(&p_wires.double(system), p + p);
                assert_is(&p_wires.checked_double(system), p + p);
            });
            assert!(trial.is_satisfied());
            assert_eq!(trial.constraints(), 11);
        }
    }

    #[test]
    fn points_off_the_curve_are_refused() {
        let base = EdwardsAffine::generator();
        for (x, y, satisfied) in [
            (base.x, base.y, true),
            (base.x + Fr::ONE, base.y, false),
            (base.y, base.x, false),
        ] {
            let trial = Trial::of(|system| Edwards::wires(system, (x, y)).require_on_curve(system));
            assert_eq!((trial.is_satisfied(), trial.constraints()), (satisfied, 4));
            let trial = Trial::of(|system| {
                Edwards::wires(system, (x, y)).checked_double(system);
            });
            assert_eq!(trial.is_satisfied(), satisfied);
        }
    }

    #[test]
    fn forms_agree() {
        for p in points() {
            let trial = Trial::of(|system| {
                let point = wires(system, &p).to_montgomery(system);
                let back = point.to_edwards(system);
                if !p.x.is_zero() {
                    assert_is(&back, p.into());
                    let (u, v) = (point.u.value(), point.v.value());
                    assert_eq!(v.square(), u * (u.square() + MONTGOMERY_A * u + Fr::ONE));
                }
            });
            assert_eq!(
                trial.is_satisfied(),
                !p.x.is_zero(),
                "the identity and (0, -1) have no other form"
            );
        }
    }

    /// Whether a sum is satisfied; where it is, it equals `expected`.
    fn sums(
        p: &EdwardsAffine,
        expected: EdwardsProjective,
        sum: impl Fn(&mut System, &Montgomery) -> Montgomery,
    ) -> bool {
        let trial = Trial::of(|system| {
            let point = wires(system, p).to_montgomery(system);
            let sum = sum(system, &point);
            if !expected.into_affine().x.is_zero() {
                sum.to_edwards(system).add_to(
                    system,
                    &constant(&EdwardsAffine::zero()),
                    &constant(&expected.into_affine()),
                );
            }
        });
        trial.is_satisfied()
    }

    fn constant(point: &EdwardsAffine) -> Edwards {
        Edwards {
            x: Num::constant(point.x),
            y: Num::constant(point.y),
        }
    }

    #[test]
    fn incomplete_sums_agree_or_are_unsatisfied() {
        let with_x = || points().into_iter().filter(|point| !point.x.is_zero());
        for p in with_x() {
            assert!(sums(&p, p + p, |system, point| point.double(system)));
            for q in with_x().filter(|q| *q != p) {
                let other = |system: &mut System| wires(system, &q).to_montgomery(system);
                let sum = sums(&p, p + q, |system, point| {
                    let other = other(system);
                    point.add(system, &other)
                });
                assert_eq!(sum, q != -p);
                let last = p + q + p;
                let twice = sums(&p, last, |system, point| {
                    let other = other(system);
                    point.double_and_add(system, &other)
                });
                assert_eq!(twice, q != -p && !last.is_zero());
                let apart = sums(&p, p.into(), |system, point| {
                    let other = other(system);
                    point.require_apart(system, &other);
                    point.clone()
                });
                assert_eq!(apart, q != -p);
            }
            let apart = sums(&p, p.into(), |system, point| {
                point.require_apart(system, point);
                point.clone()
            });
            assert!(!apart);
        }
    }

    #[test]
    fn a_point_of_order_two_has_no_double() {
        let trial = Trial::of(|system| {
            let point = Montgomery {
                u: system.wire(Fr::ZERO),
                v: system.wire(Fr::ZERO),
            };
            point.double(system);
        });
        assert!(!trial.is_satisfied());
    }

    /// The trap that callers must keep away from: with P = Q the slope is the prover's.
    #[test]
    fn equal_points_leave_the_slope_free() {
        let base = EdwardsAffine::generator();
        let trial = Trial::of(|system| {
            let point = wires(system, &base).to_montgomery(system);
            point.add(system, &point);
        });
        let values = trial.assignment.values();
        let (u, v, slope) = (values[4], values[5], Fr::from(99u64));
        let mut forged = values.to_vec();
        forged[6] = slope;
        forged[7] = slope.square() - MONTGOMERY_A - u.double();
        forged[8] = slope * (u - forged[7]) - v;
        assert_eq!(trial.shape.unsatisfied(&forged), None);
    }
}
