"""Rules of the site: list, export, import, undo, and test on stored studies."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ennead.cli.options import DEFAULT_HOME, Home, opened

if TYPE_CHECKING:
    from ennead_pipelines.site.cohort import Cohort
    from ennead_pipelines.site.toml import SiteDocument

rules = typer.Typer(
    help="Rules of the site: list, export, import, undo, and test on stored studies.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Language = Annotated[str | None, typer.Option("--lang", help="vi or en; default: the site's.")]


@rules.command("list")
def list_rules(home: Home = DEFAULT_HOME, lang: Language = None) -> None:
    """The rules in force, in their order.

    Try:

      ennead rules list
    """
    from ennead_pipelines.site.say import rule_text
    from ennead_pipelines.site.store import current_rules

    with opened(home) as (settings, database), database.read() as connection:
        current = current_rules(connection)
        language = lang or settings.portal.language
    typer.echo(f"revision {current.number}, {len(current.rules)} rules")
    for position, rule in enumerate(current.rules, 1):
        off = "" if rule.enabled else " (off)"
        typer.echo(f"{position:>3}. {rule.name}{off}\n     {rule_text(rule, language)}")


@rules.command("history")
def show_history(home: Home = DEFAULT_HOME) -> None:
    """Every list that was in force, newest first, with who changed what.

    Try:

      ennead rules history
    """
    from ennead_pipelines.site.store import history

    with opened(home) as (_, database), database.read() as connection:
        found = history(connection)
    for revision, changed in found:
        restored = "" if revision.restored is None else f" (again {revision.restored})"
        typer.echo(f"{revision.number}{restored}  {revision.at}  {revision.by}  {revision.comment}")
        for sign, names in (
            ("+", [rule.name for rule in changed.added]),
            ("-", [rule.name for rule in changed.removed]),
            ("~", [rule.name for _, rule in changed.changed]),
        ):
            for name in names:
                typer.echo(f"    {sign} {name}")


@rules.command("export")
def export_rules(
    file: Annotated[Path | None, typer.Argument(help="File to write; default: the terminal.")] = (
        None
    ),
    home: Home = DEFAULT_HOME,
) -> None:
    """Write rules and thresholds as TOML.

    Try:

      ennead rules export site-rules.toml
    """
    from ennead_pipelines.site.store import current_rules
    from ennead_pipelines.site.thresholds import site_thresholds_of
    from ennead_pipelines.site.toml import write_toml

    with opened(home) as (_, database), database.read() as connection:
        text = write_toml(current_rules(connection).rules, site_thresholds_of(connection))
    if file is None:
        typer.echo(text, nl=False)
    else:
        file.write_text(text, encoding="utf-8")


@rules.command("import")
def import_rules(
    file: Annotated[Path, typer.Argument(help="TOML file, as `export` writes it.")],
    home: Home = DEFAULT_HOME,
    comment: Annotated[str, typer.Option("--comment", help="Why; kept with the revision.")] = "",
) -> None:
    """Put the rules of a file in force, and the thresholds of the packages it names.

    Nothing changes when anything in it is wrong.

    Try:

      ennead rules import site-rules.toml --comment "new scanner"
    """
    from ennead.errors import NotFound
    from ennead.security import SYSTEM
    from ennead_pipelines.packages import PackageCatalogue
    from ennead_pipelines.site.store import current_rules, replace_rules
    from ennead_pipelines.site.thresholds import set_thresholds, threshold_rows
    from ennead_pipelines.site.validate import check_rules

    document = _read(file)
    catalogue = PackageCatalogue()
    check_rules(document.rules, catalogue.all())
    with opened(home) as (_, database), database.begin() as connection:
        now = current_rules(connection)
        made = now
        if now.rules != document.rules:
            made = replace_rules(connection, document.rules, now.number, SYSTEM, comment)
        for package, values in document.thresholds.items():
            found = catalogue.get(package)
            if found is None or found.manifest is None:
                raise NotFound(f"[thresholds.{package}]: no such package is installed here.")
            kept: dict[str, float | None] = dict.fromkeys(threshold_rows(connection, package))
            set_thresholds(connection, found.manifest, {**kept, **values}, SYSTEM)
    typer.echo(f"revision {made.number}, {len(made.rules)} rules")


@rules.command("undo")
def undo_rules(
    home: Home = DEFAULT_HOME,
    to: Annotated[
        int | None,
        typer.Option("--to", help="Revision to bring back; default: before the last change."),
    ] = None,
) -> None:
    """Bring back an earlier list of rules, as a new revision.

    Try:

      ennead rules undo
    """
    from ennead.security import SYSTEM
    from ennead_pipelines.site.store import current_rules, undo

    with opened(home) as (_, database), database.begin() as connection:
        made = undo(connection, current_rules(connection).number, SYSTEM, to)
    typer.echo(f"revision {made.number} has the {len(made.rules)} rules of {made.restored}")


@rules.command("test")
def test_rules(
    home: Home = DEFAULT_HOME,
    last: Annotated[int | None, typer.Option("--last", help="The newest N studies (50).")] = None,
    study: Annotated[
        list[str] | None, typer.Option("--study", help="Study Instance UID; may be repeated.")
    ] = None,
    yesterday: Annotated[
        bool, typer.Option("--yesterday", help="Studies that arrived yesterday.")
    ] = False,
    date_from: Annotated[
        str | None, typer.Option("--from", help="First day of arrival, like 2026-11-01.")
    ] = None,
    date_to: Annotated[str | None, typer.Option("--to", help="Last day of arrival.")] = None,
    limit: Annotated[int | None, typer.Option("--limit", help="At most this many (500).")] = None,
    file: Annotated[
        Path | None, typer.Option("--rules", help="TOML file to try in place of what is in force.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The API's answer.")] = False,
    lang: Language = None,
) -> None:
    """What would happen to stored studies, and what that changes; nothing runs.

    Try:

      ennead rules test --last 50

      ennead rules test --yesterday --rules site-rules.toml
    """
    from ennead_pipelines.site.cohort import cohort

    days = [_day(value) for value in (date_from, date_to)]
    document = _read(file) if file else None
    with opened(home) as (settings, database):
        wanted = cohort(
            settings.portal.zone,
            studies=study or (),
            last=last,
            yesterday=yesterday,
            date_from=days[0],
            date_to=days[1],
            limit=limit,
        )
        answer = _replayed(settings, database, wanted, document, lang)
    if as_json:
        import json

        typer.echo(json.dumps(answer, ensure_ascii=False, indent=1))
        return
    for line in _lines(answer):
        typer.echo(line)


def _replayed(
    settings: Any, database: Any, wanted: Cohort, document: SiteDocument | None, lang: str | None
) -> dict[str, Any]:
    from ennead_pipelines.packages import PackageCatalogue, introduce, states
    from ennead_pipelines.site.propose import propose
    from ennead_pipelines.site.replay import replay
    from ennead_pipelines.site.replay_json import replay_json
    from ennead_pipelines.site.store import load_control

    found = PackageCatalogue().all()
    with database.begin() as connection:
        introduce(connection, found)
        control = load_control(connection, settings.portal.zone)
        known = states(connection, found)
    given = (document.rules, document.thresholds) if document else (None, None)
    proposal = propose(known, control, *given)
    with _archive(settings, database) as archive:
        made = replay(database, archive, proposal, wanted)
    return replay_json(made, lang or settings.portal.language)


@contextmanager
def _archive(settings: Any, database: Any) -> Iterator[Any]:
    from ennead_pacs.archive import open_archive

    archive = open_archive(settings, database)
    try:
        yield archive
    finally:
        archive.close()


def _lines(answer: Mapping[str, Any]) -> Iterator[str]:
    marks = {"run": "+", "refused": "-", "skipped": "x"}
    for study in answer["studies"]:
        sent = ", ".join(study["sources"])
        yield f"{study['study_uid']}  {'/'.join(study['modalities'])}  {sent}"
        for each in study["packages"]:
            rule = f"  [{each['rule']['name']}]" if each["rule"] else ""
            what = each["priority"] if each["outcome"] == "run" else each["reason"]
            yield f"  {marks[each['outcome']]} {each['package']} {each['version']}: {what}{rule}"
            for change in each["changes"]:
                yield f"      {change['text']}"
    for uid in answer["missing"]:
        yield f"{uid}  not here"
    total = answer["summary"]
    yield (
        f"{total['studies']} studies: {total['run']} would run, {total['refused']} be refused, "
        f"{total['skipped']} be skipped; {total['different']} differ from what happened "
        f"({answer['elapsed_s']} s)"
    )


def _read(file: Path) -> SiteDocument:
    from ennead.errors import RuleInvalid
    from ennead_pipelines.site.toml import read_toml

    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RuleInvalid(f"{file} cannot be read: {error}.") from error
    return read_toml(text)


def _day(value: str | None) -> dt.date | None:
    from ennead.errors import InputError

    try:
        return dt.date.fromisoformat(value) if value else None
    except ValueError as error:
        raise InputError(f"A day is written like 2026-11-01; got {value!r}.") from error
