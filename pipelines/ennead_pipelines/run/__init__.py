"""Jobs on Ray: decode once, measure, encode, hand back bytes.

:mod:`~ennead_pipelines.run.dispatch` lives in the worker process; what it submits to Ray is in
:mod:`~ennead_pipelines.run.tasks`, and nothing there touches the database or stores an object.
"""
