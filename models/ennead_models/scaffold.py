"""``ennead models new``: a folder to fill in by hand, for a network you are about to train."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

_MANIFEST: Final = """schema = 1
id = "{id}"
version = "0.1.0"
runner = "{runner}"                          # onnx | torchscript | monai-bundle | nnunet
licence = "Apache-2.0"                       # SPDX, or LicenseRef-… with licence_file
owners = []

[title]
vi = ""                                      # both languages are required
en = ""

[intended_use]
text = {{ vi = "", en = "" }}                  # one sentence: what for, on which images, for whom
status = "research"                          # research | decision-support; never a clearance
trained_on = ""                              # said on every result

[weights]
sha256 = "{zeros}"
size_bytes = 1                               # sha256sum and stat of the file
file = "weights{suffix}"                     # or url = "https://…", fetched by command only
{tensor}
[output]
kind = "labels"                              # labels | probability | classification
channels = 2                                 # background included

[resources]
ram_gib = 2.0
vram_gib = 0.0                               # measured by a dry run
overlap = 0.25{tile}

[evidence]
training = ""
limits = []

[reference]
case = "reference/case01.npz"                # made by: ennead models add, or by your own script
tolerance = {{ dice = 0.99, volume_percent = 0.5 }}

[[label]]
value = 1
id = "structure"
title = {{ vi = "", en = "" }}
type = ""                                    # "SCT:10200004 Liver"
"""
_TENSOR: Final = """
[input]
modality = ["CT"]
orientation = "RAS"                          # where each array axis of the network points
spacing_mm = [1.5, 1.5, 1.5]                 # along those axes
shape = ["16*n", "16*n", "16*n"]
channels = [{ name = "hu", clip = [-1000.0, 1000.0], scale = "minmax" }]
"""
_OWN: Final = """
[input]
modality = ["CT"]                            # the folder brings its own preprocessing
"""
_CARD: Final = """# {id}

## Developer

## Summary

## Uses and directions

## Warnings

### Known limits

### Known biases or ethical considerations

## Trust ingredients

### System facts

### Development data

### Bias mitigation

### Ongoing maintenance

## Key metrics

## Resources
"""


def new(
    model: Annotated[str, typer.Argument(help="Id: lower-case letters, digits, underscores.")],
    runner: Annotated[
        str, typer.Option("--runner", help="onnx, torchscript, monai-bundle or nnunet.")
    ] = "onnx",
    folder: Annotated[
        Path, typer.Option("--into", help="Where the model's folder is made.")
    ] = Path("."),
) -> None:
    """Make a folder with ``model.toml`` and ``CARD.md`` to fill in, for a network of your own.

    ``ennead models list`` names what is still missing. For a finished network, ``ennead models
    add`` asks and fills in everything.

    Try:

      ennead models new liver_lesions --into models
    """
    import re

    from ennead.errors import Conflict, InputError
    from ennead_models.manifest.base import ID
    from ennead_models.runners import RUNNERS

    if not re.fullmatch(ID, model) or runner not in RUNNERS:
        raise InputError(
            f"An id matches {ID} and a runner is one of {', '.join(RUNNERS)}; got {model!r}, "
            f"{runner!r}."
        )
    made = folder / model
    if made.exists():
        raise Conflict(f"{made} exists already.")
    own = runner in ("monai-bundle", "nnunet")
    text = _MANIFEST.format(
        id=model,
        runner=runner,
        zeros="0" * 64,
        suffix={"onnx": ".onnx", "torchscript": ".ts"}.get(runner, ".zip"),
        tensor=_OWN if own else _TENSOR,
        tile="" if own else "\ntile = [96, 96, 96]",
    )
    (made / "reference").mkdir(parents=True)
    (made / "model.toml").write_text(text, encoding="utf-8")
    (made / "CARD.md").write_text(_CARD.format(id=model), encoding="utf-8")
    typer.echo(f"{made}: fill in model.toml and CARD.md (docs/reference/model-manifest.md)")
