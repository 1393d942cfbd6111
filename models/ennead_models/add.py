"""``ennead models add``: a network's file becomes a model, with as few questions as possible."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import typer

from ennead.cli.options import DEFAULT_HOME, Home, opened

Several = list[str] | None
#: Options that are no answers, or answers in another form.
_NO_ANSWERS: Final = frozenset(
    "source answers sample into accept_code ask language device home label licence_file".split()
)


def _option(text: str, *names: str) -> Any:
    return typer.Option(*names, help=text)


def add(
    context: typer.Context,
    source: Annotated[
        Path,
        typer.Argument(
            metavar="FILE_OR_FOLDER",
            help="ONNX or TorchScript file, MONAI bundle, nnU-Net results folder (or their zip).",
        ),
    ],
    answers: Annotated[Path | None, _option("File with answers (TOML).", "--answers")] = None,
    sample: Annotated[
        Path | None,
        _option("DICOM folder or NIfTI file for the reference case; else a phantom.", "--sample"),
    ] = None,
    into: Annotated[
        Path | None, _option("Make the folder here, with its weights, to give away.", "--into")
    ] = None,
    accept_code: Annotated[
        bool, _option("Agree to run the code that a MONAI bundle holds.", "--accept-code")
    ] = False,
    ask: Annotated[
        bool, _option("Ask what is missing; --no-ask lists it.", "--ask/--no-ask")
    ] = True,
    language: Annotated[
        Literal["vi", "en"], _option("Language of the questions.", "--language")
    ] = "en",
    device: Annotated[str, _option("Where to run it once: cpu or cuda:0.", "--device")] = "cpu",
    id: Annotated[str, _option("Id of the model.", "--id")] = "",
    version: Annotated[str, _option("Version, three numbers.", "--version")] = "",
    title_en: Annotated[str, _option("English name.", "--title-en")] = "",
    title_vi: Annotated[str, _option("Vietnamese name.", "--title-vi")] = "",
    summary_en: Annotated[str, _option("Intended use in English.", "--summary-en")] = "",
    summary_vi: Annotated[str, _option("Intended use in Vietnamese.", "--summary-vi")] = "",
    status: Annotated[str, _option("research or decision-support.", "--status")] = "",
    licence: Annotated[str, _option("SPDX name, or LicenseRef-….", "--licence")] = "",
    licence_file: Annotated[
        Path | None, _option("File with the licence's text.", "--licence-file")
    ] = None,
    modality: Annotated[Several, _option("CT, MR …; may be repeated.", "--modality")] = None,
    body_part: Annotated[Several, _option("CHEST …; may be repeated.", "--body-part")] = None,
    dimensions: Annotated[int | None, _option("2 or 3.", "--dimensions")] = None,
    orientation: Annotated[
        str, _option("Where the network's axes point: RAS, SPL ….", "--orientation")
    ] = "",
    spacing_mm: Annotated[
        str, _option("Spacing in training, along its axes: 1.5,1.5,1.5.", "--spacing-mm")
    ] = "",
    shape: Annotated[str, _option("Lengths of the input: 96,96,96 or 16*n,….", "--shape")] = "",
    fit: Annotated[str, _option("tile or resize.", "--fit")] = "",
    tile: Annotated[str, _option("Sliding window: 96,96,96.", "--tile")] = "",
    overlap: Annotated[float | None, _option("Overlap of windows, 0 to 1.", "--overlap")] = None,
    intensity: Annotated[
        str, _option("none, ct, ct-soft, ct-lung, ct-bone, zscore ….", "--intensity")
    ] = "",
    kind: Annotated[str, _option("labels, probability or classification.", "--kind")] = "",
    form: Annotated[str, _option("channels or map (for labels).", "--form")] = "",
    output_channels: Annotated[
        int | None, _option("Channels of the output.", "--output-channels")
    ] = None,
    activation: Annotated[str, _option("none, softmax or sigmoid.", "--activation")] = "",
    label: Annotated[
        Several,
        _option(
            "VALUE;English;Vietnamese;CODE or words;side;threshold — the last two may be left "
            "out; may be repeated.",
            "--label",
        ),
    ] = None,
    max_slice_spacing_mm: Annotated[
        float | None, _option("Thicker series are refused.", "--max-slice-spacing-mm")
    ] = None,
    min_slices: Annotated[
        int | None, _option("Shorter series are refused.", "--min-slices")
    ] = None,
    trained_on: Annotated[str, _option("Training material in a sentence.", "--trained-on")] = "",
    limits: Annotated[Several, _option("A known limit; may be repeated.", "--limit")] = None,
    references: Annotated[Several, _option("A reference; may be repeated.", "--reference")] = None,
    owners: Annotated[Several, _option("Who answers for it; may be repeated.", "--owner")] = None,
    url: Annotated[str, _option("Where the weights are published.", "--url")] = "",
    ram_gib: Annotated[float | None, _option("Memory of a run.", "--ram-gib")] = None,
    vram_gib: Annotated[float | None, _option("GPU memory of a run.", "--vram-gib")] = None,
    timeout_s: Annotated[float | None, _option("Longest run.", "--timeout-s")] = None,
    home: Home = DEFAULT_HOME,
) -> None:
    """Make a model of a network's file: contract read, questions asked, folder, card, test made.

    Nothing is installed or run on studies yet: ``ennead models install`` comes next. What the file
    does not say is asked; every question is also an option, and a key of ``--answers``.

    Try:

      ennead models add liver.onnx

      ennead models add liver.onnx --answers answers.toml --sample series/ --no-ask

      ennead models add nnUNetTrainer__nnUNetPlans__3d_fullres/ --licence CC-BY-4.0
    """
    said = {k: v for k, v in context.params.items() if k not in _NO_ANSWERS}
    said["spacing_mm"] = _numbers(spacing_mm, float)
    said["shape"] = [length.strip() for length in shape.split(",") if length.strip()]
    said["tile"] = _numbers(tile, int)
    said["licence_text"] = licence_file.read_text(encoding="utf-8") if licence_file else None
    said["labels"] = [parse_label(text) for text in label or ()]
    answered = {name: value for name, value in said.items() if value not in (None, "", [], ())}
    _add(source, answers, answered, sample, into, accept_code, ask, language, device, home)


def _numbers(text: str, kind: Callable[[str], float]) -> list[float]:
    """``1.5,1.5,1.5`` as numbers.

    Raises
    ------
    InputError
        A part is no number.
    """
    from ennead.errors import InputError

    try:
        return [kind(part) for part in text.split(",") if part.strip()]
    except ValueError as error:
        raise InputError(f"Numbers with commas between them are expected; got {text!r}.") from error


def parse_label(text: str) -> dict[str, Any]:
    """``1;Liver;Gan;SCT:10200004 Liver;left;0.5`` as a label's answer.

    Where the code is words, the first code that the search finds is taken.

    Raises
    ------
    InputError
        It has too few parts, or no code is found for its words.
    """
    from ennead.errors import InputError
    from ennead_models.wizard.codes import search_codes

    parts = [part.strip() for part in text.split(";")]
    if len(parts) < 4 or not parts[0].isdigit():
        raise InputError(
            f"A label is 'VALUE;English;Vietnamese;CODE or words[;side[;threshold]]'; got {text!r}."
        )
    found: dict[str, Any] = {"value": int(parts[0]), "title_en": parts[1], "title_vi": parts[2]}
    code = parts[3]
    if ":" not in code:
        concepts = search_codes(code, 1)
        if not concepts:
            raise InputError(f"No code is found for {code!r}; give one: 'SCT:10200004 Liver'.")
        found["category"] = concepts[0].category
        code = concepts[0].text
    found["type"] = code
    if len(parts) > 4 and parts[4]:
        found["laterality"] = parts[4]
    if len(parts) > 5 and parts[5]:
        found["threshold"] = float(parts[5])
    return found


def _add(
    source: Path,
    answers_file: Path | None,
    said: dict[str, Any],
    sample: Path | None,
    into: Path | None,
    accept_code: bool,
    ask: bool,
    language: str,
    device: str,
    home: Path,
) -> None:
    from ennead_models.folders import home_models
    from ennead_models.install import weights_store
    from ennead_models.wizard.answers import parse_answers, read_answers
    from ennead_models.wizard.ask import ask_missing
    from ennead_models.wizard.build import Build, build_folder
    from ennead_models.wizard.contract import read_contract
    from ennead_models.wizard.prepare import prepare

    with opened(home) as (settings, _), tempfile.TemporaryDirectory(prefix="ennead-add-") as work:
        prepared = prepare(source, Path(work) / "source", settings.models.weights_limit_bytes)
        contract = read_contract(prepared)
        typer.echo(f"{contract.runner}: {contract.name}")
        for side, tensors in (("takes", contract.inputs), ("gives", contract.outputs)):
            for tensor in tensors:
                typer.echo(f"    {side} {tensor.name} {tensor.dtype} {tensor.shape}")
        for fact in contract.facts:
            typer.echo(f"    {fact}")
        stated = read_answers(answers_file) if answers_file else {}
        given = {**stated, **said}
        if ask and sys.stdin.isatty():
            given = ask_missing(contract, given, language)
        answers = parse_answers(contract.suggestions, given)
        build = Build(
            prepared,
            contract,
            answers,
            weights_store(settings),
            into or home_models(settings),
            keep_weights=into is not None,
            sample=sample,
            device=device,
            threads=settings.models.threads or 1,
            code_accepted=accept_code,
        )
        build_folder(build, typer.echo)
    typer.echo(f"next: ennead models install {answers.id} --home {home}")
