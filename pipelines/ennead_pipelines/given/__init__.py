"""What a run is given besides images: anatomy, clinical facts, earlier findings.

Decided when the study settles (:mod:`~ennead_pipelines.given.gather`) and kept with the job, so
that a run that is repeated is given the same. All of it enters the job's identity.
"""
