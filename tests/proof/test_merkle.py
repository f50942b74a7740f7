"""Merkle trees: RFC 9162's own definition, written down again, agrees with ours for every size."""

from hashlib import sha256

import pytest

from app.proof.merkle import Tree, leaf_hash, root_by_path, root_of

SIZES = [*range(18), 31, 32, 33, 100]


def by_definition(data: list[bytes]) -> bytes:
    """MTH of RFC 9162, 2.1.1."""
    if not data:
        return sha256(b"").digest()
    if len(data) == 1:
        return sha256(b"\x00" + data[0]).digest()
    split = 1 << (len(data) - 1).bit_length() - 1
    left, right = by_definition(data[:split]), by_definition(data[split:])
    return sha256(b"\x01" + left + right).digest()


def path_by_definition(index: int, data: list[bytes]) -> list[bytes]:
    """PATH of RFC 9162, 2.1.3.1."""
    if len(data) == 1:
        return []
    split = 1 << (len(data) - 1).bit_length() - 1
    if index < split:
        return [*path_by_definition(index, data[:split]), by_definition(data[split:])]
    return [*path_by_definition(index - split, data[split:]), by_definition(data[:split])]


def leaves(count: int) -> list[bytes]:
    return [str(number).encode() for number in range(count)]


@pytest.mark.parametrize("size", SIZES)
def test_a_root_is_the_rfc_s(size: int) -> None:
    assert root_of(map(leaf_hash, leaves(size))) == by_definition(leaves(size))


@pytest.mark.parametrize("size", SIZES[1:])
def test_every_leaf_has_the_rfc_s_path_which_leads_to_the_root_and_nowhere_else(size: int) -> None:
    data = leaves(size)
    for index in range(size):
        tree = Tree(index)
        for each in data:
            tree.add(leaf_hash(each))
        root, path = tree.finish()
        assert path == path_by_definition(index, data)
        leaf = leaf_hash(data[index])
        assert root_by_path(leaf, index, size, path) == root
        assert root_by_path(leaf_hash(b"another"), index, size, path) != root
        assert root_by_path(leaf, index, size, [*path, root]) != root
        assert root_by_path(leaf, size, size, path) is None
        for other in range(size):
            if other != index:
                assert root_by_path(leaf, other, size, path) != root


def test_an_empty_tree_has_the_hash_of_nothing() -> None:
    assert root_of([]) == sha256(b"").digest()
