"""The index: what is stored, in three tables, searched one way by everyone."""

from ennead_pacs.index.records import (
    find_instance,
    find_study,
    instance_record,
    list_instances,
    list_series,
    series_record,
    study_record,
)
from ennead_pacs.index.search import (
    InstanceQuery,
    SeriesQuery,
    StudyQuery,
    count_studies,
    search_instances,
    search_series,
    search_studies,
    study_conditions,
)
from ennead_pacs.index.sources import recent_sources, series_sources
from ennead_pacs.index.tables import instances, metadata, series, studies

__all__ = [
    "InstanceQuery",
    "SeriesQuery",
    "StudyQuery",
    "count_studies",
    "find_instance",
    "find_study",
    "instance_record",
    "instances",
    "list_instances",
    "list_series",
    "metadata",
    "recent_sources",
    "search_instances",
    "search_series",
    "search_studies",
    "series",
    "series_record",
    "series_sources",
    "studies",
    "study_conditions",
    "study_record",
]
