"""How good a model is on data of this place: metrics, labelled sets, reports.

The metrics are pure functions of arrays; :mod:`~ennead_models.validation.labelled` reads the
folder of cases, :mod:`~ennead_models.validation.report` puts numbers into one JSON document.
"""
