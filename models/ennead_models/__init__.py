"""Models as data: manifests, pinned weights, runners, lifecycle."""
