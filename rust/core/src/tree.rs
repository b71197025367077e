//! OpenZeppelin's StandardMerkleTree over leaf hashes, and its multiproofs.
//!
//! The tree is an array of 2n-1 nodes: leaves ascending from its end, node i = keccak256(min ‖ max of 2i+1 and 2i+2).
//! Source: OpenZeppelin merkle-tree 1.0.8 `core.ts`. Its verifier accepts an empty proof of the root; ours does not.

use std::collections::VecDeque;

use crate::abi::{Digest, keccak256};
use crate::error::{Error, Kind, Result};

/// A tree, and where each given leaf went.
pub struct Tree {
    nodes: Vec<Digest>,
    positions: Vec<usize>,
}

/// What opens some leaves: `order` holds their given indices as the proof wants them, `flags` says for each step whether
/// both children are known (true) or the second comes from `siblings`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Multiproof {
    pub order: Vec<usize>,
    pub siblings: Vec<Digest>,
    pub flags: Vec<bool>,
}

fn refused(code: &'static str, detail: &str) -> Error {
    Error::new(Kind::Encoding, code, "", detail)
}

fn join(one: &Digest, other: &Digest) -> Digest {
    let (low, high) = if one <= other { (one, other) } else { (other, one) };
    keccak256(&[low, high])
}

/// The root over leaves in any order.
pub fn root(leaves: &[Digest]) -> Result<Digest> {
    Ok(Tree::new(leaves)?.root())
}

impl Tree {
    /// Builds the tree; an empty list of leaves is refused.
    pub fn new(leaves: &[Digest]) -> Result<Self> {
        if leaves.is_empty() {
            return Err(refused("tree_empty", "a tree needs a leaf"));
        }
        let mut ascending: Vec<usize> = (0..leaves.len()).collect();
        ascending.sort_by_key(|index| leaves[*index]);
        let size = 2 * leaves.len() - 1;
        let (mut nodes, mut positions) = (vec![[0; 32]; size], vec![0; leaves.len()]);
        for (rank, index) in ascending.into_iter().enumerate() {
            positions[index] = size - 1 - rank;
            nodes[size - 1 - rank] = leaves[index];
        }
        for node in (0..leaves.len() - 1).rev() {
            nodes[node] = join(&nodes[2 * node + 1], &nodes[2 * node + 2]);
        }
        Ok(Self { nodes, positions })
    }

    pub fn root(&self) -> Digest {
        self.nodes[0]
    }

    /// The array of nodes, the root first, as the SDK's `dump` gives it.
    pub fn nodes(&self) -> &[Digest] {
        &self.nodes
    }

    /// Opens the leaves given at `indices`; none, one twice or one out of range is refused.
    pub fn multiproof(&self, indices: &[usize]) -> Result<Multiproof> {
        let order = self.proof_order(indices)?;
        let mut open: VecDeque<usize> = order.iter().map(|index| self.positions[*index]).collect();
        let (mut siblings, mut flags) = (Vec::new(), Vec::new());
        while let Some(node) = open.pop_front().filter(|node| *node > 0) {
            let sibling = if node % 2 == 1 { node + 1 } else { node - 1 };
            let known = open.front() == Some(&sibling);
            if known {
                open.pop_front();
            } else {
                siblings.push(self.nodes[sibling]);
            }
            flags.push(known);
            open.push_back((node - 1) / 2);
        }
        Ok(Multiproof { order, siblings, flags })
    }

    fn proof_order(&self, indices: &[usize]) -> Result<Vec<usize>> {
        if indices.is_empty() {
            return Err(refused("proof_empty", "no leaf is opened"));
        }
        if indices.iter().any(|index| *index >= self.positions.len()) {
            return Err(refused("proof_index", "an index is out of range"));
        }
        let mut order = indices.to_vec();
        order.sort_by_key(|index| std::cmp::Reverse(self.positions[*index]));
        if order
            .windows(2)
            .any(|pair| self.nodes[self.positions[pair[0]]] == self.nodes[self.positions[pair[1]]])
        {
            return Err(refused("proof_duplicate", "a leaf is opened twice"));
        }
        Ok(order)
    }
}

/// The root that the opened leaves, in the proof's order, give with the siblings. It proves nothing until it is compared.
///
/// Refuses: no leaf (`proof_empty`: the root alone would prove itself), a leaf twice (`proof_duplicate`), and counts that
/// do not come out even, with siblings left over or missing (`proof_shape`).
pub fn implied_root(leaves: &[Digest], siblings: &[Digest], flags: &[bool]) -> Result<Digest> {
    check_shape(leaves, siblings, flags)?;
    let shape = || refused("proof_shape", "leaves, proof and flags do not fit together");
    let mut open: VecDeque<Digest> = leaves.iter().copied().collect();
    let mut siblings = siblings.iter();
    for known in flags {
        let one = open.pop_front().ok_or_else(shape)?;
        let other = if *known {
            open.pop_front()
        } else {
            siblings.next().copied()
        };
        open.push_back(join(&one, &other.ok_or_else(shape)?));
    }
    match (open.pop_front(), open.is_empty()) {
        (Some(root), true) => Ok(root),
        _ => Err(shape()),
    }
}

fn check_shape(leaves: &[Digest], siblings: &[Digest], flags: &[bool]) -> Result<()> {
    if leaves.is_empty() {
        return Err(refused("proof_empty", "no leaf is opened"));
    }
    let mut ascending = leaves.to_vec();
    ascending.sort_unstable();
    if ascending.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(refused("proof_duplicate", "a leaf is opened twice"));
    }
    let wanted = flags.iter().filter(|known| !**known).count();
    if siblings.len() != wanted || leaves.len() + siblings.len() != flags.len() + 1 {
        return Err(refused("proof_shape", "leaves, proof and flags do not fit together"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaves(count: usize) -> Vec<Digest> {
        (0..count).map(|index| keccak256(&[&index.to_be_bytes()])).collect()
    }

    fn opened(leaves: &[Digest], proof: &Multiproof) -> Vec<Digest> {
        proof.order.iter().map(|index| leaves[*index]).collect()
    }

    fn code(result: Result<Digest>) -> &'static str {
        result.unwrap_err().code
    }

    #[test]
    fn every_subset_of_small_trees() {
        for count in 1..=7 {
            let leaves = leaves(count);
            let tree = Tree::new(&leaves).unwrap();
            for subset in 1..1usize << count {
                let indices: Vec<usize> = (0..count).filter(|index| subset >> index & 1 == 1).collect();
                let proof = tree.multiproof(&indices).unwrap();
                assert_eq!(
                    implied_root(&opened(&leaves, &proof), &proof.siblings, &proof.flags).unwrap(),
                    tree.root()
                );
            }
        }
    }

    #[test]
    fn order_of_leaves_does_not_matter_but_their_content_does() {
        let mut given = leaves(5);
        let expected = root(&given).unwrap();
        given.reverse();
        assert_eq!(root(&given).unwrap(), expected);
        given[0][31] ^= 1;
        assert_ne!(root(&given).unwrap(), expected);
    }

    #[test]
    fn hostile_proofs() {
        let leaves = leaves(5);
        let tree = Tree::new(&leaves).unwrap();
        let proof = tree.multiproof(&[0, 3]).unwrap();
        let opened = opened(&leaves, &proof);
        assert_eq!(code(implied_root(&[], &[tree.root()], &[])), "proof_empty");
        assert_eq!(
            code(implied_root(&[opened[0], opened[0]], &proof.siblings, &proof.flags)),
            "proof_duplicate"
        );
        assert_eq!(
            code(implied_root(&opened[..1], &proof.siblings, &proof.flags)),
            "proof_shape"
        );
        let more = [&proof.siblings[..], &[[7; 32]]].concat();
        assert_eq!(code(implied_root(&opened, &more, &proof.flags)), "proof_shape");
        assert_eq!(
            code(implied_root(&opened, &more[1..proof.siblings.len()], &proof.flags)),
            "proof_shape"
        );
        let flipped: Vec<bool> = proof.flags.iter().map(|known| !known).collect();
        assert!(implied_root(&opened, &proof.siblings, &flipped).map_or(true, |root| root != tree.root()));
        let swapped: Vec<Digest> = opened.iter().rev().copied().collect();
        assert_ne!(
            implied_root(&swapped, &proof.siblings, &proof.flags).unwrap(),
            tree.root()
        );
    }

    #[test]
    fn proofs_that_cannot_be_made() {
        let tree = Tree::new(&leaves(3)).unwrap();
        assert_eq!(tree.multiproof(&[]).unwrap_err().code, "proof_empty");
        assert_eq!(tree.multiproof(&[1, 1]).unwrap_err().code, "proof_duplicate");
        assert_eq!(tree.multiproof(&[3]).unwrap_err().code, "proof_index");
        assert_eq!(Tree::new(&[]).map(|_| ()).unwrap_err().code, "tree_empty");
    }
}
