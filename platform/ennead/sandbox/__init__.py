"""Running code that nobody here wrote: the child's side, and the language it is spoken to in.

Needs numpy and the contracts only, so that an interpreter of the package's own can run it:

* :mod:`~ennead.sandbox.codec`: contracts as JSON and raw arrays; nothing is unpickled, ever.
* :mod:`~ennead.sandbox.frames`: messages on a pipe, with limits.
* :mod:`~ennead.sandbox.confine`: what the process gives up before it imports foreign code.
* :mod:`~ennead.sandbox.child`: the script that is started.

The other side, which starts and judges it, is :mod:`ennead_pipelines.sandbox`.
"""
