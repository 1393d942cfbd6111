"""One call inside a warm actor: run the function, check what it says, list it; encode it later.

Reads the volume from the object store and segmentations that an input edits. Writes nothing.
Refuses whatever the function refuses.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ennead.contracts import ProgressSink, Volume
from ennead.errors import ContractError
from ennead.findings import Finding, Refusal, Result, Segment
from ennead.identifiers import InstanceUID
from ennead.interaction import (
    ROI,
    Contour,
    FunctionContext,
    InteractionValue,
    Line,
    MaskEdit,
    Point,
)
from ennead.plugins import FunctionRule
from ennead_pipelines.encode import EncodedResults
from ennead_pipelines.encode._encode import tracking_uid
from ennead_pipelines.functions.masks import edited_mask
from ennead_pipelines.functions.requests import CallAnswer, CallRequest, pack, unpack
from ennead_pipelines.functions.values import READERS
from ennead_pipelines.networks.answer import recorded
from ennead_pipelines.run.check import checked, without_declined
from ennead_pipelines.run.fresh import forget_other_versions
from ennead_pipelines.run.measure import (
    asked_parameters,
    encode_results,
    model_callables,
    result_identity,
)
from ennead_pipelines.run.output import job_output
from ennead_pipelines.run.requests import JobOutput, Loaded, MeasureRequest

Function = Callable[[FunctionContext], Iterable[Result]]


def call(request: CallRequest, loaded: Loaded, progress: ProgressSink) -> CallAnswer:
    """Run the function.

    Raises
    ------
    ContractError
        The function cannot be loaded, or returned what its manifest does not declare.
    NotFound, UnusableObject, InputError
        A mask to edit cannot be read.
    """
    begun = time.perf_counter()
    measure = request.measure
    rule = function_rule(measure, request.function)
    function = load_function(measure, rule)
    volume = loaded.volume
    inputs = typed_inputs(rule, request, volume)
    context = FunctionContext(
        volume=volume,
        inputs=inputs,
        thresholds=dict(measure.thresholds),
        clinical=request.clinical,
        progress=progress,
        models=model_callables(measure, progress),
    )
    volumes = {measure.inputs[0]: volume}
    edited = {value.tracking_uid for value in inputs.values() if isinstance(value, MaskEdit)}
    with recorded(measure.priority) as asked:
        returned = list(function(context))
    raw = checked(returned, measure.manifest, volumes, edited=edited)
    _require_promised(raw, rule, measure)
    results = without_declined(raw, measure.declined)
    seconds = {"load": 0.0, "measure": time.perf_counter() - begun, "encode": 0.0}
    listed = job_output(measure, results, planned(measure, results, volume), volumes, seconds)
    return CallAnswer(
        listed, tuple(pack(result) for result in results), asked_parameters(measure, asked)
    )


def encode_call(
    request: CallRequest, answer: CallAnswer, loaded: Loaded, parameters: Mapping[str, str]
) -> JobOutput:
    """The objects of an answer, read back and compared like those of every other result.

    Raises
    ------
    EncodedResultInvalid
    """
    begun = time.perf_counter()
    measure = request.measure
    results = [unpack(each) for each in answer.results]
    name = measure.inputs[0]
    encoded = encode_results(
        measure,
        results,
        {name: loaded},
        algorithm_type="SEMIAUTOMATIC",
        parameters={**parameters, **answer.said},
    )
    seconds = {
        **answer.listed.durations_s,
        "load": loaded.duration_s,
        "encode": time.perf_counter() - begun,
    }
    return job_output(measure, results, encoded, {name: loaded.volume}, seconds)


def function_rule(request: MeasureRequest, function_id: str) -> FunctionRule:
    """The function as the manifest declares it."""
    rule = request.manifest.function_rule(function_id)
    if rule is None:
        raise ContractError(
            f"Package {request.manifest.id!r} has no function {function_id!r}; declare it as a "
            "[[function]] of package.toml."
        )
    return rule


def load_function(request: MeasureRequest, rule: FunctionRule) -> Function:
    """Import the function, or what runs it apart.

    Raises
    ------
    ContractError
        What ``call`` names does not exist or cannot be called.
    """
    plan = request.sandbox
    if plan is not None:
        from ennead_pipelines.sandbox import run_apart

        return lambda context: run_apart(plan, request.manifest, rule.call, context, method="")
    forget_other_versions(request.manifest, request.manifest_digest)
    module, _, name = rule.call.partition(":")
    try:
        function: Function = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise ContractError(
            f"Function {rule.call!r} of package {request.manifest.id!r} cannot be loaded: {error}"
        ) from error
    if not callable(function):
        raise ContractError(f"{rule.call!r} is no function; name one in package.toml.")
    return function


def typed_inputs(
    rule: FunctionRule, request: CallRequest, volume: Volume
) -> dict[str, InteractionValue]:
    """Canonical JSON → the types of :mod:`ennead.interaction`."""
    found: dict[str, InteractionValue] = {}
    for each in rule.input:
        if each.name in request.inputs:
            value = READERS[each.kind].validate_python(request.inputs[each.name])
            if each.kind == "mask":
                path = Path(request.segmentations[value.seg_instance_uid])
                found[each.name] = edited_mask(value, path, volume)
            else:
                found[each.name] = _TYPES[each.kind](value)
    return found


def planned(request: MeasureRequest, results: Iterable[Result], volume: Volume) -> EncodedResults:
    """What encoding will say about UIDs and key images, without any bytes."""
    identity = result_identity(request)
    kept = list(results)
    segments = {r.id: r for r in kept if isinstance(r, Segment)}
    findings = [r for r in kept if isinstance(r, Finding)]
    found = bool(segments or findings)
    return EncodedResults(
        seg=None,
        seg_instance_uid=identity.instance_uid("seg") if segments else None,
        seg_series_uid=identity.series_uid("seg") if segments else None,
        sr=None,
        sr_instance_uid=identity.instance_uid("sr") if found else None,
        sr_series_uid=identity.series_uid("sr") if found else None,
        tracking_uids={f.id: tracking_uid(identity, f) for f in findings},
        segment_numbers={name: number for number, name in enumerate(segments, 1)},
        key_images={f.id: _key_image(f, segments, volume) for f in findings},
        content_digest="",
    )


def _key_image(finding: Finding, segments: Mapping[str, Segment], volume: Volume) -> InstanceUID:
    if finding.key_instance_uid is not None:
        return finding.key_instance_uid
    for name in finding.segment_ids[:1]:
        if name in segments:
            return volume.instance_uids[segments[name].key_slice()]
    return volume.instance_uids[len(volume.instance_uids) // 2]


def _require_promised(
    results: Iterable[Result],
    rule: FunctionRule,
    request: MeasureRequest,
) -> None:
    """What the manifest allows the package, the function's own ``outputs`` may still not."""
    promised = set(rule.outputs)
    silent = True
    for result in results:
        silent = False
        names = [result.subject] if isinstance(result, Refusal) else [result.id]
        if isinstance(result, Finding):
            declared = request.manifest.output_rule(result.id)
            names = [m.id for m in result.measurements] + ([result.id] if declared else [])
        unknown = sorted({name for name in names if name} - promised)
        if unknown:
            raise ContractError(
                f"Function {rule.id!r} of package {request.manifest.id!r} returned {unknown}, "
                "which its outputs in package.toml do not name. Add them, or do not return them."
            )
    if silent:
        raise ContractError(
            f"Function {rule.id!r} of package {request.manifest.id!r} returned nothing; return a "
            "Refusal that says why."
        )


def _point(value: Any) -> Point:
    return Point(InstanceUID(value.instance_uid), value.position_mm)


_TYPES: Mapping[str, Callable[[Any], InteractionValue]] = {
    "point": _point,
    "seed": _point,
    "points": lambda values: tuple(_point(value) for value in values),
    "line": lambda v: Line(InstanceUID(v.instance_uid), v.start_mm, v.end_mm),
    "roi": lambda v: ROI(InstanceUID(v.instance_uid), v.shape, v.points_mm),
    "contour": lambda v: Contour(InstanceUID(v.instance_uid), tuple(v.points_mm)),
    "number": float,
    "choice": str,
}


def warm(modules: Iterable[str]) -> int:
    """Import what calls need, so that the first one does not wait for it; returns how many."""
    np.zeros(1).sum()
    done = 0
    for name in modules:
        try:
            importlib.import_module(name)
            done += 1
        except Exception:  # a package's module may fail in any way; its call will say how
            continue
    return done
