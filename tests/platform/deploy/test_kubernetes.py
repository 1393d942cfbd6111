"""The Kubernetes manifests agree with the settings, the command line and each other."""

import os
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import yaml

from ennead import __version__
from ennead.settings import Settings

FOLDER = Path(__file__).parents[3] / "platform" / "deploy" / "kubernetes"


@pytest.fixture(scope="module")
def documents() -> list[dict[str, Any]]:
    listed = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())["resources"]
    assert sorted(listed) == sorted(
        p.name for p in FOLDER.glob("*.yaml") if p.name != "kustomization.yaml"
    )
    return [d for name in listed for d in yaml.safe_load_all((FOLDER / name).read_text())]


def named(documents: list[dict[str, Any]], kind: str, name: str) -> dict[str, Any]:
    (found,) = [d for d in documents if d["kind"] == kind and d["metadata"]["name"] == name]
    return found


def pods(documents: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Every pod's spec, by the name of what makes it."""
    found = {
        d["metadata"]["name"]: d["spec"]["template"]["spec"]
        for d in documents
        if d["kind"] in ("Deployment", "StatefulSet")
    }
    ray = named(documents, "RayCluster", "ennead-ray")["spec"]
    found["ray-head"] = ray["headGroupSpec"]["template"]["spec"]
    (group,) = ray["workerGroupSpecs"]
    found["ray-worker"] = group["template"]["spec"]
    return found


def test_the_settings_are_settings(
    documents: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for key in [k for k in os.environ if k.startswith("ENNEAD_")]:
        monkeypatch.delenv(key)
    given = {
        **named(documents, "ConfigMap", "ennead-settings")["data"],
        **named(documents, "Secret", "ennead-secrets")["stringData"],
    }
    assert given.pop("ENNEAD_ADMIN_PASSWORD")  # of the first start, no setting
    for name, value in given.items():
        group, _, key = name.removeprefix("ENNEAD_").lower().partition("__")
        kind: Any = Settings.model_fields[group].annotation
        assert key in kind.model_fields, name
        monkeypatch.setenv(name, value)
    settings = Settings.load(tmp_path / "home")
    assert (settings.http.host, settings.http.port) == ("0.0.0.0", 8050)
    assert (settings.dicom.port, settings.dicom.ae_title) == (11112, "ENNEAD")
    assert not settings.dicom.accept_any_ae
    assert settings.objects_dir == Path("/srv/objects")
    assert settings.database_url.startswith("postgresql://ennead:")
    assert settings.ray.address == "127.0.0.1:6379"


def test_every_container_sees_the_same_objects_at_the_same_place(
    documents: list[dict[str, Any]],
) -> None:
    named(documents, "PersistentVolumeClaim", "ennead-objects")
    writers = set()
    for name, pod in pods(documents).items():
        if name == "ennead-database":
            continue
        claims = {
            v["name"]: v["persistentVolumeClaim"]["claimName"]
            for v in pod["volumes"]
            if "persistentVolumeClaim" in v
        }
        for container in pod["containers"]:
            (mount,) = [m for m in container["volumeMounts"] if m["name"] in claims]
            assert claims[mount["name"]] == "ennead-objects"
            assert mount["mountPath"] == "/srv/objects"
            if not mount.get("readOnly"):
                writers.add(container["name"])
    assert writers == {"web", "dimse", "worker"}  # where packages compute, nothing is written


def test_ports_commands_and_images(documents: list[dict[str, Any]]) -> None:
    commands, images = {}, set()
    for name, pod in pods(documents).items():
        for container in pod["containers"]:
            if "command" in container:
                commands[container["name"]] = container["command"]
            if name != "ennead-database":
                images.add(container["image"])
                assert pod["securityContext"]["runAsNonRoot"] is True
    assert images == {f"ennead:{__version__}"}  # results need the same code everywhere
    assert commands == {
        "web": ["ennead", "serve", "--home", "/srv/home", "--only", "web"],
        "dimse": ["ennead", "worker", "--home", "/srv/home", "--only", "dimse"],
        "worker": ["ennead", "worker", "--home", "/srv/home", "--only", "worker"],
    }
    for service, port in (("ennead-web", 8050), ("ennead-dimse", 11112), ("ennead-database", 5432)):
        spec = named(documents, "Service", service)["spec"]
        assert [p["port"] for p in spec["ports"]] == [port]
        (container,) = pods(documents)[service]["containers"]
        assert [p["containerPort"] for p in container["ports"]] == [port]
        kind = "StatefulSet" if service == "ennead-database" else "Deployment"
        labels = named(documents, kind, service)["spec"]["template"]["metadata"]["labels"]
        assert spec["selector"].items() <= labels.items()


def test_ray(documents: list[dict[str, Any]]) -> None:
    spec = named(documents, "RayCluster", "ennead-ray")["spec"]
    assert spec["rayVersion"] == version("ray")
    assert spec["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"
    head = pods(documents)["ray-head"]
    # A driver in another container needs the raylet's process, sockets and memory.
    assert head["shareProcessNamespace"] is True
    mounts = [{m["name"] for m in c["volumeMounts"]} for c in head["containers"]]
    assert {"ray", "shared-memory"} <= mounts[0] & mounts[1]
    secret = named(documents, "Secret", "ennead-ray")["stringData"]
    for pod in ("ray-head", "ray-worker"):
        for container in pods(documents)[pod]["containers"]:
            given = {e["name"]: e for e in container["env"]}
            assert given["RAY_AUTH_MODE"]["value"] == "token"
            token = given["RAY_AUTH_TOKEN"]["valueFrom"]["secretKeyRef"]
            assert token["name"] == "ennead-ray" and token["key"] in secret
    policy = named(documents, "NetworkPolicy", "ennead-ray")["spec"]
    for part in (spec["headGroupSpec"], *spec["workerGroupSpecs"]):
        labels = part["template"]["metadata"]["labels"]
        assert policy["podSelector"]["matchLabels"].items() <= labels.items()
    for group in spec["workerGroupSpecs"]:
        shared = next(
            v["emptyDir"]["sizeLimit"]
            for v in group["template"]["spec"]["volumes"]
            if v["name"] == "shared-memory"
        )
        store = int(group["rayStartParams"]["object-store-memory"])
        assert store < int(shared.removesuffix("Gi")) * 1024**3
