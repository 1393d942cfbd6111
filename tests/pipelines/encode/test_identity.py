"""Same run, same UIDs and bytes; anything else, other UIDs."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ennead.identifiers import check_uid, derive_uid
from ennead.testing.results import example_results, finding, small_grid

GRID = small_grid("anisotropic")
fields = st.lists(st.text(max_size=8), max_size=4)


def test_the_same_run_gives_the_same_bytes(encoded: Any) -> None:
    one, other = encoded(GRID), encoded(GRID)
    assert one.seg == other.seg
    assert one.sr == other.sr
    assert one == other


def test_the_time_changes_bytes_and_no_uid(encoded: Any) -> None:
    one, other = encoded(GRID), encoded(GRID, at=None)
    assert one.seg != other.seg
    assert one.seg_instance_uid == other.seg_instance_uid
    assert one.sr_instance_uid == other.sr_instance_uid
    assert one.content_digest == other.content_digest


@pytest.mark.parametrize(
    "change",
    [
        {"study_uid": "1.2.3"},
        {"package_version": "1.2.4"},
        {"manifest_digest": "sha256:0"},
        {"input_digest": "sha256:0"},
        {"parameters_digest": "sha256:0"},
        {"revision": 1},
    ],
)
def test_another_identity_gives_other_uids(encoded: Any, change: dict[str, Any]) -> None:
    def uids(results: Any) -> set[str]:
        return {
            results.seg_instance_uid,
            results.seg_series_uid,
            results.sr_instance_uid,
            results.sr_series_uid,
            *results.tracking_uids.values(),
        }

    headers = {"StudyInstanceUID": change["study_uid"]} if "study_uid" in change else {}
    one, other = uids(encoded(GRID)), uids(encoded(GRID, changes=change, headers=headers))
    assert len(one) == 8
    assert not one & other


def test_another_value_is_another_content(encoded: Any) -> None:
    results = example_results(GRID)
    changed = [*results[:2], finding("right-lung", "right_lung", laa=30.000001), *results[3:]]
    one, other = encoded(GRID), encoded(GRID, changed)
    assert one.sr_instance_uid == other.sr_instance_uid
    assert one.content_digest != other.content_digest


@settings(max_examples=200, derandomize=True)
@given(one=fields, other=fields)
def test_different_fields_give_different_uids(one: list[str], other: list[str]) -> None:
    same = derive_uid("role", *one) == derive_uid("role", *other)
    assert same == (one == other)


@settings(max_examples=100, derandomize=True)
@given(role=st.text(max_size=20), values=fields)
def test_derived_uids_are_uuid_derived(role: str, values: list[str]) -> None:
    uid = check_uid(derive_uid(role, *values))
    number = int(uid.removeprefix("2.25."))
    assert uid == f"2.25.{number}" and len(uid) <= 44
    assert (number >> 76) & 0xF == 8  # version 8
    assert (number >> 62) & 0b11 == 0b10  # the variant of RFC 9562


@settings(max_examples=100, derandomize=True)
@given(values=st.lists(st.text(max_size=6), min_size=2, max_size=5), data=st.data())
def test_a_group_of_values_has_no_order(values: list[str], data: st.DataObject) -> None:
    shuffled = data.draw(st.permutations(values))
    assert derive_uid("r", values) == derive_uid("r", shuffled)
    joined = ["".join(values)]
    assert derive_uid("r", values) != derive_uid("r", joined)
