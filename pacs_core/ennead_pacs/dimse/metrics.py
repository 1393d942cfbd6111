"""Counters of the DIMSE services."""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter

INSTANCES: Final = Counter("ennead_dimse_instances", "C-STORE requests answered", ["outcome"])
BYTES: Final = Counter("ennead_dimse_received_bytes", "Dataset bytes received by C-STORE")
SENT: Final = Counter("ennead_dimse_sent_instances", "C-GET sub-operations", ["outcome"])
QUERIES: Final = Counter("ennead_dimse_queries", "C-FIND requests answered", ["outcome"])
ASSOCIATIONS: Final = Counter("ennead_dimse_associations", "Associations", ["outcome"])

STORED: Final = INSTANCES.labels("stored")
DUPLICATE: Final = INSTANCES.labels("duplicate")
REFUSED: Final = INSTANCES.labels("refused")
