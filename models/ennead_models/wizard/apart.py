"""Work that loads network libraries, in a process of its own: the web process never does.

A network that needs all memory, or crashes its library, ends this process and nothing else.
"""

from __future__ import annotations

import contextlib
import inspect
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from ennead import errors
from ennead.settings import Settings

#: Longest that reading, building or installing a model may take.
LIMIT_S: Final = 1800.0


def run_apart(settings: Settings, job: Mapping[str, Any]) -> dict[str, Any]:
    """Do a job of :func:`_work` in a fresh process and give its answer.

    Raises
    ------
    EnneadError
        What the job raised; or :class:`ennead.errors.ModelError` when it ended without an answer.
    """
    given = {"settings": settings.model_dump(mode="json"), "job": dict(job)}
    try:
        done = subprocess.run(
            [sys.executable, "-m", "ennead_models.wizard.apart"],
            input=json.dumps(given),
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise errors.ModelError(
            f"The model was stopped after {LIMIT_S:.0f} s without an answer. Try a smaller sample, "
            "or the command line: ennead models add."
        ) from error
    lines = done.stdout.strip().splitlines()
    try:
        answer: dict[str, Any] = json.loads(lines[-1])
    except (IndexError, ValueError) as error:
        ended = f"signal {-done.returncode}" if done.returncode < 0 else f"status {done.returncode}"
        raise errors.ModelError(
            f"The process that ran the model ended with {ended} and no answer; most often memory "
            f"ran out. Last words: {done.stderr.strip()[-300:]}"
        ) from error
    if "error" in answer:
        raise _error(answer["error"])
    return answer


def _error(document: Mapping[str, str]) -> errors.EnneadError:
    kinds = [k for _, k in inspect.getmembers(errors, inspect.isclass)]
    for kind in kinds:
        if issubclass(kind, errors.EnneadError) and kind.code == document["code"]:
            return kind(document["message"])
    return errors.ModelError(document["message"])


def main() -> None:
    """Read a job from standard input; the last line of standard output is the answer."""
    given = json.load(sys.stdin)
    groups = {k: v for k, v in given["settings"].items() if k != "home"}
    settings = Settings.load(given["settings"]["home"], **groups)
    with contextlib.redirect_stdout(sys.stderr):
        try:
            answer = _work(settings, given["job"])
        except errors.EnneadError as error:
            answer = {"error": {"code": error.code, "message": error.message}}
    print(json.dumps(answer))


def _work(settings: Settings, job: Mapping[str, Any]) -> dict[str, Any]:
    if job["action"] == "read":
        return _read(settings, job)
    if job["action"] == "build":
        return _build(settings, job)
    return _install(settings, job["model"], job["version"], job)


def _read(settings: Settings, job: Mapping[str, Any]) -> dict[str, Any]:
    from ennead_models.wizard.contract import read_contract
    from ennead_models.wizard.drafts import Drafts
    from ennead_models.wizard.prepare import prepare

    draft_folder = Drafts(settings).root / job["draft"]
    source = draft_folder / "upload" / job["name"]
    prepared = prepare(source, draft_folder / "work", settings.models.weights_limit_bytes)
    return {"contract": read_contract(prepared).document()}


def _build(settings: Settings, job: Mapping[str, Any]) -> dict[str, Any]:
    import shutil
    import tempfile

    from ennead_models.folders import home_models
    from ennead_models.install import weights_store
    from ennead_models.wizard.build import Build, build_folder
    from ennead_models.wizard.contract import read_contract
    from ennead_models.wizard.drafts import Drafts
    from ennead_models.wizard.prepare import prepare

    draft = Drafts(settings).get(job["draft"])
    answers = draft.answers
    if not job["licence_accepted"]:
        raise errors.LicenceNotAccepted(
            f"{answers.id} {answers.version} is under the licence {answers.licence}. Read and "
            "accept it first."
        )
    with tempfile.TemporaryDirectory(dir=draft.folder, prefix="build-") as work:
        limit = settings.models.weights_limit_bytes
        prepared = prepare(draft.upload, Path(work) / "source", limit)
        folder = build_folder(
            Build(
                prepared,
                read_contract(prepared),
                answers,
                weights_store(settings),
                home_models(settings),
                sample=draft.sample_path,
                threads=settings.models.threads or 1,
                code_accepted=job["code_accepted"],
            )
        )
    try:
        return _install(settings, answers.id, answers.version, job)
    except errors.EnneadError:
        shutil.rmtree(folder)  # the answers can be corrected and the same version tried again
        raise


def _install(
    settings: Settings, model: str, version: str, job: Mapping[str, Any]
) -> dict[str, Any]:
    from ennead.database import Database
    from ennead.security import Principal, Role
    from ennead_models.folders import find_model
    from ennead_models.install import install

    who = job["principal"]
    principal = Principal(
        who["name"],
        who["display_name"],
        frozenset(Role(role) for role in who["roles"]),
        who["kind"],
        who["address"],
    )
    database = Database(settings.database_url)
    try:
        row = install(
            settings,
            database,
            find_model(settings, model, version),
            principal,
            licence_accepted=job["licence_accepted"],
            code_accepted=job["code_accepted"],
        )
    finally:
        database.close()
    return {"model": row.model, "version": row.version, "state": str(row.state)}


if __name__ == "__main__":
    main()
