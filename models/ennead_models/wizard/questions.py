"""What has to be asked about a network, given what its files and the answers so far say."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from ennead.texts import translate
from ennead_models.wizard.answers import INTENSITIES, Answers
from ennead_models.wizard.contract import Contract

MODALITIES: Final = ("CT", "MR", "PT", "CR", "DX", "MG", "US", "NM", "XA")
ORIENTATIONS: Final = ("RAS", "LPS", "SPL", "SAR", "LAS", "RSA")
LICENCES: Final = (
    "Apache-2.0",
    "MIT",
    "BSD-3-Clause",
    "CC-BY-4.0",
    "CC-BY-SA-4.0",
    "CC-BY-NC-4.0",
    "CC-BY-NC-SA-4.0",
)


@dataclass(frozen=True, slots=True)
class Question:
    """One question; its words are texts ``models.question.<id>`` and ``….why``.

    Parameters
    ----------
    id : str
        Key of the answer.
    kind : str
        ``text``, ``long``, ``number``, ``numbers``, ``list``, ``choice``, ``labels``, ``channels``.
    required : bool
        Whether the model cannot be made without it.
    value : object
        The answer so far: given, suggested by the file, or the default; None when there is none.
    choices : tuple of str
        What may be chosen; for ``list`` and ``text`` what is usual.
    complete : bool
        False while a part of the answer is missing, such as a label's code.
    """

    id: str
    kind: str
    required: bool
    value: Any
    choices: tuple[str, ...] = ()
    complete: bool = True

    @property
    def answered(self) -> bool:
        """Whether nothing more is needed."""
        given = self.value not in (None, "", [], ())
        return self.complete and (given or not self.required)

    def document(self, language: str) -> dict[str, Any]:
        """As JSON, in a language."""
        key = f"models.question.{self.id}"
        return {
            "id": self.id,
            "kind": self.kind,
            "required": self.required,
            "answered": self.answered,
            "value": self.value,
            "choices": list(self.choices),
            "text": translate(f"{key}.text", language),
            "why": translate(f"{key}.why", language),
        }


def questions(contract: Contract, answers: Answers) -> list[Question]:
    """Every question that applies to this network, in the order to ask them."""
    return list(_questions(contract, answers))


def _questions(contract: Contract, a: Answers) -> Iterator[Question]:
    yield Question("id", "text", True, a.id)
    yield Question("version", "text", True, a.version)
    yield Question("title_en", "text", True, a.title_en)
    yield Question("title_vi", "text", True, a.title_vi)
    yield Question("summary_en", "long", True, a.summary_en)
    yield Question("summary_vi", "long", True, a.summary_vi)
    yield Question("status", "choice", True, a.status, ("research", "decision-support"))
    yield Question("licence", "text", True, a.licence, LICENCES)
    if a.licence.startswith("LicenseRef-"):
        yield Question("licence_text", "long", True, a.licence_text)
    yield Question("modality", "list", True, a.modality, MODALITIES)
    yield Question("body_part", "list", False, a.body_part, ("HEAD", "CHEST", "ABDOMEN", "PELVIS"))
    if contract.runner in ("onnx", "torchscript"):
        yield from _tensor_questions(a)
    elif contract.runner == "nnunet":
        yield Question("orientation", "choice", True, a.orientation, ORIENTATIONS)
    yield from _output_questions(a)
    yield Question("max_slice_spacing_mm", "number", False, a.max_slice_spacing_mm)
    yield Question("min_slices", "number", False, a.min_slices)
    yield Question("trained_on", "long", False, a.trained_on)
    yield Question("limits", "list", False, a.limits)
    yield Question("references", "list", False, a.references)
    yield Question("owners", "list", False, a.owners)
    yield Question("url", "text", False, a.url)
    yield Question("ram_gib", "number", True, a.ram_gib)
    yield Question("vram_gib", "number", True, a.vram_gib)
    yield Question("timeout_s", "number", True, a.timeout_s)


def _tensor_questions(a: Answers) -> Iterator[Question]:
    yield Question("dimensions", "choice", True, a.dimensions, ("2", "3"))
    yield Question("orientation", "choice", True, a.orientation, ORIENTATIONS)
    yield Question("shape", "list", True, a.shape)
    fixed = bool(a.shape) and not any("n" in length for length in a.shape)
    if fixed or a.kind == "classification":
        yield Question("fit", "choice", True, a.fit, ("tile", "resize"))
    if a.fit != "resize":
        yield Question("spacing_mm", "numbers", False, a.spacing_mm)
        if not fixed and a.kind != "classification":
            yield Question("tile", "numbers", False, a.tile)
            yield Question("overlap", "number", True, a.overlap)
    yield Question("intensity", "choice", True, a.intensity, (*INTENSITIES, "custom"))
    if a.intensity == "custom":
        yield Question("channels", "channels", True, [c.model_dump() for c in a.channels])


def _output_questions(a: Answers) -> Iterator[Question]:
    kinds = ("labels", "probability", "classification")
    yield Question("kind", "choice", True, a.kind, kinds)
    if a.kind == "labels":
        yield Question("form", "choice", True, a.form, ("channels", "map"))
    if a.form == "channels":
        yield Question("output_channels", "number", False, a.output_channels)
    if a.kind in ("probability", "classification"):
        choices = ("none", "softmax", "sigmoid")
        yield Question("activation", "choice", True, a.activation, choices)
    labels = [label.model_dump() for label in a.labels]
    complete = all(label.title_en and label.title_vi and label.type for label in a.labels)
    yield Question("labels", "labels", True, labels, complete=complete)
