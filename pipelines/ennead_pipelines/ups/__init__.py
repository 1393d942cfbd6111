"""UPS-RS: other systems search, claim, watch, cancel and ask for work (PS3.18 §11, IHE AIW-I).

A workitem is a job seen from outside (:mod:`~ennead_pipelines.ups.workitem`), not a copy of one:
its state, times and results are the job's. Own tables hold only what a job does not know: claims of
other systems, their requests, their subscriptions.
"""
