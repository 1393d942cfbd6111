"""The routes of this room; :func:`routers` is what the web process mounts."""

from __future__ import annotations

from fastapi import APIRouter


def routers() -> list[APIRouter]:
    """All of them, with their full paths."""
    from ennead_pipelines.api import (
        devices,
        events,
        facts,
        findings,
        functions,
        jobs,
        networks,
        packages,
        preview,
        queue,
        review,
        rules,
        site,
        studies,
        timeline,
        validations,
    )

    modules = (
        *(studies, timeline, jobs, findings, review, functions),
        *(packages, networks, facts, validations, preview, queue, rules, site, events, devices),
    )
    return [module.router for module in modules]
