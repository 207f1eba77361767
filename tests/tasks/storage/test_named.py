"""Addresses that name a DatasetStore cannot be taken for folders, nor folders for them."""

import pytest

from datasynth.schemas.errors import InputError
from datasynth.tasks.storage.named import is_named, opening_of
from datasynth.tasks.storage.store import Store


@pytest.mark.parametrize("address", ["block", "./block:team", "/data/block:team", "s3://block:team/x", "blocks/team"])
def test_any_other_address_is_opened_as_it_stands(address: str) -> None:
    assert not is_named(address)
    assert opening_of(address).url == address


@pytest.mark.parametrize("address", ["block:", "block:Team", "block:a b", "block:/x", "block:a\\b", "block::x"])
def test_what_begins_like_a_block_and_is_no_name_is_refused(address: str) -> None:
    with pytest.raises(InputError, match="no name of a DatasetStore"):
        Store(address)
