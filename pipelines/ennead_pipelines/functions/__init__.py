"""Interactive functions: a reader places something on the images and has the answer at once.

The web process checks the request and makes a job (``jobs.function`` names it); a thread of the
worker process has it measured by a warm actor that needs no free processor, and writes the answer
into the job; the web process hands it on. SEG and SR follow by the road of every other result.
Nothing here is superseded, and nothing here supersedes.
"""
