"""A model's work on a study, without code of its own: labels become segments with volumes.

Reads the one input of the derived manifest. Returns for each label a segment and a finding with
its volume, for each class of a classifier a finding with its probability. Refuses (``NOT_FOUND``)
a structure that is not in the image; a lesion that is not there is a finding of its own: sought
and absent.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import numpy as np
from scipy import ndimage

from ennead import codes
from ennead.codes import dcm, private
from ennead.contracts import ModelAnswer, RunContext, Volume
from ennead.findings import Finding, Mask, Measurement, Refusal, RefusalCode, Result, Segment
from ennead_models.manifest import ModelLabel, ModelManifest
from ennead_pipelines.networks.answer import ask
from ennead_pipelines.networks.as_package import SCORE_METHOD, VOLUME_METHOD
from ennead_pipelines.networks.measure import score, volume_cm3
from ennead_pipelines.networks.names import score_id, volume_id
from ennead_pipelines.networks.source import ModelSource

SUM_OF_VOXELS: Final = dcm("126030", "Sum of segmented voxel volumes")
PROBABILITY: Final = dcm("122157", "Probability")
#: Not being there is a result for these, and a failure for anatomy.
_ABNORMAL: Final = "49755003"


class ModelPipeline:
    """The :class:`~ennead.contracts.Pipeline` of every model."""

    def __init__(self, source: ModelSource) -> None:
        self._source = source

    def run(self, context: RunContext) -> Iterable[Result]:
        """Reads the model's input. Refuses labels that it does not find."""
        manifest = self._source.manifest
        volume = context.volumes[manifest.input.name]
        answer = ask(self._source, volume, context.thresholds, context.progress)
        if manifest.output.kind == "classification":
            return list(_classes(manifest, answer, volume, context))
        return list(_regions(manifest, answer, volume))


def _regions(manifest: ModelManifest, answer: ModelAnswer, volume: Volume) -> Iterator[Result]:
    assert answer.labels is not None
    boxes = ndimage.find_objects(answer.labels)
    for label in manifest.label:
        box = boxes[label.value - 1] if label.value <= len(boxes) else None
        if box is None:
            yield _absent(label, volume)
            continue
        # Zeros that are never written take no memory: a mask costs its box, not the image.
        mask = np.zeros(answer.labels.shape, dtype=bool)
        np.equal(answer.labels[box], label.value, out=mask[box])
        yield _segment(label, mask, volume)
        yield _finding(label, mask[box], volume)


def _segment(label: ModelLabel, mask: Mask, volume: Volume) -> Segment:
    return Segment(
        id=label.id,
        label=label.title["en"],
        mask=mask,
        grid=volume.grid,
        series_uid=volume.series_uid,
        category=label.category.code,
        type=label.type.code,
        laterality=label.laterality.code if label.laterality else None,
        colour_rgb=label.colour,
    )


def _finding(label: ModelLabel, inside: Mask, volume: Volume) -> Finding:
    measured = Measurement(
        volume_id(label.id),
        codes.VOLUME,
        volume_cm3(inside, volume.grid),
        codes.CUBIC_CENTIMETRE,
        method=SUM_OF_VOXELS,
        formula=VOLUME_METHOD,
    )
    return Finding(
        id=label.id,
        label=label.title["en"],
        finding=label.type.code,
        category=label.category.code,
        series_uid=volume.series_uid,
        laterality=label.laterality.code if label.laterality else None,
        measurements=(measured,),
        segment_ids=(label.id,),
    )


def _absent(label: ModelLabel, volume: Volume) -> Result:
    if label.category.value != _ABNORMAL:
        values: dict[str, str | int | float] = {"label": label.title["en"]}
        return Refusal(
            RefusalCode.NOT_FOUND,
            label.id,
            "networks.refusal.not_found",
            values,
            volume.series_uid,
        )
    return Finding(
        id=label.id,
        label=label.title["en"],
        finding=label.type.code,
        category=label.category.code,
        series_uid=volume.series_uid,
        qualifiers=(private("absent"),),
    )


def _classes(
    manifest: ModelManifest, answer: ModelAnswer, volume: Volume, context: RunContext
) -> Iterator[Result]:
    for label in manifest.label:
        assert label.threshold is not None
        value = score(answer.scores, label.id)
        found = value >= context.thresholds.get(label.id, label.threshold.default)
        yield Finding(
            id=label.id,
            label=label.title["en"],
            finding=label.type.code,
            category=label.category.code,
            series_uid=volume.series_uid,
            laterality=label.laterality.code if label.laterality else None,
            measurements=(
                Measurement(
                    score_id(label.id), PROBABILITY, value, codes.NO_UNITS, formula=SCORE_METHOD
                ),
            ),
            qualifiers=() if found else (private("absent"),),
        )
