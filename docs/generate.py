"""Write the reference pages that follow from code: settings, command line, errors, manifest.

``--check`` writes nothing and fails when a page is not what the code says.
"""

import inspect
import json
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from ennead import errors
from ennead.plugins import manifest, quality
from ennead.plugins import schema as package_schema
from ennead.settings import Settings
from ennead_models import manifest as models

REFERENCE = Path(__file__).parent / "reference"
NOTE = "<!-- Written by docs/generate.py from the code; change the code. -->\n\n"


def settings_page() -> str:
    lines = [
        NOTE + "# Settings\n",
        "Sources, strongest first: command-line options, `ENNEAD_…` environment variables",
        "(`__` nests), `ennead.toml` in the home directory, the defaults. For example",
        "`ENNEAD_HTTP__PORT=8051`, or in `ennead.toml`:\n",
        "```toml\n[http]\nport = 8051\n```\n",
    ]

    def walk(model: type[BaseModel], prefix: str) -> Iterator[str]:
        for name, field in model.model_fields.items():
            if not field.description:
                raise SystemExit(f"setting {prefix}{name} has no docstring")
            kind = field.annotation
            if inspect.isclass(kind) and issubclass(kind, BaseModel):
                yield f"\n## `{name}`: {field.description}\n"
                yield "| Environment variable | Default | Meaning |\n|--|--|--|"
                yield from walk(kind, f"{prefix}{name.upper()}__")
            else:
                default = "" if field.default in ("", (), None) else f"`{field.default}`"
                yield f"| `{prefix}{name.upper()}` | {default} | {field.description} |"

    lines += ["| Environment variable | Default | Meaning |\n|--|--|--|"]
    lines += walk(Settings, "ENNEAD_")
    return "\n".join(lines) + "\n"


def errors_page() -> str:
    lines = [NOTE + "# Errors\n", "Every error raised on purpose has a code that stays.\n"]
    members = [
        c
        for _, c in inspect.getmembers(errors, inspect.isclass)
        if issubclass(c, errors.EnneadError)
    ]
    for kind in sorted(members, key=lambda c: c.code):
        parents = ", ".join(f"`{b.__name__}`" for b in kind.__bases__)
        lines += [
            f"(enn-{kind.code[4:]})=",
            f"## {kind.code} {kind.__name__}\n",
            f"{inspect.getdoc(kind)}\n",
            f"Also a: {parents}.\n",
        ]
    return "\n".join(lines)


def command_line_page() -> str:
    import typer
    from typer.main import get_command

    from ennead.cli import build, commands

    lines = [NOTE + "# Command line\n", "`ennead COMMAND --help` shows the same in a terminal.\n"]

    def walk(command: Any, path: str) -> Iterator[str]:
        if not command.help:
            raise SystemExit(f"command {path!r} has no help")
        text = inspect.cleandoc(command.help).replace("\b", "")
        yield f"## `{path}`\n\n{text}\n"
        parameters = [p for p in command.params if p.name != "help"]
        if parameters:
            yield "| Argument | Default | Meaning |\n|--|--|--|"
        for parameter in parameters:
            meaning = getattr(parameter, "help", "") or ""
            if not meaning:
                raise SystemExit(f"{path} {parameter.name} has no help")
            names = ", ".join(f"`{o}`" for o in [*parameter.opts, *parameter.secondary_opts])
            default = parameter.default
            shown = "" if default in (None, "", (), []) or callable(default) else f"`{default}`"
            yield f"| {names} | {shown} | {' '.join(meaning.split())} |"
        yield ""
        for name, child in sorted(getattr(command, "commands", {}).items()):
            yield from walk(child, f"{path} {name}")

    for name in commands():
        root: Any = get_command(build(name))
        assert isinstance(root, typer.core.TyperGroup)
        lines += walk(root.commands[name], f"ennead {name}")
    return "\n".join(lines) + "\n"


def manifest_page() -> str:
    lines = [
        NOTE + "# `package.toml`\n",
        "What a package needs, refuses, returns and may claim. Unknown keys are errors.\n",
    ]
    order = [
        manifest.Manifest,
        manifest.IntendedUse,
        manifest.InputRule,
        manifest.Requirement,
        manifest.Bounds,
        manifest.Preference,
        manifest.ProbeRule,
        manifest.PriorRule,
        manifest.ClinicalRules,
        manifest.Runtime,
        manifest.OutputRule,
        manifest.CodeRule,
        manifest.ThresholdRule,
        manifest.FunctionRule,
        manifest.FunctionInput,
        manifest.FunctionChoice,
        manifest.QualityCheck,
        manifest.ReferenceCase,
        manifest.ExpectedValue,
    ]
    return "\n".join([*lines, *tables(order)])


CASE = """## Reference case

The image and what the model must say of it, in the model's folder; either a `.npz` with

| Array | Content |
|--|--|
| `values` | int16 or float32[z, y, x], in the image's units |
| `origin_mm`, `axes`, `spacing_mm` | grid: LPS mm of voxel 0; LPS unit vectors, mm of z, y, x |
| `labels` | uint16[z, y, x], the expected label map; or instead |
| `score_ids`, `scores` | texts and float64, the expected score of each class |

or a folder with `input.nii.gz` and `expected.nii.gz` on the same grid, or `expected.json`
(`{"scores": {"pneumonia": 0.93}}`).
A case in which nothing is to be found is refused: any network would pass it.
"""


def model_manifest_page() -> str:
    """The page of ``model.toml``: an example that is checked, then every table."""
    import tomllib

    from ennead_models.manifest import parse_model

    example = (REFERENCE / "model-example.toml").read_text(encoding="utf-8")
    parse_model(tomllib.loads(example), "docs/reference/model-example.toml")
    lines = [
        NOTE + "# `model.toml`\n",
        "What a network is, needs, gives and may claim. Unknown keys are errors. Three numbers for",
        "three axes are in the order of the network's own array axes, which `input.orientation`",
        "names. A code is a table or written `SCT:10200004 Liver`.\n",
        f"```toml\n{example}```\n",
        CASE,
    ]
    order = [
        models.ModelManifest,
        models.ModelUse,
        models.Weights,
        models.ModelInput,
        models.Channel,
        models.ModelOutput,
        models.ModelLabel,
        models.Threshold,
        models.Resources,
        models.RunnerOptions,
        models.Evidence,
        models.EvidenceTest,
        models.Reference,
        models.Tolerance,
    ]
    return "\n".join([*lines, *tables(order)])


def tables(order: Sequence[type[BaseModel]]) -> list[str]:
    """A heading and a table of keys for each part of a manifest."""
    lines = []
    for model in order:
        lines += [
            f"## {model.__name__}\n",
            f"{inspect.getdoc(model)}\n",
            "| Key | Type | Meaning |\n|--|--|--|",
        ]
        for name, field in model.model_fields.items():
            kind = re.sub(r"\bennead\w*(\.\w+)+\.", "", str(field.annotation)).replace("|", "or")
            kind = re.sub(r"typing\.Annotated\[(\w+)(?:, \w+\([^()]*\))+\]", r"\1", kind)
            kind = kind.removeprefix("<class '").removesuffix("'>")
            required = " (required)" if field.is_required() else ""
            lines.append(
                f"| `{field.alias or name}` | `{kind}`{required} | {field.description or ''} |"
            )
        lines.append("")
    return lines


def quality_page() -> str:
    lines = [
        NOTE + "# `quality.toml`\n",
        "What a package claims of itself, rule by rule, at three levels.",
        "`ennead packages check ID` judges every rule that can be judged here, prints one line for",
        "each, and fails when the level that `package.toml` claims is not reached.\n",
        "```toml",
        'scale = "bronze"                     # equals quality in package.toml\n',
        "[bronze]",
        'readme = "done"                      # checked here',
        'deterministic = { exempt = "the vendor\'s library draws random seeds" }\n',
        "[silver]",
        'golden_measurements = { done = "tests/test_volume.py: five grids" }   # a person\'s word',
        "```\n",
        "A claimed level needs a state for each of its rules and of the levels below.",
        "An exemption needs its reason and is shown; a level with as many exemptions as kept rules",
        "is not reached.\n",
    ]
    for level in quality.LEVELS:
        lines += [f"## {level.capitalize()}\n", "| Rule | Kept when | Judged by |", "|--|--|--|"]
        for rule in quality.RULES:
            if rule.level == level:
                by = "`ennead packages check`" if rule.checked else "people; the evidence is named"
                lines.append(f"| `{rule.id}` | {rule.text} | {by} |")
        lines.append("")
    return "\n".join(lines)


def model_schema() -> str:
    schema = models.ModelManifest.model_json_schema(by_alias=True, mode="validation")
    head = {"$schema": package_schema.DIALECT, **schema, "title": "model.toml"}
    return json.dumps(head, indent=2, ensure_ascii=False) + "\n"


PAGES = {
    "settings.md": settings_page,
    "errors.md": errors_page,
    "command-line.md": command_line_page,
    "package-manifest.md": manifest_page,
    "model-manifest.md": model_manifest_page,
    "package-quality.md": quality_page,
    "package.schema.json": package_schema.schema_text,
    "model.schema.json": model_schema,
}


def main() -> int:
    stale = []
    for name, build in PAGES.items():
        text, file = build(), REFERENCE / name
        if not file.exists() or file.read_text() != text:
            stale.append(name)
            if "--check" not in sys.argv:
                file.write_text(text)
    if stale and "--check" in sys.argv:
        print(f"docs/reference: {', '.join(stale)} are not what the code says; run: make docs")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
