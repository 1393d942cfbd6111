"""The catalogue of texts for the portal and the viewer."""

from __future__ import annotations

import hashlib
import json
from functools import cache

from fastapi import APIRouter, Request
from fastapi.responses import Response

from ennead.app.dependencies import SettingsDependency
from ennead.errors import NotFound
from ennead.plugins import discover_packages
from ennead.texts import LANGUAGES, package_texts, platform_texts

router = APIRouter(prefix="/api/v1/texts", tags=["texts"])


@router.get("")
def read_languages(settings: SettingsDependency) -> dict[str, str | list[str]]:
    """The languages there are, and the site's own (``ENNEAD_PORTAL__LANGUAGE``)."""
    return {"default": settings.portal.language, "languages": list(LANGUAGES)}


@router.get("/{language}", response_model=dict[str, str])
def read_texts(language: str, request: Request) -> Response:
    """Flat ``{key: text}``; a package's keys begin with ``package.<id>.``."""
    if language not in LANGUAGES:
        raise NotFound(f"There are texts in {', '.join(LANGUAGES)} only.")
    body, etag = _catalogue(language)
    headers = {"ETag": etag, "Cache-Control": "no-cache"}
    if etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(body, media_type="application/json", headers=headers)


@cache
def _catalogue(language: str) -> tuple[bytes, str]:
    texts = dict(platform_texts("en")) | dict(platform_texts(language))
    for package in discover_packages():
        if package.folder is not None:
            for wanted in ("en", language):
                own = package_texts(package.folder, wanted)
                texts |= {f"package.{package.id}.{key}": text for key, text in own.items()}
    body = json.dumps(texts, ensure_ascii=False, sort_keys=True).encode()
    return body, f'"{hashlib.sha256(body).hexdigest()[:32]}"'
