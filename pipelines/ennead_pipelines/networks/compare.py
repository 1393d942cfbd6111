"""Two results of one study, finding by finding: matched, lost, new, and by how much they differ."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

#: Findings further apart than this are not the same.
NEAR_MM: Final = 20.0


@dataclass(frozen=True, slots=True)
class Result:
    """One job's result.

    Parameters
    ----------
    findings : sequence of (str, mapping)
        Id and document of each finding.
    labels : mapping or None
        Segment numbers, uint16[y, x], of each source image by its UID; None without a
        segmentation.
    series_uid : str
        The series of those images.
    """

    findings: Sequence[tuple[str, Mapping[str, Any]]]
    labels: Mapping[str, npt.NDArray[np.uint16]] | None = None
    series_uid: str = ""


@dataclass(frozen=True, slots=True)
class Overlaps:
    """Voxels of every pair of segments, from one look at both label maps.

    Parameters
    ----------
    both : int64[n, m]
        Voxels with segment ``n`` in the first and ``m`` in the second; 0 is no segment.
    """

    both: npt.NDArray[np.int64]

    @classmethod
    def of(cls, first: Result, second: Result) -> Overlaps | None:
        """None where the two lie on different series, or one has no segmentation."""
        a, b = first.labels, second.labels
        if a is None or b is None or first.series_uid != second.series_uid:
            return None
        rows = 1 + max((int(each.max()) for each in a.values()), default=0)
        columns = 1 + max((int(each.max()) for each in b.values()), default=0)
        joint = np.zeros(rows * columns, dtype=np.int64)
        for uid in a.keys() | b.keys():
            one, other = a.get(uid), b.get(uid)
            one = np.zeros_like(other) if one is None else one
            other = np.zeros_like(one) if other is None else other
            assert one is not None and other is not None
            index = one.astype(np.int64) * columns + other
            joint += np.bincount(index.ravel(), minlength=rows * columns)
        return cls(joint.reshape(rows, columns))

    def dice(self, first: Iterable[int], second: Iterable[int]) -> float | None:
        """Dice of two sets of segments; None when both are empty."""
        rows = [n for n in first if n < self.both.shape[0]]
        columns = [n for n in second if n < self.both.shape[1]]
        total = int(self.both[rows].sum()) + int(self.both[:, columns].sum())
        if total == 0:
            return None
        return 2.0 * int(self.both[np.ix_(rows, columns)].sum()) / total


def compare(first: Result, second: Result) -> list[dict[str, Any]]:
    """The findings of both, paired.

    Two findings can be the same when label and concept agree. Of those, pairs with the largest
    overlap of their segments come first, then pairs whose key points are nearest and within
    20 mm, then those that have no place at all (a class of the whole image).

    Returns
    -------
    list of dict
        ``change`` (``matched``, ``only_from``, ``only_to``), ``label``, ``title``, finding ids
        ``from`` and ``to``, ``dice``, ``distance_mm``, ``values``. A finding that says "sought
        and absent" counts as not there.
    """
    overlaps = Overlaps.of(first, second)
    pairs = _pairs(first, second, overlaps)
    left = set(range(len(first.findings)))
    right = set(range(len(second.findings)))
    found = []
    for n, m in pairs:
        left.discard(n)
        right.discard(m)
        row = _row(first.findings[n], second.findings[m], overlaps)
        if row:
            found.append(row)
    found += [_alone("only_from", *first.findings[n]) for n in sorted(left) if _is(first, n)]
    found += [_alone("only_to", *second.findings[m]) for m in sorted(right) if _is(second, m)]
    return found


def _is(result: Result, n: int) -> bool:
    return not _absent(result.findings[n][1])


def _pairs(first: Result, second: Result, overlaps: Overlaps | None) -> list[tuple[int, int]]:
    """Greedy: best first; every finding is used once."""
    ranked: list[tuple[tuple[int, float], int, int]] = []
    for n, (_, one) in enumerate(first.findings):
        for m, (_, other) in enumerate(second.findings):
            rank = _rank(one, other, overlaps) if _same_kind(one, other) else None
            if rank is not None:
                ranked.append((rank, n, m))
    taken: list[tuple[int, int]] = []
    for _, n, m in sorted(ranked):
        if all(n != a and m != b for a, b in taken):
            taken.append((n, m))
    return sorted(taken)


def _rank(
    one: Mapping[str, Any], other: Mapping[str, Any], overlaps: Overlaps | None
) -> tuple[int, float] | None:
    """Smaller pairs first; None when the two cannot be the same."""
    if _segments(one) and _segments(other):
        dice = overlaps.dice(_segments(one), _segments(other)) if overlaps else None
        if dice:
            return (0, -dice)
        distance = distance_mm(one, other)
        if distance is None:
            return (3, 0.0)  # another series was chosen: the label alone tells
        return (1, distance) if distance <= NEAR_MM else None
    return (2, 0.0) if not _segments(one) and not _segments(other) else (3, 0.0)


def _same_kind(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return bool(
        one["label"] == other["label"] and one["codes"]["finding"] == other["codes"]["finding"]
    )


def _row(
    first: tuple[str, Mapping[str, Any]],
    second: tuple[str, Mapping[str, Any]],
    overlaps: Overlaps | None,
) -> dict[str, Any] | None:
    one, other = first[1], second[1]
    gone, new = _absent(other) and not _absent(one), _absent(one) and not _absent(other)
    if _absent(one) and _absent(other) and not one["measurements"]:
        return None  # both sought it and found nothing
    dice = None
    if overlaps and _segments(one) and _segments(other):
        dice = overlaps.dice(_segments(one), _segments(other))
    return {
        "change": "only_from" if gone else "only_to" if new else "matched",
        "label": other["label"],
        "title": dict(other["title"]),
        "from": first[0],
        "to": second[0],
        "dice": dice,
        "distance_mm": distance_mm(one, other) if dice is not None else None,
        "values": list(_values(one, other)),
    }


def _alone(change: str, finding_id: str, document: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "change": change,
        "label": document["label"],
        "title": dict(document["title"]),
        "from": finding_id if change == "only_from" else None,
        "to": finding_id if change == "only_to" else None,
        "dice": None,
        "distance_mm": None,
        "values": [],
    }


def _values(one: Mapping[str, Any], other: Mapping[str, Any]) -> Iterable[dict[str, Any]]:
    before = {m["id"]: m for m in one["measurements"]}
    for measured in other["measurements"]:
        old = before.get(measured["id"])
        if old is None or old["unit"] != measured["unit"]:
            continue
        difference = measured["value"] - old["value"]
        yield {
            "measurement": measured["id"],
            "title": dict(measured["title"]),
            "unit": measured["unit"],
            "decimals": measured["decimals"],
            "from": old["value"],
            "to": measured["value"],
            "difference": difference,
            "percent": 100.0 * difference / abs(old["value"]) if old["value"] else None,
        }


def distance_mm(one: Mapping[str, Any], other: Mapping[str, Any]) -> float | None:
    """Between the key points of two findings, in mm; None when they lie on different series."""
    if one["series_uid"] != other["series_uid"]:
        return None
    first, second = one["key_image"]["point_mm"], other["key_image"]["point_mm"]
    return float(np.linalg.norm(np.subtract(first, second)))


def _segments(document: Mapping[str, Any]) -> list[int]:
    return [each["number"] for each in document["segments"]]


def _absent(document: Mapping[str, Any]) -> bool:
    return any(code["code"] == "absent" for code in document["qualifiers"])
