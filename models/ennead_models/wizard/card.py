"""``CARD.md``: a model card with the headings of CHAI's Applied Model Card."""

from __future__ import annotations

from collections.abc import Sequence

from ennead_models.manifest import ModelManifest
from ennead_models.wizard.answers import Answers

NOT_STATED = "Not stated."


def card(manifest: ModelManifest, answers: Answers, facts: Sequence[str], reference: str) -> str:
    """The card's text; what nobody stated says so.

    Parameters
    ----------
    facts : sequence of str
        What was read from the network's files.
    reference : str
        What the reference case was made from.
    """
    use = manifest.intended_use
    labels = "\n".join(
        f"| {label.value} | {label.title['en']} | {label.title['vi']} | "
        f"{label.type.scheme}:{label.type.value} {label.type.meaning} |"
        for label in manifest.label
    )
    return f"""# {manifest.title["en"]}

{manifest.title["vi"]} · version {manifest.version} · **{use.status}** · licence {manifest.licence}

This card follows the headings of the CHAI Applied Model Card. It claims no regulatory clearance.
Results are UNVERIFIED until a named reader accepts them.

## Developer

{_lines(manifest.owners)}

## Summary

{use.text["en"]}

{use.text["vi"]}

## Uses and directions

* **Intended use**: {use.text["en"]}
* **Images**: {", ".join(manifest.input.modality)}{_parts(manifest)}
* **Out of scope**: series that the manifest's bounds refuse; whatever "Known limits" lists.

## Warnings

### Known limits

{_lines(manifest.evidence.limits)}

### Known biases or ethical considerations

{NOT_STATED}

## Trust ingredients

### System facts

* **Output**: {_output(manifest)}
* **Runs with**: {manifest.runner}
{_bullets(facts)}

| Value | Name | Tên | Code |
|--|--|--|--|
{labels}

### Development data

{use.trained_on or NOT_STATED}

### Bias mitigation

{NOT_STATED}

### Ongoing maintenance

Versions, states and reasons are kept by the registry: `ennead models show {manifest.id}`.

## Key metrics

Reported by the publisher, not measured here:

{_lines(answers.reported)}

Figures of this site appear on the model's page after a local validation.

## Reference case

Made from {reference} by running this version once. It shows that the model gives here what it gave
then; it says nothing of how good that is.

## Resources

{_lines(answers.references)}
"""


def _lines(values: Sequence[str]) -> str:
    return _bullets(values) or NOT_STATED


def _bullets(values: Sequence[str]) -> str:
    return "\n".join(f"* {' '.join(value.split())}" for value in values)


def _parts(manifest: ModelManifest) -> str:
    parts = manifest.input.body_part
    return f" of {', '.join(parts)}" if parts else ""


def _output(manifest: ModelManifest) -> str:
    if manifest.output.kind == "classification":
        return f"a score for each of {len(manifest.label)} classes"
    return f"a label map of {len(manifest.label)} structures on the grid of the image"
