"""Whether a package kept to its manifest; and dropping what was refused before the run."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Mapping
from typing import get_args

from ennead.contracts import Volume
from ennead.errors import ContractError, UndeclaredOutput
from ennead.findings import Finding, Map, Measurement, PriorFinding, Refusal, Result, Segment
from ennead.identifiers import SeriesUID, TrackingUID
from ennead.plugins import Manifest


def checked(
    results: Iterable[Result],
    manifest: Manifest,
    volumes: Mapping[str, Volume],
    priors: Collection[PriorFinding] = (),
    edited: Collection[TrackingUID] = (),
) -> list[Result]:
    """The results, when every one of them was promised.

    Parameters
    ----------
    priors : collection of PriorFinding
        Those that the package was given: only their Tracking UIDs may be carried on, each once.
    edited : collection of TrackingUID
        Of segments that an interactive function was given to edit; likewise.

    Raises
    ------
    UndeclaredOutput
        An output, its kind or its unit is not what ``package.toml`` declares.
    ContractError
        Something that is no result, a duplicate id, or a region off its image's grid.
    """
    found = list(results)
    series = {volume.series_uid: volume for volume in volumes.values()}
    seen: set[tuple[str, str]] = set()
    for result in found:
        if not isinstance(result, get_args(Result)):
            raise ContractError(
                f"Package {manifest.id!r} returned a {type(result).__name__}; return Finding, "
                "Segment, Map or Refusal (docs/reference/package-contract.md)."
            )
        if isinstance(result, Refusal):
            if result.subject and manifest.output_rule(result.subject) is None:
                raise _undeclared(manifest, "refusal subject", result.subject)
            continue
        key = (type(result).__name__, result.id)
        if key in seen:
            raise ContractError(f"Package {manifest.id!r} returned {key[0]} {key[1]!r} twice.")
        seen.add(key)
        if isinstance(result, Finding):
            given = {prior.tracking_uid for prior in priors} | set(edited)
            _check_tracking(manifest, result, given, found)
            for measurement in result.measurements:
                _check_measurement(manifest, measurement)
            _require_series(manifest, result.series_uid, series)
        else:
            _check_region(manifest, result, series)
    return found


def without_declined(results: Iterable[Result], declined: Collection[str]) -> list[Result]:
    """Results without the outputs that were refused before the run.

    A finding that had measurements or segments and is left with none is dropped as well.
    """
    refused = set(declined)
    kept: list[Result] = []
    for result in results:
        if isinstance(result, Finding):
            measurements = tuple(m for m in result.measurements if m.id not in refused)
            segments = tuple(s for s in result.segment_ids if s not in refused)
            had = bool(result.measurements or result.segment_ids)
            if had and not (measurements or segments):
                continue
            kept.append(
                dataclasses.replace(result, measurements=measurements, segment_ids=segments)
            )
        elif isinstance(result, Refusal) or result.id not in refused:
            kept.append(result)
    return kept


def _check_tracking(
    manifest: Manifest,
    finding: Finding,
    given: Collection[TrackingUID],
    results: Iterable[Result],
) -> None:
    uid = finding.tracking_uid
    if uid is None:
        return
    if uid not in given:
        raise ContractError(
            f"Finding {finding.id!r} of package {manifest.id!r} carries Tracking UID {uid}, which "
            "is none of context.priors nor of a mask that it was given to edit. Take it from "
            "there, or leave it None."
        )
    if sum(isinstance(r, Finding) and r.tracking_uid == uid for r in results) > 1:
        raise ContractError(
            f"Package {manifest.id!r} carries Tracking UID {uid} on to several findings; one "
            "earlier finding can be one finding today."
        )


def _check_measurement(manifest: Manifest, measurement: Measurement) -> None:
    rule = manifest.output_rule(measurement.id)
    if rule is None or rule.kind != "measurement":
        raise _undeclared(manifest, "measurement", measurement.id)
    if measurement.unit.value != rule.unit:
        raise UndeclaredOutput(
            f"Measurement {measurement.id!r} of package {manifest.id!r} is declared in "
            f"{rule.unit}; it came in {measurement.unit.value}. Convert it, or declare the unit."
        )


def _check_region(
    manifest: Manifest, region: Segment | Map, series: Mapping[SeriesUID, Volume]
) -> None:
    rule = manifest.output_rule(region.id)
    kind = "segmentation" if isinstance(region, Segment) else "map"
    if rule is None or rule.kind != kind:
        raise _undeclared(manifest, kind, region.id)
    if isinstance(region, Map) and region.unit.value != rule.unit:
        raise _undeclared(manifest, "unit of map", f"{region.id} in {region.unit.value}")
    _require_series(manifest, region.series_uid, series)
    region.grid.require_same(series[region.series_uid].grid, f"{kind} {region.id!r}")


def _require_series(
    manifest: Manifest, series_uid: SeriesUID, series: Mapping[SeriesUID, Volume]
) -> None:
    if series_uid not in series:
        raise ContractError(
            f"Package {manifest.id!r} returned a result on series {series_uid}, which it was not "
            "given."
        )


def _undeclared(manifest: Manifest, what: str, name: str) -> UndeclaredOutput:
    return UndeclaredOutput(
        f"Package {manifest.id!r} returned the {what} {name!r}, which its package.toml does not "
        "declare. Declare it as an [[output]], or do not return it."
    )
