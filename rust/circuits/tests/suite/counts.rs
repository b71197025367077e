//! Sizes of the circuits: a change shows here, and none may pass its limit.

use chartseal_circuits::Circuit;

/// (constraints, the limit, non-zero coefficients of A, B and C).
const COUNTS: [(Circuit, usize, usize, [usize; 3]); 5] = [
    (Circuit::Holder, 2_511, 4_090, [5_718, 8_268, 4_753]),
    (Circuit::Linked1, 4_038, 4_090, [11_106, 16_547, 6_638]),
    (Circuit::Linked4, 15_619, 16_380, [43_097, 64_081, 25_575]),
    (Circuit::Anonymous1, 13_831, 14_500, [35_194, 50_576, 24_433]),
    (Circuit::Anonymous4, 25_412, 28_000, [67_185, 98_110, 43_370]),
];

#[test]
fn circuits_have_the_sizes_of_the_table() {
    let counted = COUNTS.map(|(circuit, _, limit, _)| {
        let shape = circuit.shape();
        let nonzeros =
            |of: fn(&chartseal_circuits::system::Constraint) -> usize| shape.constraints.iter().map(of).sum();
        let nonzeros = [
            nonzeros(|c| c.a.len()),
            nonzeros(|c| c.b.len()),
            nonzeros(|c| c.c.len()),
        ];
        (circuit, shape.constraints.len(), limit, nonzeros)
    });
    assert_eq!(counted, COUNTS);
}

/// Constraints, public inputs and the constant share a domain, and the next one is twice as large.
#[test]
fn circuits_stay_within_their_limits() {
    for (circuit, constraints, limit, _) in COUNTS {
        assert!(constraints <= limit, "{}", circuit.name());
        let rows = limit + circuit.publics().len() + 1;
        assert!(rows.next_power_of_two() == (constraints + circuit.publics().len() + 1).next_power_of_two());
    }
}
