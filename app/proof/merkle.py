"""Merkle trees as RFC 9162 hashes them (section 2.1): roots, inclusion paths and their check.

Leaves are taken one by one, and only the roots of finished subtrees are kept: a tree of any size
needs memory for its height.
"""

from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Final

LEAF: Final = b"\x00"
NODE: Final = b"\x01"
"""What is hashed before a leaf and before a node, so that neither can be taken for the other."""

EMPTY_ROOT: Final = sha256(b"").digest()


def leaf_hash(data: bytes) -> bytes:
    """Hash one leaf."""
    return sha256(LEAF + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash two subtrees into one."""
    return sha256(NODE + left + right).digest()


class Tree:
    """A tree that grows leaf by leaf; it may collect the path of one leaf on the way."""

    def __init__(self, index: int | None = None) -> None:
        """`index` is the leaf whose path is wanted."""
        self._index = index
        self._path: list[bytes] = []
        # The subtrees that are finished, from the left: each first leaf, size and root.
        self._subtrees: list[tuple[int, int, bytes]] = []
        self.size = 0

    def add(self, leaf: bytes) -> None:
        """Add the hash of the next leaf, and join subtrees of equal size."""
        self._subtrees.append((self.size, 1, leaf))
        self.size += 1
        while len(self._subtrees) > 1 and self._subtrees[-1][1] == self._subtrees[-2][1]:
            self._join()

    def finish(self) -> tuple[bytes, list[bytes]]:
        """Return the root, and the path of the leaf that was asked for, from the leaf upwards."""
        while len(self._subtrees) > 1:
            self._join()
        return (self._subtrees[0][2] if self._subtrees else EMPTY_ROOT), self._path

    def _join(self) -> None:
        (first, left_size, left), (middle, right_size, right) = self._subtrees[-2:]
        del self._subtrees[-2:]
        if self._index is not None and first <= self._index < middle + right_size:
            self._path.append(right if self._index < middle else left)
        self._subtrees.append((first, left_size + right_size, node_hash(left, right)))


def root_of(leaves: Iterable[bytes]) -> bytes:
    """Return the root over the hashes of leaves."""
    tree = Tree()
    for leaf in leaves:
        tree.add(leaf)
    return tree.finish()[0]


def root_by_path(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes | None:
    """Return the root that a leaf and its path make (RFC 9162, 2.1.3.2); None: no such path."""
    if not 0 <= index < size:
        return None
    place, last, root = index, size - 1, leaf
    for beside in path:
        if last == 0:
            return None
        if place & 1 or place == last:
            root = node_hash(beside, root)
            while not place & 1 and place:
                place >>= 1
                last >>= 1
        else:
            root = node_hash(root, beside)
        place >>= 1
        last >>= 1
    return root if last == 0 else None
