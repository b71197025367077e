//! Runs of a description in tests: its constraints beside the values it gives.

use crate::system::{Assignment, Shape, System};

/// A description's constraints and values.
pub struct Trial {
    pub shape: Shape,
    pub assignment: Assignment,
}

impl Trial {
    /// Runs `describe` for the constraints, then alone for the values.
    pub fn of(describe: impl Fn(&mut System)) -> Self {
        let (mut constraints, mut values) = (System::with_constraints(), System::witness());
        describe(&mut constraints);
        describe(&mut values);
        Self {
            shape: constraints.into_shape(),
            assignment: values.into_assignment(),
        }
    }

    pub fn is_satisfied(&self) -> bool {
        self.shape.unsatisfied(self.assignment.values()).is_none()
    }

    pub fn constraints(&self) -> usize {
        self.shape.constraints.len()
    }
}
